from dataclasses import replace

import numpy as np
import pytest

from grounding.segments.config import SegmentConfig
from grounding.segments.find import compute_iou, find_segments
from grounding.segments.scene_changes import SceneChanges
from grounding.segments.scenes import divide, find_scenes
from tests.curves import curve, scenes

NONE = np.empty(0, dtype=int)
CONFIG = SegmentConfig(smoothing=0.0, windows=(1.5, 6.0), others_share=0.1)


def find(scores, features, config=CONFIG, **options):
    times = np.arange(len(scores)) + 0.5
    return find_segments(times, scores, features, float(len(scores)), config=config, **options)


def changes(length, **chances):
    strength = np.zeros(length + 1)
    strength[[int(edge[1:]) for edge in chances]] = list(chances.values())
    return SceneChanges(strength, strength)


def test_the_other_segments_are_the_other_scenes_the_highest_first():
    scores = curve(100, (0, 20, 0.2), (20, 45, 0.3), (45, 60, 0.9), (60, 80, 0.4), (80, 100, 0.1))
    found = find(scores, scenes(100, 20, 45, 60, 80))
    assert [segment.span for segment in found] == [(45, 60), (60, 80), (20, 45), (0, 20), (80, 100)]


def test_the_highest_by_the_score_that_is_shown():
    scores = curve(60, (0, 20, 0.9), (20, 40, 0.2), (40, 60, 0.9))
    scores[41:60:2] = 0.001  # 0.45 on the mean, but the mean of the log odds is lower
    assert [segment.span for segment in find(scores, scenes(60, 20, 40))] == [(0, 20), (40, 60), (20, 40)]


def test_there_are_at_most_as_many_as_are_asked_for():
    found = find(curve(100, (45, 60, 0.9)), scenes(100, 20, 45, 60, 80), top_k=3)
    assert len(found) == 3


@pytest.mark.parametrize("second", [0.5, 0.9])
def test_a_second_peak_within_one_scene_is_found_whole_and_what_lies_around_it_is_none(second):
    found = find(curve(100, (10, 22, 0.9), (60, 75, second)), np.ones((100, 8)))
    assert {segment.span for segment in found} == {(10, 22), (60, 75)}


def test_a_second_peak_of_a_long_video_is_found_whole_in_spite_of_noise():
    logits = np.full(3600, -2.0) + 0.4 * np.random.default_rng(0).standard_normal(3600)
    logits[600:640] += 3
    logits[2500:2560] += 2
    _, second, *_ = find(1 / (1 + np.exp(-logits)), np.ones((3600, 8)), config=replace(CONFIG, smoothing=3.0))
    assert compute_iou(second.span, (2500, 2560)) > 0.9


def test_a_short_blip_divides_no_scene():
    scores = curve(100, (10, 22, 0.9))
    scores[60] = 0.9
    assert [segment.span for segment in find(scores, scenes(100, 22))] == [(10, 22), (22, 100)]


class TestFindScenes:
    edges = np.arange(41.0)
    logits = np.concatenate([np.zeros(10), np.full(10, 3.0), np.zeros(20)])

    def test_what_a_change_divides_from_a_higher_piece_is_a_scene_of_its_own(self):
        found = find_scenes(self.edges, self.logits, changes(40, e10=0.9, e20=0.9), NONE, (10, 20), 5.0)
        assert found == [(0, 10), (20, 40)]

    def test_what_nothing_divides_from_it_is_its_slope(self):
        assert find_scenes(self.edges, self.logits, changes(40, e20=0.9), NONE, (10, 20), 5.0) == [(20, 40)]

    def test_what_is_too_short_is_left_out(self):
        assert find_scenes(self.edges, self.logits, changes(40, e10=0.9, e20=0.9), NONE, (10, 20), 15.0) == [(20, 40)]

    def test_a_moment_that_fills_the_video_has_nothing_beside_it(self):
        assert find_scenes(self.edges, self.logits, changes(40), NONE, (0, 40), 5.0) == []


class TestDivide:
    edges, bounds = np.arange(31.0), np.array([0, 10, 20, 30])

    def test_at_changes_that_are_likelier_than_not(self):
        cuts = np.full(31, -2.0)
        cuts[10] = 1.0
        assert divide(self.edges, np.zeros(30), self.bounds, cuts, 5.0) == [(0, 10), (10, 30)]

    def test_and_where_the_curve_changes_its_level(self):
        logits = np.repeat([0.0, 0.0, 2.0], 10)
        assert divide(self.edges, logits, self.bounds, np.full(31, -2.0), 5.0) == [(0, 20), (20, 30)]

    def test_never_into_pieces_that_are_too_short(self):
        cuts = np.full(31, 1.0)
        assert divide(self.edges, np.zeros(30), self.bounds, cuts, 10.0) == [(0, 10), (10, 20), (20, 30)]
        assert divide(self.edges, np.zeros(30), self.bounds, cuts, 15.0) == [(0, 30)]
        assert divide(self.edges, np.zeros(30), self.bounds, cuts, 40.0) == [(0, 30)]
