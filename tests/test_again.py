"""``upkeep.rerun``: a run again on the code that it has kept, whatever has become of its source."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.errors import ConfigError, RLAError
from rla_hooks.snapshot.codediff import changes

pytestmark = pytest.mark.usefixtures("quiet")

# A script with a loop, which reads a config by its path, data, and another file that it executes.
SCRIPT = """
import argparse, os, runpy, sys, time
from pathlib import Path
import yaml
import rla_hooks as rla
import model

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--name")
parser.add_argument("--api-key")
given = parser.parse_args()

@rla.track(task="t", log_root="root", writers=["csv"], record=["lr", "seed"])
def main(lr, seed, name, api_key, layers=(64, 64)):
    with open("conf/scale.yaml") as file:
        scale = yaml.safe_load(file)["scale"]
    exec(open("more.py").read(), globals())
    assert Path("gone.cfg").read_text() == "then" and runpy.run_path("more.py")["more"] == more
    Path("written.txt").write_text("new")
    data = float(Path("data.txt").read_text()) + float((Path(__file__).parent / "data.txt").read_text())
    for step in range(3):
        rla.log({"value": scale * model.value(step) + data + lr, "script": 1, "more": more}, step=step)
    assert Path("written.txt").read_text() == "new"
    print(lr, seed, name, api_key, layers)
    if seed == 7:
        sys.exit(3)
    if seed == 8:
        Path("waits").touch()
        time.sleep(60)

if __name__ == "__main__":
    for seed in range(3):
        main(given.lr, seed, given.name, given.api_key)
"""
# A module of a package, which changes its folder; with a run around that of the function, and one within it.
MODULE = """
import os, sys
import rla_hooks as rla
from . import model

options = {"writers": ["csv"], "log_root": os.path.abspath("root")}

@rla.track(task="inner", **options)
def inner(depth, config):
    rla.log({"value": model.value(depth), "script": 1}, step=0)
    if depth == 1:
        inner(2, config)

@rla.track(task="entry", **options)
def entry(lr):
    rla.log({"value": lr + model.value(0), "script": 1}, step=0)

@rla.track(task="outer", **options)
def outer():
    for depth in range(3):
        inner(depth, {"width": 64, "secret_key": os.environ.get("KEY")})

if __name__ == "__main__":
    os.makedirs("outputs/1", exist_ok=True)
    os.chdir("outputs/1")
    outer()
"""
# Blocks, whose hyper-parameters nobody can set.
BLOCKS = """
import rla_hooks as rla
for seed in range(3):
    with rla.run(task="block", writers=["csv"], log_root="root", seed=seed):
        rla.log({"value": seed, "script": 1}, step=0)
    print("block", seed)
"""


def write(project, version):
    """The source, in its first or its second version."""
    old = version == 1
    for folder in ("pkg", "conf"):
        (project / folder).mkdir(exist_ok=True)
    for path, text in {"train.py": SCRIPT, "pkg/train.py": MODULE, "blocks.py": BLOCKS}.items():
        (project / path).write_text(text if old else text.replace('"script": 1', '"script": 2'))
    for folder in (project, project / "pkg"):
        (folder / "model.py").write_text(f"def value(step):\n    return step + {10 * version}\n")
    (project / "conf/scale.yaml").write_text(f"scale: {version}\n")
    (project / "more.py").write_text(f"more = {version}\n")
    (project / "keys.yaml").write_text("password: hunter2abcd\n")
    (project / "gone.cfg").write_text("then") if old else (project / "gone.cfg").unlink(missing_ok=True)
    (project / "data.dvc").write_text(f"outs:\n- md5: {version}a3f5b7c9\n  path: data\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project, the runs of its programs, and source that has been edited since. Its folder's name has a blank."""
    folder = tmp_path_factory.mktemp("again") / "a project"
    folder.mkdir()
    for name in ("pyproject.toml", "pkg/__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / ".gitignore").write_text("data.txt\nwritten.txt\noutputs\n")
    programs = folder / "env" / "bin"  # an environment within the project, with a console script
    programs.mkdir(parents=True)
    (programs.parent / "pyvenv.cfg").touch()
    (programs / "my-train").write_text("from pkg.train import entry\nimport sys\nentry(float(sys.argv[1]))\n")
    (folder / "data.txt").write_text("0.5")
    (folder / "written.txt").write_text("old")
    write(folder, 1)
    bare = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    bare["PYTHONPATH"] = str(folder)
    words = [["train.py", "--name", "b c", "--api-key", "sk-12345678"], ["-m", "pkg.train"], ["blocks.py"]]
    for each in (*words, [str(programs / "my-train"), "0.5"]):
        command = [sys.executable, *each]
        subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True, env=bare)
    write(folder, 2)
    return folder


