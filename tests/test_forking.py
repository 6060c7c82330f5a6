"""``main.fork(run, step)``: a new run that begins with what another one was at a checkpoint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest, links
from rla_hooks.errors import ConfigError, RunError

pytestmark = pytest.mark.usefixtures("quiet")

OPTIONS = {"task": "t", "log_root": "root", "backup": "none"}


def train(steps=6, lr=0.1, seed=0, every=2):
    """A training: a row a step, custom data, and a checkpoint now and then; it goes on where a fork begins."""
    run, begin = rla.current_run(), 0
    if run.is_resumed:
        begin, content = rla.load_checkpoint()
        assert content == {"w": [begin]} and run.get_custom_data("returns")
    for step in range(begin, steps):
        rla.log({"loss": lr * step, f"late{step // 4}": 1.0}, step=step)
        if (step + 1) % every == 0:
            run.add_custom_data("returns", step)
            rla.save_checkpoint({"w": [step + 1]}, step=step + 1)
    return run


@pytest.fixture
def main():
    return rla.track(record=["lr"], writers=["csv", "tensorboard", "log"], **OPTIONS)(train)


def saved(run):
    return next(each for each in rla.runs("root") if each.name == run.name)


def steps_of(run):
    return saved(run).metrics()["time-step"].tolist()


def files_of(folder):
    """Every file below a folder: content and time; links of it that others have change only the count of names."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path(folder).rglob("*") if path.is_file()}


def checkpoints_of(run):
    return [each.step for each in Manifest(run.checkpoint_dir).complete()]


def test_a_fork_goes_on_from_a_step(main, read_events):
    """A new run with the rows, events, checkpoints and custom data up to there; parameters with overrides."""
    first = main(seed=3)
    before = files_of("root")
    second = main.fork(first.name, step=4, steps=8, lr=0.5)
    after = files_of("root")
    assert {path: after[path] for path in before} == before
    assert second.name != first.name and saved(second).id != saved(first).id
    assert saved(second).hparams == {"steps": 8, "lr": 0.5, "seed": 3, "every": 2} and "&lr=0.5" in second.name
    rows = saved(second).metrics()
    assert rows["time-step"].tolist() == [*range(8)] and saved(second).info["rows"] == 8
    assert rows["loss"].tolist() == [*(0.1 * step for step in range(4)), *(0.5 * step for step in range(4, 8))]
    assert checkpoints_of(second) == [2, 4, 6, 8] and second.get_custom_data("returns")[-2:] == [5, 7]
    note = {"run": first.name, "id": saved(first).id, "step": 4, "file": "checkpoint-4.pkl"}
    assert saved(second).forked_from == note == saved(second).run_json["forked_from"]
    assert saved(second).status == "finished" and saved(second).restarts == [] and second.is_resumed
    assert not (second.log_dir / "cut").exists() and steps_of(first) == [*range(6)]
    told = (second.log_dir / "log.txt").read_text()
    assert f"forked from {saved(first).id} ({first.name}) at step 4: 4 rows; checkpoints: " in told
    assert "other hyper-parameters: steps: 6 -> 8; lr: 0.1 -> 0.5" in told
    events = [(event.step, value.tag) for event in read_events(second.tensorboard_dir) for value in event.summary.value]
    assert [step for step, tag in events if tag == "loss"] == [*range(8)]


def test_the_newest_checkpoint_is_the_default(main):
    """Where the run has rows after it, they are not taken over."""
    first = main(steps=5)
    second = main.fork(saved(first), steps=6)
    assert saved(second).forked_from["step"] == 4 and steps_of(second) == [*range(6)] and steps_of(first) == [*range(5)]
    assert saved(second).metrics()["late1"].tolist()[4:] == [1, 1]


def test_forks_of_forks(main):
    """Each is a run as any other: it is forked, resumed, listed."""
    first = main()
    second = main.fork(first.name, 2)
    third = main.fork(second, 4, steps=4)
    assert steps_of(third) == [*range(4)] and checkpoints_of(third) == [2, 4]
    assert saved(third).forked_from["id"] == saved(second).id
    fourth = main.fork(third, 2)  # a checkpoint that the third one has from the first
    assert steps_of(fourth) == [*range(4)] and checkpoints_of(fourth) == [2, 4]


