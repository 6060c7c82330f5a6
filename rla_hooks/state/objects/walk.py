"""Captures objects into plain trees, and puts trees back into the objects, exactly and in place.

A plain tree is made of dicts, lists, tuples, str, bytes, bool, None, int, float, complex, arrays of numpy and JAX and
tensors of torch. What is none of these becomes a dict whose key ``"rla"`` says its kind::

    {"rla": "generator", "state": {"bit_generator": "PCG64", ...}, "seed_sequence": {...}}

The arrays of a tree are those of the object, not copies: write or copy the tree before the object changes.

A kind of object is a class with the methods of :class:`Kind` in one of the modules of :data:`MODULES`. Those of a
framework are imported when the program has imported the framework.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from rla_hooks.errors import CheckpointError
from rla_hooks.state.advice import told
from rla_hooks.state.objects import stored

TAG = "rla"  # the key of a dict in a tree that stands for an object
DEEPEST = 100

#: Which package the program must have imported, and the module with the list KINDS. The first kind that matches counts.
MODULES = [
    ("flax.nnx", "rla_hooks.state.objects.nnx_modules"),
    ("jax", "rla_hooks.state.objects.jax_trees"),
    ("", "rla_hooks.state.objects.values"),
    ("", "rla_hooks.state.objects.parts"),
    ("numpy", "rla_hooks.state.objects.numpy_values"),
    ("torch", "rla_hooks.state.objects.torch_values"),
    ("jax", "rla_hooks.state.objects.jax_values"),
    ("tensorflow", "rla_hooks.state.objects.tensorflow_values"),
    ("keras", "rla_hooks.state.objects.keras_values"),
    ("tensorflow", "rla_hooks.state.objects.tensorflow_objects"),
    ("keras", "rla_hooks.state.objects.keras_models"),
    ("torch", "rla_hooks.state.objects.torch_modules"),
    ("stable_baselines3", "rla_hooks.state.objects.sb3"),
    ("gymnasium", "rla_hooks.state.objects.environments"),
    ("torchrl", "rla_hooks.state.objects.torchrl"),
    ("tianshou", "rla_hooks.state.objects.tianshou"),
    ("", "rla_hooks.state.objects.methods"),
    ("", "rla_hooks.state.objects.attributes"),
]


class Kind:
    """How values of one kind are captured and restored."""

    #: What ``tree["rla"]`` is; "" where the tree is the value itself, as it is of numbers, lists and arrays.
    tag = ""
    #: Whether a value of this kind can be made from its tree alone, in place of one that is not there yet.
    replaceable = False

    def matches(self, value: Any) -> bool:
        """Return whether a value is of this kind."""
        raise NotImplementedError

    def loose(self, value: Any) -> bool:
        """Return whether a value of any other kind may take the place of this one, as it may of a number or of None."""
        return False

    def fixed(self, value: Any) -> bool:
        """Return whether a value cannot be changed in place."""
        return False

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        """Return the tree. Says in ``walk.problems`` what cannot be stored, in ``walk.missing`` what is left out."""
        raise NotImplementedError

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        """Say in ``walk.problems`` why the tree does not fit the value. Changes nothing. value: None to make one."""
        raise NotImplementedError

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        """Put the tree into the value, and return it; or return the value that takes its place."""
        raise NotImplementedError


class Captured(NamedTuple):
    """A plain tree, and a line for each part that it leaves out, with what to do."""

    tree: Any
    missing: list[str]


def capture(value: Any, name: str = "it") -> Captured:
    """Return the plain tree of an object, and what is missing in it.

    name: of the object in messages. Raises CheckpointError for what cannot be stored: where, what, and what to do.

    >>> import random
    >>> stream = random.Random(1)
    >>> tree = capture(stream).tree
    >>> first = stream.random()
    >>> restore(stream, tree)
    []
    >>> stream.random() == first
    True
    """
    walk = Walk()
    tree = walk.capture(value, name)
    if walk.problems:
        raise CheckpointError(f"The state cannot be stored: {told(walk.problems, 5)}")
    return Captured(tree, walk.missing)


def check(value: Any, tree: Any, name: str = "it") -> list[str]:
    """Return why a tree does not fit an object: a line for each difference, none where it fits. Changes nothing.

    >>> check({"steps": [1]}, {"steps": 5}, "counts")
    ['counts.steps is a list and in the state an int']
    """
    walk = Walk()
    walk.check_in_place(value, tree, name)
    return walk.problems


def put(value: Any, tree: Any) -> None:
    """Put a tree that fits into an object, in place."""
    Walk().put(value, tree)


def restore(value: Any, tree: Any, name: str = "it") -> list[str]:
    """Put a tree into an object, in place; or return why it does not fit, and change nothing.

    >>> counts = {"steps": [1]}
    >>> restore(counts, {"steps": [1, 2]}), counts
    ([], {'steps': [1, 2]})
    """
    problems = check(value, tree, name)
    if not problems:
        put(value, tree)
    return problems


class Walk:
    """One way through an object: what was found, and where it is.

    freely: arrays may have another shape or type than those in the tree, and are replaced, not filled. So it is in
    environments, whose fields are None before the first reset, and whose arrays may be the program's observations.
    """

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.missing: list[str] = []
        self.environments: list[Any] = []  # that were captured, with their layers
        self.left_out: list[tuple[str, Any]] = []  # environments that objects hold, and where
        self.freely = False
        self._ancestors: list[int] = []

    def capture(self, value: Any, at: str) -> Any:
        """Return the tree of a value, None for one that cannot be stored, of which ``problems`` says more."""
        kind = kind_of(value)
        if kind is None:
            self.problems.append(f"{at} is {described(value)}. {_HINT}")
            return None
        if id(value) in self._ancestors:
            self.problems.append(f"{at} is {described(value)} that contains itself. {_HINT}")
            return None
        if len(self._ancestors) >= DEEPEST:
            self.problems.append(f"{at} is nested {DEEPEST} levels deep. {_HINT}")
            return None
        self._ancestors.append(id(value))
        try:
            return kind.capture(value, at, self)
        finally:
            self._ancestors.pop()

    def note_left_out(self) -> None:
        """Say in ``missing`` which environments an object holds that were not captured by themselves."""
        for at, env in self.left_out:
            if not any(env is each for each in self.environments):
                self.missing.append(f"{at}: it is an environment, and was not passed. Pass it as env, too")

    def check(self, value: Any, tree: Any, at: str) -> None:
        """Say in ``problems`` why a tree does not fit a value."""
        own, stored = kind_of(value), kind_of_tree(tree)
        if stored is None:
            self.problems.append(
                f"{at} is {described(tree)} in the state. Import its library before the state is loaded"
            )
        elif own is stored:
            own.check(value, tree, at, self)
        elif self._takes(own, stored, value, tree):
            stored.check(None, tree, at, self)
        else:
            found, there = described(value), described(tree)
            if found == there and own is not None:  # a Sequential of torch and one of Keras
                found, there = (f"{found} ({kind.tag.replace('_', ' ')})" for kind in (own, stored))
            self.problems.append(f"{at} is {found} and in the state {there}")

    def has_class(self, value: Any, name: str, at: str) -> bool:
        """Return whether a value is of the class of this name; if not, say so in ``problems``."""
        if type(value).__name__ != name:
            self.problems.append(f"{at} is a {type(value).__name__} and in the state a {name}")
        return type(value).__name__ == name

    def check_parts(self, own: Mapping[str, Any], stored: Mapping[str, Any], at: str) -> None:
        """Say in ``problems`` which named parts are on one side only, and why others do not fit. A name follows ``at``.

        >>> walk = Walk()
        >>> walk.check_parts({".bias": 1, ".scale": 2}, {".bias": 3}, "layer"), walk.problems
        (None, ['layer.scale is not in the state'])
        """
        for name in {**own, **stored}:
            if name not in stored:
                self.problems.append(f"{at}{name} is not in the state")
            elif name not in own:
                self.problems.append(f"{at}{name} is only in the state")
            else:
                self.check(own[name], stored[name], f"{at}{name}")

    def check_in_place(self, value: Any, tree: Any, at: str) -> None:
        """The same for a value that nobody can replace, such as an argument: it must be one that can be changed."""
        if isinstance(value, tuple):
            if isinstance(tree, tuple) and len(value) == len(tree):
                for index, part in enumerate(value):
                    self.check_in_place(part, tree[index], f"{at}[{index}]")
                return
        elif (own := kind_of(value)) is None or not own.fixed(value):
            self.check(value, tree, at)
            return
        self.problems.append(
            f"{at} is {described(value)}, which cannot be changed in place. Put it into a dict, or into extra"
        )

    def put(self, value: Any, tree: Any) -> Any:
        """Put a tree that fits into a value, and return it or what takes its place."""
        stored = kind_of_tree(tree)
        assert stored is not None  # check has seen it
        return stored.put(value if kind_of(value) is stored else None, tree, self)

    def _takes(self, own: Kind | None, stored: Kind, value: Any, tree: Any) -> bool:
        """Whether a value that the tree alone makes may take the place of this one, which is of another kind."""
        if own is None or not stored.replaceable:
            return False
        return self.freely or own.loose(value) or (tree is None and own.replaceable)

    @contextmanager
    def free(self) -> Iterator[None]:
        """Inside of it, arrays may have another shape, and are replaced."""
        before, self.freely = self.freely, True
        try:
            yield
        finally:
            self.freely = before


_HINT = (
    "Give its class get_state() and set_state(state), or state_dict() and load_state_dict(state), that return and take "
    "dicts, lists, numbers, texts and arrays; or leave it out"
)
_modules: dict[str, list[Kind]] = {}


def kinds() -> Iterator[Kind]:
    """Yield the kinds of all frameworks that the program has imported."""
    for needs, module in MODULES:
        if not needs or sys.modules.get(needs) is not None:
            if module not in _modules:
                _modules[module] = importlib.import_module(module).KINDS
            yield from _modules[module]


def kind_of(value: Any) -> Kind | None:
    """Return the kind of a value; None where it has none."""
    for kind in kinds():
        if kind.matches(value):
            return kind
    return None


def kind_of_tree(tree: Any) -> Kind | None:
    """Return the kind of which a tree is; None where its framework is not imported."""
    if not is_tagged(tree):
        return kind_of(tree)
    return next((kind for kind in kinds() if kind.tag == tree[TAG]), None)


def is_tagged(tree: Any) -> bool:
    """Return whether a tree stands for an object, not for itself."""
    return type(tree) is dict and type(tree.get(TAG)) is str


def described(value: Any) -> str:
    """Return what a value or a tree is, for a message: ``an int``, ``a deque``, ``an array of float32 (3, 2)``.

    >>> described(5), described([]), described({"rla": "deque"})
    ('an int', 'a list', 'a deque')
    """
    if is_tagged(value):
        name = str(value.get("class") or value[TAG]).replace("_", " ")
    elif value is None:
        return "None"
    elif stored.owner(value):  # its type would import its library
        name = f"array of {stored.owner(value)}"
    elif hasattr(value, "shape") and hasattr(value, "dtype"):
        name = f"{type(value).__name__} of {value.dtype} {tuple(value.shape)}"
    else:
        name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeio" else f"a {name}"
