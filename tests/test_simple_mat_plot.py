"""RLA's simple figures by the door of its module: in a run, without one, and by position as in both eras."""

from __future__ import annotations

import pytest

import rla_hooks as rla
from rla_hooks.easy_log.simple_mat_plot import simple_hist, simple_plot, simple_scatter
from rla_hooks.errors import RLAWarning, RunError

pytestmark = pytest.mark.usefixtures("quiet")


def test_without_a_run_a_path_is_needed(tmp_path, monkeypatch):
    """RLA draws to save_path without one; nothing else comes into being, and an error of the data is one warning."""
    assert simple_plot("p", [[1, 2]], save_path=tmp_path / "new" / "p.pdf").read_bytes().startswith(b"%PDF")
    assert simple_scatter("s", [[[1, 2]]], save_path="s.png").is_file()
    with pytest.warns(RLAWarning, match="'p' is there already"):
        assert simple_plot("p", [[1, 2]], save_path=tmp_path / "new" / "p.pdf") is None
    with pytest.warns(RLAWarning, match="the figure 'bad' was not drawn"):
        assert simple_plot("bad", "text", save_path="bad.png") is None
    with pytest.raises(RunError, match="simple_plot was called outside a run"):
        simple_plot("p", [[1, 2]])
    monkeypatch.setenv("RLA_MODE", "off")
    assert simple_plot("off", [[1, 2]], save_path="off.png") is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "s.png"]


def test_arguments_by_position(tmp_path):
    """After the label of y, histograms of 2020 have colours, those of 2024 a title."""
    with rla.run(task="t", log_root=tmp_path / "root", writers=[], backup="none"):
        data = [[1, 2, 2], [3]]
        assert simple_hist("a", data, ["x", "y"], True, "v", "n", ["red", "blue"], None, True).name == "a.pdf"
        assert simple_hist("b", data, ["x", "y"], False, "v", "n", "title", ["red", "blue"], None, True).name == "b.png"
        assert simple_plot("c", data, None, None, None, False, "", "", None, None, False, "t", True).name == "c.png"
        path = simple_scatter("d", [[[1, 2]]], None, False, "", "", False, tmp_path / "d.png")
        assert path == tmp_path / "d.png"
