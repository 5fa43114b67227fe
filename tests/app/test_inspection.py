import re
from dataclasses import replace

import pytest

from grounding.app.inspection import (
    SHOWN,
    choose_inside,
    describe_frame,
    describe_hardest,
    judge,
    render_inspection,
    render_side,
)
from grounding.segments.find import Segment
from tests.states import make_state


def times(shown):
    return [float(time) for time in re.findall(r'data-time="([\d.]+)"', shown)]


def text(shown):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown))


def test_each_side_has_the_frame_just_inside_then_the_nearest_scale_first():
    assert times(render_side(make_state(), "before")) == [2.0, 1.5]
    assert times(render_side(make_state(), "after")) == [3.5, 4.0, 5.0]
    assert "just inside" in render_side(make_state(), "before")


def test_a_boundary_frame_has_its_scale_time_score_and_similarity():
    shown = text(render_side(make_state(), "after"))
    assert "b 1 to 3 s away 0:05.0 score 0.50 similarity 0.50" in shown  # similarities rise by a tenth a second
    assert "a within 1 s 0:04.0 score 0.40 similarity 0.40" in shown


def test_the_hardest_of_all_stands_out_once():
    shown = render_inspection(make_state())
    assert shown.count('class="frame hardest"') == 1
    assert 'class="frame hardest" data-time="5.000"' in shown


def test_the_frames_of_the_segment_are_those_inside_it():
    assert choose_inside(make_state()) == [2.0, 2.5, 3.0, 3.5]
    whole = choose_inside(make_state().select_segment(1))
    assert len(whole) == SHOWN
    assert (whole[0], whole[-1]) == (0.0, 5.5)


def test_one_sentence_says_what_one_is_looking_at():
    said = text(describe_hardest(make_state("something <green>")))
    assert "0:05.0 , 1.0 s after the moment ends, fooled the model" in said
    assert "&lt;green&gt;" in said
    assert "fills the video" in describe_hardest(make_state().select_segment(1))


def doubt(state, *segments):
    """A state of whose active query these segments do not stand out."""
    answer = state.result.answer
    marked = [replace(one, stands_out=place not in segments) for place, one in enumerate(answer.segments)]
    return replace(state, results=(replace(state.result, answer=replace(answer, segments=marked)),))


def test_where_the_segment_does_not_stand_out_there_is_no_hardest_frame_and_none_above_the_moment():
    state = make_state("something <green>")
    sure, unsure = render_inspection(doubt(state, 1)), render_inspection(doubt(state, 0))
    assert "Whether “something &lt;green&gt;” happens here is uncertain" in unsure
    assert "hardest" in sure and "higher than the moment's mean" in sure
    assert "hardest" not in unsure and "higher than the moment's mean" not in unsure
    assert times(unsure) == times(sure)


def beside_second_segment(*, first):
    """A state whose second segment, from 2 to 4 s, is chosen; its look-alikes are at 5.0, 1.5 and 4.0."""
    state = with_frames(cuts=())
    answer = state.result.answer
    hard = [replace(frame, segment=1) for frame in answer.hard_negatives]
    answer = replace(answer, segments=[first, answer.segments[0]], hard_negatives=hard)
    return replace(state, results=(replace(state.result, answer=answer),), segment=1)


def test_a_frame_of_a_better_segment_fooled_nobody():
    state = beside_second_segment(first=Segment(4.5, 6.0, 0.9))
    notes = [describe_frame(state, frame) for frame in state.hard_negatives]
    assert notes == [["in segment 1"], ["in the same shot"], ["in the same shot"]]
    assert 'class="frame hardest" data-time="1.500"' in render_inspection(state)
    alone = beside_second_segment(first=Segment(0.0, 6.0, 0.9))
    assert describe_hardest(alone).endswith(
        "mistaken for “something green”: these frames are part of a better segment."
    )
    assert "hardest" not in render_inspection(alone)


def test_how_far_past_a_cut_a_frame_is_seen_together_with_the_moment_is_what_the_model_sees_around_it():
    near = with_frames(cuts=(2.0, 4.0))  # at 5.0, 1.5 and 4.0: the first is 1.5 s from the last frame inside
    wide = replace(near, results=(replace(near.result, context=4.0),))
    assert [describe_frame(wide, frame) for frame in wide.hard_negatives] == [["just across a cut"]] * 3
    assert "1.0 s after the moment ends, just across a cut, was told apart" in text(describe_hardest(wide))
    assert "just across a cut, was told apart" not in text(describe_hardest(near))


