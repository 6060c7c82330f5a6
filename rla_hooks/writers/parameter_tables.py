"""Hyper-parameters as TensorBoard shows them: a table in its Text tab, and the columns of its HParams tab."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from rla_hooks.writers.base import HParams, Text

_LONG = 1000  # characters


def text(parameters: Mapping[str, Any]) -> Text:
    """A table in Markdown. Of a long text there is the beginning."""
    rows = (f"| {_cell(key)} | {_cell(value)} |" for key, value in parameters.items())
    return Text("\n".join(["| hyper-parameter | value |", "| --- | --- |", *rows]))


def hparams(parameters: Mapping[str, Any]) -> HParams:
    """The values that the HParams tab can compare: no long texts."""
    plain = {key: _comparable(value) for key, value in parameters.items() if not _is_long(value)}
    return HParams(plain, time.time())


def _cell(value: Any) -> str:
    text = f"{value:.{_LONG}}..." if _is_long(value) else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", "").replace("\n", "<br>")


def _is_long(value: Any) -> bool:
    """Whether a value would burst TensorBoard's tables: a model's config, say. It is whole in parameter.json."""
    return isinstance(value, str) and len(value) > _LONG


def _comparable(value: Any) -> bool | float | str:
    if isinstance(value, (bool, str)):
        return value
    with suppress(OverflowError):
        if isinstance(value, (int, float)):
            return float(value)
    return str(value)
