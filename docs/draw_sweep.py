"""Draws the two pictures of README's sweep, by the commands that README shows: ``python docs/draw_sweep.py``.

The terminal is a real one (a pty of 100 columns), so the picture has what a user sees, with its colours.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from draw_plots import make_small
from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
COLUMNS = 100
COMMANDS = (
    'rla runs --task sweep -c lr,seed,perf/mean --where "lr >= 0.1" --sort -last.perf/mean -n 5',
    "rla runs --task sweep --by lr -c perf/mean",
    'rla rm --task sweep --where "last.perf/mean < 100" --dry-run',
)
FIGURE = ("plot", "perf/mean", "--task", "sweep", "--by", "lr", "--save")


def in_terminal(command: str, folder: Path) -> str:
    """Return what a command prints in a terminal, with its escape sequences."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    environment = {
        **os.environ,
        "TERM": "xterm-256color",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        shlex.split(command), cwd=folder, stdin=follower, stdout=follower, stderr=follower, env=environment
    )
    os.close(follower)
    parts = []
    try:
        while part := os.read(leader, 65536):
            parts.append(part)
    except OSError:  # Linux: the other side is closed
        pass
    os.close(leader)
    if process.wait() != 0:
        raise SystemExit(f"{command} failed:\n{b''.join(parts).decode()}")
    return b"".join(parts).decode().replace("\r\n", "\n")


def terminal_picture(folder: Path) -> str:
    """Return an SVG of the commands and what they print."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for command in COMMANDS:
        console.print(Text(f"$ {command}", style="bold"), soft_wrap=True)
        console.print(Text.from_ansi(in_terminal(command, folder)))
    svg = console.export_svg(title="", unique_id="sweep")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # nothing is downloaded to look at it


def main() -> None:
    """Train the sweep in a temporary folder, and write both pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "examples/sweep.py", folder)
        subprocess.run([sys.executable, "sweep.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (DOCS / "sweep_terminal.svg").write_text(terminal_picture(folder))
        rla = Path(sys.executable).with_name("rla")
        subprocess.run([rla, *FIGURE, "curves.png"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        make_small(folder / "curves.png", DOCS / "sweep_curves.png")


if __name__ == "__main__":
    main()
