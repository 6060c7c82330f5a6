"""Sizes, style, colours and ticks of figures for papers, and what stands below the panels."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import matplotlib
import numpy
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from rla_hooks.errors import ConfigError
from rla_hooks.plot.checks import Mistakes
from rla_hooks.plot.legend import add_foot
from rla_hooks.plot.paper import COLORS, SIZES, check_size, look_of, paper_figure, paper_style, step_ticks

# Brettel's simulations of the three kinds of colour-blindness are near these matrices on linear light (Machado 2009).
BLIND = {
    "red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def _linear(color):
    rgb = numpy.array(to_rgb(color))
    return numpy.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _lab(linear):
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = numpy.array(to_xyz) @ numpy.clip(linear, 0, 1) / [0.95047, 1.0, 1.08883]
    f = numpy.where(xyz > 0.008856, numpy.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return numpy.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("blind", BLIND)
def test_colours_differ_for_the_colour_blind(blind):
    """All pairs, by at least 10 units of CIELAB; 2.3 is what eyes just see."""
    seen = [_lab(numpy.array(BLIND[blind]) @ _linear(color)) for color in COLORS]
    assert min(numpy.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= 10


def test_the_first_colours_differ_in_grey():
    """Of the first four, and of neighbours, the lightness; other pairs have other lines."""
    lightness = [_lab(_linear(color))[0] for color in COLORS]
    assert min(abs(a - b) for a, b in itertools.combinations(lightness[:3], 2)) >= 15
    assert min(abs(a - b) for a, b in itertools.pairwise(lightness)) >= 10
    assert max(lightness) <= 82  # to be seen on white


def test_looks_of_many_curves_differ():
    """By more than their colour, so that they differ in grey."""
    looks = [look_of(number, 60) for number in range(60)]
    assert len({str(look) for look in looks}) == 60
    assert len({(str(look["linestyle"]), look["marker"]) for look in looks}) == 35
    assert {look_of(number, 4)["marker"] for number in range(4)} == {None}


def test_a_users_style_stays_and_does_not_show():
    """Neither in the settings afterwards, nor in the figure; an error changes nothing either."""
    settings = {"font.size": 30.0, "lines.linewidth": 9.0, "text.usetex": True, "savefig.bbox": "tight"}
    with matplotlib.rc_context(settings):
        before = dict(matplotlib.rcParams)
        with paper_style():
            assert matplotlib.rcParams["font.size"] == 8 and not matplotlib.rcParams["text.usetex"]
            assert matplotlib.rcParams["pdf.fonttype"] == 42
        with pytest.raises(ZeroDivisionError), paper_style():
            raise ZeroDivisionError
        assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    ("size", "width"), [("neurips", 5.5), ("icml", 3.25), ("icml-wide", 6.75), ("jmlr", 6.0), (4, 4)]
)
def test_sizes_are_those_of_the_style_files(size, width):
    """In inches; panels are wider than high, and fit a page."""
    with paper_style():
        figure, axes = paper_figure(rows=2, columns=1, size=size)
    assert figure.get_figwidth() == width and len(axes) == 2
    assert figure.get_figheight() <= SIZES.get(size, (4, 9))[1]
    with paper_style():
        assert paper_figure(size=(3, 1.5))[0].get_size_inches().tolist() == [3, 1.5]


@pytest.mark.parametrize("size", ["nips", 0, (1, 2, 3), (5.5, math.nan), None, "", [], True])
def test_a_size_that_is_none(size):
    """The error lists the papers, and how to give inches."""
    mistakes = Mistakes("plot")
    check_size(mistakes, size)
    with pytest.raises(ConfigError, match=r"size is .* (Known|Allowed): neurips, iclr, icml, icml-wide, jmlr"):
        mistakes.raise_any()


@pytest.mark.parametrize(
    ("limits", "scale", "texts"),
    [
        ((0, 1_000_000), "linear", {"0", "200k", "400k", "600k", "800k", "1M"}),
        ((0, 2000), "linear", {"0", "500", "1k", "1.5k", "2k"}),
        ((1, 1e6), "log", {"1", "100", "10k", "1M"}),
        ((2000, 60_000), "log", {"2k", "5k", "10k", "20k", "50k"}),
        ((1, 50), "log", {"1", "2", "5", "10", "20", "50"}),
    ],
)
def test_axes_of_steps_have_thousands_and_millions(limits, scale, texts):
    """Also logarithmic ones, where less than two powers of ten are in sight."""
    with paper_style():
        figure, (axes,) = paper_figure()
        axes.set(xscale=scale, xlim=limits)
        step_ticks(axes.xaxis)
        FigureCanvasAgg(figure).draw()
        shown = {text.get_text() for text in axes.get_xticklabels() if limits[0] <= text.get_position()[0] <= limits[1]}
    assert texts <= shown


def test_a_percent_sign_stays_with_its_number():
    """Wherever a line of the note ends: "74" and "% of experiments" would be read apart."""
    with paper_style():
        for words in range(12):
            figure, _ = paper_figure(size=2)
            add_foot(figure, note="a " * words + "holds 74 % of experiments " * 3)
            lines = figure.texts[0].get_text().split("\n")
            assert len(lines) > 1 and not any(line.startswith("%") for line in lines)
            assert " ".join(lines).count("74 %") == 3


@pytest.mark.parametrize("count", [1, 3, 8, 60])
@pytest.mark.parametrize("size", ["icml", "neurips"])
def test_the_foot_covers_no_panel(size, count):
    """Legend and note stand below the panels, in the figure, which becomes higher."""
    with paper_style():
        figure, axes = paper_figure(columns=2, size=size)
        height = figure.get_figheight()
        lines = [axes[0].plot([0, 1], [0, 1])[0] for _ in range(count)]
        axes[0].set_xlabel("time-step")
        add_foot(
            figure, lines, [f"algorithm={number}, lr=0.{number}" for number in range(count)], "mean of 5 seeds " * 9
        )
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        legend, note = figure.legends[0].get_window_extent(renderer), figure.texts[0].get_window_extent(renderer)
        panel = axes[0].get_tightbbox(renderer)
    assert 0 <= note.y0 < note.y1 <= legend.y0 < legend.y1 <= panel.y0
    for box in (legend, note):
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width + 1
    assert figure.get_figheight() > height and len(figure.legends[0].get_texts()) == count


def test_a_label_wider_than_the_figure_is_broken():
    """It fits then."""
    with paper_style():
        figure, axes = paper_figure(size="icml")
        add_foot(figure, axes[0].plot([0, 1], [0, 1]), ["a label of many words " * 6])
        box = figure.legends[0].get_window_extent(FigureCanvasAgg(figure).get_renderer())
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width


def test_names_are_no_mathematics():
    """But what the user writes is, where matplotlib can read it."""
    with paper_style():
        figure, axes = paper_figure()
        lines = [axes[0].plot([0, 1], [0, 1])[0] for _ in range(3)]
        add_foot(figure, lines, ["net$width$ a_b", r"$\no{$", "100%"], "$x$")
        other, axes = paper_figure()
        add_foot(other, axes[0].plot([0, 1]), [r"$\alpha$"], is_math=True)
        FigureCanvasAgg(figure).draw()
    assert [text.get_parse_math() for text in [*figure.legends[0].get_texts(), figure.texts[0]]] == [False] * 4
    assert other.legends[0].get_texts()[0].get_parse_math()


def test_pyplot_and_scipys_statistics_are_not_imported():
    """By no file of the package; and figures come without a window system."""
    code = (
        "import importlib, pkgutil, sys, rla_hooks.plot as plot\n"
        "for each in pkgutil.iter_modules(plot.__path__):\n"
        "    importlib.import_module(f'rla_hooks.plot.{each.name}')\n"
        "assert not {'matplotlib.pyplot', 'scipy.stats', 'pandas'} & set(sys.modules), 'heavy'\n"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, timeout=60)
