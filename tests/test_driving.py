"""How a sweep stops: signals, and what a cluster refuses amid it."""

import concurrent.futures
import os
import signal
import time

import pytest

import rla_hooks as rla


class Deaf(concurrent.futures.ThreadPoolExecutor):
    """Loses the Ctrl-C that comes while it works, as an import or a destructor may."""

    def submit(self, *task):
        future = super().submit(*task)
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        except KeyboardInterrupt:
            pass
        return future


class Full(concurrent.futures.ThreadPoolExecutor):
    """Takes two settings, and no third one."""

    taken = 0

    def submit(self, *task):
        if self.taken == 2:
            raise rla.RLAError("the cluster is full")
        self.taken += 1
        return super().submit(*task)


@pytest.fixture
def main(tmp_path):
    @rla.track(task="t", log_root=tmp_path, writers=["csv"], backup="none")
    def main(seed):
        time.sleep(0.05)
        return seed

    return main


@pytest.mark.skipif(os.name == "nt", reason="there it ends the whole process")
def test_ctrl_c_is_not_lost(main, tmp_path):
    """The sweep stops, though the exception itself did not come through; its handler is gone afterwards."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in a shell's background it is ignored
    try:
        with Deaf(1) as threads, pytest.raises(KeyboardInterrupt):
            rla.sweep(main, {"seed": range(4)}, on=threads, quiet=True)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert [run.hparams["seed"] for run in rla.runs(tmp_path)] == [0]


def test_what_runs_ends_where_nothing_more_is_taken(main, tmp_path):
    """The reason is raised then."""
    with Full(1) as threads, pytest.raises(rla.RLAError, match="the cluster is full"):
        rla.sweep(main, {"seed": range(4)}, on=threads, jobs=1, quiet=True)
    runs = rla.runs(tmp_path, sort="seed")
    assert [(run.hparams["seed"], run.status) for run in runs] == [(0, "finished"), (1, "finished")]
