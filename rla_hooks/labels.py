"""labels.json: what people note about a run, at its start or at any time later. It changes nothing else of the run.

    {"format": 1, "tags": ["baseline", "paper"], "title": "PPO, small nets", "note": "seed 3 diverged", "group": "nets",
     "given": {"tags": ["baseline"], "note": "a first try"}}

``given`` is what the program gave at the last start of the run. What it gives again when the run goes on is nothing
new: a note, or tags, that people have changed since stay theirs.

Processes that change the file hold its lock, so none of them loses what another one has noted. Keys that this version
does not know stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.atomic import write_json
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.fields import Fields
from rla_hooks.locks import locked
from rla_hooks.masking import mask_value
from rla_hooks.smallfiles import parse_object, read_bytes
from rla_hooks.texts import printable, shell_path, shown

FORMAT = 1
MAX_TAGS = 1000  # of one run
_LONGEST = {"tag": 100, "title": 500, "group": 500, "note": 100_000}  # characters
_TAG = f"a text of 1 to {_LONGEST['tag']} characters, on one line, that does not begin with '-'"


class Labels(Fields):
    """Tags, a note, a title and a group for people to find a run by, as they are given at its start.

    >>> Labels(tags=["paper"], title=3).problems()
    ['title is 3 (int). Allowed: a text of at most 500 characters, on one line.']
    """

    tags: Sequence[str] = ()
    note: str | None = None
    title: str | None = None
    group: str | None = None

    def problems(self) -> list[str]:
        """Return a line for each label of a wrong type or form."""
        found = []
        tags = self.tags
        if isinstance(tags, str) or not isinstance(tags, Sequence) or not all(isinstance(tag, str) for tag in tags):
            found.append(f"tags is {_show(tags)}. Allowed: a list of texts such as ['baseline', 'paper'].")
        else:
            found += [f"the tag {shown(tag, 200)} cannot be used. Allowed: {_TAG}." for tag in tags if not _is_tag(tag)]
        for name in ("note", "title", "group"):
            value, lines = getattr(self, name), "" if name == "note" else ", on one line"
            is_text = isinstance(value, str) and len(value) <= _LONGEST[name]
            if value is not None and not (is_text and (name == "note" or value.isprintable())):
                allowed = f"a text of at most {_LONGEST[name]:,} characters{lines}"
                found.append(f"{name} is {_show(value)}. Allowed: {allowed}.")
        return found

    def __bool__(self) -> bool:
        return bool(self.tags) or (self.note, self.title, self.group) != (None, None, None)


def _show(value: object) -> str:
    return f"{shown(value, 100)}{'' if isinstance(value, str) else f' ({type(value).__name__})'}"


def _is_tag(tag: str) -> bool:
    is_short = 0 < len(tag) <= _LONGEST["tag"]
    return is_short and tag.isprintable() and tag == tag.strip() and not tag.startswith("-")


def change(
    path: Path, new: Labels, remove: Iterable[str] = (), append: bool = False, at_start: bool = False
) -> dict[str, Any]:
    """Change the labels.json at ``path``, and return what stands there then.

    new: tags to add; note, title and group, where None leaves what is there and the empty text removes it. remove:
    tags. append: the note becomes a further line of the present one. at_start: they are what a program gives at a start
    of the run; those that it gave at an earlier one change nothing. Secrets are masked. A file of which nothing changes
    is not written.

    Raises ConfigError with all mistakes in ``new``; RLAError if the file cannot be read or written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "labels.json")
    ...     _ = change(file, Labels(["bad"], note="to do"))
    ...     change(file, Labels(["good"], note="done"), remove=["bad"], append=True)
    {'format': 1, 'tags': ['good'], 'note': 'to do\\ndone'}
    """
    if problems := new.problems():
        raise ConfigError(problems)
    if os.path.islink(path):  # what it leads to is no part of the run
        raise RLAError(f"{_place(path)} is a link, so it is not changed. Put a file in its place, and try again.")
    try:
        with locked(path, create=True):
            try:
                return _change(path, new, set(remove), append, at_start)
            finally:
                with suppress(OSError):  # the empty file that was made for the lock
                    if not os.stat(path).st_size:
                        os.unlink(path)
    except OSError as error:
        reason = error.strerror or error
        raise RLAError(
            f"{_place(path)} cannot be written: {reason}. Needed: a folder that this user may write to. "
            "The labels are as they were."
        ) from error


def _change(path: Path, new: Labels, remove: set[str], append: bool, at_start: bool) -> dict[str, Any]:
    """What :func:`change` does while it holds the lock."""
    before = _read(path)
    given = {name: _masked(value) for name, value in vars(new).items() if value and at_start}
    if at_start:
        new = _unlike(new, before.get("given"))
    tags = [tag for tag in before.get("tags") or () if not (isinstance(tag, str) and tag in remove)]
    tags += [tag for tag in dict.fromkeys(_masked(new.tags)) if tag not in tags]
    if len(tags) > MAX_TAGS:
        raise ConfigError(f"{_place(path)} would have {len(tags):,} tags. Allowed: {MAX_TAGS:,}. Remove some.")
    after = {"format": FORMAT, **before}
    if tags or "tags" in before:
        after["tags"] = tags
    for name in ("note", "title", "group"):
        text = getattr(new, name)
        if text is not None:
            former = before.get(name)
            if append and name == "note" and isinstance(former, str) and former:
                text = f"{former}\n{text}"
            if text or name in before:
                after[name] = _masked(text) or None
    if given:
        after.pop("given", None)
        after["given"] = given  # last: it is not for people
    if problems := Labels(note=after.get("note")).problems() if append else ():
        raise ConfigError(problems)
    if after != before and after != {"format": FORMAT}:
        write_json(path, after)
    return after


def _unlike(new: Labels, given: object) -> Labels:
    """What a program gives now, without what it gave before."""
    if not isinstance(given, dict):
        return new
    tags = given.get("tags")
    known = tags if isinstance(tags, list) else []  # somebody may have edited the file
    changes = {name: None for name in ("note", "title", "group") if _masked(getattr(new, name)) == given.get(name)}
    return new.replaced(tags=[tag for tag in new.tags if _masked(tag) not in known], **changes)


def _masked(value: Any) -> Any:
    return mask_value("labels", value)


def _read(path: Path) -> dict[str, Any]:
    """Return the content of labels.json; {} for the empty file that has been made for the lock."""
    try:
        data = read_bytes(path)
        content = parse_object(data) if data else {}
        if not isinstance(content.get("tags"), (list, type(None))):
            raise ValueError(f"tags is {shown(content['tags'], 100)}, not a list")
    except ValueError as error:  # io.UnsupportedOperation, for a FIFO, is one, too
        raise RLAError(
            f"{_place(path)} is damaged: {printable(error)}. Nothing was changed: mend the file, or move it away."
        ) from error
    return content


def _place(path: Path) -> str:
    return shell_path(path)
