"""Which run goes on: by name, by RLA_RESUME, and by ``auto``; and what may not, with all reasons at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import errors, life, resumable, resume_ranks
from rla_hooks.errors import ConfigError, RunError

pytestmark = pytest.mark.usefixtures("quiet")
DATA = Path(__file__).parent / "data"
QUICK = {"task": "t", "writers": ["csv", "log"], "backup": "none"}


@pytest.fixture(autouse=True)
def no_choice(monkeypatch):
    """What RLA_RESUME has chosen in a test is forgotten."""
    monkeypatch.delenv("RLA_RESUMED", raising=False)


def ended(how: str = "interrupted", saved_at: int | None = 3, **options):
    """A run that has ended so, with a checkpoint; returns it as saved."""
    run = rla.start(**{**QUICK, **options})
    rla.log({"loss": 1.0}, step=2)
    if saved_at is not None:
        rla.save_checkpoint({"weights": [1.0]}, step=saved_at)
    run.finish(how)
    return next(each for each in rla.runs(run.paths.log_root) if each.name == run.name)


def change(run, **content):
    """Change what run.json says."""
    known = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(known | content, indent=2))


def elsewhere(run, silent: bool = True, **content):
    """Make it a run of another host that is noted as running."""
    where = {"host": "node7", "pid": 77, "process": "boot/1", "pid_namespace": "boot/pid"}
    change(run, status="running", ended=None, **where, owner=where, **content)
    if silent:
        old = datetime.now().timestamp() - 2 * life.STALE_AFTER
        for file in (*run.log_dir.rglob("*"), *run.checkpoint_dir.rglob("*")):
            os.utime(file, (old, old))


def why_not(resume, **options) -> str:
    """What the error says; nothing changes."""
    before = {file: file.read_bytes() for file in Path("rla_data").rglob("*") if file.is_file()}
    with pytest.raises((ConfigError, RunError)) as raised:
        rla.start(**{**QUICK, **options}, resume=resume)
    assert before == {file: file.read_bytes() for file in Path("rla_data").rglob("*") if file.is_file()}
    return str(raised.value)


def started(**options):
    """The run that starts, after its end, and what its log says."""
    with rla.run(**{**QUICK, **options}) as run:
        if run.is_resumed:
            rla.load_checkpoint()
    return run, run.paths.log_txt.read_text()


# --- by name ----------------------------------------------------------------------------------------------------------


def test_all_that_is_against_it_is_said_at_once():
    """Each in a line: a program that is started again after each mistake waits in a queue each time."""
    run = ended("finished", saved_at=None, lr=0.1, steps=3)
    with pytest.raises(ConfigError) as raised:
        rla.start(**{**QUICK, "task": "u"}, resume=run.id, lr=0.2, allow=["stps"])
    told = "\n".join(raised.value.problems)
    assert len(raised.value.problems) == 5
    for each in (
        "its task is 't', and this one 'u'. Give task='t'",
        "it has finished. If it is to go on, change a hyper-parameter (more steps, say) and allow it: steps=...",
        "allow has 'stps', which is no hyper-parameter. Known: lr, steps. Did you mean 'steps'?",
        "the hyper-parameter lr is 0.2, and was 0.1. Give what it was, or allow it: allow=['lr']",
        "it has no whole checkpoint. Pass from_start=True",
    ):
        assert each in told


@pytest.mark.parametrize("name", ["from_start", "same_code"])
def test_an_option_of_a_resume_needs_a_run(name, monkeypatch):
    """A run that was forgotten would be a new one; ``allow`` may stand there for a resume that is asked some day."""
    with pytest.raises(ConfigError, match=f"{name} is True, and no run is to go on. Give it: resume=..."):
        rla.start(**QUICK, lr=0.1, **{name: True})
    assert not Path("rla_data").exists()
    run = ended(lr=0.1, allow=["lr"])
    monkeypatch.setenv("RLA_RESUME", run.id)
    assert started(lr=0.2, allow=["lr"], from_start=True)[0].name == run.name


def test_a_finished_run_goes_on_with_more_steps():
    """Where the change is allowed; it is noted, and stored. The same value is no change."""
    run = ended("finished", steps=3, lr=0.1)
    assert "it has finished" in why_not(run, steps=3, lr=0.1)
    assert "it has finished" in why_not(run, steps=3, allow="steps")
    assert "steps is 6, and was 3" in why_not(run, steps=6)
    on, log = started(resume=run, steps=6, lr=0.1, allow="steps")
    assert on.name == run.name and "hyper-parameter changed: steps is 6, and was 3" in log
    assert rla.runs()[-1].hparams == {"steps": 6, "lr": 0.1}


def test_hyper_parameters_are_compared_as_they_are_stored(monkeypatch):
    """1 is 1.0, NaN is NaN, a tuple is the list that JSON has. Secrets and objects do not count."""

    class Thing:
        pass

    nan = float("nan")
    given = {"n": 1, "x": nan, "layers": (8, 8), "path": Path("a"), "token": "abc", "thing": Thing()}
    run = ended(hyper_parameters=given)
    again = {"n": 1.0, "x": nan, "layers": [8, 8], "path": "a", "token": "xyz", "thing": 5}
    assert started(resume=run.id, hyper_parameters=again)[0].name == run.name
    run = ended(hyper_parameters={"net": {"width": 8}, "on": True})
    told = why_not(run.id, hyper_parameters={"net": {"width": 16}, "on": 1, "new": 3})
    assert all(
        each in told for each in ("net.width is 16, and was 8", "on is 1, and was True", "new is 3, and was miss")
    )
    on, _ = started(resume=run.id, hyper_parameters={"net": {"width": 16}}, allow=["net"])
    assert on.name == run.name


def test_very_many_differences_are_counted():
    """A list of ten thousand would hide the other mistakes."""
    run = ended(hyper_parameters={f"p{each}": 0 for each in range(50)})
    told = why_not(run, hyper_parameters={f"p{each}": 1 for each in range(50)})
    assert told.count("allow it") == 20 and "30 more hyper-parameters differ" in told


def test_a_run_that_is_alive():
    """Its process is named; that is a RunError, since nothing is wrong with the call."""
    run = rla.start(**QUICK)
    rla.save_checkpoint({"a": 1}, step=1)
    told = why_not(run.name)
    assert f"it is still alive: process {os.getpid()} on" in told and f"kill {os.getpid()}" in told


def test_a_run_elsewhere():
    """Nobody can see its process from here: the error says how to look, and how to go on if one is sure."""
    run = ended()
    elsewhere(run, silent=False)
    told = why_not(run.id)
    assert "it is running: process 77 on 'node7'. Ask there: ssh node7 ps -p 77." in told and "10 minutes" in told
    assert "it is running" in why_not(run.id, allow=["silent"])  # it has written something just now
    elsewhere(run)
    told = why_not(run.id)
    assert "it is running (silent since" in told and "pass allow=['silent']" in told
    assert started(resume=run.id, allow=["silent"])[0].name == run.name


def test_the_same_job_elsewhere_is_over(monkeypatch):
    """Slurm starts a job again on another node after the first one has died: at once, without a doubt."""
    run = ended()
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    elsewhere(run, silent=False, job="slurm 8")
    assert "it is running" in why_not(run.id)
    elsewhere(run, silent=False, job="slurm 7")
    on, _ = started(resume=run.id)
    assert on.name == run.name
    [former] = rla.runs()[-1].run_json["restarts"]
    assert (former["host"], former["status"]) == ("node7", "killed")


def test_checkpoints_that_are_cut_or_damaged():
    """The error counts them; others are taken, newest first, and of any name."""
    run = ended(saved_at=3)
    manifest = run.checkpoint_dir / "manifest.json"
    content = json.loads(manifest.read_text())
    content["checkpoints"][0]["cut"] = 1
    manifest.write_text(json.dumps(content))
    assert "it has no whole checkpoint (but 1 that a resume has cut)" in why_not(run.id)
    with rla.open(run) as opened:
        path = opened.save_checkpoint({"a": [2.0]}, checkpoint_name="best", step=9)
    on, _ = started_without_load(run)
    assert on.settings.resumed.entry.file == "best-9.pkl"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.warns(errors.RLAWarning, match="has changed since"):
        told = why_not(run.id)
    assert "(but 1 that a resume has cut, 1 that are damaged or deleted)" in told


def started_without_load(run):
    on = rla.start(**QUICK, resume=run.id)
    on.finish("interrupted")
    return on, None


def test_from_start_needs_no_checkpoint():
    """Nothing is loaded."""
    run = ended(saved_at=None)
    on, _ = started(resume=run.id, from_start=True)
    assert (on.name, on.is_resumed) == (run.name, False)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"format": 99}, "run.json has format 99, and this version of rla_hooks writes format 2. Update rla_hooks"),
        ({"status": "odd"}, "it is damaged: .*odd"),
    ],
)
def test_a_run_json_of_others(content, told):
    """A newer version knows more of it than this one."""
    run = ended()
    change(run, **content)
    with pytest.raises(ConfigError, match=told):
        rla.start(**QUICK, resume=str(run.log_dir))


def test_runs_of_other_tools(tmp_path):
    """Neither those of the original RLA nor folders of TensorBoard can go on."""
    shutil.copytree(DATA / "root_of_rla", tmp_path / "rla")
    old = rla.runs(tmp_path / "rla")[-1]
    assert "the original RLA has made it" in why_not(old)
    folder = tmp_path / "lightning_logs" / "version_0"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("step,loss\n0,1.0\n")
    [foreign] = rla.runs(tmp_path / "lightning_logs")
    assert "another tool has made it" in why_not(foreign)
    with pytest.raises(ConfigError, match="there is no run at"):
        rla.start(**QUICK, resume=folder)


def test_no_such_run():
    """The words fit none, several, or are none at all."""
    ended()
    ended()
    with pytest.raises(ConfigError, match=r"fits no run"):
        rla.start(**QUICK, resume="nothing")
    for word in ("Auto", "atuo"):
        with pytest.raises(ConfigError, match=r"Or 'auto', the newest that did not finish. Did you mean 'auto'\?"):
            rla.start(**QUICK, resume=word)
    with pytest.raises(ConfigError, match=r"fits 2 runs"):
        rla.start(**QUICK, resume="t")
    with pytest.raises(ConfigError, match=r"latest~9 is not there"):
        rla.start(**QUICK, resume="latest~9")
    with pytest.raises(ConfigError, match=r"resume is ''"):
        rla.start(**QUICK, resume="")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written():
    """It is named before the resume begins."""
    run = ended()
    run.log_dir.chmod(0o500)
    try:
        assert "cannot be written: read-only" in why_not(run.id)
    finally:
        run.log_dir.chmod(0o700)


def test_a_root_that_was_moved(tmp_path):
    """The run goes on where it lies now; so does one whose folder somebody has renamed."""
    run = ended()
    shutil.move(run.paths.log_root, tmp_path / "moved")
    on, _ = started(resume=run.id, log_root=tmp_path / "moved")
    assert on.log_dir.is_relative_to(tmp_path / "moved") and on.status == "finished"
    run = ended()
    best = run.log_dir.parent / "best"
    run.log_dir.rename(best)
    on, _ = started(resume=best)
    assert on.log_dir == best and len(on.record.content["restarts"]) == 1


def test_a_run_of_format_1(tmp_path):
    """It has no list of its hyper-parameters: what is given must be what is stored, as far as that is stored."""
    root = Path(shutil.copytree(DATA / "root_format_1", tmp_path / "root"))
    old = next(each for each in rla.runs(root) if each.status == "interrupted")
    [seed] = old.hparams.values()
    options = {"task": "cartpole", "log_root": root, "resume": old.id}
    with pytest.raises(ConfigError, match=rf"seed is {seed + 1}, and was {seed}"):
        rla.start(**{**QUICK, **options}, seed=seed + 1)
    on, _ = started(**options, seed=seed, from_start=True)
    assert on.name == old.name and on.status == "finished"


def test_another_function_is_noted():
    """People rename functions; the task is what tells runs apart."""

    @rla.track(**QUICK)
    def old(lr=0.1):
        rla.save_checkpoint({"a": 1}, step=1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        old()

    @rla.track(**QUICK, resume=rla.runs()[-1].id)
    def new(lr=0.1):
        rla.load_checkpoint()
        return rla.current_run().paths.log_txt

    assert "the function was 'test_resumable.py:" in new().read_text()


# --- auto -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["interrupted"])
def test_auto_takes_the_newest_that_is_unfinished(how):
    """Of the same hyper-parameters; finished and pruned ones are over."""
    ended(how, lr=0.1)
    run = ended(how, lr=0.1)
    for other in ("finished", "pruned"):
        ended(other, lr=0.1)
    ended(how, lr=0.2)
    ended(how, lr=0.1, more=1)
    ended(how, lr=0.1, task="u")
    on, log = started(resume="auto", lr=0.1)
    assert on.name == run.name and "resumed (auto)" in log


def test_auto_starts_anew_and_says_why(monkeypatch):
    """One line in the log: nothing fits, or what is against the one that does."""
    monkeypatch.setenv("RLA_RUN_ID", "a")
    _, log = started(resume="auto", lr=0.1)
    assert "resume='auto': no run of this task, function and hyper-parameters is unfinished: this run is new" in log
    run = ended("interrupted", saved_at=None, lr=0.1)
    assert (
        f"resume='auto': {run.id} (interrupted) has no whole checkpoint: this run is new"
        in started(resume="auto", lr=0.1)[1]
    )
    on, _ = started(resume="auto", lr=0.1, from_start=True)
    assert on.name == run.name
    alive = rla.start(**QUICK, lr=0.3)
    _, log = started(resume="auto", lr=0.3)
    assert f"{alive.record.content['id']} fits, but it is still alive: process {os.getpid()} on" in log


def test_auto_names_the_run_that_differs_least():
    """Somebody who has changed one thing reads which, and what would take the run all the same."""
    for options in ({"steps": 100, "lr": 0.2}, {"steps": 90, "lr": 0.1}, {"steps": 100, "lr": 0.1}):
        run = ended(**options)
    ended("failed", steps=109, lr=0.1)
    ended("finished", steps=110, lr=0.1)
    none = "resume='auto': no run of this task, function and hyper-parameters is unfinished"
    of = f"{none}; of the nearest, {run.id} (interrupted), steps is 110, and was 100 (allow=['steps'] takes it): this"
    assert of in started(resume="auto", steps=110, lr=0.1)[1]
    many = {f"p{number}": 1 for number in range(6)}
    assert f"{none}: this run is new" in started(resume="auto", **many)[1], "all differs: it is none that was meant"
    named = ended(record=["seed"], seed=1)
    _, log = started(resume="auto", record=["seed"], seed=2)
    assert f"of the nearest, {named.id} (interrupted), seed is 2, and was 1 (allow=['seed'] takes it): this" in log


def test_auto_takes_a_failed_run_only_in_the_same_job(monkeypatch):
    """Else a mistake in the program would be tried again for ever, and other people's runs taken."""
    monkeypatch.setenv("RLA_RUN_ID", "a")
    run = ended("failed", lr=0.1)
    monkeypatch.setenv("RLA_RUN_ID", "b")
    new, log = started(resume="auto", lr=0.1)
    assert (
        new.name != run.name
        and f"{run.id} failed, and goes on by itself only" in log
        and f"(RLA_RESUME={run.id} takes it): this run is new" in log
    )
    run = ended("failed", lr=0.1)
    on, _ = started(resume="auto", lr=0.1)
    assert on.name == run.name and rla.runs()[-1].run_json["job"] == "RLA_RUN_ID b"
    monkeypatch.delenv("RLA_RUN_ID")
    run = ended("failed", lr=0.1)
    assert started(resume="auto", lr=0.1)[0].name != run.name


