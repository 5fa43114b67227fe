import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
import torch

from grounding import scoring
from grounding.checkpoint import GrounderConfig
from grounding.encoders.queries import QueryTokens
from grounding.features.encoded_video import EncodedVideo
from grounding.model import FrameTower, Grounder
from grounding.scoring import Matcher, RecentFrames, embed_frames, embed_pictures, measure_cosines, stretch

CPU = torch.device("cpu")


def tower(context: int, blur: float, centers: int = 0) -> FrameTower:
    torch.manual_seed(0)
    config = GrounderConfig(frame_width=6, width=8, context=context, blur=blur, centered=True, sentence_centers=centers)
    made = FrameTower(config).eval()
    torch.nn.init.normal_(made.context.weight)  # as after training: neighbours matter
    torch.nn.init.normal_(made.center)
    if centers:
        torch.nn.init.normal_(made.sentence_centers)
    return made


def features(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 6)).astype(np.float16)


@pytest.fixture
def in_blocks(monkeypatch):
    monkeypatch.setattr(scoring, "BLOCK", 8)


@pytest.mark.parametrize(("context", "blur", "centers"), [(1, 0.0, 0), (5, 0.0, 4), (3, 1.5, 0), (25, 0.0, 0)])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 43])
@torch.inference_mode()
def test_block_by_block_frames_are_those_of_the_whole(in_blocks, context, blur, centers, count):
    made, rows = tower(context, blur, centers), features(count)
    whole = made(torch.from_numpy(rows).float().unsqueeze(0), torch.ones(1, count, dtype=torch.bool))[0]
    assert torch.allclose(embed_frames(made, rows, CPU), whole, atol=1e-5)


@pytest.mark.parametrize(("context", "blur"), [(1, 0.0), (5, 0.0), (3, 1.5)])
@torch.inference_mode()
def test_a_frame_seen_alone_is_one_that_stands_still(in_blocks, context, blur):
    made, rows = tower(context, blur), features(20)
    seen = embed_pictures(made, rows, CPU)  # (20, D)
    for place in (0, 9, 19):
        still = embed_frames(made, np.repeat(rows[place : place + 1], 21, axis=0), CPU)  # (21, D)
        assert torch.allclose(seen[place], still[10], atol=1e-5)


@torch.inference_mode()
def test_no_more_frames_than_a_block_and_what_it_sees_are_float32_at_once(in_blocks):
    made, sizes = tower(5, 0.0), []
    made.projection.register_forward_hook(lambda _, rows, __: sizes.append((rows[0].shape[1], rows[0].dtype)))
    assert embed_frames(made, features(43), CPU).dtype == torch.float32
    assert {kind for _, kind in sizes} == {torch.float32}
    assert [size for size, _ in sizes] == [10, 12, 12, 12, 12, 5]


@torch.inference_mode()
def test_features_are_brought_to_unit_length_where_that_is_asked(in_blocks):
    made, rows = tower(3, 0.0), features(20).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert torch.allclose(embed_frames(made, rows, CPU, unit=True), embed_frames(made, unit, CPU), atol=1e-5)
    assert not torch.allclose(embed_frames(made, rows, CPU), embed_frames(made, unit, CPU), atol=1e-2)


def video() -> EncodedVideo:
    return EncodedVideo(np.arange(3.0), np.ones((3, 6)), 3.0, "toy")


def test_the_frames_of_recent_videos_are_found_once():
    recent, one, other = RecentFrames(megabytes=40e-6), video(), video()
    zeros, ones = torch.zeros(3, 2), torch.ones(3, 2)  # 24 bytes each
    assert recent.get(one, lambda: zeros) is recent.get(one, lambda: ones) is zeros
    assert recent.get(other, lambda: ones) is ones  # and there is no room for both
    assert recent.get(one, lambda: ones) is ones
    roomy = RecentFrames()
    assert [roomy.get(each, lambda: zeros) is zeros for each in (one, other)] == [True, True]
    assert roomy.get(one, lambda: ones) is roomy.get(other, lambda: ones) is zeros


