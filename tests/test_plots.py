import numpy as np
import pytest

from grounding.hard_negatives import HardNegative
from grounding.plots import clock, empty_figure, score_figure
from grounding.predictor import Answer
from grounding.segments import Segment


@pytest.fixture
def answer():
    return Answer(
        query="a cat",
        duration=90.0,
        checkpoint="embedded",
        timestamps=np.arange(0, 90, 0.5),
        scores=np.linspace(0, 1, 180),
        segments=[Segment(60.0, 80.0, 0.8), Segment(10.0, 20.0, 0.3)],
        hard_negatives=[
            HardNegative(59.5, 0.6, 0.9, 1, 0, "before"),
            HardNegative(82.0, 0.5, 0.7, 2, 0, "after"),
            HardNegative(9.5, 0.2, 0.4, 1, 1, "before"),
        ],
    )


def spans(figure):
    return [(shape.x0, shape.x1) for shape in figure.layout.shapes]


def shaded(figure):
    return [(shape.x0, shape.x1) for shape in figure.layout.shapes if shape.fillcolor]


def notes(figure):
    return {note.text: note for note in figure.layout.annotations}


def test_the_curve_is_the_scores_over_time(answer):
    curve = score_figure(answer).data[0]
    assert np.allclose(curve.x, answer.timestamps)
    assert np.allclose(curve.y, answer.scores)


def test_every_segment_is_drawn_and_the_best_is_shaded(answer):
    figure = score_figure(answer)
    assert sorted(spans(figure)) == [(10.0, 20.0), (60.0, 80.0)]
    assert shaded(figure) == [(60.0, 80.0)]


def test_segments_bear_their_rank_and_the_chosen_one_its_times(answer):
    assert set(notes(score_figure(answer))) == {"1: 1:00.0 to 1:20.0", "2"}
    assert set(notes(score_figure(answer, chosen=1))) == {"1", "2: 0:10.0 to 0:20.0"}


def test_the_label_of_a_late_segment_stays_in_the_plot(answer):
    late = notes(score_figure(answer))["1: 1:00.0 to 1:20.0"]
    early = notes(score_figure(answer, chosen=1))["2: 0:10.0 to 0:20.0"]
    assert (late.x, late.xanchor) == (80.0, "right")
    assert (early.x, early.xanchor) == (10.0, "left")


def test_another_segment_can_be_chosen(answer):
    figure = score_figure(answer, chosen=1)
    assert shaded(figure) == [(10.0, 20.0)]
    assert [(list(trace.x), list(trace.y)) for trace in figure.data[1:]] == [([9.5], [0.2])]


def test_hard_negatives_stand_at_their_times_by_scale(answer):
    marks = {trace.name: list(trace.x) for trace in score_figure(answer).data[1:]}
    assert marks == {"hard negative, scale 1": [59.5], "hard negative, scale 2": [82.0]}


def test_scales_differ_in_colour_and_in_shape(answer):
    first, second = score_figure(answer).data[1:]
    assert first.marker.color != second.marker.color
    assert first.marker.symbol != second.marker.symbol


def test_axes_hold_the_whole_video_and_every_score(answer):
    figure = score_figure(answer)
    assert tuple(figure.layout.xaxis.range) == (0, 90.0)
    assert figure.layout.yaxis.range[0] <= 0 < 1 <= figure.layout.yaxis.range[1]
    assert "1:30" in figure.layout.xaxis.ticktext


def test_the_curve_tells_time_and_score_at_the_pointer(answer):
    curve = score_figure(answer).data[0]
    assert curve.customdata[131] == "1:05.5"
    assert "%{customdata}" in curve.hovertemplate
    assert "%{y" in curve.hovertemplate


def test_the_background_is_the_page_s_own(answer):
    for figure in (score_figure(answer), empty_figure()):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_before_there_is_a_curve_the_plot_says_what_to_do():
    figure = empty_figure()
    assert not figure.data
    assert "describe what happens" in figure.layout.annotations[0].text


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00.0"), (9.96, "0:10.0"), (59.97, "1:00.0"), (65.54, "1:05.5"), (3600, "60:00.0")]
)
def test_clock(seconds, shown):
    assert clock(seconds) == shown
