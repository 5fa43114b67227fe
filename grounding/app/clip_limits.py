"""How large and how long a clip may be, and what is said of one that is more than that."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from grounding.errors import VideoError
from grounding.isolation.client import probe_video
from grounding.isolation.worker_pool import Check
from grounding.video.container import check_file
from grounding.video.limits import positive_from_env

MEGABYTES, SECONDS = "GROUNDING_CLIP_MEGABYTES", "GROUNDING_CLIP_SECONDS"  # environment variables that change them


@dataclass(frozen=True)
class ClipLimits:
    """How large a clip may be, in megabytes (1e6 bytes) and seconds."""

    megabytes: float = 500.0
    seconds: float = 7200.0

    def __str__(self) -> str:
        return f"up to {self.megabytes:g} MB and {format_length(self.seconds)}"


def limits_from_env() -> ClipLimits:
    """The limits as the environment says. Raises GroundingError where that is no positive number."""
    return ClipLimits(
        positive_from_env(MEGABYTES, ClipLimits.megabytes), positive_from_env(SECONDS, ClipLimits.seconds)
    )


@cache
def clip_limits() -> ClipLimits:
    """Those of this process, read once, at its start."""
    return limits_from_env()


def check_clip(path: str | Path | None, check: Check | None = None) -> None:
    """Raises VideoError for no file, one that is no video, or is larger or longer than the limits, before decoding.

    What `check` raises, which is called meanwhile, ends it at once.
    """
    check_size(path)
    seconds = probe_video(path, check).duration
    if seconds is not None:  # otherwise the file does not say, and is looked at while it is encoded
        check_length(path, seconds)


def check_size(path: str | Path | None) -> None:
    """The part of check_clip for which no decoder is asked."""
    if not path:
        raise VideoError("There is no clip yet: upload a video or pick an example first.")
    path, most = Path(path), clip_limits().megabytes
    check_file(path)
    size = path.stat().st_size / 1e6
    if size > most:
        raise VideoError(
            f"{path.name!r} has {size:.0f} MB and {most:g} MB is the most: save it smaller or cut it shorter. Whoever "
            f"runs the app allows more with {MEGABYTES}."
        )


def check_length(path: str | Path, seconds: float) -> None:
    """Raises VideoError if a clip that lasts `seconds`, as far as is known, is longer than the limit."""
    most = clip_limits().seconds
    if seconds > most:
        raise VideoError(
            f"{Path(path).name!r} lasts {format_length(seconds)} and {format_length(most)} is the most: cut it into "
            f"shorter parts, or use the command line, which has no limit. Whoever runs the app allows more with "
            f"{SECONDS}."
        )


def format_length(seconds: float) -> str:
    """Seconds in minutes or hours."""
    return f"{seconds / 3600:.3g} h" if seconds >= 3600 else f"{seconds / 60:.3g} min"
