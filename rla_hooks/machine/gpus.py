"""NVIDIA's GPUs, by its library, NVML: what run.json says of them beyond what the driver tells in /proc.

The library is called through nvidia-ml-py, where that is installed. Its first call takes tens of milliseconds, and
never comes back where a driver hangs: so only threads call it. They hold ``busy`` meanwhile, for which forks wait, as a
child would find the library's locks held for ever.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from rla_hooks.locks import hold_at_fork

Gpus = list[dict[str, Any]]
MOST = 64  # GPUs
busy = threading.RLock()
hold_at_fork(globals(), "busy")
_told: Gpus | None = None  # what NVML has said
_waiting: list[Callable[[Gpus], object]] = []  # for that, while the thread asks
_thread: threading.Thread | None = None


def ask_later(tell: Callable[[Gpus], object]) -> None:
    """Call ``tell`` with what NVML says of the GPUs, in a thread, once it has said it; maybe never."""
    global _thread
    if _told is not None:
        tell(_told)
        return
    _waiting.append(tell)
    if _thread is None or not _thread.is_alive():
        _thread = threading.Thread(target=_ask, name="rla_hooks: GPUs", daemon=True)
        _thread.start()


def _ask() -> None:
    global _told
    with suppress(Exception), busy:  # it is not installed, or does not fit the driver
        library = opened()
        try:
            _told = [_facts(library, number) for number in range(min(library.nvmlDeviceGetCount(), MOST))]
        finally:
            library.nvmlShutdown()
    while _waiting:
        tell = _waiting.pop()
        if _told:
            tell(_told)


def _facts(library: Any, number: int) -> dict[str, Any]:
    gpu = library.nvmlDeviceGetHandleByIndex(number)
    names = {"model": library.nvmlDeviceGetName(gpu), "uuid": library.nvmlDeviceGetUUID(gpu)}
    driver, memory = library.nvmlSystemGetDriverVersion(), library.nvmlDeviceGetMemoryInfo(gpu).total
    return names | {"driver": driver, "memory": memory}


def opened() -> Any:
    """Return nvidia-ml-py's module, with NVML open. Raises ImportError, or its NVMLError."""
    import pynvml

    pynvml.nvmlInit()
    return pynvml


class Cards:
    """The GPUs whose use is measured, with NVML open: all, or those that CUDA_VISIBLE_DEVICES names.

    ``busy`` is held by whoever makes, asks or closes it. Raises ImportError, or nvidia-ml-py's NVMLError.
    """

    def __init__(self) -> None:
        self._library: Any = opened()
        count = min(self._library.nvmlDeviceGetCount(), MOST)
        cards = {number: self._library.nvmlDeviceGetHandleByIndex(number) for number in range(count)}
        self._cards = {number: card for number, card in cards.items() if self._is_visible(number, card)}

    def _is_visible(self, number: int, card: Any) -> bool:
        """By its number or the beginning of its uuid; a part of a card has neither, so all are measured then."""
        named = os.environ.get("CUDA_VISIBLE_DEVICES")
        if named is None or "MIG-" in named:
            return True
        words = [word.strip() for word in named.split(",")]
        uuid = self._library.nvmlDeviceGetUUID(card)
        return str(number) in words or any(word.startswith("GPU-") and uuid.startswith(word) for word in words)

    def use(self) -> Iterator[tuple[str, float]]:
        """Yield the values of each, by names such as ``gpu/0/percent``; what a card does not tell is left out."""
        library = self._library
        for number, card in self._cards.items():
            with suppress(library.NVMLError):
                yield f"gpu/{number}/percent", library.nvmlDeviceGetUtilizationRates(card).gpu
            with suppress(library.NVMLError):
                memory = library.nvmlDeviceGetMemoryInfo(card)
                yield f"gpu/{number}/memory_percent", round(100 * memory.used / max(memory.total, 1), 1)
                yield f"gpu/{number}/memory_gib", round(memory.used / (1 << 30), 3)
            with suppress(library.NVMLError):
                yield f"gpu/{number}/celsius", library.nvmlDeviceGetTemperature(card, library.NVML_TEMPERATURE_GPU)
            with suppress(library.NVMLError):
                yield f"gpu/{number}/watts", round(library.nvmlDeviceGetPowerUsage(card) / 1000, 1)

    def close(self) -> None:
        self._cards = {}
        with suppress(Exception):
            self._library.nvmlShutdown()
