"""Where settings run: what a cluster refuses, and what jobs leave behind."""

import os
import sys

import pytest

import rla_hooks as rla

pytest.importorskip("submitit")


@pytest.fixture
def main(tmp_path, monkeypatch, quiet):
    """A tracked function that other processes can import."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "swept_by_jobs.py").write_text(
        "import rla_hooks as rla\n"
        f"@rla.track(task='t', log_root={str(tmp_path / 'root')!r}, writers=['csv'], backup='none')\n"
        "def main(lr, api_key='Zq9xT4vB7nM2kL5p'):\n"
        "    print('printed by a job')\n"
        "    return lr\n"
    )
    sys.modules.pop("swept_by_jobs", None)
    yield __import__("swept_by_jobs").main
    sys.modules.pop("swept_by_jobs", None)


def test_jobs_leave_only_what_they_have_printed(main, tmp_path):
    """Their pickles have the settings, with all secrets: nobody else may read them, and they go with the sweep."""
    (run,) = rla.sweep(main, {"lr": [0.1]}, on="slurm", cluster={"cluster": "local", "timeout_min": 5}, quiet=True)
    folder = tmp_path / "root/.sweeps/jobs" / run.sweep["id"]
    assert run.result == 0.1 and not [*folder.glob("*.pkl")]
    assert any("printed by a job" in path.read_text() for path in folder.glob("*_log.out"))
    assert os.name == "nt" or folder.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.name == "nt", reason="Slurm is none for it")
def test_what_slurm_refuses_is_one_line(main, tmp_path, monkeypatch, capfd):
    """The reason that sbatch gives; no run has begun, and no claim is left."""
    for name in ("sbatch", "srun", "sacct"):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).write_text("#!/bin/sh\necho 'sbatch: error: invalid partition: nope' >&2\nexit 1\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(rla.RLAError, match=r"^slurm has refused the jobs: .*invalid partition: nope"):
        rla.sweep(main, {"lr": [0.1, 0.2]}, on="slurm", cluster={"slurm_partition": "nope", "timeout_min": 5})
    assert "not begun" in capfd.readouterr().err and not (tmp_path / "root/log").exists()