@pytest.mark.parametrize("how", ["killed", "preempted", "failed"])
def test_each_task_of_an_array_goes_on_with_its_own_run(monkeypatch, how):
    """The tasks differ in nothing but their numbers, and all come back at once, in whatever order."""

    def become(task: int) -> None:
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        monkeypatch.setenv("SLURM_JOB_ID", str(100 + task))

    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "100")
    runs = []
    for task in range(3):
        become(task)
        runs.append(ended("interrupted" if how == "killed" else how, lr=0.1))
        if how == "killed":
            elsewhere(runs[-1])
    change(runs[0], started=(datetime.now(timezone.utc) - timedelta(days=3)).isoformat())
    for task in (0, 2, 1):
        become(task)
        on, _ = started(resume="auto", lr=0.1)
        assert on.name == runs[task].name


def test_one_job_calls_main_five_times(monkeypatch):
    """Each call has its own run, and the job that is started again goes on with each of them."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")

    @rla.track(**QUICK, resume="auto")
    def main(seed, fails=False):
        if rla.current_run().is_resumed:
            return rla.current_run().name
        rla.save_checkpoint({"a": seed}, step=1)
        raise RuntimeError

    for seed in range(5):
        with pytest.raises(RuntimeError):
            main(seed)
    before = rla.runs()
    assert [main(seed) for seed in range(5)] == [run.name for run in before]
    assert {run.status for run in rla.runs()} == {"finished"} and len(rla.runs()) == 5


def test_auto_with_changes_that_are_allowed():
    """A run with fewer steps goes on."""
    run = ended(steps=3, lr=0.1)
    assert started(resume="auto", steps=6, lr=0.1)[0].name != run.name
    run = ended(steps=3, lr=0.1)
    on, log = started(resume="auto", steps=6, lr=0.1, allow=["steps"])
    assert on.name == run.name and "steps is 6, and was 3" in log
    with pytest.raises(ConfigError, match="allow has 'stps'"):
        rla.start(**QUICK, resume="auto", steps=6, lr=0.1, allow=["stps"])


def test_the_newest_is_that_of_the_latest_start():
    """Names have local times: of a machine in another time zone, or of a clock that jumped."""
    first, second = ended(record=["seed"], seed=1), ended(record=["seed"], seed=1)
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    change(first, started=later.isoformat())
    assert started(resume="auto", record=["seed"], seed=1.0)[0].name == first.name
    assert started(resume="auto", seed=1)[0].name == second.name


def test_auto_passes_over_a_run_that_no_life_can_begin_of():
    """A damage that only a new life would find must not stop every start of the task."""
    run = ended()
    change(run, started="never")
    new, log = started(resume="auto")
    assert new.name != run.name and f"{run.id} is damaged (run.json has started 'never'): this run is new" in log


def test_damaged_runs_hide_no_other():
    """A run.json that cannot be read, a folder without one, one of a newer version."""
    run = ended()
    ended().paths.run_json.write_bytes(b"{")
    ended().paths.run_json.unlink()
    change(ended(), format=99)
    change(ended(), started=None)
    ended().paths.parameter_json.write_bytes(b"[")
    assert started(resume="auto")[0].name == run.name


def test_a_run_of_another_function_does_not_count():
    """Two functions of one script may have the same task."""

    def make(name):
        def main(lr=0.1):
            rla.save_checkpoint({"a": 1}, step=1)
            if not rla.current_run().is_resumed:
                raise KeyboardInterrupt
            return rla.current_run().name

        main.__qualname__ = name
        return rla.track(**QUICK, resume="auto")(main)

    for name in ("first", "second"):
        with pytest.raises(KeyboardInterrupt):
            make(name)()
    assert [make(name)() for name in ("first", "second")] == [run.name for run in rla.runs()]


DIES = """
import os, signal, sys
import rla_hooks as rla

