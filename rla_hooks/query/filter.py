"""Filters: which runs a text such as ``lr < 1e-3 and status == 'finished'`` chooses. docs/query.md has the language."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from rla_hooks.errors import ConfigError
from rla_hooks.query.filter_conditions import ColumnOf, Compiler
from rla_hooks.query.filter_grammar import is_bare, parse
from rla_hooks.query.filter_mistakes import FilterError
from rla_hooks.query.names import BUILT_IN, METRICS, is_known
from rla_hooks.texts import cut, shown

_MOST_SHOWN = 4  # names, in an error
_MOST_KNOWN = 12  # names that there are, where none is near
_LONGEST = 200  # characters of a name that is compared with others
_MAX_COMPARED = 20_000  # names that are compared with one that no run has


class Filter:
    """A condition on runs, read once and asked of any number of columns.

    ``text``: as it was given; a blank one chooses all. ``names``: what it asks of the runs, each once. Raises
    :class:`~rla_hooks.errors.ConfigError`, with a mark below the place, for a text that is no filter.

    >>> chosen = Filter("lr < 1e-3 and env in ['a', 'b']")
    >>> chosen.names
    ('lr', 'env')
    >>> chosen.mask({"lr": [1e-4, 1e-4, None], "env": ["a", "c", "a"]}.__getitem__, 3)
    [True, False, False]
    """

    def __init__(self, text: str):
        if not isinstance(text, str):
            raise ConfigError(f"where is {shown(text, 100)}. Allowed: a text such as \"lr < 1e-3 and task == 'demo'\".")
        self.text = text
        self._compiler = Compiler(text)
        self._choose = self._compiler.condition(parse(text)) if text.strip() else None

    def __repr__(self) -> str:
        return f"Filter({self.text!r})"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._compiler.places)

    def mask(self, column: ColumnOf, count: int) -> list[bool]:
        """Return of each of ``count`` runs whether it is chosen; ``column`` gives the values of a name of all runs."""
        if self._choose is None or count == 0:
            return [True] * count
        known: dict[str, Sequence[Any]] = {}

        def get(name: str) -> Sequence[Any]:
            if name not in known:
                values = column(name)
                known[name] = values.tolist() if hasattr(values, "tolist") else values
            return known[name]

        return self._choose(get)

    def unknown(self, name: str, known: Iterable[str]) -> FilterError:
        """Return the error that says that no run has this name, and which names near it some run has."""
        near = names_near(name, known)
        if name in self._compiler.operands:  # compared with another name: perhaps it is meant as a text
            quoted = f"A text stands in quotes: '{cut(name, _LONGEST)}'."
            near = f"{quoted} {near}" if near.startswith("Near") else quoted
        reason = f"no run has {cut(written(name), _LONGEST)}. {near}"
        return FilterError(reason, self.text, self._compiler.places[name])


def names_near(name: str, known: Iterable[str]) -> str:
    """Say which of the known names are near one that no run has, in whatever case.

    >>> names_near("loss", {"lr", "last.loss"}), names_near("rate", {"adam.rate"}), names_near("x", {"lr"})
    ('Near it: last.loss.', 'Near it: adam.rate.', 'Known: lr; and the built-in names: docs/query.md.')
    """
    found = {*known}
    near = [each for each in (f"last.{name}", f"hparams.{name}") if is_known(each, found)]
    kind = name.partition(".")[0]
    if kind in METRICS:  # the extremes are not among the names: each metric has them
        found |= {f"{kind}.{each.removeprefix('last.')}" for each in found if each.startswith("last.")}
    short = sorted(each for each in {*found, *BUILT_IN} if len(each) <= _LONGEST)
    folded = name.casefold()
    near += [each for each in short if f"/{each}".casefold().endswith((f".{folded}", f"/{folded}"))][:_MOST_SHOWN]
    near += _close_to(folded.removeprefix("hparams."), short[:_MAX_COMPARED]) if len(name) <= _LONGEST else []
    if near:
        return f"Near it: {', '.join(map(written, [*dict.fromkeys(near)][:_MOST_SHOWN]))}."
    own = sorted((each for each in short if each not in BUILT_IN), key=lambda each: each.startswith("last."))
    more = ", ..." if len(own) > _MOST_KNOWN else ""
    listed = ", ".join(map(written, own[:_MOST_KNOWN])) or "none of their own"
    return f"Known: {listed}{more}; and the built-in names: docs/query.md."


def _close_to(folded: str, names: Iterable[str]) -> list[str]:
    by_folded = {each.casefold(): each for each in names}
    return [by_folded[each] for each in difflib.get_close_matches(folded, by_folded, _MOST_SHOWN)]


def written(name: str) -> str:
    """Return a name as it stands in a filter: in backquotes where it needs them.

    >>> written("optimizer.lr"), written("time-step"), written("in")
    ('optimizer.lr', '`time-step`', '`in`')
    """
    return name if is_bare(name) else "`" + name.replace("`", "``") + "`"
