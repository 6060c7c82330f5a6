"""Files of a figure: vector graphics, pixels and numbers beside each other."""

from __future__ import annotations

import csv
import math

import matplotlib
import numpy
import pytest
from PIL import Image

import rla_hooks as rla
from rla_hooks.columns import Column
from rla_hooks.errors import ConfigError
from rla_hooks.plot.output import PaperFigure
from rla_hooks.plot.paper import paper_figure, paper_style
from rla_hooks.query.frames import Repeated, column_of

QUERY = "rla.runs(where=\"lr == 0.1 and note == '(é\\n诗)'\")"


@pytest.fixture
def drawn(quiet):
    """A figure of three numbers, of which one is missing and one NaN."""
    with paper_style():
        figure, axes = paper_figure(size="icml")
        axes[0].plot([0, 1, 2], [0.1, math.nan, 1 / 3], label="a")
    y = Column(numpy.array([0.1, math.nan, 1 / 3]), numpy.array([True, True, False]))
    columns = {"algo, x": Repeated(column_of(["é", "b"]), numpy.array([0, 1, 1])), "x": column_of([0, 1, 2]), "y": y}
    return PaperFigure(figure, axes, columns, QUERY, "perf/return")


def test_pdf_png_and_numbers_stand_beside_each_other(drawn, tmp_path):
    """Whatever of them is named; the folder is made."""
    for name in ("new/fig", "new/fig.pdf", "new/fig.png", "new/fig.PDF"):
        assert drawn.save(tmp_path / name) == [tmp_path / f"new/fig{ending}" for ending in (".pdf", ".png", ".csv")]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["fig.csv", "fig.pdf", "fig.png"]
    assert [path.suffix for path in drawn.save(tmp_path / "fig.svg")] == [".pdf", ".png", ".svg", ".csv"]
    assert [path.name for path in drawn.save(tmp_path / "fig.v1.2")][0] == "fig.v1.2.pdf"


def test_in_a_folder_the_figure_has_its_own_name(drawn, tmp_path):
    """As every file system takes it."""
    names = [path.name for path in drawn.save(f"{tmp_path}/sub/")]
    assert names == ["perf%2Freturn.pdf", "perf%2Freturn.png", "perf%2Freturn.csv"]
    assert drawn.save(tmp_path / "sub")[0] == tmp_path / "sub" / "perf%2Freturn.pdf"


def test_the_numbers_have_all_digits(drawn, tmp_path):
    """A value that is missing is empty, a NaN is nan; DataFrame and file are the same."""
    path = drawn.save(tmp_path / "fig")[-1]
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [["algo, x", "x", "y"], ["é", "0", "0.1"], ["b", "1", "nan"], ["b", "2", ""]]
    pytest.importorskip("pandas")
    assert drawn.data["x"].tolist() == [0, 1, 2] and drawn.data["algo, x"].tolist() == ["é", "b", "b"]
    assert drawn.data["y"].isna().tolist() == [False, True, True] and drawn.data is drawn.data


def test_the_query_stands_in_the_files(drawn, tmp_path):
    """Of PDF and PNG, also one with letters of all scripts; the same figure gives the same bytes."""
    pdf, png, _ = drawn.save(tmp_path / "fig")
    shown = QUERY.replace("\n", "\\n")
    assert shown.encode("utf-16-be") in _unescaped(pdf.read_bytes())
    assert Image.open(png).text["Description"] == shown
    again = drawn.save(tmp_path / "again")
    assert again[0].read_bytes() == pdf.read_bytes() and again[1].read_bytes() == png.read_bytes()


def _unescaped(data):
    return data.replace(b"\\(", b"(").replace(b"\\)", b")").replace(b"\\\\", b"\\").replace(b"\\n", b"\n")


@pytest.mark.true_type
def test_fonts_are_true_type_and_the_size_is_that_of_the_paper(drawn, tmp_path):
    """Whatever the user's settings are: type 42, no tight box, 300 dots an inch."""
    with matplotlib.rc_context({"savefig.bbox": "tight", "pdf.fonttype": 3, "savefig.dpi": 50}):
        pdf, png, _ = drawn.save(tmp_path / "fig")
    assert b"/CIDFontType2" in pdf.read_bytes() and b"/Type3" not in pdf.read_bytes()
    width, height = drawn.figure.get_size_inches()
    assert f"/MediaBox [ 0 0 {width * 72:g} {height * 72:g}".encode() in pdf.read_bytes().replace(b"[0", b"[ 0")
    assert Image.open(png).size == (int(width * 300), int(height * 300))


