"""RLA's recorders keep what pyplot draws, and pictures of numpy, in the run's results and in TensorBoard."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from PIL import Image

import rla_hooks as rla
from rla_hooks.easy_log.complex_data_recorder import ImgRecorder, MatplotlibRecorder
from rla_hooks.errors import RLAWarning, RunError
from rla_hooks.testing import MemoryWriter

pytestmark = [
    pytest.mark.usefixtures("quiet", "no_window"),
    pytest.mark.filterwarnings("error::rla_hooks.errors.RLAWarning"),
]


@pytest.fixture
def no_window(monkeypatch):
    """Figures of other tests are closed, and pyplot needs no screen."""
    monkeypatch.setitem(matplotlib.rcParams, "backend", "agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture
def run(tmp_path):
    with rla.run(task="t", log_root=tmp_path / "root", writers=[MemoryWriter()], backup="none") as run:
        run.time_step_holder.set_time(100)
        yield run


def shown(run):
    """What TensorBoard gets: the step and the name of each picture."""
    return [(event.step, event.tag) for event in run.logger.output_formats[0].media if event.tag != "hyperparameters"]


def names(run):
    return sorted(path.relative_to(run.results_dir).as_posix() for path in run.results_dir.rglob("*") if path.is_file())


def size(path):
    with Image.open(path) as image:
        return image.size


def two_curves():
    plt.plot([1, 2, 3], label="pred")
    plt.plot([3, 1, 2], label="real")


def test_a_function_draws_what_rla_would_have_saved(run):
    """The file has the time step before its name, in sub-folders, too; the name's ending says what kind it is."""
    for step in (0, 10):
        run.time_step_holder.set_time(step)
        MatplotlibRecorder.pretty_plot_wrapper("react", two_curves, xlabel="x", ylabel="y", title="test")
        path = MatplotlibRecorder.pretty_plot_wrapper("imgs/react.pdf", two_curves, pretty_plot=True)
    assert path.read_bytes().startswith(b"%PDF")
    assert names(run) == ["0-react.png", "10-react.png", "imgs/0-react.pdf", "imgs/10-react.pdf"]
    assert shown(run) == [(0, "react"), (0, "imgs/react"), (10, "react"), (10, "imgs/react")]


@pytest.mark.parametrize("pretty", [False, True])
def test_texts_and_legend_are_those_asked_for(run, pretty):
    """RLA's 2024 line left them out without pretty_plot; a script that names them wants them."""
    looks = {"xlabel": "episode", "ylabel": "return", "title": "evaluation", "legend_outside": True}
    MatplotlibRecorder.pretty_plot_wrapper("f", two_curves, pretty_plot=pretty, close_all_fig=False, **looks)
    axes = plt.gca()
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("episode", "return", "evaluation")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["pred", "real"]
    assert (axes.xaxis.label.get_fontsize() == 18) is pretty
    plain = MatplotlibRecorder.pretty_plot_wrapper("g", lambda: plt.plot([1, 2]))
    assert size(run.results_dir / "100-f.png")[0] > size(plain)[0]  # the legend beside the axes is not cut off


def test_the_users_own_figures_stay_open(run):
    """The function draws into a figure of its own, or into one that it opens; the user's is the current one again."""
    mine = plt.figure(figsize=(2, 1))
    plt.plot([5, 6])

    def opens_another():
        plt.figure(figsize=(3, 1))
        plt.plot([1, 2])

    MatplotlibRecorder.pretty_plot_wrapper("own", two_curves)
    path = MatplotlibRecorder.pretty_plot_wrapper("other", opens_another, bbox_inches=None, dpi=100)
    assert size(path) == (300, 100)
    assert plt.get_fignums() == [mine.number] and plt.gcf() is mine and len(plt.gca().lines) == 1
    MatplotlibRecorder.pretty_plot_wrapper("left", two_curves, close_all_fig=False)
    assert len(plt.get_fignums()) == 2 and plt.gcf() is mine


def test_a_figure_or_the_current_one_is_saved(run, tmp_path):
    """By default that of pyplot; one that is there stays, unless cover; results_dir is another folder."""
    figure = plt.figure()
    path = MatplotlibRecorder.save("mine", add_timestamp=False)
    assert path == run.results_dir / "mine.png"
    with pytest.warns(RLAWarning, match="'mine' is there already.*cover=True"):
        assert MatplotlibRecorder.save("mine", figure, add_timestamp=False) is None
    assert MatplotlibRecorder.save("mine", figure, cover=True, add_timestamp=False) == path
    there = MatplotlibRecorder.save("imgs/mine.png", fig=figure, results_dir=str(tmp_path / "else") + "/")
    assert there == tmp_path / "else" / "imgs" / "100-mine.png" and there.is_file()
    with pytest.warns(RLAWarning, match="MatplotlibRecorder.save leaves out transparent. It knows .*dpi"):
        assert MatplotlibRecorder.save("clear", figure, transparent=True).name == "100-clear.png"


def test_a_picture_has_the_colours_that_cv2_would_give_it(run):
    """Blue comes first in an array of cv2's; numbers of 0 to 255 may be floats."""
    array = np.zeros((2, 3, 3))
    array[..., 2], array[0, 0, 0] = 255, 300
    for given in (array, array.clip(0, 255).astype(np.uint8)):
        path = ImgRecorder.save("frames/red.png", given, cover=True)
        assert path == run.results_dir / "frames" / "100-red.png"
        with Image.open(path) as image:
            assert image.size == (3, 2) and image.getpixel((2, 1)) == (255, 0, 0)
            assert image.getpixel((0, 0)) == (255, 0, 255)
    with Image.open(ImgRecorder.save("grey.jpg", np.full((2, 2), 7, np.uint8), add_timestamp=False)) as image:
        assert image.getpixel((0, 0)) == 7 and image.filename.endswith("/grey.png")


@pytest.mark.parametrize(
    "record",
    [
        lambda: MatplotlibRecorder.pretty_plot_wrapper("bad", lambda: 1 / 0),
        lambda: MatplotlibRecorder.pretty_plot_wrapper("bad", None),
        lambda: MatplotlibRecorder.save("nothing open"),
        lambda: MatplotlibRecorder.save("bad", fig="no figure"),
        lambda: ImgRecorder.save("bad", None),
        lambda: ImgRecorder.save("bad", np.zeros((2, 2, 7))),
    ],
)
def test_what_cannot_be_recorded_stops_no_training(run, record):
    """One warning names the figure, and no figure stays open."""
    with pytest.warns(RLAWarning, match="the figure .* was not"):
        assert record() is None
    assert names(run) == [] and plt.get_fignums() == []


def test_nothing_is_drawn_where_nothing_is_written(tmp_path, monkeypatch):
    """With tracking off the function is not called; outside of a run the error says what to do."""
    with pytest.raises(RunError, match=r"MatplotlibRecorder\.save was called outside a run"):
        MatplotlibRecorder.save("f")
    monkeypatch.setenv("RLA_MODE", "off")
    with rla.run(task="t", log_root=tmp_path / "root"):
        assert MatplotlibRecorder.pretty_plot_wrapper("f", lambda: pytest.fail("it was called")) is None
    assert not Path(tmp_path, "root").exists()
