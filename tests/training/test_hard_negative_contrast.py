import pytest
import torch

from grounding.segments.hard_negatives import Scale
from tests.training.tensors import directions, flags, own, row
from training.losses import ContrastConfig, contrast_hard_negatives


class TestHardNegativeContrast:
    frames = directions(0, 5, 50, 60, 100, 170)
    query = directions(0)[0]
    scores = row(1.0, 0.95, 0.3, 0.2, 0.1, 0.0)
    times = row(0.0, 1.0, 2.0, 3.0, 4.0, 5.0)
    everything = torch.ones(1, 6, dtype=torch.bool)
    one_scale = (Scale(1.0, 0.25),)

    def loss(self, frames=None, mask=None, scales=None, temperature=0.5, near_duplicate=0.95):
        config = ContrastConfig(temperature=temperature, scales=scales or self.one_scale, near_duplicate=near_duplicate)
        frames = self.frames if frames is None else frames
        mask = self.everything if mask is None else mask
        return contrast_hard_negatives(own(frames), self.query, self.scores, mask, self.times, config)

    def gradient(self, **options):
        frames = self.frames.clone().requires_grad_()
        self.loss(frames, **options).backward()
        return frames.grad[0] @ self.query[0]  # (T,)

    def test_pulls_the_foreground_and_pushes_only_the_hardest_negative(self):
        gradient = self.gradient()
        assert (gradient[:2] < 0).all()
        assert gradient[2] > 0
        assert (gradient[3:] == 0).all()

    def test_a_larger_share_pushes_more(self):
        assert (self.gradient(scales=(Scale(1.0, 1.0),))[2:] > 0).all()

    def test_near_duplicates_are_spared(self):
        gradient = self.gradient(near_duplicate=0.6)  # the cosine of 50 degrees is 0.64
        assert gradient[2] == 0
        assert gradient[3] > 0

    def test_reads_no_padding(self):
        gradient = self.gradient(mask=flags(1, 1, 0, 1, 1, 1))
        assert gradient[2] == 0
        assert gradient[3] > 0

    def test_follows_the_temperature(self):
        assert self.loss(temperature=0.05) < self.loss(temperature=0.5) / 5

    def test_is_the_mean_over_scales(self):
        twice = self.loss(scales=self.one_scale * 2)
        assert twice.item() == pytest.approx(self.loss().item(), rel=0.05)

    def test_a_frame_as_near_the_prototype_as_the_foreground_joins_it(self):
        frames = directions(0, 5, 12, 90, 170, 175)  # the third scores low, yet looks like the moment
        frames.requires_grad_()
        options = {"scales": (Scale(1.0, 0.2), Scale(3.0, 0.2)), "near_duplicate": 0.9999}
        scores = row(1.0, 0.95, 0.5, 0.2, 0.1, 0.0)
        config = ContrastConfig(temperature=0.5, **options)
        contrast_hard_negatives(own(frames), self.query, scores, self.everything, self.times, config).backward()
        assert frames.grad[0, 3].abs().sum() > 0  # the second scale pushes the frame beyond it

    def test_closer_to_a_boundary_is_harder(self):
        frames = directions(0, 5, 62, 60, 100, 170)  # the third is a little less alike, but next to the foreground
        frames.requires_grad_()
        self.loss(frames).backward()
        assert frames.grad[0, 2].abs().sum() > 0
        assert frames.grad[0, 3].abs().sum() == 0

    def test_is_the_mean_over_queries_each_with_its_own_video(self):
        config = ContrastConfig(temperature=0.5)
        rows = [
            (self.frames, self.query, self.scores),
            (directions(80, 70, 10, 15, 40, 160), directions(20)[0], row(0.0, 0.2, 0.9, 1.0, 0.3, 0.1)),
        ]
        alone = [
            contrast_hard_negatives(own(each[0]), *each[1:], self.everything, self.times, config).item()
            for each in rows
        ]
        frames, query, scores = (torch.cat(parts) for parts in zip(*rows, strict=True))
        mask, times = self.everything.expand(2, -1), self.times.expand(2, -1)
        both = contrast_hard_negatives(own(frames), query, scores, mask, times, config)
        assert both.item() == pytest.approx(sum(alone) / 2, rel=1e-5)
