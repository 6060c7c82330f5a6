"""The filter language: what each filter chooses, and what is said of a text that is none."""

from __future__ import annotations

import fnmatch
import math
import pickle
import random
import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy
import pytest

from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query.filter import Filter
from rla_hooks.query.filter_mistakes import FilterError

NAN, INF = float("nan"), float("inf")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)


# --- what filters choose: six runs, as a hand-made table --------------------------------------------------------------

RUNS = {
    "lr": [0.1, 1e-3, 1, None, "0.1", NAN],
    "env": ["CartPole-v1", "Pong", "pong", "", None, "it's"],
    "amp": [True, False, 1, None, "true", 0],
    "layers": [[64, 64], [64], [], None, "64", [[1, "a"], True]],
    "n": [2**53, 2**53 + 1, 10**400, -INF, INF, None],
    "optimizer.lr": [1, 2, 3, 4, 5, 6],
    "time-step": [0, 10, 20, 30, 40, 50],
    "a`b": [1, None, None, None, None, None],
    "in": [None, 7, None, None, None, None],
    "android": [1, 1, None, None, None, None],
    "last.perf/return": [5.0, -5.0, NAN, INF, -INF, None],
    "max.perf/return": [5.0, 5.0, NAN, INF, 0.0, None],
    "last.odd metric": [1.0, 2.0, 3.0, None, None, None],
    "hparams.task": ["x", None, None, None, None, None],
    "status": ["finished", "running", "running (silent since 2026-01-31 12:00 UTC)", "killed", "unknown", "failed"],
    "task": ["a", "a", "a/deep", "b", "b", "c"],
    "tags": [["good"], ["good", "bad"], [], None, ("bad",), ["not so good"]],
    "group": [None, "g", "g", "h", "", "7"],
    "seconds": [0.5, 90.0, 3600.0, 7200.0, 86400.0, None],
    "rows": [0, 1, 2, 3, 4, None],
    "started": [
        utc(2026, 1, 30, 23, 59, 59),
        utc(2026, 1, 31),
        utc(2026, 1, 31, 12),
        utc(2026, 1, 31, 12, 0, 30),
        utc(2026, 2, 1),
        utc(2026, 2, 2),
    ],
    "ended": [None, None, utc(2026, 1, 31, 12), None, None, utc(2026, 2, 3)],
    "git.commit": ["abc123", None, None, None, None, None],
    "sweep": ["7a85bf16", "7a85bf16", None, "70000000", None, None],
    "sweep.index": [0, 11, None, 2, None, None],
}

