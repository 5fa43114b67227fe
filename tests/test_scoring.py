import gc
import weakref

import numpy as np
import pytest
import torch

from grounding import scoring as embedding
from grounding.features.encoded_video import EncodedVideo
from grounding.model import FrameTower, GrounderConfig
from grounding.scoring import LastFrames, embed

CPU = torch.device("cpu")


def tower(context: int, blur: float) -> FrameTower:
    torch.manual_seed(0)
    made = FrameTower(GrounderConfig(frame_width=6, width=8, context=context, blur=blur, centered=True)).eval()
    torch.nn.init.normal_(made.context.weight)  # as after training: neighbours matter
    torch.nn.init.normal_(made.center)
    return made


def features(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 6)).astype(np.float16)


@pytest.fixture
def in_blocks(monkeypatch):
    monkeypatch.setattr(embedding, "BLOCK", 8)


@pytest.mark.parametrize(("context", "blur"), [(1, 0.0), (5, 0.0), (3, 1.5), (25, 0.0)])
@pytest.mark.parametrize("count", [1, 7, 8, 9, 16, 43])
@torch.inference_mode()
def test_block_by_block_frames_are_those_of_the_whole(in_blocks, context, blur, count):
    made, rows = tower(context, blur), features(count)
    whole = made(torch.from_numpy(rows).float().unsqueeze(0), torch.ones(1, count, dtype=torch.bool))[0]
    assert torch.allclose(embed(made, rows, CPU), whole, atol=1e-5)


@torch.inference_mode()
def test_no_more_frames_than_a_block_and_what_it_sees_are_float32_at_once(in_blocks):
    made, sizes = tower(5, 0.0), []
    made.projection.register_forward_hook(lambda _, rows, __: sizes.append((rows[0].shape[1], rows[0].dtype)))
    assert embed(made, features(43), CPU).dtype == torch.float32
    assert {kind for _, kind in sizes} == {torch.float32}
    assert [size for size, _ in sizes] == [10, 12, 12, 12, 12, 5]


@torch.inference_mode()
def test_features_are_brought_to_unit_length_where_that_is_asked(in_blocks):
    made, rows = tower(3, 0.0), features(20).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert torch.allclose(embed(made, rows, CPU, unit=True), embed(made, unit, CPU), atol=1e-5)
    assert not torch.allclose(embed(made, rows, CPU), embed(made, unit, CPU), atol=1e-2)


def video() -> EncodedVideo:
    return EncodedVideo(np.arange(3.0), np.ones((3, 6)), 3.0, "toy")


def test_the_frames_of_the_last_video_are_found_once():
    last, one, other = LastFrames(), video(), video()
    assert last.of(one, lambda: "one") == last.of(one, lambda: "one again") == "one"
    assert last.of(other, lambda: "other") == "other"
    assert last.of(one, lambda: "one again") == "one again"


def test_frames_go_with_their_video_and_not_with_the_one_before():
    last, one, other = LastFrames(), video(), video()
    last.of(other, lambda: torch.ones(3, 2))
    kept = weakref.ref(last.of(one, lambda: torch.zeros(3, 2)))
    del other
    gc.collect()
    assert kept() is not None
    del one
    gc.collect()
    assert kept() is None
