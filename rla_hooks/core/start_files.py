"""What a run writes when it starts, beside its rows: run.json, parameter.json, labels.json, its code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rla_hooks._version import __version__
from rla_hooks.atomic import read_json, write_json
from rla_hooks.core.handover import Ownership
from rla_hooks.core.logger import Logger
from rla_hooks.core.settings import Labels, RunSettings
from rla_hooks.layout import RunPaths
from rla_hooks.ranks import process_identity
from rla_hooks.record import RunRecord
from rla_hooks.writers import parameter_tables


def new_record(settings: RunSettings, ownership: Ownership, logger: Logger) -> RunRecord:
    """Return the run.json of a run that starts here; nothing is written."""
    assert ownership.paths is not None
    record = RunRecord(
        ownership.paths.run_json,
        id=ownership.id,
        name=ownership.paths.name,
        task=settings.task_name,
        parent=settings.parent,
        rla_hooks=__version__,
        writers=[writer.name for writer in logger.output_formats],
    )
    if ownership.is_of_parent and ownership.planner is not None:
        record.content |= {"pid": ownership.planner, "process": process_identity(ownership.planner)}
    return record


def save_parameters(parameters: Mapping[str, Any], paths: RunPaths, logger: Logger) -> None:
    """Write parameter.json and TensorBoard's tables."""
    whole = all_parameters(parameters, paths)
    write_json(paths.parameter_json, whole)
    logger.write_media("hyperparameters", parameter_tables.text(whole), step=0)
    logger.write_media("hyperparameters", parameter_tables.hparams(whole), step=0)


def all_parameters(own: Mapping[str, Any], paths: RunPaths) -> dict[str, Any]:
    """The hyper-parameters, with those that another process of the run has added."""
    try:
        return read_json(paths.parameter_json) | dict(own)
    except (OSError, ValueError):
        return dict(own)


def save_labels(labels: Labels, paths: RunPaths) -> None:
    """Write labels.json where there are any."""
    content = labels.as_dict()
    if content:
        write_json(paths.labels_json, content)


def back_up_code(settings: RunSettings, paths: RunPaths, record: RunRecord, logger: Logger) -> None:
    """Copy the project's code, and note in run.json what it stood on."""
    assert settings.config is not None
    if settings.config.backup == "none":
        return
    from rla_hooks.snapshot import backup, provenance

    options = settings.backup_options()
    report = backup.back_up(paths.code_dir, paths.log_root, **options)
    project = options["project_root"] or backup.project_of(options["script"])
    origin = provenance.collect(project, paths.code_dir / backup.NOTES, paths.log_root)
    left_out = {reason: len(names) for reason, names in report.left_out.items()}
    record.save(**origin, code={"files": report.files, "bytes": report.bytes, "left_out": left_out})
    logger.message(report.line())
