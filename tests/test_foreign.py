"""Folders of other tools, made by hand: how they are found, and what is damaged or hostile.

tests/integrations/test_foreign_writers.py reads what the real libraries write.
"""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from datetime import datetime, timezone

import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

import rla_hooks as rla
from rla_hooks.cli import main
from rla_hooks.errors import RLAError, RLAWarning
from rla_hooks.query.foreign import scan
from rla_hooks.query.foreign.tables import keras_separator
from rla_hooks.writers.events import record

pytestmark = pytest.mark.usefixtures("quiet")
Value = summary_pb2.Summary.Value


@pytest.fixture
def put(tmp_path):
    """Writes a file below the folder, and returns its path."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def event(step, time, *values):
    message = event_pb2.Event(step=step, wall_time=time, summary=summary_pb2.Summary(value=values))
    return record(message.SerializeToString())


def scalar(tag, value):
    return Value(tag=tag, simple_value=value)


def hparams(**values):
    content = plugin_data_pb2.HParamsPluginData()
    for name, value in values.items():
        kind = "string_value" if isinstance(value, str) else "number_value"
        setattr(content.session_start_info.hparams[name], kind, value)
    metadata = summary_pb2.SummaryMetadata()
    metadata.plugin_data.plugin_name = "hparams"
    metadata.plugin_data.content = content.SerializeToString()
    return Value(tag="_hparams_/session_start_info", metadata=metadata)


EVENTS = event(0, 10.5, scalar("loss", 0.5), scalar("acc", 0.25)) + event(1, 11.5, scalar("loss", 0.125))


def test_names_and_tasks_come_from_the_folders(tmp_path, put):
    """The name is the path below what was asked for, the task its first folder, or that folder itself."""
    put("ppo/seed_1/progress.csv", "step,loss\n0,0.5\n")
    put("ppo/seed_2/progress.csv", "step,loss\n0,0.5\n")
    put("dqn/progress.csv", "step,loss\n0,0.5\n")
    found = {run.name: run.task for run in rla.runs(tmp_path)}
    assert found == {"ppo/seed_1": "ppo", "ppo/seed_2": "ppo", "dqn": tmp_path.name}
    assert sorted(run.name for run in rla.runs(tmp_path, task="ppo")) == ["ppo/seed_1", "ppo/seed_2"]
    assert [run.name for run in rla.runs(tmp_path, task="dqn")] == ["dqn"]
    assert rla.runs(tmp_path, task="pp") == []
    (run,) = rla.runs(tmp_path / "dqn")
    assert (run.name, run.task, run.status, run.problems, run.hints, run.record) == (
        "dqn",
        "dqn",
        "unknown",
        (),
        (),
        {},
    )
    assert run.log_dir == tmp_path / "dqn" and not run.checkpoint_dir.exists() and not run.code_dir.exists()
    assert rla.latest_checkpoint(run) is None and run.figures() == [] and run.checkpoints() == []


def test_nothing_is_written(tmp_path, put):
    """Neither by reading nor by a try to label: the error says that such folders are read only."""
    put("a/progress.csv", "step,loss\n0,0.5\n")
    put("b/events.out.tfevents.1700000000.host.1.0", EVENTS)
    before = sorted((str(path), path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    for run in rla.runs(tmp_path):
        assert run.metrics()["loss"].iloc[0] == 0.5 and run.summary("loss").count and run.info["rows"]
        with pytest.raises(RLAError, match="read only"):
            _ = run.paths.labels_json
        with pytest.raises(RLAError):
            rla.open(run)
    assert sorted((str(path), path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_event_files_of_a_folder_are_joined(tmp_path, put):
    """A row for each step of each file; texts and images are passed over, and so is what is not yet written."""
    image = Value(tag="image", image=summary_pb2.Summary.Image(encoded_image_string=b"x" * (2 << 20)))
    put(
        "a/events.out.tfevents.1700000000.host.1.0",
        EVENTS + event(2, 12.5, image) + event(2, 12.75, scalar("loss", 2.0)),
    )
    late = event(1, 13.5, scalar("late", 7.0)) + event(1, 14.5, scalar("late", 8.0)) + EVENTS[:30]
    put("a/events.out.tfevents.1700000001.host.1.1", late)
    (run,) = rla.runs(tmp_path)
    frame = run.metrics()
    assert frame["time-step"].tolist() == [0, 1, 2, 1, 1]
    assert frame["timestamp"].tolist() == [10.5, 11.5, 12.75, 13.5, 14.5]
    assert frame["loss"].tolist()[:3] == [0.5, 0.125, 2.0] and frame["loss"].isna().tolist()[3:] == [True, True]
    assert frame["acc"].dropna().tolist() == [0.25] and frame["late"].dropna().tolist() == [7.0, 8.0]
    assert set(frame) == {"time-step", "timestamp", "loss", "acc", "late"}
    assert run.started == datetime.fromtimestamp(1700000000, timezone.utc)
    columns = run.columns(["acc"])
    assert columns["acc"].values.tolist() == [0.25] and columns["time-step"].values.tolist() == [0]
    assert run.summary("loss")[:4] == (3, 2.0, 0.125, 2.0) and run.summary("none") is None
    assert run.info["last"] == {"loss": 2.0, "acc": 0.25, "late": 8.0}


def test_hyper_parameters_of_tensorboard(tmp_path, put):
    """Those of the plugin, also where torch's add_hparams has put them into a folder of their own."""
    put("a/events.out.tfevents.1700000000.host.1.0", event(0, 1.0, hparams(lr=0.5, opt="adam")) + EVENTS)
    put("b/events.out.tfevents.1700000001.host.1.0", EVENTS)
    put(
        "b/1700000001.5/events.out.tfevents.1700000002.host.1.1",
        event(0, 1.0, hparams(lr=0.25), scalar("hparam/acc", 1)),
    )
    put("b/deeper/events.out.tfevents.1700000003.host.1.1", EVENTS)
    first, second, third = rla.runs(tmp_path)
    assert first.hparams == {"lr": 0.5, "opt": "adam"}
    assert (second.name, second.hparams, third.name) == ("b", {"lr": 0.25}, "b/deeper")
    assert set(second.summaries) == {"loss", "acc", "hparam/acc"}
    assert [run.name for run in rla.runs(tmp_path, where="lr < 0.3")] == ["b"]


