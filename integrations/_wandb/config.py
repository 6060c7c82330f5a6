"""``wandb.config``: hyper-parameters by attribute and by item, which become those of the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rla_hooks.integrations._wandb.errors import ConfigError

from rla_hooks.hooks import Run, config_fields

DEFAULTS = "config-defaults.yaml"  # read where it lies in the working directory, as wandb does


class Config:
    """The hyper-parameters of a run. A value that is there is changed by ``allow_val_change=True`` only.

    >>> config = Config()
    >>> config.update({"lr": 0.1, "net": {"width": 64}})
    >>> config.lr, config["net"]["width"], config.get("seed", 0), "lr" in config
    (0.1, 64, 0, True)
    >>> config.lr = 0.2
    Traceback (most recent call last):
    rla_hooks.integrations._wandb.errors.ConfigError: config.lr is 0.1, and was to become 0.2. ...
    >>> config.update({"lr": 0.2}, allow_val_change=True)
    >>> dict(config)
    {'lr': 0.2, 'net': {'width': 64}}
    """

    def __init__(self) -> None:
        object.__setattr__(self, "_values", {})
        object.__setattr__(self, "_run", None)
        object.__setattr__(self, "_joined", False)

    def _bind(self, run: Run, joined: bool) -> None:
        """From now on, what is set is added to the hyper-parameters of ``run``. joined: the user has opened that."""
        object.__setattr__(self, "_run", run)
        object.__setattr__(self, "_joined", joined)
        if joined:
            run.add_hyper_params(self._values)

    # --- writing --------------------------------------------------------------------------------------------------

    def update(self, d: Any, allow_val_change: bool | None = None) -> None:
        """Set the values of a mapping, a Namespace, a dataclass or a YAML file. Of a mistake nothing is set."""
        values = {key: _copied(value) for key, value in parse(d).items()}
        if not (allow_val_change or "ipykernel" in sys.modules):
            for key, value in values.items():
                self._check(key, value)
        new = {key: value for key, value in values.items() if key not in self._values}
        changed = {key: values[key] for key in values if key not in new and _differ(values[key], self._values[key])}
        self._values.update(values)
        if self._run is not None:
            if self._joined:  # a parameter that the user's own call has stays; ours becomes module.<name>
                self._run.add_hyper_params({**new, **changed})
                return
            if new:
                self._run.add_hyper_params(new)
            for key, value in changed.items():
                self._run.update_hyper_param(key, value)

    def setdefaults(self, d: Any) -> None:
        """Set those values of a mapping that are not set."""
        self.update({key: value for key, value in parse(d).items() if key not in self._values})

    def persist(self) -> None:
        """Do nothing: what is set is written at once."""

    def _check(self, key: str, value: Any) -> None:
        if key in self._values and _differ(value, self._values[key]):
            raise ConfigError(
                f"config.{key} is {self._values[key]!r}, and was to become {value!r}. To change it, call "
                f"config.update({{{key!r}: {value!r}}}, allow_val_change=True)."
            )

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __setattr__(self, key: str, value: Any) -> None:
        self.update({key: value})

    # --- reading --------------------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __getattr__(self, key: str) -> Any:
        if not key.startswith("__") and key in self._values:
            return self._values[key]
        raise AttributeError(f"wandb.config has no {key!r}. Set: {', '.join(self._values) or 'nothing'}.")

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str, default: Any = None) -> Any:
        return self._values.get(key, default)

    def keys(self) -> list[str]:
        return list(self._values)

    def values(self) -> list[Any]:
        return list(self._values.values())

    def items(self) -> list[tuple[str, Any]]:
        return list(self._values.items())

    def as_dict(self) -> dict[str, Any]:
        return dict(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy is a config of its own, of no run."""
        return _of_copy, (dict(self._values),)


def _of_copy(values: dict[str, Any]) -> Config:
    config = Config()
    config.update(values)
    return config


def _differ(value: Any, other: Any) -> bool:
    try:
        return not _alike(value, other)
    except Exception:  # of an object of the user's
        return value is not other


def _alike(value: Any, other: Any) -> bool:
    """Whether two values are the same for a config: NaN is NaN, arrays are compared number by number."""
    if value is other:
        return True
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return value.keys() == other.keys() and all(_alike(value[key], other[key]) for key in value)
    if isinstance(value, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(value) == len(other) and all(map(_alike, value, other))
    if hasattr(value, "tolist") and hasattr(other, "tolist"):
        return _alike(value.tolist(), other.tolist())
    return bool(value == other) or bool(value != value and other != other)


def _copied(value: Any) -> Any:
    """Return a value that does not change with the one that the script has."""
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    return [*map(_copied, value)] if type(value) is list else value


def parse(given: Any) -> dict[str, Any]:
    """Return the values of what ``config=`` may be. Raises ConfigError for anything else.

    >>> import argparse
    >>> parse(argparse.Namespace(lr=0.1)), parse({"--lr": 0.1}), parse(None)
    ({'lr': 0.1}, {'lr': 0.1}, {})
    """
    if given is None:
        return {}
    if isinstance(given, (str, os.PathLike)):
        return _of_file(given)
    if isinstance(given, Config):
        return given.as_dict()
    if callable(getattr(given, "flag_values_dict", None)):  # absl.flags.FLAGS
        return dict(given.flag_values_dict())
    fields = config_fields(given)
    if fields is None:
        raise ConfigError(
            f"config is {given!r} ({type(given).__name__}). Allowed: a mapping, a Namespace, a dataclass, absl's FLAGS "
            "or the path of a YAML file."
        )
    return {str(key).strip("-"): value for key, value in fields}


def _of_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the values of a YAML file: ``lr: 0.1``, or wandb's ``lr: {desc: ..., value: 0.1}``."""
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.safe_load(file)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"config is {os.fspath(path)!r}, which cannot be read: {error}") from error
    if not isinstance(content, Mapping):
        raise ConfigError(f"config is {os.fspath(path)!r}, which holds no mapping of names and values.")
    values = {str(key): value for key, value in content.items() if key != "wandb_version"}
    return {key: each["value"] if isinstance(each, dict) and "value" in each else each for key, each in values.items()}


def defaults() -> dict[str, Any]:
    """Return the values of config-defaults.yaml in the working directory; none without one."""
    return _of_file(DEFAULTS) if os.path.isfile(DEFAULTS) else {}