CHOSEN = {
    # numbers: with numbers only, exactly
    "lr < 0.5": [0, 1],
    "lr<=1e-3": [1],
    "lr >= .1": [0, 2],
    "lr == 1.0": [2],
    "lr != 1": [0, 1, 4, 5],
    "lr == '0.1'": [4],
    "lr == nan": [5],
    "lr != NaN": [0, 1, 2, 4],
    "lr > -inf": [0, 1, 2],
    "0.01 < lr": [0, 2],
    "1e-4 < lr < 1": [0, 1],
    "1 >= lr > 1e-3": [0, 2],
    "n == 9007199254740993": [1],
    "n == 9007199254740992.0": [0],
    "n < 9_007_199_254_740_993": [0, 3],
    "n > 1e308": [2, 4],
    f"n == 1{'0' * 400}": [2],
    "n == +inf or n == -inf": [3, 4],
    # texts: with texts only
    "env == 'Pong'": [1],
    'env == "it\'s"': [5],
    r"env == 'it\'s'": [5],
    "env == ''": [3],
    "env != 'Pong'": [0, 2, 3, 5],
    "env < 'a'": [0, 1, 3],
    "env like '*pon*'": [1, 2],
    "env like 'Cart*-v?'": [0],
    "env like '[pP]ong'": [1, 2],
    "env like '[z-a]'": [],
    "env not like '*o*'": [3, 5],
    "'ong' in env": [1, 2],
    "env == 7": [],
    "group == '7'": [5],
    # true, false, none
    "amp == true": [0],
    "amp == True or amp == FALSE": [0, 1],
    "amp == 1": [2],
    "amp == 0": [5],
    "amp != true": [1, 2, 4, 5],
    "amp == none": [3],
    "amp != None": [0, 1, 2, 4, 5],
    "none == amp": [3],
    # lists
    "env in ['Pong', 'pong', 1]": [1, 2],
    "env in ('Pong',)": [1],
    "env in ('Pong')": [1],
    "env in []": [],
    "env not in ['Pong', 'pong']": [0, 3, 5],
    "lr in [1, nan]": [2, 5],
    "lr not in [0.1, 1, '0.1']": [1, 5],
    "amp in [1, false]": [1, 2],
    "amp in [true, none]": [0, 3],
    "amp not in [true, none]": [1, 2, 4, 5],
    "layers == [64, 64.0]": [0],
    "layers == []": [2],
    "layers == [[1, 'a'], true]": [5],
    "layers == [[1, 'a'], 1]": [],
    "layers in [[64], []]": [1, 2],
    "64 in layers": [0, 1],
    "true in layers": [5],
    "1 in layers": [],
    "64 not in layers": [2, 4, 5],
    # names
    "optimizer.lr == 2": [1],
    "`time-step` > 30": [4, 5],
    "`a``b` == 1": [0],
    "`in` == 7": [1],
    "`lr` == 1": [2],
    "android == 1": [0, 1],
    "last.perf/return > 0": [0, 3],
    "last.`perf/return` > 0": [0, 3],
    "last.`odd metric` >= 2": [1, 2],
    "`last.odd metric` >= 2": [1, 2],
    "hparams.task == 'x'": [0],
    "task == 'a'": [0, 1],
    "git.commit like 'abc*'": [0],
    "sweep == '7a85bf16' and sweep.index > 0": [1],
    "sweep == '70000000' or sweep.index == 0": [0, 3],
    "sweep == none": [2, 4, 5],
    "last.perf/return == max.perf/return": [0, 2, 3],
    "last.perf/return < max.perf/return": [1, 4],
    "last.perf/return != max.perf/return": [1, 4],
    "env in tags": [],
    # a run that lacks a name; not is the plain opposite
    "`a``b` != 1": [],
    "not `a``b` == 1": [1, 2, 3, 4, 5],
    "not (lr < 0.5)": [2, 3, 4, 5],
    "`a``b` not in [2]": [0],
    # status, tags
    "status == 'running'": [1, 2],
    "status != 'running'": [0, 3, 4, 5],
    "status in ['running', 'killed']": [1, 2, 3],
    "status not in ['running', 'killed']": [0, 4, 5],
    "status like 'running (silent*'": [2],
    "'silent' in status": [2],
    "status > 'running'": [4],
    "'good' in tags": [0, 1],
    "'bad' not in tags": [0, 2, 3, 5],
    "tags == none": [2, 3],
    "tags != none": [0, 1, 4, 5],
    "tags like '*GOOD*'": [0, 1, 5],
    # durations and times
    "seconds > 1min": [1, 2, 3, 4],
    "seconds >= 2h": [3, 4],
    "seconds == 1 hour": [2],
    "seconds < 1h 30 min": [0, 1, 2],
    "seconds == 90s or seconds == 500ms": [0, 1],
    "seconds in [2h, 1d]": [3, 4],
    "0s < seconds < 1h": [0, 1],
    "optimizer.lr <= 2s": [0, 1],
    "started == '2026-01-31'": [1, 2, 3],
    "started == 2026-01-31": [1, 2, 3],
    "started != 2026-01-31": [0, 4, 5],
    "started < 2026-01-31": [0],
    "started <= 2026-01-31": [0, 1, 2, 3],
    "started > 2026-01-31": [4, 5],
    "started >= 2026-01-31": [1, 2, 3, 4, 5],
    "2026-01-31 < started": [4, 5],
    "started == 2026-01-31 12:00": [2, 3],
    "started == '2026-01-31 12:00:30'": [3],
    "started > 2026-01-31T12:00:00Z and started < '2026-02-01T02:00+02:00'": [3],
    "started in [2026-01-30, '2026-02-02']": [0, 5],
    "started not in [2026-01-31]": [0, 4, 5],
    "started in []": [],
    "started < 1 day ago": [0, 1, 2, 3, 4, 5],
    "started > 1000000h ago": [0, 1, 2, 3, 4, 5],
    "started > -1d": [],
    "ended == none": [0, 1, 3, 4],
    "ended != none": [2, 5],
    "ended > started": [5],
    "started == ended": [2],
    # and, or, not, parentheses
    "lr == 1 or lr == 0.1 and env == 'x'": [2],
    "(lr == 1 or lr == 0.1) and env == 'CartPole-v1'": [0],
    "not lr == 1 and not lr == 0.1": [1, 3, 4, 5],
    "not not lr == 1": [2],
    "NOT (lr == 1 OR lr == 0.1) AND amp == False": [1],
    "((((lr == 1))))": [2],
    "not (lr == 1 or (amp == true and not env == 'x'))": [1, 3, 4, 5],
    "  lr\n==\t1 ": [2],
    "lr==1 and env=='pong'": [2],
    "": [0, 1, 2, 3, 4, 5],
    "  \n": [0, 1, 2, 3, 4, 5],
}


