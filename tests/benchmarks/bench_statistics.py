"""How long stratified bootstrap intervals take, against rliable, which must give the same ones."""

import time

import numpy as np
import rliable.library
import rliable.metrics

from rla_hooks.statistics import iqm, performance_profile, stratified_bootstrap

ALGORITHMS, TASKS, SEEDS, REPS = 10, 26, 5, 2000
FASTER = 5  # how many times, at least


def measure():
    random = np.random.default_rng(0)
    scores = {f"algorithm {n}": random.lognormal(n / 10, 1.0, (SEEDS, TASKS)) for n in range(ALGORITHMS)}
    stratified_bootstrap(scores, "iqm", reps=40)  # what is imported late
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        found = stratified_bootstrap(scores, "iqm", reps=REPS)
        times.append(time.perf_counter() - begin)
    np.random.seed(0)
    begin = time.perf_counter()
    _, theirs = rliable.library.get_interval_estimates(
        scores, lambda x: np.array([rliable.metrics.aggregate_iqm(x)]), reps=REPS
    )
    reference = time.perf_counter() - begin
    ends = {name: np.array([found[name].low, found[name].high]) for name in scores}
    errors = [abs(ends[name] - theirs[name][:, 0]).max() / np.ptp(theirs[name][:, 0]) for name in scores]
    levels = np.linspace(0, 8, 81)
    begin = time.perf_counter()
    performance_profile(scores, levels, reps=REPS)
    profiles = time.perf_counter() - begin
    assert found["algorithm 0"].point == iqm(scores["algorithm 0"])
    yield (
        f"{REPS} repetitions of the IQM, {ALGORITHMS} algorithms x {TASKS} tasks x {SEEDS} seeds",
        min(times),
        None,
        "s",
    )
    yield "the same against rliable", min(times) / reference, 1 / FASTER, "x rliable"
    yield "its ends, the furthest from rliable's, by the length of the interval", max(errors), 0.1, "x the length"
    yield f"performance profiles of the same, {len(levels)} thresholds", profiles, None, "s"
