"""What the command line says of words and options that it does not know."""

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize(
    "words, said",
    [
        ("runs --status running", "No such option: --status. Write it as a filter: --where \"status == 'failed'\""),
        ("rm --older-than 30d", 'No such option: --older-than. Write it as a filter: --where "started < -30d"'),
        ("trash --status x", "No such option: --status"),
        ("--task t runs", "No such option: --task. It stands behind the command: rla runs --task ..."),
        ("runs --nothing", "No such option: --nothing"),
        ("trash emty", "'list|show|empty': 'emty' is not one of 'list', 'show', 'empty'. Did you mean 'empty'?"),
        ("path latest chekpoint", "'figures', 'tensorboard'. Did you mean 'checkpoint'?"),
        ("rerun latest lr=3", "Got unexpected extra argument(s) (lr=3). New values: --set lr=3"),
        ("rerun latest lr", "Got unexpected extra argument(s) (lr)"),
        ("show latest lr=3", "Got unexpected extra argument(s) (lr=3)"),
        ("fork latest --stp 3", "Arguments of the program go behind --, as in: rla fork RUN -- --stp ... (Possible"),
    ],
)
def test_what_was_probably_meant_is_said(words, said, command):
    """In the words of the command that was asked, and nothing where nothing is near."""
    with rla.run(task="t", writers=["csv"], backup="none", lr=0.1):
        pass
    done = command(*words.split())
    assert done.code == 2 and done.out == "" and "Value error" not in done.err
    told = done.err[done.err.index("Error: ") :].rstrip("\n")
    assert said in told and (told.endswith(said) or said.endswith(("(Possible", "'failed'\"")))
