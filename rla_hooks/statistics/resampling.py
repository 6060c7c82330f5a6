"""Drawing seeds with replacement, within each task, in blocks of bounded memory.

Inside, scores have the shape ``(columns, tasks, seeds)``: a column is a step, a threshold, or the only one. All columns
share the draws: whole runs are drawn, not single points of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from rla_hooks.statistics.inputs import Array

BLOCK = 2**20  # numbers in a block: 8 MB
Drawn = npt.NDArray[Any]
Reduce = Callable[[Array], Array]


def seed_number(seed: Any) -> int:
    """Return the seed; of a Generator one number is taken as the seed, so that draws can be repeated."""
    return int(seed.integers(2**63)) if isinstance(seed, np.random.Generator) else int(seed)


def two_seeds(seed: Any) -> tuple[int, int]:
    """Two seeds from one: the draws of two algorithms are independent."""
    random = np.random.default_rng(seed)
    return seed_number(random), seed_number(random)


def draws(shape: tuple[int, ...], reps: int, seed: int, size: int = 0) -> Iterator[tuple[slice, Drawn]]:
    """Blocks of repetitions: (which, the index of a seed for each repetition, task and seed).

    shape: (tasks, seeds).
    size: how many numbers a repetition takes, where it is not ``tasks * seeds``.
    """
    tasks, seeds = shape
    random = np.random.default_rng(seed)
    step = max(1, BLOCK // (size or tasks * seeds))
    small = np.uint16 if seeds < 2**16 else np.int64  # fewer random bits: drawing them takes most of the time
    for begin in range(0, reps, step):
        end = min(begin + step, reps)
        yield slice(begin, end), random.integers(0, seeds, (end - begin, tasks, seeds), dtype=small)


def draw_counts(shape: tuple[int, ...], reps: int, seed: int, size: int = 0) -> Iterator[tuple[slice, Array]]:
    """Blocks of repetitions: (which, how often each seed was drawn, of the shape (repetitions, tasks, seeds))."""
    for block, drawn in draws(shape, reps, seed, size):
        rows, seeds = len(drawn) * shape[0], shape[1]
        cells = drawn.reshape(rows, seeds) + np.arange(rows)[:, None] * seeds
        counts = np.bincount(cells.reshape(-1), minlength=rows * seeds)
        yield block, counts.reshape(drawn.shape).astype(np.float64)


def resampled_means(scores: Array, reps: int, seed: int) -> Iterator[tuple[slice, Array]]:
    """The means over tasks and seeds, repeated: blocks of (which columns, means of the shape (reps, these columns))."""
    columns, tasks, seeds = scores.shape
    flat = scores.reshape(columns, tasks * seeds).T
    for chosen in _column_blocks(columns, reps):
        sums = np.empty((reps, chosen.stop - chosen.start))
        for block, counts in draw_counts((tasks, seeds), reps, seed):
            np.matmul(counts.reshape(len(counts), -1), flat[:, chosen], out=sums[block])
        yield chosen, sums / (tasks * seeds)


def resampled(scores: Array, reduce: Reduce, reps: int, seed: int) -> Iterator[tuple[slice, Array]]:
    """A statistic, repeated: ``reduce`` takes (..., tasks, seeds) to (...). Blocks as of :func:`resampled_means`."""
    columns, tasks, seeds = scores.shape
    flat = scores.reshape(columns, tasks * seeds)
    first = (np.arange(tasks) * seeds)[:, None]
    for chosen in _column_blocks(columns, reps):
        values = np.empty((reps, chosen.stop - chosen.start))
        for block, drawn in draws((tasks, seeds), reps, seed):
            cells = drawn + first
            room = max(1, BLOCK // cells.size)
            for column in range(chosen.start, chosen.stop, room):
                part = slice(column, min(column + room, chosen.stop))
                inside = slice(part.start - chosen.start, part.stop - chosen.start)
                values[block, inside] = reduce(flat[part][:, cells]).T
        yield chosen, values


def _column_blocks(columns: int, reps: int) -> Iterator[slice]:
    step = max(1, BLOCK // reps)
    for begin in range(0, columns, step):
        yield slice(begin, min(begin + step, columns))


def percentiles(values: Array, level: float) -> Array:
    """The ends of the percentile interval, (2, columns): quantiles of the repetitions, which are the first axis."""
    return np.asarray(np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0))
