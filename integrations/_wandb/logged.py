"""What a call of ``wandb.log`` holds: the values of its row, and what becomes files, pictures and histograms."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

from rla_hooks.integrations._wandb.files import Results
from rla_hooks.integrations._wandb.media import Histogram, Media, Plotly
from rla_hooks.integrations._wandb.missing import Artifact, Nothing
from rla_hooks.integrations._wandb.pictures import Image, figure_of, is_figure
from rla_hooks.integrations._wandb.table import Table

from rla_hooks.hooks import Run, WarnOnce, flat

_PLAIN = (float, int, str, bool)


class Sorted:
    """The values of a mapping, nested ones joined with slashes, sorted into ``row`` and media.

    >>> found = Sorted({"loss": 0.5, "eval": {"return": 3, "lengths": [5, 6]}, "best": None})
    >>> found.row, [key for key, _ in found.media]
    ({'loss': 0.5, 'eval/return': 3}, ['eval/lengths'])
    """

    def __init__(self, data: Mapping[str, Any]):
        self.row: dict[str, Any] = {}
        self.media: list[tuple[str, Callable[..., Any]]] = []
        for key, value in flat(data).items():
            if isinstance(value, _PLAIN):
                self.row[key] = value
            elif value is not None:
                try:
                    self._sort(key, value)
                except Exception as error:  # a picture whose file is cut off, say; told with the others
                    self.media.append((key, functools.partial(_fail, error)))

    def _sort(self, key: str, value: Any) -> None:
        is_list = isinstance(value, (list, tuple))
        if isinstance(value, Media):
            self._add(key, value)
        elif is_list and value and all(isinstance(each, Media) or is_figure(each) for each in value):
            for number, each in enumerate(value):
                self._sort(f"{key}_{number}" if len(value) > 1 else key, each)
        elif is_figure(value):
            self.media.append((key, lambda run, results, key, step: run.save_figure(key, figure_of(value), step)))
        elif isinstance(value, (Artifact, Nothing)):
            pass
        elif hasattr(value, "columns") and hasattr(value, "iloc"):
            self._add(key, Table(dataframe=value))
        elif _package(value) == "plotly":
            self._add(key, Plotly(value))
        elif _package(value) == "PIL":
            self._add(key, Image(value))
        elif _count(value) > 1 or (is_list and value and all(map(_is_number, value))):
            self._add_numbers(key, value)
        elif not is_list or value:
            self.row[key] = value  # a number in an array, or what the run warns about

    def _add(self, key: str, media: Media) -> None:
        self.media.append((key, media.write))

    def _add_numbers(self, key: str, value: Any) -> None:
        """An array of numbers: shown as a histogram, as wandb does with long ones."""
        self.media.append((key, lambda run, results, key, step: Histogram(value).write(run, results, key, step)))

    def write_media(self, run: Run, results: Results, step: int, warn: WarnOnce) -> None:
        """Write all media. What cannot be written gives one warning, and the training goes on."""
        if not run.is_writing:
            return
        for key, write in self.media:
            try:
                path = write(run, results, key, step)
                caption = getattr(getattr(write, "__self__", None), "caption", None)
                if path is not None and caption:
                    results.add_caption(path, str(caption))
            except Exception as error:
                warn(("media", key), f"wandb.log: {key!r} was not written: {error}. The training goes on.")


def _fail(error: Exception, *unused: Any) -> None:
    raise error


def _package(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def _count(value: Any) -> int:
    """Return how many numbers an array or a tensor holds; 0 for what is none."""
    try:
        return math.prod(int(side) for side in value.shape)
    except Exception:
        return 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or _count(value) == 1
