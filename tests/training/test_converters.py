import json
import sys

import pytest

from tests.clips import colours
from training.converters import convert, main
from training.moments import DataError, Moment, read_moments


def write(path, rows):
    """Text as it is, a dict as JSON, a list as JSON lines."""
    if isinstance(rows, list):
        rows = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows), encoding="utf-8")
    return path


def converted(tmp_path, kind, *files, split=()):
    paths = [write(tmp_path / f"source{number}", rows) for number, rows in enumerate(files)]
    said = convert(kind, paths, list(split), tmp_path / "out.jsonl")
    return list(read_moments(tmp_path / "out.jsonl")), said


CHARADES = """AO8RW 0.0 6.9##a person is putting a book on a shelf.
3MSZA 24.3 30.4##person turn a light on.

Y6R7T 20.8 30.0##person closes the door ## quietly.
"""
LENGTHS = 'id,subject,descriptions,length\nAO8RW,X,"a, b;c",33.67\n3MSZA,Y,"d",30.96\nY6R7T,Z,"e",27.0\n'


def test_charades(tmp_path):
    moments, said = converted(tmp_path, "charades", CHARADES, LENGTHS)
    assert moments == [
        Moment("AO8RW", 33.67, "a person is putting a book on a shelf.", 0.0, 6.9),
        Moment("3MSZA", 30.96, "person turn a light on.", 24.3, 30.4),
        Moment("Y6R7T", 27.0, "person closes the door ## quietly.", 20.8, 27.0),
    ]
    assert "3 moments of 3 videos" in said


def test_charades_with_a_plain_duration_table(tmp_path):
    moments, _ = converted(tmp_path, "charades", CHARADES, "video_id,duration\nAO8RW,33\n3MSZA,31\nY6R7T,31\n")
    assert [moment.duration for moment in moments] == [33.0, 31.0, 31.0]


def test_activitynet(tmp_path):
    published = {
        "v_QOlSCBRmfWY": {
            "duration": 82.73,
            "timestamps": [[0.83, 19.86], [17.37, 60.81]],
            "sentences": ["A young woman is seen standing in a room.", " The girl dances around the room. "],
        },
        "v_ehGHCYKzyZ8": {"duration": 61, "timestamps": [[50, 70]], "sentences": ["Ski lifts pass."]},
    }
    moments, said = converted(tmp_path, "activitynet", published)
    assert moments == [
        Moment("v_QOlSCBRmfWY", 82.73, "A young woman is seen standing in a room.", 0.83, 19.86),
        Moment("v_QOlSCBRmfWY", 82.73, "The girl dances around the room.", 17.37, 60.81),
        Moment("v_ehGHCYKzyZ8", 61.0, "Ski lifts pass.", 50.0, 61.0),
    ]
    assert "3 moments of 2 videos" in said


QVHIGHLIGHTS = [
    {
        "qid": 2579,
        "query": "A girl and her mother cooked while talking with each other on facetime.",
        "duration": 150,
        "vid": "NUsG9BgSes0_210.0_360.0",
        "relevant_clip_ids": [41, 42, 70],
        "saliency_scores": [[4, 2, 3], [4, 3, 3], [3, 3, 2]],
        "relevant_windows": [[82, 86], [140, 142]],
    }
]


def test_a_line_separator_within_a_query_is_no_new_line(tmp_path):
    row = json.dumps(QVHIGHLIGHTS[0] | {"query": "one\u2028two"}, ensure_ascii=False)
    moments, _ = converted(tmp_path, "qvhighlights", row)
    assert moments[0].query == "one\u2028two"


FOLDS = [
    {"video_id": f"V{fold}", "duration": 30.0, "query": "a person sits", "start": 1.0, "end": 9.0, "fold": fold}
    for fold in (0, 1, 4)
]


def test_folds_keeps_the_wanted_ones(tmp_path):
    moments, _ = converted(tmp_path, "folds", FOLDS, split=["0", "4"])
    assert [moment.video for moment in moments] == ["V0", "V4"]


