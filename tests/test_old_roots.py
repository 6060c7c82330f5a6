"""Roots that the original RLA wrote: acts on their runs, which have no run.json, and trees that only RLA has."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.query.rla_runs import is_of_rla

pytestmark = pytest.mark.usefixtures("quiet")
SHIPPED = Path(__file__).parent / "data" / "root_of_rla"
BLANK = "demo_task/2022/03/01/21-13-03-230208 10.0.0.7 &env_id=Test-v1&learning_rate=0.0001"
LONG_AGO = 1_600_000_000


@pytest.fixture
def root(tmp_path):
    """An old root whose runs have all trees of RLA's later versions, too; nobody has written to it for years."""
    made = tmp_path / "root"
    shutil.copytree(SHIPPED, made)
    for run in rla.runs(made):
        for tree, file in (("tmp_data", "buffer.npy"), ("hyperparameter", "parameter.json"), ("code", "main.py")):
            (made / tree / run.name).mkdir(parents=True)
            (made / tree / run.name / file).write_text("{}")
        (made / "results" / run.name / "imgs").mkdir(parents=True)
        (made / "results" / run.name / "imgs" / "0-y.png").write_bytes(b"")
    for path in made.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return made


def files_of(root: Path) -> dict[str, tuple[bytes, int]]:
    """The files of a log root with their times, but for the lock of its trash."""
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    return {name: (path.read_bytes(), path.stat().st_mtime_ns) for name, path in found.items() if name != ".trash/lock"}


def trees_of(files, start=""):
    """The trees that have files of the run with blanks in its name."""
    return {name.removeprefix(start).partition("/")[0] for name in files if name.startswith(start) and BLANK in name}


ALL = {"log", "results", "code", "archive_tester", "tmp_data", "hyperparameter"}


@pytest.mark.parametrize(("act", "place"), [(upkeep.delete, ".trash/1/"), (upkeep.archive, "archived/")])
def test_a_run_of_rla_goes_with_all_its_trees_and_comes_back(root, act, place):
    """With the pickle beside, the blanks in its name, and the times of its files."""
    before = files_of(root)
    assert trees_of(before) == ALL
    done = act([run for run in rla.runs(root) if run.name == BLANK])
    assert [run.name for run in done.runs] == [BLANK] and done.problems == ()
    gone = files_of(root)
    assert trees_of(gone, place) == ALL and trees_of(gone) == {place.partition("/")[0]}
    assert BLANK not in [run.name for run in rla.runs(root)]
    assert [run.hparams["input_size"] for run in rla.runs(root / place)] == [16]
    upkeep.undo(root)
    assert files_of(root) == before


def test_a_run_of_rla_gets_another_task_and_other_pairs(root):
    """All trees get the new name; nothing is written into them, and undo brings the old name back."""
    before = files_of(root)
    upkeep.move([run for run in rla.runs(root) if run.name == BLANK], "paper/first")
    moved = rla.runs(root, task="paper/first")[0]
    assert moved.name.endswith("/21-13-03-230208 10.0.0.7 &env_id=Test-v1&learning_rate=0.0001")
    assert {
        tree for tree in ALL if moved.name in "".join(name for name in files_of(root) if name.startswith(tree))
    } == ALL
    upkeep.rename(moved, {"info": "best"})
    renamed = rla.runs(root, task="paper/first")[0]
    assert renamed.record["info"] == "best" and renamed.hparams["input_size"] == 16
    here = {name: each for name, each in files_of(root).items() if not name.startswith(".trash")}
    assert sorted(here.values()) == sorted(before.values())
    upkeep.undo(root)
    upkeep.undo(root)
    assert files_of(root) == before


def test_an_archived_run_of_rla_is_restored_with_all_trees(root):
    """By rla archive --restore, without the journal of the act that has archived it."""
    before = files_of(root)
    upkeep.archive([run for run in rla.runs(root) if run.name == BLANK])
    shutil.rmtree(root / ".trash")
    upkeep.restore(rla.runs(root / "archived"), log_root=root)
    assert {name: each for name, each in files_of(root).items() if ".trash" not in name} == before


