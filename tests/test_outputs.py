"""What a run gives: data, checkpoints, figures; and that trouble with them never stops a training."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from collections import deque
from typing import NamedTuple

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks.errors import CheckpointError, ConfigError, RLAWarning, RunError
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")


def started(log_root, writers=("csv",)):
    tester = Tester()
    tester.configure(task_name="t", log_root=log_root, writers=writers, backup="none")
    tester.log_files_gen()
    return tester


@pytest.fixture
def run(tmp_path):
    """A run that is open during the test."""
    tester = started(tmp_path / "root")
    yield tester
    tester.finish()


def rows_of(tester):
    with open(tester.log_dir / "progress.csv", newline="") as file:
        return list(csv.DictReader(file))


# --- data -----------------------------------------------------------------------------------------------------------


def test_custom_data_is_appended_bounded_or_replaced(run):
    """Lists grow, deques keep their newest, replace replaces."""
    for value in (1, 2, 3):
        run.add_custom_data("list", value)
        run.add_custom_data("deque", value, dtype=deque, max_len=2)
        run.add_custom_data("last", value, mode="replace")
        run.add_custom_data("number", value, dtype=int)
    assert run.get_custom_data("list") == [1, 2, 3] and run.get_custom_data("deque") == deque([2, 3], maxlen=2)
    assert run.get_custom_data("last") == run.get_custom_data("number") == 3
    run.clear_custom_data("list")
    run.clear_custom_data("list")
    assert run.get_custom_data("list") is None


@pytest.mark.parametrize(
    "arguments, said",
    [
        ({"mode": "apend"}, "mode='apend'"),
        ({"dtype": deque}, "max_len=-1 for a deque"),
        ({"key": "taken"}, "cannot append to 'taken', which holds a int"),
    ],
)
def test_custom_data_that_cannot_be_kept_is_a_clear_error(arguments, said, run):
    """A wrong mode, a deque without a length, and an append to what is no list."""
    run.add_custom_data("taken", 5, mode="replace")
    with pytest.raises(ConfigError, match=said):
        run.add_custom_data(**{"key": "k", "data": 1, **arguments})


def test_clocks_record_seconds(run):
    """A clock that runs is recorded for the next dump; one that was not started is named."""
    run.time_record("rollout")
    seconds = run.time_record_end("rollout")
    run.log({"a": 1})
    assert float(rows_of(run)[0]["time_used/rollout"]) == seconds >= 0
    with pytest.raises(RunError, match="without time_record"):
        run.time_record_end("rollout")


class Losses(NamedTuple):
    """Looks like a mapping in a warning that does not say its type."""

    policy: float


@pytest.mark.parametrize("given, shown", [(5, "5 .int."), (Losses(0.5), "{'policy': 0.5} .Losses.")])
def test_what_is_no_mapping_is_told_by_its_type(given, shown, run):
    """A training that logs a number, a named tuple or None goes on, with one warning."""
    with pytest.warns(RLAWarning, match=f"log got {shown}. Allowed: a mapping") as caught:
        run.log(given)
        run.log(None)
    assert len(caught) == 1
    run.log({"a": 1})
    assert len(rows_of(run)) == 1


# --- checkpoints ----------------------------------------------------------------------------------------------------


def test_a_second_argument_that_is_no_mapping_ends_no_training(run):
    """A number there is meant as the step; what else it is is left out. One warning, and the models are saved."""
    with pytest.warns(RLAWarning, match="got 5 as related_variable.* taken as the step: write step="):
        assert run.save_checkpoint({"a": 1}, 5).name == "checkpoint-5.pkl"
    assert run.save_checkpoint({"a": 1}, "best", step=6).name == "checkpoint-6.pkl"
    assert run.save_checkpoint({"a": 1}, 8, step=7).name == "checkpoint-7.pkl"
    assert run.save_checkpoint({"a": 1}, np.int64(9)).name == "checkpoint-9.pkl"
    assert run.save_checkpoint({"a": 1}, True).name == "checkpoint-0.pkl"
    with pytest.warns(RLAWarning, match="add_hyper_params got 5. Allowed: a mapping"):
        run.add_hyper_params(5)
    assert run.load_checkpoint(5) == (5, {"a": 1})


def test_checkpoints_are_saved_at_the_step_and_loaded(run):
    """The step is the time step, else that of the last row, else 0, or what is given."""
    assert run.save_checkpoint({"a": 0}).name == "checkpoint-0.pkl"
    run.log({"x": 1}, step=7)
    run.save_checkpoint({"a": 7})
    run.time_step_holder.set_time(9)
    run.save_checkpoint({"a": 9}, related_variable={"epoch": 3})
    run.save_checkpoint({"a": 11}, step=11, checkpoint_name="best")
    assert run.load_checkpoint() == (9, {"a": 9}) and run.load_checkpoint(7) == (7, {"a": 7})
    assert run.load_checkpoint(ckp_index=0) == (0, {"a": 0})
    assert run.load_checkpoint(checkpoint_name="best") == (11, {"a": 11})
    assert run.get_custom_data("epoch") == 3 and run.get_custom_data("time-step") == 11
    assert rla.latest_checkpoint(run) == run.checkpoint_dir / "best-11.pkl"
    with pytest.raises(CheckpointError):
        run.load_checkpoint(8)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", True])
def test_max_to_keep_must_be_a_count(wrong, run):
    """Keeping no checkpoint at all is a mistake that is told at once."""
    with pytest.raises(ConfigError, match="max_to_keep is"):
        run.new_saver(max_to_keep=wrong)


def test_the_newest_are_kept(run):
    """max_to_keep holds per checkpoint name; without new_saver five are kept; None keeps all."""
    for step in range(7):
        run.save_checkpoint({"a": step}, step=step)
    assert len(list(run.checkpoint_dir.glob("*.pkl"))) == 5
    run.new_saver(max_to_keep=1)
    run.save_checkpoint({"a": 7}, step=7)
    run.save_checkpoint({"a": 7}, step=7, checkpoint_name="best")
    assert sorted(path.name for path in run.checkpoint_dir.glob("*.pkl")) == ["best-7.pkl", "checkpoint-7.pkl"]
    run.new_saver(max_to_keep=None)
    for step in range(8, 15):
        run.save_checkpoint({"a": step}, step=step)
    assert len(list(run.checkpoint_dir.glob("checkpoint-*.pkl"))) == 8


def test_a_lone_model_is_saved_with_one_warning(run):
    """What is no mapping is saved as 'model', and said once."""
    with pytest.warns(RLAWarning, match="got a ndarray.*saved as 'model'") as caught:
        run.save_checkpoint(np.arange(3), step=1)
        run.save_checkpoint(np.arange(4), step=2)
    assert len(caught) == 1
    assert run.load_checkpoint()[1]["model"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "arguments", [{"step": -1}, {"step": 2**63}, {"checkpoint_name": "../x"}, {"model_dict": {1: 2}}]
)
def test_a_checkpoint_that_cannot_be_saved_stops_no_training(arguments, run):
    """A bad step, name or key in the middle of a training gives a warning, and the next save works."""
    with pytest.warns(RLAWarning, match="was not saved.*The training goes on"):
        assert run.save_checkpoint(**{"model_dict": {"a": 1}, **arguments}) is None
    assert run.save_checkpoint({"a": 1}, step=1).is_file()


def test_torch_objects_are_restored_in_place(run):
    """The objects of new_saver are saved without naming them again and get their state back."""
    torch = pytest.importorskip("torch")
    model = torch.nn.Linear(2, 1)
    before = model.weight.detach().clone()
    run.new_saver(max_to_keep=1, objects={"model": model})
    run.save_checkpoint(step=1)
    with torch.no_grad():
        model.weight.zero_()
    assert run.load_checkpoint()[0] == 1 and torch.equal(model.weight, before)


# --- figures --------------------------------------------------------------------------------------------------------


def test_a_figure_stays_unless_it_may_be_covered(run):
    """RLA's rule: what is there is left with one warning; cover=True replaces it; another step is another figure."""
    path = run.simple_plot(name="deep/curve", data=[[1, 2, 3]])
    assert path == run.results_dir / "deep" / "curve.png"
    first = path.read_bytes()
    assert first.startswith(b"\x89PNG")
    with pytest.warns(RLAWarning, match="'deep/curve' is there already.*cover=True") as caught:
        assert run.simple_plot(name="deep/curve", data=[[3, 1]]) is None
        assert run.simple_plot(name="deep/curve", data=[[3, 1]]) is None
    assert len(caught) == 1 and path.read_bytes() == first
    assert run.simple_plot(name="deep/curve", data=[[3, 1]], cover=True) == path and path.read_bytes() != first
    assert run.simple_plot(name="deep/curve", data=[[3, 1]], step=5).name == "curve-5.png"
    assert run.simple_plot(name="deep/curve", x=[1, 2], y=[[3, 1]], pretty=True).read_bytes().startswith(b"%PDF")


