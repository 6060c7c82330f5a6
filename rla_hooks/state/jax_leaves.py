"""Arrays of JAX as leaves of a tree, and back. Imported where the program has imported JAX.

{"$key": ["threefry2x32", {...}]}    a typed key of random numbers: its implementation and its data
"of": "jax", "weak": true            a number that JAX takes for one of Python's: it does not decide the type
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rla_hooks.encoding import KeyPath, NotStorable
from rla_hooks.state import dtypes
from rla_hooks.state.leaf import Leaf, Parts


def is_array(value: Any) -> bool:
    """Return whether a value is an array of JAX, a typed key too."""
    return isinstance(value, jax.Array)


def is_key(value: Any) -> bool:
    """Return whether a value is a typed key of random numbers, or an array of them."""
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def key_of(implementation: str, data: Any) -> Any:
    """Return the typed key of these. Raises ValueError for an implementation that this JAX lacks."""
    return jax.random.wrap_key_data(jnp.asarray(data), impl=implementation)


def problem_of(value: Any) -> str:
    """Return why an array cannot be stored, and what to do; "" for one that can be."""
    if isinstance(value, jax.core.Tracer):
        return "a value inside of a function that JAX traces has no numbers yet. Save outside of jit."
    if value.is_deleted():
        return "its buffer was donated to a jitted function. Save what that function has returned."
    if not value.is_fully_addressable:
        return "parts of it are on devices of other processes. Gather it: multihost_utils.process_allgather(x)."
    return ""


def leaf(value: Any, keys: KeyPath) -> Leaf:
    """Return the leaf of an array. Raises NotStorable."""
    if problem := problem_of(value):
        raise NotStorable(keys, problem)
    if is_key(value):
        return Parts("$key", [str(jax.random.key_impl(value)), jax.random.key_data(value)])
    return JaxLeaf(value)


class JaxLeaf(Leaf):
    """An array of JAX. It cannot change, so it need not be copied to be kept."""

    of = "jax"

    def __init__(self, value: Any):
        self.dtype, self.shape, self.nbytes = dtypes.name_of(np.dtype(value.dtype)), tuple(value.shape), value.nbytes
        self.strides = None
        self.weak = bool(value.weak_type) and not value.shape
        self.memory = ("jax", id(value), id(value) + 1)  # the same array twice is one
        self.contiguous = True
        self._array = value

    def freeze(self) -> None:
        """Its buffer may be donated to the next step, so its values are copied all the same."""
        self._array = np.array(self._array)
        self.memory = None


def array_of(value: np.ndarray[Any, Any], weak: bool, like: Any = None) -> Any:
    """Return an array of JAX with these values, on the devices of ``like`` where that is given."""
    if weak and not value.shape:
        found = jnp.asarray(value.item())
        if found.dtype == value.dtype:
            return found
    if jax.dtypes.canonicalize_dtype(value.dtype) != value.dtype:
        raise ValueError(f"it has dtype {value.dtype}, for which JAX needs jax_enable_x64")
    if like is not None and getattr(like, "committed", False):
        return jax.device_put(value, like.sharding)
    return jnp.array(value)  # a copy: JAX could take over the memory
