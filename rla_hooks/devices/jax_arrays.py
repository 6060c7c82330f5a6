"""JAX's arrays: the copies to the host of all values of a row run at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rla_hooks.devices.transfer import Fetch, read


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
        return _Copies(values)

    def _packed(self, values: Sequence[Any]) -> Fetch:
        local = [_addressable(value) for value in values]
        groups: dict[Any, list[int]] = {}
        for index, value in enumerate(values):
            groups.setdefault((value.dtype, value.shape, value.sharding), []).append(index)
        packs: list[tuple[list[int], Any]] = []
        numbers: list[Any] = [None] * len(values)
        for indices in groups.values():
            try:
                packs.append((indices, self._stack([local[index] for index in indices])))
            except Exception:  # a freed array among them, a type that cannot be packed, or a function that is traced
                for index in indices:
                    numbers[index] = read(local[index])
        return _Packs(local, packs, numbers)

    def _stack(self, values: list[Any]) -> Any:
        """Return one array with the values, whose copy has begun. Compiled for 1, 2, 4, 8... values, not for each."""
        if self._pack is None:
            numpy = self._jax.numpy
            self._pack = self._jax.jit(lambda arrays: numpy.stack([numpy.reshape(each, ()) for each in arrays]))
        room = 1 << (len(values) - 1).bit_length()
        packed = self._pack(values + values[-1:] * (room - len(values)))
        packed.copy_to_host_async()
        return packed


def _addressable(value: Any) -> Any:
    """Return the element that is here of an array that is on several devices, where no computation of all may begin."""
    try:
        return value.addressable_data(0) if len(value.sharding.device_set) > 1 else value
    except Exception:  # a freed array: reading it says so
        return value


class _Copies:
    """The arrays keep their copies on the host."""

    def __init__(self, values: Sequence[Any]):
        self._values = values

    def ready(self) -> bool:
        return all(value.is_ready() for value in self._values)

    def result(self) -> Sequence[Any]:
        return [read(value) for value in self._values]


class _Packs:
    """``packs``: arrays with the values of these positions; ``numbers``: what was read already, by position."""

    def __init__(self, values: Sequence[Any], packs: list[tuple[list[int], Any]], numbers: list[Any]):
        self._values, self._packs, self._numbers = values, packs, numbers

    def ready(self) -> bool:
        return all(pack.is_ready() for _, pack in self._packs)

    def result(self) -> Sequence[Any]:
        for indices, pack in self._packs:
            try:
                found = [item.item() for item in pack.__array__()[: len(indices)]]
            except Exception:  # what computes one of them has failed: which one?
                found = [read(self._values[index]) for index in indices]
            for index, number in zip(indices, found, strict=True):
                self._numbers[index] = number
        return self._numbers