def test_the_step_of_a_run_is_the_greatest(tmp_path, put):
    """torch's add_hparams writes a row of step 0 at the end of a training."""
    put("b/events.out.tfevents.1700000000.host.1.0", EVENTS)
    put(
        "b/1700000001/events.out.tfevents.1700000001.host.1.1",
        event(0, 20.0, hparams(lr=0.25), scalar("hparam/acc", 1)),
    )
    (run,) = rla.runs(tmp_path, where="step == 1")
    assert run.info["last_step"] == 1 and run.columns()["time-step"].values.tolist()[-1] == 0


def test_a_table_and_event_files_of_one_folder(tmp_path, put):
    """A metric that both have comes from the table, and those that only event files have from these."""
    put("a/progress.csv", "loss,time/total_timesteps\n0.5,100\n0.25,200\n")
    put("a/events.out.tfevents.1700000000.host.1.0", EVENTS)
    (run,) = rla.runs(tmp_path)
    assert run.summary("loss")[:2] == (2, 0.25) and run.summary("acc")[:2] == (1, 0.25)
    assert run.metrics()["loss"].dropna().tolist() == [0.5, 0.25]
    assert run.metrics()["acc"].dropna().tolist() == [0.25]


@pytest.mark.parametrize(
    ("name", "header", "steps"),
    [
        ("progress.csv", "loss,time/total_timesteps,step", [4, 8]),
        ("progress.csv", "loss,total_timesteps,epoch", [4, 8]),
        ("progress.csv", "loss,timesteps_total,epoch", [4, 8]),
        ("progress.csv", "loss,epoch,global_step", [5, 9]),
        ("progress.csv", "loss,epoch,step", [5, 9]),
        ("progress.csv", "loss,epoch,x", [4, 8]),
        ("progress.csv", "loss,x,y", [0, 1]),
        ("metrics.csv", "loss,step,epoch", [4, 8]),
        ("metrics.csv", "loss,epoch,x", [4, 8]),
    ],
)
def test_the_time_step_of_a_table(tmp_path, put, name, header, steps):
    """It is the first known column, else rows are counted; the column itself stays."""
    put(f"a/{name}", f"{header}\n0.5,4.0,5\n0.25,8.0,9\n")
    (run,) = rla.runs(tmp_path)
    column = run.columns()["time-step"]
    assert column.values.tolist() == steps and column.values.dtype.kind == "i"
    assert set(run.columns()) == {"time-step", *header.split(",")}
    assert run.columns(["loss"])["time-step"].values.tolist() == steps and set(run.columns(["loss"])) == {
        "time-step",
        "loss",
    }


