"""New values of hyper-parameters, as somebody types them."""

from __future__ import annotations

import math

import pytest

from rla_hooks.errors import ConfigError
from rla_hooks.former_parameters import FormerParameters
from rla_hooks.upkeep.new_values import checked, pairs_of, seed_name, seeds_of

FLAT = {
    "lr": 0.1,
    "steps": 100,
    "on": True,
    "name": "a",
    "layers": [64, 64],
    "none": None,
    "net.width": 64,
    "env.seed": 1,
}
FORMER = FormerParameters(
    {
        "hyper_parameters": ["lr", "steps", "on", "name", "layers", "none", "net", "env", "loss", "out", "key"],
        "stored_as": {"loss": "text", "out": "of type PosixPath", "key": "secret", "env": "of type Env"},
    },
    {**FLAT, "loss": "Loss()", "out": "x", "key": "***"},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lr=1e-4", 1e-4),
        ("lr=2", 2.0),
        ("lr=null", None),
        ("lr=-inf", -math.inf),
        ("steps=1e3", 1000),
        ("steps=-5", -5),
        ("steps=!!float 2", 2.0),
        ("on=false", False),
        ("name=1e-4", "1e-4"),
        ("name='b c'", "b c"),
        ("name=a=b", "a=b"),
        ("name=", ""),
        ("layers=[1, 2]", [1, 2]),
        ("none=[1]", [1]),
        ("net.width=32", 32),
        ("net={width: 8}", {"width": 8}),
        ("out=/data", "/data"),
        ("key=007", "007"),
    ],
)
def test_a_value_gets_the_type_of_the_old_one(text, value):
    """YAML says what a text is, the old value what it has to be; the type of a number is kept."""
    ((name, found),) = checked(FORMER, pairs_of([text]), True).items()
    assert found == value and type(found) is type(value) and name == text.partition("=")[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lr=fast", r"lr is 'fast' \(str\)\. Allowed: a float, as 0\.1 was\."),
        ("steps=1.5", r"Allowed: an int, as 100 was\. For a float write '!!float 1.5'"),
        ("on=1", r"Allowed: true or false, as True was"),
        ("lr=true", r"Allowed: a float, as 0.1 was"),
        ("lr=", r"Allowed: a value; for None write null\."),
        ("layers=1", r"Allowed: a list, as \[64, 64\] was"),
        ("layers=[1", r"Allowed: YAML, such as"),
        ("loss=x", r"there is a text only"),
        ("env=3", r"Allowed: its single values, such as env.seed"),
        ("stps=1", r"stps is no hyper-parameter of the run\. Known: .*Did you mean 'steps'\?"),
    ],
)
def test_what_cannot_be_set_is_told(text, told):
    """What is wrong, what is allowed, and the nearest name."""
    with pytest.raises(ConfigError, match=told):
        checked(FORMER, pairs_of([text]), True)


def test_all_mistakes_are_told_at_once():
    """Of the command line, and of values from Python, which are no texts to be read."""
    with pytest.raises(ConfigError, match="2 mistakes"):
        pairs_of(["lr", "steps=1", "steps=2"])
    with pytest.raises(ConfigError, match="2 mistakes"):
        checked(FORMER, {"lr": "1e-4", "x": 1}, False)
    assert checked(FORMER, {"lr": 1, "layers": (1, 2)}, False) == {"lr": 1.0, "layers": [1, 2]}


def test_seeds():
    """Numbers and ranges, each seed once; the parameter that is called so, or the one that is named."""
    assert seeds_of("0..4") == [0, 1, 2, 3, 4] and seeds_of("7, 0..1,1") == [7, 0, 1] and seeds_of("-2..-1") == [-2, -1]
    for wrong in ("", "a", "4..0", "1..", "0..99999999"):
        with pytest.raises(ConfigError, match="--seeds has"):
            seeds_of(wrong)
    with pytest.raises(ConfigError, match=r"A range goes up, and has at most 10,000 numbers\."):
        seeds_of("4..0")
    assert seed_name(FORMER, None) == "env.seed" and seed_name(FORMER, "steps") == "steps"
    with pytest.raises(ConfigError, match="Did you mean 'steps'"):
        seed_name(FORMER, "step")
    with pytest.raises(ConfigError, match="Say which one is its seed: --seed-name NAME"):
        seed_name(FormerParameters({"hyper_parameters": ["lr"]}, {"lr": 1}), None)
    two = FormerParameters({"hyper_parameters": ["a", "b"]}, {"a.seed": 1, "b.seed": 1})
    with pytest.raises(ConfigError, match=r"several seeds: a\.seed, b\.seed"):
        seed_name(two, None)
