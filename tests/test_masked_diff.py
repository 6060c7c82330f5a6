"""A git.diff without secrets: it says what is missing, and git still applies it."""

import subprocess

import pytest

from rla_hooks.snapshot.masked_diff import masked_diff
from rla_hooks.snapshot.provenance import collect

SECRET = "hunter2hunter2"
KEY = "-----BEGIN PRIVATE" + f" KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"


def git(project, *words):
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words], cwd=project, check=True)


@pytest.fixture
def changed(tmp_path):
    """Call it with the committed and the present content of files by name: it returns git.diff and a clean clone."""

    def change(before: dict[str, str | bytes], now: dict[str, str | bytes | None]):
        project, clone = tmp_path / "project", tmp_path / "clone"
        for folder in (project, clone):
            folder.mkdir()
            git(folder, "init", "-q")
            _write(folder, before | {"always.txt": ""})
            git(folder, "add", "-A")
            git(folder, "commit", "-qm", "x")
        _write(project, now)
        collect(project, tmp_path / "notes", tmp_path / "root")
        return tmp_path / "notes/git.diff", clone

    return change


def _write(folder, files):
    for name, content in files.items():
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def test_added_lines_are_masked(changed):
    """In files that git knows and in new ones, in names with blanks, without a last line end, in another encoding."""
    names = ["a.yaml", "new.yaml", "with blank.yaml", "ümlaut.yaml"]
    diff, clone = changed(
        {"a.yaml": "lr: 1\n", "with blank.yaml": "lr: 1\n", "ümlaut.yaml": "lr: 1\n"},
        {name: f"lr: 1\npassword: {SECRET}".encode() + b"  # \xff" for name in names},
    )
    text = diff.read_bytes()
    assert SECRET.encode() not in text and text.count(b"# left out: secrets in ") == 4
    git(clone, "apply", str(diff))
    assert {(clone / name).read_bytes() for name in names} == {b"lr: 1\npassword: ***  # \xff"}


def test_lines_of_the_commit_must_stay(changed):
    """A secret that is removed, or stands near a change: that file's changes are left out, the others are kept."""
    diff, clone = changed(
        {"gone.yaml": f"password: {SECRET}\n", "near.py": f'password = "{SECRET}"\nlr = 1\n', "c.py": "lr = 1\n"},
        {"gone.yaml": "lr: 1\n", "near.py": f'password = "{SECRET}"\nlr = 2\n', "c.py": "lr = 2\n"},
    )
    text = diff.read_text()
    assert SECRET not in text
    assert text.startswith("# left out: gone.yaml (holds a secret)\n# left out: near.py (holds a secret)\n")
    git(clone, "apply", str(diff))
    assert (clone / "c.py").read_text() == "lr = 2\n" and (clone / "near.py").read_text().endswith("lr = 1\n")


def test_private_keys_stay_out(changed):
    """New ones, and one that is removed; a deleted file and a binary one are kept as git has them."""
    diff, clone = changed(
        {"old": KEY, "b.bin": b"\0\1", "d.txt": "x\n"}, {"old": "x\n", "new": KEY, "b.bin": b"\0\2", "d.txt": None}
    )
    text = diff.read_text()
    assert SECRET not in text and "# left out: old (holds a secret)\n# left out: new (holds a secret)\n" in text
    git(clone, "apply", str(diff))
    assert (clone / "b.bin").read_bytes() == b"\0\2" and not (clone / "d.txt").exists()


def test_what_a_hunk_says_of_its_place(changed):
    """Git writes the function's first line behind the line numbers; a secret there is masked, too."""
    body = "".join(f"    x{n} = {n}\n" for n in range(12))
    head = f'def connect(password="{SECRET}"):\n'
    diff, clone = changed({"a.py": head + body}, {"a.py": head + body + "    y = 1\n"})
    assert 'def connect(password="***"):' in diff.read_text()
    git(clone, "apply", str(diff))
    assert (clone / "a.py").read_text() == head + body + "    y = 1\n"


def test_nothing_to_mask():
    """An empty diff, one without changes of lines, and code about secrets are as they were."""
    mode = b"diff --git a/x b/x\nold mode 100644\nnew mode 100755\n"
    code = b"diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-token = next(tokens)\n+token = tokens[0]\n"
    notes = []
    assert [masked_diff(diff, notes) for diff in (b"", mode, code)] == [b"", mode, code] and notes == []
