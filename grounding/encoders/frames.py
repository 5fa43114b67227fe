"""Encoders of frames: the embedded one, and the image towers of open_clip."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from grounding.encoders.classes import load_class_embeddings
from grounding.encoders.devices import CHUNK, chunk_size, inference, tower_dtype
from grounding.encoders.open_clip_models import share_open_clip_model
from grounding.encoders.openvino_runtime import NOTE, compile_for, trace
from grounding.encoders.packaged_weights import load_efficientnet_lite0

FRAME_SIDE = 224  # pixels, the resolution EfficientNet-Lite0 was trained at
CONSE_TEMPERATURE = 2.0
ROWS = 2  # frames that go through a core at once: more take memory and hardly less time


class EmbeddedFrameEncoder:
    """EfficientNet-Lite0 and its ConSE embedding side by side; runs offline, all weights come from packages.

    A feature is the pooled activation (1280, L2-normalised) followed by ConSE (384, L2-normalised): the mean of the
    ImageNet class names' sentence embeddings, weighted by how likely the tower finds each class. That part lies in the
    query encoder's space before any training. Source: Norouzi et al., "Zero-Shot Learning by Convex Combination of
    Semantic Embeddings", ICLR 2014; a softmax at temperature 2 over all classes stands for their top-T sum.
    """

    name = "embedded"
    width = 1280 + 384

    def __init__(self, device: torch.device) -> None:
        self.device, self.dtype, self.batch = device, tower_dtype(device), chunk_size(device)
        tower, classes = load_efficientnet_lite0(), load_class_embeddings(torch.device("cpu"))  # (1000, 384)
        self.compiled = compile_for(
            device, lambda build: build.build_embedded(tower, classes, CONSE_TEMPERATURE), self.dtype, ROWS
        )
        self.note = NOTE if device.type == "cpu" and not self.compiled else ""
        if not self.compiled:
            self.tower = tower.to(device, self.dtype, memory_format=torch.channels_last)
            self.class_embeddings = classes.to(device)

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """See FrameEncoder. Raises ValueError for a frame that is not (H, W, 3) uint8."""
        return _encode(self, frames, prepare_all)

    def encode_in_torch(self, images: np.ndarray) -> Tensor:
        """(B, 224, 224, 3) of bytes to (B, 1664)."""
        images = torch.from_numpy(images).to(self.device)  # (B, 224, 224, 3)
        with torch.inference_mode():
            images = (images.permute(0, 3, 1, 2) / 127.5 - 1).to(self.dtype)  # (B, 3, 224, 224), mean and std 0.5
            pooled, logits = self.tower(images)  # (B, 1280), (B, 1000)
            probabilities = (logits.float() / CONSE_TEMPERATURE).softmax(dim=-1)  # (B, 1000)
        conse = probabilities @ self.class_embeddings  # (B, 384)
        return torch.cat([F.normalize(pooled.float(), dim=-1), F.normalize(conse, dim=-1)], dim=-1).cpu()  # (B, 1664)


def prepare(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) to (224, 224, 3). The whole frame is squeezed in: a moment's action may be at the edge."""
    shrinking = min(frame.shape[:2]) >= FRAME_SIDE
    return cv2.resize(frame, (FRAME_SIDE, FRAME_SIDE), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


def prepare_all(frames: Sequence[np.ndarray]) -> np.ndarray:
    """B frames to (B, 224, 224, 3)."""
    return np.stack([prepare(frame) for frame in frames])  # (B, 224, 224, 3)


class OpenClipFrameEncoder:
    """The image tower of an open_clip model, "open_clip:<model>:<pretrained>"; features are L2-normalised.

    Source: https://github.com/mlfoundations/open_clip; Radford et al., ICML 2021, for the `openai` weights.
    """

    def __init__(self, name: str, device: torch.device, weights: str | Path | None = None) -> None:
        self.name, self.device, self.batch = name, device, chunk_size(device)
        self._shared = share_open_clip_model(name, device, weights)  # with the query encoder of the same weights
        self.width = self._shared.width
        with self._shared.lock:  # nobody drops the image tower while it is traced
            model, self.transform = self._shared.load_both_towers()
            blank = self.transform(Image.new("RGB", (8, 8))).unsqueeze(0)  # (1, 3, S, S)
            self.compiled = compile_for(device, lambda _: trace(ImageTower(model), [blank]), tower_dtype(device), ROWS)
            if self.compiled:
                self._shared.drop_image_tower()
            else:
                self.model = model
        self.note = NOTE if device.type == "cpu" and not self.compiled else ""

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """See FrameEncoder. Raises ValueError for a frame that is not (H, W, 3) uint8."""
        return _encode(self, frames, self._prepare_all)

    def _prepare_all(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([self.transform(Image.fromarray(frame)).numpy() for frame in frames])  # (B, 3, S, S)

    def encode_in_torch(self, images: np.ndarray) -> Tensor:
        """(B, 3, S, S), transformed, to (B, width)."""
        with inference(self.device):
            features = self.model.encode_image(torch.from_numpy(images).to(self.device))  # (B, width)
        return F.normalize(features.float(), dim=-1).cpu()  # (B, width), normalised in float32 on every device


class ImageTower(nn.Module):
    """An open_clip model as a function of its images: unit features (B, width)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self.model.encode_image(images), dim=-1)  # (B, width)


def _encode(
    encoder: EmbeddedFrameEncoder | OpenClipFrameEncoder,
    frames: Sequence[np.ndarray],
    prepare_all: Callable[[Sequence[np.ndarray]], np.ndarray],
) -> Tensor:
    """(B, width), in chunks, which bounds memory."""
    _check_frames(frames)
    chunks = [torch.zeros(0, encoder.width)]
    size = CHUNK if encoder.compiled else chunk_size(encoder.device)
    for start in range(0, len(frames), size):
        chunk = frames[start : start + size]
        if encoder.compiled:
            encoded = torch.from_numpy(encoder.compiled.encode(chunk, lambda piece: [prepare_all(piece)]))
        else:
            encoded = encoder.encode_in_torch(prepare_all(chunk))
        chunks.append(encoded)
    return torch.cat(chunks)  # (B, width)


def _check_frames(frames: Sequence[np.ndarray]) -> None:
    for index, frame in enumerate(frames):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or frame.size == 0:
            raise ValueError(
                f"Frame {index} has shape {frame.shape} and type {frame.dtype}. Give RGB frames (H, W, 3) of uint8."
            )
