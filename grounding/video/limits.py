"""How much a clip may ask of the process that decodes it, and what is said where it asks for more."""

import math
import os
import signal
from dataclasses import dataclass, fields

from grounding.errors import GroundingError, VideoError

PREFIX = "GROUNDING_DECODE_"  # of the environment variables that change the limits
INSTEAD = "convert it to an h264 mp4 and try again"


@dataclass(frozen=True)
class DecodeLimits:
    """Limits on one clip, each changed by an environment variable, such as GROUNDING_DECODE_STALL=120.

    Attributes:
        stall: seconds in which no frame is decoded.
        seconds: waiting for frames in all; the time that encoding them takes is not counted.
        megabytes: of memory (1e6 bytes), without effect on Windows.
        megapixels: of one picture (1e6 pixels); one of 8K has 33.
    """

    stall: float = 60.0
    seconds: float = 1800.0
    megabytes: float = 4000.0
    megapixels: float = 40.0

    def check_size(self, name: str, width: int, height: int) -> None:
        """Raises VideoError for a picture that is too large; sizes in pixels."""
        if width * height > self.megapixels * 1e6:
            raise VideoError(
                f"{name!r} has pictures of {width} x {height} pixels and {self.megapixels:g} megapixels is the most: "
                f"save it with a smaller picture, or allow more with {PREFIX}MEGAPIXELS."
            )

    def make_stall_error(self, name: str) -> VideoError:
        """Nothing came for too long."""
        why = f"nothing of it was decoded for {self.stall:g} s"
        return make_give_up_error(name, why, f"{INSTEAD}, or allow more with {PREFIX}STALL")

    def make_time_error(self, name: str) -> VideoError:
        """Frames came, but too slowly."""
        why = f"decoding it took longer than {self.seconds:g} s"
        return make_give_up_error(name, why, f"save it shorter or smaller, or allow more with {PREFIX}SECONDS")

    def make_memory_error(self, name: str) -> VideoError:
        """Memory ran out."""
        why = f"decoding it takes more than {self.megabytes:g} MB of memory"
        return make_give_up_error(name, why, f"save it with a smaller picture, or allow more with {PREFIX}MEGABYTES")


def limits_from_env() -> DecodeLimits:
    """As the environment says. Raises GroundingError where that is no positive number."""
    names = fields(DecodeLimits)
    return DecodeLimits(**{one.name: positive_from_env(PREFIX + one.name.upper(), one.default) for one in names})


def make_give_up_error(name: str, why: str, instead: str) -> VideoError:
    """What is said of every clip whose decoding was ended."""
    return VideoError(f"{name!r} was given up, since {why}: {instead}.")


def make_crash_error(name: str, status: int | None) -> VideoError:
    """The process ended: by a signal if `status` is negative."""
    if status == -getattr(signal, "SIGKILL", 9):
        why = "the process that decoded it was killed, as happens where memory runs out"
        return make_give_up_error(name, why, "try again, or save it with a smaller picture")
    by = signal.Signals(-status).name if status and -status in set(signal.Signals) else f"status {status}"
    return make_give_up_error(name, f"its decoder crashed ({by})", INSTEAD)


def make_failure_error(name: str, why: str) -> VideoError:
    """The decoder met something that nobody thought of."""
    return make_give_up_error(name, f"its decoder failed ({why})", INSTEAD)


def positive_from_env(variable: str, otherwise: float) -> float:
    """An environment variable, `otherwise` where it is not set. Raises GroundingError for no positive number."""
    text = os.environ.get(variable) or str(otherwise)
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise GroundingError(f"{variable} is {text!r}: give a positive number, such as {otherwise:g}.")
    return value


def count_cores() -> int:
    """Cores that this process may use, which in a container may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
