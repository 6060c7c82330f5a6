"""The simple plots show what they were given, and refuse what cannot be shown."""

from __future__ import annotations

import threading
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from rla_hooks import figures
from rla_hooks.errors import ConfigError
from rla_hooks.figures.simple import hist_figure, plot_figure, scatter_figure


@pytest.fixture(autouse=True)
def _strict():
    """An unexpected warning fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("default", DeprecationWarning)  # matplotlib 3.7 with a newer pyparsing
        yield


def curves(figure: Figure) -> list[list[float]]:
    return [line.get_ydata().tolist() for line in figure.axes[0].lines]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


# --- curves -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        [1, 2, 3],
        [[1, 2, 3]],
        (1, 2, 3),
        range(1, 4),
        np.array([1, 2, 3]),
        np.array([[1, 2, 3]]),
        [np.array([1, 2, 3], np.float16)],
        [np.float32(1), 2, np.array(3)],
        np.array([1, 2, 3], object),
    ],
)
def test_one_curve_comes_in_many_forms(data):
    """A flat list is one curve; a 2-D array holds its rows."""
    assert curves(plot_figure(data)) == [[1, 2, 3]]


def test_curves_of_pandas_and_torch():
    """A Series is one curve, a DataFrame one a column, tensors may need gradients, in a list as well."""
    pandas, torch = pytest.importorskip("pandas"), pytest.importorskip("torch")
    tensor = torch.tensor([1.0, 2.0], requires_grad=True)
    series = pandas.Series([1, 2], index=[7, 9])
    for data in (series, tensor, [tensor], tensor.to(torch.bfloat16), list(tensor)):
        assert curves(plot_figure(data)) == [[1, 2]]
    for data in (pandas.DataFrame({"figure": [1, 2], "b": [3, 4]}), torch.tensor([[1, 2], [3, 4]])):
        assert curves(plot_figure(data)) == [[1, 2], [3, 4]]


def test_curves_may_have_different_lengths_and_gaps(tmp_path):
    """NaN, infinities, None and what overflows an axis are gaps; a single point gets a marker, or it were invisible."""
    figure = plot_figure([[1, 2], [5, float("nan"), float("inf"), 7, None, 1e308], [], [6]])
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), [5, np.nan, np.nan, 7, np.nan, np.nan])
    assert [line.get_marker() for line in figure.axes[0].lines] == ["None", "None", "None", "o"]
    assert figures.save(tmp_path, "f", figure).png == (tmp_path / "f.png").read_bytes()


def test_one_x_serves_all_curves_or_each_has_its_own():
    """y without x counts from 0."""
    for given, expected in (
        ({"x": [10, 20], "y": [[1, 2], [3, 4]]}, [[10, 20], [10, 20]]),
        ({"x": [[1, 2], [3]], "y": [[1, 2], [3]]}, [[1, 2], [3]]),
        ({"y": [5, 6]}, [[0, 1]]),
    ):
        assert [line.get_xdata().tolist() for line in plot_figure(**given).axes[0].lines] == expected


def test_a_title_and_a_legend_inside():
    """Of curves and histograms; by default the legend stands beside the axes, where it hides nothing."""
    for figure in (
        plot_figure([1, 2], labels=["a"], title="t", legend_outside=False),
        hist_figure([1, 2], labels=["a"], title="t", legend_outside=False),
    ):
        (axes,) = figure.axes
        assert axes.get_title() == "t" and not figure.legends
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a"]
    assert scatter_figure([[[1, 2]]], title="t").axes[0].get_title() == "t"


@pytest.mark.parametrize(
    "given, said",
    [
        ({}, "neither data nor y"),
        ({"x": [1]}, "neither data nor y"),
        ({"data": [1], "y": [1]}, "both data and y"),
        ({"data": []}, r"data cannot be drawn: it is \[\]"),
        ({"data": [[], []]}, "data cannot be drawn"),
        ({"data": np.zeros((0, 3))}, r"data cannot be drawn.*shape \(0, 3\)"),
        ({"data": 3}, r"data cannot be drawn: it is 3 \(int\)"),
        ({"data": "abc"}, "data cannot be drawn.*str"),
        ({"data": ["a", "b"]}, r"data\[0\] cannot be drawn"),
        ({"data": [1, [2]]}, r"data\[0\] cannot be drawn"),
        ({"data": {"a": [1]}}, "data cannot be drawn.*dict"),
        ({"data": [[1], ["x"]]}, r"data\[1\] cannot be drawn"),
        ({"data": [1 + 2j]}, r"data\[0\] cannot be drawn"),
        ({"data": np.zeros((2, 2, 2))}, r"data\[0\] cannot be drawn.*shape \(2, 2\)"),
        ({"data": [[1], [2]], "labels": ["a"]}, "labels has 1 entries where 2 are drawn"),
        ({"data": [1], "colors": ["r", "b"]}, "colors has 2 entries where 1 are drawn"),
        ({"data": [1], "styles": []}, "styles has 0 entries where 1 are drawn"),
        ({"data": [1], "styles": ["nonsense"]}, r"Axes\.plot refuses .*'nonsense'"),
        ({"data": [1], "styles": 3}, r"Axes\.plot refuses .*3"),
        ({"data": [1], "colors": ["reddish"]}, r"Axes\.plot refuses .*'reddish'"),
        ({"data": [1], "nonsense": 1}, r"Axes\.plot refuses .*'nonsense'"),
        ({"x": [[1], [2]], "y": [[1], [2], [3]]}, "x has curves"),
        ({"x": [1, 2], "y": [1, 2, 3]}, r"x has curves of \[2\] numbers and y of \[3\]"),
    ],
)
def test_what_cannot_be_plotted_is_refused(given, said):
    """Each message has the value, what is allowed and what to do."""
    with pytest.raises(ConfigError, match=rf"(?s){said}.*Allowed: .*\. \w+"):
        plot_figure(**given)


def test_styles_and_colours_are_honoured_and_replace_each_other():
    """A colour given beside a format string with a colour wins, without matplotlib's warning."""
    figure = plot_figure([[1, 2]] * 4, styles=["rx--", "", "b:", "o"], colors=["k", None, None, "C3"])
    assert [(to_hex(line.get_color()), line.get_linestyle(), line.get_marker()) for line in figure.axes[0].lines] == [
        (to_hex("k"), "--", "x"),
        (to_hex("C0"), "-", "None"),
        (to_hex("b"), ":", "None"),
        (to_hex("C3"), "None", "o"),
    ]
    (line,) = plot_figure([1, 2], ls="--", lw=5).axes[0].lines
    assert (line.get_linestyle(), line.get_linewidth()) == ("--", 5)


