"""Runs that send themselves while they go on: SEND_LOG_FILE, and the process that does it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import Tester
from rla_hooks.core.sender import Sender

pytest.importorskip("fsspec")
SECRET = "Hunter2xK9"


def wait_until(condition, seconds=120):
    """Wait for a state; the machine may stand still for long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


def files_of(root):
    found = {path.relative_to(root).as_posix(): path for path in Path(root).rglob("*") if path.is_file()}
    return {
        name: path.read_bytes() for name, path in found.items() if ".rla-part" not in name and ".saving" not in name
    }


def is_same(near, far):
    """Whether the other side has all of a log root; a file may be gone while it is looked at."""
    try:
        return files_of(near) == files_of(far)
    except OSError:
        return False


def settings(tmp_path, **more):
    remote = {"url": (tmp_path / "far").as_uri(), **more.pop("remote", {})}
    return {
        "LOG_ROOT": str(tmp_path / "near"),
        "LOG_USED": ["csv", "log"],
        "PROJECT_TYPE": {"backup_code_by": "none"},
        "SEND_LOG_FILE": True,
        "SEND_EVERY": 0.2,
        "SEND": ["log", "checkpoint"],
        "REMOTE_SETTING": remote,
        **more,
    }


def arrived(far):
    return len([*far.glob("log/**/run.json")]) == 1


def process_of(run):
    return run.files.sender._process


def test_a_run_arrives_while_it_goes_on(tmp_path):
    """Rows, checkpoints and the end come to the remote, which equals the log root then; no secret is in a file."""
    config = settings(tmp_path, remote={"password": SECRET})
    with rla.run(task="demo", config=config) as run:
        rla.log({"loss": 1.0}, step=0)
        wait_until(lambda: arrived(tmp_path / "far"))
        assert rla.runs(tmp_path / "far")[0].status == "running"
        far = tmp_path / "far" / run.log_dir.relative_to(tmp_path / "near") / "progress.csv"
        rla.log({"loss": 0.5}, step=1)
        wait_until(lambda: b"0.5" in far.read_bytes())
        rla.save_checkpoint({"w": [1.0]}, step=2)
        process = process_of(run)
    wait_until(lambda: is_same(tmp_path / "near", tmp_path / "far"))
    assert rla.runs(tmp_path / "far")[0].status == "finished"
    for data in (*files_of(tmp_path / "near").values(), *files_of(tmp_path / "far").values()):
        assert SECRET.encode() not in data
    wait_until(lambda: process.poll() == 0)