def test_metrics_of_another_program_are_no_run(tmp_path, put):
    """A metrics.csv has a step or an epoch; tables of other names begin with epoch; logs are texts."""
    put("a/metrics.csv", "name,value\naccuracy,0.5\n")
    put("b/results.csv", "x,y\n1,2\n")
    put("c/training.log", "epoch 1: loss 0.5\nepoch 2: loss 0.25\n")
    put("d/data.csv", "epoch,1,2\n0,1,2\n")
    put("e/hparams.yaml", "lr: 0.1\n")
    put("f/monitor.csv", "time,cpu\n0,1\n")
    put("g/.hidden/progress.csv", "step,loss\n0,1\n")
    put("h/__pycache__/progress.csv", "step,loss\n0,1\n")
    (tmp_path / "i").symlink_to(tmp_path)
    assert rla.runs(tmp_path) == []


def test_several_tables_of_keras_in_one_folder_are_several_runs(tmp_path, put):
    """Each is named by its file; one alone by its folder."""
    put("x/training.log", "epoch,loss\n0,0.5\n1,NA\n2,0.25")
    put("y/one.csv", "epoch;loss\n0;0.5\n")
    put("y/two.csv", "epoch\tloss\n0\t1.5\n")
    found = {run.name: run for run in rla.runs(tmp_path)}
    assert sorted(found) == ["x", "y/one.csv", "y/two.csv"]
    assert found["x"].metrics()["loss"].dropna().tolist() == [0.5] and found["x"].columns()[
        "epoch"
    ].values.tolist() == [0, 1]
    assert found["y/one.csv"].summary("loss").last == 0.5 and found["y/two.csv"].summary("loss").last == 1.5
    assert found["y/two.csv"].log_dir == tmp_path / "y"


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        *[(b"epoch,loss\n", ","), (b"epoch;acc;loss\r\n", ";"), (b"epoch\tloss\n", "\t"), (b"epoch|loss\n", "|")],
        *[(b"epoch\n", None), (b"epochs,loss\n", None), (b"loss,epoch\n", None), (b"epoch,0.5\n", None), (b"", None)],
        *[(b"epoch,\n", None), (b"epoch 1, loss 0.5\n", None), (b"\xff\xfe", None)],
    ],
)
def test_how_a_table_of_keras_is_told(header, separator):
    """By its first column, its separator and the names of the others."""
    assert keras_separator(header) == separator


@pytest.mark.parametrize("damage", ["x" * 140_000, "2.5\r", "2\r5", '"a\n' + "x" * 140_000])
def test_a_damaged_row_costs_no_other_one(tmp_path, put, damage):
    """A cell that is too long, a bare return: the rows before it stay, and those behind it."""
    rows = [f"{epoch},{epoch}.5,a" for epoch in range(1000)]
    put("a/training.log", "\n".join(["epoch,loss,note", *rows[:700], f"700,{damage},a", *rows[701:], ""]))
    (run,) = rla.runs(tmp_path)
    assert run.columns(["epoch"])["epoch"].values.tolist() == [*range(700), *range(701, 1000)]
    assert run.last["loss"] == 999.5


def test_a_name_that_stands_twice_in_a_header_shifts_no_column(tmp_path, put):
    """The second one has a number; the names behind keep their own values."""
    put("k/training.log", "epoch,loss,loss,acc\n0,1.0,1.5,0.9\n1,2.0,2.5,0.8\n")
    put("m/monitor.csv", '#{"t_start": 1700000000.0}\nr,l,t,r\n1.0,10,0.5,7\n2.0,20,1.5,8\n')
    keras, monitor = rla.runs(tmp_path, sort="name")
    assert keras.last == {"epoch": 1, "loss": 2.0, "loss.1": 2.5, "acc": 0.8}
    assert monitor.last == {"r": 2.0, "l": 20, "t": 1.5, "r.1": 8}


