"""What is done with many files is done in two threads, in order, and never with many files open."""

from __future__ import annotations

import threading

import google_crc32c
import pytest

from rla_hooks.checkpoints import checksum
from rla_hooks.checkpoints.two_threads import each_of


@pytest.mark.parametrize("count", [0, 1, 2, 16, 17, 100])
def test_results_come_in_order(count):
    """However many there are."""
    assert list(each_of(range(count), lambda number: number * 2)) == [number * 2 for number in range(count)]


def test_two_at_once():
    """Each of the two waits for the other one, which a single thread could not."""
    both = threading.Barrier(2, timeout=30)
    assert sorted(each_of(range(4), lambda _: both.wait())) == [0, 0, 1, 1]


def test_few_items_are_taken_before_they_are_worked_on():
    """So that a buffer of a thousand files does not need a thousand open ones."""
    taken, done = [], []

    def items():
        for number in range(100):
            taken.append(number)
            assert len(taken) - len(done) <= 16
            yield number

    assert len(list(each_of(items(), done.append))) == 100


def test_an_error_of_either_is_raised():
    """Of the work, and of what makes the items; then all that was begun has ended."""
    ended = []

    def fail_at_5(number):
        if number == 5:
            raise ValueError("5 is damaged")
        ended.append(number)

    with pytest.raises(ValueError, match="5 is damaged"):
        list(each_of(range(100), fail_at_5))
    assert set(range(16)) - {5} == set(ended)
    with pytest.raises(ZeroDivisionError):
        list(each_of((1 // (50 - number) for number in range(100)), abs))


def test_the_checksum_of_a_large_folder_is_that_of_a_small_one(tmp_path, monkeypatch):
    """Of the names and contents of all files in order, empty ones and folders in folders among them."""
    contents = {f"a/{number:02}": bytes([number]) * (number * 100_000) for number in range(20)} | {
        "b": b"",
        "c.d/e": b"x",
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    expected = google_crc32c.value(b"".join(name.encode() + contents[name] for name in sorted(contents)))
    for large in (1 << 40, 1):
        monkeypatch.setattr(checksum, "LARGE", large)
        assert checksum.measure(tmp_path) == (sum(map(len, contents.values())), f"{expected:08x}")
