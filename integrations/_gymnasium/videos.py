"""Which episodes are filmed, and which of the files are kept."""

from __future__ import annotations

import csv
import re
import shutil
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from rla_hooks.integrations import _versions
from rla_hooks.integrations._gymnasium.film import Film

from rla_hooks.errors import ConfigError
from rla_hooks.hooks import Argument, Run, WarnOnce, is_count

FIRST, EVERY, CUBES, BEST = WORDS = "first", "every", "cubes", "best"
AT_ONCE = 4  # sub-environments that are filmed at the same time
_EVERY = 100
_FOLDER = "videos"  # below the run's results, and the first part of the tags in TensorBoard
_SHOWN = 10  # videos that TensorBoard gets before every second one is left out, then three of four...
_NO_PICTURES = None, "human", "ansi", "ansi_list"  # render modes

_warn_of_encoder = WarnOnce()  # one for all environments


def words_of(video: Any) -> tuple[Any, ...]:
    """Return the argument ``video`` as a tuple of words and functions."""
    if video is None:
        return ()
    return tuple(video) if isinstance(video, (list, tuple, set, frozenset)) else (video,)


def arguments(video: Any, every: Any, keep: Any, max_frames: Any) -> dict[str, Argument]:
    """The arguments that say what is filmed, to be checked."""

    def is_choice(value: Any) -> bool:
        return all(callable(word) or (isinstance(word, str) and word in WORDS) for word in words_of(value))

    def is_every(value: Any) -> bool:
        return value is None or (is_count(value) and EVERY in words_of(video))

    choices = f"None, one or several of {', '.join(map(repr, WORDS))}, or a function of the episode's number"
    return {
        "video": Argument(video, is_choice, choices),
        "every": Argument(every, is_every, "a whole number of episodes above 0, beside video='every'"),
        "keep": Argument(keep, is_count, "a whole number of videos above 0"),
        "max_frames": Argument(max_frames, is_count, "a whole number of frames above 0"),
    }


class Videos:
    """Says which episodes an environment films."""

    def __init__(self, video: Any, every: int | None, keep: int, max_frames: int):
        self.words = words_of(video)
        self.keep = keep
        self._every, self._max_frames = every or _EVERY, max_frames

    @property
    def films_all(self) -> bool:
        """Whether every episode is filmed, since it may be the best one."""
        return BEST in self.words

    def check_render_mode(self, mode: Any, spec: Any) -> None:
        """Raise ConfigError if the environment renders no pictures, though videos are wanted."""
        if self.words and mode in _NO_PICTURES:
            name = repr(spec.id) if spec is not None else "..."
            raise ConfigError(
                f"video is {list(self.words)!r}, but the environment's render_mode is {mode!r}, which gives no "
                f"pictures. Make it with one that does: gymnasium.make({name}, render_mode='rgb_array')."
            )

    def is_chosen(self, number: int) -> bool:
        """Whether the episode of this number, counted from 0, is to have a video."""
        words = self.words
        if (FIRST in words and number == 0) or (EVERY in words and number % self._every == 0):
            return True
        if CUBES in words and (round(number ** (1 / 3)) ** 3 == number if number < 1000 else number % 1000 == 0):
            return True
        return any(word(number) for word in words if not isinstance(word, str))

    def film(self, run: Run, fps: Any) -> Film:
        """Return a new film."""
        fps = float(fps) if isinstance(fps, (int, float)) and 0 < fps <= 1000 else 30.0
        assert run.results_dir is not None  # where a resume looks for temporary files to sweep
        return Film(run.results_dir, _encoder(), fps, self._max_frames)


