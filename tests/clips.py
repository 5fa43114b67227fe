"""Small videos made on the spot, good ones and bad ones."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """A frame of one colour, (H, W, 3) uint8 RGB."""
    return np.full((*size, 3), colour, dtype=np.uint8)


def write_video(
    path: Path,
    frames: list[np.ndarray],
    times: list[float] | None = None,
    codec: str = "libx264",
    fps: int = 10,
    encoder: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
) -> Path:
    """Writes `frames` at `times` (seconds; `fps` apart by default), with ffmpeg's options, and returns `path`."""
    times = times or [index / fps for index in range(len(frames))]
    with av.open(str(path), "w", container_options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=encoder or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for image, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path, cover: bool = False) -> Path:
    """A second of silence in an mp4 without a moving picture, or with a cover as songs have one."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.height, picture.width, picture.pix_fmt = 64, 96, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic.value
            container.mux(picture.encode(av.VideoFrame.from_ndarray(plain(RED), format="rgb24")))
            container.mux(picture.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def colours(path: Path, seconds: float = 2.0, fps: int = 10) -> Path:
    """Red, green and blue, `seconds` each."""
    count = round(seconds * fps)
    return write_video(path, [plain(colour) for colour in (RED, GREEN, BLUE) for _ in range(count)], fps=fps)


def bad_file(kind: str, folder: Path) -> Path:
    """A file that is no usable video: text, empty, truncated, sound, playlist, missing or folder."""
    path = folder / f"{kind}.mp4"
    if kind == "text":
        path.write_text("this is not a video\n" * 50)
    elif kind == "empty":
        path.touch()
    elif kind == "truncated":
        whole = colours(folder / "whole.mp4").read_bytes()
        path.write_bytes(whole[: whole.index(b"moov") - 4])
    elif kind == "sound":
        write_sound(path)
    elif kind == "playlist":
        path.write_text(f"ffconcat version 1.0\nfile {colours(folder / 'other.mp4')}\n")
    elif kind == "folder":
        path.mkdir()
    return path


BAD_KINDS = ("text", "empty", "truncated", "sound", "playlist", "missing", "folder")


def write_scenes(path: Path, names: tuple[str, ...], seconds: float = 4.0, fps: int = 10) -> Path:
    """Slow pans over photographs that scikit-image carries, one after another with hard cuts."""
    from skimage import data

    frames = []
    for name in names:
        photograph = getattr(data, name)()
        height, width = photograph.shape[0] // 2 * 2, (photograph.shape[1] - 40) // 2 * 2
        steps = np.linspace(0, 40, round(seconds * fps)).astype(int)
        frames += [resized(photograph[:height, step : step + width]) for step in steps]
    return write_video(path, frames, fps=fps)


def resized(image: np.ndarray) -> np.ndarray:
    """An image as 320 x 240 pixels."""
    import cv2

    return cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA)
