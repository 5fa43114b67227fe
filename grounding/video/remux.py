"""Moves the tracks of a video into an mp4 as they are: seconds of work where encoding them anew takes minutes."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import av

from grounding.files import write_whole
from grounding.video.container import opened, quarter_turns, tolerant
from grounding.video.timeline import beginning, read_length

if TYPE_CHECKING:
    from av.stream import Stream

SOUNDS = ("aac", "mp3", "mp3float")
APART = 0.1  # seconds that start and length of the copy may differ from the source's


def remux(source: Path, out: Path) -> bool:
    """Copies an h264 video with its first AAC or MP3 track to `out`, whose second 0 is the first frame.

    Returns:
        Whether it was done: False for other codecs, a picture that is turned or has more than 8 bits, a file that
        begins between key frames, and wherever the copy would not be the same video; then nothing is written.
    """
    with suppress(av.FFmpegError, ValueError, TypeError), write_whole(out) as part:
        if _fits(source):
            _copy(source, part)
            if _same_times(source, part):
                return True
        raise ValueError(f"{source.name} does not fit an mp4 as it is")
    return False


def _fits(source: Path) -> bool:
    with opened(source) as (container, stream):
        sound = container.streams.audio[:1]
        first = next((frame for _, frame in tolerant(container, stream)), None)
        return (
            stream.codec_context.name == "h264"
            and first is not None
            and first.format.name == "yuv420p"
            and first.key_frame
            and not quarter_turns(first)
            and all(track.codec_context.name in SOUNDS for track in sound)
        )


def _same_times(source: Path, part: Path) -> bool:
    seconds = read_length(source)
    with opened(part) as (container, _):
        claimed = (container.duration or 0) / 1e6
    differences = (beginning(part).seconds, read_length(part) - seconds, claimed - seconds)
    return max(map(abs, differences)) < APART


def _copy(source: Path, part: Path) -> None:
    begin = beginning(source).seconds
    with opened(source) as (container, stream), av.open(str(part), "w", format="mp4") as output:
        sources: list[Stream] = [stream, *container.streams.audio[:1]]
        tracks = {track.index: output.add_stream_from_template(track) for track in sources}
        for packet in _with_decoding_times(container.demux(sources), stream):
            early = round(begin / packet.time_base)
            packet.pts, packet.dts = packet.pts - early, packet.dts - early
            if packet.pts >= 0 or packet.stream is stream:
                packet.stream = tracks[packet.stream.index]
                output.mux(packet)


def _with_decoding_times(packets: Iterable["av.Packet"], stream: "Stream") -> Iterator["av.Packet"]:
    """Matroska leaves out the decoding times of the first packets where frames are reordered; an mp4 needs them."""
    step = round(1 / (stream.average_rate or 25) / stream.time_base)  # shorter, and browsers show other frames
    waiting: list[av.Packet] = []
    for packet in packets:
        if not packet.size:  # the demuxer's word for the end of a track
            continue
        if packet.dts is None and packet.stream is stream:
            waiting.append(packet)
            continue
        if packet.stream is stream:
            for ahead, early in zip(range(len(waiting), 0, -1), waiting, strict=True):
                early.dts = packet.dts - ahead * step
                yield early
            waiting.clear()
        yield packet
