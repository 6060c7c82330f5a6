"""The foot of a figure: one legend for all panels, and a line that says how the numbers were made.

Both stand below the panels, for which the figure becomes higher: they cover no curve.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from rla_hooks.plot.mathtext import set_name

_PAD = 0.04  # inches between the parts
_NOTE = 6  # points
_NOTE_COLOR = "#555555"
_HANDLE, _GAP, _BETWEEN = 2.4, 0.6, 1.4  # font sizes: the line of an entry, the gap to its text, and between columns


def add_foot(
    figure: Figure, handles: Sequence[Any] = (), labels: Sequence[str] = (), note: str = "", is_math: bool = False
) -> None:
    """Put a legend and a note below the panels, and make the figure higher by what they need.

    handles: the artists of the legend. is_math: whether the labels may hold mathematics between dollar signs, as texts
    of the user may; names of parameters are taken as they are. To be called last, inside of ``paper_style``.
    """
    canvas: Any = FigureCanvasAgg(figure)
    renderer = canvas.get_renderer()
    width, height = figure.get_size_inches()
    foot, legend, line = _PAD, None, None
    if note:
        line = figure.text(0.5, 0, "", fontsize=_NOTE, color=_NOTE_COLOR, ha="center", va="bottom", parse_math=False)
        line.set_text(_wrapped(line, note, width - 2 * _PAD, renderer))
        line.set_in_layout(False)
        foot += _inches(figure, line, renderer) + _PAD
    begin = foot
    if labels:
        legend = _legend(figure, handles, labels, is_math, renderer)
        foot += _inches(figure, legend, renderer) + _PAD
    total = height + foot
    figure.set_size_inches(width, total)
    if line is not None:
        line.set_y(_PAD / total)
    if legend is not None:
        legend.set_bbox_to_anchor((0.5, begin / total), transform=figure.transFigure)
    layout: Any = figure.get_layout_engine()
    layout.set(rect=(0, foot / total, 1, height / total))


def _legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str], is_math: bool, renderer: Any) -> Any:
    probe = figure.text(0, 0, "", fontsize=matplotlib.rcParams["legend.fontsize"])  # in points
    room = figure.get_figwidth() - 2 * _PAD
    points = float(probe.get_fontsize())
    extra = (_HANDLE + _GAP + _BETWEEN) * points / 72
    texts, widest = [], 0.0
    for label in labels:
        set_name(probe, label, is_math)
        texts.append(_wrapped(probe, probe.get_text(), room - extra, renderer))
        widest = max(widest, _width(probe, texts[-1], renderer))
    probe.remove()
    most = max(1, int((room + _BETWEEN * points / 72) / (widest + extra)))
    rows = -(-len(texts) // most)
    legend = figure.legend(
        handles,
        ["-"] * len(texts),  # matplotlib before 3.10 leaves out those that begin with "_", and their names move up
        loc="lower center",
        ncols=-(-len(texts) // rows),
        handlelength=_HANDLE,
        handletextpad=_GAP,
        columnspacing=_BETWEEN,
        borderaxespad=0,
        borderpad=0,
        labelspacing=0.35,
    )
    legend.set_in_layout(False)
    for artist, text in zip(legend.get_texts(), texts):
        set_name(artist, text, is_math)
    return legend


def _inches(figure: Figure, artist: Any, renderer: Any) -> float:
    return float(artist.get_window_extent(renderer).height / figure.dpi)


def _width(text: Text, content: str, renderer: Any) -> float:
    """The inches that a text takes."""
    text.set_text(content)
    return float(text.get_window_extent(renderer).width / text.figure.dpi)  # type: ignore[union-attr]


def _wrapped(text: Text, content: str, room: float, renderer: Any) -> str:
    """Return a text on as many lines as it needs to fit so many inches."""
    width = _width(text, content, renderer)
    if width <= room or not content or (text.get_parse_math() and "$" in content):
        return content
    characters = max(8, int(len(content) * room / width * 0.95))
    lines = textwrap.wrap(content.replace(" %", "\0%"), characters)  # a number and its sign stay on one line
    return "\n".join(lines).replace("\0", " ") or content
