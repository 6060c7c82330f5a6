"""What it takes to run a run again: everything is checked before anything is created.

RerunPlan        the command of the run, its code, and new values of its hyper-parameters
.restore()       the code is copied into a folder
.command()       the command that runs the program on that code, once for each seed
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.former_parameters import FormerParameters
from rla_hooks.masking.pairs import MASK
from rla_hooks.query import SavedRun
from rla_hooks.query.cache import cache_folder
from rla_hooks.query.rla_runs import without_record
from rla_hooks.snapshot import codediff, restoring
from rla_hooks.snapshot.kept_program import Places
from rla_hooks.snapshot.restoring import KeptCode, Program, Restored
from rla_hooks.texts import printable, shell_path, text_of
from rla_hooks.upkeep import environment, new_values, run_differences
from rla_hooks.upkeep.kept_command import KeptCommand, name_of
from rla_hooks.upkeep.run_differences import Difference

T = TypeVar("T")
RUN, VALUES, CLAIM = "RLA_RERUN", "RLA_RERUN_SET", "RLA_RERUN_CLAIM"  # as core/rerun_request.py reads them
_RANKS = re.compile(r" of ([2-9]|\d\d+) try |^cluster |; cluster |^mpi |; mpi ")  # in ``launch`` of run.json
_LAUNCHED = ("TORCHELASTIC_RUN_ID", "TF_CONFIG", "PMIX_NAMESPACE")


class RerunPlan:
    """A run that is to run again. Raises ConfigError with all that is against it.

    values: new ones, by the names of hyper-parameters. are_texts: as somebody has typed them. folder: in which the
    program runs, by default that of the run. python: the interpreter, by default that of the run.
    """

    def __init__(
        self,
        run: SavedRun,
        values: Mapping[str, Any] | None = None,
        are_texts: bool = False,
        folder: str | os.PathLike[str] | None = None,
        python: str | None = None,
    ):
        self.run, self._problems = run, list[str]()
        what = f"{name_of(run)} cannot be run again"
        if run.problems or not run.run_json:
            raise RLAError(f"{what}: {without_record(run.paths, run.problems)}")
        self.former = FormerParameters(run.run_json, run.hparams)
        place = None if folder is None else os.path.abspath(folder)
        if place is not None and not os.path.isdir(place):
            raise ConfigError(f"the folder in which {name_of(run)} is to run, {shell_path(place)}, is not there.")
        self._command = KeptCommand(run, folder=place)
        given = dict(values or {})
        masked = self._command.words.copy()
        self.secrets = self._filled(given)  #: the names of those that were masked in the command, and are filled in
        self.kept, self._program = self._kept_program()
        self._masked = restoring.program_of(masked)
        self.values = self._noted(lambda: self.check(given, are_texts)) or {}
        self.python = self._interpreter(python)
        self._problems += self._launched()
        if self._problems:
            raise ConfigError([f"{what}: {problem}" for problem in self._problems])

    # --- checks ---------------------------------------------------------------------------------------------------

    def check(self, given: Mapping[str, Any], are_texts: bool = False) -> dict[str, Any]:
        """Return new values of hyper-parameters, each in the type of its old one. Raises ConfigError."""
        if given and ":" not in str(self.run.run_json.get("function") or ":"):
            raise ConfigError(
                "its hyper-parameters are those of a block (rla.run, rla.start, a hook) or of a Tester, to which the "
                "program gives them by itself: nothing can be set from outside. Print its command, --print, change "
                "that, and run it."
            )
        return new_values.checked(self.former, given, are_texts)

    def _noted(self, check: Callable[[], T]) -> T | None:
        try:
            return check()
        except ConfigError as error:
            self._problems += error.problems
            return None

    def _kept_program(self) -> tuple[KeptCode, Program]:
        """Return the code, and the program, whose script has its place of then."""
        run, command = self.run, self._command
        project, program = restoring.project_of_run(run.run_json), restoring.program_of(command.words)
        if project is None or not codediff.has_code(run.code_dir):
            raise RLAError(
                f"{name_of(run)} has no copy of its code (backup='none'). What it was started with can be run on the "
                f"code of now, as it is: {KeptCommand.text(command)}"
            )
        if program is None:
            raise RLAError(
                f"{name_of(run)} was started neither by a script nor by python -m, but from a prompt, standard input "
                f"or python -c. What ran is kept in {shell_path(run.code_dir)}"
            )
        kept = KeptCode(run.id, run.code_dir, project)
        noted = run.run_json.get("folder")
        self._origin = noted if isinstance(noted, str) else command.folder
        for place in _and_above(self._origin, project):
            if (found := _placed(kept, place, program)) is not None:
                if command.folder == self._origin:
                    command.folder = place  # the program had changed its folder when the run began
                self._origin = place
                # The new run notes the words, and may be run again from where its program has changed the folder to.
                return kept, program if command.folder == place else found
        if program.target[0] == "-m":  # of an installed package, say: Python finds it where it is
            return kept, program
        lost = kept.missing_script(self._origin, program)
        script = os.path.join(self._origin, program.target[0])
        self._problems.append(
            f"the copy of its code is not complete: it has no {lost}."
            if lost
            else f"{shell_path(script)} is not there."
        )
        return kept, program

    def _interpreter(self, python: str | None) -> str:
        if python is not None:
            found = shutil.which(os.path.expanduser(python))
            if found is None:
                self._problems.append(f"there is no Python at {shell_path(python)}. Give the path of one.")
            return found or python
        noted = self._program.interpreter[0]
        return noted if shutil.which(noted) else sys.executable

    def _launched(self) -> Iterator[str]:
        launch = self.run.run_json.get("launch")
        is_one_of_many = isinstance(launch, str) and _RANKS.search(launch)
        here = os.environ.get("WORLD_SIZE", "1") not in ("", "1") or any(
            variable in os.environ for variable in _LAUNCHED
        )
        if is_one_of_many and not here:
            yield (
                f"it was one training of several processes, which a launcher had started ({printable(launch)}), and is "
                "not the same in one. Let the same launcher start rla: torchrun --no-python ... rla rerun "
                f"{printable(self.run.id)}"
            )

    def _filled(self, given: dict[str, Any]) -> list[str]:
        """Fill in the secrets that are masked in the command; return their names. Those are taken out of ``given``."""
        words, found, lost, variables = self._command.words, list[str](), list[str](), dict(os.environ)
        for number in self._command.masked:
            head, name = _secret_at(words, number)
            key = next((key for key in given if name and _plain(key) == _plain(name)), None)
            value = variables.get(_variable(name)) if name and key is None else given.get(key or "")
            if name is None or value is None:
                lost.append(printable(words[number] if name is None else name))
                continue
            words[number] = f"{head}{value}"
            found.append(name)
            if key is not None and key not in self.former.flat:
                del given[key]
        if lost:
            by_name = [name for name in lost if MASK not in name]
            give = f" Set {', '.join(map(_variable, by_name))} in the environment" * bool(by_name)
            also = (
                f", or give --set {by_name[0]}=..."
                if by_name
                else " Print the command, --print, fill them in, and run it"
            )
            self._problems.append(
                f"its command has secrets, which are masked in run.json: {', '.join(lost)}.{give}{also}."
            )
        return found

    # --- what is not as it was ------------------------------------------------------------------------------------

    def differences(self) -> list[Difference]:
        """Return what is not as it was: Python, packages, git's commit, data, code that cannot be restored."""
        then, now = environment.recorded(self.run), environment.of_interpreter(self.python)
        return [
            *run_differences.of_environment(then, now, run_differences.imported_by(self.kept)),
            *run_differences.of_data(self.run, self.kept),
            *run_differences.of_code(self.kept),
        ]

    # --- to do it -------------------------------------------------------------------------------------------------

    def restore(self, into: str | os.PathLike[str] | None = None) -> Restored:
        """Copy the code into a folder of the cache, or into that one, which is new or empty. Raises RLAError."""
        cache, tree = cache_folder(), None if into is None else Path(os.path.abspath(into))
        if cache is None:
            raise RLAError("the code needs a folder. Set the variable XDG_CACHE_HOME to one")
        if tree is not None and os.path.lexists(tree) and not (tree.is_dir() and not any(tree.iterdir())):
            raise ConfigError(f"{shell_path(tree)} is there already. Name a folder that is new, or empty: --into")
        try:
            return self.kept.restore(cache, tree)
        except OSError as error:
            raise RLAError(
                f"the code of {name_of(self.run)} cannot be copied to {shell_path(tree or cache)}: {text_of(error)}"
            ) from None

    def command(
        self, restored: Restored | None, more: Mapping[str, Any] | None = None, number: int | None = None
    ) -> KeptCommand:
        """Return the command that runs the program on restored code; without that, the command that will do so then.

        more: further new values. number: of one of several commands that run now; None for one that is shown, in which
        secrets stay masked, and which somebody may run several times.
        """
        found, values = copy.copy(self._command), {**self.values, **(more or {})}
        program = self._program._replace(interpreter=[self.python, *self._program.interpreter[1:]])
        if number is None and self._masked is not None:
            program = program._replace(arguments=self._masked.arguments)
        variables = {RUN: os.path.abspath(self.run.log_dir)}
        if values:
            variables[VALUES] = json.dumps(values)
        if restored is None:
            found.words = [*program.interpreter, *program.target, *program.arguments]
        else:
            found.words, needed = restoring.command_on(restored.tree, self.kept, program)
            variables |= needed
            if number is not None:
                variables[CLAIM] = str(restored.holder / f"claim-{number}.json")
            config = restored.tree / "rla_config.yaml"
            if not self.kept.project.is_dir() and config.is_file() and not os.environ.get("RLA_CONFIG"):
                variables["RLA_CONFIG"] = str(config)  # on another machine there is no other one
            if path := self._path(restored, needed.get("PYTHONPATH")):
                variables["PYTHONPATH"] = path
        found.variables = variables
        return found

    def _path(self, restored: Restored, path: str | None) -> str | None:
        """Folders of modules, where the program does not run in the project, or its Python has not installed that."""
        if self._command.folder == self._origin and self.python == self._program.interpreter[0]:
            return path
        copied = Places(str(restored.tree), str(self.kept.project)).mapped([self._origin])
        wanted = [*copied, str(restored.tree), str(restored.tree / "src")]
        given = (os.environ.get("PYTHONPATH", "") if path is None else path).split(os.pathsep)
        return os.pathsep.join(dict.fromkeys([*filter(os.path.isdir, wanted), *filter(None, given)]))


