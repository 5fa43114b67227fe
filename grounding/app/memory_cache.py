"""What is remembered in memory: for each visitor what is theirs, and no more over all visitors than there is room."""

import os
from collections import OrderedDict
from functools import cache
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Generic, NamedTuple, TypeVar
from weakref import WeakSet

from grounding.features.cache_key import Key
from grounding.files import hash_file

KEPT = 4  # encoded clips a visitor can go back to without waiting
MEGABYTES = 1000.0  # of 1e6 bytes, for all visitors: hundreds of clips of 90 s, or a dozen of two hours

T = TypeVar("T")


class Kept(NamedTuple, Generic[T]):
    """A value, its bytes, and when it was last used."""

    value: T
    size: int
    used: int


class Room:
    """How much all memories may hold together; what was used longest ago leaves first, whoever's it is.

    A visitor's memory that nobody refers to any more is gone with all that it held.
    """

    def __init__(self, megabytes: float = MEGABYTES) -> None:
        self.bytes = megabytes * 1e6
        self.lock, self.clock = Lock(), count()
        self._memories: WeakSet[Memory] = WeakSet()

    @property
    def taken(self) -> int:
        """Bytes that are in use."""
        return sum(kept.size for memory in self._memories for kept in memory.kept.values())

    def enter(self, memory: "Memory") -> None:
        """From now on this memory counts."""
        with self.lock:
            self._memories.add(memory)

    def fit(self) -> None:
        """Forgets until all fits; to be called with the lock held."""
        while self.taken > self.bytes:
            oldest = min((memory for memory in self._memories if memory.kept), key=Memory.oldest)
            oldest.kept.popitem(last=False)


class Memory(Generic[T]):
    """What one visitor can go back to: KEPT values by their key, those last that were used last.

    Args:
        room: that it shares with the memories of others; by default that of this process.
    """

    def __init__(self, room: Room | None = None) -> None:
        self.room = room or shared_room()
        self.kept: OrderedDict[Key, Kept[T]] = OrderedDict()
        self._hashes: dict[tuple, str] = {}
        self.room.enter(self)

    def get(self, key: Key) -> T | None:
        """The value, None where there is none (any more)."""
        with self.room.lock:
            kept = self.kept.get(key)
            return kept.value if kept else None

    def of(self, path: str | Path) -> list[Key]:
        """What is kept of a file; nothing of one that has left."""
        if not Path(path).is_file():
            return []
        content = self.content_hash(path)
        with self.room.lock:
            return [key for key in self.kept if key.content == content]

    def put(self, key: Key, value: T, size: int) -> None:
        """Keeps a value of `size` bytes, or marks it as used again; one too large for the room is not kept."""
        if size > self.room.bytes:
            return  # and not everything else before it
        with self.room.lock:
            self.kept[key] = Kept(value, size, next(self.room.clock))
            self.kept.move_to_end(key)
            while len(self.kept) > KEPT:
                self.kept.popitem(last=False)
            self.room.fit()

    def oldest(self) -> int:
        """When that was used that was used longest ago."""
        return next(iter(self.kept.values())).used

    def content_hash(self, path: str | Path) -> str:
        """SHA-256 of a file, read again only where the file was written to: every query asks for it."""
        state = os.stat(path)
        which = (str(path), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        if which not in self._hashes:
            self._hashes = {which: hash_file(path)}
        return self._hashes[which]


@cache
def shared_room() -> Room:
    """The one of this process."""
    return Room()
