"""One run's manager: its start, its files, its copies, its end."""

from __future__ import annotations

import copy
import csv
import gc
import heapq
import json
import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections import deque
from unittest import mock

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks import testing
from rla_hooks.errors import ConfigError, RLAWarning, RunError
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def ready(tmp_path):
    """Makes configured Testers, and ends what they opened."""
    made = []

    def make(writers=("csv",), **params):
        tester = Tester()
        tester.configure(task_name="t", log_root=tmp_path / "root", writers=writers, backup="none")
        tester.set_hyper_param(**params)
        made.append(tester)
        return tester

    yield make
    for tester in made:
        tester.finish()


def rows_of(tester):
    """The rows of all processes, by time."""
    files = [list(csv.DictReader(path.open(newline=""))) for path in tester.log_dir.glob("progress*.csv")]
    return list(heapq.merge(*files, key=lambda row: float(row["timestamp"])))


def parameters_of(tester):
    return json.loads((tester.log_dir / "parameter.json").read_text())


def test_a_run_leaves_its_five_folders_and_files(ready, tmp_path):
    """Everything carries the run's name; run.json ends finished with the last values."""
    tester = ready(lr=0.1, net={"width": 64})
    tester.add_record_param(["lr"])
    assert list(tmp_path.iterdir()) == [] and tester.status is None and tester.name is None
    tester.log_files_gen()
    assert tester.status == "running" and tester.name.endswith("_&lr=0.1")
    for kind in ("log", "results", "checkpoint", "code", "archive_tester"):
        assert (tmp_path / "root" / kind / tester.name).is_dir()
    assert tester.pkl_file.is_file() and parameters_of(tester) == {"lr": 0.1, "net.width": 64}
    tester.log({"a": 1, "b": "x"}, step=5)
    tester.log({"a": np.float32(0.5)}, step=6)
    tester.finish()
    info = json.loads((tester.log_dir / "run.json").read_text())
    assert (info["status"], info["rows"], info["last_step"], info["last"]) == ("finished", 2, 6, {"a": 0.5, "b": "x"})
    assert info["rla_hooks"] == rla.__version__ and info["writers"] == ["csv"] and info["gaps"] == []
    tester.log({"a": 3})
    assert [row["time-step"] for row in rows_of(tester)] == ["5", "6", "7"]


def test_all_writers_and_the_parameters_read_back(ready):
    """TensorBoard's own reader finds scalars, the table of hyper-parameters, and the run's end."""
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tester = ready(["csv", "tensorboard", "log"], lr=0.1, text="a|b\nc", flag=True, huge=10**400)
    tester.log_files_gen()
    tester.log({"a": 1.5}, step=3)
    tester.update_hyper_param("late", 7)
    tester.print_args()
    tester.print_log_dir()
    tester.finish()
    events = loader.EventAccumulator(str(tester.tensorboard_dir))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("a")] == [(3, 1.5)]
    table = "".join(
        b"".join(event.tensor_proto.string_val).decode()
        for tag in events.Tags()["tensors"]
        for event in events.Tensors(tag)
    )
    assert "| text | a\\|b<br>c |" in table and "| lr | 0.1 |" in table and "| late | 7 |" in table
    assert parameters_of(tester)["late"] == 7
    text = (tester.log_dir / "log.txt").read_text()
    assert "late: 7" in text and f"checkpoint_dir: {tester.run.checkpoint_dir}" in text


def test_calls_out_of_order_say_what_comes_first(ready, tmp_path):
    """Each call that needs a run names the call that is missing, and creates nothing."""
    bare = Tester()
    with pytest.raises(RunError, match=r"Call tester.configure\(task_name='my_task'\) first"):
        bare.log_files_gen()
    for settings in (bare.check, bare.backup_options):
        with pytest.raises(RunError, match="configure"):
            settings()
    tester = ready()
    for call in (
        lambda: tester.log({"a": 1}),
        lambda: tester.new_saver(max_to_keep=1),
        lambda: tester.save_checkpoint({"a": 1}),
        lambda: tester.load_checkpoint(),
        lambda: tester.save_figure("f", np.zeros((2, 2))),
        lambda: tester.simple_plot(name="p", data=[[1]]),
        tester.serialize_object_and_save,
    ):
        with pytest.raises(RunError, match=r"tester.log_files_gen\(\) first"):
            call()
    with pytest.raises(RunError, match=r"time_record_end\('x'\) without time_record"):
        tester.time_record_end("x")
    assert list(tmp_path.iterdir()) == []