@pytest.fixture
def in_utc(monkeypatch):
    """Dates without a zone are local ones."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def chosen(text: str, columns=RUNS) -> list[int]:
    mask = Filter(text).mask(columns.__getitem__, 6)
    assert {type(each) for each in mask} == {bool} and len(mask) == 6
    return [number for number, is_so in enumerate(mask) if is_so]


@pytest.mark.parametrize("text", CHOSEN)
def test_what_a_filter_chooses(text, in_utc):
    """One line of the table each, written by hand."""
    assert chosen(text) == CHOSEN[text]


def test_columns_may_be_those_of_an_index(in_utc):
    """Times as seconds since 1970, and numpy arrays, choose the same as datetimes and lists."""
    seconds = {name: [each and each.timestamp() for each in RUNS[name]] for name in ("started", "ended")}
    arrays = {"optimizer.lr": numpy.arange(1, 7), "time-step": numpy.arange(0.0, 60.0, 10.0)}
    for text, expected in CHOSEN.items():
        assert chosen(text, {**RUNS, **seconds, **arrays}) == expected, text


def test_names_are_listed_once_and_asked_once():
    """An index is asked for the columns that the filter needs, each once."""
    asked = []

    def column(name):
        asked.append(name)
        return [1, 2]

    found = Filter("lr < 2 and 0 < lr and `time-step` == last.`x y` and not hparams.a == 2")
    assert found.names == ("lr", "time-step", "last.x y", "hparams.a")
    assert found.mask(column, 2) == [True, False]
    assert sorted(asked) == sorted(found.names)
    asked.clear()
    assert found.mask(column, 0) == [] and asked == []


def test_ago_is_counted_when_it_is_asked(monkeypatch):
    """A filter that is kept, as that of a list which is drawn again and again, moves with the clock."""
    kept, now = Filter("started > -1h"), time.time()
    column = {"started": [now - 3000.0]}.__getitem__
    assert kept.mask(column, 1) == [True]
    monkeypatch.setattr(time, "time", lambda: now + 3000.0)
    assert kept.mask(column, 1) == [False]


def test_the_day_on_which_clocks_go_back_has_25_hours(monkeypatch):
    """A date is the whole local day; a zone says another one."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        hours = [utc(2026, 10, 24, 21, 59) + timedelta(minutes=30 * half) for half in range(60)]
        day = Filter("started == 2026-10-25").mask(lambda name: hours, 60)
        assert [each for each, is_so in zip(hours, day, strict=True) if is_so][:: sum(day) - 1] == [
            utc(2026, 10, 24, 22, 29),
            utc(2026, 10, 25, 22, 59),
        ]
        assert sum(Filter("started == 2026-10-25 02:30").mask(lambda name: [utc(2026, 10, 25, 0, 30, 5)], 1)) == 1
    finally:
        monkeypatch.undo()
        time.tzset()


