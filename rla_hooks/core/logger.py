"""The metrics of one run: ``record`` collects values, ``dump`` makes a row of them and gives it to the writers.

The names are those of openai/baselines and of RLA; ``log`` does both at once. :mod:`rla_hooks.core.recording` has the
first half. This file is longer than others, since a further split would put further calls between a value and the
disk, on the path that every row takes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from rla_hooks import ranks
from rla_hooks.core import not_writing
from rla_hooks.core.gaps import Gaps
from rla_hooks.core.recording import Recording
from rla_hooks.core.row_shape import PLAIN, RowShape
from rla_hooks.core.row_values import EXACT_STEP, OnDevice, RowValues
from rla_hooks.core.scalar_row import ScalarRow, wall_time
from rla_hooks.core.waiting_row import MOST_WAITING, WaitingRow, taken
from rla_hooks.devices import Transfer
from rla_hooks.errors import WarnOnce
from rla_hooks.texts import cut, text_of
from rla_hooks.values import WORD, Scalar
from rla_hooks.writers import copied_writers
from rla_hooks.writers.base import STEP, TIME, Media, MediaEvent, Row, Writer

if TYPE_CHECKING:
    from rla_hooks.checkpoints.entry import Positions

T = TypeVar("T")
_Row = dict[str, Scalar]
_Excluded = Mapping[str, frozenset[str]] | None  # by key, the writers that do not get it
_MAX_MESSAGE = 100_000  # characters
_LEAST = -WORD
_STR = {str}
_MAX_SHAPES = 256  # sets of keys and types that are remembered
DEBUG, INFO, WARN, ERROR, DISABLED, BACKUP = 10, 20, 30, 40, 50, 60


class Logger(Recording):
    """Collects values and gives rows to the writers. Several threads may use it; a forked child writes nothing.

    A writer that raises (on a full disk, say) does not stop the training: it gives one warning, the missing rows are
    counted in :attr:`missing`, and each further row is tried again.

    :attr:`wait`: whether a row is written before ``log`` returns, where the call does not say so. :attr:`rows` counts
    the rows that still wait, too.
    """

    def __init__(self, writers: Iterable[Writer] = (), dir: str | Path | None = None):
        super().__init__()
        self.output_formats = list(writers)
        self.dir = None if dir is None else str(dir)
        self.level = INFO
        self.wait = True
        self.rows = 0
        self.last_values: dict[str, Scalar] = {}
        self.before_row: Callable[[], None] | None = None  # called once; before media, too, unless it is ``rows_only``
        self.on_row: Callable[[dict[str, Scalar]], None] | None = None
        self.on_recovery: Callable[[], None] | None = None
        self.missing = Gaps()
        self._shapes: dict[tuple[Any, ...], RowShape | None] = {}  # of rows before, by their keys and types
        self._scalar_rows: list[ScalarRow] = []  # one, or more where a signal handler logs; the last may take values
        self._waiting: deque[WaitingRow] = deque()

    # --- dump -----------------------------------------------------------------------------------------------------

    def log(
        self,
        values: Mapping[str, Any],
        step: int | None = None,
        walltime: Any = None,
        *,
        wait: bool | None = None,
    ) -> None:
        """Record ``values``, and dump everything that is recorded as one row. Arguments: those of ``rla.log``.

        walltime: as in :meth:`add_scalar`.
        """
        if self._process != ranks.process_id:
            not_writing.tell_child()
            return
        if wait is None:
            wait = self.wait
        if walltime is not None:
            walltime = wall_time(walltime, time.time())
        with self._lock:
            if self._values:
                self.record_all(values)
                values, excluded = self._values, self._excluded
                self._values, self._counts, self._excluded = {}, {}, {}
                self._dump(values, step, excluded, walltime, wait)
            elif type(values) is not dict or not self._log_known(values.copy(), step, walltime):
                self._dump(values, step, None, walltime, wait)

    def _log_known(self, values: _Row, step: int | None, at: float | None) -> bool:
        """Write a row that has the keys and plain types of a row before, as most rows do. Return whether it has.

        values: a copy, since another thread may change what the caller has.
        """
        numbers: list[Any] = [*values.values()]  # and texts
        shape = self._shapes.get((*values, *map(type, numbers)))
        if shape is None or shape.writers != self.output_formats:
            return False
        if shape.bounded and not shape.fits(numbers):
            return False
        if self._scalar_rows or self._waiting or self.level == DISABLED or self.before_row is not None:
            return False
        if step is None:
            step = self.next_step()
        if type(step) is not int or not _LEAST <= step < WORD:
            return False
        if at is None:
            at = time.time()
        is_counted = False
        try:
            for writer, write in shape.writes:
                try:
                    written = write(step, at, numbers)
                except Exception as error:
                    self._failed(writer, error, step)
                else:
                    if self.missing.open and written is not False:
                        self._recovered(writer)
            self.rows, is_counted = self.rows + 1, True
        except BaseException:
            if not is_counted:
                self._leave_to_others(Row(step, at, values))
            raise
        self.last_step = step
        self.last_values.update(values)
        if self.on_row is not None:
            self.on_row(dict(values))
        return True

    def dump(self, step: int | None = None, *, wait: bool | None = None) -> dict[str, Scalar]:
        """Write everything recorded since the last dump as one row, and return its values; no row if there are none.

        wait: as in ``rla.log``. Values that are still on their way from a device are not returned.
        """
        if self._process != ranks.process_id:
            not_writing.tell_child()
            return {}
        with self._lock:
            values, excluded = self._values, self._excluded
            self._values, self._counts, self._excluded = {}, {}, {}
            return self._dump(values, step, excluded, wait=self.wait if wait is None else wait)

    def add_scalar(self, key: str, value: Any, step: Any = None, walltime: Any = None) -> None:
        """Add a value to the open row, if that is of this step and has no such value; else write that and open one.

        walltime: the time of the row, in seconds since the epoch, if the value opens it; by default that of this call.
        """
        if self._process != ranks.process_id or self.level == DISABLED:
            return
        scalars, _ = self._scalars({key: value}, self.wait)  # now: a warning points at this call, no tensor is kept
        if not scalars:
            return
        with self._lock:
            if self._values:  # what is recorded is waiting for a row
                return self.log(scalars, step, walltime)
            more = _Row()
            if step is not None:
                step = self._odd.step(step, self.next_step(), more)
            given = step, self.next_step() if step is None and self.time_step.is_set else more.get(EXACT_STEP)
            for row in self._scalar_rows[-1:]:
                if row.takes(scalars, given):
                    break
            else:
                self.write_scalar_rows(self.wait)
                if self.before_row is not None:  # the end of the process must know of it
                    self._begin()
                row = ScalarRow(self.next_step() if step is None else step, given, wall_time(walltime, time.time()))
                self._scalar_rows.append(row)
            row.values.update(scalars | more)
            if row.lacks(scalars):  # a signal handler that logs has written it in between
                self._dump(scalars | more, row.step, at=row.time, wait=self.wait)

    def settle(self) -> None:
        """Write all rows that are not written yet: those that wait for a device, and that of :meth:`add_scalar`."""
        if self._process != ranks.process_id or not (self._waiting or self._scalar_rows):
            return
        with self._lock:
            while self._waiting:
                self._write_oldest()
            self.write_scalar_rows()

    def positions(self, log_dir: str | Path, before: tuple[Positions, float] | None = None) -> Positions:
        """Write the rows that wait, and return how far the files of metrics in ``log_dir`` have come.

        Arguments, and what it raises: as ``positions`` in rla_hooks/core/positions.py.
        """
        from rla_hooks.core.positions import positions

        with self._lock:
            self.settle()
            found = positions(self.output_formats, log_dir, before)
        self._note_missing()
        return found

    def write_scalar_rows(self, wait: bool = True) -> None:
        """Write the row that :meth:`add_scalar` has left open, if there is one."""
        if not self._scalar_rows or self._process != ranks.process_id:
            return
        with self._lock:
            while self._scalar_rows:
                for row in self._scalar_rows[:1]:
                    self._write_scalar_row(row, wait)

    def _write_scalar_row(self, row: ScalarRow, wait: bool) -> None:
        rows = self.rows
        try:
            if taken(self._scalar_rows, row) and (values := row.close()):
                self._dump(values, row.step, at=row.time, wait=wait)
        except BaseException:  # Ctrl-C: the next row or the end writes it
            if self.rows == rows and row not in self._scalar_rows:
                row.reopen()
                self._scalar_rows.insert(0, row)
            raise

    def _leave_to_others(self, row: Row, excluded: _Excluded = None) -> None:
        """Ctrl-C has come while a row was written: where a file has it, it counts, and other writers get it, too."""
        with suppress(Exception):
            made = WaitingRow(row, excluded, ())
            if self._leave_out(made):
                self._let_wait(made, False)

    def _leave_out(self, waiting: WaitingRow) -> bool:
        """Leave out the writers that have the row already, if they can tell; return whether there are any."""
        row = Row(waiting.row.step, waiting.row.time, waiting.row.values)
        excluded, given = waiting.excluded or {}, waiting.given
        having = []
        for writer in self.output_formats:
            has_written = getattr(writer, "has_written", None)
            with suppress(Exception):
                own = self._without(row, writer.name, excluded)
                if callable(has_written) and own is not None and has_written(own):
                    having.append(writer.name)
        names = frozenset(having)
        if names and waiting.given == given:  # no signal handler has written it meanwhile
            waiting.excluded = {key: frozenset(excluded.get(key, ())) | names for key in row.values}
        return bool(names)

    def _dump(
        self,
        values: Mapping[str, Any],
        step: Any,
        excluded: _Excluded = None,
        at: float | None = None,
        wait: bool = True,
    ) -> _Row:
        if self.level == DISABLED:
            return {}
        if self._scalar_rows or self._waiting:
            self._write_earlier(wait)
        scalars, transfers = self._scalars(values, wait)
        if STEP in scalars or TIME in scalars:
            self._odd.finish(scalars)  # the step is needed now
            transfers = ()
            step = self._odd.free_columns(scalars, step)
        if not scalars:
            return scalars
        if step is None:
            step = self.next_step()
        elif type(step) is not int or not _LEAST <= step < WORD:
            step = self._odd.step(step, self.next_step(), scalars)
        if self.before_row is not None:
            self._begin()
        row = Row(step, time.time() if at is None else at, scalars)
        if type(values) is dict:
            self._remember(row.keys, values)
        if transfers or self._waiting:
            return self._let_wait(WaitingRow(row, excluded, transfers), wait)
        self._give(row, excluded)
        self.last_step = step
        self.last_values.update(scalars)
        if self.on_row is not None:
            self.on_row(dict(scalars))
        return scalars

    def _give(self, row: Row, excluded: _Excluded) -> None:
        """Give a row to the writers, and count it."""
        is_counted = False
        try:
            for writer in self.output_formats:
                self._write(writer, self._without(row, writer.name, excluded) if excluded else row)
            self.rows, is_counted = self.rows + 1, True
        except BaseException:
            if not is_counted:
                self._leave_to_others(row, excluded)
            raise

    def _let_wait(self, waiting: WaitingRow, wait: bool) -> _Row:
        """Write a row later, after those that wait already; return the values that are known."""
        row = waiting.row
        self._waiting.append(waiting)
        self.rows += 1
        self.last_step = row.step
        if wait:  # a signal handler that logs has come in between
            self.settle()
        return {name: value for name, value in row.values.items() if not isinstance(value, Transfer)}

    def _write_earlier(self, wait: bool) -> None:
        """Write the rows that stand before the next one: all, or, not to wait, those whose values have come."""
        if wait:
            self.settle()
            return
        while len(self._waiting) >= MOST_WAITING or any(row.ready() for row in self._oldest()):
            self._write_oldest()
        self.write_scalar_rows(wait)

    def _oldest(self) -> Sequence[WaitingRow]:
        """Return the oldest row that waits, in a list; an empty one if a signal handler that logs has been faster."""
        try:
            return [self._waiting[0]]
        except IndexError:
            return []

    def _write_oldest(self) -> None:
        """Wait for the values of the oldest row that waits, and write it."""
        for waiting in self._oldest():
            self._write_waiting(waiting)

    def _write_waiting(self, waiting: WaitingRow) -> None:
        scalars: Any = waiting.row.values
        self._odd.finish(scalars)
        row = Row(waiting.row.step, waiting.row.time, scalars)  # values that could not be read have gone
        try:
            if not taken(self._waiting, waiting):
                return
            if not row.values:  # none could be read
                waiting.written = True
                self.rows -= 1
                return
            for writer in self.output_formats[waiting.given :]:
                self._write(writer, self._without(row, writer.name, waiting.excluded) if waiting.excluded else row)
                waiting.given += 1
            waiting.written = True
            self.last_values.update(row.values)
            if self.on_row is not None:
                self.on_row(dict(row.values))
        except BaseException:  # Ctrl-C: the next row or the end writes it
            if not waiting.written and waiting not in self._waiting:
                self._waiting.appendleft(waiting)
                self._leave_out(waiting)
            raise

    def _begin(self) -> None:
        action, self.before_row = self.before_row, None
        if action is not None:
            action()

    def _remember(self, keys: tuple[str, ...], values: Mapping[str, Any]) -> None:
        """Remember the keys and types of a row that was written as it is, for :meth:`_log_known`.

        Something is made ready for them when they come again: many sets of keys may come once each.
        """
        shapes = self._shapes
        types = [*map(type, values.values())]
        known = (*values, *types)
        shape = shapes.get(known)
        if shape is not None and shape.writers == self.output_formats:
            return
        if tuple(values) == keys and {*map(type, values)} == _STR and PLAIN.issuperset(types):
            if known in shapes:
                shapes[known] = RowShape(keys, types, self.output_formats)
            else:
                if len(shapes) >= _MAX_SHAPES:
                    shapes.clear()
                shapes[known] = None

    def _scalars(self, values: Mapping[str, Any], wait: bool) -> tuple[_Row, Sequence[Transfer]]:
        """Return the scalars of a row, and, if it need not wait, what brings those that are not here yet."""
        scalars: dict[str, Scalar] = {}
        on_device: OnDevice | None = None
        for key, value in values.items():
            kind = type(value)
            if (kind is float or (kind is int and -WORD < value < WORD)) and type(key) is str:
                scalars[key] = value
            elif value is not None:  # None is a missing value
                if on_device is None:
                    on_device = {}
                self._odd.convert(key, value, values, scalars, on_device)
        return scalars, self._odd.fetch(scalars, on_device, wait) if on_device else ()

    @staticmethod
    def _without(row: Row, writer: str, excluded: Mapping[str, frozenset[str]]) -> Row | None:
        keys = {str(key) for key, names in excluded.items() if writer in names}
        if not keys:
            return row
        kept = {key: value for key, value in row.values.items() if key not in keys}
        return Row(row.step, row.time, kept) if kept else None

    # --- media and messages ---------------------------------------------------------------------------------------

    def write_media(self, tag: str, content: Media, step: int | None = None, walltime: Any = None) -> None:
        """Give a picture, a text or a histogram to the writers; those that cannot show it ignore it."""
        if self._process != ranks.process_id or self.level == DISABLED:
            return
        self.settle()
        step = self.current_step(step)
        with self._lock:
            if self.before_row is not None and not getattr(self.before_row, "rows_only", False):
                self._begin()
            for writer in self.output_formats:
                self._write(writer, MediaEvent(step, wall_time(walltime, time.time()), tag, content))

    def current_step(self, given: Any = None) -> int:
        """Return ``given`` as a whole number; by default the time step if it is set, else the last row's, else 0."""
        self.settle()
        if given is not None:
            return self._odd.step(given, self.next_step())
        return self.time_step.get_time() if self.time_step.is_set else self.last_step or 0

    def message(self, *args: Any, level: int = INFO, exclude: str | None = None) -> None:
        """Write the arguments as one line on the console and in log.txt, if ``level`` is at least :attr:`level`.

        exclude: the name of a writer that does not get it. A writer with ``levels`` gets only those: the least one, and
        the first that is too high.
        """
        if level < self.level or self.level == DISABLED or self._process != ranks.process_id:
            return
        text = cut(" ".join(map(text_of, args)), _MAX_MESSAGE)
        with self._lock:
            for writer in self.output_formats:
                show = getattr(writer, "message", None)
                least, above = getattr(writer, "levels", (level, level + 1))
                if callable(show) and writer.name != exclude and least <= level < above:
                    self._call_writer(writer, show, text)

    # --- trouble --------------------------------------------------------------------------------------------------

    def _write(self, writer: Writer, row: Row | MediaEvent | None) -> None:
        if row is None:
            return
        try:
            written = writer.write(row)
        except Exception as error:
            self._failed(writer, error, row.step if isinstance(row, Row) else None)
        else:
            if self.missing.open and written is not False:
                self._recovered(writer)

    def _call_writer(self, writer: Writer, action: Callable[..., object], *args: Any) -> None:
        try:
            action(*args)
        except Exception as error:
            self._failed(writer, error, None)

    def _failed(self, writer: Writer, error: Exception, step: int | None) -> None:
        """Count a row of ``step`` that is missing; None: a picture, a line of text, or the end of a file."""
        news = self.missing.failed(writer.name, text_of(error), step)
        if news:
            self._warn.rearm(("writer", writer.name))
            self._warn(("writer", writer.name), news)

    def _recovered(self, writer: Writer) -> None:
        if writer.name not in self.missing.open:
            return
        news = self.missing.recovered(writer.name)
        if news:
            self.message(news, level=WARN)
        if self.missing.should_save() and self.on_recovery is not None:
            self.on_recovery()

    def _note_missing(self) -> None:
        """A checkpoint is saved: run.json is to state what is missing before it, also if kill -9 comes then."""
        if self.missing.unsaved and self.on_recovery is not None:
            self.on_recovery()

    def warn_through(self, warn: WarnOnce) -> None:
        """Give warnings through ``warn``, which the parts of a run share."""
        self._warn = warn
        self._odd = RowValues(warn)

    # --- life -----------------------------------------------------------------------------------------------------

    def attach(self, writers: Iterable[Writer], dir: str | Path) -> None:
        """Write to these writers from now on, and count from no rows; the time step stays as it is."""
        self.output_formats, self.dir = list(writers), str(dir)
        self.rows, self.last_step, self.last_values, self.missing = 0, None, {}, Gaps()
        self._shapes, self._scalar_rows = {}, []
        self._waiting = deque()  # those of a parent, which writes them
        self._lock, self._process = threading.RLock(), ranks.process_id  # a planned run may start in a forked child

    def detach(self, to_parent: bool = False) -> None:
        """Write nothing from now on, since another process does. to_parent: that is told, as in a forked child."""
        self.output_formats, self._shapes = [], {}
        self._process = 0 if to_parent else self._process

    def take_over(self) -> None:
        """Write in this forked process, too: open the files again, and use a new lock, which no thread holds."""
        self._lock, self._process = threading.RLock(), ranks.process_id
        self.output_formats = copied_writers(self.output_formats)
        self._shapes, self._scalar_rows = {}, []
        self._waiting = deque()
        self.before_row = self.on_row = self.on_recovery = None

    def set_level(self, level: int) -> None:
        self.level = level

    def get_dir(self) -> str | None:
        """Return the run's log folder."""
        return self.dir

    def flush(self) -> None:
        """Write the rows that wait, and show the last table. Other rows have been written to the operating system."""
        if self._process != ranks.process_id:
            return
        with self._lock:
            self.settle()
            for writer in self.output_formats:
                flush = getattr(writer, "flush", None)
                if callable(flush):
                    self._call_writer(writer, flush)

    def close(self) -> None:
        """Show the last table and close the files. A dump afterwards opens them again and appends."""
        if self._process != ranks.process_id:
            return
        with self._lock:
            self.settle()
            self._shapes = {}
            for writer in self.output_formats:
                self._call_writer(writer, writer.close)

    def while_closed(self, action: Callable[[], T]) -> T:
        """Call ``action``, which may replace the files, while none is open and no row is written; return its result.

        The rows of a signal handler that comes in between are written afterwards.
        """
        from rla_hooks.core.held_rows import holding_back  # late: few runs come here

        with self._lock, holding_back(self):
            return action()

    def __getstate__(self) -> dict[str, Any]:
        left = ("_lock", "before_row", "on_row", "on_recovery")
        kept = {key: value for key, value in self.__dict__.items() if key not in left}
        emptied: dict[str, Any] = {"_scalar_rows": [], "_waiting": deque(), "_shapes": {}}
        return kept | {"output_formats": copied_writers(self.output_formats), **emptied}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.before_row = self.on_row = self.on_recovery = None
        self._lock = threading.RLock()
        self._process = ranks.process_id


def is_writing_row(frame: FrameType | None) -> bool:
    """Whether a signal has come while a row was being written: files may have it, and run.json is to count it."""
    while frame is not None and frame.f_code not in _WRITING_ROW:
        frame = frame.f_back
    return frame is not None


_WRITING = (Logger._log_known, Logger._give, Logger._write_waiting, Logger._write_scalar_row)
_WRITING_ROW = tuple(each.__code__ for each in _WRITING)
