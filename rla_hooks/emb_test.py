"""RLA's tests inside of a training: functions that look at something once, now and then, or once for each key.

    from rla_hooks.emb_test import TestType, ut_controller
    ut_controller.add_test("reward", check_reward, TestType.FREQUENT, freq=100)
    ut_controller.do_test("reward", None, reward)  # each 100th call checks

What a test raises ends the training, as everywhere: it is there for that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from rla_hooks.easy_log import logger
from rla_hooks.errors import ConfigError, warn

__all__ = ["BasicUnitTest", "EmbUnitController", "EmbUnitTestObj", "TestType", "ut_controller"]


class TestType:
    """When a test is done: at its first call, at each ``freq``-th call, or at the first call with each of ``keys``."""

    __test__ = False  # for pytest
    SINGLE_TIME = "single_time"
    FREQUENT = "freq"
    KEY_MAP = "hash"


class EmbUnitTestObj:
    """A function that is called where its test is due.

    Raises :class:`~rla_hooks.errors.ConfigError` for an unknown type, for FREQUENT without a ``freq`` of 1 or more, and
    for KEY_MAP without ``keys``.

    >>> test = EmbUnitTestObj(print, TestType.FREQUENT, freq=2)
    >>> for number in range(4):
    ...     test(None, "numbers", number)
    test numbers (freq): print
    1
    test numbers (freq): print
    3
    """

    def __init__(
        self, test_func: Callable[..., Any], test_type: str, freq: int = -1, keys: Iterable[Hashable] | None = None
    ):
        known = [TestType.SINGLE_TIME, TestType.FREQUENT, TestType.KEY_MAP]
        if test_type not in known:
            raise ConfigError(f"test_type is {test_type!r}. Allowed: {', '.join(map(repr, known))} (of TestType).")
        if test_type == TestType.FREQUENT and (not isinstance(freq, int) or freq < 1):
            raise ConfigError(f"freq is {freq!r}. Allowed with FREQUENT: a whole number of calls from 1 on.")
        if test_type == TestType.KEY_MAP and keys is None:
            raise ConfigError("keys is None. With KEY_MAP, give the keys: keys=['train', 'eval'].")
        self.test_func, self.test_type, self.freq = test_func, test_type, freq
        self.name = getattr(test_func, "__name__", repr(test_func))
        self._calls, self._keys = 0, set(keys or ())

    def __call__(self, key: Hashable = None, func_name: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Call the function with the other arguments if the test is due."""
        self._calls += 1
        if self._is_due(key):
            logger.info(f"test {func_name or self.name} ({self.test_type}): {self.name}")
            self.test_func(*args, **kwargs)

    def _is_due(self, key: Hashable) -> bool:
        if self.test_type == TestType.KEY_MAP:
            due = key in self._keys
            self._keys.discard(key)
            return due
        return self._calls % self.freq == 0 if self.test_type == TestType.FREQUENT else self._calls == 1


class BasicUnitTest:
    """What a controller of tests is."""


class EmbUnitController(BasicUnitTest):
    """Tests by their names.

    >>> tests = EmbUnitController()
    >>> tests.add_test("shape", print, TestType.SINGLE_TIME)
    >>> tests.do_test("shape", None, "looked at"), tests.do_test("shape", None, "not again")
    test shape (single_time): print
    looked at
    (None, None)
    """

    test_type = TestType

    def __init__(self) -> None:
        self.test_obj_dict: dict[str, EmbUnitTestObj] = {}
        self._unknown: set[str] = set()

    def add_test(
        self,
        test_func_name: str,
        test_func: Callable[..., Any],
        test_type: str,
        freq: int = -1,
        keys: Iterable[Hashable] | None = None,
    ) -> None:
        """Add a test, unless there is one of this name already. The arguments are those of EmbUnitTestObj."""
        if test_func_name not in self.test_obj_dict:
            self.test_obj_dict[test_func_name] = EmbUnitTestObj(test_func, test_type, freq, keys)

    def do_test(self, func_name: str, key: Hashable = None, *args: Any, **kwargs: Any) -> None:
        """Call a test's function with the other arguments if it is due. An unknown name gives a warning once."""
        if func_name in self.test_obj_dict:
            self.test_obj_dict[func_name](key, func_name, *args, **kwargs)
        elif func_name not in self._unknown:
            self._unknown.add(func_name)
            known = ", ".join(map(repr, self.test_obj_dict)) or "none"
            warn(f"there is no test {func_name!r}, so nothing is tested. Known: {known}. Add it with add_test(...).")


#: The controller that all of a program share.
ut_controller = EmbUnitController()
