import math

import pytest
import torch
import torch.nn.functional as F

from grounding.hard_negatives import Scale
from training.losses import (
    ContrastConfig,
    coarse_contrast,
    estimate,
    frame_contrast,
    hard_negative_contrast,
    pool_best,
    presence_loss,
    relative,
    video_level_loss,
)

NOTHING = torch.zeros(2, 2, dtype=torch.bool)
DIAGONAL = torch.eye(2, dtype=torch.bool)


def directions(*degrees: float) -> torch.Tensor:
    """Unit vectors in the plane, one video: (1, T, 2)."""
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack([angles.cos(), angles.sin()], dim=-1).unsqueeze(0)


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values])


def flags(*values: int) -> torch.Tensor:
    return torch.tensor([values]).bool()


class TestPoolBest:
    def test_is_the_mean_of_the_best_share(self):
        assert pool_best(row(1.0, 4.0, 2.0, 3.0), flags(1, 1, 1, 1), 0.5).tolist() == [3.5]

    def test_reads_no_padding(self):
        assert pool_best(row(1.0, 2.0, 50.0, 50.0), flags(1, 1, 0, 0), 1.0).tolist() == [1.5]

    def test_the_share_is_of_the_real_frames(self):
        assert pool_best(row(4.0, 3.0, 2.0, 1.0, 0.0, 0.0), flags(1, 1, 1, 1, 0, 0), 0.5).tolist() == [3.5]

    def test_keeps_at_least_one_frame(self):
        assert pool_best(row(1.0, 4.0), flags(1, 1), 1e-6).tolist() == [4.0]

    def test_pools_the_frames_of_every_pair_of_query_and_video(self):
        logits = torch.tensor([[[1.0, 4.0, 2.0], [0.0, 3.0, 9.0]], [[5.0, 5.0, 8.0], [7.0, 1.0, 9.0]]])
        mask = torch.tensor([[[1, 1, 1], [1, 1, 0]]]).bool().expand(2, -1, -1)
        assert pool_best(logits, mask, 0.5).tolist() == [[3.0, 3.0], [6.5, 7.0]]


class TestVideoLevelLoss:
    def test_is_symmetric_info_nce(self):
        pooled = torch.tensor([[2.0, 0.5], [-1.0, 1.0]])
        target = torch.arange(2)
        expected = (F.cross_entropy(pooled, target) + F.cross_entropy(pooled.T, target)) / 2
        assert video_level_loss(pooled, DIAGONAL, NOTHING).item() == pytest.approx(expected.item())

    def test_falls_when_the_right_pairs_score_higher(self):
        pooled = torch.zeros(2, 2, requires_grad=True)
        video_level_loss(pooled, DIAGONAL, NOTHING).backward()
        assert (pooled.grad.diag() < 0).all()
        assert (pooled.grad[~DIAGONAL] > 0).all()

    def test_ignored_pairs_weigh_nothing(self):
        ignored = torch.tensor([[False, True], [False, False]])
        losses = [
            video_level_loss(torch.tensor([[1.0, other], [0.0, 1.0]]), DIAGONAL, ignored).item() for other in (0.0, 9.0)
        ]
        assert losses[0] == pytest.approx(losses[1])
        assert losses[0] == pytest.approx(math.log(1 + math.exp(-1)) / 2)  # one row, one column are left

    def test_a_positive_is_never_ignored(self):
        pooled = torch.tensor([[2.0, 0.5], [-1.0, 1.0]])
        assert video_level_loss(pooled, DIAGONAL, DIAGONAL) == video_level_loss(pooled, DIAGONAL, NOTHING)

    def test_a_sentence_without_a_video_counts_only_as_a_negative(self):
        pooled, match = torch.tensor([[2.0, 0.5], [-1.0, 1.0], [0.3, 0.7]]), torch.eye(3, 2, dtype=torch.bool)
        rows = F.cross_entropy(pooled[:2], torch.arange(2))
        columns = F.cross_entropy(pooled.T, torch.arange(2))
        loss = video_level_loss(pooled, match, torch.zeros(3, 2, dtype=torch.bool))
        assert loss.item() == pytest.approx(((rows + columns) / 2).item())

    def test_several_sentences_of_one_video_can_all_be_right(self):
        pooled = torch.tensor([[9.0, -9.0], [9.0, -9.0], [-9.0, 9.0]], requires_grad=True)
        match = torch.tensor([[True, False], [True, False], [False, True]])
        video_level_loss(pooled, match, torch.zeros_like(match)).backward()
        assert pooled.grad.abs().max() < 1e-6  # nothing is left to learn

    def test_several_sentences_of_one_video_share_its_probability(self):
        pooled = torch.tensor([[1.0, 0.0], [0.5, 0.2], [-1.0, 2.0]])
        match = torch.tensor([[True, False], [True, False], [False, True]])
        rows = F.cross_entropy(pooled, torch.tensor([0, 0, 1]))
        first, second = pooled.T.softmax(dim=-1)
        columns = -(((first[0] + first[1]) / 2).log() + second[2].log()) / 2
        loss = video_level_loss(pooled, match, torch.zeros_like(match))
        assert loss.item() == pytest.approx(((rows + columns) / 2).item())


