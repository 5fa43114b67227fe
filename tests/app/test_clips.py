from dataclasses import replace
from types import SimpleNamespace

import pytest

from grounding.app import clips
from grounding.app.job_queue import JobCancelledError
from grounding.app.memory_cache import MAX_ENTRIES, MemoryBudget, MemoryCache
from grounding.errors import VideoError
from grounding.features.disk_cache import FeatureCache
from tests.clips import bad_file, colours


def never():
    """Nobody cancels."""


@pytest.fixture
def encoded(predictor):
    """The last step: the whole clip."""

    def steps(path, memory=None):
        return list(clips.encode_clip(str(path), predictor, MemoryCache() if memory is None else memory, never))[-1]

    return steps


@pytest.fixture
def count(predictor, monkeypatch):
    """Which files were encoded."""
    files, grow = [], predictor.grow_video
    monkeypatch.setattr(predictor, "grow_video", lambda path, *more: files.append(path) or grow(path, *more))
    return files


def test_a_clip_grows_until_it_is_whole(predictor, tmp_path):
    path = colours(tmp_path / "long.mp4", seconds=8.0)
    steps = list(clips.encode_clip(str(path), predictor, MemoryCache(), never))
    assert len(steps) > 3 and [step.is_whole for step in steps] == [False] * (len(steps) - 1) + [True]
    assert [step.fraction for step in steps] == sorted(step.fraction for step in steps)
    assert steps[0].seconds_left > steps[-2].seconds_left >= 0
    assert steps[-1].fraction == 1
    assert steps[-1].thumbnails.timestamps == tuple(steps[-1].video.timestamps)


def test_a_long_clip_is_there_roughly_at_once_and_settles(predictor, long_scenes):
    steps = list(clips.encode_clip(str(long_scenes), predictor, MemoryCache(), never))
    assert steps[0].video.rough >= 3 and steps[0].fraction == 0
    assert len(steps[0].thumbnails.jpegs) == steps[0].video.rough
    assert all(step.video.timestamps[-1] > 71 for step in steps)
    assert [step.fraction for step in steps] == sorted(step.fraction for step in steps)
    assert (steps[-1].is_whole, steps[-1].video.rough, steps[-1].missing) == (True, 0, ())
    assert (steps[-1].video.features == predictor.encode_video(long_scenes).features).all()


def test_it_is_what_encoding_it_at_once_gives(encoded, predictor, scenes):
    assert (encoded(scenes).video.features == predictor.encode_video(scenes).features).all()


def test_a_clip_is_encoded_once(encoded, count, tmp_path):
    path, memory = colours(tmp_path / "a.mp4"), MemoryCache()
    assert encoded(path, memory) is encoded(path, memory)
    assert len(count) == 1


def test_another_clip_under_the_same_name_is_encoded(encoded, count, tmp_path):
    path, memory = colours(tmp_path / "a.mp4"), MemoryCache()
    encoded(path, memory)
    colours(path, seconds=1.0)
    encoded(path, memory)
    assert len(count) == 2


def test_what_was_stopped_is_not_remembered(predictor, tmp_path):
    memory = MemoryCache()
    steps = clips.encode_clip(str(colours(tmp_path / "long.mp4", seconds=8.0)), predictor, memory, never)
    next(steps)
    steps.close()
    assert not memory.entries


def test_memory_is_bounded_and_forgets_what_was_used_longest_ago(encoded, count, tmp_path):
    memory = MemoryCache()
    paths = [colours(tmp_path / f"{n}.mp4", seconds=0.5 + n / 10) for n in range(MAX_ENTRIES + 1)]
    for path in [*paths[:-1], paths[0], paths[-1]]:
        encoded(path, memory)
    assert len(memory.entries) == MAX_ENTRIES
    count.clear()
    encoded(paths[0], memory)
    assert not count
    encoded(paths[1], memory)
    assert len(count) == 1


def test_a_cancel_ends_the_work_while_the_decoder_is_waited_for(predictor, tmp_path):
    def cancel():
        raise JobCancelledError(silent=False)

    path, memory = str(colours(tmp_path / "a.mp4")), MemoryCache()
    with pytest.raises(JobCancelledError):
        next(clips.encode_clip(path, predictor, memory, cancel))
    clip = list(clips.encode_clip(path, predictor, memory, never))[-1]
    memory.put(memory.keys_of(path)[0], replace(clip, thumbnails=None), 1)
    with pytest.raises(JobCancelledError):
        next(clips.make_missing_thumbnails(path, memory, cancel))


