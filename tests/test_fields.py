"""The base class of classes that hold fields, which does what dataclasses do."""

import copy
import pickle

import pytest

from rla_hooks.fields import Fields, made_by


class Point(Fields):
    x: int
    y: int = 0
    names: list = made_by(list)


def test_values_come_by_place_and_by_name():
    """As the arguments of a function do."""
    point = Point(1, y=2)
    assert (point.x, point.y, point.names) == (1, 2, [])
    assert vars(point) == {"x": 1, "y": 2, "names": []}


@pytest.mark.parametrize(
    "values, named, message",
    [
        ((), {}, "misses the field 'x'"),
        ((1,), {"x": 2}, "two values for the field 'x'"),
        ((1,), {"z": 2}, "no field 'z'"),
        ((1, 2, [], 4), {}, "takes 3 values, but 4 were given"),
    ],
)
def test_what_cannot_be_filled_in_is_a_type_error(values, named, message):
    """As in a call of a function; nothing is left out silently."""
    with pytest.raises(TypeError, match=message):
        Point(*values, **named)


def test_a_made_default_is_not_shared():
    """Two objects do not add to the same list."""
    Point(1).names.append("a")
    assert Point(1).names == []


def test_equality_is_that_of_type_and_fields():
    """A class with the same fields is another one; an object that is changed cannot be a key of a dict."""

    class Other(Fields):
        x: int
        y: int = 0
        names: list = made_by(list)

    assert Point(1) == Point(1, 0) != Point(2)
    assert Point(1) != Other(1) and Point(1) != (1, 0, [])
    with pytest.raises(TypeError):
        hash(Point(1))


def test_copies_and_pickles_are_equal():
    """``replaced`` keeps what a ``__getstate__`` for other processes would leave out."""
    point = Point(1, names=["a"])
    assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    twin = point.replaced(x=3)
    assert (twin.x, point.x) == (3, 1) and twin.names is point.names