class TestPresenceLoss:
    def test_positives_and_negatives_weigh_the_same(self):
        pooled, positive = torch.zeros(4, 4), torch.eye(4, dtype=torch.bool)
        pooled[positive] = 1.0
        expected = (math.log(1 + math.exp(-1)) + math.log(2)) / 2
        assert presence_loss(pooled, positive, torch.zeros_like(positive)).item() == pytest.approx(expected)

    def test_pulls_the_positives_up_and_the_negatives_down(self):
        pooled = torch.zeros(2, 2, requires_grad=True)
        presence_loss(pooled, DIAGONAL, NOTHING).backward()
        assert (pooled.grad.diag() < 0).all()
        assert (pooled.grad[~DIAGONAL] > 0).all()

    def test_ignored_pairs_get_no_gradient(self):
        pooled = torch.zeros(2, 2, requires_grad=True)
        presence_loss(pooled, DIAGONAL, torch.tensor([[False, True], [False, False]])).backward()
        assert pooled.grad[0, 1] == 0
        assert pooled.grad[1, 0] > 0

    def test_one_pair_alone_is_finite(self):
        alone = torch.ones(1, 1, dtype=torch.bool)
        assert presence_loss(torch.zeros(1, 1), alone, ~alone).isfinite()


class TestRelative:
    def test_runs_from_zero_to_one_over_real_frames(self):
        level = relative(row(2.0, 4.0, 3.0, 99.0), flags(1, 1, 1, 0))
        assert level.tolist() == [[0.0, 1.0, 0.5, 0.0]]

    def test_each_row_for_itself_however_small_its_range(self):
        level = relative(torch.tensor([[2.0, 4.0], [0.5, 0.49]]), flags(1, 1).expand(2, -1))
        assert level.tolist() == [[0.0, 1.0], [1.0, 0.0]]

    def test_a_flat_curve_is_zero(self):
        assert relative(row(3.0, 3.0), flags(1, 1)).tolist() == [[0.0, 0.0]]


