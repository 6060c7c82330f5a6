"""What tests of programs stand on: a program that is forked from a warm Python is as one that was started by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest


@pytest.fixture(scope="module")
def python(warm):
    return warm("colorsys")


def test_a_program_has_what_it_would_have_by_itself(python, tmp_path):
    """Arguments, folder, environment, main module and path; rla_hooks is not imported, and what was asked for is."""
    (tmp_path / "beside.py").write_text("value = 3")
    (tmp_path / "program.py").write_text("""
import json, os, sys, beside
imported = [name in sys.modules for name in ("rla_hooks", "colorsys")]
print(json.dumps([__name__, __file__, sys.argv, os.getcwd(), sys.modules["__main__"].beside.value, imported]))
print(sorted(os.environ), sys.stdin.read())
""")
    done = python.run("program.py", "a", 1, cwd=tmp_path, env={"ONLY": "this"})
    first, second = done.stdout.splitlines()
    file = str(tmp_path / "program.py")
    assert json.loads(first) == ["__main__", file, ["program.py", "a", "1"], str(tmp_path), 3, [False, True]]
    assert second == "['ONLY'] ", done.stderr


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("", 0),
        ("raise SystemExit(3)", 3),
        ("raise ValueError('wrong')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_how_it_ends(python, tmp_path, code, ending):
    """By its exit code or signal, after what is to be called at the end; the next one starts as fresh."""
    done = python.run("-c", f"import atexit; atexit.register(print, 'ended')\n{code}", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (ending, "" if ending < 0 else "ended\n")
    assert ("ValueError: wrong" in done.stderr) is (ending == 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_it(python, tmp_path, number):
    """And no other one that runs beside it."""
    code = "import time; open('ready', 'w').close(); time.sleep(30)"
    (tmp_path / "other").mkdir()
    first, second = (python.start("-c", code, cwd=folder) for folder in (tmp_path, tmp_path / "other"))
    deadline = time.monotonic() + 60
    while not (tmp_path / "ready").exists() or not (tmp_path / "other/ready").exists():
        assert time.monotonic() < deadline, "the programs did not start within a minute"
        time.sleep(0.01)
    first.send_signal(number)
    assert first.ended().returncode == -number and second.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        second.ended(0.01)
    with pytest.raises(ProcessLookupError):
        for _ in range(1000):
            os.kill(second.pid, 0)
            time.sleep(0.01)
