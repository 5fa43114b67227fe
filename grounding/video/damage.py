"""Which parts of a damaged video were skipped, since no frame of them can be decoded, or only patched up."""

import math
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from grounding.video.container import forgive_damage, open_container, seconds_from_stamp
from grounding.video.packets import TIME_TOLERANCE
from grounding.video.probe import Probe
from grounding.video.transport_stream import is_complete

if TYPE_CHECKING:
    import av

MIN_GAP = 0.5  # seconds; shorter gaps hide no sample, and streams that were cut from others have them by design
MIN_UNREAD_SHARE = 0.5  # share of bytes that are in no packet, and
MIN_UNREAD_BYTES = 1024  # number of them, from which they are damaged rather than the container's own
PROGRAM_PACK = 2048  # bytes up to which a pack of an MPEG program stream is filled

Span = tuple[float, float]  # start and end, seconds


class PatchedFrames:
    """Where PyAV patched up what it could not decode, as its decoders of h264 and MPEG-4 say.

    A frame that is damaged spoils those that are predicted from it, up to the next key frame. Where the first frames
    are, as in a broadcast that was cut, the decoder says itself when it has recovered.
    """

    def __init__(self) -> None:
        self._starts, self._ends = array("d"), array("d")  # raw timestamps in turn; the last span may have no end
        self._sound = False  # whether a sound frame came yet

    def __bool__(self) -> bool:
        return bool(self._starts)

    def add(self, seconds: float | None, frame: "av.VideoFrame") -> None:
        """To be called with every frame, in order, and its raw timestamp."""
        spoilt = len(self._starts) > len(self._ends)
        sound = not frame.is_corrupt and (frame.key_frame or not spoilt or not self._sound)
        self._sound |= sound
        if seconds is not None and spoilt == sound:
            (self._ends if spoilt else self._starts).append(seconds)

    def find_spoilt(self, seconds: np.ndarray) -> np.ndarray:
        """Whether frames with these raw timestamps (N,) are spoilt: (N,)."""
        begun, ended = (
            np.searchsorted(np.array(edges), seconds + TIME_TOLERANCE) for edges in (self._starts, self._ends)
        )
        return begun > ended


def find_skipped(
    probe: Probe, decoded: Sequence[float] | np.ndarray, patched: PatchedFrames | None = None
) -> tuple[Span, ...]:
    """Spans of seconds without a sound frame that should have one.

    Either frames were patched up, or packets are there whose frames did not come, or no packets but bytes that are
    none, or the file ends early. Without these it is no damage: a recording of a screen has no packets for as long as
    nothing happens on it.

    Args:
        probe: of the video.
        decoded: raw seconds of the frames that came.
        patched: which of these were patched up; none if not given.
    """
    gaps = _find_gaps(probe, decoded, patched)
    if probe.stated_end is None or not len(decoded):
        return gaps
    return (*gaps, (probe.packets.end - probe.origin, probe.stated_end - probe.origin))


def _find_gaps(
    probe: Probe, decoded: Sequence[float] | np.ndarray, patched: PatchedFrames | None = None
) -> tuple[Span, ...]:
    """The spans between the first packet and the last."""
    expected, frames = np.unique(probe.packets.seconds), np.unique(np.asarray(decoded, float))  # (P,), (F,)
    if len(expected) < 2 or not len(frames):
        return ()
    # Gaps between two sound frames, before the first and after the last, that are longer than the usual one.
    step, origin = float(np.median(np.diff(expected))), probe.origin
    sound = frames[~(patched or PatchedFrames()).find_spoilt(frames)]  # (S,)
    begin, end = max(expected[0], origin) - step, max(expected[-1] + step, frames[-1])
    stops = np.concatenate([[begin], sound, [end]])  # (S + 2,)
    wide = np.flatnonzero(np.diff(stops) > MIN_GAP + step)
    gaps: list[Span] = [(float(stops[index]), float(stops[index + 1])) for index in wide]
    # Those without any packet are pauses, unless bytes of the file were lost there.
    silent = [
        gap for gap in gaps if not ((expected > gap[0] + TIME_TOLERANCE) & (expected < gap[1] - TIME_TOLERANCE)).any()
    ]
    pauses = set(silent) - set(_find_damaged(probe, silent))
    return tuple((max(start + step - origin, 0.0), end - origin) for start, end in gaps if (start, end) not in pauses)


def _find_damaged(probe: Probe, gaps: list[Span]) -> list[Span]:
    """Those of the gaps between two packets where something of the file was lost."""
    if not gaps:
        return []
    times, places, sizes = _read_layout(probe)  # (N,) each
    if not len(times):
        return gaps if probe.container == "mpegts" else []
    least = 2 * PROGRAM_PACK if probe.container == "mpeg" else MIN_UNREAD_BYTES
    if probe.container != "mpegts":
        return [gap for gap in gaps if _is_unread(times, places, sizes, gap, least)]
    ends = [[int(places[np.nanargmin(np.abs(times - second))]) for second in gap] for gap in gaps]
    return [
        gap
        for gap, (begin, end) in zip(gaps, ends, strict=True)
        if not is_complete(probe.path, probe.track_id, begin, end)
    ]


def _is_unread(
    times: np.ndarray, places: np.ndarray, sizes: np.ndarray, gap: Span, least: int = MIN_UNREAD_BYTES
) -> bool:
    before, after = (int(np.nanargmin(np.abs(times - second))) for second in gap)
    begin, end = places[before] + sizes[before], places[after]
    unread = end - begin - sizes[(places >= begin) & (places < end)].sum()
    return bool(unread > max(least, MIN_UNREAD_SHARE * (end - begin)))


def _read_layout(probe: Probe) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all packets of all tracks: seconds (NaN for other tracks than the picture), first byte, number of bytes."""
    rows: list[tuple[float, int, int]] = []
    with open_container(probe.path) as container, forgive_damage():
        stream = container.streams[probe.track]
        for packet in container.demux():
            if packet.size and packet.pos is not None and packet.pos >= 0:
                seconds = seconds_from_stamp(stream, packet.pts) if packet.stream is stream else None
                rows.append((math.nan if seconds is None else seconds, packet.pos, packet.size))
    times, places, sizes = np.array(rows, float).reshape(-1, 3).T
    return (times, places, sizes) if np.isfinite(times).any() else (times[:0],) * 3
