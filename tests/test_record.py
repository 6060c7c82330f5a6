"""run.json: what it says, what it hides, how endings rank, and how it is read."""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import datetime

import pytest

from rla_hooks import record
from rla_hooks.record import RunRecord


def test_run_json_holds_what_a_person_asks(tmp_path, monkeypatch):
    """Status, times, host, process, command, folder and versions are there, in plain JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", "--lr", "0.1"])
    RunRecord(tmp_path / "run.json", name="t/1", task="t", parent=None).save()
    content = json.loads((tmp_path / "run.json").read_text())
    assert content["format"] == 1 and (content["name"], content["task"]) == ("t/1", "t")
    assert (content["host"], content["pid"]) == (socket.gethostname(), os.getpid())
    assert content["command"] == [sys.executable, "train.py", "--lr", "0.1"] and content["folder"] == str(tmp_path)
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
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, *given])
    assert RunRecord(tmp_path / "run.json").content["command"] == [sys.executable, *kept]


def test_the_worst_ending_wins(tmp_path):
    """Endings rank as finished, pruned, interrupted, failed; a milder or equal one that comes later changes nothing."""
    run = RunRecord(tmp_path / "run.json")
    assert run.end("finished") and not run.end("finished")
    assert run.end("pruned") and not run.end("finished")
    ended = run.content["ended"]
    assert ended and run.end("failed", ValueError("first"))
    assert not run.end("interrupted", KeyboardInterrupt()) and not run.end("failed", ValueError("second"))
    assert run.status == "failed" and "first" in run.content["error"]


def test_an_endless_traceback_is_cut(tmp_path):
    """The error of a run keeps its beginning and its end, not megabytes."""
    run = RunRecord(tmp_path / "run.json")
    run.end("failed", ValueError("x" * 1_000_000 + "the end"))
    assert len(run.content["error"]) < 110_000 and run.content["error"].rstrip().endswith("the end")


def test_the_progress_of_several_processes_adds_up(tmp_path):
    """Rows are counted once, the newest values stand beside the others', and a process replaces its own gaps only."""
    path = tmp_path / "run.json"
    ours = RunRecord(path)
    ours.save()
    theirs = RunRecord.existing(path)
    theirs.save_progress(2, 9, {"a": 1.0, "b": 2.0}, [{"writer": "csv", "rows": 1}])
    ours.save_progress(3, 4, {"a": 4.0}, [{"writer": "tensorboard", "rows": 1}])
    ours.save_progress(5, 6, {"a": 6.0}, [{"writer": "tensorboard", "rows": 3}])
    theirs.save_progress(2, 9, {"a": 1.0, "b": 2.0}, [{"writer": "csv", "rows": 1}])  # nothing new
    content = record.load(path)
    assert (content["rows"], content["last_step"], content["last"]) == (7, 6, {"a": 6.0, "b": 2.0})
    assert content["gaps"] == [{"writer": "tensorboard", "rows": 3}, {"writer": "csv", "rows": 1}]


def test_progress_that_could_not_be_written_comes_with_the_next(tmp_path):
    """A disk that is away for a while costs no rows of the count."""
    folder, away = tmp_path / "run", tmp_path / "away"
    folder.mkdir()
    run = RunRecord(folder / "run.json")
    run.save_progress(2, 1, {"a": 1.0}, [])
    folder.rename(away)
    with pytest.raises(OSError):
        run.save_progress(5, 4, {"a": 4.0}, [])
    away.rename(folder)
    run.save_progress(6, 5, {"a": 5.0}, [])
    content = record.load(folder / "run.json")
    assert (content["rows"], content["last_step"], content["last"]) == (6, 5, {"a": 5.0})


def test_the_file_of_another_process_is_taken_up(tmp_path):
    """What it says stays, also what is unknown here; the run's time counts from its start; no file is an OSError."""
    path = tmp_path / "run.json"
    with pytest.raises(FileNotFoundError):
        RunRecord.existing(path)
    noted = {"name": "t/1", "pid": 1, "rows": 3, "novel": [1], "started": "2020-01-01T00:00:00.000000+00:00"}
    RunRecord(path).save(**noted)
    run = RunRecord.existing(path)
    run.end("finished")
    run.save()
    content = record.load(path)
    assert {key: content[key] for key in noted} == noted and content["status"] == "finished"
    length = datetime.fromisoformat(content["ended"]) - datetime.fromisoformat(noted["started"])
    assert content["seconds"] == pytest.approx(length.total_seconds(), abs=0.001)


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", '{"a": \x00}', "[" * 100_000, "\udc80"])
def test_a_damaged_file_is_a_value_error(text, tmp_path):
    """Whatever stands in the file, reading it ends in one kind of error."""
    path = tmp_path / "run.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError):
        record.load(path)
