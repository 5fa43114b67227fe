"""Small videos made on the spot, good ones and bad ones."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RED, GREEN, BLUE = (220, 20, 20), (20, 200, 20), (20, 20, 220)


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (64, 96)) -> np.ndarray:
    """A frame of one colour, (H, W, 3) uint8 RGB."""
    return np.full((*size, 3), colour, dtype=np.uint8)


@contextmanager
def own_priority() -> Iterator[None]:
    """SVT-AV1 gives processes of root priority over all others, which would starve the servers of a test."""
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    os.sched_setscheduler(0, policy, parameters)


def write_video(
    path: Path,
    frames: list[np.ndarray],
    times: list[float] | None = None,
    codec: str = "libx264",
    fps: int = 10,
    encoder: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    ticks: int = 1000,
) -> Path:
    """Writes `frames` at `times` (seconds; `fps` apart by default), in `ticks` a second, with ffmpeg's options."""
    times = times or [index / fps for index in range(len(frames))]
    with own_priority(), av.open(str(path), "w", container_options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=fps, options=encoder or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = stream.time_base = Fraction(1, ticks)
        for image, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * ticks), Fraction(1, ticks)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def noisy(count: int) -> list[np.ndarray]:
    """Frames that have many bytes each, so that a video of them can be cut anywhere."""
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (64, 96, 3), np.uint8) for _ in range(count)]


def shorten(path: Path, share: float) -> Path:
    """Keeps the first bytes of a file, as a download does that broke off."""
    os.truncate(path, int(share * path.stat().st_size))
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
    return write_video(path, frames, fps=fps, encoder={"preset": "veryfast"})


def resized(image: np.ndarray) -> np.ndarray:
    """An image as 320 x 240 pixels."""
    import cv2

    return cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA)


def flash_and_tone(
    path: Path,
    onset: float = 2.0,
    seconds: float = 4.0,
    fps: int = 10,
    codec: str = "libx264",
    sound: str = "aac",
    encoder: dict[str, str] | None = None,
    sound_from: float = 0.0,
    picture_from: float = 0.0,
    muxer: dict[str, str] | None = None,
) -> Path:
    """Red and silent, then blue with a tone from `onset` on; the tracks begin at `sound_from` and `picture_from`."""
    rate = 48000 if sound == "libopus" else 44100
    times = np.arange(round(rate * sound_from), round(rate * seconds)) / rate
    tone = np.where(times >= onset, 0.5 * np.sin(2 * np.pi * 440 * times), 0.0).astype(np.float32)
    with av.open(str(path), "w", container_options=muxer or {}) as container:
        picture = container.add_stream(codec, rate=fps, options=encoder or {})
        picture.height, picture.width, picture.pix_fmt = 64, 96, "yuv420p"
        picture.codec_context.time_base = Fraction(1, 100 * fps)
        track = container.add_stream(sound, rate=rate, layout="mono")
        for index in range(round((seconds - picture_from) * fps)):
            time = picture_from + index / fps
            frame = av.VideoFrame.from_ndarray(plain(RED if time < onset else BLUE), format="rgb24")
            frame.pts, frame.time_base = round(100 * fps * time), Fraction(1, 100 * fps)
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        block = av.AudioFrame.from_ndarray(np.ascontiguousarray(tone[None]), format="fltp", layout="mono")
        block.sample_rate, block.pts, block.time_base = rate, round(rate * sound_from), Fraction(1, rate)
        container.mux(track.encode(block))
        container.mux(track.encode())
    return path


def heard(path: Path) -> tuple[np.ndarray, int]:
    """Loudness of every sample, (N,), placed by timestamps from 0 on, and the rate; empty where there is no sound."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return np.zeros(0), 1
        frames = list(container.decode(container.streams.audio[0]))
    rate = frames[0].sample_rate
    loud = np.zeros(round(max(f.time + f.samples / rate for f in frames) * rate) + 1)
    for frame in frames:
        first = round(frame.time * rate)
        samples = np.abs(frame.to_ndarray()).max(axis=0)[max(-first, 0) :]
        loud[max(first, 0) :][: len(samples)] = samples[: len(loud) - max(first, 0)]
    return loud, rate


def turned(path: Path, out: Path, quarters: int = 1) -> Path:
    """The same stream with a display matrix that says: turn by quarters. Its 3 x 3 matrix stands in the mp4's tkhd."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters % 4]
    numbers = [number << 16 for number in (cosine, sine, 0, -sine, cosine, 0, 0, 0)] + [1 << 30]
    data[matrix : matrix + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in numbers)
    out.write_bytes(data)
    return out


def frames_at(path: Path, times: list[float], short_side: int = 336) -> list[np.ndarray]:
    """The pictures on screen at `times` (seconds), each (H, W, 3) RGB, by a pass over all frames."""
    from grounding.video.reader import FrameReader

    shown: dict[float, np.ndarray] = {}
    for start, _, get_image in FrameReader(path, 1.0, short_side).read_timed():
        due = [time for time in times if time >= start - 1e-3]
        shown |= dict.fromkeys(due, get_image()) if due else {}
    return [shown[time] for time in times]


def leave_one_way(monkeypatch, way: str) -> None:
    """Leaves FrameReader one way to decode: "planned", "opencv" or "pyav"."""
    from grounding.video import reader

    if way != "planned":
        monkeypatch.setattr(reader, "make_plan", lambda *_: None)
    if way == "pyav":
        monkeypatch.setattr(reader.OpenCVDecoder, "can_decode", lambda *_: False)
