"""``writer.file_writer``, for programs that go behind the methods of a SummaryWriter."""

from __future__ import annotations

from typing import Any, Protocol

from rla_hooks.writers.base import Graph


class Words(Protocol):
    """What this file uses of a SummaryWriter."""

    def _started(self, step: Any = None) -> Any: ...
    def get_logdir(self) -> str: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class FileWriter:
    """Takes messages of TensorBoard: the scalars in them become rows, the rest goes to the event file as it is."""

    def __init__(self, writer: Words):
        self._writer = writer

    def add_summary(self, summary: Any, global_step: int | None = None, walltime: float | None = None) -> None:
        self._writer._started(global_step).add_summary(summary, global_step, walltime)

    def add_event(self, event: Any, step: int | None = None, walltime: float | None = None) -> None:
        self._writer._started(step).add_event(event, step, walltime)

    def add_graph(self, graph_profile: Any, walltime: float | None = None) -> None:
        graph = Graph(graph_profile[0].SerializeToString())
        self._writer._started().logger.write_media("graph", graph, 0, walltime)

    def get_logdir(self) -> str:
        return self._writer.get_logdir()

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def reopen(self) -> None:
        """The next call of a method that writes does so."""
