"""Writes a part of a video, or all of it, as an mp4 that every browser plays: h264 and AAC, through PyAV.

By hand, since ffmpeg's own `-ss` and `-to`, as imageio-ffmpeg would call them, begin with the next frame: of 27 cuts 18
came 30 to 450 ms early where ours are exact, and a worker's limits do not reach a program that it starts.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np

from grounding.errors import VideoError
from grounding.files import write_whole
from grounding.video.audio import SoundTrack
from grounding.video.pictures import has_alpha, image_from_frame, is_hdr, make_square_size, quarter_turns_from_frame
from grounding.video.probe import SHORT_LEAD, Probe
from grounding.video.timeline import TimedFrames, read_frames_from

TICKS = 90_000  # a second; divides every usual frame rate
RGB = 0  # ffmpeg's number for the colour space of frames that are no YUV

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Quality:
    """How the picture is encoded.

    Attributes:
        short_side: pixels; larger frames are scaled down to it. None keeps their size.
        crf: x264's constant quality, lower is better.
        preset: x264's trade of speed for size.
    """

    short_side: int | None = None
    crf: int = 20
    preset: str = "veryfast"


@dataclass(frozen=True)
class ShownFrame:
    """A frame and when it is shown, seconds from the start of the cut."""

    start: float
    end: float
    frame: "av.VideoFrame"


def transcode(
    probe: Probe,
    out: Path,
    start: float = 0.0,
    end: float = math.inf,
    quality: Quality | None = None,
    progress: Progress | None = None,
) -> Path:
    """Writes the frames and the sound from `start` to `end`, and returns `out`, which appears only when it is whole.

    Every frame keeps the time at which it is shown, so that second 0 of the result is `start`. One frame is held at a
    time. An exception raised by `progress` ends the work and leaves nothing behind.

    Args:
        probe: of any video that can be grounded.
        out: the mp4 to write.
        start, end: seconds.
        quality: how the picture is encoded.
        progress: called with the seconds written, frame by frame; with 0 while those before `start` are decoded.

    Raises:
        VideoError: the source cannot be read, has no frame there, or no h264 mp4 can be written here.
    """
    check_encoder()
    try:
        with write_whole(out) as part, closing(read_frames_from(probe, start)) as frames:
            shown = find_shown(report_preroll(frames, start, progress), probe, start, end)
            _write(probe, shown, part, (start, end), quality or Quality(), progress)
    except av.FFmpegError as error:
        raise VideoError(
            f"{probe.path.name!r} could not be written as an mp4 ({error.strerror}): free disk space, or convert it to "
            "an h264 mp4 and try again."
        ) from error
    return out


def _write(
    probe: Probe,
    frames: Iterator[ShownFrame],
    part: Path,
    bounds: tuple[float, float],
    quality: Quality,
    progress: Progress | None,
) -> None:
    first, written = next(frames, None), 0.0
    if first is None:
        raise VideoError(f"{probe.path.name!r} has no frame at {bounds[0]:.2f} s: choose another time.")
    with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as output:
        picture = PictureTrack(output, first.frame, probe.pixel_shape, quality)
        sound = SoundTrack(probe, output, probe.start + bounds[0], probe.start + bounds[1])
        for shown in chain(_begin_at_once(first), frames):
            sound.write_until(shown.start)
            picture.write(shown)
            written = shown.end
            if progress:
                progress(written)
        picture.finish()
        sound.finish(written)


def _begin_at_once(first: ShownFrame) -> list[ShownFrame]:
    """The first frame, and black before it where it comes late, so that the picture begins with the sound."""
    if first.start <= SHORT_LEAD:
        return [replace(first, start=0.0)]
    black = np.zeros((first.frame.height, first.frame.width, 3), np.uint8)
    return [ShownFrame(0.0, first.start, av.VideoFrame.from_ndarray(black, format="rgb24")), first]


def check_encoder() -> None:
    """Raises VideoError where PyAV was built without x264, as some distributions' is."""
    try:
        av.codec.Codec("libx264", "w")
    except ValueError as error:
        raise VideoError(
            "No mp4 can be written here, since this PyAV has no h264 encoder. Install the one from the package "
            "registry: pip install --force-reinstall --no-deps av"
        ) from error


