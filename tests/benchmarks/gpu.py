"""Frames a second of open_clip towers on a GPU, with random weights: speed does not depend on them."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

MODELS = ("ViT-B-32-quickgelu", "ViT-L-14-quickgelu")
BATCH = 256


def gpu_rows() -> list[tuple[str, float, float, float]]:
    """Of each model: frames a second through our encoder and through the tower alone, and the tower's share of the
    speed at which the same card multiplies large matrices in half precision, in percent."""
    peak = _matrix_product()
    return [_row(model, peak) for model in MODELS]


def _row(model: str, peak: float, device: str = "cuda") -> tuple[str, float, float, float]:
    import open_clip

    from grounding.encoders.registry import load_frame_encoder

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "random.pt"
        torch.save(open_clip.create_model(model).state_dict(), file)
        encoder = load_frame_encoder(f"open_clip:{model}:openai", device, file)
    frames = [np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)] * BATCH
    tower = encoder.model.half()
    images = torch.zeros(BATCH, 3, 224, 224, device=device, dtype=torch.float16)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        tower.encode_image(images[:1])
    with torch.inference_mode():
        alone = BATCH / _seconds(lambda: tower.encode_image(images))
    share = 100 * alone * counter.get_total_flops() / peak
    return f"{model}, {torch.cuda.get_device_name()}", BATCH / _seconds(lambda: encoder.encode(frames)), alone, share


def _matrix_product(size: int = 8192) -> float:
    """Floating point operations a second."""
    one = torch.randn(size, size, device="cuda", dtype=torch.float16)
    return 2 * size**3 / _seconds(lambda: one @ one)


def _seconds(work: Callable[[], object], count: int = 5) -> float:
    """Of one call, after a first one that is not counted."""
    work()
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for _ in range(count):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - begin) / count