def test_an_earlier_checkpoint_is_loaded_in_a_fork(read_events):
    """As in a resumed run: the fork is cut back, and the rows are kept in its cut/1. The original stays."""

    @rla.track(writers=["csv", "tensorboard"], **OPTIONS)
    def main(load=None):
        run = rla.current_run()
        begin = rla.load_checkpoint(step=load)[0] if run.is_resumed else 0
        for step in range(begin, 6):
            rla.log({"a": step}, step=step)
            rla.save_checkpoint({"w": [step + 1]}, step=step + 1)
        return run

    first = main()
    second = main.fork(first.name, step=5, load=3)
    assert steps_of(second) == [*range(6)] and steps_of(first) == [*range(6)]
    assert len((second.log_dir / "cut" / "1" / "progress.csv").read_text().splitlines()) == 3
    assert checkpoints_of(second) == [2, 3, 4, 5, 6]
    events = [(value.tag, event.step) for event in read_events(second.tensorboard_dir) for value in event.summary.value]
    assert [step for tag, step in events if tag == "a"] == [*range(6)]
    assert [tag for tag, _ in events].count("hyperparameters") == 2  # of the original, and of the fork


def test_a_row_before_a_load_warns(warnings_as_text):
    """Whoever forgets to load has the history, and a training that does not belong to it."""

    @rla.track(writers=["csv"], **OPTIONS)
    def main():
        rla.log({"a": 1}, step=0)
        rla.save_checkpoint({"w": [1]}, step=1)
        return rla.current_run()

    first = main()
    main.fork(first.name)
    assert len(warnings_as_text) == 1 and "before a checkpoint was loaded" in warnings_as_text[0]
    warnings_as_text.clear()


def test_checkpoints_are_links_where_that_is_safe(main, monkeypatch):
    """Ours are replaced, never written into; all others are copied, so that the original cannot change."""
    monkeypatch.setattr(links, "_clone", lambda source, target: False)
    with rla.run(writers=["csv"], **OPTIONS) as first:
        for step in (1, 2):
            rla.log({"a": 1}, step=step)
            rla.save_checkpoint({"w": [step]}, step=step)
        (first.checkpoint_dir / "last.ckpt").write_text("state")
        first.register_checkpoint(first.checkpoint_dir / "last.ckpt", 2, "last", info={"writer": "lightning"})
        (first.checkpoint_dir / "deep").mkdir()
        (first.checkpoint_dir / "deep" / "x.bin").write_text("shard")
        first.register_checkpoint(first.checkpoint_dir / "deep", 2, "folder")
        rla.save_checkpoint({"w": [3]}, step=3)

    @rla.track(writers=["csv"], **OPTIONS)
    def main():
        run = rla.current_run()
        assert rla.load_checkpoint() == (3, {"w": [3]})
        (run.checkpoint_dir / "last.ckpt").write_text("overwritten in place")
        (run.checkpoint_dir / "deep" / "x.bin").write_text("so is this")
        rla.new_saver(max_to_keep=2)
        rla.save_checkpoint({"w": [4]}, step=4)  # deletes its links but the newest
        return run

    main.fork(first.name)
    assert (first.checkpoint_dir / "deep" / "x.bin").read_text() == "shard"  # of a program that says no writer
    assert (first.checkpoint_dir / "last.ckpt").read_text() == "state" and checkpoints_of(first) == [1, 2, 2, 2, 3]
    there = {path.name: path.stat() for path in first.checkpoint_dir.rglob("*") if path.is_file()}
    assert {name for name, found in there.items() if found.st_nlink > 1} == {"checkpoint-3.pkl"}
    assert rla.load_checkpoint(run=first, step=3) == (3, {"w": [3]})


