"""The processor and the memory of macOS and Windows, by what their own libraries tell."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any


def cpu_and_memory() -> dict[str, Any]:
    """Return ``cpu``, ``physical_cores`` and ``memory`` as far as the system tells them."""
    with suppress(Exception):  # another version of the system: a run does without
        if sys.platform == "darwin":
            return _of_macos()
        if sys.platform == "win32":
            return _of_windows()
        return {"memory": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")}  # the BSDs
    return {}


def _of_macos() -> dict[str, Any]:
    import ctypes

    system = ctypes.CDLL(None)

    def ask(name: str) -> bytes | None:
        """Return what sysctl(3) has under a name; None if there is no such name."""
        size = ctypes.c_size_t(0)
        if system.sysctlbyname(name.encode(), None, ctypes.byref(size), None, ctypes.c_size_t(0)):
            return None
        value = ctypes.create_string_buffer(size.value)
        if system.sysctlbyname(name.encode(), value, ctypes.byref(size), None, ctypes.c_size_t(0)):
            return None
        return value.raw[: size.value]

    def number(name: str) -> int | None:
        value = ask(name)
        return int.from_bytes(value, sys.byteorder) if value else None

    brand = ask("machdep.cpu.brand_string") or ask("hw.model") or b""
    found = {"physical_cores": number("hw.physicalcpu"), "memory": number("hw.memsize")}
    return found | {"cpu": brand.rstrip(b"\0").decode("utf-8", "replace") or None}


def _of_windows() -> dict[str, Any]:
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = [("length", ctypes.c_uint32), ("load", ctypes.c_uint32), ("total", ctypes.c_uint64)]
        _fields_ += [(f"rest{number}", ctypes.c_uint64) for number in range(6)]

    found: dict[str, Any] = {}
    status = Status(ctypes.sizeof(Status))
    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined]
    if kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        found["memory"] = status.total
    with suppress(OSError):
        import winreg

        place: Any = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        registry: Any = winreg
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, place) as key:
            found["cpu"] = registry.QueryValueEx(key, "ProcessorNameString")[0].strip()
    return found
