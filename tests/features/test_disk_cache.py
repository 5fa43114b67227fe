import dataclasses
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from grounding.features import disk_cache as cache
from grounding.features.cache_key import Key
from grounding.features.disk_cache import FeatureCache, compute_checksum
from grounding.features.encoded_video import EncodedVideo

KEY = Key("a" * 64, "embedded", "w" * 64, 2.0, 4, "this code")


def video(seed=0, count=100, width=4):
    features = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float16)
    return EncodedVideo(np.arange(count) / 2, features, count / 2, "embedded", ((3.1, 5.2), (7.0, 1e-9 + 8)))


def other(number):
    return KEY._replace(content=f"{number:064x}")


def same(one, two):
    """In all that an EncodedVideo has."""
    values = [[getattr(each, field.name) for field in dataclasses.fields(each)] for each in (one, two)]
    return all(np.array_equal(mine, yours) and type(mine) is type(yours) for mine, yours in zip(*values, strict=True))


def test_a_video_here_has_nothing_that_it_would_have_anyway():
    """Or what an entry forgets would not be missed."""
    for field in dataclasses.fields(EncodedVideo):
        if field.default is not dataclasses.MISSING and field.name != "rough":  # nothing is kept before it is whole
            assert getattr(video(), field.name) != field.default, field.name


@pytest.fixture
def kept(tmp_path):
    return FeatureCache(tmp_path / "kept")


@pytest.fixture
def entry(kept):
    """The file of a video that is kept under KEY."""
    kept.put(KEY, video())
    (path,) = kept.folder.iterdir()
    return path


def rewrite(path, head=None, **tensors):
    """An entry that is whole as a file, its checksum right, and yet not what was written."""
    with cache.safe_open(path, "numpy") as file:
        before = file.metadata()
    tensors = load_file(path) | tensors
    head = before | (head or {})
    try:
        duration, skipped = json.loads(head["facts"])
        made = EncodedVideo(tensors["timestamps"], tensors["features"], duration, "embedded", skipped)
        head["checksum"] = compute_checksum(KEY, made)
    except (ValueError, TypeError):  # NaN and the like, which no checksum is needed for
        pass
    save_file(tensors, path, head)


def test_what_was_put_is_got_bit_by_bit(kept):
    assert kept.get(KEY) is None
    kept.put(KEY, video())
    assert same(kept.get(KEY), video())
    assert same(FeatureCache(kept.folder.parent).get(KEY), video())  # another process, later


@pytest.mark.parametrize(
    "change",
    [{"content": "b" * 64}, {"encoder": "open_clip:a:b"}, {"weights": "v" * 64}, {"rate": 1.0}, {"width": 5}]
    + [{"made_by": "other code"}],
)
def test_another_key_misses(kept, change):
    kept.put(KEY, video())
    assert kept.get(KEY._replace(**change)) is None


def test_nobody_else_can_read_it_and_names_say_nothing(kept, entry):
    assert kept.folder.stat().st_mode & 0o777 == 0o700
    assert entry.stat().st_mode & 0o777 == 0o600
    assert KEY.content not in entry.name and len(entry.stem) == 64


def test_a_folder_that_others_can_read_is_closed(tmp_path):
    (tmp_path / "encoded").mkdir(mode=0o755)
    FeatureCache(tmp_path).put(KEY, video())
    assert (tmp_path / "encoded").stat().st_mode & 0o777 == 0o700


