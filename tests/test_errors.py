"""Errors say all that is wrong, and warnings say it once."""

from __future__ import annotations

import copy
import pickle

import pytest

from rla_hooks.errors import (
    CheckpointError,
    ConfigError,
    RLAError,
    RLAWarning,
    RunError,
    WarnOnce,
    did_you_mean,
)


def test_a_config_error_names_every_mistake():
    """One stands in the line, several one a line, both with the place where they are."""
    assert str(ConfigError("a is wrong")) == "a is wrong"
    assert str(ConfigError(["a is wrong"], "config.yaml")) == "config.yaml: a is wrong"
    error = ConfigError(iter(["a", "b"]), "config.yaml")
    assert str(error) == "config.yaml: 2 mistakes:\n  - a\n  - b"
    assert error.problems == ["a", "b"]


def test_errors_can_be_caught_by_what_they_are():
    """By our own class or by Python's."""
    for kind, base in ((ConfigError, ValueError), (RunError, RuntimeError), (CheckpointError, RuntimeError)):
        assert issubclass(kind, RLAError) and issubclass(kind, base)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_config_error_survives_the_way_between_processes(clone):
    """Pools pickle errors."""
    error = clone(ConfigError(["a", "b"], "here"))
    assert (str(error), error.problems, error.where) == (str(ConfigError(["a", "b"], "here")), ["a", "b"], "here")


def test_warn_once_warns_once_by_subject_and_again_when_told():
    """The warning points at the line that called the caller."""
    warn = WarnOnce()

    def log(subject):
        return warn(subject, f"trouble with {subject}")

    with pytest.warns(RLAWarning) as caught:
        answers = [log("disk"), log("disk"), log(("value", 1)), copy.deepcopy(warn)("disk", "not from a copy")]
        warn.rearm("disk")
        warn.rearm("never seen")
        answers.append(log("disk"))
    assert answers == [True, False, True, False, True]
    assert [str(warning.message) for warning in caught] == [f"trouble with {s}" for s in ("disk", ("value", 1), "disk")]
    assert {warning.filename for warning in caught} == {__file__}


def test_warnings_of_one_kind_are_bounded_and_so_is_the_memory():
    """Ten thousand bad keys give twenty warnings, the last of which says so; another kind has its own."""
    warn = WarnOnce()
    with pytest.warns(RLAWarning) as caught:
        for number in range(10_000):
            warn(("value", number), f"bad key {number}")
            warn.rearm("disk")
            warn("disk", "full")
        for number in range(10_000):
            warn(f"kind {number}", "many kinds")
    texts = [str(warning.message) for warning in caught]
    assert sum(text.startswith("bad key") for text in texts) == 20
    assert texts[38] == "bad key 19 (This is warning 20 of its kind; further ones are not shown.)"
    assert sum(text.startswith("full") for text in texts) == 20
    assert sum(text.startswith("many kinds") for text in texts) == 98 + 20
    assert len(warn._seen) < 200 and len(warn._given) < 110
    warn.forget_all()
    with pytest.warns(RLAWarning):
        assert warn(("value", 1), "again")


@pytest.mark.parametrize(
    ("word", "said"),
    [("tensorbord", " Did you mean 'tensorboard'?"), ("x", ""), (5, ""), (None, ""), ("", "")],
)
def test_did_you_mean_names_the_nearest_word_or_nothing(word, said):
    """Words that are no strings are met with silence."""
    assert did_you_mean(word, iter(["csv", "tensorboard"])) == said
