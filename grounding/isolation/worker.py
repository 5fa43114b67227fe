"""The child process that opens files which nobody trusts: python -m grounding.isolation.worker MEGABYTES

It does one job after another, as its parent asks on stdin (see worker_pool.py), and ends when stdin does.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO

from grounding.encoders.memory import trim_memory
from grounding.errors import GroundingError, VideoError
from grounding.isolation.parent_channel import ParentChannel
from grounding.isolation.protocol import Message, receive

if TYPE_CHECKING:
    from grounding.video.probe import Probe

try:
    import resource
except ImportError:  # Windows
    resource = None

SPARE_MEGABYTES = 1000  # that threads and libraries may reserve beside

Fields = dict[str, Any]  # a JSON object


def send_frames(channel: ParentChannel, path: str, rate: float, short_side: int) -> Fields:
    """Sends what a FrameReader finds: its info, then frame by frame, and what is known at the end."""
    from grounding.video.reader import FrameReader

    reader, last = FrameReader(path, rate, short_side, channel.heartbeat, probe_once(channel, path)), None
    channel.send(info=asdict(reader.info))
    for timestamp, image in reader:
        # A picture that stands still is sent once.
        fresh = {} if image is last else {"shape": image.shape}
        channel.send(image.data if fresh else b"", timestamp=timestamp, duration=reader.duration, **fresh)
        last = image
    return {"duration": reader.duration, "skipped": reader.skipped}


def send_blocks(
    channel: ParentChannel, path: str, rate: float, short_side: int, size: int, first: list[float]
) -> Fields:
    """As send_frames, what a BlockReader finds; each frame says which it is, and the end whether they count."""
    from grounding.video.block_reader import BlockReader

    probe = probe_once(channel, path)
    reader, last = BlockReader(probe, rate, size, first, short_side, channel.heartbeat), None
    channel.send(info=asdict(probe.info))
    for index, timestamp, image in reader:
        fresh = {} if image is last else {"shape": image.shape}
        channel.send(image.data if fresh else b"", timestamp=timestamp, duration=0.0, index=index, **fresh)
        last = image
    return {"duration": reader.duration, "skipped": reader.skipped, "is_exact": reader.is_exact}


def send_key_frames(channel: ParentChannel, path: str, count: int, short_side: int) -> Fields:
    """Sends key frames from all over the video, see timeline.read_key_frames, as images of their own shape."""
    from grounding.video.pictures import image_from_frame
    from grounding.video.timeline import read_key_frames

    probe = probe_once(channel, path)
    for timestamp, frame in read_key_frames(probe, count):
        image = image_from_frame(frame, probe.pixel_shape, short_side)
        channel.send(image.data, timestamp=timestamp, shape=image.shape)
    return {}


def send_frame_at(channel: ParentChannel, path: str, seconds: float, short_side: int) -> Fields:
    """Sends the frame on screen at a time, or the last one before the end."""
    from grounding.video.pictures import image_from_frame
    from grounding.video.timeline import read_frames_from

    probe, shown = probe_once(channel, path), None
    for timestamp, frame in read_frames_from(probe, seconds):
        channel.heartbeat()
        if shown is not None and timestamp > seconds:
            break
        shown = timestamp, frame
    if shown is None:
        raise VideoError(f"No frame of {Path(path).name!r} can be decoded: convert it to an h264 mp4 and try again.")
    image = image_from_frame(shown[1], probe.pixel_shape, short_side)
    channel.send(image.data, timestamp=shown[0], shape=image.shape)
    return {}


def probe_video(channel: ParentChannel, path: str) -> Fields:
    """See probe.probe_video."""
    return {"info": asdict(probe_once(channel, path).info)}


def probe_once(channel: ParentChannel, path: str) -> "Probe":
    """The probe of a file, once for the jobs on it that follow each other."""
    from grounding.video.container import check_file

    check_file(Path(path))
    state = os.stat(path)
    return _probe_state(channel, path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1)
def _probe_state(channel: ParentChannel, path: str, size: int, changed: int) -> "Probe":
    from grounding.video.probe import probe_video

    return probe_video(path, channel.heartbeat)


def read_media_info(channel: ParentChannel, path: str) -> Fields:
    """See media_info.read_media_info."""
    from grounding.video.media_info import read_media_info

    info = asdict(read_media_info(path, probe_once(channel, path)))
    return {"info": {**info, "rate": str(info["rate"])}}


def make_preview(channel: ParentChannel, path: str, folder: str) -> Fields:
    """See clips.make_preview."""
    from grounding.video.clips import make_preview

    return {"path": str(make_preview(path, folder, channel.report_progress, probe_once(channel, path)))}


def cut_clip(channel: ParentChannel, path: str, start: float, end: float, out: str) -> Fields:
    """See clips.cut_clip."""
    from grounding.video.clips import cut_clip

    return {"path": str(cut_clip(path, start, end, out, channel.report_progress, probe_once(channel, path)))}


def list_jobs() -> dict[str, Callable[..., Fields]]:
    """What the parent may ask for, by name."""
    return {
        "frames": send_frames,
        "blocks": send_blocks,
        "key_frames": send_key_frames,
        "frame_at": send_frame_at,
        "probe": probe_video,
        "media_info": read_media_info,
        "preview": make_preview,
        "cut": cut_clip,
    }


def do_job(request: Message, channel: ParentChannel) -> None:
    """Does what the parent asked and sends how it ended."""
    try:
        result = list_jobs()[request.fields["job"]](channel, **request.fields["arguments"])
    except GroundingError as error:
        channel.end(end="error", kind=type(error).__name__, why=str(error))
    except Exception as error:
        if is_lack_of_memory(error):
            channel.end(end="memory")
        else:  # its text may hold a path of the server, so that is for the log
            why = getattr(error, "strerror", None) or type(error).__name__
            channel.end(end="failed", why=why, log=f"{type(error).__name__}: {error}")
    else:
        channel.end(end="done", **result)


def is_lack_of_memory(error: Exception) -> bool:
    """Whether an error says so; a decoder's thread that cannot be started is a BlockingIOError, and one of Python's a
    RuntimeError; -4 is OpenCV's code."""
    is_thread_refused = isinstance(error, RuntimeError) and "can't start new thread" in str(error)
    return isinstance(error, MemoryError | BlockingIOError) or is_thread_refused or getattr(error, "code", None) == -4


def listen(requests: SimpleQueue) -> None:
    """Passes on what the parent asks. Ends the process when the parent closes the pipe, be it by its own end."""
    while (request := receive(sys.stdin.buffer)) is not None:
        requests.put(request)
    os._exit(0)


def bound_memory(megabytes: float) -> None:
    """Far above that allocations fail, for what is taken at once."""
    if resource:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what a crash leaves would hold a visitor's clip
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (round((2 * megabytes + SPARE_MEGABYTES) * 1e6), hard))


def take_stdout() -> BinaryIO:
    """The pipe to the parent, out of reach of whatever else prints."""
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which stops its workers
    megabytes = float(sys.argv[1])
    bound_memory(megabytes)
    channel, requests = ParentChannel(take_stdout(), megabytes), SimpleQueue()
    Thread(target=listen, args=(requests,), daemon=True).start()
    with suppress(ImportError):  # the first job says so
        for decoder in ("grounding.video.reader", "av"):  # which takes a while, and that job may not be there yet
            import_module(decoder)
    while True:
        do_job(requests.get(), channel)
        trim_memory()  # what follows in the parent takes some


if __name__ == "__main__":
    main()
