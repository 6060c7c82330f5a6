"""The folders of a Tester, in the ways in which RLA's scripts use them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import yaml

import rla_hooks as rla
from rla_hooks import tester_folders
from rla_hooks.easy_log.complex_data_recorder import format_name
from rla_hooks.errors import ConfigError, RLAWarning, RunError
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def started(tmp_path):
    """Starts Testers in one log root, and ends them."""
    made = []

    def start(**params):
        tester = Tester()
        tester.configure(task_name="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
        tester.set_hyper_param(**params)
        tester.log_files_gen()
        made.append(tester)
        return tester

    yield start
    for tester in made:
        tester.finish()


def test_folders_are_texts_on_a_tester_and_paths_on_a_run(started):
    """Scripts of RLA add names to them; those that take them from the run get pathlib's."""
    tester = started()
    for name in ("log_dir", "results_dir", "checkpoint_dir", "code_dir"):
        folder = getattr(tester, name)
        assert isinstance(folder, str) and folder.endswith("/") and folder.is_dir()
        assert type(getattr(tester.run, name)) is type(Path()) and getattr(tester.run, name) == folder
    (tester.results_dir / "imgs").mkdir()
    with open(tester.results_dir + "imgs/x.txt", "w") as file:
        file.write("x")
    assert os.listdir(tester.results_dir + "imgs") == ["x.txt"]
    assert tester.log_dir.split("/")[-2] == tester.run.log_dir.name
    assert isinstance(tester.pkl_file, str) and os.path.getsize(tester.pkl_file)
    assert tester.pkl_dir + "tester.pkl" == tester.pkl_file and tester.pkl_file.parent == tester.pkl_dir


def test_a_tester_without_a_run_has_no_folders():
    """None, as RLA's; nothing is created."""
    tester = Tester()
    names = "log_dir results_dir checkpoint_dir code_dir pkl_file pkl_dir tmp_data_dir hyparameter_dir data_root root"
    assert [getattr(tester, name) for name in names.split()] == [None] * 10
    assert tester.project_root is None and tester.run_file is None and tester.ignore_file_path is None


def test_what_rla_makes_beside_is_made_when_it_is_asked_for(started, tmp_path):
    """A folder for data that need not be kept, and one with the hyper-parameters; other runs have neither."""
    tester = started(lr=0.1, net={"width": 64}, api_key="sk-1234567890abcdef", layers=(1, 2))
    assert not (tmp_path / "root" / "tmp_data").exists() and not (tmp_path / "root" / "hyperparameter").exists()
    (tester.tmp_data_dir / "part.bin").write_bytes(b"x")
    assert tester.tmp_data_dir == tmp_path / "root" / "tmp_data" / tester.name
    folder = tester.hyparameter_dir
    assert folder == tmp_path / "root" / "hyperparameter" / tester.name == tester.hyperparameter_dir
    with open(folder + "parameter.yaml") as file:
        assert yaml.safe_load(file) == {"lr": 0.1, "net": {"width": 64}, "api_key": "***", "layers": [1, 2]}
    (folder / "parameter.yaml").write_text("mine: 1\n")
    assert tester.hyparameter_dir and (folder / "parameter.yaml").read_text() == "mine: 1\n", "the user's file stays"


def test_a_folder_that_cannot_be_made_is_one_warning(started, tmp_path):
    """A file is in its way: the training goes on."""
    tester = started()
    (tmp_path / "root" / "tmp_data").write_text("")
    with pytest.warns(RLAWarning, match="the folder tmp_data could not be made") as caught:
        assert [tester.tmp_data_dir, tester.tmp_data_dir] == [tmp_path / "root" / "tmp_data" / tester.name] * 2
    tester.log({"a": 1})
    assert len(caught) == 1


@pytest.mark.parametrize(("variable", "value"), [("RLA_MODE", "off"), ("RANK", "1")])
def test_where_no_run_is_recorded_the_folders_are_temporary_ones(variable, value, tmp_path, monkeypatch):
    """A script adds names to them and writes there, on each rank and with tracking off; the log root gets nothing."""
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(tester_folders.tempfile, "tempdir", str(tmp_path))
    tester_folders._temporary_root.cache_clear()
    tester = Tester()
    tester.configure("t", log_root=tmp_path / "root")
    with pytest.warns(RLAWarning) as caught:
        tester.log_files_gen()
        names = "log_dir results_dir checkpoint_dir code_dir tmp_data_dir hyparameter_dir".split()
        for name in names:
            (getattr(tester, name) / "x.txt").write_text("")
            assert os.path.isfile(getattr(tester, name) + "x.txt")
        assert format_name("a/b.png").startswith(str(tester.results_dir))  # by the process's own Tester
    told = [text for text in (str(each.message) for each in caught) if "yours to delete" in text]
    assert len(told) == 1 and "this process records no run: the folders of tester are in " in told[0]
    assert [path.name.startswith("rla-untracked-") for path in tmp_path.iterdir()] == [True]
    tester_folders._temporary_root.cache_clear()