@rla.track(writers=["csv"], backup="none", resume="auto")
def main(seed, steps=4):
    step, run = 0, rla.current_run()
    if run.is_resumed:
        step, _ = rla.load_checkpoint()
    for step in range(step, steps):
        rla.log({"seed": seed}, step=step)
        rla.save_checkpoint({"step": step}, step=step + 1)
        if step == 1 and os.environ.get("DIES"):
            os.kill(os.getpid(), signal.SIGKILL)

main(int(sys.argv[1]))
"""


def test_a_program_that_was_killed_goes_on_with_its_own_run(tmp_path):
    """With real processes, several seeds: the same command again is all it takes."""
    (tmp_path / "train.py").write_text(DIES)

    def run(seed, **more):
        return subprocess.run([sys.executable, "train.py", str(seed)], env=os.environ | more, timeout=60).returncode

    assert [run(seed, DIES="1") for seed in (1, 2)] == [-signal.SIGKILL] * 2
    assert [run(seed) for seed in (2, 1)] == [0, 0]
    assert [(each.hparams["seed"], each.status) for each in rla.runs()] == [(1, "finished"), (2, "finished")]
    assert [each.metrics()["time-step"].tolist() for each in rla.runs()] == [[0, 1, 2, 3]] * 2
    assert run(1) == 0 and len(rla.runs()) == 3  # it has finished, so this is a new one


# --- RLA_RESUME -------------------------------------------------------------------------------------------------------


def test_the_variable_names_the_run(monkeypatch):
    """It counts where no ``resume=`` is given, and for one run: a sweep does not resume the same one five times."""
    run, other = ended(lr=0.1), ended(lr=0.1)
    monkeypatch.setenv("RLA_RESUME", run.id)
    on, log = started(lr=0.1)
    assert on.name == run.name and "resumed (RLA_RESUME)" in log
    new, log = started(lr=0.1)
    assert new.name != run.name and f"RLA_RESUME names {run.id}, which goes on already: this run is new" in log
    assert started(lr=0.1, resume=other.id)[0].name == other.name


def test_runs_of_other_tasks_and_functions_are_new(monkeypatch):
    """A program may prepare its data in a tracked function before it trains."""
    run = ended(lr=0.1)
    change(run, function="train.py:main")
    monkeypatch.setenv("RLA_RESUME", run.name)

    @rla.track(**QUICK)
    def prepare():
        return rla.current_run().paths

    paths = prepare()
    assert f"{run.id}, a run of 'train.py:main': this run is new" in paths.log_txt.read_text()
    assert "a run of the task 't': this run is new" in started(task="u")[1]
    assert started(lr=0.1)[0].name == run.name


def test_the_variable_finds_its_run_in_a_sweep(monkeypatch, warnings_as_text):
    """Other hyper-parameters are another run, with one warning: the user may have meant this start."""
    run = ended(seed=1)
    monkeypatch.setenv("RLA_RESUME", run.id)
    logs = []
    for seed in range(4):
        new, log = started(seed=seed)
        logs.append(log)
        assert (new.name == run.name) is (seed == 1)
    assert "whose hyper-parameters are others: seed is 0, and was 1: this run is new" in logs[0]
    [text] = warnings_as_text
    assert f"{run.id} waits for a start that fits. If this one is meant: RLA_RESUME_ALLOW=seed" in text
    resumable._tell_unmet()
    assert len(warnings_as_text) == 1
    warnings_as_text.clear()


def test_the_variable_with_changes_that_are_allowed(monkeypatch):
    """And a name that is none is a mistake, not a reason to start anew."""
    run = ended(lr=0.1)
    monkeypatch.setenv("RLA_RESUME", run.id)
    monkeypatch.setenv("RLA_RESUME_ALLOW", "rl")
    with pytest.raises(ConfigError, match="allow has 'rl', which is no hyper-parameter"):
        rla.start(**QUICK, lr=0.2)
    monkeypatch.setenv("RLA_RESUME_ALLOW", "lr,silent")
    assert started(lr=0.2)[0].name == run.name


def test_a_variable_that_fits_nothing_is_told_at_the_end(tmp_path):
    """The last thing that the program says: it has resumed nothing, and why."""
    run = ended(lr=0.1)
    told = {}
    for what in ({"lr": 0.2}, {"task": "u"}, {"lr": 0.1}):
        source = f"import rla_hooks as rla\nwith rla.run(**{ {**QUICK, **what}!r}): print('ran')"
        (tmp_path / "p.py").write_text(source)
        done = subprocess.run(
            [sys.executable, tmp_path / "p.py"],
            env={**os.environ, "RLA_RESUME": str(run.log_dir)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        told[str(what)] = done.stderr.count("which has not gone on: no start fitted it"), done.stderr
    assert [count for count, _ in told.values()] == [1, 1, 0], told
    assert "lr is 0.2, and was 0.1" in told[str({"lr": 0.2})][1] and "of the task 't'" in told[str({"task": "u"})][1]


def test_the_variable_may_say_auto_and_from_start(monkeypatch):
    """For a job script that nobody wants to write ``resume`` into."""
    runs = [ended(saved_at=None, seed=seed) for seed in range(3)]
    monkeypatch.setenv("RLA_RESUME", "auto")
    monkeypatch.setenv("RLA_RESUME_FROM_START", "1")
    assert [started(seed=seed)[0].name for seed in range(3)] == [run.name for run in runs]
    assert started(seed=0)[0].name != runs[0].name


def test_other_ranks_read_the_run_that_rank_zero_has_taken_up(monkeypatch, warnings_as_text):
    """They come before or after it, and load the same checkpoint; they write nothing."""
    monkeypatch.setattr(resume_ranks, "WAIT", 0.02)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    run = ended("failed", lr=0.1)
    monkeypatch.setenv("RANK", "1")
    for resume in ("auto", run.id):
        with rla.run(**QUICK, resume=resume, lr=0.1) as follower:
            assert (follower.is_writing, follower.is_resumed, follower.name) == (False, True, run.name)
            assert rla.load_checkpoint()[0] == 3
    waited = "rank 1 has waited 0.02 s for the run of rank 0"
    assert [waited in text for text in warnings_as_text] == [True, False, True]
    assert "this process is rank 1" in warnings_as_text[1]
    warnings_as_text.clear()
    monkeypatch.setenv("RANK", "0")
    with rla.run(**QUICK, resume="auto", lr=0.1):
        rla.load_checkpoint()
        monkeypatch.setenv("RANK", "1")
        found = subprocess.run(
            [sys.executable, "-c", RANK_1], capture_output=True, text=True, timeout=60, env={**os.environ, "RANK": "1"}
        )
        assert found.stdout == f"{run.name} True\n", found.stderr
        monkeypatch.setenv("RANK", "0")
    assert len(rla.runs()) == 1


RANK_1 = """
import rla_hooks as rla
with rla.run(task="t", writers=["csv"], backup="none", resume="auto", lr=0.1) as run:
    print(run.name, run.is_resumed)
