"""The words of a command line become what the options are annotated with, without pydantic where they are plain."""

import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import pytest
import typer

from rla_hooks.cli.conversion import convert_plainly


class Colour(str, Enum):
    """A choice."""

    red = "red"
    blue = "blue"


def _command():
    app = typer.Typer(rich_markup_mode=None)

    @app.command()
    def show(
        words: Annotated[list[str] | None, typer.Argument()] = None,
        number: Annotated[int, typer.Option(min=1, max=9)] = 3,
        wait: Annotated[float | None, typer.Option(min=0.5)] = None,
        folder: Annotated[Path | None, typer.Option()] = None,
        name: Annotated[str | None, typer.Option()] = None,
        colour: Colour = Colour.red,
        odd: Annotated[bool, typer.Option("--odd")] = False,
        parsed: Annotated[int, typer.Option(parser=lambda text: len(str(text)))] = 0,
    ):
        print((words, number, wait, folder, name, colour, odd, parsed))

    return typer.main.get_command(app)


def _run(arguments, capsys, plainly):
    command = _command()
    if plainly:
        convert_plainly(command, command.make_context("show", ["--help"], resilient_parsing=True))
    code = None
    try:
        command.main(arguments, prog_name="show")
    except SystemExit as error:
        code = error.code
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a", "b c", ""],
        ["--number", "9", "--wait", "0.5"],
        ["--number", "10"],
        ["--number", "0"],
        ["--number", "x"],
        ["--number", "1.0"],
        ["--number", " 7 "],
        ["--wait", "0.4"],
        ["--wait", "1e3"],
        ["--wait", "nan"],
        ["--wait", "-"],
        ["--folder", "a b/c", "--name", "", "--odd"],
        ["--colour", "blue"],
        ["--colour", "green"],
        ["--parsed", "four"],
        ["--nothing"],
        ["--help"],
    ],
)
def test_the_result_is_that_of_typer(arguments, capsys):
    """Values, messages and exit codes, for what is plain, and for what is wrong."""
    assert _run(arguments, capsys, True) == _run(arguments, capsys, False)


def test_a_plain_command_line_imports_no_pydantic(tmp_path):
    """The import would take longer than the rest of the command."""
    code = (
        "import sys; from rla_hooks.cli import main\n"
        "try:\n    main()\nexcept SystemExit as error:\n    assert not error.code\n"
        "assert 'rla_hooks.query' in sys.modules\n"
        "print('pydantic' in sys.modules, 'numpy' in sys.modules, 'rich.console' in sys.modules)"
    )
    arguments = ["runs", "--log-root", tmp_path, "-n", "20", "-c", "lr", "--sort", "-lr", "--interval", "2"]
    done = subprocess.run([sys.executable, "-I", "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == "False False False\n"
