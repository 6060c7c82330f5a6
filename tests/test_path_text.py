"""RLA's folders are texts, and answer as pathlib's paths do."""

import copy
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest

from rla_hooks.path_text import PathText


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "runs" / "a b").mkdir(parents=True)
    (tmp_path / "runs" / "x.csv").write_text("1\n")
    return PathText.of_folder(tmp_path / "runs")


def test_a_folder_is_a_text_with_one_slash_at_the_end(folder, tmp_path):
    """As RLA's scripts put names behind it; a slash that is there is not doubled."""
    text = f"{tmp_path}/runs/"
    assert isinstance(folder, str) and [folder, f"{folder}", str(folder), folder.format()] == [text] * 4
    assert PathText.of_folder(text) == text and PathText.of_folder(folder) == text
    assert folder + "imgs/x.png" == text + "imgs/x.png" and type(folder + "x") is str
    assert folder.split("/")[-2] == "runs" and folder.replace("runs", "x").endswith("/x/") and "runs" in folder
    assert os.path.join(folder, "x.csv") == text + "x.csv" and json.dumps({"dir": folder}) == json.dumps({"dir": text})


def test_a_folder_answers_as_a_path_does(folder, tmp_path):
    """``/``, names and what is on the disk."""
    path = tmp_path / "runs"
    assert folder / "x.csv" == path / "x.csv" and tmp_path / folder == path and "/" / folder == path
    assert folder.exists() and folder.is_dir() and folder.name == "runs" and folder.parent == tmp_path
    assert sorted(folder.glob("*")) == sorted(path.iterdir()) and folder.joinpath("x.csv").read_text() == "1\n"
    assert Path(folder) == path and os.listdir(folder) == os.listdir(path)
    shutil.copytree(folder, tmp_path / "copy")
    with open(folder + "x.csv") as file:
        assert file.read() == (tmp_path / "copy" / "x.csv").read_text()
    assert {"glob", "split"} <= set(dir(folder))
    with pytest.raises(AttributeError, match="no_such_thing"):
        folder.no_such_thing  # noqa: B018


def test_it_equals_the_path_and_the_text(folder, tmp_path):
    """Either way round; another folder is another one, and so is a text without the slash."""
    path = tmp_path / "runs"
    assert folder == path and path == folder and path in [folder]
    assert (folder != path, path != folder) == (False, False)
    assert folder == f"{path}/" and folder != str(path) and folder != tmp_path and folder != 3
    assert {folder: 1}[f"{path}/"] == 1


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_copy_is_the_same(way, folder):
    """A Tester is copied to other processes with them."""
    twin = way(folder)
    assert type(twin) is PathText and twin == folder and twin.name == "runs"
