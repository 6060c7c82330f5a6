"""``wandb.summary``: what a run came to. What a script sets there is ``result`` in run.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rla_hooks.integrations._wandb.metrics import DefinedMetrics

from rla_hooks.hooks import Every, Run, flat


class Summary:
    """The last value of each metric, or what define_metric asks for, and what the script has set."""

    def __init__(self, run: Run, metrics: DefinedMetrics, former: Any = None):
        parts: dict[str, Any] = {
            "_run": run,
            "_metrics": metrics,
            "_own": dict(former) if isinstance(former, Mapping) else {},
            "_is_time": Every(seconds=1),
        }
        self.__dict__.update(parts)
        self.keep()

    # --- reading --------------------------------------------------------------------------------------------------

    def _as_dict(self) -> dict[str, Any]:
        """Return all of it."""
        return {**self._run.logger.last_values, **self._defined(), **self._own}

    def _defined(self) -> dict[str, Any]:
        """Return what define_metric asks for; a metric with the one summary ``last`` is as it would be without."""
        return {key: value for key, value in self._metrics.summaries.items() if value.keys() - {"last", "copy"}}

    def __getitem__(self, key: str) -> Any:
        everything = self._as_dict()
        if key in everything:
            return everything[key]
        name, _, word = key.rpartition(".")  # loss.min
        if isinstance(everything.get(name), Mapping) and word in everything[name]:
            return everything[name][word]
        raise KeyError(key)

    def __getattr__(self, key: str) -> Any:
        try:
            if not key.startswith("__"):
                return self[key]
        except KeyError:
            pass
        raise AttributeError(f"wandb.summary has no {key!r}")

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key, self) is not self

    def __iter__(self) -> Iterator[str]:
        return iter(self._as_dict())

    def __len__(self) -> int:
        return len(self._as_dict())

    def keys(self) -> list[str]:
        return list(self._as_dict())

    def values(self) -> list[Any]:
        return list(self._as_dict().values())

    def items(self) -> list[tuple[str, Any]]:
        return list(self._as_dict().items())

    def __repr__(self) -> str:
        return repr(self._as_dict())

    # --- writing --------------------------------------------------------------------------------------------------

    def update(self, d: Mapping[str, Any]) -> None:
        """Set several values. Media have no place here: log them."""
        self._own.update(flat(d))
        self.keep()
        if self._is_time(0):  # kill -9 loses those of the last second
            self._run.flush()

    def keep(self) -> None:
        """Let run.json have it from its next change on, or from the end of the run."""
        kept = {**self._defined(), **self._own}
        if kept:
            self._run.keep_result(kept)

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __setattr__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        del self._own[key]
        self.keep()
