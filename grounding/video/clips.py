"""A copy of a video that every browser plays, where the file itself is not one."""

from collections.abc import Callable
from pathlib import Path

from grounding.files import preview_name
from grounding.video.container import check_file, opened, tolerant
from grounding.video.remux import remux
from grounding.video.timeline import length
from grounding.video.transcode import Quality, transcode

QUALITY = Quality(short_side=480, crf=26, preset="ultrafast")
EARLY = 0.1  # seconds; where the first frame comes later on the container's clock, a browser's time is not ours

# The suffix decides which type a browser is told. Codecs by the name of their decoder.
PLAYABLE = {
    ".mp4": ("mp4", {"h264", "av1", "libdav1d"}, {"aac", "mp3"}),
    ".m4v": ("mp4", {"h264"}, {"aac", "mp3"}),
    ".webm": ("webm", {"vp8", "vp9", "av1", "libdav1d"}, {"opus", "vorbis"}),
}
PIXELS = ("yuv420p", "yuvj420p")  # 8 bits; not every browser takes more

DOING = "Making a preview that the browser can play"

Progress = Callable[[float, str], None]


def preview(path: str | Path, folder: str | Path, progress: Progress | None = None) -> Path:
    """`path` itself if every browser plays it on our clock, else a new h264 mp4 in `folder`.

    Second t of the result shows the frame that an answer calls t. A file of AV1 counts as playable, which on Apple's
    devices it is from 2023 on.

    Args:
        path: any video that can be grounded.
        folder: where the copy goes; of the visitor alone.
        progress: called with a fraction in [0, 1] and a message; an exception that it raises ends the work and leaves
            nothing behind.

    Raises:
        VideoError: as FrameReader does, or no h264 encoder is installed.
    """
    path, folder = Path(path), Path(folder)
    check_file(path)
    if plays_everywhere(path):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    out, report = folder / preview_name(path), progress or (lambda fraction, message: None)
    report(0.0, DOING)
    if remux(path, out):
        report(1.0, DOING)
        return out
    total = length(path)
    return transcode(path, out, quality=QUALITY, progress=lambda seconds: report(min(seconds / total, 1.0), DOING))


def plays_everywhere(path: Path) -> bool:
    """Whether browsers play the file as it is, at the times that answers use. Raises VideoError."""
    if path.suffix.lower() not in PLAYABLE:
        return False
    container_format, pictures, sounds = PLAYABLE[path.suffix.lower()]
    with opened(path) as (container, stream):
        sound = [audio.codec_context.name for audio in container.streams.audio]
        first = next((frame for _, frame in tolerant(container, stream)), None)
        return (
            container_format in container.format.name
            and stream.codec_context.name in pictures
            and first is not None
            and first.format.name in PIXELS
            and set(sound) <= sounds
            and bool(container.duration)
            and abs(first.time or 0.0) <= EARLY
        )
