"""Histograms of arrays. TensorBoard wants the upper limit of each bin, and what lies in it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from rla_hooks.errors import ConfigError
from rla_hooks.figures.saving import as_array
from rla_hooks.writers.base import Histogram

_SMALLEST, _LARGEST, _GROWTH = 1e-12, 1e20, 1.1  # of the default edges
_MOST_BINS = 100_000  # that a rule of numpy's is asked for


def histogram(values: Any, bins: Any = "auto", max_bins: int = 512) -> Histogram:
    """Count the finite values in few bins.

    bins: their number or their edges. A name of a rule, such as "auto", gives twice the cube root of the number of
    values, and at most ``max_bins``: numpy's own rules make as many bins as memory holds where one value lies far out.

    >>> histogram([1.0, 2.0, 2.0, 5.0], bins=[0, 2, 4, 6]).counts
    [1.0, 2.0, 1.0]
    """
    finite = _finite(values)
    if isinstance(bins, str):
        bins = min(2 * round(finite.size ** (1 / 3)), max_bins)
    counts, edges = np.histogram(finite, bins=bins)
    return _made(finite, edges[1:], counts)


def histogram_of_torch(values: Any, bins: Any = "tensorflow", max_bins: int | None = None) -> Histogram:
    """Count the finite values in the bins that torch's SummaryWriter takes, without the empty ones at both ends.

    bins: "tensorflow", a name of a rule of ``numpy.histogram``, a number or edges. max_bins: about so many at most.

    >>> made = histogram_of_torch([1.0, 1.0, 4.0])
    >>> made.counts[:2], made.counts[-1], made.number
    ([0.0, 2.0], 1.0, 3)
    """
    finite = _finite(values)
    if isinstance(bins, str):
        bins = default_edges() if bins == "tensorflow" else _edges_by_rule(finite, bins)
    counts, edges = np.histogram(finite, bins=bins)
    if max_bins is not None and len(counts) > max_bins:
        counts, edges = _joined(counts, edges, len(counts) // max_bins)
    filled = np.flatnonzero(counts)
    if not filled.size:
        raise ConfigError(f"no value is within the bins, from {edges[0]:g} to {edges[-1]:g}")
    first, after = filled[0], filled[-1] + 1
    before = counts[first - 1 : first] if first else [0]  # an empty bin: its limit is where the first one begins
    return _made(finite, edges[first : after + 1], np.concatenate([before, counts[first:after]]))


@functools.lru_cache(maxsize=1)
def default_edges() -> np.ndarray:
    """The edges of TensorFlow's bins: each is a tenth farther from 0 than the one before, in both directions."""
    positive, edge = [], _SMALLEST
    while edge < _LARGEST:
        positive.append(edge)
        edge *= _GROWTH
    edges = np.array([*(-edge for edge in reversed(positive)), 0.0, *positive])
    edges.flags.writeable = False
    return edges


def raw_histogram(
    minimum: Any, maximum: Any, number: Any, total: Any, total_of_squares: Any, limits: Any, counts: Any
) -> Histogram:
    """Return a histogram of which the caller knows everything. limits: the upper one of each bin."""
    uppers, filled = _floats(limits), _floats(counts)
    if len(uppers) != len(filled):
        raise ConfigError(f"there are {len(uppers)} bucket_limits and {len(filled)} bucket_counts. Give one for each.")
    moments = float(minimum), float(maximum), int(number), float(total), float(total_of_squares)
    return Histogram(*moments, uppers, filled)


def _floats(values: Any) -> list[float]:
    return as_array(values).astype(np.float64).ravel().tolist()  # type: ignore[no-any-return]


def _finite(values: Any) -> np.ndarray:
    array = np.asarray(as_array(values), dtype=np.float64).ravel()
    finite = array if np.isfinite(array).all() else array[np.isfinite(array)]
    if not finite.size:
        raise ConfigError("it has no finite values")
    return finite


def _edges_by_rule(values: np.ndarray, rule: str) -> Any:
    """Return the edges of a rule of numpy's; a number of bins where they would be very many."""
    low, high = np.percentile(values, [25, 75])
    width = 2 * (high - low) / values.size ** (1 / 3)  # of the rule that depends most on values far out
    if width > 0 and (values.max() - values.min()) / width > _MOST_BINS:
        return 2 * round(values.size ** (1 / 3))
    return np.histogram_bin_edges(values, bins=rule)


def _joined(counts: np.ndarray, edges: np.ndarray, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Join so many neighbouring bins to one; the last one may have fewer."""
    starts = np.arange(0, len(counts), each)
    return np.add.reduceat(counts, starts), np.append(edges[starts], edges[-1])


def _made(values: np.ndarray, limits: Sequence[float] | np.ndarray, counts: Any) -> Histogram:
    return Histogram(
        minimum=float(values.min()),
        maximum=float(values.max()),
        number=int(values.size),
        total=float(values.sum()),
        total_of_squares=float(values @ values),
        limits=np.asarray(limits, dtype=np.float64).tolist(),
        counts=np.asarray(counts, dtype=np.float64).tolist(),
    )
