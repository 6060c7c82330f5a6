"""What a call asks of a resume, and the run that was found for it. Both are plain: core/resuming.py begins the life.

A request is made of the options ``resume``, ``allow``, ``same_code`` and ``from_start``, or of the environment
variable RLA_RESUME. ``rla_hooks.resumable`` finds the run for it, which reads saved runs; nothing in core/ does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rla_hooks.fields import Fields, made_by
from rla_hooks.layout import RunPaths
from rla_hooks.texts import shown

if TYPE_CHECKING:
    from rla_hooks.checkpoints.manifest import Entry

AUTO = "auto"
BY_VARIABLE = "RLA_RESUME"
BY_COMMAND = "rla resume"


class ResumeRequest(Fields):
    """Which run is to go on: a name, an id or its first letters, a path, a SavedRun, or ``auto``.

    allow: names of hyper-parameters that may differ from the stored ones. same_code: whether the run's code is to be
    restored first. from_start: whether everything is to be cut, and nothing loaded. reason: who asks. by_variable:
    whether RLA_RESUME names the run, and no call. else_auto: whether a start that this run does not fit is to look for
    one of its own, since the program says ``auto``. notes: lines for the log that say why a new run starts. keeps_rows:
    whether the program restores by itself what it trains, so that nothing is loaded, cut or compared.

    >>> ResumeRequest("auto", allow=("steps",)).reason
    'resume='
    """

    run: Any
    allow: tuple[str, ...] = ()
    same_code: bool = False
    from_start: bool = False
    reason: str = "resume="
    by_variable: bool = False
    else_auto: bool = False
    notes: list[str] = made_by(list)
    keeps_rows: bool = False

    def option(self, name: str, values: Sequence[str] | None = None) -> str:
        """Return how whoever asks writes an option: of the command line, of the environment or of a call.

        >>> ResumeRequest("k3xq7aod", reason="rla resume", by_variable=True).option("allow", ["steps", "lr"])
        '--allow steps --allow lr'
        """
        if self.by_variable and self.reason == BY_COMMAND:
            word = f"--{name.replace('_', '-')}"
            return word if values is None else " ".join(f"{word} {value}" for value in values)
        if self.by_variable and self.reason == BY_VARIABLE:
            return f"RLA_RESUME_{name.upper()}={'1' if values is None else ','.join(values)}"
        return f"{name}={values is None or [*values]!r}"


class Resumable(Fields):
    """A run that was found for a request.

    entry: its newest whole checkpoint; None where it goes on from the start. hyper_param_changes: allowed changes.
    notes: lines for the log. over: the process of its last life, as in run.json, where that is known to be over though
    nobody can see it from here. code_diff: how the code differs from that of the run's first life. begins_with: on a
    rank that does not write, the files of the newest checkpoints, by name, when rank zero began the life.
    """

    paths: RunPaths
    entry: Entry | None = None
    hyper_param_changes: dict[str, Any] = made_by(dict)
    notes: list[str] = made_by(list)
    over: Mapping[str, Any] | None = None
    code_diff: str | None = None
    begins_with: dict[str, str] = made_by(dict)


def request_of(
    run: Any, allow: str | Sequence[str], same_code: bool, from_start: bool, problems: list[str]
) -> ResumeRequest | None:
    """Return the request of these options, or of the environment where ``run`` is None; None without one.

    A run that RLA_RESUME names comes before ``auto``: somebody has named it for this program. A line for each mistake
    is added to ``problems``.

    >>> request_of("auto", "steps", False, 1, problems := []), problems
    (None, ['from_start is 1. Allowed: True, False.'])
    """
    found: list[str] = []
    is_text = isinstance(run, (str, os.PathLike)) and bool(str(run).strip())
    if not (run is None or is_text or isinstance(getattr(run, "paths", None), RunPaths)):
        found.append(
            f"resume is {shown(run, 100)}. Allowed: 'auto', the id of a run, its name, a folder of it, or a run of "
            "rla.runs()."
        )
    names = [allow] if isinstance(allow, str) else allow
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        found.append(f"allow is {shown(allow, 100)}. Allowed: a list of names of hyper-parameters: ['steps'].")
    found += [f"{name} is {shown(value, 100)}. Allowed: True, False." for name, value in _flags(same_code, from_start)]
    variable = os.environ.get("RLA_RESUME", "").strip()
    if run is None and not variable:
        asked = [name for name, value in (("same_code", same_code), ("from_start", from_start)) if value is True]
        found += [
            f"{name} is True, and no run is to go on. Give it: resume=..., or leave {name} out." for name in asked
        ]
    problems += found
    if found:
        return None
    is_auto = run == AUTO
    if run is not None and not (is_auto and variable):
        return ResumeRequest(run, tuple(names), same_code, from_start, AUTO if is_auto else "resume=")
    if not variable:
        return None
    same_code = same_code or bool(os.environ.get("RLA_RESUME_SAME_CODE"))
    from_start = from_start or bool(os.environ.get("RLA_RESUME_FROM_START"))
    more = filter(None, os.environ.get("RLA_RESUME_ALLOW", "").split(","))
    reason = os.environ.get("RLA_RESUME_REASON", "").strip() or BY_VARIABLE
    allowed = (*names, *more)
    return ResumeRequest(variable, allowed, same_code, from_start, reason, by_variable=True, else_auto=is_auto)


def _flags(same_code: object, from_start: object) -> list[tuple[str, object]]:
    given = ("same_code", same_code), ("from_start", from_start)
    return [(name, value) for name, value in given if not isinstance(value, bool)]
