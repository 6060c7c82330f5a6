"""Comparisons of a filter over whole columns: a list comprehension each, since a root may have a million runs.

A column has a value of each run, None where it has none. Every function here returns a function from a column to a
mask: a bool for each run. What these mean:

- Numbers compare with numbers only, ints exactly; true and false are no numbers; texts compare with texts.
- A run without a value is in no mask but that of ``== none``.
- NaN equals NaN, and is neither less nor greater than anything.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rla_hooks.query.times import Span

Column = Sequence[Any]
Mask = list[bool]
Test = Callable[[Column], Mask]
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NUMBER = frozenset({int, float})  # types as they are: bool is a subclass of int
_TEXT = frozenset({str})
_SEQUENCE = frozenset({list, tuple})
_CONTAINER = frozenset({str, list, tuple, dict})


def are_equal(one: Any, other: Any) -> bool:
    """Whether two plain values are equal as filters and tables mean it: also lists and mappings, by their content.

    >>> are_equal(1, 1.0), are_equal(1, True), are_equal([float("nan")], [float("nan")]), are_equal("1", 1)
    (True, False, True, False)
    >>> are_equal({"a": [1, None]}, {"a": [1.0, None]}), are_equal([1], [1, 2])
    (True, False)
    """
    if one is other:
        return True
    kind, other_kind = one.__class__, other.__class__
    if kind in NUMBER and other_kind in NUMBER:
        return bool(one == other or (one != one and other != other))
    if kind in _SEQUENCE and other_kind in _SEQUENCE:
        return len(one) == len(other) and all(map(are_equal, one, other))
    if kind is not other_kind:
        return False
    if kind is dict:
        return one.keys() == other.keys() and all(are_equal(value, other[key]) for key, value in one.items())
    return bool(one == other)


def equality_key(value: Any) -> str:
    """Return a text that is the same for plain values that are equal: 1 and 1.0 are, 1 and true are not.

    >>> equality_key(1) == equality_key(1.0), equality_key(1) == equality_key(True), equality_key([0.5, None])
    (True, False, '[0.5, null]')
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return json.dumps(value, sort_keys=True, default=str)


def equal(wanted: Any) -> Test:
    """Return the test for values that are equal to this one. For None: that there is no value."""
    if wanted is None or wanted is True or wanted is False:
        return lambda column: [value is wanted for value in column]
    if wanted.__class__ is str:
        return lambda column: [value == wanted for value in column]
    if wanted.__class__ in NUMBER and wanted == wanted:
        return lambda column: [value == wanted and value.__class__ in NUMBER for value in column]
    if wanted.__class__ in NUMBER:
        return lambda column: [value != value for value in column]
    return lambda column: [are_equal(value, wanted) for value in column]


def one_of(wanted: Iterable[Any]) -> Test:
    """Return the test for values that are equal to any of these."""
    plain: dict[type, set[Any]] = {}  # of each type apart: Python's sets take True for 1
    others = []
    for each in wanted:
        if each.__class__ in _SEQUENCE or each != each:
            others.append(each)
        else:
            plain.setdefault(float if each.__class__ is int else each.__class__, set()).add(each)
    if float in plain:
        plain[int] = plain[float]

    def test(column: Column) -> Mask:
        if not others and plain.keys() == {str}:
            texts = plain[str]
            return [value.__class__ is str and value in texts for value in column]
        found = [value.__class__ in plain and value in plain[value.__class__] for value in column]
        return either((found, *(equal(each)(column) for each in others)))

    return test


def unequal(test: Test) -> Test:
    """Return the test for values of which another test is false; a run without one is in neither mask."""
    return lambda column: [value is not None and not is_so for value, is_so in zip(column, test(column), strict=True)]


