"""Encoded videos of one frame encoder on disk, by the content of their files."""

from collections.abc import Callable
from pathlib import Path

import torch

from grounding.features.cache_key import Key, KeyMaker
from grounding.features.disk_cache import FeatureCache
from grounding.features.encoded_video import EncodedVideo


class VideoStore:
    """Gives and keeps encoded videos; without a cache it keeps none.

    Args:
        cache: the cache, or the folder that it is in; None for none.
        keys: makes the keys of the encoder's features.
        find_encoder: the frame encoder, None where it is not loaded yet.
    """

    def __init__(
        self, cache: FeatureCache | str | Path | None, keys: KeyMaker, find_encoder: Callable[[], object]
    ) -> None:
        self.cache = FeatureCache(cache) if isinstance(cache, str | Path) else cache
        self.keys, self._find_encoder = keys, find_encoder

    def make_key(self, content: str) -> Key:
        """The key of a file, by its hash: the same whatever memory runs out. Raises EncoderError."""
        return self.keys.make(content, compiled=bool(getattr(self._find_encoder(), "compiled", True)))

    def get(self, key: Key | None) -> EncodedVideo | None:
        """What the cache has, None without one."""
        return self.cache.get(key) if self.cache else None

    def put(self, key: Key | None, path: str | Path, video: EncodedVideo) -> None:
        """Keeps an encoded file, unless it was written to or has left meanwhile, or the key's device had no memory left
        and another one encoded it. What computes is known by now, which it may not have been when the key was made."""
        device = torch.device(getattr(self._find_encoder(), "device", "cpu"))
        if self.cache and device.type == self.keys.device.type:
            self.cache.put_file(self.make_key(key.content), path, video)
