"""Puts the table of RLA's public names into docs/rla.md: ``python docs/rla_names.py``. A test compares them.

rla_names.txt lists the names; rla_differences.txt says what differs, and what is used in place of what is gone. What
it does not name is the same here, which tests/test_rla_names.py checks.
"""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import re
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
PAGE = HERE / "rla.md"
BEGIN, END = "<!-- The table of names, which docs/rla_names.py writes -->", "<!-- The end of the table -->"

#: Of these the original has names that belong to FTP, to mail, and to TensorFlow's inside.
FOREIGN = ("auto_ftp", "email_send", "easy_tf", "utils.tf_util")


class Name(NamedTuple):
    """A public name of RLA: ``easy_log.tester.Tester.new_saver``, and its arguments."""

    path: str
    arguments: list[str]
    kind: str  # same, other or gone
    remark: str

    @property
    def owner(self) -> str:
        """The module or class that has it; RLA itself where it is at the top."""
        return self.path.rpartition(".")[0] or "RLA"

    @property
    def is_foreign(self) -> bool:
        return self.path.startswith(FOREIGN)


def read_differences() -> list[tuple[str, str, str]]:
    """Return for each line the kind, the pattern of names, and the remark."""
    lines = (HERE / "rla_differences.txt").read_text().splitlines()
    found = [re.fullmatch(r"(other|gone) (\S+): (.+)", line) for line in lines if line and not line.startswith("#")]
    return [match.groups() for match in found]  # type: ignore[union-attr,misc]


def read_names() -> list[Name]:
    """Return all names in the order of the file; the first line of the differences that fits says what one is."""
    differences, names = read_differences(), []
    for line in (HERE / "rla_names.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        _, path, *arguments = line.split()
        fits = (each for each in differences if fnmatch.fnmatchcase(path, each[1]))
        kind, _, remark = next(fits, ("same", "", ""))
        names.append(Name(path, [each for each in arguments if not each.startswith("*")], kind, remark))
    return names


def find(path: str, living: dict[str, Any]) -> Any:
    """Return what rla_hooks has under RLA's name, or raise AttributeError.

    living: objects by the names of their classes, in which attributes are looked for first.
    """
    owner, _, last = path.rpartition(".")
    if owner == "rla_scripts":  # which are no modules of a package
        scripts = importlib.import_module("rla_hooks.cli.rla_script").Script
        return getattr(scripts, last.replace("delete_log", "delete_expt"))  # as it was called later
    if hasattr(living.get(owner), last):
        return getattr(living[owner], last)
    module, attributes = "rla_hooks", path.split(".")
    found = importlib.import_module(module)
    for number, part in enumerate(attributes):
        try:
            found = importlib.import_module(".".join([module, *attributes[: number + 1]]))
        except ImportError:
            found = getattr(found, part)
    return found


def refused(name: Name, found: Any) -> list[str]:
    """Return the arguments of RLA that this function or class does not take by their names."""
    if not callable(found) or not name.arguments:
        return []
    parameters = inspect.signature(found).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return []
    return [each for each in name.arguments if each not in parameters]


def table() -> str:
    """Return the table in Markdown: a row for each module and class of RLA."""
    rows: dict[str, dict[str, list[str]]] = {}
    remarks: dict[tuple[str, str, str], list[str]] = {}
    for name in read_names():
        row = rows.setdefault(name.owner, {"same": [], "other": [], "gone": []})
        word = f"`{name.path.rpartition('.')[2]}`"
        if name.kind == "same":
            row["same"].append(word)
        else:
            remarks.setdefault((name.owner, name.kind, name.remark), []).append(word)
    for (owner, kind, remark), words in remarks.items():
        rows[owner][kind].append(f"{', '.join(words)}: {remark}")
    lines = ["| RLA | same | other, and how | gone, and what instead |", "| --- | --- | --- | --- |"]
    for owner, row in sorted(rows.items(), key=lambda each: (each[0] != "RLA", each[0])):
        lines.append(f"| `{owner}` | {', '.join(row['same'])} | {'; '.join(row['other'])} | {'; '.join(row['gone'])} |")
    return "\n".join(re.sub(" +", " ", line) for line in lines)


def count() -> dict[str, int]:
    """Return how many names are same, other and gone, and how many of the gone are neither FTP, mail nor TensorFlow."""
    names = read_names()
    kinds = {kind: sum(name.kind == kind for name in names) for kind in ("same", "other", "gone")}
    return kinds | {"missed": sum(name.kind == "gone" and not name.is_foreign for name in names)}


def page() -> str:
    """Return docs/rla.md with the table that fits."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    kinds = count()
    total = kinds["same"] + kinds["other"] + kinds["gone"]
    summary = (
        f"Of {total} names, {kinds['same']} are the same, {kinds['other']} other, and {kinds['gone']} gone: "
        f"{kinds['missed']} of them have to do with neither FTP, nor mail, nor TensorFlow's inside."
    )
    return f"{before}{BEGIN}\n{summary}\n\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
