"""The images that runs have saved under one name: which file of each run a grid shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rla_hooks.errors import ConfigError, did_you_mean, warn
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import listed, printable, shown

READABLE = frozenset((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"))
_STEPPED = re.compile(r"(?P<name>.+)-(?P<step>\d+)")
_OF_RLA = re.compile(r"(?P<folder>(?:.*/)?)(?P<step>\d+)-(?P<name>[^/]+)")
_LISTED = 10


class ImageFile(NamedTuple):
    """A file below results/. step: None for one that was saved without; stem: the whole path without its ending."""

    run: SavedRun
    path: Path
    name: str
    step: int | None
    stem: str


def chosen_images(runs: Sequence[SavedRun], name: str | None, step: int | None) -> list[ImageFile]:
    """Return one image a run: of this name, and of this step or the newest. Runs without one are named in a warning.

    Raises :class:`~rla_hooks.errors.ConfigError` where no run has such an image.
    """
    files = [images_of(run) for run in runs]
    name = _the_name(files) if name is None else name
    found: list[ImageFile] = []
    without: list[str] = []
    for run, those in zip(runs, files):
        named = [each for each in those if each.name == name and (step is None or each.step == step)]
        named += [each for each in those if step is None and each.step is not None and each.stem == name]
        if named:
            found.append(max(named, key=lambda each: -1 if each.step is None else each.step))
        else:
            without.append(run.id)
    if not found:
        raise ConfigError(_why_none(files, name, step))
    if without:
        what = f"{printable(repr(name))}{'' if step is None else f' at step {step:,}'}"
        warn(
            f"plot_images: {len(without)} of {len(runs)} runs have no image {what} and are left out: "
            f"{printable(listed(without, _LISTED))}"
        )
    return found


def images_of(run: SavedRun) -> list[ImageFile]:
    """Return the images of a run that can be put in a grid, with the names and steps that they were saved with.

    ``eval/frame-100.png`` is the image ``eval/frame`` of step 100; so is ``eval/100-frame.png``, which RLA's recorders
    write.
    """
    found = []
    for path in run.figures():
        if path.suffix.lower() not in READABLE:
            continue
        stem = path.relative_to(run.results_dir).with_suffix("").as_posix()
        name, step = _name_and_step(stem)
        found.append(ImageFile(run, path, name, step, stem))
    return found


def _name_and_step(stem: str) -> tuple[str, int | None]:
    match = _STEPPED.fullmatch(stem)
    if match:
        return match["name"], int(match["step"])
    match = _OF_RLA.fullmatch(stem)
    return (match["folder"] + match["name"], int(match["step"])) if match else (stem, None)


def _the_name(files: Sequence[Sequence[ImageFile]]) -> str:
    names = {each.name: None for those in files for each in those}
    if len(names) == 1:
        return next(iter(names))
    if names:
        raise ConfigError(f"name is None, and the runs have {len(names)} images. {_known(names)}")
    raise ConfigError(_why_none(files, None, None))


def _known(names: Any) -> str:
    return f"Known: {printable(listed(sorted(names), _LISTED))}."


def _why_none(files: Sequence[Sequence[ImageFile]], name: str | None, step: int | None) -> str:
    names = {each.name for those in files for each in those}
    if not names:
        return (
            f"None of the {len(files):,} runs has an image that a grid can show ({', '.join(sorted(READABLE))}). Save "
            "some by rla.save_figure(name, image), or by rla.simple_plot(name, ...) without pretty=True."
        )
    if name not in names:
        return f"No run has the image {shown(name, 200)}. {_known(names)}{printable(did_you_mean(name, names))}"
    steps = sorted({each.step for those in files for each in those if each.name == name and each.step is not None})
    texts = listed([f"{each}" for each in steps], _LISTED)
    return f"No run has the image {shown(name, 200)} at step {step}. Known steps: {texts or 'none'}."
