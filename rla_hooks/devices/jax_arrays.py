"""JAX's arrays: the copies to the host of all values of a row run at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rla_hooks.devices.transfer import Fetch


class JaxArrays:
    """The arrays of JAX on any device. What is being traced is of another type, and has no value."""

    def __init__(self, jax: Any):
        self._jax = jax
        self._pack: Any = None

    def holds(self, value: Any) -> bool:
        return bool(value.size == 1)

    def fetch(self, values: Sequence[Any], at_once: bool) -> Fetch:
        """Begin to copy. For later, the values are packed before, since a donated array can no longer be read."""
        if not at_once:
            return self._packed(values)
        for value in values:
            try:
                value.copy_to_host_async()
            except Exception:  # a freed or donated array: reading it says so
                continue
        return _Packs(len(values), [], [*enumerate(values)])

    def _packed(self, values: Sequence[Any]) -> Fetch:
        groups: dict[Any, list[int]] = {}
        local: list[Any] = []
        alone: list[tuple[int, Any]] = []
        packs: list[tuple[list[int], Any]] = []
        for index, value in enumerate(values):
            if len(value.sharding.device_set) > 1:  # one element is on each: here, no computation of all may begin
                value = value.addressable_data(0)
            local.append(value)
            groups.setdefault((value.dtype, value.shape, value.sharding), []).append(index)
        for indices in groups.values():
            try:
                packs.append((indices, self._stack([local[index] for index in indices])))
            except Exception:  # a freed array among them, or a type that cannot be packed
                alone += [(index, _read(local[index])) for index in indices]
        return _Packs(len(values), packs, alone)

    def _stack(self, values: list[Any]) -> Any:
        """Return one array with the values, whose copy has begun. Compiled for 1, 2, 4, 8... values, not for each."""
        if self._pack is None:
            numpy = self._jax.numpy
            self._pack = self._jax.jit(lambda arrays: numpy.stack([numpy.reshape(each, ()) for each in arrays]))
        room = 1 << (len(values) - 1).bit_length()
        packed = self._pack(values + values[-1:] * (room - len(values)))
        packed.copy_to_host_async()
        return packed


def _read(value: Any) -> Any:
    try:
        return value.item() if hasattr(value, "item") else value
    except Exception as error:
        return error


class _Packs:
    """``packs``: arrays with the values of these positions; ``alone``: values, or what they are, by position."""

    def __init__(self, count: int, packs: list[tuple[list[int], Any]], alone: list[tuple[int, Any]]):
        self._count, self._packs, self._alone = count, packs, alone

    def ready(self) -> bool:
        return all(pack.is_ready() for _, pack in self._packs)

    def result(self) -> Sequence[Any]:
        values: list[Any] = [None] * self._count
        for index, value in self._alone:
            values[index] = _read(value)
        for indices, pack in self._packs:
            try:
                numbers = [item.item() for item in pack.__array__()[: len(indices)]]
            except Exception as error:  # what the device has raised
                numbers = [error] * len(indices)
            for index, number in zip(indices, numbers, strict=True):
                values[index] = number
        return values
