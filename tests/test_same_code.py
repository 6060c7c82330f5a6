"""``same_code``: a run goes on with the code that it was started with, though the project has changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.snapshot import restoring

pytestmark = pytest.mark.usefixtures("quiet")

PROGRAM = """
import argparse, os, signal
from pathlib import Path
import rla_hooks as rla
{more}
parser = argparse.ArgumentParser()
parser.add_argument("--dies", action="store_true")
arguments = parser.parse_args()

@rla.track(task="t", log_root="root", writers=["csv", "log"])
def main(steps=4):
    begin = rla.load_checkpoint()[0] if rla.current_run().is_resumed else 0
    for step in range(begin, steps):
        data = float(Path("data.txt").read_text()) + float((Path(__file__).parent / "data.txt").read_text())
        rla.log({{"value": model.value(step) + data, "script": {script}}}, step=step)
        if step == 2 and arguments.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        rla.save_checkpoint({{"w": [step + 1]}}, step=step + 1)

if __name__ == "__main__":
    {call}
"""
IMPORT, RELATIVE = "import model", "from . import model"
RLA = [sys.executable, "-I", "-c", "import sys; sys.argv[0] = 'rla'; from rla_hooks.cli import main; main()"]


def write(folder, script, value, more=IMPORT, call="main()"):
    (folder / "train.py").write_text(PROGRAM.format(more=more, script=script, call=call))
    (folder / "model.py").write_text(f"def value(step):\n    return step + {value}\n")
    (folder / "data.txt").write_text("0.5")


def started(folder, *words, **variables):
    environment = os.environ | variables
    command = [*words] if words[0] == sys.executable else [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def resumed(run, *options):
    command = [*RLA, "resume", run.id, "--same-code", "--log-root", str(run.paths.log_root), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def without_dies(run):
    known = json.loads(run.paths.run_json.read_text())
    known["command"] = [word for word in known["command"] if word != "--dies"]
    run.paths.run_json.write_text(json.dumps(known))


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "a project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / ".gitignore").write_text("data.txt\n")
    return folder


def killed(project, *words):
    """A run of the program that was killed after two checkpoints."""
    assert started(project, *words, "--dies").returncode == -signal.SIGKILL
    (run,) = rla.runs(project / "root")
    without_dies(run)
    return run


def rows(project):
    (run,) = rla.runs(project / "root")
    metrics = run.metrics()
    assert run.status == "finished" and metrics["time-step"].tolist() == [0, 1, 2, 3]
    return metrics["value"].tolist(), metrics["script"].tolist()


OLD = ([1.0 + step + 10 for step in range(4)], [1, 1, 1, 1])


def test_rla_resume_runs_on_the_code_of_the_run(project):
    """Script and module are those of before, data are read in the project, and nothing there or of the run changes."""
    write(project, 1, 10)
    run = killed(project, "train.py")
    write(project, 2, 20)
    kept = {path: path.read_bytes() for path in run.code_dir.rglob("*") if path.is_file()}
    done = resumed(run)
    assert done.returncode == 0, done.stderr
    assert "code has changed since" not in done.stderr and rows(project) == OLD
    (told,) = [
        line for line in done.stderr.splitlines() if "runs on copies of the code that it was started with, in " in line
    ]
    assert told.startswith("rla: ") and run.id in told
    assert {path: path.read_bytes() for path in run.code_dir.rglob("*") if path.is_file()} == kept
    assert "return step + 20" in (project / "model.py").read_text()
    (saved,) = rla.runs(project / "root")
    assert saved.run_json["restarts"][0]["reason"] == "rla resume"
    assert "runs on copies of the code that it was started with, in " in (run.log_dir / "log.txt").read_text()


def test_a_package_that_is_run_by_its_name(project):
    """Python puts the working directory first for -m, where the code of now is."""
    package = project / "pkg"
    package.mkdir()
    (package / "__init__.py").touch()
    (project / "data.txt").write_text("0.5")
    write(package, 1, 10, RELATIVE)
    run = killed(project, "-m", "pkg.train")
    write(package, 2, 20, RELATIVE)
    done = resumed(run)
    assert done.returncode == 0, done.stderr
    assert rows(project) == OLD


@pytest.mark.parametrize("call", ["main.resume(rla.runs('root')[-1], same_code=True)", "main()"])
def test_a_program_starts_itself_anew(project, call):
    """By ``main.resume`` in a script that was always so, or that is new; and where the variables say so."""
    write(project, 1, 10)
    killed(project, "train.py")
    write(project, 2, 20, call=call)
    asked = {"RLA_RESUME": "latest", "RLA_RESUME_SAME_CODE": "1"} if call == "main()" else {}
    done = started(project, "train.py", **asked)
    assert done.returncode == 0, done.stderr
    assert "2 modules differ from the run's code: starting anew on that" in done.stderr and rows(project) == OLD


def test_unchanged_code_is_run_as_it_is(project):
    """No copy is made."""
    write(project, 1, 10)
    run = killed(project, "train.py")
    done = resumed(run)
    assert done.returncode == 0 and rows(project) == OLD, done.stderr
    assert not list((project.parent / "cache").glob("**/code/*"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rla_hooks" / "code"


def test_an_editable_install_and_a_path_of_the_environment(project, tmp_path):
    """A finder that is asked before the path, as of some build tools, and PYTHONPATH: both lead to the copy."""
    for name in ("src", "lib"):
        (project / name).mkdir()
    hook = tmp_path / "site"
    hook.mkdir()
    (hook / "usercustomize.py").touch()
    finder = (
        "import sys, importlib.util\n"
        "class Editable:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        place = {str(project)!r} + '/src/model.py'\n"
        "        if name == 'model': return importlib.util.spec_from_file_location(name, place)\n"
        "sys.meta_path.insert(0, Editable)\n"
    )
    (hook / "sitecustomize.py").write_text(finder)
    path = os.pathsep.join([str(hook), str(project / "lib")])
    more = "import model, helper"

    def change(script, value):
        write(project, script, value, more)
        (project / "model.py").rename(project / "src" / "model.py")
        (project / "lib" / "helper.py").write_text(f"a = {value}\n")

    change(1, 10)
    assert started(project, "train.py", "--dies", PYTHONPATH=path).returncode == -signal.SIGKILL
    change(2, 20)
    asked = {"RLA_RESUME": "latest", "RLA_RESUME_SAME_CODE": "1"}
    done = started(project, "train.py", PYTHONPATH=path, **asked)
    assert done.returncode == 0, done.stderr
    assert rows(project) == OLD


def test_modules_that_were_not_kept_are_named(project):
    """By the error of the import, and before the start where the present program has imported them."""
    (project / ".gitignore").write_text("data.txt\nignored.py\n")
    (project / "ignored.py").write_text("")
    write(project, 1, 10, "import model, ignored")
    run = killed(project, "train.py")
    write(project, 2, 20, "import model, ignored")
    done = resumed(run)
    assert done.returncode == 1 and "No module named 'ignored' in the code that the run has kept" in done.stderr
    assert str(project / "ignored.py") in done.stderr
    (run,) = rla.runs(project / "root")
    assert run.status == "killed" and run.restarts == []


def test_a_module_whose_secret_is_lost_is_named(project):
    """A masked password is as it was where the rest of the file is; else the module cannot be restored."""
    write(project, 1, 10, "import model, keys")
    (project / "keys.py").write_text("password = 'hunter2hunter2'\nassert '*' not in password\n")
    run = killed(project, "train.py")
    write(project, 2, 20, "import model, keys")
    (project / "keys.py").write_text("password = 'hunter2hunter2'\nassert '*' not in password\nmore = 1\n")
    asked = {"RLA_RESUME": "latest", "RLA_RESUME_SAME_CODE": "1"}
    done = started(project, "train.py", **asked)
    assert done.returncode == 1 and "Missing of the imported modules: keys.py (masked value)" in done.stderr
    (project / "keys.py").write_text("password = 'hunter2hunter2'\nassert '*' not in password\n")
    done = resumed(run)
    assert done.returncode == 0, done.stderr
    assert rows(project) == OLD


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            "exec(\"with rla.run('u', log_root='root', writers=[], backup='none'): pass\"); main()",
            "has begun other runs",
        ),
        ("import threading; t = threading.Thread(target=main); t.start(); t.join()", "has begun other runs or threads"),
        ("main(steps=9)", "train.py is not what it was, and would not know of the changed hyper-parameters"),
    ],
)
def test_a_program_that_has_begun_something_is_not_started_anew(project, call, told):
    """The error says what to run instead, and the run has not changed."""
    write(project, 1, 10)
    run = killed(project, "train.py")
    before = run.paths.run_json.read_bytes()
    write(project, 2, 20, call=call)
    asked = {"RLA_RESUME": str(run.log_dir), "RLA_RESUME_SAME_CODE": "1", "RLA_RESUME_ALLOW": "steps"}
    done = started(project, "train.py", **asked)
    assert told in " ".join(done.stderr.split()) and f"rla resume {run.id} --same-code" in done.stderr
    assert run.paths.run_json.read_bytes() == before


def test_a_run_without_code(project):
    """It says so, in both ways."""
    write(project, 1, 10)
    (project / "train.py").write_text((project / "train.py").read_text().replace('"log"]', '"log"], backup="none"'))
    run = killed(project, "train.py")
    done = resumed(run)
    assert done.returncode == 2 and "was not kept (backup='none')" in " ".join(done.stderr.split())
    done = started(project, "train.py", RLA_RESUME="latest", RLA_RESUME_SAME_CODE="1")
    assert done.returncode == 1 and "it has no copy of its code (backup='none')" in done.stderr


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"code": {"project": "/kept"}, "command": ["python", "/p/train.py"], "folder": "/p"}, "/kept"),
        ({"command": ["python", "/p/src/train.py"], "folder": "/p/src"}, "/p"),
        ({"command": ["python", "src/train.py"], "folder": "/p"}, "/p"),
        ({"command": ["python", "-m", "src.train"], "folder": "/p"}, "/p"),
        ({"command": ["python", "-c", "print()"], "folder": "/p"}, None),
        ({"command": "python train.py", "folder": "/p"}, None),
        ({"command": ["python", 1], "folder": "/p"}, None),
        ({"command": ["python", "train.py"], "folder": None}, None),
        ({}, None),
    ],
)
def test_the_project_of_an_older_run_is_that_of_its_script(content, found, tmp_path):
    """Whose run.json does not tell it; what somebody has written into that is no command."""
    (tmp_path / "p" / "src").mkdir(parents=True)
    (tmp_path / "p" / "src" / "train.py").touch()
    (tmp_path / "p" / ".git").mkdir()
    here = json.loads(json.dumps(content).replace("/p", f"{tmp_path}/p"))
    assert restoring.project_of_run(here) == (None if found is None else Path(found.replace("/p", f"{tmp_path}/p")))


def test_old_copies_are_removed(project, cache):
    """A day after they were made, once their process is over; not those of a living one, nor what it has written."""
    write(project, 1, 10)
    run = killed(project, "train.py")
    write(project, 2, 20)
    from rla_hooks.snapshot.restoring import KeptCode

    kept = KeptCode(run.id, run.code_dir, project)
    mine, over, written = (kept.restore(cache.parent).holder for _ in range(3))
    noted = json.loads((over / "started.json").read_text())
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    for holder in (over, written):
        (holder / "started.json").write_text(json.dumps(noted | {"pid": done.pid}))
        (holder / project.name / "__pycache__").mkdir()
        (holder / project.name / "__pycache__" / "model.pyc").touch()
    (written / project.name / "weights.txt").write_text("0.5")
    new = kept.restore(cache.parent).holder
    assert over.exists() and new.stat().st_mode & 0o077 == 0
    for holder in (mine, over, written):
        os.utime(holder / "started.json", (time.time() - 90_000,) * 2)
    kept.restore(cache.parent)
    assert (mine.exists(), over.exists(), (project / "data.txt").exists()) == (True, False, True)
    assert (written / project.name / "weights.txt").read_text() == "0.5"
    os.utime(written / "started.json", (time.time() - 31 * 86_400,) * 2)
    kept.restore(cache.parent)
    assert not written.exists()
