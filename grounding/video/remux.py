"""Moves the tracks of a video into an mp4 as they are: seconds of work where encoding them anew takes minutes."""

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import av

from grounding.errors import VideoError
from grounding.files import write_whole
from grounding.video.container import open_container
from grounding.video.probe import Probe, probe_video

if TYPE_CHECKING:
    from av.stream import Stream

SOUNDS = ("aac", "mp3", "mp3float")
MAX_DIFFERENCE = 0.1  # seconds that start and length of the copy may differ from the source's


def remux(probe: Probe, out: Path) -> bool:
    """Copies an h264 video with its AAC or MP3 track to `out`, whose second 0 is that of the answers.

    Returns:
        Whether it was done: False for other codecs, a picture that is turned or has more than 8 bits, a file that
        begins between key frames, and wherever the copy would not be the same video; then nothing is written.
    """
    with suppress(av.FFmpegError, VideoError, ValueError, TypeError), write_whole(out) as part:
        if _is_remuxable(probe):
            _copy(probe, part)
            if _has_same_times(probe, part):
                return True
        raise ValueError(f"{probe.path.name} does not fit an mp4 as it is")
    return False


def _is_remuxable(probe: Probe) -> bool:
    with open_container(probe.path) as container:
        sound = probe.sound is None or container.streams[probe.sound].codec_context.name in SOUNDS
    return (
        probe.info.codec == "h264"
        and probe.pixels == "yuv420p"
        and probe.begins_with_key
        and not probe.quarter_turns
        and sound
    )


def _has_same_times(probe: Probe, part: Path) -> bool:
    copy, seconds = probe_video(part), probe.info.duration or math.inf
    with open_container(part) as container:
        claimed = (container.duration or 0) / 1e6
    late, longer = copy.info.start - probe.info.start, (copy.info.duration or 0.0) - seconds
    differences = (copy.start, late, longer, claimed - seconds)
    return max(map(abs, differences)) < MAX_DIFFERENCE


def _copy(probe: Probe, part: Path) -> None:
    with open_container(probe.path) as container, av.open(str(part), "w", format="mp4") as output:
        stream = container.streams[probe.track]
        sources: list[Stream] = [stream, *([] if probe.sound is None else [container.streams[probe.sound]])]
        tracks = {track.index: output.add_stream_from_template(track) for track in sources}
        for packet in _add_decoding_times(container.demux(sources), stream):
            early = round(probe.start / packet.time_base)
            packet.pts, packet.dts = packet.pts - early, packet.dts - early
            if packet.pts >= 0 or packet.stream is stream:
                packet.stream = tracks[packet.stream.index]
                output.mux(packet)


def _add_decoding_times(packets: Iterable["av.Packet"], stream: "Stream") -> Iterator["av.Packet"]:
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
