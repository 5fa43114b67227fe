from dataclasses import replace

import numpy as np

from grounding.app.clips import Clip
from grounding.app.markup import done, encoding, problem, query_label, segment_label, swatches
from grounding.app.plots import COLOURS
from grounding.app.thumbnails import Film
from grounding.errors import GroundingError
from grounding.features.encoded_video import EncodedVideo
from tests.boards import answer, asked, board


def test_a_segment_is_listed_with_its_rank_times_and_score():
    assert segment_label(answer(), 1) == "2 · 0:00.0 to 0:06.0 · score 0.30"


def test_a_query_is_listed_with_its_marker_and_its_model_only_where_there_are_two():
    made = board("a cat", "a dog")
    labels = [query_label(one, made) for one in made.asked]
    assert labels[0].endswith(" a cat")
    assert labels[0][0] != labels[1][0]
    two = made.add(asked("a hen", checkpoint="clip"))
    assert [query_label(one, two) for one in two.asked][-1].endswith("a hen · clip")


def test_a_query_in_the_list_has_the_colour_of_its_curve():
    left = board("a cat", "a dog").look_at(0).remove()
    assert f"nth-of-type(1) {{--swatch: {COLOURS[1]}}}" in swatches(left)


def test_what_was_found_is_said_with_the_model():
    said = done(answer(), "embedded, the only one")
    assert "0:02.0 to 0:04.0" in said
    assert "Answered by embedded, the only one" in said


def test_what_was_skipped_is_said_beside_the_answer():
    assert "could not be decoded" not in done(answer(), "embedded")
    assert "0:12.0 to 0:14.5 could not be decoded" in done(replace(answer(), skipped=((12.0, 14.5),)), "embedded")


def test_waiting_says_how_far_it_is_and_how_long_it_takes():
    video = EncodedVideo(np.array([0.0, 30.0]), np.zeros((2, 1)), 30.5, "x")
    said = encoding(Clip(video, Film(), expected=120.0, wait=41.0, whole=False))
    assert "Looked at 0:30 of 2:00, about 40 s left" in said
    assert 'aria-valuenow="25"' in said


def test_no_text_of_a_visitor_becomes_markup():
    assert "<green>" not in done(answer("something <green>"), "embedded")
    shown = problem(GroundingError("<img src=x onerror=alert(1)>"))
    assert "<img" not in shown
    assert "&lt;img" in shown
