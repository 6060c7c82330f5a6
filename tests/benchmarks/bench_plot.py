"""A figure of 500 runs from a fresh process to its files, against the same by polars, numpy and bare matplotlib."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from roots import make_root

RUNS, ROWS, GROUPS = 500, 1000, 5
_OURS = """
import sys, rla_hooks as rla
rla.plot_curves(rla.runs(sys.argv[1]), "perf/m1", by="algo", size="neurips", save=sys.argv[2])
"""
_PLAIN = """
import glob, json, sys
import numpy, polars
from matplotlib.figure import Figure
from scipy.special import stdtrit

groups = {}
for file in glob.glob(sys.argv[1] + "/log/**/progress.csv", recursive=True):
    with open(file.replace("progress.csv", "parameter.json")) as parameters:
        algo = json.load(parameters)["algo"]
    table = polars.read_csv(file, columns=["time-step", "perf/m1"])
    groups.setdefault(algo, []).append((table["time-step"].to_numpy(), table["perf/m1"].to_numpy()))
figure = Figure(figsize=(5.5, 2.8), layout="constrained")
axes = figure.subplots()
for algo, runs in sorted(groups.items()):
    grid = runs[0][0]
    rows = numpy.array([numpy.interp(grid, x, y) for x, y in runs])
    half = stdtrit(len(rows) - 1, 0.975) * rows.std(axis=0, ddof=1) / len(rows) ** 0.5
    axes.plot(grid, rows.mean(axis=0), label=algo)
    axes.fill_between(grid, rows.mean(axis=0) - half, rows.mean(axis=0) + half, alpha=0.2)
axes.legend(loc="upper left")
figure.savefig(sys.argv[2] + ".pdf")
figure.savefig(sys.argv[2] + ".png", dpi=300)
"""


def _seconds(code, *arguments):
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True)
    return time.perf_counter() - begin


def _make(root):
    make_root(root, RUNS, ROWS, metrics=4)
    for number, file in enumerate(sorted((root / "log").rglob("parameter.json"))):
        seed, algo = divmod(number, GROUPS)
        file.write_text(json.dumps({"algo": f"algo{algo}", "lr": 0.1, "width": 64, "seed": seed}))


def _figures(folder):
    root = folder / "root"
    _make(root)
    _seconds(_PLAIN, root, folder / "warm up")  # the list of fonts, and the files in the memory of the system
    cold, warm, plain = [], [], []
    for number in range(5):
        os.environ["XDG_CACHE_HOME"] = str(folder / f"cache {number}")
        cold.append(_seconds(_OURS, root, folder / "ours"))
        warm.append(_seconds(_OURS, root, folder / "ours"))
        plain.append(_seconds(_PLAIN, root, folder / "plain"))
    assert (folder / "ours.pdf").stat().st_size > 10_000
    of = f"{RUNS} runs x {ROWS:,} rows in {GROUPS} curves, as PDF and PNG"
    yield (
        f"{of} / by polars, numpy and bare matplotlib",
        statistics.median(cold) / statistics.median(plain),
        2.0,
        "times",
    )
    yield "    in seconds", statistics.median(cold), 3.0, "s"
    yield (
        "the same again / by polars, numpy and bare matplotlib",
        statistics.median(warm) / statistics.median(plain),
        1.3,
        "times",
    )
    yield "    in seconds", statistics.median(warm), 1.5, "s"


def measure():
    before = {name: os.environ.get(name) for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR")}
    with tempfile.TemporaryDirectory() as name:
        os.environ["MPLCONFIGDIR"] = str(Path(name, "matplotlib"))  # its list of fonts takes seconds to make
        try:
            yield from _figures(Path(name))
        finally:
            for variable, value in before.items():
                os.environ.pop(variable, None) if value is None else os.environ.__setitem__(variable, value)
