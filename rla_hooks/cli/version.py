"""``rla version``: which versions this is."""

from __future__ import annotations

import json
import platform

from rla_hooks._version import __version__
from rla_hooks.cli.common import Json, LogRoot, app


@app.command("version")
def version(as_json: Json = False, log_root: LogRoot = None) -> None:
    """Print the versions of rla_hooks and of Python, whatever the log root.

    Examples:

        rla version
        rla --version
    """
    if as_json:
        print(json.dumps({"rla_hooks": __version__, "python": platform.python_version()}))
    else:
        print(f"rla_hooks {__version__}, Python {platform.python_version()}")
