import pytest

pytest.importorskip("lancedb")

from grounding.library.window_index import WindowIndex
from tests.benchmarks import library


def test_brute_force_and_the_engine_agree_where_all_windows_are_compared(tmp_path):
    index, queries = WindowIndex(tmp_path, "windows", library.WIDTH), library.make_queries(2)
    truth = library.fill(index, 2, queries)
    assert library.fill(index, 2, queries) == truth  # and adds nothing twice
    assert len(index) == 2 * 784
    _, found = library.time_searches(index, queries[:5])
    for hits, best in zip(found, truth, strict=False):
        assert len(set(hits) & best) >= 199  # two may be as good in half precision
    inside, _ = library.time_searches(index, queries[:1], "starts_with(video, '/videos/1/')")
    assert len(inside) == 1