def test_roots_are_texts(tmp_path):
    """``data_root`` is the log root; ``project_root`` is the config's folder, unless ``code_root`` names another."""
    (tmp_path / "proj" / "src").mkdir(parents=True)
    (tmp_path / "proj" / "a.py").write_text("")
    (tmp_path / "proj" / "rla_config.yaml").write_text("BACKUP_CONFIG: {backup_code_dir: [src]}\n")
    tester = Tester()
    tester.configure("t", "proj/rla_config.yaml", "logs", run_file="proj/a.py", ignore_file_path="none.ignore")
    assert tester.data_root == tester.root == f"{tmp_path}/logs/" and tester.project_root == f"{tmp_path}/proj/"
    assert tester.run_file == f"{tmp_path}/proj/a.py" and tester.ignore_file_path == [f"{tmp_path}/none.ignore"]
    tester.configure("t", {}, "logs", code_root="proj/src", run_file=["proj/a.py", "proj/rla_config.yaml"])
    assert tester.project_root + "x" == f"{tmp_path}/proj/src/x" and len(tester.run_file) == 2
    tester.project_root = "mine/"
    assert tester.project_root == "mine/", "RLA's attributes may be set"
    assert pickle.loads(pickle.dumps(tester)).project_root == "mine/"


def test_a_loaded_tester_goes_on_where_its_log_root_is_now(started, tmp_path):
    """RLA's update_log_files_location, after the log root was moved; a wrong root is told, and changes nothing."""
    tester = started(lr=0.1)
    tester.log({"a": 1}, step=5)
    tester.finish()
    loaded = Tester.load(tester.pkl_file)
    (tmp_path / "root").rename(tmp_path / "moved")
    with pytest.raises(RunError, match="Give the log root that has all its folders"):
        loaded.update_log_files_location(str(tmp_path / "elsewhere"))
    loaded.update_log_files_location(root=str(tmp_path / "moved"))
    assert loaded.data_root == tmp_path / "moved" and loaded.log_dir == tmp_path / "moved" / "log" / tester.name
    loaded.log({"a": 2})
    loaded.finish()
    assert rla.runs(tmp_path / "moved")[0].metrics()["a"].tolist() == [1, 2]


def test_an_open_run_stays_where_it_is(started, tmp_path):
    """To move it makes no sense: one warning, and the training goes on; before a run there is nothing to move."""
    tester = started()
    with pytest.warns(RLAWarning, match="has no effect: the run is open"):
        tester.update_log_files_location(tmp_path / "other")
    tester.log({"a": 1})
    assert tester.data_root == tmp_path / "root"
    with pytest.raises(RunError, match=r"Load one first: tester.load_tester"):
        Tester().update_log_files_location(tmp_path)


def test_a_run_is_found_by_its_date(started, tmp_path):
    """RLA's log_file_finder: the day's folder in a tree, and the run's name there, or its archived Tester."""
    tester = started(lr=0.1)
    date = f"{tester.record_date:%Y/%m/%d/%H-%M-%S-%f}"
    leaf = tester.run.log_dir.name
    root = tester.data_root
    folder, found = tester.log_file_finder(date, task_table_name="t", file_root=root + "checkpoint/")
    assert os.path.join(folder, found) + "/" == tester.checkpoint_dir and found == leaf
    folder, found = Tester.log_file_finder(date, task_name="t", file_root=root + "archive_tester/", log_type="files")
    assert os.path.join(folder, found) == tester.pkl_file
    (Path(folder) / "20-00-00-000000 10.0.0.1 &lr=1.pkl").write_text("")
    old = date.rpartition("/")[0] + "/20-00-00-000000"
    assert Tester.log_file_finder(old, "t", root + "archive_tester", "files")[1].endswith("&lr=1.pkl")
    assert [Tester.log_file_finder(day, "t", root)[1] for day in ("2001/01/01/00-00-00-000000", "", "x")] == [""] * 3
    with pytest.raises(ConfigError, match=r"log_type is 'file'\. Allowed: dir, files\. Did you mean 'files'"):
        Tester.log_file_finder(date, "t", root, log_type="file")
