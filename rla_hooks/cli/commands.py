"""The table of the commands, each of which is loaded when it is called: ``rla --help`` reads this table alone."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from typer import main as typer_main
from typer.core import TyperCommand, TyperGroup

from rla_hooks.cli.conversion import convert_plainly

#: A command: the module in rla_hooks/cli/ that registers it on the app, and the first line of its help, without the
#: full stop. To add a command, add a line here, in the order in which ``rla --help`` shows them.
COMMANDS = {
    "runs": ("listing", "List runs, one a line, newest last"),
    "ls": ("listing", "The same as runs"),
    "show": ("show", "Show a run: status, parameters, metrics, errors, and where its files are"),
    "compare": ("compare", "Compare runs: parameters, metrics, code, packages; by default the last two"),
    "tail": ("tail", "Show the last rows of a run, and with -f those to come"),
    "plot": ("plot", "Draw a metric as curves in the terminal, or a figure for a paper with --save or --show"),
    "table": ("table", "Print a table of scores for a paper: Markdown, LaTeX or csv; by default of all runs"),
    "tb": ("tensorboard", "Open TensorBoard over exactly these runs, with short names: what they differ in"),
    "export": ("export", "Write the metrics of runs as one table: CSV, Parquet or JSON; by default of all runs"),
    "path": ("path", "Print the path of a run's folder, and nothing else"),
    "resume": ("resume", "Start a run's program again, to go on with that run: the same command in the same folder"),
    "fork": ("fork", "Start a run's program again, as a new run that begins with what that run was at a checkpoint"),
    "rerun": ("rerun", "Run a run again on the code that it has kept, with the same hyper-parameters or others"),
    "sweep": ("sweep", "Call a tracked function for each of many settings, each call a run: here, on Slurm or on Ray"),
    "tag": ("labels", "Add tags to a run, or to many, and remove them; print the tags"),
    "note": ("labels", "Set the note of a run, a text of any number of lines; without a text print it"),
    "title": ("labels", "Set the title of a run, a line for people and plots; without a text print it"),
    "rm": ("remove", "Delete runs with all their files; rla undo brings them back"),
    "archive": ("remove", "Put runs away, out of all lists; --restore brings them back"),
    "mv": ("move", "Move runs to another task, with all their files"),
    "rename": ("move", "Change the parameters in a run's name"),
    "undo": ("trash", "Take the last act back: rm, archive, mv, rename, gc, verify --repair; or that of a number"),
    "trash": ("trash", "List what can be undone; trash empty frees the space"),
    "gc": (
        "gc",
        "Delete what no run needs: unused code, temporary files, empty folders; on request old checkpoints, orphans",
    ),
    "du": (
        "du",
        "Show what takes the room: trees, tasks, runs, checkpoints, copies of code, the trash, and what is no run's",
    ),
    "verify": (
        "verify",
        "Find what is damaged in runs: rows, event files, checkpoints, records, code, figures; by default of all runs",
    ),
    "push": (
        "transfer",
        "Send runs to a log root on another machine; by default all runs, to the remote of the config",
    ),
    "pull": ("transfer", "Fetch runs from a log root on another machine; by default all of its runs"),
    "sync": (
        "transfer",
        "Send the runs that the other machine lacks, and fetch those that lack here; of each file the newer one counts",
    ),
    "remote": ("remotes", "List the log roots on other machines, name one, or test whether it can be used"),
    "import": ("importing", "Copy the runs of a log root that the original RLA wrote into another one, in our form"),
    "doctor": (
        "doctor",
        "Say what is wrong here, and what a bug report needs: versions, log root, disk, git, cache, terminal",
    ),
    "rla-script": ("rla_script", "Do what a script of RLA's rla_scripts does, with its words and options"),
    "init": ("init", "Write rla_config.yaml into this folder: all settings, with their defaults and a line on each"),
    "version": ("version", "Print the versions of rla_hooks and of Python, whatever the log root"),
}


_SECTIONS = {
    "runs": "Look at runs",
    "resume": "Start runs",
    "tag": "Label runs",
    "rm": "Tidy up",
    "push": "Other machines",
    "import": "And",
}  # of the table in rla --help, each by its first command


@contextmanager
def _explained() -> Iterator[None]:
    """Let the errors of the parser say what was probably meant."""
    try:
        yield
    except Exception as error:
        if hasattr(error, "format_message"):  # of click, or of typer's copy of it
            from rla_hooks.cli.usage_errors import explain  # late: only mistakes need it

            explain(error)
        raise


class Commands(TyperGroup):
    """The commands of the table, and what else is registered on the app."""

    registered: ClassVar[list[Any]] = []  # those of the app

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS, *(name for name in self.commands if name not in COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Load a command: its module registers it on the app when it is imported."""
        if cmd_name not in self.commands and cmd_name in COMMANDS:
            importlib.import_module(f"rla_hooks.cli.{COMMANDS[cmd_name][0]}")
            for each in self.registered:
                loaded = typer_main.get_command_from_info(each, pretty_exceptions_short=False, rich_markup_mode=None)
                convert_plainly(loaded, ctx)
                self.commands.setdefault(loaded.name or "", loaded)
        command = self.commands.get(cmd_name)
        if command is not None:
            command.help = keep_indented(command.help or "")
        return command

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        convert_plainly(self, ctx)
        with _explained():
            return list(super().parse_args(ctx, args))

    def invoke(self, ctx: Any) -> Any:
        with _explained():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; for a name that there is not, the nearest of all is named, loaded or not."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            from rla_hooks.errors import ConfigError, did_you_mean
            from rla_hooks.texts import shown

            if not ctx.resilient_parsing:
                known = self.list_commands(ctx)
                raise ConfigError(
                    f"there is no command {shown(args[0], 100)}.{did_you_mean(args[0], known)} "
                    f"Known: {', '.join(known)}. See: rla --help"
                )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the table of the commands, in sections, without loading them."""
        names = self.list_commands(ctx)
        width = max(map(len, names))
        starts = [at for at, name in enumerate(names) if name in _SECTIONS]
        for start, end in zip(starts, [*starts[1:], len(names)], strict=True):
            with formatter.section(_SECTIONS[names[start]]):
                formatter.write_dl([(name.ljust(width), self._line(name)) for name in names[start:end]])

    def _line(self, name: str) -> str:
        if name in COMMANDS:
            return f"{COMMANDS[name][1]}."
        return str(self.commands[name].get_short_help_str(limit=200))


class ProgramCommand(TyperCommand):
    """A command that starts a program, whose arguments stand behind ``--``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return list(super().parse_args(ctx, args))
        except Exception as error:
            if type(error).__name__ == "NoSuchOption":  # of click, or of typer's copy of it
                self._explain(error, ctx)
            raise

    def _explain(self, error: Any, ctx: Any) -> None:
        example = f"{ctx.command_path} RUN -- {error.option_name} ..."
        error.message = f"{error.message.rstrip('.')}. Arguments of the program go behind --, as in: {example}"


def keep_indented(text: str) -> str:
    r"""Mark the indented paragraphs of a help text, such as examples, so that their lines are not joined.

    >>> keep_indented("Do.\n\nExamples:\n\n    rla a\n    rla b")
    'Do.\n\nExamples:\n\n\x08\n    rla a\n    rla b'
    """
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(f"\b\n{each}" if each.startswith("  ") else each for each in paragraphs)
