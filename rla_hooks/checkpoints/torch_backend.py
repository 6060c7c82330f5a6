"""Checkpoints of torch: modules, optimisers, schedulers, tensors and plain data, by ``torch.save``.

Everything in the file can be read with ``torch.load(path, weights_only=True)``, also without rla_hooks.
"""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from rla_hooks.checkpoints import _states
from rla_hooks.errors import CheckpointError
from rla_hooks.plaindata import Place, Refused, Walker


def matches(models: Mapping[str, Any]) -> bool:
    """Whether there is a tensor or anything with a ``state_dict`` among the models, at any depth."""
    return any(True for _ in _states.find(models, lambda value: _is_tensor(value) or _states.has_state(value)))


def collect(models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
    """State dicts, detached tensors and plain data, and what was left out.

    With ``var_prefix``, only those parameters of modules are taken whose name or ``<key>.<name>`` begins so.
    """
    collector = _Collector(var_prefix)
    content = collector.value(dict(models))
    if collector.passed and not collector.selected:
        raise CheckpointError(_states.selects_none(var_prefix, collector.passed))
    return content, collector.left_out or []


def save(path: Path, content: Any) -> None:
    """Write what ``collect`` gave."""
    with open(path, "xb") as stream:
        remembering = _Remembering(stream)
        torch.save(content, cast(BinaryIO, remembering))
        if remembering.trouble is not None:
            raise remembering.trouble


def load(path: Path, weights_only: bool) -> dict[str, Any]:
    """The content, with all tensors on the CPU. With ``weights_only=False`` the file may run code."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=weights_only)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"was refused: it holds more than tensors and plain data ({_cause(error)}). Nothing of it was "
            "run. If you trust where it came from, load it with weights_only=False."
        ) from error
    except Exception as error:  # torch raises nearly anything for a file that is not its own
        raise CheckpointError(f"cannot be read by torch {torch.__version__}: {_cause(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"holds a {type(content)} instead of a dict. rla_hooks did not write it.")
    return content


def restore(models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
    """Restore modules, optimisers, schedulers and tensors in place. Other data stays as it is.

    Names and shapes are compared before anything changes.
    """
    found = _states.targets(models, content, lambda value: _is_tensor(value) or _states.takes_state(value))
    modules, tensors, others, problems = [], [], [], []
    names: list[str] = []
    for target in found:
        if _is_module(target.value):
            target, passed = _select(target, var_prefix)
            names += passed
            modules.append(target)
            problems += _module_problems(target, var_prefix)
        elif _is_tensor(target.value):
            tensors.append(target)
            problems += _shape_problem(target.name, target.value, target.state)
        else:
            others.append(target)
    if problems:
        raise CheckpointError(_states.misfit(problems))
    if names and var_prefix and not any(target.state for target in modules):
        raise CheckpointError(_states.selects_none(var_prefix, names))
    # What can still fail comes first; modules whose names and shapes fit come last.
    _states.load_states(others)
    _load_modules(modules, strict=not var_prefix)
    with torch.no_grad():
        for target in tensors:
            target.value.copy_(target.state)


class _Collector(Walker):
    """Makes what ``weights_only=True`` reads.

    Torch's reader knows fewer types than pickle (torch 2.13): no empty bytes, no frozenset, no integer of more
    than 255 bytes.
    """

    atoms = frozenset({type(None), bool, float, str})
    containers = frozenset({dict, OrderedDict, list, tuple, set})

    def __init__(self, var_prefix: str):
        super().__init__([])
        self.var_prefix = var_prefix
        self.selected = 0
        self.passed: list[str] = []  # full names of parameters that the prefix did not select

    def leaf(self, value: Any, where: Place) -> Any:
        kind = type(value)
        if kind in (int, bytes, complex):
            return value if _is_readable(value) else NotImplemented
        if self.in_key:
            return _numpy_scalar(value)
        if kind in (torch.Size, torch.dtype, torch.device):
            return value
        if _is_tensor(value):
            plain = value.detach()
            return plain if type(plain) is torch.Tensor else plain.as_subclass(torch.Tensor)
        if _states.has_state(value):
            with self.inside(value, where):
                state = _states.state_of(value, where)
                return self.stored(self._selected(value, state, where), where)
        if isinstance(value, _numpy_arrays()):
            raise Refused(where, "a numpy array cannot be stored here. Pass torch.as_tensor(...) of it.")
        return _numpy_scalar(value)

    def filled(self, value: Any, where: Place) -> Any:
        stored = super().filled(value, where)
        if type(value) is OrderedDict and hasattr(value, "_metadata"):
            stored._metadata = self.value(value._metadata, (*where, "_metadata"))  # versions of the modules
        return stored

    def _selected(self, module: Any, state: Any, where: Place) -> Any:
        if not self.var_prefix or not _is_module(module):
            return state
        kept, passed = _by_prefix(_states.dotted(where), state, self.var_prefix)
        self.selected += len(kept)
        self.passed += passed
        return kept


class _Remembering:
    """A file for torch.save that hides trouble with the disk until torch is done.

    Torch's writer makes a RuntimeError without a number of an OSError, and writes again when it is torn down.
    """

    def __init__(self, stream: BinaryIO):
        self.stream = stream
        self.trouble: OSError | None = None

    def write(self, data: Any) -> int:
        if self.trouble is None:
            try:
                return self.stream.write(data)
            except OSError as error:
                self.trouble = error
        return len(data)

    def flush(self) -> None:
        if self.trouble is None:
            try:
                self.stream.flush()
            except OSError as error:
                self.trouble = error


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _is_module(value: Any) -> bool:
    return isinstance(value, torch.nn.Module)


def _is_readable(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() < 255 * 8
    return type(value) is not bytes or len(value) > 0


def _numpy_arrays() -> tuple[type, ...]:
    numpy = sys.modules.get("numpy")
    return (numpy.ndarray,) if numpy is not None else ()


def _numpy_scalar(value: Any) -> Any:
    """The Python number or text of a numpy scalar, or NotImplemented."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic):
        return NotImplemented
    plain = value.item()
    return plain if type(plain) in (bool, int, float, complex, str, bytes) and _is_readable(plain) else NotImplemented


def _by_prefix(key: str, state: Mapping[str, Any], var_prefix: str) -> tuple[OrderedDict[str, Any], list[str]]:
    """The selected parameters, and the full names of the others."""
    kept: OrderedDict[str, Any] = OrderedDict()
    passed = []
    for name, value in state.items():
        full = f"{key}.{name}"
        if full.startswith(var_prefix) or str(name).startswith(var_prefix):
            kept[name] = value
        else:
            passed.append(full)
    if hasattr(state, "_metadata"):
        kept._metadata = state._metadata  # type: ignore[attr-defined]
    return kept, passed


def _select(target: _states.Target, var_prefix: str) -> tuple[_states.Target, list[str]]:
    if not var_prefix or not isinstance(target.state, Mapping):
        return target, []
    kept, passed = _by_prefix(target.name, target.state, var_prefix)
    return target._replace(state=kept), passed


def _module_problems(target: _states.Target, var_prefix: str) -> list[str]:
    """Where the names and shapes in the file differ from the module's."""
    if not isinstance(target.state, Mapping):
        return [f"{target.name!r} is a module and in the file a {type(target.state)}"]
    own = target.value.state_dict()
    if var_prefix:
        own, _ = _by_prefix(target.name, own, var_prefix)
    problems = [f"'{target.name}.{name}' is not in the file" for name in own if name not in target.state]
    for name, value in target.state.items():
        if name not in own:
            problems.append(f"'{target.name}.{name}' is only in the file")
        elif _is_tensor(own[name]) and not torch.nn.parameter.is_lazy(own[name]):
            problems += _shape_problem(f"{target.name}.{name}", own[name], value)
    return problems


def _shape_problem(name: str, own: torch.Tensor, state: Any) -> list[str]:
    if not _is_tensor(state):
        return [f"{name!r} is a tensor and in the file a {type(state)}"]
    if own.shape != state.shape:
        return [f"{name!r} has shape {tuple(own.shape)} and in the file {tuple(state.shape)}"]
    return []


def _load_modules(found: list[_states.Target], strict: bool) -> None:
    for target in found:
        try:
            target.value.load_state_dict(target.state, strict=strict)
        except Exception as error:  # a module's own load_state_dict may raise anything
            raise CheckpointError(f"does not fit {target.name!r}: {error}") from error


def _cause(error: Exception) -> str:
    """What torch met. Torch 2.13 wraps the first error into a page of advice, which is ours to give."""
    first = error.__context__ if isinstance(error.__context__, pickle.UnpicklingError) else error
    text = " ".join(str(first).partition(" Please use ")[0].split())
    return text[:400].rstrip(".") or type(error).__name__
