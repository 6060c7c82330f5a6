"""What takes the room of a log root: each file once, for whom it belongs to."""

import json
import os
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import atomic
from rla_hooks.errors import ConfigError
from rla_hooks.layout import KINDS
from rla_hooks.upkeep import disk_usage
from rla_hooks.upkeep.tally import Size

pytestmark = pytest.mark.usefixtures("quiet")
OLD = "t/2020/01/02/03-04-05-000006_10.0.0.1_&lr=0.1"


@pytest.fixture
def root(tmp_path):
    """Two runs that share their code, a large checkpoint each, one of which is the other's, too."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text("x = 1\n" * 5000)
    (project / "pyproject.toml").write_text("")
    root = tmp_path / "a [root]"

    def make(seed, task="t"):
        config = tmp_path / "rla_config.yaml"
        config.write_text(f"LOG_ROOT: {str(root)!r}\nPROJECT_ROOT: {str(project)!r}\n")
        with rla.run(task=task, record=["seed"], config=config, writers=["csv"], seed=seed) as run:
            rla.log({"loss": 0.5}, step=0)
        return run.paths

    first, second = make(0), make(1)
    (first.checkpoint_dir / "model-1.pt").write_bytes(bytes(300_000))
    (first.checkpoint_dir / "folder").mkdir()
    (first.checkpoint_dir / "folder/part").write_bytes(bytes(100_000))
    os.link(first.checkpoint_dir / "model-1.pt", second.checkpoint_dir / "model-1.pt")
    make(2, task="other")
    return root


def reference(*tops: Path) -> tuple[int, int, int]:
    """The room of everything in folders, the lengths of the files, and their number: each file once."""
    seen, content, files, on_disk = set(), 0, 0, 0
    for top in tops:
        for folder, folders, names in os.walk(top):
            names += [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                state = os.lstat(path)
                if (state.st_dev, state.st_ino) not in seen:
                    seen.add((state.st_dev, state.st_ino))
                    on_disk += state.st_blocks * 512
                    content += state.st_size * (path != folder)
                    files += path != folder
    return on_disk, content, files


def reference_of_trees(root: Path) -> tuple[int, int, int]:
    return reference(*(Path(os.path.realpath(root / name)) for name in (*KINDS, ".trash", "archived")))


def sums(size: Size) -> tuple[int, int, int]:
    return size.on_disk, size.content, size.files


def test_each_file_counts_once(root):
    """The total is the room of all files and folders, however many names they have; so it is for a tree and a task."""
    usage = disk_usage(root)
    assert sums(usage.total) == reference_of_trees(root)
    assert usage.total.freed == usage.total.on_disk
    folders = [run.checkpoint_dir for run in rla.runs(root)]
    assert sums(usage.trees["checkpoint"]) == reference(*folders)
    assert (usage.trees["checkpoint"].freed, usage.problems, usage.links) == (usage.trees["checkpoint"].on_disk, [], 0)
    assert list(usage.tasks) == ["t", "other"] and list(usage.trees)[0] == "checkpoint"
    assert sums(usage.tasks["other"]) == sums(usage.runs[2].size)
    assert sum(each.files for each in usage.users.values()) == usage.total.files  # all of one user


def test_what_would_be_free(root):
    """What runs share counts for each, and is freed only by both; the store's own name of a file keeps nothing."""
    usage = disk_usage(root)
    by_seed = {each.run.hparams["seed"]: each for each in usage.runs}
    code = by_seed[0].trees["code"]
    assert code.content >= 30_000 and code.on_disk - code.freed >= 30_000
    assert by_seed[1].size.on_disk - by_seed[1].size.freed >= 330_000  # the code and the checkpoint
    assert by_seed[0].trees["checkpoint"].freed < by_seed[0].trees["checkpoint"].on_disk - 300_000
    tasks = usage.tasks["t"]
    assert tasks.on_disk - tasks.freed < 100_000, "the checkpoint is both runs' of the task, and of nobody else"
    assert usage.rest["code store"].content >= 30_000 and "unused code" not in usage.rest
    for seed in (1, 2):  # then the code is the first run's alone
        for file in by_seed[seed].run.code_dir.rglob("*"):
            if file.is_file():
                file.unlink()
    again = disk_usage(root)
    alone = next(each for each in again.runs if each.run == by_seed[0].run)
    assert alone.trees["code"].freed == alone.trees["code"].on_disk
    for file in by_seed[0].run.code_dir.rglob("train.py"):
        file.unlink()
    unused = disk_usage(root).rest["unused code"]
    assert unused.content >= 30_000 and unused.freed == unused.on_disk


