"""The graph of a module, as TensorBoard shows it."""

from __future__ import annotations

from typing import Any

from rla_hooks.writers.base import Graph


def graph_of(module: Any, example: Any = None) -> Graph | None:
    """Return the graph that torch traces with ``example``, else with the module's ``example_input_array``, or None.

    Tracing runs the user's ``forward``: whatever that raises comes through.
    """
    if example is None:
        example = getattr(module, "example_input_array", None)
    if example is None:
        return None
    from torch.utils.tensorboard import _pytorch_graph

    trace: Any = _pytorch_graph.graph  # has no types
    definition, _ = trace(module, module._apply_batch_transfer_handler(example))
    return Graph(definition.SerializeToString())