@pytest.fixture
def root(project, monkeypatch):
    monkeypatch.setenv("API_KEY", "of the environment")
    return project / "root"


def first(root, task, **params):
    return next(run for run in rla.runs(root, task) if params.items() <= run.hparams.items() and run.rerun_of is None)


def rows_of(run):
    return run.metrics().drop(columns="timestamp").to_dict("list")


def check_same(old, new):
    """What rla compare compares."""
    assert new.id != old.id and new.rerun_of == {"run": old.name, "id": old.id}
    assert (new.status, rows_of(new), new.hparams) == ("finished", rows_of(old), old.hparams)
    assert not [*changes(old.code_dir, new.code_dir)] and new.run_json["git"] == old.run_json["git"]
    for path in old.code_dir.rglob("*.py"):  # of another mode it would be stored once more
        assert (new.code_dir / path.relative_to(old.code_dir)).stat().st_mode == path.stat().st_mode
    assert new.run_json["code"]["project"] == old.run_json["code"]["project"]


def test_one_run_of_a_loop(root, capfd):
    """The call gets the arguments of the run, and the other calls are left out; secrets are those of now."""
    old, count = first(root, "t", seed=1), len(rla.runs(root))
    new = upkeep.rerun(old)
    check_same(old, new)
    out, err = capfd.readouterr()
    assert out == "0.1 1 b c of the environment (64, 64)\n" and len(rla.runs(root)) == count + 1
    assert "has been repeated: further runs of train.py:main are left out" in err
    again = upkeep.rerun(new)
    check_same(new, again)
    assert rla.runs(root, where=f"rerun_of == '{old.id}'") == [new]
    assert again.run_json["command"][1:] == ["train.py", "--name", "b c", "--api-key", "***"]


def test_other_values_and_seeds(root, capfd):
    """Each seed is a run of its own; one that fails stops no other."""
    old = first(root, "t", seed=0)
    new = upkeep.rerun(old, {"lr": 1, "layers": [8], "api_key": "given"})
    assert new.hparams == {**old.hparams, "lr": 1.0, "layers": [8]} and new.rerun_of["id"] == old.id
    assert capfd.readouterr().out == "1.0 0 b c given (8,)\n"
    done = upkeep.rerun(old.id, seeds="7,3", log_root=root)
    assert [(each.seed, each.exit_code, each.run.status, each.run.hparams["seed"]) for each in done] == [
        (7, 3, "failed", 7),
        (3, 0, "finished", 3),
    ]
    assert rows_of(done[1].run) == rows_of(old)


def test_a_run_within_a_run_of_a_package(root, capfd):
    """``python -m``, from the folder in which it was started, though the program had changed that."""
    old = first(root, "inner", depth=1)
    assert old.run_json["folder"].endswith("outputs/1") and old.parent is not None
    count = {task: len(rla.runs(root, task)) for task in ("inner", "outer")}
    new = upkeep.rerun(old, {"config.width": 64})
    check_same(old, new)
    inner, outer = rla.runs(root, "inner"), rla.runs(root, "outer")
    assert (len(inner), len(outer)) == (count["inner"] + 2, count["outer"] + 1)  # with the one within it
    assert inner[-1].parent == new.name and inner[-1].rerun_of is None and new.parent == outer[-1].name
    assert outer[-1].status == "finished"  # it has been left
    again = upkeep.rerun(new)
    check_same(new, again)
    assert again.run_json["command"] == old.run_json["command"]  # from the same folder
    capfd.readouterr()


def test_a_console_script(root, monkeypatch):
    """Of an environment in the project, which is none of its code; what it imports from there is."""
    old = first(root, "entry")
    monkeypatch.setenv("PYTHONPATH", str(root.parent))
    check_same(old, upkeep.rerun(old))


def test_a_block(root, capfd):
    """That with the same hyper-parameters is the one; none can be set."""
    old = first(root, "block", seed=1)
    new = upkeep.rerun(old)
    check_same(old, new)
    assert capfd.readouterr().out == "block 0\nblock 1\n"
    with pytest.raises(ConfigError, match=r"those of a block .* nothing can be set from outside"):
        upkeep.rerun(old, {"seed": 3})
    with pytest.raises(ConfigError, match="those of a block"):
        upkeep.rerun(old, seeds=[3])


def edited(run, **content):
    known = json.loads(run.paths.run_json.read_text())
    run.paths.run_json.write_text(json.dumps(known | content))
    return known


