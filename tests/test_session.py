"""The code of notebooks and of Python's prompt is saved, as far as it has run, without secrets."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
import types
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


def test_the_cells_of_a_real_notebook_are_saved(tmp_path):
    """IPython's own shell runs them."""
    pytest.importorskip("IPython")
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        f"shell = InteractiveShell.instance()\n"
        f"for cell in {CELLS!r}: shell.run_cell(cell, store_history=True).raise_error()\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    check(*saved())


def test_the_cells_of_a_notebook_are_saved(monkeypatch):
    """A shell with IPython's interface: it notes a cell, then runs it under a name that linecache knows."""
    import linecache

    typed = [""]
    names: dict[str, object] = {"In": typed, "__name__": "__main__"}
    shell = types.SimpleNamespace(user_ns=names, history_manager=types.SimpleNamespace(input_hist_raw=typed))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    for number, cell in enumerate(CELLS, 1):
        typed.append(cell)
        name = f"<ipython-input-{number}>"
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        exec(compile(cell, name, "exec"), names)
    check(*saved())


@pytest.mark.parametrize("shell", [None, 3, types.SimpleNamespace(), types.SimpleNamespace(history_manager=None)])
def test_a_shell_of_another_make_costs_nothing(monkeypatch, shell):
    """No shell, or one without a history."""
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert session.session_source() is None


def test_what_was_typed_at_pythons_prompt_is_saved(tmp_path):
    """On a real terminal; what earlier sessions have left in the history is not this run's."""
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
    assert code == [lines[0], "password = '***'; lr = 0.1", lines[2]]


def _read_until(terminal: int, end: bytes) -> None:
    seen, deadline = b"", time.monotonic() + 20
    while end not in seen and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                seen += os.read(terminal, 10_000)
            except OSError:  # the other end is closed
                return


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
