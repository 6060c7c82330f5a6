"""The code of a run: a copy of the project's, and what has run in a notebook or was typed at the prompt."""

from __future__ import annotations

import sys
from typing import Any

from rla_hooks.core.logger import Logger
from rla_hooks.core.settings import RunSettings
from rla_hooks.layout import RunPaths
from rla_hooks.places import in_project
from rla_hooks.record import RunRecord


def back_up(settings: RunSettings, paths: RunPaths, record: RunRecord, logger: Logger) -> None:
    """Copy the project's code, and note the state of git, Python and packages in run.json."""
    assert settings.config is not None
    if settings.config.backup == "none":
        return
    from rla_hooks.snapshot import backup, provenance, request  # late: slow to import

    options = settings.backup_options()
    project = options["project_root"] or request.project_of(options["script"])
    look = provenance.Look(project, paths.log_root)  # git answers while the files are copied
    report = backup.back_up(paths.code_dir, paths.log_root, look.listing, **options)
    notes = paths.code_dir / backup.NOTES
    origin = look.facts(notes)
    if settings.rerun is not None and (git := settings.rerun.take_over_git(notes)):
        origin["git"] = git
    left_out = {reason: len(names) for reason, names in report.left_out.items()}
    code = {"files": report.files, "bytes": report.bytes, "left_out": left_out}
    record.save(**origin, code=code | {"project": str(in_project(request.BackupRequest(**options).root))})
    logger.message(report.line())
    if problem := (origin["git"] or {}).get("problem"):
        logger.message(f"git: {problem}")


def save_session(paths: RunPaths) -> None:
    """Keep what has run in this notebook, or was typed at the prompt, since the start of the run. Raises OSError."""
    session: Any = sys.modules.get("rla_hooks.snapshot.session")  # the code backup of the start has imported it
    if session is not None and (paths.code_dir / session.NOTES / session.SESSION).exists():
        session.save(paths.code_dir / session.NOTES)
