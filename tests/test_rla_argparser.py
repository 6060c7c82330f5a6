"""RLA's helpers for argparse."""

from __future__ import annotations

import argparse
import json
import sys

import pytest

from rla_hooks.errors import ConfigError
from rla_hooks.rla_argparser import (
    CustomArgs,
    CustomBoolArgs,
    arg_parser_postprocess,
    boolean_flag,
    rla_get_args,
)

pytestmark = pytest.mark.usefixtures("quiet")
CONFIG = {
    "name": "ppo",
    "training": {"lr": 0.1, "steps": 10, "layers": [64, 64], "tags": [], "net": {"act": None, "norm": False}},
    "gpu": True,
    "help": "of the user",
}


@pytest.mark.parametrize(
    ("default", "words", "value"),
    [(False, [], False), (False, ["--use-gpu"], True), (True, ["--no-use-gpu"], False), (None, [], None)],
)
def test_a_flag_can_be_switched_on_and_off(default, words, value):
    """Its attribute has underscores; of both options the last one counts."""
    parser = argparse.ArgumentParser()
    boolean_flag(parser, "use-gpu", default=default, help="Train on it.")
    assert parser.parse_args(words).use_gpu is value
    assert parser.parse_args([*words, "--use-gpu", "--no-use-gpu"]).use_gpu is False
    assert "Train on it." in parser.format_help()


def test_options_of_a_loader_are_added():
    """Those of the user stay; the date has RLA's default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    args = arg_parser_postprocess(parser).parse_args(["--seed", "3", "--loaded_date", "2026/01/31/12-00-00-000000"])
    assert vars(args) == {
        "seed": 3,
        "loaded_task_name": "",
        "info": "default exp info",
        "loaded_date": "2026/01/31/12-00-00-000000",
    }


@pytest.fixture
def parsed(tmp_path, monkeypatch):
    """What the config is with these words on the command line."""

    def parse(*words, options=()):
        (tmp_path / "config.json").write_text(json.dumps(CONFIG))
        monkeypatch.setattr(sys, "argv", ["train.py", *words])
        return rla_get_args("config.json", options)

    return parse


def test_values_of_a_file_are_options(parsed):
    """Of the types that they have there; what is not on the line stays as it is."""
    assert parsed() == CONFIG
    words = "--name sac --training.lr 1e-3 --training.steps 7 --training.layers 32 --training.tags a b --no-gpu"
    found = parsed(*words.split(), "--training.net.act", "relu", "--training.net.norm", "--help", "me")
    assert found == {
        "name": "sac",
        "training": {"lr": 0.001, "steps": 7, "layers": [32], "tags": ["a", "b"], "net": {"act": "relu", "norm": True}},
        "gpu": False,
        "help": "me",
    }


def test_options_of_ones_own_set_values(parsed):
    """By another name, in mappings that are not there yet, with a default, or in place of the value's own option."""
    options = [
        CustomArgs("--learning-rate", "training.lr", {"type": float, "help": "Of Adam."}),
        CustomArgs("--name", target="training.net.name", kargs={"type": str}),
        CustomArgs("--new-value", kargs={"default": 3, "type": int}),
        CustomBoolArgs("--amp", target="extra.deep.amp"),
    ]
    found = parsed("--learning-rate", "0.5", "--name", "x", "--amp", options=options)
    assert found["training"]["lr"] == 0.5 and found["training"]["net"]["name"] == "x" and found["name"] == "ppo"
    assert (found["new_value"], found["extra"]) == (3, {"deep": {"amp": True}})
    assert options[1].kargs == {"type": str}
    assert "extra" not in parsed(options=options[3:])


def test_mistakes_are_told(parsed, capsys):
    """A target in a plain value, a keyword that a flag has not, a file that is no object, a word that is no number."""
    with pytest.raises(ConfigError, match=r"the target 'training.lr.x' lies in lr, which is 0.1.*Known: name, tr"):
        parsed("--x", "1", options=[CustomArgs("--x", "training.lr.x")])
    with pytest.raises(ConfigError, match="the option --x got type"):
        parsed(options=[CustomBoolArgs("--x", kargs={"type": int})])
    with pytest.raises(SystemExit):
        parsed("--training.steps", "many")
    assert "invalid int value: 'many'" in capsys.readouterr().err
    for content in ("[1]", "{"):
        with open("bad.json", "w") as file:
            file.write(content)
        with pytest.raises(ConfigError, match=r"bad.json cannot be read: .*Allowed: a file with one JSON object"):
            rla_get_args("bad.json")
    with pytest.raises(ConfigError, match=r"none.json cannot be read"):
        rla_get_args("none.json")
