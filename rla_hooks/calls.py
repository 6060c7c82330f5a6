"""What a tracked function is and what its calls are given, as the module ``inspect`` says it.

That module takes 8 ms to import. So a plain function, which no decorator below has wrapped, and which is called as it
can be, is looked at here; ``inspect`` is asked about all others.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import inspect

Function = Callable[..., Any]
# Flags of code objects, which inspect has under the names CO_VARARGS, CO_VARKEYWORDS and so on.
_MORE, _MORE_NAMED, _GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x08, 0x20, 0x80, 0x200
_UNKNOWN = object()


def is_generator(function: Function) -> bool:
    """Whether a call of the function returns a generator, and runs nothing of its body."""
    return bool(cast(FunctionType, function).__code__.co_flags & (_GENERATOR | _ASYNC_GENERATOR))


def is_coroutine(function: Function) -> bool:
    """Whether it is an ``async def``, or marked as one."""
    if _is_plain(function):
        return bool(cast(FunctionType, function).__code__.co_flags & _COROUTINE)
    import inspect

    return inspect.iscoroutinefunction(function)


def source_file(function: Function) -> str | None:
    """Return the file of the function; None for what was typed into a notebook or given by ``python -c``."""
    source: str | None = cast(FunctionType, function).__code__.co_filename
    if not str(source).endswith(".py"):
        import inspect

        source = inspect.getsourcefile(function)
    return source if source and os.path.isfile(source) else None


class Parameters:
    """The parameters of a function.

    >>> def main(lr, *layers, seed=0, **more): ...
    >>> Parameters(main).bind((0.1, 64, 64), {"name": "a"})
    {'lr': 0.1, 'layers': (64, 64), 'seed': 0, 'name': 'a'}
    """

    def __init__(self, function: Function):
        self._function = function
        first, owner = self._first(), function.__qualname__.rpartition(".")[0]
        is_method = bool(owner) and not owner.endswith("<locals>")
        self._receiver = first if is_method and first in ("self", "cls") else None  # the object of a method

    @property
    def has_receiver(self) -> bool:
        """Whether it is a method, whose first argument is an object or a class."""
        return self._receiver is not None

    def _first(self) -> str | None:
        if not _is_plain(self._function):
            return next(iter(self._signature.parameters), None)
        code = cast(FunctionType, self._function).__code__
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & (_MORE | _MORE_NAMED))
        return code.co_varnames[0] if count else None

    @functools.cached_property
    def _signature(self) -> inspect.Signature:
        import inspect

        return inspect.signature(self._function)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by name, with defaults and ``**kwargs``, without ``self`` and empty ``*args``.

        Raises the TypeError that the call raises.
        """
        found = _bind_plain(cast(FunctionType, self._function), args, kwargs) if _is_plain(self._function) else None
        if found is None:
            found = self._bind(args, kwargs)
        found.pop(self._receiver or "", None)
        return found

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        import inspect

        bound = self._bound(args, kwargs)
        bound.apply_defaults()
        found: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = bound.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                found.update(value)
            elif kind is not inspect.Parameter.VAR_POSITIONAL or value:
                found[name] = value
        return found

    def as_call(self, arguments: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return what :meth:`bind` has returned as the arguments of a call, but for ``self``.

        >>> def main(lr, *layers, seed=0): ...
        >>> Parameters(main).as_call({"lr": 0.1, "layers": (64, 64), "seed": 1})
        ([0.1, 64, 64], {'seed': 1})
        """
        kinds = {name: each.kind for name, each in self._signature.parameters.items() if name != self._receiver}
        args, rest, more = list[Any](), dict(arguments), self.more_name
        for name, kind in kinds.items():
            is_placed = kind is kind.POSITIONAL_ONLY or (
                kind is kind.POSITIONAL_OR_KEYWORD and bool(rest.get(more or ""))
            )
            if is_placed and name in rest:
                args.append(rest.pop(name))
        return [*args, *rest.pop(more or "", ())], rest

    @property
    def more_name(self) -> str | None:
        """The name of ``*args``; None without."""
        parameters = self._signature.parameters.items()
        return next((name for name, each in parameters if each.kind is each.VAR_POSITIONAL), None)

    def misfits(self, arguments: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
        """Return the names that the function does not take, those that it needs, and those with defaults besides.

        A decorator below it may do something about them: then nothing is said.

        >>> def main(lr, steps, seed=0): ...
        >>> Parameters(main).misfits({"lr": 0.1, "width": 64})
        (['width'], ['steps'], ['seed'])
        """
        if hasattr(self._function, "__wrapped__"):
            return [], [], []
        known = {name: each for name, each in self._signature.parameters.items() if name != self._receiver}
        takes_all = any(each.kind is each.VAR_KEYWORD for each in known.values())
        unknown = [name for name in arguments if name not in known and not takes_all]
        others = {
            name: each
            for name, each in known.items()
            if name not in arguments and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        }
        needed = [name for name, each in others.items() if each.default is each.empty]
        return unknown, needed, [name for name in others if name not in needed]

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        function = self._function
        try:
            return self._signature.bind(*args, **kwargs)
        except TypeError as error:
            mistake = error
        if hasattr(function, "__wrapped__"):  # a decorator below may supply what is missing: gin and hydra do
            import inspect

            return inspect.signature(function, follow_wrapped=False).bind(*args, **kwargs)
        function(*args, **kwargs)  # raises Python's own TypeError for these arguments
        raise mistake


def _is_plain(function: Function) -> bool:
    return not function.__dict__  # a decorator leaves __wrapped__ there; others __signature__, or a mark


def _bind_plain(function: FunctionType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any] | None:
    """Bind the arguments; None where the call would fail."""
    code, rest = function.__code__, dict(kwargs)
    count, end = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:count]
    if len(args) > count and not code.co_flags & _MORE:
        return None
    found = dict(zip(names, args))
    defaults = dict(zip(reversed(names), reversed(function.__defaults__ or ())))
    for name in names[len(args) :]:
        is_nameless = name in names[: code.co_posonlyargcount]
        found[name] = defaults.get(name, _UNKNOWN) if is_nameless else rest.pop(name, defaults.get(name, _UNKNOWN))
    if len(args) > count:
        found[code.co_varnames[end]] = args[count:]
    for name in code.co_varnames[count:end]:
        found[name] = rest.pop(name, (function.__kwdefaults__ or {}).get(name, _UNKNOWN))
    is_known_twice = not rest.keys().isdisjoint(names[code.co_posonlyargcount :])
    is_missing = any(value is _UNKNOWN for value in found.values())  # not "in", which asks the user's objects
    if is_known_twice or is_missing or (rest and not code.co_flags & _MORE_NAMED):
        return None
    return found | rest
