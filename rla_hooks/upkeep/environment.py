"""Python and packages: what a run has noted of them, what an interpreter has now, and a new environment like then."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rla_hooks.errors import RLAError
from rla_hooks.query import SavedRun
from rla_hooks.smallfiles import read_bytes
from rla_hooks.snapshot import packages
from rla_hooks.texts import printable, shell_path

_LIST = "rla-packages.txt"  # in an environment that was made here: what is in it, once it is whole
_OWN = "rla-hooks"
_NOT_INSTALLED = {_OWN, "pip"}
_MAX_LIST = 4 << 20  # bytes
_LINES = 15  # of pip's, in an error
_ASK = """
import json, platform
print(json.dumps([platform.python_version(), platform.python_implementation(), packages(sys.path[1:])]))
"""


class Environment(NamedTuple):
    """A Python and its packages, by name; ``packages`` is None where nobody knows them."""

    version: str | None
    implementation: str | None
    packages: dict[str, str] | None


def recorded(run: SavedRun) -> Environment:
    """Return what a run was started with."""
    noted = [run.run_json.get(name) for name in ("python", "implementation")]
    version, implementation = (each if isinstance(each, str) else None for each in noted)
    listed = None
    with suppress(OSError, ValueError):
        text = read_bytes(run.code_dir / ".rla" / "packages.txt", _MAX_LIST).decode("utf-8", "replace")
        listed = _by_name(text.splitlines())
    return Environment(version, implementation, listed)


def of_interpreter(python: str) -> Environment:
    """Return what an interpreter has now. Raises RLAError if it does not run."""
    if python == sys.executable:
        version, implementation = platform.python_version(), platform.python_implementation()
        return Environment(version, implementation, _by_name(packages.packages()))
    code = inspect.getsource(packages) + _ASK
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=120, check=True)
        version, implementation, listed = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["no reason"])[-1]
        raise RLAError(f"{shell_path(python)} does not run: {printable(said)}. Say which Python: --python") from None
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        raise RLAError(f"{shell_path(python)} does not run: {printable(error)}. Say which Python: --python") from None
    return Environment(version, implementation, _by_name(listed))


def _by_name(lines: Iterable[str]) -> dict[str, str]:
    found = (line.strip().partition("==") for line in lines)
    return {name: version for name, sign, version in found if sign}


def make(run: SavedRun, python: str, folder: Path | None, cache: Path | None, tell: Callable[[str], object]) -> str:
    """Make an environment with the packages of a run, or find it whole; return its interpreter. Raises RLAError.

    folder: by default one in the cache. rla_hooks itself is that of now, which knows what it is asked.
    """
    then = recorded(run)
    if then.packages is None:
        raise RLAError(f"the run {printable(run.id)} has no list of its packages (backup='none'). Leave out --venv")
    own = _names_of_project(run)
    lines = [f"{name}=={version}" for name, version in then.packages.items() if name not in _NOT_INSTALLED | own]
    content = f"# {then.implementation} {then.version}\n" + "".join(f"{line}\n" for line in lines)
    if folder is None:
        if cache is None:
            raise RLAError("--venv needs a folder. Name one, --venv-folder, or set the variable XDG_CACHE_HOME")
        folder = cache / "venv" / hashlib.sha256(f"{python}\n{content}".encode()).hexdigest()[:16]
    folder = folder.absolute()
    made, listed = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"), folder / _LIST
    with suppress(OSError):
        if listed.read_text() == content and made.exists():
            return str(made)
    if folder.exists() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").exists():
        raise RLAError(f"{shell_path(folder)} is not empty, and no environment. Name another one: --venv-folder")
    tell(f"an environment with the run's {len(lines)} packages is made in {shell_path(folder)}")
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(content)
    uv = shutil.which("uv")
    if uv is not None:
        _call([uv, "venv", "--allow-existing", "--python", python, str(folder)])
        _call([uv, "pip", "install", "--python", str(made), "--no-deps", "--requirement", str(wanted)])
    else:
        has_pip = subprocess.run([python, "-c", "import pip"], capture_output=True).returncode == 0
        _call([python, "-m", "venv", *(["--without-pip"] if has_pip else []), str(folder)])  # which takes seconds
        pip = [python, "-m", "pip", "--python", str(made)] if has_pip else [str(made), "-m", "pip"]
        options = ["--no-deps", "--disable-pip-version-check", "--quiet", "--requirement", str(wanted)]
        _call([*pip, "install", *options])
    _add_ourselves(made)
    listed.write_text(content)
    return str(made)


def _call(words: list[str]) -> None:
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        said = [line for line in done.stdout.splitlines() if line.strip()][-_LINES:]
        what = " ".join(words[:4])
        raise RLAError("\n".join([f"the environment could not be made: {printable(what)} ... failed:", *said]))


def _add_ourselves(python: Path) -> None:
    """Copy rla_hooks, with its integrations, into an environment: an index may have another version, or none."""
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    place = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    own, ignore = Path(place) / "rla_hooks", shutil.ignore_patterns("__pycache__")
    if own.exists():
        shutil.rmtree(own)
    shutil.copytree(Path(__file__).parents[1], own, ignore=ignore)
    spec = importlib.util.find_spec("rla_hooks.integrations")
    if spec is not None and spec.submodule_search_locations and not (own / "integrations").exists():
        shutil.copytree(next(iter(spec.submodule_search_locations)), own / "integrations", ignore=ignore)


def _names_of_project(run: SavedRun) -> set[str]:
    """The names under which the run's own project is installed: it comes from the code."""
    found = set()
    for name in ("pyproject.toml", "setup.cfg", "setup.py"):
        with suppress(OSError, ValueError):
            text = read_bytes(run.code_dir / name, _MAX_LIST).decode("utf-8", "replace")
            match = re.search(r"""^[ \t]*name[ \t]*=[ \t]*["']?([\w.-]+)""", text, re.MULTILINE)
            if match:
                found.add(re.sub(r"[-_.]+", "-", match[1]).lower())
    return found
