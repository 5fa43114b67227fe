import pytest
import torch

from training.foreground import blur_curve, find_standout

REAL = torch.ones(1, 10).bool()


def curve(*heights: float) -> torch.Tensor:
    return torch.tensor([heights], dtype=torch.float32)


class TestStandout:
    @pytest.mark.parametrize("balance", [0.3, 0.7, 1.0])
    def test_finds_the_stretch_that_stands_out(self, balance):
        scores = curve(0, 0, 0, 1, 1, 1, 1, 0, 0, 0)
        assert find_standout(scores, REAL, balance)[0].nonzero().flatten().tolist() == [3, 4, 5, 6]

    def test_is_whole_where_the_curve_dips(self):
        found = find_standout(curve(0, 0, 0, 1, 0.6, 1, 1, 0, 0, 0), REAL, 0.7)
        assert found[0].nonzero().flatten().tolist() == [3, 4, 5, 6]

    def test_more_balance_gives_longer_stretches(self):
        scores = curve(0, 0, 0.2, 0.4, 0.7, 1, 0.7, 0.4, 0.2, 0)
        lengths = [int(find_standout(scores, REAL, balance).sum()) for balance in (0.1, 0.7, 2.0)]
        assert lengths == sorted(lengths)
        assert lengths[0] < lengths[-1]

    def test_padding_changes_nothing(self):
        scores = curve(0, 1, 1, 0, 0)
        mask = torch.ones(1, 5).bool()
        padded = find_standout(
            torch.nn.functional.pad(scores, (0, 5), value=9.0), torch.nn.functional.pad(mask, (0, 5)), 0.7
        )
        assert padded[0, :5].tolist() == find_standout(scores, mask, 0.7)[0].tolist()
        assert not padded[0, 5:].any()

    def test_never_the_whole_video(self):
        assert 0 < int(find_standout(torch.full((1, 10), 0.5), REAL, 0.7).sum()) < 10

    def test_a_video_of_one_frame_has_none(self):
        assert not find_standout(torch.ones(1, 3), torch.tensor([[True, False, False]]), 0.7).any()


class TestBlurredCurve:
    def test_keeps_a_level_curve_to_its_edges(self):
        level = blur_curve(torch.full((1, 4), 0.5), torch.tensor([[True, True, True, False]]))
        assert torch.allclose(level, torch.tensor([[0.5, 0.5, 0.5, 0.0]]))

    def test_mixes_neighbours(self):
        mixed = blur_curve(curve(0, 0, 1, 0, 0), torch.ones(1, 5).bool())
        assert torch.allclose(mixed, curve(0, 0.25, 0.5, 0.25, 0))