def test_the_trees_of_rla_are_counted_and_no_garbage(root):
    """They belong to their runs; those of a run whose log folder is gone are orphans, as in all trees."""
    usage = upkeep.disk_usage(log_root=root)
    assert usage.trees["tmp_data"].files == usage.trees["hyperparameter"].files == 4 and not usage.orphans
    assert upkeep.collect_garbage(log_root=root, age=0).act is None
    shutil.rmtree(root / "log" / BLANK)
    assert {each.path.relative_to(root).parts[0] for each in upkeep.disk_usage(log_root=root).orphans} == ALL - {"log"}


def test_a_path_in_a_tree_of_rla_names_its_run(root):
    """As one in log/ does."""
    act = upkeep.delete(root / "tmp_data" / BLANK / "buffer.npy")
    assert [run.name for run in act.runs] == [BLANK]


def test_a_run_of_rla_that_was_just_written_to_is_left_alone(root):
    """It may be running: nobody knows its process."""
    os.utime(root / "log" / BLANK / "progress.csv")
    with pytest.raises(rla.RLAError, match="may be running: its files were written to less than 10 minutes ago"):
        upkeep.delete([run for run in rla.runs(root) if run.name == BLANK])


# What is read


def checkpoint_folder(root: Path) -> Path:
    folder = root / "checkpoint" / BLANK
    folder.mkdir(parents=True)
    return folder


def test_checkpoints_of_rla_are_listed_by_their_names(root):
    """Of both eras, of torch and TensorFlow, the newest last; what is not whole, and what a link leads to, is none."""
    folder = checkpoint_folder(root)
    (root / "elsewhere.pt").write_bytes(b"x")
    (folder / "link_7.pt").symlink_to(root / "elsewhere.pt")
    for name in (
        *("checkpoint-80.pt", "checkpoint_9.pt", "best_model_100.pt", "empty_1.pt", "notes.txt", ".pt"),
        *("checkpoint-20.index", "checkpoint-20.data-00000-of-00001", "checkpoint-20.meta"),
        *("checkpoint-30.index", "checkpoint-30.data-00000-of-00002"),
        *("checkpoint_50-3.index", "checkpoint_50-3.data-00000-of-00001"),
    ):
        (folder / name).write_bytes(b"" if name == "empty_1.pt" else b"12")
    (folder / "checkpoint_50-3.index").write_bytes(b"\0_CHECKPOINTABLE_OBJECT_GRAPH\0")
    run = next(run for run in rla.runs(root) if run.name == BLANK)
    assert [(each.path.name, each.name, each.step, each.size) for each in run.checkpoints()] == [
        ("checkpoint_9.pt", "checkpoint", 9, 2),
        ("checkpoint-20.index", "checkpoint", 20, 6),
        ("checkpoint_50-3.index", "checkpoint", 50, 32),
        ("checkpoint-80.pt", "checkpoint", 80, 2),
        ("best_model_100.pt", "best_model", 100, 2),
    ]
    assert rla.latest_checkpoint(run) == folder / "best_model_100.pt"
    assert rla.latest_checkpoint(run, "checkpoint") == folder / "checkpoint-80.pt"
    assert rla.latest_checkpoint(run, "other") is None
    assert {path.name for path in folder.iterdir()} >= {"link_7.pt", "empty_1.pt"}


