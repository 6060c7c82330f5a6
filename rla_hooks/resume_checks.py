"""Whether a run may go on: all that is against it is said in one ConfigError, before anything is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rla_hooks import life, ranks
from rla_hooks.checkpoints.entry import DEFAULT_NAME, STATE, is_state
from rla_hooks.checkpoints.manifest import Entry, Manifest
from rla_hooks.core.job import job_identity
from rla_hooks.core.resume_request import Resumable, ResumeRequest
from rla_hooks.core.settings import RunSettings
from rla_hooks.endings import FINISHED, RUNNING
from rla_hooks.errors import ConfigError, RunError, did_you_mean
from rla_hooks.former_parameters import MISSING, Difference, FormerParameters
from rla_hooks.layout import RunPaths
from rla_hooks.places import restored
from rla_hooks.query import SavedRun
from rla_hooks.query.entry import UNKNOWN
from rla_hooks.query.moved import former_names, paths_of
from rla_hooks.query.rla_runs import is_of_rla
from rla_hooks.record import FORMAT
from rla_hooks.restarts import length_among
from rla_hooks.run_name import check_task, task_folders
from rla_hooks.texts import beginnings, listed, shell_path, shown

if TYPE_CHECKING:
    from rla_hooks.same_code import SameCode

SILENT = "silent"  # in ``allow``: the process of a run elsewhere that writes nothing is gone
_MAX_LISTED = 20


def is_writer(settings: RunSettings) -> bool:
    """Whether this process is the one that writes the run: another rank only reads what it loads."""
    return settings.independent or ranks.is_writer_rank()


def is_same_function(stored: object, given: object) -> bool:
    """Whether two runs are of the same function, as far as both say it; older runs do not."""
    return stored is None or given is None or stored == given


def is_of_task(saved: SavedRun, task: str | None) -> bool:
    """Whether a run is, or was before ``rla mv``, of this task, by its folders or by what run.json says."""
    noted = (saved.task, saved.run_json.get("task"))
    names = (saved.name, *former_names(saved.run_json))
    return task is None or task in noted or check_task(task) in [task_folders(str(name)) for name in names]


def checked(saved: SavedRun, settings: RunSettings, request: ResumeRequest) -> Resumable:
    """Return the run as one that may go on, or raise one ConfigError with all that is against it."""
    paths = paths_of(saved)
    problems = [*_foreign(saved)]
    same_code: SameCode | None = None
    if not problems and not is_writer(settings):  # rank zero checks it, and may have taken it up already
        if request.same_code:
            _on_same_code(saved, paths, request)
        without = request.from_start or request.keeps_rows
        return Resumable(paths, None if without else newest_checkpoint(Manifest(paths.checkpoint_dir)))
    over, notes, changes, entry, state = None, list[str](), list[Difference](), None, list[str]()
    if not problems:
        former = FormerParameters(saved.run_json, saved.hparams)
        changes = former.differences(settings.hyper_param, partial=True)
        if former.lost:
            notes.append(f"parameter.json lacks {listed(former.lost, _MAX_LISTED)}, so that was not compared")
        problems += _of_another_kind(saved, settings, notes)
        if request.same_code:
            from rla_hooks.same_code import SameCode  # late: most resumes do without

            same_code = SameCode(saved, paths, request, changes)
            problems += same_code.problems()
        alive, over = why_alive(saved, request)
        state = [*alive, *_not_writable(paths.log_dir, paths.checkpoint_dir)]
        problems += state
        if not request.keeps_rows:
            problems += _finished(saved, request, changes)
            problems += [
                *unknown_names(request.allow, [*former.names, *former.flat], settings),
                *_not_allowed(changes, request),
            ]
            entry, lacking = _checkpoint(saved, request)
            problems += lacking
    if problems:
        head = f"the run {saved.id} cannot be resumed ({shell_path(saved.paths.log_dir)})"
        if problems == state:  # nothing is wrong with the call
            raise RunError("\n".join(f"{head}: {problem}" for problem in problems))
        raise ConfigError([f"{head}: {problem}" for problem in problems])
    if same_code is not None:
        same_code.restart()
        copy = restored()
        if copy is not None:
            notes.append(f"runs on copies of the code that it was started with, in {shell_path(copy['tree'])}")
    notes += [f"hyper-parameter changed: {each}" for each in changes]
    differing = {each.name: (each.stored, each.given) for each in changes}
    return Resumable(paths, entry, differing, notes, over, _code_diff(paths, settings))


def _on_same_code(saved: SavedRun, paths: RunPaths, request: ResumeRequest) -> None:
    """On a rank that does not write: start on the run's code, too."""
    from rla_hooks.same_code import SameCode

    same_code = SameCode(saved, paths, request)
    found = [f"the run {saved.id} cannot be resumed: {problem}" for problem in same_code.problems()]
    if found:
        raise ConfigError(found)
    same_code.restart()


