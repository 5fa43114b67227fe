"""Clips for visitors: a copy of a video that every browser plays, and the segment that they take away."""

import math
from collections.abc import Callable
from pathlib import Path

from grounding.errors import VideoError
from grounding.files import make_preview_name
from grounding.video.probe import Probe, probe_video
from grounding.video.remux import remux
from grounding.video.transcode import Quality, transcode

QUALITY = Quality(short_side=480, crf=26, preset="ultrafast")
DOING = "Making a preview that the browser can play"

Progress = Callable[[float, str], None]
CutProgress = Callable[[float], None]


def make_preview(
    path: str | Path, folder: str | Path, progress: Progress | None = None, probe: Probe | None = None
) -> Path:
    """`path` itself if every browser plays it on our clock, else a new h264 mp4 in `folder`.

    Second t of the result shows the frame that an answer calls t. A file of AV1 counts as playable, which on Apple's
    devices it is from 2023 on.

    Args:
        path: any video that can be grounded.
        folder: where the copy goes; of the visitor alone.
        progress: called with a fraction in [0, 1] and a message; an exception that it raises ends the work and leaves
            nothing behind.
        probe: of the video, where it is there already.

    Raises:
        VideoError: as FrameReader does, or no h264 encoder is installed.
    """
    path, folder = Path(path), Path(folder)
    report = progress or (lambda fraction, message: None)
    probe = probe or probe_video(path)
    if probe.info.plays_everywhere:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / make_preview_name(path)
    report(0.0, DOING)
    if remux(probe, out):
        report(1.0, DOING)
        return out
    total = probe.info.duration or math.inf
    return transcode(probe, out, quality=QUALITY, progress=lambda seconds: report(min(seconds / total, 1.0), DOING))


def cut_clip(
    path: str | Path,
    start: float,
    end: float,
    out: str | Path,
    progress: CutProgress | None = None,
    probe: Probe | None = None,
) -> Path:
    """Writes the part of a video from `start` to `end` as an mp4 (h264, AAC), and returns `out`.

    Cut at any frame, since it is encoded anew: the frame on screen at `start` is the first, and the length is
    `end` - `start` (less, where the video ends before). Sound is kept in time; the picture is written upright, in
    square pixels and 8 bits.

    Args:
        path: any video that can be grounded.
        start, end: seconds.
        out: the file to write, which appears only when it is whole.
        progress: called with a fraction in [0, 1]; an exception that it raises ends the work.
        probe: of the video, where it is there already.

    Raises:
        VideoError: the times are no interval of the video, the file cannot be read, or no h264 encoder is installed.
    """
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        raise VideoError(f"There is nothing from {start} s to {end} s: give a start that comes before the end.")
    report = progress or (lambda fraction: None)
    probe = probe or probe_video(path)
    return transcode(probe, Path(out), start, end, progress=lambda done: report(min(done / (end - start), 1.0)))
