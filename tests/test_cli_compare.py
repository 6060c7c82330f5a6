"""``rla compare``: parameters, metrics, versions and code of runs beside each other."""

import os
import re
import subprocess

import pytest

import rla_hooks as rla
from rla_hooks.snapshot import codediff

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(scope="module")
def log_root(tmp_path_factory):
    """Two runs of a project that was changed in between, and a third one without code."""
    root, project = tmp_path_factory.mktemp("compare"), tmp_path_factory.mktemp("project")
    (project / "pyproject.toml").touch()
    (project / "same.py").write_text("same = 1\n")
    (project / "model.py").write_text("".join(f"line{number} = {number}\n" for number in range(30)))
    (project / "old.py").write_text("old\n")
    (project / "data.bin").write_bytes(b"\0\1")

    def train(lr, **more):
        config = {"PROJECT_ROOT": str(project), "LOG_ROOT": str(root)}
        with rla.run(task="t", config=config, writers=["csv"], lr=lr, width=64, layers=[64, 64], **more):
            for step in range(3):
                rla.log({"loss": lr / (step + 1), "text": f"s{step}"}, step=step)

    train(0.1)
    text = (project / "model.py").read_text()
    (project / "model.py").write_text(text.replace("line20 = 20", "line20 = '[bold]'"))
    (project / "old.py").unlink()
    (project / "new.py").write_text("new\n")
    (project / "data.bin").write_bytes(b"\0\2")
    train(0.2, extra=None)
    train(0.1, backup="none")
    return root


def test_json_has_what_differs(log_root, command):
    """Parameters, last and extreme values of metrics, and the unified diff of each text."""
    document = command("compare", "latest~2", "latest~1", "--json", "--log-root", log_root).json
    assert document["parameters"] == {"lr": [0.1, 0.2]}
    assert document["metrics"]["loss last"] == [0.1 / 3, 0.2 / 3] and document["metrics"]["loss max"] == [0.1, 0.2]
    assert document["metrics"]["text last"] == ["s2", "s2"] and "text max" not in document["metrics"]
    (code,) = document["code"]
    kinds = {change["path"]: change["kind"] for change in code["changes"]}
    assert kinds == {
        "data.bin": "binary",
        "model.py": "text",
        "new.py": "only in the second",
        "old.py": "only in the first",
    }
    (lines,) = (change["lines"] for change in code["changes"] if change["kind"] == "text")
    assert lines[:3] == ["--- a/model.py", "+++ b/model.py", "@@ -18,7 +18,7 @@"]
    assert lines[6:8] == ["-line20 = 20", "+line20 = '[bold]'"]
    everything = command("compare", "latest~2", "latest~1", "--all", "--json", "--log-root", log_root).json
    assert everything["parameters"]["width"] == [64, 64] and everything["parameters"]["layers"] == [[64, 64]] * 2


def test_the_diff_can_be_applied(log_root, command, tmp_path):
    """What is printed is what patch takes."""
    import shutil

    runs = rla.runs(log_root)
    out = command("compare", "latest~2", "latest~1", "--log-root", log_root).out
    assert "[bold]" in out and "\x1b" not in out
    shutil.copy(runs[0].code_dir / "model.py", tmp_path / "model.py")
    os.chmod(tmp_path / "model.py", 0o644)
    diff = out[out.index("--- a/model.py") : out.index("  new.py: only in the second")]
    done = subprocess.run(["git", "apply", "-"], input=diff, text=True, cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "model.py").read_bytes() == (runs[1].code_dir / "model.py").read_bytes()


def test_the_last_two_are_compared_by_default(log_root, command):
    """In a pipe a name is one line; where one has no code, that is said."""
    out = command("compare", "--log-root", log_root).out
    ids = [run.id[:4] for run in rla.runs(log_root)]
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ids[1:]
    assert "  lr  0.2   0.1" in lines and f"code: not backed up in {ids[2]}" in lines
    assert not [line for line in lines if line != line.rstrip()]


