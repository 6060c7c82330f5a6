"""What stands below a table: how its numbers were made, in whole sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rla_hooks.paper_tables.asked import Asked
from rla_hooks.paper_tables.grid import Column
from rla_hooks.paper_tables.measures import Settings
from rla_hooks.texts import listed, printable

if TYPE_CHECKING:
    from rla_hooks.plot.scores import Scores

_METHODS = {"t": "t", "percentile": "percentile bootstrap", "bca": "BCa bootstrap"}
_NAMED = 6  # parameters in a note
_FEW = 4  # runs, of which no quarter can be left out


def notes_of(
    want: Asked, scored: Sequence[Scores], columns: Sequence[Column], seeds: Sequence[int], joined: Sequence[str]
) -> list[str]:
    """Return the notes: on scores, on intervals, on marks, on runs that were left out.

    joined: the parameters, other than seeds, in which runs of one row differ.
    """
    settings, used = want.settings, {name for metric in want.metrics for name in want.columns_of(metric)}
    notes = [f"The score of a run: {scored[0].rule}."]
    if "mean" in used:
        notes.append(f"Mean: of the runs, with its {settings.percent} {_METHODS[settings.method]} interval.")
    if "iqm" in used:
        notes.append(
            f"IQM: mean of the middle half of the runs, with its {settings.percent} stratified bootstrap interval"
            f"{_about_iqm(seeds, settings)}."
        )
    if "best" in used:
        notes.append("Best: the best score of a run.")
    if "steps" in used:
        notes.append(
            f"Steps: median of the first steps at which runs reach it (Kaplan-Meier: those that do not count as longer "
            f"than they ran), with its {settings.percent} bootstrap interval; ∞ is not within the steps that were run."
        )
    entries = [entry for column in columns for entry in column.entries]
    if any(entry.is_tied for entry in entries):
        notes.append("† The interval overlaps that of the best, which is bold, or there is one run: no test.")
    elif any(entry.is_best for entry in entries):
        notes.append("Bold: the best of a column.")
    if joined:
        notes.append(f"Runs of a row also differ in {printable(listed(joined, _NAMED))}.")
    for scores in scored:
        notes += [f"{scores.metric}: {note}." for note in scores.notes]
    return [" ".join(notes)]


def _about_iqm(seeds: Sequence[int], settings: Settings) -> str:
    """What has to be said of an IQM of few runs: measured coverage, see docs/statistics.md. seeds: of each row."""
    from rla_hooks.statistics.measured import FEW_SEEDS, coverage

    text = ""
    fewest = min((count for count in seeds if count > 1), default=FEW_SEEDS)  # one run has no interval
    if fewest < FEW_SEEDS and settings.level == 0.95:
        part = 100 * coverage("iqm", fewest)
        text = f", which holds the true value in about {part:.0f} % of experiments with {fewest} runs"
    return f"{text}; of fewer than {_FEW} runs it is their mean" if min(seeds) < _FEW else text
