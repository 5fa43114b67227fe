"""What FrameReader asks of a decoder; PyAV's and OpenCV's lie in files of their own."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from grounding.video.packets import TIME_TOLERANCE
from grounding.video.probe import Probe


class DecodedFrame(NamedTuple):
    """A frame whose picture is converted only if it is asked for, which has to be before the next frame is.

    Attributes:
        seconds: raw, as container.seconds_from_stamp counts; None where it has no timestamp.
        get_image: gives (H, W, 3) uint8 RGB, as pictures.image_from_frame does.
    """

    seconds: float | None
    get_image: Callable[[], np.ndarray]


def begins_before_clock(probe: Probe) -> bool:
    """Whether frames without a timestamp come before second 0, as where a Matroska file was cut with negative times;
    no player shows them."""
    seconds = probe.packets.seconds
    return probe.first is None and len(seconds) > 0 and seconds[0] <= TIME_TOLERANCE


class Decoder(Protocol):
    """Decodes a film from its beginning to its end, or to where it cannot go on; raises no error for damage."""

    def can_decode(self, probe: Probe) -> bool:
        """Whether its frames are right for a file like this."""

    def decode(self, probe: Probe, short_side: int) -> Iterator[DecodedFrame]:
        """All frames in order, scaled down as pictures.shrink does."""
