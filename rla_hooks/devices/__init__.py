"""Brings the values of tensors that live on an accelerator to the host: those of one row together.

Reading ten values one by one stops the program ten times until the device has done all its work. Here they are packed
on the device, per data type, and copied in the background of its current stream, so that what the training does to the
tensors afterwards is not seen; whoever needs the numbers waits once, or looks later whether they are there.

No framework is imported to find out what a value is. A framework is a :class:`Family` in a file of its own, which is
imported when the first value of it is seen.
"""

from __future__ import annotations

import sys
from typing import Any

from rla_hooks.devices.transfer import ARRIVING, Family, Fetch, Transfer

__all__ = ["ARRIVING", "Family", "Fetch", "Transfer", "family_of"]

_families: dict[type, Family] = {Transfer: ARRIVING}  # by the type of the value


def family_of(value: Any) -> Family | None:
    """Return the family of a value; None where there is none, which is so for every value that is no tensor.

    >>> family_of(0.5), family_of([1.0])
    (None, None)
    """
    kind = type(value)
    family = _families.get(kind)
    if family is None:
        family = _find(value, kind)
        if family is not None:
            _families[kind] = family
    return family


def _find(value: Any, kind: type) -> Family | None:
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    parameter = getattr(getattr(torch, "nn", None), "Parameter", None)  # torch may be half imported, by another thread
    if parameter is not None and kind in (torch.Tensor, parameter):  # type: ignore[union-attr]
        from rla_hooks.devices.torch_tensors import TorchTensors

        return TorchTensors(torch)
    if jax is not None and hasattr(kind, "copy_to_host_async") and kind.__name__ == "ArrayImpl":
        from rla_hooks.devices.jax_arrays import JaxArrays

        return JaxArrays(jax)
    return None
