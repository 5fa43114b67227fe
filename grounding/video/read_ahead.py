"""Frames are worked on while the next ones are decoded."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

AHEAD = 4  # frames that are decoded in advance

Item = TypeVar("Item")


def read_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The same items, AHEAD of them made in advance by a thread. What they raise comes out here.

    Whoever stops iterating waits for the item that is being made.
    """
    end = object()
    with ThreadPoolExecutor(1, "read ahead") as thread:
        try:
            made = deque(thread.submit(next, items, end) for _ in range(AHEAD))
            while (item := made.popleft().result()) is not end:
                made.append(thread.submit(next, items, end))
                yield item
        finally:
            thread.shutdown(cancel_futures=True)
