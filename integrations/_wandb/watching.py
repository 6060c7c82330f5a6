"""``watch``: norms and histograms of the gradients and the parameters of torch modules, every so many backward passes.

The hooks hang on the parameters (``register_post_accumulate_grad_hook``, torch 2.1), so that acting without gradients
costs nothing. Norms come with the next row that is logged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rla_hooks.errors import WarnOnce, warn
from rla_hooks.hooks import Run

_KINDS = {"gradients": ("gradients",), "parameters": ("parameters",), "all": ("gradients", "parameters"), None: ()}


class Watched:
    """The modules that a run watches. present_step: of the next row."""

    def __init__(self, run: Run, present_step: Callable[[], int]):
        self._run, self._present_step = run, present_step
        self._hooks: dict[int, list[Any]] = {}  # by the id of the module
        self._norms: dict[str, list[float]] = {}  # squares of norms, by kind
        self._warn = WarnOnce()

    def add(self, models: Any, log: str | None, log_freq: int) -> None:
        """Watch modules. What is none gives a warning."""
        if log not in _KINDS:
            warn(f"wandb.watch: log is {log!r}, so nothing is watched. Known: 'gradients', 'parameters', 'all'.")
            return
        several = models if isinstance(models, (list, tuple)) else [models]
        for number, model in enumerate(several):
            if not callable(getattr(model, "named_parameters", None)):
                warn(f"wandb.watch got a {type(model).__name__}, which is not watched. Allowed: modules of torch.")
            elif id(model) not in self._hooks:
                prefix = f"graph_{number}" if len(several) > 1 else ""
                self._hooks[id(model)] = self._watch(model, _KINDS[log], max(1, int(log_freq)), prefix)

    def _watch(self, model: Any, kinds: tuple[str, ...], every: int, prefix: str) -> list[Any]:
        hooks = []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and kinds:
                full = f"{prefix}/{name}" if prefix else name
                hooks.append(parameter.register_post_accumulate_grad_hook(self._hook(full, kinds, every)))
        return hooks

    def _hook(self, name: str, kinds: tuple[str, ...], every: int) -> Callable[[Any], None]:
        passes = 0

        def after_gradient(parameter: Any) -> None:
            nonlocal passes
            passes += 1
            if passes % every == 0:
                for kind in kinds:
                    try:
                        self._note(kind, name, parameter)
                    except Exception as error:  # which backward() would raise
                        message = f"{kind} are not logged ({type(error).__name__}: {error}). The training goes on."
                        self._warn(kind, f"wandb.watch: of {name!r} and maybe others the {message}")

        return after_gradient

    def _note(self, kind: str, name: str, parameter: Any) -> None:
        values = (parameter.grad if kind == "gradients" else parameter).detach()
        if values.is_sparse:  # of an Embedding, say
            values = values.coalesce().values()
        if values.is_complex():
            values = values.abs()
        if values.element_size() < 4:  # whose squares would soon be infinite
            values = values.float()  # not double: Apple's GPUs have none
        square = float(values.square().sum())
        self._norms.setdefault(kind, []).append(square)
        self._run.add_histogram(f"{kind}/{name}", values, self._present_step(), bins=64)

    def take(self) -> dict[str, float]:
        """Return the norms over all parameters since the last call, for a row."""
        norms, self._norms = self._norms, {}
        return {f"{kind}/norm": sum(squares) ** 0.5 for kind, squares in norms.items()}

    def remove(self, models: Any = None) -> None:
        """Watch these modules no longer; all without any."""
        several = models if isinstance(models, (list, tuple)) else [models]
        for key in [*self._hooks] if models is None else map(id, several):
            for hook in self._hooks.pop(key, ()):
                hook.remove()

    def __bool__(self) -> bool:
        """Whether norms wait for a row."""
        return bool(self._norms)