@pytest.mark.parametrize("failing", ["link", "nothing"])
def test_without_links_bytes_are_copied(main, monkeypatch, failing):
    """On another disk, or of files of somebody else; the copy has the time of the original."""
    first = main()
    monkeypatch.setattr(links, "_clone", lambda source, target: False)
    if failing == "link":
        monkeypatch.setattr(os, "link", lambda *args, **kwargs: (_ for _ in ()).throw(OSError(18, "cross-device")))
    second = main.fork(first.name, 2)
    one, other = ((run.checkpoint_dir / "checkpoint-2.pkl").stat() for run in (first, second))
    assert (one.st_ino == other.st_ino) is (failing == "nothing") and one.st_mtime_ns == other.st_mtime_ns
    assert ("copied" if failing == "link" else "linked") in (second.log_dir / "log.txt").read_text()


def test_the_original_may_be_read_only_or_in_another_log_root(main):
    """Nothing is written there, no lock taken; what it has is told from run.json."""
    first = main()
    shutil.move("root", "archive")
    paths = list(Path("archive").rglob("*"))
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = files_of("archive")
    try:
        second = main.fork(Path("archive") / "log" / first.name, 4)
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert files_of("archive") == before and steps_of(second) == [*range(6)]
    assert saved(second).forked_from["run"] == first.name


def test_what_was_masked_or_is_a_text_must_be_passed():
    """All names at once, and nothing is created; with them the fork has its own values."""
    seen = []

    @rla.track(writers=["csv"], **OPTIONS)
    def act(api_token, policy, lr=0.1):
        seen.append((api_token, policy, lr))
        rla.save_checkpoint({"w": [1]}, step=1)
        return rla.current_run()

    policy = object()
    first = act("tok-1234567890abcdef", policy, lr=0.2)
    with pytest.raises(ConfigError, match=r"(?s)api_token.*policy"):
        act.fork(first.name)
    with pytest.raises(ConfigError, match="policy"):
        act.fork(first.name, api_token="tok-0000000000000000")
    assert len(rla.runs("root")) == 1 and len(seen) == 1
    act.fork(first.name, api_token="tok-0000000000000000", policy=3)
    assert seen[1] == ("tok-0000000000000000", 3, 0.2)


def test_the_original_may_be_running(main):
    """A fork of a run that goes on meanwhile; also in the same process."""
    with rla.run(writers=["csv", "tensorboard"], hyper_parameters={"steps": 4, "lr": 0.1}, **OPTIONS) as first:
        for step in range(3):
            rla.log({"loss": 1.0}, step=step)
            rla.current_run().add_custom_data("returns", step)
            rla.save_checkpoint({"w": [step + 1]}, step=step + 1)
        rla.log({"loss": 1.0}, step=3)
        second = main.fork(first, 2)
        rla.log({"loss": 1.0}, step=4)
    assert steps_of(first) == [*range(5)] and steps_of(second) == [*range(4)]


def test_without_a_record_of_the_position_the_step_counts(main):
    """As for checkpoints of before there was one."""
    first = main()
    path = first.checkpoint_dir / "manifest.json"
    content = json.loads(path.read_text())
    content["checkpoints"] = [
        {key: value for key, value in each.items() if key != "written"} for each in content["checkpoints"]
    ]
    path.write_text(json.dumps(content))
    second = main.fork(first.name, 4, steps=4)
    assert steps_of(second) == [*range(4)]  # the row of step 4 was written after the checkpoint of step 4
    assert all(each.written is None for each in Manifest(second.checkpoint_dir).entries())


