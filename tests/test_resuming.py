"""A run goes on in a new life: in the same folders, on one curve, whatever ended it before."""

from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import hooks, testing
from rla_hooks.core import archive
from rla_hooks.errors import ConfigError, RunError
from rla_hooks.labels import Labels, change
from rla_hooks.query.entry import seconds_of
from rla_hooks.record import report_in_file

pytestmark = pytest.mark.usefixtures("quiet")

QUICK = {"task": "t", "writers": ["csv", "log"], "backup": "none"}
# Trains up to a step; with a second argument it resumes that run, and with a third it kills itself at that step.
TRAINING = """
import os, signal, sys
import rla_hooks as rla

steps, resume, dies_at = int(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3])
with rla.run("t", backup="none", writers=["csv", "tensorboard", "log"], resume=resume, lr=0.1) as run:
    step, weights = 0, {"total": 0}
    if run.is_resumed:
        step, content = rla.load_checkpoint()
        weights = content["weights"]
    for step in range(step, steps):
        weights["total"] += step
        rla.log({"total": weights["total"]}, step=step)
        if step % 5 == 4:
            rla.save_checkpoint({"weights": weights}, step=step + 1)
        if step == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def train(tmp_path):
    """Runs the program in a child process, and returns its exit code, negative for a signal."""

    def run(steps: int, resume: str = "", dies_at: int = -1) -> int:
        command = [sys.executable, "-c", TRAINING, str(steps), resume, str(dies_at)]
        return subprocess.run(command, cwd=tmp_path, timeout=60).returncode

    return run


def interrupted(steps: int = 6, saved_at: int | None = 4, **options):
    """A run that Ctrl-C ends, with a row for each step and one checkpoint."""
    with pytest.raises(KeyboardInterrupt), rla.run(**{**QUICK, **options}, lr=0.1) as run:
        for step in range(steps):
            rla.log({"loss": 1.0 / (step + 1)}, step=step)
            if step + 1 == saved_at:
                rla.save_checkpoint({"weights": [float(step)]}, step=step + 1)
        raise KeyboardInterrupt
    return run


def content_of(run) -> dict:
    return json.loads(run.paths.run_json.read_text())


def test_a_run_that_was_killed_goes_on_in_its_folders(train, read_scalars):
    """Its status, its rows and its id are one run's, and run.json tells of the life before."""
    assert train(20, dies_at=12) == -signal.SIGKILL
    before = rla.runs()[-1]
    assert (before.status, before.info["rows"]) == ("killed", 13)
    assert train(20, before.name) == 0
    [run] = rla.runs()
    assert (run.id, run.name, run.status) == (before.id, before.name, "finished")
    [former] = run.run_json["restarts"]
    told = {key: former[key] for key in ("status", "rows", "last_step", "ended", "reason", "step")}
    assert told == {
        "status": "killed", "rows": 13, "last_step": 12, "ended": None, "reason": "resume=", "step": 10,
    }  # fmt: skip
    assert former["started"] == run.run_json["started"] < run.run_json["resumed"]
    assert 0 < run.seconds < 30 + time.time() - seconds_of(run.run_json["resumed"])
    assert run.run_json["last"] == {"total": sum(range(20))}  # the weights came back
    _is_one_curve(run, 20, read_scalars)
    assert (former["rows_cut"], former["cut"]) == (3, 1)
    assert "time-step" in (run.log_dir / "cut/1/progress.csv").read_text()
    assert "resumed at step 10 (checkpoint-10.pkl): 3 rows after it are kept in cut/1" in _log_of(run)


def _log_of(run) -> str:
    return (run.log_dir / "log.txt").read_text()


def _is_one_curve(run, steps: int, read_scalars) -> None:
    """Each step is there once, in progress.csv, in what TensorBoard reads, and in the numbers of run.json."""
    frame = run.metrics()
    assert frame["time-step"].tolist() == list(range(steps))
    totals = [float(sum(range(step + 1))) for step in range(steps)]
    assert frame["total"].tolist() == totals
    assert read_scalars(run.tensorboard_dir)["total"] == list(enumerate(totals))
    assert (run.run_json["rows"], run.run_json["last_step"]) == (steps, steps - 1)


