"""Two sweeps of one group never begin the same setting: whoever begins it holds the lock of its claim meanwhile.

A claim is a small file in ``.sweeps/claims/`` of the log root, named by what makes the setting the same one, with the
name of its run in it. The lock goes with the process that holds it, also on a network disk, so that nobody waits for a
dead one; and what counts of a run is its own status. So claims may be deleted at any time when nothing begins.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rla_hooks import life, ranks
from rla_hooks.core.sweep_request import SweepMember
from rla_hooks.endings import RUNNING
from rla_hooks.errors import RLAError
from rla_hooks.fields import Fields
from rla_hooks.launch.existing import has_checkpoint, is_alive, is_done
from rla_hooks.layout import CLAIMS, SWEEPS, RunPaths
from rla_hooks.locks import is_held, locked
from rla_hooks.parameter_forms import forms_of, is_compared
from rla_hooks.parameters import flatten, safe
from rla_hooks.query import SavedRun
from rla_hooks.query.given import saved_run


def claim_of(log_root: Path, kind: tuple[str | None, ...], hyper_param: Mapping[str, Any]) -> Path:
    """Return the file of a setting's claim. kind: what a setting is the same in, too: task, function, group.

    Secrets do not count, as they do not where runs are compared.
    """
    forms = forms_of(hyper_param)
    flat = {key: safe(value) for key, value in flatten(hyper_param).items() if is_compared(forms.get(key))}
    text = json.dumps([kind, sorted(flat.items())], default=repr)
    return log_root / SWEEPS / CLAIMS / hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


class Claim(Fields):
    """What somebody who begins a setting finds. member: as it is to begin, maybe with the run that goes on.

    is_taken: whether nothing is to be done, since ``run`` is done, or another process has it.
    """

    member: SweepMember
    run: SavedRun | None = None
    is_taken: bool = False

    def begun(self, paths: RunPaths | None) -> None:
        """Say which run the setting has now."""
        if self.member.claim is not None and paths is not None:
            with suppress(OSError):
                Path(self.member.claim).write_text(f"{paths.name}\n", encoding="utf-8", errors="surrogateescape")


@contextmanager
def held(member: SweepMember) -> Iterator[Claim]:
    """Hold the claim of a setting while its run begins. Where the disk does not allow it, the run begins all the same.

    Where another process holds it for long, whose run takes its time to begin, the setting is its.
    """
    file = member.claim
    if file is None or not ranks.is_writer_rank():
        yield Claim(member)
        return
    with suppress(OSError):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
    with locked(file) as has_lock:
        yield Claim(member, None, True) if not has_lock and is_held(file) else _found(member, Path(file))


def _found(member: SweepMember, file: Path) -> Claim:
    own = _run_of(Path(member.resume)) if member.resume is not None else None
    claimed = _claimed(file, member.group)
    for run in filter(None, (claimed, own)):
        is_others = is_alive(run) and (life.lives(run.run_json) or not member.is_again)
        if is_done(run) or is_others:
            return Claim(member, run, True)
    goes_on = own or claimed
    if goes_on is not None and own is None:
        member = member.replaced(resume=str(goes_on.log_dir), from_start=not has_checkpoint(goes_on))
    return Claim(member, goes_on)


def _claimed(file: Path, group: str) -> SavedRun | None:
    """Return the run that a claim names, if it is there, and still of this group."""
    try:
        name = file.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return None
    run = _run_of(RunPaths(file.parents[2], name).log_dir) if name else None
    return run if run is not None and run.group == group else None


def _run_of(folder: Path) -> SavedRun | None:
    with suppress(RLAError, OSError, ValueError):
        return saved_run(folder)
    return None


def status_of(claim: Claim) -> str:
    """Return the status of a setting that is taken: that of its run, or ``running`` if it has none yet."""
    return RUNNING if claim.run is None or is_alive(claim.run) else claim.run.status
