"""Features on disk: one safetensors file per video, or published files that hold many videos each."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from grounding.encoded import EncodedVideo
from grounding.errors import CheckpointError
from training.moments import DataError


class FeatureStore(Protocol):
    """Encoded videos by name."""

    def load(self, video: str) -> EncodedVideo:
        """Raises DataError if the video is missing, damaged, or of another width or encoder."""
        ...


class FeatureFolder:
    """One file per video, as `write_features` and `python -m training.extract` leave them.

    Args:
        folder: where the files are.
        encoder: the frame encoder that the features must come from.
        width: the width they must have.
        rate: frames a second at which they must have been sampled; None takes any.
    """

    def __init__(self, folder: str | Path, encoder: str, width: int, rate: float | None = None) -> None:
        self.folder, self.encoder, self.width, self.rate = Path(folder), encoder, width, rate

    def has(self, video: str) -> bool:
        """Whether the video was encoded."""
        return feature_path(self.folder, video).is_file()

    def load(self, video: str) -> EncodedVideo:
        """The features of one video. Raises DataError."""
        path = feature_path(self.folder, video)
        with _reading(path, f"no features of {video}: run python -m training.extract"):
            with safe_open(path, "numpy") as file:
                meta = file.metadata() or {}
                features, timestamps = file.get_tensor("features"), file.get_tensor("timestamps")
            if meta.get("encoder") != self.encoder:
                raise ValueError(f"made by the encoder {meta.get('encoder')!r}, not {self.encoder!r}")
            if self.rate is not None and float(meta["rate"]) != self.rate:
                raise ValueError(f"sampled at {meta['rate']} frames a second, not {self.rate}")
            return _checked(timestamps, features, float(meta["duration"]), self.encoder, self.width)


class PublishedFeatures:
    """A published file with a tensor (T, D) per video, and one with the timestamps (T,) in seconds.

    A video's duration is taken to be one sampling step after its last frame.
    """

    def __init__(self, features: str | Path, timestamps: str | Path, encoder: str, width: int) -> None:
        self.features, self.timestamps, self.encoder, self.width = Path(features), Path(timestamps), encoder, width

    def load(self, video: str) -> EncodedVideo:
        """The features of one video. Raises DataError."""
        features = _tensor(
            self.features, video, "features", "leave the video out of the moments file, or add its features"
        )
        timestamps = _tensor(self.timestamps, video, "timestamps", "give the file that belongs to the features").astype(
            np.float64
        )
        with _reading(self.features, ""):
            step = float(np.median(np.diff(timestamps))) if len(timestamps) > 1 else 1.0
            return _checked(timestamps, features, float(timestamps[-1]) + step, self.encoder, self.width)


def _tensor(path: Path, video: str, what: str, remedy: str) -> np.ndarray:
    with _reading(path, f"no {what} of {video}: {remedy}"), safe_open(path, "numpy") as file:
        return file.get_tensor(video)


def feature_path(folder: Path, video: str) -> Path:
    """Where the features of `video` are kept; a name with folders keeps them."""
    return folder / f"{video}.safetensors"


def write_features(folder: str | Path, video: str, encoded: EncodedVideo, rate: float) -> Path:
    """Keeps an encoded video, in half precision; written beside and renamed, so never half there."""
    path = feature_path(Path(folder), video)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    tensors = {"features": encoded.features.astype(np.float16), "timestamps": encoded.timestamps}
    save_file(tensors, part, {"encoder": encoded.encoder, "duration": repr(encoded.duration), "rate": repr(rate)})
    os.replace(part, path)
    return path


@contextmanager
def _reading(path: Path, missing: str) -> Iterator[None]:
    """Turns what can go wrong with a feature file into a DataError that names it."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: {missing}.") from error
    except (SafetensorError, OSError) as error:
        damaged = f"damaged ({error}): delete it and extract again"
        raise DataError(f"{path}: {missing if 'does not contain tensor' in str(error) else damaged}.") from error
    except (CheckpointError, ValueError, KeyError) as error:
        raise DataError(f"{path}: {error}: extract it again as the config says.") from error


def _checked(timestamps: np.ndarray, features: np.ndarray, duration: float, encoder: str, width: int) -> EncodedVideo:
    if features.ndim != 2 or features.shape[1] != width:
        raise ValueError(f"features of shape {features.shape}, not (T, {width})")
    return EncodedVideo(timestamps, features, duration, encoder)


def open_features(config: "DataConfig", encoder: str, width: int, rate: float) -> FeatureStore:  # noqa: F821
    """The store that a training config names: a folder, or a published file with its timestamps."""
    if config.timestamps:
        return PublishedFeatures(config.features, config.timestamps, encoder, width)
    return FeatureFolder(config.features, encoder, width, rate)
