"""Regular expressions that are compiled when they are first used: that takes longer than the rest of an import."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _LateCompiled:
    """Stands for a compiled regular expression; each of its attributes is looked up once."""

    def __init__(self, text: str | bytes, flags: int):
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._text, self._flags), name)
        if not name.startswith("__"):
            setattr(self, name, value)  # the next look-up does not come here
        return value


def pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what ``re.compile`` returns, as far as its methods and attributes go; it is compiled at the first of them.

    A mistake in the expression shows there only, so each expression of a module needs a test that uses it.

    >>> digits = pattern("[0-9]+")
    >>> digits.findall("7 of 12")
    ['7', '12']
    """
    return cast("re.Pattern[AnyStr]", _LateCompiled(text, flags))