def test_a_figure_may_be_written_elsewhere(run, tmp_path):
    """RLA's save_path: the ending says what kind it is; what is there stays, here too."""
    there = tmp_path / "paper" / "curve.pdf"
    assert run.simple_plot("curve", [[1, 2, 3]], save_path=there, title="t", legend_outside=False) == there
    assert there.read_bytes().startswith(b"%PDF") and list(run.results_dir.iterdir()) == []
    assert run.simple_hist("h", [[1, 2]], save_path=str(tmp_path / "h.png"), title="t") == tmp_path / "h.png"
    assert run.simple_scatter("s", [[[1, 2]]], save_path=tmp_path / "s", title="t") == tmp_path / "s.png"
    with pytest.warns(RLAWarning, match="'curve' is there already"):
        assert run.simple_plot("curve", [[1]], save_path=there) is None
    with pytest.warns(RLAWarning, match="the figure 'folder' was not"):
        assert run.simple_plot("folder", [[1]], save_path=f"{tmp_path}/") is None


def test_all_kinds_of_figures_are_saved(run):
    """Scatter, histogram, image arrays."""
    assert run.simple_scatter(name="s", datas=[[[1, 2], [3, 4]]], texts=["t"]).is_file()
    assert run.simple_hist(name="h", data=[[1, 2, 2]], labels=["x"]).is_file()
    assert run.save_figure("i", np.zeros((4, 4, 3), np.uint8), step=2).is_file()


