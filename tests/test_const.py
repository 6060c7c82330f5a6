"""RLA's constants: those of the folders, the columns and the writers that rla_hooks has."""

from __future__ import annotations

from pathlib import Path

import rla_hooks as rla
from rla_hooks import const, layout
from rla_hooks.easy_log import const as folders
from rla_hooks.writers import WRITERS
from rla_hooks.writers.base import STEP, TIME


def test_constants_have_the_names_that_are_used_here():
    """Scripts join paths of them, and look for columns."""
    assert {*folders.default_log_types} == {*layout.TREES} and folders.ARCHIVED_TABLE == layout.ARCHIVED
    assert (const.DEFAULT_X_NAME, const.DEFAULT_TIMESTAMP) == (STEP, TIME)
    assert {value for name, value in vars(folders.LogDataType).items() if not name.startswith("_")} <= {*WRITERS}
    assert f"{folders.HYPARAM_FILE_NAME}.json" == layout.RunPaths(Path(), "x").parameter_json.name


def test_constants_are_at_the_top_too():
    """As after ``from RLA import LOG``; a star import of rla_hooks does not have them."""
    for module in (const, folders):
        for name in module.__all__:
            if name != "LOAD_TESTER_MODE":  # of 2020, whose package had nothing at the top
                assert getattr(rla, name) is getattr(module, name) and name in dir(rla) and name not in rla.__all__
