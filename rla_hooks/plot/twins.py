"""Runs that are no seeds of their own: those with the seed of another run, and forks beside what they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rla_hooks.errors import warn
from rla_hooks.plot.groups import is_seed
from rla_hooks.query.family import origins_of
from rla_hooks.query.filter_columns import equality_key
from rla_hooks.query.saved_run import SavedRun
from rla_hooks.texts import listed, printable

_NAMED = 6  # runs in a warning


def twins_note(parts: Iterable[Sequence[SavedRun]]) -> list[str]:
    """Return what a figure says of runs that count as seeds and are none; warnings name them.

    parts: the runs of each curve, bar or cell. Runs whose parameters are those of another one, its seed too, make a
    band too narrow: a run that was started again, a seed that is set always. So do forks: the rows up to the fork are
    those of the run that they come from.
    """
    found = [[*each] for each in parts]
    forks = {id(run): (run, text) for runs in found for run, text in _forks(runs)}
    twins = {id(run): run for runs in found for run in _twins(runs) if id(run) not in forks}
    return [*_tell_forks([*forks.values()]), *_tell_twins([*twins.values()])]


def _tell_forks(forks: Sequence[tuple[SavedRun, str]]) -> list[str]:
    if not forks:
        return []
    texts = printable(listed([text for _, text in forks], _NAMED))
    many = len(forks) > 1
    warn(
        f"{len(forks)} fork{'s have' if many else ' has'} the rows of another run up to where it was forked, and "
        f"{'count as seeds' if many else 'counts as a seed'} beside it ({texts}). Leave the forks out, "
        "rla.runs(where='forked_from == none'), or the runs that they come from: rla.runs(where=\"id != '...'\")"
    )
    return [f"{len(forks)} fork{'s' if many else ''} of runs of the same group"]


def _forks(runs: Sequence[SavedRun]) -> Iterator[tuple[SavedRun, str]]:
    """Yield forks of runs that are there, too, or of a run that another one of them comes from, with what is said."""
    origins = origins_of(runs)
    ids = {run.id for run in runs}
    first_of: dict[str, str] = {}
    for run in runs:
        chain = origins.get(run.id, [])
        near = next((each for each in chain if each in ids or each in first_of), None)
        if near in ids:
            yield run, f"{run.id} of {near}"
        elif near is not None:
            yield run, f"{run.id} and {first_of[near]} of {near}"
        for each in chain:
            first_of.setdefault(each, run.id)


def _tell_twins(twins: Sequence[SavedRun]) -> list[str]:
    if not twins:
        return []
    runs, have, count = ("run", "has", "counts as a seed") if len(twins) == 1 else ("runs", "have", "count as seeds")
    names = printable(listed([run.id for run in twins], _NAMED))
    warn(
        f"{len(twins)} {runs} ({names}) {have} the parameters of another one, its seed too, and "
        f"{count}, too. Leave one of them out: rla.runs(where=\"id != '...'\")"
    )
    return [f"{len(twins)} {runs} with the seed of another one"]


def _twins(runs: Sequence[SavedRun]) -> Iterator[SavedRun]:
    """Yield the runs before which another one has the same parameters, a seed among them."""
    seen: set[str] = set()
    for run in runs:
        if any(is_seed(name) and value is not None for name, value in run.hparams.items()):
            key = equality_key(run.hparams)
            if key in seen:
                yield run
            seen.add(key)
