"""Features on disk: one safetensors file per video, or published files that hold many videos each."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from grounding.features.encoded_video import EncodedVideo
from grounding.video.video_files import SUFFIXES
from training.files import DataError, write_whole


class FeatureStore(Protocol):
    """Encoded videos by name."""

    def load(self, video: str, duration: float | None = None) -> EncodedVideo:
        """Raises DataError if the video is missing, damaged, or of another width or encoder.

        `duration` is what the moments file says, in seconds, for stores that do not know it.
        """
        ...


class FeatureFolder:
    """One file per video, as `write_features` and `python -m training.extract` leave them.

    Args:
        folder: where the files are.
        encoder: the frame encoder that the features must come from.
        width: the width they must have.
        rate: frames a second at which they must have been sampled; None takes any.

    Raises:
        DataError: `folder` is a file.
    """

    def __init__(self, folder: str | Path, encoder: str, width: int, rate: float | None = None) -> None:
        self.folder, self.encoder, self.width, self.rate = Path(folder), encoder, width, rate
        if self.folder.is_file():
            raise DataError(f"{folder} is a file and no folder: give the file with its timestamps too.")

    def has(self, video: str) -> bool:
        """Whether the video was encoded."""
        return find_file(self.folder, video, ".safetensors").is_file()

    def load(self, video: str, duration: float | None = None) -> EncodedVideo:
        """The features of one video, with the duration that was measured on it. Raises DataError."""
        path = find_file(self.folder, video, ".safetensors")
        missing = f"no features of {video}: run python -m training.extract"
        with _name_errors(path, missing, "extract it again as the config says"):
            with safe_open(path, "numpy") as file:
                meta = file.metadata() or {}
                features, timestamps = file.get_tensor("features"), file.get_tensor("timestamps")
            check_made_by(meta, self.encoder, self.rate)
            check_width(features, self.width)
            return EncodedVideo(timestamps, features, float(meta["duration"]), self.encoder)


def check_made_by(meta: dict[str, str], encoder: str, rate: float | None) -> None:
    """Raises ValueError if a file's metadata names another encoder or rate."""
    if meta.get("encoder") != encoder:
        raise ValueError(f"made by the encoder {meta.get('encoder')!r}, not {encoder!r}")
    if rate is not None and float(meta["rate"]) != rate:
        raise ValueError(f"sampled at {meta['rate']} frames a second, not {rate}")


class TensorFile:
    """A file with a tensor for each video, opened once, since its table of contents is long.

    Args:
        path: a safetensors file.
        what: its tensors are.
        remedy: for a video that is not in it.
    """

    def __init__(self, path: str | Path, what: str, remedy: str) -> None:
        self.path, self.what, self.remedy = Path(path), what, remedy

    @cached_property
    def _file(self) -> Any:
        return safe_open(self.path, "numpy")

    def get(self, video: str) -> np.ndarray:
        """The tensor of a video. Raises DataError."""
        with _name_errors(self.path, f"no {self.what} of {video}: {self.remedy}", "fetch it again"):
            return self._file.get_tensor(video)


class PublishedFeatures:
    """A published file with a tensor (T, D) per video, and one with the timestamps (T,) in seconds.

    The files know no duration: where none is given, it is taken to be one sampling step after the last frame. Features
    of open_clip encoders are brought to unit length, as our own are; published ones differ in that.
    """

    def __init__(self, features: str | Path, timestamps: str | Path, encoder: str, width: int) -> None:
        self.features = TensorFile(features, "features", "leave it out of the moments file, or add its features")
        self.timestamps = TensorFile(timestamps, "timestamps", "give the file that belongs to the features")
        self.encoder, self.width = encoder, width

    def load(self, video: str, duration: float | None = None) -> EncodedVideo:
        """The features of one video, without a last frame that `duration` leaves outside. Raises DataError."""
        features, timestamps = self.features.get(video), self.timestamps.get(video).astype(np.float64)
        with _name_errors(
            f"{self.features.path}, video {video}", "", "give features that fit, or mend what says otherwise"
        ):
            check_width(features, self.width)
            if self.encoder.startswith("open_clip:"):
                features = normalize_rows(features)
            step = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 1.0
            return trim(EncodedVideo(timestamps, features, float(timestamps[-1]) + step, self.encoder), duration, step)


