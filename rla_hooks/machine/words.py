"""What run.json says of a machine, compared with another one, and in a line for people. Nothing in it is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GIB = 1 << 30
_LATE = ("gpus", "system")  # the memory of GPUs is noted after the start; a new kernel makes no other machine


def is_other(one: Any, two: Any) -> bool:
    """Whether two facts tell of two machines, or of other parts of one that a process may use.

    >>> is_other({"cpu": "EPYC", "usable_cores": 4}, {"cpu": "EPYC", "usable_cores": 8})
    True
    >>> is_other({"gpus": [{"model": "H100", "memory": None}]}, {"gpus": [{"model": "H100", "memory": 85520809984}]})
    False
    """
    if not isinstance(one, Mapping) or not isinstance(two, Mapping):
        return False
    keys = {*one, *two}.difference(_LATE)
    return any(one.get(key) != two.get(key) for key in keys) or _names(one) != _names(two)


def _names(noted: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    return [(gpu.get("model"), gpu.get("uuid")) for gpu in _gpus(noted)]


def _gpus(noted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = noted.get("gpus")
    return [gpu for gpu in listed if isinstance(gpu, Mapping)] if isinstance(listed, list) else []


def in_words(noted: Any) -> str:
    """Return facts in a line; the empty text for anything else.

    >>> in_words({"cpu": "AMD EPYC 9554", "logical_cores": 128, "usable_cores": 16, "cpu_limit": 7.5,
    ...           "memory": 64 << 30, "gpus": 2 * [{"model": "NVIDIA H100", "memory": 80 << 30}]})
    'AMD EPYC 9554, 16 of 128 cores (limit 7.5), 64 GiB, 2 x NVIDIA H100 (80 GiB)'
    """
    if not isinstance(noted, Mapping):
        return ""
    parts = [noted["cpu"]] if isinstance(noted.get("cpu"), str) else []
    usable, logical, limit = (_number(noted.get(key)) for key in ("usable_cores", "logical_cores", "cpu_limit"))
    if logical is not None:
        some = "" if usable in (None, logical) else f"{usable:g} of "
        parts.append(f"{some}{logical:g} cores" + ("" if limit is None else f" (limit {limit:g})"))
    memory, most = _number(noted.get("memory")), _number(noted.get("memory_limit"))
    if memory is not None:
        parts.append(("" if most is None else f"{_gib(most)} of ") + f"{_gib(memory)} GiB")
    counts: dict[str, int] = {}
    for gpu in _gpus(noted):
        size = _number(gpu.get("memory"))
        kind = str(gpu.get("model") or "GPU") + ("" if size is None else f" ({_gib(size)} GiB)")
        counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(parts + [f"{count} x {kind}" for kind, count in counts.items()])


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < 1 << 80 else None


def _gib(size: float) -> str:
    """A size with one digit behind the point, where that is not 0.

    >>> _gib(64 << 30), _gib(25276510208)
    ('64', '23.5')
    """
    return f"{size / _GIB:.1f}".removesuffix(".0")
