"""Checkpoints of torch: modules, optimizers, schedulers, tensors, numpy arrays and plain data, by ``torch.save``.

Everything in the file can be read with ``torch.load(path, weights_only=True)``, also without rla_hooks.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from rla_hooks.checkpoints import compare, plain, state_dicts, torch_arrays, torch_names, torch_views
from rla_hooks.checkpoints.compare import ArraySpec
from rla_hooks.checkpoints.state_dicts import PrefixFilter, Target
from rla_hooks.encoding import Encoder, KeyPath
from rla_hooks.errors import CheckpointError
from rla_hooks.smallfiles import open_regular
from rla_hooks.texts import text_of

reads_any_bytes = True  # with weights_only=True, that is


def matches(models: Mapping[str, Any]) -> bool:
    """Return whether there is a tensor or anything with a ``state_dict`` among the models, at any depth."""
    return any(True for _ in state_dicts.find(models, lambda value: _is_tensor(value) or state_dicts.has_state(value)))


def collect(models: Mapping[str, Any], var_prefix: str) -> tuple[Any, list[str]]:
    """Return state dicts, detached tensors and plain data, and what was left out.

    With ``var_prefix``, only parameters of modules whose name or ``<key>.<name>`` begins with it are taken.
    """
    prefix_filter = PrefixFilter(var_prefix)
    content, left_out = state_dicts.collect(_Collector(prefix_filter), models, prefix_filter)
    return torch_views.compact(content), left_out


def save(path: Path, content: Any) -> None:
    """Write what ``collect`` returned."""
    with open(path, "xb") as stream:
        deferring = _Deferring(stream)
        torch.save(content, cast(BinaryIO, deferring))
        if deferring.error is not None:
            raise deferring.error


def load(path: Path, weights_only: bool) -> dict[str, Any]:
    """Return the content, with all tensors on the CPU. With ``weights_only=False`` the file may run code."""
    with open_regular(path) as stream:
        _check_unpacked(stream)
        content = _load(stream, weights_only)
    if not isinstance(content, dict):
        raise CheckpointError(f"holds a {type(content)} instead of a dict. rla_hooks did not write it.")
    decoded: dict[str, Any] = torch_arrays.decode(content)
    return decoded


def _check_unpacked(stream: BinaryIO) -> None:
    """Refuse an archive whose content is larger than itself: torch packs nothing, and this may fill the memory."""
    size = stream.seek(0, os.SEEK_END)
    try:
        with zipfile.ZipFile(stream) as archive:
            unpacked = sum(each.file_size for each in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error):  # torch will tell
        unpacked = 0
    if unpacked > size:
        raise CheckpointError(f"was refused: {unpacked:,} bytes are packed into its {size:,}. torch packs nothing.")
    stream.seek(0)


def _load(stream: BinaryIO, weights_only: bool) -> Any:
    try:
        # A Python file, unlike a path, lets other threads run while its bytes are read. Mapped memory would change with
        # the file, after its checksum was compared.
        return torch.load(stream, map_location="cpu", weights_only=weights_only, mmap=False)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"was refused: it holds more than tensors and plain data ({_cause(error)}). Nothing of it was "
            "run. If you trust where it came from, load it with weights_only=False."
        ) from error
    except Exception as error:  # torch raises nearly anything for a file that is not its own
        raise CheckpointError(f"cannot be read by torch {torch.__version__}: {_cause(error)}") from error


def restore(models: Mapping[str, Any], content: Mapping[str, Any], var_prefix: str) -> None:
    """Restore modules, optimizers, schedulers, tensors and numpy arrays in place. Other data stays as it is.

    Names and shapes are compared before anything changes. A module fits, whether it is compiled or in a DataParallel,
    or was so when it was saved.
    """
    prefix_filter = PrefixFilter(var_prefix)
    found = state_dicts.targets(models, content, _is_wanted)
    found = [torch_names.fitted(each) if isinstance(each.value, torch.nn.Module) else each for each in found]
    modules = [target for target in found if isinstance(target.value, torch.nn.Module)]
    tensors = [target for target in found if _is_tensor(target.value)]
    arrays = [_with_array(target) for target in found if state_dicts.is_array(target.value)]
    problems = [line for target in (*modules, *tensors) for line in _problems(target, prefix_filter)]
    problems += [line for target in arrays if (line := plain.problem(target))]
    compare.check(problems + prefix_filter.problems())
    # What can still fail comes first; modules whose names and shapes fit come last.
    in_place = (torch.nn.Module, torch.Tensor)
    others = [each for each in found if not isinstance(each.value, in_place) and not state_dicts.is_array(each.value)]
    state_dicts.load_states(others)
    for target in modules:
        try:
            target.value.load_state_dict(_selected(target.name, target.state, prefix_filter), strict=not var_prefix)
        except Exception as error:  # a module's own load_state_dict may raise anything
            raise CheckpointError(f"does not fit {target.name!r}: {text_of(error)}") from error
    with torch.no_grad():
        for target in tensors:
            target.value.copy_(target.state)
    for target in arrays:
        target.value[...] = target.state


def _is_wanted(value: Any) -> bool:
    return _is_tensor(value) or state_dicts.is_array(value) or state_dicts.takes_state(value)


def _with_array(target: Target) -> Target:
    """A tensor in the file is restored into an array, too: it was saved as one before arrays could be."""
    return target._replace(state=target.state.numpy()) if _is_tensor(target.state) else target


class _Collector(Encoder):
    """Builds what ``weights_only=True`` reads.

    Torch's reader knows fewer types than pickle (torch 2.13): no empty bytes, no frozenset, no integer of more
    than 255 bytes.
    """

    scalars = frozenset({type(None), bool, float, str})
    containers = frozenset({dict, OrderedDict, list, tuple, set})

    def __init__(self, prefix_filter: PrefixFilter):
        super().__init__([])
        self.prefix_filter = prefix_filter

    def encode_leaf(self, value: Any, keys: KeyPath) -> Any:
        kind = type(value)
        if kind in (int, bytes, complex):
            return value if _is_readable(value) else NotImplemented
        if self.in_key:
            return _numpy_scalar(value)
        if kind in (torch.Size, torch.dtype, torch.device):
            return value
        if _is_tensor(value):
            tensor = value.detach()
            return tensor if type(tensor) is torch.Tensor else tensor.as_subclass(torch.Tensor)
        if state_dicts.has_state(value):
            with self.entered(value, keys):
                state = state_dicts.state_of(value, keys)
                if isinstance(value, torch.nn.Module) and self.prefix_filter.var_prefix:
                    state = _selected(state_dicts.dotted(keys), state, self.prefix_filter)
                return self.encode(state, keys)
        if state_dicts.is_array(value):
            return torch_arrays.encode(value, keys)
        return _numpy_scalar(value)

    def encode_container(self, value: Any, keys: KeyPath) -> Any:
        encoded = super().encode_container(value, keys)
        if type(value) is OrderedDict and hasattr(value, "_metadata"):  # versions of the modules
            encoded._metadata = self.encode_or_omit(value._metadata, (*keys, "_metadata"))
        return encoded


class _Deferring:
    """A file for torch.save that keeps an OSError, and Ctrl-C, until torch is done.

    Torch's writer turns any exception into a RuntimeError without its errno, and writes again when it is closed.
    """

    def __init__(self, stream: BinaryIO):
        self.stream = stream
        self.error: BaseException | None = None

    def write(self, data: Any) -> int:
        if self.error is None:
            try:
                return self.stream.write(data)
            except BaseException as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        self.stream.flush()  # called from Python, which lets its OSError out


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _is_readable(value: Any) -> bool:
    if type(value) is int:
        return value.bit_length() < 255 * 8
    return type(value) is not bytes or len(value) > 0


def _numpy_scalar(value: Any) -> Any:
    """Return the Python number or text of a numpy scalar, or NotImplemented."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic):
        return NotImplemented
    item = value.item()
    return item if type(item) in (bool, int, float, complex, str, bytes) and _is_readable(item) else NotImplemented


