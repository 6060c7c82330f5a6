"""The settings of a run, read from ``rla_config.yaml`` and checked: all mistakes in one error."""

from rla_hooks.config.reading import Config, find, hide_secrets, load

__all__ = ["Config", "find", "hide_secrets", "load"]
