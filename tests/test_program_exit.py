"""How a program with an open run ended: by an exit code, past a replaced excepthook, in a child. Real programs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import rla_hooks as rla
from rla_hooks.testing import reset

OPENED = """
import sys, threading
import rla_hooks as rla
run = rla.start("t", log_root="root", writers=["csv"], backup="none")
rla.log({"a": 1})
BODY
"""


@pytest.fixture
def program(tmp_path):
    """Runs a program and returns its exit code, what it said, and its run."""

    def start(body, source=OPENED, command=("script.py",)):
        (tmp_path / "script.py").write_text(source.replace("BODY", body))
        done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        (run,) = rla.runs(tmp_path / "root")
        return done.returncode, done.stderr, run

    return start


DEEP = "def deep():\n    {}\ndef main():\n    deep()\nmain()"


@pytest.mark.parametrize(
    "body, code, status, error",
    [
        ("sys.exit(1)", 1, "failed", "line 6, in <module>\n    sys.exit(1)"),
        (DEEP.format("sys.exit('no data')"), 1, "failed", "in deep\n"),
        (DEEP.format("exit(3)"), 3, "failed", "SystemExit: 3"),
        (DEEP.format("quit()"), 0, "finished", None),
        (DEEP.format("raise SystemExit(3)"), 3, "failed", "line 10, in <module>"),
        ("raise SystemExit(3)", 3, "failed", "raise SystemExit(3)"),
        ("raise SystemExit(0)", 0, "finished", None),
        ("raise SystemExit", 0, "finished", None),
        ("def main():\n    return 0\nraise SystemExit(main())", 0, "finished", None),
        ("import argparse; argparse.ArgumentParser().error('bad')", 2, "failed", "in error\n"),
        (
            "try:\n    1 / 0\nexcept ZeroDivisionError:\n    sys.exit(1)",
            1,
            "failed",
            "ZeroDivisionError: division by zero",
        ),
        ("try:\n    sys.exit(2)\nexcept SystemExit:\n    pass", 0, "finished", None),
        ("try:\n    sys.exit(2)\nexcept SystemExit:\n    pass\n1 / 0", 1, "failed", "ZeroDivisionError"),
        ("sys.exit(143)", 143, "interrupted", "SystemExit: 143"),
        ("threading.Thread(target=sys.exit, args=(1,)).start()", 0, "finished", None),
        ("threading.Thread(target=lambda: 1 / 0).start()", 0, "finished", None),
        ("sys.excepthook = lambda *a: None\n1 / 0", 1, "failed", "ZeroDivisionError"),
        ("import rich.traceback; rich.traceback.install()\n1 / 0", 1, "failed", "ZeroDivisionError"),
        ("run.finish()\nsys.exit(1)", 1, "finished", None),
    ],
)
def test_how_the_program_ended_is_how_the_run_ended(body, code, status, error, program):
    """The exit code, or the exception with its traceback, decides about a run that nobody has finished."""
    if "rich" in body:
        pytest.importorskip("rich")
    returncode, said, run = program(body)
    assert (returncode, run.status) == (code, status), said
    assert run.info["error"] is None if error is None else error in run.info["error"], run.info["error"]


def test_a_module_that_is_run_as_a_program(program, tmp_path):
    """python -m: its main script is not the outermost frame."""
    for body, status in (("raise SystemExit(0)", "finished"), ("sys.exit(4)", "failed")):
        (tmp_path / "root").is_dir() and (tmp_path / "root").rename(tmp_path / "before")
        assert program(body, command=("-m", "script"))[2].status == status


HYDRA = """
import hydra
import rla_hooks as rla
@hydra.main(version_base=None)
def main(config):
    rla.start("t", log_root=hydra.utils.get_original_cwd() + "/root", writers=["csv"], backup="none")
    rla.log({"a": 1})
    BODY
main()
"""


def test_hydras_own_handler(program):
    """Hydra catches the exception, prints it and leaves with code 1: the error is the exception."""
    pytest.importorskip("hydra")
    code, said, run = program("raise ValueError('diverged')", HYDRA)
    assert (code, run.status) == (1, "failed") and "ValueError: diverged" in run.info["error"], said


@pytest.mark.parametrize("prompt", ["sys.ps1 = '>>> '", ""])
def test_an_interactive_shell_that_shows_an_error(prompt, program):
    """Python's own prompt, and shells made of the module code: the session goes on, and the run tells the error."""
    shell = """
import code, sys
PROMPT
shell = code.InteractiveInterpreter({"__name__": "__main__"})
shell.runcode(compile('''BEFORE''', "<cell 1>", "exec"))
shell.runcode(compile('''BODY''', "<cell 2>", "exec"))
""".replace("PROMPT", prompt).replace("BEFORE", OPENED.replace("BODY", ""))
    code, said, run = program("rla.log({'a': 2})\\n1 / 0", shell)
    assert (code, run.status, run.info["rows"]) == (0, "failed", 2), said
    assert "ZeroDivisionError" in run.info["error"]


def test_sys_exit_is_put_back_when_no_run_is_open(tmp_path):
    """While a run is open it is wrapped, with its own name and docstring; what the program puts there stays."""
    reset(runs=True)  # of the tests before
    before = sys.exit
    with rla.run("t", log_root=tmp_path, writers=[], backup="none"):
        assert sys.exit is not before and sys.exit.__name__ == "exit"
        with pytest.raises(SystemExit) as left:
            sys.exit("text")
        assert left.value.code == "text" and type(left.value) is SystemExit
    assert sys.exit is before


CHILD = """
import multiprocessing, os, sys
import rla_hooks as rla
def train(run, how):
    run.adopt()
    run.log({"a": 1})
    sys.exit(5) if how == "exit" else 1 / 0
if __name__ == "__main__":
    run = rla.Tester()
    run.configure("t", log_root="root", writers=["csv"], backup="none")
    run.plan()
    child = multiprocessing.get_context("fork").Process(target=train, args=(run, "BODY"))
    child.start(); child.join()
    (saved,) = rla.runs("root")
    print(saved.status, file=sys.stderr)
"""


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="fork")
@pytest.mark.parametrize("how, error", [("exit", "SystemExit: 5"), ("raise", "ZeroDivisionError")])
def test_a_child_that_trains_and_dies_of_an_exception_says_so(how, error, program):
    """The parent planned the run and lives on: it need not end before the run is seen failed."""
    code, said, run = program(how, CHILD)
    assert code == 0 and said.rstrip().endswith("failed"), said
    if sys.version_info >= (3, 13) and how == "raise":
        error = "SystemExit: 1"  # multiprocessing has forgotten the exception by then
    assert run.status == "failed" and error in run.info["error"]


def test_a_child_that_trains_and_ends_well_is_no_failure(program):
    """Its exit code is 0, which is known only once it has ended."""
    code, said, run = program("well", CHILD.replace("1 / 0", "None"))
    assert code == 0 and "Traceback" not in said and run.status == "finished" and run.info["error"] is None
