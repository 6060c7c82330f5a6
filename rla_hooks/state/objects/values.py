"""Numbers, texts and containers: trees that stand for themselves, and containers that JSON does not know."""

from __future__ import annotations

import datetime
from collections import OrderedDict, deque
from typing import Any

from rla_hooks.state.objects import classes, columns
from rla_hooks.state.objects.walk import TAG, Kind, Walk, kind_of

_SCALARS = frozenset(
    {type(None), bool, int, float, complex, str, bytes}
    | {datetime.datetime, datetime.date, datetime.time, datetime.timedelta}
)


class Scalars(Kind):
    """None, numbers, texts, times: replaced by what the tree has."""

    replaceable = True

    def matches(self, value: Any) -> bool:
        return type(value) in _SCALARS

    def loose(self, value: Any) -> bool:
        return True

    def fixed(self, value: Any) -> bool:
        return True

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return value

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        """Any number may take the place of any other."""

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        return tree


class Dicts(Kind):
    """Dicts with any keys, of any class that derives from dict: filled in place.

    A dict that is empty takes any keys. In one that is not, the arrays and objects must have the same keys.
    """

    replaceable = True

    def matches(self, value: Any) -> bool:
        return isinstance(value, dict) and not (TAG in value and type(value) is dict) and not has_metadata(value)

    def loose(self, value: Any) -> bool:
        return not value

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {key: walk.capture(part, f"{at}.{key}") for key, part in value.items()}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        value = value or {}
        for key in {**value, **tree}:
            place = f"{at}.{key}"
            if key in value and key in tree:
                walk.check(value[key], tree[key], place)
            elif key in tree and (walk.freely or not value or _is_plain(tree[key])):
                walk.check(None, tree[key], place)
            elif key in tree:
                walk.problems.append(f"{place} is only in the state")
            elif not walk.freely and not _is_plain(value[key]):
                walk.problems.append(f"{place} is not in the state")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value = {} if value is None else value
        parts = {key: walk.put(value.get(key), part) for key, part in tree.items()}
        value.clear()
        value.update(parts)
        return value


class TaggedDicts(Kind):
    """Dicts that have the key "rla" themselves."""

    tag, replaceable = "dict", True

    def matches(self, value: Any) -> bool:
        return type(value) is dict and TAG in value

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "pairs": walk.capture([list(pair) for pair in value.items()], at)}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        walk.check(None, tree["pairs"], at)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value = {} if value is None else value
        pairs = walk.put(None, tree["pairs"])
        value.clear()
        value.update(pairs)
        return value


class Lists(Kind):
    """Lists: filled in place, with as many elements as the tree has.

    Long uniform ones are stored as columns, so that a million of elements is a few arrays.
    """

    tag, replaceable = "list", True

    def matches(self, value: Any) -> bool:
        return type(value) is list

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        items = columns.pack(value, at, walk)
        return items if type(items) is list else {TAG: self.tag, "items": items}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if type(tree) is dict:
            columns.check(tree["items"], at, walk)
            return
        value = value or []
        if len(value) != len(tree) and not all(map(_comes_and_goes, value)):
            walk.problems.append(f"{at} has {len(value)} elements and in the state {len(tree)}")
            return
        for index, part in enumerate(tree):
            same = index < len(value) and (not _is_array(value[index]) or _same(value[index], part))
            walk.check(value[index] if same else None, part, f"{at}[{index}]")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value = [] if value is None else value
        if type(tree) is dict:
            value[:] = columns.unpack(tree["items"], walk)
        else:
            value[:] = [walk.put(value[i] if i < len(value) else None, part) for i, part in enumerate(tree)]
        return value


class Tuples(Kind):
    """Tuples: their elements are filled in place where that is possible."""

    replaceable = True

    def matches(self, value: Any) -> bool:
        return type(value) is tuple

    def loose(self, value: Any) -> bool:
        return all(_is_plain(part) for part in value)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return tuple(walk.capture(part, f"{at}[{index}]") for index, part in enumerate(value))

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        same = value is not None and len(value) == len(tree)
        for index, part in enumerate(tree):
            walk.check(value[index] if same else None, part, f"{at}[{index}]")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        same = value is not None and len(value) == len(tree)
        return tuple(walk.put(value[index] if same else None, part) for index, part in enumerate(tree))