# --- generated filters against plain Python ---------------------------------------------------------------------------

VALUES = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    0.5,
    1.0,
    1e-3,
    NAN,
    INF,
    -INF,
    2**63,
    10**30,
    "",
    "a",
    "ab",
    "B",
    "1",
    "true",
]
VALUES += ["it's", 'say "x"', "a\\b", "诗", [1], [1, 2], ["a"], [], [True], "and", "a b", "2026-01-31"]
NAMES = {"x": "x", "y.z": "y.z", "p/q": "`p/q`", "time-step": "`time-step`", "or": "`or`", "last.m": "last.m"}


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(one, other) -> bool:
    """Equality, as the docs have it, in plain Python."""
    if is_number(one) and is_number(other):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and not is_number(one) and one == other


def less(one, other) -> bool:
    both_text = isinstance(one, str) and isinstance(other, str)
    return (both_text or (is_number(one) and is_number(other))) and one < other


def holds(sign: str, one, other) -> bool:
    """One comparison of two values that are there."""
    if sign.startswith("not "):
        return not holds(sign[4:], one, other)
    if sign == "in":
        if isinstance(other, str):
            return isinstance(one, str) and one in other
        return isinstance(other, list) and any(same(one, each) for each in other)
    if sign == "like":
        texts = (
            [one]
            if isinstance(one, str)
            else [each for each in one if isinstance(each, str)]
            if one.__class__ is list
            else []
        )
        return any(fnmatch.fnmatchcase(text.lower(), other.lower()) for text in texts)
    if sign in ("==", "!="):
        return same(one, other) is (sign == "==")
    low, high = (one, other) if "<" in sign else (other, one)
    return less(low, high) or (("=" in sign and less(low, high)) or ("=" in sign and ordered_equal(low, high)))


def ordered_equal(one, other) -> bool:
    return ((is_number(one) and is_number(other)) or (isinstance(one, str) and isinstance(other, str))) and one == other


