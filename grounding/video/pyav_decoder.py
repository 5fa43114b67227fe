"""Frames as PyAV decodes them: whatever ffmpeg knows, and only those that are wanted where that is enough."""

from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from grounding.video.container import forgive_damage, get_limits, open_container, seconds_from_stamp
from grounding.video.decoder import DecodedFrame, begins_before_clock
from grounding.video.limits import count_cores
from grounding.video.pictures import image_from_frame
from grounding.video.probe import Probe
from grounding.video.read_ahead import read_ahead

if TYPE_CHECKING:
    import av

# Pixels up to which one of two cores decodes as fast as the other encodes; more threads would take a fifth more time.
SMALL = 1280 * 720

Frames = Iterator[tuple[float | None, "av.VideoFrame"]]  # raw seconds, None where a frame has no timestamp


class PyAVDecoder:
    """See Decoder.

    Args:
        see: called for every frame that is decoded, with its raw timestamp.
    """

    def __init__(self, see: Callable[[float | None, "av.VideoFrame"], None] = lambda seconds, frame: None) -> None:
        self._see = see

    def can_decode(self, probe: Probe) -> bool:
        return True

    def decode(self, probe: Probe, short_side: int, wanted: Set[int] | None = None) -> Iterator[DecodedFrame]:
        """Only the frames with `wanted` timestamps (in the track's unit), where they are given. They are decoded, and
        seen, in a thread."""
        with open_container(probe.path) as container:
            yield from read_ahead(self._decode_wanted(probe, container, short_side, wanted))

    def _decode_wanted(
        self, probe: Probe, container: "av.container.InputContainer", short_side: int, wanted: Set[int] | None
    ) -> Iterator[DecodedFrame]:
        for seconds, frame in decode_frames(probe, container, wanted):
            self._see(seconds, frame)
            if wanted is None or frame.pts in wanted:
                yield DecodedFrame(seconds, partial(image_from_frame, frame, probe.pixel_shape, short_side))


def decode_frames(probe: Probe, container: "av.container.InputContainer", wanted: Set[int] | None = None) -> Frames:
    """Frames of the film from where the container is; one broken packet does not end them.

    With `wanted` the decoder may leave out others that no frame is predicted from. Frames before second 0 are left out.
    """
    stream, decoder = _open_decoder(probe, container)
    is_early = begins_before_clock(probe)
    with forgive_damage():  # the file itself breaks off: what was read before counts
        for packet in container.demux(stream):
            if wanted is not None:
                decoder.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
            for seconds, frame in _decode_packet(probe, stream, decoder, packet):
                is_early = is_early and seconds is None
                if not is_early:
                    yield seconds, frame


def decode_key_frame(
    probe: Probe, container: "av.container.InputContainer"
) -> tuple[float | None, "av.VideoFrame"] | None:
    """The next key frame from where the container is, as decode_frames gives it; None where there is none.

    A decoder would hold it until it has seen the next key frames, too, so it is told after each that nothing follows.
    """
    stream, decoder = _open_decoder(probe, container)
    decoder.skip_frame = "NONKEY"
    with forgive_damage():
        for packet in container.demux(stream):
            if packet.is_keyframe and packet.size:
                frames = [frame for one in (packet, None) for frame in _decode_packet(probe, stream, decoder, one)]
                decoder.flush_buffers()  # else it takes no more packets
                if frames:
                    return frames[0]
    return None


def _decode_packet(
    probe: Probe, stream: "av.VideoStream", decoder: "av.VideoCodecContext", packet: "av.Packet | None"
) -> Frames:
    frames: list[av.VideoFrame] = []
    with forgive_damage():
        frames = decoder.decode(packet)
    for frame in frames:
        get_limits().check_size(probe.path.name, frame.width, frame.height)
        yield seconds_from_stamp(stream, frame.pts), frame


def _open_decoder(
    probe: Probe, container: "av.container.InputContainer"
) -> tuple["av.VideoStream", "av.VideoCodecContext"]:
    """The film's stream, and what decodes it: its own decoder, or the one that the probe names where it is built in."""
    import av

    stream = container.streams[probe.track]
    if not stream.codec_context.is_open:  # it is where reading goes on after a seek
        stream.thread_type = "AUTO"
        size = stream.codec_context.width * stream.codec_context.height
        if size <= SMALL and count_cores() <= 2:
            stream.codec_context.thread_count = 1
    decoder = stream.codec_context
    with suppress(av.FFmpegError, ValueError):
        decoder = av.CodecContext.create(probe.alpha_decoder, "r") if probe.alpha_decoder else decoder
    decoder.flags |= av.codec.context.Flags.output_corrupt  # else HEVC waits for the next key frame
    return stream, decoder