@pytest.mark.parametrize("how", ["name", "id", "letters", "folder", "checkpoint", "pkl", "saved"])
def test_a_run_is_named_in_many_ways(how):
    """By its name, its id or the first letters, the path of any of its folders, or as a saved run."""
    old = interrupted()
    names = {"name": old.name, "id": old.record.content["id"], "letters": old.record.content["id"][:4]}
    names |= {"folder": str(old.log_dir), "checkpoint": old.checkpoint_dir, "pkl": old.pkl_file}
    with rla.run(**QUICK, resume=names.get(how) or rla.runs()[-1]) as run:
        assert (run.name, run.is_resumed, run.status) == (old.name, True, "running")
        assert rla.load_checkpoint() == (4, {"weights": [3.0]})
        rla.log({"loss": 0.0})
    assert len(rla.runs()) == 1


def test_what_the_run_had_is_there_again():
    """Hyper-parameters that are not given again, custom data, the time step, tags; what is new is added."""
    with pytest.raises(KeyboardInterrupt), rla.run(**QUICK, tags=["a"], lr=0.1, net={"width": 8}) as old:
        old.time_step_holder.set_time(7)
        rla.save_checkpoint({"weights": [1.0]}, related_variable={"returns": [1, 2]})
        raise KeyboardInterrupt
    with rla.run(**QUICK, tags=["b"], resume=old.name, lr=0.1) as run:
        assert run.parameters() == {"net.width": 8, "lr": 0.1}
        assert run.get_custom_data("returns") == [1, 2]
        assert rla.load_checkpoint()[0] == run.time_step_holder.get_time() == 7
        assert run.record.content["id"] == old.record.content["id"]
    saved = rla.runs()[-1]
    assert (saved.tags, saved.hparams) == (["a", "b"], {"lr": 0.1, "net.width": 8})


def test_labels_that_people_have_changed_since_stay_theirs():
    """The program gives the same ones at each start; what it gives anew counts."""

    def life(**options):
        with rla.run(**QUICK, title="PPO", group="nets", **options) as run:
            if run.is_resumed:
                rla.load_checkpoint()
            rla.save_checkpoint({"weights": [1.0]}, step=1)
            raise KeyboardInterrupt

    def labels_after(**options):
        with pytest.raises(KeyboardInterrupt):
            life(**options)
        saved = rla.runs()[-1]
        return saved.tags, saved.note, saved.title, saved.group

    assert labels_after(tags=("a", "b"), note="first") == (["a", "b"], "first", "PPO", "nets")
    saved = rla.runs()[-1]
    change(saved.paths.labels_json, Labels(["good"], note="seed 3 is odd", title=""), remove=["b"])
    mine = ["a", "good"], "seed 3 is odd", None, "nets"
    for _ in range(2):
        assert labels_after(tags=("a", "b"), note="first", resume=saved.id) == mine
    anew = labels_after(tags=["a", "two GPUs"], note="second", resume=saved.id)
    assert anew == (["a", "good", "two GPUs"], "second", None, "nets")


def test_a_row_before_any_load_cuts_nothing_and_warns_once():
    """The rows of both lives are there."""
    old = interrupted(6, 4)
    with pytest.warns(rla.RLAWarning, match=r"nothing was cut.*step 4") as told, rla.run(**QUICK, resume=old.name):
        for step in range(4, 7):
            rla.log({"loss": 0.0}, step=step)
        rla.load_checkpoint()
        rla.log({"loss": 0.0}, step=7)
    assert len(told) == 1
    assert rla.runs()[-1].metrics()["time-step"].tolist() == [0, 1, 2, 3, 4, 5, 4, 5, 6, 7]


def test_the_run_must_not_be_alive():
    """The process that lives is named, nothing is written, and the run goes on undisturbed."""
    with rla.run(**QUICK) as old:
        rla.save_checkpoint({"weights": [1.0]}, step=1)
        before = old.paths.run_json.read_bytes()
        with pytest.raises(RunError, match=rf"still alive: process {os.getpid()} on"):
            rla.start(**QUICK, resume=old.name)
        assert old.paths.run_json.read_bytes() == before
        assert rla.current_run() is old
    assert rla.runs()[-1].status == "finished"


STARTER = """
import os, sys
import rla_hooks as rla

for name in sys.stdin:
    try:
        with rla.run("t", writers=["csv"], backup="none", resume=name.strip()) as run:
            rla.load_checkpoint()
            rla.log({"who": os.getpid()}, step=100)
            print("went on", flush=True)
            input()
    except rla.RunError as error:
        print("stopped", error, flush=True)
        input()
    print("ended", flush=True)
"""


