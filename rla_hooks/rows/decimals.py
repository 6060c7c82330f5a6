"""Numbers read from their digits by numpy, a column at once: three times as fast as a call of ``float`` for each.

What is read is what ``int`` and ``float`` read, bit by bit. A decimal such as -12.5 is the quotient of an integer of at
most 64 bits and a power of ten. Where ``long double`` has 64 bits, as on x86 outside of Windows, both are exact there,
so the quotient is off by its last rounding only. Rounded once more, to the 53 bits of a double, it is the nearest
double unless the first rounding led to the middle of two: then, and wherever else a text is not of this form, ``float``
reads it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy

from rla_hooks.rows.pieces import Array

_LONGEST = 21  # bytes: a sign, "0." and the 18 digits of a number below 0.1
_MOST_DIGITS = 19  # of an integer of 64 bits; what stands before them must be zeros
_ZERO, _DOT, _MINUS = b"0.-"
_POWERS = numpy.array([10**power for power in range(_MOST_DIGITS + 1)], numpy.uint64)
_WEIGHTS = numpy.array([*_POWERS[_MOST_DIGITS - 1 :: -1]], numpy.uint64)
_HALF = numpy.longdouble(1 << 63)  # tried out, as there are systems that calculate with less than their types have
_IS_EXACT = _HALF.itemsize == 16 and bool(_HALF + 1 - _HALF == 1 and 2 * _HALF + 1 - 2 * _HALF == 0)
_BELOW, _MIDDLE = numpy.uint64(0x7FF), numpy.uint64(0x400)  # of the 64 bits those that a double has not


class Digits(NamedTuple):
    """Texts as signs, digits and dots. fits: which of them are of this form; of the others the rest means nothing.

    The number is ``integer / 10**places``.
    """

    integer: Array
    places: Array
    is_negative: Array
    fits: Array
    has_dots: bool

    @classmethod
    def of(cls, data: Array, begins: Array, ends: Array) -> Digits:
        """Find them in bytes; no text is empty."""
        widths = ends - begins
        fits = widths <= _LONGEST
        span = min(int(widths.max()), _LONGEST)
        back = numpy.arange(span, 0, -1, dtype=numpy.uint8)[:, None]
        digits = data.take(ends - back, mode="clip") - numpy.uint8(_ZERO)  # a column each, as numpy likes long rows
        digits *= back <= numpy.minimum(widths, 255).astype(numpy.uint8)
        is_negative = data[begins] == _MINUS
        signs = numpy.flatnonzero(is_negative & fits)
        digits[span - widths[signs], signs] = 0
        dots = digits == (_DOT - _ZERO) % 256
        count = dots.sum(0, numpy.uint8)
        digits *= ~dots
        fits &= (digits.max(0) <= 9) & (count <= 1) & (widths > count + is_negative)
        if span > _MOST_DIGITS:
            fits &= (digits[:-_MOST_DIGITS] == 0).all(0)
            digits = digits[-_MOST_DIGITS:]
        whole = _WEIGHTS[-len(digits) :] @ digits.astype(numpy.uint64)
        if not count.any():
            return cls(whole, numpy.zeros(len(whole), numpy.int64), is_negative, fits, False)
        places = numpy.where(count > 0, (dots * back).sum(0, numpy.int64) - 1, 0)
        fits &= places < _MOST_DIGITS
        places[~fits] = 0
        below = whole % _POWERS[places]
        integer = numpy.where(count > 0, (whole - below) // numpy.uint64(10) + below, whole)
        return cls(integer, places, is_negative, fits, True)

    def integers(self) -> Array | None:
        """Return the numbers as int64, if all are integers of that range."""
        if self.has_dots or not self.fits.all() or self.integer.max() >= 1 << 63:
            return None
        values = self.integer.astype(numpy.int64)
        return numpy.where(self.is_negative, -values, values)

    def floats(self) -> tuple[Array, Array]:
        """Return the numbers as float64, and which of them are exact; of the others the value means nothing."""
        if not _IS_EXACT:
            return numpy.zeros(len(self.fits)), numpy.zeros(len(self.fits), bool)
        quotients = self.integer.astype(numpy.longdouble) / _POWERS[self.places].astype(numpy.longdouble)
        last_bits = quotients.view(numpy.uint64)[::2] & _BELOW
        values = quotients.astype(numpy.float64)
        return numpy.where(self.is_negative, -values, values), self.fits & (last_bits != _MIDDLE)
