"""A new run has a name and folders of its own; nothing is made outside the log root."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from rla_hooks import layout
from rla_hooks.errors import ConfigError
from rla_hooks.filenames import safe_part
from rla_hooks.layout import RunPaths, create
from rla_hooks.run_folders import run_names
from rla_hooks.run_name import check_task, parse, run_leaf

NOW = datetime(2026, 1, 31, 12, 30, 45, 123456)


@pytest.mark.parametrize(
    ("task", "record"),
    [
        ("plain", {"device": "cuda:0"}),
        *[(word, {}) for word in ("aux", "Con", "nul.", "COM1.txt", "grp/lpt9", "t.", "a b ", "q?", "con.", "prn/x")],
        ("t", {"v": "1.", "x": "y ", "s": 'a|b<c>"*', "net": "aux"}),
    ],
)
def test_windows_takes_every_name(task, record):
    """No part has a sign, an end or a word that Windows and its disks refuse; all values are read back."""
    name = f"{check_task(task)}/2026/01/31/{run_leaf(NOW, '10.0.0.1', record)}"
    for part in name.split("/"):
        assert not set(part) & set('<>:"\\|?*') and part[-1] not in ". "
        assert part.split(".")[0].lower() not in ("con", "prn", "aux", "nul", "com1", "lpt9")
    found = parse(name)
    assert (unquote(found.task), found.record) == (task, record)


def test_a_locale_without_utf8_makes_names_that_everybody_reads(tmp_path):
    """Tasks, values, log root and config of any script, under LANG=C and in Latin-1, where there is such a locale."""
    code = (
        "import rla_hooks as rla\n"
        "with rla.run(task='prüfung/训练', record=['info'], log_root='größe', backup='none', info='ö') as run:\n"
        "    rla.log({'verlust/损失': 1.0, 'text': '训'}, step=0)\n"
        "    assert rla.save_checkpoint({'w': 1}, checkpoint_name='größe') is not None\n"
        "    assert rla.load_checkpoint(checkpoint_name='größe')[1] == {'w': 1}\n"
        "assert len(rla.runs('größe', 'prüfung/训练')) == len(rla.runs('größe')) == int(__import__('sys').argv[1])\n"
    )
    (tmp_path / "train.py").write_text(code, encoding="utf-8")
    plain = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for number, locale in enumerate([{"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C"} | plain, {"LC_ALL": "de_DE"} | plain], 1):
        command = [sys.executable, "train.py", str(number)]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | locale, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
    runs = [read for name in run_names(tmp_path / "größe", "prüfung/训练") for read in [parse(name)]]
    assert [run.record for run in runs] == [{"info": "ö"}] * 3
    assert {unquote(run.task) for run in runs} == {"prüfung/训练"}


def test_a_long_task_fits_the_file_system(tmp_path):
    """Each part is capped by itself, a hidden one too."""
    task = check_task("x" * 300 + "/." + "诗" * 300)
    assert [len(part.encode()) <= 255 for part in task.split("/")] == [True, True]
    assert create(tmp_path, "." + "y" * 253, {}).log_dir.is_dir()


def test_a_created_run_has_its_folders_under_one_name(weird_tmp_path, monkeypatch):
    """A relative log root is meant from the working directory of the start."""
    monkeypatch.chdir(weird_tmp_path)
    paths = create(Path("logs"), "a/b", {"lr": 0.1}, NOW)
    root = weird_tmp_path / "logs"
    assert paths.name == f"a/b/2026/01/31/12-30-45-123456_{layout.local_ip()}_&lr=0.1"
    assert paths.log_root == root
    folders = [paths.log_dir, paths.results_dir, paths.checkpoint_dir, paths.code_dir, paths.archive_dir]
    assert folders == [root / kind / paths.name for kind in ("log", "results", "checkpoint", "code", "archive_tester")]
    assert all(folder.is_dir() for folder in [*folders, paths.tensorboard_dir])
    files = [paths.progress_csv, paths.log_txt, paths.parameter_json, paths.run_json, paths.tester_pkl]
    assert [file.name for file in files] == ["progress.csv", "log.txt", "parameter.json", "run.json", "tester.pkl"]
    assert not any(file.exists() for file in files) and list(weird_tmp_path.iterdir()) == [root]
    assert paths == RunPaths(root, paths.name)


def test_16_processes_that_start_in_the_same_microsecond_get_16_names(tmp_path):
    """The name is taken by making the folder, so no two runs share one."""
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    with multiprocessing.get_context(method).Pool(16) as pool:
        runs = pool.starmap(create, [(tmp_path, "task", {"lr": 0.1}, NOW)] * 16, chunksize=1)
    names = [paths.name for paths in runs]
    times = sorted(parse(name).time for name in names)
    assert times == [NOW + timedelta(microseconds=n) for n in range(16)]
    assert list(run_names(tmp_path)) == sorted(names)


def test_a_name_whose_folder_is_a_file_is_passed_over(tmp_path):
    """Whatever stands there is left alone."""
    folder = tmp_path / "log/task/2026/01/31"
    folder.mkdir(parents=True)
    taken = folder / run_leaf(NOW, layout.local_ip(), {"lr": 0.1})
    taken.write_text("mine")
    assert parse(create(tmp_path, "task", {"lr": 0.1}, NOW).name).time == NOW + timedelta(microseconds=1)
    assert taken.read_text() == "mine"


def test_a_planned_name_is_taken_although_its_folder_holds_a_file(tmp_path):
    """A framework may have put something there between plan and start: it stays, and the run has all its folders."""
    planned = layout.plan(tmp_path, "task", {"lr": 0.1}, NOW)
    assert list(tmp_path.iterdir()) == []
    planned.log_dir.mkdir(parents=True)
    (planned.log_dir / "config.yaml").write_text("mine")
    assert create(tmp_path, "task", {"lr": 0.1}, NOW, planned=True) == planned
    assert (planned.log_dir / "config.yaml").read_text() == "mine"
    folders = [planned.results_dir, planned.checkpoint_dir, planned.code_dir, planned.archive_dir]
    assert all(folder.is_dir() for folder in [*folders, planned.tensorboard_dir])


@pytest.mark.parametrize("first_was_planned", [True, False])
def test_a_planned_name_that_another_run_has_is_passed_over(tmp_path, first_was_planned):
    """Two plans of the same microsecond, or a run that started in that of the plan: two runs never share a name."""
    first = create(tmp_path, "task", {}, NOW, planned=first_was_planned)
    second = create(tmp_path, "task", {}, NOW, planned=True)
    assert [parse(each.name).time - NOW for each in (first, second)] == [timedelta(0), timedelta(microseconds=1)]


@pytest.mark.parametrize("in_the_way", ["logs", "logs/log", "logs/results", "logs/archive_tester", "logs/log/task"])
def test_a_log_root_that_cannot_be_written_is_one_clear_error(tmp_path, in_the_way):
    """A file in its place, or in the place of a folder in it; no run is begun and nothing is made elsewhere."""
    file = tmp_path / in_the_way
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    with pytest.raises(ConfigError, match=r"cannot be written.*Set LOG_ROOT in rla_config\.yaml"):
        create(tmp_path / "logs", "task", {}, NOW)
    assert file.read_text() == "mine"
    assert list(run_names(tmp_path / "logs")) == [] and {path.name for path in tmp_path.iterdir()} == {"logs"}


def test_a_log_root_that_is_no_path_is_one_clear_error():
    """A NUL cannot stand in a path."""
    with pytest.raises(ConfigError, match=r"cannot be written: .*embedded null"):
        create(Path("a\0b"), "task", {})


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_log_root_is_one_clear_error(tmp_path):
    """The error names the folder and the reason."""
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="Permission denied"):
        create(tmp_path / "logs", "task", {})


def test_hostile_tasks_and_records_stay_within_the_log_root(tmp_path, odd_texts):
    """Whatever the texts, each run lies four levels below its task, under its own name."""
    for text in odd_texts:
        paths = create(tmp_path / "logs", f"t{text}".replace("/", "_"), {text: text}, NOW)
        inside = paths.log_dir.resolve().relative_to(tmp_path / "logs" / "log")
        assert len(inside.parts) == 5 and parse(paths.name).time == NOW
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert len(list(run_names(tmp_path / "logs"))) == len(odd_texts)


def test_a_path_is_within_a_folder_behind_a_link(tmp_path):
    """Links above the file and above the folder count as what they lead to; the file itself may be a link."""
    (tmp_path / "scratch" / "run").mkdir(parents=True)
    (tmp_path / "logs").symlink_to("scratch")
    (tmp_path / "scratch" / "run" / "last.pt").symlink_to("../../elsewhere.pt")
    for file in ("logs", "scratch"):
        for folder in ("logs", "scratch"):
            assert layout.path_within(tmp_path / file / "run/last.pt", tmp_path / folder) == "run/last.pt"
    assert layout.path_within(tmp_path / "scratch2/a.pt", tmp_path / "scratch") is None
    assert layout.path_within(tmp_path / "logs", tmp_path / "logs") is None


def test_the_address_of_this_machine_is_a_path_part():
    """Without a network it is a word."""
    assert safe_part(layout.local_ip()) == layout.local_ip() and "_" not in layout.local_ip()
