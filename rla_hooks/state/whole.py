"""All objects of a training at once: captured for the files of a state, and restored from them.

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

from rla_hooks.encoding import NotStorable
from rla_hooks.errors import CheckpointError, did_you_mean
from rla_hooks.state.objects import Walk
from rla_hooks.state.objects.normalizers import normalizer_of
from rla_hooks.state.objects.random_state import random_parts
from rla_hooks.state.reading import StateFolder
from rla_hooks.state.writing import StatePlan
from rla_hooks.texts import shown, text_of

ROLES = ("models", "optimizers", "schedulers", "buffers", "normalizers", "env")
LONE = {"env": "env"}  # the name of an object that is passed by itself; else "model"
EXTRA, RANDOM = "extra", "random"
_IN_PARTS = ("buffers", "env", EXTRA)  # where large arrays change little by little
_BACKUP = 64 << 20  # bytes of an object that is copied before it changes
_SHOWN = 20

Named = Mapping[str, Mapping[str, Any]]  # objects by role and name


def named(role: str, given: Any) -> Mapping[str, Any]:
    """Return objects by name: what is no dict is one object.

    >>> named("models", 5), named("env", 5), named("buffers", None)
    ({'model': 5}, {'env': 5}, {})
    """
    if given is None:
        return {}
    if isinstance(given, dict) and all(isinstance(name, str) for name in given):
        return given
    return {LONE.get(role, "model"): given}


class _Buffer(NamedTuple):
    """A buffer that is being written, and the tree that it was captured into."""

    at: str
    value: Any
    tree: Any


class Snapshot(NamedTuple):
    """What is to be written: the arrays, and what state.json says."""

    plan: StatePlan
    content: dict[str, Any]
    buffers: list[_Buffer]

    def check_unchanged(self) -> None:
        """Raise CheckpointError where another thread has added to a buffer while its arrays were written."""
        for buffer in self.buffers:
            walk = Walk()
            found = _difference(buffer.tree, _captured(walk, buffer.value, buffer.at), buffer.at)
            if found or walk.problems:
                raise CheckpointError(
                    f"{buffer.at} was changed while it was saved ({found or walk.problems[0]}): another thread fills "
                    "it. Let that one wait meanwhile, with a lock say."
                )


def _difference(before: Any, now: Any, at: str) -> str:
    """Return the first number or text, such as a buffer's position, that is another one; "" where there is none."""
    if isinstance(before, dict) and isinstance(now, dict):
        pairs: Any = ((before[key], now.get(key), f"{at}.{key}") for key in before)
    elif isinstance(before, (list, tuple)) and isinstance(now, (list, tuple)) and len(before) == len(now):
        pairs = zip(before, now, (f"{at}[{index}]" for index in range(len(before))), strict=True)
    elif isinstance(before, (int, str, list, tuple)) and (type(before) is not type(now) or before != now):
        return f"{at} was {shown(before, 40)} and is {shown(now, 40)}"
    else:
        return ""
    return next(filter(None, (_difference(*each) for each in pairs)), "")


def capture(objects: Named, extra: Any, head: Mapping[str, Any]) -> Snapshot:
    """Return a snapshot of objects and of the random state. Its arrays are those of the objects, until it is written.

    head: what else state.json says. Raises CheckpointError for what cannot be stored: all of it, and what to do.
    """
    walk, plan = Walk(), StatePlan()
    trees = {
        role: {name: _captured(walk, _meant(role, each), label(role, name)) for name, each in given.items()}
        for role, given in ((role, objects.get(role, {})) for role in ROLES)
    }
    extra_tree = _captured(walk, extra, EXTRA)
    parts = {name: _captured(walk, part, f"the {part.name}") for name, part in random_parts().items()}
    walk.note_left_out()
    if walk.problems:
        raise CheckpointError(f"it cannot be stored: {_lines(walk.problems)}")
    stored: dict[str, Any] = {}
    try:
        for role, by_name in trees.items():
            if by_name:
                in_parts = role in _IN_PARTS
                stored[role] = {name: plan.add(role, name, tree, in_parts) for name, tree in by_name.items()}
        content = {**head, "missing": walk.missing, "objects": stored}
        content[EXTRA] = plan.add(".", EXTRA, extra_tree, True)
        content[RANDOM] = {name: plan.add(RANDOM, name, tree) for name, tree in parts.items()}
    except NotStorable as problem:
        raise CheckpointError(f"it cannot be stored: {problem}") from problem
    plan.place()
    buffers = [
        _Buffer(label("buffers", name), value, trees["buffers"][name])
        for name, value in objects.get("buffers", {}).items()
        if plan.parted and not _has_columns(trees["buffers"][name])
    ]
    return Snapshot(plan, content, buffers)


def _has_columns(tree: Any) -> bool:
    """Whether a tree has long lists as columns: these are copies, which nobody changes, and take long to make."""
    if isinstance(tree, dict):
        return tree.get("rla") == "column" or any(map(_has_columns, tree.values()))
    return isinstance(tree, (list, tuple)) and any(map(_has_columns, tree))


def _captured(walk: Walk, value: Any, at: str) -> Any:
    try:
        return walk.capture(value, at)
    except Exception as error:  # the user's objects may raise anything; a deque may change while it is read
        walk.problems.append(f"{at}, a {type(value).__name__}, raised {type(error).__name__}: {text_of(error)}")


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
            f"does not fit what was passed, so nothing was restored: {_lines(problems)}. Pass the objects as "
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
            target = _Target(role, name, _meant(role, value), folder.tree(stored[role][name]))
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


def _meant(role: str, value: Any) -> Any:
    return normalizer_of(value) if role == "normalizers" else value


def label(role: str, name: str) -> str:
    """Return what an object is called in messages: ``models.policy``."""
    return name if name == role else f"{role}.{name}"


def _lines(problems: list[str]) -> str:
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more


def _absent(at: str, name: str, stored: Mapping[str, Any]) -> str:
    there = ", ".join(map(str, stored)) or "none"
    return f"{at} is not in the state (there is: {there}){did_you_mean(name, stored).replace('?', '')}"