def _and_above(folder: str, project: Path) -> Iterator[str]:
    """A folder, and those above it in the project."""
    yield folder
    while folder != str(project) and Path(folder).is_relative_to(project):
        folder = os.path.dirname(folder)
        yield folder


def _placed(kept: KeptCode, folder: str, program: Program) -> Program | None:
    """Return the program with the whole path of its script, if that is what ran in this folder; else None."""
    places = Places(str(kept.code_dir), str(kept.project))
    if program.target[0] == "-m":
        inner = os.path.join(folder, *program.target[1].split("."))
        copies = map(places.kept, (f"{inner}.py", os.path.join(inner, "__main__.py")))
        return program if any(each is not None and os.path.isfile(each) for each in copies) else None
    script = os.path.join(folder, program.target[0])
    copy_of_it = places.kept(script)
    if os.path.isfile(script if copy_of_it is None else copy_of_it):
        return program._replace(target=[os.path.normpath(script)])
    return None


def _secret_at(words: list[str], number: int) -> tuple[str, str | None]:
    """Return what stands before the secret in a word, and its name; None where it has none."""
    head, sign, value = words[number].rpartition("=")
    name = head if sign else words[number - 1] if number and words[number - 1].startswith("-") else ""
    if value != MASK or not name.strip("-+/"):
        return "", None
    return f"{head}{sign}", name.lstrip("-+/").replace("-", "_")


def _variable(name: str) -> str:
    """The variable of the environment that has the secret of this name."""
    return name.upper().replace(".", "_")


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()
