import os

import pytest

from grounding.errors import GroundingError, VideoError
from grounding.video.limits import DecodeLimits, count_cores, limits_from_env, make_crash_error


def test_the_environment_changes_the_limits(monkeypatch):
    monkeypatch.setenv("GROUNDING_DECODE_STALL", "7.5")
    monkeypatch.setenv("GROUNDING_DECODE_MEGABYTES", "")
    assert limits_from_env() == DecodeLimits(stall=7.5)


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan", "inf"])
def test_a_limit_is_a_positive_number(monkeypatch, text):
    monkeypatch.setenv("GROUNDING_DECODE_SECONDS", text)
    with pytest.raises(GroundingError, match=f"GROUNDING_DECODE_SECONDS is '{text}': give a positive number"):
        limits_from_env()


@pytest.mark.parametrize(("status", "words"), [(-11, "SIGSEGV"), (-9, "killed"), (1, "status 1"), (None, "crashed")])
def test_a_crash_says_how(status, words):
    assert words in str(make_crash_error("a.mp4", status))


def test_a_picture_of_8k_is_within_the_limit_and_a_larger_one_is_told_it():
    DecodeLimits().check_size("a.mp4", 8192, 4320)
    with pytest.raises(VideoError, match=r"'a.mp4' has pictures of 6400 x 6400 pixels and 40 megapixels .*_MEGAPIXELS"):
        DecodeLimits().check_size("a.mp4", 6400, 6400)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not say which cores may be used")
def test_cores_that_a_container_keeps_from_us_are_not_counted(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 60})
    assert count_cores() == 2
