"""SummaryWriter's methods for TensorBoard's further plugins on a run, read back by TensorBoard, PIL and wave."""

import io
import json
import wave

import numpy as np
import pytest
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo
from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData
from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.util.tensor_util import make_ndarray

import rla_hooks as rla
from rla_hooks.errors import RLAWarning


@pytest.fixture
def run(tmp_path, quiet):
    """A run that is open during the test."""
    with rla.run("words", log_root=tmp_path / "root", writers=["csv", "tensorboard"], backup="none") as run:
        yield run


@pytest.fixture
def values(run, read_events):
    """Gives what stands in the event file: ``(step, value)`` by tag."""

    def read():
        events = read_events(run.tensorboard_dir)
        return {value.tag: (event.step, value) for event in events for value in event.summary.value}

    return read


def test_a_sound_is_a_wav_file(run, values):
    """Under results/ and in the Audio tab; what is louder than 1 is cut, and int16 is taken as it is."""
    run.add_audio("beep", np.array([[0.0, 0.5, -2.0]]), 3, sample_rate=8000)
    run.add_audio("raw", np.array([5, -7], np.int16))
    step, value = values()["beep"]
    data = (run.results_dir / "beep-3.wav").read_bytes()
    assert (step, value.audio.sample_rate, value.audio.length_frames) == (3, 8000, 3)
    assert value.audio.encoded_audio_string == data and value.audio.content_type == "audio/wav"
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels()) == (8000, 1)
        assert np.frombuffer(file.readframes(3), "<i2").tolist() == [0, 16383, -32767]
    with wave.open(io.BytesIO(values()["raw"][1].audio.encoded_audio_string)) as file:
        assert np.frombuffer(file.readframes(2), "<i2").tolist() == [5, -7]


def test_a_curve_counts_what_is_right_at_each_threshold(run, values):
    """By hand: at 0.5 two of three that are predicted are right, and none is missed; predictions beyond 1 are out."""
    run.add_pr_curve("pr", [1, 0, 1, 0, 1], [0.9, 0.6, 0.8, 0.2, 7.0], 2, num_thresholds=3)
    step, value = values()["pr"]
    assert step == 2 and value.metadata.plugin_data.plugin_name == "pr_curves"
    assert PrCurvePluginData.FromString(value.metadata.plugin_data.content).num_thresholds == 3
    found = make_ndarray(value.tensor)
    np.testing.assert_allclose(found[:, 1], [2, 1, 1, 0, 2 / 3, 1], rtol=1e-6)
    run.add_pr_curve_raw("raw", *found, num_thresholds=3)
    assert np.array_equal(make_ndarray(values()["raw"][1].tensor), found)


def test_a_mesh_has_its_parts(run, values):
    """Each with its kind, and all know which others there are."""
    points = np.arange(12.0).reshape(1, 4, 3)
    run.add_mesh("cube", points, faces=[[[0, 1, 2]]], config_dict={"camera": {"far": 1}}, global_step=1)
    for name, kind, array in (("cube_VERTEX", 1, points), ("cube_FACE", 2, [[[0, 1, 2]]])):
        value = values()[name][1]
        about = MeshPluginData.FromString(value.metadata.plugin_data.content)
        assert (about.name, about.content_type, about.components) == ("cube", kind, 0b110)
        assert json.loads(about.json_config) == {"camera": {"far": 1}}
        assert np.array_equal(make_ndarray(value.tensor), array) and [*about.shape] == [*np.shape(array)]


@pytest.mark.parametrize("kind", ["float32", "float64", "int8", "uint8", "int64", "bool", "complex64", "float16"])
def test_a_tensor_stays_as_it_is(run, values, kind):
    """Numbers of any type, with their shape."""
    array = np.array([[0, 1, 2], [3, 4, 5]]).astype(kind)
    run.add_tensor("t", array, 5)
    found = make_ndarray(values()["t"][1].tensor)
    assert found.dtype == array.dtype and np.array_equal(found, array)


def test_charts_of_several_scalars(run, values):
    """Lines, and a value with its margin."""
    run.add_custom_scalars({"loss": {"both": ["Multiline", ["a", "b"]], "band": ["Margin", ["m", "l", "u"]]}})
    value = values()["custom_scalars__config__"][1]
    assert value.metadata.plugin_data.plugin_name == "custom_scalars"
    (category,) = Layout.FromString(value.tensor.string_val[0]).category
    lines, band = category.chart
    assert (category.title, lines.title, [*lines.multiline.tag]) == ("loss", "both", ["a", "b"])
    (series,) = band.margin.series
    assert (series.value, series.lower, series.upper) == ("m", "l", "u")
    run.add_custom_scalars_multilinechart(["c"], "more", "one")
    run.add_custom_scalars_marginchart(["m", "l", "u"])