def _code_diff(paths: RunPaths, settings: RunSettings) -> str | None:
    from rla_hooks.snapshot import change, request  # late: they take longer than the rest

    if not os.path.isdir(paths.code_dir):
        return None
    copy = restored()
    root = Path(copy["tree"]) if copy else request.BackupRequest(**settings.backup_options()).root
    return change.change_of(paths.code_dir, root) or None


def _foreign(saved: SavedRun) -> Iterator[str]:
    """Why a run is none that can go on at all."""
    newer = saved.run_json.get("format")
    if os.path.isfile(saved.paths.run_json):
        if isinstance(newer, int) and newer > FORMAT:
            yield (
                f"its run.json has format {shown(newer, 40)}, and this version of rla_hooks writes format {FORMAT}. "
                "Update rla_hooks."
            )
        elif isinstance(saved.run_json.get("imported"), dict):
            yield "the original RLA has made it, which notes neither how it ended nor how it began. Start a new run."
        elif saved.status == UNKNOWN:
            damage = "; ".join(saved.problems).rstrip(".") or "its status is not known"
            yield f"it is damaged: {damage}. Start a new run."
    elif is_of_rla(saved.paths):
        yield "the original RLA has made it, which notes neither how it ended nor its checkpoints. Start a new run."
    else:
        yield "it has no run.json: another tool has made it, or somebody has deleted that. Start a new run."


def _of_another_kind(saved: SavedRun, settings: RunSettings, notes: list[str]) -> Iterator[str]:
    """Another task is a mistake; a function may have got another name since."""
    if not is_of_task(saved, settings.task_name):
        yield f"its task is {saved.task!r}, and this one {settings.task_name!r}. Give task={saved.task!r}."
    stored, given = saved.run_json.get("function"), settings.function_name
    if not is_same_function(stored, given):
        notes.append(f"the function was {shown(stored, 100)}, and is {shown(given, 100)}")


def why_alive(saved: SavedRun, request: ResumeRequest) -> tuple[list[str], Mapping[str, Any] | None]:
    """Return why the run may still be alive; and its process, where that is known to be over, though unseen."""
    content, status = saved.run_json, saved.status
    if not life.is_running(status):
        return [], None
    who = f"process {shown(content.get('pid'), 20)} on {shown(content.get('host'), 100)}"
    if life.lives(content):
        return [f"it is still alive: {who}. Wait for its end, or end it: kill {shown(content.get('pid'), 20)}."], None
    job = job_identity()
    is_silent = status != RUNNING
    if (job is not None and job == content.get("job")) or (is_silent and SILENT in request.allow):
        return [], content
    ask = f"ssh {shown(content.get('host'), 100).strip(repr('')[0])} ps -p {shown(content.get('pid'), 20)}"
    allow = request.option("allow", [SILENT])
    if is_silent:
        return [
            f"it is {status}, and from here nobody can see whether {who} is gone. Ask there: {ask}. If it is gone, "
            f"pass {allow}."
        ], None
    return [
        f"it is running: {who}. Ask there: {ask}. If it is gone, wait until the run has written nothing for "
        f"{life.STALE_AFTER / 60:.0f} minutes, and pass {allow}."
    ], None


