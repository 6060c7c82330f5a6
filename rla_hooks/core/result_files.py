"""Files under a run's results that are neither figures nor rows: what a hook knows of a model, say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rla_hooks import atomic
from rla_hooks.core.guard import Guard
from rla_hooks.filenames import safe_part
from rla_hooks.masking import mask_text, mask_value
from rla_hooks.parameters import safe
from rla_hooks.texts import shown


def save(folder: Path, guard: Guard, name: str, content: str | Mapping[str, Any]) -> Path | None:
    """Write a text, or plain data as JSON, below ``folder``; secrets in it are masked. One that fails warns once."""
    with guard.warn_on_error(f"the file {shown(name)}"):
        path = folder.joinpath(*map(safe_part, name.split("/")))
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            atomic.write_bytes(path, mask_text(content).encode("utf-8", "backslashreplace"), sync=False)
        else:
            atomic.write_json(path, {key: mask_value(key, value) for key, value in safe(content).items()})
        return path
    return None
