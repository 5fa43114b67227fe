"""A rough look at a whole video: its key frames alone, which decode without the frames between them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grounding.features.encoded_video import EncodedVideo
from grounding.isolation.client import probe_video, read_key_frames
from grounding.isolation.worker_pool import Check
from grounding.video.reader import Frame

if TYPE_CHECKING:
    from grounding.encoders.registry import FrameEncoder

SHORT = 60.0  # seconds; a shorter video is encoded as soon as it is looked at
MAX_COUNT = 400  # key frames; of a longer video those that are evenly spread
APART = 2.0  # seconds between key frames; nearer ones would be most of the work already
FAR = 30.0  # seconds between key frames, from which they say too little
SAME_TIME = 1e-4  # seconds up to which two times are those of one frame
SHARE = 0.25  # of a video, that is encoded before the rest: each place costs a seek, and decoding from a key frame on
NONE = np.empty(0)

See = Callable[[Sequence[Frame]], None]


def ignore(frames: Sequence[Frame]) -> None:
    """Does nothing with frames."""


@dataclass(frozen=True)
class KeyFrames:
    """Encoded key frames from all over a video.

    Attributes:
        timestamps: (K,) seconds, increasing.
        features: (K, D) float16.
        duration: of the video, seconds, as its container claims.
        rate: frames sampled a second, once all of it is encoded.
        encoder: name of the frame encoder.
        start: seconds at which the first frame is shown.
    """

    timestamps: np.ndarray
    features: np.ndarray
    duration: float
    rate: float
    encoder: str
    start: float = 0.0

    def find(self, timestamp: float) -> np.ndarray | None:
        """(D,), the feature of the key frame at a time; None where there is none."""
        index = int(np.searchsorted(self.timestamps, timestamp - SAME_TIME))
        found = index < len(self.timestamps) and self.timestamps[index] <= timestamp + SAME_TIME
        return self.features[index] if found else None

    def fill(self, places: np.ndarray = NONE, known: np.ndarray = NONE) -> tuple[np.ndarray, np.ndarray]:
        """Times (T,) of frames that are yet to be sampled, and for each the features (T, D) of the key frame nearest to
        it: so the grounder sees as many frames a second as it knows.

        Args:
            places: (N,) which frames are encoded, counted in order of time.
            known: (N,) their times.
        """
        times = np.arange(np.ceil(self.duration * self.rate)) / self.rate  # (T,)
        times = times[(times >= self.start) & (times < self.duration)]
        # Between two neighbours that are encoded there is nothing, and next to others what is sampled is there.
        before = np.searchsorted(known, times)  # (T,)
        numbers = np.concatenate([[-1], places, [np.inf]])  # (N + 2,)
        seconds = np.concatenate([[-np.inf], known, [np.inf]])  # (N + 2,)
        is_open = numbers[before + 1] - numbers[before] > 1
        is_far = np.minimum(times - seconds[before], seconds[before + 1] - times) > 0.5 / self.rate
        times = times[is_open & is_far]
        middles = (self.timestamps[1:] + self.timestamps[:-1]) / 2  # (K - 1,)
        return times, self.features[np.searchsorted(middles, times)]

    def video(self) -> EncodedVideo:
        """The whole video as far as key frames tell."""
        return EncodedVideo(*self.fill(), self.duration, self.encoder, rough=len(self.timestamps))

    def choose_first(self, score: Callable[[EncodedVideo], np.ndarray]) -> list[float]:
        """Where to look first, seconds, the best first: SHARE of the video, where the rough curve is high.

        Args:
            score: gives the matching scores (T,) of a video of T frames.
        """
        rough = self.video()
        best = np.argsort(-score(rough), kind="stable")  # (T,)
        return rough.timestamps[best[: math.ceil(SHARE * len(best))]].tolist()


def encode_key_frames(
    path: str | Path, encoder: "FrameEncoder", rate: float, check: Check | None = None, see: See = ignore
) -> KeyFrames | None:
    """The key frames of a video; None where it is short, does not tell its length, or has too few of them.

    Args:
        path: the video file.
        encoder: of frames.
        rate: frames sampled a second, once all of it is encoded.
        check: as IsolatedReader's.
        see: called with the frames, some at a time.

    Raises VideoError as IsolatedReader does.
    """
    info = probe_video(path, check)
    start, duration = info.start, info.duration
    if duration is None or duration < SHORT:
        return None
    frames = read_key_frames(path, min(int(duration / APART), MAX_COUNT), check=check)
    timestamps, features = [], [np.empty((0, encoder.width), np.float16)]
    while chunk := list(islice(frames, encoder.batch)):
        timestamps += [frame.timestamp for frame in chunk]
        see(chunk)
        features.append(encoder.encode([frame.image for frame in chunk]).numpy().astype(np.float16))  # (B, D)
    bounds = np.array([start, *timestamps, duration])
    if np.diff(bounds).max() > FAR:
        return None
    return KeyFrames(np.array(timestamps), np.concatenate(features), duration, rate, encoder.name, start)
