"""Restores all objects of a training from a state.

Everything is compared before anything changes. An object whose own method refuses its state all the same gets the
former one back, and so do those that had theirs already, as far as they are small.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from rla_hooks.errors import CheckpointError, did_you_mean
from rla_hooks.state.advice import told
from rla_hooks.state.objects import Walk
from rla_hooks.state.objects.random_state import random_parts
from rla_hooks.state.reading import StateFolder
from rla_hooks.state.whole import EXTRA, MOST, RANDOM, ROLES, Named, label, meant
from rla_hooks.texts import text_of

_BACKUP = 64 << 20  # bytes of an object that is copied before it changes


class Restored(NamedTuple):
    """What was restored: objects by role and name, ``extra``, and a line for each part that was not."""

    objects: dict[str, dict[str, Any]]
    extra: Any
    missing: list[str]


class _Target(NamedTuple):
    """An object, where it is kept, and its tree."""

    role: str
    name: str
    value: Any
    tree: Any


def restore(
    folder: StateFolder, objects: Named, extra: Any = None, partial: bool = False, random: bool = True
) -> Restored:
    """Put a state into objects. Raises CheckpointError, which names all that does not fit; then nothing has changed.

    extra: where ``extra`` is to be restored in place. partial: whether to leave out what does not fit. random: whether
    the random state is restored.
    """
    targets, problems = _matched(folder, objects, extra, random)
    if problems and not partial:
        raise CheckpointError(
            f"does not fit what was passed, so nothing was restored: {told(problems, MOST)}. Pass the objects as "
            "they were when it was saved, or partial=True to restore what fits."
        )
    restored: dict[str, dict[str, Any]] = {}
    for target, result in zip(targets, _put(targets), strict=True):
        if target.role == EXTRA:
            extra = result
        elif target.role in ROLES:
            given = objects[target.role]
            value = given[target.name]
            if result is not value and target.value is value:  # it cannot be changed in place; a dict can
                value = result
                if isinstance(given, dict):
                    given[target.name] = result
            restored.setdefault(target.role, {})[target.name] = value
    return Restored(restored, extra, [*map(str, folder.content.get("missing", [])), *problems])


def _matched(folder: StateFolder, objects: Named, extra: Any, random: bool) -> tuple[list[_Target], list[str]]:
    """Return the objects that fit what is in the state, and a line for each part that does not."""
    stored = {role: folder.content["objects"].get(role, {}) for role in ROLES}
    targets, problems = list[_Target](), list[str]()
    for role in ROLES:
        for name, value in objects.get(role, {}).items():
            if name not in stored[role]:
                problems.append(_absent(label(role, name), name, stored[role]))
                continue
            target = _Target(role, name, meant(role, value), folder.tree(stored[role][name]))
            found = _check(target.value, target.tree, label(role, name))
            problems += found
            if not found:
                targets.append(target)
        for name in stored[role].keys() - objects.get(role, {}).keys():
            problems.append(f"{label(role, name)} is in the state, and was not passed")
    extra_tree = folder.tree(folder.content.get(EXTRA))
    found = [] if extra is None else _check(extra, extra_tree, EXTRA)
    problems += found
    if not found:
        targets.append(_Target(EXTRA, EXTRA, extra, extra_tree))
    if random:
        targets += _random_targets(folder, problems)
    return targets, problems


def _random_targets(folder: StateFolder, problems: list[str]) -> list[_Target]:
    stored = folder.content.get(RANDOM, {})
    for name in stored:
        if name not in sys.modules and name in ("numpy", "torch", "tensorflow", "keras"):
            with suppress(ImportError):  # the program has imported it before it was saved, maybe later than here
                importlib.import_module(name)
    parts, targets = random_parts(), []
    for name, tree in stored.items():
        if name not in parts:
            problems.append(f"the state has the random state of {name}, which is not here. Install it")
            continue
        target = _Target(RANDOM, name, parts[name], folder.tree(tree))
        found = _check(target.value, target.tree, f"the {parts[name].name}")
        problems += found
        if not found:
            targets.append(target)
    return targets


def _check(value: Any, tree: Any, at: str) -> list[str]:
    walk = Walk()
    try:
        walk.check(value, tree, at)
    except CheckpointError:
        raise
    except Exception as error:  # the user's objects may raise anything, and so may a tree that another version wrote
        return [f"{at} cannot be compared ({type(error).__name__}: {text_of(error)})"]
    return walk.problems


def _put(targets: list[_Target]) -> list[Any]:
    """Put all trees, and return the values; where one fails, put back what was there before it."""
    results: list[Any] = []
    backups: list[tuple[_Target, Any]] = []
    for target in targets:
        backup = _copied(target)
        if backup is not None:
            backups.append((target, backup[0]))
        try:
            results.append(Walk().put(target.value, target.tree))
        except Exception as error:
            for changed, tree in reversed(backups):
                with suppress(Exception):  # what refuses the new state may refuse the old one, too
                    Walk().put(changed.value, tree)
            kept = {id(changed) for changed, _ in backups}
            lost = [label(each.role, each.name) for each in targets[: len(results) + 1] if id(each) not in kept]
            rest = f" Not put back, since they are large: {', '.join(lost)}." if lost else ""
            raise CheckpointError(
                f"cannot be restored: {label(target.role, target.name)}, a {type(target.value).__name__}, raised "
                f"{type(error).__name__}: {text_of(error)}. What was changed before has its former state again.{rest}"
            ) from error
    return results


def _copied(target: _Target) -> tuple[Any] | None:
    """Return a copy of what an object is now; None where it is large, or has no state yet."""
    if target.value is None:
        return (None,)
    walk = Walk()
    try:
        tree = walk.capture(target.value, target.name)
        return None if walk.problems or _size(tree) > _BACKUP else (_copy(tree),)
    except Exception:
        return None


def _size(tree: Any) -> int:
    if isinstance(tree, dict):
        return sum(map(_size, tree.values()))
    if isinstance(tree, (list, tuple)):
        return sum(map(_size, tree))
    size = getattr(tree, "nbytes", 0)
    return size if isinstance(size, int) else 0


def _copy(tree: Any) -> Any:
    """Copy a tree with its arrays. Those of JAX cannot change."""
    if isinstance(tree, dict):
        return {key: _copy(part) for key, part in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(map(_copy, tree))
    if isinstance(tree, np.ndarray):
        return tree.copy()
    return tree.clone() if hasattr(tree, "clone") and hasattr(tree, "untyped_storage") else tree


def _absent(at: str, name: str, stored: Mapping[str, Any]) -> str:
    there = ", ".join(map(str, stored)) or "none"
    return f"{at} is not in the state (there is: {there}){did_you_mean(name, stored).replace('?', '')}"
