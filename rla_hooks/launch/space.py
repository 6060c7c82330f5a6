"""The settings of a sweep: all combinations of some values, or some of them drawn by chance."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from rla_hooks.calls import Parameters
from rla_hooks.errors import did_you_mean
from rla_hooks.masking import mask_value
from rla_hooks.texts import cut, listed, shown

Space = dict[str, Any]  # of each parameter: a list of values, or a distribution
Setting = dict[str, Any]
_FORM = "Give the values of each parameter, {'lr': [1e-4, 3e-4], 'seed': range(5)}, or a list of settings"
_MOST = 1_000_000  # settings of a grid


def space_of(given: Mapping[str, Any]) -> Space:
    """Return the values of each parameter as a list; a single value is a list of one, a distribution stays.

    >>> space_of({"lr": [1e-4, 3e-4], "seed": range(3), "env": "CartPole-v1"})
    {'lr': [0.0001, 0.0003], 'seed': [0, 1, 2], 'env': ['CartPole-v1']}
    """
    return {name: value if is_drawn(value) else _values(value) for name, value in given.items()}


def are_paired(given: object) -> TypeGuard[Sequence[Mapping[str, Any]]]:
    """Whether each setting is given by itself: ``[{"lr": 0.1, "seed": 0}, {"lr": 0.2, "seed": 1}]``."""
    return isinstance(given, (list, tuple)) and bool(given) and all(isinstance(each, Mapping) for each in given)


def names_of(given: object) -> list[str]:
    """Return the parameters that the settings of a sweep give values to."""
    if are_paired(given):
        return [*dict.fromkeys(name for each in given for name in each)]
    return [*given] if isinstance(given, Mapping) else []


def is_drawn(value: object) -> bool:
    """Whether it is a distribution, as scipy's are: ``loguniform(1e-5, 1e-2)``."""
    return callable(getattr(value, "rvs", None))


def _values(value: Any) -> list[Any]:
    if type(value).__module__ == "numpy" and callable(getattr(value, "tolist", None)):
        value = value.tolist()  # of an array: its numbers as Python's
    is_one = isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable)
    return [value] if is_one else list(value)


def problems_of(given: object, name: str, parameters: Parameters) -> list[str]:
    """Return a line for each mistake in the values that a sweep of a function is given.

    >>> def main(lr, seed=0): ...
    >>> for line in problems_of({"Lr": [0.1], "seed": []}, "main", Parameters(main)):
    ...     print(line)
    main has no parameter 'Lr'. Known: seed, lr. Did you mean 'lr'?
    main needs 'lr', which has no default. Give its values, or one: {'lr': ...}.
    seed has no values. Give some, or leave it out.
    """
    if are_paired(given):
        return _problems_of_pairs(given, name, parameters)
    if not isinstance(given, Mapping) or not given:
        return [f"the sweep has no settings: {shown(given, 100)}. {_FORM}."]
    odd = [key for key in given if not isinstance(key, str)]
    if odd:
        return [f"{shown(key, 100)} is no name of a parameter. {_FORM}." for key in odd]
    found = _misfits(given, name, parameters)
    lists = {key: value for key, value in space_of(given).items() if not is_drawn(value)}
    found += [f"{key} has no values. Give some, or leave it out." for key, value in lists.items() if not value]
    for key, values in lists.items():
        most_common = Counter(map(repr, values)).most_common(1)
        found += [
            f"{key} has the value {cut(mask_value(key, text), 100)} more than once. Give it once."
            for text, count in most_common
            if count > 1
        ]
    return found


def _misfits(given: Mapping[str, Any], name: str, parameters: Parameters) -> list[str]:
    unknown, needed, others = parameters.misfits(dict(given))
    known = [*(key for key in given if key not in unknown), *needed, *others]
    found = [
        f"{name} has no parameter {key!r}. Known: {listed(known, 20)}.{did_you_mean(key, known)}" for key in unknown
    ]
    return found + [
        f"{name} needs {key!r}, which has no default. Give its values, or one: {{{key!r}: ...}}." for key in needed
    ]


def _problems_of_pairs(given: Sequence[Mapping[str, Any]], name: str, parameters: Parameters) -> list[str]:
    odd = [key for each in given for key in each if not isinstance(key, str)]
    if odd:
        return [f"{shown(key, 100)} is no name of a parameter. {_FORM}." for key in odd]
    found = [*dict.fromkeys(line for each in given for line in _misfits(each, name, parameters))]
    by_text: dict[str, list[Mapping[str, Any]]] = {}
    for each in given:
        by_text.setdefault(repr(sorted(each.items(), key=lambda item: item[0])), []).append(each)
    for same in by_text.values():
        if len(same) > 1:
            setting = shown(mask_value("setting", dict(same[0])), 100)
            found.append(f"the setting {setting} is there more than once. Give it once.")
    return found


def grid(space: Space, limit: int | None = None) -> list[Setting]:
    """Return all combinations, the last parameter changing fastest; of these the first ``limit``.

    >>> grid({"lr": [0.1, 0.2], "seed": [0, 1]}, 3)
    [{'lr': 0.1, 'seed': 0}, {'lr': 0.1, 'seed': 1}, {'lr': 0.2, 'seed': 0}]
    """
    combinations = itertools.product(*space.values())
    return [dict(zip(space, values)) for values in itertools.islice(combinations, limit)]


def drawn(space: Space, limit: int, seed: int) -> list[Setting]:
    """Return settings drawn by chance, the same ones for the same seed: of a grid none twice.

    >>> len(drawn({"lr": [0.1, 0.2], "seed": range(3)}, 4, seed=0))
    4
    """
    chance = random.Random(seed)
    if any(map(is_drawn, space.values())):
        return [{name: _one(value, chance) for name, value in space.items()} for _ in range(limit)]
    total = size(space)
    numbers = chance.sample(range(total), min(limit, total))
    return [dict(zip(space, _combination([*space.values()], number))) for number in numbers]


def settings_of(given: Any, is_random: bool, limit: int | None, seed: int) -> list[Setting]:
    """Return the settings of a sweep: all, or ``limit`` of them, the first ones or drawn by chance.

    >>> settings_of([{"lr": 0.1, "seed": 0}, {"lr": 0.2, "seed": 1}], False, None, 0)
    [{'lr': 0.1, 'seed': 0}, {'lr': 0.2, 'seed': 1}]
    """
    if not are_paired(given):
        values = space_of(given)
        return drawn(values, limit or 1, seed) if is_random else grid(values, limit)
    if is_random:
        return [dict(each) for each in random.Random(seed).sample(given, min(limit or 1, len(given)))]
    return [dict(each) for each in given[:limit]]


def size(space: Space) -> int:
    """Return the number of combinations of a grid."""
    return math.prod(map(len, space.values()))


def too_many(space: Space) -> str | None:
    """Return the mistake that a grid is larger than any sweep can be; None if it is not."""
    count = size(space)
    return (
        f"the grid has {count:,} settings. Allowed: {_MOST:,}; draw some: search='random'." if count > _MOST else None
    )


def _combination(values: Sequence[Sequence[Any]], number: int) -> list[Any]:
    """The values of one combination by its number, the last parameter changing fastest."""
    found = list[Any]()
    for each in reversed(values):
        number, at = divmod(number, len(each))
        found.append(each[at])
    return found[::-1]


def _one(value: Any, chance: random.Random) -> Any:
    if not is_drawn(value):
        return chance.choice(value)
    drawn_value = value.rvs(random_state=chance.randrange(2**32))
    return drawn_value.item() if callable(getattr(drawn_value, "item", None)) else drawn_value
