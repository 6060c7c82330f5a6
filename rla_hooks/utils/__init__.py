"""RLA's small helpers, which some scripts import: see :mod:`rla_hooks.utils.utils`."""
