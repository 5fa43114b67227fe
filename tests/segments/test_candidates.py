import numpy as np
import pytest

from grounding.segments.candidates import rank_candidates, rank_windows
from grounding.segments.config import SegmentConfig
from grounding.segments.scene_changes import SceneChanges

NO_CHANGES = np.zeros(11)
CURVE = np.array([0.4, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.2, 0.0, 0.3])


def ranks(curve=CURVE, step=1.0, strength=NO_CHANGES, **options):
    """Rank of each candidate by its first and last edge; frames last `step` seconds."""
    config = SegmentConfig(thresholds=(0.5,), **options)
    found = rank_windows(np.arange(11) * step, curve, strength, config)
    assert len(set(zip(found.first, found.last, strict=True))) == len(found.rank)
    return {(int(a), int(b)): float(rank) for a, b, rank in zip(found.first, found.last, found.rank, strict=True)}


class TestContrast:
    @pytest.mark.parametrize("step", [0.01, 1.0, 3.0])
    def test_is_the_mean_inside_less_that_of_the_surroundings(self, step):
        assert ranks(step=step, balance=0.0, surroundings=0.5) == pytest.approx(
            {
                (0, 2): 0.2 - 1.0,
                (0, 4): 0.6 - 0.0,
                (2, 4): 1.0 - 0.0,
                (0, 10): 0.0,
                (2, 10): 2.5 / 8 - 0.2,
                (4, 10): 0.5 / 6 - 2 / 3,
            }
        )

    def test_the_surroundings_end_with_the_video(self):
        found = ranks(balance=0.0, surroundings=2.0)
        assert found[0, 4] == pytest.approx(0.6 - 0.5 / 6)
        assert found[2, 4] == pytest.approx(1.0 - 0.6 / 6)
        assert found[4, 10] == pytest.approx(0.5 / 6 - 0.6)

    def test_runs_from_boundary_to_boundary(self):
        strength = NO_CHANGES.copy()
        strength[7] = 0.1
        edges = {edge for window in ranks(strength=strength) for edge in window}
        assert edges == {0, 2, 4, 7, 10}


class TestLength:
    """By how much the length of a window changes its rank."""

    def weight(self, window, step, balance=1.0):
        return ranks(step=step, balance=balance)[window] / ranks(step=step, balance=0.0)[window]

    @pytest.mark.parametrize("step", [0.01, 1.0, 18.0])
    def test_counts_by_its_share_of_the_video(self, step):
        assert self.weight((2, 4), step) == pytest.approx(0.2 * 0.8)
        assert self.weight((2, 4), step, balance=0.5) == pytest.approx(0.4)
        assert self.weight((2, 10), step) == pytest.approx(0.8 * 0.2)

    def test_in_a_long_video_by_its_share_of_three_minutes(self):
        assert self.weight((2, 4), 27.0) == pytest.approx(0.3 * 0.7)  # 54 of 180 seconds
        assert self.weight((2, 4), 36.0) == pytest.approx(0.4 * 0.6)

    def test_of_half_an_hour_all_up_to_the_half_count_alike_and_longer_ones_less(self):
        assert self.weight((2, 4), 180.0) == pytest.approx(0.25)
        assert self.weight((0, 4), 180.0) == pytest.approx(0.25)
        assert self.weight((2, 10), 180.0) == pytest.approx(0.8 * 0.2)


def test_changes_at_its_ends_raise_a_window_by_their_mean_strength():
    strength = NO_CHANGES.copy()
    strength[[0, 2, 4]] = 0.5, 1.0, 0.2
    plain, raised = ranks(strength=strength, change_bonus=0.0), ranks(strength=strength, change_bonus=2.0)
    assert raised[2, 4] / plain[2, 4] == pytest.approx(1 + 2 * 0.6)
    assert raised[0, 4] / plain[0, 4] == pytest.approx(1 + 2 * 0.35)
    assert raised[4, 10] / plain[4, 10] == pytest.approx(1 + 2 * 0.1)


def test_what_is_cut_out_is_as_if_it_were_not_there():
    config = SegmentConfig(thresholds=(0.5,), balance=0.7)
    taken = np.zeros(14, dtype=bool)
    taken[6:10] = True
    longer = np.insert(CURVE, [6] * 4, [0.9, 0.2, 0.9, 0.7])
    found = rank_windows(np.arange(15.0), longer, np.zeros(15), config, taken)
    assert not any(first < 10 and last > 6 for first, last in zip(found.first, found.last, strict=True))
    short = ranks(balance=0.7)
    alike = {(0, 2): (0, 2), (0, 4): (0, 4), (2, 4): (2, 4)}
    for rank, first, last in zip(found.rank, found.first, found.last, strict=True):
        if (first, last) in alike:
            assert rank == pytest.approx(short[alike[first, last]])


class TestRankCandidates:
    def rank(self, coherence, windows=(1.0,)):
        chances = NO_CHANGES.copy()
        chances[3] = 0.8  # within the moment
        config = SegmentConfig(thresholds=(0.5,), windows=windows, coherence=coherence)
        found = rank_candidates(np.arange(11.0), CURVE, SceneChanges(chances, NO_CHANGES), config)
        return found.rank[(found.first == 2) & (found.last == 4)].item()

    def test_loses_by_the_chance_that_scenes_meet_inside(self):
        assert self.rank(1.0) / self.rank(0.0) == pytest.approx(0.2)
        assert self.rank(2.0) / self.rank(0.0) == pytest.approx(0.04)

    def test_but_not_where_no_lasting_changes_are_asked_for(self):
        assert self.rank(1.0, windows=()) == self.rank(0.0)