@pytest.mark.parametrize("step", [2, 4, 6, 8])
def test_a_fork_of_a_run_that_was_cut(step, read_events):
    """Its event files are not what they were at earlier checkpoints; what they had then is found all the same."""
    stop, load = [5], []

    @rla.track(writers=["csv", "tensorboard"], **OPTIONS)
    def main(steps=8):
        run, begin = rla.current_run(), 0
        if run.is_resumed:
            begin = rla.load_checkpoint(step=load.pop() if load else None)[0]
        for step in range(begin, steps):
            rla.log({"a": step}, step=step)
            if step in stop:
                raise KeyboardInterrupt
            if step % 2:
                rla.save_checkpoint({"w": [step + 1]}, step=step + 1)
        return run

    def both(run):
        events = [
            (value.tag, event.step) for event in read_events(run.tensorboard_dir) for value in event.summary.value
        ]
        return steps_of(run), [step for tag, step in events if tag == "a"]

    with pytest.raises(KeyboardInterrupt):
        main()
    first = rla.runs("root")[-1]
    stop.clear()
    main.resume(first)
    assert both(first) == ([*range(8)], [*range(8)]) and (first.log_dir / "cut" / "1").is_dir()
    stop.append(step)
    if step < 8:
        with pytest.raises(KeyboardInterrupt):
            main.fork(first, step)
    else:
        main.fork(first, step)
    forked = rla.runs("root")[-1]
    rows = [*range(min(step + 1, 8))]
    assert both(forked) == (rows, rows) and not (forked.log_dir / "cut").exists()
    load.append(2)
    stop.clear()
    main.fork(forked, step)
    again = rla.runs("root")[-1]
    assert both(again) == ([*range(8)], [*range(8)])


def test_rows_of_other_processes_come_along(main):
    """Files beside progress.csv, as far as they were there at the checkpoint."""
    first = main(steps=4)
    with rla.open(first.name, log_root="root") as guest:
        rla.log({"eval": 1.0}, step=4)
        guest.save_checkpoint({"w": [4]}, step=4)
        rla.log({"eval": 2.0}, step=5)
    second = main.fork(first.name, steps=4)
    assert saved(second).metrics()["eval"].dropna().tolist() == [1.0]
    assert len([*second.log_dir.glob("progress*.csv")]) == 2


# --- errors -----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_forked_creates_nothing(main, tmp_path):
    """Each with what is there, and what to do."""
    first = main(steps=6)
    with rla.run(writers=["csv"], **OPTIONS) as empty:
        rla.log({"a": 1}, step=0)
    before = sorted(Path("root").rglob("*"))
    for arguments, said in [
        (
            (first.name, 3),
            r"has no whole checkpoint of step 3: it has those of steps 2, 4, 6\. The nearest before it: 2\.",
        ),
        ((first.name, 9), r"of steps 2, 4, 6\. The nearest before it: 6\."),
        ((first.name, "4"), r"step is '4'\. Allowed: the step of a checkpoint"),
        ((first.name, -1), r"step is -1\. Allowed"),
        ((empty.name,), r"cannot be forked: it has no whole checkpoint in .*Call the function itself for a new run"),
        (("nosuch",), r"fork: 'nosuch' fits no run among 2"),
        ((3,), r"fork got 3\. Allowed: a run of rla\.runs"),
        ((first.name, 4, 5), r"train\.fork got 3 values without a name\. Allowed: train\.fork\(run, step\)"),
    ]:
        with pytest.raises(ConfigError, match=said):
            main.fork(*arguments)
    with pytest.raises(ConfigError, match="train has no parameter 'nosuch', which was given"):
        main.fork(first.name, nosuch=1)
    assert sorted(Path("root").rglob("*")) == before


def test_a_damaged_run_or_checkpoint(main, warnings_as_text):
    """run.json must be readable; the newest whole checkpoint is taken, unless a step is asked for."""
    first = main()
    newest = first.checkpoint_dir / "checkpoint-6.pkl"
    newest.write_bytes(newest.read_bytes()[::-1])
    with pytest.raises(ConfigError, match=r"has no whole checkpoint of step 6: .*checkpoint-6\.pkl has changed since"):
        main.fork(first.name, 6)
    second = main.fork(first.name)
    assert saved(second).forked_from["step"] == 4 and checkpoints_of(second) == [2, 4, 6]
    assert len(warnings_as_text) == 1 and "The fork begins with step 4 instead" in warnings_as_text[0]
    warnings_as_text.clear()
    (first.log_dir / "run.json").write_text("{")
    before = sorted(Path("root").rglob("*"))
    with pytest.raises(ConfigError, match=r"cannot be forked: it is damaged: .*run.json"):
        main.fork(first.name)
    assert sorted(Path("root").rglob("*")) == before


