"""What make soak and make kills find: nothing in a run that was killed and resumed, and all that is then wrong."""

from __future__ import annotations

import importlib
import os
import shutil
import time
from pathlib import Path

import pytest

import rla_hooks as rla

pytestmark = [pytest.mark.norerun, pytest.mark.skipif(os.name != "posix", reason="kill -9")]


@pytest.fixture
def lives(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent / "benchmarks")
    return importlib.import_module("lives")


def test_what_is_lost_or_twice_is_found(lives, tmp_path):
    """A row that is gone, one that is there twice, one that should be cut, and a checkpoint without its file."""
    root = tmp_path / "root"
    first = lives.Life("plain", tmp_path, root, 1, 0, 60, pause="600@17")
    while lives.Story(tmp_path / "notes").rows < 18 and first.process.poll() is None:
        time.sleep(0.02)
    first.process.kill()
    assert list(first.end()) == []
    assert list(lives.Life("plain", tmp_path, root, 2, 0, 60).end()) == []
    story = lives.Story(tmp_path / "notes")
    wrong, counts = story.account(root)
    assert (wrong, story.done, counts["runs"], counts["lives"], counts["kept"]) == ([], True, 1, 2, 60)

    [run] = rla.runs(root)
    path = run.log_dir / "progress.csv"
    header, *rows = path.read_text().splitlines(keepends=True)
    _finds(
        story, root, "1 rows are lost, 0 are stated; the first ones are [100004]", path, [header, *rows[:3], *rows[4:]]
    )
    _finds(story, root, "row 100004 is there 2 times", path, [header, *rows, rows[3]])
    if (cut := run.log_dir / "cut/1/progress.csv").exists():
        aside = cut.read_text().splitlines(keepends=True)[-1:]
        _finds(story, root, "progress.csv has", path, [header, *rows, *aside])
    newest = rla.latest_checkpoint(run)
    newest.unlink()
    _finds(story, root, f"the checkpoint {newest.name} (cut: None) has no file", path, [header, *rows])
    shutil.rmtree(run.log_dir)
    assert f"the run {run.name} is not there" in story.account(root)[0]


def _finds(story, root, fault, path, lines):
    before = path.read_text()
    path.write_text("".join(lines))
    wrong, _ = story.account(root)
    path.write_text(before)
    assert any(fault in line for line in wrong), wrong