class Deques(Kind):
    """Deques: emptied and filled, in place."""

    tag, replaceable = "deque", True

    def matches(self, value: Any) -> bool:
        return type(value) is deque

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "maxlen": value.maxlen, "items": columns.pack(list(value), at, walk)}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if value is not None and value.maxlen != tree["maxlen"] and not walk.freely:
            walk.problems.append(f"{at} is a deque with maxlen {value.maxlen} and in the state {tree['maxlen']}")
        columns.check(tree["items"], at, walk)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        value = deque(maxlen=tree["maxlen"]) if value is None else value
        value.clear()
        value.extend(columns.unpack(tree["items"], walk))
        return value


class Sets(Kind):
    """Sets of values that stand for themselves."""

    tag, replaceable = "set", True

    def matches(self, value: Any) -> bool:
        return type(value) in (set, frozenset)

    def fixed(self, value: Any) -> bool:
        return type(value) is frozenset

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        return {TAG: self.tag, "frozen": type(value) is frozenset, "items": walk.capture(list(value), at)}

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        walk.check(None, tree["items"], at)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        items = walk.put(None, tree["items"])
        if tree["frozen"]:
            return frozenset(items)
        value = set() if type(value) is not set else value
        value.clear()
        value.update(items)
        return value


class Records(Kind):
    """Named tuples, and objects of dataclasses: by their fields, with the name of their class.

    A class is looked up among the modules that the program has imported, and is not called.
    """

    tag, replaceable = "record", True

    def matches(self, value: Any) -> bool:
        return classes.is_record(value)

    def fixed(self, value: Any) -> bool:
        return isinstance(value, tuple)

    def capture(self, value: Any, at: str, walk: Walk) -> Any:
        fields = classes.fields_of(value)
        if problem := classes.problem_of(type(value)):
            walk.problems.append(f"{at} {problem}")
        return {
            TAG: self.tag,
            "class": classes.name_of(type(value)),
            "fields": {name: walk.capture(part, f"{at}.{name}") for name, part in fields.items()},
        }

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        found = type(value) if value is not None else classes.find(tree["class"])
        if value is not None and (kind := classes.name_of(type(value))) != tree["class"]:
            walk.problems.append(f"{at} is a {kind} and in the state a {tree['class']}")
        elif found is None:
            walk.problems.append(f"{at} is a {tree['class']} in the state, which is not here: import it before")
        elif set(names := classes.field_names(found)) != set(tree["fields"]):
            walk.problems.append(f"{at} has the fields {list(names)} and in the state {list(tree['fields'])}")
        else:
            own = classes.fields_of(value) if value is not None else {}
            for name, part in tree["fields"].items():
                walk.check(own.get(name), part, f"{at}.{name}")

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        own = classes.fields_of(value) if value is not None else {}
        fields = {name: walk.put(own.get(name), part) for name, part in tree["fields"].items()}
        if value is None or isinstance(value, tuple):
            return classes.make(classes.find(tree["class"]), fields)
        for name, part in fields.items():
            object.__setattr__(value, name, part)
        return value


def has_metadata(value: Any) -> bool:
    """Return whether a dict is what ``state_dict()`` of torch and TensorDict returns, which has an attribute more."""
    return type(value) is OrderedDict and hasattr(value, "_metadata")


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def _same(value: Any, tree: Any) -> bool:
    """Whether an array can be filled with another; in a list, one that cannot be is replaced."""
    return _is_array(tree) and tuple(value.shape) == tuple(tree.shape) and value.dtype == tree.dtype


def _comes_and_goes(value: Any) -> bool:
    """Whether a list may have more or fewer of such values: of data and arrays, but not of objects."""
    return _is_plain(value) or _is_array(value)


def _is_plain(value: Any) -> bool:
    """Whether a value is data that may come and go: a number, a text, a container, not an array or an object."""
    kind = kind_of(value)
    return isinstance(kind, (Scalars, Dicts, TaggedDicts, Lists, Tuples, Deques, Sets, Records))


KINDS = [Scalars(), Lists(), Tuples(), Dicts(), TaggedDicts(), Deques(), Sets(), Records()]
