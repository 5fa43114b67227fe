import dataclasses

import numpy as np
import pytest
import torch

from grounding import answer as answers
from grounding.answer import build_answer, describe_reading, judge_segments
from grounding.checkpoint import CheckpointConfig, GrounderConfig
from grounding.encoders.queries import QueryTokens
from grounding.features.encoded_video import EncodedVideo
from grounding.scoring import Match
from grounding.segments.config import SegmentConfig
from grounding.segments.find import Segment
from grounding.segments.scene_joins import READING, JoinDetector

CONFIG = CheckpointConfig("plain", "toy", GrounderConfig(frame_width=2, width=2))


@pytest.fixture
def video():
    """Ten seconds in which the middle is another scene, and of which a second could not be decoded."""
    features = np.where((np.arange(20) // 8 == 1)[:, None], [0.0, 1.0], [1.0, 0.0])
    return EncodedVideo(np.arange(20) / 2, features, 10.0, "toy", ((9.0, 10.0),))


def answer(video, query="the other scene", row=0, config=CONFIG, joins=None):
    frames = torch.from_numpy(video.features).float()  # (T, 2), as if the grounder left them alone
    read = QueryTokens(torch.ones(2, 1, 2), torch.ones(2, 1).bool(), cut=frozenset([1]))
    match = Match((0.1 + 0.8 * frames[:, 1]).expand(2, -1), read, "stand-in", joins=joins)
    return build_answer(config, video, query, match, row, top_k=2, pictures=frames)


def test_segments_are_read_off_the_scores(video):
    best = answer(video).segments[0]
    assert (best.start, best.end) == pytest.approx((4.0, 8.0), abs=0.3)
    assert best.score == pytest.approx(0.9, abs=0.05)


def test_hard_negatives_lie_outside_their_segment_on_both_sides(video):
    found = answer(video)
    assert {frame.side for frame in found.hard_negatives if frame.segment == 0} == {"before", "after"}
    for frame in found.hard_negatives:
        segment = found.segments[frame.segment]
        assert not segment.start <= frame.timestamp < segment.end


def test_a_segment_after_the_best_stands_out_where_it_comes_near_it():
    segments = [Segment(start, start + 1.0, score) for start, score in ((0.0, 0.4), (1.0, 0.31), (2.0, 0.29))]
    judged = judge_segments(segments, np.arange(4.0), np.ones(3), threshold=0.5)
    assert [one.stands_out for one in judged] == [True, True, False]


def test_an_answer_says_what_it_is_of(video):
    found = answer(video)
    assert (found.query, found.duration, found.checkpoint) == ("the other scene", 10.0, "plain")
    assert found.skipped == ((9.0, 10.0),)
    assert found.timestamps is video.timestamps and found.scores.dtype == np.float64


def test_scene_changes_are_looked_for_once_in_a_video(video, monkeypatch):
    looks, find = [], answers.find_scene_changes
    monkeypatch.setattr(answers, "find_scene_changes", lambda *given: looks.append(1) or find(*given))
    answer(video)
    answer(video, "something else")
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("windows", "step", "rough", "fits"),
    [((2.0,), 0.5, 0, True), ((2.0,), 5.0, 0, False), ((2.0,), 0.5, 3, False), ((), 0.5, 0, False)],
)
def test_joins_are_asked_and_count_for_more_where_frames_follow_each_other_as_their_detector_knows(
    video, monkeypatch, windows, step, rough, fits
):
    config = dataclasses.replace(CONFIG, segments=SegmentConfig(windows=windows))
    video = dataclasses.replace(video, rough=rough)
    joins = JoinDetector(np.eye(2), ((np.zeros((1, 81, 1)), np.ones((1, 1, 1))),), step)
    seen, read = [], answers.find_segments
    monkeypatch.setattr(answers, "find_segments", lambda *given: seen.append(given[5]) or read(*given))
    look = answers.find_scene_changes
    monkeypatch.setattr(answers, "find_scene_changes", lambda *given: seen.append(given[3]) or look(*given))
    answer(video, config=config, joins=joins)
    detector, reading = seen
    assert detector is (joins if fits else None)
    assert reading == dataclasses.replace(config.segments, **(READING if fits else {}))


@pytest.mark.parametrize(
    ("query", "said"), [("猫の顔", True), ("кошка", True), ("a cat", False), ("a 猫", False), ("42 🎉", False)]
)
def test_a_doubt_says_that_only_english_is_read_where_no_letter_is_of_it(video, query, said):
    whole = answer(video, query)
    doubtful = dataclasses.replace(whole, segments=[dataclasses.replace(whole.segments[0], stands_out=False)])
    assert doubtful.doubt.endswith("Only English is read.") == said
    assert whole.doubt == ""


def test_an_answer_says_who_read_the_query_and_whether_in_full(video):
    whole, cut = answer(video), answer(video, "the other scene, at length", row=1)
    assert (whole.queries_by, whole.query_cut, cut.query_cut) == ("stand-in", False, True)
    assert whole.to_dict()["queries_by"] == "stand-in" and "query_cut" not in whole.to_dict()
    assert cut.to_dict()["query_cut"] is True
    assert "the other scene, at length" in describe_reading([whole, cut])
    assert describe_reading([whole]).count("stand-in") == 1 and "longer" not in describe_reading([whole])


def test_of_an_answer_by_minilm_there_is_nothing_to_say(video):
    assert describe_reading([dataclasses.replace(answer(video), queries_by="minilm")]) == ""


def test_times_in_json_lack_the_noise_of_arithmetic(video):
    found = answer(video)
    segment = dataclasses.replace(found.segments[0], start=16.759999999999998, end=20.000000000000004)
    values = dataclasses.replace(found, segments=[segment], duration=0.1 + 0.2, skipped=((0.1 + 0.7, 1.1),)).to_dict()
    assert values["segments"][0] == {"start": 16.76, "end": 20.0, "score": segment.score}
    assert values["duration"] == 0.3 and values["skipped"] == [[0.8, 1.1]]


class NoJoins(JoinDetector):
    """Takes every video for one scene."""

    def estimate(self, timestamps, features):
        return np.pad(np.zeros(len(features) - 1), 1, constant_values=0.5)


def test_scenes_meet_where_the_checkpoints_own_networks_say_so_and_where_it_has_none_as_its_config_says(video):
    segments = SegmentConfig(windows=(2.0,), join=0.1, changes=5, thresholds=())
    config = dataclasses.replace(CONFIG, segments=segments, scene_joins="a sha256")
    joins = NoJoins(np.eye(2), (), 0.5)
    told = [[one.span for one in answer(video, config=config, joins=given).segments] for given in (joins, None, joins)]
    assert told[0] == told[2] == [(0.0, 10.0)]
    assert told[1][0] == pytest.approx((4.0, 7.5), abs=0.3)