def test_many_runs_are_compared_with_the_first(log_root, command):
    """By numbers of lines; the diffs are there on demand, and no code if it is not wanted."""
    ids = [run.id[:4] for run in rla.runs(log_root)]
    out = command("compare", "-n", "3", "--log-root", log_root).out
    assert f"code {ids[0]} -> {ids[1]}\n" in out and "  model.py: 1 lines more, 1 lines less\n" in out
    assert f"code {ids[0]} -> {ids[2]}: not backed up in {ids[2]}\n" in out
    assert "+line20 = '[bold]'\n" in command("compare", "-n", "3", "--code", "--log-root", log_root).out
    assert "code" not in command("compare", "-n", "3", "--no-code", "--log-root", log_root).out


def test_equal_runs_have_no_difference(log_root, command):
    """It is said, part by part."""
    with rla.run(task="t", log_root=log_root.parent / "equal", writers=["csv"], backup="none", lr=1) as run:
        rla.log({"loss": 1.0}, step=0)
    import shutil

    shutil.copytree(run.log_dir, run.log_dir.with_name("12-00-00-000000_10.0.0.5"))
    out = command("compare", "-n", "2", "--log-root", log_root.parent / "equal").out
    assert "parameters: no difference\n" in out and "versions: no difference\n" in out


def test_parameters_have_all_digits(tmp_path, command):
    """Two that differ look different, and 1.0 is no integer."""
    for lr in (0.30000000000000004, 1.0, 0.3):
        with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none", lr=lr):
            pass
    lines = command("compare", "latest~2", "latest~1", "latest", "--log-root", tmp_path).out.splitlines()
    assert "  lr  0.30000000000000004  1.0  0.3" in [re.sub(" {3,}", "  ", line.rstrip()) for line in lines]


def test_packages_and_python_are_compared(tmp_path, command):
    """As the runs noted them."""
    import json

    for number in range(2):
        with rla.run(task="t", log_root=tmp_path, writers=["csv"], backup="none") as run:
            pass
        folder = run.code_dir / ".rla"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "packages.txt").unlink(missing_ok=True)
        (folder / "packages.txt").write_text(f"same==1\nnumpy==1.{number}\n" + "only==2\n" * number)
        content = json.loads((run.log_dir / "run.json").read_text())
        (run.log_dir / "run.json").write_text(json.dumps(content | {"python": f"3.1{number}", "git": {"commit": "a"}}))
    document = command("compare", "--json", "--log-root", tmp_path).json
    assert document["versions"] == {
        "python": ["3.10", "3.11"],
        "package numpy": ["1.0", "1.1"],
        "package only": [None, "2"],
    }


def test_one_run_is_a_mistake(log_root, command):
    """It says how to name two."""
    done = command("compare", "latest", "--log-root", log_root)
    assert done.code == 2 and "rla compare latest~1 latest" in done.err


def test_runs_that_do_not_fit_a_terminal_stand_below_each_other(log_root, in_terminal):
    """Each table has the names again, and no line is broken."""
    text = in_terminal("compare", "-n", "3", "--no-code", "--log-root", log_root, columns=36)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    values = lines[lines.index("metrics") :]
    assert max(map(len, lines)) <= 36 and len([line for line in values if line.startswith("  loss last")]) == 2


def test_code_of_anybody_is_bounded(tmp_path, monkeypatch):
    """Links are not followed, large files not shown, devices not opened, and neither is what cannot be read."""
    first, second = tmp_path / "a", tmp_path / "b"
    for folder, letter in ((first, "a"), (second, "b")):
        folder.mkdir()
        (folder / "large.txt").write_text(letter * (2 << 20))
        (folder / "equal.txt").write_text("c" * (2 << 20))
        (folder / "broken.txt").write_bytes(b"\xff\xfe" + letter.encode())
        (folder / "link").symlink_to("/dev/zero")
        (folder / "circle").symlink_to(folder)
        if hasattr(os, "mkfifo"):
            os.mkfifo(folder / "fifo")
        (folder / "long.txt").write_text("".join(f"{letter}{number}\n" for number in range(6000)))
    kinds = {change.path: change.kind for change in codediff.changes(first, second)}
    assert kinds == {"broken.txt": "text", "large.txt": "too large", "long.txt": "too large"}
    monkeypatch.setattr(codediff, "_MAX_FILES", 2)
    assert len(list(codediff.changes(first, second))) <= 2