def test_an_embedding_is_files_beside_the_events(run):
    """Points, labels and a square of pictures; the same step again replaces them, another one is listed, too."""
    from google.protobuf import text_format

    pictures = np.zeros((3, 1, 2, 4))
    pictures[2] = 1
    for _ in range(2):
        run.add_embedding([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], ["a", "b\tc", "d"], pictures, 7, "x/y")
    run.add_embedding(np.zeros((2, 2)), [["u", 1], ["v", 2]], metadata_header=["name", "size"])
    config = text_format.Parse((run.tensorboard_dir / "projector_config.pbtxt").read_text(), ProjectorConfig())
    first, second = config.embeddings
    assert (first.tensor_name, second.tensor_path) == ("x/y:00007", "00000/default/tensors.tsv")
    folder = run.tensorboard_dir
    assert (folder / first.tensor_path).read_text() == "1.0\t2.0\n3.0\t4.0\n5.0\t6.0\n"
    assert (folder / first.metadata_path).read_text() == "a\nb c\nd\n"
    assert (folder / second.metadata_path).read_text() == "name\tsize\nu\t1\nv\t2\n"
    sprite = np.asarray(Image.open(folder / first.sprite.image_path))
    assert sprite.shape == (4, 8, 3) and [*first.sprite.single_image_dim] == [4, 2]
    assert sprite[2:, :4].min() == 255 and sprite[2:, 4:].max() == sprite[:2].max() == 0


def test_boxes_are_drawn(run):
    """Red, with their labels, in the order of arguments of both libraries; bools and grays become colours."""
    image = np.zeros((3, 20, 30))
    run.add_image_with_boxes("torch", image, [[2, 2, 20, 15]], 1, None, 2, "CHW", ["cat"])
    run.add_image_with_boxes("x", image.transpose(1, 2, 0), [[2, 2, 20, 15]], 1, None, "HWC", "cat")
    run.add_image_with_boxes("gray", np.ones((1, 20, 30), bool), [[2, 2, 20, 15]], 1)
    torch, x, gray = (np.asarray(Image.open(run.results_dir / f"{name}-1.png")) for name in ("torch", "x", "gray"))
    assert torch.shape == (40, 60, 3) and x.shape == (20, 30, 3)
    assert x[2, 10].tolist() == [255, 0, 0] and x[0, 0].tolist() == [0, 0, 0] and gray[0, 0].tolist() == [255] * 3


def test_a_raw_histogram(run, values):
    """As it is given; limits and counts of different lengths give a warning."""
    run.add_histogram_raw("h", 0, 4, 3, 6, 14, np.array([1, 5]), [1, 2], 2)
    step, value = values()["h"]
    assert (step, [*value.histo.bucket_limit], [*value.histo.bucket], value.histo.sum) == (2, [1, 5], [1, 2], 6)
    with pytest.warns(RLAWarning, match="2 bucket_limits and 1 bucket_counts"):
        run.add_histogram_raw("bad", 0, 4, 3, 6, 14, [1, 5], [1], 2)


def _hparams_message(tag, **content):
    """What TensorBoard's own writer of hyper-parameters makes, which needs TensorFlow."""
    plugin = SummaryMetadata.PluginData(
        plugin_name="hparams", content=HParamsPluginData(version=0, **content).SerializeToString()
    )
    return Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))])


def test_messages_of_tensorboard(run, values, read_rows):
    """Scalars in them are rows, hyper-parameters are the run's, the rest stands in the event file."""
    started, ended = SessionStartInfo(), SessionEndInfo(status=1)
    started.hparams["lr"].number_value = 0.1
    started.hparams["name"].string_value = "x"
    run.add_summary(Summary(value=[Summary.Value(tag="loss", simple_value=0.5)]), 3)
    run.add_event(Event(step=4, summary=Summary(value=[Summary.Value(tag="other", tensor={"float_val": [1.0]})])))
    run.add_summary(_hparams_message("_hparams_/session_start_info", session_start_info=started))
    run.add_summary(_hparams_message("_hparams_/session_end_info", session_end_info=ended))
    run.add_event(Event(graph_def=b""), 1)
    assert [(row["time-step"], row["loss"]) for row in read_rows(run.paths.progress_csv)] == [("3", "0.5")]
    assert values()["other"][0] == 4 and run.parameters() == {"lr": 0.1, "name": "x"}


def test_all_rows_as_json(run, tmp_path):
    """With their times and steps, and without the cells that are empty."""
    run.log({"a": 1.0, "b": "text"}, step=1)
    run.add_scalar("a", 2.0, 2, 1000.0)
    run.export_scalars_to_json(tmp_path / "all.json")
    found = json.loads((tmp_path / "all.json").read_text())
    assert sorted(row[1:] for row in found["a"]) == [[1, 1.0], [2, 2.0]] and [1000.0, 2, 2.0] in found["a"]
    assert [row[1:] for row in found["b"]] == [[1, "text"]]


