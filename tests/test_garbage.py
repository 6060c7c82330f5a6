"""What no run needs goes, and nothing else."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks import atomic, locks, upkeep
from rla_hooks.checkpoints import Manifest
from rla_hooks.errors import ConfigError, RLAWarning
from rla_hooks.snapshot.filestore import FileStore
from rla_hooks.upkeep import collect_garbage
from rla_hooks.upkeep.garbage import carry_out_garbage, plan_garbage
from rla_hooks.upkeep.leftovers import CODE_FILES, Leftover, Removal
from rla_hooks.upkeep.survey import Survey
from rla_hooks.upkeep.tally import Size

pytestmark = pytest.mark.usefixtures("quiet")
NAME = "t/2020/01/02/03-04-05-000006_10.0.0.1_&lr=0.1"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(rla.__file__).parents[1])}
DEAD = 4_194_304_000  # no process has this number


def make(steps=(), task="t"):
    """A run that has saved these checkpoints."""
    with rla.run(task=task, writers=["csv"], backup="none"):
        rla.new_saver(max_to_keep=None)
        for step in steps:
            rla.save_checkpoint({"weights": [0.5, step]}, step=step)
    return rla.runs()[-1]


def steps_of(run):
    return [each.step for each in rla.runs(where=f"id == '{run.id}'")[0].checkpoints()]


def everything(root):
    """The paths and contents of all files, and the folders, but for the trash."""
    return {
        path.relative_to(root): path.read_bytes() if path.is_file() else None
        for path in Path(root).rglob("*")
        if ".trash" not in path.parts
    }


def kinds(garbage):
    return {each.kind: each.files for each in garbage.found}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "rla_data"


# --- old checkpoints --------------------------------------------------------------------------------------------------


def test_old_checkpoints_go_only_where_that_is_asked_for(root):
    """The newest ones stay; the others are in the trash, and come back with their entries, in the order of writing."""
    run = make(range(4))
    before, manifest = everything(root), Manifest(run.checkpoint_dir)
    entries = manifest.entries()
    assert collect_garbage().found == () and everything(root) == before
    planned = collect_garbage(checkpoints=True, keep_checkpoints=2, dry_run=True)
    assert kinds(planned) == {"old checkpoints": 2} and planned.act is None and everything(root) == before
    done = collect_garbage(checkpoints=True, keep_checkpoints=2)
    assert (kinds(done), done.freed, done.left, done.problems) == ({"old checkpoints": 2}, 0, (), ())
    assert steps_of(run) == [2, 3] and [each.step for each in manifest.entries()] == [2, 3]
    assert done.act.kind == "collect" and done.found[0].bytes == sum(each.size for each in entries[:2])
    upkeep.undo()
    assert everything(root) == before and manifest.entries() == entries


def test_the_newest_of_each_name_and_the_best_stay(root):
    """Names and writers count apart; the best is known by its score, and where the mode is not, both extremes stay."""
    run = make((1, 2))
    manifest = Manifest(run.checkpoint_dir)

    def add(file, name, step, **info):
        (run.checkpoint_dir / file).write_text(file)
        manifest.add(file, name, step, info=info, own=True)

    add("best-1.pt", "best", 1)
    add("best-2.pt", "best", 2)
    add("hook-1.pt", "checkpoint", 1, writer="hook")
    for step, score in enumerate([0.5, 0.9, 0.1, float("nan"), 0.9, 0.4]):
        add(f"a-{step}.pt", "a", step, monitor="loss", score=score)
        add(f"b-{step}.pt", "b", step, monitor="return", mode="max", score=score)
    for step, score in enumerate([0.1, 0.2, 0.0]):  # a worse one than the best of another name
        add(f"state-{step}.pt", "state", step, monitor="return", mode="max", score=score)
    collect_garbage(checkpoints=True)
    left = {entry.file for entry in manifest.entries()}
    assert left == {
        *("checkpoint-2.pkl", "best-2.pt", "hook-1.pt"),
        *("a-2.pt", "a-4.pt", "a-5.pt", "b-4.pt", "b-5.pt", "state-1.pt", "state-2.pt"),
    }
    assert left == {path.name for path in run.checkpoint_dir.iterdir()} - {"manifest.json"}


def test_what_rla_hooks_has_not_written_stays(root):
    """Files of a framework (not ``own``), files that no manifest lists, and files of another size than was written."""
    run = make((1, 2, 3))
    (run.checkpoint_dir / "mine.pt").write_text("mine")
    (run.checkpoint_dir / "last.ckpt").write_text("framework's")
    Manifest(run.checkpoint_dir).add("last.ckpt", "checkpoint", 0)
    (run.checkpoint_dir / "checkpoint-1.pkl").write_text("of somebody else")
    collect_garbage(checkpoints=True)
    left = sorted(path.name for path in run.checkpoint_dir.iterdir())
    assert left == ["checkpoint-1.pkl", "checkpoint-3.pkl", "last.ckpt", "manifest.json", "mine.pt"]


def test_checkpoints_that_somebody_comes_back_to_stay(root):
    """Those that a fork, a load or a resume names."""
    run = make(range(6))

    def change(of, **news):
        path = of.paths.run_json
        path.write_text(json.dumps(json.loads(path.read_text()) | news))

    change(run, begins_with={"checkpoint": "checkpoint-0.pkl"}, restarts=[{"step": 9}, {"step": 1}])
    other = make()
    change(other, forked_from={"run": run.name, "id": run.id, "step": 2, "file": "checkpoint-2.pkl"})
    change(make(), loaded_from=[{"run": run.name, "id": run.id, "step": 3, "file": "checkpoint-3.pkl"}, 7])
    collect_garbage(checkpoints=True)
    assert steps_of(run) == [0, 1, 2, 3, 5]
    fork = make(range(3))
    change(fork, forked_from={"run": "x", "id": "y", "step": 1, "file": "checkpoint-1.pkl"})
    collect_garbage(checkpoints=True)
    assert steps_of(fork) == [1, 2], "that which the fork was begun with"


def test_runs_that_are_running_are_left_alone(root):
    """And so are those that have a cut to finish, or a manifest that cannot be read; it is said why."""
    with rla.run(task="t", writers=["csv"], backup="none") as run:
        for step in range(3):
            rla.save_checkpoint({"weights": [step]}, step=step)
        done = collect_garbage(checkpoints=True)
        assert done.act is None and "is running" in done.left[0] and len(steps_of(rla.runs()[-1])) == 3
    cut = run.log_dir / "cut/1"
    cut.mkdir(parents=True)
    (cut / "cut.json").write_text('{"done": false}')
    done = collect_garbage(checkpoints=True)
    assert done.act is None and "a cut" in done.left[0]
    shutil.rmtree(cut)
    manifest = Manifest(run.paths.checkpoint_dir).path
    manifest.write_text(manifest.read_text().replace('"format": 2', '"format": 99'))
    with pytest.warns(RLAWarning, match="format 99"):
        done = collect_garbage(checkpoints=True)
    assert done.act is None and "cannot be read in full" in done.left[0]


def test_a_run_that_goes_on_after_the_plan_is_left_alone(root):
    """It is looked at again, under the lock of its run.json; so is the newest checkpoint, by its checksum."""
    run, other = make(range(3)), make(range(3))
    planned = plan_garbage(checkpoints=True)
    with rla.open(run) as opened:
        opened.log({"loss": 0.5}, step=9)
    newest = other.checkpoint_dir / "checkpoint-2.pkl"
    newest.write_bytes(newest.read_bytes()[:-1] + b"X")
    done = carry_out_garbage(planned)
    assert done.act is None and steps_of(run) == [0, 1, 2] == steps_of(other)
    assert any("has grown meanwhile" in line for line in done.problems)
    assert any("no whole newest one: checkpoint-2.pkl has changed" in line for line in done.left)


def test_only_some_runs(root):
    """Then nothing but their checkpoints goes."""
    run, other = make(range(3)), make(range(3))
    left = run.log_dir / f".saving-{atomic._host()}-{DEAD}-{'0' * 32}.tmp"
    left.write_text("half")
    done = collect_garbage(runs=[other], checkpoints=True)
    assert kinds(done) == {"old checkpoints": 2} and left.exists() and steps_of(run) == [0, 1, 2]


def test_a_run_whose_log_folder_was_renamed(root):
    """Its checkpoints are those under its first name."""
    run = make(range(3))
    run.log_dir.rename(root / "log" / "best")
    collect_garbage(checkpoints=True, orphans=True, age=-1)
    assert steps_of(run) == [2]
    upkeep.undo()
    assert steps_of(run) == [0, 1, 2]


# --- the store of code ------------------------------------------------------------------------------------------------


def test_code_that_no_run_has_any_more(root, tmp_path):
    """A stored file goes when the last run that has it is gone for good; the others, and stray files, stay."""
    store, source = FileStore.of(root), tmp_path / "train.py"
    for text in ("a", "b"):
        source.write_text(text * 1000)
        folder = root / "code" / NAME.replace("lr", text)
        folder.mkdir(parents=True)
        store.put(source, folder / "train.py")
        (root / "log" / NAME.replace("lr", text)).mkdir(parents=True)
    assert collect_garbage().found == ()
    shutil.rmtree(root / "code" / NAME.replace("lr", "b"))
    before = {path.read_text() for path in store.root.iterdir()}
    done = collect_garbage()
    assert kinds(done) == {"unused code": 1} and done.freed == done.found[0].bytes > 0
    assert before - {path.read_text() for path in store.root.iterdir()} == {"b" * 1000}
    assert (root / "code" / NAME.replace("lr", "a") / "train.py").read_text() == "a" * 1000


def _start_runs(root, number, count):
    """Store the same texts as another process does at about the same time; of ten runs delete nine."""
    while len(list(root.glob("cleaner-*"))) < 2:
        time.sleep(0.001)
    store = FileStore.of(root)
    for each in range(count):
        folder = root / "code" / f"{number}-{each}"
        folder.mkdir(parents=True)
        texts = [b"%d %d," % (each // 10, n) * 500 for n in range(4)]
        for n, text in enumerate(texts):
            store.put_bytes(text, folder / f"{n}.py")
        for n, text in enumerate(texts):
            assert (folder / f"{n}.py").read_bytes() == text
            if each % 10 != 9:
                (folder / f"{n}.py").unlink()


def _clean_store(root, number, end):
    removal = Removal()
    (root / f"cleaner-{number}").touch()
    is_last = False
    while not is_last:
        is_last = end.exists()  # then nobody starts any more, and nobody has the last texts
        survey = Survey(root, [])
        survey.add_store()
        for each in survey.unused_code:
            removal.remove(Leftover(CODE_FILES, each.path, Size()))
    (root / f"cleaner-{number}").write_text(str(len(removal.gone)))
    assert not removal.problems, removal.problems


def test_a_run_that_starts_while_somebody_cleans_keeps_its_code(root, tmp_path, forked):
    """Many starts beside two cleaners: whoever comes first, each run has its files, whole, and nothing is an error."""
    (root / "code/.store").mkdir(parents=True)
    end, count = tmp_path / "end", 105
    cleaners = [forked(lambda n=n: _clean_store(root, n, end)) for n in range(2)]
    try:
        starters = [forked(lambda n=n: _start_runs(root, n, count)) for n in range(2)]
        assert [each.ended() for each in starters] == [0, 0]
    finally:
        end.touch()
        assert [each.ended() for each in cleaners] == [0, 0]
    assert sum(int(path.read_text()) for path in root.glob("cleaner-*")) > 0
    kept = [*(root / "code").glob("[01]-*/*.py")]
    assert len(kept) == 2 * (count // 10) * 4 and len([*(root / "code/.store").iterdir()]) == count // 10 * 4
    for path in kept:
        tens = int(path.parent.name.partition("-")[2]) // 10
        assert path.read_text() == f"{tens} {path.stem}," * 500


# --- temporary files, copies, emptied trash, empty folders ------------------------------------------------------------


def test_what_dead_processes_have_left(root):
    """Files and folders; not those of living processes, of other hosts, nor the room that a killed run needs."""
    run, killed = make(), make()
    path = killed.paths.run_json
    path.write_text(json.dumps(json.loads(path.read_text()) | {"status": "running", "pid": DEAD}))
    names = {
        "dead": f".saving-{atomic._host()}-{DEAD}-{'0' * 32}.tmp",
        "alive": f".saving-{atomic._host()}-{os.getppid()}-{'0' * 32}.tmp",
        "elsewhere": f".saving-00000000-{DEAD}-{'0' * 32}.tmp",
    }
    for name in names.values():
        for folder in (run.log_dir, killed.log_dir, run.results_dir):
            (folder / name).write_text("half")
    folder = run.checkpoint_dir / names["dead"] / "inner"
    folder.mkdir(parents=True)
    (folder / "part").write_text("half of a checkpoint")
    assert upkeep.disk_usage().temporary.files == 3
    done = collect_garbage()
    assert kinds(done) == {"temporary files": 3}
    left = {path.relative_to(root).parts[0] + path.name for path in root.rglob(".saving-*")}
    assert left == {f"{tree}{names[name]}" for tree in ("log", "results") for name in ("alive", "elsewhere")} | {
        f"log{names['dead']}"
    }
    assert (killed.log_dir / names["dead"]).exists() and not (run.log_dir / names["dead"]).exists()


def test_copies_of_code_for_runs_that_are_over(root, tmp_path, monkeypatch):
    """In the cache, a day after they were made; those of a process that lives stay."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # that of all tests has copies of other tests
    make()
    top = tmp_path / "cache/rla_hooks/code"
    process = {"host": os.uname().nodename, "pid": DEAD, "process": "x", "pid_namespace": rla.life.namespace()}
    for name, news, age in (("over", {}, 2), ("young", {}, 0), ("alive", {"pid": os.getpid(), "process": None}, 2)):
        (top / name / "project").mkdir(parents=True)
        started = top / name / "started.json"
        started.write_text(json.dumps(process | news))
        os.utime(started, (time.time() - age * 86_400,) * 2)
    assert kinds(collect_garbage()) == {"copies of code": 1}
    assert sorted(path.name for path in top.iterdir()) == ["alive", "young"]


