"""RLA's words on the Tester that a run does not have: each does what it did, and says once what it is now."""

from __future__ import annotations

import copy
import csv
import importlib
import os
import pickle
import re
import subprocess
import sys
from collections import deque
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.errors import RLAWarning, RunError
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def tester(tmp_path):
    testing.reset()
    tester = Tester()
    tester.configure("t", log_root=tmp_path / "root", writers=["csv", "log"], backup="none")
    tester.set_hyper_param(lr=0.1, net={"width": 64}, seed=3)
    tester.add_record_param(["lr", "net.width"])
    yield tester
    tester.finish()


def rows_of(tester):
    return list(csv.DictReader((tester.log_dir / "progress.csv").open(newline="")))


def test_the_time_step(tester):
    """set_timestep counts for rows without a step; get_timestep, in both spellings, gives it."""
    assert tester.get_timestep() == 0
    tester.log_files_gen()
    tester.set_timestep(7)
    tester.log({"a": 1})
    assert tester.get_timestep() == tester.get_timstep() == tester.time_step_holder.get_time() == 7
    assert rows_of(tester)[0]["time-step"] == "7"


def test_fph_is_a_row_from_the_second_call_on(tester):
    """Epochs per hour since the first call; what is no number costs one warning."""
    tester.log_files_gen()
    tester.update_fph(0)
    assert not (tester.log_dir / "progress.csv").exists()
    tester.last_record_fph_time -= 1800  # half an hour ago
    tester.update_fph(10)
    (row,) = rows_of(tester)
    assert 19 < float(row["fph"]) <= 20
    with pytest.warns(RLAWarning, match="fph was not logged"):
        tester.update_fph("ten")


def test_hyper_parameters_are_written_once_more(tester):
    """They are in TensorBoard without a call; this one has those that came since."""
    with pytest.raises(RunError, match=r"tester\.log_files_gen\(\) first"):
        tester.feed_hyper_params_to_tb()
    tester.log_files_gen()
    tester.run.hyper_param["late"] = 1
    tester.feed_hyper_params_to_tb()
    assert '"late": 1' in (tester.log_dir / "parameter.json").read_text()


def test_arguments_of_calls_are_attributes(tester, tmp_path):
    """What rows are given to, and how many checkpoints are kept."""
    seen = []
    tester.configure("t", log_root=tmp_path / "root", writers=["csv"], backup="none", log_callback_fn=seen.append)
    default = tester.max_to_keep
    tester.log_files_gen()
    tester.new_saver(7)
    assert (tester.log_callback_fn, tester.max_to_keep, default) == (seen.append, 7, 5)


def test_custom_data_has_a_mean(tester):
    """Recorded under the prefix for the next dump; a key that is not there is one warning with those that are."""
    tester.log_files_gen()
    for value in (1.0, 2.0, 6.0):
        tester.add_custom_data("returns", value, dtype=deque, max_len=2)
    tester.print_custom_data("returns", prefix="perf/")
    tester.logger.dump()
    assert rows_of(tester)[0]["perf/returns"] == "4.0"
    with pytest.warns(RLAWarning, match=r"'return' was not recorded: .*Known: returns\..*Did you mean 'returns'"):
        tester.print_custom_data("return")
    tester.add_custom_data("names", "x")
    with pytest.warns(RLAWarning, match="'names' was not recorded"):
        tester.print_custom_data("names")


