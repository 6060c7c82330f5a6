"""The files of TensorBoard's projector, which shows points of many dimensions; they stand beside the event files.

<folder>/projector_config.pbtxt                  lists what there is
         <step>/<tag>/tensors.tsv                a line for each point
                      metadata.tsv, sprite.png   what it is called, and a picture of it
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rla_hooks import atomic
from rla_hooks.errors import ConfigError
from rla_hooks.figures.saving import as_array
from rla_hooks.summaries.pictures import in_order, to_bytes

CONFIG = "projector_config.pbtxt"
_ESCAPED = str.maketrans({"%": "%25", "/": "%2f", "\\": "%5c", "\0": "%00"})


def add(
    folder: Path,
    points: Any,
    metadata: Sequence[Any] | None = None,
    images: Any = None,
    step: int = 0,
    tag: str = "default",
    header: Sequence[str] | None = None,
) -> None:
    """Write points of shape (N, D), and list them. The same tag and step again replaces them.

    metadata: a label for each point, or, with ``header``, a list of them. images: of shape (N, C, H, W). Raises
    ConfigError for what does not fit, OSError for trouble with the disk.

    >>> add(Path("tb"), [[1.0, 2.0], [3.0, 4.0]], ["a", "b"])
    >>> Path("tb/00000/default/tensors.tsv").read_text().splitlines()
    ['1.0\\t2.0', '3.0\\t4.0']
    """
    array = as_array(points)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ConfigError(f"the points have shape {array.shape}, dtype {array.dtype}. Allowed: numbers of shape (N, D)")
    for what, given in (("labels", metadata), ("images", images)):
        if given is not None and len(given) != len(array):
            raise ConfigError(f"there are {len(array)} points and {len(given)} {what}. Give one for each.")
    place = f"{step:05d}/{tag.translate(_ESCAPED)}"
    files = {"tensors.tsv": _table(array.tolist())}
    entry = {"tensor_name": f"{tag}:{step:05d}", "tensor_path": f"{place}/tensors.tsv"}
    lines = [f"  {key}: {json.dumps(value)}\n" for key, value in entry.items()]
    if metadata is not None:
        rows = [[each] for each in metadata] if not header else [header, *metadata]
        files["metadata.tsv"] = _table(rows)
        lines.append(f"  metadata_path: {json.dumps(f'{place}/metadata.tsv')}\n")
    if images is not None:
        batch = to_bytes(in_order(as_array(images), "NCHW", "NHWC"))
        files["sprite.png"] = _sprite(batch)
        height, width = batch.shape[1:3]
        sizes = f"single_image_dim: {width}\n    single_image_dim: {height}"
        lines.append(f"  sprite {{\n    image_path: {json.dumps(f'{place}/sprite.png')}\n    {sizes}\n  }}\n")
    (folder / place).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        atomic.write_bytes(folder / place / name, content, sync=False)
    _list(folder / CONFIG, entry["tensor_name"], "embeddings {\n" + "".join(lines) + "}\n")


def _table(rows: Sequence[Sequence[Any]]) -> bytes:
    lines = ("\t".join(" ".join(str(cell).split()) for cell in row) for row in rows)  # one line and column for each
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _sprite(batch: np.ndarray) -> bytes:
    """A square of pictures as PNG, row by row, as the projector cuts it."""
    number, height, width, channels = batch.shape
    side = int(np.ceil(number**0.5))
    square = np.zeros((side * side, height, width, 3), np.uint8)
    square[:number] = np.broadcast_to(batch[..., :3] if channels > 2 else batch[..., :1], (number, height, width, 3))
    tiles = square.reshape(side, side, height, width, 3).swapaxes(1, 2).reshape(side * height, side * width, 3)
    buffer = io.BytesIO()
    Image.fromarray(tiles).save(buffer, format="PNG")
    return buffer.getvalue()


def _list(path: Path, name: str, entry: str) -> None:
    """Add an entry, in place of a former one of this name."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    others = [f"embeddings {part}" for part in text.split("embeddings {")[1:] for part in [f"{{{part}"]]
    kept = [each for each in others if f"tensor_name: {json.dumps(name)}\n" not in each]
    atomic.write_bytes(path, "".join([*kept, entry]).encode(), sync=False)
