"""Encoded videos of one frame encoder on disk, by the content of their files."""

from collections.abc import Callable
from pathlib import Path

from grounding.features.cache_key import Key, KeyMaker
from grounding.features.disk_cache import FeatureCache
from grounding.features.encoded_video import EncodedVideo


class VideoStore:
    """Gives and keeps encoded videos; without a cache it keeps none.

    Args:
        cache: the folder; None for none.
        keys: makes the keys of the encoder's features.
        locate_encoder: the type of the device that the encoder is on now, such as "cuda".
    """

    def __init__(self, cache: FeatureCache | None, keys: KeyMaker, locate_encoder: Callable[[], str]) -> None:
        self.cache, self.keys, self._locate_encoder = cache, keys, locate_encoder

    def make_key(self, content: str) -> Key:
        """The key of a file, by its hash: the same whatever memory runs out. Raises EncoderError."""
        return self.keys.make(content)

    def get(self, key: Key | None) -> EncodedVideo | None:
        """What the cache has, None without one."""
        return self.cache.get(key) if self.cache else None

    def put(self, key: Key | None, path: str | Path, video: EncodedVideo) -> None:
        """Keeps an encoded file, unless it was written to or has left meanwhile, or the key's device had no memory left
        and another one encoded it."""
        if self.cache and self._locate_encoder() == self.keys.device.type:
            self.cache.put_file(key, path, video)
