"""New values of a run's hyper-parameters, as somebody types them: ``lr=1e-4``, ``layers=[64, 64]``, and seeds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from rla_hooks.errors import ConfigError, did_you_mean
from rla_hooks.former_parameters import FormerParameters
from rla_hooks.parameter_forms import SECRET, TEXT
from rla_hooks.texts import beginnings, shown

SEED_NAMES = ("seed", "random_seed", "rng_seed", "random_state", "seed_value", "manual_seed", "seed_id")
_MOST_SEEDS = 10_000
_LONGEST = 80  # characters of a value in a message
_NOTHING = ("null", "~", "None", "none")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")  # YAML wants a point in 1e-4
_NO_NUMBER = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)  # and .inf for inf


def pairs_of(texts: Iterable[str], option: str = "--set") -> dict[str, str]:
    """Return the names and the values of texts such as ``lr=1e-4``. Raises ConfigError. option: whose texts they are.

    >>> pairs_of(["lr=1e-4", "name=a=b"])
    {'lr': '1e-4', 'name': 'a=b'}
    """
    found: dict[str, str] = {}
    problems = []
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            problems.append(f"{option} has {shown(text, _LONGEST)}. Allowed: a name and a value: {option} lr=1e-4.")
        elif name.strip() in found:
            problems.append(f"{option} has {name.strip()} twice. Give it once.")
        found[name.strip()] = value.strip()
    if problems:
        raise ConfigError(problems)
    return found


def checked(former: FormerParameters, given: Mapping[str, Any], are_texts: bool) -> dict[str, Any]:
    """Return new values of hyper-parameters, each in the type of its old value. Raises ConfigError with all mistakes.

    are_texts: as somebody types them, YAML's scalars, lists and mappings; else values of Python.

    >>> former = FormerParameters({"hyper_parameters": ["lr", "net"]}, {"lr": 0.1, "net.width": 64})
    >>> checked(former, {"lr": "1e-4", "net.width": "32"}, True)
    {'lr': 0.0001, 'net.width': 32}
    >>> checked(former, {"net.width": "wide", "Lr": "1"}, True)
    Traceback (most recent call last):
    rla_hooks.errors.ConfigError: 2 mistakes:
      - net.width is 'wide' (str). Allowed: an int, as 64 was.
      - Lr is no hyper-parameter of the run. Known: lr, net.width. Did you mean 'lr'?
    """
    found: dict[str, Any] = {}
    problems: list[str] = []
    known = {name: None for key in former.flat for name in beginnings(key)}
    for name, value in given.items():
        if name not in known:
            names = ", ".join(former.flat) or "there are none"
            problems.append(f"{name} is no hyper-parameter of the run. Known: {names}.{did_you_mean(name, known)}")
            continue
        try:
            found[name] = _checked(former, name, value, are_texts)
        except ValueError as error:
            problems.append(f"{name} is {shown(value, _LONGEST)} ({type(value).__name__}). {error}")
    if problems:
        raise ConfigError(problems)
    return found


def _checked(former: FormerParameters, name: str, value: Any, is_text: bool) -> Any:
    """Return one value, or raise ValueError, which says what is allowed."""
    old, form = former.flat.get(name), former.form(name)
    if form == TEXT:
        raise ValueError("Of what it was there is a text only, so nothing can be given in its place.")
    if form == SECRET:
        return value
    is_tagged = is_text and value.startswith("!!")  # the type is said
    new = _parsed(value, old) if is_text else value
    if new is None or (old is None and name in former.flat) or is_tagged:
        return new
    if name not in former.flat:  # a config
        if isinstance(new, Mapping) and form is None:
            return dict(new)
        inner = next(key for key in former.flat if key.startswith(f"{name}."))
        raise ValueError(f"Allowed: its single values, such as {inner}.")
    return _in_type_of(old, new)


def typed(text: str, old: Any) -> Any:
    """Return a value that somebody types: in the type of ``old``; as YAML has it where that is None. Raises ValueError.

    >>> typed("1e-4", None), typed("1", 0.5), typed("1", "a"), typed("[64, 64]", None)
    (0.0001, 1.0, '1', [64, 64])
    """
    new = _parsed(text, old)
    return new if new is None or old is None or text.startswith("!!") else _in_type_of(old, new)


def _parsed(text: str, old: Any) -> Any:
    if isinstance(old, str):
        return None if text in _NOTHING[:2] else _unquoted(text)
    if text in _NOTHING:
        return None
    if not text:  # of a variable of the shell that is not set, say
        raise ValueError("Allowed: a value; for None write null.")
    if isinstance(old, float) and _NO_NUMBER.fullmatch(text):
        return float(text)
    if _NUMBER.fullmatch(text) and not re.fullmatch(r"[-+]?\d+", text):
        return float(text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"Allowed: YAML, such as 0.1, true, [64, 64]: {' '.join(str(error).split())}.") from None


def _unquoted(text: str) -> str:
    if (len(text) > 1 and text[0] == text[-1] and text[0] in "'\"") or text.startswith("!!"):
        try:
            return str(yaml.safe_load(text))
        except yaml.YAMLError:
            return text
    return text


def _in_type_of(old: Any, new: Any) -> Any:
    if isinstance(old, bool) or isinstance(new, bool):
        if type(old) is type(new):
            return new
        raise ValueError(f"Allowed: {'true or false' if isinstance(old, bool) else _word(old)}, as {old} was.")
    if isinstance(old, float) and isinstance(new, (int, float)):
        return float(new)
    if isinstance(old, int) and isinstance(new, float) and math.isfinite(new) and new == int(new):
        return int(new)
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        return list(new)
    if isinstance(new, type(old)):
        return new
    more = f" For a float write '!!float {new}'." if isinstance(new, float) and isinstance(old, int) else ""
    raise ValueError(f"Allowed: {_word(old)}, as {shown(old, _LONGEST)} was.{more}")


def _word(value: Any) -> str:
    kind = type(value).__name__
    return {"str": "a text", "dict": "a mapping"}.get(kind, f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}")


def seeds_of(text: str) -> list[int]:
    """Return the seeds that somebody types: numbers, and ranges whose last number is one of them. Raises ConfigError.

    >>> seeds_of("0..2,7"), seeds_of("3")
    ([0, 1, 2, 7], [3])
    """
    found: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"(-?\d+)(?:\.\.(-?\d+))?", part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last - first >= _MOST_SEEDS:
            why = "" if not match else " A range goes up, and has at most 10,000 numbers."
            raise ConfigError(f"--seeds has {shown(part, _LONGEST)}. Allowed: numbers and ranges: 0..4 or 0,1,7.{why}")
        found |= dict.fromkeys(range(first, last + 1))
    return list(found)


def seed_name(former: FormerParameters, given: str | None, option: str = "--seed-name") -> str:
    """Return the hyper-parameter that is the run's seed. Raises ConfigError.

    >>> seed_name(FormerParameters({"hyper_parameters": ["net"]}, {"net.seed": 0, "net.width": 64}), None)
    'net.seed'
    """
    if given is not None:
        if given in former.flat:
            return given
        raise ConfigError(
            f"{option} is {shown(given, _LONGEST)}, which is no hyper-parameter of the run. Known: "
            f"{', '.join(former.flat)}.{did_you_mean(given, former.flat)}"
        )
    ranks: list[Callable[[str], str]] = [lambda name: name, lambda name: name.rpartition(".")[2]]
    for last_part in ranks:
        for word in SEED_NAMES:
            fit = [name for name in former.flat if last_part(name).lower() == word]
            if len(fit) == 1:
                return fit[0]
            if fit:
                raise ConfigError(f"the run has several seeds: {', '.join(fit)}. Say which: {option} {fit[0]}")
    raise ConfigError(
        f"the run has no hyper-parameter that is called {', '.join(SEED_NAMES[:4])}. Say which one is its seed: "
        f"{option} NAME. Known: {', '.join(former.flat) or 'there are none'}."
    )
