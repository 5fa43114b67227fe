from collections import OrderedDict

import pytest

from grounding import serving
from grounding.errors import GroundingError, VideoError
from tests.clips import bad_file, colours


class Counting:
    """A predictor that counts how often it encodes."""

    def __init__(self):
        self.encoded = []

    def encode_video(self, path, progress):
        self.encoded.append(path)
        return f"features of {path}"


@pytest.fixture
def counting(monkeypatch):
    counted = Counting()
    monkeypatch.setattr(serving, "load_predictor", lambda name: counted)
    return counted


def test_a_clip_is_encoded_once_per_checkpoint(counting, tmp_path):
    path, memory = str(colours(tmp_path / "a.mp4")), OrderedDict()
    first = serving.encode(path, "one", memory, None)
    assert serving.encode(path, "one", memory, None) == first
    assert len(counting.encoded) == 1
    serving.encode(path, "two", memory, None)
    assert len(counting.encoded) == 2


def test_another_clip_under_the_same_name_is_encoded(counting, tmp_path):
    path, memory = colours(tmp_path / "a.mp4"), OrderedDict()
    serving.encode(str(path), "one", memory, None)
    colours(path, seconds=1.0)
    serving.encode(str(path), "one", memory, None)
    assert len(counting.encoded) == 2


def test_visitors_share_nothing(counting, tmp_path):
    path = str(colours(tmp_path / "a.mp4"))
    serving.encode(path, "one", OrderedDict(), None)
    serving.encode(path, "one", OrderedDict(), None)
    assert len(counting.encoded) == 2


def test_memory_is_bounded_and_forgets_what_was_used_longest_ago(counting, tmp_path):
    memory = OrderedDict()
    paths = [str(colours(tmp_path / f"{n}.mp4", seconds=0.5 + n / 10)) for n in range(serving.KEPT + 1)]
    for path in [*paths[:-1], paths[0], paths[-1]]:
        serving.encode(path, "one", memory, None)
    assert len(memory) == serving.KEPT
    assert f"features of {paths[0]}" in memory.values()
    assert f"features of {paths[1]}" not in memory.values()


def test_no_clip_is_one_clear_sentence():
    with pytest.raises(VideoError, match="upload a video"):
        serving.encode(None, "embedded", OrderedDict(), None)


def test_a_clip_that_is_gone_is_one_clear_sentence(tmp_path):
    with pytest.raises(VideoError, match="no file 'missing.mp4'"):
        serving.encode(str(bad_file("missing", tmp_path)), "embedded", OrderedDict(), None)


def test_an_unknown_checkpoint_is_told_the_known_ones():
    with pytest.raises(GroundingError, match="choose one of .*embedded"):
        serving.known("nonsense")


@pytest.mark.parametrize(("names", "chosen"), [(["clip", "embedded"], "embedded"), (["clip"], "clip"), ([], None)])
def test_the_default_is_what_runs_anywhere_if_it_is_there(monkeypatch, names, chosen):
    monkeypatch.setattr(serving, "list_checkpoints", lambda: names)
    assert serving.default_checkpoint() == chosen


def test_the_choices_say_what_each_checkpoint_is_good_at():
    labels = {name: label for label, name in serving.checkpoint_choices()}
    assert labels["embedded"].startswith("embedded: ")
    assert len(labels["embedded"]) > len("embedded: ")


@pytest.mark.parametrize(("others", "why"), [([], "only checkpoint installed"), (["clip"], "needs no download")])
def test_the_page_says_who_answers_and_why(monkeypatch, predictor, others, why):
    monkeypatch.setattr(serving, "list_checkpoints", lambda: [*others, "embedded"])
    described = serving.described(predictor)
    assert described.startswith("embedded, ")
    assert why in described
    assert "frame encoder embedded" in described
