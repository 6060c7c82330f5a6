"""The code of notebooks and of Python's prompt is saved, as far as it has run, without secrets."""

from __future__ import annotations

import linecache
import os
import select
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.snapshot import session

pytestmark = pytest.mark.usefixtures("quiet", "own_home")

CELLS = [
    "import rla_hooks as rla\nlr = 0.1",
    "",
    "@rla.track(log_root='logs', writers=['log'])\ndef main(lr):\n    rla.log({'a': lr}, step=0)",
    "api_key = 'sk-proj-abcdefghijklmnopqrstuvwxyz0123456789'\nmain(lr)",
]


def saved() -> tuple[str, str]:
    """The cells and the function of the newest run."""
    run = rla.runs("logs")[-1]
    assert ".rla/session.py, .rla/function.py" in run.paths.log_txt.read_text()
    texts = [(run.code_dir / ".rla" / name).read_text() for name in ("session.py", "function.py")]
    return texts[0], texts[1]


def check(cells: str, function: str) -> None:
    assert cells.startswith("# %% [1]\nimport rla_hooks as rla\nlr = 0.1\n")
    assert "# %% [2]" not in cells and cells.count("# %% ") == 3
    assert "sk-proj-abc" not in cells and cells.endswith("main(lr)\n")
    assert function == CELLS[2] + "\n" or function == CELLS[2]
    compile(cells, "session.py", "exec")


class Shell:
    """IPython's interface: a cell is noted, then runs under a name that linecache knows, and is told to who asks."""

    def __init__(self) -> None:
        self.typed = [""]
        self.user_ns: dict[str, object] = {"In": self.typed, "__name__": "__main__"}
        self.history_manager = types.SimpleNamespace(input_hist_raw=self.typed)
        self.events = types.SimpleNamespace(register=lambda event, call: self.calls.append(call))
        self.calls: list[Callable[[object], object]] = []

    def run_cell(self, cell: str) -> None:
        self.typed.append(cell)
        name = f"<ipython-input-{len(self.typed) - 1}>"
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        exec(compile(cell, name, "exec"), self.user_ns)
        for call in self.calls:
            call(types.SimpleNamespace(error_in_exec=None))


@pytest.fixture(params=["IPython", "its interface"])
def shell(request, monkeypatch):
    """Runs cells: IPython's own shell, where it is installed, and one of its interface."""
    if request.param == "IPython":
        from_ipython = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
        real = from_ipython.instance()
        yield lambda cell: real.run_cell(cell, store_history=True).raise_error()
        from_ipython.clear_instance()
    else:
        played = Shell()
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: played))
        yield played.run_cell


def test_the_cells_of_a_notebook_and_the_function_are_saved(shell):
    """Without empty cells and secrets; both are Python."""
    for cell in CELLS:
        shell(cell)
    run = rla.runs("logs")[-1]
    assert ".rla/session.py, .rla/function.py" in run.paths.log_txt.read_text()
    cells, function = ((run.code_dir / ".rla" / name).read_text() for name in ("session.py", "function.py"))
    assert cells.startswith("# %% [1]\nimport rla_hooks as rla\nlr = 0.1\n")
    assert "# %% [2]" not in cells and cells.count("# %% ") == 3
    assert "sk-proj-abc" not in cells and cells.endswith("main(lr)\n")
    assert function.rstrip() == CELLS[2]
    compile(cells, "session.py", "exec")


def test_cells_that_run_after_the_start_are_saved_too(shell):
    """After each that logs to the run, for the kernel may be killed, and at the end."""

    def cells() -> int:
        (run,) = rla.runs("logs")
        return (run.code_dir / ".rla" / "session.py").read_text().count("# %% ")

    shell("import rla_hooks as rla\nrun = rla.start(task='t', log_root='logs', writers=[])")
    assert cells() == 1
    shell("x = 1")
    shell("rla.log({'x': x}, step=0)")
    assert cells() == 3
    shell("y = 2")
    shell("run.finish()")
    assert cells() == 5


@pytest.mark.parametrize("other", [None, 3, types.SimpleNamespace(), types.SimpleNamespace(history_manager=None)])
def test_a_shell_of_another_make_costs_nothing(monkeypatch, other):
    """No shell, or one without a history."""
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: other))
    assert session.session_source() is None


def test_what_was_typed_at_pythons_prompt_is_saved(tmp_path):
    """On a real terminal; what earlier sessions have left in the history is not this run's."""
    pty = pytest.importorskip("pty")
    (tmp_path / ".python_history").write_text("earlier = 'session'\nof = 'mine'\n")
    lines = [
        "import rla_hooks as rla",
        "password = 'hunter2'; lr = 0.1",
        "run = rla.start(task='typed', log_root='logs', writers=[], lr=lr)",
        "run.finish()",
        "exit()",
    ]
    process, terminal = pty.fork()
    if process == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, [sys.executable, "-q"])
    for line in lines:
        _read_until(terminal, b">>> ")
        os.write(terminal, line.encode() + b"\n")
    _read_until(terminal, b"\0")  # to the end
    assert os.waitpid(process, 0)[1] == 0
    text = (rla.runs(tmp_path / "logs")[0].code_dir / ".rla" / "session.py").read_text()
    code = [line for line in text.splitlines() if line and not line.startswith("# %%")]
    assert code == [lines[0], "password = '***'; lr = 0.1", *lines[2:4]]


def _read_until(terminal: int, end: bytes) -> None:
    seen, deadline = b"", time.monotonic() + 120
    while end not in seen and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 10_000)
            except OSError:  # the other end is closed
                return


@pytest.mark.skipif(not hasattr(os, "pread"), reason="Windows")
def test_a_program_on_standard_input_is_saved_or_told(tmp_path):
    """A file can be read again, a pipe cannot."""
    code = "import rla_hooks as rla, sys\npassword = 'hunter2'\n"
    code += "with rla.run(log_root=sys.argv[1], writers=['log']): pass\n"
    (tmp_path / "train.txt").write_text(code)
    for name in ("file", "pipe"):
        with open(tmp_path / "train.txt", "rb") as file:
            stdin = {"stdin": file} if name == "file" else {"input": file.read()}
            subprocess.run([sys.executable, "-", name], cwd=tmp_path, check=True, capture_output=True, **stdin)
    (file,), (pipe,) = rla.runs("file"), rla.runs("pipe")
    text = (file.code_dir / ".rla" / "session.py").read_text()
    assert text == "# %% [0]\n" + code.replace("hunter2", "***") and file.task == pipe.task == "run"
    assert "1 program read from a pipe (<stdin>)" in pipe.paths.log_txt.read_text()


def test_a_program_with_a_file_has_no_session(tmp_path):
    """Nor has one of ``python -c``, whose command run.json keeps."""
    (tmp_path / "train.py").write_text("import rla_hooks as rla\nwith rla.run(task='a', log_root='logs'): pass\n")
    subprocess.run([sys.executable, "train.py"], cwd=tmp_path, check=True, capture_output=True)
    code = (tmp_path / "train.py").read_text()
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    for run in rla.runs(tmp_path / "logs"):
        assert not (run.code_dir / ".rla" / "session.py").exists()


def test_a_function_that_nobody_can_show_is_passed_over():
    """One made by exec."""
    names: dict[str, object] = {}
    exec("def made(): pass", names)
    assert session.function_source(names["made"]) is None
    assert session.function_source(Path.exists).lstrip().startswith("def exists")
