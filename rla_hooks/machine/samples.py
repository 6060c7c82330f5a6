"""The use of the machine at one moment: the rows of system.csv. It needs psutil; GPUs need nvidia-ml-py.

    cpu/percent, cpu/load                        of all cores; how many threads want one, as a mean of one minute
    memory/percent, memory/used_gib              of the machine
    process/count, process/cpu_percent           this process and all below it; 100 is one core
    process/rss_gib, process/pss_gib             their memory: a page that several of them share counts for each; once
    disk/free_gib                                where the log root is
    disk/read_mib_s, disk/written_mib_s          of all disks of the machine, since the last row
    network/received_mib_s, network/sent_mib_s   of its networks but the loopback, since the last row
    gpu/<n>/percent, gpu/<n>/memory_percent, gpu/<n>/memory_gib, gpu/<n>/celsius, gpu/<n>/watts

What the system does not tell is left out, and so is what raises.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from rla_hooks.machine import first_bytes, gpus, has_gpus

_MIB, _GIB = 1 << 20, 1 << 30
_PSS_SHARE = 1000  # at most one part of the time goes to PSS, for which the system walks through all pages
_MOST = 10_000  # processes
_CHILDREN = "/proc/thread-self/children"  # on a Linux that was built with it
Values = Iterable[tuple[str, float]]


class Samples:
    """Measures the machine, in a thread: forks wait while it does. Raises ImportError without psutil.

    folder: whose disk counts. errors: what could not be measured, and why.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self._folder = folder
        self._cpu: dict[Any, float] = {}  # seconds of each process; equal are those of one number and start
        self._bytes: dict[str, int] = {}
        self._then, self._next_pss = time.monotonic(), math.inf
        self._cards: gpus.Cards | None = None
        self.errors: dict[str, Exception] = {}
        with gpus.busy:
            import psutil

            self._psutil: Any = psutil
            self._process = psutil.Process()
            if has_gpus():
                try:
                    self._cards = gpus.Cards()
                except Exception as error:  # nvidia-ml-py is not there, or not its driver
                    self.errors["gpu"] = error
        self.take()  # what rates count from
        self._next_pss = 0.0

    def take(self) -> dict[str, float]:
        """Return what can be measured now, by the names above."""
        now = time.monotonic()
        seconds, self._then = max(now - self._then, 1e-3), now
        found: dict[str, float] = {}
        parts = {"cpu": self._machine, "process": self._processes, "disk": self._disks, "network": self._networks}
        with gpus.busy:
            for name, measure in parts.items():
                try:
                    found.update(measure(seconds))
                except Exception as error:  # a system that does not tell, a disk that is gone
                    self.errors.setdefault(name, error)
            if self._cards is not None:
                found.update(self._cards.use())
        return found

    def close(self) -> None:
        if self._cards is not None:
            with gpus.busy:
                self._cards.close()

    def _machine(self, seconds: float) -> Values:
        memory = self._psutil.virtual_memory()
        yield "cpu/percent", self._psutil.cpu_percent()
        yield "cpu/load", round(self._psutil.getloadavg()[0], 2)
        yield "memory/percent", memory.percent
        yield "memory/used_gib", _gib(memory.total - memory.available)

    def _processes(self, seconds: float) -> Values:
        cpu: dict[Any, float] = {}
        memory = 0
        for process in [self._process, *self._below()]:
            with suppress(self._psutil.Error), process.oneshot():  # it has ended, or is another user's
                times = process.cpu_times()
                cpu[process] = times.user + times.system
                memory += process.memory_info().rss
        used = sum(spent - self._cpu.get(key, 0.0) for key, spent in cpu.items())
        self._cpu = cpu
        yield "process/count", len(cpu)
        yield "process/cpu_percent", round(100 * used / seconds, 1)
        yield "process/rss_gib", _gib(memory)
        begin = time.monotonic()
        if begin >= self._next_pss:
            shares = [_pss(process.pid) for process in cpu]
            end = time.monotonic()
            self._next_pss = end + _PSS_SHARE * (end - begin)
            if None not in shares:
                yield "process/pss_gib", _gib(sum(share or 0 for share in shares))

    def _below(self) -> list[Any]:
        """The processes below this one; where /proc has them of each, as a look at all takes long on a full node."""
        if not os.path.exists(_CHILDREN):
            return self._process.children(recursive=True)  # type: ignore[no-any-return]
        found: list[Any] = []
        numbers = [self._process.pid]
        while numbers and len(found) < _MOST:
            below = [*_children(numbers.pop())]
            numbers += below
            for number in below:
                with suppress(self._psutil.Error):
                    found.append(self._psutil.Process(number))
        return found

    def _disks(self, seconds: float) -> Values:
        yield "disk/free_gib", _gib(shutil.disk_usage(self._folder).free)
        total = self._psutil.disk_io_counters()
        if total is not None:  # a container may see no disk
            yield from self._rate("disk/read_mib_s", total.read_bytes, seconds)
            yield from self._rate("disk/written_mib_s", total.write_bytes, seconds)

    def _networks(self, seconds: float) -> Values:
        counts = self._psutil.net_io_counters(pernic=True)
        cards = [each for name, each in counts.items() if not name.startswith(("lo", "Loopback"))]
        yield from self._rate("network/received_mib_s", sum(each.bytes_recv for each in cards), seconds)
        yield from self._rate("network/sent_mib_s", sum(each.bytes_sent for each in cards), seconds)

    def _rate(self, name: str, count: int, seconds: float) -> Values:
        before = self._bytes.get(name)
        self._bytes[name] = count
        if before is not None and count >= before:  # a card may come or go
            yield name, round((count - before) / _MIB / seconds, 3)


def _children(number: int) -> Iterator[int]:
    """Yield the numbers of those that the threads of a process have started."""
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{number}/task"):
            with open(f"/proc/{number}/task/{thread}/children", "rb") as file:  # one read gives some 600 of them
                yield from map(int, file.read().split())


def _pss(number: int) -> int | None:
    """Return the bytes of a process; 0 if it has ended, None where the system does not tell."""
    for line in first_bytes(f"/proc/{number}/smaps_rollup", 4096).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    return 0 if os.path.exists("/proc/self/smaps_rollup") else None


def _gib(size: float) -> float:
    return round(size / _GIB, 3)
