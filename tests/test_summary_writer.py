"""TensorBoard's words on a run, read back by TensorBoard and PIL."""

import csv

import numpy as np
import pytest
from PIL import Image

import rla_hooks as rla
from rla_hooks.errors import RLAWarning, RunError


@pytest.fixture
def run(tmp_path, quiet):
    """A run that is open during the test."""
    tester = rla.Tester()
    tester.configure("words", log_root=tmp_path / "root", writers=["csv", "tensorboard"], backup="none")
    tester.log_files_gen()
    yield tester
    tester.finish()


def read(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    every = {"scalars": 0, "images": 0, "tensors": 0, "histograms": 0}
    return EventAccumulator(str(run.tensorboard_dir), size_guidance=every).Reload()


def test_scalars_are_rows(run):
    """add_scalar and add_scalars write rows of csv and TensorBoard at the given step; without one they count on."""
    run.add_scalar("loss", 0.5, 3)
    run.add_scalar("loss", 0.25)
    run.add_scalars("perf", {"train": 1.0, "test": 2.0}, 7)
    with (run.log_dir / "progress.csv").open(newline="") as file:
        rows = [{key: row[key] for key in ("time-step", "loss", "perf/test")} for row in csv.DictReader(file)]
    assert [(row["time-step"], row["loss"], row["perf/test"]) for row in rows] == [
        ("3", "0.5", None),
        ("4", "0.25", None),
        ("7", "", "2.0"),
    ]
    assert [(event.step, event.value) for event in read(run).Scalars("perf/train")] == [(7, 1.0)]


def test_pictures_are_files_and_show(run):
    """Images of each order of axes and figures are PNG files under results/ and shown, pixel by pixel."""
    from matplotlib.figure import Figure

    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    run.add_image("chw", pixels.transpose(2, 0, 1), 1)
    run.add_image("hwc", pixels, 1, dataformats="HWC")
    run.add_image("hw", pixels[..., 0], 1, dataformats="HW")
    run.add_images("batch", np.stack([pixels, pixels[::-1]]), 1, dataformats="NHWC")
    run.add_figure("figure", Figure(figsize=(1, 1)), 2)
    for name, expected in [("chw", pixels), ("hwc", pixels), ("hw", pixels[..., 0]), ("batch_1", pixels[::-1])]:
        assert np.array_equal(np.asarray(Image.open(run.results_dir / f"{name}-1.png")), expected), name
    shown = read(run)
    assert {"chw", "hwc", "hw", "batch_0", "batch_1", "figure"} <= set(shown.Tags()["images"])
    (event,) = shown.Images("chw")
    assert event.encoded_image_string == (run.results_dir / "chw-1.png").read_bytes()
    assert (event.step, event.width, event.height) == (1, 6, 4)


def test_a_video_is_a_gif(run):
    """A video of each order of axes is an animated GIF with all its frames."""
    frames = np.zeros((5, 8, 10, 3), dtype=np.uint8)
    frames[np.arange(5), np.arange(5)] = 255
    path = run.add_video("episode", frames, 3, fps=10)
    assert path == run.results_dir / "episode-3.gif"
    with Image.open(path) as gif:
        assert (gif.n_frames, gif.size, gif.info["duration"]) == (5, (10, 8), 100)
        gif.seek(2)
        assert np.array_equal(np.asarray(gif.convert("L"))[:5, 0] > 127, [False, False, True, False, False])
    batch = frames.transpose(0, 3, 1, 2)[None]
    assert run.add_video("batch", batch, 3, fps=10).read_bytes() == path.read_bytes()
    assert read(run).Images("episode")[0].encoded_image_string[:4] == b"GIF8"


def test_histograms_have_the_values_statistics(run):
    """Counts, extremes and sums are those of the finite values."""
    values = np.array([1.0, 2.0, 2.0, 5.0, np.nan, np.inf])
    run.add_histogram("weights", values, 4, bins=[0, 2, 4, 6])
    (event,) = read(run).Histograms("weights")
    histogram = event.histogram_value
    assert (event.step, histogram.num, histogram.sum, histogram.sum_squares) == (4, 4, 10, 34)
    assert (histogram.min, histogram.max) == (1, 5)
    assert (list(histogram.bucket_limit)[-3:], list(histogram.bucket)[-3:]) == ([2, 4, 6], [1, 2, 1])


@pytest.mark.parametrize(
    "values, bins",
    [
        ([*np.linspace(-1, 1, 999), 1e30], "auto"),
        (np.linspace(0, 1, 1000), "tensorflow"),
        (np.linspace(0, 1, 1000), "fd"),
        ([[1, 2], [3, 4]], "auto"),
        ([True, False], "auto"),
        ([7], "auto"),
    ],
)
def test_histograms_have_few_bins_whatever_the_values(run, values, bins):
    """One value far out must not ask for more bins than memory holds; all values are counted."""
    run.add_histogram("weights", values, bins=bins)
    histogram = read(run).Histograms("weights")[0].histogram_value
    size = np.asarray(values).size
    assert sum(histogram.bucket) == histogram.num == size
    assert len([count for count in histogram.bucket if count]) <= 2 * size ** (1 / 3) + 1
    run.add_histogram("few", np.linspace(0, 1, 1000), max_bins=3)
    assert [count for count in read(run).Histograms("few")[0].histogram_value.bucket if count] == [333, 333, 334]


def test_tensors_of_torch_are_shown(run):
    """Also those that require gradients, and bfloat16."""
    torch = pytest.importorskip("torch")
    run.add_histogram("weights", torch.nn.Parameter(torch.ones(4, dtype=torch.bfloat16)), 1)
    run.add_image("image", torch.ones(1, 2, 2, requires_grad=True), 1)
    run.add_video("video", torch.zeros(1, 2, 3, 4, 4), 1)
    run.add_scalar("x", torch.tensor(2.0), torch.tensor(5))
    run.flush()
    shown = read(run)
    assert shown.Histograms("weights")[0].histogram_value.sum == 4
    assert [(event.step, event.value) for event in shown.Scalars("x")] == [(5, 2.0)]
    assert {"image", "video"} <= set(shown.Tags()["images"])


def test_figures_of_pyplot_are_closed_unless_they_are_kept(run):
    """pyplot would hold each of them until the program ends, and warns at the twentieth; lists are numbered."""
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    run.add_figure("both", [pyplot.figure(), pyplot.subplots()[1]], 1)
    assert pyplot.get_fignums() == before
    kept = pyplot.figure()
    run.add_figure("kept", kept, 1, close=False)
    assert pyplot.fignum_exists(kept.number)
    pyplot.close(kept)
    assert sorted(path.name for path in run.results_dir.iterdir()) == ["both_0-1.png", "both_1-1.png", "kept-1.png"]


def test_before_the_run_every_word_says_what_to_call_first(tmp_path):
    """Nothing is dropped in silence."""
    tester = rla.Tester()
    tester.configure("words", log_root=tmp_path / "root", writers=["csv"], backup="none")
    for word, value in [("scalar", 1), ("scalars", {"a": 1}), ("text", "x"), ("histogram", [1]), ("video", [1])]:
        with pytest.raises(RunError, match="log_files_gen"):
            getattr(tester, f"add_{word}")("tag", value)
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_does_not_write_takes_everything(run, monkeypatch):
    """On another rank the same calls leave nothing and raise nothing."""
    monkeypatch.setenv("RANK", "1")
    other = rla.Tester()
    other.configure("words", log_root=run.paths.log_root, writers=["csv"], backup="none")
    other.log_files_gen()
    other.add_scalar("x", 1.0, 0)
    other.add_text("x", "x")
    other.add_histogram("x", [1.0])
    other.add_image("x", np.zeros((3, 2, 2)))
    assert other.add_video("x", np.zeros((1, 2, 2, 3), np.uint8)) is None
    assert not (run.log_dir / "progress.csv").exists() and list(run.results_dir.iterdir()) == []


def test_text_and_hyperparameters(run):
    """Texts stand in the Text tab; hyper-parameters join the run's, with their metrics as a row."""
    run.add_text("note", "**bold**", 2)
    run.add_hparams({"lr": 0.1}, {"score": 7.0})
    shown = read(run)
    (event,) = shown.Tensors("note")
    assert (event.step, event.tensor_proto.string_val[0]) == (2, b"**bold**")
    assert run.parameters() == {"lr": 0.1}
    assert [event.value for event in shown.Scalars("score")] == [7.0]


@pytest.mark.parametrize(
    "add",
    [
        lambda run: run.add_image("x", np.zeros((2, 2, 2, 2))),
        lambda run: run.add_image("x", np.zeros((3, 4)), dataformats="CHW"),
        lambda run: run.add_video("x", np.zeros((4, 4)), fps=0),
        lambda run: run.add_histogram("x", [np.nan]),
        lambda run: run.add_histogram("x", ["a", "b"]),
        lambda run: run.add_histogram("x", [1.0], bins=-1),
        lambda run: run.add_image("x", "no picture"),
        lambda run: run.add_images("x", np.zeros((3, 4))),
        lambda run: run.add_images("x", object()),
        lambda run: run.add_video("x", object()),
        lambda run: run.add_video("x", np.zeros((0, 4, 4, 3))),
        lambda run: run.add_figure("x", "no figure"),
        lambda run: run.add_scalar("x", object()),
    ],
)
def test_what_cannot_be_shown_gives_one_warning(run, add):
    """The training goes on, and a second time nothing is said."""
    with pytest.warns(RLAWarning, match="'x'"):
        add(run)
    add(run)
    assert list(run.results_dir.iterdir()) == []


def _methods_of(kind):
    return {name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))}


