"""Whole states against the plain write of the same bytes with fsync, and the plain read; a ring that has changed.

BENCH_MB: megabytes of the large state (512). BENCH_DIR: a folder on the disk to measure.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

MB = int(os.environ.get("BENCH_MB", "512"))
TURNS = 7
_BLOCK = 4 << 20


def measure():
    import rla_hooks as rla

    before = os.getcwd()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        os.chdir(folder)
        try:
            with rla.run(task="bench", log_root=folder, writers=[], backup="none") as run:
                yield from _against_plain(rla, run, Path(folder))
                yield from _ring(rla, Path(folder))
        finally:
            os.chdir(before)


def _against_plain(rla, run, folder):
    data = np.random.default_rng(0).integers(0, 255, MB << 20, np.uint8)
    other, plain = np.zeros_like(data), folder / "plain"
    times = {name: [] for name in ("write", "read", "copy", "models", "buffers", "load", "beside")}
    for step in range(TURNS):  # files are deleted between the measurements: on some disks that takes as long
        times["write"].append(_seconds(_write, data, plain))
        times["read"].append(_seconds(_read, other, plain))
        plain.unlink()
        times["copy"].append(_seconds(data.copy))
        for name in ("models", "buffers"):
            times[name].append(_seconds(rla.save_state, step, **{name: data}))
            if name == "buffers":
                times["load"].append(_seconds(rla.load_state, buffers=other))
            _delete(run)
        times["beside"].append(_seconds(rla.save_state, step, models=data, wait=False))
        run.states.finish_saving()
        _delete(run)
    best = {name: min(each) for name, each in times.items()}
    yield f"save_state of {MB} MB of a model / plain write and fsync", best["models"] / best["write"], 1.15, "times"
    yield f"save_state of {MB} MB of a buffer / plain write and fsync", best["buffers"] / best["write"], 1.15, "times"
    yield f"save_state(wait=False) of {MB} MB / a copy of it", best["beside"] / best["copy"], 1.15, "times"
    yield f"load_state of {MB} MB / plain read", best["load"] / best["read"], 1.15, "times"


def _ring(rla, folder):
    ring = np.memmap(folder / "ring", np.uint8, "w+", shape=(MB << 10, 1024))
    ring[:] = np.random.default_rng(0).integers(0, 255, 1024, np.uint8)
    ring[:, :8] = np.arange(len(ring), dtype="<u8")[:, None].view(np.uint8)
    rla.save_state(100, buffers={"ring": ring})
    changed = len(ring) // 200
    ring[-changed:], ring[:changed] = 1, 2
    path = rla.save_state(101, buffers={"ring": ring})
    new = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and file.stat().st_nlink == 1)
    yield "bytes written for a ring of which 1 % has changed and wrapped around / its size", new / ring.nbytes, 0.03, ""


def _write(data, path):
    with open(path, "xb", buffering=0) as stream:
        for begin in range(0, len(data), _BLOCK):
            stream.write(data[begin : begin + _BLOCK].data)
        os.fsync(stream.fileno())


def _read(into, path):
    with open(path, "rb", buffering=0) as stream:
        for begin in range(0, len(into), _BLOCK):
            stream.readinto(into[begin : begin + _BLOCK].data)


def _delete(run):
    for path in run.checkpoint_dir.glob("state-*"):
        shutil.rmtree(path)


def _seconds(function, *arguments, **more):
    begin = time.perf_counter()
    function(*arguments, **more)
    return time.perf_counter() - begin