def test_files_of_sweeps(root):
    """Claims that nobody holds, and pickles of jobs that have ended, a day later; not what the jobs have printed."""
    make()
    old, young = (root / ".sweeps" / name for name in ("claims/old", "claims/young"))
    jobs = root / ".sweeps/jobs/7a85bf16"
    ended = [jobs / f"81_0_{name}" for name in ("submitted.pkl", "0_result.pkl", "0_log.out")]
    waiting = jobs / "81_1_submitted.pkl"
    for path in (old, young, waiting, *ended):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
        os.utime(path, (time.time() - 2 * 86_400 * (path != young),) * 2)
    assert upkeep.disk_usage().rest[".sweeps"].files == 6
    with locks.locked(old):
        assert kinds(collect_garbage()) == {"files of sweeps": 2} and old.exists()
    assert kinds(collect_garbage()) == {"files of sweeps": 1}
    assert {path.name for path in (root / ".sweeps").rglob("*.*")} == {waiting.name, ended[2].name}
    assert young.exists() and not old.exists()


def test_the_rest_of_an_emptied_trash(root):
    """What a killed process was emptying is emptied; what can be undone stays."""
    upkeep.delete(make())
    make()
    (root / ".trash/.emptying-7/log/x").mkdir(parents=True)
    (root / ".trash/.emptying-7/log/x/progress.csv").write_text("a\n")
    done = collect_garbage()
    assert kinds(done) == {"rest of emptied trash": 1} and done.problems == ()
    assert not (root / ".trash/.emptying-7").exists() and len(upkeep.acts()) == 1
    assert len(upkeep.undo().runs) == 1


