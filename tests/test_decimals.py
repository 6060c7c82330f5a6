"""Numbers that are read from their digits are those that Python reads, bit by bit."""

from __future__ import annotations

import random

import numpy
import pytest

from rla_hooks.rows import decimals, plain
from rla_hooks.rows.plain import PlainCells

EXACT = pytest.mark.skipif(not decimals._IS_EXACT, reason="this system has no long double of 64 bits")


def _column(texts):
    return PlainCells.of(b"".join(b"7,%s,x\n" % text.encode() for text in texts), 3)


def _read(texts):
    """The values of a column, which are all there."""
    piece = _column(texts).numbers(1)
    assert piece is not None and piece.rows is None
    return piece.values


def _bits(values):
    return numpy.asarray(values, numpy.float64).view(numpy.int64).tolist()


@EXACT
def test_decimals_are_those_that_python_reads():
    """Of any number of digits on both sides of the dot, with zeros before and behind them, and of both signs."""
    chance = random.Random(0)
    texts = [repr(chance.random() * 10.0 ** chance.randint(-3, 12)) for _ in range(60_000)]
    for _ in range(60_000):
        digits = str(chance.getrandbits(64))[: chance.randint(1, 18)]
        dot = chance.randint(0, len(digits))
        texts.append(f"{chance.choice(['', '-', '0', '-0'])}{digits[:dot]}.{digits[dot:]}")
    chance.shuffle(texts)
    assert _bits(_read(["0.5", *texts])) == _bits([0.5, *map(float, texts)])


@EXACT
def test_decimals_in_the_middle_of_two_numbers_are_rounded_as_python_does(monkeypatch):
    """And those that are as near to it as their digits allow."""
    monkeypatch.setattr(plain, "_FEW", 1)  # Python reads the middle ones singly, and here these are many
    chance, texts = random.Random(1), ["0.0", "-0.0", ".5", "5.", "-5.", "1.", "007.50", "9007199254740993.0"]
    for power in range(53, 60):
        for _ in range(3000):
            middle = (chance.getrandbits(52) | 1 << 52) * 2 + 1 << (power - 53)  # of 54 bits: no double has it
            texts += [f"{middle + off}.{tail}" for off in (-1, 0, 1) for tail in ("0", "1", "") if middle < 10**17]
            if power == 53:
                texts += [f"{middle / 2**10:.10f}"[:20], f"-{middle}.0"]
    assert _bits(_read(texts)) == _bits([*map(float, texts)])


@EXACT
def test_some_numbers_may_be_of_another_form():
    """Few of them; what is no number makes the column one of texts, which somebody else reads."""
    texts = ["0.25"] * 100 + [
        "nan",
        "-inf",
        "1e-05",
        "1.5E3",
        "+2.5",
        "12345678901234567890.5",
        "0.1234567890123456789",
    ]
    assert _bits(_read(texts)) == _bits([*map(float, texts)])
    for text in (
        "1_0.5",
        "a.5",
        "1.2.3",
        "-",
        ".",
        "-.",
        "--1.5",
        "1-.5",
        "\u0664.5",
        "1 .5",
        "0x1p4",
        "1.5.",
        "9" * 30 + "x",
    ):
        assert _column(["0.25"] * 100 + [text]).numbers(1) is None, text


def test_integers_are_those_that_python_reads():
    """Up to 19 digits, which must lie within the range of int64."""
    chance = random.Random(2)
    texts = [
        "0",
        "-0",
        "007",
        str(2**63 - 1),
        str(-(2**63) + 1),
        "-1",
        *(str(chance.getrandbits(62)) for _ in range(999)),
    ]
    values = _read(texts)
    assert values.dtype == numpy.int64 and values.tolist() == [*map(int, texts)]
    for text in (str(2**63), "1" * 25, "+1", "1e3", "nan", "-", "a", "1-"):
        assert _column(["1", text]).numbers(1) is None


def test_cells_may_be_empty():
    """They are no values, and the others keep their rows; a column without any is read by somebody else."""
    cells = PlainCells.of(b"1,,\n-20,2.5,\n,,\n3,-0.125,\n", 3)
    piece = cells.numbers(0)
    assert piece.values.tolist() == [1, -20, 3] and piece.rows.tolist() == [0, 1, 3]
    if decimals._IS_EXACT:
        piece = cells.numbers(1)
        assert piece.values.tolist() == [2.5, -0.125] and piece.rows.tolist() == [1, 3]
    assert cells.numbers(2) is None


def test_rows_of_other_widths_are_no_plain_cells():
    """Also where a row that is too long makes up for one that is too short."""
    assert PlainCells.of(b"1,2\n3,4\n", 2).cells(1) == [b"2", b"4"]
    for data in (b"1,2\n3\n", b"1,2,3\n4\n", b"1\n2,3,4\n", b"1,2\n\n3,4,5\n"):
        assert PlainCells.of(data, 2) is None
    assert PlainCells.of(b"1\n\n2\n", 1) is None and PlainCells.of(b"\n2\n", 1) is None
    assert PlainCells.of(b"1\n22\n", 1).cells(0) == [b"1", b"22"]


def test_without_such_long_doubles_float_reads_all(monkeypatch):
    """The same values, and the types that it gives."""
    monkeypatch.setattr(decimals, "_IS_EXACT", False)
    assert _column(["0.25", "1.5"]).numbers(1) is None
    assert _read(["1", "-2"]).tolist() == [1, -2]
