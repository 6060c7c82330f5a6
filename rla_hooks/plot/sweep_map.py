"""A heat map of a sweep: a metric over two hyper-parameters, with the number of seeds in each cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy

from rla_hooks.columns import Column
from rla_hooks.errors import did_you_mean, warn
from rla_hooks.plot.data_columns import key_columns, with_gaps
from rla_hooks.plot.groups import brief, chosen_runs, grouped, label_of, names_of
from rla_hooks.plot.mathtext import set_name
from rla_hooks.plot.output import PaperFigure
from rla_hooks.plot.paper import paper_figure, paper_style
from rla_hooks.plot.score_figure import Foot, check_common, finished, name_of, sentence, with_height
from rla_hooks.plot.scores import Scores, scores_of
from rla_hooks.plot.task_curves import Range
from rla_hooks.query.filter_columns import equality_key
from rla_hooks.query.frames import column_of
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.statistics import iqm
from rla_hooks.texts import counted, listed, printable
from rla_hooks.writers.base import STEP

Array = numpy.ndarray[Any, Any]
ESTIMATORS: dict[str, Any] = {
    "mean": numpy.mean,
    "median": numpy.median,
    "iqm": iqm,
    "max": numpy.max,
    "min": numpy.min,
}
_MAPS = "viridis", "cividis", "magma", "Blues", "gray"  # of a hundred; these are read in grey, too
_MOST = 200  # values of a hyper-parameter: a figure has no room for more
_LEAST_CELL = 0.2  # inches, to hold a text
_CELL = 0.42  # inches, the height of one


class _Grid(NamedTuple):
    """The cells: ``score`` and ``seeds`` have the shape (values of the second name, values of the first)."""

    columns: list[Any]
    rows: list[Any]
    score: Array
    seeds: Array


def plot_sweep(
    runs: Sequence[SavedRun] | str,
    metric: str,
    by: Sequence[str] | None = None,
    *,
    score: str = "last",
    window: int | None = None,
    x: str = STEP,
    x_range: Range = None,
    estimator: str = "mean",
    colors: str = "viridis",
    title: str | None = None,
    size: Any = "neurips",
    save: Any = None,
) -> PaperFigure:
    """Draw a heat map of a metric over two hyper-parameters; each cell tells its score and how many seeds it has.

    by: the two names: that of the columns, then that of the rows; by default the only two that differ among the runs,
    but for seeds. score, window, x, x_range: the number that a run has, see :func:`rla_hooks.plot_bars`. estimator:
    what a cell shows of its runs: ``mean``, ``median``, ``iqm``, ``max``, ``min``. colors: of matplotlib's maps.
    title, size: as of ``rla.plot_curves``.

    Runs that differ in something else, but in a seed, are joined in a cell: a warning and the figure say so. Cells
    without a run are empty. ``data`` has one row a cell: metric, the two columns, score, n.

    >>> import rla_hooks as rla
    >>> for lr in (0.01, 0.1):
    ...     for width in (64, 128):
    ...         with rla.run(task="demo", writers=["csv"], backup="none", lr=lr, width=width):
    ...             rla.log({"return": 1000 * lr + width}, step=0)
    >>> drawn = rla.plot_sweep("demo", "return", by=["lr", "width"], save="sweep.pdf")
    >>> drawn.data["score"].tolist(), drawn.data["n"].tolist()
    ([74.0, 164.0, 138.0, 228.0], [1, 1, 1, 1])
    """
    mistakes = check_common("plot_sweep", metric, score, window, x_range, None, size, title, save)
    mistakes.choice("estimator", estimator, [*ESTIMATORS])
    if colors not in [*matplotlib.colormaps]:
        near = did_you_mean(colors, matplotlib.colormaps)
        mistakes.wrong("colors", colors, f"a colour map of matplotlib, such as {', '.join(_MAPS)}.{near}")
    chosen = chosen_runs(runs, "plot_sweep")
    names = _two_names(mistakes, chosen, by)
    mistakes.raise_any()
    with mistakes.raised():
        scores = scores_of(chosen, metric, names, None, score, window, x, x_range)
    grid = _grid(chosen, names, scores, estimator)
    others = scores.joined()
    if others:
        warn(
            f"plot_sweep: runs of one cell also differ in {printable(listed(others, 6))}, which are joined. To see one "
            "value of them: rla.runs(where=...)"
        )
    note = sentence(
        f"{scores.rule}{'' if grid.seeds.max() < 2 else f', {estimator} of the n seeds of a cell'}",
        f"all {printable(listed(others, 4))} together" if others else "",
        *scores.notes,
    )
    with paper_style():
        figure, axes = _draw(grid, names, metric, colors, size)
    numbers = _table(grid, names, metric), chosen.query, name_of("plot_sweep", metric)
    return finished(figure, axes, Foot(note), numbers, title=title, save=save)


def _two_names(mistakes: Any, runs: Sequence[SavedRun], by: Any) -> list[str]:
    names: list[str] = []
    before = len(mistakes.found)
    with mistakes.noted():
        names = names_of(runs, by)
    if len(mistakes.found) > before:
        return []
    if len(names) != 2:
        differ = "1 hyper-parameter differs" if len(names) == 1 else f"{len(names)} hyper-parameters differ"
        found = differ if by is None else f"by has {counted(len(names), 'name')}"
        mistakes.add(
            f"{found}{': ' if names else ''}{printable(listed(names, 10))}. Allowed: two, that of the columns and that "
            "of the rows: by=['lr', 'width']."
        )
    for name in names if not mistakes.found else ():
        count = len(grouped(runs, [name]))
        if count > _MOST:
            mistakes.add(f"{printable(repr(name))} has {count:,} values. Allowed: {_MOST}. Leave runs out by where=.")
    return names


def _grid(runs: Sequence[SavedRun], names: list[str], scores: Scores, estimator: str) -> _Grid:
    columns, rows = ([group.values[0] for group in grouped(runs, [name])] for name in names)
    place = [{equality_key(value): at for at, value in enumerate(values)} for values in (columns, rows)]
    score = numpy.full((len(rows), len(columns)), numpy.nan)
    seeds = numpy.zeros((len(rows), len(columns)), int)
    for group, of_task in scores.groups:
        at = place[1][equality_key(group.values[1])], place[0][equality_key(group.values[0])]
        values = [each.value for each in of_task[None]]
        score[at], seeds[at] = ESTIMATORS[estimator](values), len(values)
    return _Grid(columns, rows, score, seeds)


def _draw(grid: _Grid, names: list[str], metric: str, colors: str, size: Any) -> tuple[Any, Any]:
    height = min(9.0, max(1.6, 0.9 + _CELL * len(grid.rows)))
    figure, axes = paper_figure(size=with_height(size, height))
    panel = axes[0]
    image = panel.pcolormesh(grid.score, cmap=colors, edgecolors="white", linewidth=0.5)
    panel.set_facecolor("#f2f2f2")
    panel.grid(False)
    for axis, values, name in ((panel.xaxis, grid.columns, names[0]), (panel.yaxis, grid.rows, names[1])):
        axis.set_ticks(numpy.arange(len(values)) + 0.5, _texts(values))
        axis.set_tick_params(length=0)
        set_name(axis.label, name)
    panel.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=panel, pad=0.02, fraction=0.05, aspect=25)
    bar.outline.set_visible(False)
    set_name(bar.ax.yaxis.label, metric)
    _thin_out(panel, figure)
    for label in (*panel.get_xticklabels(), *panel.get_yticklabels()):
        label.set_parse_math(False)  # names are no mathematics
    _write_cells(panel, image, grid, figure)
    return figure, axes


def _texts(values: Sequence[Any]) -> list[str]:
    """Values as an axis shows them: long ones cut, so that they still differ.

    >>> _texts([[256, 256, 256, 128], [256, 256, 256, 256]])
    ['[256, 2…56, 128]', '[256, 2…56, 256]']
    """
    whole = [label_of([""], [value]).removeprefix("=") for value in brief(values)]
    for begin, end in ((15, 0), (7, 8)):
        texts = [text if len(text) <= 16 else f"{text[:begin]}…{text[len(text) - end :]}" for text in whole]
        if len({*texts}) == len({*whole}):
            return texts
    return whole


def _thin_out(panel: Any, figure: Any) -> None:
    """Turn the texts of columns where they would touch, and leave some out where there is no room even so."""
    width, height = figure.get_size_inches() * 0.75
    labels = panel.get_xticklabels()
    longest = max(len(label.get_text()) for label in labels)
    if longest * 0.065 > width / len(labels):
        panel.tick_params(axis="x", rotation=90)
    for axis, room in ((panel.xaxis, width), (panel.yaxis, height)):
        ticks = axis.get_ticklocs()
        every = max(1, int(numpy.ceil(len(ticks) * 0.12 / room)))
        texts = [label.get_text() for label in axis.get_ticklabels()]
        axis.set_ticks(ticks[::every], texts[::every])


def _write_cells(panel: Any, image: Any, grid: _Grid, figure: Any) -> None:
    """Write the score and the number of seeds into each cell that has room."""
    width, height = figure.get_size_inches() * 0.75 / (len(grid.columns), len(grid.rows))
    if height < _LEAST_CELL * 0.7 or width < _LEAST_CELL * 0.7:
        return  # the numbers stand in data
    points = min(7.0, width * 72 / 4.2, height * 72 / 2.6)
    for row, column in numpy.ndindex(grid.score.shape):
        value, count = grid.score[row, column], grid.seeds[row, column]
        if not count:
            panel.text(column + 0.5, row + 0.5, "–", ha="center", va="center", fontsize=points, color="#777777")
            continue
        red, green, blue, _ = image.cmap(image.norm(value))
        ink = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
        place = {"ha": "center", "color": ink}
        panel.text(column + 0.5, row + 0.5, number_text(value), va="bottom", fontsize=points, **place)
        panel.text(column + 0.5, row + 0.45, f"n={count}", va="top", fontsize=points * 0.8, **place)


def number_text(value: float) -> str:
    """Return a number with three digits that count.

    >>> [number_text(value) for value in (0.12345, 123.4, 98765.0, 1.5e7, -2.0)]
    ['0.123', '123', '98765', '1.5e7', '−2']
    """
    text = f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-").replace("-", "−")


def _table(grid: _Grid, names: list[str], metric: str) -> dict[str, Column]:
    cells = [(row, column) for row in range(len(grid.rows)) for column in range(len(grid.columns))]
    values = [(grid.columns[column], grid.rows[row]) for row, column in cells]
    return {
        "metric": column_of([metric] * len(cells)),
        **key_columns(names, values, ("metric", "score", "n")),
        "score": with_gaps(grid.score.ravel()),
        "n": column_of(grid.seeds.ravel()),
    }
