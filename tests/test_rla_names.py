"""The public names of the original RLA: each is here, or docs/rla.md says what to use instead."""

from __future__ import annotations

import fnmatch
import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("rla_names", Path(__file__).parents[1] / "docs" / "rla_names.py")
rla_names = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rla_names)


@pytest.fixture(scope="module")
def living(tmp_path_factory):
    """A tester whose run has begun, and other objects by the names of their classes."""
    from rla_hooks import query_tool, testing
    from rla_hooks.easy_log import exp_loader, logger
    from rla_hooks.easy_log.tester import Tester

    tester = Tester()
    tester.set_hyper_param(seed=1)
    tester.configure("names", data_root=str(tmp_path_factory.mktemp("root")), backup="none", writers=["csv", "log"])
    tester.log_files_gen()
    yield {
        "easy_log.tester.Tester": tester,
        "easy_log.exp_loader.ExperimentLoader": exp_loader.ExperimentLoader(),
        "easy_log.logger.Logger": logger.Logger.CURRENT,
        "query_tool.BasicQueryResult": query_tool.BasicQueryResult("folder"),
        "query_tool.CkpResult": query_tool.CkpResult("folder", []),
        "query_tool.HyperParamResult": query_tool.HyperParamResult("folder", {}),
        "query_tool.OtherQueryResult": query_tool.OtherQueryResult("folder", 0.0, "file"),
    }
    tester.finish()
    testing.reset()


def test_every_name_that_is_not_gone_is_here(living):
    """What the table calls same or other can be imported, or is an attribute of a tester, a loader or a logger."""
    missing = []
    for name in rla_names.read_names():
        try:
            if name.kind != "gone":
                rla_names.find(name.path, living)
        except AttributeError:
            missing.append(name.path)
    assert missing == []


def test_the_same_functions_take_the_same_arguments(living):
    """Arguments by name: what is the same takes all that RLA took in any of its lines."""
    refused = {}
    for name in rla_names.read_names():
        if name.kind == "same":
            refused[name.path] = rla_names.refused(name, rla_names.find(name.path, living))
    assert {path: arguments for path, arguments in refused.items() if arguments} == {}


def test_at_most_a_tenth_is_gone():
    """FTP, mail and TensorFlow's inside do not count."""
    names = [name for name in rla_names.read_names() if not name.is_foreign]
    assert sum(name.kind == "gone" for name in names) <= len(names) / 10


def test_each_difference_is_one_of_a_name():
    """No line of the differences speaks of a name that RLA does not have, or that a line before has taken."""
    named = {(name.kind, name.remark) for name in rla_names.read_names()}
    paths = [name.path for name in rla_names.read_names()]
    for kind, pattern, remark in rla_names.read_differences():
        assert (kind, remark) in named and fnmatch.filter(paths, pattern), pattern


def test_the_page_has_the_table():
    """docs/rla.md is as docs/rla_names.py writes it."""
    assert rla_names.page() == rla_names.PAGE.read_text(), "run: python docs/rla_names.py"
