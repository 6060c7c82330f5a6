"""What a tracked function and its calls are: plain functions without ``inspect``, and with the same answers."""

import functools
import inspect
import itertools

import pytest

from rla_hooks.calls import Parameters, _bind_plain, is_coroutine, is_generator, source_file


def _f0(): ...
def _f1(a, b=2): ...
def _f2(a, /, b, *, c=3): ...
def _f3(a, /, b=2, *more, c, d=4, **named): ...
def _f4(*more, **named): ...
def _f5(a, /, **named): ...
def _f6(*, c, d=4): ...


def _of_inspect(function, args, kwargs):
    """The arguments as ``inspect`` binds them; None where the call fails (inspect of 3.13.0 sees not all)."""
    try:
        function(*args, **kwargs)
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return None
    bound.apply_defaults()
    found = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif kind is not inspect.Parameter.VAR_POSITIONAL or value:
            found[name] = value
    return found


@pytest.mark.parametrize("function", [_f0, _f1, _f2, _f3, _f4, _f5, _f6])
def test_plain_calls_are_bound_as_inspect_binds_them(function):
    """All calls of up to three values and any of five names: the same values in the same order, or the same refusal."""
    names = "abcde"
    for count in range(4):
        for given in itertools.chain.from_iterable(itertools.combinations(names, size) for size in range(5)):
            args, kwargs = tuple(range(10, 10 + count)), {name: name * 2 for name in given}
            expected, found = _of_inspect(function, args, kwargs), _bind_plain(function, args, kwargs)
            assert found == expected and list(found or ()) == list(expected or ()), (args, kwargs)


def test_values_are_not_compared():
    """Arrays refuse to be: the truth of their comparison is ambiguous."""

    class Odd:
        def __eq__(self, other):
            raise ValueError("ambiguous")

        def __bool__(self):
            raise ValueError("ambiguous")

    odd = Odd()
    for function in (_f1, functools.wraps(_f1)(lambda *args, **kwargs: None)):
        assert Parameters(function).bind((odd,), {"b": odd})["a"] is odd


def test_a_wrapped_function_has_the_parameters_of_the_inner_one():
    """As ``inspect.signature`` says; what a decorator below supplies may be missing."""

    @functools.wraps(_f1)
    def supplies(*args, **kwargs):
        return _f1(1, *args, **kwargs)

    assert Parameters(supplies).bind((5,), {}) == {"a": 5, "b": 2}
    assert Parameters(supplies).bind((), {"b": 3}) == {"b": 3}


def test_a_call_that_fails_raises_what_the_call_raises():
    """Python's own words, with the name of the function."""
    with pytest.raises(TypeError, match=r"_f1\(\) missing 1 required positional argument: 'a'"):
        Parameters(_f1).bind((), {})
    with pytest.raises(TypeError, match=r"_f1\(\) got multiple values for argument 'a'"):
        Parameters(_f1).bind((1,), {"a": 2})


class Agent:
    def train(self, lr, *more): ...


def test_the_object_of_a_method_is_no_parameter():
    """A function that merely calls its first parameter so has it among the others."""

    def plain(self, lr): ...

    assert Parameters(Agent.train).bind((Agent(), 0.1), {}) == {"lr": 0.1}
    assert Parameters(plain).bind((1, 0.1), {}) == {"self": 1, "lr": 0.1}


def test_kinds_of_functions():
    """Generators are refused by track, coroutines are awaited; a wrapper may be marked as one."""

    async def coroutine(): ...
    async def stream():
        yield 1

    def generator():
        yield 1

    kinds = [(is_generator(each), is_coroutine(each)) for each in (_f1, coroutine, stream, generator)]
    assert kinds == [(False, False), (False, True), (True, False), (True, False)]
    if hasattr(inspect, "markcoroutinefunction"):
        assert is_coroutine(inspect.markcoroutinefunction(lambda: coroutine()))


def test_the_file_of_a_function():
    """What is in no file has none, also where its name looks like one."""
    assert source_file(_f1) == __file__
    scope = {}
    exec(compile("def typed(): ...", "<stdin>", "exec"), scope)
    exec(compile("def gone(): ...", "/nowhere/train.py", "exec"), scope)
    assert source_file(scope["typed"]) is source_file(scope["gone"]) is None