def test_a_damaged_checkpoint_of_rla_is_found_and_the_others_are_no_damage(root):
    """Those of torch carry checksums; that RLA kept no list of them is nothing wrong."""
    folder = checkpoint_folder(root)
    with zipfile.ZipFile(folder / "checkpoint_1.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"weights")
    (folder / "checkpoint_2.pt").write_bytes((folder / "checkpoint_1.pt").read_bytes()[:-30])
    (folder / "checkpoint_3.pt").write_bytes(b"\x80\x02as older versions of torch")
    os.utime(folder, (LONG_AGO, LONG_AGO))
    (damaged,) = [each for each in upkeep.verify(log_root=root) if each.file.endswith(".pt")]
    assert damaged.file.endswith("checkpoint_2.pt") and damaged.problem.startswith("is damaged: a checksum in it")


@pytest.mark.parametrize(("file", "start"), [("backup.txt", "[BACKUP] 0 : "), ("log.txt", "")])
def test_hyper_parameters_that_rla_printed(root, file, start):
    """Where no parameter file and no pickle is left: of later versions in backup.txt, of the first in log.txt."""
    run = next(run for run in rla.runs(root) if "seed=888" in run.name)
    lines = ["key: width, value: 64", "key: name, value: a, value: b", "key: none, value: None", "key: empty, value: "]
    lines += ["key: net, value: {'layers': (64, 32), 'seed': 8}", "key: act, value: <function relu at 0x7f1e369de560>"]
    lines += ["key: odd, value: {'act': <class 'a.B'>}", "key: deep, value: " + "[" * 5000]
    text = "\n".join(["Logging to /tmp/x", *(start + line for line in lines), "y_out 3", f"{start}key: broken"])
    (run.log_dir / file).write_text(text)
    (run.log_dir / "parameter.new").touch()  # so that the index reads it again
    (again,) = [each for each in rla.runs(root) if each.name == run.name]
    plain = {"width": 64, "name": "a, value: b", "none": None, "empty": "", "net.layers": [64, 32], "net.seed": 8}
    texts = {"act": "<function relu>", "odd": "{'act': <class 'a.B'>}"}
    assert again.hparams.pop("deep").startswith("[[[") and again.hparams == plain | texts


def test_a_run_of_ours_with_a_backup_txt_is_none_of_rla(tmp_path):
    """LOG_USED may have the writer backup; without its run.json the run is a damaged one of ours."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv", "log", "backup"], backup="none", lr=0.1) as run:
        run.print_args()
    assert (run.log_dir / "backup.txt").read_text() == "lr: 0.1\n"
    (run.log_dir / "run.json").unlink()
    assert not is_of_rla(run.paths)
    shutil.rmtree(tmp_path / "archive_tester")
    assert is_of_rla(run.paths)


def test_hyper_parameters_from_their_own_tree(root):
    """Where the log folder has lost its parameter file."""
    run = next(run for run in rla.runs(root) if "seed=888" in run.name)
    (root / "hyperparameter" / run.name / "parameter.json").write_text('{"depth": 3, "net": {"act": "relu"}}')
    (run.log_dir / "parameter.new").touch()
    assert [each.hparams for each in rla.runs(root) if each.name == run.name] == [{"depth": 3, "net.act": "relu"}]


def test_show_tells_the_time_of_the_last_row_and_the_checkpoints(root, command):
    """The times of the files are those of the copy; the csv has when the row was written."""
    name = next(run.name for run in rla.runs(root) if run.name.endswith("seed=88"))
    (root / "checkpoint" / name).mkdir(parents=True)
    (root / "checkpoint" / name / "checkpoint_9.pt").write_bytes(b"12")
    facts = json.loads(command("show", "--json", "--log-root", root, root / "log" / name).out)
    assert facts["last_write"] == 1669286791.5 and [each["step"] for each in facts["checkpoints"]] == [9]


@pytest.mark.parametrize("word", ["resume", "fork", "rerun"])
def test_what_needs_run_json_says_that_the_run_is_of_rla(root, word, command):
    """Nothing in it is damaged. One of ours that was killed as it began is not said to be RLA's."""
    said = command(word, "--log-root", root, root / "log" / BLANK)
    assert said.code and "it has no run.json, which tells what started it: it is of the original RLA" in said.err
    begun = root / "log/demo_task/2026/01/31/12-30-00-123456_10.0.0.7"
    (begun / "tb").mkdir(parents=True)
    said = command(word, "--log-root", root, begun)
    assert said.code and "it begins just now, or was killed as it began" in said.err
