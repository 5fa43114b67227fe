"""Annotations as people edit them and as other projects write them; those as published are in test_converters."""

import json

import pytest

from tests.training.test_converters import CHARADES, LENGTHS, QVHIGHLIGHTS, converted
from training.converters import convert
from training.moments import DataError, Moment, read_moments


def test_qvhighlights_keeps_the_windows_of_a_query_together(tmp_path):
    moments, said = converted(tmp_path, "qvhighlights", QVHIGHLIGHTS)
    assert moments == [
        Moment(
            "NUsG9BgSes0_210.0_360.0",
            150.0,
            "A girl and her mother cooked while talking with each other on facetime.",
            82.0,
            86.0,
            ((82.0, 86.0), (140.0, 142.0)),
        )
    ]
    assert "1 have several windows" in said


@pytest.mark.parametrize("windows", [{}, {"relevant_windows": []}, {"relevant_windows": None}])
def test_a_query_of_qvhighlights_without_windows_stays_for_training(tmp_path, windows):
    row = {"qid": 1, "query": "a man cooks", "duration": 150, "vid": "abc_60.0_210.0"}
    moments, said = converted(tmp_path, "qvhighlights", [row | windows, *QVHIGHLIGHTS])
    assert moments[0] == Moment("abc_60.0_210.0", 150.0, "a man cooks")
    assert "2 moments" in said and "1 are without a span" in said


def test_a_window_beyond_the_end_goes_and_the_others_stay(tmp_path):
    row = QVHIGHLIGHTS[0] | {"relevant_windows": [[160, 170], [10, 20], [140, 160]]}
    moments, said = converted(tmp_path, "qvhighlights", [row])
    assert moments[0].spans == ((10.0, 20.0), (140.0, 150.0))
    assert "1 ran over their video" in said


LIST = [["AO8RW", 33.67, [0.0, 6.9], "a person is putting a book on a shelf."], ["3MSZA", 31, [24, 30], "turns it on"]]


@pytest.mark.parametrize("kind", ["charades", "activitynet"])
def test_the_list_format_of_cnm_and_cpl_is_read(tmp_path, kind):
    moments, _ = converted(tmp_path, kind, json.dumps(LIST))
    assert moments == [Moment(video, duration, query, *map(float, span)) for video, duration, span, query in LIST]


@pytest.mark.parametrize("rows", [[["a", 3.0, [0, 1]]], [["a", 3.0, 1, "b"]], [["a", None, [0, 1], "b"]], [5]])
def test_a_wrong_entry_of_a_list_is_named(tmp_path, rows):
    with pytest.raises(DataError, match="source0, entry 1: not activitynet as published"):
        converted(tmp_path, "activitynet", json.dumps(rows))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_an_editor_puts_before_a_text_is_no_part_of_it(tmp_path, encoding, newline):
    plain, _ = converted(tmp_path, "charades", CHARADES, LENGTHS)
    files = [tmp_path / "annotations.txt", tmp_path / "durations.csv"]
    for file, text in zip(files, (CHARADES, LENGTHS), strict=True):
        file.write_bytes(text.replace("\n", newline).encode(encoding))
    convert("charades", files, [], tmp_path / "marked.jsonl")
    assert list(read_moments(tmp_path / "marked.jsonl")) == plain
    rows = "".join(json.dumps(row) + newline for row in QVHIGHLIGHTS)
    files[0].write_bytes(rows.encode(encoding))
    convert("qvhighlights", files[:1], [], tmp_path / "marked.jsonl")
    assert len(list(read_moments(tmp_path / "marked.jsonl"))) == 1


def test_a_mark_in_the_midst_of_texts_that_were_joined_is_no_part_of_them(tmp_path):
    plain, _ = converted(tmp_path, "charades", CHARADES * 2, LENGTHS)
    assert converted(tmp_path, "charades", f"\ufeff{CHARADES}\ufeff{CHARADES}", LENGTHS)[0] == plain


@pytest.mark.parametrize(
    "table",
    [
        "ID;Length\nAO8RW;33,67\n3MSZA;30,96\nY6R7T;27\n",
        "id\tlength\nAO8RW\t33.67\n3MSZA\t30.96\nY6R7T\t27\n",
        "id, length\nAO8RW, 33.67\n3MSZA, 30.96\nY6R7T, 27\n",
    ],
)
def test_durations_as_spreadsheets_write_them(tmp_path, table):
    assert converted(tmp_path, "charades", CHARADES, table)[0] == converted(tmp_path, "charades", CHARADES, LENGTHS)[0]


def test_blank_sentences_are_left_out_and_counted(tmp_path):
    entry = {"duration": 82.7, "timestamps": [[0.8, 19.9], [60.0, 70.0]], "sentences": ["A man talks.", " "]}
    moments, said = converted(tmp_path, "activitynet", {"v_a": entry})
    assert moments == [Moment("v_a", 82.7, "A man talks.", 0.8, 19.9)]
    assert "1 blank sentences were left out" in said
    moments, said = converted(tmp_path, "charades", "AO8RW 0.0 6.9##\n" + CHARADES, LENGTHS)
    assert len(moments) == 3 and "1 blank sentences were left out" in said


def test_charades_without_durations_says_what_to_give(tmp_path):
    with pytest.raises(DataError, match="holds no durations, so give a CSV"):
        converted(tmp_path, "charades", CHARADES)