def flip(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def flip_times(path):
    data = bytearray(path.read_bytes())
    place = data.index(np.float64(49.5).tobytes())
    data[place] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "a bit of the features": flip,
    "a bit of the times": flip_times,
    "cut": lambda path: os.truncate(path, path.stat().st_size - 100),
    "cut in the head": lambda path: os.truncate(path, 20),
    "empty": lambda path: os.truncate(path, 0),
    "text": lambda path: path.write_text("not an entry" * 100),
    "width": lambda path: rewrite(path, features=video(width=5).features),
    "count": lambda path: rewrite(path, features=video(count=99).features),
    "kind": lambda path: rewrite(path, features=video().features.astype(np.float32)),
    "NaN": lambda path: rewrite(path, features=np.full((100, 4), np.nan, np.float16)),
    "times that do not rise": lambda path: rewrite(path, timestamps=np.zeros(100)),
    "duration": lambda path: rewrite(path, {"facts": "[1.0, []]"}),
    "no number": lambda path: rewrite(path, {"facts": '["long", []]'}),
    "another's head": lambda path: rewrite(path, {"key": other(1).to_text()}),
    "another rate": lambda path: rewrite(path, {"key": KEY._replace(rate=1.0).to_text()}),
    "no head": lambda path: save_file(load_file(path), path),
    "another tensor": lambda path: save_file({"x": np.zeros(3)}, path, {"key": KEY.to_text(), "facts": "[1, []]"}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_told_removed_and_made_anew(kept, entry, caplog, damage):
    DAMAGE[damage](entry)
    assert kept.get(KEY) is None
    assert "is damaged: it is removed, and made anew. What is wrong: " in caplog.text
    assert not entry.exists()
    kept.put(KEY, video())
    assert same(kept.get(KEY), video())


def test_a_whole_entry_is_not_taken_for_damaged(kept, entry):
    rewrite(entry)
    assert same(kept.get(KEY), video())


@pytest.fixture
def small(tmp_path):
    """Room for three entries."""
    return FeatureCache(tmp_path / "small", 3.5 * size_of_one(tmp_path) / 1e6)


def size_of_one(folder):
    one = FeatureCache(folder / "one")
    one.put(KEY, video())
    return sum(path.stat().st_size for path in one.folder.iterdir())


def put_in_order(kept, numbers):
    """Each used a second after the one before."""
    for place, number in enumerate(numbers):
        kept.put(other(number), video(number))
        stamp = time.time() - 1000 + place
        os.utime(kept.folder / f"{other(number).to_file_name()}.safetensors", (stamp, stamp))


def test_the_limit_holds_and_what_was_used_longest_ago_leaves(small):
    put_in_order(small, [1, 2, 3])
    assert small.get(other(1))  # used now
    small.put(other(4), video(4))
    assert sum(path.stat().st_size for path in small.folder.iterdir()) <= small.room
    assert [small.get(other(number)) is not None for number in (1, 2, 3, 4)] == [True, False, True, True]


def test_a_limit_that_became_lower_holds_from_the_next_entry_on(small, tmp_path):
    put_in_order(small, [1, 2, 3])
    tight = FeatureCache(small.folder.parent, 1.5 * size_of_one(tmp_path) / 1e6)
    tight.put(other(4), video(4))
    assert len(list(tight.folder.iterdir())) == 1
    assert tight.get(other(4))


def test_what_is_larger_than_all_the_room_pushes_nothing_out(small):
    put_in_order(small, [1, 2])
    small.put(other(3), video(count=1000))
    assert small.get(other(1)) and small.get(other(2)) and small.get(other(3)) is None


def test_only_entries_leave(small):
    small.put(other(0), video())
    (small.folder / "notes.txt").write_text("mine")
    put_in_order(small, range(1, 9))
    assert (small.folder / "notes.txt").exists()


def test_what_a_killed_process_left_is_swept_and_what_is_being_written_stays(kept, entry):
    left, fresh = kept.folder / ".tmpdead", kept.folder / ".tmpbusy"
    left.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(left, (0, 0))
    kept.put(other(1), video())
    assert (left.exists(), fresh.exists()) == (False, True)


WRITER = """
import sys
from tests.features.test_disk_cache import FeatureCache, other, same, video
kept = FeatureCache(sys.argv[1], float(sys.argv[2]))
for turn in range(60):
    number = turn % 6
    found = kept.get(other(number))
    assert found is None or same(found, video(number)), number
    kept.put(other(number), video(number))
"""


def test_processes_that_write_at_once_read_whole_entries_and_keep_the_limit(small):
    command = [sys.executable, "-c", WRITER, str(small.folder.parent), str(small.room / 1e6)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [writer.communicate()[1] for writer in writers] == [""] * 2
    files = list(small.folder.iterdir())
    assert files and all(path.suffix == ".safetensors" for path in files)
    assert sum(path.stat().st_size for path in files) <= small.room


def test_nothing_is_made_before_there_is_something_to_keep(tmp_path):
    FeatureCache(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_smaller_limit_holds_for_what_is_there_already(kept, entry):
    smaller = FeatureCache(kept.folder.parent, 0)
    assert smaller.get(KEY) is None and not entry.exists()