@pytest.mark.norerun
def test_of_two_resumes_at_once_one_goes_on(tmp_path):
    """The other one stops before it writes, and names the first: with real processes, several times."""
    name = interrupted().name
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-uc", STARTER], cwd=tmp_path, **pipes) for _ in range(2)]

    def told(line):
        for each in both:
            each.stdin.write(f"{line}\n")
            each.stdin.flush()
        return [each.stdout.readline() for each in both]

    for turn in range(5):
        answers = told(name)
        assert sorted(line.split()[0] for line in answers) == ["stopped", "went"], answers
        winner = both[0 if answers[0].startswith("went") else 1]
        assert f"process {winner.pid} on" in "".join(answers)
        run = rla.runs()[-1]
        assert (run.run_json["pid"], run.status, len(run.run_json["restarts"])) == (winner.pid, "running", turn + 1)
        assert told("end") == ["ended\n"] * 2
        _interrupt_again(run)
    for each in both:
        each.communicate(timeout=120)
        assert each.returncode == 0


def _interrupt_again(run):
    """What has finished may not be resumed; so the tests say that it was interrupted."""
    content = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(content | {"status": "interrupted"}))


def test_a_former_life_ends_nothing_any_more():
    """An object of the life before, as in a notebook that is left open, cannot change how the new life stands."""
    old = interrupted()
    with rla.run(**QUICK, resume=old.name) as run:
        rla.load_checkpoint()
        old.log({"late": 1.0}, step=100)
        old.finish("failed", ValueError("late"))
        old.flush()
        assert content_of(run)["status"] == "running"
    assert (content_of(run)["status"], content_of(run)["error"]) == ("finished", None)


def test_a_former_life_adds_no_checkpoint(warnings_as_text):
    """Its newest one would be what the next resume goes on from; nor does it change the custom data."""
    old = interrupted()
    with rla.run(**QUICK, resume=old.name) as run:
        rla.load_checkpoint()
        newest = rla.latest_checkpoint(run)
        run.add_custom_data("life", "new")
        rla.save_checkpoint({"w": 1}, step=7)
        for step in (500, 501):
            assert old.save_checkpoint({"w": 0}, {"life": "old"}, step=step) is None
        (run.checkpoint_dir / "late.bin").write_text("late")
        old.register_checkpoint(run.checkpoint_dir / "late.bin", 502)
        assert rla.latest_checkpoint(run).name == "checkpoint-7.pkl" != newest.name
    assert ["the run was resumed, and goes on elsewhere" in text for text in warnings_as_text] == [True]
    warnings_as_text.clear()
    assert archive.load(run.paths.tester_pkl)[0]["custom_data"]["life"] == ["new"]


def test_ctrl_c_at_the_start_of_a_resume_leaves_the_run_resumable(monkeypatch):
    """Whether the new life has begun, or is about to."""
    old = interrupted()
    for place in ("rla_hooks.core.run.Run._open_files", "rla_hooks.core.resuming.NewLife.begin"):
        with monkeypatch.context() as patch:

            def press(*args, **kwargs):
                raise KeyboardInterrupt

            patch.setattr(place, press)
            with pytest.raises(KeyboardInterrupt):
                rla.start(**QUICK, resume=old.name)
        assert rla.runs()[-1].status == "interrupted"
        assert rla.current_run() is None
    with rla.run(**QUICK, resume=old.name) as run:
        assert rla.load_checkpoint()[0] == 4
        rla.log({"loss": 0.0}, step=4)
    assert content_of(run)["status"] == "finished"


@pytest.mark.parametrize(
    ("damage", "told"),
    [(b"", "is damaged"), (b"{}", "status"), (b'{"status": "odd"}', "odd"), (b'{"status": "killed"}', "killed")],
)
def test_a_damaged_run_json_is_a_clear_error(damage, told):
    """Nothing of the run changes."""
    old = interrupted()
    old.paths.run_json.write_bytes(damage)
    before = _files_of(old.log_dir)
    with pytest.raises(ConfigError, match=rf"(?s)cannot be resumed.*({told})"):
        rla.start(**QUICK, resume=str(old.log_dir))
    assert _files_of(old.log_dir) == before


