"""Acts on log roots of several disks, of full ones, and of ones that can only be read."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.errors import RLAError
from rla_hooks.upkeep.restoring import restore


def files_of(root: Path) -> dict[str, bytes]:
    """All files of a log root, also behind links, but the lock of its trash."""
    found = [Path(folder, name) for folder, _, names in os.walk(root, followlinks=True) for name in names]
    return {str(path.relative_to(root)): path.read_bytes() for path in found if path.name != "lock"}


def seeds(root: Path) -> list[int]:
    return [run.hparams["seed"] for run in rla.runs(root)]


@pytest.fixture
def elsewhere(four_runs, mounted):
    """Lets trees of a log root be links to another disk; returns the root, and the disk."""

    def link(*trees: str) -> tuple[Path, Path]:
        disk = mounted("tmpfs", "size=8m")
        for tree in trees:
            shutil.move(four_runs / tree, disk / "runs" / tree)
            (four_runs / tree).symlink_to(disk / "runs" / tree)
        return four_runs, disk / "runs"

    return link


def test_a_tree_on_another_disk_has_its_trash_there(elsewhere):
    """Nothing is copied; the trash is a log root with that tree; undo, a move, and the archive know the disk, too."""
    root, disk = elsewhere("checkpoint")
    before = files_of(root)
    assert upkeep.delete(rla.runs(root, where="seed < 2")).files == 16
    assert len([*(disk / "checkpoint" / ".trash" / "1").rglob("checkpoint-0.pkl")]) == 2
    assert [rla.latest_checkpoint(run) is not None for run in rla.runs(root / ".trash" / "1")] == [True, True]
    assert seeds(root) == [2, 3] and len(upkeep.undo(root).runs) == 2 and files_of(root) == before
    assert not (disk / "checkpoint" / ".trash" / "1").exists()
    upkeep.move(rla.runs(root)[0], "other")
    assert rla.latest_checkpoint(rla.runs(root, task="other")[0]) is not None
    assert upkeep.undo(root).kind == "move" and files_of(root) == before
    upkeep.archive(rla.runs(root)[0])
    (archived,) = rla.runs(root / "archived")
    assert rla.latest_checkpoint(archived) is not None and (disk / "checkpoint" / ".archived").is_dir()
    restore(archived)
    assert upkeep.undo(root).kind == "restore" and upkeep.undo(root).kind == "archive"
    assert files_of(root) == before


def test_the_trash_on_another_disk_is_emptied_with_the_act(elsewhere):
    """And only that."""
    root, disk = elsewhere("checkpoint", "code")
    upkeep.delete(rla.runs(root)[0])
    upkeep.delete(rla.runs(root)[0])
    assert upkeep.empty_trash(root, 1).numbers == (1,)
    assert [*(disk / "checkpoint" / ".trash").iterdir()] == [disk / "checkpoint" / ".trash" / "2"]
    assert len(upkeep.undo(root).runs) == 1 and seeds(root) == [1, 2, 3]


def test_two_log_roots_share_a_tree(elsewhere, tmp_path):
    """The acts of one do not touch the trash of the other."""
    root, disk = elsewhere("checkpoint")
    other = tmp_path / "other"
    other.mkdir()
    (other / "checkpoint").symlink_to(disk / "checkpoint")
    with rla.run(task="second", log_root=other, writers=["csv"], backup="none", seed=9):
        rla.save_checkpoint({"weights": [0.5]}, step=0)
    upkeep.delete(rla.runs(root)[0])
    assert upkeep.delete(rla.runs(other)[0]).number == 2  # the number 1 is taken on that disk
    upkeep.empty_trash(root)
    assert len(upkeep.undo(other).runs) == 1 and rla.latest_checkpoint(rla.runs(other)[0]) is not None


def test_log_on_another_disk_lists_nothing_of_its_trash(elsewhere):
    """Nor of its archive."""
    root, _ = elsewhere("log")
    upkeep.delete(rla.runs(root)[0])
    upkeep.archive(rla.runs(root)[0])
    assert seeds(root) == [2, 3] and seeds(root / ".trash" / "1") == [0] and seeds(root / "archived") == [1]
    assert len(rla.runs(root, task="demo")) == 2


def test_an_archive_that_is_on_the_wrong_disk_is_told(elsewhere):
    """A folder where the link to the archived checkpoints must be would hide them."""
    root, _ = elsewhere("checkpoint")
    (root / "archived" / "checkpoint").mkdir(parents=True)
    with pytest.raises(RLAError, match="move it to that disk"):
        upkeep.archive(rla.runs(root)[0])


def test_a_disk_in_a_run_is_refused(four_runs, mounted):
    """It would go with the folder, and its files with the trash."""
    run, other = rla.runs(four_runs)[:2]
    disk = mounted("tmpfs", "size=1m")
    (disk / "data").write_bytes(b"a data set")
    inside = run.code_dir / "data"
    inside.mkdir()
    subprocess.run(["mount", "--bind", str(disk), str(inside)], check=True)
    try:
        with pytest.raises(RLAError, match="another disk is mounted at"):
            upkeep.delete([run, other])
        assert seeds(four_runs) == [0, 1, 2, 3]
    finally:
        subprocess.run(["umount", str(inside)], check=True)
    upkeep.delete(run)
    inside = four_runs / ".trash" / "1" / "code" / run.name / "data"
    subprocess.run(["mount", "--bind", str(disk), str(inside)], check=True)
    try:
        emptied = upkeep.empty_trash(four_runs)
        assert "another disk is mounted at" in emptied.problems[0] and (disk / "data").exists()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
        mounts = Path("/proc/self/mountinfo").read_text()
        for line in mounts.splitlines():
            if str(four_runs) in line:
                subprocess.run(["umount", line.split()[4]], check=True)
    assert upkeep.empty_trash(four_runs).problems == ()


def test_a_disk_that_can_only_be_read_is_told(four_runs, mounted):
    """Before anything is changed."""
    disk = mounted("tmpfs", "size=8m")
    shutil.copytree(four_runs, disk / "root")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(RLAError, match="this user may not write to"):
        upkeep.delete(rla.runs(disk / "root"))
    assert seeds(disk / "root") == [0, 1, 2, 3]


@pytest.mark.usefixtures("quiet")
def test_a_full_disk_loses_nothing(four_runs, mounted):
    """Whatever room there is, from none on: an act is refused, or done in part or whole; an undo needs no room."""
    disk = mounted("tmpfs", "size=1m")
    shutil.copytree(four_runs, disk / "root")
    root, refused = disk / "root", 0
    before = files_of(root)
    filler = disk / "filler"
    with open(filler, "wb", buffering=0) as file:
        with suppress(OSError):
            while file.write(b" " * 4096):
                pass
        for _ in range(100):
            done = 0
            try:
                act = upkeep.move(rla.runs(root), "other")
                done = len(act.runs)
                assert len(act.problems) == 4 - done and all("No space left" in line for line in act.problems)
            except RLAError as error:
                refused += 1
                assert "No space left on device" in str(error)
            assert sorted(seeds(root)) == [0, 1, 2, 3] and len(rla.runs(root, task="other")) == done
            assert not [run for run in rla.runs(root) if run.problems or run.hints or not rla.latest_checkpoint(run)]
            if done == 4:
                break
            if done:
                file.truncate(filler.stat().st_size - 65536)  # to write back what run.json said
                upkeep.undo(root)
                assert files_of(root).keys() - {"../filler"} == before.keys()
            file.truncate(max(0, filler.stat().st_size - 4096))
    assert refused > 0 and done == 4
    file = filler.open("ab", buffering=0)
    file.truncate(filler.stat().st_size - 65536)
    now = files_of(root)
    assert len(upkeep.delete(rla.runs(root)).runs) == 4
    with file, suppress(OSError):
        while file.write(b" " * 4096):
            pass
    assert len(upkeep.undo(root).runs) == 4 and files_of(root) == now
