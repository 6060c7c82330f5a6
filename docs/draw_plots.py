"""Draws the pictures of docs/plots.md by the code of the page: ``python docs/draw_plots.py``."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).parent / "plots.md"
_WIDTH = 900  # pixels


def code() -> str:
    """Return the Python blocks of the page, as one program."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))


def pictures() -> list[str]:
    """Return the names of the pictures that the page shows."""
    return re.findall(r"\]\(plots/(\w+\.png)\)", PAGE.read_text(encoding="utf-8"))


def draw(folder: Path) -> None:
    """Run the page in a folder, which then has the pictures at the size of print."""
    subprocess.run([sys.executable, "-c", code()], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def make_small(source: Path, target: Path) -> None:
    """Write a picture of a width that pages load quickly, and that keeps the repository light."""
    from PIL import Image

    picture = Image.open(source).convert("RGB")
    picture = picture.resize((_WIDTH, round(picture.height * _WIDTH / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(128).save(target, optimize=True)


def main() -> None:
    """Write the pictures of the page."""
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder))
        for name in pictures():
            make_small(Path(folder, name), PAGE.parent / "plots" / name)
            print(f"docs/plots/{name}")


if __name__ == "__main__":
    main()