def test_a_notebook_shows_it(drawn):
    """As PNG, at the size it has on paper."""
    png, size = drawn._repr_png_()
    assert png.startswith(b"\x89PNG") and size["width"] == 325
    assert repr(drawn) == f"PaperFigure('perf/return', 3.25 x {drawn.figure.get_figheight():.2f} inches, runs: {QUERY})"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("fig.jpg", r"save is 'fig.jpg'\. Allowed: .*\.pdf, \.png, \.svg"),
        ("fig.csv", "PDF, PNG and csv are written beside each other"),
        ("", "save is ''"),
        ("a\0b", "Allowed: the path of a file"),
        (5, "save is 5"),
        ("x" * 252, "at most 255 bytes"),
        ("file/fig", "cannot be written to file/fig: "),
    ],
)
def test_paths_that_cannot_be_written(drawn, tmp_path, path, message):
    """The error says what can; nothing is left behind."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=message):
        drawn.save(path)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_table_that_belongs_to_no_figure_is_not_replaced(drawn, tmp_path):
    """Such as an export of the same name; files of a figure are."""
    (tmp_path / "fig.csv").write_text("mine")
    with pytest.raises(ConfigError, match=r"would replace \S*fig\.csv, which is there without a figure\. Give another"):
        drawn.save(tmp_path / "fig.pdf")
    assert [path.name for path in tmp_path.iterdir()] == ["fig.csv"] and (tmp_path / "fig.csv").read_text() == "mine"
    assert drawn.save(tmp_path / "other") == drawn.save(tmp_path / "other")


DRAWN = [
    *(rla.plot_curves, rla.plot_bars, rla.plot_profiles, rla.plot_intervals, rla.plot_sample_efficiency),
    *(rla.plot_sweep, rla.plot_images),
]


@pytest.mark.parametrize("draw", [*DRAWN, rla.score_table])
def test_mistakes_in_names_say_which_call_they_are_of(make_run, draw):
    """Those that only the runs can tell, too."""
    make_run(1.0, lr=0.1)
    make_run(1.0, lr=0.2)
    by = {"by": ["lr", "algos"] if draw is rla.plot_sweep else "algos"}
    for options, what in (
        (by, "no run has the parameter 'algos'"),
        ({"by": ["lr", "name"]}, "([Nn]o run has|None of the 2 runs has)"),
    ):
        with pytest.raises(ConfigError, match=rf"^{draw.__name__}: {what}"):
            draw("t", "retrun" if draw is not rla.plot_images else "frm", **options)


@pytest.mark.parametrize("draw", DRAWN)
def test_a_path_that_cannot_be_written_is_told_before_a_figure_is_drawn(make_run, draw):
    """With the other mistakes, and with the name of the call."""
    make_run(1.0)
    with pytest.raises(ConfigError, match=r"(?s)^plot_\w+: \d mistakes:.*save is 'return.jpg'") as error:
        draw("t", "return", size="A4", save="return.jpg")
    assert "size is 'A4'" in str(error.value)


@pytest.mark.parametrize("draw", DRAWN)
def test_a_table_that_is_no_figures_is_told_before_one_is_drawn(make_run, draw, tmp_path):
    """With the other mistakes; in a folder the file has the name of the figure."""
    make_run(1.0)
    suffix = {"plot_curves": "", "plot_sample_efficiency": "-efficiency"}.get(
        draw.__name__, draw.__name__.replace("plot_", "-")
    )
    for name, save in (("mine", "mine.pdf"), (f"return{suffix}", f"{tmp_path}/")):
        (tmp_path / f"{name}.csv").write_text("1")
        with pytest.raises(ConfigError, match=rf"(?s)^plot_\w+: \d mistakes:.*would replace \S*{name}\.csv") as error:
            draw("t", "return", size="A4", save=save)
        assert "size is 'A4'" in str(error.value)
