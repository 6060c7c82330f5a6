"""The name of a run with another task, or with other ``key=value`` pairs: date, clock and address stay.

What does not change stays as it is written, so a run of the original RLA keeps its blanks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from rla_hooks.errors import ConfigError
from rla_hooks.filenames import PART_LIMIT, cap, part_of_pair
from rla_hooks.run_name import check_task, is_run_name
from rla_hooks.texts import printable, shown


def with_task(name: str, task: str) -> str:
    """Return the run name with another task. Raises :class:`ConfigError` for a task that no run can have.

    >>> with_task("cartpole/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1", "atari/pong")
    'atari/pong/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1'
    """
    return "/".join([check_task(task), *_checked(name).split("/")[-4:]])


def with_pairs(name: str, pairs: Mapping[str, Any], remove: Iterable[str] = ()) -> str:
    """Return the run name in which these keys have these values; new ones are last. remove: keys that go.

    Raises :class:`ConfigError` for a key that is to go and is not there.

    >>> with_pairs("demo/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1&seed=3", {"lr": 0.2, "net": "big"}, ["seed"])
    'demo/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.2&net=big'
    """
    folder, _, leaf = _checked(name).rpartition("/")
    head, _, info = leaf.partition("&")
    kept: dict[str, str] = {}  # the pair as it is written, by its key
    for pair in filter(None, info.split("&")):
        kept[unquote(pair.partition("=")[0])] = pair
    remove = [*remove]
    wrong = [key for key in remove if key not in kept]
    if wrong:
        known = f"It has: {', '.join(map(printable, kept))}" if kept else "It has no pairs"
        raise ConfigError([f"the run name has no {shown(key, 100)} to remove. {known}." for key in wrong])
    for key in remove:
        del kept[key]
    for key, value in pairs.items():
        if not isinstance(key, str) or not key:
            raise ConfigError(f"a pair of a run name has the key {shown(key, 100)}. Allowed: a text, such as 'lr'.")
        kept[key] = f"{part_of_pair(key)}={part_of_pair(value)}"
    blank = " " if " " in head else "_"
    head = head.rstrip(" _")
    new = f"{head}{blank}&{'&'.join(kept.values())}" if kept else head
    return f"{folder}/{cap(new, new, PART_LIMIT)}"


def _checked(name: str) -> str:
    if not is_run_name(name):
        raise ConfigError(
            f"{printable(name)} is no run's name: <task>/<YYYY>/<mm>/<dd>/<HH-MM-SS-ffffff>_<ip>_&<key>=<value>. "
            "Its folder was renamed by hand: give it such a name first."
        )
    return name
