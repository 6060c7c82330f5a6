"""``wandb.errors``: what a script may catch."""

from __future__ import annotations

from rla_hooks.errors import RLAError


class Error(RLAError):
    """Base class of what these functions raise."""


class CommError(Error):
    """Trouble with a server. There is none, so it is never raised."""


class AuthenticationError(CommError):
    """Trouble with an account. There is none, so it is never raised."""


class UsageError(Error):
    """A call that makes no sense here, such as ``wandb.log`` before ``wandb.init``."""


class ConfigError(Error):
    """A value of ``wandb.config`` was to be changed without ``allow_val_change=True``."""
