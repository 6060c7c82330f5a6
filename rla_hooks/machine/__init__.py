"""The machine that a run is on, and what of it this process may use: what run.json says, without any framework.

    {"system": "Linux 6.8.0 x86_64", "cpu": "AMD EPYC 9554 64-Core Processor", "physical_cores": 64,
     "logical_cores": 128, "usable_cores": 16, "cpu_limit": 7.5, "memory": 811263918080, "memory_limit": 68719476736,
     "gpus": [{"model": "NVIDIA H100 80GB HBM3", "uuid": "GPU-...", "driver": "550.54.15", "memory": 85520809984}],
     "visible_gpus": "0,1"}

None stands for what the system does not tell, and where there is no limit. On Linux the start of a run needs this file
only, and it is quick. elsewhere.py has macOS and Windows, gpus.py asks the library of NVIDIA's GPUs, words.py makes a
line for people.
"""

from __future__ import annotations

import os
import sys
from typing import Any

SIGNS_OF_GPUS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")  #: the last of Windows' subsystem for Linux
_OWN_GROUPS, _GROUPS = "/proc/self/cgroup", "/sys/fs/cgroup"
_UNLIMITED = 1 << 60  # bytes; version 1 has such a number where there is no limit
_known: dict[str, Any] = {}  # what stays as it is


def facts() -> dict[str, Any]:
    """Return what is known of this machine; of GPUs only what needs no library.

    >>> found = facts()
    >>> found["usable_cores"] <= found["logical_cores"], found["gpus"] == [] or has_gpus()
    (True, True)
    """
    if not _known:
        here = _of_linux() if sys.platform.startswith("linux") else _of_others()
        _known.update({"system": _system(), "cpu": None, "physical_cores": None, "memory": None} | here)
    cores = os.cpu_count()
    try:
        usable: int | None = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # macOS and Windows
        usable = cores
    found = {**_known, "logical_cores": cores, "usable_cores": usable, "gpus": []}
    if has_gpus():
        found |= {"gpus": _gpus(), "visible_gpus": os.environ.get("CUDA_VISIBLE_DEVICES")}
    return found


def has_gpus() -> bool:
    """Whether there is a driver of NVIDIA's, as far as the files of the system tell."""
    if sys.platform == "win32":
        return os.path.exists("C:/Windows/System32/nvml.dll")
    return any(os.access(path, os.F_OK) for path in SIGNS_OF_GPUS)


def _gpus() -> list[dict[str, Any]]:
    """Model, uuid and driver of those that this process, or its container, sees, by what the driver has in /proc.

    version                         NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 ...
    gpus/0000:18:00.0/information   Model:           NVIDIA H100 80GB HBM3
    """
    folder, found = SIGNS_OF_GPUS[0], []
    words = first_bytes(f"{folder}/version", 1000).partition("Kernel Module")[2].split()
    driver = next((word for word in words if word[0].isdecimal() and "." in word), None)
    try:
        names = sorted(os.listdir(f"{folder}/gpus"))
    except OSError:
        return []
    for name in names:
        fields = _fields(first_bytes(f"{folder}/gpus/{name}/information", 2000))
        found.append({"model": fields.get("Model"), "uuid": fields.get("GPU UUID"), "driver": driver, "memory": None})
    return found


def _fields(text: str) -> dict[str, str]:
    """The lines ``name: value`` of a text; of a name that comes again its first value."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found


def _system() -> str:
    if sys.platform == "win32":
        version = sys.getwindowsversion()
        return f"Windows {version.major}.{version.minor}.{version.build}"
    name = os.uname()
    return f"{name.sysname} {name.release} {name.machine}"


def _of_others() -> dict[str, Any]:
    from rla_hooks.machine import elsewhere  # late: it needs ctypes

    return elsewhere.cpu_and_memory()


def first_bytes(path: str, most: int) -> str:
    """Return the beginning of a file of the system, as one read gives it; the empty text where it cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.fsdecode(os.read(file, most))
    except OSError:
        return ""
    finally:
        os.close(file)


# --- Linux ------------------------------------------------------------------------------------------------------------


def _of_linux() -> dict[str, Any]:
    cores, most = limits()
    memory = _memory()
    if most is not None and memory is not None and most >= memory:
        most = None  # that is no limit
    return _processor() | {"memory": memory, "cpu_limit": cores, "memory_limit": most}


def _memory() -> int | None:
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # a sandbox that has no such call, or no /proc
        return None
    return pages * size if pages > 0 and size > 0 else None


def _processor() -> dict[str, Any]:
    """The model of the first core in /proc/cpuinfo, and all physical cores; ARM has numbers, and says less."""
    for most in (512, 4096):  # one core needs the first; the system makes as much as is read
        fields = _fields(first_bytes("/proc/cpuinfo", most))
        if "cpu cores" in fields:
            break
    model = fields.get("model name") or fields.get("cpu")  # the second on POWER
    if not model and "CPU implementer" in fields:
        model = f"ARM, implementer {fields['CPU implementer']}, part {fields.get('CPU part')}"
    return {"cpu": model or None, "physical_cores": _physical_cores(fields)}


def _physical_cores(fields: dict[str, str]) -> int | None:
    logical = os.cpu_count() or 0
    try:
        return logical * int(fields["cpu cores"]) // int(fields["siblings"]) or None
    except (KeyError, ValueError, ZeroDivisionError):
        pass
    count = 0  # of the threads of the first core: "0-1", or "0,64"
    for part in first_bytes("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", 100).strip().split(","):
        first, _, last = part.partition("-")
        if first.isdecimal():
            count += int(last) - int(first) + 1 if last.isdecimal() else 1
    return logical // count if count else None


def limits() -> tuple[float | None, int | None]:
    """Return how many cores' time, and how many bytes of memory, the control groups allow; None: there is no limit.

    They are those of a container, of Slurm, of systemd: version 2 has one tree of them, version 1 one for each kind of
    limit. A group is limited by all those around it. In a container the paths may be those outside of it; then only the
    top is found.
    """
    paths: dict[str, str] = {}
    for line in first_bytes(_OWN_GROUPS, 1 << 16).splitlines():
        kinds, _, path = line.partition(":")[2].partition(":")
        for kind in kinds.split(","):
            paths[kind] = path  # of version 2 its kind is the empty text
    cores: list[float] = []
    memory: list[int] = []
    for folder in _groups("cpu", paths):
        if "cpu" in paths:
            words = [first_bytes(f"{folder}/cpu.cfs_{name}_us", 100).strip() for name in ("quota", "period")]
        else:
            words = first_bytes(f"{folder}/cpu.max", 100).split()
        if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal():  # not -1, and not "max"
            cores.append(round(int(words[0]) / max(int(words[1]), 1), 3))
    name = "memory.limit_in_bytes" if "memory" in paths else "memory.max"
    for folder in _groups("memory", paths):
        text = first_bytes(f"{folder}/{name}", 100).strip()
        if text.isdecimal() and int(text) < _UNLIMITED:
            memory.append(int(text))
    return min(cores, default=None), min(memory, default=None)


def _groups(kind: str, paths: dict[str, str]) -> list[str]:
    """Return the folders of the process's group of a kind, and of those around it."""
    top, path = (f"{_GROUPS}/{kind}", paths[kind]) if kind in paths else (_GROUPS, paths.get("", ""))
    found = [top]
    while path.strip("/"):
        found.append(f"{top}{path}")
        path = path.rpartition("/")[0]
    return found
