"""Texts of any object: bounded, and never an error of the object's own."""

from __future__ import annotations

import shlex

from rla_hooks.texts import cut, shell_path, shown, text_of


class Hostile:
    def __repr__(self):
        raise RuntimeError("no")


class Word(str):
    def __str__(self):
        raise RuntimeError("no")


class NoText(Exception):
    def __str__(self):
        return 5


def test_every_object_has_a_text():
    """Also one whose repr raises, a str whose str raises, an exception whose str is none, and a number too long."""
    assert shown(Hostile()) == text_of(Hostile()) == "<Hostile: repr raises RuntimeError>"
    assert text_of(Word("a")) == "a" and type(text_of(Word("a"))) is str
    assert text_of(NoText()) == "NoText"
    assert text_of(10**5000) == shown(10**5000) == "<int of 16610 bits>"


def test_long_texts_are_cut():
    """With their length."""
    assert cut("abc", 3) == "abc"
    assert shown("x" * 5000).endswith("… (5002 characters)") and len(shown("x" * 5000)) < 1100


def test_a_path_can_be_pasted_into_a_shell(tmp_path):
    """Run names have & and =; folders may have blanks and quotes."""
    path = tmp_path / "it's a" / "&lr=0.1"
    assert shlex.split(shell_path(path)) == [str(path)]
    assert shell_path("/a/b-c_1.0") == "/a/b-c_1.0"
