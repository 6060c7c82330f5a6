"""Figures are written whole, inside their folder, and nothing of the user's matplotlib changes."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from rla_hooks import figures
from rla_hooks.errors import ConfigError, RLAWarning, WarnOnce

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Each test starts with no warning said, and an unexpected warning fails it."""
    monkeypatch.setattr(figures, "_warn", WarnOnce())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def drawn() -> Figure:
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([1, 2, 3])
    return figure


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


# -- what is written -----------------------------------------------------------------------------------------


def test_a_figure_is_a_png_of_its_size_in_pixels(tmp_path):
    """The size follows from inches and dpi, and the bytes handed back are the file's."""
    picture = figures.save(tmp_path / "new", "curve", drawn(), dpi=50)
    assert picture.path == tmp_path / "new" / "curve.png"
    assert picture.path.read_bytes() == picture.png
    assert (picture.width, picture.height) == (150, 100) == size(picture.path)


def test_pretty_writes_a_pdf_with_truetype_fonts_and_returns_a_png(tmp_path):
    """Type 3 fonts, matplotlib's default, are refused by journals; TensorBoard needs a PNG all the same."""
    before = matplotlib.rcParams.copy()
    picture = figures.save(tmp_path, "curve", drawn(), step=3, pretty=True)
    content = picture.path.read_bytes()
    assert picture.path.name == "curve-3.pdf"
    assert content.startswith(b"%PDF") and b"/FontFile2" in content and b"/Type3" not in content
    assert Image.open(io.BytesIO(picture.png)).size == (picture.width, picture.height) == (300, 200)
    assert matplotlib.rcParams.copy() == before  # comparing rcParams itself would choose a backend


def test_many_threads_leave_the_rcparams_as_they_were(tmp_path):
    """Threads that draw PDFs at the same time must not put back each other's settings."""
    before = matplotlib.rcParams.copy()
    work = [
        threading.Thread(target=figures.save, args=(tmp_path, f"f{i}", drawn()), kwargs={"pretty": True})
        for i in range(8)
    ]
    [one.start() for one in work]
    [one.join() for one in work]
    assert files(tmp_path) == [f"f{i}.pdf" for i in range(8)]
    assert matplotlib.rcParams.copy() == before  # comparing rcParams itself would choose a backend


@pytest.mark.parametrize(
    "step, name", [(None, "f.png"), (0, "f-0.png"), (np.int64(7), "f-7.png"), (2.0, "f-2.png")]
)
def test_the_step_stands_in_the_name(tmp_path, step, name):
    """Step 0 is a step."""
    assert figures.save(tmp_path, "f", drawn(), step).path.name == name
    assert figures.exists(tmp_path, "f", step)
    assert not figures.exists(tmp_path, "f", 5) and not figures.exists(tmp_path, "f", step, pretty=True)


@pytest.mark.parametrize("step", [1.5, "one", float("nan"), [1, 2]])
def test_a_step_that_is_no_whole_number_is_refused(tmp_path, step):
    """Nothing is written."""
    with pytest.raises(ConfigError, match="whole number"):
        figures.save(tmp_path, "f", drawn(), step)
    assert files(tmp_path) == []


def test_an_existing_figure_is_replaced_and_no_temporary_file_stays(tmp_path):
    """The last picture wins."""
    figures.save(tmp_path, "f", np.zeros((4, 4), np.uint8))
    figures.save(tmp_path, "f", np.full((4, 4), 9, np.uint8))
    assert files(tmp_path) == ["f.png"] and (read(tmp_path / "f.png") == 9).all()


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "..",
        "a//./b",
        "n\nl",
        "nul\0",
        "%2F",
        "~",
        "C:\\x",
        "x" * 999,
        "图" * 999,
        "a" * 251,
    ],
)
def test_no_name_leaves_the_folder(tmp_path, name):
    """Each part is escaped and short enough for a file system, with the step as well."""
    folder = tmp_path / "results"
    path = figures.save(folder, name, np.zeros((2, 2), bool), step=123456).path
    assert path.is_file() and path.resolve().is_relative_to(folder) and path.name.endswith("-123456.png")
    assert all(part.name == "results" for part in tmp_path.iterdir())
    assert all(len(part.encode()) <= 255 for part in path.parts)
    assert figures.exists(folder, name, 123456)