def test_msrvtt_captions_describe_whole_clips(tmp_path):
    (tmp_path / "videos").mkdir()
    colours(tmp_path / "videos" / "video7.mp4", seconds=0.5)
    rows = [
        {"video_id": "video7", "split": "train", "captions": ["colours change", " a screen "]},
        {"video_id": "video8", "split": "test", "captions": ["not there"]},
    ]
    moments, _ = converted(tmp_path, "msrvtt", rows, split=["train"])
    assert [(moment.video, moment.query) for moment in moments] == [
        ("video7.mp4", "colours change"),
        ("video7.mp4", "a screen"),
    ]
    assert all(m.start == 0 and m.end == m.duration == pytest.approx(1.5, abs=0.05) for m in moments)


def test_captions_of_a_folder_of_frames_describe_the_whole_of_it(tmp_path):
    moments, _ = converted(tmp_path, "frames", [{"video_id": "video7", "frames": 3, "captions": ["a", "b"]}])
    assert [(m.video, m.query, m.start, m.end, m.duration) for m in moments] == [
        ("video7", "a", 0.0, 1.5, 1.5),
        ("video7", "b", 0.0, 1.5, 1.5),
    ]


def test_a_span_beyond_the_video_leaves_the_sentence_without_one(tmp_path):
    moments, said = converted(
        tmp_path, "charades", "A 20.0 25.0##late.\nA 7.0 7.0##empty.\nA -2 3##early.\n", "id,length\nA,10\n"
    )
    assert [(moment.start, moment.end) for moment in moments] == [(None, None), (None, None), (0.0, 3.0)]
    assert "2 ran over their video" in said
    assert "2 are without a span" in said


def test_an_end_before_its_start_leaves_the_sentence_without_a_span(tmp_path):
    """As in four lines of the published training file."""
    moments, said = converted(
        tmp_path, "charades", "LEOL6 8.0 7.0##person is holding medicine.\n", "id,length\nLEOL6,30\n"
    )
    assert (moments[0].start, moments[0].end) == (None, None)
    assert "0 ran over" in said
    assert "1 are without a span" in said


def test_a_sentence_may_hold_hashes_and_other_writing(tmp_path):
    moments, _ = converted(tmp_path, "charades", "AO8RW 0.0 6.9##nº 5 ## é\u2028人.\n", LENGTHS)
    assert moments[0].query == "nº 5 ## é\u2028人."


ENTRY = {"duration": 3, "timestamps": [[0, 1]], "sentences": ["x"]}
NO_JSON = r"it is no JSON from {} on: look there for a comma, bracket or quote"


