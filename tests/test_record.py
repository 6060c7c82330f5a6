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
from rla_hooks.claims import Claim
from rla_hooks.life import read_status
from rla_hooks.record import RunRecord


def test_run_json_holds_what_a_person_asks(tmp_path, monkeypatch):
    """Status, times, host, process, command, folder and versions are there, in plain JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", "--lr", "0.1"])
    RunRecord(tmp_path / "run.json", name="t/1", task="t", parent=None).save()
    content = json.loads((tmp_path / "run.json").read_text())
    assert content["format"] == 2 and (content["name"], content["task"]) == ("t/1", "t")
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
    """Endings rank as finished, pruned, preempted, interrupted, failed; one that is not worse changes nothing."""
    run = RunRecord(tmp_path / "run.json")
    assert run.end("finished") and not run.end("finished")
    assert run.end("pruned") and not run.end("finished")
    assert run.end("preempted", None, "SIGUSR1") and not run.end("pruned")
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
    theirs.save_progress(2, 9, {"a": 1.0, "b": 2.0}, gaps=[{"writer": "csv", "rows": 1}])
    ours.save_progress(3, 4, {"a": 4.0}, gaps=[{"writer": "tensorboard", "rows": 1}])
    ours.save_progress(5, 6, {"a": 6.0}, gaps=[{"writer": "tensorboard", "rows": 3}])
    theirs.save_progress(2, 9, {"a": 1.0, "b": 2.0}, gaps=[{"writer": "csv", "rows": 1}])  # nothing new
    content = record.load(path)
    assert (content["rows"], content["last_step"], content["last"]) == (7, 9, {"a": 6.0, "b": 2.0})
    assert content["gaps"] == [{"writer": "tensorboard", "rows": 3}, {"writer": "csv", "rows": 1}]


def test_progress_that_could_not_be_written_comes_with_the_next(tmp_path):
    """A disk that is away for a while costs no rows of the count."""
    folder, away = tmp_path / "run", tmp_path / "away"
    folder.mkdir()
    run = RunRecord(folder / "run.json")
    run.save_progress(2, 1, {"a": 1.0})
    folder.rename(away)
    with pytest.raises(OSError):
        run.save_progress(5, 4, {"a": 4.0})
    away.rename(folder)
    run.save_progress(6, 5, {"a": 5.0})
    content = record.load(folder / "run.json")
    assert (content["rows"], content["last_step"], content["last"]) == (6, 5, {"a": 5.0})


def test_a_child_that_was_forked_in_the_middle_of_a_save_counts_only_its_own_rows(tmp_path, monkeypatch, forked):
    """Another thread of the parent has written the file, and has not noted yet that it did."""
    original = RunRecord(tmp_path / "run.json")
    original.save()
    write, children = original._reserve.write_json, []

    def child():
        original.skip_inherited(5)  # two rows were logged since the save began
        original.save_progress(6, 6, {})

    def write_and_fork(content):
        monkeypatch.undo()
        write(content)
        children.append(forked(child))

    monkeypatch.setattr(original._reserve, "write_json", write_and_fork)
    original.save_progress(3, 3, {})
    assert children[0].ended() == 0
    original.save_progress(5, 5, {})
    assert record.load(tmp_path / "run.json")["rows"] == 6


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
    assert content["seconds"] == pytest.approx(length.total_seconds(), abs=1)  # of two clocks


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", '{"a": \x00}', "[" * 100_000, "\udc80"])
def test_a_damaged_file_is_a_value_error(text, tmp_path):
    """Whatever stands in the file, reading it ends in one kind of error."""
    path = tmp_path / "run.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError):
        record.load(path)


# --- several processes ------------------------------------------------------------------------------------------------

ANOTHER_PROCESS = """
import sys, time
from pathlib import Path
from rla_hooks.life import read_status
from rla_hooks.claims import Claim
from rla_hooks.record import RunRecord
record = RunRecord(Path(sys.argv[1]), name="t/1")
record.save()
print("started", flush=True)
sys.stdin.readline()
record.end("finished")
record.save()
"""
COUNTED = record.Progress(5, 4, {"a": 4.0})


@pytest.fixture
def owner(tmp_path):
    """Another process, which has started the run of tmp_path/run.json, and ends it after a line of input."""
    command = [sys.executable, "-c", ANOTHER_PROCESS, str(tmp_path / "run.json")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_the_files_of_a_living_process_are_not_claimed(owner, tmp_path):
    """Nor are those of a run that has ended well."""
    run = RunRecord.existing(tmp_path / "run.json")
    before = (tmp_path / "run.json").read_bytes()
    assert run.claim(lambda: COUNTED) is Claim.GUEST and (tmp_path / "run.json").read_bytes() == before
    owner.communicate(b"\n")
    assert run.claim(lambda: COUNTED) is Claim.GUEST and run.status == "finished"


def test_a_killed_run_begins_a_new_life(owner, tmp_path):
    """The process that goes on owns the files; what run.json could not know is counted; the death stays on record."""
    owner.kill()
    owner.wait()
    path = tmp_path / "run.json"
    run, late = RunRecord.existing(path), RunRecord.existing(path)
    assert run.claim(lambda: COUNTED) is Claim.NEW_LIFE
    content = record.load(path)
    assert read_status(content) == "running" and content["pid"] == content["owner"]["pid"] == os.getpid()
    assert (content["rows"], content["last_step"], content["last"]) == (5, 4, {"a": 4.0})
    [former] = content["restarts"]
    assert (former["status"], former["pid"], former["reason"]) == ("killed", owner.pid, "Tester.load")
    assert (former["rows"], former["cut"]) == (content["rows"], None)
    run.save_progress(2, 6, {"a": 6.0})
    assert (record.load(path)["rows"], record.load(path)["last_step"]) == (7, 6)
    assert run.claim(lambda: COUNTED) is Claim.OWNER and late.claim(lambda: COUNTED) is Claim.OWNER
    assert record.load(path)["rows"] == 7


def test_one_of_several_processes_goes_on_with_a_killed_run(owner, tmp_path):
    """The first one that asks owns the files; the others are guests."""
    owner.kill()
    owner.wait()
    program = (
        "import sys; from pathlib import Path; from rla_hooks.progress import Progress\n"
        "from rla_hooks.record import RunRecord\n"
        "run = RunRecord.existing(Path(sys.argv[1])); print(flush=True); sys.stdin.readline()\n"
        "print(run.claim(lambda: Progress(0, None, {})).name, flush=True); sys.stdin.readline()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "run.json")]
    asking = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in asking:
        process.stdout.readline()
    for process in asking:
        process.stdin.write("\n")
        process.stdin.flush()
    assert sorted(process.stdout.readline() for process in asking) == ["GUEST\n", "GUEST\n", "NEW_LIFE\n"]
    for process in asking:
        process.communicate("\n")


def test_a_file_of_format_1_is_taken_up(tmp_path):
    """Its rows are those of the process that it names; from the first change on it has format 2."""
    path = tmp_path / "run.json"
    started = {"started": "2026-01-01T00:00:00.000000+00:00", "host": "elsewhere", "pid": 7, "process": "b/1"}
    path.write_text(json.dumps({"format": 1, "status": "running", "rows": 2, "last": {}, "gaps": [], **started}))
    run = RunRecord.existing(path)
    assert run.claim(lambda: COUNTED) is Claim.GUEST
    assert run.content["owner"] == {"host": "elsewhere", "pid": 7, "process": "b/1", "pid_namespace": None}
    run.save_progress(1, 9, {"b": 1.0})
    content = record.load(path)
    assert (content["format"], content["rows"], content["warnings"], content["restarts"]) == (2, 3, [], [])


def test_a_newer_format_stays_what_it_is(tmp_path):
    """A process of this version adds its rows and changes nothing that it does not know."""
    path = tmp_path / "run.json"
    RunRecord(path).save()
    path.write_text(json.dumps(record.load(path) | {"format": 7, "novel": [1]}))
    RunRecord.existing(path).save_progress(1, 0, {})
    content = record.load(path)
    assert (content["format"], content["novel"], content["rows"]) == (7, [1], 1)
