"""The images of many runs in a grid: which ones, their pixels, and what is said where there is none."""

from __future__ import annotations

import itertools

import numpy
import pytest
from PIL import Image

import rla_hooks as rla

pytest.importorskip("pandas")
pytest.importorskip("scipy")


def picture(seed, step=0):
    """A small picture that no other run or step has."""
    return numpy.full((6, 8, 3), (seed * 20, step, 255), "uint8")


@pytest.fixture
def images(quiet):
    """Three runs with a picture at steps 0 and 10, the last one only at step 0; another image beside."""
    for seed in range(3):
        with rla.run(task="t", writers=["csv"], backup="none", seed=seed):
            for step in (0, 10)[: 2 if seed < 2 else 1]:
                rla.save_figure("eval/frame", picture(seed, step), step=step)
            rla.save_figure("other", picture(9))
    return rla.runs()


def pixels(drawn):
    return [panel.images[0].get_array()[0, 0, :3].tolist() for panel in drawn.axes]


def test_the_newest_of_each_run(images):
    """Their steps differ: each stands above its image."""
    drawn = rla.plot_images(images, "eval/frame", title="Frames")
    assert pixels(drawn) == [[0, 10, 255], [20, 10, 255], [40, 0, 255]]
    assert [panel.get_title() for panel in drawn.axes] == ["seed=0\nstep 10", "seed=1\nstep 10", "seed=2\nstep 0"]
    assert drawn.data.drop(columns=["id", "path"]).values.tolist() == [
        [0, "eval/frame", 10, 8, 6],
        [1, "eval/frame", 10, 8, 6],
        [2, "eval/frame", 0, 8, 6],
    ]
    assert drawn.data.id.tolist() == [run.id for run in images]
    assert [numpy.asarray(Image.open(path))[0, 0, 1] for path in drawn.data.path] == [10, 10, 0]


def test_those_of_a_step(images, warnings_as_text):
    """A run without one is left out, and named."""
    assert pixels(rla.plot_images("t", "eval/frame", step=0)) == [[0, 0, 255], [20, 0, 255], [40, 0, 255]]
    drawn = rla.plot_images("t", "eval/frame", step=10, columns=1, legend=lambda values: f"run {values['seed']}")
    assert [panel.get_title() for panel in drawn.axes] == ["run 0", "run 1"]
    assert "eval/frame, step 10" in drawn.figure.texts[0].get_text()
    (text,) = warnings_as_text
    assert "1 of 3 runs have no image 'eval/frame' at step 10" in text and images[2].id in text
    warnings_as_text.clear()


def test_kinds_of_images(quiet):
    """Grey, with 16 bits, transparent, a figure of matplotlib's, a GIF; a name that ends in a number."""
    deep = (numpy.arange(48).reshape(6, 8) * 1000).astype("uint16")
    makers = {
        "grey": lambda path: Image.fromarray(picture(1)[..., 0]).save(path.with_suffix(".png")),
        "deep": lambda path: Image.fromarray(deep).save(path.with_suffix(".png")),
        "clear": lambda path: Image.fromarray(numpy.zeros((6, 8, 4), "uint8")).save(path.with_suffix(".webp")),
        "moving-3": lambda path: Image.fromarray(picture(2)).save(path.with_suffix(".gif")),
    }
    with rla.run(task="t", writers=["csv"], backup="none") as run:
        run.results_dir.mkdir(parents=True, exist_ok=True)
        for name, save in makers.items():
            save(run.results_dir / name)
        rla.simple_plot(name="curve", data=[[1, 2, 3]])
    shown = {name: rla.plot_images("t", name).axes[0].images[0].get_array() for name in [*makers, "curve"]}
    assert shown["grey"][0, 0].tolist() == [20, 20, 20] and shown["clear"].shape[2] == 4
    assert numpy.array_equal(shown["deep"][..., 0], deep >> 8)
    assert rla.plot_images("t", "moving").data.step.tolist() == [3] and shown["curve"].shape[2] in (3, 4)


def test_images_of_rla_have_their_step_in_front(quiet):
    """``imgs/20-react.png`` is the image imgs/react of step 20; it is found by its whole name, too."""
    with rla.run(task="t", writers=["csv"], backup="none") as run:
        (run.results_dir / "imgs").mkdir(parents=True)
        for step in (3, 20):
            Image.fromarray(picture(1)).save(run.results_dir / "imgs" / f"{step}-react.png")
    assert rla.plot_images("t").data[["name", "step"]].values.tolist() == [["imgs/react", 20]]
    assert rla.plot_images("t", "imgs/react", step=3).data["step"].tolist() == [3]
    assert rla.plot_images("t", "imgs/3-react").data["step"].tolist() == [3]


def test_an_image_that_cannot_be_read(images, warnings_as_text):
    """It says so in its place, and hides no other."""
    (images[1].results_dir / "other.png").write_bytes(b"no picture")
    drawn = rla.plot_images("t", "other")
    assert [len(panel.images) for panel in drawn.axes] == [1, 0, 1]
    assert [text.get_text() for text in drawn.axes[1].texts] == ["cannot be read"]
    assert drawn.data.width.isna().tolist() == [False, True, False]
    (text,) = warnings_as_text
    assert "other.png' cannot be read" in text
    warnings_as_text.clear()


def test_mistakes(images):
    """Each message lists what there is."""
    for options, text in (
        ({}, "the runs have 2 images. Known: eval/frame, other"),
        ({"name": "eval/frme"}, "Did you mean 'eval/frame'"),
        ({"name": "eval/frame", "step": 7}, "Known steps: 0, 10."),
        ({"name": "other", "step": 7}, "Known steps: none."),
        ({"name": "other", "step": -1, "columns": 0, "size": "a4"}, "3 mistakes"),
    ):
        with pytest.raises(rla.ConfigError) as error:
            rla.plot_images("t", **options)
        assert text in str(error.value)
    with rla.run(task="none", writers=["csv"], backup="none"):
        pass
    with pytest.raises(rla.ConfigError, match="has an image that a grid can show"):
        rla.plot_images("none")


def test_many_images_have_room(quiet):
    """Their texts do not touch."""
    for seed in range(40):
        with rla.run(task="t", writers=["csv"], backup="none", seed=seed, optimizer="a very long name of an optimizer"):
            rla.save_figure("frame", picture(1))
    drawn = rla.plot_images("t", by=["optimizer", "seed"])
    drawn.figure.draw_without_rendering()
    boxes = [panel.title.get_window_extent() for panel in drawn.axes]
    rows = [boxes[begin : begin + 7] for begin in range(0, 40, 7)]
    assert all(one.x1 <= other.x0 + 1 for row in rows for one, other in itertools.pairwise(row))
    assert len(drawn.axes) == 40
