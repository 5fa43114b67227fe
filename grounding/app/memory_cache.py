"""What is remembered in memory: for each visitor what is theirs, and no more over all visitors than there is room."""

import os
from collections import OrderedDict
from functools import cache
from itertools import count
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar
from weakref import WeakSet

from grounding.files import hash_file

if TYPE_CHECKING:
    from grounding.features.cache_key import Key

MAX_ENTRIES = 4  # encoded clips a visitor can go back to without waiting
MEGABYTES = 1000.0  # of 1e6 bytes, for all visitors: hundreds of clips of 90 s, or a dozen of two hours

T = TypeVar("T")


class Entry(NamedTuple, Generic[T]):
    """A value, its bytes, and when it was last used."""

    value: T
    size: int
    used: int


class MemoryBudget:
    """How much all memories may hold together; what was used longest ago leaves first, whoever's it is.

    A visitor's memory that nobody refers to any more is gone with all that it held.
    """

    def __init__(self, megabytes: float = MEGABYTES) -> None:
        self.bytes = megabytes * 1e6
        self.lock, self.clock = Lock(), count()
        self._memories: WeakSet[MemoryCache] = WeakSet()

    @property
    def used_bytes(self) -> int:
        """Bytes that are in use."""
        return sum(entry.size for memory in self._memories for entry in memory.entries.values())

    def register(self, memory: "MemoryCache") -> None:
        """From now on this memory counts."""
        with self.lock:
            self._memories.add(memory)

    def evict(self) -> None:
        """Forgets until all fits; to be called with the lock held."""
        while self.used_bytes > self.bytes:
            oldest = min((memory for memory in self._memories if memory.entries), key=MemoryCache.oldest_use)
            oldest.entries.popitem(last=False)


class MemoryCache(Generic[T]):
    """What one visitor can go back to: MAX_ENTRIES values by their key, those last that were used last.

    Args:
        budget: that it shares with the memories of others; by default that of this process.
    """

    def __init__(self, budget: MemoryBudget | None = None) -> None:
        self.budget = budget or shared_budget()
        self.entries: OrderedDict[Key, Entry[T]] = OrderedDict()
        self._hashes: dict[tuple, str] = {}
        self.budget.register(self)

    def get(self, key: "Key") -> T | None:
        """The value, None where there is none (any more)."""
        with self.budget.lock:
            entry = self.entries.get(key)
            return entry.value if entry else None

    def keys_of(self, path: str | Path) -> "list[Key]":
        """What is kept of a file; nothing of one that has left."""
        if not Path(path).is_file():
            return []
        content = self.content_hash(path)
        with self.budget.lock:
            return [key for key in self.entries if key.content == content]

    def put(self, key: "Key", value: T, size: int) -> None:
        """Keeps a value of `size` bytes, or marks it as used again; one too large for the room is not kept."""
        if size > self.budget.bytes:
            return  # and not everything else before it
        with self.budget.lock:
            self.entries[key] = Entry(value, size, next(self.budget.clock))
            self.entries.move_to_end(key)
            while len(self.entries) > MAX_ENTRIES:
                self.entries.popitem(last=False)
            self.budget.evict()

    def oldest_use(self) -> int:
        """When that was used that was used longest ago."""
        return next(iter(self.entries.values())).used

    def content_hash(self, path: str | Path) -> str:
        """SHA-256 of a file, read again only where the file was written to: every query asks for it."""
        state = os.stat(path)
        which = (str(path), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        if which not in self._hashes:
            self._hashes = {which: hash_file(path)}
        return self._hashes[which]


@cache
def shared_budget() -> MemoryBudget:
    """The one of this process."""
    return MemoryBudget()
