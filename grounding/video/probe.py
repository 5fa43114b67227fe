"""One look at a file before it is read: which of its tracks is the film, how long that is, and what its packets say."""

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grounding.errors import VideoError
from grounding.video.browser_formats import is_playable
from grounding.video.container import (
    BROADCAST,
    check_file,
    forgive_damage,
    get_limits,
    open_container,
    raw_seconds,
    undecodable_error,
)
from grounding.video.matroska import is_whole_matroska
from grounding.video.pictures import has_alpha, is_hdr, quarter_turns_from_frame, square_pixel_size

if TYPE_CHECKING:
    import av

TIME_TOLERANCE = 1e-3  # seconds; mkv and webm round timestamps to milliseconds
END_TOLERANCE = 0.1  # seconds that sound may last longer than the picture: less is padding of its codec
MAX_HELD = 86_400.0  # seconds that a picture is held; more is a broken clock
MAX_LATE_START = (
    0.1  # seconds; where the first frame comes later on the container's clock, a browser's time is not ours
)
MAX_PIXEL_SHAPE = 8  # width / height of a pixel; more is a damaged header


@dataclass(frozen=True)
class VideoInfo:
    """A video in a few words, which a worker can send.

    Attributes:
        width, height: pixels as shown: upright, and square.
        fps: frames a second that the container claims, None where it does not.
        duration: seconds from the first frame until a player is at the end, None where the packets do not tell.
        codec: name of the picture's decoder.
        plays_everywhere: whether every browser plays the file as it is, on the clock of the answers.
    """

    width: int
    height: int
    fps: float | None
    duration: float | None
    codec: str
    plays_everywhere: bool


@dataclass(frozen=True)
class PacketTable:
    """What the packets of the picture track say before anything is decoded.

    Attributes:
        stamps: (N,) timestamps of all frames that are shown, increasing, in the track's unit.
        seconds: (N,) the same as raw_seconds counts.
        is_exact: whether these are the timestamps of exactly the frames that come, unless the file is damaged.
        step: seconds that the last frame is shown, as its packet says.
        end: raw seconds at which a player is at the end; infinity where no packet has a timestamp.
    """

    stamps: np.ndarray
    seconds: np.ndarray
    is_exact: bool
    step: float
    end: float

    def find_end(self, seconds: float) -> float:
        """Until when the frame at raw `seconds` is on screen, raw too; the same where the packets do not tell."""
        following = int(np.searchsorted(self.seconds, seconds + TIME_TOLERANCE))
        if following < len(self.seconds):
            return float(self.seconds[following])
        is_last = len(self.seconds) and abs(self.seconds[-1] - seconds) <= TIME_TOLERANCE
        return self.end if is_last else seconds


@dataclass(frozen=True)
class Probe:
    """All that is known of a file once every packet was read and one frame decoded.

    Attributes:
        path: the file.
        info: see there.
        container: ffmpeg's name of its format.
        track, sound: index of the picture track and of the sound that is played with it, None without.
        is_first: whether no other picture track comes before it.
        packets: of the picture track.
        start: of the first frame, seconds on the container's own clock, which sound shares.
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
    is_first: bool
    packets: PacketTable
    start: float
    pixel_shape: float
    pixels: str
    alpha_decoder: str | None
    begins_with_key: bool
    quarter_turns: int
    is_plain: bool


@dataclass
class _Track:
    """A picture track while its packets are read."""

    stream: "av.VideoStream"
    stamps: array = field(default_factory=lambda: array("q"))  # in arrays: objects would leave 25 MB for two hours
    is_exact: bool = True
    last: tuple[float, float] = (-math.inf, 0.0)
    first: "av.VideoFrame | None" = None

    def add(self, packet: "av.Packet") -> None:
        """Notes a packet, and decodes up to the first frame."""
        stamp = packet.dts if packet.pts is None else packet.pts
        is_shown = packet.size and not packet.is_discard and not _is_hidden(packet, self.stream)
        self.is_exact &= packet.pts is not None or not is_shown
        if stamp is not None and is_shown:
            self.stamps.append(stamp)
            length = float((packet.duration or 0) * self.stream.time_base)
            self.last = max(self.last, (raw_seconds(self.stream, stamp), length))
        if self.first is None and self.is_small_enough:
            with forgive_damage():
                self.first = next(iter(packet.decode()), None)

    @property
    def is_small_enough(self) -> bool:
        context = self.stream.codec_context
        return context.width * context.height <= get_limits().megapixels * 1e6

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        """What a player plays comes last: no picture that stands for the film, and the default among films."""
        kinds = type(self.stream.disposition)
        minor = kinds.timed_thumbnails | kinds.still_image | kinds.dependent
        is_film = len(self.stamps) > 1 and not self.stream.disposition & minor
        return self.first is not None, is_film, bool(self.stream.disposition & kinds.default)


def probe_video(path: str | Path, heartbeat: Callable[[], None] = lambda: None) -> Probe:
    """Opens a file once, reads all packets and decodes one frame.

    The film is the track that a player would play: no cover, no track of a single picture if there is another, and
    the default among what is left.

    Raises:
        VideoError: the file is missing, empty, no video, larger than the limits allow, or no frame can be decoded.
    """
    path = Path(path)
    check_file(path)
    with open_container(path) as container:
        streams = _find_picture_tracks(path, container)
        tracks = {stream.index: _Track(stream) for stream in streams}
        sound = _choose_sound(container)
        # One pass over the packets of all picture tracks, and of the sound, whose end may be the film's.
        sound_end, is_whole = -math.inf, False
        with forgive_damage():
            for packet in container.demux([*streams, *([sound] if sound else [])]):
                heartbeat()
                if packet.stream.index in tracks:
                    tracks[packet.stream.index].add(packet)
                elif packet.pts is not None:
                    sound_end = max(sound_end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            is_whole = True
        film = max(tracks.values(), key=lambda track: track.rank)  # the first of equals
        end = max(sound_end, _claimed_end(path, container) if is_whole else -math.inf)
        return _describe(path, container, film, sound, is_whole, end)


def _find_picture_tracks(path: Path, container: "av.container.InputContainer") -> list["av.VideoStream"]:
    """All but covers, and those whose codec nobody knows."""
    videos = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
    if not videos:
        raise VideoError(f"The file {path.name!r} holds sound but no picture: give a file with a video stream.")
    known = [stream for stream in videos if stream.codec_context is not None]
    if not known:
        raise undecodable_error(path)
    return known


def _choose_sound(container: "av.container.InputContainer") -> "av.AudioStream | None":
    known = [stream for stream in container.streams.audio if stream.codec_context is not None]
    return max(known, key=lambda stream: bool(stream.disposition & stream.disposition.default), default=None)


def _is_hidden(packet: "av.Packet", stream: "av.VideoStream") -> bool:
    """VP8 has packets of their own for frames that others are predicted from and that are never shown."""
    return stream.codec_context.name == "vp8" and packet.size > 0 and not memoryview(packet)[0] & 0x10


def _claimed_end(path: Path, container: "av.container.InputContainer") -> float:
    """Seconds on the container's clock: Matroska alone may say how long the last frame lasts without its packets."""
    is_matroska = "matroska" in container.format.name
    return container.duration / 1e6 if is_matroska and container.duration and is_whole_matroska(path) else -math.inf


