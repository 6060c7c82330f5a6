"""Checkpoints of JAX: arrays, keys of random numbers, and pytrees of them, such as states of Flax and of Optax.

A checkpoint is a folder of the same files as a whole state (see rla_hooks/state/), which runs no code when it is read:

    checkpoint-5.jax/content.pkl                    what has nothing of JAX in it, as plain.py writes it
                     state.json                     what is what
                     objects/params.safetensors     the arrays of an object, which other programs can read

Arrays of JAX cannot be changed: they are replaced in the dict or list that holds them. Where JAX is not installed, a
file is read all the same, and its arrays are those of numpy. ``var_prefix`` is ignored: a pytree is data, not a model.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks.checkpoints import compare, plain, state_dicts
from rla_hooks.errors import CheckpointError
from rla_hooks.state import reading, stored, writing
from rla_hooks.state.advice import said_once
from rla_hooks.state.objects import walk
from rla_hooks.state.objects.walk import TAG, Walk

reads_any_bytes = True
_PLAIN = "content.pkl"
_OBJECTS = "objects"


class _Content(dict[str, Any]):
    """What a checkpoint holds by name, and the trees of what is JAX's, which objects are restored from."""

    def __init__(self, plain: Mapping[str, Any], trees: Mapping[str, Any]):
        super().__init__(plain)
        self.trees = trees
        self.update({name: _value(tree) for name, tree in trees.items()})


class _LenientWalk(Walk):
    """Leaves what could not be stored as it is, such as a function beside the parameters that it takes."""

    def check(self, value: Any, tree: Any, at: str) -> None:
        if not _is_left_out(value, tree):
            super().check(value, tree, at)

    def put(self, value: Any, tree: Any) -> Any:
        return value if _is_left_out(value, tree) else super().put(value, tree)


def matches(models: Mapping[str, Any]) -> bool:
    """Return whether there is an array or a pytree of JAX among the models, and nothing of torch."""
    return _has_own(models) and not any(True for _ in state_dicts.find(models, state_dicts.is_of_torch))


def collect(models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
    """Return plain data, the trees of what is JAX's, and what was left out."""
    own = {name: each for name, each in models.items() if _has_own(each)}
    content, left_out = plain.collect({name: each for name, each in models.items() if name not in own}, "")
    finding = Walk()
    trees = {name: finding.capture(each, name) for name, each in own.items()}
    return {"plain": content, _OBJECTS: trees}, [*left_out, *said_once(finding.problems)]


def save(path: Path, content: Any) -> None:
    """Write what ``collect`` returned."""
    plan = writing.StatePlan()
    objects = {name: plan.add(_OBJECTS, name, tree) for name, tree in content[_OBJECTS].items()}
    plan.place()
    writing.write(path, plan, {_OBJECTS: objects}).finish()
    plain.save(path / _PLAIN, content["plain"])


def load(path: Path, weights_only: bool) -> dict[str, Any]:
    """Return the content; foreign code never runs, whatever ``weights_only`` says."""
    if not path.is_dir():
        raise CheckpointError("is no folder. rla_hooks did not write it.")
    content = plain.load(path / _PLAIN, weights_only)
    folder = reading.StateFolder(path)
    with stored.damage():
        return _Content(content, {name: folder.read(tree) for name, tree in folder.content[_OBJECTS].items()})


def restore(models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
    """Put arrays into the dicts and lists that hold them, and restore what is beside them as plain.py does.

    An object that is new, since nothing of it can be changed, is so in ``models`` and in ``content``.
    """
    trees = content.trees if isinstance(content, _Content) else {}
    own = {name: each for name, each in models.items() if name in trees or _has_own(each)}
    found = state_dicts.targets(own, content, lambda value: any(value is each for each in own.values()))
    finding = _LenientWalk()
    for target in found:
        if target.name in trees:
            finding.check(target.value, trees[target.name], target.name)
        else:
            kind = walk.described(target.value)
            finding.problems.append(compare.other_kind(repr(target.name), kind, target.state))
    compare.check([line.replace(" in the state", " in the file") for line in finding.problems])
    plain.restore({name: each for name, each in models.items() if name not in own}, content, "")
    for target in found:
        result = finding.put(target.value, trees[target.name])
        for holder in (models, content):
            if isinstance(holder, dict):
                holder[target.name] = result


def _has_own(value: Any) -> bool:
    return any(True for _ in state_dicts.find(value, _is_own))


def _is_own(value: Any) -> bool:
    jax = sys.modules.get("jax")
    if jax is None:
        return False
    from rla_hooks.state.objects.jax_trees import Pytrees

    return isinstance(value, jax.Array) or Pytrees().matches(value)


def _is_left_out(value: Any, tree: Any) -> bool:
    return tree is None and walk.kind_of(value) is None


def _value(tree: Any) -> Any:
    """Return what a tree is of; a dict of its parts for an object whose class does not make one of them."""
    making = Walk()
    making.check(None, tree, "it")
    if not making.problems:
        return making.put(None, tree)
    if walk.is_tagged(tree):
        parts = tree.get("parts") or tree.get("fields") or {key: each for key, each in tree.items() if key != TAG}
        return _value({str(name).strip("[].'"): part for name, part in parts.items()})
    if isinstance(tree, dict):
        return {name: _value(part) for name, part in tree.items()}
    return type(tree)(map(_value, tree)) if type(tree) in (list, tuple) else tree
