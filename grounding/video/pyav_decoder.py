"""Frames as PyAV decodes them: whatever ffmpeg knows, and only those that are wanted where that is enough."""

from collections.abc import Callable, Iterator, Set
from typing import TYPE_CHECKING

from grounding.video.container import forgive_damage, get_limits, open_container, seconds_from_stamp
from grounding.video.decoder import DecodedFrame
from grounding.video.pictures import image_from_frame
from grounding.video.probe import Probe

if TYPE_CHECKING:
    import av

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
        """Only the frames with `wanted` timestamps (in the track's unit), where they are given."""
        with open_container(probe.path) as container:
            for seconds, frame in decode_frames(probe, container, wanted):
                self._see(seconds, frame)
                if wanted is None or frame.pts in wanted:
                    yield DecodedFrame(
                        seconds, lambda frame=frame: image_from_frame(frame, probe.pixel_shape, short_side)
                    )


def decode_frames(
    probe: Probe, container: "av.container.InputContainer", wanted: Set[int] | None = None, keys_only: bool = False
) -> Frames:
    """Frames of the film from where the container is; one broken packet does not end them.

    With `wanted` the decoder may leave out others that no frame is predicted from, with `keys_only` all that are no
    key frames.
    """
    import av

    stream, limits = container.streams[probe.track], get_limits()
    if not stream.codec_context.is_open:  # it is where reading goes on after a seek
        stream.thread_type = "AUTO"
    decoder = _open_decoder(stream, probe.alpha_decoder)
    decoder.flags |= av.codec.context.Flags.output_corrupt  # else HEVC waits for the next key frame
    if keys_only:
        decoder.skip_frame = "NONKEY"
    with forgive_damage():  # the file itself breaks off: what was read before counts
        for packet in container.demux(stream):
            if wanted is not None:
                decoder.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
            frames: list[av.VideoFrame] = []
            with forgive_damage():
                frames = decoder.decode(packet)
            for frame in frames:
                limits.check_size(probe.path.name, frame.width, frame.height)
                yield seconds_from_stamp(stream, frame.pts), frame


def _open_decoder(stream: "av.VideoStream", name: str | None) -> "av.VideoCodecContext":
    """The stream's own, or the one of this name where it is built in."""
    import av

    try:
        return av.CodecContext.create(name, "r") if name else stream.codec_context
    except (av.FFmpegError, ValueError):
        return stream.codec_context
