"""Timecodes of SMPTE ST 12-1: a name for each frame of a clip, as editing programs count.

At 29.97 and 59.94 frames a second, drop-frame timecode leaves out the first two or four names of every minute but each
tenth, so that it keeps to the clock; no frame is dropped.
"""

import re
from fractions import Fraction

from grounding.errors import GroundingError
from grounding.video.media_info import STANDARD_RATES

TIMECODE = re.compile(r"(\d{2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})")
SLACK = 0.05  # of a frame, by which times in milliseconds miss the frame that they mean


def timecode_rate(rate: Fraction) -> Fraction:
    """The rate at which a clip's frames get timecodes: its own, where editing programs have it.

    Else the lowest of theirs that is a multiple of it, so that each frame of the clip begins with one (24 for 4 frames
    a second, 30 for 15), or the nearest one, as for clips of variable rate.
    """
    if rate in STANDARD_RATES:
        return rate
    multiple = next((standard for standard in STANDARD_RATES if (standard / rate).denominator == 1), None)
    return multiple or min(STANDARD_RATES, key=lambda standard: abs(standard - rate))


def nominal_rate(rate: Fraction) -> int:
    """How many frames a timecode counts in a second: 30 at 29.97."""
    return -(-rate.numerator // rate.denominator)


def has_drop_frame(rate: Fraction) -> bool:
    """Whether drop-frame timecode is defined for a rate: 29.97, 59.94 and 119.88."""
    return rate.denominator == 1001 and nominal_rate(rate) % 30 == 0


def timecode_from_frame(frame: int, rate: Fraction, drop: bool = False) -> str:
    """The name of a frame, such as 01:02:05:10, and 01:02:05;10 in drop-frame; after a day the names begin anew.

    Args:
        frame: its number, 0 is 00:00:00:00.
        rate: frames a second.
        drop: whether names are left out; only where `has_drop_frame`.
    """
    second = nominal_rate(rate)
    if drop:  # count as if the names that are left out had frames
        left_out = _left_out(rate)
        tens, rest = divmod(frame, 600 * second - 9 * left_out)
        minutes = max(rest - left_out, 0) // (60 * second - left_out)
        frame += left_out * (9 * tens + minutes)
    seconds, frames = divmod(frame, second)
    digits = len(str(second - 1))
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}:{seconds:02d}{';' if drop else ':'}{frames:0{max(digits, 2)}d}"


def frame_from_timecode(timecode: str, rate: Fraction) -> int:
    """The number of the frame with this name; what stands before the frames says whether it is drop-frame.

    Raises GroundingError for what is no timecode at this rate.
    """
    found = TIMECODE.fullmatch(timecode)
    if not found or int(found[5]) >= nominal_rate(rate):
        raise GroundingError(f"{timecode!r} is no timecode at {float(rate):.2f} frames a second.")
    hours, minutes, seconds, frames = (int(found[place]) for place in (1, 2, 3, 5))
    minutes += 60 * hours
    left_out = _left_out(rate) * (minutes - minutes // 10) if is_drop_frame(timecode, rate) else 0
    return (60 * minutes + seconds) * nominal_rate(rate) + frames - left_out


def is_drop_frame(timecode: str, rate: Fraction) -> bool:
    """Whether a timecode is written as drop-frame, at a rate that has it."""
    return has_drop_frame(rate) and bool(re.search(r"[;.,]\d+$", timecode))


def first_frame(seconds: float, rate: Fraction) -> int:
    """Number of the frame on screen at a time, from 0."""
    return max(int(seconds * rate + SLACK), 0)


def end_frame(seconds: float, rate: Fraction) -> int:
    """Number of the first frame that is no longer shown before a time."""
    return max(-int(-(seconds * rate - SLACK) // 1), 0)


def _left_out(rate: Fraction) -> int:
    return nominal_rate(rate) // 15
