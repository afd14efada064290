"""Functions of several threads."""

import time

import pytest

from uaps_jax.data import threads


def test_results_are_in_the_order_of_the_items():
    def slow_at_first(item):
        time.sleep(0.05 if item == 0 else 0)
        return item if item % 3 else None

    expected = [None, 1, 2, None, 4, 5]
    assert list(threads.mapped(slow_at_first, range(6))) == expected
    assert list(threads.mapped(slow_at_first, [])) == []


def test_no_more_than_asked_for_are_kept():
    started = []

    def note(item):
        started.append(item)
        return item

    results = threads.mapped(note, range(100), ahead=3)
    assert next(results) == 0
    time.sleep(0.2)
    assert len(started) <= 1 + 3 + threads.THREADS
    results.close()


def test_an_error_reaches_the_caller():
    def fail(item):
        raise OSError(f"cannot read {item}")

    with pytest.raises(OSError, match="cannot read a"):
        list(threads.mapped(fail, ["a"]))