@pytest.mark.parametrize(
    "draw",
    [
        lambda run: run.simple_plot(name="p"),
        lambda run: run.simple_plot(name="p", data=[["a"]]),
        lambda run: run.simple_plot(name="p", data=[[1]], no_such_option=1),
        lambda run: run.simple_plot(name="", data=[[1]]),
        lambda run: run.simple_plot(name="p", data=[[1]], step="nonsense"),
        lambda run: run.simple_scatter(name="p", datas=5),
        lambda run: run.simple_hist(name="p", data=object()),
        lambda run: run.save_figure("p", object()),
        lambda run: run.save_figure(None, np.zeros((2, 2))),
    ],
)
def test_a_figure_that_cannot_be_drawn_stops_no_training(draw, run):
    """Nonsense gives a warning that names the figure."""
    with pytest.warns(RLAWarning, match="the figure .* was not"):
        assert draw(run) is None
    assert list(run.results_dir.iterdir()) == []


# --- trouble with files ---------------------------------------------------------------------------------------------


def test_folders_that_vanish_stop_no_training(tmp_path):
    """Somebody deletes the results and checkpoints of a running training: warnings, and it goes on."""
    run = started(tmp_path / "root")
    for folder in (run.results_dir, run.checkpoint_dir, run.pkl_file.parent):
        shutil.rmtree(folder)
        folder.write_text("in the way")
    with pytest.warns(RLAWarning) as caught:
        run.simple_plot(name="p", data=[[1]])
        run.save_checkpoint({"a": 1}, step=1)
        run.save_checkpoint({"a": 1}, step=2)
        run.finish()
    texts = [str(warning.message) for warning in caught]
    assert len(texts) == 3 and all(
        sum(word in text for text in texts) == 1 for word in ("figure", "checkpoint of", "pkl")
    )
    assert run.status == "finished"


