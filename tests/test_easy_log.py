"""RLA's own words run as they stand once their imports say ``rla_hooks``."""

from __future__ import annotations

import copy
import csv
import inspect
import pickle
import subprocess
import sys
import textwrap
from unittest import mock

import pytest

import rla_hooks as rla
from rla_hooks.easy_log import logger
from rla_hooks.easy_log.tester import Tester, exp_manager, tester, time_step_holder
from rla_hooks.easy_log.time_used_recorder import log_time_tracker, time_record, time_record_end, time_tracker
from rla_hooks.easy_log.tools import time_used_wrap
from rla_hooks.errors import RunError

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def run(tmp_path):
    """A run of a Tester of its own, which the doors find."""
    mine = Tester()
    mine.configure(task_name="t", log_root=tmp_path / "root", writers=["csv", "log"], backup="none")
    mine.log_files_gen()
    yield mine
    mine.finish()


def rows_of(saved):
    with open(saved.log_dir / "progress.csv", newline="") as file:
        return list(csv.DictReader(file))


QUICKSTART = """
from rla_hooks.easy_log.tester import tester
from rla_hooks.easy_log import logger
from rla_hooks.easy_log.time_step import time_step_holder
from rla_hooks.easy_log.simple_mat_plot import *

kwargs = {"hp_a": 1, "hp_b": [1, 2], "info": "a/b c"}
{ORDER}
tester.log_files_gen()
tester.print_args()
tester.new_saver(var_prefix='', max_to_keep=1)
for i in range(3):
    time_step_holder.set_time(i)
    logger.record_tabular("performance/reward", 10 * i)
    logger.ma_record_tabular("perf/ma", i, 2)
    logger.dump_tabular()
    tester.save_checkpoint({"w": i})
step, content = tester.load_checkpoint()
assert (step, content) == (2, {"w": 2})
simple_plot(name="test_plot", data=[[1, 2], [3, 4, 4]], labels=["a", "b"], colors=["r", "g"], styles=["x", "-"])
simple_plot(name="test_plot", data=[[1, 2]], pretty=True, cover=True)
simple_scatter(name="s", datas=[[[1, 2]]], texts=["t"])
simple_hist(name="h", data=[[1, 2]], labels=["a"], pretty=True)
"""
CONFIGURE = {
    "configure first": 'tester.configure(task_name="demo", private_config_path="rla_config.yaml", log_root="root")\n'
    'tester.set_hyper_param(**kwargs)\ntester.add_record_param(["info", "hp_a"])\n',
    "configure last": 'tester.set_hyper_param(**kwargs)\ntester.add_record_param(["info", "hp_a"])\n'
    'tester.configure(task_name="demo", private_config_path="rla_config.yaml", log_root="root")\n',
    "later spelling": "from rla_hooks.easy_log.tester import exp_manager as tester\n"
    'tester.configure(task_table_name="demo", rla_config="rla_config.yaml", data_root="root")\n'
    'tester.set_hyper_param(**kwargs)\ntester.add_record_param(["info", "hp_a"])\n',
}


