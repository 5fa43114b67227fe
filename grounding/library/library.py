"""Many videos, searched together.

library = Library("~/videos-library", Predictor.from_checkpoint("embedded"))
for progress in library.add(["~/videos"]):
    print(progress.done, progress.total, progress.video, progress.problem)
moments = library.search("a dog catches a frisbee", top_k=10)
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from grounding.errors import FeaturesError, VideoError, WriteError
from grounding.exports.cut_list import Moment
from grounding.features.cache_key import Key
from grounding.features.encoded_video import EncodedVideo
from grounding.library.embedding import embed_frames, embed_query
from grounding.library.feature_files import (
    PREPROCESSING,
    describe_source,
    feature_file,
    features_folder,
    is_current,
    read_features,
    write_features,
)
from grounding.library.find_videos import absolute_path, find_videos
from grounding.library.pending_windows import PendingWindows
from grounding.library.ranking import rank_moments
from grounding.library.recent_videos import RecentVideos
from grounding.library.window_index import WindowIndex, count_within, lies_within
from grounding.library.windows import make_windows
from grounding.predictor import Predictor
from grounding.text import describe_skipped
from grounding.validation import check_query, check_top_k
from grounding.video.container import check_file

PER_VIDEO = 20  # windows looked for, for each video whose features are read again for boundaries

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AddProgress:
    """How far `Library.add` is.

    Attributes:
        video: the file it is at.
        done: videos that are done, or were given up.
        total: videos in all.
        fraction: of this video that is encoded, in [0, 1].
        problem: why this video was left out, "" where it was not.
        note: which of its parts could not be read, "" where all could; said once, when it is known.
    """

    video: str
    done: int
    total: int
    fraction: float = 0.0
    problem: str = ""
    note: str = ""


class Library:
    """Videos that were encoded once, and their moments.

    Features stand in the folder as `python -m training.extract --store FOLDER` leaves them, which may have filled it.
    Their windows stand in LanceDB. The videos themselves are read when they are added, and never written to.

    Several processes may add to one library and search it. Each frame encoder and sampling rate has its own features in
    it, each checkpoint its own windows, so no checkpoint meets what another one made.

    Args:
        folder: where the library is, or is made.
        predictor: encodes and grounds.
        index: where LanceDB keeps the windows, if not in the folder. It is opened at its first use, which raises
            GroundingError where LanceDB is not installed or the windows cannot be read.
    """

    def __init__(self, folder: str | Path, predictor: Predictor, index: str | None = None) -> None:
        config, self.predictor = predictor.config, predictor
        self.folder = absolute_path(folder)
        self.features = features_folder(self.folder, config.frame_encoder, config.rate)
        checkpoint = config.weights[:12] or config.name
        self.index = WindowIndex(index or self.features.parent, f"windows-{checkpoint}", config.model.width)
        self._recent = RecentVideos()

    def add(self, paths: Iterable[str | Path]) -> Iterator[AddProgress]:
        """Encodes the videos that the library lacks, or has of an older file; to be iterated over, which does the work.

        Whoever stops iterating keeps what is done so far.

        Args:
            paths: videos, and folders of videos.

        Raises:
            VideoError: there is no video, or no such path. One that cannot be read is told by `problem`.
            EncoderError: the encoder's weights are missing or damaged.
            WriteError: the disk is full.
        """
        videos = find_videos(paths)
        self._make_folder()
        stamps = self.index.read_stamps()
        missing = [video for video in videos if self._stamp(video) != stamps.get(str(video), "")]
        done, pending = len(videos) - len(missing), PendingWindows(self.index, self.lock())
        try:
            for video in missing:
                problem = ""
                try:
                    for fraction, note in self._add_one(video, pending):
                        yield AddProgress(str(video), done, len(videos), fraction, note=note)
                except (VideoError, FeaturesError) as error:
                    problem = str(error)
                except OSError as error:  # it left just now, or its name with a suffix is too long for the disk
                    problem = f"The features of {video.name!r} cannot be kept ({error.strerror}): rename or move it."
                done += 1
                yield AddProgress(str(video), done, len(videos), 1.0, problem)
                pending.flush_in_time()
        finally:
            pending.flush()
        if missing:
            self.index.tidy()

    def _add_one(self, video: Path, pending: PendingWindows) -> Iterator[tuple[float, str]]:
        """Yields how far the video is encoded, and in the end which of its parts could not be. Raises VideoError."""
        check_file(video)
        path, encoded, source = feature_file(self.features, video), None, describe_source(video)
        if is_current(path, video, self._key()):
            with suppress(FeaturesError, FileNotFoundError):  # damaged: encoded again
                encoded = self._read(path)
        if encoded is None:
            stream = self.predictor.grow_video(video)
            for _ in stream:
                yield min(stream.seconds / stream.expected, 0.99), ""
            encoded = stream.video()
            write_features(path, encoded, self._key(), source)
        frames = embed_frames(self.predictor, encoded)  # (T, D)
        windows = make_windows(frames, encoded.timestamps, encoded.duration)
        # What was read, not what is there now: a video that was replaced meanwhile is encoded again.
        pending.put(str(video), windows, f"{source} {self._describe_features(path)}")
        if encoded.skipped:
            yield 0.99, describe_skipped(encoded.skipped, encoded.duration)

    def remove(self, paths: Iterable[str | Path]) -> None:
        """Forgets videos, and all below folders: their windows and features, not the files themselves."""
        given = [absolute_path(path) for path in paths]
        known = self.index.read_stamps()
        gone = [video for video in known if any(Path(video).is_relative_to(path) for path in given)]
        with self.lock():
            self.index.remove(gone)
        for video in gone:
            feature_file(self.features, Path(video)).unlink(missing_ok=True)

    def videos(self) -> list[str]:
        """Paths of the videos that can be found, sorted."""
        return sorted(self.index.read_stamps())

    def search(self, query: str, top_k: int = 10, within: Iterable[str | Path] = ()) -> list[Moment]:
        """Moments of all videos, best first.

        The best windows say which videos to read again; the grounder finds the moments in them. A video that has left
        its place is left out.

        Args:
            query: a sentence.
            top_k: how many moments at most.
            within: videos, and folders; without any, all that was ever added is searched.

        Raises:
            QueryError: the query is blank or too long, or `top_k` is below 1.
            GroundingError: the library cannot be read.
        """
        query = check_query(query)
        top_k = check_top_k(top_k)
        wanted, known = [absolute_path(path) for path in within], self.index.read_stamps()
        folders, files = ([str(path) for path in wanted if path.is_dir() == kind] for kind in (True, False))
        searched = count_within(known, folders, files) if wanted else len(known)
        best = self._find_best(query, top_k, *((folders, files) if searched < len(known) else ([], [])))
        return rank_moments(self.predictor, query, best, self._load_if_there, top_k, searched)

    def _find_best(self, query: str, top_k: int, folders: list[str], files: list[str]) -> dict[str, float]:
        """The cosine of the query and a video's best window, of `top_k` videos where there are as many."""
        embedded, best = embed_query(self.predictor, query), {}
        for _ in range(top_k):  # again without those that were found, where they are few since one has many windows
            hits = self.index.search(embedded, PER_VIDEO * top_k, lies_within(folders, files, list(best)))
            for hit in hits:
                best.setdefault(hit.video, hit.product)
            if len(hits) < PER_VIDEO * top_k or sum(Path(video).is_file() for video in best) >= top_k:
                break
        return best

    def _load_if_there(self, video: str) -> EncodedVideo | None:
        """Its features; None for a video that has left, or whose features are damaged or gone, which the log says."""
        try:
            return self.load(video) if Path(video).is_file() else None
        except FeaturesError as error:
            log.warning("%s is left out of the search: %s", video, error)
            return None

    def load(self, video: str | Path) -> EncodedVideo:
        """The features of a video that was added. Raises FeaturesError where they are gone or damaged."""
        path = feature_file(self.features, Path(video))
        try:
            return self._recent.get((str(video), describe_source(path)), lambda: self._read(path))
        except FileNotFoundError as error:
            raise FeaturesError(f"The features of {str(video)!r} are gone: add it to the library again.") from error

    def _read(self, path: Path) -> EncodedVideo:
        return read_features(path, self._key())

    def _key(self) -> Key:
        """What makes the features; the same for all files."""
        return self.predictor.store.keys.make("", fetch=False)

    def _describe_features(self, path: Path) -> str:
        made_by = hashlib.sha256(f"{self._key().weights} {PREPROCESSING}".encode()).hexdigest()  # encoder: the folder's
        return f"{describe_source(path)} {made_by[:16]}"

    def _stamp(self, video: Path) -> str:
        """Of the video, its features and what makes them, as they are; changes where one of them does, and is unlike
        any where one is missing."""
        try:
            return f"{describe_source(video)} {self._describe_features(feature_file(self.features, video))}"
        except OSError:
            return "missing"

    def _make_folder(self) -> None:
        try:
            self.features.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror
            raise WriteError(
                f"The library cannot be made in {str(self.folder)!r} ({reason}): choose another."
            ) from error

    def lock(self) -> FileLock:
        """Held while the index is written to, by one process at a time."""
        return FileLock(self.features.parent / "index.lock")
