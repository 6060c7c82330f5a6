"""Whether a run that is noted as running still is: by its process, across namespaces and machines by its files."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import life
from rla_hooks.life import STALE_AFTER, is_alive, read_status

HERE = {"status": "running", "host": socket.gethostname(), "pid_namespace": life.namespace()}
needs_proc = pytest.mark.skipif(life.namespace() is None, reason="needs /proc")


@pytest.fixture
def folder(tmp_path):
    """The folder of a run that wrote its run.json and a row: a function sets how many seconds ago."""

    def written(seconds_ago):
        for name in ("run.json", "progress.csv"):
            (tmp_path / name).write_text("")
            os.utime(tmp_path / name, (time.time() - seconds_ago,) * 2)
        return tmp_path

    return written


@pytest.fixture
def dead():
    """The number and the identity of a process that has gone."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = life.process_identity(child.pid)
    child.communicate(b"\n")
    return {"pid": child.pid, "process": identity}


def test_a_running_process_is_known_beyond_its_number(dead):
    """A gone process reads as killed, also where its number is in use again."""
    identity = life.process_identity(os.getpid())
    assert read_status(HERE | {"pid": os.getpid(), "process": identity}) == "running"
    assert read_status(HERE | {"pid": os.getpid()}) == "running"
    if identity is not None:
        assert read_status(HERE | {"pid": os.getpid(), "process": "another-boot/1"}) == "killed"
    assert read_status(HERE | dead) == "killed"
    assert read_status(HERE | dead | {"status": "finished"}) == "finished"


