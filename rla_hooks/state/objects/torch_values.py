"""Tensors, random streams and the random state of torch, and objects with ``state_dict``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

from rla_hooks.checkpoints import compare
from rla_hooks.state import torch_leaves
from rla_hooks.state.objects import stored
from rla_hooks.state.objects.parts import Part
from rla_hooks.state.objects.values import Dicts, has_metadata
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Tensors(Kind):
    """Tensors and parameters: filled in place, on the device where they are."""

    replaceable = True

    def matches(self, value: Any) -> bool:
        return isinstance(value, torch.Tensor) or stored.owner(value) == "torch"

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        if value.device.type == "meta":
            walk.problems.append(f"{at} is on the device meta: it has no values")
        return value.detach()

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if value is not None and not walk.freely and (line := compare.difference(at, _spec(value), _spec(tree))):
            walk.problems.append(line.replace("in the file", "in the state"))

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        if value is None or walk.freely or _spec(value) != _spec(tree):
            tree = stored.read(tree)
            return torch_leaves.copy_of(tree if value is None else tree.to(value.device))
        if stored.owner(tree):
            tree.into(value)
        else:
            torch_leaves.copy_into(value, tree)
        return value


class StateDicts(Dicts):
    """What ``state_dict()`` returns: a dict with metadata, such as the versions of layers and the sizes of batches."""

    tag = "state_dict_with_metadata"

    def matches(self, value: Any) -> bool:
        return has_metadata(value)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        metadata = [
            [prefix, {name: _plain(part) for name, part in entry.items()}] for prefix, entry in value._metadata.items()
        ]
        return {TAG: self.tag, "items": super().capture(value, at, walk), "metadata": metadata}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        super().check(value, tree["items"], at, walk)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        if value is None:
            value = OrderedDict()
            value._metadata = OrderedDict((prefix, dict(entry)) for prefix, entry in tree["metadata"])
        return super().put(value, tree["items"], walk)


class Streams(Kind):
    """torch.Generator of any device: in place."""

    tag, replaceable = "torch_generator", True

    def matches(self, value: Any) -> bool:
        return isinstance(value, torch.Generator)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "device": str(value.device), "state": value.get_state()}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        own = torch.device(tree["device"]).type if value is None else value.device.type
        if own != torch.device(tree["device"]).type:
            walk.problems.append(f"{at} is a generator on {value.device} and in the state on {tree['device']}")
        elif value is None and own in ACCELERATORS and not ACCELERATORS[own].count():
            walk.problems.append(f"{at} is a generator on {tree['device']} in the state, and there is no {own} here")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value = torch.Generator(tree["device"]) if value is None else value
        value.set_state(stored.read(tree["state"]))
        return value


class Device:
    """The random states of one kind of accelerator.

    is_used: a device that the program has not used yet is left asleep; its stream begins where the seed says.
    """

    def __init__(self, is_used: Callable[[], bool], count: Callable[[], int], get: Callable[[int], Any], put: Any):
        self.is_used, self.count, self.get, self.put = is_used, count, get, put


#: By the name of the kind of device.
ACCELERATORS: dict[str, Device] = {
    "cuda": Device(
        torch.cuda.is_initialized, torch.cuda.device_count, torch.cuda.get_rng_state, torch.cuda.set_rng_state
    ),
    "mps": Device(
        lambda: torch.backends.mps.is_available(),
        lambda: int(torch.backends.mps.is_available()),
        lambda index: torch.mps.get_rng_state(),
        lambda state, index: torch.mps.set_rng_state(state),
    ),
}
if hasattr(torch, "xpu"):
    ACCELERATORS["xpu"] = Device(
        torch.xpu.is_initialized, torch.xpu.device_count, torch.xpu.get_rng_state, torch.xpu.set_rng_state
    )


class TorchRandom(Part):
    """The functions of torch without a generator, on the CPU and on every device that the program uses."""

    name = "random state of torch"

    def capture(self, at: str, walk: Walk) -> dict[str, Any]:
        return {
            "cpu": torch.get_rng_state(),
            "devices": {
                name: [device.get(index) for index in range(device.count())]
                for name, device in ACCELERATORS.items()
                if device.is_used()
            },
        }

    def check(self, tree: dict[str, Any], at: str, walk: Walk) -> None:
        for name, states in tree["devices"].items():
            here = ACCELERATORS[name].count() if name in ACCELERATORS else 0
            if here < len(states):
                walk.problems.append(
                    f"{at} has the streams of {len(states)} {name} devices, and here are {here}. "
                    "Go on where as many are, or load without the random state"
                )

    def put(self, tree: dict[str, Any], walk: Walk) -> None:
        torch.set_rng_state(tree["cpu"])
        for name, states in tree["devices"].items():
            for index, state in enumerate(states):
                ACCELERATORS[name].put(state, index)


def _plain(part: Any) -> Any:
    return tuple(part) if isinstance(part, tuple) else str(part) if isinstance(part, torch.device) else part


def _spec(value: Any) -> compare.ArraySpec:
    dtype = str(value.dtype).removeprefix("torch.")
    if getattr(value, "is_quantized", False):
        dtype += f" {value.qscheme()}".replace("torch.", "")
    return compare.ArraySpec(tuple(value.shape), dtype)


KINDS = [Tensors(), StateDicts(), Streams()]
