"""The version, which the distribution and every run.json bear."""

__version__ = "0.1.0"
