"""How figures look: sizes of papers, a style of its own for as long as a figure is drawn, colours, axes of steps.

Widths come from the style files: NeurIPS ``neurips_2024.sty`` (textwidth=5.5in, textheight=9in, and ICLR likewise),
ICML ``icml2025.sty`` (textwidth 6.75in, columnsep 0.25in, so columns of 3.25in, textheight 9.0in), JMLR ``jmlr2e.sty``
(textwidth 6.0in, textheight 8.5in). Fonts in a figure have 7 to 8 points beside a text of 10 (11 in JMLR).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from rla_hooks.figures.saving import drawing
from rla_hooks.plot.checks import Mistakes, is_number

Share = Literal["none", "all", "row", "col"]


class Size(NamedTuple):
    """What a figure may fill, in inches."""

    width: float
    height: float


SIZES = {
    "neurips": Size(5.5, 9.0),  # the text, which has one column
    "iclr": Size(5.5, 9.0),
    "icml": Size(3.25, 9.0),  # a column
    "icml-wide": Size(6.75, 9.0),  # both columns
    "jmlr": Size(6.0, 8.5),
}
# Dark and light by turns, so that neighbours differ in grey, too; all pairs differ for the colour-blind.
COLORS = ("#004488", "#DDAA33", "#BB5566", "#44AA99", "#000000", "#88CCEE", "#999933", "#AA4499")
LINE_STYLES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (7, 1.2, 1, 1.2, 1, 1.2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_FALLBACK_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC")
_PANEL = 0.62, 1.4, 2.6  # the height of a panel: a part of its width, at least and at most so many inches
# Settings of the machine and of windows, by their first words.
_NO_STYLE = {"backend", "backend_fallback", "docstring", "interactive", "timezone", "tk", "toolbar", "webagg"}
_STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.limits": (-4, 6),
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3,
    "patch.linewidth": 0.6,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # TrueType: journals refuse the default
    "ps.fonttype": 42,
}


@contextmanager
def paper_style() -> Iterator[None]:
    """Draw in the style of papers, whatever style the user has; that is back at the end. Also a decorator.

    matplotlib's settings belong to the whole process, so only one thread draws at a time.

    >>> before = matplotlib.rcParams["font.size"]
    >>> with paper_style():
    ...     figure, axes = paper_figure(columns=2, size="icml")
    >>> float(figure.get_figwidth()), len(axes), matplotlib.rcParams["font.size"] == before
    (3.25, 2, True)
    """
    with drawing, matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # one for each character; the boxes tell it
        settings: Any = matplotlib.rcParams
        _take_defaults(settings)
        settings.update(_STYLE)
        matplotlib.rcParams["font.family"] = ["DejaVu Sans", *_installed_fallbacks()]
        yield


def _take_defaults(settings: Any) -> None:
    """Take matplotlib's own settings of style. (``rcdefaults()`` would do, but reads thirty files of styles first.)"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are deprecated
        defaults = matplotlib.rcParamsDefault
        settings.update({name: defaults[name] for name in defaults if name.split(".")[0] not in _NO_STYLE})


def _installed_fallbacks() -> list[str]:
    """Fonts of this machine for letters that matplotlib's own font lacks."""
    from matplotlib.font_manager import fontManager  # late: it may have to look for all fonts

    known = {font.name for font in fontManager.ttflist}
    return [name for name in _FALLBACK_FONTS if name in known]


def check_size(mistakes: Mistakes, size: Any) -> None:
    """Note a size that is neither in ``SIZES``, nor a width, nor a width and a height, in inches."""
    if isinstance(size, str):
        mistakes.choice("size", size, [*SIZES])
        return
    numbers = [size] if is_number(size) else size
    is_fine = isinstance(numbers, (tuple, list)) and 1 <= len(numbers) <= 2
    if not is_fine or not all(is_number(number) and 0.5 <= number <= 100 for number in numbers):
        mistakes.wrong("size", size, f"{', '.join(SIZES)}, or inches: a width, or (width, height), from 0.5 to 100.")


def paper_figure(
    rows: int = 1,
    columns: int = 1,
    size: Any = "neurips",
    share_x: bool | Share = False,
    share_y: bool | Share = False,
) -> tuple[Figure, list[Axes]]:
    """Return a new figure of a paper's width, made without pyplot, and its panels row by row.

    size: a name in ``SIZES``, a width in inches, or (width, height). Without a height the panels are somewhat wider
    than high. share_x, share_y: as ``matplotlib.figure.Figure.subplots`` takes them. To be called inside of
    :func:`paper_style`, as all that draws into the figure.
    """
    width, *given = [SIZES[size].width] if isinstance(size, str) else [size] if is_number(size) else size
    ratio, least, most = _PANEL
    height = given[0] if given else rows * min(max(width / columns * ratio, least), most)
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.03, hspace=0.03)
    figure = Figure(figsize=(width, height), layout=layout)
    panels = figure.subplots(rows, columns, sharex=share_x, sharey=share_y, squeeze=False)
    return figure, [*panels.flat]


def look_of(number: int, count: int) -> dict[str, Any]:
    """Return the colour, line style and marker of a curve: the first 280 differ. Few curves need no markers.

    >>> look_of(0, 2)
    {'color': '#004488', 'linestyle': '-', 'marker': None}
    >>> len({str(look_of(number, 60)) for number in range(60)})
    60
    """
    return {
        "color": COLORS[number % len(COLORS)],
        "linestyle": LINE_STYLES[number % len(LINE_STYLES)],
        "marker": MARKERS[number % len(MARKERS)] if count > len(LINE_STYLES) else None,
    }


_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def step_text(value: float, position: object = None) -> str:
    """Return a number of steps as an axis shows it.

    >>> [step_text(value) for value in (0, 500, 2500, 200_000, 1e6, 1_250_000, 3e9, -2000)]
    ['0', '500', '2.5k', '200k', '1M', '1.25M', '3B', '−2k']
    """
    size = abs(value)
    divisor, unit = next(((divisor, unit) for divisor, unit in _UNITS if size >= divisor * (1 - 1e-9)), (1.0, ""))
    return f"{value / divisor:.6g}{unit}".replace("-", "−")


class _StepFormatter(FuncFormatter):
    """Texts of steps; where several would be the same, as of 10,000,001 and 10,000,002, all digits."""

    def format_ticks(self, values: Any) -> list[str]:
        texts = super().format_ticks(values)
        return texts if len({*texts}) == len(texts) else [f"{value:.16g}".replace("-", "−") for value in values]


def step_ticks(axis: Any) -> None:
    """Let an axis of steps show 200k and 1.5M instead of long numbers; call it when its limits are set."""
    axis.set_major_formatter(_StepFormatter(step_text))
    if axis.get_scale() == "log":
        low, high = axis.get_view_interval()
        few = low > 0 and high / low < 100
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        axis.set_minor_formatter(NullFormatter())
