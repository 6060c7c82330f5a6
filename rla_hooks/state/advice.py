"""Several problems in one message: what is to be done about more than one of them is said once."""

from __future__ import annotations

from collections.abc import Sequence

from rla_hooks.checkpoints import compare


def told(problems: Sequence[str], most: int) -> str:
    """Return problems, each ``what is wrong. What to do``, as one text; ``most``: how many of them are told.

    >>> told(["a is a lock. Leave it out", "b has shape (2,)", "c is a file. Leave it out"], 5)
    'a is a lock; b has shape (2,); c is a file. Leave it out'
    """
    return compare.shorten([*said_once(problems[:most]), *problems[most:]], most)


def said_once(problems: Sequence[str]) -> list[str]:
    """Return problems with the advice that several of them give at the last of these only."""
    lines, said = list[str](), set[str]()
    for problem in reversed(problems):
        fact, _, advice = problem.partition(". ")
        lines.append(fact if advice and advice in said else problem)
        said.add(advice)
    return lines[::-1]
