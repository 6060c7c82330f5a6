"""Curves in a terminal: ``rla plot``, its chart, and sparklines."""

import json
import re
import shutil

import numpy
import pytest

import rla_hooks as rla
from rla_hooks.cli.draw import Curve, Look, chart, labels, sparkline, ticks
from rla_hooks.cli.raster import Raster, Span

pytestmark = pytest.mark.usefixtures("quiet")

NAN, INF = float("nan"), float("inf")


def _drawn(ys, xs=None, **look):
    xs = numpy.arange(len(ys), dtype=float) if xs is None else numpy.array(xs, float)
    look = {"width": 24, "height": 5, "braille": False, "colour": False, **look}
    return chart([Curve("a", xs, numpy.array(ys, float))], "loss", "time-step", Look(**look)).plain.splitlines()


def test_a_line_is_drawn_with_its_axes():
    """Title, curve, axes with round numbers, and the name of the axis."""
    assert _drawn([0, 1, 2, 3, 4]) == [
        "loss",
        "4 +                  ***",
        "  |             *****   ",
        "2 +        *****        ",
        "  |   *****             ",
        "0 +***                  ",
        "  ++-----------+--------",
        "   0          2.5",
        "               time-step",
    ]


def _dots(ys, xs=None, width=4, height=2, braille=True):
    """The dots of a curve as rows of # and blanks."""
    ys = numpy.array(ys, float)
    xs = numpy.arange(len(ys), dtype=float) if xs is None else numpy.array(xs, float)
    raster = Raster(width, height, braille)
    fine = xs[numpy.isfinite(xs)], ys[numpy.isfinite(ys)]
    raster.draw(0, xs, ys, Span(fine[0].min(), fine[0].max()), Span(fine[1].min(), fine[1].max()))
    rows = [[" "] * (2 * width) for _ in range(4 * height)]
    for row in range(height):
        for column in range(width):
            bits = ord(raster.cell(row, column, "")[0]) - 0x2800 if raster.cell(row, column, "")[1] >= 0 else 0
            for place, bit in enumerate([0x01, 0x02, 0x04, 0x40, 0x08, 0x10, 0x20, 0x80]):
                if bits & bit:
                    rows[4 * row + place % 4][2 * column + place // 4] = "#"
    return ["".join(row) for row in rows]


def test_a_line_is_one_dot_in_each_column():
    """From corner to corner, without holes."""
    assert _dots([0, 1]) == ["".join("#" if x == 7 - y else " " for x in range(8)) for y in range(8)]


def test_a_gap_is_where_there_is_no_number():
    """At NaN and infinities; a number between two of them is one dot."""
    assert _dots([0, 0, NAN, 7, INF, 7, 7, 0]) == [
        "   # ## ",
        *["      # "] * 3,
        *["       #"] * 3,
        "##     #",
    ]


def test_steps_that_go_back_begin_a_new_line():
    """As when a run is resumed from an earlier step: no line crosses the picture."""
    rows = _dots([0, 0, 0, 7, 7], [0, 3, 7, 2, 5])
    assert rows == ["  ####  ", *["        "] * 6, "########"]


def test_a_million_points_are_the_same_picture_as_all_their_dots():
    """A long curve is reduced before it is drawn; each dot is as if it were not."""
    random = numpy.random.default_rng(0)
    ys = random.normal(size=100_000).cumsum()
    ys[40_000:45_000] = NAN
    reduced = _dots(ys, width=20, height=5)
    place_x = Span(0, len(ys) - 1).place(numpy.arange(len(ys), dtype=float), 40)
    fine = numpy.isfinite(ys)
    place_y = 19 - Span(ys[fine].min(), ys[fine].max()).place(ys[fine], 20)
    expected = [[" "] * 40 for _ in range(20)]
    before = None
    for x, y, at in zip(place_x[fine].tolist(), place_y.tolist(), numpy.flatnonzero(fine).tolist()):
        reach = (
            range(min(y, before[1]), max(y, before[1]) + 1)
            if before and before[0] == x and before[2] == at - 1
            else [y]
        )
        for each in reach:
            expected[each][x] = "#"
        before = (x, y, at)
    for got, wanted in zip(reduced, ("".join(row) for row in expected), strict=True):
        assert all(mark == "#" for mark, want in zip(got, wanted, strict=True) if want == "#")
    blank = [row[17:18] for row in reduced]  # in the middle of the gap
    assert blank == [" "] * 20


@pytest.mark.parametrize(
    "ys",
    [
        [3.0],
        [2.0] * 5,
        [NAN, NAN],
        [],
        [1e308, -1e308],
        [5e-324, 0.0],
        [INF, 1.0],
        [1e16, 1e16 + 2],
        [-1e-9, 1e-9],
        [0.0],
    ],
)
@pytest.mark.parametrize("braille", [True, False])
def test_odd_numbers_are_drawn(ys, braille):
    """A single point, a constant, nothing at all, the largest and smallest numbers: a picture of the asked size."""
    lines = _drawn(ys, braille=braille)
    assert len(lines) == 5 + 4 and max(map(len, lines)) <= 24
    marks = re.findall(r"[*\u2801-\u28ff]", "".join(lines))
    assert bool(marks) == any(numpy.isfinite(ys))


@pytest.mark.parametrize("span", [(0, 1), (-3, 1e6), (0.1, 0.3), (1e-9, 2e-9), (-1e300, 1e300), (99, 101), (0, 7)])
@pytest.mark.parametrize("most", [2, 5, 10])
def test_ticks_are_round_and_within(span, most):
    """No more than asked for, at equal distances, and their labels read as what they are."""
    found = ticks(Span(*span), most)
    assert (
        1 <= len(found) <= most and min(found) >= span[0] - 1e-9 * abs(span[0]) and max(found) <= span[1] * (1 + 1e-9)
    )
    texts = labels(found)
    units = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
    values = [float(text[:-1]) * units[text[-1]] if text[-1] in units else float(text) for text in texts]
    assert values == pytest.approx(found, rel=1e-2, abs=1e-2 * (span[1] - span[0]) / most)
    assert len(set(texts)) == len(texts)


def test_a_sparkline_is_as_wide_as_asked():
    """With blanks for what is no number; a thousand values become sixteen."""
    assert sparkline(list(range(1000)), 16) == "▁▁▂▂▃▃▄▄▅▅▆▆▇▇██"
    assert sparkline([0, NAN, 1], 3) == "▁ █" and sparkline([INF, NAN], 4) == "  "
    assert sparkline([0, 7], 2, unicode=False) == "_#" and len(sparkline([1e308, -1e308, 1e308], 3)) == 3


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """Two runs of a metric, one that has another one, and one without rows."""
    root = tmp_path_factory.mktemp("plot")

    @rla.track(record=["lr"], task="t", log_root=root, writers=["csv"], backup="none")
    def train(lr, rows=50, width=64):
        for step in range(rows):
            rla.log({"loss": lr * step, "acc": step % 5, "word": "a"}, step=10 * step)

    train(0.1)
    train(0.2, width=32)
    with rla.run(task="other", log_root=root, writers=["csv"], backup="none", lr=0.3):
        rla.log({"reward": 1.0}, step=0)
    with rla.run(task="empty", log_root=root, writers=["csv"], backup="none", lr=0.4):
        pass
    return root


def test_json_has_the_points(log_root, command):
    """As they were logged; smoothed, as the mean of the last so many rows."""
    document = command("plot", "loss", "lr=0.1", "lr=0.2", "--json", "--log-root", log_root).json
    assert [run["label"].partition(" [")[0] for run in document["runs"]] == ["lr=0.1 width=64", "lr=0.2 width=32"]
    assert document["runs"][0]["x"] == [10 * step for step in range(50)]
    assert document["runs"][0]["y"] == [0.1 * step for step in range(50)]
    smooth = command("plot", "acc", "lr=0.1", "--smooth", "5", "--json", "--log-root", log_root).json
    assert smooth["runs"][0]["y"] == pytest.approx([0, 0.5, 1, 1.5] + [2] * 46)
    by_metric = command("plot", "loss", "lr=0.1", "--x", "acc", "--json", "--log-root", log_root).json
    assert by_metric["runs"][0]["x"] == [step % 5 for step in range(50)]


def test_json_tells_a_copy_of_a_run_from_the_run(tmp_path, command):
    """Both have one id, so that their labels are the same."""
    with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none") as run:
        rla.log({"loss": 0.5}, step=0)
    shutil.copytree(run.log_dir, tmp_path / "log" / "t" / "copy")
    document = command("plot", "loss", "-n", "2", "--json", "--log-root", tmp_path).json
    assert {each["name"] for each in document["runs"]} == {run.name, "t/copy"}


def test_a_pipe_gets_letters_for_curves(log_root, command):
    """Plain text of 80 columns, whatever COLUMNS says; one curve is drawn in braille, several by letters."""
    one = command("plot", "loss", "lr=0.1", "--log-root", log_root).out
    assert re.search("[\u2801-\u28ff]", one) and max(map(len, one.splitlines())) == 80 and "\x1b" not in one
    two = command("plot", "loss", "--task", "t", "-n", "2", "--log-root", log_root).out
    assert re.search(r"\n  a lr=0\.1 width=64 \[\w{4}\]\n  b lr=0\.2 width=32 \[\w{4}\]\n$", two)
    assert not re.search("[\u2801-\u28ff]", two) and two.count("b") > 40
    assert (
        max(map(len, command("plot", "loss", "lr=0.1", "--width", "40", "--log-root", log_root).out.splitlines())) == 40
    )


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_gets_colours_and_its_own_width(columns, log_root, in_terminal):
    """Colours of the legend are those of the curves."""
    text = in_terminal("plot", "loss", "lr=0.1", "lr=0.2", "--log-root", log_root, columns=columns)
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines())) == columns
    colours = re.findall(r"\x1b\[(38;5;\d+)m  ━━ ", text)
    assert len(set(colours)) == 2 and all(re.search(rf"\x1b\[{each}m[\u2801-\u28ff]", text) for each in colours)