def test_slashes_make_sub_folders_and_a_given_suffix_is_not_doubled(tmp_path):
    """Different long names stay different files."""
    for name in ("eval/frame", "eval/frame.v2", "curve.png", "x" * 300 + "a", "x" * 300 + "b"):
        figures.save(tmp_path, name, np.zeros((2, 2), bool))
    assert {"eval/frame.png", "eval/frame.v2.png", "curve.png"} < set(files(tmp_path))
    assert len(files(tmp_path)) == 5


@pytest.mark.parametrize("name", ["", "/", ".", None, 3])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    """The message shows it and an example of a good one."""
    with pytest.raises(ConfigError, match=r"name is .*Allowed: .*Give a name such as"):
        figures.save(tmp_path, name, drawn())


def test_a_symbolic_link_does_not_lead_out_of_the_folder(tmp_path):
    """Somebody's link inside results/ points elsewhere: nothing is written there."""
    outside, folder = tmp_path / "outside", tmp_path / "results"
    outside.mkdir(), folder.mkdir()
    (folder / "link").symlink_to(outside, target_is_directory=True)
    with pytest.raises(ConfigError, match="outside"):
        figures.save(folder, "link/x", drawn())
    assert files(outside) == []


# -- the user's matplotlib -----------------------------------------------------------------------------------


def test_pyplot_is_not_imported(tmp_path):
    """Importing pyplot chooses a backend, which is the user's choice."""
    code = (
        "import sys, pathlib; from rla_hooks import figures as f; folder = pathlib.Path(sys.argv[1])\n"
        "f.save(folder, 'a', f.plot_figure([1, 2]))\n"
        "f.save(folder, 'b', f.scatter_figure([[1, 2]]), pretty=True)\n"
        "f.save(folder, 'c', f.hist_figure([1, 2])); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, cwd=Path(figures.__file__).parents[1]
    )
    assert files(tmp_path) == ["a.png", "b.pdf", "c.png"]


def test_open_figures_the_backend_and_the_settings_stay(tmp_path):
    """A user works with pyplot, its svg backend and a style sheet while figures are saved in a thread."""
    plt = pytest.importorskip("matplotlib.pyplot")
    with plt.rc_context():
        old = plt.get_backend()
        plt.switch_backend("svg")
        plt.style.use("dark_background")
        first, second = plt.figure(), plt.figure()
        first.add_subplot().plot([1, 2])
        canvas, settings, dpi = first.canvas, matplotlib.rcParams.copy(), first.dpi

        def work():
            figures.save(tmp_path, "mine", first, dpi=33, pretty=True)
            figures.save(tmp_path, "plot", figures.plot_figure([1, 2], labels=["a"]))
            figures.save(tmp_path, "pyplot", plt)

        thread = threading.Thread(target=work)
        thread.start(), thread.join()
        assert files(tmp_path) == ["mine.pdf", "plot.png", "pyplot.png"]
        assert plt.get_fignums() == [first.number, second.number] and plt.gcf() is second
        assert first.canvas is canvas and canvas.figure is first and first.dpi == dpi
        assert plt.get_backend() == "svg" and matplotlib.rcParams.copy() == settings
        assert read(tmp_path / "plot.png")[0, 0, :3].tolist() == [0, 0, 0], "the user's style is followed"
        plt.close("all")
        plt.switch_backend(old)


def test_pyplot_without_a_figure_is_refused_and_opens_none(tmp_path):
    """gcf() would make an empty one."""
    plt = pytest.importorskip("matplotlib.pyplot")
    with pytest.raises(ConfigError, match="0 figures open"):
        figures.save(tmp_path, "f", plt)
    assert plt.get_fignums() == []


class Window(FigureCanvasAgg):
    """A canvas that, like those of GUIs, must not be drawn on from another thread."""

    def print_figure(self, *args, **kwargs):
        raise AssertionError("the window was drawn on")


