"""``rla init``: a config file to begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from rla_hooks.cli.common import Json, NotWritten, app
from rla_hooks.errors import RLAError
from rla_hooks.texts import shell_path

_NAME = "rla_config.yaml"


@app.command("init")
def init(
    force: Annotated[bool, typer.Option("--force", help="Replace the file that is there.")] = False,
    only_print: Annotated[bool, typer.Option("--print", help="Print the file, and write nothing.")] = False,
    log_root: Annotated[
        str | None,
        typer.Option("--log-root", metavar="FOLDER", help="The LOG_ROOT in the file, as it is to stand."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write rla_config.yaml into this folder: all settings, with their defaults and a line on each.

    Programs that are started in this folder, or below it, read it. It changes nothing until you edit it, but for
    --log-root.

    Examples:

        rla init
        rla init --log-root /data/rla
        rla init --print | less
    """
    from rla_hooks.atomic import write_bytes
    from rla_hooks.config.template import template
    from rla_hooks.places import find

    content = template(log_root)
    if only_print:
        print(json.dumps({"path": None, "content": content}) if as_json else content, end="\n" if as_json else "")
        return
    path, before = Path.cwd() / _NAME, find(Path.cwd())
    is_here = before is not None and before.parent == path.parent.resolve()
    if is_here and not force:
        raise RLAError(
            f"{shell_path(before or path)} is there already, and nothing was written. See what may stand in it: "
            "rla init --print. Replace it: rla init --force"
        )
    if is_here and before is not None and before.name != _NAME:
        raise RLAError(f"{shell_path(before)} is there, too, and one would hide the other. Rename it first.")
    try:
        if force:
            write_bytes(path, content.encode())
        else:
            with path.open("x", encoding="utf-8", newline="\n") as file:  # never onto what is there, a dead link say
                file.write(content)
    except OSError as error:
        raise NotWritten(f"{shell_path(path)} cannot be written: {error.strerror}. Go to a folder of yours.") from error
    if as_json:
        print(json.dumps({"path": str(path), "content": content}))
        return
    print(f"wrote {shell_path(path)}")
    if before is not None and not is_here:
        print(f"it now counts in this folder, in place of {shell_path(before)}")
