"""Paths as RLA has them: texts, those of folders with a slash at the end."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Any


class PathText(str):
    """A path as a text that has the attributes of a :class:`pathlib.Path`, too, and equals one.

    What both have is the text's: ``replace``, ``index``, ``count``, ``==`` with a text, the hash.

    >>> folder = PathText.of_folder("rla_data/results/demo")
    >>> folder + "curve.png", str(folder / "curve.png"), folder.name
    ('rla_data/results/demo/curve.png', 'rla_data/results/demo/curve.png', 'demo')
    >>> folder == Path("rla_data/results/demo"), folder.exists()
    (True, False)
    """

    @classmethod
    def of_folder(cls, path: str | os.PathLike[str]) -> PathText:
        """Return the path of a folder, with one slash at the end.

        >>> PathText.of_folder("rla_data"), PathText.of_folder("/")
        ('rla_data/', '/')
        """
        return cls(os.path.join(os.fspath(path), ""))

    def __truediv__(self, other: str | os.PathLike[str]) -> Path:
        return Path(self) / other

    def __rtruediv__(self, other: str | os.PathLike[str]) -> Path:
        return other / Path(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy and numpy ask for such; a text has what it needs
            raise AttributeError(name)
        return getattr(Path(self), name)

    def __eq__(self, other: object) -> bool:
        return Path(self) == other if isinstance(other, PurePath) else str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __dir__(self) -> list[str]:
        return sorted({*dir(str), *dir(Path)})
