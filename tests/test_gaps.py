"""Gaps are counted exactly, merged where they are close together, and bounded in number."""

from __future__ import annotations

import json

import pytest

import rla_hooks as rla
from rla_hooks.core import gaps
from rla_hooks.core.gaps import Gaps
from rla_hooks.writers.base import Row


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock, as a list of its one reading."""
    now = [1000.0]
    monkeypatch.setattr(gaps.time, "monotonic", lambda: now[0])
    return now


def ranges(found):
    return [(gap.writer, gap.missing_rows, gap.first_step, gap.last_step) for gap in found.gaps]


def test_a_disk_that_takes_four_rows_of_five_gives_one_gap_and_one_line(clock):
    """Trouble that comes back within a minute of good writing is the same trouble."""
    found, news, lines = Gaps(), [], []
    for step in range(100):
        clock[0] += 10
        if step % 5 == 0:
            news.append(found.failed("csv", "full", step))
        elif "csv" in found.open:
            lines.append(found.recovered("csv"))
    assert ranges(found) == [("csv", 20, 0, 95)]
    assert news == [f"csv: full. The training goes on{gaps._MISSING}."] + [None] * 19
    assert lines == ["csv: writing works again; 1 row is missing"] + [None] * 19
    assert found.as_text() == "20 rows are missing in csv"


def test_trouble_after_a_good_minute_is_another_gap(clock):
    """And another warning; a writer's gap is not another one's."""
    found = Gaps()
    assert found.failed("csv", "full", 1) and found.failed("tensorboard", "full", 1)
    assert found.recovered("csv")
    clock[0] += 61
    assert found.failed("csv", "gone", 9) and not found.failed("tensorboard", "full", 9)
    assert ranges(found) == [("csv", 1, 1, 1), ("tensorboard", 2, 1, 9), ("csv", 1, 9, 9)]
    assert [gap.reason for gap in found.gaps] == ["full", "full", "gone"]


def test_pictures_and_lines_that_are_missing_are_no_rows(clock):
    """They are told, and leave the steps of a gap alone: the end of TensorBoard's file has step 0."""
    found = Gaps()
    assert found.failed("tensorboard", "full", None)
    assert found.gaps == []
    assert not found.failed("tensorboard", "full", 7) and not found.failed("tensorboard", "full", None)
    assert ranges(found) == [("tensorboard", 1, 7, 7)]
    assert found.failed("log", "full", None) and found.recovered("log") == "log: writing works again"


def test_the_list_is_bounded_and_the_counts_stay_exact(clock):
    """What is too much goes on in the last gap of the writer."""
    found = Gaps()
    for step in range(500):
        clock[0] += 100
        found.failed("csv", "full" * 1000, step)
        found.recovered("csv")
    found.failed("tensorboard", "full", 500)
    assert len(found.gaps) == gaps._MAX_GAPS + 1
    assert sum(gap.missing_rows for gap in found.gaps) == 501
    assert (found.gaps[-2].first_step, found.gaps[-2].last_step) == (99, 499)
    assert len(found.gaps[0].reason) < gaps._MAX_REASON + 30


def test_gaps_are_noted_in_run_json_at_most_once_a_second(clock):
    """However often trouble comes and goes."""
    found, answers = Gaps(), []
    for _ in range(30):
        answers.append(found.should_save())
        clock[0] += 0.1
    assert answers.count(True) == 3 and answers[0]


class Failing:
    """A writer whose disk takes only every second row."""

    name = "failing"

    def write(self, item):
        if isinstance(item, Row) and item.step % 2:
            raise OSError("full")

    def close(self):
        pass


@pytest.mark.filterwarnings("ignore::rla_hooks.RLAWarning")
@pytest.mark.usefixtures("quiet")
def test_a_checkpoint_has_the_gaps_before_it_in_run_json():
    """A resume goes back to it, whatever ends the run after it: nothing before it is missing and not stated."""
    with rla.run(task="t", writers=[Failing(), "csv"], backup="none") as run:
        for step in range(30):
            rla.log({"loss": 0.5}, step=step)
        rla.save_checkpoint({"weights": [1.0]}, step=30)
        [gap] = json.loads(run.paths.run_json.read_text())["gaps"]
        assert (gap["writer"], gap["rows"], gap["last_step"]) == ("failing", 15, 29)