def test_all_words_of_summary_writer_exist(run):
    """Of torch's writer and of tensorboardX's; what a run has no place for warns once, here, and takes everything."""
    torch = pytest.importorskip("torch.utils.tensorboard")
    words = _methods_of(torch.SummaryWriter) | {"add_image_with_boxes", "export_scalars_to_json", "add_openvino_graph"}
    assert not words - set(dir(rla.Run))
    missing = {name for name in words if "no place" in str(getattr(getattr(rla.Run, name), "__doc__", ""))}
    assert not missing
    for name in ("add_graph", "add_onnx_graph", "add_openvino_graph"):
        with pytest.warns(RLAWarning, match=f"^{name} has no effect") as caught:
            getattr(run, name)("tag", object(), global_step=1, anything=2)
        assert caught[0].filename == __file__
        getattr(run, name)()
    silent = rla.Run.silent()
    silent.add_audio("x", 1)
    assert silent.get_logdir() is None


def test_a_run_is_used_like_a_writer(run):
    """get_logdir, logdir, file_writer, close and with: the run goes on after each."""
    with run.run as writer:
        writer.add_scalar("a", 1.0, 0)
        assert writer is run.run and writer.file_writer is writer
        assert writer.get_logdir() == writer.logdir == str(run.run.log_dir)
    writer.add_scalar("a", 2.0, 1)
    writer.close()
    assert [event.value for event in read(run).Scalars("a")] == [1.0, 2.0]
    assert run.status == "running"


