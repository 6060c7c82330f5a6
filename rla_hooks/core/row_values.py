"""What of a row's values is not plain: nested mappings, tensors, names of columns that every row has, odd steps.

Each kind of trouble gives one warning for each metric; what can be kept is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rla_hooks.devices import ARRIVING, Family, Transfer, family_of
from rla_hooks.errors import WarnOnce
from rla_hooks.texts import shown, text_of
from rla_hooks.values import LARGE, Scalar, bounded, flat_items, to_scalar
from rla_hooks.writers.base import STEP, TIME

EXACT_STEP = "step"  # the column of steps that are no whole numbers
OnDevice = dict[Family, list[tuple[str, Any]]]  # the tensors of a row that are fetched together, with their names


class RowValues:
    """Converts what a plain number is not. ``warn``: the logger's."""

    def __init__(self, warn: WarnOnce):
        self._warn = warn
        self._has_fractions = False  # whether a step was no whole number

    def convert(
        self, key: Any, value: Any, row: Mapping[Any, Any], scalars: dict[str, Any], on_device: OnDevice
    ) -> None:
        """Add the scalars of a metric to those of its row: a nested mapping has several.

        row: all metrics as they were given. What lies on a device is added to ``on_device``, and keeps its place in the
        row, for :meth:`fetch`.
        """
        try:
            family = family_of(value)
            if family is not None and type(key) is str and family.holds(value):
                scalars[key] = value
                on_device.setdefault(family, []).append((key, value))
                return
        except Exception:  # of a strange type: it is asked again below, where that gives a warning
            family = None
        for name, leaf in flat_items(text_of(key), value):
            if leaf is None:  # a missing value
                continue
            if (type(key) is not str or name != key) and (name in scalars or name in row):
                message = f"two metrics of a row have the name {name!r}, as {{'a/b': 1, 'a': {{'b': 2}}}} has 'a/b'; "
                self._warn(("name", name), f"{message}the last one is logged. Rename one.")
            try:
                family = family_of(leaf)
                if family is not None and family.holds(leaf):
                    scalars[name] = leaf
                    on_device.setdefault(family, []).append((name, leaf))
                    continue
                scalars[name], change = bounded(to_scalar(leaf))
            except Exception as error:
                self._leave_out(name, error)
            else:
                if change:
                    self._warn(("bounded", name), f"{name!r} {change}.")

    def fetch(self, scalars: dict[str, Any], on_device: OnDevice, wait: bool) -> Sequence[Transfer]:
        """Begin to copy the tensors of a row to the host, each family's together; wait for them, or return them."""
        transfers = list({transfer for _, transfer in on_device.pop(ARRIVING, ())})
        for family, found in on_device.items():
            tensors = {name: tensor for name, tensor in found if scalars.get(name) is tensor}  # the last of a name wins
            names = list(tensors)
            try:
                transfer = Transfer(names, family.fetch([*tensors.values()], wait))
            except Exception as error:
                for name in names:
                    del scalars[name]
                    self._leave_out(name, error)
                continue
            transfers.append(transfer)
            for name in names:
                scalars[name] = transfer
        if wait:
            self.finish(scalars)
            return ()
        return transfers

    def finish(self, scalars: dict[str, Any]) -> None:
        """Wait for the values of a row that are on their way, and put them in their places."""
        failed = []
        last: Transfer | None = None
        values: Mapping[str, Any] = {}
        for name, transfer in scalars.items():
            if type(transfer) is Transfer:
                if transfer is not last:
                    last, values = transfer, transfer.values()
                value = values[name]
                kind = type(value)
                if kind is float or kind is int:
                    scalars[name] = value
                else:
                    failed.append((name, value))
        for name, value in failed:  # or a bool, or of a type of ml_dtypes
            if isinstance(value, Exception):  # not to be raised: its frames would keep tensors alive, in a circle
                scalars.pop(name, None)
                self._leave_out(name, value)
                continue
            try:
                scalars[name] = to_scalar(value)
            except Exception as error:
                scalars.pop(name, None)
                self._leave_out(name, error)

    def _leave_out(self, name: str, error: Exception) -> None:
        message = f"{name!r} was left out: {text_of(error)}. Log numbers, strings or tensors of one element; "
        self._warn(("value", name), f"{message}pictures by save_figure.")

    def number(self, key: Any, value: Any) -> float | None:
        """Return a value as a float; None for a missing one, and, with a warning, for what is no number."""
        if value is None:
            return None
        try:
            return float(to_scalar(value))
        except Exception as error:
            self._warn(("value", key), f"{shown(key)} was left out of a mean: {text_of(error)}. Record numbers.")
            return None

    def is_length(self, key: str, record_len: Any) -> bool:
        """Whether a moving average can be over so many values; if not, warn."""
        if isinstance(record_len, int) and record_len > 0:
            return True
        message = (
            f"{key!r} has record_len={shown(record_len)}. Allowed: a whole number above 0; its values are left out."
        )
        self._warn(("record_len", key), message)
        return False

    def free_columns(self, scalars: dict[str, Scalar], step: Any) -> Any:
        """Return the row's step, and rename metrics that have the name of a column of every row: ``timestamp_``.

        A metric ``time-step`` is the step of a row that is given none.
        """
        given = scalars.pop(STEP, None)
        kept = {TIME: scalars.pop(TIME, None)}
        if step is not None and not (type(step) is type(given) and step == given):
            kept[STEP] = given
        for name, value in kept.items():
            if value is not None:
                free = f"{name}_"
                while free in scalars:
                    free += "_"
                scalars[free] = value
                self._warn(("column", name), f"every row has a column {name!r}: the metric is logged as {free!r}.")
        return given if step is None else step

    def step(self, step: Any, counted: int, scalars: dict[str, Scalar] | None = None) -> int:
        """Return the step as a whole number, or ``counted`` where it is none.

        A row whose step is a fraction has it exactly in the column ``step``, and so have the rows after it that are
        given a float.
        """
        try:
            exact = to_scalar(step)
            whole = int(exact)
        except Exception:
            self._warn("step", f"the step {shown(step)} is no number; the rows are counted instead.")
            return counted
        if not -LARGE < whole < LARGE:
            self._warn("step", f"the step {shown(step)} is too large for a file; the rows are counted instead.")
            return counted
        if type(exact) is float and scalars is not None:
            if whole != exact:
                self._has_fractions = True
                message = f"the step {exact} is no whole number: it is {whole}, and exact in the column {EXACT_STEP!r}."
                self._warn("fraction", message)
            if self._has_fractions:
                scalars.setdefault(EXACT_STEP, exact)
        return whole


def record_each(record: Callable[..., None], key: str, values: Mapping[Any, Any], *options: Any) -> None:
    """Record the values of a nested mapping: ``<key>/<inner key>``."""
    for name, leaf in flat_items(key, values):
        record(name, "<nested too deeply>" if isinstance(leaf, Mapping) else leaf, *options)
