"""A GPU without memory, played by an encoder that raises what torch raises."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import numpy as np
import pytest
import torch

from grounding import Predictor
from grounding import __main__ as cli
from grounding import predictor as predictors
from grounding.app import models
from grounding.encoders.oom_fallback import FallbackFrameEncoder
from grounding.features.disk_cache import FeatureCache
from grounding.features.streaming import encode_frames
from tests.clips import colours


class Crowded:
    """A mean colour, for as many frames at once as there is room for on the device."""

    name, width, batch = "embedded", 3, 8

    def __init__(self, device, room, seen):
        if room is None and device != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        self.device, self.room, self.seen = device, room, seen

    def encode(self, frames):
        self.seen.append((self.device, len(frames)))
        if self.device != "cpu" and len(frames) > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return torch.tensor(np.array([frame.mean(axis=(0, 1)) for frame in frames]), dtype=torch.float32)


@pytest.fixture
def crowded():
    """An encoder on a GPU with room for some frames (None: not even for the weights), and what it was asked."""

    def make(room, device="cuda"):
        seen = []
        return FallbackFrameEncoder(lambda device: Crowded(device, room, seen), device), seen

    return make


FRAMES = [np.full((4, 4, 3), value, np.uint8) for value in range(40)]
EXPECTED = torch.arange(40.0).unsqueeze(1).expand(40, 3)


@pytest.mark.parametrize(
    ("room", "last", "told"),
    [
        (32, ("cuda", 8), ""),
        (9, ("cuda", 8), "8 frames encoded at a time"),
        (1, ("cuda", 1), "a single frame encoded at a time"),
        (0, ("cpu", 8), "on the CPU"),
        (None, ("cpu", 8), "on the CPU"),
    ],
)
def test_the_batch_is_halved_until_it_fits_and_then_the_cpu_takes_over(crowded, room, last, told):
    encoder, seen = crowded(room)
    assert torch.equal(encoder.encode(FRAMES), EXPECTED)
    assert seen[-1] == last
    assert told in encoder.note and bool(told) == bool(encoder.note)


def test_what_fitted_once_is_kept_to(crowded):
    encoder, seen = crowded(9)
    encoder.encode(FRAMES)
    seen.clear()
    encoder.encode(FRAMES)
    assert {count for _, count in seen} == {8}


def test_of_two_threads_that_run_out_of_memory_one_halves_the_batch(crowded):
    """The chunk of whoever cancelled is still encoded while the next visitor's begins."""
    encoder, _ = crowded(16)
    both, encode = Barrier(2), encoder._encoder.encode

    def meet(frames):
        with suppress(BrokenBarrierError):  # nobody else is here
            both.wait(1)
        return encode(frames)

    encoder._encoder.encode = meet
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(encoder.encode, [FRAMES, FRAMES]))
    assert all(torch.equal(rows, EXPECTED) for rows in found)
    assert "16 frames encoded at a time" in encoder.note


@pytest.mark.parametrize(("room", "batch"), [(32, 8), (4, 4), (0, 8)])
def test_the_batch_is_what_fits(crowded, room, batch):
    encoder, _ = crowded(room)
    encoder.encode(FRAMES)
    assert encoder.batch == batch


def test_a_cpu_without_memory_is_no_endless_loop(crowded):
    encoder, _ = crowded(None)
    encoder._encoder.encode = lambda frames: (_ for _ in ()).throw(torch.OutOfMemoryError("no"))
    with pytest.raises(torch.OutOfMemoryError):
        encoder.encode(FRAMES)


def test_a_whole_video_is_encoded_all_the_same(crowded, tmp_path):
    path = colours(tmp_path / "a.mp4")
    video = encode_frames(path, crowded(3)[0], 2.0)
    assert (video.features == encode_frames(path, crowded(32)[0], 2.0).features).all()


@pytest.fixture
def caching(predictor, tmp_path, crowded):
    """A predictor that keeps on disk what an encoder on a GPU with room for some frames makes, and what is kept."""

    def make(room):
        made = predictors.Predictor(predictor.config, predictor.grounder, "cpu", cache=FeatureCache(tmp_path / "kept"))
        made.store.keys = dataclasses.replace(made.store.keys, device=torch.device("cuda"))
        made.frame_encoder = crowded(room)[0]
        return made, lambda: list((tmp_path / "kept").rglob("*.safetensors"))

    return make


@pytest.mark.parametrize(("room", "count"), [(32, 1), (3, 1), (0, 0), (None, 0)])
def test_what_the_cpu_made_is_not_kept_as_the_gpus(caching, tmp_path, room, count):
    made, kept = caching(room)
    made.encode_video(colours(tmp_path / "a.mp4"))
    assert len(kept()) == count


def test_what_the_gpu_made_is_found_after_it_was_full(caching):
    made, _ = caching(32)
    before = made.store.make_key("a")
    made.matcher._move_to_cpu()
    assert made.store.make_key("a") == before


@pytest.fixture
def on_gpu(monkeypatch, predictor):
    """A predictor that takes this machine's CPU for a GPU on which the encoder has no room."""
    monkeypatch.setattr(predictors, "load_frame_encoder", _full_gpu(predictor.frame_encoder))
    made = predictors.Predictor(predictor.config, predictor.grounder, "cpu")
    made.query_encoder = predictor.query_encoder
    made.matcher.device = torch.device("cuda")
    made.frame_encoder  # noqa: B018
    made.matcher.device = torch.device("cpu")
    return made


def _full_gpu(encoder):
    def load(name, device, weights):
        if device != "cpu":
            raise torch.OutOfMemoryError
        return encoder

    return load


def test_the_page_says_so(on_gpu):
    assert "no memory left: frames encoded on the CPU" in models.describe_model(on_gpu)


def test_the_command_line_says_so_and_answers(on_gpu, scenes, monkeypatch, capsys):
    monkeypatch.setattr(Predictor, "from_checkpoint", lambda name, **options: on_gpu)
    assert cli.main([str(scenes), "a cat"]) == 0
    captured = capsys.readouterr()
    assert "0.00 s to" in captured.out
    assert captured.err == "the GPU has no memory left: frames encoded on the CPU\n"