class TestFrameContrast:
    frames = directions(10, 80, 130)
    anchor = directions(0)[0]

    def test_is_info_nce_at_the_temperature(self):
        loss = frame_contrast(self.frames, self.anchor, row(1.0, 0, 0), flags(0, 1, 1), 0.5)
        logits = (self.frames @ self.anchor[0] / 0.5)[0]
        assert loss.item() == pytest.approx(-logits.log_softmax(0)[0].item(), rel=1e-5)

    def test_a_lower_temperature_is_surer_of_what_is_right(self):
        warm, cold = (
            frame_contrast(self.frames, self.anchor, row(1.0, 0, 0), flags(0, 1, 1), t).item() for t in (1.0, 0.1)
        )
        assert cold < warm / 10

    def test_pulls_the_foreground_and_pushes_the_negatives(self):
        frames = self.frames.clone().requires_grad_()
        frame_contrast(frames, self.anchor, row(1.0, 0, 0), flags(0, 1, 1), 0.5).backward()
        towards = frames.grad[0] @ self.anchor[0]
        assert towards[0] < 0
        assert (towards[1:] > 0).all()

    def test_frames_that_are_neither_get_no_gradient(self):
        frames = self.frames.clone().requires_grad_()
        frame_contrast(frames, self.anchor, row(1.0, 0, 0), flags(0, 0, 1), 0.5).backward()
        assert (frames.grad[0, 1] == 0).all()

    def test_the_foreground_is_weighted(self):
        frames = directions(10, 60, 130)
        each = [
            frame_contrast(frames, self.anchor, weights, flags(0, 0, 1), 0.5).item()
            for weights in (row(1.0, 0, 0), row(0, 1.0, 0))
        ]
        both = frame_contrast(frames, self.anchor, row(3.0, 1.0, 0), flags(0, 0, 1), 0.5).item()
        assert both == pytest.approx(0.75 * each[0] + 0.25 * each[1], rel=1e-5)

    def test_light_weights_weigh_as_much_as_heavy_ones(self):
        light, heavy = (
            frame_contrast(self.frames, self.anchor, row(weight, 0, 0), flags(0, 1, 1), 0.5) for weight in (0.01, 1.0)
        )
        assert light.item() == pytest.approx(heavy.item())

    def test_videos_without_negatives_or_foreground_are_left_out_of_the_mean(self):
        one = frame_contrast(self.frames, self.anchor, row(1.0, 0, 0), flags(0, 1, 1), 0.5)
        three = frame_contrast(
            self.frames.expand(3, -1, -1),
            self.anchor.expand(3, -1),
            torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 0]]),
            torch.tensor([[0, 1, 1], [0, 0, 0], [0, 1, 1]]).bool(),
            0.5,
        )
        assert three.item() == pytest.approx(one.item())

    def test_videos_with_both_weigh_the_same(self):
        frames = torch.cat([self.frames, directions(40, 100, 20)])
        foreground, negatives = torch.tensor([[1.0, 0, 0], [0, 0.2, 0]]), torch.tensor([[0, 1, 1], [1, 0, 1]]).bool()
        each = [frame_contrast(frames[[i]], self.anchor, foreground[[i]], negatives[[i]], 0.5).item() for i in range(2)]
        both = frame_contrast(frames, self.anchor.expand(2, -1), foreground, negatives, 0.5)
        assert both.item() == pytest.approx(sum(each) / 2)

    def test_without_any_negative_it_is_zero(self):
        assert frame_contrast(self.frames, self.anchor, row(1.0, 0, 0), flags(0, 0, 0), 0.5) == 0


class TestEstimate:
    scores = row(0.0, 0.1, 1.0, 0.5, 0.9, 0.6, 0.1, 0.0)
    mask = torch.ones(1, 8, dtype=torch.bool)

    def test_by_height_frames_between_the_two_are_neither(self):
        foreground, background = estimate(self.scores, self.mask, ContrastConfig())
        assert torch.allclose(foreground, row(0.0, 0.0, 1.0, 0.0, 0.9, 0.0, 0.0, 0.0))
        assert background.tolist() == flags(1, 1, 0, 0, 0, 0, 1, 1).tolist()

    def test_by_what_stands_out_it_is_one_stretch_and_all_else_is_background(self):
        foreground, background = estimate(self.scores, self.mask, ContrastConfig(balance=0.7))
        assert foreground.tolist() == row(0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0).tolist()
        assert background.tolist() == flags(1, 1, 0, 0, 0, 0, 1, 1).tolist()

    @pytest.mark.parametrize("balance", [0.0, 0.7])
    def test_padding_is_neither(self, balance):
        mask, scores = flags(1, 1, 1, 1, 1, 1, 0, 0), self.scores.clone()
        scores[0, 6] = 1.0
        foreground, background = estimate(scores, mask, ContrastConfig(balance=balance))
        assert not foreground[~mask].any()
        assert not background[~mask].any()


