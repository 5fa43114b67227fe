import pytest
import torch

from grounding.segments.hard_negatives import (
    SCALES,
    Scale,
    compute_prototype,
    inspect_segment,
    measure_boundary_distance,
    measure_moment_similarity,
    mine_hard_negatives,
)

WIDE = Scale(100.0, 1.0)


def flags(*values: int) -> torch.Tensor:
    return torch.tensor([values]).bool()


@pytest.mark.parametrize(
    ("radius", "share", "named"), [(0, 0.5, "radius"), (-1, 0.5, "radius"), (1, 0, "share"), (1, 1.1, "share")]
)
def test_a_scale_checks_its_numbers(radius, share, named):
    with pytest.raises(ValueError, match=f"^{named} must be above 0"):
        Scale(radius, share)


def test_the_scales_grow_wider_and_pick_fewer():
    assert sorted(SCALES, key=lambda scale: scale.radius) == list(SCALES)
    assert [scale.share for scale in SCALES] == sorted((scale.share for scale in SCALES), reverse=True)


def test_a_prototype_is_the_weighted_mean_direction():
    frames = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert compute_prototype(frames, torch.tensor([3.0, 4.0, 0.0])).tolist() == pytest.approx([0.6, 0.8])


def test_boundary_distance_is_in_seconds():
    timestamps = torch.tensor([[0.0, 0.5, 2.0, 7.0]])
    distance = measure_boundary_distance(flags(0, 1, 0, 0), timestamps)
    assert distance.tolist() == [[0.5, 0.0, 1.5, 6.5]]


def test_boundary_distance_takes_the_nearest_foreground_frame():
    assert measure_boundary_distance(flags(1, 0, 0, 1), torch.tensor([[0.0, 1.0, 2.5, 3.0]])).tolist() == [
        [0, 1, 0.5, 0]
    ]


def test_boundary_distance_is_each_row_s_own():
    foreground, timestamps = (
        torch.tensor([[1, 0, 0], [0, 0, 1]]).bool(),
        torch.tensor([[0.0, 1.0, 2.0], [0.0, 3.0, 4.0]]),
    )
    assert measure_boundary_distance(foreground, timestamps).tolist() == [[0, 1, 2], [4, 1, 0]]


def test_without_foreground_everything_is_infinitely_far():
    assert measure_boundary_distance(flags(0, 0), torch.tensor([[0.0, 1.0]])).isinf().all()


class TestMine:
    similarity = torch.tensor([[0.9, 0.1, 0.5, 0.3]])
    far = torch.full((1, 4), 50.0)

    def test_takes_the_most_similar_share(self):
        assert mine_hard_negatives(self.similarity, flags(1, 1, 1, 1), self.far, Scale(1, 0.5), 0.95).tolist() == [
            [1, 0, 1, 0]
        ]

    def test_only_candidates(self):
        assert mine_hard_negatives(self.similarity, flags(0, 1, 1, 1), self.far, Scale(1, 0.3), 0.95).tolist() == [
            [0, 0, 1, 0]
        ]

    def test_near_duplicates_are_left_out(self):
        assert mine_hard_negatives(self.similarity, flags(1, 1, 1, 1), self.far, WIDE, 0.9).tolist() == [[0, 1, 1, 1]]

    def test_the_share_is_of_what_is_left(self):
        mined = mine_hard_negatives(self.similarity, flags(0, 1, 1, 0), self.far, Scale(1, 0.5), 0.95)
        assert mined.tolist() == [[0, 0, 1, 0]]

    def test_at_least_one(self):
        assert mine_hard_negatives(self.similarity, flags(0, 1, 0, 0), self.far, Scale(1, 0.01), 0.95).sum() == 1

    def test_none_where_there_is_no_candidate(self):
        assert not mine_hard_negatives(self.similarity, flags(0, 0, 0, 0), self.far, WIDE, 0.95).any()

    def test_a_frame_near_the_boundary_is_harder(self):
        similarity, distance = torch.tensor([[0.50, 0.45]]), torch.tensor([[9.0, 1.0]])
        for radius, expected in ((1.0, [[0, 1]]), (0.5, [[1, 0]]), (9.0, [[1, 0]])):
            assert mine_hard_negatives(similarity, flags(1, 1), distance, Scale(radius, 0.5), 0.95).tolist() == expected

    def test_but_not_harder_than_one_that_looks_far_more_like_the_moment(self):
        similarity, distance = torch.tensor([[0.6, 0.4]]), torch.tensor([[9.0, 1.0]])
        assert mine_hard_negatives(similarity, flags(1, 1), distance, Scale(1, 0.5), 0.95).tolist() == [[1, 0]]

    def test_the_bonus_can_be_left_out(self):
        similarity, distance = torch.tensor([[0.50, 0.45]]), torch.tensor([[9.0, 1.0]])
        assert mine_hard_negatives(similarity, flags(1, 1), distance, Scale(1, 0.5), 0.95, bonus=0.0).tolist() == [
            [1, 0]
        ]

    def test_each_row_for_itself(self):
        mined = mine_hard_negatives(
            self.similarity.repeat(2, 1), torch.tensor([[1] * 4, [0, 1, 0, 1]]).bool(), self.far, WIDE, 0.95
        )
        assert mined.tolist() == [[1, 1, 1, 1], [0, 1, 0, 1]]


