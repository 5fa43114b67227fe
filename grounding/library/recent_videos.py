"""The features of the videos that were searched last, in memory."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from grounding.features.encoded_video import EncodedVideo

MEGABYTES = 500.0  # of 1e6 bytes


class RecentVideos:
    """Encoded videos by any key; those that were used longest ago leave first.

    Args:
        megabytes: of 1e6 bytes, how much they may take up together.
    """

    def __init__(self, megabytes: float = MEGABYTES) -> None:
        self.room, self._held, self._videos, self._lock = megabytes * 1e6, 0, OrderedDict(), Lock()

    def get(self, key: Hashable, read: Callable[[], EncodedVideo]) -> EncodedVideo:
        """The video of `key`, from `read` where it is not held. Raises what `read` raises."""
        with self._lock:
            if key in self._videos:
                self._videos.move_to_end(key)
                return self._videos[key]
        video = read()
        with self._lock:
            self._drop(key)
            self._videos[key] = video
            self._held += video.features.nbytes
            while self._held > self.room and len(self._videos) > 1:
                self._drop(next(iter(self._videos)))
        return video

    def _drop(self, key: Hashable) -> None:
        if (video := self._videos.pop(key, None)) is not None:
            self._held -= video.features.nbytes
