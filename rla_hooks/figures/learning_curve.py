"""The figure that shows how a training went: each metric over the time step, training against validation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rla_hooks import rowfiles
from rla_hooks.values import to_scalar
from rla_hooks.writers.base import STEP, TIME

Point = tuple[int, dict[str, Any]]  # the step of an epoch, and its values

_POINTS = 2000  # kept of a curve: more than a figure has pixels for
_PANELS = 6
_VALIDATION = "val_"


class LearningCurve:
    """Keeps the points of each metric; of a long training every second, every fourth and so on."""

    def __init__(self) -> None:
        self.rows = 0  # since the last figure
        self._curves: dict[str, _Curve] = {}

    def add(self, step: int, values: Mapping[str, Any]) -> None:
        """Take the scalars among the values of an epoch. What is no number has no curve."""
        self.rows += 1
        for key, value in values.items():
            try:
                number = float(to_scalar(value))
            except (TypeError, ValueError, OverflowError):
                continue
            self._curves.setdefault(key, _Curve()).add(step, number)

    def figure(self) -> Any:
        """Return a matplotlib Figure; None where no metric has two points to draw a line between."""
        panels = self._panels()
        if not panels:
            return None
        from matplotlib.figure import Figure

        self.rows = 0
        columns = 1 if len(panels) == 1 else 2
        lines = -(-len(panels) // columns)
        figure = Figure(figsize=(6.4 * columns, 3.2 * lines + 0.4), layout="constrained")
        for number, name in enumerate(panels, 1):
            axes = figure.add_subplot(lines, columns, number, xlabel="time-step")
            axes.set_title(name, parse_math=False)  # a dollar sign is one
            self._draw(axes, name)
        return figure

    def _panels(self) -> list[str]:
        """The metrics to draw, the loss first; of each pair of training and validation the common name."""
        names = {key.removeprefix(_VALIDATION): None for key, curve in self._curves.items() if curve.is_line}
        return sorted(names, key=lambda name: (name != "loss", name))[:_PANELS]

    def _draw(self, axes: Any, name: str) -> None:
        for key, label in ((name, "training"), (_VALIDATION + name, "validation")):
            if key in self._curves:
                steps, values = self._curves[key].points()
                axes.plot(steps, values, label=label, marker="." if len(steps) <= 30 else None)
        axes.grid(True, alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if len(axes.lines) > 1:
            axes.legend(frameon=False)


class _Curve:
    def __init__(self) -> None:
        self._points: list[tuple[int, float]] = []
        self._every = 1  # of so many points one is kept
        self._count = 0
        self._last: tuple[int, float] | None = None

    @property
    def is_line(self) -> bool:
        return sum(math.isfinite(value) for _, value in self._points) > 1

    def add(self, step: int, value: float) -> None:
        self._last = step, value
        if self._count % self._every == 0:
            self._points.append(self._last)
            if len(self._points) > _POINTS:
                self._points, self._every = self._points[::2], 2 * self._every
        self._count += 1

    def points(self) -> tuple[list[int], list[float]]:
        """Steps and values, the last one always among them. Infinities leave a gap, as NaN does."""
        points = self._points if self._points[-1] == self._last or self._last is None else [*self._points, self._last]
        return [step for step, _ in points], [value if math.isfinite(value) else math.nan for _, value in points]


def epochs_in(log_dir: Path, prefix: str = "") -> Iterator[Point]:
    """Yield the step and the values of each row of an epoch in a run's files, for a curve that goes on behind them.

    Such rows have the column ``epoch``. prefix: of the names of columns, which is left out of those of the values.
    Files that cannot be read have no rows.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "progress.csv").write_text("time-step,timestamp,epoch,loss\\n1,0.5,,9\\n2,0.5,0,0.25\\n")
    ...     list(epochs_in(Path(folder)))
    [(2, {'epoch': 0, 'loss': 0.25})]
    """
    try:
        columns = rowfiles.columns(rowfiles.files(log_dir))
    except OSError:
        return
    epochs = columns.get(f"{prefix}epoch")
    if epochs is None or STEP not in columns:
        return
    there = slice(None) if epochs.present is None else epochs.present
    read = {}
    for name, column in columns.items():
        if name.startswith(prefix):
            present = None if column.present is None else column.present[there].tolist()
            read[name.removeprefix(prefix)] = column.values[there].tolist(), present
    for place in (STEP, TIME):
        read.pop(place, None)
    for at, step in enumerate(columns[STEP].values[there].tolist()):
        yield step, {key: values[at] for key, (values, present) in read.items() if present is None or present[at]}
