"""Frame encoders and the query encoder, behind two small interfaces. Importing this loads no model."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from grounding.classes import load_class_embeddings
from grounding.errors import EncoderError, QueryError
from grounding.weights import EFFICIENTNET_LITE0, load_efficientnet_lite0, load_minilm, load_open_clip

CHUNK = 32  # frames or queries that go through a tower at once, which bounds memory
CPU_CHUNK = 8  # frames on a CPU, which more at once do not make faster
FRAME_SIDE = 224  # pixels, the resolution EfficientNet-Lite0 was trained at
CONSE_TEMPERATURE = 2.0
MAX_WORD_PIECES = 256  # the length all-MiniLM-L6-v2 was published for


@dataclass(frozen=True)
class QueryTokens:
    """Word pieces of Q queries, [CLS] and [SEP] included, padded with zeros to the longest.

    Attributes:
        tokens: (Q, N, width) float32, the last hidden states.
        mask: (Q, N) bool, True where there is a real word piece.
    """

    tokens: Tensor
    mask: Tensor

    def sentence_embeddings(self) -> Tensor:
        """(Q, width), L2-normalised mean over word pieces, as all-MiniLM-L6-v2 defines a sentence's embedding."""
        weights = self.mask.unsqueeze(-1).to(self.tokens.dtype)  # (Q, N, 1)
        return F.normalize((self.tokens * weights).sum(dim=1), dim=-1)  # (Q, width)


class FrameEncoder(Protocol):
    """Turns frames into features; `name` and `width` let a checkpoint check that they are the ones it knows."""

    name: str
    width: int

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """B frames, each (H, W, 3) uint8 RGB of any size, to (B, width) float32 on the CPU."""
        ...


class QueryEncoder(Protocol):
    """Turns queries into tokens."""

    name: str
    width: int

    def encode(self, queries: Sequence[str]) -> QueryTokens:
        """Q queries to their tokens, on the CPU."""
        ...


def load_frame_encoder(name: str, device: str = "auto", weights: str | Path | None = None) -> FrameEncoder:
    """The frame encoder called `name`.

    Args:
        name: "embedded", or "open_clip:<model>:<pretrained>" such as "open_clip:ViT-B-32-quickgelu:openai".
        device: "auto", or what torch.device takes.
        weights: a local file for open_clip, instead of the hub.

    Raises:
        EncoderError: no such encoder or device, or its weights are missing, damaged or out of reach.
    """
    if name.startswith("open_clip:"):
        return OpenClipFrameEncoder(name, resolve_device(device), weights)
    if name != "embedded":
        raise EncoderError(f"Unknown frame encoder {name!r}. Use 'embedded' or 'open_clip:<model>:<pretrained>'.")
    if weights is not None:
        raise EncoderError(
            f"The encoder 'embedded' reads its weights from {EFFICIENTNET_LITE0.requirement} and takes no weights "
            f"file. Leave out {str(weights)!r}, or choose an open_clip checkpoint for it."
        )
    return EmbeddedFrameEncoder(resolve_device(device))


def load_query_encoder(name: str = "minilm", device: str = "auto") -> QueryEncoder:
    """The query encoder called `name`, of which there is one.

    Raises:
        EncoderError: no such encoder or device, or its packaged weights are missing or damaged.
    """
    if name != "minilm":
        raise EncoderError(f"Unknown query encoder {name!r}. Use 'minilm'.")
    return MiniLMQueryEncoder(resolve_device(device))


def resolve_device(device: str = "auto") -> torch.device:
    """The GPU for "auto", where there is one. Raises EncoderError for a device that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # a torch without CUDA answers with an AssertionError
        raise EncoderError(f"The device {device!r} is not available here. Use 'auto' or 'cpu'.") from error
    return torch.device(device)


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
        self.device = device
        self.dtype = tower_dtype(device)
        self.tower = load_efficientnet_lite0().to(device, self.dtype, memory_format=torch.channels_last)
        self.class_embeddings = load_class_embeddings(device)  # (1000, 384)

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """See FrameEncoder. Raises ValueError for a frame that is not (H, W, 3) uint8."""
        return _encode_in_chunks(frames, self._encode_chunk, self.width, chunk_size(self.device))

    def _encode_chunk(self, frames: Sequence[np.ndarray]) -> Tensor:
        images = torch.from_numpy(np.stack([prepare(frame) for frame in frames])).to(self.device)  # (B, 224, 224, 3)
        with torch.inference_mode():
            images = (images.permute(0, 3, 1, 2) / 127.5 - 1).to(self.dtype)  # (B, 3, 224, 224), mean and std 0.5
            pooled, logits = self.tower(images)  # (B, 1280), (B, 1000)
            probabilities = (logits.float() / CONSE_TEMPERATURE).softmax(dim=-1)  # (B, 1000)
        conse = probabilities @ self.class_embeddings  # (B, 384)
        return torch.cat([F.normalize(pooled.float(), dim=-1), F.normalize(conse, dim=-1)], dim=-1).cpu()  # (B, 1664)


def tower_dtype(device: torch.device) -> torch.dtype:
    """Half precision on a GPU, bfloat16 on a CPU that computes in it (a third of the time), else float32."""
    if device.type == "cuda":
        return torch.float16
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return torch.bfloat16 if device.type == "cpu" and native else torch.float32


def chunk_size(device: torch.device) -> int:
    """Frames that go through a tower at once."""
    return CPU_CHUNK if device.type == "cpu" else CHUNK


def prepare(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) to (224, 224, 3). The whole frame is squeezed in: a moment's action may be at the edge."""
    shrinking = min(frame.shape[:2]) >= FRAME_SIDE
    return cv2.resize(frame, (FRAME_SIDE, FRAME_SIDE), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)