def test_a_frame_that_looks_different_is_not_the_hardest():
    unlike, alike = (with_frames(similarity=similarity, cuts=()) for similarity in (0.49, 0.5))
    assert describe_hardest(unlike).endswith("mistaken for “something green”: these frames look different.")
    assert "hardest" not in render_inspection(unlike) and "hardest" in render_inspection(alike)


def test_the_verdict_follows_the_scores():
    assert [judge(score, 0.8) for score in (0.9, 0.7, 0.2)] == [
        "fooled the model, or shows the same",
        "came close to fooling the model",
        "was told apart",
    ]
    assert {judge(score, 0.8, "in the same shot") for score in (0.9, 0.7, 0.2)} == {"may well be a part of the moment"}
    assert [judge(score, 0.8, "just across a cut") for score in (0.9, 0.7, 0.2)] == [
        "is scored together with the moment",
        "is scored together with the moment",
        "was told apart",
    ]


def test_the_other_model_is_told_only_where_it_is_asked_for_and_there():
    plain, both = make_state(), make_state(baseline=True)
    for other in (plain, both, plain.__class__("c", both.thumbnails, plain.results, compare=True)):
        assert "no mining" not in render_inspection(other)
    shown = text(render_inspection(both.__class__("c", both.thumbnails, both.results, compare=True)))
    assert "no mining 0.70" in shown
    assert "the moment scores 0.28 and these look-alikes 0.35 on average" in shown
    assert "says 0.48 and 0.55" in shown


def test_two_models_that_agree_are_not_compared():
    both = make_state(baseline=True)
    same = replace(both.result, baseline=both.result.answer)
    for result, compared in ((both.result, True), (same, False)):
        shown = replace(both, results=(result,), compare=True)
        assert ("no mining" in render_inspection(shown)) == compared


def with_frames(similarity=0.9, **thumbnails):
    """A state whose look-alikes score low and are as similar as that, and whose thumbnails are changed."""
    state = make_state()
    answer = state.result.answer
    answer = replace(
        answer, hard_negatives=[replace(frame, score=0.1, similarity=similarity) for frame in answer.hard_negatives]
    )
    result = replace(state.result, answer=answer)
    return replace(state, results=(result,), thumbnails=replace(state.thumbnails, **thumbnails))


@pytest.mark.parametrize(
    ("cuts", "notes"),
    [
        ((), ["in the same shot"] * 3),
        ((2.0, 4.0), [[], ["just across a cut"], ["just across a cut"]]),
        ((4.5,), [[], ["in the same shot"], ["in the same shot"]]),
    ],
)
def test_a_frame_of_the_same_shot_and_one_right_at_a_cut_say_so(cuts, notes):
    state = with_frames(cuts=cuts)
    found = [describe_frame(state, frame) for frame in state.hard_negatives]  # at 5.0, 1.5 and 4.0
    assert found == [[note] if isinstance(note, str) else note for note in notes]


def test_a_frame_that_does_not_look_alike_is_not_called_the_same_shot():
    state = with_frames(similarity=0.6, cuts=())  # a cut between two grey textures is not noticed
    assert [describe_frame(state, frame) for frame in state.hard_negatives] == [[], [], []]


def test_a_rough_answer_calls_nothing_the_same_shot():
    state = with_frames(cuts=())  # between two key frames there may be a cut that nobody has seen
    result = replace(state.result, answer=replace(state.result.answer, rough=3))
    state = replace(state, results=(result,))
    assert [describe_frame(state, frame) for frame in state.hard_negatives] == [[], [], []]


def test_a_frame_that_scores_higher_than_the_moment_says_so():
    state = make_state()  # the moment scores 0.28 on average
    higher = ["higher than the moment's mean" in describe_frame(state, frame) for frame in state.hard_negatives]
    assert [frame.similarity for frame in state.hard_negatives] == [0.75, 0.25, 0.2]
    assert higher == [True, False, False]  # what looks different is no matter, whatever it scores