class Generator:
    """Makes random filters, each as a text and as a function of a run."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def literal(self, value) -> str:
        pick = self.random.choice
        if value is None:
            return pick(["none", "None", "NONE"])
        if isinstance(value, bool):
            return pick([str(value), str(value).lower()])
        if isinstance(value, list):
            return f"[{', '.join(map(self.literal, value))}]"
        if isinstance(value, str):
            quote = pick("'\"")
            return quote + value.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote
        return pick([repr(value), f"{value:+}"])

    def condition(self, depth: int):
        choice = self.random.random()
        if depth and choice < 0.15:
            text, test = self.condition(depth - 1)
            return f"not ({text})", lambda run: not test(run)
        if depth and choice < 0.6:
            parts = [self.condition(depth - 1) for _ in range(self.random.randint(2, 3))]
            word = self.random.choice(["and", "or"])
            join = all if word == "and" else any
            return f" {word} ".join(f"({text})" for text, _ in parts), lambda run: join(test(run) for _, test in parts)
        return self.comparison()

    def comparison(self):
        name = self.random.choice(list(NAMES))
        sign = self.random.choice(["==", "!=", "<", "<=", ">", ">=", "in", "not in", "like", "not like", "contains"])
        there = [value for value in VALUES if value is not None]
        if sign in ("==", "!="):
            value = self.random.choice(VALUES)
        elif sign.endswith("in"):
            value = self.random.sample(there, self.random.randint(0, 4))
        elif sign.endswith("like"):
            value = self.random.choice(["*", "a*", "?", "[ab]*", "*B*", "it's", ""])
        else:
            value = self.random.choice(
                [each for each in there if sign == "contains" or not isinstance(each, (bool, list))]
            )
        if sign == "contains":
            word = self.random.choice(["in", "not in"])
            text = f"{self.literal(value)} {word} {NAMES[name]}"
            return text, lambda run: run[name] is not None and holds(word, value, run[name])
        text = f"{NAMES[name]} {sign} {self.literal(value)}"
        swapped = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}.get(sign)
        if swapped and self.random.random() < 0.3:
            text = f"{self.literal(value)} {swapped} {NAMES[name]}"
        if value is None:
            return text, lambda run: (run[name] is None) is (sign == "==")
        return text, lambda run: run[name] is not None and holds(sign, run[name], value)


@pytest.mark.parametrize("seed", range(10))
def test_generated_filters_choose_what_python_chooses(seed):
    """Fifty filters each, of all comparisons and nestings, over runs of all kinds of values."""
    generator = Generator(seed)
    runs = [{name: generator.random.choice(VALUES) for name in NAMES} for _ in range(40)]
    columns = {name: [run[name] for run in runs] for name in NAMES}
    for _ in range(50):
        text, test = generator.condition(3)
        assert Filter(text).mask(columns.__getitem__, len(runs)) == [*map(test, runs)], text


def test_the_generated_filters_are_not_idle():
    """Most of them choose some of the runs and leave some: the comparison above says something."""
    generator, told = Generator(0), 0
    runs = [{name: generator.random.choice(VALUES) for name in NAMES} for _ in range(40)]
    for _ in range(200):
        _, test = generator.condition(2)
        told += 0 < sum(map(test, runs)) < 40
    assert told > 120


# --- mistakes ---------------------------------------------------------------------------------------------------------

MISTAKES = [  # the filter with a mark before the mistake, and a part of what is said
    ("lr <§", "it ends where a number, a text in quotes"),
    ("lr <§   ", "it ends where"),
    ("a == 1 and§", "it ends where"),
    ("lr §= 1", "Write == for equal"),
    ("lr §=== 1", "Write =="),
    ("lr §=> 1", "Write <= or >="),
    ("lr §<> 1", "Write !="),
    ("lr §=~ 'a'", "Write like"),
    ("lr == 1 §&& b == 2", "Write and"),
    ("lr == 1 §|| b == 2", "Write or"),
    ("§!lr", "Write not"),
    ("env == §'abc", "no closing '"),
    ("env == §\"abc'", 'no closing "'),
    ("§`time-step == 1", "no closing `"),
    ("env == §CartPole-v1", "in quotes: 'CartPole-v1'; such a name in backquotes: `CartPole-v1`"),
    ("§time-step == 1", "`time-step`"),
    ("§lr*2 == 1", "no arithmetic"),
    ("lr §+ 1 == 2", "no arithmetic"),
    ("lr §+1 == 2", "no arithmetic"),
    ("env == §‘a’", "typographic"),
    ("lr == §1abc", "neither a number nor a duration"),
    ("lr == 5 §parsecs", "is no unit. Durations: 90s"),
    ("started > §2026-1-31", "is no date. Dates: 2026-01-31"),
    ("a §is None", "Write == none"),
    ("a §is not None", "or != none"),
    ("env §contains 'a'", "'text' in name"),
    ("lr §between 1 and 2", "0.1 <= lr <= 0.2"),
    ("f§(lr) == 1", "no functions"),
    ("a.b§('x')", "no functions"),
    ("__import__§('os').system('true')", "no functions"),
    ("amp§", "a comparison is missing at the end"),
    ("amp §and lr == 1", "a comparison is missing before 'and'"),
    ("(lr§) < 1", "a comparison is missing before ')'"),
    ("lr §5", "a comparison is missing before '5'"),
    ("'a' in §started", "neither a list nor a text"),
    ("1 not in §rows", "neither a list nor a text"),
    ("lr == 1 §lr == 2", "Conditions are joined by and, or"),
    ("§(lr == 1", "is not closed"),
    ("lr in §[1, 2", "is not closed"),
    ("lr == 1§)", "no ( was opened"),
    ("lr in [1 §2]", "a comma or the end of the list"),
    ("env in [§a]", "a list has values, not names"),
    ("env in (§)", "')' stands where"),
    ("a not §b", "in or like is expected"),
    ("a < §> b", "'>' stands where"),
    ("lr == 0.1 §# x", "has no meaning here"),
    ("a§\x1b == 1", r"'\x1b' has no meaning here"),
    ("env in §{'a'}", "square brackets"),
    # what can never hold
    ("1 §== 2", "no run is asked"),
    ("'a' §in ['a']", "no run is asked"),
    ("'a*' §like env", "between a name and a pattern"),
    ("env §like 5", "a pattern in quotes"),
    ("seconds §like '5*'", "a pattern in quotes"),
    ("env in §'abc'", "in needs a list"),
    ("amp §< true", "compare by == and != only"),
    ("lr §>= none", "compare by == and != only"),
    ("lr §< [1]", "compare by == and != only"),
    ("tags §== 'good'", "Write 'good' in tags"),
    ("tags §in ['good']", "Write 'good' in tags"),
    ("id == §23456723", "texts stand in quotes"),
    ("task in ['a', §7]", "texts stand in quotes"),
    ("seconds > §'2h'", "stand without quotes"),
    ("rows == §true", "rows is a number"),
    ("status == §'finshed'", "Did you mean 'finished'?"),
    ("status in ['failed', §'done']", "Known: running"),
    ("started > §5", "started is a time"),
    ("started > §2h", "started is a time"),
    ("started > §'soon'", "2 days ago"),
    ("started > §2026-02-30", "started is a time"),
    ("started > §'2h'", "started is a time"),
    ("seconds > §2h ago", "counts back from now"),
    ("seconds > §-1s", "counts back from now"),
    ("started > §seconds", "seconds is none"),
    ("seconds > §started", "started is a time"),
    (f"a == §{'1' * 1001}", "1001 digits"),
    # bounds
    ("not " * 100 + "§a == 1", "nested deeper than 100 levels"),
    (f"a == {'[' * 99}§{'[' * 10}{']' * 109}", "nested deeper than 100 levels"),
    (f"{'x' * 20_000}§x", "20001 characters"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES, ids=[text[:40] for text, _ in MISTAKES])
def test_a_mistake_is_marked(text, said):
    """The error says what to write instead, and has a mark below the place."""
    position, text = text.index("§"), text.replace("§", "")
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        Filter(text)
    error = caught.value
    assert isinstance(error, FilterError) and isinstance(error, RLAError)
    assert error.position == position
    head, shown, mark = str(error).split("\n")
    assert head == f"the filter cannot be used: {error.reason}"
    assert mark.strip() == "^" and len(shown) < 120
    if text.isprintable() and len(text) < 40:
        assert (shown[2:], len(mark) - 3) == (text, position)


def test_the_mark_stands_below_wide_letters():
    """Where letters take two columns of a terminal, or are shown as escapes, the mark is below the mistake."""
    with pytest.raises(FilterError) as caught:
        Filter("env == '诗\x1b' and a = 1")
    _, shown, mark = str(caught.value).split("\n")
    assert shown == r"  env == '诗\x1b' and a = 1"
    assert len(mark) - 1 == len(shown.partition("= 1")[0]) + 1  # one letter takes a column more


def test_only_texts_are_filters():
    """And an error can be sent to another process."""
    for wrong in (7, ["lr == 1"], b"lr == 1", lambda run: True):
        with pytest.raises(ConfigError, match="where is"):
            Filter(wrong)
    with pytest.raises(FilterError) as caught:
        Filter("a = 1")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.position, again.text) == (str(caught.value), 2, "a = 1")


def test_hostile_texts_end_soon():
    """Long texts and random ones are read or refused; nothing else happens."""
    rng = random.Random(0)
    words = [
        "lr",
        "'",
        '"',
        "`",
        "(",
        ")",
        "[",
        "]",
        "==",
        "=",
        "<",
        "and",
        "or",
        "not",
        "in",
        "like",
        "1",
        "1e",
        "-",
        ",",
    ]
    words += ["2h", "2026-01-31", "none", " ", "\\", "\n", "诗", "\x00", "\ud800", "*", ".", "/", "ago", "'a'"]
    for _ in range(2000):
        text = "".join(rng.choices(words, k=rng.randint(1, 12)))
        try:
            Filter(text)
        except FilterError as error:
            assert 0 <= error.position <= len(text) and str(error).isprintable() is False
    long = [f"id in [{', '.join(repr('abcdefgh') for _ in range(1500))}]", "(" * 9_990 + "a == 1" + ")" * 9_990]
    long += [" and ".join(["lr < 1"] * 1800), "lr < 1 " + "< 1 < lr" * 1600, "1" * 19_999 + "h", "1h" * 9_999]
    long += [
        "`" * 19_999,
        "'" * 19_999,
        "not " * 4_999,
        "a" + "-" * 19_000,
        "a" + "-a" * 9_000,
        "a == 1" + "h1" * 9_000,
        "a == 1h" + " " * 19_000,
        f"a == {'1' * 19_000}h",
        "2026-01-31" * 1999,
    ]
    for text in long:
        try:
            Filter(text)
        except FilterError as error:
            assert len(str(error)) < 1000
    assert Filter("env like '" + "*a" * 3000 + "'").mask(lambda name: ["a" * 2999] * 6, 6) == [False] * 6


def test_names_that_no_run_has():
    """The error points at the name and says what is near: a metric, a nested name, one that is spelt alike."""
    known = ["lr", "optimizer.width", "last.perf/return", "last.loss", "time-step"]
    found = {
        "loss < 1": "Near it: last.loss.",
        "return > 1": "Near it: last.perf/return.",
        "width == 1": "Near it: optimizer.width.",
        "last.perf/retrun > 1": "Near it: last.perf/return.",
        "`time_step` == 1": "Near it: `time-step`",
        "statsu == 'failed'": "Near it: status, ",
        "xyzzy == 1": "Known: lr, optimizer.width, `time-step`, last.loss, last.perf/return; and the built-in names: "
        "docs/query.md.",
    }
    for text, said in found.items():
        name = Filter(text).names[0]
        message = str(Filter(text).unknown(name, known))
        assert f"no run has {name}. {said}" in message
        assert message.endswith("\n  ^")
    assert "Near it: max.loss, " in str(Filter("max.los > 1").unknown("max.los", known))
    assert "Known: none of their own; and the built-in" in str(Filter("xyzzy > 1").unknown("xyzzy", []))
    long = "x" * 10_000
    assert len(str(Filter(f"{long} > 1").unknown(long, [f"{long}{number}" for number in range(100)]))) < 1000
    message = str(Filter("env == Pong and lr < 1").unknown("Pong", ["env", "lr"]))
    assert "A text stands in quotes: 'Pong'." in message and message.endswith("\n         ^")


@pytest.mark.parametrize("text", ["n == '1'", "n < '2'", "'1e-3' == n", "n != 'nan'", "n in ['1']"])
def test_a_number_in_quotes_is_told_where_there_are_numbers_only(text):
    """It can never hold, and a list that is empty tells nobody why; among texts it is a text."""
    with pytest.raises(FilterError, match=r"n has numbers, and this is a text\. Write it without quotes"):
        Filter(text).mask({"n": [1, 0.5, None]}.__getitem__, 3)
    for column in ([1, "1", None], ["1", "2", "3"], [None, None, None], [True, 1, 2]):
        Filter(text).mask({"n": column}.__getitem__, 3)
    assert Filter("n == 'none'").mask({"n": [1, 2]}.__getitem__, 2) == [False, False]


def test_the_filters_of_the_docs_can_be_used():
    """Each in the first column of the table on docs/query.md."""
    page = (Path(__file__).resolve().parents[1] / "docs" / "query.md").read_text()
    table = page.partition("| filter |")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    filters = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    assert len(filters) > 20
    for text in filters:
        assert Filter(text).names, text
