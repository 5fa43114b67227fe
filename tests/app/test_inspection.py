import re
from dataclasses import replace

from grounding.app.inspection import SHOWN, choose_inside, describe_hardest, render_inspection, render_side
from tests.states import make_state


def times(shown):
    return [float(time) for time in re.findall(r'data-time="([\d.]+)"', shown)]


def text(shown):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", shown))


def test_each_side_has_the_frame_just_inside_then_the_hardest_first():
    assert times(render_side(make_state(), "before")) == [2.0, 1.5]
    assert times(render_side(make_state(), "after")) == [3.5, 5.0, 4.0]
    assert "just inside" in render_side(make_state(), "before")


def test_a_boundary_frame_has_its_scale_time_score_and_similarity():
    shown = text(render_side(make_state(), "after"))
    assert "2 scale 2 0:05.0 score 0.50 similarity 0.50" in shown  # similarities rise by a tenth a second
    assert "1 scale 1 0:04.0 score 0.40 similarity 0.40" in shown


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
    assert "0:02.0 to 0:04.0" in said
    assert "0:05.0 , 1.0 s after it ends" in said
    assert "&lt;green&gt;" in said
    assert "fills the video" in describe_hardest(make_state().select_segment(1))


def test_the_other_model_is_told_only_where_it_is_asked_for_and_there():
    plain, both = make_state(), make_state(baseline=True)
    for other in (plain, both, plain.__class__("c", both.thumbnails, plain.results, compare=True)):
        assert "no mining" not in render_inspection(other)
    shown = text(render_inspection(both.__class__("c", both.thumbnails, both.results, compare=True)))
    assert "no mining 0.70" in shown
    assert "the moment scores 0.28 and these boundary frames 0.35 on average" in shown
    assert "says 0.48 and 0.55" in shown


def test_two_models_that_agree_are_said_to():
    both = make_state(baseline=True)
    same = replace(both.result, baseline=both.result.answer)
    for asked, agree in ((both.result, False), (same, True)):
        shown = replace(both, results=(asked,), compare=True)
        assert ("The two agree here" in render_inspection(shown)) == agree