def _finished(saved: SavedRun, request: ResumeRequest, changes: list[Difference]) -> Iterator[str]:
    if saved.status == FINISHED and not any(map(request.allow.__contains__, _names_of(changes))):
        name = length_among(saved.hparams)
        value = "" if request.by_variable else f"{name}=..., "
        yield (
            "it has finished. If it is to go on, change a hyper-parameter (more steps, say) and allow it: "
            f"{value}{request.option('allow', [name])}."
        )


def _names_of(changes: list[Difference]) -> list[str]:
    return [name for each in changes for name in beginnings(each.name)]


def refused(changes: list[Difference], allow: tuple[str, ...]) -> list[Difference]:
    """Return those of these changes of hyper-parameters that ``allow`` does not name."""
    return [each for each in changes if not any(name in allow for name in beginnings(each.name))]


def other_parameters(saved: SavedRun, settings: RunSettings, request: ResumeRequest) -> list[Difference]:
    """Return the hyper-parameters for which a start is none of this run; nothing where :func:`checked` says more."""
    if any(_foreign(saved)):
        return []
    former = FormerParameters(saved.run_json, saved.hparams)
    if any(unknown_names(request.allow, [*former.names, *former.flat], settings)):
        return []
    return refused(former.differences(settings.hyper_param, partial=True), request.allow)


def _not_allowed(changes: list[Difference], request: ResumeRequest) -> Iterator[str]:
    left = refused(changes, request.allow)
    for each in left[:_MAX_LISTED]:
        back = "Leave it out" if each.stored is MISSING else "Give what it was"
        yield f"the hyper-parameter {each}. {back}, or allow it: {request.option('allow', [each.name])}."
    if len(left) > _MAX_LISTED:
        yield f"{len(left) - _MAX_LISTED} more hyper-parameters differ."


def unknown_names(allow: tuple[str, ...], stored: Sequence[str], settings: RunSettings) -> Iterator[str]:
    """Yield a line for each name in ``allow`` that is no hyper-parameter; ``stored``: those of the former run."""
    names = dict.fromkeys([*stored, *settings.hyper_param])
    known = {name for key in (*names, *settings.parameters()) for name in beginnings(key)}
    for name in allow:
        if name not in known and name != SILENT:
            listed = ", ".join(names) or "there are none"
            yield f"allow has {name!r}, which is no hyper-parameter. Known: {listed}.{did_you_mean(name, known)}"


def newest_checkpoint(manifest: Manifest) -> Entry | None:
    """Return the newest whole state; else the newest whole checkpoint, of the default name if there is one."""
    states = any(is_state(entry) for entry in manifest.entries())
    return (manifest.newest(STATE) if states else None) or manifest.newest(DEFAULT_NAME) or manifest.newest()


def _checkpoint(saved: SavedRun, request: ResumeRequest) -> tuple[Entry | None, list[str]]:
    """Return the checkpoint to go on from, and what is wrong where there is none."""
    if request.from_start:
        return None, []
    manifest = Manifest(paths_of(saved).checkpoint_dir)
    entry = newest_checkpoint(manifest)
    if entry is not None:
        return entry, []
    listed = manifest.entries()
    cut = sum(each.cut is not None for each in listed)
    found = ", ".join(
        [
            *([f"{cut} that a resume has cut"] if cut else []),
            *([f"{len(listed) - cut} that are damaged or deleted"] if len(listed) > cut else []),
        ]
    )
    start = request.option("from_start")
    return None, [
        f"it has no whole checkpoint{f' (but {found})' if found else ''}. Pass {start}, which begins it anew "
        "and keeps its rows under cut/, or start a new run."
    ]


def _not_writable(*folders: Path) -> Iterator[str]:
    for folder in folders:
        if os.path.isdir(folder) and not os.access(folder, os.W_OK | os.X_OK):
            yield (
                f"{shell_path(folder)} cannot be written: read-only, or another user's. Nothing of it has changed. "
                "Change its permissions, or mount its disk for writing."
            )
            return