def test_monitor_files_are_joined_by_time(tmp_path, put):
    """The step is the sum of the lengths, the time that of the episode's end, and the JSON gives parameters."""
    put("a/0.monitor.csv", '#{"t_start": 1700000000.0, "env_id": "CartPole-v1"}\nr,l,t\n10.0,10,1.5\n20.0,20,4.5\n')
    put("a/1.monitor.csv", '#{"t_start": 1700000001.0, "env_id": "CartPole-v1"}\nr,l,t\n5.0,5,2.0\n7.0,7')
    (run,) = rla.runs(tmp_path)
    frame = run.metrics()
    assert frame["time-step"].tolist() == [10, 15, 35] and frame["r"].tolist() == [10.0, 5.0, 20.0]
    assert frame["timestamp"].tolist() == [1700000001.5, 1700000003.0, 1700000004.5]
    assert run.hparams == {"env_id": "CartPole-v1"}
    assert run.started == datetime.fromtimestamp(1700000000, timezone.utc)
    assert run.summary("r")[:5] == (3, 20.0, 5.0, 20.0, pytest.approx(35 / 3))


@pytest.mark.parametrize("start", ['"soon"', "1e300", "-1", "null", "true", "NaN"])
def test_a_monitor_file_with_a_wrong_time(tmp_path, put, start):
    """It is no Monitor's file, and nothing is harmed."""
    put("a/0.monitor.csv", f'#{{"t_start": {start}, "env_id": "x"}}\nr,l,t\n10.0,10,1.5\n')
    assert rla.runs(tmp_path) == []


def test_hparams_yaml_of_lightning(tmp_path, put):
    """Nested names get dots, tags are inert, and a damaged file is a problem that hides no rows."""
    put("lightning_logs/version_0/metrics.csv", "epoch,loss,step\n0,0.5,9\n")
    put("lightning_logs/version_0/hparams.yaml", "lr: 0.1\nnet: {width: 64}\nact: !!python/name:torch.nn.ReLU ''\n")
    put("lightning_logs/version_1/hparams.yaml", "")
    put("lightning_logs/version_2/metrics.csv", "epoch,loss,step\n0,0.25,9\n")
    put("lightning_logs/version_2/hparams.yaml", "lr: [")
    found = {run.name: run for run in rla.runs(tmp_path)}
    whole, empty, damaged = (found[f"lightning_logs/version_{number}"] for number in range(3))
    assert whole.hparams == {"lr": 0.1, "net.width": 64, "act": "<torch.nn.ReLU>"} and whole.problems == ()
    assert (empty.hparams, empty.problems, len(empty.metrics())) == ({}, (), 0)
    assert damaged.hparams == {} and damaged.problems[0].startswith("hparams.yaml cannot be read: no valid YAML")
    assert damaged.summary("loss").last == 0.25


def test_a_start_that_no_file_tells_is_the_earliest_change(tmp_path, put):
    """Never a time that was made up."""
    for name, time in (("metrics.csv", 1_700_000_500), ("hparams.yaml", 1_700_000_100)):
        os.utime(put(f"version_0/{name}", "step,loss\n0,1\n" if name == "metrics.csv" else "lr: 1"), (time, time))
    (run,) = rla.runs(tmp_path)
    assert run.started == datetime.fromtimestamp(1_700_000_100, timezone.utc)
    assert run.ended is None and run.seconds is None


DAMAGED = {
    "cut": EVENTS[:-3],
    "no head": EVENTS[:5],
    "empty": b"",
    "zeros": b"\0" * 100,
    "a length beyond all": EVENTS[:40] + struct.pack("<Q", 2**63) + b"1234" + b"x" * 100,
    "a wrong sum": EVENTS[:-1] + b"\xff",
    "no event": record(b"\xff\xff\xff") + EVENTS,
    "text": b"hello\n" * 100,
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_event_file_gives_what_is_whole(tmp_path, put, damage):
    """Up to the damage; counts in it are not believed."""
    put("a/events.out.tfevents.1700000000.host.1.0", DAMAGED[damage])
    put("a/events.out.tfevents.1700000001.host.1.0", event(5, 20.0, scalar("late", 1.0)))
    (run,) = rla.runs(tmp_path)
    assert run.summary("late").last == 1.0 and run.problems == ()
    whole = {"cut": 1, "a wrong sum": 1, "no event": 2}.get(damage, 0)
    assert (run.summary("loss").count if run.summary("loss") else 0) == whole


def test_a_tensor_that_claims_a_shape_is_not_believed(tmp_path, put):
    """Of one value and a shape of billions no array is made; one of a single value is a scalar."""
    values = []
    for tag, sides in (("bomb", (1 << 20, 1 << 20)), ("zero", (0,)), ("one", (1, 1)), ("none", ())):
        value = Value(tag=tag)
        value.tensor.dtype = 1
        value.tensor.float_val.append(0.5)
        for side in sides:
            value.tensor.tensor_shape.dim.add(size=side)
        values.append(value)
    put("a/events.out.tfevents.1700000000.host.1.0", event(0, 1.0, *values))
    (run,) = rla.runs(tmp_path)
    tracemalloc.start()
    try:
        assert {name: each.last for name, each in run.summaries.items()} == {"one": 0.5, "none": 0.5}
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [0, 3, 7, 20, 21, 23, 101, 999, -1])
def test_a_tensor_of_an_odd_kind_hides_no_other_value(tmp_path, put, kind):
    """Numbers have their value; what is none, or makes no sense, is passed over."""
    odd = Value(tag="odd")
    odd.tensor.dtype = kind
    odd.tensor.int_val.append(1)
    put("a/events.out.tfevents.1700000000.host.1.0", EVENTS + event(2, 12.5, odd, scalar("loss", 0.0625)))
    (run,) = rla.runs(tmp_path)
    assert run.last["loss"] == 0.0625 and run.problems == ()
    assert run.summary("odd") is None or run.summary("odd").last == 1.0


