"""Code that the backends share: finds objects in the models, selects variables, handles state dicts."""

from __future__ import annotations

import contextlib
import copy
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from rla_hooks.checkpoints import compare
from rla_hooks.encoding import Encoder, KeyPath, NotStorable
from rla_hooks.errors import CheckpointError, did_you_mean
from rla_hooks.texts import text_of

_SIGNS = set("\\^$*+?{}[]|()")  # of regular expressions; the dot stands in names


class Target(NamedTuple):
    """An object to restore, its keys in the nested models, and its part of the file."""

    keys: KeyPath
    value: Any
    state: Any

    @property
    def name(self) -> str:
        """The keys as one text: ``agent.policy``."""
        return dotted(self.keys)


class PrefixFilter:
    """Selects variables by ``var_prefix``: those whose path, ``<key>.<path>`` or ``<key>/<path>`` begins with it.

    One with a sign of regular expressions (any of ``\\^$*+?{}[]|()``) also selects those whose path it matches from the
    beginning, as TensorFlow's scopes do.

    >>> PrefixFilter("body").selects("policy", "body.weight"), PrefixFilter("policy/b").selects("policy", "head")
    (True, False)
    >>> PrefixFilter("(body|head)/.*bias").selects("policy", "head/layer_1/bias")
    True
    """

    def __init__(self, var_prefix: str):
        self.var_prefix = var_prefix
        self._matches = _matcher(var_prefix)
        self._has_selected = False
        self._others: dict[str, None] = {}  # names that were not selected, in their order

    def selects(self, key: str, path: str) -> bool:
        """Return whether the variable ``path`` of the object ``key`` is selected."""
        selected = any(name.startswith(self.var_prefix) for name in (path, f"{key}.{path}", f"{key}/{path}"))
        selected = selected or self._matches(path) is not None
        self._has_selected |= selected
        if not selected:
            self._others[f"{key}.{path}"] = None
        return selected

    def problems(self) -> list[str]:
        """Return a line if there were variables, but none of them was selected; else no line."""
        if self._has_selected or not self._others:
            return []
        names = compare.shorten(list(self._others))
        return [f"var_prefix {self.var_prefix!r} selects none of {names}. Pass how their names begin, or '' for all."]


def _matcher(var_prefix: str) -> Callable[[str], object]:
    """Return the match of a regular expression; of a literal prefix, one that finds nothing."""
    if set(var_prefix) & _SIGNS:
        with contextlib.suppress(re.error):  # of "net(", say
            return re.compile(var_prefix).match
    return lambda path: None


def collect(encoder: Encoder, models: Mapping[str, Any], prefix_filter: PrefixFilter) -> tuple[Any, list[str]]:
    """Return what an encoder makes of the models, and what it left out.

    Raises CheckpointError for the filter's problems: else an empty checkpoint would replace an earlier one.
    """
    content = encoder.encode_or_omit(dict(models))
    if problems := prefix_filter.problems():
        raise CheckpointError(problems[0])
    return content, encoder.left_out or []


def has_state(value: Any, method: str = "state_dict") -> bool:
    """Return whether a value is an object with ``state_dict``, or with another ``method``; a class does not count."""
    try:
        return not isinstance(value, type) and callable(getattr(value, method, None))
    except Exception:  # an attribute may be a property that raises
        return False


def takes_state(value: Any) -> bool:
    """Return whether a value is an object with ``load_state_dict``; a class does not count."""
    return has_state(value, "load_state_dict")


def is_array(value: Any) -> bool:
    """Return whether a value is an array of numpy, without importing it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def is_of_torch(value: Any) -> bool:
    """Return whether a value's class comes from torch."""
    if "torch" not in sys.modules:
        return False
    return any(kind.__module__.partition(".")[0] == "torch" for kind in type(value).__mro__)


def state_of(value: Any, keys: KeyPath) -> Any:
    """Return ``value.state_dict()``. Raises NotStorable if that raises, so that the other objects are saved."""
    try:
        return value.state_dict()
    except Exception as error:
        raise NotStorable(
            keys, f"state_dict() of a {type(value)} raised {type(error).__name__}: {text_of(error)}"
        ) from error


def find(
    content: Any, wanted: Callable[[Any], bool], keys: KeyPath = (), ancestors: frozenset[int] = frozenset()
) -> Iterator[tuple[KeyPath, Any]]:
    """Yield all wanted objects in nested dicts, lists and tuples, each with the keys that lead to it."""
    if wanted(content):
        yield keys, content
    elif isinstance(content, (Mapping, list, tuple)) and id(content) not in ancestors:
        pairs = content.items() if isinstance(content, Mapping) else enumerate(content)
        ancestors |= {id(content)}
        for key, part in pairs:
            if type(part) not in Encoder.scalars:  # a list may hold a million numbers
                yield from find(part, wanted, (*keys, key), ancestors)


def targets(models: Mapping[str, Any], content: Mapping[str, Any], wanted: Callable[[Any], bool]) -> list[Target]:
    """Return the wanted objects among the models with their states. Raises CheckpointError where one has none."""
    found, problems = [], []
    for keys, value in find(models, wanted):
        state: Any = content
        for depth, key in enumerate(keys):
            try:
                state = state[key]
            except (KeyError, IndexError, TypeError):
                known = sorted(map(str, state)) if isinstance(state, Mapping) else []
                hint = did_you_mean(key, known)
                problems.append(f"{dotted(keys[: depth + 1])!r} is not in it (there is: {', '.join(known)}).{hint}")
                break
        else:
            found.append(Target(keys, value, state))
    compare.check(problems)
    return found


def load_states(found: list[Target]) -> None:
    """Call ``load_state_dict`` of each; if one raises, restore its old state and that of those before it.

    Each gets a copy of its state, since optimizers keep the objects that they are given.
    """
    before: list[tuple[Any, Any]] = []
    for target in found:
        try:
            if has_state(target.value):
                before.append((target.value, copy.deepcopy(target.value.state_dict())))
            target.value.load_state_dict(copy.deepcopy(target.state))
        except Exception as error:
            for value, state in reversed(before):
                with contextlib.suppress(Exception):  # what refuses the new state may refuse the old one, too
                    value.load_state_dict(state)
            raise CheckpointError(
                f"does not fit {target.name!r}, a {type(target.value).__name__} "
                f"({type(error).__name__}: {text_of(error)}). Make it as it was when the checkpoint was saved."
            ) from error


def is_empty(content: Any) -> bool:
    """Return whether content has only empty dicts and lists, and None in place of what was left out."""
    parts = content.values() if isinstance(content, Mapping) else content
    return all(map(is_empty, parts)) if isinstance(content, (Mapping, list, tuple, set)) else content is None


def dotted(keys: KeyPath) -> str:
    """Return keys joined with dots, as in names of variables: ``agent.policy``."""
    return ".".join(map(str, keys))