"""


# --- arguments --------------------------------------------------------------------------------------------------------


def test_the_stored_arguments_are_given_back():
    """Nested ones, tuples, ``*args``, positional ones; what a hook has added is none."""
    got = []

    @rla.track(**QUICK)
    def main(lr, /, seed, *layers, net, kernel=(3, 3), out=Path("x"), token=None, **more):
        got.append((lr, seed, layers, net, kernel, out, token, more))
        rla.current_run().add_hyper_params({"lr": 5, "added": 1})
        rla.save_checkpoint({"a": 1}, step=1)
        if len(got) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        main(0.1, 3, 8, 8, net={"width": 64, "act": {"name": "relu"}, "sizes": [(1, 2)]}, depth=2)
    main.resume(rla.runs()[-1])
    assert got[0] == got[1]
    assert rla.runs()[-1].status == "finished" and len(rla.runs()) == 1


def test_what_cannot_be_given_back_must_be_given():
    """All names are in the error; a secret may stay with the function's default."""

    class Env:
        pass

    @rla.track(**QUICK)
    def main(env, token, out, key="none", lr=0.1):
        rla.save_checkpoint({"a": 1}, step=1)
        if env is None or token == "first":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        main(Env(), "first", Path("a"), key="hf_aBcDeFgHiJkLmNoPqRsTuVwXyZ012345")
    run = rla.runs()[-1]
    with pytest.raises(ConfigError) as raised:
        main.resume(run)
    told = str(raised.value)
    assert "env (stored as text only), token (a secret), out (of type PosixPath)" in told.replace(
        "WindowsPath", "PosixPath"
    )
    assert "key" not in told.partition("Pass them")[0] and "lr" not in told
    main.resume(run.id, env=Env(), token="second", out=Path("a"))
    assert rla.runs()[-1].status == "finished"


