"""``python -m rla_hooks.launch OPTIONS``: the program that ``rla sweep`` starts, which imports the user's function."""

from __future__ import annotations

import json
import sys
from typing import Any

from rla_hooks.command import stands_for
from rla_hooks.core import handover
from rla_hooks.endings import FINISHED, PRUNED
from rla_hooks.errors import RLAError
from rla_hooks.launch import one_run, space, sweep
from rla_hooks.launch.checks import RANDOM
from rla_hooks.launch.words import defaults_in, function_of, settings_of
from rla_hooks.texts import printable


def main(arguments: list[str]) -> int:
    """Sweep, and return the exit code: 1 if a run has not ended well, 2 for a mistake, 130 after Ctrl-C."""
    try:
        options: dict[str, Any] = json.loads(arguments[0])
        stands_for(options.pop("command", []))
        function = function_of(options.pop("function"))
        settings = settings_of(options.pop("settings"), defaults_in(function))
        is_dry = options.get("dry_run", False)
        runs = sweep(function, settings, **options)
        chosen = options.get("search") == RANDOM, options.get("limit"), options.get("seed", 0)
        count = len(space.settings_of(settings, *chosen))
    except RLAError as error:
        first, *others = map(printable, str(error).split("\n"))
        print(f"rla: {first}", *(f"  {line}" for line in others), sep="\n", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    is_whole = len(runs) == count or handover.is_off() or one_run.is_wanted()  # else some never began
    return 0 if is_dry or (is_whole and all(run.status in (FINISHED, PRUNED) for run in runs)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
