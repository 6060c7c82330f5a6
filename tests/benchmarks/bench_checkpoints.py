"""Checkpoints against torch.save with fsync and torch.load, their memory, and what a thousand earlier ones cost a save.

BENCH_MB: megabytes of the large state (512; the goals were set for 2048). BENCH_DIR: a folder on the disk to measure.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MB = int(os.environ.get("BENCH_MB", "512"))
TURNS, SMALL_TURNS, KEPT = 7, 60, 1000

# The peak of a process is that of all its life: saving and loading have one each.
PEAK = """
import sys
import google_crc32c, torch
from rla_hooks.checkpoints import Saver

def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024

what, folder, megabytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
saver, state = Saver(folder), {}
if what == "save":
    state = {str(number): torch.ones(megabytes << 14) for number in range(16)}
before = peak()
kept = saver.save(state, 1) if what == "save" else saver.load()
print((peak() - before) / megabytes)
"""


def measure():
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        yield from _large(Path(folder))
        yield from _peaks(Path(folder, "peaks"))
        yield from _small(Path(folder))


def _large(folder):
    import torch

    from rla_hooks.checkpoints import Saver

    state = {str(number): torch.randn(MB << 14) for number in range(16)}
    saver, bare = Saver(folder / "ours", max_to_keep=None), folder / "bare.pt"
    saving, bare_saving, loading, bare_loading = [], [], [], []
    for turn in range(TURNS):  # files are deleted between the measurements: on some disks that takes as long
        bare_saving.append(_seconds(_save_bare, state, bare))
        bare_loading.append(_seconds(torch.load, bare, "cpu", weights_only=True))
        bare.unlink()
        saving.append(_seconds(saver.save, state, turn))
        loading.append(_seconds(saver.load))
        (folder / "ours" / f"checkpoint-{turn}.pt").unlink()
    yield f"saving {MB} MB of tensors / torch.save and fsync", min(saving) / min(bare_saving), 1.1, "times"
    yield f"loading {MB} MB of tensors / torch.load", min(loading) / min(bare_loading), 1.1, "times"


def _peaks(folder):
    if not sys.platform.startswith("linux"):
        return
    for what, bound in (("save", 0.1), ("load", 1.1)):
        command = [sys.executable, "-c", PEAK, what, str(folder), str(MB)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        yield f"memory that it takes to {what} them / their size", float(done.stdout), bound, "times"
    (folder / "checkpoint-1.pt").unlink()


def _small(folder):
    """An agent of 1 MB, saved into an empty folder, into one of a thousand checkpoints, and keeping the newest five."""
    import torch

    from rla_hooks.checkpoints import Saver

    state = {"policy": {str(number): torch.randn(1 << 14) for number in range(16)}, "epoch": 3}
    _fill(folder / "full")
    keeps = {"empty": None, "full": None, "five": 5}
    savers = {name: Saver(folder / name, max_to_keep=keep) for name, keep in keeps.items()}
    seconds = {name: [] for name in ("bare", *keeps)}
    for turn in range(KEPT, KEPT + SMALL_TURNS):
        seconds["bare"].append(_seconds(_save_bare, state, folder / f"{turn}.pt"))
        for name, saver in savers.items():
            seconds[name].append(_seconds(saver.save, state, turn))
    best = {name: min(values) for name, values in seconds.items()}
    yield "saving 1 MB and keeping the newest 5 / torch.save and fsync", best["five"] / best["bare"], None, "times"
    yield f"saving 1 MB beside {KEPT:,} kept ones / into an empty folder", best["full"] / best["empty"], 1.5, "times"


def _fill(folder):
    """Make a thousand checkpoints of a few bytes, without the syncs that saving them would take."""
    folder.mkdir()
    listed = []
    for step in range(KEPT):
        entry = {"file": f"checkpoint-{step}.pkl", "name": "checkpoint", "step": step, "time": 0.0, "size": 5}
        (folder / entry["file"]).write_bytes(bytes(5))
        listed.append(entry | {"crc32c": "00000000", "info": {}})
    (folder / "manifest.json").write_text(json.dumps({"format": 2, "checkpoints": listed}))


def _save_bare(state, path):
    import torch

    torch.save(state, path)
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _seconds(action, *arguments, **options):
    begin = time.perf_counter()
    result = action(*arguments, **options)
    seconds = time.perf_counter() - begin
    del result
    return seconds
