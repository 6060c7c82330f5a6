"""``same_code=True``: whether a run's code is the one that runs; if not, this process begins anew on a copy of it.

Only a process that has begun nothing yet may do that: the same command is run in place of it, on the copy, and comes to
the same call again, or to the same function, which RLA_RESUME tells to go on with the run. There the modules are
compared once more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from rla_hooks.core import registry
from rla_hooks.core.resume_request import ResumeRequest
from rla_hooks.errors import RunError
from rla_hooks.former_parameters import Difference
from rla_hooks.layout import RunPaths
from rla_hooks.places import ipython_shell, main_script, restored
from rla_hooks.query import SavedRun
from rla_hooks.query.cache import cache_folder
from rla_hooks.snapshot import change, codediff, restoring
from rla_hooks.snapshot.kept_program import Places
from rla_hooks.snapshot.loaded import loaded_files
from rla_hooks.texts import listed, shell_path, text_of

_MAX_LISTED = 10


class SameCode:
    """The code of a run that is to go on, and that of this process."""

    def __init__(self, saved: SavedRun, paths: RunPaths, request: ResumeRequest, changes: Sequence[Difference] = ()):
        self._paths, self._request, self._changes = paths, request, changes
        self._id, self._here = saved.id, restored()
        self._project = restoring.project_of_run(saved.run_json)
        self._differing: list[str] = []
        self._option = request.option("same_code")

    def problems(self) -> Iterator[str]:
        """A line for each thing that is in the way of running on the run's code."""
        if self._project is None or not codediff.has_code(self._paths.code_dir):
            yield (
                f"it has no copy of its code (backup='none'), which {self._option} needs. Resume it without "
                f"{self._option}."
            )
            return
        roots = [self._project] if self._here is None else [self._project, Path(self._here["tree"])]
        files = dict.fromkeys(file for root in roots for file in change.changed_files(self._paths.code_dir, root))
        self._differing = list(files)
        if self._here is not None and self._differing:
            yield (
                f"these modules differ from its code, though this process runs on a copy of that of "
                f"{shell_path(self._here['code'])}: {listed(self._differing, _MAX_LISTED)}. Resume it without "
                f"{self._option}, or each run in a process of its own."
            )
        elif self._differing:
            yield from self._missing()
            yield from self._why_not_here()

    def _missing(self) -> Iterator[str]:
        kept = self._kept()
        left_out, root = kept.left_out(), os.path.realpath(kept.project)
        names = [os.path.relpath(file, root).replace(os.sep, "/") for file in loaded_files(root)]
        lost = [f"{name} ({left_out[name]})" for name in names if name in left_out]
        if lost:
            yield f"its code is not complete. Missing of the imported modules: {listed(lost, _MAX_LISTED)}."

    def _why_not_here(self) -> Iterator[str]:
        """Why this process cannot begin anew."""
        by_hand = f"Run: rla resume {self._id} --same-code"
        program, script = restoring.program_of(restoring.python_words()), main_script()
        multiprocessing = sys.modules.get("multiprocessing.process")
        if ipython_shell() is not None or sys.flags.interactive or program is None:
            yield f"its code differs, and {self._option} cannot restart a notebook or a prompt. {by_hand}"
        elif multiprocessing is not None and multiprocessing.parent_process() is not None:
            yield f"its code differs, and {self._option} cannot restart a child process. {by_hand}"
        elif os.environ.get("WORLD_SIZE", "1") not in ("", "1"):
            yield (
                f"its code differs, and {self._option} cannot restart one of several ranks. Start all of them in a "
                f"copy of {shell_path(self._paths.code_dir)}, without {self._option}."
            )
        elif registry.has_begun() or threading.current_thread() is not threading.main_thread():
            yield (
                f"its code differs, and {self._option} would start this program anew, which has begun other runs or "
                f"threads. {by_hand}"
            )
        elif script is not None and self._relative(script) is not None:
            relative = self._relative(script)
            if not (self._paths.code_dir / str(relative)).is_file():
                yield f"its code differs, and has no {relative}, which this program is. {by_hand}"
            elif self._changes and relative in self._differing:
                yield (
                    f"{relative} is not what it was, and would not know of the changed hyper-parameters. {by_hand} "
                    "--allow ... -- ARGUMENTS"
                )

    def _relative(self, script: Path) -> str | None:
        kept = self._kept()
        copy = Places(str(kept.code_dir), str(kept.project)).kept(str(script))
        return None if copy is None else os.path.relpath(copy, os.path.realpath(kept.code_dir)).replace(os.sep, "/")

    def _kept(self) -> restoring.KeptCode:
        assert self._project is not None
        return restoring.KeptCode(self._id, self._paths.code_dir, self._project)

    def restart(self) -> None:
        """Begin this process anew on the run's code, where it differs. Raises RunError where the disk refuses."""
        if not self._differing:
            return
        cache, program = cache_folder(), restoring.program_of(restoring.python_words())
        assert program is not None
        if cache is None:
            raise RunError(f"{self._option} needs a folder for the run's code. Set the variable XDG_CACHE_HOME to one.")
        try:
            tree = self._kept().restore(cache).tree
        except OSError as error:
            raise RunError(
                f"the code of the run {self._id} cannot be copied to {shell_path(cache)}: {text_of(error)}. Make room "
                "there, or set the variable XDG_CACHE_HOME to another folder. Nothing of the run has changed."
            ) from error
        words, variables = restoring.command_on(tree, self._kept(), program)
        environment = {**os.environ, **variables, **self._variables()}
        differing = "1 module differs" if len(self._differing) == 1 else f"{len(self._differing)} modules differ"
        print(f"rla: {differing} from the run's code: starting anew on that, in {tree}", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        if os.name == "nt":  # whose exec does not wait for the program
            raise SystemExit(subprocess.call(words, env=environment))
        os.execve(words[0], words, environment)

    def _variables(self) -> dict[str, str]:
        request = self._request
        found = {"RLA_RESUME": os.path.abspath(self._paths.log_dir), "RLA_RESUME_SAME_CODE": "1"}
        found |= {"RLA_RESUME_REASON": request.reason, "RLA_RESUME_ALLOW": ",".join(request.allow)}
        return found | ({"RLA_RESUME_FROM_START": "1"} if request.from_start else {})
