"""One look at a file before it is read: which of its tracks is the film, how long that is, and what its packets say.

Second 0 of all answers is where a player's clock begins: with the first of the tracks. A picture that comes 7 s after
its sound begins at 7 s.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grounding.video.browser_formats import is_playable
from grounding.video.container import (
    BROADCAST,
    check_file,
    forgive_damage,
    get_limits,
    make_no_video_error,
    make_undecodable_error,
    open_container,
    seconds_from_stamp,
)
from grounding.video.matroska import is_whole_matroska
from grounding.video.packets import MAX_HELD, PacketTable, PictureTrack, make_packet_table
from grounding.video.pictures import has_alpha, is_hdr, make_square_size, quarter_turns_from_frame, read_pixel_shape
from grounding.video.stated_end import find_stated_end

if TYPE_CHECKING:
    import av

# Seconds that a picture may come after its sound, and answers still count from its first frame: what codecs put before
# the sound (AAC up to 0.05, Opus 0.08) or two frames that are reordered. What is more would be seen beside a player.
SHORT_LEAD = 0.1


@dataclass(frozen=True)
class VideoInfo:
    """A video in a few words, which a worker can send.

    Attributes:
        width, height: pixels as shown: upright, and square.
        fps: frames a second that the container claims, None where it does not.
        duration: seconds until a player is at the end, None where the packets do not tell.
        codec: name of the picture's decoder.
        plays_everywhere: whether every browser plays the file as it is, on the clock of the answers.
        start: seconds at which the first frame is shown: 0, but where sound comes before it, or frames that are lost.
    """

    width: int
    height: int
    fps: float | None
    duration: float | None
    codec: str
    plays_everywhere: bool
    start: float = 0.0


@dataclass(frozen=True)
class Probe:
    """All that is known of a file once every packet was read and one frame decoded.

    Attributes:
        path: the file.
        info: see there.
        container: ffmpeg's name of its format.
        track, sound: index of the picture track and of the sound that is played with it, None without.
        track_id: the picture track's name for itself; of a transport stream its PID.
        is_first: whether no other picture track comes before it.
        packets: of the picture track.
        stated_end: raw seconds at which the picture ends as the container says, where the file ends earlier; else None.
        first: raw seconds of the first frame, None where it has no timestamp.
        start: of second 0, seconds on the container's own clock, which sound shares.
        pixel_shape: width / height of a stored pixel.
        pixels: ffmpeg's name of the first frame's format.
        alpha_decoder: name of the decoder that does not lose what is transparent, None where the usual one is right.
        begins_with_key: whether the first frame is a key frame.
        quarter_turns: counter-clockwise, that make it upright.
        is_plain: whether pixels are square, opaque and in standard range, and frames whole, not interlaced.
    """

    path: Path
    info: VideoInfo
    container: str
    track: int
    sound: int | None
    track_id: int
    is_first: bool
    packets: PacketTable
    stated_end: float | None
    first: float | None
    start: float
    pixel_shape: float
    pixels: str
    alpha_decoder: str | None
    begins_with_key: bool
    quarter_turns: int
    is_plain: bool

    @property
    def origin(self) -> float:
        """Raw seconds of second 0."""
        return (self.first or 0.0) - self.info.start


def probe_video(path: str | Path, heartbeat: Callable[[], None] = lambda: None) -> Probe:
    """Opens a file once, reads all packets and decodes one frame.

    The film is the track that a player would play: no cover, no track of a single picture if there is another, and
    the default among what is left.

    Raises:
        VideoError: the file is missing, empty, no video, larger than the limits allow, or no frame can be decoded.
    """
    import av

    path = Path(path)
    check_file(path)
    with open_container(path) as container:
        streams = _find_picture_tracks(path, container)
        tracks = {stream.index: PictureTrack(stream) for stream in streams}
        for stream in streams:
            stream.codec_context.flags |= av.codec.context.Flags.output_corrupt  # as whoever reads it does
        sound = _choose_sound(container)
        # One pass over the packets of all picture tracks, and of the sound, whose end may be the film's.
        sound_end, is_whole, is_broken = -math.inf, False, False
        with forgive_damage():
            for packet in container.demux([*streams, *([sound] if sound else [])]):
                heartbeat()
                is_broken = packet.is_corrupt if packet.size else is_broken
                if packet.stream.index in tracks:
                    tracks[packet.stream.index].add(packet)
                elif packet.pts is not None:
                    sound_end = max(sound_end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            is_whole = True
        film = max(tracks.values(), key=lambda track: track.rank)  # the first of equals
        stated_end = find_stated_end(path, container, film, sound_end, is_broken)
        if stated_end is None:
            end = max(sound_end, _read_claimed_end(path, container) if is_whole else -math.inf)
        else:  # the last frame is not held while the sound goes on: others belong there
            end = -math.inf
        return _describe(path, container, film, sound, is_whole, end, stated_end)


def _find_picture_tracks(path: Path, container: "av.container.InputContainer") -> list["av.VideoStream"]:
    """All but covers, and those whose codec nobody knows."""
    videos = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
    if not videos:
        raise make_no_video_error(path, ", it holds sound but no picture")
    known = [stream for stream in videos if stream.codec_context is not None]
    if not known:
        raise make_undecodable_error(path)
    return known


def _choose_sound(container: "av.container.InputContainer") -> "av.AudioStream | None":
    known = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return max(known, key=lambda stream: bool(stream.disposition & stream.disposition.default), default=None)


def _read_claimed_end(path: Path, container: "av.container.InputContainer") -> float:
    """Seconds on the container's clock: Matroska alone may say how long the last frame lasts without its packets."""
    is_matroska = "matroska" in container.format.name
    return container.duration / 1e6 if is_matroska and container.duration and is_whole_matroska(path) else -math.inf