def _selected(key: str, state: Mapping[str, Any], prefix_filter: PrefixFilter) -> OrderedDict[str, Any]:
    """Return those parameters of a module that the prefix selects, whether it is compiled or not."""
    names = [name for name in state if _selects(prefix_filter, key, str(name))]
    selected = OrderedDict((name, state[name]) for name in names)
    if hasattr(state, "_metadata"):
        selected._metadata = state._metadata  # type: ignore[attr-defined]
    return selected


def _selects(prefix_filter: PrefixFilter, key: str, name: str) -> bool:
    unwrapped = torch_names.unwrapped(name)
    return prefix_filter.selects(key, name) or (unwrapped != name and prefix_filter.selects(key, unwrapped))


def _problems(target: Target, prefix_filter: PrefixFilter) -> list[str]:
    """Return where names, kinds and shapes in the file differ from those of a module or a tensor."""
    if _is_tensor(target.value):
        own, stored = {repr(target.name): target.value}, {repr(target.name): target.state}
    elif isinstance(target.state, Mapping):
        states = (_selected(target.name, each, prefix_filter) for each in (target.value.state_dict(), target.state))
        own, stored = ({repr(f"{target.name}.{name}"): each[name] for name in each} for each in states)
    else:
        return [compare.other_kind(repr(target.name), "a module", target.state)]
    other = [name for name in own if name in stored and _is_tensor(own[name]) and not _is_tensor(stored[name])]
    specs = [{name: _spec(each[name]) for name in each if name not in other} for each in (own, stored)]
    return [compare.other_kind(name, "a tensor", stored[name]) for name in other] + compare.differences(*specs)


def _spec(value: Any) -> ArraySpec:
    """Return the shape of a tensor; any shape for a parameter that has none yet, and for what is no tensor."""
    is_shaped = _is_tensor(value) and not torch.nn.parameter.is_lazy(value)
    return ArraySpec(tuple(value.shape) if is_shaped else None)


def _cause(error: Exception) -> str:
    """Return the first error's message. Torch 2.13 wraps it into long advice; we give our own."""
    first = error.__context__ if isinstance(error.__context__, pickle.UnpicklingError) else error
    text = " ".join(str(first).partition(" Please use ")[0].split())
    return text[:400].rstrip(".") or type(error).__name__