def test_a_moment_begins_with_the_frame_at_its_start_and_ends_before_that_at_its_end():
    frames, timestamps = torch.eye(4), torch.arange(4.0)
    similarity = measure_moment_similarity(frames, timestamps, torch.ones(4), (1.0, 3.0))
    assert similarity.tolist() == pytest.approx([0.0, 0.5**0.5, 0.5**0.5, 0.0])


class TestInspectSegment:
    timestamps = torch.arange(20.0, dtype=torch.float64)

    def inspect(self, angles, bounds=(8.0, 12.0), scores=None, **options):
        radians = torch.deg2rad(torch.as_tensor(angles, dtype=torch.float32))
        frames = torch.stack([radians.cos(), radians.sin()], dim=-1)
        scores = torch.linspace(0, 1, len(frames)) if scores is None else scores
        return inspect_segment(frames, self.timestamps[: len(frames)], scores, bounds, **options)

    def angles(self, **special):
        angles = torch.full((20,), 120.0)
        angles[8:12] = 0.0
        for name, angle in special.items():
            angles[int(name.removeprefix("at"))] = angle
        return angles

    def test_every_frame_lies_outside_on_its_side(self):
        found = self.inspect(self.angles())
        assert found
        for frame in found:
            assert (frame.timestamp < 8) if frame.side == "before" else (frame.timestamp >= 12)

    def test_one_for_each_ring_and_side(self):
        found = self.inspect(self.angles())
        assert {(frame.side, frame.scale) for frame in found} == {
            ("before", 2), ("before", 3), ("after", 1), ("after", 2), ("after", 3),
        }  # fmt: skip

    def test_rings_reach_from_radius_to_radius(self):
        for frame in self.inspect(self.angles()):
            distance = 8 - frame.timestamp if frame.side == "before" else frame.timestamp - 12
            inner, outer = {1: (0, 1), 2: (1, 3), 3: (3, 9)}[frame.scale]
            assert inner <= distance < outer

    def test_the_hardest_of_a_ring_is_found_with_its_values(self):
        found = self.inspect(self.angles(at16=10.0), segment=4)
        hardest = found[0]
        assert (hardest.timestamp, hardest.side, hardest.scale, hardest.segment) == (16.0, "after", 3, 4)
        assert hardest.similarity == pytest.approx(torch.tensor(10.0).deg2rad().cos().item(), abs=1e-5)
        assert hardest.score == pytest.approx(16 / 19)

    def test_the_hardest_comes_first(self):
        similarities = [frame.similarity for frame in self.inspect(self.angles(at16=10.0, at6=30.0))]
        assert similarities == sorted(similarities, reverse=True)

    def test_near_duplicates_are_shown(self):
        assert self.inspect(self.angles(at13=0.0))[0].similarity == pytest.approx(1.0)

    def test_the_prototype_leans_to_frames_that_score_high(self):
        angles, scores = self.angles(at10=90.0, at11=90.0), torch.zeros(20)
        angles[13], angles[14] = 0.0, 90.0
        scores[10:12] = 1.0
        best = max(self.inspect(angles, scores=scores), key=lambda frame: frame.similarity)
        assert best.timestamp == 14.0
        assert best.similarity == pytest.approx(1.0, abs=1e-4)

    def test_a_segment_without_any_score_has_a_prototype_too(self):
        assert self.inspect(self.angles(at13=0.0), scores=torch.zeros(20))[0].similarity == pytest.approx(1.0)

    def test_the_segment_is_the_first_unless_said(self):
        assert {frame.segment for frame in self.inspect(self.angles())} == {0}

    def test_a_segment_of_the_whole_video_has_none(self):
        assert self.inspect(self.angles(), bounds=(0.0, 20.0)) == []

    def test_a_segment_between_frames_has_none(self):
        assert self.inspect(self.angles(), bounds=(8.2, 8.8)) == []

    def test_a_segment_at_the_start_has_none_before(self):
        assert {frame.side for frame in self.inspect(self.angles(), bounds=(0.0, 5.0))} == {"after"}
