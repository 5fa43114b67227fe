"""The segment that a visitor takes away, as a clip of its own."""

import math
from pathlib import Path

from grounding.errors import VideoError
from grounding.files import safe_name
from grounding.video.transcode import Progress, transcode


def cut(path: str | Path, start: float, end: float, out: str | Path, progress: Progress | None = None) -> Path:
    """Writes the part of a video from `start` to `end` as an mp4 (h264, AAC), and returns `out`.

    Cut at any frame, since it is encoded anew: the frame on screen at `start` is the first, and the length is
    `end` - `start` (less, where the video ends before). Sound is kept in time; the picture is written upright, in
    square pixels and 8 bits.

    Args:
        path: any video that can be grounded.
        start, end: seconds since the first frame.
        out: the file to write, which appears only when it is whole.
        progress: called with a fraction in [0, 1]; an exception that it raises ends the work.

    Raises:
        VideoError: the times are no interval of the video, the file cannot be read, or no h264 encoder is installed.
    """
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        raise VideoError(f"There is nothing from {start} s to {end} s: give a start that comes before the end.")
    report = progress or (lambda fraction: None)
    return transcode(Path(path), Path(out), start, end, progress=lambda done: report(min(done / (end - start), 1.0)))


def cut_name(path: str | Path, start: float, end: float) -> str:
    """File name for a cut, such as clip_12.5-17.0s.mp4."""
    return f"{safe_name(path)}_{start:.1f}-{end:.1f}s.mp4"