def test_no_clip_and_a_clip_that_is_gone_are_one_clear_sentence(predictor, tmp_path):
    with pytest.raises(VideoError, match="upload a video"):
        next(clips.encode_clip(None, predictor, MemoryCache(), never))
    with pytest.raises(VideoError, match="no file 'missing.mp4'"):
        next(clips.encode_clip(str(bad_file("missing", tmp_path)), predictor, MemoryCache(), never))


def test_limits_hold_for_every_clip(predictor, tmp_path, set_limits):
    set_limits(seconds=1.0)
    with pytest.raises(VideoError, match="is the most"):
        next(clips.encode_clip(str(colours(tmp_path / "a.mp4")), predictor, MemoryCache(), never))


def test_a_clip_that_does_not_say_its_length_is_ended_where_it_gets_too_long(
    predictor, tmp_path, monkeypatch, set_limits
):
    monkeypatch.setattr("grounding.app.clip_limits.probe_video", lambda path, check: SimpleNamespace(duration=None))
    set_limits(seconds=4.0)
    with pytest.raises(VideoError, match="lasts .* is the most: .*GROUNDING_CLIP_SECONDS"):
        list(clips.encode_clip(str(colours(tmp_path / "a.mp4")), predictor, MemoryCache(), never))


def test_visitors_share_the_room(predictor, tmp_path):
    paths = [colours(tmp_path / f"{n}.mp4", seconds=0.5 + n / 10) for n in range(2)]
    budget = MemoryBudget()
    one, other = MemoryCache(budget), MemoryCache(budget)
    list(clips.encode_clip(str(paths[0]), predictor, one, never))
    budget.bytes = 1.5 * budget.used_bytes
    list(clips.encode_clip(str(paths[1]), predictor, other, never))
    assert (len(one.entries), len(other.entries)) == (0, 1)
    assert 0 < budget.used_bytes <= budget.bytes


@pytest.fixture
def cached(predictor, monkeypatch, tmp_path):
    """The predictor keeps videos on disk."""
    monkeypatch.setattr(predictor.store, "cache", FeatureCache(tmp_path / "kept"))
    return predictor


def test_another_visitor_with_the_same_file_waits_for_no_encoding(cached, encoded, count, tmp_path):
    path, copy = colours(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    first = encoded(path)
    copy.write_bytes(path.read_bytes())
    second = encoded(copy)
    assert len(count) == 1
    assert (first.video.features == second.video.features).all()
    assert (first.video.timestamps == second.video.timestamps).all()
    assert first.video.duration == second.video.duration


def test_what_was_stopped_is_not_kept_on_disk(cached, tmp_path):
    steps = clips.encode_clip(str(colours(tmp_path / "long.mp4", seconds=8.0)), cached, MemoryCache(), never)
    next(steps)
    steps.close()
    assert not list(tmp_path.glob("kept/encoded/*"))


def test_the_cache_keeps_no_pictures_and_they_are_made_when_wanted(cached, encoded, count, tmp_path):
    path, memory = colours(tmp_path / "long.mp4", seconds=8.0), MemoryCache()
    film = encoded(path).thumbnails
    assert encoded(path, memory).thumbnails is None
    assert clips.find_thumbnails(str(path), memory) is None
    shares = list(clips.make_missing_thumbnails(str(path), memory, never))
    assert shares == sorted(shares) and 0 < shares[0] < shares[-1] <= 1
    assert clips.find_thumbnails(str(path), memory) == film
    assert encoded(path, memory).thumbnails == film
    assert len(count) == 1
    assert list(clips.make_missing_thumbnails(str(path), memory, never)) == []


def test_pictures_count_in_the_room(encoded, tmp_path):
    budget = MemoryBudget()
    clip = encoded(colours(tmp_path / "a.mp4"), MemoryCache(budget))
    assert clip.size > clip.video.features.nbytes + sum(map(len, clip.thumbnails.jpegs)) > clip.video.features.nbytes
