"""Runs a run again: the same program, on the code that the run has kept, with the same hyper-parameters or others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, overload

from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.query import SavedRun
from rla_hooks.query.given import saved_run
from rla_hooks.smallfiles import read_bytes
from rla_hooks.texts import shell_path, shown
from rla_hooks.upkeep import environment, new_values
from rla_hooks.upkeep.kept_command import KeptCommand, name_of
from rla_hooks.upkeep.rerun_plan import CLAIM, RerunPlan

Path_ = str | os.PathLike[str]
_MAX_CLAIM = 100_000  # bytes


class Repeat(NamedTuple):
    """A run that was run again with a seed: the exit code of the program, and the new run; None if none has begun."""

    seed: int | None
    exit_code: int
    run: SavedRun | None


@overload
def rerun(
    run: Any,
    set: Mapping[str, Any] | None = None,
    seeds: None = None,
    *,
    seed_name: str | None = None,
    log_root: Path_ | None = None,
    folder: Path_ | None = None,
    into: Path_ | None = None,
    python: str | None = None,
    venv: bool | Path_ = False,
) -> SavedRun: ...
@overload
def rerun(
    run: Any,
    set: Mapping[str, Any] | None = None,
    *,
    seeds: Iterable[int] | str,
    seed_name: str | None = None,
    log_root: Path_ | None = None,
    folder: Path_ | None = None,
    into: Path_ | None = None,
    python: str | None = None,
    venv: bool | Path_ = False,
) -> list[Repeat]: ...
def rerun(
    run: Any,
    set: Mapping[str, Any] | None = None,
    seeds: Iterable[int] | str | None = None,
    *,
    seed_name: str | None = None,
    log_root: Path_ | None = None,
    folder: Path_ | None = None,
    into: Path_ | None = None,
    python: str | None = None,
    venv: bool | Path_ = False,
) -> Any:
    """Run a run again, in a process of its own: its command, on a copy of the code that it has kept. Wait for its end.

    run: a run of ``rla.runs()``, its id, its name, or a folder of it. set: hyper-parameters that get other values.
    seeds: numbers, or a text such as ``"0..4"``: one run for each, one after the other. seed_name: the hyper-parameter
    that is the seed. folder: in which the program runs; by default that of the run. into: a new folder for the code, in
    place of one in the cache. python: the interpreter. venv: make an environment with the packages of then, in the
    cache or in that folder.

    Returns the new run, whose ``rerun_of`` is the old one; with seeds a list of ``Repeat(seed, exit_code, run)``. A
    program that fails is no error here: the new run's status says so. Raises ConfigError for what cannot be run again,
    RLAError for a program that has begun no run.

    >>> import rla_hooks as rla
    >>> from rla_hooks import upkeep
    >>> with rla.run(task="demo", writers=["csv"], backup="none") as run:
    ...     pass
    >>> upkeep.rerun(run)
    Traceback (most recent call last):
    rla_hooks.errors.RLAError: the run ... has no copy of its code (backup='none'). ...
    """
    saved = saved_run(run, log_root, "rerun")
    plan = RerunPlan(saved, set, folder=folder, python=python)
    if venv:
        use_environment(plan, None if venv is True else Path(venv), lambda line: None)
    if seeds is None:
        found, stop = _run_one(plan.command(plan.restore(into), number=0), None)
        if stop is not None:
            raise stop
        if found.run is None:
            raise RLAError(f"the program of {name_of(saved)} has ended with {found.exit_code}, and has begun no run")
        return found.run
    numbers = new_values.seeds_of(seeds) if isinstance(seeds, str) else [*seeds]
    if not numbers or not all(type(number) is int for number in numbers):
        raise ConfigError(f"seeds is {shown(seeds, 100)}. Allowed: whole numbers, or a text such as '0..4'.")
    name = check_seeds(plan, seed_name)
    restored = plan.restore(into)
    return [*run_each((seed, plan.command(restored, {name: seed}, at)) for at, seed in enumerate(numbers))]


def use_environment(plan: RerunPlan, folder: Path | None, tell: Callable[[str], object]) -> None:
    """Let the program run in an environment with the packages of then. Raises RLAError if that cannot be made."""
    from rla_hooks.query.cache import cache_folder

    plan.python = environment.make(plan.run, plan.python, folder, cache_folder(), tell)


def check_seeds(plan: RerunPlan, name: str | None) -> str:
    """Return the hyper-parameter that is the seed of a run. Raises ConfigError if it has none that can be set."""
    name = new_values.seed_name(plan.former, name)
    if name in plan.values:
        raise ConfigError(f"--set and --seeds both say what {name} is. Give one of them.")
    plan.check({name: 0})
    return name


def run_each(commands: Iterable[tuple[int | None, KeptCommand]]) -> Iterator[Repeat]:
    """Run the commands, one after the other, whatever becomes of each; yield how each has ended.

    After Ctrl-C or SIGTERM, which the program at hand gets, too, it raises KeyboardInterrupt or SystemExit once that
    has ended.
    """
    for seed, command in commands:
        done, stop = _run_one(command, seed)
        yield done
        if stop is not None:
            raise stop


def _run_one(command: KeptCommand, seed: int | None) -> tuple[Repeat, BaseException | None]:
    """Run a command, and wait for its end; return how it ended, and what is to be raised since a signal has come."""
    sys.stdout.flush()
    sys.stderr.flush()
    environ, stops = os.environ | command.variables, list[BaseException]()
    try:
        process = subprocess.Popen(command.words, cwd=command.folder, env=environ)
    except OSError as error:
        raise RLAError(f"{shell_path(command.words[0])} cannot be run: {error.strerror}") from None
    with _passing_on(process, stops):
        try:
            code = process.wait()
        except KeyboardInterrupt as error:  # a second one does not wait any longer
            stops.append(error)
            code = process.wait()
    done = Repeat(seed, code if code >= 0 else 128 - code, _claimed(Path(command.variables[CLAIM])))
    return done, stops[0] if stops else None


@contextmanager
def _passing_on(process: subprocess.Popen[bytes], stops: list[BaseException]) -> Iterator[None]:
    """While the program runs, SIGTERM is for it, and afterwards for this process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(number: int, frame: object) -> None:
        stops.append(SystemExit(128 + number))
        process.send_signal(number)

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _claimed(claim: Path) -> SavedRun | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return saved_run(Path(json.loads(read_bytes(claim, _MAX_CLAIM))["log_dir"]))
    return None
