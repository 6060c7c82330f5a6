"""The folders of a Tester's run, as RLA's scripts use them: ``tester.results_dir + "curve.png"``."""

from __future__ import annotations

import functools
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks import atomic
from rla_hooks.core.handover import State, writing_disabled
from rla_hooks.core.run import Run
from rla_hooks.core.settings import RunSettings
from rla_hooks.errors import ConfigError, RunError, did_you_mean, warn
from rla_hooks.layout import HYPARAMETER, TMP_DATA, RunPaths
from rla_hooks.masking import mask_value
from rla_hooks.old_words import Settable, old_word, tell_modern_name
from rla_hooks.parameters import safe
from rla_hooks.path_text import PathText
from rla_hooks.texts import printable, shell_path, shown, text_of

_word = functools.partial(old_word, "tester")


def _folder(name: str) -> Any:
    """Return a property: the run's folder ``name`` as a text; None before the run has a name."""

    def find(tester: TesterFolders) -> PathText | None:
        path = getattr(tester._run, name) or _untracked(tester._run, name)
        return None if path is None else PathText.of_folder(path)

    return property(find, doc=f"The run's {name} as a text with a slash at the end; None before it has a name.")


def _untracked(run: Run, name: str) -> Path | None:
    """Return a temporary folder for a run that is recorded nowhere; None for one that only has not started yet.

    RLA's scripts add names to these texts wherever they run, with RLA_MODE=off and on each rank.
    """
    if run.state is not State.FOLLOWER and not (run.state is State.CONFIGURED and writing_disabled()):
        return None
    folder = Path(_temporary_root(), name)
    folder.mkdir(exist_ok=True)
    return folder


@functools.cache
def _temporary_root() -> str:
    root = tempfile.mkdtemp(prefix="rla-untracked-")
    warn(f"this process records no run: the folders of tester are in {shell_path(root)}, which is yours to delete.")
    return root