@pytest.fixture
def edit(root):
    """Changes the run.json of a run, for as long as the test lasts."""
    before = []

    def change(run, **content):
        before.append((run.paths.run_json, run.paths.run_json.read_bytes()))
        edited(run, **content)

    yield change
    for path, content in reversed(before):
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"command": None}, "does not say by which command it was started"),
        ({"command": ["python", "-m", "ipykernel_launcher"]}, "was started in a notebook. Run its cells again"),
        ({"command": ["python", "-c", "main()"]}, "was started neither by a script nor by python -m"),
        ({"command": ["python", "nosuch.py"]}, "the copy of its code is not complete: it has no nosuch.py"),
        ({"command": ["python", "/nosuch/train.py"]}, "/nosuch/train.py is not there"),
        ({"command": ["python", "train.py", "http://a:***@h"]}, r"masked in run.json: http://a:\*\*\*@h\. Print"),
        ({"command": ["python", "train.py", "--token=***"]}, "masked in run.json: token. Set TOKEN in the environment"),
        ({"folder": "/nosuch"}, "was started in /nosuch, which is not there. Say in which folder it is to run: --in"),
        ({"launch": "h:29500 of 4 try 0"}, "a launcher had started .* Let the same launcher start rla: torchrun"),
        ({"status": "odd"}, "it is damaged: run.json cannot be read"),
    ],
)
def test_what_cannot_run_again(root, edit, content, told):
    """The error says why, and what to do; nothing is created."""
    run, count = first(root, "t", seed=2), len(rla.runs(root))
    edit(run, **content)
    with pytest.raises(RLAError, match=told):
        upkeep.rerun(run.name, log_root=root)
    assert len(rla.runs(root)) == count


def test_all_mistakes_are_told_at_once(root, edit):
    """Also those that have nothing to do with each other; and a run without code."""
    run = first(root, "t", seed=2)
    edit(run, command=["python", "train.py", "--token=***"])
    with pytest.raises(ConfigError, match="3 mistakes") as told:
        upkeep.rerun(run.name, {"ler": 1, "seed": "a"}, log_root=root)
    assert all(f"the run {run.id} " in problem for problem in told.value.problems)
    with pytest.raises(ConfigError, match="seeds is"):
        upkeep.rerun(first(root, "t", seed=1), seeds=[])
    with rla.run(task="bare", log_root=root, writers=["csv"], backup="none") as bare:
        pass
    with pytest.raises(RLAError, match=r"no copy of its code \(backup='none'\)\. .* on the code of now, as it is: cd "):
        upkeep.rerun(bare)


def test_on_another_machine(root, tmp_path, edit, capfd):
    """The project, its folder and its Python are gone: --in says where to run, and the config is that of the code."""
    old = first(root, "inner", depth=0)
    gone = "/nosuch/a project"
    code = {**old.run_json["code"], "project": gone}
    edit(old, folder=f"{gone}/outputs/1", code=code, command=["/nosuch/bin/python", "-m", "pkg.train"])
    run = next(each for each in rla.runs(root) if each.id == old.id)
    new = upkeep.rerun(run, folder=tmp_path, into=tmp_path / "the code")
    assert rows_of(new) == rows_of(old) and new.rerun_of["id"] == old.id
    assert new.paths.log_root == tmp_path / "root" and new.run_json["code"]["project"] == gone
    assert (tmp_path / "the code" / "pkg" / "train.py").is_file()
    with pytest.raises(ConfigError, match="is there already"):
        upkeep.rerun(run, folder=tmp_path, into=tmp_path / "the code")
    capfd.readouterr()


def test_what_is_not_as_it_was(root, edit):
    """Python, packages, and data that DVC has noted."""
    from rla_hooks.upkeep.rerun_plan import RerunPlan

    run = first(root, "t", seed=2)
    edit(run, python="3.1.4", git={"commit": "a" * 40})
    listed = run.code_dir / ".rla" / "packages.txt"
    text = listed.read_text()
    (listed.parent / "packages.new").write_text(text.replace("\npyyaml==", "\npyyaml==0.") + "nosuch-package==1.0\n")
    (listed.parent / "packages.new").replace(listed)  # the file itself is shared with other runs
    plan = RerunPlan(next(each for each in rla.runs(root) if each.id == run.id))
    keys = root.parent / "keys.yaml"
    keys.write_text(f"user: b\n{keys.read_text()}")
    told = [str(each) for each in plan.differences()]
    now = ".".join(map(str, sys.version_info[:3]))
    assert f"Python was 3.1.4, and is {now}" in told
    names = [each.partition(" was ")[0] for each in told]
    assert names[:3] == ["Python", "pyyaml", "nosuch-package"]  # what the code imports comes first
    assert told[2] == "nosuch-package was 1.0, and is not there" and told[1].startswith("pyyaml was 0.")
    assert "data: data.dvc was 1a3f5b7c9, and is 2a3f5b7c9" in told
    assert "keys.yaml: not restored: its secrets were masked, and it has changed since" in told
    assert "git: the commit of the project was aaaaaaaaaaaa, and is not there" in told and len(told) == 6
    write(root.parent, 2)