def test_names_of_the_run(tester):
    """Its date, address and record parameters, as RLA has them; of the next run before there is one."""
    assert tester.auto_parse_info() == "lr=0.1&net.width=64" and tester.info == "&lr=0.1&net.width=64"
    assert tester.record_date is None and tester.log_name is None
    before = datetime.now()
    tester.log_files_gen()
    assert before <= tester.record_date <= before + timedelta(minutes=5)
    assert tester.record_date == datetime.strptime(
        "/".join(tester.name.split("/")[-4:]).split("_")[0], "%Y/%m/%d/%H-%M-%S-%f"
    )
    tester.add_record_param("seed")
    assert tester.info == "&lr=0.1&net.width=64" and tester.name.endswith(f"_{tester.ipaddr}_{tester.info}")
    assert (tester.task_table_name, tester.get_task_table_name(), tester.log_name) == ("t", "t", tester.name)
    assert tester.log_name_formatter("x", tester.record_date) == f"x/{tester.name.partition('/')[2]}"
    assert tester.record_date_to_str(datetime(2026, 1, 31, 12)) == "12-00-00-000000"
    assert (tester.septor, tester.task_gen(["a", 1]), tester.dl_framework) == (os.sep, "a-1", None)
    tester.configure("t", {"DL_FRAMEWORK": "pytorch"}, log_root=tester.data_root)
    assert tester.dl_framework == "torch"
    assert Tester().info == "&" and Tester().auto_parse_info() == ""
    with pytest.raises(RunError, match=r"Call tester\.configure"):
        Tester().get_task_table_name()
    loaded = Tester.load(tester.pkl_file)
    assert (loaded.record_date, loaded.info, loaded.ipaddr) == (tester.record_date, tester.info, tester.ipaddr)


def test_record_parameters_in_rlas_form(tester, tmp_path):
    """RLA keeps them as ``key=value``, and scripts hand such lists on; what has no ``=`` must be a hyper-parameter."""
    tester.hyper_param_record = ["lr=0.1", "stage=a/b", "seed"]
    tester.hyper_param_record.append("note=x=y")
    assert tester.auto_parse_info() == "lr=0.1&stage=a%2Fb&seed=3&note=x%3Dy"
    tester.log_files_gen()
    assert tester.name.endswith("_&lr=0.1&stage=a%2Fb&seed=3&note=x%3Dy")
    tester.finish()
    (run,) = rla.runs(tmp_path / "root")
    assert run.record["stage"] == "a/b" and run.record["seed"] == 3
    tester.hyper_param_record = ["=x"]
    assert len(tester.record_problems()) == 1


def test_the_archive_is_written_when_it_is_asked_for(tester):
    """Custom data of the moment is in tester.pkl before the end."""
    tester.log_files_gen()
    tester.add_custom_data("k", 1)
    tester.serialize_object_and_save()
    assert Tester.load(tester.pkl_file).get_custom_data("k") == [1]


def test_arguments_are_printed_before_and_after_the_start(tester, capsys):
    """Before it on the console; then in log.txt, too."""
    tester.print_args()
    assert capsys.readouterr().out == "lr: 0.1\nnet.width: 64\nseed: 3\n"
    tester.log_files_gen()
    tester.print_args()
    assert "net.width: 64\n" in (tester.log_dir / "log.txt").read_text()


def test_nothing_is_sent_and_that_is_said_once(tester, tmp_path):
    """A line in the log where SEND_LOG_FILE is false, or on the master node; tests/test_remote_live.py has the rest."""
    tester.log_files_gen()
    for _ in range(3):
        tester.sync_log_file()
    tester.finish()
    assert (tester.log_dir / "log.txt").read_text().count("sync_log_file sends nothing: SEND_LOG_FILE is false") == 1
    given = {"log_root": tmp_path / "root", "writers": ["log"], "backup": "none"}
    tester.configure("t", {"SEND_LOG_FILE": True}, is_master_node=True, **given)
    tester.log_files_gen()
    tester.sync_log_file(skip_error=True)
    assert "sync_log_file sends nothing: this is the master node" in (tester.log_dir / "log.txt").read_text()
    Tester().sync_log_file()


def test_checkpoints_by_rlas_arguments(tester):
    """``new_saver(1, '', True)``, and a checkpoint of an index and a name, by position and by name."""
    tester.log_files_gen()
    tester.new_saver(1, "", True)
    for step in (1, 2):
        tester.set_timestep(step)
        tester.save_checkpoint({"w": [step]}, {"epoch": step}, "best")
    assert tester.load_checkpoint(2, "best") == tester.load_checkpoint(ckp_index=2, checkpoint_name="best")
    assert tester.load_checkpoint(None, "best") == (2, {"w": [2]}) and tester.get_custom_data("epoch") == 2
    tester.new_saver(max_to_keep=1, var_prefix=None, verbose=False)


