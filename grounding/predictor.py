"""Encode a video once, ground any number of queries in it.

predictor = Predictor.from_checkpoint("embedded")
video = predictor.encode_video("clip.mp4")
answer = predictor.ground(video, "a dog catches a frisbee")
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from grounding.answer import Answer, build_answer
from grounding.checkpoint import CheckpointConfig, check_features, find_checkpoint, load_grounder, read_config
from grounding.encoders.devices import resolve_device
from grounding.encoders.oom_fallback import ThriftyEncoder
from grounding.encoders.queries import check_query
from grounding.encoders.registry import FrameEncoder, QueryEncoder, load_frame_encoder, load_query_encoder
from grounding.errors import QueryError
from grounding.features.cache_key import Key, KeyMaker
from grounding.features.disk_cache import FeatureCache
from grounding.features.encoded_video import EncodedVideo
from grounding.features.streaming import Progress, StreamingEncoder, encode_frames
from grounding.files import hash_file
from grounding.isolation.worker_pool import get_pool
from grounding.model import Grounder
from grounding.scoring import LastFrames, embed
from grounding.segments.hard_negatives import measure_moment_similarity
from grounding.video.container import check_file


class Predictor:
    """A checkpoint with the encoders it names. Encoders load at their first use.

    Args:
        config: of the checkpoint.
        grounder: its trained model.
        device: "auto", "cpu", "cuda", ...
        weights: a local file with the frame encoder's weights, for open_clip encoders.
        cache: where encoded videos are kept on disk; None keeps none.
    """

    def __init__(
        self,
        config: CheckpointConfig,
        grounder: Grounder,
        device: str = "auto",
        weights: str | Path | None = None,
        cache: FeatureCache | None = None,
    ) -> None:
        self.config = config
        self.device = self._wanted = resolve_device(device)
        self.grounder = grounder.to(self.device).eval()
        self._last = LastFrames()
        self.weights, self.cache = weights, cache
        self._note = ""

    @classmethod
    def from_checkpoint(
        cls,
        name_or_folder: str | Path,
        device: str = "auto",
        weights: str | Path | None = None,
        cache: FeatureCache | None = None,
    ) -> "Predictor":
        """Loads a checkpoint by its name under checkpoints/ or by its folder. Raises CheckpointError."""
        folder = find_checkpoint(name_or_folder)
        config = read_config(folder)
        return cls(config, load_grounder(folder, config), device, weights, cache)

    @cached_property
    def frame_encoder(self) -> FrameEncoder:
        """Loaded at first use; raises EncoderError."""

        def load(device: str) -> FrameEncoder:
            return load_frame_encoder(self.config.frame_encoder, device, self.weights)

        return load("cpu") if self.device.type == "cpu" else ThriftyEncoder(load, str(self.device))

    @property
    def note(self) -> str:
        """What was done for lack of memory, "" where nothing had to; see ThriftyEncoder."""
        notes = (getattr(vars(self).get("frame_encoder"), "note", ""), self._note)
        return "; ".join(filter(None, notes))

    @cached_property
    def query_encoder(self) -> QueryEncoder:
        """Loaded at first use; raises EncoderError."""
        return load_query_encoder(self.config.query_encoder, str(self.device))

    def encode_video(self, path: str | Path, progress: Progress | None = None) -> EncodedVideo:
        """Decodes a video and encodes its sampled frames, unless the cache has the same file.

        Args:
            path: any file that OpenCV or PyAV decodes.
            progress: called with a fraction in [0, 1] and a message.

        Raises:
            VideoError: the file cannot be read as a video.
            EncoderError: the encoder's weights are missing or damaged.
        """
        check_file(Path(path))
        key = self.cache and self.key(hash_file(path))
        video = self.kept(key)
        if video is None:
            self._expect(path)
            video = encode_frames(path, self.frame_encoder, self.config.rate, progress)
            self.keep(key, path, video)
        elif progress:
            progress(1.0, "Encoded before")
        return video

    def grow_video(self, path: str | Path) -> StreamingEncoder:
        """As `encode_video`, but chunk by chunk: iterate over it, and ground what there is of it in between."""
        self._expect(path)
        return StreamingEncoder(path, self.frame_encoder, self.config.rate)

    def _expect(self, path: str | Path) -> None:
        """What comes before the encoder loads, which takes seconds."""
        check_file(Path(path))
        get_pool().warm_up()

    def key(self, content: str) -> Key:
        """Under which the features of a file are kept, by its hash: the same whatever memory runs out.

        Raises EncoderError.
        """
        return self._keys.make(content)

    def kept(self, key: Key | None) -> EncodedVideo | None:
        """What the cache has, None without one."""
        return self.cache.get(key) if self.cache else None

    def keep(self, key: Key | None, path: str | Path, video: EncodedVideo) -> None:
        """Puts an encoded file into the cache, unless it was written to or has left meanwhile, or the key's device had
        no memory left and another one encoded it."""
        device = torch.device(getattr(vars(self).get("frame_encoder"), "device", "cpu"))
        if self.cache and device.type == self._wanted.type:
            self.cache.put_file(key, path, video)

    @cached_property
    def _keys(self) -> KeyMaker:
        encoder, rate, width = self.config.frame_encoder, self.config.rate, self.config.model.frame_width
        return KeyMaker(encoder, rate, width, self._wanted, self.weights, lambda: self.frame_encoder)

    def ground(self, video: EncodedVideo, query: str, top_k: int = 5) -> Answer:
        """Grounds one query; see `ground_many`."""
        return self.ground_many(video, [query], top_k)[0]

    @torch.inference_mode()
    def ground_many(self, video: EncodedVideo, queries: Sequence[str], top_k: int = 5) -> list[Answer]:
        """Grounds queries in an encoded video, all in one batch.

        Args:
            video: from `encode_video`, or built from stored features.
            queries: sentences of up to 1,000 characters.
            top_k: how many segments at most.

        Raises:
            QueryError: a query is blank or too long, or `top_k` is below 1.
            CheckpointError: the features come from another encoder, or have another width, than the checkpoint's.
        """
        check_features(self.config, video)
        queries = [check_query(query) for query in queries]
        if top_k < 1:
            raise QueryError(f"top_k is {top_k}: ask for at least one segment.")
        frames, curves = self._match(video, queries)
        return [
            build_answer(self.config, video, query, row, frames, top_k)
            for query, row in zip(queries, curves, strict=True)
        ]

    @torch.inference_mode()
    def scores(self, video: EncodedVideo, query: str) -> np.ndarray:
        """(T,) matching scores alone, for a video that is still growing. Raises as `ground_many` does."""
        check_features(self.config, video)
        return self._match(video, [check_query(query)])[1][0].numpy()

    @torch.inference_mode()
    def similarities(self, video: EncodedVideo, answer: Answer) -> list[np.ndarray]:
        """For each segment of an answer, how much each frame looks like it: (T,) cosines, as in hard_negatives."""
        check_features(self.config, video)
        frames = self._frames(video).cpu()  # (T, D)
        times, scores = torch.from_numpy(video.timestamps), torch.from_numpy(answer.scores).float()  # (T,) each
        bounds = [(segment.start, segment.end) for segment in answer.segments]
        return [measure_moment_similarity(frames, times, scores, span).numpy() for span in bounds]

    def _frames(self, video: EncodedVideo) -> torch.Tensor:
        """(T, D), kept for the next query in the same video."""
        return self._last.of(video, lambda: self._embed(video))

    def _embed(self, video: EncodedVideo) -> torch.Tensor:
        unit = self.config.frame_encoder.startswith("open_clip:")  # ours have unit length, stored ones may not
        return embed(self.grounder.frame_tower, video.features, self.device, unit)  # (T, D)

    def _match(self, video: EncodedVideo, queries: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        try:
            return self._match_there(video, queries)
        except torch.OutOfMemoryError:
            if self.device.type == "cpu":
                raise
        self._to_cpu()  # not where the error is caught: until it is forgotten it holds on to the memory
        return self._match_there(video, queries)

    def _to_cpu(self) -> None:
        self.device, self._note = torch.device("cpu"), "the GPU has no memory left: queries matched on the CPU"
        self.grounder.to(self.device)
        self._last = LastFrames()
        vars(self).pop("query_encoder", None)

    def _match_there(self, video: EncodedVideo, queries: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.query_encoder.encode(queries)
        frames = self._frames(video)  # (T, D)
        embedded = self.grounder.query_tower(tokens.tokens.to(self.device), tokens.mask.to(self.device))  # (Q, D)
        curves = self.grounder.logits(embedded, frames).sigmoid()  # (Q, T)
        return frames.cpu(), curves.cpu()  # (T, D), (Q, T)
