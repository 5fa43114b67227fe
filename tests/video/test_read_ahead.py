"""Items that a thread makes in advance."""

import threading
from contextlib import closing
from threading import Event

import pytest

from grounding.video.read_ahead import AHEAD, read_ahead


def count_readers():
    return sum(thread.name.startswith("read ahead") for thread in threading.enumerate())


def test_the_same_items_come_in_order():
    assert list(read_ahead(iter(range(50)))) == list(range(50))
    assert list(read_ahead(iter([]))) == []


def test_further_ones_are_made_while_one_is_used():
    made = [Event() for _ in range(20)]

    def items():
        for number, event in enumerate(made):
            event.set()
            yield number

    with closing(read_ahead(items())) as ahead:
        next(ahead)
        assert made[AHEAD].wait(60)
    assert not made[AHEAD + 1].is_set() and not count_readers()


def test_what_is_raised_comes_out_after_the_items_before_it():
    def items():
        yield 1
        raise ValueError("broken")

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken"):
        next(ahead)
    assert not count_readers()