@pytest.mark.parametrize("broken", [False, True])
def test_the_canvas_of_a_window_is_left_alone(tmp_path, broken):
    """It is not drawn on, and it is the figure's canvas again, also where the drawing fails."""
    figure = drawn()
    canvas = Window(figure)
    if broken:
        figure.suptitle(r"$\nonsense{$")
        with pytest.raises(ConfigError, match="cannot be drawn"):
            figures.save(tmp_path, "f", figure)
        assert files(tmp_path) == []
    else:
        figures.save(tmp_path, "f", figure)
    assert figure.canvas is canvas


class Grid:
    """What a seaborn grid looks like."""

    def __init__(self):
        self.figure = drawn()

    def savefig(self, *args, **kwargs):
        self.figure.savefig(*args, **{**kwargs, "dpi": 10})


def test_whatever_belongs_to_a_figure_stands_for_it(tmp_path):
    """Axes, arrays of Axes, (figure, axes), lines and grids; a grid's own savefig is preferred."""
    figure = drawn()
    axes = figure.axes[0]
    nested = Figure(figsize=(3, 2)).subfigures(1, 2)[0].add_subplot()
    for thing in (figure, axes, np.array([[axes, axes]]), (figure, axes), [axes], nested, list(axes.lines)):
        assert figures.save(tmp_path, "f", thing).width == 300
    assert figures.save(tmp_path, "f", Grid()).width == 30


# -- arrays --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4), (1, 1), (3, 3, 3)])
def test_an_array_of_bytes_comes_back_exactly(tmp_path, shape):
    """PNG loses nothing; arrays that are no contiguous memory as well."""
    array = RNG.integers(0, 256, shape, dtype=np.uint8)[::-1]
    picture = figures.save(tmp_path, "a", array, pretty=True)
    np.testing.assert_array_equal(read(picture.path), array)
    assert (picture.width, picture.height) == (shape[1], shape[0])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_may_come_first(tmp_path, channels):
    """That is torch's order."""
    array = RNG.integers(0, 256, (channels, 5, 7), dtype=np.uint8)
    expected = array[0] if channels == 1 else np.moveaxis(array, 0, -1)
    np.testing.assert_array_equal(read(figures.save(tmp_path, "a", array).path), expected)


@pytest.mark.parametrize(
    "array, expected",
    [
        (np.array([[True, False]]), [[255, 0]]),
        (np.array([[0, 128, 255]], np.int64), [[0, 128, 255]]),
        (np.array([[0.0, 0.2, 1.0]]), [[0, 51, 255]]),
        (np.array([[0.0, 0.5, 1.0]], np.float16), [[0, 128, 255]]),
        ([[0, 7]], [[0, 7]]),
    ],
)
def test_values_in_range_keep_their_brightness(tmp_path, array, expected):
    """Bools are black and white, integers are bytes, floats run from 0 to 1."""
    assert read(figures.save(tmp_path, "a", array).path).tolist() == expected


@pytest.mark.parametrize(
    "array, expected",
    [
        (np.array([[-1.0, 0.0, 1.0]]), [[0, 128, 255]]),
        (np.array([[1000, 2000]], np.uint16), [[0, 255]]),
        (np.array([[np.nan, 0.0, 1.0]]), [[0, 0, 255]]),
        (np.array([[-np.inf, 0.0, 1.0, np.inf]]), [[0, 0, 255, 255]]),
        (np.array([[-1.7e308, 1.7e308]]), [[0, 255]]),
        (np.array([[np.nan, np.nan]]), [[0, 0]]),
        (np.array([[5.0, 5.0]]), [[0, 0]]),
        (np.array([[[0.0, 255.0, 100.0, 255.0]]]), [[[0, 255, 100, 255]]]),
    ],
)
def test_values_out_of_range_are_stretched_with_one_warning(tmp_path, array, expected):
    """The warning comes once a figure, not once a step."""
    with pytest.warns(RLAWarning, match="stretched to 0..255") as caught:
        for step in range(3):
            picture = figures.save(tmp_path, "a", array, step)
    assert len(caught) == 1
    assert read(picture.path).tolist() == expected


