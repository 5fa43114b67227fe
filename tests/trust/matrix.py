"""One file of each kind that the wild holds, with frames that carry their number in their picture."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from tests.clips import turned, write_sound, write_video

SIZE = (96, 128)  # pixels, height and width
QUIET = {
    "libx264": {"x264-params": "log=-1"},
    "libx265": {"x265-params": "log-level=none"},
    "libsvtav1": {"preset": "12"},
    "libvpx-vp9": {"deadline": "realtime"},
}
LEVELS = 16  # of grey, for each of the two digits of a number

Times = list[float]


@dataclass(frozen=True)
class Case:
    """A kind of file.

    Attributes:
        name: of the file.
        make: writes it and returns the times of its frames in order, seconds.
        error: a part of what is said where it cannot be read, "" where it can.
        codec: the encoder that makes it.
        whole: whether every frame that was written can be decoded.
        skipped: whether a part has to be said to be skipped.
    """

    name: str
    make: Callable[[Path], Times]
    error: str = ""
    codec: str = "libx264"
    whole: bool = True
    skipped: bool = False


def cases() -> list[Case]:
    """All of them."""
    return [*codecs(), *clocks(), *shapes(), *damages(), *others()]


def codecs() -> list[Case]:
    """Each codec in each container that takes it."""
    where = {
        "libx264": ("mp4", "mkv", "mov", "avi", "ts"),
        "libx265": ("mp4", "mkv", "mov", "ts"),
        "libvpx-vp9": ("webm", "mkv", "mp4"),
        "libsvtav1": ("mp4", "mkv", "webm"),
        "mpeg4": ("mp4", "mkv", "mov", "avi"),
    }
    return [
        Case(f"{codec}.{suffix}", partial(written, codec=codec, ticks=10 if suffix == "avi" else 1000), codec=codec)
        for codec, suffixes in where.items()
        for suffix in suffixes
    ]


def clocks() -> list[Case]:
    """Frame rates and timestamps."""
    uneven = [0.04 * index + 0.01 * (index % 3) + (1.3 if index > 20 else 0.0) for index in range(40)]
    times = {
        "variable.mp4": uneven,
        "variable.mkv": uneven,
        "one-a-second.mp4": [float(index) for index in range(6)],
        "120-a-second.mp4": [index / 120 for index in range(240)],
        "one-frame.mp4": [0.0],
        "from-10-s.mkv": [10 + index / 10 for index in range(30)],
        "from-10-s.mp4": [10 + index / 10 for index in range(30)],
        "jump.mkv": [index / 10 + (100 if index > 14 else 0) for index in range(30)],
    }
    found = [Case(name, partial(written, times=at, ticks=12_000)) for name, at in times.items()]
    live = partial(written, codec="libvpx-vp9", muxer={"live": "1"})
    back = [
        Case("a-little-back.ts", partial(joined, second=2.6)),
        Case("far-back.ts", partial(joined, second=0.0), "jump backwards"),
    ]
    return [*found, Case("live-without-length.webm", live, codec="libvpx-vp9"), *back]


def shapes() -> list[Case]:
    """Sizes, bits and which way is up."""
    few = [index / 2 for index in range(4)]
    return [
        *(Case(f"turned-{90 * quarters}.mp4", partial(rotated, quarters=quarters)) for quarters in (1, 2, 3)),
        Case("odd.webm", partial(written, codec="libvpx-vp9", size=(97, 131)), codec="libvpx-vp9"),
        Case("odd.mp4", partial(written, pixels="yuv444p", size=(97, 131))),
        Case("portrait.mp4", partial(written, size=(160, 90))),
        Case("4k.mp4", partial(written, times=few, size=(2160, 3840), encoder={"preset": "ultrafast"})),
        Case("10-bits-h264.mp4", partial(written, pixels="yuv420p10le")),
        Case("10-bits-hevc.mkv", partial(written, codec="libx265", pixels="yuv420p10le"), codec="libx265"),
        Case("interlaced.mp4", partial(written, encoder={"x264-params": "tff=1"})),
    ]


def damages() -> list[Case]:
    """Files that are not what they were."""
    return [
        *(Case(f"broken-middle.{suffix}", broken, whole=False, skipped=True) for suffix in ("mp4", "mkv", "ts")),
        *(Case(f"cut-off.{suffix}", cut_off, whole=False, skipped=True) for suffix in ("mkv", "avi")),
        Case("cut-off.ts", cut_off, whole=False),  # states no length
        Case("cut-off.mp4", cut_off, "damaged or cut off"),
    ]


def others() -> list[Case]:
    """What is no video."""
    return [
        Case("sound.mp4", sounding, "sound but no picture"),
        Case("song-with-cover.mp4", partial(sounding, cover=True), "sound but no picture"),
        *(Case(f"picture.{kind}", still, "not a video") for kind in ("png", "jpg", "webp")),
        Case("empty.mp4", partial(of, data=b""), "empty"),
        Case("text.mp4", partial(of, data=b"no video\n" * 99), "not a video"),
    ]


def numbered(number: int, size: tuple[int, int], noise: int = 0) -> np.ndarray:
    """A frame (H, W, 3) whose upper half is as bright as its number's first digit, the lower half as its second."""
    frame = np.zeros((*size, 3), np.uint8)
    for half, digit in ((frame[: size[0] // 2], number // LEVELS), (frame[size[0] // 2 :], number % LEVELS)):
        half[:] = 16 + 14 * digit
    return frame + np.random.default_rng(number).integers(0, noise + 1, frame.shape, dtype=np.uint8)


def number(frame: np.ndarray) -> int:
    """That of a frame (H, W, 3), which may be scaled."""
    middle = frame[:, frame.shape[1] // 4 : frame.shape[1] * 3 // 4].mean((1, 2))  # (H,)
    height = len(middle)
    high, low = middle[height // 8 : height * 3 // 8].mean(), middle[height * 5 // 8 : height * 7 // 8].mean()
    return round((high - 16) / 14) * LEVELS + round((low - 16) / 14)


def written(
    path: Path,
    times: Times | None = None,
    codec: str = "libx264",
    size: tuple[int, int] = SIZE,
    noise: int = 0,
    encoder: dict[str, str] | None = None,
    **how: object,
) -> Times:
    """Numbered frames, ten a second unless `times` say otherwise."""
    times = times or [index / 10 for index in range(30)]
    frames = [numbered(index, size, noise) for index in range(len(times))]
    write_video(path, frames, times, codec, encoder={**QUIET.get(codec, {}), **(encoder or {})}, **how)
    return times


def rotated(path: Path, quarters: int) -> Times:
    """Stored lying down, to be shown upright."""
    times = [index / 10 for index in range(30)]
    frames = [np.rot90(numbered(index, SIZE), quarters) for index in range(30)]
    stored = write_video(path.with_name("stored.mp4"), [np.ascontiguousarray(frame) for frame in frames], times)
    turned(stored, path, quarters)
    return times


def joined(path: Path, second: float) -> Times:
    """Two broadcasts one after the other, the second of which begins at `second` where the first is at 3."""
    one, two = path.with_name("one.ts"), path.with_name("two.ts")
    times = written(one, encoder={"bf": "0"}) + [second + index / 10 for index in range(30)]
    write_video(two, [numbered(index, SIZE) for index in range(30, 60)], times[30:], encoder={"bf": "0"})
    path.write_bytes(one.read_bytes() + two.read_bytes())
    return times


def broken(path: Path) -> Times:
    """A tenth of the file is noise."""
    times = written(path, [index / 10 for index in range(60)], encoder={"g": "10", "bf": "0", "crf": "10"}, noise=12)
    data = bytearray(path.read_bytes())
    first, last = len(data) * 45 // 100, len(data) * 55 // 100
    data[first:last] = np.random.default_rng(0).bytes(last - first)
    path.write_bytes(data)
    return times


def cut_off(path: Path) -> Times:
    """The last two fifths are missing."""
    times = written(path, codec="mpeg4", ticks=10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5])
    return times


def sounding(path: Path, cover: bool = False) -> Times:
    """A second of sound."""
    write_sound(path, cover)
    return []


def still(path: Path) -> Times:
    """An image."""
    cv2.imwrite(str(path), numbered(7, SIZE))
    return []


def of(path: Path, data: bytes) -> Times:
    """These bytes."""
    path.write_bytes(data)
    return []
