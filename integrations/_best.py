"""The tag ``best``: among the runs of a study in a group, those of the best trials have it."""

from __future__ import annotations

from collections.abc import Collection

import rla_hooks as rla
from rla_hooks.hooks import Run
from rla_hooks.layout import RunPaths

TAG = "best"


def mark(run: Run, names: Collection[str], study: str) -> None:
    """Let the runs of these names have the tag, and no other one of the same study in the group of ``run``.

    They may be of other processes. study: the hyper-parameter that names it. Raises RLAError and OSError.
    """
    if run.paths is None or not run.is_writing:
        return
    root, group = run.paths.log_root, run.settings.labels.group
    own = run.parameters().get(study)
    for former in rla.runs(root, tags=TAG, group=group) if group else ():
        if former.name not in names and former.hparams.get(study) == own:
            rla.open(former).tag(f"-{TAG}")
    for name in names:
        folder = RunPaths(root, name).log_dir
        if folder.is_dir():  # else its process has another log root
            rla.open(str(folder)).tag(TAG)