class TesterFolders:
    """What a Tester says of paths. Each is a text, with a slash at the end if it is a folder, and pathlib's ways work.

    In a process that records no run, since RLA_MODE is off or another rank does, they are temporary folders.

    >>> import rla_hooks as rla
    >>> tester = rla.Tester()
    >>> tester.configure("demo", writers=[], backup="none")
    >>> tester.log_files_gen()
    >>> tester.results_dir + "imgs/x.png" == str(tester.results_dir / "imgs/x.png")
    True
    >>> tester.results_dir == rla.runs()[-1].results_dir
    True
    >>> tester.finish()
    """

    settings: RunSettings
    _run: Run

    log_dir: PathText | None = _folder("log_dir")
    results_dir: PathText | None = _folder("results_dir")
    checkpoint_dir: PathText | None = _folder("checkpoint_dir")
    code_dir: PathText | None = _folder("code_dir")

    @property
    def pkl_file(self) -> PathText | None:
        """The path of the run's tester.pkl; None before the run has a name."""
        path = self._run.pkl_file
        return None if path is None else PathText(path)

    @property
    @_word("tester.pkl_file.parent")
    def pkl_dir(self) -> PathText | None:
        """The folder of :attr:`pkl_file`; None before the run has a name."""
        path = self._run.pkl_file
        return None if path is None else PathText.of_folder(path.parent)

    @property
    @_word("a folder of yours in tester.results_dir")
    def tmp_data_dir(self) -> PathText | None:
        """A folder for what need not be kept, made when it is asked for; None before the run has a name."""
        return self._made(TMP_DATA)

    @property
    @_word("the file parameter.json in tester.log_dir")
    def hyparameter_dir(self) -> PathText | None:
        """RLA's folder with parameter.yaml, made when it is asked for; None before the run has a name.

        The file has the hyper-parameters as they are at that moment, nested, secrets masked.
        """
        folder = self._made(HYPARAMETER)
        if folder is not None:
            self._write_parameters(folder / "parameter.yaml")
        return folder

    @property
    def hyperparameter_dir(self) -> PathText | None:
        """The same as :attr:`hyparameter_dir`."""
        return self.hyparameter_dir

    def _made(self, tree: str) -> PathText | None:
        """Return the folder of the run in a tree of the log root; it is made if this process writes the run."""
        paths = self._run.paths
        if paths is None:
            untracked = _untracked(self._run, tree)
            return None if untracked is None else PathText.of_folder(untracked)
        folder = paths.log_root / tree / paths.name
        if self._run.is_writing:
            with self._run.guard.warn_on_error(f"the folder {tree}", "could not be made"):
                folder.mkdir(parents=True, exist_ok=True)
        return PathText.of_folder(folder)

    def _write_parameters(self, file: Path) -> None:
        if not self._run.is_writing:
            return
        import yaml  # late: most runs do without

        with self._run.guard.warn_on_error(f"{HYPARAMETER}/{file.name}"):
            if file.exists():
                return
            values = {key: mask_value(key, safe(value)) for key, value in self._run.hyper_param.items()}
            text = yaml.safe_dump({text_of(key): value for key, value in values.items()}, sort_keys=False)
            atomic.write_bytes(file, text.encode())

    # --- places ---------------------------------------------------------------------------------------------------

    @Settable
    @_word("tester.config.log_root")
    def data_root(self) -> PathText | None:
        """The log root; None before ``configure``."""
        return self._log_root()

    @Settable
    @_word("tester.config.log_root")
    def root(self) -> PathText | None:
        """The log root; None before ``configure``."""
        return self._log_root()

    def _log_root(self) -> PathText | None:
        owner = self._run.paths or self.settings.config
        return None if owner is None else PathText.of_folder(owner.log_root)

    @Settable
    @_word("PROJECT_ROOT, tester.config.project_root,")
    def project_root(self) -> PathText | None:
        """The folder that paths of the code backup begin at; None before ``configure``."""
        if self.settings.config is None:
            return None
        from rla_hooks.snapshot.request import BackupRequest  # late: the start of a run may do without

        return PathText.of_folder(BackupRequest(**self.settings.backup_options()).root)

    @Settable
    @_word("tester.settings.run_files")
    def run_file(self) -> PathText | list[PathText] | None:
        """The further file that is backed up, or a list of several; None if there is none."""
        files = [PathText(file) for file in self.settings.run_files]
        return files[0] if len(files) == 1 else files or None

    @Settable
    @_word("tester.config.ignore_files")
    def ignore_file_path(self) -> list[PathText] | None:
        """The files of ignore rules; None if there is none."""
        config = self.settings.config
        return [PathText(file) for file in config.ignore_files] or None if config else None

    @_word("Tester.load(path)")
    def update_log_files_location(self, root: str | os.PathLike[str]) -> None:
        """Go on with the same run in a log root that was moved or copied.

        root: where it is now. A run that is open stays where it is, with one warning. Raises
        :class:`~rla_hooks.errors.RunError` if the run is not there, and before there is a run.
        """
        paths, state = self._run.paths, self._run.state
        if paths is None:
            raise RunError("update_log_files_location needs a run. Load one first: tester.load_tester(...).")
        if state in (State.OWNER, State.PLANNED):
            message = f"update_log_files_location({shown(root, 200)}) has no effect: the run is open, and is written at"
            self._run.guard.warn("location", f"{message} {printable(paths.log_root)}. The training goes on.")
            return
        moved = RunPaths(Path(os.path.abspath(root)), paths.name)
        if not moved.tester_pkl.is_file():
            raise RunError(f"there is no {printable(moved.tester_pkl)}. Give the log root that has all its folders.")
        self._use(self.settings, Run.open(moved.tester_pkl))

    @staticmethod
    def log_file_finder(
        record_date: str,
        task_table_name: str = "train",
        file_root: str | os.PathLike[str] = "../checkpoint/",
        log_type: str = "dir",
        *,
        task_name: str | None = None,
    ) -> tuple[str, str]:
        """Return a day's folder in a tree of the log root, and the name of the run in it that started then.

        record_date: ``2026/01/31/12-00-00-000000``. file_root: the tree, such as ``rla_data/checkpoint``. log_type:
        ``dir``, or ``files`` for the archived Tester in the tree ``archive_tester``. task_name: RLA's earlier name for
        ``task_table_name``. The name is '' if there is none.
        """
        tell_modern_name("tester.log_file_finder", "rla.runs()")
        if log_type not in ("dir", "files"):
            raise ConfigError(
                f"log_type is {shown(log_type, 100)}. Allowed: dir, files.{did_you_mean(log_type, ['files'])}"
            )
        day, _, clock = record_date.rpartition("/")
        folder = os.path.join(file_root, task_name or task_table_name, day)
        names = sorted(name for name in _names_in(folder) if clock and name.startswith(clock))
        if log_type == "files":
            archives = (name if name.endswith(".pkl") else os.path.join(name, "tester.pkl") for name in names)
            names = [name for name in archives if os.path.isfile(os.path.join(folder, name))]
        return folder, next(iter(names), "")

    def _use(self, settings: RunSettings, run: Run | None = None) -> None:
        raise NotImplementedError  # the Tester's


def _names_in(folder: str) -> list[str]:
    with suppress(OSError):
        return os.listdir(folder)
    return []
