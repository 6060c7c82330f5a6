"""Several figures in one PDF."""

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError
from rla_hooks.plot import save_pages

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def figures():
    """Two of three runs."""
    for seed in range(3):
        with rla.run(task="t", writers=["csv"], backup="none", seed=seed):
            for step in range(4):
                rla.log({"return": float(step * seed)}, step=step)
    return [rla.plot_curves("t", "return"), rla.plot_bars(rla.runs(task="t"), "return")]


def test_each_figure_is_a_page_of_its_own_size(figures, tmp_path):
    """With TrueType fonts, the query in the metadata; the figures themselves stay as they were."""
    before = [(figure.figure.canvas, figure.figure.get_size_inches().tolist()) for figure in figures]
    path = save_pages(figures, tmp_path / "new" / "all.pdf")
    pdf = path.read_bytes()
    assert pdf.startswith(b"%PDF") and b"/Count 2" in pdf and b"/Type3" not in pdf
    assert b"rla.runs" in pdf and b"CreationDate" not in pdf
    for figure, (canvas, size) in zip(figures, before, strict=True):
        assert figure.figure.canvas is canvas and figure.figure.get_size_inches().tolist() == size
        width, height = (72 * side for side in size)
        assert f"/MediaBox [ 0 0 {width:g}".encode()[:20] in pdf, (width, height)
    assert save_pages(figures, path).read_bytes() == pdf


def test_what_cannot_be_written_is_refused(figures, tmp_path):
    """Other endings, other things than figures, a folder that is a file."""
    for path in ("all.png", "all", "", 3):
        with pytest.raises(ConfigError, match="Allowed: the path of a PDF file"):
            save_pages(figures, path)
    for wrong in ([], figures[0], [figures[0].figure], "x"):
        with pytest.raises(ConfigError, match="Allowed: a list of figures"):
            save_pages(wrong, "all.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        save_pages(figures, tmp_path / "file" / "all.pdf")


def test_a_path_that_no_system_takes(figures):
    """Is refused in words."""
    with pytest.raises(ConfigError, match=r"path is 'a\\x00b.pdf'"):
        save_pages(figures, "a\0b.pdf")
