"""Numbers with an interval as texts: as many digits as the interval allows, and no more.

261 ± 54             symmetric, as of Student's t
142 [118, 171]       not symmetric, as of a bootstrap
(1.230 ± 0.045)e+08  both with one power of ten
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

DIGITS = 2  # of the distance to the nearer end of an interval
_PLAIN = -4, 7  # powers of ten between which numbers are written without one
_ALONE = 4  # digits of a number without an interval
_MOST_DECIMALS = 15
_SAME = 1e-6  # how far the two halves of a symmetric interval may be apart, of the whole


class Measured(NamedTuple):
    """A number, and the ends of its interval: NaN where it has none. Those of steps may be infinite."""

    point: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        return not any(map(math.isnan, self))

    @property
    def is_symmetric(self) -> bool:
        if not self.has_interval:
            return False
        below, above = self.point - self.low, self.high - self.point
        return max(below, above) < math.inf and abs(below - above) <= _SAME * max(abs(below), abs(above))


class Rounded(NamedTuple):
    """The texts of a number. half: of a symmetric interval; low, high: of another one. exponent: of ten, 0 for none."""

    point: str
    half: str = ""
    low: str = ""
    high: str = ""
    exponent: int = 0


def rounded(number: Measured, digits: int = DIGITS) -> Rounded:
    """Return the texts of a number with an interval, whose nearer end is so many digits away.

    >>> rounded(Measured(260.83, 206.7, 314.96))
    Rounded(point='261', half='54', low='', high='', exponent=0)
    >>> rounded(Measured(142.21, 118.3, 171.4)), rounded(Measured(9.87654321))
    (Rounded(point='142', half='', low='118', high='171', exponent=0), Rounded(point='9.877', ...exponent=0))
    >>> rounded(Measured(1.23e8, 1.185e8, 1.275e8))
    Rounded(point='1.230', half='0.045', low='', high='', exponent=8)
    """
    if not number.has_interval or number.low == number.high == math.inf:
        number = Measured(number.point)
    finite = [each for each in number if math.isfinite(each)]
    exponent = _exponent(max(map(abs, finite), default=0.0))
    distances = [distance for end in number[1:] if 0 < (distance := abs(end - number.point)) < math.inf]
    if distances:
        text = _writer(exponent, digits - 1 - _power(_up(min(distances), digits)) + exponent)
    else:
        power = _power(max(map(abs, finite), default=0.0))
        text = _short_writer(exponent, _ALONE - 1 if exponent else max(0, _ALONE - 1 - power))
    if not number.has_interval:
        return Rounded(text(number.point), exponent=exponent)
    if number.is_symmetric:
        return Rounded(text(number.point), half=text(number.high - number.point), exponent=exponent)
    point, low, high = (text(each).replace(",", "") for each in number)  # [1180, 1710]: here a comma parts the ends
    return Rounded(point, low=low, high=high, exponent=exponent)


def _writer(exponent: int, decimals: int) -> Callable[[float], str]:
    """What writes numbers with one power of ten and so many decimals. Below the point digits are not made up: 1,230."""
    places = min(decimals, _MOST_DECIMALS)

    def write(number: float) -> str:
        if not math.isfinite(number):
            return "nan" if math.isnan(number) else "∞" if number > 0 else "-∞"
        value = round(Decimal(number).scaleb(-exponent), places)  # Decimals: 10.0**-324 is 0
        return f"{value or Decimal(0):,.{max(places, 0)}f}"

    return write


def _short_writer(exponent: int, decimals: int) -> Callable[[float], str]:
    """The same without zeros at the end: 200, not 200.0."""
    write = _writer(exponent, decimals)

    def write_short(number: float) -> str:
        text = write(number)
        return text.rstrip("0").rstrip(".") if "." in text else text

    return write_short


def _exponent(largest: float) -> int:
    power = _power(largest) if largest else 0
    return 0 if _PLAIN[0] <= power < _PLAIN[1] else power


def _power(number: float) -> int:
    """The power of ten of a number's first digit: floor(log10), exact at powers of ten."""
    return int(f"{abs(number):e}".partition("e")[2])


def _up(number: float, digits: int) -> float:
    """A number rounded to so many digits: 9.96 has its first digit one place higher than it seems."""
    return float(f"{number:.{digits - 1}e}")