def test_empty_folders(root):
    """Of tasks and dates, and of runs that are gone; not those of runs that are there, and not young ones."""
    run = make()
    for path in ("results/a/2020/01/02", f"results/{NAME}", f"code/{NAME}/deep/er", "log/b/2020", "checkpoint/c"):
        (root / path).mkdir(parents=True)
    (root / "checkpoint/c/mine").write_text("")
    before = everything(root)
    assert collect_garbage().found == () and everything(root) == before
    done = collect_garbage(age=-1)
    assert kinds(done) == {"empty folders": 0}
    gone = {path.as_posix() for path in before.keys() - everything(root).keys()}
    assert {path for path in gone if path.startswith("results/")} == {
        *("results/a", "results/a/2020", "results/a/2020/01", "results/a/2020/01/02"),
        *("results/t/2020", "results/t/2020/01", "results/t/2020/01/02", f"results/{NAME}"),
    }
    assert {"log/b", "log/b/2020", f"code/{NAME}/deep/er", f"code/{NAME}"} <= gone
    assert run.results_dir.is_dir() and run.code_dir.is_dir() and (root / "checkpoint/c/mine").exists()


# --- trees without a run ----------------------------------------------------------------------------------------------


@pytest.fixture
def orphan(root):
    """A run whose log folder somebody has deleted by hand, and one that is whole."""
    gone, _ = make(range(2)), make(range(2))
    shutil.rmtree(gone.log_dir)
    return gone