def test_files_that_are_links_to_the_same_data_are_not_read(log_root, monkeypatch):
    """As those of two runs of an unchanged project are: thousands of files cost one look each."""
    asked = []
    monkeypatch.setattr(codediff, "read_bytes", lambda path, limit: asked.append(path.name) or b"")
    runs = rla.runs(log_root)
    list(codediff.changes(runs[0].code_dir, runs[1].code_dir))
    assert sorted({*asked}) == ["data.bin", "model.py"]


@pytest.mark.parametrize("old", ["a\nb\n", "a\nb", "", "\n"])
@pytest.mark.parametrize("new", ["a\nc\n", "a\nc", "a\n\nb\n", "b"])
def test_a_diff_of_the_last_line_can_be_applied(tmp_path, old, new):
    """With and without a newline at the end of the file."""
    (tmp_path / "x.py").write_text(old)
    text = "\n".join(codediff.unified(old, new, "x.py")) + "\n"
    subprocess.run(["git", "apply", "--unsafe-paths", "-"], cwd=tmp_path, input=text, text=True, check=True)
    assert (tmp_path / "x.py").read_text() == new


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    """Two runs whose paths differ behind a hundred characters, and metrics that differ at the end of their names."""
    root = tmp_path_factory.mktemp("alike")
    for kind in ("first", "second"):
        with rla.run(task="t", log_root=root, writers=["csv"], backup="none", path=f"{'/models' * 30}/{kind}.pt"):
            rla.log({f"{'of/' * 60}{number}": 0.1 + number for number in range(120)})
    return root


def test_what_differs_looks_different_on_a_terminal(alike, in_terminal):
    """Values and names that are too long begin shortly before the place where they differ."""
    for width in (80, 200):
        text = re.sub(r"\x1b\[[0-9;]*m", "", in_terminal("compare", "--no-code", "--log-root", alike, columns=width))
        lines = text.splitlines()
        (path,) = (line for line in lines if line.startswith("  path"))
        assert "first.pt" in path and "second.pt" in path and max(map(len, lines)) <= width
        names = [line.split()[0] for line in lines if line.endswith("0.1")]
        assert names and len({line.rsplit(None, 2)[0] for line in lines if " last " in line}) == 100


def test_a_pipe_has_all_of_it(alike, command):
    """Whole values, whole names, all digits."""
    out = command("compare", "--no-code", "--log-root", alike).out
    assert f"{'/models' * 30}/first.pt" in out and f"{'of/' * 60}99 last" in out and "99.1" in out


def test_metrics_that_are_left_out_are_counted(alike, command):
    """JSON has all of them."""
    assert "... and 20 more: --all" in command("compare", "--no-code", "--log-root", alike).out
    assert len(command("compare", "--json", "--log-root", alike).json["metrics"]) == 360


def test_a_task_chooses_runs_and_the_newest_are_kept(log_root, alike, command):
    """--task counts as --where does; -n keeps the newest, in the order of the words; one run cannot be compared."""
    assert len(command("compare", "--task", "t", "--json", "--log-root", log_root).json["runs"]) == 3
    words = "latest", "latest~2", "latest~1", "-n", "2"
    found = command("compare", *words, "--json", "--log-root", log_root).json["runs"]
    assert [run["id"] for run in found] == [rla.runs(log_root)[number].id for number in (2, 1)]
    done = command("compare", "-n", "1", "--log-root", log_root)
    assert done.code == 2 and "there is one run only" in done.err
