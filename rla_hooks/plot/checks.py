"""Checks of the arguments of figures: all mistakes are collected, then raised at once, before anything is read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.texts import printable, shown


class Mistakes:
    """Collects what is wrong with the arguments of a call.

    >>> mistakes = Mistakes("plot_curves")
    >>> mistakes.choice("estimator", "avg", ["mean", "median"])
    >>> mistakes.range("x_range", (5, 1))
    >>> mistakes.raise_any()
    Traceback (most recent call last):
    rla_hooks.errors.ConfigError: plot_curves: 2 mistakes:
      - estimator is 'avg'. Known: mean, median.
      - x_range is (5, 1). Allowed: a pair of numbers, the lower one first; None for an end that follows the data.
    """

    def __init__(self, where: str):
        self.where = where
        self.found: list[str] = []

    def add(self, problem: str) -> None:
        self.found.append(problem)

    def wrong(self, name: str, value: object, allowed: str) -> None:
        """Note that an argument has a value that it cannot have."""
        self.add(f"{name} is {shown(value, 100)}. Allowed: {allowed}")

    def raise_any(self) -> None:
        """Raise ConfigError with all mistakes, if there are any."""
        if self.found:
            raise ConfigError(self.found, self.where)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the mistakes that the block raises."""
        try:
            yield
        except ConfigError as error:
            self.found += error.problems

    def note_raised(self, *checks: Callable[[], object]) -> None:
        """Note the mistakes that these calls raise."""
        for check in checks:
            with self.noted():
                check()

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Let mistakes that the block raises say which call they are of."""
        try:
            yield
        except ConfigError as error:
            raise ConfigError(error.problems, self.where) from error.__cause__

    def choice(self, name: str, value: object, known: Sequence[str | None]) -> None:
        """Note a value that is none of these."""
        if not any(value is each or (isinstance(value, str) and value == each) for each in known):
            near = did_you_mean(value, [each for each in known if each is not None])
            self.add(f"{name} is {shown(value, 100)}. Known: {', '.join(map(str, known))}.{near}")

    def number(self, name: str, value: object, allowed: str = "a finite number.", least: float = -math.inf) -> None:
        """Note what is no finite number, or is lower than ``least``."""
        if not is_number(value) or not value >= least:  # type: ignore[operator]
            self.wrong(name, value, allowed)

    def text(self, name: str, value: object) -> None:
        if not isinstance(value, str):
            self.wrong(name, value, "a text.")

    def text_or_none(self, name: str, value: object) -> None:
        if value is not None:
            self.text(name, value)

    def flag(self, name: str, value: object) -> None:
        if not isinstance(value, bool):
            self.wrong(name, value, "True or False.")

    def range(self, name: str, value: Any) -> None:
        """Note what is neither None nor a pair of numbers that grow, of which one may be None."""
        if value is None:
            return
        is_pair = isinstance(value, (tuple, list)) and len(value) == 2
        if not is_pair or not all(end is None or is_number(end) for end in value) or _falls(*value):
            self.wrong(name, value, "a pair of numbers, the lower one first; None for an end that follows the data.")

    def names(self, name: str, value: Any, example: str) -> list[str]:
        """Return names as a list, each once; one may come as it is."""
        given = [value] if isinstance(value, str) else value
        if not isinstance(given, (list, tuple)) or not given or not all(isinstance(each, str) for each in given):
            self.wrong(name, value, f"a name, or a list of names, such as {example}.")
            return []
        return [*dict.fromkeys(given)]


def is_number(value: object) -> bool:
    """Whether this is a finite number, and no bool.

    >>> is_number(0.5), is_number(True), is_number(float("nan")), is_number("1")
    (True, False, False, False)
    """
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        return False
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def is_growing(values: Any, least: int = 2) -> bool:
    """Whether these are so many finite numbers or more, each greater than the one before.

    >>> is_growing([0, 1, 5]), is_growing([1, 1]), is_growing("ab"), is_growing([3], least=1)
    (True, False, False, True)
    """
    given = values.tolist() if hasattr(values, "tolist") else values  # of numpy
    is_list = isinstance(given, (list, tuple, range)) and len(given) >= least and all(map(is_number, given))
    return is_list and all(one < other for one, other in itertools.pairwise(given))


def _falls(low: Any, high: Any) -> bool:
    return low is not None and high is not None and not low < high


def quoted(names: Iterable[str]) -> str:
    """Return names for a message, printable, in quotes, with commas between them."""
    return ", ".join(printable(repr(name)) for name in names)