def test_trees_without_a_run(root, orphan):
    """They are offered; where it is asked for, they go to the trash, together, once nothing in them is young."""
    before = everything(root)
    planned = plan_garbage(age=-1)
    assert planned.offered.files == 4 and planned.offered.kind == "trees without a run"
    young = collect_garbage(orphans=True)
    assert young.act is None and "younger than 24 hours" in young.left[0] and everything(root) == before
    done = collect_garbage(orphans=True, age=-1)
    assert done.act.runs[0].name == orphan.name and kinds(done)["trees without a run"] == 4
    assert not any((root / tree / orphan.name).exists() for tree in ("checkpoint", "archive_tester"))
    assert len(rla.runs()) == 1
    upkeep.undo()
    assert (orphan.checkpoint_dir / "checkpoint-1.pkl").exists() and orphan.paths.tester_pkl.exists()


def test_a_log_folder_that_comes_back_keeps_its_trees(root, orphan):
    """It may come back between the plan and the act: by rla undo, by hand, from another machine."""
    planned = plan_garbage(orphans=True, age=-1)
    orphan.log_dir.mkdir(parents=True)
    done = carry_out_garbage(planned)
    assert done.act is None and "has a log folder again" in done.problems[0]
    assert (orphan.checkpoint_dir / "checkpoint-1.pkl").exists()


