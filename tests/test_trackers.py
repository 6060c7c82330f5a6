"""RLA's trackers of time and of memory, in both homes."""

from __future__ import annotations

import copy
import pickle

import pytest

import rla_hooks as rla
from rla_hooks.easy_log import logger
from rla_hooks.easy_log.time_used_recorder import time_tracker
from rla_hooks.trackers import memory_used_recorder, time_used_recorder

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def run():
    with rla.run(task="t", writers=["csv", "log"], backup="none") as run:
        yield run


def test_blocks_have_rlas_names_of_metrics(run):
    """Calls, seconds, seconds a call, and the share of the time; not in progress.csv by default, as in RLA."""
    for _ in range(3):
        with time_tracker("roll/out") as block:
            assert block.name == "roll/out"
    with time_tracker.add("other"):
        pass
    assert block.call_time == 3 and block.time_cost >= 0
    info = time_tracker.get_info()
    kinds = ["total calls", "total time cost", "time cost per call", "time cost percentage"]
    assert [*info] == [f"{kind}/{name}" for name in ("roll/out", "other") for kind in kinds]
    assert info["total calls/roll/out"] == 3 and [*time_tracker.statistic_entry("other")] == [*info][4:]
    with pytest.raises(KeyError, match="no block 'none'"):
        time_tracker.statistic_entry("none")
    time_tracker.log()
    logger.dump_tabular()
    time_tracker.log(exclude_lst=[])
    logger.dump_tabular()
    frame = run.logger.last_values
    assert frame["time_used/total calls/other"] == 1
    assert len(rla.runs()[-1].metrics()) == 1, "the first row was not for csv"
    time_tracker.clear()
    assert time_tracker.get_info() == {}


def test_an_error_in_a_block_counts_and_passes_on(run):
    """A block in a block of the same name is two calls."""
    with pytest.raises(ValueError), time_tracker("a"), time_tracker("a"):
        raise ValueError
    assert time_tracker("a").call_time == 2


def test_the_later_home_has_another_name_for_the_mean(run):
    """The blocks are the same ones."""
    with time_used_recorder.time_tracker.add("x"):
        pass
    assert "average time cost/x" in time_used_recorder.TimeTracker().get_info()
    assert "time cost per call/x" in time_tracker.get_info()
    time_used_recorder.time_record("y")
    assert time_used_recorder.time_record_end("y") >= 0 and "time_used/y" in logger.getkvs()


def test_a_tracker_that_a_config_holds_is_copied(run):
    """Copies measure for the run of the process that has them."""
    with time_tracker("x"):
        pass
    for other in (copy.deepcopy(time_tracker), pickle.loads(pickle.dumps(time_tracker))):
        assert other.get_info()["total calls/x"] == 1


def test_a_time_step_of_ones_own(run):
    """RLA's class takes time, epoch and tf_log by position; the rows go on at the run's own step."""
    from rla_hooks.easy_log.time_step import TimeStepHolder, time_step_holder

    mine = TimeStepHolder(7, 2, True)
    mine.inc_time()
    assert (mine.get_time(), mine.get_outer_epoch(), time_step_holder.get_time()) == (8, 2, 0)


def test_large_variables_are_named(run):
    """The largest first; what raises when it is asked is left out."""
    large, larger = bytearray(3 << 20), bytearray(5 << 20)

    class Odd:
        @property
        def nbytes(self):
            raise RuntimeError

    odd = Odd()
    found = memory_used_recorder.print_large_memory_variable(least=2 << 20)
    assert found == {"larger": "5.0 MiB", "large": "3.0 MiB"}, (odd, len(larger) + len(large))
    assert "larger:" in (run.log_dir / "log.txt").read_text()
    assert memory_used_recorder.print_large_memory_variable() == {}
    assert rla.Tester.over(run).print_large_memory_variable(2 << 20) == found