@pytest.mark.parametrize("order", CONFIGURE)
def test_the_quickstart_of_rla_runs(order, tmp_path):
    """In both orders of configure and set_hyper_param, and in the later spelling, the script leaves a whole run."""
    (tmp_path / "rla_config.yaml").write_text("PROJECT_TYPE: {backup_code_by: source}\nLOG_USED: [csv, log, stdout]\n")
    (tmp_path / "main.py").write_text(textwrap.dedent(QUICKSTART).replace("{ORDER}", CONFIGURE[order]))
    done = subprocess.run([sys.executable, "main.py"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (saved,) = rla.runs(tmp_path / "root")
    assert (saved.task, saved.status) == ("demo", "finished") and saved.record == {"info": "a/b c", "hp_a": 1}
    assert saved.hparams == {"hp_a": 1, "hp_b": [1, 2], "info": "a/b c"}
    rows = [(row["time-step"], row["performance/reward"], row["perf/ma"]) for row in rows_of(saved)]
    assert rows == [("0", "0", None), ("1", "10", "0.5"), ("2", "20", "1.5")]
    assert sorted(path.name for path in saved.results_dir.iterdir()) == [
        "h.pdf",
        "s.png",
        "test_plot.pdf",
        "test_plot.png",
    ]
    assert (saved.code_dir / "main.py").read_text() == (tmp_path / "main.py").read_text()
    assert rla.latest_checkpoint(saved).name == "checkpoint-2.pkl"
    assert "hp_a: 1" in (saved.log_dir / "log.txt").read_text() and "performance/reward" in done.stdout


def test_calls_out_of_order_say_what_comes_first(tmp_path):
    """The doors name the calls that are missing."""
    for call in (
        lambda: tester.log({"a": 1}),
        lambda: rla.log({"a": 1}),
        logger.get_tbx_writer,
        lambda: tester.new_saver(max_to_keep=1),
        tester.save_checkpoint,
        tester.log_files_gen,
    ):
        with pytest.raises(RunError, match=r"tester\.configure|tester\.log_files_gen"):
            call()
    assert logger.get_dir() is None and list(tmp_path.iterdir()) == []


def test_the_verbs_of_baselines(run):
    """logkv, logkvs, means, exclude, freq and getkvs do what RLA users expect; nothing recorded is no row."""
    logger.logkv("a", 1)
    logger.logkv("a", 2)
    logger.logkvs({"b": 3}, prefix="p/")
    for value in (1.0, None, 3.0):
        logger.logkv_mean("m", value)
    logger.log_key_value(["k"], [4], "q/")
    logger.logkv("hidden", 9, exclude=("csv",))
    assert logger.getkvs()["a"] == 2
    assert logger.dumpkvs()["m"] == 2.0 and logger.getkvs() == {}
    logger.dumpkvs()
    for step in range(5):
        time_step_holder.set_time(step)
        logger.record_tabular("often", step)
        logger.record_tabular("rare", step, freq=2)
        logger.dump_tabular()
    rows = rows_of(run)
    assert {key: rows[0][key] for key in ("a", "p/b", "m", "q/k")} == {"a": "2", "p/b": "3", "m": "2.0", "q/k": "4"}
    assert "hidden" not in rows[0] and [row["rare"] for row in rows[1:]] == ["0", "", "2", "", "4"]
    assert logger.get_dir() == str(run.run.log_dir)


def test_the_time_step_of_every_door_is_one(run):
    """time_step_holder, tester and logger speak of the same time step."""
    time_step_holder.set_time(3)
    time_step_holder.inc_time()
    time_step_holder.add_time(2)
    assert (
        time_step_holder.get_time() == tester.time_step_holder.get_time() == logger.timestep() == logger.get_time() == 6
    )
    logger.set_time(8)
    logger.logkv("a", 1)
    logger.dumpkvs()
    assert rows_of(run)[0]["time-step"] == "8" and time_step_holder.get_time() == 8


def test_messages_have_levels(run):
    """Debug lines are hidden, and DISABLED stops rows too."""
    logger.debug("hidden")
    logger.info("shown", 1)
    logger.warn("careful")
    logger.error("bad")
    logger.set_level(logger.DISABLED)
    logger.logkv("a", 1)
    logger.dumpkvs()
    logger.log("no more")
    assert logger.get_level() == logger.DISABLED and not (run.log_dir / "progress.csv").exists()
    text = (run.log_dir / "log.txt").read_text()
    assert "shown 1\n" in text and "[WARN] careful\n" in text and "[ERROR] bad\n" in text
    assert "hidden" not in text and "no more" not in text


def test_clocks_and_timers(run):
    """Clocks, blocks and wrapped calls record their seconds under time_used/."""
    time_record("a")
    assert time_record_end("a") >= 0
    for _ in range(3):
        with time_tracker("block"):
            pass
    log_time_tracker()
    profile = logger.ProfileKV("env")
    for _ in range(2):
        with profile:
            pass
    kept = logger.getkvs()
    assert kept["time_used/total calls/block"] == 3 and kept["wait_env"] >= 0
    assert time_used_wrap("call", lambda x, y: x + y, 1, y=2) == 3
    columns = {"time_used/a", "time_used/call", "time_used/total time cost/block", "wait_env"}
    assert columns <= set(rows_of(run)[0])


def test_profile_adds_each_block_once(run, monkeypatch):
    """A clock that ticks once a look: three blocks of one second are three seconds."""
    ticks = iter(range(100))
    monkeypatch.setattr(logger.time, "perf_counter", lambda: float(next(ticks)))
    profile = logger.ProfileKV("env")
    for _ in range(3):
        with profile:
            pass
    assert logger.getkvs()["wait_env"] == 3.0


def test_the_tester_of_a_tracked_call_is_its_run(tmp_path):
    """Inside a tracked function RLA's words mean its run; outside, the process's own Tester."""

    @rla.track(task="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    def f(lr=1):
        assert tester.name == rla.current_run().name and exp_manager is tester
        logger.record_tabular("a", 5)
        logger.dump_tabular()
        tester.add_custom_data("k", 1)
        tester.note = "set on the run"
        assert rla.current_run().note == tester.note and "note" in dir(tester)
        return repr(tester)

    assert "running" in f() and tester.name is None and tester.get_custom_data("k") is None
    (saved,) = rla.runs(tmp_path / "root")
    assert rows_of(saved)[0]["a"] == "5"


def test_the_doors_copy_as_doors(run):
    """A pickled or copied door stands for what is current where it is opened."""
    for door in (tester, time_step_holder):
        assert pickle.loads(pickle.dumps(door)) is door and copy.deepcopy(door) is door
    with pytest.raises(AttributeError):
        tester.no_such_word()


def test_the_module_takes_rlas_calls(tmp_path):
    """``from rla_hooks import tester`` gives the module, which is as good as a Tester: the current one's."""
    from rla_hooks import tester as module
    from rla_hooks.tester import Tester

    assert isinstance(module, Tester) and isinstance(tester, Tester) and inspect.ismodule(module)
    module.configure(task_name="t", log_root=tmp_path / "root", writers=["csv"], backup="none")
    module.set_hyper_param(lr=0.1)
    module.hyper_param = {"lr": 0.2}
    module.log_files_gen()
    module.log({"a": 1})
    assert module.status == "running" and module.name == tester.name and "log_files_gen" in dir(tester)
    assert module.run is rla.current_run()

    @rla.track(task="inner", log_root=tmp_path / "root", writers=["csv"], backup="none")
    def inner():
        assert module.name == rla.current_run().name and module.current_tester() is module.current_tester()
        module.note = "set on the run"
        assert rla.current_run().note == tester.note
        with pytest.raises(AttributeError):
            module.no_such_word()

    inner()
    module.finish()
    found = {run.task: run.hparams for run in rla.runs(tmp_path / "root")}
    assert found == {"t": {"lr": 0.2}, "inner": {}}


def test_no_name_of_the_module_hides_a_word(tmp_path):
    """What the module itself needs has other names than what a Tester or a Run can be asked for."""
    import rla_hooks.tester as module

    words = {name for kind in (rla.Tester, rla.Run) for name in dir(kind) if not name.startswith("_")}
    own = set(vars(module)) - {"Tester"}
    assert not words & own


def test_the_module_copies_as_the_module(tmp_path):
    """Pickled, by cloudpickle with a function that uses it, or copied with a config that holds it, it stays itself."""
    from rla_hooks import tester as module

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps({"tester": module}, protocol))["tester"] is module
    assert copy.copy(module) is module and copy.deepcopy([module]) == [module]
    cloudpickle = pytest.importorskip("cloudpickle")
    assert cloudpickle.loads(cloudpickle.dumps(lambda: module))() is module


def test_a_users_tests_may_replace_a_word_of_the_doors(run):
    """By mock's patch and by pytest's monkeypatch, of the module as of the older door."""
    from rla_hooks import tester as module

    for door in (module, tester):
        with mock.patch.object(door, "finish") as replaced:
            door.finish("failed")
        replaced.assert_called_once_with("failed")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(door, "finish", lambda: "replaced")
            assert door.finish() == "replaced"
        with pytest.raises(AttributeError):
            del door.no_such_word
    with mock.patch("rla_hooks.tester.process_tester") as replaced:
        assert module.process_tester is replaced
    assert run.status == "running" and module.process_tester is not replaced
    module.finish()
    assert run.status == "finished"


def test_the_module_may_be_loaded_again():
    """As notebooks do, and tests."""
    code = (
        "import importlib; from rla_hooks import tester; again = importlib.reload(tester); "
        "assert again is tester and isinstance(tester, tester.Tester) and tester.name is None"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
