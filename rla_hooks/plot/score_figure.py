"""What the figures of scores share: checks of their arguments, what their notes say, and their size."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rla_hooks.columns import Column
from rla_hooks.errors import warn
from rla_hooks.plot.band_shapes import alone, draw_band
from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.groups import joined_text
from rla_hooks.plot.legend import add_foot
from rla_hooks.plot.mathtext import can_be_read, set_name
from rla_hooks.plot.output import PaperFigure, check_save
from rla_hooks.plot.paper import SIZES, check_size, look_of, paper_style
from rla_hooks.plot.score_rule import score_rule
from rla_hooks.plot.scores import Scores
from rla_hooks.plot.task_curves import range_of
from rla_hooks.plot.task_scale import check_normalize
from rla_hooks.statistics import Interval
from rla_hooks.statistics.inputs import check_settings
from rla_hooks.statistics.measured import FEW_SEEDS, coverage_over_tasks
from rla_hooks.texts import printable

_PAD = 0.03  # inches
_LABEL = 8  # points
LABELS = 0.28  # the part of the width that names of rows may take
_POINTS = 7 / 72 * 0.6  # inches that a letter takes, about
_GAP = 0.06  # inches between the numbers of an axis
_OPACITY = 0.2  # of bands
# The first digits of what lies between two ticks: the simpler ones first.
_STEPS = ([1, 2, 5, 10], [1, 2, 2.5, 4, 5, 10])


def check_common(
    what: str,
    metric: Any,
    score: Any = "last",
    window: Any = None,
    x_range: Any = None,
    normalize: Any = None,
    size: Any = "neurips",
    title: Any = None,
    save: Any = None,
    settings: tuple[Any, Any, Any] = (0.95, 2000, 0),
) -> Mistakes:
    """Return the mistakes in arguments that these figures share. settings: level, reps and seed of a bootstrap."""
    mistakes = Mistakes(what)
    mistakes.text("metric", metric)
    check_size(mistakes, size)
    check_save(mistakes, save, name_of(what, metric) if isinstance(metric, str) else None)
    mistakes.text_or_none("title", title)
    mistakes.note_raised(
        lambda: score_rule(score, window),
        lambda: range_of(x_range),
        lambda: check_normalize(normalize),
        lambda: check_settings(*settings),
    )
    return mistakes


def name_of(what: str, metric: str) -> str:
    """Return what a figure is called, and its files in a folder.

    >>> name_of("plot_sample_efficiency", "perf/return")
    'perf/return-efficiency'
    """
    return f"{metric}-{what.rpartition('_')[2]}"


class Foot(NamedTuple):
    """What stands below the panels: a note, and a legend as ``add_foot`` takes it; none of a group without a name."""

    note: str
    handles: Sequence[Any] = ()
    labels: Sequence[str] = ()
    is_math: bool = False


def finished(
    figure: Figure,
    axes: list[Axes],
    foot: Foot,
    numbers: tuple[dict[str, Column], str, str],
    *,
    title: str | None,
    save: Any,
    x_label: str = "",
) -> PaperFigure:
    """Give a figure its title and its foot; return it with its numbers, saved where that is asked for.

    numbers: columns, query and name, see ``PaperFigure``. x_label: of all panels.
    """
    with paper_style():
        if title is not None:
            above = axes[0].title if len(axes) == 1 and not axes[0].get_title() else figure.suptitle("")
            set_name(above, title, is_math=True)
        add_foot(figure, foot.handles, foot.labels if any(foot.labels) else (), foot.note, foot.is_math)
        if x_label:
            shared_x_label(figure, x_label)
    drawn = PaperFigure(figure, axes, *numbers)
    if save is not None:
        drawn.save(save)
    return drawn


def with_height(size: Any, height: float) -> tuple[float, float]:
    """Return the size of a figure in inches: of this height, unless the user has given one.

    >>> with_height("icml", 2.0), with_height(4, 2.0), with_height((4, 3), 2.0)
    ((3.25, 2.0), (4.0, 2.0), (4.0, 3.0))
    """
    if isinstance(size, str):
        return SIZES[size].width, height
    if isinstance(size, (tuple, list)):
        return float(size[0]), float(size[1]) if len(size) > 1 else height
    return float(size), height


def seeds_text(scores: Scores) -> str:
    """Return how many seeds the groups have: '5 seeds', '3 to 5 seeds of each of 4 tasks'."""
    counts = {count for group in scores.groups for count in group.counts().values() if count}
    low, high = min(counts), max(counts)
    text = f"{low} seed{'s' if low > 1 else ''}" if low == high else f"{low} to {high} seeds"
    return text if len(scores.tasks) < 2 else f"{text} of each of {len(scores.tasks)} tasks"


def used_seeds_text(scores: Scores) -> str:
    """Return how many seeds statistics over all tasks take of each: as many as a group has on all, see ``arrays``."""
    counts = [group.counts().values() for group in scores.groups]
    low, high = min(map(min, counts)), max(map(min, counts))
    text = f"{low} seed{'s' if low > 1 else ''}" if low == high else f"{low} to {high} seeds"
    if len(scores.tasks) < 2:
        return text
    more = ", of tasks with more the first" if any(min(each) < max(each) for each in counts) else ""
    return f"{text} of each of {len(scores.tasks)} tasks{more}"


def check_enough(scores: Any, label: str) -> bool:
    """Return whether a group has an interval; a warning names one that has only one seed.

    >>> check_enough([1.0, 2.0], "ppo")
    True
    """
    if len(scores) < 2:
        warn(f"{printable(label) or 'the group'} has one seed on some task, and so no interval: run more seeds.")
    return len(scores) > 1


def bootstrap_text(level: float, reps: int, scores: Scores, aggregates: Sequence[str], kind: str = "intervals") -> str:
    """Return what a figure says of its intervals, and what those of these aggregates of few seeds are worth.

    aggregates: none for a profile.
    """
    counts = [min(group.counts().values()) for group in scores.groups]
    if max(counts) < 2:
        return f"no {kind}: one seed"
    text = f"{100 * level:g} % {kind} of the stratified bootstrap ({reps:,} repetitions)"
    fewest = min(count for count in counts if count > 1)
    if not aggregates and fewest < FEW_SEEDS:
        text += ", too narrow near 0 and 1 with so few seeds"
    elif level == 0.95 and fewest < FEW_SEEDS:
        parts = [round(100 * coverage_over_tasks(name, fewest, len(scores.tasks))) for name in aggregates]
        real = " to ".join(dict.fromkeys((str(min(parts)), str(max(parts)))))
        text += (
            f", which hold the true value in about {real} % of experiments"
            if len(scores.tasks) == 1
            else f", which may hold the true value in only {min(parts)} % of experiments"
        )
    return text + (", none for groups of one seed" if min(counts) < 2 else "")


def metric_label(metric: str, normalize: Any) -> str:
    return f"normalized {metric}" if normalize is not None else metric


def sentence(*parts: str) -> str:
    """Return what is said below a figure: parts with semicolons between them.

    >>> sentence("last value", "", "5 seeds")
    'last value; 5 seeds'
    """
    return "; ".join(part for part in parts if part)


def wrapped(labels: Sequence[str], inches: float, lines: int = 2) -> list[str]:
    r"""Return labels on as many lines as they need for so much room, but no more than so many: the rest is cut.

    >>> wrapped(["ppo", "a very long name of an algorithm"], 1.0)
    ['ppo', 'a very long name\nof an algorithm']
    >>> wrapped(["a very long name of an algorithm"], 1.0, lines=1)
    ['a very long …']
    >>> wrapped(["a very long name number 1", "a very long name number 2"], 1.0, lines=1)
    ['a very …umber 1', 'a very …umber 2']
    """
    letters = max(6, int(inches / _POINTS))
    texts = ["\n".join(textwrap.wrap(label, letters, max_lines=lines, placeholder=" …")) for label in labels]
    if len({*texts}) < len({*labels}):  # they differ at the end only
        half = letters // 2 - 1
        texts = [label if len(label) <= letters else f"{label[:half]}…{label[-half:]}" for label in labels]
    if len({*texts}) < len({*labels}):  # they differ in the middle: no cut text would tell which is which
        texts = ["\n".join(textwrap.wrap(label, letters)) for label in labels]
    return texts


def lines_in(inches: float) -> int:
    """Return how many lines of a name, two at most, have room in a row of this height."""
    return 2 if inches >= 2.4 * 7 / 72 else 1


def iqm_note(scores: Scores) -> str:
    """Return what a figure says of an IQM of few scores: it leaves out a quarter of them at each end, rounded down."""
    few = any(min(group.counts().values()) * len(scores.tasks) < 4 for group in scores.groups)
    return "the IQM of fewer than 4 scores is their mean" if few else ""


def spaced_ticks(panel: Any, figure: Any, panels: int = 1) -> None:
    """Let the x axis have only as many ticks as have room beside each other, when all is drawn. panels: in a row."""
    low, high = sorted(panel.get_xlim())
    room = figure.get_figwidth() * (1 - LABELS) / panels
    most = max(3, int(figure.get_figwidth() / panels / 0.45))
    for steps, bins in itertools.product(_STEPS, range(most, 0, -1)):
        locator = MaxNLocator(bins, steps=steps, min_n_ticks=1)
        ticks = [tick for tick in map(float, locator.tick_values(low, high)) if low <= tick <= high]
        texts = panel.xaxis.get_major_formatter().format_ticks(ticks)
        if len(ticks) > 1 and max(map(len, texts)) * _POINTS + _GAP <= (ticks[1] - ticks[0]) / (high - low) * room:
            break
    else:
        locator = MaxNLocator(2)
    panel.xaxis.set_major_locator(locator)


def joined_note(what: str, *found: Scores) -> str:
    """Warn of parameters in which runs of one group differ, and return what the figure says of it."""
    return joined_text(what, "group", [*dict.fromkeys(name for scores in found for name in scores.joined())])


def scale_note(scores: Scores, normalize: Any) -> str:
    """Return what a figure says of statistics over tasks whose scores have different scales."""
    return (
        "scores of different tasks as they are, not normalized" if len(scores.tasks) > 1 and normalize is None else ""
    )


def draw_line(panel: Any, x: Any, interval: Interval, number: int, count: int) -> Any:
    """Draw a line with its band, line ``number`` of ``count``, and return the line. NaN leaves gaps."""
    look = look_of(number, count)
    every = {} if look["marker"] is None else {"markevery": (number % 7 * 2, max(1, len(x) // 6))}
    (line,) = panel.plot(x, interval.point, **look, **every)
    dots = alone(numpy.isfinite(interval.point))
    if dots.any():  # a line of one point is none
        panel.plot(x[dots], interval.point[dots], marker=look["marker"] or "o", linestyle="none", color=look["color"])
    draw_band(panel, x, interval.low, interval.high, look["color"], _OPACITY)
    return line


def named_rows(panel: Any, labels: Sequence[str], is_math: bool) -> None:
    """Give rows 0, 1, 2, ... from the top their labels. is_math: the user wrote them, see ``set_name``."""
    panel.set_yticks(range(len(labels)), labels)
    for tick, label in zip(panel.get_yticklabels(), labels):
        tick.set_parse_math(is_math and can_be_read(label))
    panel.set_ylim(len(labels) - 0.5, -0.5)


def shared_x_label(figure: Any, label: str) -> None:
    """Write what the x axes of all panels show between them and the foot, which must be there already."""
    height = figure.get_figheight()
    room = (_LABEL * 1.4 / 72 + _PAD) / height
    left, foot, across, up = figure.get_layout_engine().get()["rect"]
    text = figure.text(0.5, foot + _PAD / height, "", fontsize=_LABEL, ha="center", va="bottom")
    text.set_in_layout(False)
    set_name(text, label)
    figure.get_layout_engine().set(rect=(left, foot + room, across, up - room))
