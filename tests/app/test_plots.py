import dataclasses

import numpy as np
import pytest

from grounding.answer import Answer
from grounding.app.plots import COLOURS, draw_empty, draw_growing, draw_results
from grounding.app.state import QueryResult
from grounding.features.encoded_video import EncodedVideo
from grounding.segments.find import Segment
from grounding.segments.hard_negatives import HardNegative


def score_figure(answer, chosen=0):
    """Figure of one answer."""
    return draw_results([QueryResult(answer)], 0, chosen)


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


def test_the_chosen_segment_alone_is_drawn_with_its_times(answer):
    figure, other = score_figure(answer), score_figure(answer, chosen=1)
    assert spans(figure) == shaded(figure) == [(60.0, 80.0)]
    assert spans(other) == shaded(other) == [(10.0, 20.0)]
    assert set(notes(figure)) == {"1: 1:00.0 to 1:20.0"}


def test_a_segment_that_does_not_stand_out_is_paler_and_says_so(answer):
    first, second = answer.segments
    segments = [dataclasses.replace(first, stands_out=True), dataclasses.replace(second, stands_out=False)]
    mixed = dataclasses.replace(answer, segments=segments)
    figures = [score_figure(mixed, chosen=chosen) for chosen in (0, 1)]
    sure, doubtful = (figure.layout.shapes[0] for figure in figures)
    assert [*map(list, map(notes, figures))] == [["1: 1:00.0 to 1:20.0"], ["2: 0:10.0 to 0:20.0 · uncertain"]]
    assert doubtful.opacity < sure.opacity / 2 and doubtful.line.dash == "dot"


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
    assert marks == {"just outside: within 1 s": [59.5], "just outside: 1 to 3 s away": [82.0]}


def test_scales_differ_in_colour_and_say_their_number(answer):
    first, second = score_figure(answer).data[1:]
    assert first.marker.color != second.marker.color
    assert first.text != second.text


def test_what_was_not_looked_at_stays_grey_in_a_rough_answer(answer):
    figure = draw_results([QueryResult(answer, missing=((20.0, 50.0),))])
    assert spans(figure) == [(20.0, 50.0), (60.0, 80.0)]
    assert "128,128,128" in figure.layout.shapes[0].fillcolor


def test_axes_hold_the_whole_video_and_every_score(answer):
    figure = score_figure(answer)
    assert tuple(figure.layout.xaxis.range) == (0, 90.0)
    assert figure.layout.yaxis.range[0] <= 0 < 1 <= figure.layout.yaxis.range[1]
    assert "1:30" in figure.layout.xaxis.ticktext


def test_the_curve_tells_the_time_at_the_pointer_and_what_is_marked_there(answer):
    curve = score_figure(answer).data[0]
    assert curve.customdata[131] == "1:05.5"
    assert curve.customdata[119] == "0:59.5 · a: within 1 s, similarity 0.90"


def test_each_query_has_a_colour_and_a_marker_and_the_active_one_is_on_top(answer):
    asked = [QueryResult(answer, slot=slot) for slot in range(5)]
    curves = draw_results(asked, active=1).data[:5]
    assert len({curve.line.color for curve in curves}) == 5
    assert len({curve.marker.symbol for curve in curves}) == 5
    assert curves[-1].line.color == COLOURS[1]
    assert curves[-1].line.width > curves[0].line.width


def test_the_segments_are_those_of_the_active_query(answer):
    other = QueryResult(dataclasses.replace(answer, segments=[Segment(5.0, 6.0, 0.9)], hard_negatives=[]), slot=1)
    figure = draw_results([QueryResult(answer), other], active=1)
    assert spans(figure) == [(5.0, 6.0)]
    assert len(figure.data) == 2
    assert figure.layout.meta["segment"] == [5.0, 6.0]


def test_the_baseline_is_dashed_and_there_only_on_demand(answer):
    asked = [QueryResult(answer, baseline=dataclasses.replace(answer, scores=answer.scores / 2))]
    names = [trace.name for trace in draw_results(asked).data]
    assert "without hard-negative mining" not in names
    drawn = {trace.name: trace for trace in draw_results(asked, compare=True).data}["without hard-negative mining"]
    assert drawn.line.dash
    assert np.allclose(drawn.y, answer.scores / 2)
    same = [QueryResult(answer, baseline=answer)]
    assert "without hard-negative mining" not in [trace.name for trace in draw_results(same, compare=True).data]


def test_a_visitor_s_markup_is_no_markup(answer):
    figure = score_figure(dataclasses.replace(answer, query="<b>cat</b>"))
    assert figure.data[0].name == "&lt;b&gt;cat&lt;/b&gt;"


def test_a_growing_curve_leaves_room_for_the_rest():
    video = EncodedVideo(np.array([0.0, 0.5, 1.0]), np.zeros((3, 1)), 1.5, "x")
    figure = draw_growing(video, [0.1, 0.2, 0.3], 60.0, missing=[(1.0, 60.0)])
    assert list(figure.data[0].y) == [0.1, 0.2, 0.3]
    assert tuple(figure.layout.xaxis.range) == (0, 60.0)
    assert spans(figure) == [(1.0, 60.0)]


def test_the_background_is_the_page_s_own(answer):
    for figure in (score_figure(answer), draw_empty()):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_before_there_is_a_curve_the_plot_says_what_to_do():
    figure = draw_empty()
    assert not figure.data
    assert "describe what happens" in figure.layout.annotations[0].text.replace("<br>", " ")
