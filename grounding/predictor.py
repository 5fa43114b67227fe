"""Encode a video once, ground any number of queries in it.

predictor = Predictor.from_checkpoint("embedded")
video = predictor.encode_video("clip.mp4")
answer = predictor.ground(video, "a dog catches a frisbee")
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import torch

from grounding.answer import Answer, build_answer, measure_segment_similarities
from grounding.checkpoint import (
    CheckpointConfig,
    Extras,
    check_features,
    find_checkpoint,
    load_extras,
    load_grounder,
    read_config,
)
from grounding.encoders.devices import resolve_device
from grounding.encoders.oom_fallback import FallbackFrameEncoder
from grounding.encoders.registry import FrameEncoder, QueryEncoder, load_frame_encoder, load_query_encoder
from grounding.encoders.stand_in import StandIn, load_stand_in, measure_center
from grounding.errors import QueryError
from grounding.features.cache_key import KeyMaker
from grounding.features.disk_cache import FeatureCache
from grounding.features.encoded_video import EncodedVideo
from grounding.features.key_frames import KeyFrames, See, encode_key_frames, ignore
from grounding.features.streaming import Progress, StreamingEncoder, encode_frames
from grounding.features.video_store import VideoStore
from grounding.files import hash_file
from grounding.isolation.worker_pool import Check, get_pool
from grounding.model import Grounder
from grounding.scoring import Matcher, measure_cosines, stretch
from grounding.text import describe_type
from grounding.validation import check_query, check_top_k
from grounding.video.container import check_path


class Predictor:
    """A checkpoint with the encoders it names. Encoders load at their first use.

    Args:
        config: of the checkpoint.
        grounder: its trained model.
        device: "auto", "cpu", "cuda", ...
        weights: a local file with both towers' weights, for open_clip encoders.
        cache: keeps encoded videos on disk, or the folder where one does; None keeps none.
        stand_in: reads queries where the weights of CLIP's text tower are not at hand; None for no such checkpoint.
        extras: what else a checkpoint may hold.
    """

    def __init__(
        self,
        config: CheckpointConfig,
        grounder: Grounder,
        device: str = "auto",
        weights: str | Path | None = None,
        cache: FeatureCache | str | Path | None = None,
        stand_in: StandIn | None = None,
        extras: Extras | None = None,
    ) -> None:
        self.config, self.weights, wanted = config, weights, resolve_device(device)

        def load_queries(device: torch.device) -> QueryEncoder:
            given = weights if config.query_encoder == config.frame_encoder else None  # one file holds both towers
            encoder = load_query_encoder(config.query_encoder, str(device), given, stand_in)
            if stand_in and encoder.name not in ("stand-in", config.trained_by):
                self.matcher.change_reader(measure_center(encoder))
            return encoder

        unit = config.frame_encoder.startswith("open_clip:")  # ours have unit length, stored ones may not
        self.matcher = Matcher(grounder, wanted, load_queries, unit, *(extras or Extras()))
        self._frame_encoder: FrameEncoder | None = None
        keys = KeyMaker(
            config.frame_encoder, config.rate, config.model.frame_width, wanted, weights, lambda: self.frame_encoder
        )
        self.store = VideoStore(cache, keys, lambda: self._frame_encoder)

    @classmethod
    def from_checkpoint(
        cls,
        name_or_folder: str | Path,
        device: str = "auto",
        weights: str | Path | None = None,
        cache: FeatureCache | str | Path | None = None,
    ) -> "Predictor":
        """Loads a checkpoint by its name under checkpoints/ or by its folder. Raises CheckpointError."""
        folder = find_checkpoint(name_or_folder)
        config = read_config(folder)
        stand_in = load_stand_in(folder, config.model.query_width, config.stand_in) if config.stand_in else None
        return cls(config, load_grounder(folder, config), device, weights, cache, stand_in, load_extras(folder, config))

    @property
    def grounder(self) -> Grounder:
        """The trained model, on `device`."""
        return self.matcher.grounder

    @property
    def device(self) -> torch.device:
        """Where queries are scored."""
        return self.matcher.device

    @property
    def note(self) -> str:
        """What was done for lack of memory, "" where nothing had to; see FallbackFrameEncoder and Matcher."""
        return "; ".join(filter(None, (getattr(self._frame_encoder, "note", ""), self.matcher.note)))

    @property
    def query_encoder(self) -> QueryEncoder:
        """Loaded at first use; raises EncoderError."""
        return self.matcher.query_encoder

    @query_encoder.setter
    def query_encoder(self, encoder: QueryEncoder) -> None:
        self.matcher.query_encoder = encoder

    @property
    def loaded_frame_encoder(self) -> FrameEncoder | None:
        """The frame encoder, None where none was needed yet."""
        return self._frame_encoder

    @property
    def frame_encoder(self) -> FrameEncoder:
        """Loaded at first use; raises EncoderError."""
        with self.matcher.loading:
            if self._frame_encoder is None:
                encoder = self._load_frame_encoder()
                # The weights are at hand now, so CLIP's text tower takes the place of the stand-in. Weights that a user
                # gives may be other ones than the checkpoint's: that is found out before a long video is encoded.
                if self.config.query_encoder.startswith("open_clip:"):
                    self.matcher.query_encoder = None
                    with suppress(torch.OutOfMemoryError):  # the matcher knows what to do when a query comes
                        _ = self.weights is None or self.query_encoder
                self._frame_encoder = encoder
            return self._frame_encoder

    @frame_encoder.setter
    def frame_encoder(self, encoder: FrameEncoder) -> None:
        self._frame_encoder = encoder

    def _load_frame_encoder(self) -> FrameEncoder:
        load = partial(load_frame_encoder, self.config.frame_encoder, weights=self.weights)
        return load("cpu") if self.device.type == "cpu" else FallbackFrameEncoder(load, str(self.device))

    def encode_video(
        self,
        path: str | Path,
        progress: Progress | None = None,
        show_rough: Callable[[KeyFrames | None], None] | None = None,
    ) -> EncodedVideo:
        """Decodes a video and encodes its sampled frames, unless the cache has the same file.

        Args:
            path: any file that OpenCV or PyAV decodes.
            progress: called with a fraction in [0, 1] and a message.
            show_rough: called with a new video's encoded key frames before the rest; None where they tell nothing.

        Raises:
            VideoError: the file cannot be read as a video.
            EncoderError: the encoder's weights are missing, damaged, or not the checkpoint's.
        """
        path = check_path(path)
        key = self.store.cache and self.store.make_key(hash_file(path))
        video = self.store.get(key)
        if video is None:
            get_pool().warm_up()  # while the encoder loads, which takes seconds
            key_frames = self.encode_key_frames(path) if show_rough else None
            if show_rough:
                show_rough(key_frames)
            video = encode_frames(path, self.frame_encoder, self.config.rate, progress, key_frames)
            self.store.put(key, path, video)
        elif progress:
            progress(1.0, "Encoded before")
        return video

    def encode_key_frames(self, path: str | Path, check: Check | None = None, see: See = ignore) -> KeyFrames | None:
        """A rough look at all of a video: ground its `video()`. None where it would tell nothing: in a short video, or
        one of few key frames. `check` as in `grow_video`; `see` gets the frames."""
        path = check_path(path)
        get_pool().warm_up()
        return encode_key_frames(path, self.frame_encoder, self.config.rate, check, see)

    def grow_video(
        self, path: str | Path, check: Check | None = None, key_frames: KeyFrames | None = None, query: str = ""
    ) -> StreamingEncoder:
        """As `encode_video`, but chunk by chunk: iterate over it, and ground what there is of it in between.

        Args:
            path: any file that OpenCV or PyAV decodes.
            check: called while the decoder is waited for; what it raises ends the work at once.
            key_frames: of the same file; they stand for what is not yet encoded.
            query: what fits it best, as far as key frames tell, is encoded first, where the file allows that.
        """
        path = check_path(path)
        get_pool().warm_up()
        first = key_frames.choose_first(partial(self.score_frames, query=query)) if key_frames and query else None
        return StreamingEncoder(path, self.frame_encoder, self.config.rate, check, key_frames, first)

    def ground(self, video: EncodedVideo, query: str, top_k: int = 5) -> Answer:
        """Grounds one query; see `ground_many`."""
        return self.ground_many(video, [query], top_k)[0]

    def ground_many(self, video: EncodedVideo, queries: Sequence[str], top_k: int = 5) -> list[Answer]:
        """Grounds queries in an encoded video, all in one batch.

        Args:
            video: from `encode_video`, or built from stored features.
            queries: sentences of up to 1,000 characters.
            top_k: how many segments at most.

        Raises:
            QueryError: a query is blank or too long, or `top_k` is no whole number from 1 on.
            CheckpointError: the features come from another encoder, or have another width, than the checkpoint's.
        """
        check_features(self.config, video)
        if isinstance(queries, str) or not isinstance(queries, Iterable):
            raise QueryError(f"ground_many takes a list of queries, not {describe_type(queries)}: see ground for one.")
        queries, top_k = [check_query(query) for query in queries], check_top_k(top_k)
        match, pictures = self.matcher.match(video, queries), self.matcher.embed_pictures(video)
        return [build_answer(self.config, video, one, match, row, top_k, pictures) for row, one in enumerate(queries)]

    def score_frames(self, video: EncodedVideo, query: str) -> np.ndarray:
        """(T,) matching scores alone, for a video that is still growing. Raises as `ground_many` does."""
        check_features(self.config, video)
        return self.matcher.match(video, [check_query(query)]).scores[0].numpy()

    def measure_similarities(self, video: EncodedVideo, answer: Answer) -> list[np.ndarray]:
        """For each segment of an answer, how much each frame looks like it: (T,) cosines, as in hard_negatives."""
        check_features(self.config, video)
        return measure_segment_similarities(self.matcher.embed_pictures(video), answer)

    def measure_clip_similarity(self, video: EncodedVideo, answer: Answer) -> np.ndarray | None:
        """What CLIP itself says of an answer's query, untrained, to be drawn beside the scores.

        Returns:
            (T,) cosines of the frame features with the query's text embedding, stretched so that they span what the
            answer's scores span, in [0, 1]; None where something else than CLIP's text tower reads the queries.
        """
        check_features(self.config, video)
        if not self.config.query_encoder.startswith("open_clip:") or self.query_encoder.name == "stand-in":
            return None
        text = self.query_encoder.encode([answer.query]).tokens[0, 0]  # (D,)
        return stretch(measure_cosines(video.features, text), answer.scores.min(), answer.scores.max())
