"""Hostile input: files that ask for too much or point elsewhere, and what a stranger may send to the app."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from grounding.errors import GroundingError
from grounding.isolation.client import IsolatedReader
from grounding.video.container import open_container
from grounding.video.opencv_decoder import OpenCVDecoder
from tests.trust.bombs import Make, bombs, poses
from tests.trust.fuzz import FINE, decode, outcome
from tests.trust.references import GREENISH, Secret, pointers, secret
from tests.trust.report import Row


def run(work: Path) -> list[Row]:
    """A row for each kind of input; those through the served app come from `visits`."""
    from tests.trust import visits

    return [
        row("enormous pictures, endless durations, millions of frames", exploded(work, bombs())),
        row("pictures (GIF, PNG, WebP, ...) named as videos", posed(work)),
        row("playlists, scripts, references and names that point elsewhere", pointed(work)),
        *visits.run(work),
    ]


def row(what: str, results: Iterator[tuple[str, str]]) -> Row:
    """Of names and what is wrong with each, "" for nothing."""
    found = list(results)
    wrong = [f"{name}: {said}" for name, said in found if said]
    return Row(what, len(found), len(found) - len(wrong), "; ".join(wrong) or "answered, or one clear message")


def exploded(work: Path, made: dict[str, tuple[Make, str]]) -> Iterator[tuple[str, str]]:
    """What becomes of the bombs: frames, or the message that each has to get."""
    for name, (make, expected) in made.items():
        make(work / name)
        yield name, wrong(work / name, expected)


def posed(work: Path) -> Iterator[tuple[str, str]]:
    """What becomes of pictures."""
    for path in poses(work):
        yield path.name, wrong(path, "is not a video")


def wrong(path: Path, expected: str) -> str:
    """What is wrong with what is made of a file: no message, another than `expected`, or no frames where that is ""."""
    said: list[str] = []

    def trial(path: Path) -> None:
        try:
            decode(path)
        except GroundingError as error:
            said.append(str(error))
            raise

    result = outcome(trial, path)
    if result not in FINE:
        return result
    return "" if not expected or any(expected in text for text in said) else f"{result} {said}"


def pointed(work: Path) -> Iterator[tuple[str, str]]:
    """Whether anything of the secret is read, by us or by the decoders alone."""
    (work / "hidden").mkdir(exist_ok=True)
    with secret(work / "hidden") as hidden:
        for name in pointers(work, hidden):
            yield name.removeprefix(str(work)), next(filter(None, leaks(name, hidden)), "")


def leaks(name: str, hidden: Secret) -> Iterator[str]:
    """What each way to read `name` gives away."""
    ways: dict[str, Callable[[Path], list[np.ndarray]]] = {"ours": ours, "PyAV": pyav_alone, "OpenCV": opencv_alone}
    for way, read in ways.items():
        images: list[np.ndarray] = []
        with suppress(GroundingError):
            images = read(Path(name))
        if any(image[..., 1].mean() > GREENISH for image in images):
            yield f"{way} shows the secret"
        if hidden.asked:
            yield f"{way} asked for {hidden.asked.pop()}"


def ours(path: Path) -> list[np.ndarray]:
    return [frame.image for frame in IsolatedReader(path, 2.0)]


def pyav_alone(path: Path) -> list[np.ndarray]:
    """Without the look at the file's first bytes."""
    with open_container(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def opencv_alone(path: Path) -> list[np.ndarray]:
    return [frame.get_image() for frame in OpenCVDecoder().decode(SimpleNamespace(path=path), 64)]