def test_only_some_runs(root):
    """The total is theirs, with what would be free without them, and nothing else is listed."""
    chosen = rla.runs(root, task="t")
    usage = disk_usage(runs=chosen)
    folders = [
        getattr(run, kind) for run in chosen for kind in ("log_dir", "results_dir", "checkpoint_dir", "code_dir")
    ]
    assert sums(usage.total) == reference(*folders, *(run.paths.archive_dir for run in chosen))
    everything = disk_usage(root)
    assert usage.tasks == {"t": everything.tasks["t"]} and usage.total == everything.tasks["t"]
    assert (usage.rest, usage.orphans, len(usage.runs)) == ({}, [], 2)
    assert disk_usage(root, runs=[]).total == Size()
    one = next(each for each in everything.runs if each.run == chosen[0])
    assert disk_usage(runs=chosen[:1]).runs == [one]


def test_the_largest_checkpoints(root):
    """A folder counts as a whole, and the manifest is none."""
    (rla.runs(root)[0].checkpoint_dir / "manifest.json").write_text("{}")
    usage = disk_usage(root)
    assert [each.path.name for each in usage.checkpoints] == ["model-1.pt", "model-1.pt", "folder"]
    assert usage.checkpoints[2].on_disk == reference(usage.checkpoints[2].path)[0]
    assert usage.checkpoints[2].run == rla.runs(root)[0]


