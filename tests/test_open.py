"""``rla.open(run)``: what is added to a run, and what must not change by it."""

from __future__ import annotations

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import hooks, upkeep
from rla_hooks.errors import ConfigError, RunError

pytestmark = pytest.mark.usefixtures("quiet")

QUICK = {"writers": ["csv"], "backup": "none"}
ENDING = ("status", "started", "ended", "seconds", "error", "signal", "reported", "restarts", "pid", "process", "owner")


@pytest.fixture
def ended(tmp_path):
    """Makes a run of three rows that has ended in this way, and returns it as saved; the files are then read only."""

    def make(status: str = "finished", **options):
        error = {"failed": ValueError("as planned"), "interrupted": KeyboardInterrupt()}.get(status)
        try:
            with rla.run("t", **{**QUICK, **options}, lr=0.1):
                for step in range(3):
                    rla.log({"loss": 1.0 / (step + 1)}, step=10 * step)
                if error is not None:
                    raise error
        except BaseException as raised:
            assert raised is error
        return rla.runs()[-1]

    return make


@pytest.fixture
def killed(ended):
    """A run whose process is gone without a word."""
    saved = ended()
    content = saved.run_json | {"status": "running", "ended": None, "seconds": None, "rows": 0, "last": {}}
    content |= dict.fromkeys(("pid", "process"), 2**22 + 1)
    content["owner"] = {key: content[key] for key in content["owner"]}
    saved.paths.run_json.write_text(json.dumps(content))
    saved = rla.runs()[-1]
    assert saved.status == "killed"
    return saved


def _ending(run):
    return {key: run.run_json[key] for key in ENDING}


# --- what is added ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
def test_rows_are_added_and_the_ending_stays(status, ended, read_rows):
    """Rows stand in a file of their own, and count in run.json; status, error and times are as they were."""
    before = ended(status)
    assert before.status == status
    own = before.paths.progress_csv.read_bytes()
    with rla.open(before) as run:
        assert rla.current_run() is run and isinstance(run, rla.Run) and run.status == status
        rla.log({"eval/return": 12.5}, step=30)
        run.log({"eval/return": 13.0})
    assert rla.current_run() is None
    after = rla.runs()[-1]
    assert _ending(after) == _ending(before) and after.status == status and after.problems == ()
    assert (after.info["rows"], after.info["last_step"]) == (5, 31)
    assert after.last == {"loss": 1 / 3, "eval/return": 13.0}
    assert before.paths.progress_csv.read_bytes() == own
    rows = read_rows(before.paths.progress_csv)
    assert [row.get("eval/return") for row in rows] == [None, None, None, "12.5", "13.0"]
    assert after.metrics()["time-step"].tolist() == [0, 10, 20, 30, 31]


