"""Arrays and scalars of numpy, and its random streams."""

from __future__ import annotations

from typing import Any

import numpy

from rla_hooks.checkpoints import compare
from rla_hooks.state.objects import stored
from rla_hooks.state.objects.walk import TAG, Kind, Walk


class Arrays(Kind):
    """Arrays, also memory-mapped ones, are filled in place; scalars are replaced."""

    replaceable = True

    def matches(self, value: Any) -> bool:
        if isinstance(value, (numpy.ndarray, numpy.generic)):
            return not value.dtype.hasobject
        return stored.owner(value) == "numpy"

    def loose(self, value: Any) -> bool:
        return bool(value.ndim == 0)

    def fixed(self, value: Any) -> bool:
        return isinstance(value, numpy.generic)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return value

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if value is None or walk.freely or value.ndim == tree.ndim == 0:
            return
        line = compare.difference(at, _spec(value), _spec(tree))
        if line:
            walk.problems.append(line.replace("in the file", "in the state"))
        elif not value.flags.writeable:
            walk.problems.append(f"{at} is an array that cannot be written to. Open it for writing")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        if isinstance(tree, numpy.generic):
            return tree
        if isinstance(value, numpy.ndarray) and not walk.freely and _spec(value) == _spec(tree):
            fill(value, tree)
            return value
        return numpy.array(stored.read(tree))


def fill(array: Any, tree: Any) -> None:
    """Put what an array of a tree has into an array of the same shape and type."""
    if stored.owner(tree):
        tree.into(array)
    else:
        numpy.copyto(array, tree)


class ObjectArrays(Kind):
    """Arrays of Python objects, as the infos of a buffer are: by their elements."""

    tag, replaceable = "object_array", True

    def matches(self, value: Any) -> bool:
        return isinstance(value, numpy.ndarray) and value.dtype == object

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        items = value.ravel().tolist()
        empty = all(type(item) is dict and not item for item in items)
        return {TAG: self.tag, "shape": value.shape, "items": None if empty else walk.capture(items, at)}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        shape = tuple(tree["shape"])
        if value is not None and value.shape != shape and not walk.freely:
            walk.problems.append(f"{at} has shape {value.shape} and in the state {shape}")
        elif tree["items"] is not None:
            walk.check(None if value is None or walk.freely else value.ravel().tolist(), tree["items"], at)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        if value is None or walk.freely:
            value = numpy.empty(tuple(tree["shape"]), dtype=object)
        flat = numpy.empty(value.size, dtype=object)
        items = (
            [{} for _ in range(value.size)]
            if tree["items"] is None
            else walk.put(value.ravel().tolist(), tree["items"])
        )
        for index, item in enumerate(items):
            flat[index] = item
        value[...] = flat.reshape(value.shape)
        return value


class OtherArrays(Kind):
    """Arrays of texts of any length, and of fields that hold objects: they are refused."""

    tag = "other_array"

    def matches(self, value: Any) -> bool:
        return isinstance(value, numpy.ndarray) and value.dtype.hasobject

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        walk.problems.append(
            f"{at} is an array of dtype {value.dtype}. Pass x.astype('U') of texts, the fields of a record one by one, "
            "or x.tolist()"
        )


class Generators(Kind):
    """numpy.random.Generator and RandomState: in place, so that all who hold one go on with it.

    The seeds from which ``spawn`` makes further streams are kept, too.
    """

    tag, replaceable = "numpy_generator", True

    def matches(self, value: Any) -> bool:
        return isinstance(value, (numpy.random.Generator, numpy.random.RandomState))

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {
            TAG: self.tag,
            "legacy": isinstance(value, numpy.random.RandomState),
            "state": state_of(value),
            "seeds": _seeds_of(_bits(value)),
        }

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        name = tree["state"]["bit_generator"]
        if value is None:
            if not _class_of(name):
                walk.problems.append(f"{at} is a stream of {name} in the state, which this numpy does not have")
            return
        own = type(_bits(value)).__name__
        if own != name:
            walk.problems.append(f"{at} is a stream of {own} and in the state of {name}. Make it with {name}")
        elif isinstance(value, numpy.random.RandomState) != tree["legacy"]:
            kinds = ("Generator", "RandomState")
            walk.problems.append(f"{at} is a {type(value).__name__} and in the state a {kinds[tree['legacy']]}")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        tree = stored.loaded(tree)
        if value is None:
            bits = _class_of(tree["state"]["bit_generator"])()
            value = numpy.random.RandomState(bits) if tree["legacy"] else numpy.random.Generator(bits)
        set_state(value, tree["state"], tree["seeds"])
        return value


def state_of(stream: Any) -> dict[str, Any]:
    """Return the state of a Generator, a RandomState or numpy.random itself as a dict."""
    if isinstance(stream, numpy.random.Generator):
        return dict(stream.bit_generator.state)
    return dict(stream.get_state(legacy=False))


def set_state(stream: Any, state: dict[str, Any], seeds: dict[str, Any] | None = None) -> None:
    """Set the state of a Generator, a RandomState or numpy.random itself."""
    bits = _bits(stream) if stream is not numpy.random else None
    if seeds and bits is not None and isinstance(bits.__getstate__(), tuple):
        sequence = numpy.random.SeedSequence(
            seeds["entropy"],
            spawn_key=tuple(seeds["spawn_key"]),
            pool_size=seeds["pool_size"],
            n_children_spawned=seeds["n_children_spawned"],
        )
        bits.__setstate__((state, sequence))
    if isinstance(stream, numpy.random.Generator):
        stream.bit_generator.state = state
    else:
        stream.set_state(state)


def _bits(stream: Any) -> Any:
    return stream.bit_generator if isinstance(stream, numpy.random.Generator) else stream._bit_generator


def _class_of(name: str) -> Any:
    found = getattr(numpy.random, name, None)
    return found if isinstance(found, type) and issubclass(found, numpy.random.BitGenerator) else None


def _seeds_of(bits: Any) -> dict[str, Any] | None:
    """What ``spawn`` goes by: numpy since 1.25 has it as an attribute, and takes it back when it reads a pickle."""
    sequence = getattr(bits, "seed_seq", None)
    if type(sequence) is not numpy.random.SeedSequence:
        return None
    entropy = sequence.entropy
    return {
        "entropy": entropy if isinstance(entropy, (int, type(None))) else numpy.asarray(entropy).tolist(),
        "spawn_key": tuple(sequence.spawn_key),
        "pool_size": sequence.pool_size,
        "n_children_spawned": sequence.n_children_spawned,
    }


def _spec(value: Any) -> compare.ArraySpec:
    kind = value.dtype
    if kind.names is not None:  # as the files have it: without the note that the fields are aligned
        kind = numpy.lib.format.dtype_to_descr(kind)
    return compare.ArraySpec(tuple(value.shape), str(kind))


KINDS = [Arrays(), ObjectArrays(), OtherArrays(), Generators()]
