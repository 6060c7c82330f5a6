"""Checkpoint files of the original RLA: found by name and step, read without running anything in them."""

from __future__ import annotations

import pytest

from rla_hooks.checkpoints import old_files
from rla_hooks.errors import CheckpointError


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def folder(tmp_path, torch):
    """A checkpoint folder as RLA's versions have left it."""
    torch.save({"policy": {"w": torch.ones(2)}, "epoch": 9}, tmp_path / "checkpoint-9.pt")
    torch.save({"epoch": 80}, tmp_path / "checkpoint_80.pt")
    torch.save({"epoch": 3}, tmp_path / "best-3.pt")
    return tmp_path


def test_checkpoints_are_read_by_step_and_name(folder):
    """By default that of the greatest step, which is no matter of letters."""
    assert old_files.load(folder) == (80, {"epoch": 80})
    step, content = old_files.load(folder, 9)
    assert step == 9 and content["policy"]["w"].tolist() == [1.0, 1.0] and content["epoch"] == 9
    assert old_files.load(folder, name="best") == (3, {"epoch": 3})


def test_the_first_version_wrote_one_without_a_step(tmp_path, torch):
    """It counts as step 0."""
    torch.save({"w": 1}, tmp_path / "checkpoint.pt")
    assert old_files.load(tmp_path) == (0, {"w": 1})


def test_what_is_not_there_is_told_with_what_is(folder, tmp_path):
    """The steps of the name, the files of the folder, or that there is no folder."""
    with pytest.raises(CheckpointError, match=r"no checkpoint 'checkpoint' of step 10 in .* Its steps: 9, 80\."):
        old_files.load(folder, 10)
    with pytest.raises(CheckpointError, match=r"no checkpoint 'last' .* It has best-3\.pt, checkpoint-9\.pt"):
        old_files.load(folder, name="last")
    with pytest.raises(CheckpointError, match="the run has no folder"):
        old_files.load(tmp_path / "gone")


class _Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_file_that_would_run_code_is_refused_with_the_way_out(tmp_path, torch):
    """Nothing of it is run; a damaged one says so."""
    torch.save({"model": _Harmful(str(tmp_path / "harmed"))}, tmp_path / "checkpoint-1.pt")
    with pytest.raises(CheckpointError, match=r"checkpoint-1\.pt was refused.*weights_only=False"):
        old_files.load(tmp_path, 1)
    assert not (tmp_path / "harmed").exists()
    (tmp_path / "checkpoint-2.pt").write_bytes((tmp_path / "checkpoint-1.pt").read_bytes()[:100])
    with pytest.raises(CheckpointError, match=r"checkpoint-2\.pt cannot be read by torch"):
        old_files.load(tmp_path)
