"""run.json: what it says, what it hides, how endings rank, and how it is read."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import datetime

import pytest

from rla_hooks import record
from rla_hooks.record import RunRecord, ending_of, read_status


def test_run_json_holds_what_a_person_asks(tmp_path, monkeypatch):
    """Status, times, host, process, command, folder and versions are there, in plain JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--lr", "0.1"])
    RunRecord(tmp_path / "run.json", name="t/1", task="t", parent=None).save()
    content = json.loads((tmp_path / "run.json").read_text())
    assert content["format"] == 1 and (content["name"], content["task"]) == ("t/1", "t")
    assert (content["host"], content["pid"]) == (socket.gethostname(), os.getpid())
    assert content["command"] == ["train.py", "--lr", "0.1"] and content["folder"] == str(tmp_path)
    assert content["python"] == sys.version.split()[0]
    assert datetime.fromisoformat(content["started"]).tzinfo is not None
    nothing_yet = {"ended": None, "seconds": None, "rows": 0, "last_step": None, "last": {}, "gaps": [], "error": None}
    assert {key: content[key] for key in nothing_yet} == nothing_yet


@pytest.mark.parametrize(
    "given, kept",
    [
        (["--api-key", "K", "--lr", "1"], ["--api-key", "***", "--lr", "1"]),
        (["--wandb_token=K"], ["--wandb_token=***"]),
        (["-password", "K"], ["-password", "***"]),
        (["wandb.api_key=K", "+db.password=K=K"], ["wandb.api_key=***", "+db.password=***"]),
        (["--use-secret", "--lr", "1"], ["--use-secret", "--lr", "1"]),
        (["--token", "--token=K"], ["--token", "--token=***"]),
        (["--data", "https://me:K@host/x?a=b"], ["--data", "https://me:***@host/x?a=b"]),
        (["--max-tokens", "512", "--tokenizer=bert"], ["--max-tokens", "512", "--tokenizer=bert"]),
        (["train.py", "secret_garden"], ["train.py", "secret_garden"]),
    ],
)
def test_secrets_in_the_command_are_masked(given, kept, tmp_path, monkeypatch):
    """Values of secret options stay out of the file, however they are written; hyper-parameters stay readable."""
    monkeypatch.setattr(sys, "argv", given)
    assert RunRecord(tmp_path / "run.json").content["command"] == kept


def test_the_worst_ending_wins(tmp_path):
    """Endings rank running, finished, interrupted, failed; a milder or equal one that comes later changes nothing."""
    run = RunRecord(tmp_path / "run.json")
    assert run.end("finished") and not run.end("finished")
    ended = run.content["ended"]
    assert ended and run.end("failed", ValueError("first"))
    assert not run.end("interrupted", KeyboardInterrupt()) and not run.end("failed", ValueError("second"))
    assert run.status == "failed" and "first" in run.content["error"]


def test_an_endless_traceback_is_cut(tmp_path):
    """The error of a run keeps its beginning and its end, not megabytes."""
    run = RunRecord(tmp_path / "run.json")
    run.end("failed", ValueError("x" * 1_000_000 + "the end"))
    assert len(run.content["error"]) < 110_000 and run.content["error"].rstrip().endswith("the end")


def chained(error, cause):
    error.__context__ = cause
    return error


class SignalExit(SystemExit):
    pass


@pytest.mark.parametrize(
    "error, status",
    [
        (ValueError(), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(), "finished"),
        (SystemExit(0), "finished"),
        (SystemExit(1), "failed"),
        (SystemExit("text"), "failed"),
        (SignalExit(0), "interrupted"),
        (chained(SystemExit(1), KeyboardInterrupt()), "interrupted"),
        (chained(SystemExit(1), chained(ValueError(), KeyboardInterrupt())), "interrupted"),
        (chained(ValueError(), KeyboardInterrupt()), "failed"),
        (GeneratorExit(), "failed"),
    ],
)
def test_what_an_exception_stands_for(error, status):
    """Ctrl-C and what follows from it interrupt; exit code 0 is a good end."""
    assert ending_of(error) == status


def test_exceptions_in_a_circle_are_no_endless_loop():
    """A chain of causes that bites its tail is followed once."""
    error = SystemExit(1)
    error.__context__ = chained(ValueError(), error)
    assert ending_of(error) == "failed"


def test_a_running_process_is_known_beyond_its_number():
    """A gone process reads as killed, also where its number is in use again; another host's cannot be known."""
    here = {"status": "running", "host": socket.gethostname(), "pid": os.getpid()}
    identity = record.process_identity(os.getpid())
    assert read_status(here | {"process": identity}) == "running"
    assert read_status(here) == "running"
    if identity is not None:
        assert read_status(here | {"process": "another-boot/1"}) == "killed"
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert read_status(here | {"pid": child.pid}) == "killed"
    assert read_status(here | {"pid": child.pid, "host": "elsewhere"}) == "running"
    assert read_status(here | {"pid": child.pid, "status": "finished"}) == "finished"


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_a_dead_child_that_nobody_waited_for_is_gone():
    """A zombie has a number and does nothing more."""
    child = subprocess.Popen([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE)
    identity = record.process_identity(child.pid)
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    content = {"status": "running", "host": socket.gethostname(), "pid": child.pid, "process": identity}
    assert read_status(content) == "killed"
    child.communicate()


@pytest.mark.parametrize("pid", [10**30, "7", None, 2.5])
def test_a_nonsense_process_number_is_no_process(pid):
    """Damaged content is judged, never a crash."""
    assert read_status({"status": "running", "host": socket.gethostname(), "pid": pid}) == "killed"


@pytest.mark.parametrize("status", [None, "killed", "done", [], {}, 3])
def test_an_unknown_status_is_a_clear_error(status):
    """Also one of a type that cannot be looked up."""
    with pytest.raises(ValueError, match=r"has the status .*Known: running, finished"):
        read_status({"status": status})


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", '{"a": \x00}', "[" * 100_000, "\udc80"])
def test_a_damaged_file_is_a_value_error(text, tmp_path):
    """Whatever stands in the file, reading it ends in one kind of error."""
    path = tmp_path / "run.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError):
        record.load(path)


def test_a_command_that_says_exit_zero_ended_well():
    """Typer and click leave by exceptions of their own."""
    import typer

    assert ending_of(typer.Exit()) == "finished"
    assert ending_of(typer.Exit(3)) == "failed"
