"""The sound of a video, on the clock of its picture, as one unbroken track."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av
import numpy as np

from grounding.video.container import open_container
from grounding.video.probe import Probe

RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)  # those of AAC that every player takes
MAX_SLIP = 0.04  # seconds that sound and timestamps may differ before silence is put in or sound left out
PREROLL = 1.0

Block = np.ndarray  # (channels, samples) float32


class SoundTrack:
    """Copies the sound between two times into an output, re-encoded as AAC; silent where the source is.

    Args:
        probe: of the source.
        output: where an AAC stream is added, if the source has sound that can be decoded.
        start, end: seconds on the container's own clock.
    """

    def __init__(self, probe: Probe, output: "av.container.OutputContainer", start: float, end: float) -> None:
        self._start, self._end, self._written = start, end, 0
        self._blocks: Iterator[tuple[float, Block]] = iter(())
        self._next: tuple[float, Block] | None = None
        self._output, self._stream = output, None
        found = _describe(probe)
        if found:
            self._rate, self._layout = found
            self._stream = output.add_stream("aac", rate=self._rate, layout=self._layout)
            self._blocks = _resample(probe, start, self._rate, self._layout)
            self._next = next(self._blocks, None)

    def write_until(self, seconds: float) -> None:
        """Writes what is heard before `seconds` after the start."""
        limit = min(self._start + seconds, self._end)
        while self._next is not None and self._next[0] < limit:
            self._write_at(*self._next)
            self._next = next(self._blocks, None)

    def finish(self, seconds: float) -> None:
        """Writes the rest, up to `seconds` after the start."""
        if self._stream:
            self._end = min(self._end, self._start + seconds)
            self.write_until(seconds)
            rest = round((self._end - self._start) * self._rate) - self._written
            self._write_silence(rest)  # an empty track, or one that ends early, is more than some players take
            self._output.mux(self._stream.encode())

    def _write_at(self, seconds: float, block: Block) -> None:
        """Puts a block where its timestamp says, with silence in a gap and without what overlaps."""
        position = round((seconds - self._start) * self._rate)
        gap = position - self._written
        if gap < -MAX_SLIP * self._rate or self._written == 0:
            block = block[:, max(-gap, 0) :]
        if gap > MAX_SLIP * self._rate or (self._written == 0 and gap > 0):
            self._write_silence(gap)
        room = (self._end - self._start) * self._rate - self._written
        self._encode(block[:, : round(min(room, block.shape[1]))])

    def _write_silence(self, samples: int) -> None:
        channels = 1 if self._layout == "mono" else 2
        for begin in range(0, samples, self._rate):  # a second at a time, so that a long gap takes no memory
            self._encode(np.zeros((channels, min(self._rate, samples - begin)), dtype=np.float32))

    def _encode(self, block: Block) -> None:
        if block.shape[1]:
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout=self._layout)
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self._written, Fraction(1, self._rate)
            self._output.mux(self._stream.encode(frame))
            self._written += block.shape[1]


def _describe(probe: Probe) -> tuple[int, str] | None:
    """Sampling rate and layout to write, or None where there is no sound that can be decoded."""
    first = next(_decode(probe, 0.0), None)
    if first is None:
        return None
    rate = first.sample_rate if first.sample_rate in RATES else RATES[0]
    return rate, "mono" if first.layout.nb_channels == 1 else "stereo"


def _decode(probe: Probe, start: float) -> Iterator["av.AudioFrame"]:
    """Audio frames from about `start` seconds of the container's clock on; a broken packet does not end them."""
    if probe.sound is None:
        return
    with suppress(av.FFmpegError), open_container(probe.path) as container:
        stream = container.streams[probe.sound]
        if start > PREROLL:
            with suppress(av.FFmpegError):
                container.seek(round((start - PREROLL) / stream.time_base), stream=stream)
        for packet in container.demux(stream):
            with suppress(av.FFmpegError):
                yield from packet.decode()


def _resample(probe: Probe, start: float, rate: int, layout: str) -> Iterator[tuple[float, Block]]:
    """Resampled blocks, each with its seconds on the container's clock."""
    resampler, described, seconds = None, None, 0.0
    for frame in _decode(probe, start):
        seconds = seconds if frame.time is None else frame.time
        kind = (frame.format.name, frame.layout.name, frame.sample_rate, frame.time_base)
        if kind != described:  # damage, or a broadcast that changes between mono and stereo
            resampler, described = av.AudioResampler(format="fltp", layout=layout, rate=rate), kind
        for part in resampler.resample(frame):
            block = part.to_ndarray()  # (channels, samples)
            yield seconds, block
            seconds += block.shape[1] / rate
