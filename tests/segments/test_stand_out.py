import math

import numpy as np
import pytest

from grounding.segments.stand_out import StandOutRule, describe_doubt, measure_evidence, weigh_frames


def score(logits) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(logits, dtype=np.float64)))


class TestMeasureEvidence:
    def test_is_none_where_other_videos_fit_as_well(self):
        assert measure_evidence(score([3, -2, 1]), np.array([0, 0, 1]), score([1, 1, 1]), 2.0) == pytest.approx(0.0)

    def test_is_the_moment_s_log_odds_less_the_soft_maximum_elsewhere(self):
        evidence = measure_evidence(score([2.0, 0.0]), np.array([1.0, 0.0]), score([1.0, -1.0]), 1.0)
        assert evidence == pytest.approx(2.0 - math.log((math.e + 1 / math.e) / 2))

    def test_frames_of_the_moment_count_by_their_time(self):
        scores, elsewhere = score([1.0, 3.0, -9.0]), score([0.0])
        assert measure_evidence(scores, np.array([3.0, 1.0, 0.0]), elsewhere, 1.0) == pytest.approx(1.5)

    def test_the_higher_the_power_the_more_the_best_elsewhere_counts(self):
        scores, elsewhere = score([1.0]), score([2.0] + [-2.0] * 99)
        low, high = (measure_evidence(scores, np.ones(1), elsewhere, power) / power for power in (0.5, 50.0))
        assert high < 0 < low

    @pytest.mark.parametrize("certain", [0.0, 1.0])
    def test_certain_scores_give_no_infinity(self, certain):
        assert np.isfinite(measure_evidence(np.full(3, certain), np.ones(3), np.full(5, 1 - certain), 100.0))


def test_a_rule_is_met_from_its_threshold_on():
    given = score([1.0, 0.0]), np.array([1.0, 0.0]), score([0.0])
    assert StandOutRule(1.0, 0.99, "").is_met(*given)
    assert not StandOutRule(1.0, 1.01, "").is_met(*given)


def test_a_video_is_filled_where_its_frames_stand_out_by_themselves_and_the_rule_says_so():
    nearly_all = score([2.0] * 19 + [1.0]), np.ones(20), score([0.0])
    given = StandOutRule(1.0, 1.9, "", fills=True), StandOutRule(1.0, 2.1, "", fills=True), StandOutRule(1.0, 1.9, "")
    assert [rule.is_filled(*nearly_all) for rule in given] == [True, False, False]


@pytest.mark.parametrize(
    ("logits", "seconds", "filled"),
    [
        ([2.0] * 9 + [1.9], [1.0] * 10, True),
        ([9.0] * 4 + [1.0], [1.0] * 5, False),  # eight of ten stand out
        ([9.0] * 20 + [1.0], [0.5] * 20 + [20.0], False),  # nearly all frames, a third of the time
        ([1.0] + [9.0] * 2, [0.5] + [10.0] * 2, True),  # two of three frames, nearly all of the time
        ([2.0] * 91 + [-9.0] * 9, [0.5] * 100, False),  # as a whole it does not stand out
    ],
)
def test_a_video_is_filled_by_seconds_and_only_where_the_whole_stands_out(logits, seconds, filled):
    given = score(logits), np.array(seconds), score([0.0])
    rule = StandOutRule(1.0, 1.95, "", fills=True)
    assert rule.is_filled(*given) is filled
    assert rule.is_met(*given) or not filled


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ((0.0, 1.0, ""), "power"),
        ((101.0, 1.0, ""), "power"),
        ((1.0, float("nan"), ""), "threshold"),
        ((1.0, 1.0, "", "no"), "fills"),
        ((1.0, 1.0, "", None), "fills"),
    ],
)
def test_a_rule_checks_its_values(rule, named):
    with pytest.raises(ValueError, match=f"^{named} must be"):
        StandOutRule(*rule)


def test_frames_are_weighed_by_what_of_them_lies_in_the_moment():
    assert weigh_frames(np.array([0.0, 1.0, 2.0, 4.0]), 0.5, 3.0).tolist() == [0.5, 1.0, 1.0]


def test_the_doubt_names_the_range_of_the_curve():
    said = describe_doubt(np.array([0.243, 0.291, 0.25]))
    assert said == "Nothing here stands out for this sentence; the curve stays between 0.24 and 0.29."
    said = describe_doubt(np.array([0.01, 0.6]))
    assert said.startswith(
        "Uncertain: the curve rises from 0.01 to 0.60, but frames of other videos score about as high"
    )