def report_preroll(frames: TimedFrames, start: float, progress: Progress | None) -> TimedFrames:
    """The frames; a recording without an index is decoded from its beginning, which may take minutes."""
    for timestamp, frame in frames:
        if progress and timestamp < start:
            progress(0.0)
        yield timestamp, frame


def find_shown(frames: TimedFrames, probe: Probe, start: float, end: float) -> Iterator[ShownFrame]:
    """The frames on screen from `start` to `end`. The last frame of a video is shown until a player is at the end."""
    held: tuple[float, av.VideoFrame] | None = None
    step = 1 / (probe.info.fps or 25.0)
    for timestamp, frame in frames:
        if held is not None:
            step = timestamp - held[0]
            if timestamp > start:
                yield ShownFrame(max(held[0] - start, 0.0), min(timestamp, end) - start, held[1])
        held = (timestamp, frame)
        if timestamp >= end:
            return
    if held is not None:
        end = min(end, max(held[0] + _measure_length(held[1], step), probe.info.duration or 0.0))
        if end > start:
            yield ShownFrame(max(held[0] - start, 0.0), end - start, held[1])


def _measure_length(frame: "av.VideoFrame", otherwise: float) -> float:
    return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else otherwise


class PictureTrack:
    """An h264 track without B-frames, so that it begins at 0 and every frame's length is the one it is given."""

    def __init__(
        self, output: "av.container.OutputContainer", first: "av.VideoFrame", pixel_shape: float, quality: Quality
    ) -> None:
        self._output, self._short_side = output, quality.short_side
        self._size = _choose_size(first, pixel_shape, quality.short_side)
        options = {"crf": str(quality.crf), "preset": quality.preset, "bf": "0"}
        self._stream = output.add_stream("libx264", options=options)
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = self._stream.time_base = Fraction(1, TICKS)
        self._stream.codec_context.gop_size = 60  # a browser seeks to the key frame before and decodes from there
        self._lengths: dict[int, int] = {}
        _keep_colours(first, self._stream.codec_context)

    def write(self, shown: ShownFrame) -> None:
        """Encodes a frame at the times at which it is shown."""
        frame = self._prepare(shown.frame)
        frame.pts, frame.time_base = round(shown.start * TICKS), Fraction(1, TICKS)
        self._lengths[frame.pts] = round(shown.end * TICKS) - frame.pts
        self._mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Writes what the encoder still holds."""
        self._mux(self._stream.encode())

    def _mux(self, packets: "list[av.Packet]") -> None:
        for packet in packets:
            packet.duration = self._lengths.pop(packet.pts, packet.duration)
            self._output.mux(packet)

    def _prepare(self, frame: "av.VideoFrame") -> "av.VideoFrame":
        if _needs_conversion(frame):
            frame = av.VideoFrame.from_ndarray(image_from_frame(frame, short_side=self._short_side), format="rgb24")
        width, height = self._size
        return frame.reformat(width=width, height=height, format="yuv420p")


def _choose_size(frame: "av.VideoFrame", pixel_shape: float, short_side: int | None) -> tuple[int, int]:
    """Width and height to write: upright, of square pixels, down to `short_side`, and even, as yuv420p needs them."""
    width, height = map(float, make_square_size(frame.width, frame.height, pixel_shape))
    if quarter_turns_from_frame(frame) % 2:
        width, height = height, width
    scale = min(1.0, short_side / min(width, height)) if short_side else 1.0
    return max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)


def _keep_colours(frame: "av.VideoFrame", context: "av.VideoCodecContext") -> None:
    """Says of the result's colours what the source says of its own; a converted frame went through RGB."""
    if frame.colorspace != RGB and not _needs_conversion(frame):
        context.colorspace, context.color_primaries = frame.colorspace, frame.color_primaries
        context.color_trc, context.color_range = frame.color_trc, frame.color_range


def _needs_conversion(frame: "av.VideoFrame") -> bool:
    """Whether it is more than a matter of size to show a frame as a player does."""
    return bool(quarter_turns_from_frame(frame)) or has_alpha(frame) or is_hdr(frame)
