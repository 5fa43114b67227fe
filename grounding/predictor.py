"""Encode a video once, ground any number of queries in it.

predictor = Predictor.from_checkpoint("embedded")
video = predictor.encode_video("clip.mp4")
answer = predictor.ground(video, "a dog catches a frisbee")
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grounding.checkpoint import CheckpointConfig, find_checkpoint, load_grounder, read_config
from grounding.children import children
from grounding.encoded import EncodedVideo
from grounding.encoders import FrameEncoder, QueryEncoder, load_frame_encoder, load_query_encoder, resolve_device
from grounding.errors import CheckpointError, QueryError
from grounding.growing import Growing, Progress, encode_frames
from grounding.hard_negatives import HardNegative, inspect_segment, similarity_to_moment
from grounding.model import Grounder
from grounding.segments import Segment, find_segments
from grounding.video import check_file

MAX_QUERY = 1000  # characters; the query encoder reads the first 256 word pieces


@dataclass(frozen=True)
class Answer:
    """Where a query happens in a video.

    Attributes:
        query: the sentence.
        duration: of the video, seconds.
        checkpoint: name of the checkpoint that answered.
        timestamps: (T,) seconds.
        scores: (T,) matching scores in [0, 1].
        segments: best first.
        hard_negatives: boundary frames of the segments, segment by segment, the hardest first.
        skipped: spans (start, end) in seconds of which no frame could be decoded.
    """

    query: str
    duration: float
    checkpoint: str
    timestamps: np.ndarray
    scores: np.ndarray
    segments: list[Segment]
    hard_negatives: list[HardNegative]
    skipped: tuple[tuple[float, float], ...] = ()

    def to_dict(self, video: str = "") -> dict[str, Any]:
        """JSON-ready; `video` is the name to report. Only a video that was skipped in part has the key `skipped`."""
        skipped = {"skipped": [list(span) for span in self.skipped]} if self.skipped else {}
        return {
            "video": video,
            "query": self.query,
            "duration": self.duration,
            "checkpoint": self.checkpoint,
            "segments": [asdict(segment) for segment in self.segments],
            "timestamps": self.timestamps.tolist(),
            "scores": self.scores.tolist(),
            "hard_negatives": [asdict(frame) for frame in self.hard_negatives],
            **skipped,
        }


class Predictor:
    """A checkpoint with the encoders it names. Encoders load at their first use.

    Args:
        config: of the checkpoint.
        grounder: its trained model.
        device: "auto", "cpu", "cuda", ...
        weights: a local file with the frame encoder's weights, for open_clip encoders.
    """

    def __init__(
        self, config: CheckpointConfig, grounder: Grounder, device: str = "auto", weights: str | Path | None = None
    ) -> None:
        self.config = config
        self.device = resolve_device(device)
        self.grounder = grounder.to(self.device).eval()
        self.weights = weights

    @classmethod
    def from_checkpoint(
        cls, name_or_folder: str | Path, device: str = "auto", weights: str | Path | None = None
    ) -> "Predictor":
        """Loads a checkpoint by its name under checkpoints/ or by its folder. Raises CheckpointError."""
        folder = find_checkpoint(name_or_folder)
        config = read_config(folder)
        return cls(config, load_grounder(folder, config), device, weights)

    @cached_property
    def frame_encoder(self) -> FrameEncoder:
        """Loaded at first use; raises EncoderError."""
        return load_frame_encoder(self.config.frame_encoder, str(self.device), self.weights)

    @cached_property
    def query_encoder(self) -> QueryEncoder:
        """Loaded at first use; raises EncoderError."""
        return load_query_encoder(self.config.query_encoder, str(self.device))

    def encode_video(self, path: str | Path, progress: Progress | None = None) -> EncodedVideo:
        """Decodes a video and encodes its sampled frames.

        Args:
            path: any file that OpenCV or PyAV decodes.
            progress: called with a fraction in [0, 1] and a message.

        Raises:
            VideoError: the file cannot be read as a video.
            EncoderError: the encoder's weights are missing or damaged.
        """
        self._expect(path)
        return encode_frames(path, self.frame_encoder, self.config.rate, progress)

    def grow_video(self, path: str | Path) -> Growing:
        """As `encode_video`, but chunk by chunk: iterate over it, and ground what there is of it in between."""
        self._expect(path)
        return Growing(path, self.frame_encoder, self.config.rate)

    def _expect(self, path: str | Path) -> None:
        """What comes before the encoder loads, which takes seconds."""
        check_file(Path(path))
        children().warm()

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
        self._check(video)
        queries = [check_query(query) for query in queries]
        if top_k < 1:
            raise QueryError(f"top_k is {top_k}: ask for at least one segment.")
        frames, curves = self._match(video, queries)
        return [self._answer(video, query, row, frames, top_k) for query, row in zip(queries, curves, strict=True)]

    @torch.inference_mode()
    def scores(self, video: EncodedVideo, query: str) -> np.ndarray:
        """(T,) matching scores alone, for a video that is still growing. Raises as `ground_many` does."""
        self._check(video)
        return self._match(video, [check_query(query)])[1][0].numpy()

    @torch.inference_mode()
    def similarities(self, video: EncodedVideo, answer: Answer) -> list[np.ndarray]:
        """For each segment of an answer, how much each frame looks like it: (T,) cosines, as in hard_negatives."""
        self._check(video)
        frames = self._frames(video).cpu()  # (T, D)
        times, scores = torch.from_numpy(video.timestamps), torch.from_numpy(answer.scores).float()  # (T,) each
        bounds = [(segment.start, segment.end) for segment in answer.segments]
        return [similarity_to_moment(frames, times, scores, span).numpy() for span in bounds]

    def _frames(self, video: EncodedVideo) -> torch.Tensor:
        features = torch.from_numpy(video.features).to(self.device, torch.float32).unsqueeze(0)  # (1, T, Dv)
        if self.config.frame_encoder.startswith(
            "open_clip:"
        ):  # our own have unit length, stored ones of others may not
            features = torch.nn.functional.normalize(features, dim=-1)  # (1, T, Dv)
        mask = torch.ones(features.shape[:2], dtype=torch.bool, device=self.device)  # (1, T)
        return self.grounder.frame_tower(features, mask)[0]  # (T, D)

    def _match(self, video: EncodedVideo, queries: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.query_encoder.encode(queries)
        frames = self._frames(video)  # (T, D)
        embedded = self.grounder.query_tower(tokens.tokens.to(self.device), tokens.mask.to(self.device))  # (Q, D)
        curves = self.grounder.logits(embedded, frames).sigmoid()  # (Q, T)
        return frames.cpu(), curves.cpu()  # (T, D), (Q, T)

    def _answer(
        self, video: EncodedVideo, query: str, scores: torch.Tensor, frames: torch.Tensor, top_k: int
    ) -> Answer:
        curve = scores.numpy().astype(np.float64)  # (T,)
        segments = find_segments(video.timestamps, curve, video.features, video.duration, top_k, self.config.segments)
        times = torch.from_numpy(video.timestamps)  # (T,)
        hard = [
            frame
            for index, segment in enumerate(segments)
            for frame in inspect_segment(frames, times, scores, (segment.start, segment.end), index)
        ]
        name = self.config.name
        return Answer(query, video.duration, name, video.timestamps, curve, segments, hard, video.skipped)

    def _check(self, video: EncodedVideo) -> None:
        if video.encoder != self.config.frame_encoder:
            raise CheckpointError(
                f"The features come from the encoder {video.encoder!r}, but the checkpoint {self.config.name!r} reads "
                f"{self.config.frame_encoder!r}: encode the video with this checkpoint, or choose another one."
            )
        if video.features.shape[1] != self.config.model.frame_width:
            raise CheckpointError(
                f"The features of {video.encoder!r} are {video.features.shape[1]} wide, but the checkpoint "
                f"{self.config.name!r} reads {self.config.frame_encoder!r} features of width "
                f"{self.config.model.frame_width}: encode the video again."
            )


def check_query(query: str) -> str:
    """`query` without outer blanks. Raises QueryError if it is blank or longer than MAX_QUERY characters."""
    if not isinstance(query, str) or not query.strip():
        raise QueryError("The query is empty: describe the moment in a few words, such as 'a dog catches a frisbee'.")
    if len(query) > MAX_QUERY:
        raise QueryError(
            f"The query has {len(query):,} characters and {MAX_QUERY:,} is the most: describe one moment in a sentence."
        )
    try:
        query.encode()
    except UnicodeEncodeError as error:  # half of a character, as programs send that cut a text within one
        raise QueryError("The query holds half a character: type it again.") from error
    return query.strip()
