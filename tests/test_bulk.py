"""Data and other tools' outputs stay out of the code backup, source and what git tracks stays in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.snapshot import bulk
from rla_hooks.snapshot.backup import BackupReport, back_up
from rla_hooks.snapshot.provenance import collect

pytestmark = pytest.mark.usefixtures("quiet", "own_home")


@pytest.fixture(params=["git", "no git"])
def project(tmp_path, request, monkeypatch):
    """A project in which git tracks nothing yet, or that has no git."""
    for key in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(key, os.devnull)
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text("1\n")
    if request.param == "git":
        git(project, "init", "-q")
        commit(project, "train.py")
    else:
        (project / "pyproject.toml").write_text("")
    return project


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@b.c", *arguments], cwd=folder, check=True)


def commit(project: Path, *names: str) -> None:
    git(project, "add", "-f", *names)
    git(project, "commit", "-qm", "more")


def fill(folder: Path, *names: str, size: int = 1) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)


def saved(project: Path, **options) -> tuple[BackupReport, set[str]]:
    code = project.parent / "rla_data" / "code" / os.urandom(4).hex()
    report = back_up(code, project.parent / "rla_data", project_root=project, **options)
    found = {path.relative_to(code).as_posix() for path in code.rglob("*") if path.is_file()}
    return report, {name for name in found if not name.startswith(".rla/")} - {"train.py", "pyproject.toml"}


def test_a_data_set_stays_out_and_its_source_stays_in(project):
    """The line names the folder, the number and the key that changes it."""
    fill(project, *(f"data/train/{n % 7}/{n}.png" for n in range(bulk.MAX_FILES)), "data/train/labels.json")
    fill(project, "data/loader.py", "data/readme.md", "data/config.yaml", "assets/robot.stl", "notes.txt")
    report, found = saved(project)
    assert found == {"data/loader.py", "data/readme.md", "data/config.yaml", "assets/robot.stl", "notes.txt"}
    assert report.left_out == {"data folder": ["data/train/ (501 files)"]}
    assert "; left out 1 data folder (data/train/ (501 files)); BACKUP_CONFIG.data_files: true" in report.line()
    report, found = saved(project, data_files=True)
    assert len(found) == 506 and report.left_out == {}


def test_few_data_files_stay_in_and_large_ones_together_do_not(project):
    """500 files, or 20 MB, in each folder at the top."""
    fill(project, *(f"a/{n}.json" for n in range(bulk.MAX_FILES)))
    fill(project, *(f"b/{n}.npy" for n in range(21)), size=10**6)
    fill(project, "c/b.npy")
    report, found = saved(project, max_file_mb=10)
    assert found == {f"a/{n}.json" for n in range(bulk.MAX_FILES)} | {"c/b.npy"}
    assert report.left_out == {"data folder": ["b/ (21 files)"]}


def test_thousands_of_source_files_stay_in(project):
    """What people write by hand is never taken for data."""
    names = {f"src/{n}{suffix}" for n in range(200) for suffix in (".py", ".yaml", ".cpp")}
    fill(project, *names)
    assert saved(project)[1] == names


def test_data_at_the_top_of_the_project_counts_by_itself(project):
    """Without a folder of its own."""
    fill(project, *(f"{n}.png" for n in range(bulk.MAX_FILES + 1)), "assets/a.png")
    report, found = saved(project)
    assert found == {"assets/a.png"} and report.left_out == {"data folder": ["./ (501 files)"]}


def test_the_size_of_each_of_many_data_files_is_not_asked(project, monkeypatch):
    """After the first 501, the names are enough; folders and rules are still seen."""
    fill(project, *(f"data/{n}.png" for n in range(2000)), "data/x.d/loader.py", "data/y.png")
    looked, lstat = [], os.lstat
    monkeypatch.setattr(os, "lstat", lambda path, **options: looked.append(path) or lstat(path, **options))
    report, found = saved(project)
    assert found == {"data/x.d/loader.py"} and report.left_out == {"data folder": ["data/ (2001 files)"]}
    assert len(looked) < 600


OUTPUTS = ["wandb/run-1/files/code/train.py", "mlruns/0/meta.yaml", "lightning_logs/version_0/hparams.yaml"]
OUTPUTS += ["outputs/2026-01-01/.hydra/config.yaml", "multirun/a/0/train.log", "runs/a/events.out.tfevents.1", ".aim/x"]
OUTPUTS += ["exp/checkpoints/a.pt", ".dvc/cache/files/ab", "mlruns/0/models/code/model.py"]


def test_outputs_of_other_tools_stay_out_in_one_line(project):
    """At the top and below."""
    fill(project, *OUTPUTS, ".dvc/config", "exp/a.py")
    report, found = saved(project)
    assert found == {".dvc/config", "exp/a.py"}
    folders = [".aim/", ".dvc/cache/", "exp/checkpoints/", "lightning_logs/", "mlruns/", "multirun/", "outputs/"]
    assert {reason: sorted(paths) for reason, paths in report.left_out.items()} == {
        "output folder": [*folders, "runs/", "wandb/"]
    }
    assert "\n" not in report.line() and "BACKUP_CONFIG.data_files" in report.line()
    assert saved(project, data_files=True)[1] == {*OUTPUTS, ".dvc/config", "exp/a.py"}


def test_a_package_with_the_name_of_an_output_is_source(project):
    """Programs right in it show it, and so does who names it in backup_code_dir."""
    fill(project, "runs/__init__.py", "runs/a/b.py", "checkpoints/make.sh", "outputs/data/a.csv")
    _, found = saved(project)
    assert found == {"runs/__init__.py", "runs/a/b.py", "checkpoints/make.sh"}
    assert saved(project, dirs=["outputs"])[1] == {"outputs/data/a.csv"}


@pytest.mark.parametrize("project", ["git"], indirect=True)
def test_what_git_tracks_stays_in(project):
    """A data set, and an output folder in part."""
    data = [f"data/{n}.png" for n in range(600)]
    fill(project, *data, "outputs/paper/plot.csv", "wandb/settings", "runs/a.csv")
    commit(project, "data", "outputs", "wandb/settings", "runs")
    fill(project, "outputs/new/a.csv", "wandb/run-1/files/x.py", "wandb/debug.log", "outputs/paper/new.csv")
    report, found = saved(project)
    assert found == {*data, "outputs/paper/plot.csv", "wandb/settings", "runs/a.csv"}
    assert report.left_out == {"output folder": ["outputs/", "wandb/"]}


@pytest.mark.parametrize("project", ["git"], indirect=True)
def test_git_diff_names_data_and_is_silent_of_outputs(project, tmp_path):
    """Thousands of files are neither read nor listed; outputs alone do not make a tree dirty."""
    fill(project, *OUTPUTS)
    assert collect(project, tmp_path / "a", tmp_path)["git"]["dirty"] is False
    fill(project, *(f"data/{n}.txt" for n in range(600)), "new.py", "deep/" * 200 + "x.txt")
    found = collect(project, tmp_path / "b", tmp_path)["git"]
    assert found["dirty"] and not found["diff_complete"]
    diff = (tmp_path / "b" / "git.diff").read_text()
    assert diff.startswith("# left out: data/ (600 untracked data files)\n") and "+++ b/new.py" in diff
    assert "data/1.txt" not in diff and "wandb" not in diff


def test_the_key_reaches_the_backup(project, tmp_path):
    """From rla_config.yaml to the copy."""
    fill(project, "wandb/a.txt")
    config = {"LOG_ROOT": str(tmp_path / "logs"), "LOG_USED": ["csv"], "PROJECT_ROOT": str(project)}
    for number, value in enumerate((False, True)):
        with rla.run(task=str(number), config={**config, "BACKUP_CONFIG": {"data_files": value}}) as run:
            pass
        assert (run.code_dir / "wandb/a.txt").exists() is value
