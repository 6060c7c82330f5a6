"""``rla rerun``: a run again from the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")

PROGRAM = """
import sys, time
from pathlib import Path
import rla_hooks as rla

@rla.track(task="t", log_root="root", writers=["csv"])
def main(lr, seed):
    rla.log({"loss": lr * seed}, step=0)
    if seed == 8:
        Path("waits").touch()
        time.sleep(120)
    if seed == 7:
        sys.exit(3)
    print("trained", lr, seed)

main(0.1, int(sys.argv[2]))
"""
RLA = [sys.executable, "-I", "-c", "import sys; sys.argv[0] = 'rla'; from rla_hooks.cli import main; main()"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A program, a run of it, and its source as somebody has edited it since."""
    folder = tmp_path_factory.mktemp("cli") / "a project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / "train.py").write_text(PROGRAM)
    bare = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    subprocess.run(
        [sys.executable, "train.py", "--token=s3cr3tvalue", "3"],
        cwd=folder,
        check=True,
        timeout=60,
        capture_output=True,
        env=bare,
    )
    (folder / "train.py").write_text(PROGRAM.replace("trained", "edited"))
    return folder


@pytest.fixture
def old(project, monkeypatch):
    monkeypatch.setenv("TOKEN", "of-now")
    return rla.runs(project / "root")[0]


def test_the_exit_code_is_the_programs(old, rla_process):
    """It takes the place of rla, in the folder of then; what it prints is its own."""
    root = old.paths.log_root
    done = rla_process("rerun", old.id, "--log-root", root)
    assert done[:2] == (0, "trained 0.1 3\n")
    (told,) = done[2].splitlines()
    assert told.startswith(f"rla: {old.id} runs again on a copy of its code, in ")
    assert rla_process("rerun", old.id, "--set", "seed=7", "--set", "lr=1e-3", "--log-root", root)[0] == 3
    new = rla.runs(root)[-1]
    assert (new.status, new.hparams, new.rerun_of["id"]) == ("failed", {"lr": 0.001, "seed": 7}, old.id)


def test_a_table_of_the_seeds(old, command):
    """One failure does not stop the others, and is the exit code 1."""
    root = old.paths.log_root
    done = command("rerun", old.id, "--seeds", "6..7,9", "--set", "lr=2", "--log-root", root)
    lines = done.out.splitlines()
    assert (done.code, lines[0], lines[1]) == (1, "trained 2.0 6", "trained 2.0 9")
    assert lines[2].split() == ["seed", "id", "status", "took", "exit", "code", "run"]
    new = rla.runs(root)[-3:]
    for line, run, code in zip(lines[3:], new, (0, 3, 0), strict=True):
        words = line.split()
        assert words[:3] == [str(run.hparams["seed"]), run.id, run.status] and words[-2:] == [str(code), run.name]
    assert command("rerun", old.id, "--seeds", "1", "--log-root", root).code == 0


def test_it_is_printed(old, command):
    """As a shell takes it, or as JSON: nothing is started."""
    root, count = old.paths.log_root, len(rla.runs(old.paths.log_root))
    found = command("rerun", old.id, "--set", "lr=5", "--seeds", "1,2", "--log-root", root, "--json").json
    assert found["environment"] == {"RLA_RERUN": str(old.log_dir), "RLA_RERUN_SET": '{"lr": 5.0}'}
    assert (found["set"], found["seeds"], found["seed_name"], found["differs"]) == ({"lr": 5.0}, [1, 2], "seed", [])
    words = ["train.py", "--token=***", "3"]
    assert found["command"][1:] == words and found["folder"] == str(root.parent)
    options = ("--set", "lr=5", "--print", "--into", root.parent / "the code", "--log-root", root)
    line, told, _ = command("rerun", old.id, *options)
    assert "--token=***" in line and "rla: secrets of the command are masked. Fill them in: token" in told
    assert len(rla.runs(root)) == count and "trained" in (root.parent / "the code" / "train.py").read_text()
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "trained 5.0 3\n"), done.stderr
    shown = command("show", "latest", "--log-root", root)
    assert f"rerun of  {old.id} ({old.name})" in shown.out
    assert command("show", "latest", "--json", "--log-root", root).json["rerun_of"]["id"] == old.id


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--set", "ler=1"), "ler is no hyper-parameter of the run. Known: lr, seed. Did you mean 'lr'?"),
        (("--set", "lr"), "--set has 'lr'. Allowed: a name and a value: --set lr=1e-4."),
        (("--seeds", "4..0"), "--seeds has '4..0'. Allowed: numbers and ranges: 0..4 or 0,1,7."),
        (("--seeds", "1", "--seed-name", "sed"), "--seed-name is 'sed', which is no hyper-parameter of the run."),
        (("--seeds", "1", "--set", "seed=2"), "--set and --seeds both say what seed is. Give one of them."),
        (("--seeds", "1", "--seed-name", "lr", "--set", "lr=2"), "--set and --seeds both say what lr is."),
        (("--in", "/nosuch"), "is to run, /nosuch, is not there"),
        (("--into", "."), "is there already. Name a folder that is new, or empty: --into"),
        (("--python", "/nosuch/python"), "there is no Python at /nosuch/python. Give the path of one."),
        (("--python", "true"), "true does not run"),
    ],
)
def test_mistakes(old, command, words, told):
    """Are told before anything is started, with the exit code 2."""
    (old.paths.log_root.parent / "mark").touch()
    count = len(rla.runs(old.paths.log_root))
    os.chdir(old.paths.log_root.parent)
    done = command("rerun", old.id, *words, "--log-root", old.paths.log_root)
    assert done.code == 2 and told in " ".join(done.err.split()) and len(rla.runs(old.paths.log_root)) == count


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal(old, number):
    """The program gets it, and rla waits for its end: the table says what has become of the runs so far.

    Ctrl-C goes to both, SIGTERM to rla only.
    """
    waits, root = old.paths.log_root.parent / "waits", old.paths.log_root
    waits.unlink(missing_ok=True)
    seeds = "2,8,9" if number == signal.SIGINT else "8,9"
    words = [*RLA, "rerun", old.id, "--seeds", seeds, "--log-root", str(root)]
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        end = time.monotonic() + 60
        while not waits.exists() and time.monotonic() < end:
            time.sleep(0.01)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.terminate()
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number and rla.runs(root)[-1].status == "interrupted"
    assert rla.runs(root)[-1].hparams["seed"] == 8
    lines = out.splitlines()
    assert lines[-1] == f"1 of {len(seeds.split(','))} were not run" and lines[-2].split()[0] == "8"
    assert " interrupted " in lines[-2]


def test_what_differs_is_listed_and_asked_on_a_terminal(old):
    """Whoever says no has started nothing."""
    root, path = old.paths.log_root, old.paths.run_json
    before, count = path.read_bytes(), len(rla.runs(root))
    path.write_text(json.dumps(json.loads(before) | {"python": "3.1.4"}))
    screen, terminal = os.openpty()
    try:
        os.write(screen, b"n\n")
        words = [*RLA, "rerun", old.id, "--log-root", str(root)]
        done = subprocess.run(words, stdin=terminal, stdout=terminal, stderr=terminal, timeout=60)
        shown = os.read(screen, 100_000).decode()
    finally:
        path.write_bytes(before)
        os.close(screen)
        os.close(terminal)
    assert done.returncode == 1 and len(rla.runs(root)) == count
    assert "rla: not all is as it was:" in shown and "run it all the same? [y/N]" in shown
    assert re.search(r"  Python was 3\.1\.4, and is \d", shown)