class OpenClipFrameEncoder:
    """The image tower of an open_clip model, "open_clip:<model>:<pretrained>"; features are L2-normalised.

    Source: https://github.com/mlfoundations/open_clip; Radford et al., ICML 2021, for the `openai` weights.
    """

    def __init__(self, name: str, device: torch.device, weights: str | Path | None = None) -> None:
        self.name = name
        self.device = device
        model, self.transform, self.width = load_open_clip(name, weights)
        self.model = model.to(device)

    def encode(self, frames: Sequence[np.ndarray]) -> Tensor:
        """See FrameEncoder. Raises ValueError for a frame that is not (H, W, 3) uint8."""
        return _encode_in_chunks(frames, self._encode_chunk, self.width, chunk_size(self.device))

    def _encode_chunk(self, frames: Sequence[np.ndarray]) -> Tensor:
        images = torch.stack([self.transform(Image.fromarray(frame)) for frame in frames]).to(self.device)
        with _inference(self.device):
            features = self.model.encode_image(images)  # (B, width)
        return F.normalize(features.float(), dim=-1).cpu()  # (B, width), normalised in float32 on every device


class MiniLMQueryEncoder:
    """all-MiniLM-L6-v2 before pooling; runs offline, its weights come from a package.

    Source: Reimers and Gurevych, "Sentence-BERT", EMNLP 2019; Wang et al., "MiniLM", NeurIPS 2020.
    """

    name = "minilm"
    width = 384

    def __init__(self, device: torch.device) -> None:
        self.device = device
        tower, self.tokenizer = load_minilm()
        self.tower = tower.to(device)
        self.tokenizer.enable_truncation(MAX_WORD_PIECES)
        self.tokenizer.enable_padding()

    def encode(self, queries: Sequence[str]) -> QueryTokens:
        """See QueryEncoder. Beyond 256 word pieces a query is cut. Raises QueryError for a query that is not text."""
        _check_queries(queries)
        if not queries:
            return QueryTokens(torch.zeros(0, 0, self.width), torch.zeros(0, 0, dtype=torch.bool))
        rows: dict[int, Tensor] = {}
        by_length = sorted(range(len(queries)), key=lambda index: len(queries[index]))  # little padding in a chunk
        for start in range(0, len(by_length), CHUNK):
            chunk = by_length[start : start + CHUNK]
            rows.update(zip(chunk, self._encode_chunk([queries[index] for index in chunk]), strict=True))
        tokens = pad_sequence([rows[index] for index in range(len(queries))], batch_first=True)  # (Q, N, 384)
        lengths = torch.tensor([len(rows[index]) for index in range(len(queries))])  # (Q,)
        return QueryTokens(tokens, torch.arange(tokens.shape[1]) < lengths.unsqueeze(1))

    def _encode_chunk(self, queries: list[str]) -> list[Tensor]:
        batch = self.tokenizer.encode_batch(queries)
        pieces = torch.tensor([each.ids for each in batch], device=self.device)  # (B, N)
        mask = torch.tensor([each.attention_mask for each in batch], dtype=torch.bool, device=self.device)  # (B, N)
        with _inference(self.device):
            states = self.tower(pieces, mask).float().cpu()  # (B, N, 384)
        return [row[:length] for row, length in zip(states, mask.sum(dim=1).tolist(), strict=True)]


def _check_queries(queries: Sequence[str]) -> None:
    if isinstance(queries, str):
        raise TypeError(f"encode takes a list of queries. Write encode([{queries[:40]!r}]).")
    for query in queries:
        check_text(query)


def check_text(query: str) -> None:
    """Raises QueryError for half a surrogate pair, which comes from a terminal, from JSON or from a text cut short."""
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"The query {ascii(query[:40])} holds bytes that are not text. Type it again.") from error


def _encode_in_chunks(
    frames: Sequence[np.ndarray], encode_chunk: Callable[[Sequence[np.ndarray]], Tensor], width: int, size: int
) -> Tensor:
    _check_frames(frames)
    chunks = [encode_chunk(frames[start : start + size]) for start in range(0, len(frames), size)]
    return torch.cat([torch.zeros(0, width), *chunks])  # (B, width)


def _check_frames(frames: Sequence[np.ndarray]) -> None:
    for index, frame in enumerate(frames):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or frame.size == 0:
            raise ValueError(
                f"Frame {index} has shape {frame.shape} and type {frame.dtype}. Give RGB frames (H, W, 3) of uint8."
            )


@contextmanager
def _inference(device: torch.device) -> Iterator[None]:
    """Half precision on the GPU only: on a CPU it is slower."""
    with torch.inference_mode(), torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
        yield