def test_format_1_goes_by_the_name_of_the_host(dead):
    """It notes no namespace: the process is asked on the same host, as before; another host's cannot be known."""
    old = {key: value for key, value in HERE.items() if key != "pid_namespace"}
    assert read_status(old | dead) == "killed"
    assert read_status(old | dead | {"host": "elsewhere"}) == "running"


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_a_dead_child_that_nobody_waited_for_is_gone():
    """A zombie has a number and does nothing more."""
    child = subprocess.Popen([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE)
    identity = life.process_identity(child.pid)
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert read_status(HERE | {"pid": child.pid, "process": identity}) == "killed"
    child.communicate()


@pytest.mark.parametrize("pid", [10**30, pytest.param(10**5000, id="endless"), "7", None, 2.5, 0, -1])
def test_a_nonsense_process_number_is_no_process(pid):
    """Damaged content is judged, never a crash; 0 and below would be groups of processes."""
    assert read_status(HERE | {"pid": pid}) == "killed"


@pytest.mark.parametrize("status", [None, "killed", "done", [], {}, 3])
def test_an_unknown_status_is_a_clear_error(status):
    """Also one of a type that cannot be looked up."""
    with pytest.raises(ValueError, match=r"has the status .*Known: running, finished"):
        read_status({"status": status})


def test_elsewhere_the_files_tell(dead, folder):
    """A run in another namespace or on another host is running, and after some silence says since when."""
    for elsewhere in ({"pid_namespace": "boot/pid:[1]", "host": "3f2a9c0d1e77"}, {"pid_namespace": None, "host": "b"}):
        content = HERE | dead | elsewhere
        assert read_status(content) == read_status(content, [folder(STALE_AFTER - 60)]) == "running"
        silent = read_status(content, [place := folder(40 * 86400)])
        written = time.gmtime((place / "run.json").stat().st_mtime)
        assert silent == f"running (silent since {time.strftime('%Y-%m-%d %H:%M', written)} UTC)"
        assert life.is_running(silent)


def test_only_what_the_training_writes_breaks_the_silence(dead, folder):
    """Labels and figures may come years later; a row of any process, an event or a checkpoint is a sign of life."""
    content = HERE | dead | {"pid_namespace": "elsewhere", "host": "elsewhere"}
    place = folder(86400)
    (place / "labels.json").write_text("{}")
    assert "silent" in read_status(content, [place])
    for name in ("progress.other-7.csv", "progress.json", "warn.txt"):
        (place / name).write_text("")
        assert read_status(content, [place / "missing", place]) == "running"
        (place / name).unlink()


@needs_proc
def test_after_a_restart_of_the_machine_its_runs_are_killed(dead, folder):
    """Another boot of the host of this name: what wrote nothing since is gone. Two machines may share a name."""
    content = HERE | dead | {"pid_namespace": "another-boot/" + life.pid_namespace()}
    up = float(Path("/proc/uptime").read_text().split()[0])
    assert read_status(content, [folder(0)]) == "running" and not life.is_gone(content, [folder(0)])
    assert read_status(content, [folder(up + 60)]) == "killed" and life.is_gone(content, [folder(up + 60)])
    assert read_status(content | {"host": "elsewhere"}, [folder(up + STALE_AFTER)]).startswith("running (silent")
    assert read_status(content) == "running"


def test_a_process_that_can_be_seen_is_never_silent(folder):
    """A training may log once an hour."""
    content = HERE | {"pid": os.getpid(), "process": life.process_identity(os.getpid())}
    assert read_status(content, [folder(86400)]) == "running"
    assert life.silent_since(content, [folder(86400)]) is None and not life.is_gone(content, [folder(86400)])


@needs_proc
def test_number_1_that_is_another_process_was_counted_elsewhere(folder):
    """Format 1 of a container with the host's name: our own number 1 lives as long as we do, so it cannot have died."""
    content = {"status": "running", "host": HERE["host"], "pid": 1, "process": "boot/123456789"}
    assert read_status(content, [folder(0)]) == "running"
    assert "silent" in read_status(content, [folder(2 * STALE_AFTER)])


def test_signs_of_life_are_read_within_bounds(tmp_path):
    """Folders that are missing, files, or full of other things tell nothing, and raise nothing."""
    (tmp_path / "file").write_text("")
    assert life.last_write([tmp_path / "missing", tmp_path / "file", tmp_path]) is None
    (tmp_path / "run.json").symlink_to(tmp_path / "run.json")
    assert life.last_write([tmp_path]) is None


def test_the_own_process_lives():
    """With and without an identity."""
    assert is_alive(os.getpid()) and is_alive(os.getpid(), life.process_identity(os.getpid()))


CONTAINER = """
import sys, time
import rla_hooks as rla
with rla.run(task="t", log_root=sys.argv[1], backup="none", writers=["csv"]):
    rla.log({"a": 1})
    print("started", flush=True)
    sys.stdin.read()
"""


def test_a_run_in_another_pid_namespace(tmp_path):
    """Seen from outside it runs, though its number is another process here; in silence it says since when."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("only root can make a PID namespace")
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", CONTAINER, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as container:
        if container.stdout.readline() != "started\n":
            pytest.skip("a PID namespace cannot be made here")
        (run,) = rla.runs(tmp_path)
        content = json.loads(run.paths.run_json.read_text())
        assert content["pid"] != container.pid and content["pid_namespace"] != life.namespace()
        assert run.status == "running"
        container.kill()
        container.wait()  # only then is its standard input closed, at which the program would end well
    (run,) = rla.runs(tmp_path)
    assert run.status == "running"
    for file in run.log_dir.rglob("*"):
        os.utime(file, (0, 86400))
    (run,) = rla.runs(tmp_path)
    assert run.status == "running (silent since 1970-01-02 00:00 UTC)"


@pytest.mark.usefixtures("quiet")
def test_a_silent_run_of_another_container_goes_on(tmp_path):
    """It ends with the process that goes on, with all rows; the files stay those of the process that is not seen."""
    with rla.run(task="t", log_root=tmp_path, backup="none", writers=["csv"]) as run:
        rla.log({"a": 1.0}, step=0)
    content = json.loads(run.paths.run_json.read_text())
    gone = {"host": "3f2a9c0d1e77", "pid_namespace": "another-boot/pid:[1]", "pid": 1, "process": "another-boot/7"}
    content |= gone | {"owner": gone, "status": "running", "ended": None, "seconds": None, "rows": 0}
    run.paths.run_json.write_text(json.dumps(content))
    code = (
        "import sys; from rla_hooks import Tester\n"
        "t = Tester.load(sys.argv[1]); t.log({'a': 2.0}, step=1); t.log({'a': 3.0}, step=2)\n"
        "t.finish(); print(t.status)"
    )

    def go_on():
        command = [sys.executable, "-c", code, run.paths.archive_dir]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]

    for file in (run.paths.run_json, run.paths.progress_csv):
        os.utime(file, (time.time() - 2 * STALE_AFTER,) * 2)
    assert rla.runs(tmp_path)[0].status.startswith("running (silent since")
    before = run.paths.progress_csv.read_bytes()
    assert go_on() == "finished"
    (saved,) = rla.runs(tmp_path)
    assert (saved.status, saved.info["rows"], saved.info["last_step"]) == ("finished", 3, 2)
    assert [each["host"] for each in saved.info["restarts"]] == ["3f2a9c0d1e77"]
    assert run.paths.progress_csv.read_bytes() == before and len(list(saved.log_dir.glob("progress.*-*.csv"))) == 1
    assert saved.info["owner"] == gone
    content = json.loads(run.paths.run_json.read_text()) | gone | {"owner": gone, "status": "running"}
    run.paths.run_json.write_text(json.dumps(content))
    go_on()
    assert rla.runs(tmp_path)[0].status == "running", "it wrote a moment ago, so it is not taken up"
