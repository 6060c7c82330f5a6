"""A program that has used up its file handles: its runs end as they would with some left."""

import json
import os
import subprocess
import sys

import pytest

from rla_hooks import handles

pytest.importorskip("resource", reason="Windows has no such limit")

HEAD = """
import os, resource, sys, threading
import rla_hooks as rla
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
held = []
def use_up():
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
def body():
    rla.log({"a": 1}, step=0)
    use_up()
    BODY
options = {"task": "t", "log_root": "root", "writers": ["csv"], "backup": "none"}
"""
HOW = {
    "a tracked call": "rla.track(**options)(body)()",
    "a thread": "thread = threading.Thread(target=rla.track(**options)(body)); thread.start(); thread.join()",
    "the program": "rla.start(**options); body()",
}
ENDS = {
    "return {'return': 1}": (0, "finished", ""),
    "raise ValueError('boom')": (1, "failed", "in body\n"),
    "open('/dev/null')": (1, "failed", "Too many open files"),
    "sys.exit(3)": (3, "failed", "SystemExit: 3"),
    "raise SystemExit(4)": (4, "failed", "SystemExit"),
    "os.kill(os.getpid(), 2)": (-2, "interrupted", "KeyboardInterrupt"),
    "os.kill(os.getpid(), 15)": (-15, "interrupted", ""),
}


def run_program(tmp_path, text):
    (tmp_path / "script.py").write_text(text)
    return subprocess.run([sys.executable, "-I", "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("body", ENDS)
def test_the_ending_is_the_real_one(body, how, tmp_path):
    """Exit code, status and error, though all that the end imports and writes needs a handle."""
    if how == "a thread" and "kill" in body:
        pytest.skip("signals come to the main thread")
    code, status, error = ENDS[body]
    done = run_program(tmp_path, f"{HEAD.replace('BODY', body)}{HOW[how]}\n")
    assert done.returncode == (0 if how == "a thread" else code), done.stderr
    assert "rla_hooks" not in done.stderr or body not in ("sys.exit(3)", "return {'return': 1}")
    (file,) = (tmp_path / "root" / "log" / "t").glob("*/*/*/*/run.json")
    content = json.loads(file.read_text())
    assert (content["status"], content["rows"], content["warnings"]) == (status, 1, [])
    assert error in (content["error"] or "")
    assert status != "finished" or how == "the program" or content["result"] == {"return": 1}


def test_a_row_that_is_open_is_written_at_the_end(tmp_path):
    """It is the last one of a program that logs by add_scalar."""
    start = "run = rla.start(**options)\nrun.add_scalar('a', 9.5, 10)\nuse_up()\n"
    done = run_program(tmp_path, HEAD + start)
    (file,) = (tmp_path / "root" / "log" / "t").glob("*/*/*/*/progress.csv")
    assert done.stderr == "" and "9.5" in file.read_text()


def test_without_any_handle_the_last_line_of_a_traceback_is_left(tmp_path):
    """Here no run has kept one."""
    text = "from rla_hooks.endings import traceback_of\nassert 'traceback' not in sys.modules\nuse_up()\n"
    done = run_program(tmp_path, f"{HEAD}{text}sys.stdout.write(traceback_of(ValueError('boom')))\n")
    assert done.stdout == "ValueError: boom\n", done.stderr


@pytest.fixture
def kept():
    """None are kept before the test, nor after it."""
    handles.drop()
    handles.keep()
    yield [number for number, _ in handles._kept[0]]
    handles.drop()


def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_they_are_free_in_the_block_and_kept_again_after_it(kept):
    """Also in a block within; and not after the last run."""
    with handles.freed():
        with handles.freed():
            pass
        assert not any(map(is_open, kept))
    assert all(map(is_open, [number for number, _ in handles._kept[0]]))
    with handles.freed():
        handles.drop()
    assert not handles._kept


def test_a_number_that_is_anothers_by_now_stays_open(kept):
    """A program that becomes a daemon closes all handles, and the system gives their numbers again."""
    for number in kept:  # and not those between, which are others
        os.close(number)
    other = os.open(os.devnull, os.O_RDONLY)
    if other != kept[0]:
        os.dup2(other, kept[0])
        os.close(other)
        other = kept[0]
    handles.drop()
    os.fstat(other)
    os.close(other)