def test_a_checkpoint_that_a_resume_cut_is_refused(main):
    """The rows before it are not those of the run any more."""
    first = main()
    manifest = Manifest(first.checkpoint_dir)
    manifest.mark_cut([entry for entry in manifest.entries() if entry.step > 2], 1)
    with pytest.raises(
        ConfigError, match=r"of step 6: that of the step was cut by a resume \(it is in cut/1\); it has"
    ):
        main.fork(first.name, 6)
    assert saved(main.fork(first.name)).forked_from["step"] == 2


def test_a_run_in_the_middle_of_a_cut_is_refused(main):
    """Its files are neither what they were nor what they will be."""
    first = main()
    (first.log_dir / "cut" / "1").mkdir(parents=True)
    (first.log_dir / "cut" / "1" / "cut.json").write_text('{"format": 1, "done": false, "files": {}}')
    with pytest.raises(ConfigError, match=r"a resume of it was ended while it cut its files. Resume it first"):
        main.fork(first.name)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("at", ["history", "checkpoints", "manifest"])
def test_what_fails_leaves_nothing(main, monkeypatch, error, at):
    """A full disk, or Ctrl-C, in the middle: the folders are gone, and the original is as it was."""
    first = main()
    before, original = sorted(Path("root").rglob("*")), files_of("root")

    def fail(*args, **kwargs):
        raise error

    if at == "history":
        monkeypatch.setattr("rla_hooks.cutting.history._write", fail)
    elif at == "checkpoints":
        monkeypatch.setattr(links, "take_file", fail)
    else:
        monkeypatch.setattr(Manifest, "take_over", fail)
    expected = RunError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected, match=r"cannot be forked: .*No space left.*Nothing of the fork is left|^$"):
        main.fork(first.name)
    left = [path for path in sorted(Path("root").rglob("*")) if path not in before]
    assert all(path.is_dir() and "&lr" not in path.name for path in left) and files_of("root") == original
    assert rla.current_run() is None


def test_no_room_is_told_before_anything_is_created(main, monkeypatch):
    """Where links cannot be, the size of the checkpoints is asked of the disk first."""
    first = main()
    monkeypatch.setattr("rla_hooks.checkpoints.links.may_link", lambda entry: False)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 100))
    before = sorted(Path("root").rglob("*"))
    with pytest.raises(ConfigError, match=r"checkpoints take \d+ bytes, and the disk of .* has 100 free\. Make room"):
        main.fork(first.name)
    assert sorted(Path("root").rglob("*")) == before


def test_a_checkpoint_that_is_deleted_meanwhile(main, monkeypatch):
    """The original is running, and keeps its newest: an older one is left out, the one that is needed is an error."""
    first, take = main(), links.take

    def gone(steps):
        def taking(entry, source, target):
            if entry.step in steps:
                raise FileNotFoundError(2, "No such file or directory")
            return take(entry, source, target)

        monkeypatch.setattr(links, "take", taking)

    gone({2})
    assert checkpoints_of(main.fork(first.name, 4, steps=4)) == [4]
    gone({4})
    with pytest.raises(RunError, match=r"No such file or directory.*a checkpoint that stays"):
        main.fork(first.name, 4)


# --- kinds of functions ---------------------------------------------------------------------------------------------


def test_methods_and_coroutines():
    """Of a method the object comes second, and the step third."""
    import asyncio

    class Trainer:
        @rla.track(writers=["csv"], **OPTIONS)
        def fit(self, steps=2):
            return self, train(steps)

    @rla.track(writers=["csv"], **OPTIONS)
    async def main(steps=2):
        return train(steps)

    trainer = Trainer()
    _, first = trainer.fit()
    same, second = Trainer.fit.fork(first.name, trainer, 2, steps=4)
    assert same is trainer and steps_of(second) == [*range(4)]
    with pytest.raises(ConfigError, match=r"Allowed: \S*Trainer\.fit\.fork\(run, self, step\)"):
        Trainer.fit.fork(first.name)
    third = asyncio.run(main())
    assert steps_of(asyncio.run(main.fork(third.name, step=2, steps=3))) == [*range(3)]