@pytest.fixture
def two_megabytes(tmp_path):
    """A file system that is soon full."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    try:
        made = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        made = False
    if not made:
        pytest.skip("mounting needs root")
    yield place
    left = rla.current_run()
    if left is not None:  # the test failed; its run must not end on a disk that is gone
        left.finish()
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_stops_no_training(two_megabytes):
    """One warning for each thing that cannot be written, whole files throughout, and rows again when there is room."""
    torch = pytest.importorskip("torch")
    run = started(two_megabytes / "root", ["csv", "tensorboard", "log"])
    run.log({"a": 0}, step=0)
    filler = two_megabytes / "filler"
    with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    with pytest.warns(RLAWarning) as caught:
        for step in range(1, 400):
            run.log({"a": step, "text": "x" * 50}, step=step)
        for step in (1, 2):
            run.save_checkpoint({"a": np.zeros(100_000)}, step=step)
            run.save_checkpoint({"a": torch.zeros(100_000)}, step=step)
            run.simple_plot(name="p", data=[[1]])
        run.update_hyper_param("late", "x" * 10_000)
    texts = [str(warning.message) for warning in caught]
    for subject in ("csv:", "tensorboard:", "the checkpoint of", "the figure", "parameter.json"):
        assert sum(text.startswith(subject) for text in texts) == 1, (subject, texts)
    filler.unlink()
    for step in range(400, 410):
        run.log({"a": step}, step=step)
    assert run.save_checkpoint({"a": 5}, step=400).is_file()
    run.finish()
    info = json.loads((run.log_dir / "run.json").read_text())
    assert info["status"] == "finished" and info["last"]["a"] == 409
    gap = {gap["writer"]: gap for gap in info["gaps"]}["csv"]
    written = [int(row["a"]) for row in rows_of(run)]
    missing = sorted(set(range(410)) - set(written))
    assert written[-10:] == list(range(400, 410)) and len(written) == len(set(written))
    assert (gap["rows"], gap["first_step"], gap["last_step"]) == (len(missing), missing[0], missing[-1])
    assert not [path for path in run.checkpoint_dir.iterdir() if path.suffix == ".tmp"]
    assert os.path.getsize(run.log_dir / "parameter.json") >= 2


def test_figures_take_rlas_positional_order(run):
    """Labels, pretty, axis labels, colors, styles and cover may come by position, as RLA has them."""
    curves = [[1.0, 2.0], [2.0, 1.0]]
    path = run.simple_plot("p", curves, None, None, ["a", "b"], True, "x", "y", ["r", "b"], ["x--", "+-"], True)
    assert path.read_bytes().startswith(b"%PDF")
    assert run.simple_hist("h", curves, ["a", "b"], False, "x", "y", ["r", "b"], ["-", "--"], True).suffix == ".png"
    assert run.simple_scatter("s", [np.ones((3, 2))], ["a"], False, "x", "y", True).suffix == ".png"


def test_a_step_that_is_a_float_costs_no_checkpoint(run):
    """4096.0 comes from a config; a fraction is cut, and said."""
    assert run.save_checkpoint({"a": 1}, step=4096.0).name == "checkpoint-4096.pkl"
    with pytest.warns(RLAWarning, match="the step <object object"):
        assert run.save_checkpoint({"a": 1}, step=object()) is not None
