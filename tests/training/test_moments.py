import json

import pytest

from grounding.errors import GroundingError
from training.moments import DataError, Moment, read_moments, write_moments

LINE = '{"video": "a.mp4", "duration": 31.0, "query": "person turns a light on", "start": 24.3, "end": 30.4}'


def read(tmp_path, text):
    path = tmp_path / "moments.jsonl"
    path.write_text(text, encoding="utf-8")
    return list(read_moments(path))


def test_a_line_is_a_moment(tmp_path):
    assert read(tmp_path, LINE) == [Moment("a.mp4", 31.0, "person turns a light on", 24.3, 30.4)]


def test_training_needs_no_span(tmp_path):
    (moment,) = read(tmp_path, '{"video": "a.mp4", "duration": 31, "query": "x"}')
    assert (moment.start, moment.end) == (None, None)


def test_blank_lines_and_other_keys_are_passed_over(tmp_path):
    assert len(read(tmp_path, f'\n{LINE}\n\n{LINE[:-1]}, "fold": 3}}\n')) == 2


def test_any_writing_is_read(tmp_path):
    (moment,) = read(tmp_path, '{"video": "a.mp4", "duration": 31, "query": "人が🐕を散歩させる"}')
    assert moment.query == "人が🐕を散歩させる"


def test_a_line_separator_within_a_query_breaks_no_line(tmp_path):
    (moment,) = read(tmp_path, '{"video": "a.mp4", "duration": 31, "query": "one\u2028two"}')
    assert moment.query == "one\u2028two"


def test_what_is_written_is_read_back(tmp_path):
    moments = [Moment("b/a.mp4", 31.0, 'says "é\u2028"\n', 0.0, 30.4), Moment("c", 2.0, "x")]
    assert write_moments(tmp_path / "new" / "m.jsonl", moments) == 2
    assert list(read_moments(tmp_path / "new" / "m.jsonl")) == moments


def test_a_moment_without_a_span_is_written_without_one(tmp_path):
    write_moments(tmp_path / "m.jsonl", [Moment("c", 2.0, "x")])
    assert set(json.loads((tmp_path / "m.jsonl").read_text())) == {"video", "duration", "query"}


def test_several_windows_of_a_query_are_written_and_read_back(tmp_path):
    moment = Moment("c", 9.0, "x", 1.0, 2.0, ((1.0, 2.0), (5.0, 6.5)))
    write_moments(tmp_path / "m.jsonl", [moment])
    assert json.loads((tmp_path / "m.jsonl").read_text())["windows"] == [[1.0, 2.0], [5.0, 6.5]]
    assert list(read_moments(tmp_path / "m.jsonl")) == [moment]
    assert moment.spans == ((1.0, 2.0), (5.0, 6.5))


def test_one_span_is_the_only_one_and_none_is_none(tmp_path):
    assert Moment("c", 9.0, "x", 1.0, 2.0).spans == ((1.0, 2.0),)
    assert Moment("c", 9.0, "x").spans == ()


@pytest.mark.parametrize("windows", ["[[5, 6]]", "[[24.3, 30.4], [3, 2]]", "[[24.3, 30.4], 5]", "7"])
def test_windows_that_do_not_fit_are_named(tmp_path, windows):
    with pytest.raises(DataError, match="moments.jsonl, line 1: "):
        read(tmp_path, f'{LINE[:-1]}, "windows": {windows}}}')


def test_a_mark_of_an_editor_is_no_part_of_the_first_line(tmp_path):
    assert read(tmp_path, "\ufeff" + LINE) == read(tmp_path, LINE)


def test_writing_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "m.jsonl"
    write_moments(path, [Moment("c", 2.0, "x")])
    before = path.read_text()

    def breaks():
        yield Moment("d", 2.0, "y")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_moments(path, breaks())
    assert path.read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m.jsonl"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": -3.0}, "duration"),
        ({"duration": "31"}, "duration"),
        ({"duration": None}, "duration"),
        ({"duration": True}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"duration": float("inf")}, "duration"),
        ({"query": "  "}, "query is blank"),
        ({"query": 3}, "query is blank"),
        ({"video": ""}, "video must be a name"),
        ({"start": 30.4, "end": 24.3}, "start < end"),
        ({"start": 5.0, "end": 5.0}, "start < end"),
        ({"start": -1.0}, "start < end"),
        ({"end": float("nan")}, "start < end"),
        ({"end": float("inf")}, "start < end"),
        ({"end": None}, "only one of start and end"),
        ({"start": "0:24"}, "start"),
    ],
)
def test_a_wrong_value_names_file_line_and_reason(tmp_path, change, reason):
    with pytest.raises(DataError, match=reason) as caught:
        read(tmp_path, f"{LINE}\n\n{json.dumps(json.loads(LINE) | change)}\n")
    assert "moments.jsonl, line 3" in str(caught.value)
    assert isinstance(caught.value, GroundingError)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"video": "a",}', r"it is no JSON from column 1\d on: look there for a comma"),
        ("video,start,end", "it is no JSON from column 1 on"),
        ("[]", "it is no JSON object"),
        ("null", "it is no JSON object"),
        ('{"video": "a", "duration": 3}', "'query' is missing"),
    ],
)
def test_a_line_that_is_no_moment_names_file_line_and_reason(tmp_path, line, reason):
    with pytest.raises(DataError, match=rf"moments\.jsonl, line 2: {reason}.*mend or delete"):
        read(tmp_path, f"{LINE}\n{line}\n")


@pytest.mark.parametrize("text", ["", "\n  \n"])
def test_an_empty_file_is_an_error(tmp_path, text):
    with pytest.raises(DataError, match="no moment"):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "binary").write_bytes(b"a \xff")
    reasons = {"absent": "No such file", ".": "Is a directory", "binary": "its byte 2 is no text in UTF-8"}
    for name, reason in reasons.items():
        with pytest.raises(DataError, match=rf"cannot be read \({reason}"):
            list(read_moments(tmp_path / name))


def test_a_duration_too_long_for_a_float_is_named(tmp_path):
    (tmp_path / "m.jsonl").write_text('{"video": "a", "query": "b", "duration": 1' + "0" * 400 + "}\n")
    with pytest.raises(DataError, match="line 1"):
        list(read_moments(tmp_path / "m.jsonl"))
