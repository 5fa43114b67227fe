import threading

import pytest

from grounding.ahead import ahead


class Source:
    """Counts up, and remembers what became of it."""

    def __init__(self, count, error=None):
        self.count, self.error, self.made, self.closed, self.room = count, error, 0, False, threading.Semaphore(0)

    def items(self):
        try:
            for number in range(self.count):
                self.made += 1
                self.room.release()
                yield number
            if self.error:
                raise self.error
        finally:
            self.closed = True


def running():
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


def test_all_items_come_in_order():
    source = Source(50)
    assert list(ahead(source.items(), 4)) == list(range(50))
    assert source.closed and not running()


def test_items_are_made_in_advance_but_not_without_bound():
    source = Source(50)
    items = ahead(source.items(), 4)
    next(items)
    for _ in range(6):  # the one taken, four that wait, and one for which there is no room yet
        assert source.room.acquire(timeout=10)
    assert not source.room.acquire(timeout=0.05)
    assert source.made == 6
    items.close()


@pytest.mark.parametrize("taken", [1, 3])
def test_whoever_stops_stops_the_thread(taken):
    source = Source(10**9)
    items = ahead(source.items(), 2)
    for _ in range(taken):
        next(items)
    items.close()
    assert source.closed and not running()
    assert source.made <= taken + 4


def test_an_error_comes_after_the_items_before_it():
    source, seen = Source(3, ValueError("damaged")), []
    with pytest.raises(ValueError, match="damaged"):
        for item in ahead(source.items(), 1):
            seen.append(item)
    assert seen == [0, 1, 2]
    assert not running()


def test_an_error_of_the_one_who_iterates_stops_the_thread():
    source = Source(10**9)

    def consume():
        for _ in ahead(source.items(), 2):
            raise RuntimeError("encoder")

    with pytest.raises(RuntimeError, match="encoder"):
        consume()
    assert source.closed and not running()


def test_what_is_never_iterated_starts_no_thread():
    ahead(Source(3).items(), 2).close()
    assert not running()