def test_walltime_is_the_time_of_the_row(run):
    """Of add_scalars, text and histograms, too."""
    run.add_scalar("a", 1.0, 0, 1000.0)
    run.add_scalars("m", {"x": {"y": 1.0}}, 0, 2000.0)
    run.add_text("t", "x" * 2_000_000, 0, 3000.0)
    run.add_histogram("h", [1.0], 0, walltime=4000.0)
    shown = read(run)
    assert shown.Scalars("a")[0].wall_time == 1000.0
    assert shown.Scalars("m/x/y")[0].wall_time == 2000.0
    assert shown.Histograms("h")[0].wall_time == 4000.0
    (text,) = shown.Tensors("t")
    assert text.wall_time == 3000.0 and len(text.tensor_proto.string_val[0]) < 1_000_100


def test_a_graph_of_tensorflow_is_shown(run, read_events):
    """Of a session, a graph, or a GraphDef: whatever gives the message. RLA's tester.writer is the run."""
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    class TheirGraph:
        def as_graph_def(self):
            made = GraphDef()
            made.node.add(name="loss", op="Add")
            return made

    class Session:
        graph = TheirGraph()

    for each in (Session(), TheirGraph(), TheirGraph().as_graph_def()):
        run.writer.add_graph(each)
    assert run.writer is run.run
    found = [GraphDef.FromString(event.graph_def) for event in read_events(run.tensorboard_dir) if event.graph_def]
    assert [graph.node[0].name for graph in found] == ["loss"] * 3
