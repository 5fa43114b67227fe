import pytest

from grounding.app.clip_limits import ClipLimits, check_clip, clip_limits, limits_from_env
from grounding.errors import GroundingError, VideoError
from tests.clips import bad_file, colours


def test_no_clip_and_a_clip_that_is_gone_are_one_clear_sentence(tmp_path):
    with pytest.raises(VideoError, match="upload a video"):
        check_clip(None)
    with pytest.raises(VideoError, match="no file 'missing.mp4'"):
        check_clip(bad_file("missing", tmp_path))


def test_a_file_that_is_too_large_is_told_the_limit_and_what_to_do(tmp_path, set_limits):
    path = colours(tmp_path / "a.mp4")
    set_limits(megabytes=0.0001)
    with pytest.raises(VideoError, match=r"'a.mp4' has 0 MB and 0.0001 MB is the most: .*GROUNDING_CLIP_MEGABYTES"):
        check_clip(path)


def test_a_video_that_is_too_long_is_told_the_limit_and_what_to_do(tmp_path, set_limits):
    path = colours(tmp_path / "a.mp4", seconds=30.0, fps=2)
    set_limits(seconds=60.0)
    with pytest.raises(VideoError, match=r"'a.mp4' lasts 1.5 min and 1 min is the most: .*GROUNDING_CLIP_SECONDS"):
        check_clip(path)
    set_limits(seconds=90.0)
    check_clip(path)


def test_the_limits_can_be_read_before_they_are_met():
    assert str(ClipLimits()) == "up to 500 MB and 2 h"


def test_the_environment_changes_the_limits(monkeypatch):
    assert limits_from_env() == ClipLimits()
    monkeypatch.setenv("GROUNDING_CLIP_MEGABYTES", "5")
    monkeypatch.setenv("GROUNDING_CLIP_SECONDS", "3")
    assert limits_from_env() == ClipLimits(5.0, 3.0)
    monkeypatch.setenv("GROUNDING_CLIP_SECONDS", "two hours")
    with pytest.raises(GroundingError, match="GROUNDING_CLIP_SECONDS is 'two hours'"):
        limits_from_env()


def test_the_environment_is_read_once():
    assert clip_limits() is clip_limits()