def _describe(
    path: Path,
    container: "av.container.InputContainer",
    film: _Track,
    sound: "av.AudioStream | None",
    is_whole: bool,
    end: float,
) -> Probe:
    stream, frame, limits = film.stream, film.first, get_limits()
    context = stream.codec_context
    limits.check_size(path.name, context.width, context.height)
    if frame is None:
        raise undecodable_error(path)
    limits.check_size(path.name, frame.width, frame.height)
    # Raw times count from the start that the track states, `end` and the sound's from the container's.
    origin = float((stream.start_time or 0) * stream.time_base)
    packets = _make_table(film, is_whole and container.format.name != "avi", end - origin)  # an avi has no timestamps
    first = raw_seconds(stream, frame.pts) or 0.0
    shape, turns, alpha = _read_pixel_shape(stream), quarter_turns_from_frame(frame), _find_alpha_decoder(stream)
    interlaced = frame.interlaced_frame or container.format.name in BROADCAST
    covers = stream.disposition.attached_pic
    pictures = [other.index for other in container.streams.video if not other.disposition & covers]
    begins_at_0 = abs(frame.time or 0.0) <= MAX_LATE_START
    sounds = {other.codec_context.name for other in container.streams.audio if other.codec_context}
    playable = is_playable(path.suffix, container.format.name, context.name, frame.format.name, sounds)
    return Probe(
        path=path,
        info=VideoInfo(
            *_shown_size(frame, shape),
            fps=float(stream.average_rate) if 0 < (stream.average_rate or 0) < 1000 else None,
            duration=packets.end - first if 0 < packets.end - first < math.inf else None,
            codec=context.name,
            plays_everywhere=playable and begins_at_0 and len(pictures) == 1 and bool(container.duration),
        ),
        container=container.format.name,
        track=stream.index,
        sound=sound.index if sound else None,
        is_first=stream.index == container.streams.video[0].index,
        packets=packets,
        start=frame.time or 0.0,
        pixel_shape=shape,
        pixels=frame.format.name,
        alpha_decoder=alpha,
        begins_with_key=frame.key_frame,
        quarter_turns=turns,
        is_plain=shape == 1 and not (interlaced or alpha or has_alpha(frame) or is_hdr(frame)),
    )


def _make_table(film: _Track, is_exact: bool, end: float) -> PacketTable:
    """`end`: raw seconds at which the sound ends, or the container says that all does."""
    stamps = np.sort(np.array(film.stamps, np.int64))  # (N,)
    raw = np.fromiter((raw_seconds(film.stream, stamp) for stamp in map(int, stamps)), np.float64, len(stamps))  # (N,)
    gaps = np.diff(raw)
    is_exact = is_exact and film.is_exact and len(raw) > 1 and bool(gaps.min() > 0)
    # The last frame lasts as its packet says, else as the shortest one, and beyond that while anything else goes on.
    step = film.last[1] or (float(gaps[gaps > 0].min()) if (gaps > 0).any() else 0.0)
    last = film.last[0] + step if len(raw) else math.inf
    return PacketTable(stamps, raw, is_exact, step, end if END_TOLERANCE < end - last < MAX_HELD else last)


def _shown_size(frame: "av.VideoFrame", pixel_shape: float) -> tuple[int, int]:
    width, height = square_pixel_size(frame.width, frame.height, pixel_shape)
    return (height, width) if quarter_turns_from_frame(frame) % 2 else (width, height)


def _read_pixel_shape(stream: "av.VideoStream") -> float:
    """Width / height of a pixel; 1 where nothing is said, or what cannot be."""
    shape = float(stream.sample_aspect_ratio or 1)
    return shape if 1 / MAX_PIXEL_SHAPE <= shape <= MAX_PIXEL_SHAPE else 1.0


def _find_alpha_decoder(stream: "av.VideoStream") -> str | None:
    """ffmpeg's own decoders of VP8 and VP9 leave out the alpha that a webm carries beside its pictures."""
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name)
    return name if name and tags.get("alpha_mode") == "1" else None
