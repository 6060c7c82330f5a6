"""The frames of one episode: an mp4 file, and some small pictures for a GIF.

The first frames are kept in memory. Only when they are too many, or when the episode is over and its video wanted, does
ffmpeg start, which takes them through a pipe: so a video of any length takes no more memory, and an episode that turns
out not to be the best one has cost no encoder, if it was short.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy
from PIL import Image

from rla_hooks import atomic

_SPOOL = 32 * 1024 * 1024  # bytes of frames in memory before ffmpeg starts
_THUMBS, _THUMB_SIZE = 64, 200  # pictures of a GIF, and their longer side in pixels
_GIF_FPS = 8, 25  # the least, so that a long episode does not crawl, and the most that viewers keep up with
_WAIT = 30  # seconds for ffmpeg to write what it has


class Film:
    """The video of one episode, while it goes on. ``folder``: where its temporary file goes.

    encoder: the path of ffmpeg; None for a GIF only.
    """

    def __init__(self, folder: Path, encoder: str | None, fps: float, max_frames: int):
        self.frames = 0
        self.error: str | None = None  # why there will be no mp4 file
        self._folder, self._encoder, self._fps, self._max_frames = folder, encoder, fps, max_frames
        self._size: tuple[int, int] | None = None
        self._spool: list[numpy.ndarray] = []
        self._process: Ffmpeg | None = None
        self._thumbs: list[numpy.ndarray] = []
        self._thumb_every = 1

    @property
    def is_full(self) -> bool:
        return self.frames >= self._max_frames

    def add(self, rendered: Any) -> None:
        """Add a frame. Raises ValueError for what is no picture."""
        frame = _as_rgb(rendered)
        if self._size is None:
            self._size = frame.shape[1], frame.shape[0]
        elif (frame.shape[1], frame.shape[0]) != self._size:  # the environment has changed its size
            frame = numpy.array(Image.fromarray(frame).resize(self._size))
        if self.frames % self._thumb_every == 0:
            self._thumbs.append(_small(frame))
            if len(self._thumbs) > _THUMBS:
                del self._thumbs[1::2]
                self._thumb_every *= 2
        self.frames += 1
        if self._encoder is None or self.error is not None:
            return
        if self._process is not None:
            self._write(frame)
        else:
            self._spool.append(frame)
            if len(self._spool) * frame.nbytes > _SPOOL:
                self._start()

    def _start(self) -> None:
        assert self._encoder is not None and self._size is not None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._process = Ffmpeg(self._encoder, self._folder, self._size, self._fps)
        except OSError as error:
            self.error = str(error)
        spool, self._spool = self._spool, []
        for frame in spool:
            self._write(frame)

    def _write(self, frame: numpy.ndarray) -> None:
        if self._process is None or self.error is not None:
            return
        try:
            self._process.write(frame)
        except OSError:  # it has ended: the pipe is closed
            self.error = self._process.abort(patience=5)

    def save(self, path: Path) -> bool:
        """Write the mp4 file and return whether that was possible; if not, :attr:`error` says why."""
        if self._encoder is not None and self._process is None and self.error is None:
            self._start()
        if self._process is None or self.error is not None:
            return False
        try:
            self.error = self._process.finish(path)
        except OSError as error:
            self._process.abort()
            self.error = str(error)
        return self.error is None

    def drop(self) -> None:
        """Forget the frames: the video is not wanted."""
        self._spool, self._thumbs = [], []
        if self._process is not None:
            self._process.abort()

    def gif(self) -> tuple[numpy.ndarray, float]:
        """Return small frames of shape (T, H, W, 3), and how many to show in a second."""
        least, most = _GIF_FPS
        return numpy.stack(self._thumbs), min(max(self._fps / self._thumb_every, least), most)


class Ffmpeg:
    """A process that makes an mp4 file of frames."""

    def __init__(self, program: str, folder: Path, size: tuple[int, int], fps: float):
        self._even = size[0] % 2, size[1] % 2  # columns and rows to add: H.264 takes even numbers of both
        width, height = size[0] + self._even[0], size[1] + self._even[1]
        self._file = atomic.temporary_name(folder)
        self._pid = os.getpid()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # a pipe that nobody reads could block it
        command = [program, "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
        command += ["-r", f"{fps:g}", "-i", "-", "-an", "-pix_fmt", "yuv420p", "-preset", "veryfast", "-threads", "2"]
        command += ["-movflags", "+faststart", "-f", "mp4", str(self._file)]
        alone: dict[str, Any] = {"start_new_session": True}  # Ctrl-C is for the training
        if os.name == "nt":
            alone = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined,unused-ignore]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors, bufsize=0, **alone
            )
        except BaseException:
            self._errors.close()
            atomic.release_name(self._file)
            raise
        _running.add(self)

    def write(self, frame: numpy.ndarray) -> None:
        if any(self._even):
            frame = numpy.pad(frame, ((0, self._even[1]), (0, self._even[0]), (0, 0)), mode="edge")
        assert self._process.stdin is not None
        left = memoryview(frame.tobytes())
        while left:
            left = left[self._process.stdin.write(left) or 0 :]

    def finish(self, path: Path) -> str | None:
        """Let it write the file, and move that to ``path``. Return what ffmpeg has said if it has failed."""
        self.close_pipe()
        try:
            code = self._process.wait(_WAIT)
        except subprocess.TimeoutExpired:
            self.abort()
            return f"ffmpeg has not ended within {_WAIT} seconds"
        if code or not self._file.exists():
            return self.abort()
        os.replace(self._file, path)
        self._leave()
        return None

    def abort(self, patience: float = 0) -> str:
        """End it, remove what it has written, and return what it has said. patience: seconds to wait before."""
        self.close_pipe()
        if self._pid != os.getpid():
            return "this is a copy in a forked process"  # the film goes on in the one that has begun it
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        said = ""
        if not self._errors.closed:
            self._errors.seek(0)
            said = self._errors.read(2000).decode(errors="replace").strip()
        with suppress(OSError):
            atomic.remove(self._file)
        self._leave()
        return said or f"ffmpeg has ended with {self._process.returncode}"

    def close_pipe(self) -> None:
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()

    def _leave(self) -> None:
        self._errors.close()
        atomic.release_name(self._file)
        _running.discard(self)


_running: weakref.WeakSet[Ffmpeg] = weakref.WeakSet()


def _close_pipes() -> None:
    """A forked child has copies of the pipes: while they are open, ffmpeg waits for more frames."""
    for each in list(_running):
        each.close_pipe()


@atexit.register
def _abort_all() -> None:
    """The program ends in the middle of an episode, by Ctrl-C, say: no temporary file is to stay."""
    for each in list(_running):
        each.abort()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_pipes)


def _as_rgb(rendered: Any) -> numpy.ndarray:
    """Return a copy of what ``render()`` has given, as bytes of shape (H, W, 3)."""
    if isinstance(rendered, (list, tuple)):  # all frames since the last call, or a picture beside another one
        if not rendered:
            raise ValueError("render() returned no frame")
        rendered = rendered[-1] if isinstance(rendered, list) else rendered[0]
    frame = numpy.asarray(rendered)
    if frame.ndim == 3 and frame.shape[2] == 1:
        frame = frame[..., 0]
    is_picture = frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] in (3, 4))
    if not is_picture or frame.size == 0 or frame.dtype.kind not in "biuf":
        what = f"an array of shape {frame.shape}" if frame.ndim else type(rendered).__name__
        raise ValueError(f"render() returned {what}. Needed: a picture of shape (H, W, 3)")
    if frame.dtype.kind in "bf":
        frame = numpy.nan_to_num(frame.astype(numpy.float32)) * 255
    if frame.dtype != numpy.uint8:
        frame = numpy.clip(frame, 0, 255).astype(numpy.uint8)
    if frame.ndim == 2:
        frame = numpy.repeat(frame[..., None], 3, axis=2)
    return numpy.array(frame[..., :3], order="C")


def _small(frame: numpy.ndarray) -> numpy.ndarray:
    factor = -(-max(frame.shape[:2]) // _THUMB_SIZE)
    return frame if factor == 1 else numpy.array(Image.fromarray(frame).reduce(factor))