def test_what_cannot_be_sent_is_told_and_sent_later(tmp_path):
    """A remote that is away stands in run.json and stops nothing; when it is back, all comes, and the note goes."""
    (tmp_path / "far").write_text("a file in the way")
    with rla.run(task="demo", config=settings(tmp_path)) as run:
        rla.log({"loss": 1.0}, step=0)
        wait_until(lambda: json.loads((run.log_dir / "run.json").read_text()).get("unsent"))
        noted = json.loads((run.log_dir / "run.json").read_text())["unsent"]
        assert noted["to"].startswith("file://") and noted["problem"]
        rla.log({"loss": 0.5}, step=1)
        process = process_of(run)
    assert run.status == "finished"
    (tmp_path / "far").unlink()
    wait_until(lambda: process.poll() is not None)
    assert is_same(tmp_path / "near", tmp_path / "far")
    assert rla.runs(tmp_path / "far")[0].run_json["unsent"] is None


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_its_death_costs_nothing_and_a_new_one_goes_on(tmp_path):
    """The process that sends is killed: the training goes on, and the next checkpoint starts another one."""
    with rla.run(task="demo", config=settings(tmp_path)) as run:
        rla.log({"loss": 1.0}, step=0)
        first = process_of(run)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        rla.log({"loss": 0.5}, step=1)
        rla.save_checkpoint({"w": [1.0]}, step=2)
        assert process_of(run).pid != first.pid
    wait_until(lambda: is_same(tmp_path / "near", tmp_path / "far"))


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_training_that_is_killed_is_sent_to_its_last_row(tmp_path):
    """kill -9 of the training: what it has written is sent all the same, by the process that it has left."""
    program = (
        "import json, os, signal, sys\nimport rla_hooks as rla\n"
        "run = rla.start(task='demo', config=json.loads(sys.argv[1]))\nrla.log({'loss': 0.125}, step=7)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = [sys.executable, "-I", "-c", program, json.dumps(settings(tmp_path, SEND_EVERY=1000))]
    assert subprocess.run(words, timeout=120).returncode == -signal.SIGKILL
    wait_until(lambda: (tmp_path / "far").exists() and is_same(tmp_path / "near", tmp_path / "far"))
    assert any(b"0.125" in data for name, data in files_of(tmp_path / "far").items() if name.endswith("progress.csv"))


def test_a_pipe_that_nobody_reads_stops_nothing(tmp_path):
    """The process hangs: a hundred thousand requests return at once, and so does the end."""
    with rla.run(task="demo", config=settings(tmp_path)) as run:
        os.kill(process_of(run).pid, signal.SIGSTOP)
        sender, pid = run.files.sender, process_of(run).pid
        for _ in range(100_000):
            sender.ask()
    assert isinstance(sender, Sender) and run.status == "finished"
    os.kill(pid, signal.SIGKILL)


@pytest.mark.usefixtures("quiet")
def test_a_remote_that_is_missing_is_told_before_the_training():
    """SEND_LOG_FILE without an address raises before anything is created."""
    with (
        pytest.raises(rla.ConfigError, match="REMOTE_SETTING names no remote"),
        rla.run(task="demo", config={"SEND_LOG_FILE": True}),
    ):
        pass
    assert not Path("rla_data").exists()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("url", ["shs://host/x", "http://host/x", "somewhere", "ssh://host"])
def test_an_address_that_is_none_is_told_before_the_training(url):
    """A protocol that there is not, or an address without a folder, raises before anything is created."""
    config = {"SEND_LOG_FILE": True, "REMOTE_SETTING": {"url": url}}
    with pytest.raises(rla.ConfigError, match=re.escape(repr(url))), rla.run(task="demo", config=config):
        pass
    assert not Path("rla_data").exists()


def test_a_run_that_goes_on_is_sent_on(tmp_path):
    """What a resumed run logs comes to the remote, too."""
    config = settings(tmp_path)
    with pytest.raises(ZeroDivisionError), rla.run(task="demo", config=config) as run:
        rla.log({"loss": 1.0}, step=0)
        rla.save_checkpoint({"w": [1.0]}, step=0)
        sender = process_of(run)
        raise ZeroDivisionError
    wait_until(lambda: sender.poll() is not None)
    with rla.run(task="demo", config=config, resume=run.log_dir) as again:
        assert rla.load_checkpoint() == (0, {"w": [1.0]})
        rla.log({"loss": 0.125}, step=1)
        sender = process_of(again)
    wait_until(lambda: sender.poll() is not None)
    assert is_same(tmp_path / "near", tmp_path / "far")
    assert [*rla.runs(tmp_path / "far")[0].metrics()["loss"]] == [1.0, 0.125]


def test_rlas_sync_log_file_sends(tmp_path):
    """tester.sync_log_file lets the run be sent now."""
    tester = Tester()
    tester.configure("demo", settings(tmp_path, SEND_EVERY=1000))
    tester.log_files_gen()
    wait_until(lambda: arrived(tmp_path / "far"))
    rla.log({"loss": 0.125}, step=0)
    tester.sync_log_file(skip_error=True)
    wait_until(lambda: any(b"0.125" in data for data in files_of(tmp_path / "far").values()))
    tester.finish()
    wait_until(lambda: is_same(tmp_path / "near", tmp_path / "far"))
