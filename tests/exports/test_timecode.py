import random
from fractions import Fraction

import opentimelineio as otio
import pytest

from grounding.errors import GroundingError
from grounding.exports.timecode import (
    end_frame,
    first_frame,
    frame_from_timecode,
    has_drop_frame,
    is_drop_frame,
    nominal_rate,
    timecode_from_frame,
    timecode_rate,
)

NTSC, DOUBLE_NTSC, FILM = Fraction(30000, 1001), Fraction(60000, 1001), Fraction(24000, 1001)


@pytest.mark.parametrize(
    ("frame", "rate", "drop", "timecode"),
    [
        (0, NTSC, True, "00:00:00;00"),
        (1799, NTSC, True, "00:00:59;29"),
        (1800, NTSC, True, "00:01:00;02"),  # two names of the minute are left out
        (17_982, NTSC, True, "00:10:00;00"),  # but none of the tenth
        (107_892, NTSC, True, "01:00:00;00"),
        (107_892, NTSC, False, "00:59:56:12"),
        (3600, DOUBLE_NTSC, True, "00:01:00;04"),
        (93_125, Fraction(25), False, "01:02:05:00"),
        (86_400, FILM, False, "01:00:00:00"),
        (119, Fraction(120), False, "00:00:00:119"),
    ],
)
def test_a_frame_and_its_name(frame, rate, drop, timecode):
    assert timecode_from_frame(frame, rate, drop) == timecode
    assert frame_from_timecode(timecode, rate) == frame


@pytest.mark.parametrize(("rate", "drop", "last"), [(NTSC, True, "23:59:59;29"), (Fraction(25), False, "23:59:59:24")])
def test_after_a_day_the_names_begin_anew(rate, drop, last):
    frame = frame_from_timecode(last, rate)
    assert timecode_from_frame(frame, rate, drop) == last
    assert timecode_from_frame(frame + 1, rate, drop) == f"00:00:00{last[8]}00"


@pytest.mark.parametrize("rate", [FILM, Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50), DOUBLE_NTSC])
def test_every_name_is_the_one_that_opentimelineio_gives(rate):
    drop = has_drop_frame(rate)
    for frame in [*range(4000), *random.Random(0).sample(range(23 * 3600 * nominal_rate(rate)), 4000)]:
        timecode = timecode_from_frame(frame, rate, drop)
        assert timecode == otio.opentime.RationalTime(frame, float(rate)).to_timecode(float(rate), drop)
        assert frame_from_timecode(timecode, rate) == frame


@pytest.mark.parametrize("text", ["", "1:02", "00:00:00:25", "aa:bb:cc:dd"])
def test_what_is_no_timecode_is_said(text):
    with pytest.raises(GroundingError, match="no timecode at 25.00"):
        frame_from_timecode(text, Fraction(25))


def test_drop_frame_is_known_by_its_point_and_its_rate():
    assert is_drop_frame("01:00:00;00", NTSC)
    assert not is_drop_frame("01:00:00:00", NTSC)
    assert not is_drop_frame("01:00:00;00", Fraction(25))


@pytest.mark.parametrize(
    ("start", "end", "rate", "frames"),
    [
        (2.0, 4.0, Fraction(25), (50, 100)),
        (2.01, 4.01, Fraction(25), (50, 101)),  # the frame on screen at the start, and all that begin before the end
        (2.0, 4.0, NTSC, (59, 120)),
        (0.033, 0.067, NTSC, (1, 2)),  # as containers with milliseconds round the times of frames
    ],
)
def test_times_become_frames(start, end, rate, frames):
    assert (first_frame(start, rate), end_frame(end, rate)) == frames


@pytest.mark.parametrize(
    ("rate", "counted"),
    [
        (NTSC, NTSC),
        (4, 24),
        (8, 24),
        (Fraction(25, 2), 25),
        (15, 30),
        (Fraction(15000, 1001), NTSC),
        (29, 30),
        (240, 120),
    ],
)
def test_rates_that_editing_programs_lack_are_counted_at_one_that_they_have(rate, counted):
    assert abs(timecode_rate(Fraction(rate)) - counted) < 0.04
