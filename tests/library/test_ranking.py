import numpy as np
import pytest

from grounding import EncodedVideo
from grounding.exports.cut_list import Moment
from grounding.library import ranking
from grounding.library.ranking import LATER, describe_doubt, rank_moments


def make_video(seed: int, width: int) -> EncodedVideo:
    """Three scenes of ten seconds."""
    rng = np.random.default_rng(seed)
    features = (np.repeat(rng.normal(size=(3, width)), 20, axis=0) + 0.3 * rng.normal(size=(60, width))).astype(
        "float32"
    )
    return EncodedVideo(np.arange(60) / 2, features, 30.0, "embedded")


@pytest.fixture
def videos(predictor):
    return {name: make_video(seed, predictor.config.model.frame_width) for seed, name in enumerate("abcd")}


def test_moments_follow_their_videos_best_window_less_for_later_ones(predictor, videos):
    evidence = {"a": 0.30, "b": 0.30 - 1.5 * LATER, "c": 0.0}
    found = rank_moments(predictor, "a cat", evidence, videos.get, 4, 4)
    assert [moment.video for moment in found] == ["a", "a", "b", "a"]
    best = predictor.ground(videos["a"], "a cat", 3)
    assert [(one.start, one.end) for one in found if one.video == "a"] == [(s.start, s.end) for s in best.segments]
    assert [moment.score for moment in found] == sorted((moment.score for moment in found), reverse=True)


def test_only_videos_that_can_be_among_the_first_are_read(predictor, videos):
    asked = []

    def load(name):
        asked.append(name)
        return videos[name]

    rank_moments(predictor, "a cat", {"a": 0.3, "b": 0.29, "c": 0.1, "d": 0.0}, load, 3, 4)
    assert sorted(asked) == ["a", "b"]


def test_a_video_that_is_left_out_gives_its_place_to_the_next(predictor, videos):
    del videos["a"]
    found = rank_moments(predictor, "a cat", {"a": 0.3, "b": 0.2}, videos.get, 1, 4)
    assert [moment.video for moment in found] == ["b"]
    assert rank_moments(predictor, "a cat", {}, videos.get, 1, 4) == []


def test_more_evidence_is_asked_for_the_more_videos_there_are(predictor, videos):
    def stands_out(margin):
        return [one.stands_out for one in ranking.ground_moments(predictor, videos["a"], "a cat", margin)]

    assert stands_out(0.0)[0] == predictor.ground(videos["a"], "a cat").stands_out
    assert stands_out(-100.0)[0] and set(stands_out(100.0)) == {False}


def test_doubt_is_said_only_where_no_moment_stands_out():
    doubtful, sure, unknown = (Moment("a", "x", 0, 1, 0.5, stands_out) for stands_out in (False, True, None))
    assert describe_doubt([doubtful, doubtful]) == ranking.NOTHING_STANDS_OUT
    assert describe_doubt([doubtful, sure]) == describe_doubt([unknown]) == describe_doubt([]) == ""
    assert describe_doubt([Moment("a", "猫", 0, 1, 0.5, False)]).endswith("Only English is read.")
