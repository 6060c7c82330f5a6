"""Which ending an exception stands for, whatever the exception is, and its traceback as text."""

from __future__ import annotations

import builtins
import signal
import sys

import pytest

from rla_hooks.endings import ending_of, traceback_of


def chained(error, cause):
    error.__context__ = cause
    return error


class SignalExit(SystemExit):
    pass


@pytest.mark.parametrize(
    "error, status",
    [
        (ValueError(), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(), "finished"),
        (SystemExit(0), "finished"),
        (SystemExit(1), "failed"),
        (SystemExit("text"), "failed"),
        (SignalExit(0), "interrupted"),
        (chained(SystemExit(1), KeyboardInterrupt()), "interrupted"),
        (chained(SystemExit(1), chained(ValueError(), KeyboardInterrupt())), "interrupted"),
        (chained(ValueError(), KeyboardInterrupt()), "failed"),
        (GeneratorExit(), "failed"),
        (SystemExit(False), "finished"),
        (SystemExit(0.0), "failed"),
        (SystemExit(128 + signal.SIGTERM), "interrupted"),
    ],
)
def test_what_an_exception_stands_for(error, status):
    """Ctrl-C and what follows from it interrupt; exit code 0 is a good end."""
    assert ending_of(error) == status


def test_exceptions_in_a_circle_are_no_endless_loop():
    """A chain of causes that bites its tail is followed once."""
    error = SystemExit(1)
    error.__context__ = chained(ValueError(), error)
    assert ending_of(error) == "failed"


def test_a_command_that_says_exit_zero_ended_well():
    """Typer and click leave by exceptions of their own."""
    import typer

    assert ending_of(typer.Exit()) == "finished"
    assert ending_of(typer.Exit(3)) == "failed"


def _pruned():
    error = type("TrialPruned", (Exception,), {})
    error.__module__ = "optuna.exceptions"
    return error


class StoppedEarly(Exception):
    pass


def test_a_pruned_trial_is_no_failure():
    """Optuna's TrialPruned and its subclasses, without importing Optuna; and exceptions that the user names."""
    was_imported = "optuna" in sys.modules  # by another test
    pruned = _pruned()
    assert ending_of(pruned()) == ending_of(type("Mine", (pruned,), {})()) == "pruned"
    assert ending_of(StoppedEarly()) == "failed"
    assert ending_of(StoppedEarly(), pruned_by=(KeyError, StoppedEarly)) == "pruned"
    assert ending_of(type("TrialPruned", (Exception,), {})()) == "failed"  # another one of this name
    assert ("optuna" in sys.modules) == was_imported


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups of exceptions came with Python 3.11")
def test_a_group_ends_as_the_worst_of_its_exceptions():
    """Ctrl-C comes out of trio in a group; a group of pruned trials is pruned."""
    group = builtins.BaseExceptionGroup
    assert ending_of(group("g", [group("g", [KeyboardInterrupt()])])) == "interrupted"
    assert ending_of(group("g", [KeyboardInterrupt(), ValueError()])) == "failed"
    assert ending_of(group("g", [_pruned()(), SystemExit(0)])) == "pruned"
    deep = KeyboardInterrupt()
    for _ in range(3000):
        deep = group("g", [deep])
    assert ending_of(deep) == "interrupted" and traceback_of(deep)


class NoAttributes(Exception):
    def __getattribute__(self, name):
        raise RuntimeError("no attributes here")


class NoBool(Exception):
    def __bool__(self):
        raise RuntimeError("no bool")

    __eq__ = __len__ = __hash__ = __bool__


class ExitCode(Exception):
    @property
    def exit_code(self):
        raise SystemExit(0)


class OddExitCode(Exception):
    exit_code = NoBool()


class NoText(Exception):
    def __str__(self):
        raise SystemExit(3)

    __repr__ = __str__


class OddCode(SystemExit):
    code = property(lambda self: 1 / 0)


def _long_chain():
    error = None
    for number in range(20_000):
        error = chained(ValueError(number), error)
    return error


def _odd_name():
    error = NameError("x")
    error.name = 5
    return error


def _odd_notes():
    error = ValueError("x")
    error.__notes__ = 5
    return error


ODD = {  # by name: pytest's own look at such values raises
    "no attributes": (NoAttributes("x"), "failed"),
    "no bool": (NoBool("x"), "failed"),
    "no bool as cause": (chained(SystemExit(1), NoBool()), "failed"),
    "no bool between": (chained(SystemExit(1), chained(NoBool(), KeyboardInterrupt())), "interrupted"),
    "no bool as code": (SystemExit(NoBool()), "failed"),
    "exit code raises": (ExitCode("x"), "failed"),
    "exit code cannot be compared": (OddExitCode("x"), "failed"),
    "code raises": (OddCode(0), "interrupted"),
    "no text": (NoText("x"), "failed"),
    "long chain": (_long_chain(), "failed"),
    "name is a number": (_odd_name(), "failed"),
    "notes are a number": (_odd_notes(), "failed"),
    "syntax error with a text as column": (SyntaxError("m", ("f.py", "line", "off", 3)), "failed"),
    "lone surrogate": (ValueError("\udcff\0"), "failed"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_exception_is_judged_and_shown(name):
    """Whatever its methods, attributes and links do, there is a status and a text that can be written."""
    error, status = ODD[name]
    assert ending_of(error) == status
    text = traceback_of(error)
    assert type(error).__name__ in text and len(text) < 110_000
    text.encode()