def test_frames_go_with_their_video_and_not_with_the_one_before():
    last, one, other = RecentFrames(), video(), video()
    last.get(other, lambda: torch.ones(3, 2))
    kept = weakref.ref(last.get(one, lambda: torch.zeros(3, 2)))
    del other
    gc.collect()
    assert kept() is not None
    del one
    gc.collect()
    assert kept() is None


class OneToken:
    """Reads every query as the same token."""

    name, width = "one-token", 5

    def __init__(self, device):
        self.device = device

    def encode(self, queries):
        return QueryTokens(torch.ones(len(queries), 1, 5), torch.ones(len(queries), 1).bool())


def fill_gpu(matcher, name, monkeypatch):
    """The matcher is on a GPU, where its method `name` finds no memory."""
    work = getattr(matcher, name)

    def fail_on_gpu(*given):
        if matcher.device.type != "cpu":
            raise torch.OutOfMemoryError
        return work(*given)

    monkeypatch.setattr(matcher, name, fail_on_gpu)
    matcher.device = torch.device("cuda")


def test_queries_are_scored_on_the_cpu_from_when_the_gpu_has_no_memory(monkeypatch):
    loaded = []
    grounder = Grounder(GrounderConfig(frame_width=6, query_width=5, width=8))
    matcher = Matcher(grounder, CPU, lambda device: loaded.append(device) or OneToken(device))
    expected = matcher.match(video(), ["a", "b"])
    fill_gpu(matcher, "_match_on_device", monkeypatch)
    match = matcher.match(video(), ["a", "b"])
    assert torch.equal(match.scores, expected.scores) and match.scores.shape == (2, 3)
    assert match.queries_by == "one-token" and "matched on the CPU" in matcher.note
    assert loaded == [CPU, CPU]


def test_queries_alone_are_embedded_on_the_cpu_from_when_the_gpu_has_no_memory(monkeypatch):
    matcher = Matcher(Grounder(GrounderConfig(frame_width=6, query_width=5, width=8)), CPU, OneToken)
    expected = matcher.embed_queries(["a", "b"])
    fill_gpu(matcher, "_embed_on_device", monkeypatch)
    assert torch.equal(matcher.embed_queries(["a", "b"]), expected) and expected.shape == (2, 8)
    assert "matched on the CPU" in matcher.note


def test_threads_that_share_a_matcher_load_its_query_encoder_once():
    loaded, two_at_once = [], threading.Barrier(2)

    def load(device):
        loaded.append(device)
        with suppress(threading.BrokenBarrierError):
            two_at_once.wait(0.3)
        return OneToken(device)

    matcher = Matcher(Grounder(GrounderConfig(frame_width=6, query_width=5, width=8)), CPU, load)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: matcher.query_encoder, range(2))
    assert one is other and loaded == [CPU]


def test_cosines_do_not_depend_on_lengths():
    rows = np.array([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]], np.float16)
    assert measure_cosines(rows, torch.tensor([1.0, 0.0])) == pytest.approx([1.0, 0.0, -1.0])


def test_values_are_stretched_to_a_span():
    assert stretch(np.array([0.1, 0.2, 0.3]), 0.4, 0.8) == pytest.approx([0.4, 0.6, 0.8])
    assert stretch(np.array([0.2, 0.2]), 0.4, 0.8) == pytest.approx([0.4, 0.4])


def test_queries_are_scored_at_frames_of_other_videos_too():
    grounder = Grounder(GrounderConfig(frame_width=6, query_width=5, width=8))
    background = torch.nn.functional.normalize(torch.arange(32.0).reshape(4, 8), dim=-1)
    with_others = Matcher(grounder, CPU, OneToken, background=background).match(video(), ["a", "b"])
    assert (
        with_others.background.shape == (2, 4) and ((with_others.background > 0) & (with_others.background < 1)).all()
    )
    assert Matcher(grounder, CPU, OneToken).match(video(), ["a"]).background is None