def test_the_colour_is_on_the_picture(tmp_path):
    """A red curve leaves red pixels and no blue ones."""
    path = figures.save(tmp_path, "f", plot_figure([0, 1, 0], colors=["#ff0000"])).path
    pixels = np.asarray(Image.open(path))[..., :3]
    assert (pixels == [255, 0, 0]).all(axis=-1).sum() > 300
    assert not (pixels == [0, 0, 255]).all(axis=-1).any()


@pytest.mark.parametrize("count", [1, 12, 40])
def test_curves_look_different_and_the_legend_hides_none_of_them(tmp_path, count):
    """Colours repeat with dashes after ten. The legend stands beside the axes, in a picture that is wider for it."""
    labels = [f"seed={i}&lr=0.001" for i in range(count)]
    figure = plot_figure([[i, i + 1] for i in range(count)], labels=labels)
    figures.save(tmp_path, "f", figure)
    lines, axes = figure.axes[0].lines, figure.axes[0].get_window_extent()
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == count
    assert legend(figure) == labels
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= axes.x1 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 and axes.width > 5 * figure.dpi


def test_labels_hold_anything(tmp_path):
    """Characters that no font has, math, numbers, long names; None leaves a curve out of the legend."""
    labels = ["奖励", "$\\alpha$", 3, None, "x" * 300]
    figure = plot_figure([[1, 2]] * 5, labels=labels, xlabel="步数", ylabel="é Ω")
    figures.save(tmp_path, "f", figure, pretty=True)
    assert legend(figure) == ["奖励", "$\\alpha$", "3", "x" * 300]


def test_a_million_points_are_drawn(tmp_path):
    """Agg gives up on paths that are too complex, and a legend that looks for a free place takes seconds."""
    noise = np.random.default_rng(0).normal(size=(2, 500_000))
    figures.save(tmp_path, "f", plot_figure(noise, labels=["a", "b"]))


def test_plots_follow_the_users_settings_and_leave_them(tmp_path):
    """Also in a thread, as a training may draw in one."""
    with matplotlib.rc_context({"figure.facecolor": "black", "axes.prop_cycle": matplotlib.cycler(color=["r"])}):
        settings, drawn = matplotlib.rcParams.copy(), []
        thread = threading.Thread(target=lambda: drawn.append(plot_figure([[1, 2], [2, 3]])))
        thread.start(), thread.join()
        assert [(line.get_color(), line.get_linestyle()) for line in drawn[0].axes[0].lines] == [
            ("r", "-"),
            ("r", "--"),
        ]
        assert np.asarray(Image.open(figures.save(tmp_path, "f", drawn[0]).path))[0, 0, :3].tolist() == [0, 0, 0]
        assert matplotlib.rcParams.copy() == settings


