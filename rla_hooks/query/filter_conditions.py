"""Turns the tree of a filter into a function that asks columns. What can never hold, by the types, is an error."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NoReturn

from rla_hooks.endings import KILLED, RUNNING, SEVERITY
from rla_hooks.errors import did_you_mean
from rla_hooks.life import is_running
from rla_hooks.query import filter_columns as columns
from rla_hooks.query.filter_columns import Column, Mask, Test
from rla_hooks.query.filter_grammar import Comparison, Literal, Name, Negation, Node
from rla_hooks.query.filter_mistakes import FilterError
from rla_hooks.query.names import LISTS, NUMBERS, TEXTS, TIMES
from rla_hooks.query.times import DATES, DURATIONS, Span, span_of
from rla_hooks.texts import is_number, shown

ColumnOf = Callable[[str], Sequence[Any]]  # the values of a name, of all runs; see rla_hooks.query.names
Condition = Callable[[ColumnOf], Mask]
_STATUSES = (*SEVERITY, KILLED)
_SWAPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_UNORDERED = {"bool": "true and false", "none": "none and a value", "list": "lists"}
_NEGATIVE = {"!=": "==", "not in": "in", "not like": "like"}


class Compiler:
    """Makes the function of a filter, and collects the names that it asks for.

    ``places``: where each name stands first. ``operands``: names that are compared with other names: perhaps somebody
    forgot the quotes.
    """

    def __init__(self, text: str):
        self._text = text
        self.places: dict[str, int] = {}
        self.operands: set[str] = set()

    def condition(self, node: Node) -> Condition:
        if isinstance(node, Comparison):
            return self._comparison(node)
        if isinstance(node, Negation):
            inner = self.condition(node.inner)
            return lambda column: [not chosen for chosen in inner(column)]
        parts, join = [*map(self.condition, node.parts)], columns.every if node.is_all else columns.either
        return lambda column: join(part(column) for part in parts)

    def _comparison(self, given: Comparison) -> Condition:
        left, sign, right, place = given
        for side in (left, right):
            if isinstance(side, Name):
                self.places.setdefault(side.name, side.position)
        if isinstance(left, Name) and isinstance(right, Name):
            return self._of_two_names(left, sign, right)
        if isinstance(left, Name) and isinstance(right, Literal):
            return self._asking(left.name, sign, self._test(left.name, sign, right, place))
        if not isinstance(left, Literal) or not isinstance(right, Name):
            self._fail("two values are compared here, and no run is asked. One side is a name, such as lr.", place)
        if sign in _SWAPPED:
            test = self._test(right.name, _SWAPPED[sign], left, place)
        elif sign.endswith("like"):
            self._fail("like stands between a name and a pattern: name like '*ppo*'.", place)
        else:
            if right.name in TIMES | NUMBERS:
                self._fail(f"{right.name} is neither a list nor a text, so nothing is in it.", right.position)
            test = columns.containing(self._value("", left))
            sign, test = "contains", columns.unequal(test) if sign == "not in" else test
        return self._asking(right.name, sign, test)

    def _asking(self, name: str, sign: str, test: Test) -> Condition:
        """The test, on the column of a name; what the column may hold, rla_hooks.query.names says."""
        if name in TIMES:
            return lambda column: test(_seconds(column(name)))
        if name in LISTS:
            empty = () if sign == "contains" else None  # a run without tags has an empty list, and no tag is in it
            return lambda column: test([value or empty for value in column(name)])
        if name == "status" and sign != "contains" and not sign.endswith("like"):
            return lambda column: test(_spoken(column(name)))
        return lambda column: test(column(name))

    def _of_two_names(self, left: Name, sign: str, right: Name) -> Condition:
        names = left.name, right.name
        self.operands.update(names)
        for one, other in (names, names[::-1]):
            if one in TIMES and other in NUMBERS | TEXTS | LISTS:
                self._fail(f"{one} is a time, and {other} is none.", right.position)
        prepare, compare = _seconds if TIMES & {*names} else list, columns.both(sign)
        return lambda column: compare(*(prepare(column(name)) for name in names))

    def _test(self, name: str, sign: str, value: Literal, place: int) -> Test:
        """The test for a name that is compared with a value."""
        if sign in _NEGATIVE:
            return columns.unequal(self._test(name, _NEGATIVE[sign], value, place))
        if sign == "like":
            if value.kind != "text" or name in TIMES | NUMBERS:
                self._fail("like compares a text with a pattern in quotes: name like '*ppo*'.", place)
            return columns.like(value.value)
        if name in LISTS and value.kind != "none":
            self._fail(f"{name} is a list. Write 'good' in {name}, 'good' not in {name} or {name} == none.", place)
        if sign == "in":
            if value.kind != "list":
                self._fail("in needs a list: env in ['a', 'b'].", value.position)
            if name in TIMES:
                tests = [self._test(name, "==", each, place) for each in value.value]
                return lambda column: columns.either(([False] * len(column), *(test(column) for test in tests)))
            return self._quoted(name, columns.one_of(self._value(name, each) for each in value.value), value.value)
        if value.kind in _UNORDERED and sign != "==":
            self._fail(f"{_UNORDERED[value.kind]} compare by == and != only.", place)
        if name in TIMES and value.kind != "none":
            return self._time(name, sign, value)
        wanted = self._value(name, value)
        test = columns.equal(wanted) if sign == "==" else columns.ordered(sign, wanted)
        return self._quoted(name, test, [value])

    def _quoted(self, name: str, test: Test, values: Sequence[Literal]) -> Test:
        """The test, which for numbers in quotes can never hold where a name has numbers only: the quotes are wrong."""
        if not values or not all(each.kind == "text" and is_number(each.value) for each in values):
            return test

        def tested(column: Column) -> Mask:
            kinds = {each.__class__ for each in column if each is not None}
            if kinds and kinds <= columns.NUMBER:
                self._fail(f"{name} has numbers, and this is a text. Write it without quotes.", values[0].position)
            return test(column)

        return tested

    def _time(self, name: str, sign: str, value: Literal) -> Test:
        allowed = f"Allowed: {DATES}; how long ago: -2d, 2 days ago."
        if value.kind in ("text", "date"):
            span = span_of(value.value)
            if span is None:
                self._fail(f"{name} is a time, and this is none. {allowed}", value.position)
            return columns.within(sign, span)
        if value.kind != "duration" or not value.value.is_ago:
            self._fail(f"{name} is a time, and this says none. {allowed}", value.position)
        seconds = value.value.seconds

        def test(column: Column) -> Mask:
            moment = time.time() - seconds  # not sooner: a filter may be asked again and again
            return columns.within(sign, Span(moment, moment))(column)

        return test

    def _value(self, name: str, value: Literal) -> Any:
        """The value that stands in the filter, if it can be that of the name."""
        kind, place = value.kind, value.position
        if kind == "list":
            return [self._value("", each) for each in value.value]
        if kind == "duration" and value.value.is_ago:
            self._fail(f"a negative duration counts back from now; only {', '.join(sorted(TIMES))} are times.", place)
        if name in TEXTS and kind not in ("text", "date", "none"):
            self._fail(f"{name} is a text, and texts stand in quotes.", place)
        if name in NUMBERS and kind not in ("number", "duration", "none"):
            quoted = f" Durations stand without quotes: {DURATIONS}." if kind == "text" else ""
            self._fail(f"{name} is a number, and this is none.{quoted}", place)
        if name == "status" and kind == "text" and not value.value.startswith(_STATUSES):
            known = f"Known: {', '.join(_STATUSES)}.{did_you_mean(value.value, _STATUSES)}"
            self._fail(f"no run has the status {shown(value.value, 100)}. {known}", place)
        return value.value.seconds if kind == "duration" else value.value

    def _fail(self, reason: str, position: int) -> NoReturn:
        raise FilterError(reason, self._text, position)


def _seconds(column: Column) -> Column:
    """Times as seconds since 1970."""
    return [
        value if value.__class__ is float or not isinstance(value, datetime) else value.timestamp() for value in column
    ]


def _spoken(column: Column) -> Column:
    """Statuses without since when a run is silent."""
    plain = {each: RUNNING if is_running(each) else each for each in {*column} if each is not None}
    return [*map(plain.get, column)]
