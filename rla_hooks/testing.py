"""For tests of programs that use rla_hooks: a writer that keeps rows in memory, and a reset between tests."""

from __future__ import annotations

import sys

from rla_hooks import tester
from rla_hooks.core import registry
from rla_hooks.values import Scalar
from rla_hooks.writers.base import MediaEvent, Row


class MemoryWriter:
    """A writer that keeps what it gets: ``rows`` as (step, values), ``media`` as MediaEvents. Pass it in ``writers``.

    >>> import rla_hooks as rla
    >>> memory = MemoryWriter()
    >>> with rla.run(task="test", writers=["csv", memory], backup="none"):
    ...     rla.log({"loss": 0.5}, step=3)
    >>> memory.rows, memory.closed
    ([(3, {'loss': 0.5})], True)
    """

    def __init__(self, name: str = "memory"):
        self.name = name
        self.rows: list[tuple[int, dict[str, Scalar]]] = []
        self.media: list[MediaEvent] = []
        self.closed = False

    def write(self, item: Row | MediaEvent) -> bool:
        self.closed = False
        if isinstance(item, Row):
            self.rows.append((item.step, dict(item.values)))
        else:
            self.media.append(item)
        return True

    def close(self) -> None:
        self.closed = True


def reset(runs: bool = True) -> None:
    """Forget all that rla_hooks keeps for the process, as one that has just begun.

    runs: end all open runs before, as the end of the process would; False leaves them open, and forgets only what
    warnings and hooks remember.

    >>> import rla_hooks as rla
    >>> run = rla.start(task="test", writers=[], backup="none")
    >>> reset()
    >>> run.status, rla.current_run()
    ('finished', None)
    """
    if runs:
        registry.reset()
        tester.process_tester.cache_clear()
    for name, module in list(sys.modules.items()):
        if name.startswith("rla_hooks."):
            vars(module).get("forget_state", lambda: None)()
