"""``python -m rla_hooks.launch OPTIONS``: the program that ``rla sweep`` starts, which imports the user's function."""

from __future__ import annotations

import json
import sys
from typing import Any

from rla_hooks.endings import FINISHED, PRUNED
from rla_hooks.errors import RLAError
from rla_hooks.launch import sweep
from rla_hooks.launch.words import defaults_in, function_of, settings_of
from rla_hooks.texts import printable


def main(arguments: list[str]) -> int:
    """Sweep, and return the exit code: 1 if a run has not ended well, 2 for a mistake, 130 after Ctrl-C."""
    try:
        options: dict[str, Any] = json.loads(arguments[0])
        function = function_of(options.pop("function"))
        settings = settings_of(options.pop("settings"), defaults_in(function))
        is_dry = options.get("dry_run", False)
        runs = sweep(function, settings, **options)
    except RLAError as error:
        first, *others = map(printable, str(error).split("\n"))
        print(f"rla: {first}", *(f"  {line}" for line in others), sep="\n", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0 if is_dry or all(run.status in (FINISHED, PRUNED) for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
