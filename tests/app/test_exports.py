import csv
import io
import json
from html.parser import HTMLParser

import numpy as np
import plotly.graph_objects as go
import pytest

from grounding.answer import Answer
from grounding.app.exports import (
    csv_from_scores,
    csv_from_segments,
    cut_segment,
    html_from_figure,
    json_from_answers,
    write_results,
)
from grounding.segments.find import Segment
from grounding.video.reader import FrameReader
from tests.clips import colours


@pytest.fixture
def answers():
    queries = ('a dog, "quoted"\nand a break', "=cmd|'/c calc'!A1", " @SUM(A1)", "собака 犬")
    segments = [Segment(1.0, 2.5, 0.75, True), Segment(0.0, 0.5, 1 / 3)]
    times, scores = np.array([0.0, 0.5, 1.0]), np.array([0.25, 0.5, 0.125])
    return [Answer(query, 3.0, "embedded", times, scores, segments, []) for query in queries]


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_json_is_one_object_of_the_contract_per_query(answers):
    assert json.loads(json_from_answers(answers, "a.mp4")) == [answer.to_dict("a.mp4") for answer in answers]


def test_the_segments_table_has_a_row_per_segment_best_first(answers):
    table = rows(csv_from_segments(answers, "a.mp4"))
    assert len(table) == 8
    assert table[0] == {
        "video": "a.mp4",
        "checkpoint": "embedded",
        "query": answers[0].query,
        "rank": "1",
        "start": "1.0",
        "end": "2.5",
        "score": "0.75",
        "stands_out": "true",
    }
    assert [row["rank"] for row in table[:2]] == ["1", "2"]
    assert table[-1]["query"] == "собака 犬"


def test_the_scores_table_has_a_row_per_query_and_frame(answers):
    table = rows(csv_from_scores(answers, "a.mp4"))
    assert len(table) == 12
    assert [(row["timestamp"], row["score"]) for row in table[:3]] == [
        ("0.0", "0.25"),
        ("0.5", "0.5"),
        ("1.0", "0.125"),
    ]


def test_no_cell_is_a_formula(answers):
    for table in (csv_from_segments(answers, "+x.mp4"), csv_from_scores(answers, "-x.mp4")):
        cells = [cell for row in csv.reader(io.StringIO(table, newline="")) for cell in row]
        assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)
    assert rows(csv_from_segments(answers))[2]["query"] == "'=cmd|'/c calc'!A1"


def addresses(page: str) -> list[str]:
    """What the elements of a page would fetch; what stands in its scripts does not count."""
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, given: found.extend(value for name, value in given if name in ("src", "href"))
    parser.feed(page)
    return found


def test_the_plot_is_a_page_that_asks_nobody_for_anything(answers):
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0.25, 0.5], name="</script><script>alert(1)</script>"))
    page = html_from_figure(figure, "<script>alert(1)</script>")
    assert "Plotly.newPlot" in page
    assert len(page) > 1_000_000
    assert addresses(page) == []
    assert "<script>alert(1)" not in page
    assert figure.layout.title.text is None


def test_the_results_are_written_as_utf_8_under_the_clips_name(answers, tmp_path):
    files = write_results(tmp_path, answers, "my clip.avi", go.Figure())
    assert [file.name for file in files] == [
        "my_clip_results.json",
        "my_clip_segments.csv",
        "my_clip_scores.csv",
        "my_clip_plot.html",
    ]
    assert json.loads(files[0].read_text(encoding="utf-8"))[3]["query"] == "собака 犬"
    assert rows(files[1].read_text(encoding="utf-8-sig"))[-1]["query"] == "собака 犬"


def test_a_segment_comes_as_a_file_of_its_length(tmp_path):
    reports = []
    clip = str(colours(tmp_path / "a.mp4"))
    path = cut_segment(clip, "man/woman?", Segment(1.0, 2.5, 0.7), tmp_path, lambda *report: reports.append(report))
    assert path == tmp_path / "a_man_woman_1.0-2.5s.mp4"
    reader = FrameReader(path, 1.0)
    list(reader)
    assert reader.duration == pytest.approx(1.5, abs=0.05)
    assert reports[-1] == (1.0, "Cutting the segment")
