"""Which call or block of a program is the run that ``rla rerun`` asks for, and with which arguments it is called.

    a tracked function     its first call: it gets the arguments of the former run, whatever the program passes
    a block, rla's tester  the first one with the hyper-parameters of the former run, or, if several runs of the program
                           had the same, the one that had as many before it; those before it are new runs

Both have the task and the function of the former run. Once that run has been repeated, further calls and blocks that
stand where it stood are left out: of a sweep over fifteen seeds one is wanted. So the program ends there.

Of several processes of the program, the first that comes to such a call takes it; other ranks take its arguments, too.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import suppress
from typing import Any, NamedTuple

from rla_hooks import ranks
from rla_hooks.calls import Parameters
from rla_hooks.core import registry
from rla_hooks.core.rerun_request import RUN, VALUES, Rerun, asked, claim_file, new_values
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import ConfigError, RunError, show_without_traceback, warn
from rla_hooks.former_parameters import FormerParameters, listed
from rla_hooks.places import restored
from rla_hooks.query import SavedRun, runs
from rla_hooks.query.given import saved_run
from rla_hooks.rerun_arguments import as_before
from rla_hooks.resume_checks import is_of_task, is_same_function
from rla_hooks.texts import printable, shown

_PROCESS = ("host", "pid", "process", "function")
_taken: dict[str, str | None] = {}  # the folder of a run that was repeated here: the name of the run around it
_told: set[str] = set()  # the same of those of which it was said that others are left out
_unmet: dict[str, str] = {}  # the same of one that was not: why
_passed: dict[str, int] = {}  # the same: how many blocks with its hyper-parameters were before the present one


class LeftOut(RunError, SystemExit):
    """A call in a process of a pool, of which another one is repeated: a plain SystemExit would end the process.

    The pool passes it on to the program, which it ends as a success.
    """

    exit_code = 0  # a run around it has finished: see rla_hooks.endings


class Call(NamedTuple):
    """A call of a tracked function: its arguments, and the run that it is; None on a rank that does not write."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    rerun: Rerun | None


