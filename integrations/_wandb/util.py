"""``wandb.util``: what training scripts use of it."""

from __future__ import annotations

import os

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def generate_id(length: int = 8) -> str:
    """Return a random name, for ``wandb.init(id=...)``.

    >>> len(generate_id())
    8
    """
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in os.urandom(length))
