"""``wandb.plot``: charts of a table. Logged, each becomes a figure, and its table a csv file beside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.integrations._wandb.files import Results
from rla_hooks.integrations._wandb.media import Media
from rla_hooks.integrations._wandb.table import Table

from rla_hooks.errors import ConfigError
from rla_hooks.hooks import Run

Draw = Callable[[Any, Table], None]


class CustomChart(Media):
    """A chart: its table, and how it is drawn on matplotlib's axes."""

    def __init__(self, table: Table, draw: Draw, title: str | None = None, labels: tuple[str, str] = ("", "")):
        self.table, self.title, self._draw, self._labels = table, title, draw, labels

    def write(self, run: Run, results: Results, key: str, step: int) -> Path | None:
        self.table.write(run, results, f"{key}_table", step)
        return run.save_figure(key, self.figure(), step)

    def figure(self) -> Any:
        """Return it as a matplotlib figure."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 4.5), layout="constrained")
        axes = figure.subplots()
        self._draw(axes, self.table)
        axes.set(title=self.title or "", xlabel=self._labels[0], ylabel=self._labels[1])
        return figure


def line(
    table: Table, x: str, y: str, stroke: str | None = None, title: str | None = None, split_table: bool = False
) -> CustomChart:
    """A line of the column ``y`` over ``x``; with ``stroke`` one for each value of that column.

    >>> chart = line(Table(columns=["step", "loss"], data=[[0, 1.0], [1, 0.5]]), "step", "loss", title="Loss")
    >>> chart.figure().axes[0].lines[0].get_ydata().tolist()
    [1.0, 0.5]
    """

    def draw(axes: Any, table: Table) -> None:
        xs, ys = table.get_column(x), table.get_column(y)
        groups = [""] * len(xs) if stroke is None else table.get_column(stroke)
        for name in dict.fromkeys(groups):
            points = [(a, b) for a, b, group in zip(xs, ys, groups) if group == name]
            axes.plot(*zip(*sorted(points, key=lambda point: point[0])), label=str(name))
        if stroke is not None and groups:
            axes.legend()

    return CustomChart(table, draw, title, (x, y))


def scatter(table: Table, x: str, y: str, title: str | None = None, split_table: bool = False) -> CustomChart:
    """Points: the columns ``x`` and ``y``."""

    def draw(axes: Any, table: Table) -> None:
        axes.scatter(table.get_column(x), table.get_column(y))

    return CustomChart(table, draw, title, (x, y))


def bar(table: Table, label: str, value: str, title: str | None = None, split_table: bool = False) -> CustomChart:
    """Bars: the column ``value``, named by ``label``."""

    def draw(axes: Any, table: Table) -> None:
        names = [str(each) for each in table.get_column(label)]
        axes.barh(names, table.get_column(value))
        axes.invert_yaxis()

    return CustomChart(table, draw, title, (value, label))


def histogram(table: Table, value: str, title: str | None = None, split_table: bool = False) -> CustomChart:
    """How often each value of a column comes."""

    def draw(axes: Any, table: Table) -> None:
        axes.hist(table.get_column(value), bins=30)

    return CustomChart(table, draw, title, (value, "count"))


def line_series(
    xs: Iterable[Any],
    ys: Iterable[Iterable[Any]],
    keys: Iterable[Any] | None = None,
    title: str | None = None,
    xname: str = "x",
    split_table: bool = False,
) -> CustomChart:
    """Several lines over one x, or each over its own. keys: their names."""
    given = [*xs]
    lines = [[*each] for each in ys]
    is_one = not given or not isinstance(given[0], Iterable)
    places = [given] * len(lines) if is_one else [[*each] for each in given]
    names = [f"key_{number}" for number in range(len(lines))] if keys is None else [*keys]
    if not len(places) == len(lines) == len(names):
        raise ConfigError(
            f"wandb.plot.line_series got {len(places)} xs, {len(lines)} ys and {len(names)} keys. Allowed: as many."
        )
    rows = [[x, name, y] for name, place, each in zip(names, places, lines) for x, y in zip(place, each)]
    table = Table(columns=["step", "lineKey", "lineVal"], data=rows)
    chart = line(table, "step", "lineVal", "lineKey", title)
    chart._labels = (xname, "")
    return chart


def confusion_matrix(
    probs: Any = None,
    y_true: Any = None,
    preds: Any = None,
    class_names: Sequence[str] | None = None,
    title: str | None = None,
    split_table: bool = False,
) -> CustomChart:
    """How often each class was taken for each. preds: numbers of classes; or probs: of shape (n, classes).

    >>> chart = confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=["cat", "dog"])
    >>> chart.table.data
    [['cat', 'cat', 1], ['cat', 'dog', 0], ['dog', 'cat', 1], ['dog', 'dog', 1]]
    """
    import numpy

    if (probs is None) == (preds is None) or y_true is None:
        raise ConfigError("wandb.plot.confusion_matrix needs y_true, and either preds or probs.")
    guessed = numpy.argmax(numpy.asarray(probs), axis=1) if preds is None else numpy.asarray(preds).ravel()
    true = numpy.asarray(y_true).ravel()
    classes = [*range(len(class_names))] if class_names is not None else sorted({*true.tolist(), *guessed.tolist()})
    names = [f"Class_{number}" for number in range(1, len(classes) + 1)] if class_names is None else [*class_names]
    counts = [[int(((true == a) & (guessed == b)).sum()) for b in classes] for a in classes]
    rows = [[names[i], names[j], counts[i][j]] for i in range(len(names)) for j in range(len(names))]

    def draw(axes: Any, table: Table) -> None:
        axes.imshow(counts, cmap="Blues")
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        half = max(map(max, counts), default=0) / 2
        for i, row in enumerate(counts):
            for j, count in enumerate(row):
                axes.text(j, i, count, ha="center", va="center", color="white" if count > half else "black")

    table = Table(columns=["Actual", "Predicted", "nPredictions"], data=rows)
    return CustomChart(table, draw, title or "Confusion matrix", ("predicted", "actual"))


def pr_curve(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    interp_size: int = 21,
    title: str | None = None,
    split_table: bool = False,
) -> CustomChart:
    """Precision over recall, a line for each class. y_probas: of shape (n, classes)."""
    import numpy

    rows: list[list[Any]] = []
    for name, hits in _ranked(y_true, y_probas, labels, classes_to_plot):
        found = numpy.cumsum(hits)
        precision, recall = found / numpy.arange(1, len(hits) + 1), found / max(found[-1], 1)
        best = numpy.maximum.accumulate(precision[::-1])[::-1]  # of all thresholds with at least this recall
        places = numpy.linspace(0, 1, interp_size)
        values = [best[min(numpy.searchsorted(recall, each), len(best) - 1)] for each in places]
        rows += [[name, float(y), float(x)] for x, y in zip(places, values)]
    table = Table(columns=["class", "precision", "recall"], data=rows)
    return line(table, "recall", "precision", "class", title or "Precision-recall curve")


def roc_curve(
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    title: str | None = None,
    split_table: bool = False,
) -> CustomChart:
    """True positives over false ones, as rates, a line for each class. y_probas: of shape (n, classes)."""
    import numpy

    rows: list[list[Any]] = []
    for name, hits in _ranked(y_true, y_probas, labels, classes_to_plot):
        found, missed = numpy.cumsum(hits), numpy.cumsum(~hits)
        xs, ys = missed / max(missed[-1], 1), found / max(found[-1], 1)
        keep = numpy.unique(numpy.linspace(0, len(xs) - 1, 200).astype(int))
        rows += [[name, 0.0, 0.0], *([name, float(xs[each]), float(ys[each])] for each in keep)]
    table = Table(columns=["class", "fpr", "tpr"], data=rows)
    return line(table, "fpr", "tpr", "class", title or "ROC curve")


def _ranked(y_true: Any, y_probas: Any, labels: Any, classes_to_plot: Any) -> list[tuple[Any, Any]]:
    """Return for each class its name, and which samples are of it, those first that are most probably."""
    import numpy

    true, probable = numpy.asarray(y_true).ravel(), numpy.asarray(y_probas)
    if probable.ndim != 2 or len(probable) != len(true) or not len(true):
        raise ConfigError(
            f"y_probas has shape {probable.shape}, and y_true {len(true)} values. Allowed: (n, classes) and n values."
        )
    classes, found = numpy.unique(true), []
    for number, each in enumerate(classes.tolist()):
        if classes_to_plot is None or each in classes_to_plot:
            column = each if isinstance(each, int) and 0 <= each < probable.shape[1] else number
            order = numpy.argsort(-probable[:, column], kind="stable")
            name = labels[each] if labels is not None and isinstance(each, int) and each < len(labels) else each
            found.append((name, (true == each)[order]))
    return found


def plot_table(
    vega_spec_name: str,
    data_table: Table,
    fields: dict[str, Any],
    string_fields: dict[str, Any] | None = None,
    split_table: bool = False,
) -> CustomChart:
    """A chart of one's own is drawn by a website; here it is a scatter plot of the first two fields, and the table."""
    names = [each for each in fields.values() if each in data_table.columns]
    title = (string_fields or {}).get("title")
    return scatter(data_table, names[0], names[1 if len(names) > 1 else 0], title)


def visualize(id: str, value: Table) -> CustomChart:
    """As :func:`plot_table`, of the first two columns."""
    return plot_table(id, value, {str(name): name for name in value.columns})
