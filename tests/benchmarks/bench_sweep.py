"""What ``rla.sweep`` adds to each run, beside a plain loop of joblib over the same tracked function.

Both call it 50 times in two fresh processes. The time of the loop, with the runs in it, is taken off; what is left is
the plan, the pool of one process for each slot, and the sweep's own work for each setting. A second sweep of the same
settings finds all of them finished.
"""

import os
import statistics
import tempfile
import time

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

import rla_hooks as rla

SETTINGS, ROUNDS = 50, 3


def measure():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        rounds = [_round(f"{folder}/{number}") for number in range(ROUNDS)]
    loop, sweep, again = (statistics.median(each) * 1e3 / SETTINGS for each in zip(*rounds))
    yield "a run of a sweep - a run of joblib.Parallel, in milliseconds", sweep - loop, 50, "ms"
    yield "a run of joblib.Parallel, in milliseconds", loop, None, "ms"
    yield "a setting that is skipped, in milliseconds", again, None, "ms"


def _round(folder):
    """The seconds of the loop, of the sweep, and of one that has nothing to do."""

    @rla.track(task="bench", log_root=folder, record=["seed"], writers=["csv"], backup="none")
    def train(seed, lr=0.1):
        rla.log({"perf/return": lr * seed}, step=0)

    def swept():
        return rla.sweep(train, {"seed": range(SETTINGS)}, jobs=2, quiet=True)

    get_reusable_executor(max_workers=2).shutdown(kill_workers=True)
    loop = _seconds(lambda: Parallel(n_jobs=2)(delayed(train)(seed) for seed in range(SETTINGS)))
    return loop, _seconds(swept), _seconds(swept)


def _seconds(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