ADDING = """
import os, signal, sys
import rla_hooks as rla
with rla.open("latest") as run:
    for step in range(20):
        rla.log({"ev": 2.0 + step}, step=step)
    print("added", flush=True)
    if sys.stdin.readline() == "kill\\n":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("status", ["finished", "killed"])
@pytest.mark.parametrize("end", ["kill", "leave"])
def test_rows_that_are_added_are_known_while_the_block_is_open_and_if_it_is_killed(end, status, request):
    """Lists, filters and tables have them, as from any run that did not end; the status stays."""
    before = request.getfixturevalue("killed") if status == "killed" else request.getfixturevalue("ended")()
    process = subprocess.Popen([sys.executable, "-c", ADDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "added\n"
    for is_over in (False, True):
        if is_over:
            process.communicate(f"{end}\n")
        (found,) = rla.runs(where="last.ev > 0")
        assert (found.id, found.status, found.info["rows"]) == (before.id, before.status, 23)
        assert found.last == {"loss": 1 / 3, "ev": 21.0} and rla.runs().table()["ev"].tolist() == [21.0]
    with rla.open(before):
        rla.log({"ev": 1.0})
    (found,) = rla.runs(where="last.ev == 1")
    assert found.info["rows"] == 24 and _ending(found) == _ending(before)
    assert len(found.run_json["appending"]) == (end == "kill")


def test_a_run_says_who_adds_to_it_only_meanwhile(ended):
    """Each object in its own right, and only from its first row on."""
    before = ended()
    with rla.open(before) as run:
        assert "appending" not in rla.runs()[-1].run_json
        other = rla.open(before)
        run.log({"a": 1}), other.log({"b": 1})
        assert len(rla.runs()[-1].run_json["appending"]) == 2
        other.finish()
        assert len(rla.runs()[-1].run_json["appending"]) == 1
    found = rla.runs()[-1]
    assert found.run_json["appending"] == [] and found.last == {"loss": 1 / 3, "a": 1, "b": 1}


def test_figures_checkpoints_and_labels_are_added(ended):
    """Beside those that are there: no checkpoint of the training is pushed out by new ones."""
    with rla.run("t", **QUICK) as run:
        for step in range(5):
            rla.save_checkpoint({"weights": [1.0 * step]}, step=step)
    with rla.open(rla.runs()[-1]) as run:
        for step in range(5, 8):
            rla.save_checkpoint({"weights": [1.0 * step]}, step=step)
        rla.simple_plot("returns", [[1, 2, 3]])
        run.tag("evaluated")
        run.set_note("by an evaluation")
    saved = rla.runs()[-1]
    names = sorted(file.name for file in saved.checkpoint_dir.glob("*.pkl"))
    assert names == [f"checkpoint-{step}.pkl" for step in range(8)]
    assert rla.latest_checkpoint(saved).name == "checkpoint-7.pkl"
    assert [file.name for file in saved.results_dir.iterdir()] == ["returns.png"]
    assert (saved.tags, saved.note, saved.status) == (["evaluated"], "by an evaluation", "finished")


def test_without_a_block_it_is_closed_by_finish_and_goes_on_after(ended):
    """It is not the current run then; a row after finish() counts, too."""
    run = rla.open(ended())
    assert rla.current_run() is None
    run.log({"a": 1})
    run.finish()
    run.log({"a": 2})
    run.finish("failed")
    saved = rla.runs()[-1]
    assert (saved.status, saved.info["rows"], saved.last["a"]) == ("finished", 5, 2)
    assert len(list(saved.log_dir.glob("progress.*-*.csv"))) == 1


def test_a_run_may_be_opened_again_and_again(ended, read_rows):
    """Two blocks of one process share its file; the same object serves in a second block, but not twice at once."""
    saved = ended()
    for value in range(3):
        with rla.open(saved.id):
            rla.log({"a": value})
    run = rla.open(saved)
    with run:
        rla.log({"a": 3})
        with pytest.raises(RunError, match="is open in a block already"), run:
            pass
        rla.log({"a": 4})
    with run:
        rla.log({"a": 5})
    assert [row["a"] for row in read_rows(saved.paths.progress_csv)[3:]] == ["0", "1", "2", "3", "4", "5"]
    assert rla.runs()[-1].info["rows"] == 9


def test_the_writers_are_those_of_the_run_or_the_ones_given(ended, capfd):
    """An event file of the opened run's own comes to that of the training, and TensorBoard joins them."""
    saved = ended(writers=["csv", "tensorboard"])
    (old,) = saved.tensorboard_dir.glob("events*")
    before = old.read_bytes()
    with rla.open(saved):
        rla.log({"eval/return": 1.5}, step=40)
    (new,) = set(saved.tensorboard_dir.glob("events*")) - {old}
    assert b"eval/return" in new.read_bytes() and old.read_bytes() == before
    with rla.open(saved, writers=["stdout"]):
        rla.log({"told": 2.5}, step=50)
    assert "told" in capfd.readouterr().out and "told" not in rla.runs()[-1].metrics()
    with pytest.raises(ConfigError, match=r"'cvs'. Known: .* Did you mean 'csv'"):
        rla.open(saved, writers=["cvs"])


def test_inside_of_another_run(ended):
    """The outer run goes on after the block."""
    saved = ended()
    with rla.run("outer", **QUICK) as outer:
        rla.log({"a": 1})
        with rla.open(saved):
            rla.log({"b": 2})
            assert rla.current_run().name == saved.name
        assert rla.current_run() is outer
        rla.log({"a": 3})
    last = {run.task: run.last for run in rla.runs()}
    assert last == {"t": {"loss": 1 / 3, "b": 2}, "outer": {"a": 3}}


