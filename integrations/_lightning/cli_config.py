"""LightningCLI's config.yaml of a former life of a run, which LightningCLI would not write over: it ends the fit.

config.1.yaml    what the first life was started with
config.2.yaml    the second
config.yaml      the present one
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from pathlib import Path

_HEADERS = (b"# pytorch_lightning==", b"# lightning.pytorch==")  # the first line of what LightningCLI saves (2.x)


def keep_aside(folder: Path) -> None:
    """Give other names to the configs of LightningCLI that are in a run's log folder, before another one is saved."""
    with suppress(OSError):  # LightningCLI will say what it cannot write
        for path in sorted(folder.glob("*.yaml")):
            if not path.stem.rpartition(".")[2].isdecimal() and _is_of_cli(path):
                path.rename(next(free for number in count(1) if not (free := _numbered(path, number)).exists()))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}.yaml")


def _is_of_cli(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(max(map(len, _HEADERS))).startswith(_HEADERS)
