"""What of a visitor's text gets into the page and into the files that leave it."""

import csv
import html
import io
import json

import pytest

from grounding.app.exports import csv_from_segments, html_from_figure, json_from_answers, name_files
from grounding.app.inspection import render_inspection
from grounding.app.markup import label_query, render_answer, render_error
from grounding.app.plots import draw_results
from grounding.errors import QueryError, VideoError
from grounding.exports.table import FORMULA
from grounding.validation import check_query
from tests.states import make_answer, make_state
from tests.trust.texts import NAMES, QUERIES


def accepted() -> list[str]:
    """The queries that are answered."""
    fine = []
    for query in QUERIES:
        try:
            fine.append(check_query(query))
        except QueryError as error:
            assert str(error).isprintable() and len(str(error)) < 200
    return fine


@pytest.mark.parametrize("query", accepted(), ids=range(len(accepted())))
def test_a_query_is_text_wherever_the_page_shows_it(query):
    shown = make_state(query)
    label = label_query(shown.result, shown)
    name = draw_results(shown.results).data[0].name
    for text in (render_answer(make_state(query)), name):
        inside = text.split("“")[-1].split("”")[0] if "“" in text else text
        assert "<" not in inside and ">" not in inside
    for text in (render_answer(make_state(query)), label, html.unescape(name), render_inspection(shown)):
        assert not any(ord(one) < 32 or "\u202a" <= one <= "\u202e" or "\u2066" <= one <= "\u2069" for one in text)


@pytest.mark.parametrize("query", accepted(), ids=range(len(accepted())))
def test_a_query_is_data_in_the_files_that_are_taken_away(query):
    rows = list(csv.reader(io.StringIO(csv_from_segments([make_answer(query)], f"{query}.mp4"), newline="")))
    assert not any(cell.lstrip(" ").startswith(FORMULA) for row in rows for cell in row[:3])
    assert json.loads(json_from_answers([make_answer(query)], query))[0]["query"] == query


def test_the_plot_as_html_holds_no_markup_of_a_visitor():
    page = html_from_figure(
        draw_results(make_state("</script><script>alert(1)</script>").results), "</title><script>alert(1)</script>"
    )
    assert "<script>alert(1)" not in page


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_becomes_a_plain_one_for_files_that_are_handed_out(name):
    made = name_files(name.replace("\x00", "") or "x", name)
    assert made.isascii() and made.isprintable() and not set(made) & set("/\\<>:\"'|?*;&`$% ")
    assert not made.startswith(("-", "."))
    assert len(made) < 100


def test_an_error_is_text_on_the_page():
    assert "<img" not in render_error(VideoError("'<img src=x onerror=alert(1)>.mp4' is no video."))
