"""``rla tag``, ``rla note``, ``rla title``: what people note about runs, at any time and without touching the rest."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from rla_hooks.cli import completion
from rla_hooks.cli.choose import choose, choose_all, needs_filter
from rla_hooks.cli.common import Json, LogRoot, Run, Task, Where, app
from rla_hooks.cli.dash_words import DashWords
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.labels import Labels, change
from rla_hooks.query import SavedRun
from rla_hooks.texts import counted, printable, shown

_LONGEST_INPUT = 200_000  # characters of a note from standard input; too many of a note are told by their number


@app.command("tag", cls=DashWords)
def tag(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN TAG",
            autocompletion=completion.runs,
            help="The run, unless --where or --task says which; then tags to add, and -TAG to remove one.",
        ),
    ] = None,
    log_root: LogRoot = None,
    task: Task = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Add tags to a run, or to many, and remove them; print the tags.

    With --where or --task all words are tags, of each run that is chosen. So is a run with * in it. Without tags,
    the present ones are printed.

    Examples:

        rla tag latest good -bad
        rla tag --where "last.perf/return < 50" failed-to-learn
    """
    words = words or []
    if where is None and task is None:
        if not words:
            raise ConfigError("rla tag got no run. Allowed: rla tag RUN TAG..., or rla tag --where FILTER TAG...")
        runs, tags = choose_all(words[:1], log_root), words[1:]
    else:
        needs_filter(where, "all runs are those with the name '*': rla tag '*' TAG...")
        runs, tags = choose_all(None, log_root, where, task), words
    new = Labels([word for word in tags if not word.startswith("-")])
    if problems := new.problems():
        raise ConfigError(problems)  # once, rather than for each run
    remove = [word[1:] for word in tags if word.startswith("-")]
    absent = [shown(each, 100) for each in remove if not any(each in run.tags for run in runs)]
    if absent:  # no mistake where a script makes sure of it, but -r is no option
        print(f"rla: no tag {', '.join(absent)} is there to be removed. -TAG removes a tag", file=sys.stderr)
    told, failed = [], []
    for run in runs:
        try:
            content = _change(run, new, remove) if tags else {"tags": run.tags}
            told.append({"id": run.id, "name": run.name, "tags": content.get("tags") or []})
        except RLAError as error:
            failed.append(str(error))
    _print_tags(told, as_json, many=len(runs) > 1)
    if failed:
        few = len(failed) == 1
        raise RLAError(failed[0] if few else "\n".join([f"{len(failed)} runs were not changed:", *failed]))


@app.command("note", cls=DashWords)
def note(
    run: Run,
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", help="The note; '' removes it, and - reads it from standard input."),
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Add a line to the note that is there.")] = False,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Set the note of a run, a text of any number of lines; without a text print it.

    A note that is replaced is shown once more, on stderr.

    Examples:

        rla note latest "seed 3 diverged after 40k steps"
        rla note latest --append "fixed by a lower lr"
        rla note latest - < observations.txt
    """
    saved = choose(run, log_root, where, task)
    if not text:
        _print_label(saved, "note", saved.note, as_json)
        return
    given = _from_stdin() if text == ["-"] else " ".join(text)
    content = _change(saved, Labels(note=given), append=append)
    _print_replaced(saved.note, content.get("note"), append)
    _print_label(saved, "note", content.get("note"), as_json)


@app.command("title", cls=DashWords)
def title(
    run: Run,
    text: Annotated[list[str] | None, typer.Argument(metavar="TEXT", help="The title, a line; '' removes it.")] = None,
    where: Where = None,
    task: Task = None,
    log_root: LogRoot = None,
    as_json: Json = False,
) -> None:
    """Set the title of a run, a line for people and plots; without a text print it.

    Examples:

        rla title latest "PPO, small nets"
        rla title latest ""
    """
    saved = choose(run, log_root, where, task)
    if not text:
        _print_label(saved, "title", saved.title, as_json)
        return
    content = _change(saved, Labels(title=" ".join(text)))
    _print_replaced(saved.title, content.get("title"), False)
    _print_label(saved, "title", content.get("title"), as_json)


def _from_stdin() -> str:
    if sys.stdin is None:
        raise RLAError("the note is to come from standard input, which is closed. Give a file: rla note RUN - < FILE")
    try:
        return sys.stdin.read(_LONGEST_INPUT).rstrip("\n")
    except UnicodeDecodeError as error:
        raise RLAError(f"standard input is no text in {error.encoding}: {error.reason}. Convert it first") from None


def _change(run: SavedRun, new: Labels, remove: list[str] | None = None, append: bool = False) -> dict[str, Any]:
    return change(run.paths.labels_json, new, remove or (), append)


def _print_tags(told: list[dict[str, Any]], as_json: bool, many: bool) -> None:
    if as_json:
        print(json.dumps(told, indent=2))
        return
    for each in told:
        tags = ", ".join(tag for tag in each["tags"] if isinstance(tag, str))
        print(printable(f"{each['id']}  {tags or 'no tags'}"))
    if many:
        print(counted(len(told), "run"))


def _print_label(run: SavedRun, name: str, text: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"id": run.id, "name": run.name, name: text}, indent=2))
    elif isinstance(text, str) and text:
        print("\n".join(map(printable, text.split("\n"))))
    else:
        print(f"no {name}")


def _print_replaced(before: str | None, after: Any, append: bool) -> None:
    if before and before != after and not append:
        print("replaced:", *map(printable, before.split("\n")), sep="\n  ", file=sys.stderr)
