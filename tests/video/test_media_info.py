from fractions import Fraction

import pytest

from grounding.errors import VideoError
from grounding.isolation import client
from grounding.video.media_info import MediaInfo, exact_rate, read_media_info
from tests.clips import bad_file
from tests.exports.clips import write_numbered


@pytest.mark.parametrize(
    ("stated", "meant"),
    [
        (Fraction(30000, 1001), Fraction(30000, 1001)),
        (Fraction(2997, 100), Fraction(30000, 1001)),
        (Fraction(23976, 1000), Fraction(24000, 1001)),
        (Fraction(30), Fraction(30)),
        (Fraction(119_88, 100), Fraction(120_000, 1001)),
        (Fraction(4), Fraction(4)),
        (Fraction(25, 2), Fraction(25, 2)),
        (Fraction(90_000), Fraction(25)),
        (None, Fraction(25)),
    ],
)
def test_a_rounded_rate_is_the_standard_one_that_is_meant(stated, meant):
    assert exact_rate(stated) == meant


@pytest.mark.parametrize("read", [read_media_info, client.read_media_info], ids=["here", "in a child"])
def test_rate_size_sound_and_timecode_are_read(tmp_path, read):
    clip = write_numbered(tmp_path / "a.mov", Fraction(30000, 1001), 60, "01:00:00;00", sound=True)
    info = read(clip)
    assert info == MediaInfo(Fraction(30000, 1001), pytest.approx(60 * 1001 / 30000), 80, 48, True, "01:00:00;00")
    assert read(write_numbered(tmp_path / "b.mp4", Fraction(25), 5)).timecode == ""


def test_what_is_no_video_is_said(tmp_path):
    with pytest.raises(VideoError, match="text.mp4"):
        read_media_info(bad_file("text", tmp_path))
