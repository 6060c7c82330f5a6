"""The runs of a remote, to be listed and chosen: their small files, kept in a cache and brought up to date.

$XDG_CACHE_HOME/rla_hooks/remotes/<hash of the address>/log/<run name>/run.json, parameter.json, labels.json
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rla_hooks import atomic
from rla_hooks.errors import RLAError
from rla_hooks.layout import LOG, RUN_JSON
from rla_hooks.query.cache import cache_folder
from rla_hooks.remote.errors import RemoteError
from rla_hooks.remote.moving import carry_out
from rla_hooks.remote.place import Place
from rla_hooks.remote.planning import plan_pull
from rla_hooks.run_folders import run_names
from rla_hooks.texts import shell_path

_SMALL = (RUN_JSON, "parameter.json", "labels.json")


def mirror(place: Place) -> Path:
    """Return a log root with the small files of all runs of a remote, as they are now. Raises RemoteError.

    >>> from rla_hooks.remote import Address
    >>> from rla_hooks.remote.opening import open_remote
    >>> import rla_hooks as rla
    >>> with rla.run(task="demo", writers=["csv"], backup="none"):
    ...     rla.log({"loss": 0.5})
    >>> root = mirror(open_remote(Address.parse(Path("rla_data").absolute().as_uri())))
    >>> [(run.task, run.status, run.info["rows"]) for run in rla.runs(root)]
    [('demo', 'finished', 1)]
    """
    folder = cache_folder()
    if folder is None:
        raise RLAError("runs of a remote are listed from a cache, and there is no folder for it. Set XDG_CACHE_HOME.")
    root = folder / "remotes" / hashlib.sha256(place.address.url.encode()).hexdigest()[:32]
    try:
        (root / LOG).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RLAError(
            f"runs of a remote are listed from a cache, and {shell_path(root)} cannot be made: {error.strerror}. "
            "Set XDG_CACHE_HOME to a folder of yours."
        ) from error
    seen = set[str]()

    def chosen(names: set[str]) -> set[str]:
        seen.update(names)
        return names

    done = carry_out(plan_pull(place, root, chosen, only=_SMALL))
    for name in {*run_names(root)} - seen:
        atomic.remove(root / LOG / name)
    if done.problems:
        raise RemoteError(f"{place.address}: not all of its runs can be read: {done.problems[0]}")
    return root
