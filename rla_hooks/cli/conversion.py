"""Converts the words of a command line to what the options are annotated with, without importing pydantic.

typer 0.29 asks pydantic for every option, whose import takes as long as all the rest of a command. What is plain is
converted here; for what is not, or is wrong, typer is asked, whose messages are the better ones. Older versions of
typer have no such attribute, and are left alone.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

_CONVERTER = "_runtime_param"  # of an option or an argument: typer makes it when it is first asked for, if it is None
_TYPE = "type_descriptor"


def convert_plainly(command: Any, context: Any) -> None:
    """Let the options and arguments of a command, --help among them, convert plain words by themselves."""
    for parameter in command.get_params(context):
        if getattr(parameter, _CONVERTER, self := _Plain(parameter)) is None:
            setattr(parameter, _CONVERTER, self)


class _Plain:
    """What converts the values of one option or argument."""

    def __init__(self, parameter: Any):
        descriptor = getattr(parameter, _TYPE, None)
        self.annotation: Any = getattr(descriptor, "annotation", None)
        self.limits: Any = getattr(descriptor, "parameter_info", None)
        self.has_parser = getattr(self.limits, "parser", None) is not None

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Convert a value, as typer's RuntimeParam does."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        try:
            if not self.has_parser:
                return self._plain(value)
        except ValueError:
            pass
        setattr(param, _CONVERTER, None)  # typer makes its own
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)

    def _plain(self, value: Any) -> Any:
        """Return the value of a plain word; raise ValueError for everything else."""
        kind, convert = self.annotation, self.annotation
        if get_origin(kind) is list and get_args(kind) == (str,) and isinstance(value, (list, tuple)):
            if all(isinstance(each, str) for each in value):
                return list(value)
        elif kind in (int, float) and isinstance(value, (str, kind)):
            return self._within(convert(value))
        elif kind is str and isinstance(value, str):
            return value
        elif isinstance(kind, type) and issubclass(kind, (Enum, Path)) and isinstance(value, (str, kind)):
            return convert(value)
        raise ValueError(value)

    def _within(self, number: float) -> float:
        least, most = self.limits.min, self.limits.max
        if (least is None or number >= least) and (most is None or number <= most):
            return number
        raise ValueError(number)
