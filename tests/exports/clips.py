"""Clips whose every frame can be told from the others, in the frame rates of cameras."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 80)


def numbered(number: int) -> np.ndarray:
    """A frame that shows its number in ten black or white blocks, (H, W, 3) uint8 RGB."""
    bits = [number >> place & 1 for place in range(10)]
    return np.repeat(np.kron(np.array(bits).reshape(2, 5), np.ones((24, 16)))[..., None] * 255, 3, 2).astype(np.uint8)


def number_in(image: np.ndarray) -> int:
    """The number that a frame shows."""
    blocks = image[..., 0].reshape(2, 24, 5, 16).mean(axis=(1, 3)).reshape(-1) > 128
    return int(sum(1 << place for place, white in enumerate(blocks) if white))


def write_numbered(path: Path, rate: Fraction, count: int = 200, timecode: str = "", sound: bool = False) -> Path:
    """`count` numbered frames at an exact rate; the timecode of the first as a camera writes it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        if timecode:
            stream.metadata["timecode"] = timecode
        track = container.add_stream("aac", rate=16_000) if sound else None
        for number in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(number), format="rgb24")))
        container.mux(stream.encode())
        if track:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 16_000, 0
            container.mux(track.encode(silence))
            container.mux(track.encode())
    return path
