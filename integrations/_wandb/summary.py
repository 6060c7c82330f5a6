"""``wandb.summary``: what a run came to. What a script sets there is ``result`` in run.json."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rla_hooks.integrations._wandb.metrics import DefinedMetrics

from rla_hooks.hooks import Every, Run, WarnOnce, flat, save_results

FILE = "wandb-summary.json"
_MOST_BYTES = 9_000  # of the 10,000 that a result may have


class Summary:
    """The last value of each metric, or what define_metric asks for, and what the script has set."""

    def __init__(self, run: Run, metrics: DefinedMetrics, former: Any = None):
        parts: dict[str, Any] = {
            "_run": run,
            "_metrics": metrics,
            "_own": dict(former) if isinstance(former, Mapping) else {},
            "_is_time": Every(seconds=1),
            "_is_time_for_file": Every(seconds=10),
            "_warn": WarnOnce(),
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

    def keep(self, is_end: bool = False) -> None:
        """Let run.json have it from its next change on, or from the end of the run; all of what is long, a file."""
        kept = {**self._defined(), **self._own}
        if not kept:
            return
        found = _short(kept)
        self._run.keep_result(found)
        if len(found) < len(kept):
            self._warn(
                "long",
                f"wandb.summary: {len(found)} of {len(kept)} values stand in run.json, which has {_MOST_BYTES} bytes "
                f"for them; all of them are in {FILE} among the run's results.",
            )
            if is_end or self._is_time_for_file(0):
                save_results(self._run, FILE, kept)

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __setattr__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        del self._own[key]
        self.keep()


def _short(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that run.json has room for: without the longest ones."""
    sizes = {key: len(key) + _size(value) for key, value in values.items()}
    total, left_out = sum(sizes.values()), set()
    for key in sorted(sizes, key=lambda key: -sizes[key]):
        if total <= _MOST_BYTES:
            break
        total -= sizes[key]
        left_out.add(key)
    return {key: value for key, value in values.items() if key not in left_out}


def _size(value: Any) -> int:
    """Return about how many bytes a value has as JSON."""
    if type(value) in (float, int, bool):
        return 24
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace")) + 6
    if isinstance(value, Mapping):
        return sum(len(str(key)) + 6 + _size(each) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value)) + 6
    try:
        return 24 * math.prod(map(int, value.shape))  # an array or a tensor
    except Exception:  # of an object of the user's
        return 24