class Shelf:
    """The video files of all environments of one name in a run: the newest ones, and that of the best episode."""

    def __init__(self, name: str):
        self._name = name
        self.is_new = True
        self._best: float | None = None
        self._files: dict[str, deque[Path]] = {"": deque(), BEST: deque()}
        self._counts = {"": 0, BEST: 0}
        self._warn = WarnOnce()

    def take_former(self, run: Run, steps: int) -> None:
        """Count the videos that a resumed run has already; the best one if it is of the first ``steps`` steps."""
        self.is_new = False
        if not run.is_resumed:
            return
        names = [path.name for path in _folder(run).glob("*.mp4")]
        for kind, files in self._files.items():
            pattern = re.compile(rf"{re.escape(self._prefix(kind))}-(\d+)-step-(\d+)\.mp4")
            found = filter(None, map(pattern.fullmatch, names))
            for match in sorted(found, key=lambda each: int(each[2])):
                number, step = int(match[1]), int(match[2])
                if kind == BEST and step <= steps:
                    self._best = _return_of(run, self._name, number)
                if kind == BEST or number:  # the first one may have to stay
                    files.append(_folder(run) / match[0])

    def end(
        self, run: Run, videos: Videos, film: Film, number: int, step: int, chosen: bool, total: float | None
    ) -> None:
        """An episode is over: save its video if it was chosen, or if it is the best so far.

        total: its return; None for one that was not played to its end.
        """
        is_best = (
            videos.films_all and total is not None and total > (float("-inf") if self._best is None else self._best)
        )
        if not film.frames or not (chosen or is_best):
            film.drop()
            return
        if is_best:
            self._best = total
        kinds = [""] * chosen + [BEST] * is_best
        _folder(run).mkdir(parents=True, exist_ok=True)
        paths = [_folder(run) / f"{self._prefix(kind)}-{number}-step-{step}.mp4" for kind in kinds]
        has_mp4 = film.save(paths[0])
        if not has_mp4 and film.error is not None:
            self._warn("encoder", f"a video was not saved as mp4, only as GIF: {film.error}. The training goes on.")
        for kind, path in zip(kinds, paths):
            if has_mp4 and path != paths[0]:
                _copy(paths[0], path)
            gif = self._show(run, film, kind, step)
            if has_mp4 and gif is not None:  # TensorBoard has it; beside the mp4 file it would be in the way
                gif.unlink(missing_ok=True)
            stays = kind == "" and number == 0 and FIRST in videos.words
            kept = path if has_mp4 else gif
            if kept is not None and not stays:
                self._keep_newest(kind, kept, 1 if kind == BEST else videos.keep)

    def _prefix(self, kind: str) -> str:
        return f"{kind}-{self._name}" if kind else self._name

    def _show(self, run: Run, film: Film, kind: str, step: int) -> Path | None:
        """Show a GIF in TensorBoard, whose files never shrink: of the later videos more and more are left out."""
        count = self._counts[kind]
        self._counts[kind] += 1
        if count % (1 << (count // _SHOWN).bit_length()):
            return None
        frames, fps = film.gif()
        return run.add_video(f"{_FOLDER}/{self._prefix(kind)}", frames, step, fps)

    def _keep_newest(self, kind: str, path: Path, keep: int) -> None:
        files = self._files[kind]
        with suppress(ValueError):
            files.remove(path)  # of the same episode, before a resumed run was cut
        files.append(path)
        while len(files) > keep:
            with suppress(OSError):
                files.popleft().unlink()


def _folder(run: Run) -> Path:
    assert run.results_dir is not None
    return run.results_dir / _FOLDER


def _return_of(run: Run, name: str, number: int) -> float | None:
    """The return of an episode in the rows of a run that goes on; None if it has none."""
    assert run.paths is not None
    with suppress(OSError, ValueError, KeyError), run.paths.progress_csv.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row[f"{name}/number"] == str(number):
                return float(row[f"{name}/return"])
    return None


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError:  # a full disk
        target.unlink(missing_ok=True)
        raise


def _encoder() -> str | None:
    """Return the path of ffmpeg; None, after one warning, where there is none."""
    if not _versions.is_installed("imageio_ffmpeg"):
        why = "imageio-ffmpeg is not installed"
    else:
        try:
            import imageio_ffmpeg

            return str(imageio_ffmpeg.get_ffmpeg_exe())
        except Exception as error:  # RuntimeError where it has no program for this machine
            why = str(error)
    install = "pip install 'rla-hooks[gymnasium]'"
    _warn_of_encoder("encoder", f"{why}, so videos are saved as GIFs only. For mp4 files: {install}")
    return None
