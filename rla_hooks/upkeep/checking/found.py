"""What a check has found in a file, and how it can be mended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rla_hooks.fields import Fields


class Mend(NamedTuple):
    """How a damaged file can be mended without a guess.

    how: what is done, for people. write: writes the mended file, given the damaged one; None where it only goes to the
    trash. act: does it in another way, in which nothing is lost either. mark: what the file was like when it was
    checked: one that has changed since is left alone. path: of the file to be mended, where it is another one than that
    of the finding; several findings may ask for the same.
    """

    how: str
    write: Callable[[BinaryIO, BinaryIO], None] | None = None
    act: Callable[[], None] | None = None
    mark: bytes = b""
    path: Path | None = None


class Found(NamedTuple):
    """Something in one file. is_damage: False for what is only unusual. position: of the first byte, where known."""

    path: Path
    problem: str
    position: int | None = None
    is_damage: bool = True
    mend: Mend | None = None


class Finding(Fields):
    """What ``verify`` has found in one file.

    run, id: the run's name and id; None for what belongs to no run, such as a stored file that none uses. file: its
    path in the log root. problem: what is wrong. position: of the first byte that is wrong, where that is known.
    is_damage: False for what is only unusual, such as a renamed folder. repair: what can be done about it without a
    guess; None where nothing can. repaired: whether that was done.

    >>> Finding("demo/best", "k3xq7aod", "log/demo/best/progress.csv", "the last row is torn", 912).is_open
    True
    """

    run: str | None
    id: str | None
    file: str
    problem: str
    position: int | None = None
    is_damage: bool = True
    repair: str | None = None
    repaired: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is damage that is still there."""
        return self.is_damage and not self.repaired
