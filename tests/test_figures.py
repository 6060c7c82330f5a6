"""Figures are written whole, inside their folder, and nothing of the user's matplotlib changes."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from rla_hooks import figures
from rla_hooks.errors import ConfigError, RLAWarning, WarnOnce
from rla_hooks.figures import saving

RNG = np.random.default_rng(0)
BLACK = np.zeros((2, 2), np.uint8)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Each test starts with no warning said, and an unexpected warning fails it."""
    monkeypatch.setattr(saving, "warn_once", WarnOnce())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("default", DeprecationWarning)  # matplotlib 3.7 with a newer pyparsing
        yield


def drawn() -> Figure:
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([1, 2, 3])
    return figure


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_a_figure_is_a_png_of_its_size_in_pixels(tmp_path):
    """The size follows from inches and dpi, and the bytes handed back are the file's."""
    picture = figures.save(tmp_path / "new", "curve", drawn(), dpi=50)
    assert picture.path == tmp_path / "new" / "curve.png"
    assert picture.path.read_bytes() == picture.png
    assert (picture.height, picture.width) == (100, 150) == read(picture.path).shape[:2]


@pytest.mark.true_type
def test_threads_write_pdfs_with_truetype_fonts_and_leave_the_settings(tmp_path):
    """Type 3 fonts, matplotlib's default, are refused by journals; TensorBoard needs a PNG all the same."""
    before, pictures = matplotlib.rcParams.copy(), []

    def work(name: str) -> None:
        pictures.append(figures.save(tmp_path, name, drawn(), pretty=True))

    threads = [threading.Thread(target=work, args=(f"f{i}",)) for i in range(8)]
    [one.start() for one in threads]
    [one.join() for one in threads]
    assert files(tmp_path) == [f"f{i}.pdf" for i in range(8)]
    for picture in pictures:
        content = picture.path.read_bytes()
        assert content.startswith(b"%PDF") and b"/FontFile2" in content and b"/Type3" not in content
        assert Image.open(io.BytesIO(picture.png)).size == (picture.width, picture.height) == (300, 200)
    assert matplotlib.rcParams.copy() == before  # comparing rcParams itself would choose a backend


@pytest.mark.parametrize("step, name", [(None, "f.png"), (0, "f-0.png"), (np.int64(7), "f-7.png"), (1e3, "f-1000.png")])
def test_the_step_stands_in_the_name(tmp_path, step, name):
    """Step 0 is a step."""
    assert figures.save(tmp_path, "f", drawn(), step).path.name == name
    assert figures.exists(tmp_path, "f", step)
    assert not figures.exists(tmp_path, "f", 5) and not figures.exists(tmp_path, "f", step, pretty=True)


@pytest.mark.parametrize("bad", [{"name": ""}, {"name": "/"}, {"name": 3}, {"step": 1.5}, {"step": "1"}, {"step": []}])
def test_a_bad_name_or_step_is_refused(tmp_path, bad):
    """The message shows it, what is allowed and what to do; nothing is written."""
    with pytest.raises(ConfigError, match=r"(name|step) is .*Allowed: a .*\. Give "):
        figures.save(tmp_path, figure_or_array=drawn(), **{"name": "f", **bad})
    assert files(tmp_path) == []


def test_a_figure_of_the_same_name_is_replaced_and_no_other(tmp_path):
    """A given suffix is not doubled, a dot is none, and long names keep what sets them apart. No other file stays."""
    for value, name in enumerate(("f", "f.png", "f.v2", "eval/f", "x" * 300 + "a", "x" * 300 + "b")):
        figures.save(tmp_path, name, BLACK + np.uint8(value))
    assert {"f.png", "f.v2.png", "eval/f.png"} < set(files(tmp_path)) and len(files(tmp_path)) == 5
    assert (read(tmp_path / "f.png") == 1).all()


