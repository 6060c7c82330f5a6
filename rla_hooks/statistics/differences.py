"""The difference of two algorithms' means, and how small a difference a number of seeds can show."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.statistics.comparison import pair_of
from rla_hooks.statistics.inputs import Array, check_settings, is_number, is_whole, number_or_array
from rla_hooks.statistics.intervals import warn_narrow
from rla_hooks.statistics.quantiles import NORMAL, special, t_quantile
from rla_hooks.statistics.resampling import percentiles, resampled_means, two_seeds
from rla_hooks.statistics.scaling import scaled, scaled_back

TESTS = ("welch", "bootstrap")
_NORMAL_FROM = 100_000  # degrees of freedom


class Difference(NamedTuple):
    """The mean of a minus that of b, each field a number, or an array with a number for each task.

    point, low, high: the difference and its interval, in the unit of the score. p_value: how often a difference as
    large or larger comes about if there is none. effect_size: the difference in standard deviations, Hedges' g.

    >>> Difference(2.0, 0.5, 3.5, 0.02, 1.4).low > 0
    True
    """

    point: Any
    low: Any
    high: Any
    p_value: Any
    effect_size: Any


def difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    test: str = "welch",
    level: float = 0.95,
    reps: int = 2000,
    seed: int | np.random.Generator = 0,
) -> Difference:
    """Return how much higher the mean of ``a`` is than that of ``b``, with its interval, p-value and effect size.

    a, b: of shape ``(seeds,)``; or ``(seeds, tasks)``, and then each task is compared on its own, without a correction
    for their number. The seeds may be of different numbers; they are not paired.
    test: ``"welch"`` is Welch's t test (Welch 1947), for unequal variances, the one that keeps its error rate best with
    few seeds (Colas et al. 2018, "How Many Random Seeds? Statistical Power Analysis in Deep Reinforcement Learning
    Experiments"). ``"bootstrap"`` draws the seeds of both with replacement; the p-value is twice the part of
    repetitions on the other side of 0, of which one more is counted. Its interval is too narrow below 10 seeds, and
    says so once.
    The effect size is Hedges' g: the difference by the pooled standard deviation, made smaller for few seeds by
    ``gamma(d / 2) / (sqrt(d / 2) * gamma((d - 1) / 2))`` with ``d`` degrees of freedom (Hedges 1981).
    Where no score differs from another within a and within b, the p-value is 1 for equal means, else 0; that of
    the bootstrap is at least ``2 / (reps + 1)``.

    >>> found = difference([10, 12, 11, 13, 14], [9, 8, 10, 11, 7])
    >>> found.point, f"{found.p_value:.3f}", f"{found.effect_size:.2f}"
    (3.0, '0.017', '1.71')
    """
    check_settings(level, reps, seed)
    if test not in TESTS:
        raise ConfigError(f"test is {test!r}. Known: {', '.join(TESTS)}.{did_you_mean(test, TESTS)}")
    first, second = pair_of(a, b, ("a", "b"))
    shape = first.shape[1:]
    first, second = (each.reshape(len(each), -1) for each in (first, second))
    powers, (first, second) = scaled(first, second)
    point = first.mean(axis=0) - second.mean(axis=0)
    if test == "welch":
        low, high, p_value = _welch(first, second, point, level)
    else:
        low, high, p_value = _bootstrap(first, second, reps, level, seed)
    fields = (*scaled_back([point, low, high], powers), p_value, _hedges(first, second, point))
    return Difference(*(number_or_array(each.reshape(shape)) for each in fields))


def _welch(a: Array, b: Array, point: Array, level: float) -> tuple[Array, Array, Array]:
    parts = [each.var(axis=0, ddof=1) / len(each) for each in (a, b)]
    error = np.sqrt(parts[0] + parts[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = (parts[0] + parts[1]) ** 2 / (parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1))
        p_value = 2 * special().stdtr(degrees, -np.abs(point / error))
        half = t_quantile((1 + level) / 2, degrees) * error
    same = error == 0
    half, p_value = np.where(same, 0, half), np.where(same, point == 0, p_value)
    return point - half, point + half, p_value


def _bootstrap(a: Array, b: Array, reps: int, level: float, seed: Any) -> tuple[Array, Array, Array]:
    warn_narrow("percentile", min(len(a), len(b)), level, "Welch's t test")
    low, high, p_value = np.empty((3, a.shape[1]))
    both = [resampled_means(each.T[:, None, :], reps, number) for each, number in zip((a, b), two_seeds(seed))]
    for (chosen, of_a), (_, of_b) in zip(*both):
        apart = of_a - of_b
        low[chosen], high[chosen] = percentiles(apart, level)
        beyond = np.minimum((apart <= 0).sum(axis=0), (apart >= 0).sum(axis=0))
        p_value[chosen] = np.minimum(1, 2 * (beyond + 1) / (reps + 1))
    return low, high, p_value


def _hedges(a: Array, b: Array, point: Array) -> Array:
    degrees = len(a) + len(b) - 2
    squares = ((a - a.mean(axis=0)) ** 2).sum(axis=0) + ((b - b.mean(axis=0)) ** 2).sum(axis=0)
    correction = math.exp(math.lgamma(degrees / 2) - math.lgamma((degrees - 1) / 2)) / math.sqrt(degrees / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = correction * point / np.sqrt(squares / degrees)
    return np.asarray(np.where((squares == 0) & (point == 0), 0, effect))


def detectable_difference(n: int, sd: float, power: float = 0.8, level: float = 0.95) -> float:
    """Return the smallest difference of means that ``n`` seeds of each of two algorithms show with this power.

    A two-sided t test at ``1 - level`` finds a true difference of this size in ``power`` of experiments, where the
    scores of both are normal with the standard deviation ``sd``: by the noncentral t distribution with ``2 n - 2``
    degrees of freedom (Cohen 1988; Colas et al. 2018, "How Many Random Seeds?").

    n: seeds of each algorithm. sd: in the unit of the score, which that of the result is, too.

    >>> f"with 5 seeds and sd 10 you see differences above {detectable_difference(5, 10.0):.1f}"
    'with 5 seeds and sd 10 you see differences above 20.2'
    """
    problems = []
    if not is_whole(n) or n < 2:
        problems.append(f"n is {n!r}. Allowed: a whole number of seeds from 2.")
    if not is_number(sd) or not 0 < sd < math.inf:
        problems.append(f"sd is {sd!r}. Allowed: a number above 0.")
    problems += [
        f"{name} is {value!r}. Allowed: a number between 0 and 1."
        for name, value in (("power", power), ("level", level))
        if not (is_number(value) and 0 < value < 1)
    ]
    if not problems and power <= 1 - level:
        problems.append(f"power is {power!r}. Allowed: above {1 - level:g}, which a test has where nothing differs.")
    if problems:
        raise ConfigError(problems)
    degrees = 2 * int(n) - 2
    return _shift(degrees, float(power), float(level)) * float(sd) * math.sqrt(2 / n)


def _shift(degrees: int, power: float, level: float) -> float:
    """The noncentrality with which a two-sided t test has the power, by bisection."""
    limit = -float(t_quantile((1 - level) / 2, degrees))
    low, high = 0.0, limit + 1
    while _missed(degrees, high, limit) > 1 - power:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _missed(degrees, middle, limit) > 1 - power else (low, middle)
    return high


def _missed(degrees: int, shift: float, limit: float) -> float:
    """The part of experiments whose ``t = (z + shift) / s`` lies within the limit: those that show no difference.

    z is normal, and ``degrees * s**2`` has the chi-squared distribution: the part is the mean over z of the part of s
    above ``abs(z + shift) / limit``, by a sum over even steps, which is precise for what is as smooth. (scipy's nctdtr
    is wrong, or NaN, for few degrees of freedom and parts below a millionth.)
    """
    if degrees > _NORMAL_FROM:  # s is 1
        return NORMAL.cdf(limit - shift) - NORMAL.cdf(-limit - shift)
    step = min(0.02, limit / math.sqrt(2 * degrees))  # the width of the steepest part
    z = np.arange(-38, 38, step)
    above = special().gammaincc(degrees / 2, degrees / 2 * ((z + shift) / limit) ** 2)
    return float((np.exp(-z * z / 2) * above).sum() * step / math.sqrt(2 * math.pi))
