"""A program that is started from elsewhere finds its config, and its runs are found from the project afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import places

pytestmark = pytest.mark.usefixtures("own_home")

TRAIN = """
import rla_hooks as rla
@rla.track({options})
def main(lr=0.1): rla.log({{"a": 1.0}}, step=0)
main()
"""


def train(folder: Path, *arguments: str, options: str = "writers=['csv']", cwd: Path | None = None) -> None:
    script = folder / "train.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(TRAIN.format(options=options))
    done = subprocess.run([sys.executable, *arguments, script], cwd=cwd or folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def elsewhere(tmp_path):
    """The folder in which cron or an IDE starts the program."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("folder", ["project", "project/scripts"])
def test_the_config_of_the_main_script_is_found_from_elsewhere(tmp_path, elsewhere, write_config, folder):
    """Beside the script or above it; its log root counts from its own folder."""
    write_config(tmp_path / "project", "LOG_ROOT: ./runs\nLOG_USED: [csv]\n")
    train(tmp_path / folder, options="", cwd=elsewhere)
    assert [run.status for run in rla.runs(tmp_path / "project" / "runs")] == ["finished"]
    assert not list(elsewhere.iterdir())


def test_a_link_to_the_main_script_leads_to_its_config(tmp_path, elsewhere, write_config):
    """The project is where the file is, as for the code backup."""
    write_config(tmp_path / "project", "LOG_ROOT: ./runs\nLOG_USED: [csv]\n")
    (tmp_path / "project" / "train.py").write_text(TRAIN.format(options=""))
    (elsewhere / "link.py").symlink_to(tmp_path / "project" / "train.py")
    subprocess.run([sys.executable, "link.py"], cwd=elsewhere, check=True)
    (run,) = rla.runs(tmp_path / "project" / "runs")
    assert (run.code_dir / "train.py").is_file()


def test_the_default_log_root_stands_beside_the_config_of_the_main_script(tmp_path, elsewhere, write_config):
    """As it does for who starts the program in the project."""
    write_config(tmp_path / "project", "LOG_USED: [csv]\n")
    train(tmp_path / "project", options="", cwd=elsewhere)
    assert len(rla.runs(tmp_path / "project" / "rla_data")) == 1 and not list(elsewhere.iterdir())


def test_a_config_above_the_working_directory_comes_before_that_of_the_script(tmp_path, elsewhere, write_config):
    """The nearer wish is that of who starts the program; an argument starts at the working directory."""
    write_config(tmp_path / "project", "LOG_ROOT: ./script\n")
    write_config(elsewhere, "LOG_ROOT: ./here\n")
    train(tmp_path / "project", options="", cwd=elsewhere)
    train(tmp_path / "project", options="log_root='argument'", cwd=elsewhere)
    assert sorted(path.name for path in elsewhere.iterdir()) == ["argument", "here", "rla_config.yaml"]


@pytest.mark.parametrize("chdir", ["false", "true"])
@pytest.mark.parametrize(("options", "log_root"), [("", None), ("log_root='logs'", "logs")])
def test_the_runs_of_a_hydra_multirun_are_found_from_the_project(tmp_path, monkeypatch, chdir, options, log_root):
    """Wherever Hydra has put each job, and if a job asks for the earlier runs."""
    pytest.importorskip("hydra")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("lr: 0.1\n")
    (tmp_path / "train.py").write_text(
        "import hydra, rla_hooks as rla\n"
        "@hydra.main(version_base=None, config_path='.', config_name='config')\n"
        f"@rla.track({options})\n"
        "def main(cfg):\n"
        "    rla.log({'lr': float(cfg.lr)}, step=0)\n"
        f"    print('seen', len(rla.runs({log_root!r})))\n"
        "main()\n"
        f"print('after', len(rla.runs({log_root!r})))\n"
    )
    command = [sys.executable, "train.py", "-m", "lr=0.1,0.2", f"hydra.job.chdir={chdir}", "hydra.sweep.dir=jobs"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line[:5] in ("seen ", "after")] == [
        "seen 1",
        "seen 2",
        "after 2",
    ]
    runs = rla.runs(log_root)
    assert sorted(run.hparams["lr"] for run in runs) == [0.1, 0.2]
    assert all((run.code_dir / "train.py").is_file() for run in runs)
    assert not list((tmp_path / "jobs").rglob("log"))


def test_what_hydra_did_not_change_is_the_working_directory(tmp_path, monkeypatch):
    """A program that goes elsewhere by itself means that folder."""
    pytest.importorskip("hydra")
    (tmp_path / "mine").mkdir()
    code = (
        "import hydra, os, rla_hooks.places as places\n"
        "@hydra.main(version_base=None)\n"
        "def main(cfg):\n"
        "    print(places.working_directory())\n"
        f"    os.chdir({str(tmp_path / 'mine')!r})\n"
        "    print(places.working_directory())\n"
        "main()\n"
    )
    (tmp_path / "train.py").write_text(code)
    command = [sys.executable, "train.py", "hydra.job.chdir=true"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == [os.path.realpath(tmp_path), str(tmp_path / "mine")], done.stderr


def test_installed_commands_are_no_main_script():
    """pytest is none; a script in a folder below the prefix (/usr/src, say) is one."""
    assert places.main_script() is None
    assert places.is_installed(Path(sysconfig.get_path("scripts"), "torchrun"))
    assert places.is_installed(Path(sysconfig.get_path("purelib"), "tool", "__main__.py"))
    assert places.is_installed(Path(sysconfig.get_path("stdlib"), "pdb.py"))
    assert not places.is_installed(Path(sys.prefix, "src", "app", "train.py"))
    code = "import rla_hooks.places as places; print(places.main_script())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "None"


def test_a_reader_takes_a_log_root_as_a_run_does(tmp_path, monkeypatch):
    """``~`` and variables are expanded for both, and a link stays as it was written."""
    monkeypatch.setenv("WHERE", "logs")
    train(tmp_path, options="log_root='~/$WHERE', backup='none', writers=[]")
    assert len(rla.runs("~/$WHERE")) == len(rla.runs(tmp_path / "logs")) == 1
    (tmp_path / "link").symlink_to("logs")
    assert rla.runs(tmp_path / "link")[0].paths.log_root == tmp_path / "link"
    with pytest.raises(rla.ConfigError, match="log_root is '\\$NOT_SET', and there is no environment variable"):
        rla.runs("$NOT_SET")


def test_further_files_of_a_tester_start_where_hydra_was_started(tmp_path):
    """As all paths do that RLA's configure takes."""
    pytest.importorskip("hydra")
    (tmp_path / "notes.bin").write_text("x")
    (tmp_path / "rules").write_text("*.bak\n")
    (tmp_path / "old.bak").touch()
    (tmp_path / "train.py").write_text(
        "import hydra\nfrom rla_hooks.easy_log.tester import tester\n"
        "@hydra.main(version_base=None)\n"
        "def main(cfg):\n"
        "    tester.configure('t', log_root='logs', run_file='notes.bin', ignore_file_path='rules', code_root='.')\n"
        "    tester.log_files_gen()\n"
        "main()\n"
    )
    command = [sys.executable, "train.py", "hydra.job.chdir=true", "hydra.run.dir=job"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code = rla.runs(tmp_path / "logs")[0].code_dir
    assert (code / "notes.bin").exists() and not (code / "old.bak").exists()
