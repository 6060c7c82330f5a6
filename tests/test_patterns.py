"""Regular expressions that are compiled late: all of the package can be compiled, and none of them is at once."""

import importlib
import pkgutil
import re
import subprocess
import sys

import pytest

import rla_hooks
from rla_hooks.patterns import _LateCompiled, pattern


def test_it_is_the_compiled_pattern_from_its_first_use_on():
    """Methods and attributes are those of re, and are looked up once."""
    found = pattern(r"(?P<key>\w+)=(\d+)", re.IGNORECASE)
    assert found.fullmatch("a=1")["key"] == "a"
    assert (found.groups, found.flags & re.IGNORECASE) == (2, re.IGNORECASE)
    assert vars(found)["fullmatch"] == re.compile(found.pattern, re.IGNORECASE).fullmatch
    assert pattern(rb"\d").findall(b"a1b2") == [b"1", b"2"]


def test_a_mistake_shows_at_the_first_use():
    """Hence the next test."""
    broken = pattern("(")
    with pytest.raises(re.error):
        broken.match("")


def test_every_pattern_of_the_package_can_be_compiled():
    """Also those of lines that other tests do not come to."""
    names = [each.name for each in pkgutil.walk_packages(rla_hooks.__path__, "rla_hooks.")]
    core = [
        name
        for name in names
        if not re.search("integrations|tensorflow|torch|keras|jax|nnx|sb3|tianshou|environments$|ray_trainable", name)
    ]
    patterns = [
        (name, value)
        for name in core
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, _LateCompiled)
    ]
    assert len(patterns) > 20
    for name, each in patterns:
        assert re.compile(each._text, each._flags), name


def test_the_start_of_a_run_compiles_few(tmp_path):
    """Each takes as long as the import of a module; a program without secrets needs hardly any."""
    code = (
        "import gc, rla_hooks as rla\n"
        "from rla_hooks.patterns import _LateCompiled\n"
        "rla.track(writers=['csv'], backup='none')(lambda lr=0.1: None)()\n"
        "found = [vars(each) for each in gc.get_objects() if type(each) is _LateCompiled]\n"
        "print(len(found), sum(len(each) > 2 for each in found))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    known, used = map(int, done.stdout.split()[-2:])
    assert known > 20 and used <= 4
