import sys

import numpy as np
import pytest

pytest.importorskip("lancedb")

from grounding.errors import GroundingError, WriteError
from grounding.library import window_index
from grounding.library.window_index import WindowIndex, count_within, lies_within
from grounding.library.windows import Windows

ODD = '/v/it\'s a "clip" % _ é 猫.mp4'


def windows_at(*directions: int, width: int = 8) -> Windows:
    """Windows of a second each, one along each direction."""
    starts = np.arange(float(len(directions)))
    return Windows(starts, starts + 1, np.eye(width, dtype=np.float32)[list(directions)])


@pytest.fixture
def index(tmp_path):
    return WindowIndex(tmp_path, "windows", 8)


def along(direction: int) -> np.ndarray:
    return np.eye(8, dtype=np.float32)[direction]


def test_the_nearest_window_is_found_with_its_place_and_product(index):
    index.add({"/a": windows_at(0, 1), ODD: windows_at(2)}, {"/a": "1", ODD: "2"})
    best = index.search(0.5 * along(1), 1)[0]
    assert (best.video, best.start, best.end, best.product) == ("/a", 1.0, 2.0, pytest.approx(0.5, abs=1e-3))
    assert index.search(along(2), 1)[0].video == ODD


def test_what_is_added_again_takes_the_old_place(index):
    index.add({"/a": windows_at(0, 1)}, {"/a": "old"})
    index.add({"/a": windows_at(3)}, {"/a": "new"})
    assert index.read_stamps() == {"/a": "new"}
    assert len(index) == 1


def test_what_is_removed_is_found_no_more(index):
    index.add({"/a": windows_at(0), ODD: windows_at(1)}, {"/a": "1", ODD: "2"})
    index.remove([ODD])
    assert [hit.video for hit in index.search(along(1), 5)] == ["/a"]


def test_a_search_can_be_kept_within_folders_and_files(index):
    videos = ["/v/a.mp4", "/v/deep/b.mp4", "/video.mp4", ODD]
    index.add({video: windows_at(0) for video in videos}, dict.fromkeys(videos, "1"))

    def found(*places):
        return {hit.video for hit in index.search(along(0), 9, lies_within(*places))}

    assert found(["/v"], []) == {"/v/a.mp4", "/v/deep/b.mp4", ODD}
    assert found([], [ODD]) == {ODD}
    assert found(["/v/deep/"], ["/video.mp4"]) == {"/v/deep/b.mp4", "/video.mp4"}
    assert found([], []) == set(videos)
    assert found(["/v"], ["/video.mp4"], ["/v/a.mp4", ODD]) == {"/v/deep/b.mp4", "/video.mp4"}
    assert found([], [], videos[1:]) == {"/v/a.mp4"}
    assert count_within(videos, ["/v"], ["/video.mp4"]) == 4 and count_within(videos, ["/v/"], []) == 3


def test_another_process_sees_what_was_added(index, tmp_path):
    other = WindowIndex(tmp_path, "windows", 8)
    assert len(other) == 0
    index.add({"/a": windows_at(0)}, {"/a": "1"})
    assert other.read_stamps() == {"/a": "1"}
    assert other.search(along(0), 1)[0].video == "/a"


@pytest.fixture
def clustered(tmp_path, monkeypatch):
    """An index of 10 videos with an approximate one, and their windows, which are near to each other in each video."""
    monkeypatch.setattr(window_index, "APPROXIMATE_FROM", 300)
    monkeypatch.setattr(window_index, "PARTITION", 100)
    monkeypatch.setattr(window_index, "PROBED", 1)
    index, rng = WindowIndex(tmp_path, "windows", 64), np.random.default_rng(0)
    vectors = np.eye(64)[:10, None] + 0.05 * rng.normal(size=(10, 100, 64))  # (10, 100, 64)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    starts = np.arange(100.0)
    index.add({f"/{video}/a": Windows(starts, starts + 1, rows) for video, rows in enumerate(vectors)}, Always())
    index.tidy()
    return index, vectors