NAMES = ["../x", "/etc/x", "a/../../x", "..", "a//./b", "n\nl", "nul\0", "%2F", "~", "C:\\x", "图" * 999, ".png"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leaves_the_folder(tmp_path, name):
    """Each part is escaped and short enough for a file system, with the step as well."""
    folder = tmp_path / "results"
    path = figures.save(folder, name, BLACK, step=123456).path
    assert path.is_file() and path.resolve().is_relative_to(folder) and path.name.endswith("-123456.png")
    assert [part.name for part in tmp_path.iterdir()] == ["results"]
    assert all(len(part.encode()) <= 255 for part in path.parts)
    assert figures.exists(folder, name, 123456)


def test_a_symbolic_link_does_not_lead_out_of_the_folder(tmp_path):
    """Somebody's link inside results/ points elsewhere: neither a file nor a folder is made there."""
    outside, folder = tmp_path / "outside", tmp_path / "results"
    outside.mkdir(), folder.mkdir()
    (folder / "link").symlink_to(outside, target_is_directory=True)
    with pytest.raises(ConfigError, match=r"outside.*Allowed: inside"):
        figures.save(folder, "link/sub/x", drawn())
    assert list(outside.iterdir()) == []


def test_pyplot_is_not_imported(tmp_path):
    """Importing pyplot chooses a backend, which is the user's choice."""
    code = (
        "import sys, pathlib\n"
        "from rla_hooks import figures as f\n"
        "from rla_hooks.figures import simple as plots\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "f.save(folder, 'a', plots.plot_figure([1, 2], labels=['a']), pretty=True)\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=Path(figures.__file__).parents[2])
    assert files(tmp_path) == ["a.pdf"]


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
        thread = threading.Thread(target=figures.save, args=(tmp_path, "f", first, None, True, 33))
        thread.start(), thread.join()
        assert files(tmp_path) == ["f.pdf"]
        assert plt.get_fignums() == [first.number, second.number] and plt.gcf() is second
        assert first.canvas is canvas and canvas.figure is first and first.dpi == dpi
        assert plt.get_backend() == "svg" and matplotlib.rcParams.copy() == settings
        plt.close("all")
        plt.switch_backend(old)


def test_the_canvas_of_a_window_is_left_alone(tmp_path):
    """It is the figure's canvas again also where the drawing fails. A missing glyph is no failure and no warning."""
    figure = drawn()
    canvas = FigureCanvasAgg(figure)
    canvas.print_figure = None  # a window must not be drawn on from another thread
    figure.suptitle("步数")
    figures.save(tmp_path, "f", figure, pretty=True)
    figure.suptitle(r"$\nonsense{$")
    with pytest.raises(ConfigError, match=r"(?s)cannot be drawn.*Allowed: .*Try"):
        figures.save(tmp_path, "g", figure)
    assert figure.canvas is canvas and files(tmp_path) == ["f.pdf"]


def test_what_has_a_figure_stands_for_it(tmp_path):
    """Axes, also in an array or of a sub-figure, and what holds a figure as seaborn's grids do."""
    axes = drawn().axes[0]
    nested = Figure(figsize=(3, 2)).subfigures(1, 2)[0].add_subplot()
    for thing in (axes, np.array([[axes, axes]]), nested, SimpleNamespace(figure=drawn())):
        assert figures.save(tmp_path, "f", thing).width == 300


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4), (3, 3, 3), (1, 5, 7), (3, 5, 7), (4, 5, 7)])
def test_an_array_of_bytes_comes_back_exactly(tmp_path, shape):
    """Also where it is no contiguous memory, or has torch's order. With pretty=True it stays a PNG."""
    array = RNG.integers(0, 256, shape, dtype=np.uint8)[..., ::-1]
    expected = np.moveaxis(array, 0, -1) if shape[1:] == (5, 7) else array
    picture = figures.save(tmp_path, "a", array, pretty=True)
    np.testing.assert_array_equal(read(picture.path), expected.squeeze())
    assert (picture.height, picture.width) == expected.shape[:2]


@pytest.mark.parametrize(
    "array, expected",
    [
        (np.array([[True, False]]), [255, 0]),
        (np.arange(256, dtype=np.int64)[None], list(range(256))),
        (np.arange(256, dtype=np.float16)[None] / np.float16(255), list(range(256))),
        ([[0, 7]], [0, 7]),
    ],
)
def test_values_in_range_keep_their_brightness(tmp_path, array, expected):
    """Bools are black and white, integers are bytes, floats run from 0 to 1."""
    assert read(figures.save(tmp_path, "a", array).path).tolist() == [expected]


STRETCHED = {
    (-1.0, 0.0, 1.0): [0, 128, 255],
    (1000, 2000): [0, 255],
    (np.nan, 0.0, 1.0): [0, 0, 255],
    (-np.inf, 0.0, 1.0, np.inf): [0, 0, 255, 255],
    (np.nan, np.nan): [0, 0],
    (5.0, 5.0): [0, 0],
}


@pytest.mark.parametrize("row, expected", STRETCHED.items())
def test_values_out_of_range_are_stretched_with_one_warning(tmp_path, row, expected):
    """The warning comes once a figure, not once a step."""
    with pytest.warns(RLAWarning, match=r"stretched\. Allowed: .*Give") as caught:
        pictures = [figures.save(tmp_path, "a", [row], step) for step in range(3)]
    assert len(caught) == 1 and read(pictures[-1].path).tolist() == [expected]


@pytest.mark.parametrize(
    "thing, said",
    [
        (None, "NoneType"),
        ("a.png", r"shape \(\), dtype <U5"),
        ([], r"shape \(0,\)"),
        ([[1, 2], [3]], "no array"),
        (np.zeros((0, 5)), r"shape \(0, 5\)"),
        (np.zeros((2, 5, 6)), r"shape \(2, 5, 6\), dtype float64"),
        (np.zeros((2, 2), complex), "complex128"),
        (np.zeros((2, 2), [("a", int)]), "dtype "),
        (Image.new("RGB", (0, 3)), "0 x 3"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path, thing, said):
    """The message names shape and dtype, what is allowed and what to do; nothing is written."""
    with pytest.raises(ConfigError, match=rf"{said}.*\. Allowed: .*\. Give one picture"):
        figures.save(tmp_path, "a", thing)
    assert files(tmp_path) == []


def test_pil_images_of_every_mode_are_saved(tmp_path):
    """Modes that PNG lacks become RGB or grey."""
    white = {"1": 1, "L": 255, "LA": (255, 255), "RGBA": (255,) * 4, "CMYK": (0,) * 4, "YCbCr": (255, 128, 128), "F": 1}
    for mode, colour in white.items():
        written = read(figures.save(tmp_path, mode, Image.new(mode, (4, 3), colour)).path)
        assert written.shape[:2] == (3, 4) and (written * 255 if mode == "1" else written).min() == 255, mode


def test_tensors_are_pictures(tmp_path):
    """Tensors that need gradients or are bfloat16 have no direct numpy form."""
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[0.0, 0.5, 1.0]])
    for one in (tensor.requires_grad_(), tensor.to(torch.bfloat16), tensor.half()):
        assert read(figures.save(tmp_path, "a", one).path).tolist() == [[0, 128, 255]]
    assert read(figures.save(tmp_path, "a", torch.tensor([[0, 200]])).path).tolist() == [[0, 200]]
