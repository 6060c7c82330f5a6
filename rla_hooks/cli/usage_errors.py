"""What is added to the errors of the command line's parser: what was probably meant, in the words of these commands."""

from __future__ import annotations

import re
from typing import Any

from rla_hooks.errors import did_you_mean

_PREFIX = "Value error, "  # of typer 0.29, before what a choice says
_CHOICES = re.compile(r"('.*?') is not one of (.*)\.", re.DOTALL)


def explain(error: Any) -> None:
    """Add to the message of an error, which is one of click's, or of typer's copy of it. They differ in full stops."""
    message, context = str(error.message), getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    hint = _of_option(option, context) if option else _nearest(message) or _of_words(message, context)
    error.message = message.removeprefix(_PREFIX)
    if hint:
        error.message = f"{error.message.rstrip('.')}. {hint.strip()}"


def _nearest(message: str) -> str:
    """The choice that is the most like a word that is none."""
    found = _CHOICES.search(message)
    return did_you_mean(found[1].strip("'"), re.findall(r"'(.*?)'", found[2])) if found else ""


def _of_words(message: str, context: Any) -> str:
    """Words with a value, where a command has options for them: rla rerun latest lr=3."""
    found = re.search(r"unexpected extra argument\S* \((\S+=.*)\)", message)
    return f"New values: --set {found[1].split()[0]}" if found and "--set" in _options(context) else ""


def _of_option(option: str, context: Any) -> str:
    """An option that a filter stands for, or that stands behind the command."""
    known = _options(context)
    if not known - {"--help", "-h", "--version", "--install-completion", "--show-completion"}:  # rla itself
        return f"It stands behind the command: rla runs {option} ..." if option in _OF_ALL else ""
    example = _FILTERS.get(option)
    return f'Write it as a filter: --where "{example}"' if example and "--where" in known else ""


def _options(context: Any) -> set[str]:
    return {name for each in context.command.params for name in each.opts} if context is not None else set()


_OF_ALL = frozenset({"--log-root", "--task", "--where", "--json", "--archived"})
_FILTERS = {
    "--status": "status == 'failed'",
    "--name": "name like '*ppo*'",
    "--tag": "'good' in tags",
    "--tags": "'good' in tags",
    "--group": "group == 'sweep'",
    "--since": "started > -2d",
    "--older-than": "started < -30d",
    "--before": "started < 2026-01-31",
    "--id": "id == 'k3xq7aod'",
    "--host": "host == 'node7'",
}
