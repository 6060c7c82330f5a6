"""What a row costs with ``rla_hooks.integrations.wandb``, beside wandb itself, offline.

wandb lives in the environment that ``make bench-peers ARGS=wandb`` makes (``BENCH_PEERS``: another folder of such
environments). A process there and this one take turns, of ``BLOCK`` rows of 10 floats each. Measured is how long the
calls take. Without that environment only the figures of ours are there.
"""

import contextlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import memory
from rla_hooks.integrations import wandb

HERE = Path(__file__).resolve().parent
BLOCK, ROUNDS = 200, 30
THEIRS = """
import sys, time, wandb
run = wandb.init(project="bench", dir=sys.argv[1])
step = 0
for line in sys.stdin:
    count, explicit, *values = line.split()
    row = {f"metric_{number}": float(value) for number, value in enumerate(values)}
    begin = time.perf_counter()
    for _ in range(int(count)):
        wandb.log(dict(row), step=step if explicit == "1" else None)
        step += 1
    print(time.perf_counter() - begin, flush=True)
wandb.finish()
"""


def measure():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"), ignore_cleanup_errors=True) as folder:
        yield from _rows(Path(folder))
        yield from _memory(Path(folder))


def _rows(folder):
    wandb.init(project="bench", log_root=folder / "rla", writers=["csv", "tensorboard"], backup="none")
    with _theirs(folder) as theirs:
        for explicit, call in ((False, "wandb.log(row)"), (True, "wandb.log(row, step=...)")):
            pairs = [(_block(explicit), theirs(explicit) if theirs else 0.0) for _ in range(ROUNDS)][2:]
            ours = statistics.median(seconds for seconds, _ in pairs) / BLOCK
            if theirs:
                ratio = statistics.median(seconds / other for seconds, other in pairs)
                yield f"{call} of 10 floats (csv + TensorBoard) / the same call of W&B, offline", ratio, 0.5, "times"
            yield f"{call} of ours in microseconds", ours * 1e6, None, "us"
    wandb.finish()


def _row():
    return {f"metric_{number}": random.random() for number in range(10)}


def _block(explicit):
    rows, first = [_row() for _ in range(BLOCK)], wandb.run.step + 1
    begin = time.perf_counter()
    for step, row in enumerate(rows, first):
        wandb.log(row, step=step if explicit else None)
    return time.perf_counter() - begin


@contextlib.contextmanager
def _theirs(folder):
    """A function that lets wandb log a block, and returns its seconds; None, with a message, where it is not there."""
    python = Path(os.environ.get("BENCH_PEERS", HERE.parents[1] / ".venv-peers")) / "wandb" / "bin" / "python"
    if not python.is_file():
        print("bench_wandb: wandb is not installed. make bench-peers ARGS=wandb installs it", file=sys.stderr)
        yield None
        return
    sys.path.insert(0, str(HERE / "peers"))
    from adapters import VARIABLES

    home = {"HOME": str(folder), "PATH": os.environ["PATH"], **VARIABLES["wandb"]}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([python, "-c", THEIRS, folder], env=home, cwd=folder, **pipes) as process:

        def block(explicit):
            print(BLOCK, int(explicit), *_row().values(), file=process.stdin, flush=True)
            return float(process.stdout.readline())

        try:
            yield block
        finally:
            process.stdin.close()
            process.wait(120)


def _memory(folder):
    growth = memory.Growth()
    wandb.init(project="memory", log_root=folder / "rla", writers=["csv", "tensorboard"], backup="none")
    for step in range(memory.STEPS):
        growth.after(step)
        wandb.log({"loss": random.random(), "return": float(step)})
    growth.after(memory.STEPS)
    wandb.finish()
    yield f"memory that stays for each of {memory.STEPS:,} rows", growth.bytes_a_step(), 8, "bytes"