@pytest.mark.parametrize(
    "thing, said",
    [
        (None, "None"),
        ("a.png", "'a.png'"),
        (3.0, r"shape \(\)"),
        ([], r"shape \(0,\)"),
        ([[1, 2], [3]], "no array"),
        (np.zeros(5), r"shape \(5,\), dtype float64"),
        (np.zeros((0, 5)), "empty"),
        (np.zeros((2, 5, 6)), r"shape \(2, 5, 6\)"),
        (np.zeros((2, 5, 6, 3)), r"shape \(2, 5, 6, 3\)"),
        (np.zeros((2, 2), complex), "complex128"),
        (np.array([[object()]]), "dtype object"),
        (np.array(["a"]), "<U1"),
        (np.zeros((2, 2), [("a", int)]), "dtype "),
        ({"a": 1}, "dtype object"),
        (Image.new("RGB", (0, 3)), "0 x 3"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, thing, said):
    """The message names shape and dtype, what is allowed and what to do; nothing is written."""
    with pytest.raises(ConfigError, match=rf"it is .*{said}.*\. Allowed: .*\. Give one picture"):
        figures.save(tmp_path, "a", thing)
    assert files(tmp_path) == []


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "F", "I", "I;16"])
def test_pil_images_of_every_mode_are_saved(tmp_path, mode):
    """Modes that PNG lacks become RGB or grey."""
    if mode in ("F", "I", "I;16"):
        image = Image.new(mode, (4, 3), 1)
    else:
        image = Image.new("RGB", (4, 3), "red").convert("L" if mode == "LA" else mode).convert(mode)
    picture = figures.save(tmp_path, "a", image)
    assert size(picture.path) == (4, 3)
    if mode in ("P", "RGB", "RGBA", "CMYK"):
        with Image.open(picture.path) as written:
            assert written.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_tensors_are_pictures(tmp_path):
    """Tensors that need gradients or are bfloat16 have no direct numpy form."""
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[0.0, 0.5, 1.0]])
    for one in (tensor.requires_grad_(), tensor.to(torch.bfloat16), tensor.half()):
        assert read(figures.save(tmp_path, "a", one).path).tolist() == [[0, 128, 255]]


# -- simple plots --------------------------------------------------------------------------------------------


def curves(figure: Figure) -> list[list[float]]:
    return [line.get_ydata().tolist() for line in figure.axes[0].lines]


def legend(figure: Figure) -> list[str]:
    found = figure.legends + [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    return [text.get_text() for one in found for text in one.get_texts()]


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
        [np.array([[1], [2], [3]])],
        (x for x in [1, 2, 3]),
        np.array([1, 2, 3], object),
    ],
)
def test_one_curve_comes_in_many_forms(data):
    """A flat list is one curve; a 2-D array holds its rows."""
    assert curves(figures.plot_figure(data)) == [[1, 2, 3]]


def test_curves_of_pandas_and_torch():
    """A Series is one curve, a DataFrame one a column, tensors may need gradients, in a list as well."""
    pandas, torch = pytest.importorskip("pandas"), pytest.importorskip("torch")
    tensor = torch.tensor([1.0, 2.0], requires_grad=True)
    frame = pandas.DataFrame({"figure": [1, 2], "b": [3, 4]})
    for data in (
        pandas.Series([1, 2], index=[7, 9]),
        tensor,
        [tensor],
        tensor.to(torch.bfloat16),
        list(tensor),
    ):
        assert curves(figures.plot_figure(data)) == [[1, 2]]
    assert curves(figures.plot_figure(frame)) == [[1, 2], [3, 4]]
    assert curves(figures.plot_figure(torch.tensor([[1, 2], [3, 4]]))) == [[1, 2], [3, 4]]


def test_curves_may_have_different_lengths_and_gaps(tmp_path):
    """NaN, infinities and None are gaps; a point alone gets a marker, or nothing of it could be seen."""
    figure = figures.plot_figure([[1, 2], [5, float("nan"), float("inf"), 7, None], [], [1e308]])
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), [5, np.nan, np.nan, 7, np.nan])
    assert figure.axes[0].lines[1].get_markevery() == [0, 3]
    assert figures.save(tmp_path, "f", figure).png == (tmp_path / "f.png").read_bytes()


def test_one_x_serves_all_curves_or_each_has_its_own():
    """y without x counts from 0."""
    figure = figures.plot_figure(x=[10, 20], y=[[1, 2], [3, 4]])
    assert [line.get_xdata().tolist() for line in figure.axes[0].lines] == [[10, 20], [10, 20]]
    figure = figures.plot_figure(x=[[1, 2], [3]], y=[[1, 2], [3]])
    assert [line.get_xdata().tolist() for line in figure.axes[0].lines] == [[1, 2], [3]]
    assert figures.plot_figure(y=[5, 6]).axes[0].lines[0].get_xdata().tolist() == [0, 1]


