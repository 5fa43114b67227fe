import math

import pytest
import torch
import torch.nn.functional as F

from tests.training.tensors import flags, row
from training.losses import judge_presence, match_videos, pool_best

NOTHING = torch.zeros(2, 2, dtype=torch.bool)
DIAGONAL = torch.eye(2, dtype=torch.bool)


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

    def test_stays_on_the_device_of_its_logits(self):
        logits = torch.zeros(2, 3, device="meta")  # as good as a GPU: the CPU's tensors do not mix with it
        assert pool_best(logits, logits == 0, 0.5).device.type == "meta"


class TestVideoLevelLoss:
    def test_is_symmetric_info_nce(self):
        pooled = torch.tensor([[2.0, 0.5], [-1.0, 1.0]])
        target = torch.arange(2)
        expected = (F.cross_entropy(pooled, target) + F.cross_entropy(pooled.T, target)) / 2
        assert match_videos(pooled, DIAGONAL, NOTHING).item() == pytest.approx(expected.item())

    def test_falls_when_the_right_pairs_score_higher(self):
        pooled = torch.zeros(2, 2, requires_grad=True)
        match_videos(pooled, DIAGONAL, NOTHING).backward()
        assert (pooled.grad.diag() < 0).all()
        assert (pooled.grad[~DIAGONAL] > 0).all()

    def test_ignored_pairs_weigh_nothing(self):
        ignored = torch.tensor([[False, True], [False, False]])
        losses = [
            match_videos(torch.tensor([[1.0, other], [0.0, 1.0]]), DIAGONAL, ignored).item() for other in (0.0, 9.0)
        ]
        assert losses[0] == pytest.approx(losses[1])
        assert losses[0] == pytest.approx(math.log(1 + math.exp(-1)) / 2)  # one row, one column are left

    def test_a_positive_is_never_ignored(self):
        pooled = torch.tensor([[2.0, 0.5], [-1.0, 1.0]])
        assert match_videos(pooled, DIAGONAL, DIAGONAL) == match_videos(pooled, DIAGONAL, NOTHING)

    def test_a_sentence_without_a_video_counts_only_as_a_negative(self):
        pooled, match = torch.tensor([[2.0, 0.5], [-1.0, 1.0], [0.3, 0.7]]), torch.eye(3, 2, dtype=torch.bool)
        rows = F.cross_entropy(pooled[:2], torch.arange(2))
        columns = F.cross_entropy(pooled.T, torch.arange(2))
        loss = match_videos(pooled, match, torch.zeros(3, 2, dtype=torch.bool))
        assert loss.item() == pytest.approx(((rows + columns) / 2).item())

    def test_several_sentences_of_one_video_can_all_be_right(self):
        pooled = torch.tensor([[9.0, -9.0], [9.0, -9.0], [-9.0, 9.0]], requires_grad=True)
        match = torch.tensor([[True, False], [True, False], [False, True]])
        match_videos(pooled, match, torch.zeros_like(match)).backward()
        assert pooled.grad.abs().max() < 1e-6  # nothing is left to learn

    def test_several_sentences_of_one_video_share_its_probability(self):
        pooled = torch.tensor([[1.0, 0.0], [0.5, 0.2], [-1.0, 2.0]])
        match = torch.tensor([[True, False], [True, False], [False, True]])
        rows = F.cross_entropy(pooled, torch.tensor([0, 0, 1]))
        first, second = pooled.T.softmax(dim=-1)
        columns = -(((first[0] + first[1]) / 2).log() + second[2].log()) / 2
        loss = match_videos(pooled, match, torch.zeros_like(match))
        assert loss.item() == pytest.approx(((rows + columns) / 2).item())


class TestPresenceLoss:
    def test_positives_and_negatives_weigh_the_same(self):
        pooled, positive = torch.zeros(4, 4), torch.eye(4, dtype=torch.bool)
        pooled[positive] = 1.0
        expected = (math.log(1 + math.exp(-1)) + math.log(2)) / 2
        assert judge_presence(pooled, positive, torch.zeros_like(positive)).item() == pytest.approx(expected)

    def test_pulls_the_positives_up_and_the_negatives_down(self):
        pooled = torch.zeros(2, 2, requires_grad=True)
        judge_presence(pooled, DIAGONAL, NOTHING).backward()
        assert (pooled.grad.diag() < 0).all()
        assert (pooled.grad[~DIAGONAL] > 0).all()

    def test_ignored_pairs_get_no_gradient(self):
        pooled = torch.zeros(2, 2, requires_grad=True)
        judge_presence(pooled, DIAGONAL, torch.tensor([[False, True], [False, False]])).backward()
        assert pooled.grad[0, 1] == 0
        assert pooled.grad[1, 0] > 0

    def test_one_pair_alone_is_finite(self):
        alone = torch.ones(1, 1, dtype=torch.bool)
        assert judge_presence(torch.zeros(1, 1), alone, ~alone).isfinite()