class Always:
    """The same stamp for every video."""

    def __getitem__(self, video):
        return "1"


def test_many_windows_get_an_approximate_index_that_finds_nearly_the_same(clustered):
    index, vectors = clustered
    assert index._table.list_indices()
    shares = []
    for query in vectors[:, 7]:
        best = {(int(hit.video[1]), hit.start) for hit in index.search(query, 10)}
        order = np.argsort(-(vectors @ query).reshape(-1))[:10].tolist()
        shares.append(len(best & {(row // 100, row % 100) for row in order}) / 10)
    assert np.mean(shares) > 0.8


@pytest.mark.parametrize("exact_up_to", [50, 300])
def test_a_folder_far_from_the_query_is_searched_too(clustered, monkeypatch, exact_up_to):
    index, vectors = clustered
    monkeypatch.setattr(window_index, "APPROXIMATE_FROM", exact_up_to)
    hits = index.search(vectors[0, 7], 10, lies_within(["/9"], []))
    assert [hit.video for hit in hits] == ["/9/a"] * 10
    if exact_up_to == 300:
        assert {hit.start for hit in hits} == set(np.argsort(-(vectors[9] @ vectors[0, 7]))[:10].astype(float))


def test_what_came_after_the_approximate_index_is_found_and_it_is_made_anew_once_it_is_half(clustered):
    index, vectors = clustered
    index.add({"/new/a": windows_at(20, width=64)}, {"/new/a": "1"})
    assert index.search(np.eye(64)[20], 1)[0].video == "/new/a"
    index.tidy()
    assert [made.name for made in index._table.list_indices()] == ["rabitq2-1000"]
    starts = np.arange(1000.0)
    index.add({"/again/a": Windows(starts, starts + 1, vectors.reshape(-1, 64))}, {"/again/a": "1"})
    index.tidy()
    assert [made.name for made in index._table.list_indices()] == ["rabitq2-2001"]
    assert index.search(np.eye(64)[20], 1)[0].video == "/new/a"


def test_an_index_of_another_kind_is_made_anew():
    assert not window_index.is_fresh("vector_idx", 1000)
    assert window_index.is_fresh("rabitq2-600", 1000) and not window_index.is_fresh("rabitq2-500", 1000)


def test_a_damaged_table_is_said_in_a_sentence(index, tmp_path):
    index.add({"/a": windows_at(0)}, {"/a": "1"})
    for path in (tmp_path / "windows.lance").rglob("*"):
        if path.is_file():
            path.write_bytes(b"x" * 100)
    with pytest.raises(GroundingError, match=r"delete windows\.lance there, and they are made anew"):
        WindowIndex(tmp_path, "windows", 8).read_stamps()


def test_a_store_that_cannot_be_reached_is_not_to_be_deleted_unseen(monkeypatch):
    class Away:
        def checkout_latest(self):
            raise RuntimeError("lance error: Generic S3 error: connection refused")

    index = WindowIndex("s3://bucket/library", "windows", 8)
    vars(index)["_table"] = Away()
    with pytest.raises(GroundingError, match=r"see that it can be reached; if it is damaged, delete windows\.lance"):
        index.read_stamps()


def test_a_full_disk_is_said_in_a_sentence(index, monkeypatch):
    index.add({"/a": windows_at(0)}, {"/a": "1"})

    class Full:
        def add(self, rows):
            raise OSError("lance error: No space left on device (os error 28)")

        def __getattr__(self, name):
            return lambda *_, **__: None

    monkeypatch.setattr(WindowIndex, "read_stamps", lambda self: {})
    vars(index)["_table"] = Full()
    with pytest.raises(WriteError, match="make room"):
        index.add({"/b": windows_at(0)}, {"/b": "1"})
    assert WindowIndex(index.address, "windows", 8).search(along(0), 1)[0].video == "/a"


def test_without_lancedb_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(GroundingError, match="pip install -r grounding/library/requirements-library.txt"):
        WindowIndex(tmp_path, "windows", 8).read_stamps()
