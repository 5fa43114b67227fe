import numpy as np

from grounding.features.encoded_video import EncodedVideo
from grounding.library.recent_videos import RecentVideos


def test_what_was_used_longest_ago_leaves_first():
    read = []

    def video(name):
        read.append(name)
        return EncodedVideo(np.arange(100.0), np.zeros((100, 100), np.float16), 100.0, name)  # 20 kB

    recent = RecentVideos(megabytes=0.045)
    for name in ("a", "b", "a", "c", "a", "b"):
        assert recent.get(name, lambda name=name: video(name)).encoder == name
    assert read == ["a", "b", "c", "b"]
