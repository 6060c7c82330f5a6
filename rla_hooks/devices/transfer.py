"""What a framework's file does for its tensors, and the values of a row that are on their way to the host."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rla_hooks.locks import in_forked_child


class Fetch(Protocol):
    """Copies of values that are on their way to the host."""

    def ready(self) -> bool:
        """Return whether :meth:`result` would return at once."""

    def result(self) -> Sequence[Any]:
        """Wait, and return one item for each value: a number, or the exception that its copy failed with."""


class Family(Protocol):
    """The tensors of one framework."""

    def holds(self, value: Any) -> bool:
        """Return whether ``value`` has one element that is, or may be, on a device. This never waits."""

    def fetch(self, values: Sequence[Any], at_once: bool) -> Fetch:
        """Begin to copy values to the host. at_once: ``result`` is asked for before the program goes on."""


class Transfer:
    """The values of some metrics, by name, while they are on their way. It stands in the row in place of each.

    It never raises: trouble is the value of the metrics that it concerns. The result is kept, and the copies freed.

    >>> class Here:
    ...     def ready(self): return True
    ...     def result(self): return [0.5]
    >>> transfer = Transfer(["loss"], Here())
    >>> transfer.ready(), transfer.values()
    (True, {'loss': 0.5})
    """

    __slots__ = ("__weakref__", "_fetch", "_names", "_values")

    def __init__(self, names: Sequence[str], fetch: Fetch):
        self._names = names
        self._fetch: Fetch | None = fetch
        self._values: Mapping[str, Any] = {}
        _under_way.add(self)

    def ready(self) -> bool:
        """Return whether :meth:`values` would return at once."""
        fetch = self._fetch
        try:
            return fetch is None or fetch.ready()
        except Exception:  # the device is lost: values() says so
            return True

    def values(self) -> Mapping[str, Any]:
        """Wait, and return a number or an exception for each metric."""
        fetch = self._fetch
        if fetch is not None:
            try:
                self._values = dict(zip(self._names, fetch.result(), strict=True))
            except Exception as error:
                self.abandon(error)
            self._fetch = None
        return self._values

    def abandon(self, error: Exception) -> None:
        """Take ``error`` for each value, and never free the copies: to do that aborts the process.

        Torch gives pinned memory back by a call of CUDA, which fails after an error of the device, or in a forked
        child, in a place where nothing can catch it.
        """
        fetch = self._fetch
        if fetch is not None:
            never_free(fetch)
            self._values, self._fetch = dict.fromkeys(self._names, without_frames(error)), None


def read(value: Any) -> Any:
    """Return the number of one tensor, or the exception that says why there is none.

    >>> class Freed:
    ...     def item(self): raise RuntimeError("freed")
    >>> read(Freed())
    RuntimeError('freed')
    """
    try:
        return value.item()
    except Exception as error:
        return without_frames(error)


def without_frames(error: Exception) -> Exception:
    """Return ``error`` without its traceback, whose frames would keep tensors alive, and with a loss its gradients."""
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def never_free(thing: object) -> None:
    """Keep an object, and what it refers to, also when the interpreter ends."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


_under_way: weakref.WeakSet[Transfer] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for transfer in list(_under_way):
        transfer.abandon(RuntimeError("it was on its way to the parent process"))


in_forked_child(_after_fork_in_child)


class _Arriving:
    """The family of what is on its way already, such as the values of the row that ``add_scalar`` leaves open."""

    def holds(self, value: Transfer) -> bool:
        return True

    def fetch(self, values: Sequence[Transfer], at_once: bool) -> Fetch:
        raise NotImplementedError("each value is a Transfer")


ARRIVING: Family = _Arriving()
