"""Texts of unknown origin on a terminal, and paths in a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from rla_hooks.printing import printable, shell_word

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
        command = f"cd {shell_word(folder)} && {shell_word(sys.executable)} -c 'import os; print(os.getcwdb())'"
        done = subprocess.run([shell, "-c", command], capture_output=True, text=True)
        assert done.stdout.strip() == repr(os.fsencode(folder)), (name, done.stderr)


def test_a_path_with_control_characters_is_printed_as_text():
    """The word has no control characters, so it is also what a person sees."""
    word = shell_word("/logs/\x1b[31m\n\ud83d\udce9")
    assert word.isprintable() and word.isascii()
