"""The hyper-parameters of one run: those of its start, and those that hooks have added later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

from rla_hooks.masking import mask_value
from rla_hooks.parameters import MAX_PARAMETERS, flatten, safe, stored
from rla_hooks.texts import text_of

_MAX_TEXT = 10_000_000  # characters of all hyper-parameters; readers of parameter.json have a limit, too


class HyperParameters:
    """Keeps the user's objects unchanged; :meth:`flat` returns what is written to parameter.json, secrets masked.

    >>> parameters = HyperParameters({"lr": 0.1})
    >>> parameters.add({"lr": 0.3, "width": 64})
    True
    >>> parameters.flat()
    {'lr': 0.1, 'module.lr': 0.3, 'width': 64}
    """

    def __init__(self, values: Mapping[str, Any]):
        self.values = dict(values)
        self.shortened: list[str] = []  # names of those of which flat() returned only the beginning
        self._added: set[str] = set()  # names that were added after the start
        self._former: set[str] = set()  # dotted names of a former life

    @property
    def given(self) -> dict[str, Any]:
        """Those that the run was started with."""
        return {key: value for key, value in self.values.items() if key not in self._added}

    def flat(self) -> dict[str, Any]:
        """Return them without nesting, with dotted keys, values converted to what JSON can hold, secrets masked.

        There are at most 10,000, of long lists and texts the beginning: a vocabulary does not slow down the start.
        """
        return {key: mask_value(key, value) for key, value in self.plain().items()}

    def plain(self) -> dict[str, Any]:
        """Return what :meth:`flat` does, with the secrets in it, for copies of the run in other processes."""
        every = flatten(self.values)
        values: dict[str, Any] = {}
        self.shortened, room = [], _MAX_TEXT
        for key, value in islice(every.items(), MAX_PARAMETERS):
            plain, is_cut, _ = stored(value)
            if isinstance(plain, (str, list, dict)):
                room -= len(plain) if isinstance(plain, str) else len(json.dumps(plain))
                if room < 0:
                    plain, is_cut = "<left out: the hyper-parameters are too long>", True
            values[key] = plain
            self.shortened += [key] if is_cut else []
        if len(every) > len(values):
            self.shortened.append("<more>")
            values["<more>"] = f"{len(every) - len(values)} hyper-parameters"
        return values

    def restore(self, former: Mapping[str, Any]) -> None:
        """Take those of the run's former life, under dotted names, before the others."""
        self.values = {**former, **self.values}
        self._former = set(former)

    def add(self, params: Mapping[str, Any]) -> bool:
        """Add hyper-parameters, and return whether :meth:`flat` has changed.

        If the run was started with another value of the same name, that one stays and the new one is ``module.<name>``.
        A nested config takes the place of what it was in a former life.
        """
        before = _as_text(self.flat())
        for key, value in params.items():
            known = key in self.values and key not in self._added
            # Compared as they are written: of a loaded run, what is secret is not known.
            differs = known and _as_text(_written(key, self.values[key])) != _as_text(_written(key, value))
            name = f"module.{key}" if differs else text_of(key)
            for dotted in self._former.intersection(flatten({key: value})) - {key}:
                self.values.pop(dotted, None)
                self._former.discard(dotted)
            self.values[name] = value
            if not known or differs:
                self._added.add(name)
        return _as_text(self.flat()) != before

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"values": self.plain()}  # the user's objects belong to this process


def _written(key: str, value: Any) -> Any:
    return mask_value(text_of(key), safe(value))


def _as_text(parameters: Any) -> str:
    """To compare them: NaN is not equal to itself."""
    return json.dumps(parameters)
