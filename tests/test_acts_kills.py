"""Acts that are killed at any of their system calls: every run is whole, in one place, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.checkpoints import Manifest
from rla_hooks.layout import KINDS, RunPaths
from rla_hooks.query import SavedRun
from rla_hooks.query.entry import read_entry
from rla_hooks.run_folders import run_names
from rla_hooks.upkeep.acting import carry_out
from rla_hooks.upkeep.archiving import plan_archive
from rla_hooks.upkeep.deleting import plan_delete
from rla_hooks.upkeep.moving import plan_move, plan_rename
from rla_hooks.upkeep.planning import Item, plan_items, trash_part
from rla_hooks.upkeep.restoring import plan_restore

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def folder(tmp_path):
    """In memory where that can be: a kill shows the same there, and no call waits for a disk."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as name:
        yield Path(name)


@pytest.fixture
def before(folder):
    """A log root with two runs in three trees, or two."""
    root = folder / "before"
    for seed in range(2):
        with rla.run(task="t", log_root=root, record=["seed"], writers=["csv"], backup="none", seed=seed) as run:
            rla.log({"loss": 1.0}, step=0)
            run.checkpoint_dir.joinpath("model.pt").write_bytes(b"weights %d" % seed)
        for empty in (run.results_dir, run.code_dir, run.tensorboard_dir):
            empty.rmdir()
    shutil.rmtree(run.paths.archive_dir)
    return root


PLANS = {
    "delete": plan_delete,
    "archive": plan_archive,
    "move": lambda runs: plan_move(runs, "u"),
    "rename": lambda runs: plan_rename(runs[0], {"seed": 7}),
}
NAMES = ("name", "task", "former_names")  # what a new name changes in run.json


def runs_in(root: Path) -> list[SavedRun]:
    """The runs of a log root, without a cache for each of hundreds."""
    places = [RunPaths(root, name) for name in run_names(root)]
    return [SavedRun(place, read_entry(place)) for place in places]


def places(root: Path) -> dict[str, dict[str, dict[str, bytes]]]:
    """Where each run is, by its id and the log root that lists it; and its files there, whatever its name is."""
    roots = [root, root / "archived", *sorted((root / ".trash").glob("[1-9]*"))]
    found: dict[str, dict[str, dict[str, bytes]]] = {}
    for place in roots:
        for name in run_names(place):
            files = {}
            for kind in KINDS:
                top = f"{place}/{kind}/{name}"
                for path in files_in(top):
                    with open(path, "rb") as file:
                        files[kind + path.removeprefix(top)] = file.read()
            content = json.loads(files["log/run.json"])
            if content["name"] == name:
                files["log/run.json"] = json.dumps({key: content[key] for key in content if key not in NAMES}).encode()
            found.setdefault(content["id"], {})[str(place)] = files
    return found


def files_in(top: str | Path) -> list[str]:
    return [f"{folder}/{name}" for folder, _, names in os.walk(top) for name in names]


def listed(root: Path) -> list[str]:
    """The ids of all runs that any list has at this moment."""
    return sorted(id for id, where in places(root).items() for _ in where)


def check_whole(root: Path, expected: dict[str, dict[str, bytes]]) -> None:
    """Each run is in one place, with all of its bytes, and nothing of it is anywhere else."""
    found = places(root)
    assert {id: [*where.values()] for id, where in found.items()} == {id: [files] for id, files in expected.items()}
    every = [path for path in files_in(root) if not path.endswith(("/act.json", "/lock"))]
    assert len(every) == sum(map(len, expected.values())), every


def copy(root: Path, to: Path) -> Path:
    shutil.copytree(root, to, symlinks=True)
    return to


def killed_everywhere(run_through, folder, before, action, check, all_calls=False):
    """Call ``check`` on what a kill of ``action`` at its 1st call would leave of ``before``, at its 2nd, and so on.

    Not at each folder of many that are made or removed one after the other, but for ``all_calls``. Return how many.
    """
    root, calls, left = copy(before, folder / "whole"), list[str](), list[Path]()

    def keep(call):
        calls.append(call)
        if all_calls or len(calls) < 2 or call != calls[-2] or call not in ("mkdir", "rmdir"):
            left.append(copy(root, folder / str(len(calls))))

    run_through(action(root), keep)
    for each in [*left, root]:
        check(each)
        shutil.rmtree(each)
    return len(calls)


