"""Hyper-parameters as TensorBoard shows them: a table in its Text tab, and the columns of its HParams tab."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from rla_hooks.writers.base import HParams, Text

_LONG = 1000  # characters
_MOST = 500  # hyper-parameters: the HParams tab breaks at a thousand columns


def text(parameters: Mapping[str, Any]) -> Text:
    """A table in Markdown. Of a long text, and of very many hyper-parameters, there is the beginning."""
    rows = [f"| {_cell(key)} | {_cell(value)} |" for key, value in islice(parameters.items(), _MOST)]
    if len(parameters) > _MOST:
        rows.append(f"| {len(parameters) - _MOST} more | in parameter.json |")
    return Text("\n".join(["| hyper-parameter | value |", "| --- | --- |", *rows]))


def hparams(parameters: Mapping[str, Any]) -> HParams:
    """The values that the HParams tab can compare: no long texts, and not more than it can show."""
    plain = ((key, _comparable(value)) for key, value in parameters.items())
    return HParams(dict(islice(((key, value) for key, value in plain if not _is_long(value)), _MOST)), time.time())


def _cell(value: Any) -> str:
    text = str(value)
    text = f"{text[:_LONG]}..." if len(text) > _LONG else text
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\r", "").replace("\n", "<br>")


def _is_long(value: Any) -> bool:
    """Whether a value would burst TensorBoard's tables: a model's config, say. It is in parameter.json."""
    return isinstance(value, str) and len(value) > _LONG


def _comparable(value: Any) -> bool | float | str:
    if isinstance(value, (bool, str)):
        return value
    with suppress(OverflowError):
        if isinstance(value, (int, float)):
            return float(value)
    return str(value)