def test_a_terminal_of_ascii_gets_ascii(log_root, in_terminal):
    """As with LANG=C."""
    text = in_terminal("plot", "loss", "lr=0.1", "--log-root", log_root, PYTHONIOENCODING="ascii")
    assert text.isascii() and "\\u" not in text and "***" in text


def test_a_metric_that_no_run_has_is_a_mistake(log_root, command):
    """It lists those that exist, the nearest first; texts, and runs without rows, have no curve."""
    done = command("plot", "los", "lr=0.1", "--log-root", log_root)
    assert done.code == 2 and done.err.endswith("There are: loss, acc, word. Did you mean 'loss'?\n")
    done = command("plot", "word", "lr=0.1", "--log-root", log_root)
    assert done.code == 2 and "'word' of these runs holds no numbers" in done.err
    done = command("plot", "loss", "latest", "--log-root", log_root)
    assert done.code == 2 and "none of the chosen runs has any rows" in done.err


def test_runs_that_lack_the_metric_are_left_out(log_root, command):
    """Where others have it."""
    document = command("plot", "loss", "-n", "4", "--json", "--log-root", log_root).json
    assert [len(run["x"]) for run in document["runs"]] == [50, 50]


def test_names_are_printed_safely(tmp_path, command):
    """Of metrics, and of parameters in the legend."""
    evil = "\x1b[31mred\u202e"
    for number in range(2):
        with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", label=f"{evil}{number}"):
            rla.log({evil: float(number)}, step=0)
            rla.log({evil: 1.0}, step=1)
    done = command("plot", evil, "-n", "2", "--log-root", tmp_path)
    assert done.code == 0 and "\\x1b[31mred" in done.out
    assert not [each for each in done.out + done.err if not each.isprintable() and each != "\n"]
    assert json.loads(command("plot", evil, "--json", "--log-root", tmp_path).out)["metric"] == evil


def test_without_colours_letters_tell_curves_apart(tmp_path, in_terminal):
    """NO_COLOR on a terminal."""
    for seed in range(2):
        with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", seed=seed):
            rla.log({"loss": seed}, step=0)
    text = in_terminal("plot", "loss", "-n", "2", "--log-root", tmp_path, NO_COLOR="1")
    assert "  a seed=0" in text and "  b seed=1" in text