def _files_of(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_all_mistakes_are_told_at_once(tmp_path):
    """Those of the options of a resume are told with the others, and nothing is created."""
    with pytest.raises(ConfigError) as caught:
        rla.start("t", resume=3, allow=[1], same_code=1, from_start="no", backup="sauce", tags=3)
    text = str(caught.value)
    for name in ("resume is 3", "allow is [1]", "same_code is 1", "from_start is 'no'", "sauce", "tags is 3"):
        assert name in text
    assert list(tmp_path.iterdir()) == []
    interrupted()
    with pytest.raises(ConfigError, match="'nowhere' fits no run"):
        rla.start("t", resume="nowhere")
    assert len(rla.runs()) == 1


def test_without_a_checkpoint_it_is_refused():
    """The way out is told."""
    old = interrupted(saved_at=None)
    with pytest.raises(ConfigError, match=r"no whole checkpoint.*from_start=True"):
        rla.start(**QUICK, resume=old.name)


def test_a_tracked_function_is_resumed_with_the_stored_arguments():
    """``main.resume`` calls it with them; of a method the object comes second; it works with ``async def``."""
    calls = []

    @rla.track(**QUICK)
    def main(lr=0.1, steps=4):
        calls.append((lr, steps, rla.current_run().is_resumed))
        rla.save_checkpoint({"weights": [1.0]}, step=1)
        if not rla.current_run().is_resumed:
            raise KeyboardInterrupt
        return rla.load_checkpoint()[0]

    with pytest.raises(KeyboardInterrupt):
        main(lr=0.5)
    name = rla.runs()[-1].name
    assert main.resume(name) == 1
    assert calls == [(0.5, 4, False), (0.5, 4, True)]
    assert main.__name__ == "main" and main.resume.__qualname__.endswith("main.resume")
    with pytest.raises(ConfigError, match="pass hyper-parameters by name"):
        main.resume(name, 3)


def test_with_tracking_off_the_options_do_nothing(monkeypatch, tmp_path):
    """RLA_MODE=off: every option is accepted."""
    monkeypatch.setenv("RLA_MODE", "off")
    with rla.run(**QUICK, resume="nowhere", allow=["lr"], same_code=True, from_start=True) as run:
        assert not run.is_resumed
    assert list(tmp_path.iterdir()) == []


def test_another_rank_loads_from_the_folder_and_writes_nothing(monkeypatch, warnings_as_text):
    """It does not claim the run, which the writing rank has, and it loads the same checkpoint."""
    old = interrupted()
    before = _files_of(old.log_dir)
    monkeypatch.setenv("RLA_RANK", "1")
    with rla.run(**QUICK, resume=old.name) as run:
        assert (run.is_writing, run.is_resumed) == (False, True)
        assert rla.load_checkpoint() == (4, {"weights": [3.0]})
        rla.log({"loss": 1.0}, step=9)
    assert _files_of(old.log_dir) == before
    assert "rank 1" in warnings_as_text.pop()


def test_a_log_root_that_was_moved(tmp_path):
    """The run goes on where it is now."""
    old = interrupted()
    os.rename(tmp_path / "rla_data", tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / "log" / old.name
    with rla.run(**QUICK, resume=moved) as run:
        assert run.log_dir == moved
        assert rla.load_checkpoint()[0] == 4
    assert not (tmp_path / "rla_data").exists()


def test_a_folder_that_was_renamed(tmp_path):
    """Its checkpoints lie under the first name still, and so do new ones."""
    old = interrupted()
    os.rename(old.log_dir, tmp_path / "rla_data/log/best")
    with rla.run(**QUICK, resume=tmp_path / "rla_data/log/best"):
        assert rla.load_checkpoint()[0] == 4
        rla.log({"loss": 0.0}, step=4)
        assert rla.save_checkpoint({"weights": [2.0]}, step=5).parent == old.checkpoint_dir
    assert rla.runs()[-1].status == "finished"


def test_a_hook_goes_on_with_a_run():
    """Its handle names the folders before it starts, and changes nothing until then; a copy of it joins the run."""
    old = interrupted()
    before = _files_of(old.log_dir)
    handle = hooks.attach_or_plan(hooks.OwnRun("Hook", **QUICK, resume=old.name))
    copy = pickle.loads(pickle.dumps(handle))
    assert (handle.resolve().name, handle.run, handle.resolve().is_resumed) == (old.name, None, True)
    assert _files_of(old.log_dir) == before
    run = handle.ensure_started()
    assert (run.name, run.status, run.made_by_hook) == (old.name, "running", True)
    run.loaded_checkpoint(old.checkpoint_dir / "checkpoint-4.pkl")
    run.log({"loss": 0.0}, step=4)
    other = copy.ensure_started()
    assert other.record.content["life"] == run.record.content["life"]
    assert len(content_of(run)["restarts"]) == 1
    testing.reset()
    assert rla.runs()[-1].status == "finished"


def test_a_hook_is_told_of_mistakes_in_a_resume():
    """With the others, before anything is created."""
    with pytest.raises(ConfigError, match=r"(?s)resume is 3.*allow is 5"):
        hooks.check_arguments("Hook", (), {}, hooks.OwnRun("Hook", resume=3, allow=5))


def test_a_file_that_is_no_checkpoint_of_the_run_cuts_nothing(tmp_path):
    """A hook that gives one is told."""
    old = interrupted()
    with rla.run(**QUICK, resume=old.name) as run:
        with pytest.warns(rla.RLAWarning, match=r"other\.pt is no checkpoint of this run"):
            run.loaded_checkpoint(tmp_path / "other.pt")
        run.log({"loss": 0.0}, step=4)


def test_a_run_of_format_1(tmp_path):
    """It goes on, and its run.json has everything that this version writes."""
    root = shutil.copytree(Path(__file__).parent / "data/root_format_1", tmp_path / "root")
    old = next(run for run in rla.runs(root) if run.record == {"seed": 3})
    old.paths.run_json.write_text(json.dumps(old.run_json | {"status": "interrupted"}))
    with rla.run("cartpole", log_root=root, backup="none", writers=["csv"], resume=old.log_dir):
        step, _ = rla.load_checkpoint()
        rla.log({"loss": 0.0}, step=step + 1)
    saved = next(run for run in rla.runs(root) if run.name == old.name)
    assert (saved.status, saved.problems, saved.info["format"], step) == ("finished", (), 2, 300)
    assert [life["status"] for life in saved.run_json["restarts"]] == ["interrupted"]


def test_a_run_of_the_original_rla_is_refused(tmp_path):
    """It has no run.json, and no list of checkpoints: it can only be read."""
    root = shutil.copytree(Path(__file__).parent / "data/root_of_rla", tmp_path / "root")
    [old, *_] = rla.runs(root)
    with pytest.raises(rla.RLAError, match=r"resume|resumed"):
        rla.start("t", log_root=root, resume=old, from_start=True)


def test_a_disk_that_cannot_be_written(mounted, tmp_path):
    """A clear error before anything is changed: no training repeats what is on the curve, unrecorded."""
    disk = mounted("tmpfs", "size=4m")
    old = interrupted(log_root=disk / "root")
    before = _files_of(disk)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(RunError, match=r"cannot be resumed.*[Rr]ead-only.*Nothing of it has changed"):
        rla.start(**QUICK, log_root=disk / "root", resume=old.log_dir)
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    with (disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
        while True:
            filler.write(bytes(4096))
    with pytest.raises(RunError, match=r"cannot be resumed.*No space.*Nothing of it has changed"):
        rla.start(**QUICK, log_root=disk / "root", resume=old.log_dir)
    os.truncate(disk / "filler", (disk / "filler").stat().st_size // 4096 * 4096 - 4096)
    with pytest.raises(RunError, match="No space"):  # run.json would fit once, and could not say how the life ends
        rla.start(**QUICK, log_root=disk / "root", resume=old.log_dir)
    (disk / "filler").unlink()
    assert _files_of(disk) == before
    with rla.run(**QUICK, log_root=disk / "root", resume=old.log_dir):
        rla.load_checkpoint()


def test_a_clock_that_was_set_back(monkeypatch):
    """Rows keep their order, and the new life its own length; ``resumed`` is what the clock says."""
    old = interrupted()
    content = content_of(old) | {"started": "2040-01-31T12:00:00.000000+00:00", "ended": None, "status": "running"}
    content |= dict.fromkeys(("pid", "process"), 2**22 + 1)
    old.paths.run_json.write_text(json.dumps(content | {"owner": {key: content[key] for key in content["owner"]}}))
    with rla.run(**QUICK, resume=old.name) as run:
        rla.load_checkpoint()
        rla.log({"loss": 0.0}, step=6)
    saved = rla.runs()[-1]
    assert (saved.status, 0 <= saved.seconds < 60, saved.metrics()["time-step"].tolist()[-1]) == ("finished", True, 6)
    assert saved.run_json["resumed"] < saved.run_json["started"] == content_of(run)["restarts"][0]["started"]


def test_copies_and_children_of_a_resumed_run_cut_nothing(forked):
    """A copy adds rows beside, and a forked child accepts everything and writes nothing, as ever."""
    old = interrupted()
    with rla.run(**QUICK, resume=old.name) as run:
        rla.load_checkpoint()
        copy = pickle.loads(pickle.dumps(run))
        assert (copy.is_resumed, copy.new_life) == (True, None)
        copy.load_checkpoint()
        copy.log({"copied": 1.0}, step=5)

        def child():
            before = _files_of(run.log_dir)
            run.load_checkpoint()
            run.log({"forked": 1.0}, step=6)
            assert _files_of(run.log_dir) == before

        assert forked(child).ended() == 0
        run.log({"loss": 0.0}, step=6)
    assert rla.runs()[-1].status == "finished"


def test_a_run_is_resumed_three_times(train, read_scalars):
    """Each life is listed with what it left."""
    for turn, dies_at in enumerate((7, 12, 18)):
        assert train(30, rla.runs()[-1].name if turn else "", dies_at) == -signal.SIGKILL
    assert train(30, rla.runs()[-1].name) == 0
    [run] = rla.runs()
    assert [(life["status"], life["last_step"], life["step"]) for life in run.run_json["restarts"]] == [
        ("killed", 7, 5),
        ("killed", 12, 10),
        ("killed", 18, 15),
    ]
    _is_one_curve(run, 30, read_scalars)
    assert [life["rows_cut"] for life in run.run_json["restarts"]] == [3, 3, 4]


def test_from_the_start(train, read_scalars):
    """Everything is cut and kept; no checkpoint is loaded, and the training begins at its first step."""
    old = interrupted(6, 4)
    with rla.run(**QUICK, resume=old.name, from_start=True) as run:
        assert not run.is_resumed
        assert (content_of(run)["rows"], content_of(run)["last"]) == (0, {})
        assert "after 6 rows; begun from the start: 6 rows are kept in cut/1\n" in _log_of(run)
        rla.log({"loss": 0.5})
        with pytest.raises(rla.CheckpointError, match="cut 1"):
            rla.load_checkpoint()
    [saved] = rla.runs()
    assert (saved.status, saved.metrics()["time-step"].tolist()) == ("finished", [0])
    [former] = saved.run_json["restarts"]
    assert (former["step"], former["rows_cut"], former["cut"], former["rows"]) == (None, 6, 1, 6)


def test_without_a_checkpoint_it_begins_from_the_start():
    """What it had is kept, too."""
    old = interrupted(6, None)
    with rla.run(**QUICK, resume=old.name, from_start=True):
        rla.log({"loss": 0.5}, step=0)
    assert rla.runs()[-1].metrics()["time-step"].tolist() == [0]


def test_an_older_checkpoint_takes_the_later_ones_with_it():
    """Those after it are marked; to load one by its step is an error that names the cut."""
    with pytest.raises(KeyboardInterrupt), rla.run(**QUICK) as old:
        for step in range(9):
            rla.log({"loss": 1.0}, step=step)
            if step % 3 == 2:
                rla.save_checkpoint({"weights": [float(step)]}, step=step + 1)
        raise KeyboardInterrupt
    with rla.run(**QUICK, resume=old.name) as run:
        assert rla.load_checkpoint(step=3)[0] == 3
        with pytest.raises(rla.CheckpointError, match="cut 1"):
            rla.load_checkpoint(step=9)
        rla.log({"loss": 2.0}, step=3)
        assert rla.load_checkpoint()[0] == 3  # after a row nothing is cut
    assert run.checkpoint_dir.joinpath("checkpoint-9.pkl").exists()
    saved = rla.runs()[-1]
    assert (saved.metrics()["time-step"].tolist(), content_of(run)["last_step"]) == ([0, 1, 2, 3], 3)


def test_a_picture_before_the_load_does_not_hinder_the_cut():
    """A framework that draws its graph first is none that has trained."""
    old = interrupted(6, 4, writers=["csv", "tensorboard"])
    with rla.run(**{**QUICK, "writers": ["csv", "tensorboard"]}, resume=old.name) as run:
        run.tensorboard.add_text("what", "a text")
        rla.load_checkpoint()
        rla.log({"loss": 0.0}, step=4)
    assert rla.runs()[-1].metrics()["time-step"].tolist() == [0, 1, 2, 3, 4]


def test_changed_hyper_parameters_are_shown_after_the_cut(read_events):
    """parameter.json has them at once; TensorBoard's tables follow, so that the cut does not take them."""
    old = interrupted(6, 4, writers=["csv", "tensorboard"])
    options = {**QUICK, "writers": ["csv", "tensorboard"]}
    with rla.run(**options, resume=old.name, allow=["lr"], lr=0.2) as run:
        assert json.loads(run.paths.parameter_json.read_text()) == {"lr": 0.2}
        rla.load_checkpoint()
        rla.log({"loss": 0.0}, step=4)
    assert "0.2" in str([event for event in read_events(run.tensorboard_dir) if "hyperparameters" in str(event)])


def test_a_cut_that_the_disk_does_not_allow(mounted, warnings_as_text):
    """The load raises; rows that come all the same are kept beside, and the next resume completes or makes the cut."""
    disk = mounted("tmpfs", "size=4m")
    old = interrupted(2000, 4, log_root=disk / "root")
    with (
        pytest.raises(RunError, match=r"cannot be cut: No space left on device\. Make room"),
        rla.run(**QUICK, resume=old.log_dir) as run,
    ):
        with (disk / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
            while True:
                filler.write(bytes(4096))
        try:
            rla.load_checkpoint()
        finally:
            (disk / "filler").unlink()
            rla.log({"loss": 0.0}, step=4)
    assert content_of(run)["status"] == "failed"
    assert "nothing was cut" in warnings_as_text.pop()
    with rla.run(**QUICK, resume=old.log_dir):
        rla.load_checkpoint()
        rla.log({"loss": 0.0}, step=4)
    assert rla.runs(disk / "root")[-1].metrics()["time-step"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.norerun
def test_a_resume_that_is_killed_in_the_middle_of_its_cut(tmp_path):
    """The next one completes it, and both stand in run.json."""
    old = interrupted()
    program = """
import os, signal, sys
import rla_hooks as rla
from rla_hooks.cutting import journal

journal.carry_on = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
from rla_hooks.cutting import back
with rla.run("t", writers=["csv"], backup="none", resume=sys.argv[1]):
    rla.load_checkpoint()
"""
    killed = subprocess.run([sys.executable, "-c", program, old.name], cwd=tmp_path, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    with rla.run(**QUICK, resume=old.name) as run:
        assert [row["time-step"] for row in _rows_of(run)] == ["0", "1", "2", "3"]
        rla.load_checkpoint()
        rla.log({"loss": 0.0}, step=4)
    found = [(life["status"], life["step"], life["rows_cut"], life["cut"]) for life in content_of(run)["restarts"]]
    assert found == [("interrupted", 4, 2, 1), ("killed", 4, 0, None)]
    assert (content_of(run)["rows"], content_of(run)["last_step"]) == (5, 4)


def _rows_of(run) -> list[dict[str, str]]:
    with (run.log_dir / "progress.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_script_of_rla_is_resumed_by_the_variable(monkeypatch):
    """RLA_RESUME counts for its Tester, too; RLA_MODE=off turns that off."""
    old = interrupted()
    monkeypatch.setenv("RLA_RESUME", old.name)
    tester = rla.Tester()
    tester.configure("t", writers=["csv"], backup="none")
    tester.set_hyper_param(lr=0.1)
    tester.log_files_gen()
    assert (tester.name, tester.is_resumed, tester.load_checkpoint()[0]) == (old.name, True, 4)
    tester.log({"loss": 0.0}, step=4)
    tester.finish()
    assert rla.runs()[-1].metrics()["time-step"].tolist() == [0, 1, 2, 3, 4]


def test_what_another_rank_reports_is_of_the_present_life():
    """The seconds that it notes are counted from the resume, not from the start of the run a week ago."""
    old = interrupted()
    old.paths.run_json.write_text(json.dumps(content_of(old) | {"started": "2026-01-31T12:00:00.000000+00:00"}))
    with pytest.raises(ValueError, match="lost"), rla.run(**QUICK, resume=old.name) as run:
        rla.load_checkpoint()
        report_in_file(run.paths.run_json, ("failed", ValueError("lost"), None))
        assert (content_of(run)["status"], content_of(run)["seconds"] < 60) == ("failed", True)
        raise ValueError("lost")