def test_log_files_gen_twice_makes_two_runs(ready, tmp_path):
    """The second start ends the first run; rows, counts, custom data and parameters do not mix."""
    tester = ready(number=1)
    tester.add_record_param("number")
    tester.log_files_gen()
    tester.log({"a": 1})
    tester.add_custom_data("k", 1)
    tester.time_step_holder.set_time(100)
    tester.update_hyper_param("number", 2)
    tester.log_files_gen()
    tester.log({"b": 2})
    tester.finish()
    first, second = rla.runs(tmp_path / "root")
    assert first.metrics()[["time-step", "a"]].values.tolist() == [[0, 1]]
    assert second.metrics()[["time-step", "b"]].values.tolist() == [[0, 2]]
    assert (first.status, second.status) == ("finished", "finished")
    assert second.record == {"number": 2} and tester.get_custom_data("k") is None


def test_what_a_hook_adds_to_a_run_is_not_in_the_next(ready, tmp_path):
    """Hyper-parameters that joined the first run are no plan for the second, and do not count as its own there."""
    tester = ready()
    tester.log_files_gen()
    tester.add_hyper_params({"lr": 0.1, "width": 64})
    tester.log_files_gen()
    assert parameters_of(tester) == {}
    tester.set_hyper_param(lr=0.2)
    tester.log_files_gen()
    tester.add_hyper_params({"lr": 0.3})
    tester.finish()
    found = [run.hparams for run in rla.runs(tmp_path / "root")]
    assert found == [{"lr": 0.1, "width": 64}, {}, {"lr": 0.2, "module.lr": 0.3}]


def test_what_is_set_for_the_next_run_does_not_reach_the_open_one(ready, tmp_path):
    """Neither its files nor its tester.pkl know of settings that were made after its start."""
    tester = ready(lr=0.1)
    tester.log_files_gen()
    tester.set_hyper_param(lr=0.2, late=True)
    tester.add_record_param("late")
    tester.finish()
    (saved,) = rla.runs(tmp_path / "root")
    assert saved.hparams == {"lr": 0.1}
    loaded = Tester.load(tester.pkl_file)
    assert (loaded.hyper_param, loaded.hyper_param_record) == ({"lr": 0.1}, [])


def test_rows_of_a_loaded_tester_are_counted_in_run_json(ready, tmp_path):
    """Two rows after the load: progress.csv has three, and run.json counts three; the status is the run's."""
    tester = ready()
    tester.log_files_gen()
    tester.log({"a": 1}, step=0)
    tester.finish()
    loaded = Tester.load(tester.pkl_file)
    assert loaded.status == "finished"
    loaded.log({"a": 2})
    loaded.log({"a": 3})
    loaded.finish()
    info = json.loads((tester.log_dir / "run.json").read_text())
    assert len(rows_of(tester)) == 3
    assert (info["rows"], info["last_step"], info["last"], info["status"]) == (3, 2, {"a": 3}, "finished")


