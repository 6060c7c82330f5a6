"""What sweeps leave in ``.sweeps/`` of a log root: claims of settings, and the files by which submitit sends jobs.

.sweeps/claims/<setting>                     the name of its run: see rla_hooks/launch/claims.py
.sweeps/jobs/<sweep>/<job>_submitted.pkl     the function and the setting, for the job
                     <job>_0_result.pkl      what became of it, for the sweep
                     <job>_0_log.out, .err   what it printed: this stays
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from rla_hooks.layout import CLAIMS, JOBS, SWEEPS
from rla_hooks.locks import is_held

_SENT, _RESULT = "_submitted.pkl", "_0_result.pkl"


def needless(root: Path, age: float) -> Iterator[Path]:
    """Yield what no sweep needs, ``age`` seconds after its last change: claims, and the pickles of jobs that ended."""
    before = time.time() - age
    for path in sorted((root / SWEEPS / CLAIMS).glob("*")):
        if is_needless(path) and _is_older(path, before):
            yield path
    for path in sorted((root / SWEEPS / JOBS).glob(f"*/*{_SENT}")):
        result = path.with_name(path.name.replace(_SENT, _RESULT))
        if _is_older(result, before):
            yield from (path, result)


def is_needless(path: Path) -> bool:
    """Whether nobody begins the setting of a claim just now; any other file is not asked for a second time."""
    return path.is_file() and not path.is_symlink() and not is_held(path)


def _is_older(path: Path, before: float) -> bool:
    try:
        return os.lstat(path).st_mtime <= before
    except OSError:
        return False