class TestCoarseContrast:
    frames = directions(0, 20, 70, 160)
    query = directions(0)[0]
    scores = row(1.0, 0.8, 0.5, 0.0)  # foreground, foreground, neither, background
    config = ContrastConfig(temperature=0.5)

    def loss(self, frames=None, scores=None, mask=None, config=None):
        mask = torch.ones(1, 4, dtype=torch.bool) if mask is None else mask
        frames = self.frames if frames is None else frames
        scores = self.scores if scores is None else scores
        return coarse_contrast(frames, self.query, scores, mask, config or self.config)

    def test_pulls_the_foreground_and_pushes_the_background(self):
        frames = self.frames.clone().requires_grad_()
        self.loss(frames).backward()
        towards = frames.grad[0] @ self.query[0]
        assert (towards[:2] < 0).all()
        assert towards[3] > 0

    def test_uncertain_frames_are_left_alone(self):
        frames = self.frames.clone().requires_grad_()
        self.loss(frames).backward()
        assert (frames.grad[0, 2] == 0).all()

    def test_reads_no_padding(self):
        frames = self.frames.clone().requires_grad_()
        self.loss(frames, scores=row(1.0, 0.8, 0.0, -9.0), mask=flags(1, 1, 1, 0)).backward()
        assert (frames.grad[0, 3] == 0).all()
        assert (frames.grad[0, 2] != 0).any()

    def test_the_scores_are_a_teacher_and_get_no_gradient(self):
        frames, scores = self.frames.clone().requires_grad_(), self.scores.clone().requires_grad_()
        self.loss(frames, scores).backward()
        assert scores.grad is None

    def test_follows_the_temperature(self):
        cold = self.loss(config=ContrastConfig(temperature=0.05))
        assert cold < self.loss() / 10

    def test_the_anchor_is_drawn_to_the_query(self):
        toward, away = (
            coarse_contrast(self.frames, query, self.scores, flags(1, 1, 1, 1), self.config)
            for query in (directions(0)[0], directions(160)[0])
        )
        assert toward < away

    def test_a_flat_curve_costs_nothing(self):
        assert self.loss(scores=row(0.5, 0.5, 0.5, 0.5)) == 0

    def test_is_the_mean_over_queries_each_with_its_own_video(self):
        rows = [
            (self.frames, directions(0)[0], self.scores),
            (directions(90, 10, 40, 170), directions(30)[0], row(0.1, 1.0, 0.9, 0.0)),
        ]
        alone = [coarse_contrast(*each, flags(1, 1, 1, 1), self.config).item() for each in rows]
        frames, query, scores = (torch.cat(parts) for parts in zip(*rows, strict=True))
        both = coarse_contrast(frames, query, scores, flags(1, 1, 1, 1).expand(2, -1), self.config)
        assert both.item() == pytest.approx(sum(alone) / 2, rel=1e-5)


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
        return hard_negative_contrast(frames, self.query, self.scores, mask, self.times, config)

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
        hard_negative_contrast(frames, self.query, scores, self.everything, self.times, config).backward()
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
        alone = [hard_negative_contrast(*each, self.everything, self.times, config).item() for each in rows]
        frames, query, scores = (torch.cat(parts) for parts in zip(*rows, strict=True))
        mask, times = self.everything.expand(2, -1), self.times.expand(2, -1)
        both = hard_negative_contrast(frames, query, scores, mask, times, config)
        assert both.item() == pytest.approx(sum(alone) / 2, rel=1e-5)