def test_special_files_and_links_are_not_opened(tmp_path, put):
    """FIFOs and folders of the right names hide nothing, and links to folders are not followed."""
    put("a/progress.csv", "step,loss\n0,0.5\n")
    (tmp_path / "b" / "progress.csv").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "c" / "training.log")
        os.mkfifo(tmp_path / "c" / "metrics.csv")
    (tmp_path / "d").symlink_to(tmp_path / "a")
    assert [run.name for run in rla.runs(tmp_path)] == ["a"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
@pytest.mark.parametrize(
    "name", ["progress.csv", "training.log", "0.monitor.csv", "events.out.tfevents.1700000000.host.1.0"]
)
def test_a_file_that_cannot_be_read_hides_no_other(tmp_path, put, name):
    """It is a problem of its run; other files of the run are read, and other runs are listed whatever is asked."""
    put("good/progress.csv", "step,loss\n0,0.5\n")
    put("bad/1.monitor.csv", '#{"t_start": 1700000000.0}\nr,l,t\n10.0,10,1.5\n')
    put("bad/events.out.tfevents.1700000001.host.1.0", EVENTS)
    bad = put(f"bad/{name}", "epoch,x\n0,1\n" if name == "training.log" else '#{"t_start": 1.0}\n')
    damaged, good = runs = rla.runs(tmp_path, sort="name")  # found, and then somebody puts something in its place
    bad.unlink()
    os.mkfifo(bad)
    assert damaged.last == {"r": 10.0, "l": 10, "t": 1.5, "loss": 0.125, "acc": 0.25} and good.last["loss"] == 0.5
    assert good.problems == () and {f"{name} cannot be read: it is a FIFO, not a regular file"} == {*damaged.problems}
    assert len(damaged.metrics()) == 3 and damaged.summary("r").last == 10.0 and name in damaged._repr_html_()
    assert runs.table(["loss"])["loss"].tolist() == [0.125, 0.5]
    assert len(runs.metrics(["loss"])) == 3
    assert good in rla.runs(tmp_path, where="last.loss > 0 and max.loss > 0", sort="-last.loss")


def test_a_run_keeps_no_rows(tmp_path, put):
    """A list of thousands of them has their summaries only."""
    put("a/progress.csv", "step,loss,x\n" + "".join(f"{step},0.5,{step}.5\n" for step in range(50_000)))
    (run,) = rla.runs(tmp_path)
    tracemalloc.start()
    try:
        assert run.info["rows"] == 50_000 and run.summary("loss").count == 50_000 and run.last["x"] == 49_999.5
        assert tracemalloc.get_traced_memory()[0] < 1 << 19
    finally:
        tracemalloc.stop()


def test_a_run_that_is_deleted_while_it_is_read(tmp_path, put):
    """It has no rows; a file that cannot be parsed any more is no error either."""
    file = put("a/progress.csv", "step,loss\n0,0.5\n")
    (run,) = rla.runs(tmp_path)
    file.unlink()
    assert len(run.metrics()) == 0 and run.summary("loss") is None and run.info["rows"] == 0


def test_a_log_root_is_never_another_tools(tmp_path, put):
    """Neither itself, nor a folder in it, nor one of its tasks; a folder that holds one is searched around it."""
    root = tmp_path / "rla_data"
    with rla.run(task="demo", log_root=root, writers=["csv", "tensorboard"], backup="none") as run:
        rla.log({"loss": 0.5}, step=0)
    put("other/progress.csv", "step,loss\n0,0.5\n")
    assert [found.name for found in rla.runs(root)] == [run.name]
    assert rla.runs(root, task="none") == []
    with pytest.warns(RLAWarning, match="is a log root. Give that one"):
        assert rla.runs(root / "log" / "demo") == []
    assert [found.name for found in rla.runs(tmp_path)] == ["other"]
    (root / "log" / run.name).rename(tmp_path / "gone")
    assert rla.runs(root) == []


def test_the_search_has_an_end(tmp_path, put, monkeypatch):
    """Of too many files a warning says that not all were looked at."""
    for number in range(30):
        put(f"run_{number:02}/progress.csv", "step,loss\n0,0.5\n")
    monkeypatch.setattr(scan, "MAX_ENTRIES", 40)
    with pytest.warns(RLAWarning, match="more than 40 files"):
        found = rla.runs(tmp_path)
    assert 0 < len(found) < 30


def test_a_deep_folder_ends_the_search_there(tmp_path, put):
    """Sixteen levels are searched."""
    put("/".join("a" * 16) + "/progress.csv", "step,loss\n0,0.5\n")
    put("b/" * 17 + "progress.csv", "step,loss\n0,0.5\n")
    assert [run.name for run in rla.runs(tmp_path)] == ["/".join("a" * 16)]


def test_runs_of_other_tools_are_compared_like_ours(tmp_path, put):
    """Filters, sorting, tables, frames and their ids work as for any run."""
    for number in range(3):
        put(f"lightning_logs/version_{number}/metrics.csv", f"epoch,loss,step\n0,{number}.5,9\n1,{number}.25,19\n")
        put(f"lightning_logs/version_{number}/hparams.yaml", f"lr: {10**-number}\nwidth: 64\n")
    runs = rla.runs(tmp_path, where="lr <= 0.1", sort="-last.loss")
    assert [run.hparams["lr"] for run in runs] == [0.01, 0.1]
    table = runs.table(["loss"])
    assert table["loss"].tolist() == [2.25, 1.25] and table["lr"].tolist() == [0.01, 0.1] and "width" not in table
    frame = runs.metrics(["loss"])
    assert frame["time-step"].tolist() == [9, 19, 9, 19] and frame["value"].tolist() == [2.5, 2.25, 1.5, 1.25]
    assert frame["id"].tolist() == [run.id for run in runs for _ in range(2)] and len({run.id for run in runs}) == 2
    json.dumps([run.hparams for run in runs])
    assert runs[0] == rla.runs(tmp_path, where="lr == 0.01")[0] and runs[0] != runs[1] and len({*runs}) == 2


def test_commands_take_the_folders_of_other_tools(tmp_path, put, capsys, monkeypatch):
    """They list, show, compare, print and export them; what would write or follow says why it cannot."""
    for number in range(2):
        put(f"a/seed_{number}/progress.csv", f"loss,step\n0.5,0\n{number}.25,10\n")
        put(f"a/seed_{number}/hparams.yaml", f"seed: {number}\n")
    put("b/events.out.tfevents.1700000000.host.1.0", EVENTS)
    first, second = rla.runs(tmp_path, where="seed >= 0", sort="seed")

    def run_command(*arguments):
        monkeypatch.setattr("sys.argv", ["rla", *arguments, "--log-root", str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, capsys.readouterr().out

    def said(*arguments):
        code, out = run_command(*arguments)
        assert code == 0
        return out

    assert {line.split()[0] for line in said("runs").splitlines()[1:]} == {run.id for run in rla.runs(tmp_path)}
    assert [json.loads(said("show", run.id, "--json"))["metrics"]["loss"]["last"] for run in (first, second)] == [
        0.25,
        1.25,
    ]
    assert "progress.csv" in said("show", first.id, "--files") and str(first.log_dir) in said("show", first.id)
    assert [row["loss"] for row in json.loads(said("tail", second.id, "--json"))] == [0.5, 1.25]
    assert said("tail", second.id, "-n", "1") == "time-step=10  loss=1.25  step=10\n"
    assert said("path", first.id) == f"{first.log_dir}\n"
    assert "seed" in said("compare", first.id, second.id) and said("export").count("\n") == 12
    for command in (["tail", "-f", first.id], ["tag", first.id, "good"], ["path", first.id, "checkpoint"]):
        assert run_command(*command) == (2, "")
    assert not [path for path in tmp_path.rglob("*") if path.name in ("labels.json", "run.json")]