def test_trees_stay_where_their_runs_may_be_elsewhere(root, orphan, tmp_path, make_unreadable, warnings_as_text):
    """Behind a link, in a folder that cannot be read, or on a disk that is not mounted."""
    link = root / "log" / "t" / orphan.name.split("/")[1]
    away = tmp_path / "disk"
    link.rename(away)
    link.symlink_to(away)
    done = collect_garbage(orphans=True, age=-1)
    assert done.act is None and "no run at all" in done.left[0]
    make((1,), task="other")
    done = collect_garbage(orphans=True, age=-1)
    assert done.act is None and "behind links" in done.left[0]
    link.unlink()
    make_unreadable(root / "log" / "other")
    done = collect_garbage(orphans=True, age=-1)
    assert done.act is None and "can be read" in done.left[0] and done.problems
    assert {text.partition(":")[0] for text in warnings_as_text} == {"the runs in a folder are not listed"}
    warnings_as_text.clear()


def test_the_archived_tester_of_rla(root):
    """It is a file, with the name of the run."""
    make()
    path = root / "archive_tester" / f"{NAME}.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"RLA's")
    assert collect_garbage(orphans=True, age=-1).act.runs[0].name == NAME
    assert not path.exists()


# --- states -----------------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
import numpy as np
import rla_hooks as rla

def die(event, arguments):
    global is_moved
    if event == "os.rename" and str(arguments[1]).endswith("state-2"):
        is_moved = True
    elif event == "open" and (is_moved or sys.argv[1] == "writing" and "models" in str(arguments[0])):
        os.kill(os.getpid(), signal.SIGKILL)

is_moved = False
with rla.run(task="t", writers=["csv"], backup="none"):
    rla.save_state(1, models=np.ones(3))
    sys.addaudithook(die)
    rla.save_state(2, models=np.ones(3))
