import gc
import threading

import pytest

from grounding.app import memory_cache as memory
from grounding.app.memory_cache import MAX_ENTRIES, MemoryBudget, MemoryCache, shared_budget
from grounding.features.cache_key import Key
from grounding.files import hash_file


def key(number):
    return Key(f"{number:064x}", "embedded", "w", 2.0, 4, "code")


@pytest.fixture
def budget():
    """For ten values of a megabyte."""
    return MemoryBudget(megabytes=10)


def put(one, *numbers, size=1_000_000):
    for number in numbers:
        one.put(key(number), number, size)


def held(one, *numbers):
    return [number for number in numbers if one.get(key(number)) is not None]


def test_each_visitor_gets_at_their_own_alone(budget):
    one, other = MemoryCache(budget), MemoryCache(budget)
    put(one, 1)
    assert one.get(key(1)) == 1
    assert other.get(key(1)) is None


def test_a_visitor_keeps_a_few_and_what_was_used_longest_ago_leaves(budget):
    one = MemoryCache(budget)
    put(one, *range(MAX_ENTRIES), 0, MAX_ENTRIES)
    assert held(one, *range(MAX_ENTRIES + 1)) == [0, *range(2, MAX_ENTRIES + 1)]


def test_all_visitors_together_keep_within_the_room(budget):
    visitors = [MemoryCache(budget) for _ in range(12)]
    for number, one in enumerate(visitors):
        put(one, number)
        assert budget.used_bytes <= budget.bytes
    assert [bool(held(one, number)) for number, one in enumerate(visitors)] == [False] * 2 + [True] * 10


def test_using_something_keeps_it_whoever_it_belongs_to(budget):
    one, other = MemoryCache(budget), MemoryCache(budget)
    put(one, 1, 2)
    put(other, 3, size=7_000_000)
    put(one, 1)
    put(other, 4, size=2_000_000)  # 11 are too many
    assert held(one, 1, 2) == [1]
    assert held(other, 3, 4) == [3, 4]


def test_what_is_larger_than_all_the_room_pushes_nothing_out(budget):
    one = MemoryCache(budget)
    put(one, 1)
    put(one, 2, size=11_000_000)
    assert held(one, 1, 2) == [1]


def test_the_same_put_again_counts_once(budget):
    one = MemoryCache(budget)
    put(one, 1, 1, 1)
    assert budget.used_bytes == 1_000_000


def test_a_visitor_who_has_left_takes_no_room(budget):
    one = MemoryCache(budget)
    put(one, 1)
    del one
    gc.collect()
    assert budget.used_bytes == 0


def test_visitors_at_the_same_time_keep_within_the_room(budget):
    visitors = [MemoryCache(budget) for _ in range(8)]

    def work(one):
        for turn in range(200):
            put(one, turn % 7)

    threads = [threading.Thread(target=work, args=(one,)) for one in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.used_bytes == budget.bytes
    assert all(len(one.entries) <= MAX_ENTRIES for one in visitors)


def test_a_file_is_read_again_only_where_it_was_written_to(budget, tmp_path, monkeypatch):
    reads = []
    monkeypatch.setattr(memory, "hash_file", lambda path: reads.append(path) or hash_file(path))
    one, path = MemoryCache(budget), tmp_path / "a"
    path.write_bytes(b"one")
    assert one.content_hash(path) == one.content_hash(path) == hash_file(path)
    assert len(reads) == 1
    path.write_bytes(b"another")
    assert one.content_hash(path) == hash_file(path)


def test_what_is_kept_of_a_file(budget, tmp_path):
    one, path = MemoryCache(budget), tmp_path / "a"
    path.write_bytes(b"one")
    own = key(1)._replace(content=hash_file(path))
    one.put(own, 1, 1)
    put(one, 2)
    assert one.keys_of(path) == [own]
    assert one.keys_of(tmp_path / "gone") == []


def test_without_a_word_memories_share_the_room_of_the_process():
    assert MemoryCache().budget is MemoryCache().budget is shared_budget()
