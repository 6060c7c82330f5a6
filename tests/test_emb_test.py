"""RLA's tests inside of a training: when they are due, and what is no test."""

from __future__ import annotations

import pytest

from rla_hooks.emb_test import EmbUnitController, EmbUnitTestObj, TestType
from rla_hooks.errors import ConfigError, RLAWarning


@pytest.fixture
def done():
    """Adds a test whose calls it collects: ``done("name", type, ...)`` gives the controller and the calls."""
    calls = []

    def add(test_type, **options):
        controller = EmbUnitController()
        controller.add_test("it", lambda *args, **kwargs: calls.append((args, kwargs)), test_type, **options)
        return controller, calls

    return add


def test_a_single_test_is_done_once(done):
    """The first call alone, with its arguments."""
    controller, calls = done(TestType.SINGLE_TIME)
    for number in range(3):
        controller.do_test("it", None, number, word="x")
    assert calls == [((0,), {"word": "x"})]


def test_a_frequent_test_is_done_now_and_then(done):
    """Each third call of it."""
    controller, calls = done(TestType.FREQUENT, freq=3)
    for number in range(1, 8):
        controller.do_test("it", None, number)
    assert [args for args, _ in calls] == [(3,), (6,)]


def test_a_test_of_keys_is_done_once_for_each(done):
    """Keys that it does not have are passed over."""
    controller, calls = done(TestType.KEY_MAP, keys=["train", "eval"])
    for key in ("train", "other", "eval", "train", None):
        controller.do_test("it", key, key)
    assert [args for args, _ in calls] == [("train",), ("eval",)]


def test_the_first_test_of_a_name_stays(done):
    """As in RLA: a test that is added in a loop begins once."""
    controller, calls = done(TestType.SINGLE_TIME)
    controller.add_test("it", print, TestType.FREQUENT, freq=1)
    controller.do_test("it")
    controller.do_test("it")
    assert calls == [((), {})]


def test_what_a_test_raises_is_raised():
    """It is there to stop what is wrong."""
    with pytest.raises(ZeroDivisionError):
        EmbUnitTestObj(lambda: 1 / 0, TestType.SINGLE_TIME)()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"test_type": "often"}, "test_type is 'often'. Allowed: 'single_time', 'freq', 'hash'"),
        ({"test_type": TestType.FREQUENT}, "freq is -1"),
        ({"test_type": TestType.KEY_MAP}, "keys is None"),
    ],
)
def test_mistakes_are_said_when_a_test_is_added(options, problem):
    """Before the training begins."""
    with pytest.raises(ConfigError, match=problem):
        EmbUnitController().add_test("it", print, **options)


def test_an_unknown_test_warns_once(done, recwarn):
    """The training goes on."""
    controller, calls = done(TestType.SINGLE_TIME)
    with pytest.warns(RLAWarning, match="there is no test 'that', so nothing is tested. Known: 'it'"):
        controller.do_test("that")
    controller.do_test("that")
    assert calls == [] and len(recwarn) == 0
