"""The settings of a run, read from ``rla_config.yaml`` and checked: all mistakes in one error."""

from rla_hooks.config.reading import Config, hide_secrets, load
from rla_hooks.places import find

__all__ = ["Config", "find", "hide_secrets", "load"]
