"""A decoded frame as a picture: upright, in square pixels, in standard range, opaque, and not larger than needed."""

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from grounding.video.tone_mapping import HLG, PQ, tone_map

if TYPE_CHECKING:
    import av

MAX_SIDE = 4096  # pixels; pictures six times as long as high reach it, and many of them wait for the encoder

MAX_PIXEL_SHAPE = 8  # width / height of a pixel; more is a damaged header


def image_from_frame(frame: "av.VideoFrame", pixel_shape: float = 1.0, short_side: int | None = None) -> np.ndarray:
    """(H, W, 3) uint8 RGB, as a player shows it; what is transparent shows black.

    Args:
        frame: as PyAV decodes it.
        pixel_shape: width / height of a stored pixel.
        short_side: where given, scaled down as `shrink` does.
    """
    if is_hdr(frame):
        image = frame.to_ndarray(format="rgb48")  # (H, W, 3) uint16
    elif has_alpha(frame):
        image = _blend_with_black(frame.to_ndarray(format="rgba"))
    else:
        image = frame.to_ndarray(format="rgb24")
    image = shrink(image, short_side) if short_side else image
    if is_hdr(frame):
        image = tone_map(image, frame.color_trc)
    width, height = make_square_size(image.shape[1], image.shape[0], pixel_shape)
    if (height, width) != image.shape[:2]:
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(np.rot90(image, quarter_turns_from_frame(frame)))


def make_square_size(width: int, height: int, pixel_shape: float) -> tuple[int, int]:
    """Width and height of a picture in square pixels, as players show it: the height stays."""
    return max(1, round(width * pixel_shape)), height


def read_pixel_shape(stream: "av.VideoStream") -> float:
    """Width / height of a stored pixel; 1 where nothing is said, or what cannot be."""
    shape = float(stream.sample_aspect_ratio or 1)
    return shape if 1 / MAX_PIXEL_SHAPE <= shape <= MAX_PIXEL_SHAPE else 1.0


def is_hdr(frame: "av.VideoFrame") -> bool:
    return frame.color_trc in (PQ, HLG)


def has_alpha(frame: "av.VideoFrame") -> bool:
    return any(component.is_alpha for component in frame.format.components)


def quarter_turns_from_frame(frame: "av.VideoFrame") -> int:
    """Counter-clockwise, as the display matrix says."""
    return round(frame.rotation / 90) % 4


def shrink(image: np.ndarray, short_side: int) -> np.ndarray:
    """The means of square blocks, as large as leave at least `short_side` pixels, and larger where the long side has
    more than MAX_SIDE; a whole factor is quick."""
    short, long = sorted(image.shape[:2])
    factor = max(short // short_side, min(math.ceil(long / MAX_SIDE), short), 1)
    if factor == 1:
        return image
    return cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)


def _blend_with_black(image: np.ndarray) -> np.ndarray:
    """(H, W, 4) to (H, W, 3), as players do that have no page behind the picture."""
    alpha = image[..., 3:].astype(np.uint16)  # (H, W, 1)
    return ((image[..., :3] * alpha + 127) // 255).astype(np.uint8)
