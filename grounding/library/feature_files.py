"""Encoded videos in a folder, a safetensors file each, as `python -m training.extract` leaves them.

A file's place is that of its video: /videos/a.mp4 has its features in FOLDER/videos/a.mp4.safetensors. So whatever
writes there, this process, another one or many GPUs elsewhere, fills the same library.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from grounding.errors import FeaturesError, WriteError
from grounding.features.cache_key import Key
from grounding.features.encoded_video import EncodedVideo
from grounding.files import write_whole

SUFFIX = ".safetensors"
PREPROCESSING = "2"  # raise it by hand when frames are sampled, sized or encoded otherwise: everything is encoded anew


def features_folder(library: Path, encoder: str, rate: float) -> Path:
    """Where a library keeps the features of a frame encoder, sampled at `rate` frames a second."""
    return library / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', encoder)}-{rate:g}fps" / "features"


def feature_place(folder: Path, path: Path) -> Path:
    """Where in `folder` the features of all below a path are; `path` is absolute."""
    drive = re.sub(r"\W", "", path.drive)  # of Windows
    return folder / drive / Path(*path.parts[1:])


def feature_file(folder: Path, video: Path) -> Path:
    """Where in `folder` the features of a video are; `video` is absolute."""
    place = feature_place(folder, video)
    return place.with_name(f"{place.name}{SUFFIX}")


def describe_source(video: Path) -> str:
    """What tells whether a file was replaced: its size and when it was written to. Raises OSError."""
    state = video.stat()
    return f"{state.st_size} {state.st_mtime_ns}"


def write_features(path: Path, video: EncodedVideo, key: Key, source: str) -> None:
    """Keeps an encoded video in half precision; `source` is of the file before it was read. Raises WriteError."""
    facts = {
        "encoder": video.encoder,
        "duration": repr(float(video.duration)),
        "rate": repr(key.rate),
        "weights": key.weights,
        "preprocessing": PREPROCESSING,
        "source": source,
        "skipped": json.dumps(video.skipped),
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{str(path.parent)!r} cannot be made ({error.strerror}): choose another store.") from error
    with write_whole(path) as part:
        save_file({"features": video.features.astype(np.float16), "timestamps": video.timestamps}, part, facts)


def check_made_by(facts: Mapping[str, str], key: Key) -> None:
    """Raises ValueError for features that another encoder made, other weights or another preprocessing, as far as both
    say: training.extract writes neither, and weights may not be at hand.

    Devices, arithmetic and versions of libraries do not count, other than for the cache: OpenVINO and torch agree by a
    cosine of 0.9999, and thousands of hours would have to be encoded again.
    """
    if facts["encoder"] != key.encoder or float(facts["rate"]) != key.rate:
        raise ValueError(f"it holds {facts['encoder']!r} at {facts['rate']} frames a second")
    for what, wanted in (("weights", key.weights), ("preprocessing", PREPROCESSING)):
        if facts.get(what) and wanted and facts[what] != wanted:
            raise ValueError(f"other {what} made it")


def read_features(path: Path, key: Key) -> EncodedVideo:
    """Raises FileNotFoundError where there is no file, FeaturesError where it is damaged or not what `key` makes."""
    try:
        with safe_open(path, "numpy") as file:
            facts = file.metadata() or {}
            features, timestamps = file.get_tensor("features"), file.get_tensor("timestamps")  # (T, D), (T,)
        check_made_by(facts, key)
        skipped = tuple(map(tuple, json.loads(facts.get("skipped", "[]"))))
        return EncodedVideo(timestamps, features, float(facts["duration"]), key.encoder, skipped)
    except FileNotFoundError:
        raise
    except Exception as error:  # a file that is none fails in as many ways as there are formats
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FeaturesError(f"{path} does not hold the features of its video ({reason}): delete it.") from error


def is_current(path: Path, video: Path, key: Key) -> bool:
    """Whether features are there that `key` makes, and the video was not replaced since: the same size and time, or,
    where the file does not say (training.extract writes no source), no later than its features. A video that has left
    was not replaced."""
    try:
        with safe_open(path, "numpy") as file:
            facts = file.metadata() or {}
        check_made_by(facts, key)
        source = facts.get("source")
        return source == describe_source(video) if source else video.stat().st_mtime <= path.stat().st_mtime
    except FileNotFoundError:
        return path.is_file()
    except Exception:  # damaged
        return False
