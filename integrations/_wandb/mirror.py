"""``sync_tensorboard=True``: what the script gives to a SummaryWriter of its own is logged to the run as well.

While the run is open, the methods of torch's and tensorboardX's SummaryWriter do what they did, and then call the
method of the run. The script's own event files are as without it.
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

from rla_hooks.errors import WarnOnce
from rla_hooks.hooks import Run

_METHODS = ("scalar", "scalars", "text", "figure", "image", "images", "histogram", "video", "hparams")
_MODULES = ("torch.utils.tensorboard.writer", "tensorboardX.writer")
_OURS = "rla_hooks.integrations.tensorboard"  # whose writers join the run by themselves


class Mirror:
    """Passes on to ``run`` what SummaryWriters get, until :meth:`stop`."""

    def __init__(self, run: Run):
        self._run, self._warn = run, WarnOnce()
        self._replaced: list[tuple[type, str, Any, Any]] = []
        self._inside = threading.local()  # add_hparams calls add_scalar of another writer
        self._is_over = False

    def start(self) -> None:
        """Replace the methods of the classes that are imported; importing torch's here might load TensorFlow."""
        classes = [getattr(sys.modules.get(module), "SummaryWriter", None) for module in _MODULES]
        for owner in filter(None, classes):
            for word in _METHODS:
                name = f"add_{word}"
                original = vars(owner).get(name)
                if original is not None:
                    ours = self._passing_on(name, original)
                    setattr(owner, name, ours)
                    self._replaced.append((owner, name, original, ours))
        if not self._replaced and _OURS not in sys.modules:
            self._warn(
                "none",
                "wandb.init: sync_tensorboard=True found no SummaryWriter. Import torch's or tensorboardX's before, or "
                "use that of rla_hooks.integrations.tensorboard.",
            )

    def _passing_on(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def method(writer: Any, *args: Any, **kwargs: Any) -> Any:
            is_outermost = not getattr(self._inside, "busy", False)
            self._inside.busy = True
            try:
                result = original(writer, *args, **kwargs)
                if is_outermost and not self._is_over:
                    self._pass_on(name, args, kwargs)
                return result
            finally:
                if is_outermost:
                    self._inside.busy = False

        return method

    def _pass_on(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name == "add_figure":
            kwargs.setdefault("close", False)  # torch's has closed it, if it was to
        try:
            getattr(self._run, name)(*args, **kwargs)
        except Exception as error:
            self._warn(name, f"sync_tensorboard: a call of {name} was not passed on: {error}")

    def stop(self) -> None:
        """Put the methods back, unless somebody else has replaced them since; pass on nothing more."""
        self._is_over = True
        while self._replaced:
            owner, name, original, ours = self._replaced.pop()
            if vars(owner).get(name) is ours:
                setattr(owner, name, original)
