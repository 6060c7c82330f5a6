"""Curves in a terminal: a chart with axes, and a sparkline of one line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from rla_hooks.cli.raster import Raster, Span
from rla_hooks.texts import printable

if TYPE_CHECKING:
    import numpy

    Floats = numpy.ndarray[Any, numpy.dtype[numpy.float64]]

# Of the 256 colours, some of middle brightness: they can be read on a dark background and on a light one.
COLOURS = [f"color({number})" for number in (33, 166, 35, 161, 99, 37, 136, 169, 66, 130)]
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BLOCKS, _ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-=+*%#"
_LINES = {True: tuple("│┤└┴─"), False: tuple("|+++-")}
_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
MOST_CURVES = len(_LETTERS)


class Curve(NamedTuple):
    """A curve and its line in the legend."""

    label: str
    xs: Floats
    ys: Floats


class Look(NamedTuple):
    """How a chart is drawn. ``braille``: else in ASCII; ``colour``: else letters tell curves apart."""

    width: int = 80
    height: int = 20
    braille: bool = True
    colour: bool = True


def sparkline(values: Sequence[float] | Floats, width: int = 16, unicode: bool = True) -> str:
    """Return the course of values as a line of small bars; a blank where there is no finite number.

    >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8), sparkline([1, 9, 1, 9], 2), sparkline([3.0]), sparkline([])
    ('▁▂▃▄▅▆▇█', '▄▄', '▄', '')
    """
    import numpy

    blocks = _BLOCKS if unicode else _ASCII_BLOCKS
    numbers = numpy.asarray(values, numpy.float64)
    parts = [part[numpy.isfinite(part)] for part in numpy.array_split(numbers, min(width, len(numbers)) or 1)]
    means = numpy.array([(part / len(part)).sum() if len(part) else numpy.nan for part in parts])
    if not numpy.isfinite(means).any():
        return " " * len(means) if len(numbers) else ""
    low, high = float(numpy.nanmin(means)), float(numpy.nanmax(means))
    if low == high:
        return "".join(blocks[3] if math.isfinite(mean) else " " for mean in means)
    places = Span(low, high).place(numpy.where(numpy.isfinite(means), means, low), len(blocks))
    return "".join(blocks[place] if math.isfinite(mean) else " " for mean, place in zip(means, places, strict=True))


def ticks(span: Span, most: int) -> list[float]:
    """Return at most so many round numbers within a span, at equal distances.

    >>> ticks(Span(0, 100), 5), ticks(Span(-0.3, 0.95), 4), ticks(Span(3, 3.5), 1)
    ([0.0, 25.0, 50.0, 75.0, 100.0], [0.0, 0.5], [3.0])
    """
    rough = (span.high / 2 - span.low / 2) / max(most - 1, 1) * 2
    if not math.isfinite(rough) or rough <= 0:
        return [span.low, span.high][:most]
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 1e-300 else rough
    for factor in (1, 2, 2.5, 5, 10, 20, 25, 50, 100):
        step = factor * power
        first, last = math.ceil(span.low / step - 1e-9), math.floor(span.high / step + 1e-9)
        if step > 0 and last - first + 1 <= most:
            found = [_tidy(place * step, step) for place in range(first, last + 1)]
            return found or [span.low]
    return [span.low]


def _tidy(value: float, step: float) -> float:
    """A multiple of a step without the dust of floats: 0.3, not 0.30000000000000004."""
    digits = 2 - math.floor(math.log10(step))
    return round(value, digits) + 0.0 if abs(digits) < 300 else value


def labels(values: Sequence[float]) -> list[str]:
    """Return texts of the numbers on an axis, all with the same unit and as many digits as tell them apart.

    >>> labels([0, 500_000, 1_000_000]), labels([0.0, 0.25, 100.0]), labels([0, 2e-7]), labels([5.0])
    (['0', '0.5M', '1M'], ['0', '0.25', '100'], ['0', '2e-07'], ['5'])
    """
    most = max(map(abs, values), default=0.0)
    step = min((abs(b - a) for a, b in pairwise(values)), default=most)
    unit, suffix = next(((unit, suffix) for unit, suffix in _SUFFIXES if unit <= most < 1e15), (1.0, ""))
    kind = "f" if 1e-4 <= most < 1e15 else "e"
    found: list[str] = []
    for digits in range(17):
        found = [f"{value / unit:.{digits}{kind}}" for value in values]
        if all(abs(float(text) * unit - value) <= step / 100 for text, value in zip(found, values)):
            break
    short = [f"{float(text):g}" if kind == "e" else _without_zeros(text) for text in found]
    return [text if text == "0" else text + suffix for text in short]


def _without_zeros(text: str) -> str:
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if short == "-0" else short


def chart(curves: Sequence[Curve], title: str, x_name: str, look: Look) -> Text:
    """Draw curves with their axes, and a legend below where there are several; without colours a letter marks each."""
    x_span, y_span = _span([curve.xs for curve in curves]), _span([curve.ys for curve in curves])
    height = max(look.height, 3)
    y_ticks = ticks(y_span, max(3, round(height / 2.5)))
    names = labels(y_ticks)
    margin = max(map(cell_len, names))
    width = max(look.width - margin - 2, 8)
    letters = _LETTERS if len(curves) > 1 and not look.colour else "" if look.braille else "*" * MOST_CURVES
    raster = Raster(width, height, look.braille and not (letters and len(curves) > 1))
    for index, curve in enumerate(curves):
        raster.draw(index, curve.xs, curve.ys, x_span, y_span)
    at_row = {height - 1 - int(y_span.place(_array([tick]), height)[0]): name for tick, name in zip(y_ticks, names)}
    side, tick_mark, *_ = _LINES[look.braille]
    text = Text(no_wrap=True, overflow="crop")
    text.append(f"{printable(title)}\n", "bold" if look.colour else "")
    for row in range(height):
        text.append(f"{at_row.get(row, ''):>{margin}} {tick_mark if row in at_row else side}", "dim")
        cells = [raster.cell(row, column, letters) for column in range(width)]
        for owner, part in groupby(cells, key=lambda cell: cell[1]):  # a colour for a stretch, not for each cell
            style = COLOURS[owner % len(COLOURS)] if owner >= 0 and look.colour else ""
            text.append("".join(character for character, _ in part), style)
        text.append("\n")
    text.append(_x_axis(x_span, x_name, margin + 1, width, look), "dim")
    if len(curves) > 1:
        text.append(_legend(curves, letters, look))
    return text


def _x_axis(span: Span, name: str, margin: int, width: int, look: Look) -> str:
    """The line below a chart, and the numbers on it, the name of the axis at the right."""
    *_, corner, mark, line = _LINES[look.braille]
    found = ticks(span, max(2, width // 12))
    axis, below = [line] * width, [" "] * (margin + 1 + width)
    free = 0
    for place, text in zip(span.place(_array(found), width).tolist(), labels(found), strict=True):
        axis[place] = mark
        start = min(max(margin + 1 + place - len(text) // 2, 0), len(below) - len(text))
        if start >= free:
            below[start : start + len(text)] = text
            free = start + len(text) + 1
    shown = printable(name)
    return f"{' ' * margin}{corner}{''.join(axis)}\n{''.join(below).rstrip()}\n{shown:>{margin + 1 + width}}\n"


def _legend(curves: Sequence[Curve], letters: str, look: Look) -> Text:
    text = Text()
    for index, curve in enumerate(curves):
        mark = letters[index] if letters and not look.colour else "━━" if look.braille else "**"
        text.append(f"  {mark} ", COLOURS[index % len(COLOURS)] if look.colour else "")
        label = printable(curve.label)
        fits = look.width - 2 - cell_len(mark) - 1
        text.append(f"{label if cell_len(label) <= fits or not look.colour else set_cell_size(label, fits)}\n")
    return text


def _span(parts: Sequence[Floats]) -> Span:
    """From the lowest to the highest finite number of all; of a single one, some room around it."""
    import numpy

    fine = [part[numpy.isfinite(part)] for part in parts]
    low = min((float(part.min()) for part in fine if len(part)), default=0.0)
    high = max((float(part.max()) for part in fine if len(part)), default=1.0)
    if low < high:
        return Span(low, high)
    room = abs(low) / 10 or 1.0
    return Span(max(low - room, -1.7e308), min(high + room, 1.7e308))


def _array(values: Sequence[float]) -> Floats:
    import numpy

    return numpy.array(values, numpy.float64)
