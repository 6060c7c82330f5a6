"""Any text can be made the name of a file: safe, readable, short enough, and told apart from others."""

from __future__ import annotations

import random
from urllib.parse import unquote

import pytest

from rla_hooks.filenames import portable, safe_part


@pytest.mark.parametrize("limit", [16, 64, 255])
def test_a_safe_part_is_a_path_part_and_reads_back(limit, tmp_path, odd_texts):
    """It is never empty, '.', '..', has no separator, fits the limit, and undoes by URL rules where it was not cut."""
    letters = "ab/.%&= \n\0\\诗🙂\udc80~\"'"
    dice = random.Random(0)
    texts = odd_texts + ["".join(dice.choices(letters, k=dice.randrange(30))) for _ in range(500)]
    for text in texts:
        part = safe_part(text, limit)
        assert part not in ("", ".", "..") and not set(part) & set("/\\\0\n &=\"'$;|<>*?!`")
        assert len(part.encode("utf-8")) <= limit
        if "~" in part:
            assert part[-9] == "~" and int(part[-8:], 16) >= 0
        else:
            assert unquote(part, errors="surrogatepass") == (text or "\0")
    parts = {safe_part(text, limit) for text in texts}
    assert len(parts) == len({text or "\0" for text in texts}), "different texts have different names"
    if limit == 255:
        for part in parts:
            (tmp_path / part).mkdir()
        assert {path.name for path in tmp_path.iterdir()} == parts


def test_readable_characters_stay():
    """Letters and digits of every script, and the signs that numbers and versions need."""
    assert safe_part("v1.5_-+,@(诗é)") == "v1.5_-+,@(诗é)"
    assert (safe_part("ALE/Pong-v5"), safe_part(".."), safe_part("")) == ("ALE%2FPong-v5", "%2E%2E", "%00")
    assert (safe_part(1e-3), safe_part(None), safe_part(["a"])) == ("0.001", "None", "%5B%27a%27%5D")


@pytest.mark.parametrize("name", ["a:b", "CON", "aux.1", 'x"y', "q?", "a|b", "<a>*"])
def test_a_portable_name_is_one_that_windows_takes(name):
    """What it refuses is escaped, and reads back by URL rules."""
    escaped = portable(name)
    assert not set(escaped) & set('<>:"|?*') and escaped.split(".")[0].lower() not in ("con", "aux")
    assert unquote(escaped) == name
