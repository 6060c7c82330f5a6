"""Modules and optimizers of torch: as their ``state_dict()`` says, with what that does not compare."""

from __future__ import annotations

from typing import Any

import torch

from rla_hooks.checkpoints import torch_names
from rla_hooks.state.objects.methods import Methods
from rla_hooks.state.objects.walk import TAG, Walk


class Modules(Methods):
    """torch.nn.Module. A module fits, whether it is compiled or in a DataParallel, or was so when it was saved."""

    def __init__(self) -> None:
        super().__init__("state_dict", "load_state_dict")
        self.tag = "torch_module"

    def matches(self, value: Any) -> bool:
        return isinstance(value, torch.nn.Module)

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        super().check(value, _fitted(value, tree), at, walk)

    def put(self, value: Any, tree: Any, walk: Walk) -> Any:
        return super().put(value, _fitted(value, tree), walk)


class Optimizers(Methods):
    """torch.optim.Optimizer: of the same class, and of as many parameters in each group."""

    def __init__(self) -> None:
        super().__init__("state_dict", "load_state_dict")
        self.tag = "torch_optimizer"

    def matches(self, value: Any) -> bool:
        return isinstance(value, torch.optim.Optimizer)

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if not walk.has_class(value, tree["class"], at):
            return
        own = [len(group["params"]) for group in value.param_groups]
        stored = [len(group["params"]) for group in tree["state"]["param_groups"]]
        if own != stored:
            walk.problems.append(f"{at} has groups of {own} parameters and in the state {stored}")
            return
        self._check_shapes(value, tree, at, walk)
        super().check(value, tree, at, walk)

    def _check_shapes(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        """An optimizer that has taken no step has nothing to compare but its parameters."""
        parameters = [parameter for group in value.param_groups for parameter in group["params"]]
        numbers = [number for group in tree["state"]["param_groups"] for number in group["params"]]
        for number, parameter in zip(numbers, parameters, strict=True):
            for name, part in tree["state"]["state"].get(number, {}).items():
                shape = getattr(part, "shape", ())
                if name.startswith("exp_avg") and shape and tuple(shape) != tuple(parameter.shape):
                    shapes = tuple(parameter.shape), tuple(shape)
                    walk.problems.append(f"{at}.{number} has shape {shapes[0]} and in the state {shapes[1]}")
                    break


class Schedulers(Methods):
    """Schedulers of learning rates: of the same class."""

    def __init__(self) -> None:
        super().__init__("state_dict", "load_state_dict")
        self.tag = "torch_scheduler"

    def matches(self, value: Any) -> bool:
        return isinstance(value, torch.optim.lr_scheduler.LRScheduler)

    def check(self, value: Any, tree: Any, at: str, walk: Walk) -> None:
        if walk.has_class(value, tree["class"], at):
            super().check(value, tree, at, walk)


def _fitted(value: Any, tree: Any) -> Any:
    """Return the tree with the names of the module's own parameters, where only wrappers are in between."""
    state = tree["state"]
    items: dict[str, Any] = state["items"] if TAG in state and "items" in state else state
    names = torch_names.renamed(items, value.state_dict())
    if all(name == new for name, new in names.items()):
        return tree
    new_items = {names[name]: part for name, part in items.items()}
    return {**tree, "state": {**state, "items": new_items} if items is not state else new_items}


KINDS = [Modules(), Optimizers(), Schedulers()]
