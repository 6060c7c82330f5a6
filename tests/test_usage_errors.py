"""What the command line says of words and options that it does not know."""

import re

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize(
    "words, said",
    [
        ("runs --status running", "Write it as a filter: --where \"status == 'failed'\""),
        ("rm --older-than 30d", 'Write it as a filter: --where "started < -30d"'),
        ("trash --status x", ""),
        ("--task t runs", "It stands behind the command: rla runs --task ..."),
        ("--nothing runs", ""),
        ("runs --nothing", ""),
        ("trash emty", "Did you mean 'empty'?"),
        ("path latest chekpoint", "Did you mean 'checkpoint'?"),
        ("rerun latest lr=3", "New values: --set lr=3"),
        ("rerun latest lr", ""),
        ("show latest lr=3", ""),
        ("fork latest --stp 3", "Arguments of the program go behind --, as in: rla fork RUN -- --stp ..."),
    ],
)
def test_what_was_probably_meant_is_said(words, said, command):
    """In the words of the command that was asked, behind one full stop; nothing where nothing is near."""
    with rla.run(task="t", writers=["csv"], backup="none", lr=0.1):
        pass
    done = command(*words.split())
    assert (done.code, done.out) == (2, "")
    told = done.err[done.err.index("Error: ") :].replace("...", "…")
    assert "Value error" not in told and ".." not in told
    assert said.replace("...", "…") in told if said else not re.search("Write it|It stands|New values|Arguments", told)