def test_each_word_says_once_what_it_is_now(tester, capfd):
    """On stderr, on the first use; words that both have say nothing."""
    tester.log_files_gen()
    tester.print_log_dir()
    tester.add_custom_data("k", 1)
    assert tester.results_dir and tester.pkl_file and dir(tester) and repr(tester) and copy.copy(tester)
    assert capfd.readouterr().err == ""
    for _ in range(2):
        assert tester.get_timestep() == 0 and tester.record_date and tester.data_root and tester.tmp_data_dir
        tester.sync_log_file()
    told = re.findall(r"rla: tester\.(\w+) is .* in rla_hooks", capfd.readouterr().err)
    assert told == ["get_timestep", "record_date", "data_root", "tmp_data_dir", "sync_log_file"]


WAYS = [
    ("rla_hooks", "tester"),
    ("rla_hooks", "exp_manager"),
    ("rla_hooks.easy_log", "tester"),
    ("rla_hooks.easy_log.tester", "tester"),
    ("rla_hooks.easy_log.tester", "exp_manager"),
]


@pytest.mark.parametrize("module, name", WAYS)
def test_the_tester_is_a_tester_however_it_is_imported(module, name, tmp_path):
    """isinstance says so, a copy and a pickle of it are itself, and it takes the calls; also in another process."""
    importlib.import_module("rla_hooks.easy_log.tester")
    found = getattr(importlib.import_module(module), name)
    for kind in (rla.Tester, Tester, importlib.import_module("rla_hooks.easy_log.tester").Tester):
        assert isinstance(found, kind)
    assert copy.copy(found) is found and copy.deepcopy([found])[0] is found
    assert pickle.loads(pickle.dumps(found)) is found
    (tmp_path / "tester.bin").write_bytes(pickle.dumps(found))
    code = f"""
import pickle
found = pickle.load(open("tester.bin", "rb"))
from {module} import {name}
from rla_hooks import Tester
assert isinstance(found, Tester) and isinstance({name}, Tester)
found.configure("t", log_root="root", writers=["csv"], backup="none")
{name}.log_files_gen()
found.set_timestep(3)
assert {name}.get_timestep() == 3 and {name}.results_dir.endswith("/")
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
    assert [run.status for run in rla.runs(tmp_path / "root")] == ["finished"]


def test_the_loader_is_where_some_programs_look_for_it():
    """A version of RLA between those of 2020 and 2024 had it in the Tester's module."""
    found = importlib.import_module("rla_hooks.easy_log.tester").ExperimentLoader
    assert found is importlib.import_module("rla_hooks.easy_log.exp_loader").ExperimentLoader


def test_rlas_attributes_may_be_set_and_reach_no_file(tester):
    """As in RLA, a value of one's own stands until it is deleted; what a run decides is refused."""
    tester.info = "mine"
    tester.log_files_gen()
    assert tester.info == "mine" and not hasattr(tester.run, "info")
    del tester.info
    assert tester.info == "&lr=0.1&net.width=64"
    with pytest.raises(AttributeError):
        tester.log_dir = "elsewhere/"


def test_inside_a_tracked_function_the_words_are_the_runs(tmp_path):
    """The Tester that RLA's code inside of @rla.track finds."""

    @rla.track(task="t", log_root=tmp_path, writers=["csv"], backup="none", record=["lr"])
    def main(lr):
        tester = rla.tester.current_tester()
        tester.set_timestep(4)
        rla.log({"a": lr})
        return tester.info, str(tester.data_root), tester.get_task_table_name(), tester.results_dir

    info, root, task, results = main(0.1)
    assert (info, Path(root), task) == ("&lr=0.1", tmp_path, "t") and Path(results) == rla.runs(tmp_path)[0].results_dir
    assert rla.runs(tmp_path)[0].metrics()["time-step"].tolist() == [4]
