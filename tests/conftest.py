"""No test sees the developer's environment, or leaves a run or a warning to the next one. More is in fixtures/."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from rla_hooks import errors, ranks, testing

os.environ["MPLBACKEND"] = "agg"  # no window opens while somebody runs the tests
HERE = Path(__file__).parent


def _beside(name: str):
    """The module of a file beside this one: nothing of the tests is on the import path."""
    spec = importlib.util.spec_from_file_location(Path(name).name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pytest_configure(config):
    """All tests have the fixtures of the files in fixtures/."""
    for file in sorted((HERE / "fixtures").glob("*.py")):
        config.pluginmanager.register(_beside(f"fixtures/{file.stem}"), f"fixtures.{file.stem}")


@pytest.fixture(scope="session")
def beside():
    """Gives the module of a file beside this one."""
    return _beside


def pytest_collection_modifyitems(config, items):
    """``make test`` tries a test that fails once more, and lists it; one that is marked ``norerun`` it does not."""
    if config.pluginmanager.hasplugin("rerunfailures"):
        for item in items:
            if item.get_closest_marker("norerun"):
                item.add_marker(pytest.mark.flaky(reruns=0))


# What the developer's shell, or a launcher around the tests, would say to every run.
FOREIGN_VARIABLES = [
    *("RLA_CONFIG", "RLA_MODE", "RLA_RUN_OF_RANK_ZERO", "RLA_RUN_ID", "TF_CONFIG", "TORCHELASTIC_RUN_ID"),
    *("RLA_RESUME", "RLA_RESUMED", "RLA_RESUME_ALLOW", "RLA_RESUME_FROM_START", "RLA_RESUME_SAME_CODE"),
    *("RLA_RESUME_REASON", "RLA_RESTORED_CODE", "RLA_FORK", "RLA_FORK_STEP"),
    *("RLA_RERUN", "RLA_RERUN_SET", "RLA_RERUN_CLAIM"),
    *("RLA_GRACE", "RLA_EXIT_CODE", "RLA_REQUEUE", "OPENAI_LOGDIR", "OPENAI_LOG_FORMAT"),
    *("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "PMIX_NAMESPACE", "SLURM_RESTART_COUNT"),
    *("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", *ranks._RANK_VARIABLES),
]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """No test reads or writes the caches of the developer, but for matplotlib's list of fonts, which takes seconds."""
    folder = tmp_path_factory.mktemp("cache")
    fonts = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "matplotlib")
    if os.name == "posix" and fonts.is_dir():
        (folder / "matplotlib").symlink_to(fonts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def patience():
    """The machine may be busy, and stand still for seconds: what is given up in earnest is waited for in the tests.

    And programs that tests start write a line by one write, also where the developer's Python does not buffer: what
    others write cannot come in between.
    """
    from rla_hooks.query import database
    from rla_hooks.snapshot import git

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(git, "TIMEOUT", 120.0)
        patch.setattr(database, "BUSY", 120.0)
        patch.delenv("PYTHONUNBUFFERED", raising=False)
        yield


@pytest.fixture(scope="session")
def clean_environment():
    """Takes those variables out of the environment for as long as the given MonkeyPatch lasts."""

    def clean(monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in FOREIGN_VARIABLES:
            monkeypatch.delenv(variable, raising=False)

    return clean


@pytest.fixture(autouse=True)
def warnings_as_text(monkeypatch):
    """The tests make warnings errors, which stop no run: one that a test does not expect fails it at its end.

    Tests of such warnings take this list and clear it.
    """
    texts: list[str] = []
    monkeypatch.setattr(errors, "_print_as_text", lambda text, file, line: texts.append(text))
    yield texts
    assert texts == []


@pytest.fixture(autouse=True)
def quick_pdfs(request, monkeypatch):
    """A PDF has TrueType fonts only in tests that look at them: their subsets take longer than the drawing."""
    saving = sys.modules.get("rla_hooks.figures.saving")
    if saving is not None and "true_type" not in request.keywords:
        monkeypatch.setattr(saving, "_FONTS", 3)


@pytest.fixture
def quiet(tmp_path, monkeypatch, clean_environment):
    """No test writes into the repository, sees the developer's environment, or leaves an open run to the next one."""
    clean_environment(monkeypatch)
    monkeypatch.chdir(tmp_path)
    yield
    testing.reset()


@pytest.fixture
def own_home(tmp_path, monkeypatch, clean_environment):
    """No test sees a config or a variable of the machine it runs on: the home folder is the temporary one."""
    clean_environment(monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))


@pytest.fixture(scope="session")
def write_config():
    """Writes a config file, and the folders above it, and returns its path."""

    def write(folder: Path, text: str | bytes, name: str = "rla_config.yaml") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write