# --- clouds -----------------------------------------------------------------------------------------------------------


def test_scatter_shows_every_finite_point_and_names_the_clouds(tmp_path):
    """The text stands at the mean of the points that can be drawn."""
    clouds = [np.array([[0.0, 0.0], [2.0, 4.0], [np.nan, 1.0]]), [[5, 5]], np.zeros((0, 2))]
    figure = scatter_figure(clouds, ["a", 7, "c"], xlabel="x")
    (axes,) = figure.axes
    assert [one.get_offsets().tolist() for one in axes.collections] == [[[0, 0], [2, 4]], [[5, 5]], []]
    assert len({to_hex(one.get_facecolor()[0]) for one in axes.collections}) == 3
    assert [(text.get_text(), tuple(text.xy)) for text in axes.texts] == [("a", (1, 2)), ("7", (5, 5))]
    figures.save(tmp_path, "f", figure)


def test_one_cloud_may_stand_by_itself():
    """Keywords go to Axes.scatter: c= replaces the colour."""
    (cloud,) = scatter_figure(np.ones((4, 2)), "name", c="r").axes[0].collections
    assert len(cloud.get_offsets()) == 4 and to_hex(cloud.get_facecolor()[0]) == "#ff0000"


@pytest.mark.parametrize(
    "datas, options, said",
    [
        ([], {}, "datas cannot be drawn"),
        ([np.zeros((0, 2))], {}, "datas cannot be drawn"),
        ([np.zeros((5, 3))], {}, "datas cannot be drawn"),
        (None, {}, r"datas\[0\] cannot be drawn: it is None"),
        ([np.ones((1, 2)), [1, 2]], {}, r"datas\[1\] cannot be drawn"),
        ([np.array([["a", "b"]])], {}, r"datas\[0\] cannot be drawn.*shape \(1, 2\)"),
        ([np.ones((1, 2))] * 2, {"texts": ["a"]}, "texts has 1 entries where 2 are drawn"),
        ([np.ones((1, 2))], {"marker": "nonsense"}, r"Axes\.scatter refuses .*'nonsense'"),
    ],
)
def test_what_is_no_cloud_is_refused(datas, options, said):
    """With the value, what is allowed and what to do."""
    with pytest.raises(ConfigError, match=rf"(?s){said}.*Allowed: .*\. \w+"):
        scatter_figure(datas, **options)


# --- histograms -------------------------------------------------------------------------------------------------------


def test_histograms_share_their_bins_and_leave_out_what_is_not_finite(tmp_path):
    """Heights, colours and outlines are as given."""
    data = [[1, 1, 2, np.nan], [2, 3, 3, 3, np.inf]]
    figure = hist_figure(data, ["a", "b"], colors=["r", None], styles=["--", None], bins=2)
    patches = figure.axes[0].patches
    assert [float(patch.get_path().vertices[:, 1].max()) for patch in patches] == [2, 4]
    assert {tuple(np.unique(patch.get_path().vertices[:, 0])) for patch in patches} == {(1, 2, 3)}
    assert [to_hex(patch.get_edgecolor()) for patch in patches] == ["#ff0000", to_hex("C1")]
    assert patches[0].get_linestyle() != patches[1].get_linestyle() and legend(figure) == ["a", "b"]
    figures.save(tmp_path, "f", figure)


@pytest.mark.parametrize("data", [[5.5] * 9, [1e9, *np.linspace(0, 1, 999)], [np.nan], [True], [[], [1, 2]]])
def test_odd_samples_give_a_histogram(tmp_path, data):
    """One value, an outlier that would make a billion bins, nothing finite, nothing at all beside something."""
    figure = hist_figure(data)
    assert all(len(patch.get_path().vertices) < 300 for patch in figure.axes[0].patches)
    figures.save(tmp_path, "f", figure)


@pytest.mark.parametrize("wrong", [{"bins": -1}, {"nonsense": 1}, {"styles": ["nonsense"]}, {"colors": ["reddish"]}])
def test_what_hist_does_not_know_is_refused(wrong):
    """As matplotlib says it, with what was given."""
    with pytest.raises(ConfigError, match=r"Axes\.hist refuses .*(-1|nonsense|reddish).*Allowed: .*Correct"):
        hist_figure([1, 2], **wrong)
