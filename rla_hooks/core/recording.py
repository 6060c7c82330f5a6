"""What is recorded for the next row: last values, means, moving averages. The names are RLA's and openai/baselines'."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from rla_hooks import ranks
from rla_hooks.core.row_values import RowValues, record_each
from rla_hooks.core.time_step import TimeStepHolder
from rla_hooks.errors import WarnOnce
from rla_hooks.texts import text_of


class Recording:
    """The values that are recorded and not yet dumped, and the step that they will have.

    Several threads may record; a forked child records nothing.
    """

    def __init__(self) -> None:
        self.time_step = TimeStepHolder()
        self.last_step: int | None = None  # of the rows
        self._values: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._excluded: dict[str, frozenset[str]] = {}
        self._recorded_at: dict[str, int] = {}
        self._windows: dict[str, deque[float]] = {}
        self._warn = WarnOnce()
        self._odd = RowValues(self._warn)
        self._lock = threading.RLock()
        self._process = ranks.process_id

    def record(self, key: str, value: Any, exclude: str | Iterable[str] | None = None, freq: int | None = None) -> None:
        """Keep ``value`` for the next dump; the last value of a key wins.

        exclude: names of writers that do not get the value. freq: ignore the value unless so many time steps have
        passed since the last one of this key that was kept.
        """
        if self._process != ranks.process_id:  # before the lock, which a thread of the parent may have held at the fork
            return
        key = text_of(key)
        if isinstance(value, Mapping):
            return record_each(self.record, key, value, exclude, freq)
        with self._lock:
            if freq is not None:
                now, before = self.next_step(), self._recorded_at.get(key)
                if before is not None and 0 <= now - before < freq:  # steps may go back, in a second fit say
                    return
                self._recorded_at[key] = now
            self._values[key] = value
            self._counts.pop(key, None)  # a later record_mean starts from no values
            self._exclude(key, exclude)

    def record_mean(self, key: str, value: Any, exclude: str | Iterable[str] | None = None) -> None:
        """Keep the mean of all values of ``key`` since the last dump. None is ignored."""
        key = text_of(key)
        if isinstance(value, Mapping):
            return record_each(self.record_mean, key, value, exclude)
        number = self._odd.number(key, value)
        if number is None or self._process != ranks.process_id:
            return
        with self._lock:
            count = self._counts.get(key, 0)
            mean = self._values[key] if count else 0.0
            self._values[key] = mean + (number - mean) / (count + 1)
            self._counts[key] = count + 1
            self._exclude(key, exclude)

    def record_moving_average(
        self,
        key: str,
        value: Any,
        record_len: int,
        ignore_nan: bool = False,
        exclude: str | Iterable[str] | None = None,
        freq: int | None = None,
    ) -> None:
        """Keep the mean of the last ``record_len`` values of ``key``, once there are so many. None is ignored."""
        key = text_of(key)
        if isinstance(value, Mapping):
            return record_each(self.record_moving_average, key, value, record_len, ignore_nan, exclude, freq)
        number = self._odd.number(key, value)
        if number is None or (ignore_nan and number != number) or self._process != ranks.process_id:
            return
        if not self._odd.is_length(key, record_len):
            return
        with self._lock:
            window = self._windows.get(key)
            if window is None or window.maxlen != record_len:
                window = self._windows[key] = deque(window or (), maxlen=record_len)
            window.append(number)
            if len(window) == record_len:
                self.record(key, sum(window) / record_len, exclude, freq)

    def record_all(
        self, values: Mapping[str, Any], prefix: str = "", exclude: str | Iterable[str] | None = None
    ) -> None:
        """Record every value of a mapping."""
        for key, value in values.items():
            self.record(f"{prefix}{text_of(key)}", value, exclude)

    def _exclude(self, key: str, exclude: str | Iterable[str] | None) -> None:
        if exclude:
            self._excluded[key] = frozenset((exclude,) if isinstance(exclude, str) else exclude)
        else:
            self._excluded.pop(key, None)

    @property
    def name_to_value(self) -> dict[str, Any]:
        """The values that are recorded and not yet dumped, by key."""
        return self._values

    def next_step(self) -> int:
        """Return the step of a dump that is given none: the time step if set, else the last row's plus 1, or 0."""
        if self.time_step.is_set:
            return self.time_step.get_time()
        return 0 if self.last_step is None else self.last_step + 1