def normalize_rows(features: np.ndarray) -> np.ndarray:
    """(T, D) scaled to rows of unit length, in half precision, in which our own are kept too."""
    rows = features.astype(np.float32)  # (T, D)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)).astype(np.float16)  # (T, D)


def trim(video: EncodedVideo, duration: float | None, step: float) -> EncodedVideo:
    """The video with this duration, if there is one. Raises ValueError if frames lie more than a step beyond it."""
    if duration is None:
        return video
    if video.timestamps[-1] >= duration + step:
        raise ValueError(f"its last frame is at {video.timestamps[-1]:.1f} s, but its duration is {duration} s")
    within = video.timestamps < duration  # (T,)
    return EncodedVideo(video.timestamps[within], video.features[within], duration, video.encoder)


def find_file(folder: Path, video: str, ending: str = "") -> Path:
    """`folder`/`video``ending`, or with the suffix that published annotations leave out, where only that is there."""
    exact = folder / f"{video}{ending}"
    suffixes = [suffix for lower in SUFFIXES for suffix in (lower, lower.upper())]
    others = (folder / f"{video}{suffix}{ending}" for suffix in suffixes)
    return exact if exact.is_file() else next((path for path in others if path.is_file()), exact)


def path_from_video(folder: Path, video: str) -> Path:
    """Where the features of `video` are kept; a name with folders keeps them."""
    return folder / f"{video}.safetensors"


def write_features(folder: str | Path, video: str, encoded: EncodedVideo, rate: float) -> Path:
    """Keeps an encoded video, in half precision. Raises DataError if it cannot be written."""
    path = path_from_video(Path(folder), video)
    tensors = {"features": encoded.features.astype(np.float16), "timestamps": encoded.timestamps}
    with write_whole(path) as part:
        save_file(tensors, part, {"encoder": encoded.encoder, "duration": repr(encoded.duration), "rate": repr(rate)})
    return path


def is_written(folder: Path, video: str, encoder: str, rate: float) -> bool:
    """Whether `write_features` has been here; a damaged file counts for none.

    Raises DataError if the file is of another encoder or rate.
    """
    path = path_from_video(folder, video)
    try:
        with safe_open(path, "numpy") as file:
            meta = file.metadata() or {}
    except (OSError, SafetensorError):
        return False
    with _name_errors(path, "", "choose another --out, or delete the old features"):
        check_made_by(meta, encoder, rate)
    return True


@contextmanager
def _name_errors(where: str | Path, missing: str, remedy: str) -> Iterator[None]:
    """Turns what can go wrong with a feature file into a DataError that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{where}: {missing or error}.") from error
    except (SafetensorError, OSError) as error:
        damaged = f"damaged ({error}): delete it and {remedy}"
        raise DataError(f"{where}: {missing if 'does not contain tensor' in str(error) else damaged}.") from error
    except (ValueError, KeyError) as error:
        raise DataError(f"{where}: {str(error).rstrip('.')}; {remedy}.") from error


def check_width(features: np.ndarray, width: int) -> None:
    """Raises ValueError unless the features are (T, width)."""
    if features.ndim != 2 or features.shape[1] != width:
        raise ValueError(f"features of shape {features.shape}, not (T, {width})")


def open_features(config: "DataConfig", encoder: str, width: int, rate: float) -> FeatureStore:  # noqa: F821
    """The store that a training config names: a folder, or a published file with its timestamps."""
    if config.timestamps:
        return PublishedFeatures(config.features, config.timestamps, encoder, width)
    return FeatureFolder(config.features, encoder, width, rate)