@pytest.mark.parametrize(
    "given, said",
    [
        ({}, "no data"),
        ({"x": [1]}, "x without y"),
        ({"data": [1], "y": [1]}, "data and y"),
        ({"data": []}, "data is empty: 0 curves"),
        ({"data": [[], []]}, "data is empty: 2 curves"),
        ({"data": np.array([])}, "data is empty"),
        ({"data": 3}, "data cannot be drawn.*int"),
        ({"data": "abc"}, "data cannot be drawn.*str"),
        ({"data": ["a", "b"]}, "data cannot be drawn"),
        ({"data": [1, [2]]}, r"data\[0\] cannot be drawn"),
        ({"data": {"a": [1]}}, "data cannot be drawn.*dict"),
        ({"data": [[1], ["x"]]}, r"data\[1\] cannot be drawn"),
        ({"data": [1 + 2j]}, "complex128"),
        ({"data": np.zeros((2, 2, 2))}, r"data\[0\] cannot be drawn.*shape \(2, 2\)"),
        ({"data": np.float64(3)}, "data cannot be drawn"),
        ({"data": [[1], [2]], "labels": ["a"]}, "labels has 1 entries for 2 curves"),
        ({"data": [1], "colors": ["r", "b"]}, "colors has 2 entries for 1 curves"),
        ({"data": [1], "styles": []}, "styles has 0 entries for 1 curves"),
        ({"data": [1], "styles": ["nonsense"]}, "a style is 'nonsense'"),
        ({"data": [1], "styles": [3]}, "a style is 3"),
        ({"data": [1], "colors": ["reddish"]}, r"colors\[0\] is 'reddish'"),
        ({"x": [[1], [2]], "y": [[1], [2], [3]]}, "x has 2 curves and y has 3"),
        ({"x": [1, 2], "y": [1, 2, 3]}, "2 numbers in x and 3 in y"),
        ({"data": [1], "nonsense": 1}, "Axes.plot refuses"),
    ],
)
def test_what_cannot_be_plotted_is_refused(given, said):
    """Each message has the value, what is allowed and what to do."""
    with pytest.raises(ConfigError, match=rf"(?s){said}.*Allowed: .*\. \w+"):
        figures.plot_figure(**given)


def test_styles_and_colours_are_honoured_and_replace_each_other():
    """A colour given beside a format string with a colour wins, without matplotlib's warning."""
    look = [("k", "--", "x"), ("C1", "-", "None"), ("b", ":", "None"), ("C3", "None", "o")]
    lines = (
        figures.plot_figure([[1, 2]] * 4, styles=["rx--", "", "b:", "o"], colors=["k", None, None, None])
        .axes[0]
        .lines
    )
    assert [(to_hex(line.get_color()), line.get_linestyle(), line.get_marker()) for line in lines] == [
        (to_hex(color), line, marker) for color, line, marker in look
    ]
    assert figures.plot_figure([1, 2], styles="r", lw=5).axes[0].lines[0].get_linewidth() == 5


def test_the_colour_is_on_the_picture(tmp_path):
    """A red curve leaves red pixels and no blue ones."""
    pixels = read(figures.save(tmp_path, "f", figures.plot_figure([0, 1, 0], colors=["#ff0000"])).path)[
        ..., :3
    ]
    assert (pixels == [255, 0, 0]).all(axis=-1).sum() > 300
    assert not (pixels == [0, 0, 255]).all(axis=-1).any()


