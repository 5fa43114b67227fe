"""Queries scored against the frames of a video, which are embedded block by block: a long one takes no more memory."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import TypeVar
from weakref import ref

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grounding.encoders.queries import QueryTokens
from grounding.encoders.registry import QueryEncoder
from grounding.features.encoded_video import BLOCK, EncodedVideo
from grounding.model import FrameTower, Grounder
from grounding.segments.scene_joins import JoinDetector

Result = TypeVar("Result")

FRAMES_MEGABYTES = 64.0  # of 1e6 bytes: width 384 at two frames a second is six hours


@dataclass(frozen=True)
class Match:
    """What Q queries score in a video of T frames.

    Attributes:
        scores: (Q, T) matching scores in [0, 1], on the CPU.
        queries: as the query encoder read them.
        queries_by: the name of that encoder.
        background: (Q, N) matching scores at frames of other videos, on the CPU; None where none are known.
        joins: what tells where scenes meet in the video; None where the checkpoint has nothing of its own for it.
    """

    scores: Tensor
    queries: QueryTokens
    queries_by: str
    background: Tensor | None = None
    joins: JoinDetector | None = None


class Matcher:
    """Scores queries on a device; on the CPU from when that has no memory left.

    Args:
        grounder: the trained model.
        device: where it is wanted.
        load_query_encoder: the query encoder for a device; called at the first query.
        unit: whether frame features are brought to unit length first.
        background: (N, D) frames of other videos, of unit length, to score queries at, too.
        joins: what tells where scenes meet, for whoever reads segments off the scores.

    Attributes:
        device: where it is now.
        note: what had to be done for lack of memory; "" where nothing had to.
        loading: held while an encoder loads, so that threads that share this one load it once.
    """

    def __init__(
        self,
        grounder: Grounder,
        device: torch.device,
        load_query_encoder: Callable[[torch.device], QueryEncoder],
        unit: bool = False,
        background: Tensor | None = None,
        joins: JoinDetector | None = None,
    ) -> None:
        self._background, self.joins = background, joins
        self.grounder, self.device, self.note = grounder.to(device).eval(), device, ""
        self.loading = RLock()
        self._load, self._unit = load_query_encoder, unit
        self._query_encoder: QueryEncoder | None = None
        self._recent, self._pictures = RecentFrames(), RecentFrames()
        self._last_read: tuple[tuple, QueryTokens | None] = ((), None)  # replaced as one, as the frames are

    @property
    def query_encoder(self) -> QueryEncoder:
        """Loaded at first use; raises EncoderError. None that is set is one to be loaded."""
        with self.loading:
            if self._query_encoder is None:
                self._query_encoder = self._load(self.device)
            return self._query_encoder

    @query_encoder.setter
    def query_encoder(self, encoder: QueryEncoder | None) -> None:
        self._query_encoder = encoder

    def change_reader(self, center: Tensor) -> None:
        """Queries of a joint space are read from now on by another encoder than in training: they go past the adapter,
        and their own `center` (D,) is taken off them. The grounder that was given stays as it is."""
        self.grounder = copy.deepcopy(self.grounder)
        self.grounder.query_tower.adapter = nn.Identity()
        self.grounder.query_tower.center.copy_(center)

    @torch.inference_mode()
    def embed_video(self, video: EncodedVideo) -> Tensor:
        """(T, D) frames of unit length, on the device, kept for the next query in the same video."""
        tower = self.grounder.frame_tower
        return self._recent.get(video, lambda: embed_frames(tower, video.features, self.device, self._unit))  # (T, D)

    def embed_pictures(self, video: EncodedVideo) -> Tensor:
        """(T, D) of unit length, each frame seen alone, on the CPU, kept as those of `embed_video` are."""
        return self._pictures.get(video, lambda: self._or_on_cpu(lambda: self._embed_pictures(video)))  # (T, D)

    def match(self, video: EncodedVideo, queries: Sequence[str]) -> Match:
        """Scores every query at every frame. Raises EncoderError."""
        return self._or_on_cpu(lambda: self._match_on_device(video, queries))

    def embed_queries(self, queries: Sequence[str]) -> Tensor:
        """(Q, D) of unit length, on the CPU. Raises EncoderError."""
        return self._or_on_cpu(lambda: self._embed_on_device(queries)[-1].cpu())

    @torch.inference_mode()
    def _embed_pictures(self, video: EncodedVideo) -> Tensor:
        return embed_pictures(self.grounder.frame_tower, video.features, self.device, self._unit).cpu()  # (T, D)

    def _or_on_cpu(self, work: Callable[[], Result]) -> Result:
        try:
            return work()
        except torch.OutOfMemoryError:
            if self.device.type == "cpu":
                raise
        self._move_to_cpu()  # not where the error is caught: until it is forgotten it holds on to the memory
        return work()

    @torch.inference_mode()
    def _embed_on_device(self, queries: Sequence[str]) -> tuple[QueryEncoder, QueryTokens, Tensor]:
        encoder = self.query_encoder  # first: loading it may change the grounder
        read = self._read(encoder, tuple(queries))
        return encoder, read, self.grounder.query_tower(read.tokens.to(self.device), read.mask.to(self.device))

    @torch.inference_mode()
    def _match_on_device(self, video: EncodedVideo, queries: Sequence[str]) -> Match:
        encoder, read, embedded = self._embed_on_device(queries)  # embedded: (Q, D)
        frames = self.embed_video(video)  # (T, D)
        scores = self.grounder.logits(embedded, frames).sigmoid()  # (Q, T)
        elsewhere = None
        if self._background is not None:
            elsewhere = self.grounder.logits(embedded, self._background.to(self.device)).sigmoid().cpu()  # (Q, N)
        return Match(scores.cpu(), read, encoder.name, elsewhere, self.joins)

    def _read(self, encoder: QueryEncoder, queries: tuple[str, ...]) -> QueryTokens:
        """The tokens, kept for the next video in which the same is asked."""
        last, read = self._last_read
        if last != (encoder, queries):
            read = encoder.encode(queries)
            self._last_read = ((encoder, queries), read)
        return read

    def _move_to_cpu(self) -> None:
        self.device, self.note = torch.device("cpu"), "the GPU has no memory left: queries matched on the CPU"
        self.grounder.to(self.device)
        self._recent, self._pictures, self._query_encoder = RecentFrames(), RecentFrames(), None


def embed_frames(tower: FrameTower, features: np.ndarray, device: torch.device, unit: bool = False) -> Tensor:
    """What the tower gives for all frames at once.

    Args:
        tower: on `device`.
        features: (T, Dv), of any float type; they become float32 block by block.
        unit: whether features are brought to unit length first.

    Returns:
        (T, D) float32 of unit length, on `device`.
    """
    frames = torch.empty(len(features), tower.width, device=device)  # (T, D)
    for first in range(0, len(features), BLOCK):
        frames[first : first + BLOCK] = _embed_block(tower, features, first, device, unit)  # (N, D)
    return frames


def embed_pictures(tower: FrameTower, features: np.ndarray, device: torch.device, unit: bool = False) -> Tensor:
    """As `embed_frames`, each frame without those beside it: (T, D)."""
    starts = range(0, len(features), BLOCK)
    return torch.cat([tower.embed_pictures(_load_rows(features[i : i + BLOCK], device, unit)) for i in starts])


def _load_rows(features: np.ndarray, device: torch.device, unit: bool) -> Tensor:
    rows = torch.from_numpy(features).to(device, torch.float32)  # (N, Dv)
    return F.normalize(rows, dim=-1) if unit else rows  # (N, Dv)


def _embed_block(tower: FrameTower, features: np.ndarray, first: int, device: torch.device, unit: bool) -> Tensor:
    """Frames from `first` on, up to BLOCK, with as many before and after them as they see: (N, D)."""
    begin = max(first - tower.reach, 0)
    rows = _load_rows(features[begin : first + BLOCK + tower.reach], device, unit)  # (M, Dv)
    mask = torch.ones(1, len(rows), dtype=torch.bool, device=device)  # (1, M)
    return tower(rows.unsqueeze(0), mask)[0, first - begin :][:BLOCK]  # (N, D)


class RecentFrames:
    """The frames of the videos that were asked last, for the next query in them; they go with the video.

    Args:
        megabytes: of 1e6 bytes, how much they may take up together; the last video's may always be kept.
    """

    def __init__(self, megabytes: float = FRAMES_MEGABYTES) -> None:
        self._room, self._lock = megabytes * 1e6, RLock()  # a video may go while the lock is held
        self._held: OrderedDict[int, tuple[Callable[[], EncodedVideo | None], Tensor]] = OrderedDict()

    def get(self, video: EncodedVideo, embed: Callable[[], Tensor]) -> Tensor:
        """(T, D), what `embed` gives for this video; called only where they are not kept."""
        key = id(video)
        with self._lock:
            kept, frames = self._held.get(key, (lambda: None, None))
            if kept() is video:
                self._held.move_to_end(key)
                return frames
        frames = embed()  # (T, D)
        with self._lock:
            self._held[key] = (ref(video, lambda gone: self._forget(key, gone)), frames)
            self._held.move_to_end(key)
            while len(self._held) > 1 and sum(one.nbytes for _, one in list(self._held.values())) > self._room:
                self._held.popitem(last=False)
        return frames

    def _forget(self, key: int, gone: Callable[[], EncodedVideo | None]) -> None:
        with self._lock:
            if key in self._held and self._held[key][0] is gone:
                del self._held[key]


def measure_cosines(features: np.ndarray, text: Tensor) -> np.ndarray:
    """(T,) cosines of `features` (T, D) with `text` (D,)."""
    return F.cosine_similarity(torch.from_numpy(features).float(), text.unsqueeze(0)).numpy().astype(np.float64)


def stretch(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """`values` (T,) moved and scaled so that the least becomes `low` and the greatest `high`; equal ones `low`."""
    return low + (values - values.min()) * ((high - low) / max(np.ptp(values), 1e-12))
