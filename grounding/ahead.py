"""An iteration done in advance by a thread: frames are decoded while those before them are encoded."""

from collections.abc import Generator, Iterator
from contextlib import closing
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Generator[Item, None, None], most: int) -> Iterator[Item]:
    """The items in order, up to `most` of them made before they are asked for.

    An error of `items` is raised here, after the items before it. Whoever stops iterating stops the thread: it
    finishes the item in the making, closes `items` and ends before this returns.
    """
    ready: Queue[tuple[Item] | BaseException | None] = Queue(most)
    stop = Event()
    thread = Thread(target=_make, args=(items, ready, stop), name="ahead", daemon=True)
    thread.start()
    try:
        while isinstance(made := ready.get(), tuple):
            yield made[0]
        if made:
            raise made
    finally:
        stop.set()
        _empty(ready)  # a thread that waits for room goes on, and puts one thing more at most
        thread.join()


def _make(items: Generator[Item, None, None], ready: Queue, stop: Event) -> None:
    end = None
    try:
        with closing(items):
            for item in items:
                ready.put((item,))
                if stop.is_set():
                    return
    except BaseException as error:  # whatever it is, the caller's thread has to know
        end = error
    ready.put(end)


def _empty(queue: Queue) -> None:
    try:
        while True:
            queue.get_nowait()
    except Empty:
        return
