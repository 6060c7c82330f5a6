"""Methods of SummaryWriter as functions of a run, which give the tags and values that torch's writer gives.

A run's own methods differ here: they number the images of a batch, take fewer bins, and keep the tag of a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rla_hooks.masking import mask_value
from rla_hooks.texts import shown


@contextmanager
def showing(run: Any, kind: str, tag: Any) -> Iterator[None]:
    """Give one warning for what cannot be shown; the training goes on."""
    with run.guard.warn_on_error(f"the {kind} {shown(tag)}", "was not shown", ending="", kind=kind):
        yield


def add_text(
    run: Any, tag: str, text_string: str, global_step: int | None = None, walltime: float | None = None
) -> None:
    """Show a text (Markdown) in the Text tab."""
    run.add_text(f"{tag}/text_summary", text_string, global_step, walltime)


def masked_table(text: str, parameters: Mapping[str, Any]) -> str:
    """Return the text of a table of these hyper-parameters; one without secrets, if there are any in it.

    >>> masked_table("|param|value|\\n|-|-|\\n|lr|0.1|", {"lr": 0.1})
    '|param|value|\\n|-|-|\\n|lr|0.1|'
    """
    stored = {key: mask_value(key, value) for key, value in parameters.items()}
    rows = "\n".join(f"|{key}|{value}|" for key, value in stored.items())
    return text if stored == parameters else f"|param|value|\n|-|-|\n{rows}"


def add_image(
    run: Any,
    tag: str,
    img_tensor: Any,
    global_step: int | None = None,
    walltime: float | None = None,
    dataformats: str = "CHW",
) -> None:
    """Save an image in results/ and show it. dataformats: its axes, such as CHW, HWC, HW, or NCHW for a grid."""
    with showing(run, "image", tag):
        from rla_hooks.summaries.pictures import picture

        run.add_image(tag, picture(img_tensor, dataformats), global_step, walltime, "HWC")


def add_images(
    run: Any,
    tag: str,
    img_tensor: Any,
    global_step: int | None = None,
    walltime: float | None = None,
    dataformats: str = "NCHW",
) -> None:
    """Save a batch of images as a grid in results/ and show it. A list has images with the axes ``dataformats``."""
    with showing(run, "images", tag):
        from rla_hooks.summaries.pictures import stacked

        if isinstance(img_tensor, (list, tuple)):
            img_tensor, dataformats = stacked(img_tensor), f"N{dataformats.upper().replace('N', '')}"
        add_image(run, tag, img_tensor, global_step, walltime, dataformats)


def add_figure(
    run: Any,
    tag: str,
    figure: Any,
    global_step: int | None = None,
    close: bool = True,
    walltime: float | None = None,
) -> None:
    """Save a figure of matplotlib in results/ and show it; several become a grid. close: also in pyplot."""
    if not isinstance(figure, (list, tuple)):
        run.add_figure(tag, figure, global_step, close, walltime)
        return
    with showing(run, "figures", tag):
        from rla_hooks.summaries.pictures import of_figures

        run.add_image(tag, of_figures(figure, close), global_step, walltime, "HWC")


def add_video(
    run: Any,
    tag: str,
    vid_tensor: Any,
    global_step: int | None = None,
    fps: float = 4,
    walltime: float | None = None,
    dataformats: str = "NTCHW",
) -> None:
    """Save a video as a GIF in results/ and show it; several of a batch become a grid."""
    with showing(run, "video", tag):
        from rla_hooks.summaries.pictures import frames

        run.add_video(tag, frames(vid_tensor, dataformats), global_step, fps, walltime)


def add_histogram(
    run: Any,
    tag: str,
    values: Any,
    global_step: int | None = None,
    bins: Any = "tensorflow",
    walltime: float | None = None,
    max_bins: int | None = None,
) -> None:
    """Show the distribution of an array; what is not finite is left out."""
    with showing(run, "histogram", tag):
        from rla_hooks.summaries.histograms import histogram_of_torch

        run.logger.write_media(tag, histogram_of_torch(values, bins, max_bins), global_step, walltime)


def with_prefix(layout: Mapping[str, Mapping[str, Sequence[Any]]], prefix: str) -> dict[str, dict[str, list[Any]]]:
    """Return a layout of custom scalars, with ``prefix`` before each tag."""

    def chart(kind: str, tags: Sequence[str], *_: Any) -> list[Any]:
        return [kind, [f"{prefix}{tag}" for tag in tags]]

    return {name: {title: chart(*given) for title, given in charts.items()} for name, charts in layout.items()}
