import contextlib
import json
import shutil
import subprocess
import sys

import pytest

from grounding import Predictor
from grounding import __main__ as cli
from grounding.video.video_files import SUFFIXES
from tests.clips import BAD_KINDS, bad_file, noisy, shorten, write_video
from tests.trust.matrix import broken


@pytest.fixture(autouse=True)
def one_predictor(predictor, monkeypatch):
    """Loading the checkpoint once is enough for these tests; other names still go to the real loader."""
    real = Predictor.from_checkpoint

    def load(name, weights=None, cache=None):
        if name == "embedded":
            monkeypatch.setattr(predictor.store, "cache", cache)
        return predictor if name == "embedded" else real(name, weights=weights)

    monkeypatch.setattr(Predictor, "from_checkpoint", load)


def test_json_is_a_line_per_query(scenes, capsys):
    assert cli.main([str(scenes), "a cat", "a cup of coffee", "--json", "--top-k", "2"]) == 0
    out = capsys.readouterr().out.splitlines()
    rows = [json.loads(line) for line in out]
    assert [row["query"] for row in rows] == ["a cat", "a cup of coffee"]
    assert all(row["video"] == str(scenes) and 1 <= len(row["segments"]) <= 2 for row in rows)
    assert rows[0]["segments"][0]["start"] < 1
    assert rows[1]["segments"][0]["start"] > 7