@pytest.mark.parametrize(
    ("kind", "files", "place", "reason"),
    [
        ("charades", ["A 0 6##fine\n\nAO8RW 0.0 six##bad", LENGTHS], "0, line 1", "source1 has no duration of A,"),
        ("charades", ["AO8RW 0.0 6.9##fine\n\nAO8RW 0.0 six##bad", LENGTHS], "0, line 3", "end is 'six', not a number"),
        ("charades", ["AO8RW 0.0 6.9 no hashes", LENGTHS], "0, line 1", "it is not ID START END##SENTENCE"),
        ("charades", ["AO8RW 0.0##one time", LENGTHS], "0, line 1", "it is not ID START END##SENTENCE"),
        ("charades", [CHARADES, LENGTHS + "LAST,\n"], r"1, line \d", "it has no id with a length"),
        ("charades", [CHARADES, LENGTHS + "L,,,x\n"], r"1, line \d", "the duration of L is 'x', not a number"),
        ("charades", [CHARADES, "name,seconds\nAO8RW,33\n"], "1, line 2", "it has no id with a length"),
        ("charades", ["AO8RW nan 6.9##not a time", LENGTHS], ".*AO8RW.*", "are not both times"),
        ("charades", ["AO8RW 0.0 6.9##no time", "id,length\nAO8RW,0\n"], ".*AO8RW.*", "the duration is 0"),
        ("charades", ["[[1, 2],]", LENGTHS], "0", NO_JSON.format(r"column \d")),
        ("activitynet", [{"v": ENTRY | {"timestamps": [[0]]}}], "0, video v", r"\[0\] is not a start and an end"),
        ("activitynet", [{"v": ENTRY | {"sentences": []}}], "0, video v", "0 sentences have 1 timestamps"),
        ("activitynet", [{"v": ENTRY | {"sentences": [None]}}], "0, video v, None", "the sentence is no text"),
        ("activitynet", [{"v": ENTRY | {"duration": "long"}}], "0, video v", "duration is 'long', not a number"),
        ("activitynet", [{"v": {"timestamps": [[0, 1]], "sentences": ["x"]}}], "0, video v", "'duration' is missing"),
        ("activitynet", [{"v": ["x"]}], "0, video v", "a value is of another kind"),
        ("activitynet", ['{"v":\n  {"duration": 3,}}'], "0", NO_JSON.format(r"line 2, column 1\d")),
        ("activitynet", [" \n"], "0", "it is empty"),
        ("activitynet", ["[[]]"], "0, entry 1", "it is not .video, duration, .start, end., sentence."),
        ("qvhighlights", [json.dumps(QVHIGHLIGHTS[0]) + '\n{"vid": "v"}\n'], "0, line 2", "'duration' is missing"),
        ("qvhighlights", [json.dumps(QVHIGHLIGHTS[0]) + "\n{\n"], "0, line 2", NO_JSON.format("column 2")),
        ("qvhighlights", ["[1]"], "0, line 1", "it is no JSON object"),
    ],
)
def test_a_broken_entry_is_named_in_plain_words(tmp_path, kind, files, place, reason):
    with pytest.raises(DataError, match=rf"source{place}: not {kind} as published \(.*{reason}") as caught:
        converted(tmp_path, kind, *files)
    assert str(caught.value).endswith("mend or delete it, and see --help.")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_file_too_many_is_said(tmp_path):
    with pytest.raises(DataError, match="charades takes 2 of the 3 files"):
        converted(tmp_path, "charades", CHARADES, LENGTHS, LENGTHS)


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("charades", [CHARADES]),
        ("activitynet", ["not json"]),
        ("activitynet", ["[]"]),
        ("activitynet", ["5"]),
    ],
)
def test_another_format_is_one_clear_error(tmp_path, kind, files):
    with pytest.raises(DataError, match=f"not {kind} as published") as caught:
        converted(tmp_path, kind, *files)
    assert "source" in str(caught.value)
    assert not (tmp_path / "out.jsonl").exists()


class TestHavingFeatures:
    def convert(self, tmp_path, *names):
        for name in names:
            (tmp_path / "features").mkdir(exist_ok=True)
            (tmp_path / "features" / f"{name}.safetensors").write_bytes(b"")
        files = [write(tmp_path / "a.txt", CHARADES), write(tmp_path / "l.csv", LENGTHS)]
        said = convert("charades", files, [], tmp_path / "out.jsonl", tmp_path / "features")
        return list(read_moments(tmp_path / "out.jsonl")), said

    def test_videos_that_were_not_encoded_are_left_out_and_counted(self, tmp_path):
        moments, said = self.convert(tmp_path, "AO8RW.mp4", "Y6R7T")
        assert [moment.video for moment in moments] == ["AO8RW", "Y6R7T"]
        assert "1 lacked features" in said

    @pytest.mark.parametrize(("names", "named"), [((), "features is no folder"), (("other",), "nothing is left")])
    def test_nothing_left_is_one_clear_error(self, tmp_path, names, named):
        with pytest.raises(DataError, match=named):
            self.convert(tmp_path, *names)
        assert not (tmp_path / "out.jsonl").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.json"):
        convert("activitynet", [tmp_path / "absent.json"], [], tmp_path / "out.jsonl")


@pytest.mark.parametrize("kind", ["msrvtt", "folds"])
def test_parts_have_to_be_named(tmp_path, kind):
    with pytest.raises(DataError, match="--split"):
        convert(kind, [tmp_path / "a"], [], tmp_path / "out.jsonl")


def test_the_command_writes_and_says_what(tmp_path, monkeypatch, capsys):
    source = write(tmp_path / "qv.jsonl", QVHIGHLIGHTS)
    monkeypatch.setattr(sys, "argv", ["converters", "qvhighlights", str(source), "--out", str(tmp_path / "out.jsonl")])
    assert main() == 0
    assert "1 moments of 1 videos" in capsys.readouterr().out


def test_the_command_fails_in_one_line(tmp_path, monkeypatch, capsys):
    source = write(tmp_path / "qv.jsonl", "{")
    monkeypatch.setattr(sys, "argv", ["converters", "qvhighlights", str(source), "--out", str(tmp_path / "out.jsonl")])
    assert main() == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.strip().splitlines()) == 1
