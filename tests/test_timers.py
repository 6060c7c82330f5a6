"""Timers add up, whatever happens within."""

from __future__ import annotations

import pytest

from rla_hooks.core import timers
from rla_hooks.core.timers import TimeTracker
from rla_hooks.errors import RunError


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved."""
    now = [100.0]
    monkeypatch.setattr(timers.time, "perf_counter", lambda: now[0])
    return now


def test_calls_and_seconds_add_up(clock):
    """Blocks within blocks count for both; a block that raises counts too."""
    tracker = TimeTracker()
    with tracker("outer"):
        clock[0] += 1
        for _ in range(2):
            with tracker("inner/诗"):
                clock[0] += 2
    with pytest.raises(KeyError), tracker("outer"):
        clock[0] += 3
        raise KeyError
    assert tracker.seconds("outer") == 8 and tracker.seconds("inner/诗") == 4 and tracker.seconds("none") == 0
    clock[0] += 2
    assert tracker.summary() == {
        "calls/inner/诗": 2, "total/inner/诗": 4.0, "per_call/inner/诗": 2.0, "share/inner/诗": 0.4,
        "calls/outer": 2, "total/outer": 8.0, "per_call/outer": 4.0, "share/outer": 0.8,
    }  # fmt: skip


def test_a_clock_is_started_and_stopped_by_its_name(clock):
    """Several run at once; a second start begins anew, and a stop without a start is an error."""
    tracker = TimeTracker()
    tracker.start("outer")
    clock[0] += 1
    tracker.start("inner")
    tracker.start("outer")
    clock[0] += 2
    assert tracker.stop("inner") == 2 and tracker.stop("outer") == 2
    with pytest.raises(RunError, match=r"time_record_end\('outer'\) without time_record\('outer'\)"):
        tracker.stop("outer")


def test_clear_starts_anew(clock):
    """Shares are of the time since the clear; a clock that stands gives no division by zero."""
    tracker = TimeTracker()
    clock[0] += 100
    with tracker("before"):
        clock[0] += 1
    tracker.clear()
    with tracker("a"):
        pass
    assert tracker.summary() == {"calls/a": 1, "total/a": 0.0, "per_call/a": 0.0, "share/a": 0.0}
    with tracker("a"):
        clock[0] += 1
    clock[0] += 3
    assert tracker.summary()["share/a"] == 0.25


def test_a_timer_may_decorate_a_function(clock):
    """Each call counts."""
    tracker = TimeTracker()

    @tracker("step")
    def step(seconds):
        clock[0] += seconds
        return seconds

    assert [step(1), step(2)] == [1, 2]
    assert tracker.summary()["calls/step"] == 2 and tracker.seconds("step") == 3