def test_a_second_set_of_hyper_parameters_stands_in_its_row(run, read_rows):
    """What is the same is not repeated; one warning says what to do."""
    run.add_hparams({"lr": 0.1, "name": "x"}, {"score": 1.0})
    with pytest.warns(RLAWarning, match="add_hparams was called again with other values: lr"):
        run.add_hparams({"lr": 0.2, "name": "x"}, {"score": 2.0})
    run.add_hparams({"lr": 0.3, "name": "x"}, {"score": 3.0}, None, "named", 9)
    rows = read_rows(run.paths.progress_csv)
    assert run.parameters() == {"lr": 0.1, "name": "x"}
    assert [(row.get("hparams/lr"), row["score"]) for row in rows] == [(None, "1.0"), ("0.2", "2.0"), ("0.3", "3.0")]
    assert rows[-1]["time-step"] == "9"
    with pytest.warns(RLAWarning, match="Allowed: two mappings"):
        run.add_hparams([1], {})


@pytest.mark.parametrize(
    "add",
    [
        lambda run: run.add_audio("x", np.zeros((2, 2))),
        lambda run: run.add_audio("x", []),
        lambda run: run.add_pr_curve("x", [1], [0.5, 0.5]),
        lambda run: run.add_pr_curve("x", [1], [0.5], num_thresholds=1),
        lambda run: run.add_mesh("x", np.zeros((4, 3))),
        lambda run: run.add_tensor("x", ["a"]),
        lambda run: run.add_embedding(np.zeros(3), tag="x"),
        lambda run: run.add_embedding(np.zeros((2, 3)), ["a"], tag="x"),
        lambda run: run.add_image_with_boxes("x", np.zeros((3, 2, 2)), [[1, 2]]),
        lambda run: run.add_custom_scalars({"x": {"'x'": ["Margin", ["a"]]}}),
        lambda run: run.export_scalars_to_json("'x'/missing.json"),
        lambda run: run.add_summary("'x'"),
    ],
)
def test_what_cannot_be_shown_gives_one_warning(run, add):
    """The training goes on, and a second time nothing is said."""
    with pytest.warns(RLAWarning, match="'x'|'message'"):
        add(run)
    add(run)
    assert list(run.results_dir.iterdir()) == []


def test_a_run_that_writes_nothing_takes_everything(tmp_path, quiet):
    """Tracking is off: no file, no error."""
    run = rla.Run.silent()
    run.add_audio("x", [0.0])
    run.add_embedding(np.zeros((2, 2)))
    run.export_scalars_to_json(tmp_path / "x.json")
    run.add_hparams({"lr": 1}, {"a": 1.0})
    assert [*tmp_path.iterdir()] == []


def test_a_message_may_be_given_by_its_bytes(run, values):
    """As session.run of TensorFlow 1 returns it; bytes that are no message warn."""
    message = Summary(value=[Summary.Value(tag="loss", simple_value=0.5), Summary.Value(tag="x", tensor=_text("a"))])
    run.add_summary(message.SerializeToString(), 3)
    assert values()["loss"][0] == 3 and values()["x"][1].tensor.string_val[:] == [b"a"]
    with pytest.warns(RLAWarning, match="these 2 bytes are no Summary message"):
        run.add_summary(b"\xff\xff", 4)


def _text(text):
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

    return TensorProto(dtype=7, string_val=[text.encode()])


def test_rlas_summaries_come_at_most_each_freq_steps(run, read_events, capfd):
    """They stand in the event file at the time step; each series has its own turns, and 0 takes all."""
    message = Summary(value=[Summary.Value(tag="loss", simple_value=0.5)])
    for step in (0, 5, 19, 20, 45, 44, 3):
        run.time_step_holder.set_time(step)
        run.add_summary_to_logger(message.SerializeToString(), "train")
        run.add_summary_to_logger(message, "other", freq=0)
    found = [
        event.step for event in read_events(run.tensorboard_dir) for each in event.summary.value if each.tag == "loss"
    ]
    assert found == [0, 0, 5, 19, 20, 20, 45, 45, 44, 3, 3]
    run.add_summary_to_logger(message, "scalars", simple_val=True)
    assert run.logger.last_values == {"scalars/loss": 0.5} and run.logger.last_step == 3
    assert capfd.readouterr().err.count("add_summary_to_logger is run.add_summary") == 1
    with pytest.warns(RLAWarning, match="the summary 'bad' was not shown"):
        run.add_summary_to_logger("no message", "bad", freq=0)


def test_rlas_table_is_a_text(run, values):
    """dict_to_table_text_summary needs no TensorFlow."""
    run.add_summary_to_logger(run.dict_to_table_text_summary({"a|b": "1 GiB"}, "memory"), "memory")
    step, value = values()["memory/text_summary"]
    assert step == 0 and value.metadata.plugin_data.plugin_name == "text"
    assert "| a\\|b | 1 GiB |" in value.tensor.string_val[0].decode()
