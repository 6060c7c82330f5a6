"""How hyper-parameters are stored: which of them parameter.json can give back as they were, and which it cannot.

    {"lr": 0.1, "layers": (64, 64), "token": "s3cr3t", "optimizer": Adam(), "out": Path("x"), "net": Net(width=64)}

    parameter.json  {"lr": 0.1, "layers": [64, 64], "token": "***", "optimizer": "Adam()", "out": "x", "net.width": 64}
    run.json        "stored_as": {"layers": "tuple", "token": "secret", "optimizer": "text", "out": "of type PosixPath",
                                  "net": "of type Net"}

What is not in ``stored_as`` stands in parameter.json as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rla_hooks.masking import mask_value
from rla_hooks.parameters import MAX_PARAMETERS, flatten, stored
from rla_hooks.texts import beginnings

SECRET = "secret"  # it was masked
TEXT = "text"  # of an object there is a text
BEGINNING = "beginning"  # it is too long
LOST = "lost"  # parameter.json does not have it: a full disk, or somebody has deleted the file
CLASH = "stored under the same name as another one"  # {"a.b": 1, "a": {"b": 2}}
_OF_TYPE = "of type "  # it has another type there: a path is a text, a config a mapping
_NOT_COMPARED = (SECRET, TEXT, BEGINNING)
_EXACT = {type(None), bool, int, float, str}
_SEQUENCES: dict[str, type] = {"list": list, "tuple": tuple}


def forms_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return in which form those hyper-parameters are stored that JSON does not give back: see the top of this file.

    >>> forms_of({"lr": 0.1, "layers": [(8, 3), (4, 2)], "api_key": "abc", "kind": int, "net": {"act": object()}})
    {'layers': 'list of tuple', 'api_key': 'secret', 'kind': 'of type type', 'net.act': 'text'}
    """
    containers: dict[str, Any] = {}
    flat = flatten(values, containers)
    found = {key: form for key, value in flat.items() if (form := _form_of(key, value))}
    found |= {key: _type_of(value) for key, value in containers.items() if not _is_plain_mapping(value)}
    found |= dict.fromkeys(_clashes(values), CLASH)
    if len(flat) > MAX_PARAMETERS:
        found["<more>"] = BEGINNING
    return found


def kind_of_config(value: Any) -> str:
    """Return the type of the one argument whose fields are the hyper-parameters; ``dict`` if they make it again.

    >>> kind_of_config({"lr": 0.1}), kind_of_config({0: 0.1})
    ('dict', 'dict with keys that are no texts')
    """
    name = type(value).__name__
    is_odd = isinstance(value, dict) and any(type(key) is not str for key in value)
    return f"{name} with keys that are no texts" if is_odd else name


def _clashes(values: Mapping[str, Any]) -> list[str]:
    """Return the names of which one begins with another and a dot: of both there may be one dotted name."""
    dotted = [key for key in values if type(key) is str and "." in key]
    pairs = [(key, start) for key in dotted for start in beginnings(key)[:-1] if start in values]
    return [name for pair in pairs for name in pair]


def _form_of(key: str, value: Any) -> str | None:
    if type(value) in (float, bool):  # most of them are
        return None
    plain, is_cut, is_text = stored(value)
    if not is_same(mask_value(key, plain), plain):
        return SECRET
    if is_text or is_cut:
        return TEXT if is_text else BEGINNING
    return None if _is_exact(value) or _is_number_or_text(value, plain) else _levels_of(value)


def _is_number_or_text(value: Any, plain: Any) -> bool:
    """Whether it is a number or a text of another library, such as numpy's: the plain one does as well."""
    is_of_array = callable(getattr(value, "tolist", None)) and type(plain) in (bool, int, float)
    return is_of_array or (type(value).__module__ == "numpy" and type(plain) is str)


def _levels_of(value: Any) -> str | None:
    """Return the types of nested lists and tuples, one for each level; that of the whole where that does not do."""
    levels: list[str] = []
    level = [value]
    while sequences := [each for each in level if isinstance(each, (list, tuple))]:
        name = next((name for name, kind in _SEQUENCES.items() if {*map(type, sequences)} == {kind}), None)
        if name is None or not all(_is_exact(each) for each in level if not isinstance(each, (list, tuple))):
            return _type_of(value)
        levels.append(name)
        level = [each for part in sequences for each in part]
    if not levels or not all(map(_is_exact, level)):
        return _type_of(value)
    return " of ".join(levels) if "tuple" in levels else None


def _is_exact(value: Any) -> bool:
    """Whether JSON gives the value back as it is."""
    if type(value) is dict:
        return all(type(key) is str for key in value) and all(map(_is_exact, value.values()))
    return type(value) in _EXACT or (type(value) is list and all(map(_is_exact, value)))


def _is_plain_mapping(value: Any) -> bool:
    """Whether a nested mapping can be made again from the dotted keys in it."""
    return type(value) is dict and all(type(key) is str and "." not in key for key in value)


def _type_of(value: Any) -> str:
    return f"{_OF_TYPE}{type(value).__name__}"


def is_compared(form: str | None) -> bool:
    """Whether what is stored in this form says whether two values are equal.

    >>> is_compared("secret"), is_compared("of type PosixPath"), is_compared(None)
    (False, True, True)
    """
    return form not in _NOT_COMPARED


def is_restorable(form: str | None) -> bool:
    """Whether the value can be made again from what is stored in this form.

    >>> is_restorable("secret"), is_restorable("of type PosixPath"), is_restorable("tuple"), is_restorable(None)
    (False, False, True, True)
    """
    return form is None or set(form.split(" of ")) <= set(_SEQUENCES)


def restored(value: Any, form: str | None) -> Any:
    """Return a value as it was, from what parameter.json has.

    >>> restored([[8, 3], [4, 2]], "list of tuple")
    [(8, 3), (4, 2)]
    """
    return value if form is None else _restored(value, form.split(" of "))


def _restored(value: Any, levels: list[str]) -> Any:
    if not levels or not isinstance(value, list):
        return value
    return _SEQUENCES.get(levels[0], list)(_restored(each, levels[1:]) for each in value)


def is_same(given: Any, stored: Any) -> bool:
    """Whether two plain values are the same hyper-parameter: 1 and 1.0 are, NaN is itself, True is not 1.

    >>> is_same(1, 1.0), is_same(float("nan"), float("nan")), is_same(True, 1), is_same([1, {"a": 2}], [1.0, {"a": 2}])
    (True, True, False, True)
    """
    if isinstance(given, dict) and isinstance(stored, dict):
        return given.keys() == stored.keys() and all(is_same(value, stored[key]) for key, value in given.items())
    if isinstance(given, list) and isinstance(stored, list):
        return len(given) == len(stored) and all(map(is_same, given, stored))
    if isinstance(given, bool) or isinstance(stored, bool):
        return given is stored
    return bool(given == stored or (given != given and stored != stored))
