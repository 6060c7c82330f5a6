"""One measurement of one peer, in a process of the peer's environment. The result is a line of JSON, the last one.

python measure.py cost|kill|first|read PEER FOLDER
"""

import importlib.metadata
import itertools
import json
import math
import os
import random
import resource
import signal
import statistics
import sys
import time
from pathlib import Path

from adapters import ADAPTERS

STEPS, SECONDS, ROWS = 2_000, 10, 1_000


def row(step):
    """Ten scalars of a step, the same in each process."""
    draw = random.Random(step)
    return {f"metric_{number}": draw.random() for number in range(10)}


def cost(peer, folder):
    """Microseconds that a step waits for the peer, and of the processor in all threads until the peer is closed."""
    costs, began = [], []

    def training(log):
        rows = [row(step) for step in range(STEPS)]
        clock, limit = time.perf_counter, time.perf_counter() + SECONDS
        began.append(_processor_seconds())
        for step in range(STEPS):
            begin = clock()
            log(step, rows[step])
            end = clock()
            costs.append(end - begin)
            if end > limit:
                break

    peer.track(folder, training)
    return {
        "step_us": statistics.median(costs) * 1e6,
        "processor_us": (_processor_seconds() - began[0]) / len(costs) * 1e6,
        "steps": len(costs),
        "version": importlib.metadata.version(peer.package) if peer.package else sys.version.split()[0],
    }


def _processor_seconds():
    """Of this process and of the helper processes that it has waited for."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def kill(peer, folder):
    """Log, and kill this process as soon as the last call has returned."""

    def training(log):
        rows = [row(step) for step in range(ROWS)]
        for step in range(ROWS):
            log(step, rows[step])
        os.kill(os.getpid(), signal.SIGKILL)

    peer.track(folder, training)


def first(peer, folder):
    """Train on, a hundred steps a second; whoever started this process waits for the first row, and ends it."""

    def training(log):
        for step in itertools.count():
            log(step, row(step))
            time.sleep(0.01)

    peer.track(folder, training)


def read(peer, folder):
    """How many of the rows of ``kill`` each store lacks. A row is there if its ten scalars are, to single precision."""
    return {"lost": {store: _missing(scalars) for store, scalars in peer.read(folder).items()}}


def _missing(scalars):
    found = {}
    try:
        for step, key, value in scalars:
            found.setdefault(step, {})[key] = value
    except FileNotFoundError:
        pass  # nothing was written so far

    def is_there(step):
        return all(
            math.isclose(found[step].get(key, math.nan), value, rel_tol=1e-6) for key, value in row(step).items()
        )

    return sum(step not in found or not is_there(step) for step in range(ROWS))


if __name__ == "__main__" and len(sys.argv) > 1:  # without arguments it is a process that only starts
    what, name, folder = sys.argv[1:]
    result = globals()[what](ADAPTERS[name], Path(folder))
    print("\n" + json.dumps(result))