def test_parameters_that_were_lost_must_be_given_and_do_not_differ():
    """A full disk at the start leaves no parameter.json: ``auto`` cannot know the run for the same one."""
    called = []

    @rla.track(task="t", writers=["csv", "log"], backup="none", resume="auto")
    def main(seed, steps=3):
        called.append((seed, steps))
        if rla.is_resumed():
            rla.load_checkpoint()

    old = ended(hyper_parameters={"seed": 7, "steps": 3})
    old.paths.parameter_json.unlink()
    with pytest.raises(
        ConfigError, match=r"give back seed \(not in parameter.json\), steps \(not in .*Pass them: seed="
    ):
        main.resume(old.id)
    main(seed=7)
    assert rla.runs()[-1].id != old.id
    main.resume(old.id, seed=7, steps=4)
    assert called == [(7, 3), (7, 4)]
    assert "parameter.json lacks seed, steps, so that was not compared" in old.paths.log_txt.read_text()
    assert json.loads(old.paths.parameter_json.read_text()) == {"seed": 7, "steps": 4}


def test_an_override_that_differs_must_be_allowed():
    """As for every resume."""

    @rla.track(**QUICK)
    def main(steps=3, lr=0.1):
        rla.save_checkpoint({"a": 1}, step=1)

    main()
    run = rla.runs()[-1]
    with pytest.raises(ConfigError, match=r"steps is 6, and was 3"):
        main.resume(run, steps=6)
    main.resume(run, steps=6, allow=["steps"])
    assert rla.runs()[-1].hparams == {"steps": 6, "lr": 0.1} and len(rla.runs()) == 1


