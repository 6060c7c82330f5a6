"""Texts of any object: bounded, printable, and never an error of the object's own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from rla_hooks.texts import counted, cut, printable, shell_path, shown, size_text, text_of


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


TEXTS = {
    "escape sequences": ("\x1b]0;title\x07\x1b[31mred", r"\x1b]0;title\x07\x1b[31mred"),
    "C1 controls": ("\x9b31m", r"\x9b31m"),
    "lines": ("a\r\nb\tc\u2028d", r"a\r\nb\tc\u2028d"),
    "a line turned round": ("model\u202egnp.exe", r"model\u202egnp.exe"),
    "what is invisible": ("a\u200bb\u00adc", r"a\u200bb\xadc"),
    "a byte that is no UTF-8": ("caf\udce9", r"caf\xe9"),
    "half a character": ("x\ud83d", r"x\ud83d"),
    "every script": ("späť 诗 [bold] \\n 😀", "späť 诗 [bold] \\n 😀"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_text_is_one_harmless_line(case):
    """Nothing controls the terminal, and what is harmless stays as it is."""
    text, shown = TEXTS[case]
    assert printable(text) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh"])
def test_a_path_goes_through_a_shell(shell, tmp_path):
    """What is pasted names the file: blanks, ampersands, quotes, line breaks, control characters, bytes."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    names = ["plain", "a b&lr=0.1", "it's", '"$HOME" `id`', "späť"]
    if shell != "sh":  # dash has no $'...'
        names += ["line\nbreak", "\x1b[31m'7", "caf\udce9", "back\\slash\t8"]
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        command = f"cd {shell_path(folder)} && {shell_path(sys.executable)} -c 'import os; print(os.getcwdb())'"
        done = subprocess.run([shell, "-c", command], capture_output=True, text=True)
        assert done.stdout.strip() == repr(os.fsencode(folder)), (name, done.stderr)


def test_a_path_with_control_characters_is_printed_as_text():
    """The word has no control characters, so it is also what a person sees."""
    word = shell_path("/logs/\x1b[31m\n\ud83d\udce9")
    assert word.isprintable() and word.isascii()


def test_sizes_have_at_most_three_digits_before_the_point():
    """Units change before a fourth digit would be shown; what is beyond the greatest unit stays in it."""
    sizes = [0, 999, 1000, 1024, 1_023_890, 1_023_999, 5 * 2**40, 2**60]
    assert [size_text(size) for size in sizes] == [
        *("0 B", "999 B", "1.0 KiB", "1.0 KiB", "999.9 KiB", "1.0 MiB", "5.0 TiB", "1048576.0 TiB")
    ]
    assert [counted(number, "run") for number in (0, 1, 2, 12_000)] == ["0 runs", "1 run", "2 runs", "12,000 runs"]
