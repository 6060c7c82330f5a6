"""A tracked call, or a ``with`` block, that is a run: it starts where that is entered, and ends where it is left."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ContextDecorator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rla_hooks.core import process_end, registry
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import RunError

if TYPE_CHECKING:
    from rla_hooks.core.run import Run


class RunBlock(ContextDecorator):
    """A call or a block that is a run. No generator: the exception that leaves the block is not touched at all."""

    def __init__(self, configured: Callable[[], RunSettings | None]):
        self.configured = configured  # returns the checked settings; None if tracking is off
        self._here: registry.Entered | None = None

    def _recreate_cm(self) -> RunBlock:
        return RunBlock(self.configured)  # as a decorator: a run for each call

    def __enter__(self) -> Run:
        from rla_hooks.core.run import Run

        settings = self.configured()
        if settings is None:
            return Run.silent()
        if self._here is not None:
            raise RunError("this block has been entered before. Call rla.run(...) again for a further run.")
        running = Run(settings)
        self._here = registry.enter_block(running)
        try:
            running.begin()
        except BaseException as error:
            self._end(error)
            raise
        return running

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._here is not None:
            self._end(error)
            if process_end.preemption is not None:
                process_end.preemption.leave(error)

    def keep_result(self, value: Any) -> Any:
        """Keep what the tracked function returned in run.json, if that is plain data; return it unchanged."""
        if self._here is not None:
            self._here.run.files.keep_result(value)
        return value

    def _end(self, error: BaseException | None) -> None:
        """End the run. What interrupts that, Ctrl-C say, is raised only if no other exception is on its way."""
        here = self._here
        assert here is not None
        try:
            here.run.ending.end_block(error)
        except BaseException:
            here.run.ending.end_block(error)  # does what is left to do
            if error is None:
                raise
        finally:
            registry.leave_block(here)