def test_an_environment_like_then(root, tmp_path, monkeypatch, edit, capfd):
    """A wheel that is there is installed; rla_hooks is that of now. It is made once."""
    import zipfile

    from rla_hooks.upkeep import environment

    info = "old_package-1.0.dist-info"
    with zipfile.ZipFile(tmp_path / "old_package-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("old_package.py", "version = 1\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: old-package\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    run = first(root, "t", seed=2)
    then = environment.Environment("3.11.0", "CPython", {"old-package": "1.0", "rla-hooks": "0.0", "pip": "1"})
    monkeypatch.setattr(environment, "recorded", lambda run: then)
    told = []
    python = environment.make(run, sys.executable, tmp_path / "env", None, told.append)
    asked = "import old_package, rla_hooks._version, rla_hooks.integrations; print(rla_hooks.__file__)"
    done = subprocess.run([python, "-I", "-c", asked], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith(str(tmp_path / "env")) or "yaml" in done.stderr, done.stderr
    assert environment.of_interpreter(python).packages["old-package"] == "1.0"
    assert environment.make(run, sys.executable, tmp_path / "env", None, told.append) == python and len(told) == 1
    lacking = then._replace(packages={"nosuch-package-at-all": "1"})
    monkeypatch.setattr(environment, "recorded", lambda run: lacking)
    with pytest.raises(RLAError, match=r"the environment could not be made: .*\n.*nosuch-package-at-all"):
        environment.make(run, sys.executable, tmp_path / "env2", None, told.append)


def test_a_program_that_comes_to_no_such_run(root, edit, capfd):
    """It says so at its end, and the function raises."""
    run = first(root, "t", seed=2)
    edit(run, function="train.py:other")
    with pytest.raises(RLAError, match="has ended with 0, and has begun no run"):
        upkeep.rerun(run.name, log_root=root)
    assert "was not repeated: no call is of the task and function of the run" in capfd.readouterr().err
    for each in rla.runs(root, "t")[-3:]:
        assert each.rerun_of is None


def test_the_other_processes_of_a_pool(tmp_path, capfd):
    """One of them repeats the run; the calls of the others are left out, and the program has no error."""
    program = tmp_path / "pool.py"
    program.write_text(
        "import multiprocessing\n"
        "import rla_hooks as rla\n"
        "@rla.track(task='pool', log_root='root', writers=['csv'])\n"
        "def main(seed):\n"
        "    rla.log({'value': seed}, step=0)\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "        pool.map(main, range(4), chunksize=1)\n"
    )
    (tmp_path / "pyproject.toml").touch()
    subprocess.run([sys.executable, program], cwd=tmp_path, check=True, timeout=120, capture_output=True)
    old = first(tmp_path / "root", "pool", seed=3)
    done = upkeep.rerun(old, seeds=[9])
    assert [(each.exit_code, each.run.hparams) for each in done] == [(0, {"seed": 9})]
    assert len(rla.runs(tmp_path / "root")) == 5
    capfd.readouterr()


def test_an_example_whose_source_was_edited(tmp_path, capfd):
    """The last run of examples/sweep.py, in a short version."""
    pytest.importorskip("gymnasium")
    text = (Path(__file__).parents[1] / "examples" / "sweep.py").read_text()
    text = text.replace("TOTAL_STEPS = 10_000", "TOTAL_STEPS = 200").replace("SEEDS = range(5)", "SEEDS = range(2)")
    (tmp_path / "sweep.py").write_text(text)
    (tmp_path / "pyproject.toml").touch()
    subprocess.run([sys.executable, "sweep.py"], cwd=tmp_path, check=True, timeout=120, capture_output=True)
    (tmp_path / "sweep.py").write_text(text.replace("return total * ", "raise ").replace("0.05 *", "0.5 *"))
    old = rla.runs(tmp_path / "rla_data")[-1]
    new = upkeep.rerun(old)
    check_same(old, new)
    assert len(rla.runs(tmp_path / "rla_data")) == 7 and new.result == old.result and new.started > old.started
    capfd.readouterr()
