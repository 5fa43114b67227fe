"""What an editing program has to know of a clip: its exact frame rate, and the timecode of its first frame."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from grounding.video.container import open_container
from grounding.video.probe import Probe, probe_video

if TYPE_CHECKING:
    import av

STANDARD_RATES = tuple(  # of editing programs, from 23.976 on
    sorted(
        [Fraction(rate) for rate in (24, 25, 30, 48, 50, 60, 100, 120)]
        + [Fraction(rate * 1000, 1001) for rate in (24, 30, 48, 60, 120)]
    )
)
NEAR = 3e-4  # of a standard rate: half of the way from 29.97 to 30 is more
FASTEST = 1000  # frames a second; more is a container that does not know
ASSUMED = Fraction(25)  # where the container does not say


@dataclass(frozen=True)
class MediaInfo:
    """A clip as an editing program sees it.

    Attributes:
        rate: frames a second, exact: 30000/1001 for what is called 29.97. Of a clip of variable rate, the mean.
        duration: seconds from where the first track begins; 0 where it is not known.
        width, height: pixels, as shown.
        sound: whether it has any.
        timecode: that of second 0, as the camera wrote it, such as "01:00:00;00"; "" where there is none.
    """

    rate: Fraction
    duration: float
    width: int
    height: int
    sound: bool = False
    timecode: str = ""


def read_media_info(path: str | Path, probe: Probe | None = None) -> MediaInfo:
    """Looks at a clip, whose `probe` may be there already. Raises VideoError for what is no video."""
    probe = probe or probe_video(path)
    with open_container(probe.path) as container:
        rate, timecode = container.streams[probe.track].average_rate, _read_timecode(container)
    info = probe.info
    return MediaInfo(exact_rate(rate), info.duration or 0.0, info.width, info.height, probe.sound is not None, timecode)


def exact_rate(rate: Fraction | None) -> Fraction:
    """The standard rate that is meant by one that a container rounded, else the rate as it is."""
    if not rate or not 0 < rate < FASTEST:
        return ASSUMED
    near = min(STANDARD_RATES, key=lambda standard: abs(rate - standard))
    return near if abs(rate - near) < NEAR * near else Fraction(rate).limit_denominator(1001)


def _read_timecode(container: "av.container.InputContainer") -> str:
    """That of the container or of its tracks: mp4 and mov have a track for it, others a tag."""
    for metadata in (container.metadata, *(stream.metadata for stream in container.streams)):
        for name, value in metadata.items():
            if name.lower() == "timecode":
                return value.strip()
    return ""