"""


@pytest.mark.norerun
def test_states_that_a_kill_left_unlisted(root):
    """One that was moved and not listed goes once it is a day old, half a one at once; what is no run's stays."""
    for moment in ("writing", "moved"):
        process = subprocess.run([sys.executable, "-c", KILLED, moment], env=ENVIRONMENT)
        assert process.returncode == -signal.SIGKILL
        folder = rla.runs()[-1].checkpoint_dir
        assert (folder / "state-2").exists() is (moment == "moved")
        shutil.copytree(folder / "state-1", folder / "state-7")  # by hand
        before = everything(root)
        assert kinds(collect_garbage(dry_run=True)).keys() == {"temporary files"}
        assert everything(root) == before
        left = {"temporary files", *(["unlisted states"] if moment == "moved" else [])}
        assert kinds(collect_garbage(age=-1)).keys() - {"empty folders"} == left
        assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "state-1", "state-7"]
        assert [each.step for each in Manifest(folder).complete()] == [1]


def test_states_that_are_being_written_stay(root):
    """A cleaner that comes amid a save, and after it, takes nothing; nor does it where the list cannot be read."""
    with rla.run(task="t", writers=["csv"], backup="none") as run:
        path = rla.save_state(1, models=np.ones(3))

        def write(folder):
            shutil.copytree(path, folder)
            assert collect_garbage(age=-1).found == ()

        run.checkpoints.saver.write(write, "", 2, "state", {"writer": "state"})
        assert collect_garbage(age=-1).found == ()
        assert sorted(each.name for each in run.checkpoint_dir.iterdir()) == ["manifest.json", "state-1", "state-2"]
        manifest = run.checkpoint_dir / "manifest.json"
        manifest.write_text("[]")
        with pytest.warns(RLAWarning):
            assert collect_garbage(age=-1).found == ()


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_two_cleaners_at_once(root):
    """The second one finds nothing left of what it had planned, which is no error."""
    run = make(range(3))
    (run.log_dir / f".saving-{atomic._host()}-{DEAD}-{'0' * 32}.tmp").write_text("half")
    (root / "results/old").mkdir()
    first, second = (plan_garbage(checkpoints=True, age=-1) for _ in range(2))
    assert kinds(carry_out_garbage(first)) == {"old checkpoints": 2, "temporary files": 1, "empty folders": 0}
    done = carry_out_garbage(second)
    assert (done.found, done.act, done.problems) == ((), None, ())
    assert steps_of(run) == [2] and [act.number for act in upkeep.acts()] == [1]


def test_what_another_cleaner_has_taken_is_none_of_this_act(root):
    """So each of two acts can be undone without the other."""
    run, other = make(range(3)), make(range(3))
    first, second = plan_garbage(runs=[run], checkpoints=True), plan_garbage(checkpoints=True)
    assert carry_out_garbage(first).act.number == 1
    done = carry_out_garbage(second)
    assert ([each.id for each in done.act.runs], done.problems) == ([other.id], ())
    assert upkeep.undo().number == 2 and (steps_of(run), steps_of(other)) == ([2], [0, 1, 2])
    assert upkeep.undo().number == 1 and steps_of(run) == [0, 1, 2]


def test_a_disk_that_cannot_be_written(mounted, root, monkeypatch):
    """What cannot go is told, and all else is as it was."""
    disk = mounted("tmpfs", "size=4m")
    monkeypatch.chdir(disk)
    run = make(range(3))
    (run.log_dir / f".saving-{atomic._host()}-{DEAD}-{'0' * 32}.tmp").write_text("half")
    before = everything(disk)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        done = collect_garbage(checkpoints=True)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert done.found == () and everything(disk) == before
    assert any("Read-only file system" in line for line in done.problems)
    assert any("may not write" in line for line in done.problems)


def test_mistakes(root):
    """All of them at once."""
    make()
    with pytest.raises(ConfigError) as error:
        collect_garbage(runs=rla.runs(), keep_checkpoints=0)
    assert "keep_checkpoints is 0" in str(error.value) and "checkpoints=True" in str(error.value)


def test_an_empty_root(tmp_path):
    """There is nothing to do."""
    (tmp_path / "log").mkdir()
    assert collect_garbage(tmp_path, checkpoints=True, orphans=True).found == ()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
