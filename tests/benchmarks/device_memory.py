"""Memory of a training that logs a million rows of tensors with wait=False: flat, whatever the number of rows.

    python tests/benchmarks/device_memory.py [number of rows]

Prints the memory of the process (its resident set) after a tenth of the rows and after all, and the rows that wait.
Without a GPU, tensors on the CPU take the same way: they are taken for such on a device that has never finished, so
that 64 rows wait all the time. A million rows take some minutes and about 200 MB in the folder for temporary files.
"""

import resource
import sys
import tempfile
from pathlib import Path

import torch

import rla_hooks as rla
from rla_hooks import devices

BOUND = 1.02  # the memory after all rows, to that after a tenth of them
NAMES = [f"train/metric_{i}" for i in range(4)]


class NeverReady:
    """An event of a device that finishes when somebody waits for it."""

    def __init__(self, device):
        pass

    def query(self):
        return False

    def synchronize(self):
        pass


def main(rows):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        devices.family_of(torch.zeros(()))._events["cpu"] = NeverReady
    memory = {}
    value = torch.zeros((), device=device)
    with (
        tempfile.TemporaryDirectory() as folder,
        rla.run(task="memory", log_root=folder, writers=["csv", "tensorboard"], backup="none") as run,
    ):
        for step in range(1, rows + 1):
            value += 1
            run.log({name: value * i for i, name in enumerate(NAMES)} | {"count": step}, step, wait=False)
            if step in (rows // 10, rows):
                memory[step] = resident_set()
                print(f"{step:9,} rows: {memory[step] / 1e6:7.1f} MB, {len(run.logger._waiting)} of them wait")
    first, last = memory.values()
    print(f"{last / first:.3f} times as much, bound {BOUND}")
    return 0 if last / first <= BOUND else 1


def resident_set():
    """Bytes of the process that are in memory now."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