def test_with_tracking_off_the_function_is_called(main, monkeypatch):
    """With the parameters of the original."""
    first = main(seed=5)
    called = []
    function = rla.track(writers=["csv"], **OPTIONS)(lambda steps, lr, seed, every: called.append(seed))
    monkeypatch.setenv("RLA_MODE", "off")
    function.fork(first.name, lr=0.3)
    assert called == [5] and len(rla.runs("root")) == 1


# --- the environment ------------------------------------------------------------------------------------------------

PROGRAM = """
import sys
import rla_hooks as rla

@rla.track(task="t", log_root="root", writers=["csv"], backup="none")
def main(seed, steps=2):
    run, step = rla.current_run(), 0
    if run.is_resumed:
        step = rla.load_checkpoint()[0]
    for step in range(step, steps):
        rla.log({"a": seed}, step=step)
    rla.save_checkpoint({"w": [steps]}, step=steps)

@rla.track(task="other", log_root="root", writers=["csv"], backup="none")
def other():
    assert not rla.current_run().is_resumed

if __name__ == "__main__":
    other()
    for seed in (1, 2):
        main(seed, steps=int(sys.argv[1]))
"""


def program(*arguments, **environment):
    Path("program.py").write_text(PROGRAM)
    command = [sys.executable, "program.py", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=120, env=os.environ | environment)


def test_the_environment_forks_the_first_run_of_the_task():
    """What ``rla fork`` sets: other tasks, and further runs of the program, are new."""
    program(2)
    first = next(run for run in rla.runs("root") if run.hparams == {"seed": 1, "steps": 2})
    program(4, RLA_FORK=first.id, RLA_FORK_STEP="2")
    forked = rla.runs("root", where="forked_from != none")
    assert [(run.hparams["seed"], run.metrics()["time-step"].tolist()) for run in forked] == [(1, [0, 1, 2, 3])]
    assert len(rla.runs("root")) == 6
    environment = os.environ | {"RLA_FORK": first.id, "RLA_FORK_STEP": "77"}
    refused = subprocess.run([sys.executable, "program.py", "4"], capture_output=True, text=True, env=environment)
    assert refused.returncode == 1 and refused.stderr.startswith("rla: the run ") and "Trace" not in refused.stderr


def test_further_ranks_load_what_the_fork_begins_with(monkeypatch, warnings_as_text):
    """They write nothing, and need not know the folders of the new run."""
    program(2)
    first = next(run for run in rla.runs("root") if run.hparams == {"seed": 1, "steps": 2})
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")

    @rla.track(task="t", log_root="root", writers=["csv"], backup="none")
    def main(seed, steps=2):
        run = rla.current_run()
        assert run.is_resumed and not run.is_writing
        return rla.load_checkpoint()

    assert main.fork(first.id, 2) == (2, {"w": [2]}) and len(rla.runs("root")) == 3
    assert len(warnings_as_text) == 1 and "records no run" in warnings_as_text[0]
    warnings_as_text.clear()


def test_a_tester_is_forked_by_the_environment(main, monkeypatch):
    """A script of RLA, which ``rla fork`` has started: its first run of the task goes on from the checkpoint."""
    from rla_hooks.tester import Tester

    original = saved(main())
    monkeypatch.setenv("RLA_FORK", original.id)
    monkeypatch.setenv("RLA_FORK_STEP", "2")
    tester = Tester()
    forks = []
    for _ in range(2):
        tester.configure(task_name="t", log_root="root", writers=["csv"], backup="none")
        tester.log_files_gen()
        forks.append(tester.is_resumed and tester.load_checkpoint()[0])
        tester.finish()
    assert forks == [2, False]
    assert [(run.run_json.get("forked_from") or {}).get("id") for run in rla.runs("root")[1:]] == [original.id, None]
