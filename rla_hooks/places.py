"""Where a program stands: its main script or shell, the folder that relative paths start at, the nearest config."""

from __future__ import annotations

import functools
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.errors import ConfigError

_FILE_NAMES = ("rla_config.yaml", "rla_config.yml")
RESTORED = "RLA_RESTORED_CODE"
PACKAGES = {"site-packages", "dist-packages"}


def working_directory() -> Path:
    """The working directory; in a job for which Hydra has changed it, the one that Hydra was started in.

    So the runs of all jobs of a multirun are in one log root, which is found from the project afterwards. Raises
    :class:`ConfigError` if the folder has been deleted.
    """
    try:
        here = os.getcwd()
    except OSError as error:
        raise ConfigError(f"the working directory is gone: {error.strerror}. Change to one that exists.") from error
    return Path(os.path.abspath(_before_hydra(here) or here))


def _before_hydra(here: str) -> str | None:
    """Where Hydra was started, if ``here`` is the folder that it made for the job of this moment."""
    hydra: Any = sys.modules.get("hydra.core.hydra_config")
    if hydra is None:
        return None
    with suppress(Exception):  # outside of a job; or an odd version
        runtime = hydra.HydraConfig.get().runtime
        made = runtime.get("output_dir")  # Hydra 1.1 has none, and always changes the directory
        if runtime.cwd and (made is None or os.path.realpath(made) == os.path.realpath(here)):
            return str(runtime.cwd)
    return None


def restored() -> dict[str, str] | None:
    """Where this program runs on a copy of a run's code: ``tree``, of ``project``, as kept in ``code``; else None."""
    noted = os.environ.get(RESTORED)
    if not noted:
        return None
    import json

    with suppress(ValueError):
        found = json.loads(noted)
        if isinstance(found, dict) and {"tree", "project", "code"} <= found.keys():
            return found
    return None


def in_project(path: str | os.PathLike[str]) -> Path:
    """Return the place in the project of what is in a copy of a run's code; any other path as it is."""
    noted, real = restored(), Path(os.path.realpath(path))
    if noted is not None and real.is_relative_to(noted["tree"]):
        return noted["project"] / real.relative_to(noted["tree"])
    return Path(path)


def in_copy(path: str | os.PathLike[str]) -> Path:
    """Return the place in the copy of a run's code, on which this program runs, of what is in the project."""
    noted, real = restored(), Path(os.path.realpath(path))
    if noted is not None and real.is_relative_to(noted["project"]):
        return noted["tree"] / real.relative_to(noted["project"])
    return Path(path)


def main_script() -> Path | None:
    """The file of the program; None in a notebook, an interactive session, and for an installed command (pytest)."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    if not file or file.startswith("<") or is_installed(file):  # "<stdin>": python - < train.py
        return None
    return Path(os.path.abspath(file))


def ipython_shell() -> Any:
    """The running shell of IPython, which a notebook has, too; None elsewhere."""
    with suppress(Exception):  # IPython is half imported, or another module has its name
        return sys.modules["IPython"].get_ipython()
    return None


def is_installed(file: str | os.PathLike[str]) -> bool:
    """Whether a file belongs to the Python installation or to a package there: it is nobody's project.

    Not all below ``sys.prefix`` does: that is /usr for a project in /usr/src.
    """
    real, bare = Path(os.path.realpath(file)), Path(os.path.abspath(file))
    programs, library = _installation()
    return (
        str(real.parent) in programs
        or real.is_relative_to(library)
        or not PACKAGES.isdisjoint({*real.parts, *bare.parts})
    )


@functools.lru_cache(maxsize=1)
def _installation() -> tuple[set[str], str]:
    """The folders of installed commands, and the folder of the standard library."""
    import sysconfig

    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    programs = {os.path.realpath(sysconfig.get_path("scripts", scheme)) for scheme in schemes}
    programs.add(os.path.dirname(os.path.realpath(sys.executable)))
    return programs, os.path.realpath(sysconfig.get_path("stdlib"))


def find(cwd: str | os.PathLike[str]) -> Path | None:
    """Return the nearest ``rla_config.yaml`` (or ``.yml``) in ``cwd`` or a folder above it; None if there is none.

    If ``cwd`` is inside the user's home folder, the search ends there.

    >>> file = Path("rla_config.yaml").absolute()
    >>> _ = file.write_text("LOG_USED: csv")
    >>> Path("scripts").mkdir()
    >>> find("scripts") == file.resolve()
    True
    """
    folder = Path(cwd).resolve()
    home = Path(os.path.expanduser("~")).resolve()
    for candidate in (folder, *folder.parents):
        for name in _FILE_NAMES:
            if os.path.isfile(candidate / name):  # a folder or a pipe of this name is somebody else's
                return candidate / name
        if candidate == home:
            break
    return None