def test_another_process_adds_to_a_run_that_trains(tmp_path):
    """A guest: the training goes on, ends as it does, and all rows are counted."""
    script = (
        "import sys, rla_hooks as rla\n"
        "run = rla.runs()[-1]\n"
        "assert run.status == 'running'\n"
        "with rla.open(run) as opened:\n"
        "    rla.log({'eval': 7.5}, step=3)\n"
        "    opened.tag('seen')\n"
        "    raise ValueError('of the evaluation')\n"
    )
    with pytest.raises(RuntimeError, match="of the training"), rla.run("t", **QUICK):
        rla.log({"loss": 1.0}, step=0)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert "of the evaluation" in done.stderr and done.returncode == 1
        rla.log({"loss": 0.5}, step=10)
        raise RuntimeError("of the training")
    saved = rla.runs()[-1]
    assert (saved.status, saved.info["rows"], saved.info["last_step"]) == ("failed", 3, 10)
    assert "of the training" in saved.info["error"] and "of the evaluation" not in saved.info["error"]
    assert saved.last == {"loss": 0.5, "eval": 7.5} and saved.tags == ["seen"]


# --- what must not change ---------------------------------------------------------------------------------------------


def test_a_killed_run_stays_killed(killed, read_rows):
    """It is not taken up as Tester.load does; its own rows are read from its files as before."""
    before = _ending(killed)
    with rla.open(killed) as run:
        assert run.status == "killed"
        rla.log({"eval": 1.0}, step=5)
        rla.save_checkpoint({"w": [1.0]})
    after = rla.runs()[-1]
    assert after.status == "killed" and _ending(after) == before
    assert (after.info["rows"], after.last) == (4, {"loss": 1 / 3, "eval": 1.0})
    assert len(read_rows(killed.paths.progress_csv)) == 4
    assert len(list(killed.log_dir.glob("progress*.csv"))) == 2


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_in_the_block_is_the_callers(error, ended):
    """It passes unchanged, and the run does not fail by it."""
    saved = ended()
    with pytest.raises(type(error)) as caught, rla.open(saved):
        rla.log({"a": 1})
        raise error
    assert caught.value is error
    after = rla.runs()[-1]
    assert _ending(after) == _ending(saved) and after.info["rows"] == 4
    assert rla.current_run() is None


def test_a_hooks_report_does_not_change_the_ending(ended):
    """A framework's callback in the block tells of its own fit."""
    saved = ended()
    with rla.open(saved) as run:
        run.log({"a": 1})
        run.report("failed", ValueError("of an evaluation"))
        run.ending.report_signal("SIGTERM")
    assert _ending(rla.runs()[-1]) == _ending(saved)


def test_the_end_of_the_process_ends_nothing(ended):
    """Left open, the rows are counted, and an exception of the program is not the run's."""
    saved = ended()
    script = "import rla_hooks as rla\nrun = rla.open(rla.runs()[-1])\nrun.log({'a': 1})\n1 / 0\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "ZeroDivisionError" in done.stderr
    after = rla.runs()[-1]
    assert _ending(after) == _ending(saved) and after.info["rows"] == 4


def test_other_files_of_the_run_stay(ended):
    """tester.pkl, parameter.json and the rows are the same bytes; nothing temporary is left."""
    saved = ended()
    kept = [saved.paths.tester_pkl, saved.paths.parameter_json, saved.paths.progress_csv]
    before = [file.read_bytes() for file in kept]
    with rla.open(saved) as run:
        rla.log({"a": 1})
        run.add_custom_data("a", 1)
        rla.save_checkpoint({"w": [1.0]})
    assert [file.read_bytes() for file in kept] == before
    assert list(Path("rla_data").rglob(".saving-*")) == []


def test_opening_alone_writes_nothing(ended):
    """No file is made or touched before there is something to add."""
    saved = ended()
    before = {file: file.stat().st_mtime_ns for file in Path("rla_data").rglob("*") if file.is_file()}
    with rla.open(saved) as run:
        assert run.parameters() == {"lr": 0.1} and run.task_name == "t" and run.log_dir == saved.log_dir
    assert {file: file.stat().st_mtime_ns for file in Path("rla_data").rglob("*") if file.is_file()} == before


