import pytest
import torch

from tests.training.tensors import directions, flags, own, row
from training.losses import ContrastConfig, contrast_coarsely, contrast_frames, estimate_foreground, rescale_scores


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("temperature", 0.0, "above 0"),
        ("temperature", float("inf"), "above 0"),
        ("foreground", -0.1, "a share from 0 to 1"),
        ("foreground", 1.1, "a share from 0 to 1"),
        ("background", -0.1, "0 or more and below foreground"),
        ("background", 0.7, "0 or more and below foreground"),
        ("near_duplicate", -1.1, "a cosine, or up to 2 to leave none out"),
        ("near_duplicate", 2.1, "a cosine, or up to 2 to leave none out"),
        ("balance", -0.1, "from 0 to 100"),
        ("balance", 100.1, "from 0 to 100"),
    ],
)
def test_a_number_out_of_range_is_named_with_what_it_must_be(name, value, wanted):
    with pytest.raises(ValueError, match=f"^{name} must be {wanted}, not {value}$"):
        ContrastConfig(**{name: value})


@pytest.mark.parametrize(
    "options",
    [
        {"foreground": 1.0, "background": 0.0, "near_duplicate": 2.0, "balance": 100.0},
        {"temperature": 0.1, "near_duplicate": -1.0, "balance": 0.0},
    ],
)
def test_the_ends_of_the_ranges_are_in_them(options):
    assert all(getattr(ContrastConfig(**options), name) == value for name, value in options.items())


def test_with_no_foreground_limit_there_is_no_background():
    with pytest.raises(ValueError, match="^background must be 0 or more and below foreground, not 0.0$"):
        ContrastConfig(foreground=0.0, background=0.0)


class TestRelative:
    def test_runs_from_zero_to_one_over_real_frames(self):
        level = rescale_scores(row(2.0, 4.0, 3.0, 99.0), flags(1, 1, 1, 0))
        assert level.tolist() == [[0.0, 1.0, 0.5, 0.0]]

    def test_each_row_for_itself_however_small_its_range(self):
        level = rescale_scores(torch.tensor([[2.0, 4.0], [0.5, 0.49]]), flags(1, 1).expand(2, -1))
        assert level.tolist() == [[0.0, 1.0], [1.0, 0.0]]

    def test_a_flat_curve_is_zero(self):
        assert rescale_scores(row(3.0, 3.0), flags(1, 1)).tolist() == [[0.0, 0.0]]


class TestFrameContrast:
    frames = directions(10, 80, 130)
    anchor = directions(0)[0]

    def test_is_info_nce_at_the_temperature(self):
        loss = contrast_frames(own(self.frames), self.anchor, row(1.0, 0, 0), flags(0, 1, 1), 0.5)
        logits = (self.frames @ self.anchor[0] / 0.5)[0]
        assert loss.item() == pytest.approx(-logits.log_softmax(0)[0].item(), rel=1e-5)

    def test_a_lower_temperature_is_surer_of_what_is_right(self):
        warm, cold = (
            contrast_frames(own(self.frames), self.anchor, row(1.0, 0, 0), flags(0, 1, 1), t).item() for t in (1.0, 0.1)
        )
        assert cold < warm / 10

    def test_pulls_the_foreground_and_pushes_the_negatives(self):
        frames = self.frames.clone().requires_grad_()
        contrast_frames(own(frames), self.anchor, row(1.0, 0, 0), flags(0, 1, 1), 0.5).backward()
        towards = frames.grad[0] @ self.anchor[0]
        assert towards[0] < 0
        assert (towards[1:] > 0).all()

    def test_frames_that_are_neither_get_no_gradient(self):
        frames = self.frames.clone().requires_grad_()
        contrast_frames(own(frames), self.anchor, row(1.0, 0, 0), flags(0, 0, 1), 0.5).backward()
        assert (frames.grad[0, 1] == 0).all()

    def test_the_foreground_is_weighted(self):
        frames = directions(10, 60, 130)
        each = [
            contrast_frames(own(frames), self.anchor, weights, flags(0, 0, 1), 0.5).item()
            for weights in (row(1.0, 0, 0), row(0, 1.0, 0))
        ]
        both = contrast_frames(own(frames), self.anchor, row(3.0, 1.0, 0), flags(0, 0, 1), 0.5).item()
        assert both == pytest.approx(0.75 * each[0] + 0.25 * each[1], rel=1e-5)

    def test_light_weights_weigh_as_much_as_heavy_ones(self):
        light, heavy = (
            contrast_frames(own(self.frames), self.anchor, row(weight, 0, 0), flags(0, 1, 1), 0.5)
            for weight in (0.01, 1.0)
        )
        assert light.item() == pytest.approx(heavy.item())

    def test_videos_without_negatives_or_foreground_are_left_out_of_the_mean(self):
        one = contrast_frames(own(self.frames), self.anchor, row(1.0, 0, 0), flags(0, 1, 1), 0.5)
        three = contrast_frames(
            own(self.frames.expand(3, -1, -1)),
            self.anchor.expand(3, -1),
            torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 0, 0]]),
            torch.tensor([[0, 1, 1], [0, 0, 0], [0, 1, 1]]).bool(),
            0.5,
        )
        assert three.item() == pytest.approx(one.item())

    def test_videos_with_both_weigh_the_same(self):
        frames = torch.cat([self.frames, directions(40, 100, 20)])
        foreground, negatives = torch.tensor([[1.0, 0, 0], [0, 0.2, 0]]), torch.tensor([[0, 1, 1], [1, 0, 1]]).bool()
        each = [
            contrast_frames(own(frames[[i]]), self.anchor, foreground[[i]], negatives[[i]], 0.5).item()
            for i in range(2)
        ]
        both = contrast_frames(own(frames), self.anchor.expand(2, -1), foreground, negatives, 0.5)
        assert both.item() == pytest.approx(sum(each) / 2)

    def test_without_any_negative_it_is_zero(self):
        assert contrast_frames(own(self.frames), self.anchor, row(1.0, 0, 0), flags(0, 0, 0), 0.5) == 0


