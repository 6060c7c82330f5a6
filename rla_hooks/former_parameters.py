"""The hyper-parameters that a former run was started with: compared with others, and given back as arguments.

They are those of parameter.json that run.json lists in ``hyper_parameters``: what hooks have added later is none. A run
of an older version has no such list: then all count but ``module.<name>``, and what is missing now was added.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rla_hooks.errors import ConfigError
from rla_hooks.fields import Fields
from rla_hooks.masking import MASK
from rla_hooks.parameter_forms import (
    LOST,
    SECRET,
    forms_of,
    is_compared,
    is_restorable,
    is_same,
    kind_of_config,
    restored,
)
from rla_hooks.parameters import config_fields, flatten, safe
from rla_hooks.texts import beginnings, shown

_LONGEST = 80  # characters of a value in a message
_MAX_LISTED = 5  # differences in a message
_MODULE = "module."  # what a hook adds, if the run has a hyper-parameter of the same name


class Missing:
    """Stands for a hyper-parameter that one of two runs lacks."""

    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()


class Difference(Fields):
    """A hyper-parameter that is not what it was. ``stored`` or ``given`` is :data:`MISSING` where it is not there."""

    name: str
    stored: Any
    given: Any

    def __str__(self) -> str:
        if self.given is MISSING:
            return f"{self.name} is missing, and was {shown(self.stored, _LONGEST)}"
        was = "was missing" if self.stored is MISSING else f"was {shown(self.stored, _LONGEST)}"
        return f"{self.name} is {shown(self.given, _LONGEST)}, and {was}"


def listed(differences: Sequence[Difference]) -> str:
    """Return a text of the first of some differences.

    >>> listed([Difference("steps", 100, 110), Difference("lr", 0.1, MISSING)])
    'steps is 110, and was 100; lr is missing, and was 0.1'
    """
    more = f"; and {len(differences) - _MAX_LISTED} more" if len(differences) > _MAX_LISTED else ""
    return "; ".join(map(str, differences[:_MAX_LISTED])) + more


class FormerParameters:
    """The hyper-parameters of a run's start, from its run.json and its parameter.json.

    >>> former = FormerParameters({"hyper_parameters": ["lr", "net"]}, {"lr": 0.1, "net.width": 64, "added": 1})
    >>> former.arguments({"lr": 0.2})
    {'lr': 0.2, 'net': {'width': 64}}
    >>> [str(each) for each in former.differences({"lr": 0.2, "net": {"width": 64.0}})]
    ['lr is 0.2, and was 0.1']
    """

    def __init__(self, run_json: Mapping[str, Any], hparams: Mapping[str, Any]):
        names, forms, config = map(run_json.get, ("hyper_parameters", "stored_as", "config_argument"))
        self.is_listed = isinstance(names, list) and all(isinstance(each, str) for each in names)
        self._forms = {key: form for key, form in (forms if isinstance(forms, dict) else {}).items() if _is_text(form)}
        is_pair = isinstance(config, list) and len(config) == 2 and all(map(_is_text, config))
        self._config: tuple[str, str] | None = (config[0], config[1]) if is_pair and config else None
        if self.is_listed and names is not None:
            self.names = names
            known = {*names, "<more>"}
            self.flat = {key: value for key, value in hparams.items() if not known.isdisjoint(beginnings(key))}
        else:
            self.flat = {key: value for key, value in hparams.items() if not key.startswith(_MODULE)}
            self.names = list(dict.fromkeys(key.partition(".")[0] for key in self.flat))
            masked = {key for key, value in self.flat.items() if _is_text(value) and MASK in value}
            self._forms |= dict.fromkeys(masked, SECRET)
        there = {beginning for key in self.flat for beginning in beginnings(key)}
        self.lost = [name for name in self.names if name not in there]  #: those that parameter.json does not have
        self._forms |= dict.fromkeys(self.lost, LOST)

    # --- compared -------------------------------------------------------------------------------------------------

    def differences(self, given: Mapping[str, Any], partial: bool = False) -> list[Difference]:
        """Return how other hyper-parameters differ; secrets, and objects of which there is a text, do not count.

        partial: for a run that somebody has named, whose others need not be repeated: what is not given, and what
        parameter.json has lost, is as it was. Else the one is missing, and the other is another one.
        """
        forms = forms_of(given)
        flat = {key: safe(value) for key, value in flatten(given).items()}
        is_short = "<more>" in self.flat or "<more>" in forms
        found = []
        for key in {**self.flat, **flat}:
            stored, new = self.flat.get(key, MISSING), flat.get(key, MISSING)
            if key == "<more>" or not (is_compared(forms.get(key)) and is_compared(self._forms.get(key))):
                continue
            if is_short and (stored is MISSING or new is MISSING):
                continue
            if new is MISSING and (partial or not self.is_listed):
                continue
            if partial and any(each in self.lost for each in beginnings(key)):
                continue
            if stored is MISSING or new is MISSING or not is_same(new, stored):
                found.append(Difference(key, stored, new))
        return found

    # --- given back -----------------------------------------------------------------------------------------------

    def arguments(self, overrides: Mapping[str, Any], function: Callable[..., Any] | None = None) -> dict[str, Any]:
        """Return the arguments of a call with the same hyper-parameters, but for the overrides.

        function: what they are arguments of: a secret that it has a default for stays with that, and so does an object
        that is stored as its default is. Raises ConfigError with the names of all others that must be given.
        """
        defaults = {} if function is None else defaults_of(function)
        if self._config is not None:
            return self._config_argument(*self._config, overrides, defaults)
        values, lacking = self._restored(self.names, overrides, defaults)
        if lacking:
            raise ConfigError(_cannot_give_back(lacking))
        return values | dict(overrides)

    def _config_argument(
        self, name: str, kind: str, overrides: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The one argument of a function that got a config, whose fields are the hyper-parameters."""
        if name in overrides:
            return dict(overrides)
        fields = dict(config_fields(defaults.get(name)) or ())
        if fields and kind == kind_of_config(defaults[name]) and not self.differences(fields):
            return dict(overrides)
        if kind != "dict":
            raise ConfigError(
                f"the argument {name} was of type {kind}, which cannot be made again from what was stored. "
                f"Pass it: {name}=..."
            )
        given = {key: value for key, value in overrides.items() if key in self.names}
        values, lacking = self._restored(self.names, given, {})
        if lacking:
            raise ConfigError(_cannot_give_back(lacking))
        return {name: values} | {key: value for key, value in overrides.items() if key not in given}

    def _restored(
        self, names: Iterable[str], overrides: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the values that can be given back, and the names of those that cannot, with their forms."""
        values: dict[str, Any] = {}
        lacking: dict[str, str] = {}
        for name in names:
            if name in overrides:
                values[name] = overrides[name]
                continue
            lost = {key: form for key, form in self._forms.items() if _is_in(key, name) and not is_restorable(form)}
            if lost and not (name in defaults and self._is_default(name, defaults[name], lost)):
                lacking |= lost
            elif not lost:
                values[name] = self._restored_one(name)
        return values, lacking

    def _is_default(self, name: str, default: Any, lost: Mapping[str, str]) -> bool:
        """Whether the default does: of a secret, whatever it is; else one that is stored in the same way."""
        if set(lost.values()) == {SECRET} and set(lost) == {name}:
            return True
        flat = {key: safe(value) for key, value in flatten({name: default}).items()}
        own = {key: value for key, value in self.flat.items() if _is_in(key, name)}
        return is_same(flat, own) and forms_of({name: default}) == {
            key: form for key, form in self._forms.items() if _is_in(key, name)
        }

    @property
    def config_argument(self) -> str | None:
        """The name of the one argument whose fields are the hyper-parameters; None where each is an argument."""
        return None if self._config is None else self._config[0]

    def form(self, key: str) -> str | None:
        """How a value is stored: see :mod:`rla_hooks.parameter_forms`; None where it stands there as it was."""
        return self._forms.get(key)

    def can_restore(self, name: str) -> bool:
        """Whether the value of a hyper-parameter, with all that is in it, can be made again from what is stored."""
        return name in self.names and all(
            map(is_restorable, (self._forms[key] for key in self._forms if _is_in(key, name)))
        )

    def value(self, name: str) -> Any:
        """Return a hyper-parameter that can be restored, as it was."""
        return self._restored_one(name)

    def restored_leaf(self, key: str, stored: Any) -> Any:
        """Return what stands in parameter.json under a key as it was, or as it is there if it cannot be restored."""
        form = self._forms.get(key)
        return restored(stored, form) if is_restorable(form) else stored

    def _restored_one(self, name: str) -> Any:
        if name in self.flat:
            return restored(self.flat[name], self._forms.get(name))
        found: dict[str, Any] = {}
        for key, value in self.flat.items():
            if _is_in(key, name):
                *parts, last = key[len(name) + 1 :].split(".")
                inner = found
                for part in parts:
                    inner = inner.setdefault(part, {})
                inner[last] = restored(value, self._forms.get(key))
        return found


def _is_in(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the defaults of a function's parameters.

    >>> defaults_of(lambda lr, steps=3: None)
    {'steps': 3}
    """
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty}


def _cannot_give_back(lacking: Mapping[str, str]) -> str:
    listed = ", ".join(f"{name} ({_REASONS.get(form, form)})" for name, form in lacking.items())
    them = "them" if len(lacking) > 1 else "it"
    first = next(iter(lacking)).partition(".")[0]
    return (
        f"what was stored cannot give back {listed}. Pass {them}: {first}=..., or give a secret a default that the "
        "function reads from the environment."
    )


_REASONS = {
    SECRET: "a secret",
    "text": "stored as text only",
    "beginning": "too long to be stored",
    LOST: "not in parameter.json",
}
