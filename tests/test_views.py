import numpy as np
import pytest

from grounding.errors import GroundingError
from grounding.hard_negatives import HardNegative
from grounding.predictor import Answer
from grounding.segments import Segment
from grounding.views import SHOWN, done, galleries, problem, segment_label
from tests.clips import BLUE, GREEN, RED, colours


@pytest.fixture
def clip(tmp_path):
    """Red, green and blue, two seconds each."""
    return colours(tmp_path / "clip.mp4")


@pytest.fixture
def answer():
    return Answer(
        query="something <green>",
        duration=6.0,
        checkpoint="embedded",
        timestamps=np.arange(0, 6, 0.5),
        scores=np.linspace(0, 0.55, 12),
        segments=[Segment(2.0, 4.0, 0.8), Segment(0.0, 6.0, 0.3)],
        hard_negatives=[
            HardNegative(5.0, 0.5, 0.75, 2, 0, "after"),
            HardNegative(1.5, 0.15, 0.25, 1, 0, "before"),
            HardNegative(0.0, 0.1, 0.1, 1, 1, "before"),
        ],
    )


def colour(image):
    return tuple(int(value) for value in image.mean(axis=(0, 1)))


def near(image, expected):
    return all(abs(a - b) < 40 for a, b in zip(colour(image), expected, strict=True))


def test_the_frames_of_a_segment_are_those_inside_it(clip, answer):
    frames, _ = galleries(clip, answer, 0)
    assert [caption for _, caption in frames] == [
        "0:02.0\nscore 0.20",
        "0:02.5\nscore 0.25",
        "0:03.0\nscore 0.30",
        "0:03.5\nscore 0.35",
    ]
    assert all(near(image, GREEN) for image, _ in frames)


def test_hard_negatives_keep_their_order_pictures_and_values(clip, answer):
    _, hard = galleries(clip, answer, 0)
    assert [caption for _, caption in hard] == [
        "0:05.0 · after · scale 2\nscore 0.50 · similarity 0.75",
        "0:01.5 · before · scale 1\nscore 0.15 · similarity 0.25",
    ]
    assert near(hard[0][0], BLUE)
    assert near(hard[1][0], RED)


def test_a_long_segment_shows_a_few_frames_from_its_start_to_its_end(clip, answer):
    frames, _ = galleries(clip, answer, 1)
    assert len(frames) == SHOWN
    assert frames[0][1].startswith("0:00.0")
    assert frames[-1][1].startswith("0:05.5")


def test_a_segment_is_listed_with_its_rank_times_and_score(answer):
    assert segment_label(answer, 1) == "2 · 0:00.0 to 0:06.0 · score 0.30"


def test_what_was_found_is_said_with_the_model(answer):
    said = done(answer, "embedded, the only one")
    assert "0:02.0 to 0:04.0" in said
    assert "Answered by embedded, the only one" in said


def test_no_text_of_a_visitor_becomes_markup(answer):
    assert "<green>" not in done(answer, "embedded")
    shown = problem(GroundingError("<img src=x onerror=alert(1)>"))
    assert "<img" not in shown
    assert "&lt;img" in shown
