"""NVIDIA's GPUs, by its library, NVML: what run.json says of them beyond what the driver tells in /proc.

The library is called through nvidia-ml-py, where that is installed. Its first call takes tens of milliseconds, and
never comes back where a driver hangs: so only threads call it. They hold ``busy`` meanwhile, for which forks wait, as a
child would find the library's locks held for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
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