def test_a_person_reads_times_and_scores(scenes, capsys):
    assert cli.main([str(scenes), "a cat"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("a cat\n")
    assert "0.00 s to" in out
    assert "score" in out


def test_a_video_is_encoded_once_where_it_is_told_to_keep_it(scenes, tmp_path, capsys, predictor, monkeypatch):
    arguments = [str(scenes), "a cat", "--json", "--cache", str(tmp_path / "kept"), "--cache-mb", "50"]
    assert cli.main(arguments) == 0
    monkeypatch.setattr(predictor.frame_encoder, "encode", lambda frames: pytest.fail("encoded again"))
    assert cli.main(arguments) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert predictor.store.cache.room == 50e6


@pytest.mark.parametrize("size", ["-1", "nan", "much"])
def test_a_size_that_is_none_is_told(scenes, capsys, size):
    assert "--cache-mb" in failing([str(scenes), "a cat", "--cache", "x", "--cache-mb", size], capsys)


def test_a_size_of_no_folder_is_told(scenes, capsys):
    assert "give --cache DIR, too" in failing([str(scenes), "a cat", "--cache-mb", "5"], capsys)


def failing(arguments, capsys):
    """Runs the command line and returns its one line on stderr."""
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_a_bad_video_is_one_line_and_exit_2(tmp_path, capsys, kind):
    assert f"{kind}.mp4" in failing([str(bad_file(kind, tmp_path)), "a cat", "--json"], capsys)


def test_a_broken_middle_is_said_beside_the_answer(tmp_path, capsys):
    clip = tmp_path / "broken.mkv"
    broken(clip)
    assert cli.main([str(clip), "a grey picture", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == "2.7 s to 3.4 s could not be decoded in full: what happens there may not be found.\n"
    assert json.loads(said.out)["skipped"] == [[pytest.approx(2.7), pytest.approx(3.4)]]


def test_a_file_that_ends_early_is_said_beside_the_answer(tmp_path, capsys):
    clip = shorten(write_video(tmp_path / "a.mp4", noisy(60), muxer={"movflags": "faststart"}), 0.5)
    assert cli.main([str(clip), "a grey picture", "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    [(start, end)] = answer["skipped"]
    assert answer["duration"] <= start + 0.01 < 4.0 and end == pytest.approx(6.0, abs=0.11)
    assert (
        said.err == f"Only the first {start:.1f} s of 6.0 s could be read: the file ends early or is damaged there.\n"
    )


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/clip.mp4", "HTTPS://127.0.0.1:9/clip.mp4", "file:///clip.mp4"])
def test_an_address_is_told_to_be_one_that_is_not_read(address, capsys):
    assert "'clip.mp4': an address is not read, so download" in failing([address, "a cat"], capsys)


@pytest.mark.parametrize("query", ["", "  ", "x" * 10_000])
def test_a_bad_query_is_one_line_and_exit_2(scenes, capsys, query):
    assert "query" in failing([str(scenes), query], capsys)


def test_bad_arguments_are_one_line_and_exit_2(scenes, capsys):
    assert "query" in failing([str(scenes)], capsys)
    assert "--top-k" in failing([str(scenes), "a cat", "--top-k", "many"], capsys)
    assert "1 or more" in failing([str(scenes), "a cat", "--top-k", "0", "--json"], capsys)


def test_an_unknown_checkpoint_names_those_there_are(scenes, capsys):
    assert "embedded" in failing([str(scenes), "a cat", "--checkpoint", "nonsense"], capsys)


def test_it_runs_as_a_module(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "grounding", str(tmp_path / "no.mp4"), "a cat"], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.strip().count("\n") == 0
    assert "no.mp4" in run.stderr


@pytest.mark.parametrize("option", ["--checkpoint", "--top-k", "--weights", "--\x1b[31m"])
def test_what_a_terminal_would_obey_is_not_echoed(option, capsys):
    with contextlib.suppress(SystemExit):
        assert cli.main(["clip.mp4", "a cat", option, "\x1b[31mred\x07\r\u202e"]) == 2
    said = capsys.readouterr().err
    assert said.endswith("\n") and said[:-1].isprintable()


def test_a_rough_answer_comes_first_where_it_is_asked_for(long_scenes, capsys):
    arguments = [str(long_scenes), "a cup of coffee", "--json"]
    assert cli.main([*arguments, "--rough"]) == 0
    rough, final = map(json.loads, capsys.readouterr().out.splitlines())
    assert cli.main(arguments) == 0
    assert json.loads(capsys.readouterr().out) == final  # the final answer alone, and the same
    assert "rough" not in final and rough["rough"] >= 3
    assert rough["duration"] == pytest.approx(final["duration"], abs=0.2)
    assert rough["segments"][0]["start"] == pytest.approx(final["segments"][0]["start"], abs=15.0)


def test_a_person_reads_from_how_many_key_frames(long_scenes, scenes, capsys):
    assert cli.main([str(long_scenes), "a cat", "--rough"]) == 0
    assert "rough, from " in capsys.readouterr().out.splitlines()[0]
    assert cli.main([str(scenes), "a cat", "--rough"]) == 0
    said = capsys.readouterr()
    assert "rough" not in said.out  # a short video is answered at once
    assert "No rough answer: the video is short" in said.err


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        ("scenes", "a file"),
        ("more/clip", "a file"),
        ("notes.txt", "a file"),
        ("my clip.m2ts", "a file"),
        ("recording", "a file"),  # by its content
        (".", "a folder"),
        ("..", "a folder"),
        ("more/", "a folder"),
        ("ROOT", "a folder"),
        ("takes.mov", "a folder"),
        ("/no/such", "the name of a file"),
        ("./missing", "the name of a file"),
        *((f"clip{suffix}", "the name of a file") for suffix in (*SUFFIXES, ".MOV", ".gif", ".x264")),
    ],
)
def test_a_path_is_refused_and_not_taken_for_a_sentence(scenes, tmp_path, capsys, monkeypatch, second, kind):
    monkeypatch.setattr(Predictor, "from_checkpoint", lambda *args, **options: pytest.fail("worked on it"))
    monkeypatch.chdir(tmp_path)
    for folder in ("more", "takes.mov"):
        (tmp_path / folder).mkdir()
    for name in ("more/clip", "notes.txt", "my clip.m2ts"):
        (tmp_path / name).touch()
    shutil.copy(scenes, tmp_path / "recording")
    second = {"scenes": str(scenes), "ROOT": str(tmp_path)}.get(second, second)
    said = failing([str(scenes), second, "a cat"], capsys)
    assert f"' is {kind} and no sentence: give one video" in said and "python -m grounding search" in said
    assert failing(["search", str(scenes), "--query", second], capsys).endswith(
        f"' is {kind} and no sentence: describe the moment in words."
    )


@pytest.mark.parametrize(
    "query", ["dog", "notes", "a cat\0", "x" * 300, "what is in my.mp4", "a man on tv/film", "man/woman", "..."]
)
def test_a_word_is_a_sentence_even_where_a_folder_has_its_name(tmp_path, monkeypatch, query):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dog").mkdir()
    (tmp_path / "notes").write_text("no video")
    cli.check_is_sentence(query, "")