def test_a_single_config_argument():
    """A dict is made again; an object of another type must be given, unless the default is the same."""
    from dataclasses import dataclass

    @dataclass
    class Config:
        lr: float = 0.1
        width: int = 8

    got, default = [], Config()

    @rla.track(**QUICK)
    def main(cfg=default):
        got.append(cfg)
        rla.save_checkpoint({"a": 1}, step=1)
        rla.current_run().add_hyper_params({"added": 1})
        if len(got) % 2:
            raise KeyboardInterrupt

    for config in ({"lr": 0.1, "net": {"width": 8}}, Config()):
        with pytest.raises(KeyboardInterrupt):
            main(config)
        main.resume(rla.runs()[-1])
        assert got[-1] == got[-2]
    with pytest.raises(KeyboardInterrupt):
        main(Config(lr=0.5))
    run = rla.runs()[-1]
    with pytest.raises(ConfigError, match=r"the argument cfg was of type Config.*Pass it: cfg=\.\.\."):
        main.resume(run)
    main.resume(run, cfg=Config(lr=0.5))
    assert {run.status for run in rla.runs()} == {"finished"}


def test_arguments_of_an_older_run(tmp_path):
    """It says nothing of how they are stored: what is masked is a secret, the rest is what it is."""
    root = Path(shutil.copytree(DATA / "root_format_1", tmp_path / "root"))
    old = next(each for each in rla.runs(root) if each.status == "interrupted")
    got = []

    @rla.track(**{**QUICK, "task": "cartpole"}, log_root=root)
    def main(**given):
        got.append(given)

    main.resume(old.id, from_start=True)
    assert got == [old.hparams]


