"""How often intervals of rla_hooks.statistics hold the true value: the tables of docs/statistics.md.

python tests/benchmarks/coverage.py [--experiments N] [--reps N]

Each experiment draws the scores of a few seeds from a distribution, and asks for a 0.95 interval; the coverage is the
part of experiments whose interval holds the true value of that distribution. Of 10,000 experiments its standard error
is 0.2 to 0.5 points. It takes some minutes.
"""

import argparse
import itertools
import warnings

import numpy as np
import scipy.stats
from scipy.integrate import quad

from rla_hooks.errors import RLAWarning
from rla_hooks.statistics import (
    difference,
    mean_interval,
    probability_of_improvement,
    sample_efficiency,
    steps_to_threshold,
)

SEEDS = (3, 5, 10, 20, 50)
TASKS = (2, 5, 26)
METHODS = ("t", "percentile", "bca", "iqm", "median")
DISTRIBUTIONS = {
    "normal": scipy.stats.norm(),
    "exponential": scipy.stats.expon(),
    "lognormal": scipy.stats.lognorm(1),
    "beta(0.5, 0.5)": scipy.stats.beta(0.5, 0.5),
}
BLOCK = 500  # experiments that share the draws of the bootstrap


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--reps", type=int, default=2000)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RLAWarning)
    blocks = max(1, arguments.experiments // BLOCK)
    row("scores", "interval", *(f"{seeds} seeds" for seeds in SEEDS))
    row("---", "---", *["---:"] * len(SEEDS))
    for name, distribution in DISTRIBUTIONS.items():
        for method in METHODS:
            row(name, method, *(percent(of_one_task(distribution, method, n, blocks, arguments.reps)) for n in SEEDS))
    print()
    row("tasks", "of all runs", *(f"{seeds} seeds" for seeds in SEEDS[:3]))
    row("---:", "---", *["---:"] * 3)
    for tasks, name in itertools.product(TASKS, ("mean", "iqm", "median")):
        parts = (of_many_tasks(name, tasks, n, max(1, blocks // 2), arguments.reps) for n in SEEDS[:3])
        row(str(tasks), name, *map(percent, parts))
    print()
    row("other intervals", *(f"{seeds} seeds" for seeds in SEEDS[:4]))
    row("---", *["---:"] * 4)
    for name, function in OTHERS.items():
        row(name, *(percent(of_single_calls(function, n, blocks * 50, arguments.reps)) for n in SEEDS[:4]))


def row(*cells):
    print("|", " | ".join(cells), "|", flush=True)


def percent(part):
    return f"{100 * part:.1f}"


def of_one_task(distribution, method, seeds, blocks, reps):
    truth = {"iqm": 2 * quad(distribution.ppf, 0.25, 0.75)[0], "median": distribution.median()}
    truth = truth.get(method, distribution.mean())
    held = []
    for number in range(blocks):
        random = np.random.default_rng([seeds, number])
        scores = distribution.rvs((seeds, BLOCK), random_state=random)
        if method in ("iqm", "median"):
            found = sample_efficiency(scores, method, reps=reps, seed=number)
        else:
            found = mean_interval(scores, method=method, reps=reps, seed=number)
        held.append(((found.low <= truth) & (truth <= found.high)).mean())
    return np.mean(held)


def of_many_tasks(statistic, tasks, seeds, blocks, reps):
    """Tasks with means from 0 to 2.5, and normal scores with standard deviations from 0.1 to 0.6."""
    means = np.linspace(0, 2.5, tasks)[:, None]
    spreads = np.resize(np.linspace(0.1, 0.6, min(tasks, 13)), tasks)[:, None]
    many = means + spreads * scipy.stats.norm.ppf((np.arange(4001) + 0.5) / 4001)
    truth = {"mean": means.mean(), "median": np.median(means), "iqm": scipy.stats.trim_mean(many, 0.25, axis=None)}
    held = []
    for number in range(blocks):
        random = np.random.default_rng([seeds, number])
        scores = means + spreads * random.normal(size=(seeds, tasks, BLOCK))
        found = sample_efficiency(scores, statistic, reps=reps, seed=number)
        held.append(((found.low <= truth[statistic]) & (truth[statistic] <= found.high)).mean())
    return np.mean(held)


def of_single_calls(function, seeds, experiments, reps):
    held = []
    for number in range(experiments):
        low, high, truth = function(np.random.default_rng([seeds, number]), seeds, reps, number)
        held.append(low <= truth <= high)
    return np.mean(held)


def _difference(test):
    def call(random, seeds, reps, seed):
        scores = random.normal(1, 1, seeds), random.normal(0, 3, seeds)
        return *difference(*scores, test=test, reps=reps, seed=seed)[1:3], 1.0

    return call


def _improvement(random, seeds, reps, seed):
    """One task; a run of x is better with probability 0.76."""
    scores = random.normal(1, 1, seeds), random.normal(0, 1, seeds)
    return *probability_of_improvement(*scores, reps=reps, seed=seed)[1:], scipy.stats.norm.cdf(1 / np.sqrt(2))


def _steps(budget):
    def call(random, seeds, reps, seed):
        """Runs reach the score at exponential times of the median 100."""
        steps = np.arange(budget)
        reached = random.exponential(100 / np.log(2), (seeds, 1))
        return *steps_to_threshold(steps >= reached, 1, steps, reps=reps, seed=seed)[1:3], 100.0

    return call


OTHERS = {
    "difference, welch (sd 1 and 3)": _difference("welch"),
    "difference, bootstrap (sd 1 and 3)": _difference("bootstrap"),
    "probability of improvement (0.76)": _improvement,
    "steps to threshold (97 % reach it)": _steps(500),
    "steps to threshold (65 % reach it)": _steps(150),
}

if __name__ == "__main__":
    main()
