"""A Python that has imported frameworks, and forks for each program that a test runs: their import takes longest.

The fixture ``warm`` starts it. The program has a main module, arguments, environment, folder and signals as if it had
been started by itself, and imports rla_hooks anew. Whom it starts itself are ordinary processes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_NUMBER = 20  # bytes in which a process id or an exit code is told


class WarmPython:
    """A Python that has imported some modules, and runs programs by forks."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]):
        self._socket, other = socket.socketpair()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(other.fileno()), *modules],
                env={**environment, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(self, *words: object, cwd: Path, env: Mapping[str, str] | None = None) -> WarmProgram:
        """Start what ``python *words`` would: a file, or -c and code, with arguments."""
        program = {
            "words": [*map(str, words)],
            "folder": str(cwd),
            "environment": dict(os.environ if env is None else env),
        }
        return WarmProgram(self._socket, program)

    def run(self, *words: object, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Wait for its end, too."""
        return self.start(*words, cwd=cwd, env=env).ended()

    def close(self) -> None:
        self._socket.close()
        self._process.wait(30)


class WarmProgram:
    """A program that a WarmPython has started."""

    def __init__(self, server: socket.socket, program: dict[str, Any]):
        self._words, self.returncode = program["words"], None
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._told, telling = os.pipe()
        with open(os.devnull) as nothing, open(telling, "wb"):
            pipes = [nothing.fileno(), self._out.fileno(), self._err.fileno(), telling]
            socket.send_fds(server, [json.dumps(program).encode() + b"\n"], pipes)
        self.pid = int(os.read(self._told, _NUMBER))

    def poll(self) -> int | None:
        """The exit code, if it has ended: of a signal the number, negative."""
        return self._wait(0)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self, timeout: float = 200) -> subprocess.CompletedProcess[str]:
        """Wait for its end, and return what it has printed; kill what goes on for longer."""
        late = self._wait(timeout) is None
        if late:
            self.send_signal(signal.SIGKILL)
        for file in (self._out, self._err):
            file.seek(0)
        out, err = (file.read().decode() for file in (self._out, self._err))
        if late:
            raise subprocess.TimeoutExpired(self._words, timeout, out, err)
        return subprocess.CompletedProcess(self._words, self.returncode, out, err)

    def _wait(self, timeout: float) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            self.returncode = int(os.read(self._told, _NUMBER))
            os.close(self._told)
        return self.returncode


# --- in that Python ---------------------------------------------------------------------------------------------------


def _receive(server: socket.socket) -> tuple[bytes, list[int]]:
    """The next program with its four descriptors; nothing when the test process is gone."""
    message, descriptors, _, _ = socket.recv_fds(server, 65536, 4)
    while message and not message.endswith(b"\n"):
        piece = server.recv(65536)
        message = message + piece if piece else b""
    return message, descriptors


def _serve(server: socket.socket) -> tuple[dict, list[int]]:
    """Fork for each program, and tell its process id and how it ended; return in the child only."""
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([server], [], [], 0.01 if running else None)
        for pid in [*running]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                _tell(running[pid], os.waitstatus_to_exitcode(status))
                os.close(running.pop(pid))
        if not ready:
            continue
        message, descriptors = _receive(server)
        if not message:
            os._exit(0)
        pid = os.fork()
        if pid == 0:
            server.close()
            for descriptor in (*running.values(), descriptors.pop()):
                os.close(descriptor)
            return json.loads(message), descriptors
        *pipes, running[pid] = descriptors
        for descriptor in pipes:
            os.close(descriptor)
        _tell(running[pid], pid)


def _tell(descriptor: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(descriptor, str(number).encode().rjust(_NUMBER))


def _become(words: list[str], folder: str, environment: dict[str, str], descriptors: list[int]) -> tuple[str, dict]:
    """Turn this process into one that runs a program; return its code and the names of its main module."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where pytest ignores it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if words[0] == "-c":
        source, sys.path[0], sys.argv = words[1], "", ["-c", *words[2:]]
    else:
        path = os.path.abspath(words[0])
        with open(path, encoding="utf-8") as file:
            source = file.read()
        main.__file__, sys.path[0], sys.argv = path, os.path.dirname(path), words
    sys.orig_argv = [sys.executable, *words]
    return source, vars(main)


if __name__ == "__main__":
    for _name in sys.argv[2:]:
        importlib.import_module(_name)
    gc.freeze()  # what is shared with the children is not copied for them
    _program, _descriptors = _serve(socket.socket(fileno=int(sys.argv[1])))
    _source, _names = _become(**_program, descriptors=_descriptors)
    exec(compile(_source, _names.get("__file__", "<string>"), "exec"), _names)