def _describe(
    path: Path,
    container: "av.container.InputContainer",
    film: PictureTrack,
    sound: "av.AudioStream | None",
    is_whole: bool,
    end: float,
    stated_end: float | None,
) -> Probe:
    stream, frame = film.stream, film.first
    get_limits().check_size(path.name, stream.codec_context.width, stream.codec_context.height)
    if frame is None:
        raise make_undecodable_error(path)
    get_limits().check_size(path.name, frame.width, frame.height)
    # Raw times count from the start that the track states, `end` and the sound's from the container's.
    origin = float((stream.start_time or 0) * stream.time_base)
    has_times = is_whole and container.format.name != "avi"
    packets = make_packet_table(film, has_times, end - origin)
    first, lead = seconds_from_stamp(stream, frame.pts), _measure_lead(container, frame)
    # Of what ends early a player shows the stated length, and a browser may stop at lost frames.
    is_all_there = stated_end is None and (first or 0.0) <= min(packets.seconds[:1], default=0.0) + SHORT_LEAD
    shape, alpha = read_pixel_shape(stream), _find_alpha_decoder(stream)
    interlaced = frame.interlaced_frame or container.format.name in BROADCAST
    return Probe(
        path=path,
        info=_make_info(path, container, film, shape, (lead, packets.end - (first or 0.0) + lead), is_all_there),
        container=container.format.name,
        track=stream.index,
        sound=sound.index if sound else None,
        track_id=stream.id,
        is_first=stream.index == container.streams.video[0].index,
        packets=packets,
        stated_end=stated_end,
        first=first,
        start=(frame.time or 0.0) - lead,
        pixel_shape=shape,
        pixels=frame.format.name,
        alpha_decoder=alpha,
        begins_with_key=frame.key_frame,
        quarter_turns=quarter_turns_from_frame(frame),
        is_plain=shape == 1 and not (interlaced or alpha or has_alpha(frame) or is_hdr(frame)),
    )


def _measure_lead(container: "av.container.InputContainer", frame: "av.VideoFrame") -> float:
    """Seconds from where the container starts, as it states, to the first frame; 0 where that is no lead."""
    if frame.time is None or container.start_time is None:
        return 0.0
    lead = frame.time - container.start_time / 1e6
    return lead if SHORT_LEAD < lead < MAX_HELD else 0.0  # more is a broken clock


def _make_info(
    path: Path,
    container: "av.container.InputContainer",
    film: PictureTrack,
    pixel_shape: float,
    span: tuple[float, float],
    is_all_there: bool,
) -> VideoInfo:
    """`span`: seconds at which the first frame is shown, and at which a player is at the end."""
    stream, frame, fps, (start, duration) = film.stream, film.first, film.stream.average_rate or 0, span
    sounds = {other.codec_context.name for other in container.streams.audio if other.codec_context}
    # A browser has a mind of its own about which of two films it plays, and counts from the container's start.
    is_alone = sum(not other.disposition & other.disposition.attached_pic for other in container.streams.video) == 1
    is_on_clock = bool(container.duration) and abs((frame.time or 0.0) - start) <= SHORT_LEAD
    codec = stream.codec_context.name
    plays = is_playable(path.suffix, container.format.name, codec, frame.format.name, sounds)
    width, height = make_square_size(frame.width, frame.height, pixel_shape)
    return VideoInfo(
        *((height, width) if quarter_turns_from_frame(frame) % 2 else (width, height)),
        fps=float(fps) if 0 < fps < 1000 else None,
        duration=duration if 0 < duration < math.inf else None,
        codec=codec,
        plays_everywhere=plays and is_alone and is_on_clock and bool(is_all_there),
        start=start,
    )


def _find_alpha_decoder(stream: "av.VideoStream") -> str | None:
    """ffmpeg's own decoders of VP8 and VP9 leave out the alpha that a webm carries beside its pictures."""
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    return name if name and tags.get("alpha_mode") == "1" else None
