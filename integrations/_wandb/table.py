"""``wandb.Table``: rows and columns, which become a csv file under results/."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rla_hooks.integrations._wandb.files import Results
from rla_hooks.integrations._wandb.media import Media

from rla_hooks.errors import ConfigError
from rla_hooks.hooks import Run


class Table(Media):
    """Rows of any values. Media in cells become files of their own, whose paths stand in the csv.

    >>> table = Table(columns=["episode", "return"], data=[[0, 10.0]])
    >>> table.add_data(1, 12.5)
    >>> table.add_column("solved", [False, True])
    >>> table.get_column("return"), table.columns, table.data[1]
    ([10.0, 12.5], ['episode', 'return', 'solved'], [1, 12.5, True])
    """

    MAX_ROWS, MAX_ARTIFACT_ROWS = 10_000, 200_000  # of wandb; here there is no limit

    def __init__(
        self,
        columns: Sequence[Any] | None = None,
        data: Any = None,
        rows: Any = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: Any = True,
        allow_mixed_types: bool = False,
        log_mode: str | None = None,
    ):
        given = data if data is not None else rows
        if dataframe is None and hasattr(given, "columns"):
            dataframe = given
        if dataframe is not None:
            self.columns: list[Any] = [*dataframe.columns]
            # By columns, since the rows of one array are of one type: whole numbers would become floats.
            given = zip(*(dataframe.iloc[:, place].tolist() for place in range(len(self.columns))))
        else:
            self.columns = ["Input", "Output", "Expected"] if columns is None else [*columns]
        self.data: list[list[Any]] = []
        self.log_mode = log_mode
        for row in () if given is None else given:
            self.add_data(*row)

    def add_data(self, *data: Any) -> None:
        """Add a row."""
        if len(data) != len(self.columns):
            raise ConfigError(
                f"a row of a wandb.Table has {len(data)} values. Allowed: {len(self.columns)}, one for each of "
                f"{', '.join(map(str, self.columns))}."
            )
        self.data.append(list(data))

    def add_row(self, *row: Any) -> None:
        """Add a row, as add_data does."""
        self.add_data(*row)

    def add_column(self, name: str, data: Any, optional: bool = False) -> None:
        """Add a column with a value for each row; to an empty table, also the rows."""
        values = [*data]
        if not self.data and not self.columns:
            self.data = [[] for _ in values]
        if name in self.columns or len(values) != len(self.data):
            raise ConfigError(
                f"the column {name!r} of a wandb.Table has {len(values)} values. Allowed: a new name, and "
                f"{len(self.data)} values, one for each row."
            )
        self.columns.append(name)
        for row, value in zip(self.data, values):
            row.append(value)

    def get_column(self, name: str, convert_to: str | None = None) -> Any:
        """Return the values of a column: a list, or with ``convert_to="numpy"`` an array."""
        if name not in self.columns:
            raise ConfigError(f"a wandb.Table has no column {name!r}. Known: {', '.join(map(str, self.columns))}.")
        place = self.columns.index(name)
        values = [row[place] for row in self.data]
        if convert_to == "numpy":
            import numpy

            return numpy.array(values)
        return values

    def get_index(self) -> list[int]:
        """Return the numbers of the rows."""
        return [*range(len(self.data))]

    def get_dataframe(self) -> Any:
        """Return it as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(self.data, columns=self.columns)

    def iterrows(self) -> Iterator[tuple[int, list[Any]]]:
        """Return the number and the values of each row."""
        return iter(enumerate(self.data))

    def add_computed_columns(self, fn: Callable[[int, dict[Any, Any]], Mapping[str, Any]]) -> None:
        """Add the columns that a function returns for each row: of its number and its values by name."""
        found = [fn(number, dict(zip(self.columns, row))) for number, row in enumerate(self.data)]
        for name in found[0] if found else ():
            self.add_column(name, [each[name] for each in found])

    def cast(self, col_name: str, dtype: Any, optional: bool = False) -> None:
        """Do nothing: a csv file has no types."""

    def set_pk(self, col_name: str) -> None:
        """Do nothing: a csv file has no keys."""

    def set_fk(self, col_name: str, table: Any, table_col: str) -> None:
        """Do nothing: a csv file has no keys."""

    def write(self, run: Run, results: Results, key: str, step: int) -> Path | None:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(self.columns)
        names = [re.sub(r"\W+", "_", str(name)) for name in self.columns]

        def cell(value: Any, number: int, place: int) -> Any:
            if isinstance(value, Media):
                return _file(run, results, f"{key}/{names[place]}-row{number}", step, value)
            return value.tolist() if hasattr(value, "tolist") else value

        for number, row in enumerate(self.data):
            writer.writerow([cell(value, number, place) for place, value in enumerate(row)])
        return results.write(key, step, ".csv", text.getvalue().encode("utf-8", "backslashreplace"))


def _file(run: Run, results: Results, key: str, step: int, media: Media) -> str:
    """Return what stands in the csv for media: the file, below the results folder."""
    path = media.write(run, results, key, step)
    folder = results.folder
    return "" if path is None or folder is None else path.relative_to(folder).as_posix()