def call_of(task: str, name: str, parameters: Parameters, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    """Return how a function is called where its call is the run that is asked for; None for any other call.

    task, name: as in run.json. Raises SystemExit where the run has been repeated, ConfigError for what cannot be
    passed.
    """
    folder = asked()
    saved = None if folder is None else _saved(folder)
    if saved is None or folder is None or not (is_of_task(saved, task) and _is_of(saved, name)):
        _keep_unmet(folder, f"no call is of the task and function of the run {_name(saved)}" if saved else "")
        return None
    leave_out(task, name)
    is_writer = ranks.is_writer_rank()
    if is_writer and (folder in _taken or not _claim(folder)):
        return None
    former = FormerParameters(saved.run_json, saved.hparams)
    try:
        arguments = as_before(former, parameters.bind(args, kwargs), values())
    except ConfigError as error:
        wrong = ConfigError([f"the run {_name(saved)} cannot be repeated: {each}" for each in error.problems])
        show_without_traceback(wrong)
        raise wrong from None
    found, named = parameters.as_call(arguments)
    receiver = args[: parameters.has_receiver]
    return Call((*receiver, *found), named, _rerun(saved) if is_writer else None)


def choose(settings: RunSettings) -> Rerun | None:
    """Return the run that a block, or a hook's run, repeats: it has the same hyper-parameters. None for a new one."""
    folder = asked()
    if folder is None or folder in _taken:
        return None
    saved = _saved(folder)
    if not (is_of_task(saved, settings.task_name) and _is_of(saved, settings.function_name)):
        _keep_unmet(folder, f"no run is of the task and function of {_name(saved)}")
        return None
    differing = FormerParameters(saved.run_json, saved.hparams).differences(settings.hyper_param, partial=True)
    if differing:
        _keep_unmet(folder, f"no run has its hyper-parameters: {listed(differing)}")
        return None
    if not (settings.independent or ranks.is_writer_rank()):
        return None
    _passed[folder] = _passed.get(folder, -1) + 1
    if _passed[folder] < _alike_before(saved) or not _claim(folder):
        return None
    return _rerun(saved)


def leave_out(task: str | None, name: str | None) -> None:
    """Raise SystemExit if the run that is asked for has been repeated, and one of its task and function comes again.

    Runs within it, and those within others, are none of a sweep.
    """
    folder = asked()
    if folder is None or not ranks.is_writer_rank() or (folder not in _taken and not _is_claimed_elsewhere()):
        return
    saved, around = _saved(folder), registry.enclosing()
    if not (is_of_task(saved, task) and _is_of(saved, name)):
        return
    if folder in _taken and _taken[folder] != (around.name if around else None):
        return
    text = f"{printable(saved.id)} has been repeated: further runs of {printable(name or task)} are left out"
    if folder not in _told:  # a program may catch the exception, and go on to its next thousand runs
        _told.add(folder)
        with suppress(OSError, ValueError):  # of a stderr that is closed
            print(f"rla: {text}", file=sys.stderr)
    processes = sys.modules.get("multiprocessing.process")
    is_worker = processes is not None and processes.current_process().name != "MainProcess"
    raise LeftOut(text) if is_worker else SystemExit(0)


def values() -> dict[str, Any]:
    """Return the hyper-parameters that get new values. Raises ConfigError for what is no JSON."""
    text = new_values()
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    raise ConfigError(f"{VALUES} is {shown(text, 100)}. Allowed: JSON of names and values, as rla rerun sets it.")


def _alike_before(saved: SavedRun) -> int:
    """Return how many runs of its program, with the same task, function and hyper-parameters, were before a run."""
    own, former = [saved.run_json.get(name) for name in _PROCESS], FormerParameters(saved.run_json, saved.hparams)
    if None in own[:3]:
        return 0
    count = 0
    for each in runs(saved.paths.log_root, saved.task):
        if each.started < saved.started and [each.run_json.get(name) for name in _PROCESS] == own:
            count += FormerParameters(each.run_json, each.hparams).flat == former.flat
    return count


def _rerun(saved: SavedRun) -> Rerun:
    git = saved.run_json.get("git")
    is_on_its_code = (restored() or {}).get("code") == str(saved.code_dir)
    noted = git if is_on_its_code and isinstance(git, dict) else None
    return Rerun(saved.name, saved.id, saved.code_dir, noted, claim_file())


def _saved(folder: str) -> SavedRun:
    return saved_run(folder, None, RUN)


def _is_of(saved: SavedRun, name: str | None) -> bool:
    return is_same_function(saved.run_json.get("function"), name)


def _name(saved: SavedRun) -> str:
    return f"{printable(saved.id)} ({printable(saved.name)})"


def _claim(folder: str) -> bool:
    """Take the run for this process; return False if another one of the program has it."""
    claim, around = claim_file(), registry.enclosing()
    if claim is not None:
        try:
            os.close(os.open(claim, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        except OSError:  # the folder is gone: then this process alone counts
            pass
    _taken[folder] = around.name if around else None
    _unmet.pop(folder, None)
    return True


def _is_claimed_elsewhere() -> bool:
    claim = claim_file()
    return claim is not None and os.path.exists(claim)


def _keep_unmet(folder: str | None, why: str) -> None:
    """Say at the end of the program that nothing in it was the run."""
    if folder is None or folder in _taken or not ranks.is_writer_rank():
        return
    if not _unmet:
        atexit.register(_tell_unmet, os.getpid())
    _unmet.setdefault(folder, why)


def _tell_unmet(pid: int) -> None:
    if pid != os.getpid() or _is_claimed_elsewhere():
        return
    for why in _unmet.values():
        warn(f"the run that {RUN} names was not repeated: {why}.")


def forget_state() -> None:
    """As in a process that has just begun."""
    _taken.clear()
    _told.clear()
    _unmet.clear()
    _passed.clear()