def test_a_dozen_curves_look_different_and_the_legend_hides_none_of_them(tmp_path):
    """Colours repeat after ten, with dashes; the legend then stands beside the axes, in a wider picture."""
    labels = [f"run {i}" for i in range(12)]
    figure = figures.plot_figure([[i, i + 1] for i in range(12)], labels=labels)
    lines = figure.axes[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 12
    picture = figures.save(tmp_path, "f", figure)
    assert picture.width > figures.save(tmp_path, "g", figures.plot_figure([1, 2], labels=["a"])).width
    assert legend(figure) == labels
    box, axes = figure.legends[0].get_window_extent(), figure.axes[0].get_window_extent()
    assert box.x0 >= axes.x1 and box.x1 <= figure.bbox.x1 and axes.width > figure.bbox.width / 2


def test_a_hundred_long_labels_leave_room_for_the_curves(tmp_path):
    """They are cut in the middle; the last entry says how many are left out."""
    figure = figures.plot_figure([[i, i] for i in range(100)], labels=[f"{'x' * 300}{i}" for i in range(100)])
    picture = figures.save(tmp_path, "f", figure)
    assert legend(figure)[-1] == "... and 65 more" and len(legend(figure)) == 36
    assert legend(figure)[1].endswith("x1") and len(legend(figure)[1]) == 44
    assert picture.width < 3000 and figure.axes[0].get_window_extent().width > 500


def test_labels_hold_anything(tmp_path):
    """Broken math, dollars, underscores, tabs and numbers are drawn; None leaves a curve out of the legend."""
    labels = [r"$\broken{", "$5 and $6", "_hidden", "a\tb", 3, None, "$\\alpha$"]
    figure = figures.plot_figure(
        [[1, 2]] * 7, labels=labels, title="$", xlabel=r"$\frac{$", ylabel="y" * 5000, legend_outside=False
    )
    figures.save(tmp_path, "f", figure, pretty=True)
    assert legend(figure) == [r"$\broken{", "$5 and $6", "_hidden", "a   b", "3", "$\\alpha$"]


def test_glyphs_that_no_font_has_become_squares_with_one_warning(tmp_path, monkeypatch):
    """matplotlib would warn for every glyph of every drawing."""
    monkeypatch.setattr(figures, "_WIDE_FONTS", ())
    with pytest.warns(RLAWarning, match="no installed font") as caught:
        for name in ("a", "b"):
            figure = figures.plot_figure([1, 2], labels=["奖励"], xlabel="步数", title="é \ud800 Ω")
            figures.save(tmp_path, name, figure, pretty=True)
    assert len(caught) == 1
    assert legend(figure) == ["□□"] and figure.axes[0].get_title() == "é □ Ω"


def test_a_further_font_serves_what_the_users_font_lacks(tmp_path, monkeypatch):
    """As Noto Sans CJK does for Chinese; here DejaVu Sans for Cyrillic, as matplotlib brings both along."""
    monkeypatch.setattr(figures, "_WIDE_FONTS", ("No Such Font", "DejaVu Sans"))
    monkeypatch.setitem(matplotlib.rcParams, "font.family", ["cmtt10"])
    monkeypatch.setitem(matplotlib.rcParams, "axes.formatter.use_mathtext", True)
    figure = figures.plot_figure([1, 2], title="Ж")
    figures.save(tmp_path, "f", figure)  # a missing glyph would warn, which fails the test
    assert figure.axes[0].get_title() == "Ж"
    assert figure.axes[0].title.get_fontfamily() == ["cmtt10", "DejaVu Sans"]


def test_a_curve_of_a_million_points_is_thinned_and_keeps_its_extremes_and_gaps(tmp_path):
    """The highest and lowest point, the ends and the gap survive."""
    values = RNG.normal(size=1_000_003)
    values[123_456], values[777_777], values[500_000:501_000], values[-1] = 99, -99, np.nan, 7
    figure = figures.plot_figure(values)
    line = figure.axes[0].lines[0]
    x, y = line.get_xdata(), line.get_ydata()
    assert len(y) < 20_000 and (np.diff(x) > 0).all()
    np.testing.assert_array_equal(y, values[x.astype(int)])
    assert np.nanmax(y) == 99 and np.nanmin(y) == -99 and (x[0], x[-1], y[-1]) == (0, 1_000_002, 7)
    assert np.isnan(y[(x >= 500_000) & (x < 501_000)]).any()
    figures.save(tmp_path, "f", figure)


def test_scatter_shows_every_finite_point_and_names_the_clouds(tmp_path):
    """The text stands at the mean of the points that can be drawn."""
    clouds = [np.array([[0.0, 0.0], [2.0, 4.0], [np.nan, 1.0]]), [[5, 5]], np.zeros((0, 2))]
    figure = figures.scatter_figure(clouds, ["a", "_b", "c"], xlabel="x")
    drawn_clouds = [one.get_offsets().tolist() for one in figure.axes[0].collections]
    assert drawn_clouds == [[[0, 0], [2, 4]], [[5, 5]], []]
    assert [(text.get_text(), tuple(text.xy)) for text in figure.axes[0].texts] == [
        ("a", (1, 2)),
        ("_b", (5, 5)),
    ]
    figures.save(tmp_path, "f", figure)


@pytest.mark.parametrize("datas", [np.ones((4, 2)), [[1, 2], [3, 4], [5, 6]], np.ones((1, 3, 2)), [[[1, 2]]]])
def test_one_cloud_may_stand_by_itself(datas):
    """Also as a list of pairs, and c= replaces the colour."""
    assert len(figures.scatter_figure(datas, "name", c="r").axes[0].collections) == 1


@pytest.mark.parametrize(
    "datas, texts, said",
    [
        ([], None, "datas is empty: 0 clouds"),
        ([np.zeros((0, 2))], None, "datas is empty: 1 clouds"),
        ([np.zeros((5, 3))], None, r"datas\[0\] is no cloud.*shape \(5, 3\)"),
        (None, None, "datas is no cloud"),
        ([np.array([["a", "b"]])], None, "is no cloud"),
        ([np.ones((1, 2))] * 2, ["a"], "texts has 1 entries for 2 clouds"),
    ],
)
def test_what_is_no_cloud_is_refused(datas, texts, said):
    """With its shape and what is allowed."""
    with pytest.raises(ConfigError, match=rf"{said}.*Allowed: "):
        figures.scatter_figure(datas, texts)


def heights(figure: Figure) -> list[float]:
    """Return the highest count of each filled histogram."""
    return [float(patch.get_path().vertices[:, 1].max()) for patch in figure.axes[0].patches]


def test_histograms_share_their_bins_and_leave_out_what_is_not_finite(tmp_path):
    """Few whole numbers get a bin each."""
    figure = figures.hist_figure(
        [[1, 1, 2, np.nan], [2, 3, 3, 3, np.inf]], labels=["a", "_b"], styles=["r--", ":"]
    )
    assert sorted(heights(figure)) == [2, 3] and legend(figure) == ["a", "_b"]
    styles = {(to_hex(patch.get_edgecolor()), patch.get_linestyle()) for patch in figure.axes[0].patches}
    assert styles == {("#ff0000", "--"), (to_hex("C1"), ":")}
    assert tuple(figure.axes[0].dataLim.intervalx) == (0.5, 3.5)
    figures.save(tmp_path, "f", figure)


@pytest.mark.parametrize(
    "data",
    [
        [5.5],
        [5.5] * 9,
        [1e9, *np.linspace(0, 1, 999)],
        [np.nan, np.nan],
        [1e299, -1e299],
        [1e16, 1e16 + 2],
        [True],
    ],
)
def test_odd_samples_give_a_histogram(tmp_path, data):
    """One value, one outlier, nothing finite, a huge range."""
    figures.save(tmp_path, "f", figures.hist_figure(data))
    assert len(figures._bins(np.asarray([x for x in data if np.isfinite(x)]))) <= 61


def test_keywords_go_to_hist_and_wrong_ones_are_refused():
    """density, stacked, bins and the long and short names of looks."""
    figure = figures.hist_figure(
        [[1, 2], [2, 3]], bins=[0, 2, 4], stacked=True, density=True, histtype="bar", lw=3
    )
    assert len(figure.axes[0].patches) == 4 and {
        patch.get_linewidth() for patch in figure.axes[0].patches
    } == {3}
    assert figures.hist_figure([1.5, 2.5], lw=3).axes[0].patches[0].get_linewidth() == 3
    for wrong in ({"bins": -1}, {"nonsense": 1}):
        with pytest.raises(ConfigError, match="Axes.hist refuses.*Allowed"):
            figures.hist_figure([[1, 2]], **wrong)
    with pytest.raises(ConfigError, match="labels has 2 entries for 1 curves"):
        figures.hist_figure([1, 2], labels=["a", "b"])
