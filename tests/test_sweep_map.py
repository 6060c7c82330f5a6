"""The heat map of a sweep, compared with numpy by hand."""

from __future__ import annotations

import itertools

import numpy
import pytest

import rla_hooks as rla

pytest.importorskip("pandas")
pytest.importorskip("scipy")
LR, WIDTH = (0.001, 0.1), (16, 64, 128)


@pytest.fixture
def sweep(make_run):
    """Scores by (lr, width); the cells have 1 to 3 seeds, one has none. The runs come in no order."""
    random = numpy.random.default_rng(0)
    found = {}
    for width in (64, 16, 128):
        for lr in (0.1, 0.001):
            found[lr, width] = random.normal(size=(LR.index(lr) + WIDTH.index(width)) % 4).tolist()
            for seed, value in enumerate(found[lr, width]):
                make_run(value, lr=lr, width=width, seed=seed)
    return found


@pytest.mark.parametrize("estimator", ["mean", "median", "max"])
def test_cells(sweep, estimator):
    """The score of each cell and its seeds; one without a run has none."""
    drawn = rla.plot_sweep("t", "return", estimator=estimator)
    assert drawn.data.columns.tolist() == ["metric", "lr", "width", "score", "n"] and len(drawn.data) == 6
    for _, row in drawn.data.iterrows():
        values = sweep[row.lr, row.width]
        assert row.n == len(values)
        assert row.score == pytest.approx(getattr(numpy, estimator)(values)) if values else numpy.isnan(row.score)
    assert sorted(drawn.data.n) == [0, 1, 1, 2, 2, 3]


def test_what_is_drawn(sweep):
    """The first name is that of the columns; numbers grow to the right and upwards; each cell has a text."""
    panel = rla.plot_sweep(rla.runs(), "return", by=["width", "lr"], title="Sweep").axes[0]
    assert [text.get_text() for text in panel.get_xticklabels()] == ["16", "64", "128"]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["0.001", "0.1"]
    drawn = panel.collections[0].get_array()
    texts = {text.get_position(): text.get_text() for text in panel.texts}
    for (lr, width), values in sweep.items():
        row, column = LR.index(lr), WIDTH.index(width)
        if values:
            assert drawn[row, column] == pytest.approx(numpy.mean(values))
            assert texts[column + 0.5, row + 0.45] == f"n={len(values)}"
        else:
            assert numpy.ma.getmaskarray(drawn)[row, column] and texts[column + 0.5, row + 0.5] == "–"


def test_runs_that_differ_in_something_else_are_joined_and_said(make_run, warnings_as_text):
    for gamma in (0.9, 0.99):
        for lr in LR:
            for width in WIDTH:
                make_run(gamma, lr=lr, width=width, gamma=gamma)
    drawn = rla.plot_sweep("t", "return", by=["lr", "width"])
    assert numpy.allclose(drawn.data.score, 0.945) and set(drawn.data.n) == {2}
    (text,) = warnings_as_text
    assert "also differ in gamma" in text
    assert "all gamma together" in " ".join(text.get_text() for text in drawn.figure.texts)
    warnings_as_text.clear()
    with pytest.raises(rla.ConfigError, match=r"3 hyper-parameters differ: lr, width, gamma\. Allowed: two"):
        rla.plot_sweep("t", "return")


def test_a_large_sweep_has_room(make_run):
    """Texts that would touch are left out; the numbers stand in data."""
    for number in range(60):
        make_run(float(number), lr=number / 1000, name_of_net=f"$net{number % 3}_")
    drawn = rla.plot_sweep("t", "return", by=["lr", "name_of_net"], size="icml")
    assert not any(label.get_parse_math() for label in drawn.axes[0].get_yticklabels()), "a dollar sign is one"
    drawn.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in drawn.axes[0].get_xticklabels()]
    assert all(one.x1 <= other.x0 + 1 for one, other in itertools.pairwise(boxes))
    assert not drawn.axes[0].texts and len(drawn.data) == 180 and drawn.data.n.sum() == 60


def test_mistakes_are_told_at_once(sweep):
    with pytest.raises(rla.ConfigError) as error:
        rla.plot_sweep("t", "return", by=["lr"], estimator="avg", colors="viridi", window=3)
    for text in ("by has 1 name: lr", "estimator is 'avg'", "Did you mean 'viridis'", "window is 3"):
        assert text in str(error.value)
    with pytest.raises(rla.ConfigError) as error:
        rla.plot_sweep("t", "return", by=["lr", "width"], colors="red")
    assert "colors is 'red'. Allowed: a colour map of matplotlib, such as viridis, cividis, magma, Blues, gray." in (
        str(error.value)
    )
    assert len(str(error.value)) < 150, "not all of a hundred maps"
    with pytest.raises(rla.ConfigError, match="no run has the parameter 'with'"):
        rla.plot_sweep("t", "return", by=["lr", "with"])


def test_long_values_that_differ_at_the_end(make_run):
    """Their texts differ, too."""
    for width in (128, 256):
        for lr in LR:
            make_run(1.0, net=[256, 256, 256, width], lr=lr)
    panel = rla.plot_sweep("t", "return", by=["lr", "net"]).axes[0]
    texts = [label.get_text() for label in panel.get_yticklabels()]
    assert texts == ["[256, 2…56, 128]", "[256, 2…56, 256]"]
