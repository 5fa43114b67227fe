"""What the packets of a picture track say before anything is decoded."""

import math
from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from grounding.video.container import forgive_damage, get_limits, scale_stamp

if TYPE_CHECKING:
    import av

TIME_TOLERANCE = 1e-3  # seconds; mkv and webm round timestamps to milliseconds
END_TOLERANCE = 0.1  # seconds that sound may last longer than the picture: less is padding of its codec
MAX_GUESS = 1.0  # seconds that the last frame is shown, where nothing says how long
MAX_HELD = 86_400.0  # seconds that a picture is held; more is a broken clock


@dataclass(frozen=True)
class PacketTable:
    """What the packets of the picture track say before anything is decoded.

    Attributes:
        stamps: (N,) timestamps of all frames that are shown, increasing, in the track's unit.
        seconds: (N,) the same as seconds_from_stamp counts.
        keys: (K,) those of the key frames.
        is_exact: whether these are the timestamps of exactly the frames that come, unless the file is damaged.
        step: seconds that the last frame is shown, as its packet says.
        end: raw seconds at which a player is at the end; infinity where no packet has a timestamp.
    """

    stamps: np.ndarray
    seconds: np.ndarray
    keys: np.ndarray
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


@dataclass
class PictureTrack:
    """A picture track while its packets are read; `count` of them so far, `latest` one's stamp and length."""

    stream: "av.VideoStream"
    stamps: array = field(default_factory=lambda: array("q"))  # in arrays: objects would leave 25 MB for two hours
    keys: array = field(default_factory=lambda: array("d"))
    is_exact: bool = True
    latest: tuple[float, int] = (-math.inf, 0)
    count: int = 0
    first: "av.VideoFrame | None" = None

    @cached_property
    def base(self) -> Fraction:
        """Seconds in the track's unit; a stream makes a new fraction whenever it is asked."""
        return self.stream.time_base

    def add(self, packet: "av.Packet") -> None:
        """Notes a packet, and decodes up to the first frame."""
        self.count += packet.size > 0
        stamp = packet.dts if packet.pts is None else packet.pts
        is_shown = packet.size and not packet.is_discard and not _is_hidden(packet, self.stream)
        self.is_exact &= packet.pts is not None or not is_shown
        if stamp is not None and is_shown:
            self.stamps.append(stamp)
            if packet.is_keyframe:
                self.keys.append(self._seconds_from_stamp(stamp))
            self.latest = max(self.latest, (stamp, packet.duration or 0))
        if self.first is None and self.is_small_enough:
            with forgive_damage():
                self.first = next(iter(packet.decode()), None)

    @property
    def last(self) -> tuple[float, float]:
        """Raw seconds at which the latest frame starts, and how long it is shown; -inf before there is one."""
        stamp, length = self.latest
        start = self._seconds_from_stamp(stamp) if self.stamps else -math.inf
        return start, scale_stamp(length, self.base)

    def _seconds_from_stamp(self, stamp: int) -> float:
        return scale_stamp(stamp - (self.stream.start_time or 0), self.base)

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


def make_packet_table(film: PictureTrack, is_exact: bool, end: float) -> PacketTable:
    """`end`: raw seconds at which the sound ends, or the container says that all does."""
    stamps = np.sort(np.array(film.stamps, np.int64))  # (N,)
    start, base = film.stream.start_time or 0, film.stream.time_base
    raw = np.fromiter((scale_stamp(int(stamp) - start, base) for stamp in stamps), np.float64, len(stamps))  # (N,)
    gaps = np.diff(raw)
    is_exact = is_exact and film.is_exact and len(raw) > 1 and bool(gaps.min() > 0)
    # The last frame lasts as its packet says, else as the shortest one, and beyond that while anything else goes on.
    begin, length = film.last
    step = length or (min(float(gaps[gaps > 0].min()), MAX_GUESS) if (gaps > 0).any() else 0.0)
    last = begin + step if len(raw) else math.inf
    end = end if END_TOLERANCE < end - last < MAX_HELD else last
    return PacketTable(stamps, raw, np.unique(np.array(film.keys)), is_exact, step, end)


def _is_hidden(packet: "av.Packet", stream: "av.VideoStream") -> bool:
    """VP8 has packets of their own for frames that others are predicted from and that are never shown."""
    return stream.codec_context.name == "vp8" and packet.size > 0 and not memoryview(packet)[0] & 0x10
