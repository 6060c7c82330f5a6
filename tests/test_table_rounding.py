"""Numbers of a table: as many digits as their intervals allow."""

import math
import random

import pytest

from rla_hooks.paper_tables.rounding import Measured, rounded

INF, NAN = math.inf, math.nan


def _text(*number: float, digits: int = 2) -> str:
    found = rounded(Measured(*number), digits)
    text = f"{found.point} ± {found.half}" if found.half else found.point
    text += f" [{found.low}, {found.high}]" if found.low else ""
    return f"({text})e{found.exponent}" if found.exponent else text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ((260.83, 206.7, 314.96), "261 ± 54"),
        ((9.96, 9.8604, 10.0596), "9.96 ± 0.10"),
        ((12345, 11045, 13645), "12,300 ± 1,300"),
        ((1234567, 1200000, 1269134), "1,235,000 ± 35,000"),
        ((0.00012, 0.0001, 0.00014), "0.000120 ± 0.000020"),
        ((-0.001, -1, 0.998), "0.0 ± 1.0"),
        ((100, 99.04, 100.96), "100.00 ± 0.96"),
        ((142.21, 118.3, 171.4), "142 [118, 171]"),
        ((1421, 1183, 1714), "1420 [1180, 1710]"),
        ((1.23e8, 1.185e8, 1.275e8), "(1.230 ± 0.045)e8"),
        ((1e-6, 0.9e-6, 1.1e-6), "(1.00 ± 0.10)e-6"),
        ((5, 5, 5), "5 ± 0"),
        ((0, 0, 0), "0 ± 0"),
        ((200.0,), "200"),
        ((9.87654321,), "9.877"),
        ((1234567,), "1,234,567"),
        ((12345678,), "(1.235)e7"),
        ((0,), "0"),
        ((3, 1, INF), "3.0 [1.0, ∞]"),
        ((INF, 9642, INF), "∞ [9642, ∞]"),
        ((INF, INF, INF), "∞"),
        ((NAN, 1, 2), "nan"),
        ((-INF,), "-∞"),
    ],
)
def test_digits_are_those_that_the_interval_allows(number, text):
    """Two of the nearer end; a number without an interval has four, and no zeros behind them."""
    assert _text(*number) == text


def test_the_digits_can_be_chosen():
    """One, as in physics; three."""
    assert _text(260.83, 206.7, 314.96, digits=1) == "260 ± 50"
    assert _text(260.83, 206.7, 314.96, digits=3) == "260.8 ± 54.1"


def test_rounding_changes_no_number_by_more_than_half_a_digit():
    """Of any size, also the smallest and the greatest."""
    generator = random.Random(0)
    for _ in range(3000):
        size = 10 ** generator.uniform(-320, 300)
        point, half = (
            generator.uniform(-1, 1) * size,
            abs(generator.gauss(0, 1)) * size * 10 ** generator.uniform(-3, 1),
        )
        found = rounded(Measured(point, point - half, point + half))
        if not found.half or half < 1e-12 * abs(point):
            continue
        half_text, point_text = (each.replace(",", "") for each in (found.half, found.point))
        shown_half, shown_point = (float(f"{each}e{found.exponent}") for each in (half_text, point_text))
        last_digit = 10 ** (math.floor(math.log10(half)) - 1)
        assert shown_half == pytest.approx(half, rel=0.051)
        assert abs(shown_point - point) <= 0.51 * max(last_digit * 10, 5e-324)
        assert len(half_text.replace(".", "").strip("0") or "0") <= 2


@pytest.mark.parametrize("number", [(1e308, -1e308, 1e308), (5e-324, 0.0, 1e-323), (1e308, 1e308 - 1e292, 1e308)])
def test_extreme_numbers_have_texts(number):
    """Whose differences are infinite, or nothing."""
    assert "nan" not in _text(*number) and "inf" not in _text(*number)