@pytest.mark.parametrize("kind", PLANS)
def test_an_act_and_its_undo_that_are_killed_at_every_call(kind, run_through, folder, before):
    """Readers see each run once at any moment; the next command makes each whole; undo gives back all there was."""
    expected = {id: files for id, where in places(before).items() for files in where.values()}

    def act(root):
        plan = PLANS[kind](runs_in(root))
        return lambda: carry_out(plan)

    def check(root):
        assert listed(root) == sorted(expected)
        for run in runs_in(root):  # a reader's list has whole runs only, also before the act is finished
            assert (run.checkpoint_dir / "model.pt").exists() and run.hparams and not run.problems
        done = upkeep.acts(root)
        check_whole(root, expected)
        assert len(done) <= 1
        if done:
            assert done[0].trouble is None and done[0].runs and upkeep.undo(root).undone
        check_whole(root, expected)
        assert [*run_names(root)] == [*run_names(before)]
        assert not [path for path in (root / ".trash").glob("*") if path.name != "lock"]

    everywhere = kind == "delete"
    assert killed_everywhere(run_through, folder, before, act, check, everywhere) > 20
    if kind in ("delete", "move"):  # the others come back in the same ways
        after = copy(before, folder / "after")
        act(after)()
        assert killed_everywhere(run_through, folder, after, lambda root: lambda: upkeep.undo(root), check) > 20


def test_a_restore_that_is_killed_at_every_call(run_through, folder, before):
    """Archived runs come back whole, too; what was not begun stays in the archive, and undo puts all of it back."""
    carry_out(plan_archive(runs_in(before)))
    expected = {id: files for id, where in places(before).items() for files in where.values()}

    def act(root):
        plan = plan_restore(runs_in(root / "archived"))
        return lambda: carry_out(plan)

    def check(root):
        assert listed(root) == sorted(expected)
        kinds = [act.kind for act in upkeep.acts(root)]
        check_whole(root, expected)
        assert kinds in (["archive"], ["archive", "restore"])
        if len(kinds) == 2:
            assert runs_in(root) and upkeep.undo(root).undone
        check_whole(root, expected)
        assert not runs_in(root) and len(runs_in(root / "archived")) == 2

    assert killed_everywhere(run_through, folder, before, act, check) > 20


def test_emptying_the_trash_that_is_killed_at_every_call(run_through, folder, before):
    """The act can still be undone, or nothing of it is left after the next try; what was archived is not touched."""
    first, second = runs_in(before)
    carry_out(plan_archive(first))
    carry_out(plan_delete(second))
    archived = files_in(before / "archived")
    outside = folder / "outside.txt"
    outside.write_text("not of the log root")
    (gone,) = (before / ".trash" / "2" / "checkpoint").rglob("model.pt")
    (gone.parent / "link").symlink_to(outside)

    def check(root):
        done = {act.number: act for act in upkeep.acts(root)}
        assert 2 not in done or (done[2].trouble is None and len(upkeep.undo(root).runs) == 1)
        left = upkeep.acts(root)
        assert upkeep.empty_trash(root).numbers == tuple(act.number for act in left)
        assert os.listdir(root / ".trash") == ["lock"] and outside.exists()
        assert len(files_in(root / "archived")) == len(archived)
        assert len(runs_in(root)) == (2 in done)

    assert killed_everywhere(run_through, folder, before, lambda root: lambda: upkeep.empty_trash(root), check) > 10


def test_checkpoints_that_are_collected_are_listed_or_in_the_trash(run_through, folder, before):
    """Killed at every call, there and back: their entries leave the manifest with them, and come back with them."""
    run = runs_in(before)[0]
    manifest = Manifest(run.checkpoint_dir)
    for step in (1, 2, 3):
        (run.checkpoint_dir / f"model-{step}.pt").write_bytes(b"weights %d" % step)
        manifest.add(f"model-{step}.pt", "model", step)
    entries = manifest.entries()
    all_files = {path.removeprefix(str(before)) for path in files_in(before)}

    def collect(root):
        folder = f"checkpoint/{run.name}"
        old = [json.loads(entry.line) for entry in entries[:2]]
        parts = tuple(trash_part(root, f"{folder}/{each['file']}") for each in old)
        item = Item(run.id, run.name, parts, run_json=f"log/{run.name}/run.json", manifest=folder, checkpoints=(*old,))
        plan = plan_items(root, "collect", [item])
        return lambda: carry_out(plan, asked="rla gc")

    def check(root):
        done = upkeep.acts(root)
        there = Manifest(root / "checkpoint" / run.name)
        assert there.entries() == (entries[2:] if done else entries) and not there.missing()
        if done:
            assert [*map(str, (done[0].kind, done[0].files))] == ["collect", "2"] and upkeep.undo(root).undone
        assert there.entries() == entries and not there.missing()
        assert {path.removeprefix(str(root)) for path in files_in(root)} - all_files <= {"/.trash/lock"}

    assert killed_everywhere(run_through, folder, before, collect, check) > 10
    after = copy(before, folder / "after")
    collect(after)()
    assert killed_everywhere(run_through, folder, after, lambda root: lambda: upkeep.undo(root), check) > 10
