"""The project of a script, and what is wrong with what a backup is asked for."""

from __future__ import annotations

import tempfile

import pytest

from rla_hooks.snapshot.request import MARKERS, BackupRequest, project_of


@pytest.mark.parametrize("marker", MARKERS)
def test_the_project_is_the_nearest_folder_with_a_marker(tmp_path, monkeypatch, marker):
    """A script deep inside belongs to it, by link too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    for name in ("outer/setup.py", "outer/project/deep/er/train.py", "bin/x", f"outer/project/{marker}"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "bin/train").symlink_to(tmp_path / "outer/project/deep/er/train.py")
    for script in (tmp_path / "outer/project/deep/er/train.py", tmp_path / "bin/train"):
        assert project_of(script) == (tmp_path / "outer/project").resolve()


def test_a_request_tells_its_root_and_all_its_mistakes(tmp_path):
    """Without a project the script's folder is the root, of which not all is taken."""
    (tmp_path / "train.py").touch()
    request = BackupRequest(script=tmp_path / "train.py")
    assert (request.root, request.loose, list(request.problems())) == (tmp_path.resolve(), True, [])
    assert not BackupRequest(project_root=tmp_path).loose
    assert not BackupRequest(script=tmp_path / "train.py", dirs=["train.py"]).loose
    wrong = BackupRequest(mode="lib", project_root=tmp_path, max_file_mb=0, ignore=[3], ignore_files=["."])
    assert len(list(wrong.problems())) == 4
