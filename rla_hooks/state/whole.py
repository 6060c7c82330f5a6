"""All objects of a training at once, captured for the files of a state. See restoring.py for the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rla_hooks.encoding import NotStorable
from rla_hooks.errors import CheckpointError
from rla_hooks.state.advice import told
from rla_hooks.state.objects import Walk
from rla_hooks.state.objects.normalizers import normalizer_of
from rla_hooks.state.objects.random_state import random_parts
from rla_hooks.state.writing import StatePlan
from rla_hooks.texts import shown, text_of

ROLES = ("models", "optimizers", "schedulers", "buffers", "normalizers", "env")
LONE = {"env": "env"}  # the name of an object that is passed by itself; else "model"
EXTRA, RANDOM = "extra", "random"
_IN_PARTS = ("buffers", "env", EXTRA)  # where large arrays change little by little
MOST = 20  # problems that a message tells

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
    both = (isinstance(before, kind) and isinstance(now, kind) for kind in (dict, (list, tuple)))
    if any(both) and len(before) != len(now):
        return f"{at} had {len(before):,} items and has {len(now):,}"
    if isinstance(before, dict) and isinstance(now, dict):
        pairs: Any = ((before[key], now.get(key), f"{at}.{key}") for key in before)
    elif isinstance(before, (list, tuple)) and isinstance(now, (list, tuple)):
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
        role: {name: _captured(walk, meant(role, each), label(role, name)) for name, each in given.items()}
        for role, given in ((role, objects.get(role, {})) for role in ROLES)
    }
    extra_tree = _captured(walk, extra, EXTRA)
    parts = {name: _captured(walk, part, f"the {part.name}") for name, part in random_parts().items()}
    walk.note_left_out()
    if walk.problems:
        raise CheckpointError(f"it cannot be stored: {told(walk.problems, MOST)}")
    stored: dict[str, Any] = {}
    try:
        for role, by_name in trees.items():
            if by_name:
                in_parts = role in _IN_PARTS
                stored[role] = {name: plan.add(role, name, tree, in_parts) for name, tree in by_name.items()}
        content = {**head, "missing": walk.missing, "objects": stored}
        content[EXTRA] = plan.add(EXTRA, "values", extra_tree, True)
        content[RANDOM] = {name: plan.add(RANDOM, name, tree) for name, tree in parts.items()}
    except NotStorable as problem:
        raise CheckpointError(f"it cannot be stored: {problem}") from problem
    plan.place()
    buffers = [
        _Buffer(label("buffers", name), value, trees["buffers"][name])
        for name, value in objects.get("buffers", {}).items()
        if not _has_columns(trees["buffers"][name])
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


def meant(role: str, value: Any) -> Any:
    return normalizer_of(value) if role == "normalizers" else value


def label(role: str, name: str) -> str:
    """Return what an object is called in messages: ``models.policy``."""
    return name if name == role else f"{role}.{name}"