class TestEstimate:
    scores = row(0.0, 0.1, 1.0, 0.5, 0.9, 0.6, 0.1, 0.0)
    mask = torch.ones(1, 8, dtype=torch.bool)

    def test_by_height_frames_between_the_two_are_neither(self):
        foreground, background = estimate_foreground(self.scores, self.mask, ContrastConfig())
        assert torch.allclose(foreground, row(0.0, 0.0, 1.0, 0.0, 0.9, 0.0, 0.0, 0.0))
        assert background.tolist() == flags(1, 1, 0, 0, 0, 0, 1, 1).tolist()

    def test_by_what_stands_out_it_is_one_stretch_and_all_else_is_background(self):
        foreground, background = estimate_foreground(self.scores, self.mask, ContrastConfig(balance=0.7))
        assert foreground.tolist() == row(0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0).tolist()
        assert background.tolist() == flags(1, 1, 0, 0, 0, 0, 1, 1).tolist()

    def test_frames_at_the_limits_count(self):
        foreground, background = estimate_foreground(
            row(0.0, 0.25, 0.5, 1.0), flags(1, 1, 1, 1), ContrastConfig(foreground=0.5, background=0.25)
        )
        assert foreground.tolist() == [[0.0, 0.0, 0.5, 1.0]]
        assert background.tolist() == [[True, True, False, False]]

    @pytest.mark.parametrize("balance", [0.0, 0.7])
    def test_padding_is_neither(self, balance):
        mask, scores = flags(1, 1, 1, 1, 1, 1, 0, 0), self.scores.clone()
        scores[0, 6] = 1.0
        foreground, background = estimate_foreground(scores, mask, ContrastConfig(balance=balance))
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
        return contrast_coarsely(own(frames), self.query, scores, mask, config or self.config)

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
            contrast_coarsely(own(self.frames), query, self.scores, flags(1, 1, 1, 1), self.config)
            for query in (directions(0)[0], directions(160)[0])
        )
        assert toward < away

    def test_the_foreground_may_be_the_stretch_that_stands_out(self):
        frames = self.frames.clone().requires_grad_()
        self.loss(frames, config=ContrastConfig(temperature=0.5, balance=0.7)).backward()
        towards = frames.grad[0] @ self.query[0]
        assert towards[0] < 0 < towards[3]

    def test_a_flat_curve_costs_nothing(self):
        assert self.loss(scores=row(0.5, 0.5, 0.5, 0.5)) == 0

    def test_is_the_mean_over_queries_each_with_its_own_video(self):
        rows = [
            (self.frames, directions(0)[0], self.scores),
            (directions(90, 10, 40, 170), directions(30)[0], row(0.1, 1.0, 0.9, 0.0)),
        ]
        alone = [contrast_coarsely(own(each[0]), *each[1:], flags(1, 1, 1, 1), self.config).item() for each in rows]
        frames, query, scores = (torch.cat(parts) for parts in zip(*rows, strict=True))
        both = contrast_coarsely(own(frames), query, scores, flags(1, 1, 1, 1).expand(2, -1), self.config)
        assert both.item() == pytest.approx(sum(alone) / 2, rel=1e-5)