# --- copies, threads, archives, off -----------------------------------------------------------------------------------


def test_a_run_without_its_archive_is_opened(ended):
    """What is needed stands in run.json and parameter.json; a folder that is gone comes back when it is needed."""
    saved = ended()
    shutil.rmtree("rla_data/archive_tester")
    shutil.rmtree("rla_data/checkpoint")
    with rla.open(saved):
        rla.log({"a": 1})
        rla.save_checkpoint({"w": [1.0]}, step=1)
    assert rla.runs()[-1].info["rows"] == 4 and rla.latest_checkpoint(rla.runs()[-1]).name == "checkpoint-1.pkl"
    assert not Path("rla_data/archive_tester").exists()


def test_a_run_that_was_renamed_by_hand_keeps_its_folders(ended):
    """Checkpoints and figures go where the earlier ones are, under its first name, so that none is hidden."""
    with rla.run("t", **QUICK) as run:
        rla.save_checkpoint({"w": [0.0]}, step=0)
    run.log_dir.rename(run.log_dir.with_name("the best"))
    with rla.open(rla.runs()[-1]) as opened:
        rla.log({"a": 1})
        rla.save_checkpoint({"w": [1.0]}, step=1)
        rla.simple_plot("p", [[1, 2]])
        opened.tag("x")
    saved = rla.runs()[-1]
    assert saved.name.endswith("/the best") and (saved.last["a"], saved.tags) == (1, ["x"])
    assert sorted(file.name for file in run.checkpoint_dir.glob("*.pkl")) == ["checkpoint-0.pkl", "checkpoint-1.pkl"]
    assert saved.checkpoint_dir == run.checkpoint_dir and [file.name for file in run.results_dir.iterdir()] == ["p.png"]
    assert len(list(Path("rla_data/checkpoint/t").glob("*/*/*/*"))) == 1


def test_what_is_added_to_a_copy_is_not_the_originals(ended):
    """A folder below log/ that somebody has copied: neither rows nor checkpoints go to the run that it was."""
    saved = ended()
    shutil.copytree(saved.log_dir, saved.log_dir.with_name("copy"))
    with rla.open("/copy"):
        rla.log({"a": 1})
        rla.save_checkpoint({"w": [1.0]}, step=1)
    assert [run.info["rows"] for run in rla.runs()] == [3, 4] and list(saved.checkpoint_dir.iterdir()) == []


def test_a_hook_joins_the_run_in_the_block(ended):
    """Lightning's logger and Keras' callback find their run by this kit."""
    saved = ended()
    with rla.open(saved):
        handle = hooks.attach_or_plan(hooks.OwnRun("MyHook"))
        handle.ensure_started().log({"eval": 2.0}, step=9)
        handle.ensure_started().add_hyper_params({"lr": 0.3, "width": 64})
        handle.resolve().report("failed", ValueError("of the evaluation"))
    (after,) = rla.runs()
    assert after.last["eval"] == 2.0 and _ending(after) == _ending(saved)
    assert after.hparams == {"lr": 0.1, "module.lr": 0.3, "width": 64}


def test_a_forked_child_opens_for_itself_and_not_for_its_parent(ended, warnings_as_text, forked):
    """What the parent has opened takes everything there, and writes nothing."""
    saved = ended()
    run = rla.open(saved)
    run.log({"parent": 1})

    def child():
        warnings_as_text.clear()
        run.log({"never": 1})
        with rla.open(saved):
            rla.log({"child": 1})

    assert forked(child).ended() == 0
    run.finish()
    after = rla.runs()[-1]
    assert after.last == {"loss": 1 / 3, "parent": 1, "child": 1} and after.info["rows"] == 5


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))])
def test_copies_add_to_the_same_run_and_end_nothing(make, ended):
    """As copies of every run do."""
    saved = ended()
    with rla.open(saved) as run:
        run.log({"a": 1})
        twin = make(run)
        twin.log({"a": 2})
        twin.report("failed")
        twin.finish()
    after = rla.runs()[-1]
    assert _ending(after) == _ending(saved) and after.info["rows"] == 5


