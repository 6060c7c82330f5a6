"""What a run imports only at its end, or when it fails, is there then: in threads, in forked children, at exit."""

import json
import subprocess
import sys

import pytest

TRACKED = """
@rla.track(task="t", log_root=ROOT, writers=["csv"], backup="none")
def main():
    {body}

begun = threading.Event()
"""
FAILS = TRACKED.format(body="raise ValueError('boom')")
WAITS = TRACKED.format(body="begun.set(); time.sleep(600)")
WITHOUT_FOLDER = TRACKED.format(body="os.mkdir('x'); os.chdir('x'); os.rmdir('../x'); raise ValueError('boom')")
STARTED = "rla.start(task='t', log_root=ROOT, writers=['csv'], backup='none')"
ENDS = {
    "in a thread": (FAILS, "threading.Thread(target=main).start()", "failed"),
    "in a daemon thread": (WAITS, "threading.Thread(target=main, daemon=True).start(); begun.wait()", "interrupted"),
    "in a forked child": (FAILS, "os.wait() if os.fork() else main()", "failed"),
    "in a folder that is gone": (WITHOUT_FOLDER, "main()", "failed"),
    "at exit": (STARTED, "raise SystemExit('boom')", "failed"),
    "in the excepthook": (STARTED, "raise ValueError('boom')", "failed"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="it has no fork")
@pytest.mark.parametrize("how", ENDS)
def test_the_end_of_a_run_finds_what_it_imports(how, tmp_path):
    """Nothing else in the process has imported traceback, linecache or ast before."""
    definition, end, status = ENDS[how]
    head = f"import os, sys, threading, time\nimport rla_hooks as rla\nROOT = {str(tmp_path / 'root')!r}\n"
    checked = "assert not {'inspect', 'ast'} & set(sys.modules)\n"
    (tmp_path / "script.py").write_text(f"{head}{definition}\n{checked}{end}\n")
    done = subprocess.run([sys.executable, "-I", "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    (file,) = (tmp_path / "root" / "log" / "t").glob("*/*/*/*/run.json")
    content = json.loads(file.read_text())
    assert content["status"] == status, done.stderr
    assert status == "interrupted" or "boom" in content["error"]


def test_a_plain_run_loads_nothing_of_what_starts_from_another_one(tmp_path):
    """Its start and its end: neither what goes on with runs, forks and cuts them, nor what reads them, nor numpy."""
    definition = TRACKED.format(body="rla.log({'loss': 0.5}, step=0)")
    told = "print(json.dumps(sorted(sys.modules)))"
    source = f"import json, sys, threading\nimport rla_hooks as rla\nROOT = {str(tmp_path / 'root')!r}\n{definition}\n"
    (tmp_path / "script.py").write_text(f"{source}main()\n{told}\n")
    done = subprocess.run([sys.executable, "-I", "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    late = "core.resuming core.forking core.loading core.preemption core.positions cutting query resumable forkable"
    late = tuple(f"rla_hooks.{name}" for name in f"{late} resume_checks former_parameters snapshot checkpoints".split())
    assert not [name for name in loaded if name.startswith(late) or name.partition(".")[0] in ("numpy", "yaml")]
    assert "rla_hooks.core.starting" in loaded
