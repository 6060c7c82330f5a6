"""RLA's small helpers."""

from __future__ import annotations

import os
import platform

import pytest
import yaml

from rla_hooks.const import PLATFORM_TYPE
from rla_hooks.utils.utils import (
    deprecated_alias,
    get_dir_seperator,
    get_sys_type,
    load_yaml,
    optional_set,
    set_or_append,
    set_or_keep,
)

pytestmark = pytest.mark.usefixtures("quiet")


def test_a_yaml_file_is_read_and_runs_nothing(tmp_path):
    """RLA's example config, whatever it holds; what would make an object is an error that names the line."""
    (tmp_path / "good.yaml").write_text("BACKUP_CONFIG:\n  backup_code_dir: [proj]\nSEND_LOG_FILE: False\n")
    assert load_yaml(tmp_path / "good.yaml") == {"BACKUP_CONFIG": {"backup_code_dir": ["proj"]}, "SEND_LOG_FILE": False}
    (tmp_path / "bad.yaml").write_text(f"a: 1\nb: !!python/object/apply:os.mkdir ['{tmp_path}/harm']\n")
    with pytest.raises(yaml.YAMLError, match="line 2"):
        load_yaml(tmp_path / "bad.yaml")
    assert not (tmp_path / "harm").exists()


def test_arguments_under_older_names_are_taken():
    """With a warning at the caller's line; both names at once are a mistake."""

    @deprecated_alias(lr="learning_rate", n="steps")
    def train(learning_rate, steps=1):
        """Train."""
        return learning_rate, steps

    with pytest.warns(DeprecationWarning, match="lr is called learning_rate now") as caught:
        assert train(lr=0.1, steps=3) == (0.1, 3)
    assert caught[0].filename == __file__ and train.__doc__ == "Train."
    with pytest.raises(TypeError, match="train got both lr and learning_rate"):
        train(lr=0.1, learning_rate=0.2)


def test_dicts_and_systems():
    """What these helpers have always done."""
    found = {"a": [1]}
    set_or_append(found, "a", 2)
    set_or_append(found, "b", 3)
    set_or_keep(found, "b", 4)
    set_or_keep(found, "c", 5)
    assert found == {"a": [1, 2], "b": [3], "c": 5}
    assert (optional_set(None, 1), optional_set(0, 1)) == (1, 0)
    assert get_dir_seperator() == os.sep
    assert get_sys_type() == {"Linux": PLATFORM_TYPE.LINUX, "Windows": PLATFORM_TYPE.WIN}.get(
        platform.system(), PLATFORM_TYPE.OTHER
    )