def test_two_threads_add_to_two_runs(ended):
    """Each block is current in its own thread."""
    runs = [ended(), ended()]

    def add(saved, value):
        with rla.open(saved):
            for _ in range(20):
                rla.log({"a": value})

    threads = [threading.Thread(target=add, args=(saved, value)) for value, saved in enumerate(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [(run.last["a"], run.info["rows"]) for run in rla.runs()] == [(0, 23), (1, 23)]


def test_with_rla_mode_off_nothing_is_written(ended, monkeypatch):
    """Every call is taken, also for a run that is not there; the block works."""
    saved = ended()
    monkeypatch.setenv("RLA_MODE", "off")
    before = sorted(Path("rla_data").rglob("*"))
    for which in (saved, "no such run"):
        with rla.open(which) as run:
            rla.log({"a": 1})
            run.tag("x")
            run.save_checkpoint({"w": [1.0]})
    assert sorted(Path("rla_data").rglob("*")) == before


# --- which run, and mistakes ------------------------------------------------------------------------------------------


def test_a_run_is_named_by_id_name_or_a_part(ended, tmp_path):
    """What fits several runs is not guessed; what fits none says where to look."""
    first, second = ended(), ended(log_root=None)
    for text in (first.id, first.id[:5], first.name, first.name[-30:]):
        assert rla.open(text).name == first.name, text
    assert (rla.open("latest").name, rla.open("latest~1").name) == (second.name, first.name)
    with pytest.raises(ConfigError, match=rf"'t/2' fits 2 runs in .*These: {first.id} \(t/2.*{second.id}"):
        rla.open("t/2")
    with pytest.raises(ConfigError, match=r"'nosuch' fits no run among 2 \(see rla.runs\(\)\)"):
        rla.open("nosuch")
    upkeep.archive(second)
    with pytest.raises(ConfigError, match=r"among 1 .* It is archived: .* rla archive --restore brings it back"):
        rla.open(second.id)
    upkeep.delete(first)
    with pytest.raises(ConfigError, match=r"fits no run among 0 .* It was deleted: rla undo 2 brings it back\."):
        rla.open(first.id)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="fits no run among 0"):
        rla.open(first.id, log_root=tmp_path / "empty")
    for wrong in ("", 3, None, first.paths):
        with pytest.raises(ConfigError, match=r"rla.open got .*Allowed: a run of rla.runs\(\), its id, its name"):
            rla.open(wrong)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"status": "finished"}', '{"status": "odd"}'])
def test_a_run_whose_run_json_is_damaged_is_refused(damage, ended):
    """Its numbers could not be counted on."""
    saved = ended()
    saved.paths.run_json.write_text(damage)
    with pytest.raises(RunError, match=r"its run\.json cannot be read"):
        rla.open(rla.runs()[-1])


def test_a_run_of_the_original_rla_and_one_that_is_gone_are_refused(ended):
    """They can be read only, or not even that."""
    saved = ended()
    saved.paths.run_json.unlink()
    with pytest.raises(RunError, match=r"has no run.json, so nothing can be added to it. Allowed: runs of rla_hooks"):
        rla.open(saved)
    shutil.rmtree(saved.log_dir)
    with pytest.raises(RunError, match="is not there"):
        rla.open(saved)
    assert not saved.log_dir.exists()


def test_a_read_only_root_is_refused_at_once(mounted):
    """Rather than by a warning at each row."""
    disk = mounted("tmpfs", "size=2m")
    with rla.run("t", **QUICK, log_root=disk):
        rla.log({"a": 1})
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(RunError, match="this user may not write there"):
        rla.open(rla.runs(disk)[-1])


def test_open_is_not_imported_with_a_star():
    """Python's own open must stay what it is."""
    names: dict[str, object] = {}
    exec("from rla_hooks import *", names)
    assert "open" not in names and "open" not in rla.__all__ and "open" in dir(rla)
    from rla_hooks import open as from_package

    assert from_package is rla.open and os.open is not rla.open