def test_rows_of_a_loaded_tester_that_nobody_finishes_are_counted_at_the_end_of_the_process(ready, tmp_path):
    """As those of any run; one that is only read from leaves the folders as they are."""
    tester = ready()
    tester.log_files_gen()
    tester.log({"a": 1})
    tester.finish()
    run_json = tester.log_dir / "run.json"
    before = run_json.stat()
    for act, rows in (("t.get_custom_data('x')", 1), ("t.log({'a': 2})", 2)):
        code = f"from rla_hooks.tester import Tester; t = Tester.load({str(tester.pkl_file)!r}); {act}"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
        assert json.loads(run_json.read_text())["rows"] == rows
        after = run_json.stat()
        unchanged = (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert unchanged is (rows == 1)


@pytest.mark.parametrize(
    "damage, steps",
    [
        ({"status": "new in a later version"}, ["5", "6", "7"]),
        ({"started": None}, ["5", "6", "7"]),
        ({"last_step": "five"}, ["5", "0", "1"]),
        ({"last_step": 5.5}, ["5", "0", "1"]),
    ],
)
def test_a_loaded_tester_makes_the_best_of_a_damaged_run_json(damage, steps, ready):
    """Its rows count on where the last step is known, and from 0 where it is not; logging never raises."""
    tester = ready()
    tester.log_files_gen()
    tester.log({"a": 1}, step=5)
    tester.finish()
    run_json = tester.log_dir / "run.json"
    run_json.write_text(json.dumps(json.loads(run_json.read_text()) | damage))
    loaded = Tester.load(tester.pkl_file)
    loaded.log({"a": 2})
    loaded.log({"a": 3})
    loaded.finish()
    assert [row["time-step"] for row in rows_of(tester)] == steps
    assert damage.items() <= json.loads(run_json.read_text()).items() or "last_step" in damage


@pytest.mark.parametrize("finished", [True, False])
def test_many_loaded_testers_use_up_neither_files_nor_memory(finished, ready):
    """An evaluation may load one after the other, log to each, and leave it; every row is counted, later ones, too."""
    tester = ready()
    tester.log_files_gen()
    tester.log({"a": 0}, step=0)
    tester.finish()
    info, kept, first = tester.log_dir / "run.json", [], Tester.load(tester.pkl_file)
    first.log({"a": 0})
    for _ in range(60):
        loaded = Tester.load(tester.pkl_file)
        loaded.log({"a": 1})
        kept.append(weakref.ref(loaded.run))
        if finished:
            loaded.finish()
    del loaded
    gc.collect()
    assert sum(run() is not None for run in kept) <= 16
    if sys.platform == "linux":
        open_files = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
        assert open_files.count(str(tester.log_dir / "progress.csv")) <= 16
    first.log({"a": 2})
    testing.reset()  # the end of the process
    assert json.loads(info.read_text())["rows"] == len(rows_of(tester)) == 63


class _OwnTester(Tester):
    """A user's Tester, with a value that is set before RLA's are there, and a property that can be set."""

    def __init__(self):
        self.before = "early"
        super().__init__()
        self.episodes = 0

    @property
    def doubled(self):
        return 2 * self._half

    @doubled.setter
    def doubled(self, value):
        self._half = value / 2


def test_what_a_user_sets_on_a_tester_outlasts_its_runs(tmp_path):
    """Values of the user's own are the Tester's: a further run, a copy and a loaded Tester have them, as objects do."""
    tester = _OwnTester()
    tester.configure(task_name="t", log_root=tmp_path, writers=[], backup="none")
    tester.log_files_gen()
    tester.episodes, tester.doubled = 7, 10
    tester.log_files_gen()
    assert (tester.before, tester.episodes, tester.doubled) == ("early", 7, 10)
    for copied in (copy.copy(tester), copy.deepcopy(tester), pickle.loads(pickle.dumps(tester))):
        assert (copied.before, copied.episodes, copied.doubled, copied.name) == ("early", 7, 10, tester.name)
    loaded = _OwnTester.load(tester.pkl_file)
    assert type(loaded) is _OwnTester and (loaded.before, loaded.episodes) == ("early", 0)
    with pytest.raises(AttributeError):
        tester.name = "mine"  # what a run decides is not to be set
    tester.parent = "t/2026/01/31/12-00-00-000000"
    tester.custom_data = {"window": [1, 2]}
    tester.log_files_gen()
    assert tester.record.content["parent"] == "t/2026/01/31/12-00-00-000000"
    tester.custom_data = {"window": [1, 2]}
    tester.finish()
    assert Tester.load(tester.pkl_file).get_custom_data("window") == [1, 2]


@pytest.mark.parametrize("name", ["log_files_gen", "log", "add_custom_data", "finish"])
def test_a_users_tests_may_replace_a_method_of_a_tester(name, ready):
    """By mock's patch and by pytest's monkeypatch: the call goes to the replacement, and afterwards to the method."""
    tester = ready()
    with mock.patch.object(tester, name) as replaced:
        getattr(tester, name)("x")
    replaced.assert_called_once_with("x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tester, name, lambda: "replaced")
        assert getattr(tester, name)() == "replaced"
    tester.log_files_gen()
    tester.log({"a": 1})
    tester.add_custom_data("k", 1)
    tester.finish()
    assert tester.status == "finished" and tester.get_custom_data("k") == [1]


def test_the_time_step_is_kept_from_before_the_start(ready):
    """A step that was set early holds for the first row."""
    tester = ready()
    tester.time_step_holder.set_time(9)
    tester.log_files_gen()
    tester.log({"a": 1})
    tester.time_step_holder.inc_time()
    tester.log({"a": 2})
    assert [row["time-step"] for row in rows_of(tester)] == ["9", "10"]


def test_an_unwritable_log_root_is_one_clear_error(tmp_path):
    """A file where the log root should be is told with the key to set."""
    (tmp_path / "file").write_text("")
    tester = Tester()
    tester.configure(task_name="t", log_root=tmp_path / "file" / "root", writers=[], backup="none")
    with pytest.raises(ConfigError, match=r"cannot be written.*LOG_ROOT"):
        tester.log_files_gen()
    assert tester.status is None and rla.current_run() is None


COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda tester: pickle.loads(pickle.dumps(tester)),
    "cloudpickle": lambda tester: pickle.loads(pytest.importorskip("cloudpickle").dumps(tester)),
}


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_appends_to_the_same_run_and_does_not_end_it(way, ready):
    """Also where hyper-parameters, objects of the saver and callbacks could never be copied."""
    seen = []
    tester = ready(["csv", "tensorboard", "log", "stdout"], lr=0.1, lock=threading.Lock(), call=lambda: 1)
    tester.settings.log_callback = lambda row: seen.append(row)
    tester.log_files_gen()
    tester.new_saver(max_to_keep=2, objects={"lock": threading.Lock()})
    tester.log({"a": 1})
    twin = COPIES[way](tester)
    twin.log({"a": 2, "late": 1})
    tester.log({"a": 3})
    twin.log({"a": 4})
    twin.finish("failed")
    assert (twin.name, tester.status, rla.current_run()) == (tester.name, "running", tester.run)
    assert json.loads((tester.log_dir / "run.json").read_text())["status"] == "running"
    twin.save_checkpoint({"x": 1}, step=3)
    assert tester.load_checkpoint()[0] == 3
    tester.log({"a": 5})
    tester.finish()
    assert [row["a"] for row in rows_of(tester)] == ["1", "2", "3", "4", "5"]
    assert tester.hyper_param["lr"] == 0.1 and callable(tester.hyper_param["call"])


def test_a_copy_in_a_spawned_process_appends(ready, tmp_path):
    """Pickled into another process it writes rows to the run, and its end is not the run's."""
    tester = ready()
    tester.log_files_gen()
    tester.log({"a": 1})
    (tmp_path / "copy.bin").write_bytes(pickle.dumps(tester))
    code = "import pickle; t = pickle.load(open('copy.bin', 'rb')); t.log({'a': 2}); t.finish()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=tmp_path)
    tester.log({"a": 3})
    assert [row["a"] for row in rows_of(tester)] == ["1", "2", "3"] and tester.status == "running"


def test_a_loaded_tester_has_its_data_and_goes_on(ready, tmp_path):
    """Settings and custom data round-trip, the folders are found, rows are appended and count on."""
    tester = ready(lr=0.1, kind=dict, net={"width": 64})
    tester.add_record_param(["net.width"])
    tester.log_files_gen()
    tester.new_saver(max_to_keep=1)
    tester.log({"a": 1}, step=41)
    array = np.arange(6.0).reshape(2, 3)
    tester.add_custom_data("window", 1.5, dtype=deque, max_len=2)
    tester.add_custom_data("window", 2.5, dtype=deque, max_len=2)
    tester.add_custom_data("list", {"a": (1, None)})
    tester.add_custom_data("array", array, mode="replace")
    tester.save_checkpoint({"w": array}, related_variable={"epoch": 3})
    tester.finish()
    for path in (tester.pkl_file, str(tester.pkl_file), tester.pkl_file.parent):
        loaded = Tester.load(path)
        assert loaded.name == tester.name and loaded.log_dir == tester.log_dir and loaded.task_name == "t"
    assert loaded.hyper_param == {"lr": 0.1, "kind": "dict", "net.width": 64}
    assert loaded.hyper_param_record == ["net.width"] and loaded.get_custom_data("epoch") == 3
    assert loaded.get_custom_data("window") == deque([1.5, 2.5]) and loaded.get_custom_data("window").maxlen == 2
    assert loaded.get_custom_data("list") == [{"a": (1, None)}]
    assert loaded.get_custom_data("array").dtype == array.dtype
    assert (loaded.get_custom_data("array") == array).all()
    step, content = loaded.load_checkpoint()
    assert step == 41 and (content["w"] == array).all()
    loaded.log({"a": 2})
    loaded.finish("failed")
    assert [(row["time-step"], row["a"]) for row in rows_of(tester)] == [("41", "1"), ("42", "2")]
    assert rla.runs(tmp_path / "root")[0].status == "finished"


def test_a_loaded_tester_knows_its_framework(tmp_path):
    """What DL_FRAMEWORK said decides how the checkpoints of the loaded one are written, too."""
    pytest.importorskip("torch")
    tester = Tester()
    tester.configure("t", {"DL_FRAMEWORK": "torch"}, tmp_path / "root", backup="none")
    tester.log_files_gen()
    tester.finish()
    loaded = Tester.load(tester.pkl_file)
    assert loaded.config.dl_framework == "torch" and loaded.private_config == {"DL_FRAMEWORK": "torch"}
    assert loaded.save_checkpoint(step=1).name == "checkpoint-1.pt"


def test_a_moved_log_root_loads(ready, tmp_path):
    """Where all folders move together, the Tester follows them."""
    tester = ready(lr=0.1)
    tester.log_files_gen()
    tester.log({"a": 1})
    tester.finish()
    (tmp_path / "root").rename(tmp_path / "moved")
    loaded = Tester.load(tmp_path / "moved" / "archive_tester" / tester.name)
    loaded.log({"a": 2})
    assert loaded.log_dir == tmp_path / "moved" / "log" / tester.name
    assert [row["a"] for row in rows_of(loaded)] == ["1", "2"] and not (tmp_path / "root").exists()


def test_load_tester_finds_a_run_by_its_date(ready, tmp_path):
    """RLA's way: the date in the name, the task and the log root."""
    tester = ready(lr=0.1)
    tester.log_files_gen()
    tester.finish()
    date = "/".join(tester.name.split("/")[1:]).split("_")[0]
    assert Tester.load_tester(date, "t", tmp_path / "root").name == tester.name
    for wrong in ("2001/01/01/00-00-00-000000", "", "nonsense", date.split("/")[-1]):
        with pytest.raises(RunError, match=r"no run of task 't'|no date of a run"):
            Tester.load_tester(wrong, "t", tmp_path / "root")


def test_a_loaded_tester_can_start_a_run_of_its_own(ready, tmp_path):
    """log_files_gen after a load makes a new run with the same settings and leaves the old one."""
    tester = ready(lr=0.1)
    tester.log_files_gen()
    tester.finish()
    before = (tester.log_dir / "run.json").read_bytes()
    loaded = Tester.load(tester.pkl_file)
    loaded.log_files_gen()
    loaded.finish()
    assert loaded.name != tester.name and parameters_of(loaded) == {"lr": 0.1}
    assert (tester.log_dir / "run.json").read_bytes() == before


def test_what_the_archive_cannot_hold_is_told_once(ready):
    """Custom data that is no plain data is left out of tester.pkl with one warning; the rest is there."""
    tester = ready()
    tester.log_files_gen()
    tester.add_custom_data("bad", lambda: 1, mode="replace")
    tester.add_custom_data("good", 1)
    with pytest.warns(RLAWarning, match="tester.pkl does without .*bad") as caught:
        tester.save_checkpoint({"a": 1})
        tester.save_checkpoint({"a": 1})
        tester.finish()
    assert len(caught) == 1
    assert Tester.load(tester.pkl_file).get_custom_data("good") == [1]


def test_a_tester_shows_what_it_is(ready):
    """The repr names the run and its status."""
    tester = ready()
    assert repr(Tester()) == "Tester('not configured', not started)" and repr(tester) == "Tester('t', not started)"
    tester.log_files_gen()
    assert repr(tester) == f"Tester({tester.name!r}, running)"


def test_what_is_left_for_the_end(ready):
    """It is called once when the run ends, what fails costs a warning, a copy leaves it, and a signal has no time."""
    calls = []
    tester = ready()
    tester.log_files_gen()
    tester.at_end(lambda: calls.append(tester.status))
    tester.at_end(lambda: 1 / 0)
    copy.deepcopy(tester).finish()
    assert calls == []
    with pytest.warns(RLAWarning, match="left for the end could not be written: division by zero"):
        tester.finish()
    assert calls == ["finished"] and tester.status == "finished"

    tester.log_files_gen()
    tester.finish("interrupted")
    assert calls == ["finished"]


def test_long_texts_burst_no_table(ready):
    """A model's config of thousands of letters is whole in parameter.json; TensorBoard shows where it begins."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tester = ready(writers=["tensorboard"], config="x" * 5000, lr=0.1)
    tester.log_files_gen()
    tester.finish()
    assert parameters_of(tester)["config"] == "x" * 5000
    reader = EventAccumulator(str(tester.tensorboard_dir)).Reload()
    tag = next(tag for tag in reader.Tags()["tensors"] if "hyperparameters" in tag)
    text = reader.Tensors(tag)[0].tensor_proto.string_val[0].decode()
    assert f"| config | {'x' * 1000}... |" in text
    assert b"lr" in reader.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    assert b"config" not in reader.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
