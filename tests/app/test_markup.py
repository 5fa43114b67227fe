from dataclasses import replace

import numpy as np

from grounding.app.clips import Clip
from grounding.app.markup import (
    MARKS,
    label_queries,
    label_query,
    label_segment,
    render_answer,
    render_encoding,
    render_error,
    render_model,
    render_swatches,
)
from grounding.app.plots import COLOURS, SYMBOLS
from grounding.app.state import MAX_QUERIES, SLOTS
from grounding.app.thumbnails import Thumbnails
from grounding.errors import GroundingError
from grounding.features.encoded_video import EncodedVideo
from grounding.text import format_clock
from tests.states import make_answer, make_result, make_state


def with_answer(**changes):
    """A state whose answer is changed."""
    state = make_state()
    result = replace(state.result, answer=replace(state.result.answer, **changes), model="embedded, the only one")
    return replace(state, results=(result,))


def with_segment(place=0, **changes):
    """A state whose segment at that place is changed."""
    segments = make_state().result.answer.segments
    return with_answer(segments=[replace(one, **changes) if at == place else one for at, one in enumerate(segments)])


def test_a_segment_is_listed_with_its_rank_times_and_score():
    answer = make_answer()
    assert label_segment(answer, 1) == "2 · 0:00.0 to 0:06.0 · score 0.30"
    doubtful = replace(answer, segments=[replace(answer.segments[0], stands_out=False)])
    assert label_segment(doubtful, 0) == "1 · 0:02.0 to 0:04.0 · score 0.80 · uncertain"


def test_a_query_is_listed_with_its_marker_and_its_model_only_where_there_are_two():
    made = make_state("a cat", "a dog")
    labels = [label_query(one, made) for one in made.results]
    assert labels[0].endswith(" a cat")
    assert labels[0][0] != labels[1][0]
    two = made.add(make_result("a hen", checkpoint="clip"))
    assert [label_query(one, two) for one in two.results][-1].endswith("a hen · clip")


def test_a_query_in_the_list_has_the_colour_of_its_curve():
    left = make_state("a cat", "a dog").select_query(0).remove()
    assert f"nth-of-type(1) {{--swatch: {COLOURS[1]}}}" in render_swatches(left)


def test_what_was_found_is_said_of_the_chosen_segment():
    assert "0:02.0 to 0:04.0</b> “something green”, mean score 0.80</p>" in render_answer(make_state())
    other = render_answer(make_state().select_segment(1))
    assert "0:00.0 to 0:06.0</b> “something green”, mean score 0.30 · segment 2 of 2</p>" in other


def test_who_answered_is_one_line():
    assert render_model(replace(make_result(), model="Answered by <x>")) == "<p>Answered by &lt;x&gt;.</p>"


def test_the_list_says_when_it_is_full_and_who_leaves_next():
    made = make_state(*(f"query {number}" for number in range(MAX_QUERIES - 1)))
    assert label_queries(made) == "Queries on this clip"
    full = made.add(make_result("another"))
    assert label_queries(full) == "Queries on this clip, 5 at most: the next one takes the place of “query 0”"
    assert label_queries(full.select_query(0)).endswith("the next one takes the place of “query 1”")


def test_no_marker_looks_like_a_button():
    assert len(MARKS) == len(COLOURS) == len(SYMBOLS) == SLOTS
    assert not set(MARKS) & set("✕✖×▶►➤＋+−")


def test_a_guess_that_stands_out_nowhere_is_said_to():
    said = render_answer(with_segment(stands_out=False))
    assert "Best guess: <b>0:02.0 to 0:04.0</b>" in said and "the curve rises from 0.00 to 0.55, but" in said
    assert "guess" not in render_answer(with_segment(stands_out=True)) + render_answer(with_segment(stands_out=None))
    second = with_segment(1, stands_out=False)
    assert "uncertain" not in render_answer(second).lower()
    assert "Uncertain: this segment does not stand out" in render_answer(second.select_segment(1))


def test_what_was_skipped_is_said_beside_the_answer():
    assert "could not be decoded" not in render_answer(with_answer())
    within = with_answer(skipped=((1.0, 2.5),))
    assert "0:01.0 to 0:02.5 could not be decoded" in render_answer(within)
    duration = within.result.answer.duration
    early = render_answer(with_answer(skipped=((duration, duration + 20),)))
    assert f"Only the first {format_clock(duration)} of {format_clock(duration + 20)} could be read" in early


def test_waiting_says_how_far_it_is_and_how_long_it_takes():
    video = EncodedVideo(np.array([0.0, 30.0]), np.zeros((2, 1)), 30.5, "x")
    said = render_encoding(Clip(video, Thumbnails(), expected=120.0, seconds_left=41.0, is_whole=False, seconds=30.0))
    assert "Looked at 0:30 of 2:00, about 40 s left" in said
    assert 'aria-valuenow="25"' in said


def test_a_rough_curve_says_from_how_many_key_frames():
    video = EncodedVideo(np.array([0.0, 30.0]), np.zeros((2, 1)), 120.0, "x", rough=24)
    first = Clip(video, None, expected=120.0, is_whole=False)
    assert "Rough, from 24 key frames. Now all 2:00 are looked at" in render_encoding(first)
    later = replace(first, seconds=30.0, seconds_left=41.0)
    assert "Rough, from 24 key frames. Looked at 0:30 of 2:00, about 40 s left" in render_encoding(later)
    assert 'aria-valuenow="25"' in render_encoding(later)


def test_no_text_of_a_visitor_becomes_markup():
    assert "<green>" not in render_answer(make_state("something <green>"))
    shown = render_error(GroundingError("<img src=x onerror=alert(1)>"))
    assert "<img" not in shown
    assert "&lt;img" in shown