def ordered(sign: str, bound: Any) -> Test:
    """Return the test for values that are less or greater than a number or a text, as ``sign`` says."""
    kinds = NUMBER if bound.__class__ in NUMBER else _TEXT
    tests: dict[str, Test] = {  # written out: a call for each value would take half as long again
        "<": lambda column: [value.__class__ in kinds and value < bound for value in column],
        "<=": lambda column: [value.__class__ in kinds and value <= bound for value in column],
        ">": lambda column: [value.__class__ in kinds and value > bound for value in column],
        ">=": lambda column: [value.__class__ in kinds and value >= bound for value in column],
    }
    return tests[sign]


def within(sign: str, span: Span) -> Test:
    """Return the test for times, in seconds since 1970, that are before, in or after a span, as ``sign`` says."""
    begin, end = span
    tests: dict[str, Test] = {
        "<": lambda column: [value is not None and value < begin for value in column],
        "<=": lambda column: [value is not None and (value < end or value <= begin) for value in column],
        ">": lambda column: [value is not None and value > begin and value >= end for value in column],
        ">=": lambda column: [value is not None and value >= begin for value in column],
        "==": lambda column: [value is not None and (begin <= value < end or value == begin) for value in column],
    }
    return tests[sign]


def like(pattern: str) -> Test:
    """Return the test for texts of this form, and for lists that have one; see :func:`matcher`."""
    fits = matcher(pattern)

    def has_one(value: Any) -> bool:
        return value.__class__ in _SEQUENCE and any(each.__class__ is str and fits(each) for each in value)

    return lambda column: [fits(value) if value.__class__ is str else has_one(value) for value in column]


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return the function that says whether a text has this form, as :mod:`fnmatch` has it, in whatever case.

    >>> fits = matcher("*ppo*")
    >>> fits("cartpole/algo=PPO"), fits("dqn")
    (True, False)
    """
    inner = pattern.strip("*").lower()
    if not set("*?[") & {*inner}:  # most patterns: much faster than an expression
        begins, ends = not pattern.startswith("*"), not pattern.endswith("*")
        if not begins and not ends:
            return lambda text: inner in text.lower()
        if begins and ends:
            return lambda text: inner == text.lower()
        return lambda text: text.lower().startswith(inner) if begins else text.lower().endswith(inner)
    match = re.compile(fnmatch.translate(pattern), re.IGNORECASE).match
    return lambda text: match(text) is not None


def containing(wanted: Any) -> Test:
    """Return the test for lists that have this element, and for texts that have this part."""
    if wanted.__class__ is str:
        return lambda column: [value.__class__ in _CONTAINER and wanted in value for value in column]

    def test(column: Column) -> Mask:
        return [value.__class__ in _SEQUENCE and any(are_equal(each, wanted) for each in value) for value in column]

    return test


def both(sign: str) -> Callable[[Column, Column], Mask]:
    """Return the test that compares the values of two columns: == != < <= > >= in, not in, like, not like."""
    word = sign.removeprefix("not ")

    def compare(one: Any, other: Any) -> bool:
        if one is None or other is None:
            return False
        if word in ("==", "!="):
            return are_equal(one, other) is (word == "==")
        if word == "in":
            holds = containing(one)([other])[0]
        elif word == "like":
            holds = other.__class__ is str and like(other)([one])[0]
        else:
            kinds = NUMBER if one.__class__ in NUMBER else _TEXT
            holds = one.__class__ in kinds and other.__class__ in kinds and ORDERS[word](one, other)
        return holds is (word == sign)

    return lambda first, second: [compare(one, other) for one, other in zip(first, second, strict=True)]


def every(masks: Iterable[Mask]) -> Mask:
    """Return the mask of the runs that are in all of these, of which there is at least one."""
    return functools.reduce(lambda found, each: [*map(operator.and_, found, each)], masks)  # two at a time in memory


def either(masks: Iterable[Mask]) -> Mask:
    """Return the mask of the runs that are in any of these, of which there is at least one."""
    return functools.reduce(lambda found, each: [*map(operator.or_, found, each)], masks)
