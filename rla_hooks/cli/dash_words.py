"""A command whose words may begin with a dash: ``rla tag latest -bad``, ``rla rename latest -seed``."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from typer.core import TyperCommand

_OPTION = re.compile(r"--[a-z][a-z-]*(=.*)?", re.DOTALL)


class DashWords(TyperCommand):
    """A command whose words may begin with a dash, as in ``-bad``: only what is named like an option is one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = {name: each for each in self.get_params(ctx) if each.param_type_name == "option" for name in each.opts}
        options: list[str] = []
        words: list[str] = []
        left = iter(args)
        for word in left:
            name, has_value, _ = word.partition("=")
            if word == "--":
                words += left
            elif name in known:
                options.append(word)
                if not (has_value or getattr(known[name], "is_flag", False)):
                    options += islice(left, 1)
            else:  # an option that is not known is told, rather than kept as a word
                (options if _OPTION.fullmatch(word) else words).append(word)
        return super().parse_args(ctx, [*options, "--", *words])