def test_what_is_no_runs(root):
    """The trash, the archive, trees without a log folder, stray files, and what dead processes have left."""
    for path in (".trash/1/log/x", "archived/log/x", f"checkpoint/{OLD}/m.pt", "results/stray.png"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(bytes(5000))
    (root / "archive_tester" / f"{OLD}.pkl").parent.mkdir(parents=True)
    (root / "archive_tester" / f"{OLD}.pkl").write_bytes(b"RLA's")
    left = rla.runs(root)[0].log_dir / f".saving-{atomic._host()}-4194304000-{'0' * 32}.tmp"
    left.write_bytes(bytes(2000))
    usage = disk_usage(root)
    assert sums(usage.total) == reference_of_trees(root)
    assert {name: size.content for name, size in usage.rest.items() if name != "code store"} == {
        ".trash": 5000,
        "archived": 5000,
        "orphans": 5005,
        "of no run": 5000,
    }
    assert [each.path.relative_to(root).as_posix() for each in usage.orphans] == [
        f"checkpoint/{OLD}",
        f"archive_tester/{OLD}.pkl",
    ]
    assert (usage.temporary.content, usage.temporary.files) == (2000, 1)


def test_the_room_that_a_killed_run_needs_is_no_leftover(root):
    """Beside its run.json, as long as it may be taken up; elsewhere it is one."""
    run = rla.runs(root)[0]
    name = f".saving-{atomic._host()}-4194304000-{'0' * 32}.tmp"
    for folder in (run.log_dir, run.checkpoint_dir):
        (folder / name).mkdir()
        (folder / name / "part").write_bytes(bytes(3000))
    assert disk_usage(root).temporary.content == 6000
    run.paths.run_json.write_text(
        json.dumps(json.loads(run.paths.run_json.read_text()) | {"status": "running", "pid": 4194304000})
    )
    assert rla.runs(root)[0].status == "killed" and disk_usage(root).temporary.content == 3000
    assert sums(disk_usage(root).total) == reference_of_trees(root)


def test_a_renamed_log_folder_has_its_other_folders_still(root):
    """They are under the name in run.json; so are those of RLA, whose archived Tester is a file."""
    run = rla.runs(root)[0]
    before = next(each for each in disk_usage(root).runs if each.run == run)
    run.log_dir.rename(root / "log" / "best")
    rla_run = root / "log" / "old/2020/01/02/03-04-05-000006 10.0.0.1 &lr=0.1"
    rla_run.mkdir(parents=True)
    (rla_run / "progress.csv").write_text("a\n1\n")
    (root / "archive_tester" / "old/2020/01/02").mkdir(parents=True)
    (root / "archive_tester" / f"{rla_run.relative_to(root / 'log')}.pkl").write_bytes(b"RLA's")
    usage = disk_usage(root)
    best = next(each for each in usage.runs if each.run.name == "best")
    assert (best.trees, usage.orphans) == (before.trees, [])
    assert best == disk_usage(runs=[best.run]).runs[0]
    of_rla = next(each for each in usage.runs if each.run.task == "old")
    assert of_rla.trees["archive_tester"].content == 5
    assert of_rla == disk_usage(runs=[of_rla.run]).runs[0]


def test_a_run_inside_of_another_folder_of_a_run(root):
    """A stray run.json above a task makes it a run; the runs below it count for themselves."""
    before = {each.run.name: each.size for each in disk_usage(root).runs}
    (root / "log/t/run.json").write_text("{}")
    usage = disk_usage(root)
    assert sums(usage.total) == reference_of_trees(root)
    assert {each.run.name: each.size for each in usage.runs if each.run.name != "t"} == before


def test_a_tree_on_another_disk_is_walked_and_other_links_are_not(root, tmp_path):
    """So ``checkpoint`` may be a link; a link in it is one file, wherever it leads, and circles do no harm."""
    disk = tmp_path / "disk"
    (root / "checkpoint").rename(disk)
    (root / "checkpoint").symlink_to(disk)
    run = rla.runs(root)[0]
    (run.checkpoint_dir / "circle").symlink_to(root)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/huge").write_bytes(bytes(2**20))
    (disk / "t/linked").symlink_to(tmp_path / "elsewhere")
    (disk / ".trash/1").mkdir(parents=True)
    (disk / ".trash/1/m.pt").write_bytes(bytes(777))
    usage = disk_usage(root)
    assert sums(usage.total) == reference_of_trees(root)
    assert (usage.links, usage.rest[".trash"].content) == (2, 777)
    assert usage.total.on_disk < 2**20


def test_a_sparse_file_takes_what_is_allocated(root):
    """Its length is in ``content``."""
    with open(rla.runs(root)[0].checkpoint_dir / "sparse.pt", "wb") as file:
        file.truncate(2**30)
    usage = disk_usage(root)
    assert usage.total.content > 2**30 > 2**24 > usage.total.on_disk


def test_what_cannot_be_read_is_told(root, make_unreadable):
    """And all else is counted."""
    make_unreadable(rla.runs(root)[0].results_dir)
    usage = disk_usage(root)
    (problem,) = usage.problems
    assert problem.endswith("cannot be read: File name too long") and len(usage.runs) == 3


def test_progress_comes_to_its_end(root):
    """It is called for each folder of a run."""
    calls = []
    disk_usage(root, progress=lambda *call: calls.append(call))
    assert [done for done, _ in calls] == list(range(1, 16)) and {total for _, total in calls} == {15}


def test_mistakes(root, tmp_path):
    """Runs of two log roots, and folders of other tools."""
    with rla.run(task="t", log_root=tmp_path / "second", writers=["csv"], backup="none"):
        pass
    with pytest.raises(ConfigError, match="2 log roots"):
        disk_usage(runs=[*rla.runs(root), *rla.runs(tmp_path / "second")])
    (tmp_path / "lightning/version_0").mkdir(parents=True)
    (tmp_path / "lightning/version_0/metrics.csv").write_text("epoch,loss,step\n0,0.5,1\n")
    with pytest.raises(ConfigError, match="another tool"):
        disk_usage(tmp_path / "lightning")


def test_an_empty_root(tmp_path):
    """Nothing takes nothing, whether the folder is there or not."""
    (tmp_path / "log").mkdir()
    assert disk_usage(tmp_path).runs == [] and disk_usage(tmp_path).total.files == 0
