"""Stops a forked child as it begins its system calls: ``run_until`` kills it there, ``run_through`` looks around."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import re
import signal
import struct
import sys
from collections.abc import Callable, Iterator

# The system calls that change files, by their numbers; opening a file counts where it may be created or emptied.
_CALLS = {
    "x86_64": "write 1 open 2 pwrite64 18 writev 20 sendfile 40 fsync 74 fdatasync 75 truncate 76 ftruncate 77 "
    "rename 82 mkdir 83 rmdir 84 link 86 unlink 87 chmod 90 fchmod 91 openat 257 mkdirat 258 unlinkat 263 renameat 264 "
    "linkat 265 fchmodat 268 renameat2 316 copy_file_range 326 fchmodat2 452",
    "aarch64": "mkdirat 34 unlinkat 35 linkat 37 renameat 38 truncate 45 ftruncate 46 fchmod 52 fchmodat 53 "
    "openat 56 write 64 writev 66 pwrite64 68 sendfile 71 fsync 82 fdatasync 83 renameat2 276 copy_file_range 285 "
    "fchmodat2 452",
}
_CHANGING = {int(number): name for name, number in re.findall(r"(\w+) (\d+)", _CALLS.get(platform.machine(), ""))}
_TRACEME, _SYSCALL, _SETOPTIONS, _GET_SYSCALL_INFO = 0, 24, 0x4200, 0x420E  # of ptrace(2)
_SYSGOOD, _EXITKILL = 1, 0x100000  # options: calls are told from signals, and the child dies with its parent
_ENTRY = 1

is_possible = sys.platform == "linux" and bool(_CHANGING)  # else system calls are not known


def run_until(action: Callable[[], object], number: int | None = None) -> list[str]:
    """Call ``action`` in a child, which is killed as it begins its call of this number; return those that it began.

    The calls are those of ``_CALLS``, from 1 on; without a number it ends by itself. The kill is a SIGKILL from a
    tracer, as a debugger is: before the system does anything of the call. Fails if the action raises.
    """
    calls = list[str]()
    for child, name in _calls_of(action):
        calls.append(name)
        if len(calls) == number:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            break
    return calls


def run_through(action: Callable[[], object], look: Callable[[str], object]) -> None:
    """Call ``action`` in a child, and ``look`` with the name of each call that it is about to begin.

    The child stands still meanwhile: the files are what a kill at that call would leave. Fails if the action raises.
    """
    for _, name in _calls_of(action):
        look(name)


def _calls_of(action: Callable[[], object]) -> Iterator[tuple[int, str]]:
    """Yield, of a child that calls ``action``, its number and each call that it is about to begin."""
    child = os.fork()
    if child == 0:
        _run(action)
    os.waitpid(child, 0)
    _ptrace(_SETOPTIONS, child, 0, _SYSGOOD | _EXITKILL)
    passed_on = 0
    while True:
        _ptrace(_SYSCALL, child, 0, passed_on)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0, "the action has raised"
            return
        assert os.WIFSTOPPED(status), f"the child died of signal {os.WTERMSIG(status)}"
        passed_on = os.WSTOPSIG(status)
        if passed_on != signal.SIGTRAP | 0x80:
            continue
        passed_on, name = 0, _begun(child)
        if name is not None:
            yield child, name


def _run(action: Callable[[], object]) -> None:
    code = 1
    try:
        _ptrace(_TRACEME, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        action()
        code = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def _begun(child: int) -> str | None:
    """The name of the call that the child is about to begin, if it is one that changes files."""
    info = ctypes.create_string_buffer(88)
    _ptrace(_GET_SYSCALL_INFO, child, len(info), ctypes.addressof(info))
    kind, number, _, flags, flags_at = struct.unpack_from("<B23xQQQQ", info)
    name = _CHANGING.get(number) if kind == _ENTRY else None
    if name in ("open", "openat") and not (flags if name == "open" else flags_at) & (os.O_CREAT | os.O_TRUNC):
        return None
    return name


def _ptrace(request: int, pid: int, address: int, data: int) -> None:
    if _ptrace_of_libc()(request, pid, address, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


@functools.cache
def _ptrace_of_libc() -> Callable[[int, int, int, int], int]:
    call = ctypes.CDLL(None, use_errno=True).ptrace
    call.argtypes, call.restype = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p], ctypes.c_long
    return call
