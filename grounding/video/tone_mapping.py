"""High dynamic range (PQ, HLG) as a standard screen shows it, which is what the encoders were trained on.

Linear light is relative to reference white, 203 cd/m2 (ITU-R BT.2408). Up to KNEE of it light stays as it is; above, it
bends smoothly towards 1, by the brightest of the three colours, so that hues stay. The transfer functions are those of
ITU-R BT.2100, the gamut goes from BT.2020 to BT.709.
"""

from functools import cache

import cv2
import numpy as np

PQ, HLG = 16, 18  # ffmpeg's numbers of the transfer functions SMPTE 2084 and ARIB STD-B67
WHITE = 203.0  # cd/m2
HLG_PEAK = 1000.0  # cd/m2 of the nominal screen
HLG_GAMMA = 1.2  # of that screen
KNEE = 0.6
SCREEN_GAMMA = 2.2
BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)


def tone_map(image: np.ndarray, transfer: int) -> np.ndarray:
    """An image (H, W, 3) of uint16 as it is stored, PQ or HLG in BT.2020, as (H, W, 3) uint8 RGB."""
    light = np.take(_make_linear_table(transfer), image)  # (H, W, 3)
    if transfer == HLG:  # its light is the scene's, and a screen raises the contrast
        luminance = cv2.transform(light, BT2020_LUMINANCE[None])  # (H, W)
        light *= (HLG_PEAK / WHITE * np.maximum(luminance, 1e-6) ** (HLG_GAMMA - 1))[..., None]
    light = np.maximum(cv2.transform(light, BT2020_TO_BT709), 0.0)  # (H, W, 3)
    # Above the knee the brightest of the three bends, and takes the others along.
    brightest = np.maximum(light.max(axis=-1), KNEE)  # (H, W)
    light *= ((KNEE + (1 - KNEE) * (1 - np.exp((KNEE - brightest) / (1 - KNEE)))) / brightest)[..., None]
    return np.take(_make_screen_table(), np.rint(65535 * np.minimum(light, 1.0)).astype(np.uint16))  # (H, W, 3)


@cache
def _make_screen_table() -> np.ndarray:
    """(65536,) uint8: what a screen is given for each level of linear light."""
    return np.rint(255 * np.linspace(0.0, 1.0, 2**16) ** (1 / SCREEN_GAMMA)).astype(np.uint8)


@cache
def _make_linear_table(transfer: int) -> np.ndarray:
    """(65536,) float32: linear light of each stored value; of HLG, that of the scene."""
    value = np.linspace(0.0, 1.0, 2**16)
    if transfer == PQ:
        power = value ** (1 / 78.84375)
        light = (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
        return (light * 10_000 / WHITE).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12).astype(np.float32)
