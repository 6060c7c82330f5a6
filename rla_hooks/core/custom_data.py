"""The user's data that a loaded run gets back: counters, windows of returns, any plain data."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from rla_hooks.errors import ConfigError


class CustomData(dict[str, Any]):
    """Data by key, kept in tester.pkl.

    >>> data = CustomData()
    >>> for value in (1.0, 2.0, 3.0):
    ...     data.add("returns", value, dtype=deque, max_len=2)
    >>> data["returns"]
    deque([2.0, 3.0], maxlen=2)
    """

    def add(self, key: str, data: Any, dtype: type = list, max_len: int = -1, mode: str = "append") -> None:
        """Append to a list or a deque (``dtype``, with at most ``max_len`` entries), or replace what is there.

        Raises ConfigError where ``key`` holds something that nothing can be appended to.
        """
        if mode not in ("append", "replace"):
            raise ConfigError(f"add_custom_data got mode={mode!r}. Allowed: 'append', 'replace'.")
        if mode == "replace" or not issubclass(dtype, (list, deque)):
            self[key] = data
        elif key in self:
            kept = self[key]
            if not isinstance(kept, (list, deque)):
                raise ConfigError(
                    f"add_custom_data cannot append to {key!r}, which holds a {type(kept).__name__}. "
                    "Pass mode='replace', or take another key."
                )
            kept.append(data)
        elif issubclass(dtype, deque):
            if max_len <= 0:
                raise ConfigError(f"add_custom_data got max_len={max_len} for a deque. Allowed: a number above 0.")
            self[key] = deque([data], maxlen=max_len)
        else:
            self[key] = [data]

    def replace(self, data: Mapping[str, Any]) -> None:
        """Keep ``data`` in place of all there is."""
        kept = dict(data)
        self.clear()
        self.update(kept)

    def of(self, key: str) -> Any:
        """Return the data kept under ``key``, or None."""
        return self.get(key)
