"""On which kind of machine figures were measured. It names no host and no user."""

import os
import platform
import tempfile
from pathlib import Path


def describe(folder=None):
    """Processor, cores, Python, system, and the file system of a folder (without one: of temporary files)."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "Python": platform.python_version(),
        "system": _system(),
        "file system": _file_system(Path(folder or os.environ.get("BENCH_DIR") or tempfile.gettempdir()).resolve()),
    }


def in_words(machine):
    return ", ".join(
        f"{machine[key]} cores"
        if key == "cores"
        else f"Python {machine[key]}"
        if key == "Python"
        else str(machine[key])
        for key in machine
    )


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _system():
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']} ({platform.system()}, {platform.machine()})"
    except OSError:
        return f"{platform.system()} {platform.release()} ({platform.machine()})"


def _file_system(folder):
    """The type of the mount that holds the folder: ext4, tmpfs, overlay..."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return "unknown file system"
    around = [(len(place), kind) for place, kind in mounts if folder.is_relative_to(place)]
    return max(around)[1] if around else "unknown file system"
