"""What ``rla rerun`` asks of a program, by its environment: that one of its runs be a former run once more.

RLA_RERUN         the folder of the former run
RLA_RERUN_SET     JSON: the hyper-parameters that get new values
RLA_RERUN_CLAIM   a file that the program makes when one of its runs is the one that is meant, and says there which
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.atomic import write_json
from rla_hooks.fields import Fields
from rla_hooks.layout import RunPaths

RUN = "RLA_RERUN"
VALUES = "RLA_RERUN_SET"
CLAIM = "RLA_RERUN_CLAIM"


def asked() -> str | None:
    """Return the run that the environment asks to be run again; None where it asks nothing."""
    return os.environ.get(RUN, "").strip() or None


def new_values() -> str:
    """Return the hyper-parameters that get new values, as the environment has them."""
    return os.environ.get(VALUES, "").strip() or "{}"


def claim_file() -> str | None:
    """Return the file by which the processes of the program know that one of them is the run."""
    return os.environ.get(CLAIM, "").strip() or None


class Rerun(Fields):
    """The former run that a new one repeats: its name and id, and where its code lies.

    git: what run.json of the former run says of git, since the program runs on the code that that run has kept; None
    where it runs on code of its own. claim: the file that says which run the new one is.
    """

    name: str
    id: str
    code_dir: Path
    git: dict[str, Any] | None = None
    claim: str | None = None

    def note(self) -> dict[str, Any]:
        """Return what run.json of the new run says."""
        return {"run": self.name, "id": self.id}

    def begin(self, paths: RunPaths) -> None:
        """Say which run the new one is."""
        if self.claim is not None:
            with suppress(OSError):  # of no use to the training
                write_json(Path(self.claim), {"log_dir": str(paths.log_dir)})

    def take_over_git(self, notes: Path) -> dict[str, Any] | None:
        """Return what run.json says of git where the code is that of the former run; its git.diff goes to ``notes``."""
        if self.git is not None and isinstance(name := self.git.get("diff"), str) and os.path.basename(name) == name:
            import shutil  # late: it takes longer than the rest

            with suppress(OSError):
                shutil.copyfile(self.code_dir / notes.name / name, notes / name)
        return self.git