@pytest.mark.parametrize(
    "config", [{0: 0.1, 100: 0.01}, {None: 1}, {True: 1}, {(1, 2): 3}, {1: 2, "1": 3}, {"a.b": 1, "a": {"b": 2}}]
)
def test_keys_that_cannot_be_given_back(config):
    """A config of other keys than it had would be another training, without a word."""
    got = []

    @rla.track(**QUICK)
    def main(cfg=None, **more):
        got.append({"cfg": cfg, **more})
        rla.save_checkpoint({"a": 1}, step=1)
        raise KeyboardInterrupt

    calls = [{"cfg": config}, {"cfg": {"nested": config}}, {"cfg": config, "lr": 0.1}]
    if all(isinstance(key, str) for key in config):
        calls.append({"lr": 0.1, **config})
    for arguments in calls:
        with pytest.raises(KeyboardInterrupt):
            main(**arguments)
        with pytest.raises(ConfigError, match="what was stored"):
            main.resume(rla.runs()[-1])
        with pytest.raises(KeyboardInterrupt):
            main.resume(rla.runs()[-1], **arguments)
        assert got[-1] == got[-2]


def test_a_function_that_has_changed_since(warnings_as_text):
    """New parameters have their defaults, old ones are left out with a warning; what is needed is named."""

    def tracked(function):
        function.__qualname__ = "main"
        return rla.track(**QUICK)(function)

    def body():
        rla.save_checkpoint({"a": 1}, step=1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tracked(lambda lr=0.1: body())()
    run = rla.runs()[-1]
    with pytest.raises(KeyboardInterrupt):
        tracked(lambda lr=0.1, new=5: body()).resume(run.id)
    assert "hyper-parameter changed: new is 5, and was missing" in run.paths.log_txt.read_text()
    change(run, status="finished")
    with pytest.raises(ConfigError, match="it has finished"):
        tracked(lambda lr=0.1, newer=5: body()).resume(run.id)
    change(run, status="interrupted")
    assert not warnings_as_text
    with pytest.raises(KeyboardInterrupt):
        tracked(lambda new=5: body()).resume(run.id)
    assert "main has no parameter 'lr' any more: what the run had, 0.1, is left out" in warnings_as_text.pop()
    for function, told in (
        (lambda lr, new, other: body(), "main needs 'other', which the run does not have. Pass it: other=..."),
        (lambda *lr: body(), r"main takes \*lr, and the run's lr is 0.1. Pass a tuple"),
    ):
        with pytest.raises(ConfigError, match=told):
            tracked(function).resume(run.id)
    with pytest.raises(ConfigError, match="main has no parameter 'foo', which was given"):
        tracked(lambda lr, new: body()).resume(run.id, foo=3)
    with pytest.raises(KeyboardInterrupt):
        tracked(lambda rate=0.1: body()).fork(run.id)
    assert "'lr' any more" in warnings_as_text.pop()


def test_auto_is_no_run_to_take_arguments_of():
    """Which run it means depends on the arguments."""

    @rla.track(**QUICK)
    def main(lr=0.1):
        pass

    with pytest.raises(ConfigError, match=r"main\.resume needs a run.*rla\.track\(resume='auto'\)"):
        main.resume("auto")


def test_auto_looks_for_its_own_where_the_named_run_does_not_fit(monkeypatch):
    """RLA_RESUME comes before auto; for other starts of the program auto is as always."""
    first, second = ended(seed=1), ended(seed=2)
    monkeypatch.setenv("RLA_RESUME", first.id)
    for saved in (first, second):
        with rla.run(**QUICK, resume="auto", seed=saved.hparams["seed"]) as run:
            assert run.name == saved.name
            rla.load_checkpoint()
    reasons = [rla.runs()[index].restarts[-1]["reason"] for index in (0, 1)]
    assert reasons == ["RLA_RESUME", "auto"]
    monkeypatch.setenv("RLA_RESUME", "zzzzzzzz")
    with pytest.raises(ConfigError, match="zzzzzzzz"), rla.run(**QUICK, resume="auto"):
        pass
