"""A few of the trials of `visits`, on the app that other tests use too."""

import pytest

from tests.clips import RED, plain, write_video
from tests.trust import visits


@pytest.fixture(scope="module")
def visitor(address, tmp_path_factory):
    return visits.Visitor(address, write_video(tmp_path_factory.mktemp("visit") / "clip.mp4", [plain(RED)] * 10))


def test_names_stay_names_in_the_uploads(visitor):
    names = ("../../../etc/passwd.mp4", "a\r\nSet-Cookie: a.mp4", "\x1b[31mred\x07.mp4", "🎬" * 62 + ".mp4", "<b>.mp4")
    assert [found for found in visits.named(visitor, names) if found[1]] == []


def test_queries_are_answered_or_told_what_is_wrong(visitor):
    queries = ("<script>alert(1)</script>", "a\x00b", "\u202ea cat", "قطة تقفز", "🐈" * 1000, "x" * 1001, "\ud83d", "")
    assert [found for found in visits.asked(visitor, queries) if found[1]] == []


def test_calls_that_do_not_fit_are_told_so(visitor, monkeypatch):
    every = visits.calls(visitor.given("clip.mp4"))
    monkeypatch.setattr(visits, "calls", lambda video: every[::4])
    found = list(visits.called(visitor))
    assert len(found) > 10
    assert [one for one in found if one[1]] == []


def test_an_answer_to_another_query_and_a_server_that_breaks_down_are_noticed():
    answer = {"query": "a cat", "segments": [1]}
    assert visits.wrong_answer(" a cat", "complete", answer) == ""
    assert visits.wrong_answer("a dog", "complete", answer) == "answered as 'a cat'"
    assert visits.wrong_answer("a cat", "error", "Too long.") == ""
    assert visits.wrong_answer("a cat", "refused", None) != ""
