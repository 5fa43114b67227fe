import json

import pytest

pytest.importorskip("lancedb")

from grounding import __main__ as cli
from grounding.exports.cut_list import Moment
from grounding.library import command_line
from grounding.library.library import AddProgress
from tests.clips import bad_file, noisy, shorten, write_video
from tests.library.clips import write_folder


@pytest.fixture(autouse=True)
def one_predictor(predictor, monkeypatch):
    """Loading the checkpoint once is enough for these tests."""
    monkeypatch.setattr("grounding.predictor.Predictor.from_checkpoint", lambda name, weights=None: predictor)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("videos"))
    bad_file("text", folder)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


def search(capsys, *arguments):
    """The exit status, what is printed and what is said on stderr."""
    try:
        code = cli.main(["search", *map(str, arguments)])
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err.splitlines()


def test_json_is_a_line_per_moment_best_first(videos, store, capsys, monkeypatch):
    monkeypatch.chdir(videos.parent)
    arguments = [
        videos.name,
        "--query",
        "a cat",
        "--query",
        "a cup of coffee",
        "--top-k",
        2,
        "--store",
        store,
        "--json",
    ]
    code, out, err = search(capsys, *arguments)
    moments = [json.loads(line) for line in out]
    assert code == 0
    assert [list(moment) for moment in moments] == [["video", "query", "start", "end", "score", "stands_out"]] * 4
    assert [moment["query"] for moment in moments] == ["a cat"] * 2 + ["a cup of coffee"] * 2
    assert moments[0]["video"] == f"{videos.name}/cat.mp4" and moments[2]["video"] == f"{videos.name}/deep/coffee.mp4"
    assert len(err) == 1 and err[0].startswith("left out") and "text.mp4" in err[0]


def test_what_looks_like_a_video_of_an_unknown_kind_is_named_in_one_line(videos, tmp_path, store, capsys):
    (tmp_path / "cat.txt").write_bytes((videos / "cat.mp4").read_bytes())  # a video by its content
    for name in ("sp.gif", "deep/x.264", "cat.jpg", "cat.srt", "cat.json", "cat.m4a", "notes.txt", ".d.gif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("none that can be read")
    code, out, err = search(capsys, tmp_path, "--query", "a cat", "--store", store)
    assert (code, err) == (
        0,
        [f"left out, of kinds that are not read: {tmp_path}/sp.gif, {tmp_path}/deep/x.264; convert them to mp4"],
    )
    assert out[1].endswith("cat.txt")


def test_a_file_that_is_given_and_cannot_be_read_is_named_and_the_others_are_searched(videos, store, capsys):
    given = [videos / "cat.mp4", videos / "text.mp4"]
    code, out, err = search(capsys, *given, "--query", "a cat", "--store", store)
    assert code == 0 and out[1].endswith("cat.mp4")
    assert len(err) == 1 and err[0].startswith(f"left out {videos / 'text.mp4'}: The file 'text.mp4' is not a video")
    code, out, _ = search(capsys, "--help")
    assert code == 0 and "Exit status: 0 after a search" in " ".join(out)


def test_a_person_reads_the_query_and_its_moments(videos, store, capsys):
    code, out, _ = search(capsys, videos / "cat.mp4", "--query", "a cat", "--store", store)
    assert code == 0
    assert out[0] == "a cat"
    assert out[1].startswith("  0:0") and out[1].endswith(str(videos / "cat.mp4"))
    assert out[-1] == command_line.SCORES


def test_doubt_is_said_once_where_nothing_stands_out_and_per_moment_where_some_does():
    sure, doubtful = (Moment("a.mp4", "a cat", 1.0, 2.0, 0.5, stands_out) for stands_out in (True, False))
    assert list(command_line.describe([sure, doubtful]))[1:3] == [
        "  0:01.0 to 0:02.0         score 0.50  a.mp4",
        "  0:01.0 to 0:02.0         score 0.50  a.mp4  (uncertain)",
    ]
    said = list(command_line.describe([doubtful, doubtful]))
    assert said[1] == "  Nothing in these videos stands out for this sentence."
    assert said[2] == said[3] == "  0:01.0 to 0:02.0         score 0.50  a.mp4"
    assert list(command_line.describe([])) == []


def test_what_holds_no_video_at_all_is_an_error(store, capsys, tmp_path):
    (tmp_path / "notes.md").write_text("no video")
    assert cli.main(["search", str(tmp_path / "notes.md"), "--query", "a cat", "--store", str(store)]) == 2
    assert "None of what was given can be read as a video" in capsys.readouterr().err


def test_moments_are_exported_and_no_file_is_replaced_unasked(videos, store, capsys, tmp_path):
    arguments = [videos / "cat.mp4", "--query", "a cat", "--store", store, "--export", tmp_path / "cuts.edl"]
    assert search(capsys, *arguments)[0] == 0
    assert "* FROM CLIP NAME: cat.mp4" in (tmp_path / "cuts.edl").read_text()
    code, out, err = search(capsys, *arguments)
    assert (code, out, len(err)) == (2, [], 1) and "--overwrite" in err[0]
    assert search(capsys, *arguments, "--overwrite")[0] == 0


def test_moments_are_exported_in_every_kind_that_is_named(videos, store, capsys, tmp_path):
    names = ("cuts.edl", "cuts.srt", "cuts.csv")
    exports = [part for name in names for part in ("--export", tmp_path / name)]
    assert search(capsys, videos / "cat.mp4", "--query", "a cat", "--store", store, *exports)[0] == 0
    assert all("cat" in (tmp_path / name).read_text() for name in names)


def test_a_video_that_ends_early_is_told_when_it_is_added_and_when_it_is_found(capsys, tmp_path):
    clip = shorten(write_video(tmp_path / "a.mkv", noisy(60)), 0.5)
    arguments = [clip, "--query", "a cat", "--store", tmp_path / "store"]
    for _ in range(2):
        code, out, err = search(capsys, *arguments)
        assert (code, bool(out), len(err)) == (0, True, 1)
        assert "a.mkv: Only the first 0:0" in err[0] and "of 0:06.0 could be read" in err[0]


def test_moments_are_exported_before_they_are_printed(videos, store, tmp_path, monkeypatch):
    def leave(line):
        raise BrokenPipeError

    monkeypatch.setattr(cli, "print_answer", leave)
    arguments = [videos / "cat.mp4", "--query", "a cat", "--store", store, "--export", tmp_path / "cuts.edl"]
    with pytest.raises(BrokenPipeError):
        cli.main(["search", *map(str, arguments)])
    assert "* FROM CLIP NAME: cat.mp4" in (tmp_path / "cuts.edl").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--query", "a cat"], "nowhere"),
        ([".", "--query", " "], "query is empty"),
        ([".", "--query", "a cat", "--top-k", "0"], "top_k is 0"),
        ([".", "--query", "a cat", "--export", "a.mov"], "end it in .edl"),
        ([".", "--query", "a cat", "--export", "a.mov", "--export", "a.srt"], "'a.mov' names no kind"),
        ([".", "--query", "a cat"], "no video"),
        (["."], "--query"),
        (["--query", "a cat"], "FOLDER_OR_FILE"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_2(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = search(capsys, *arguments, "--store", tmp_path / "store")
    assert (code, out, len(err)) == (2, [], 1)
    assert said in err[0]


def test_who_read_the_queries_and_what_of_them_is_said_on_stderr(videos, store, capsys, predictor, monkeypatch):
    long = "a cat " * 160
    code, _, err = search(capsys, videos / "cat.mp4", "--query", "a cat", "--query", long, "--store", store)
    assert code == 0
    assert len(err) == 1 and "'a cat a cat" in err[0] and "only its beginning counted" in err[0]
    monkeypatch.setattr(predictor.query_encoder, "name", "stand-in")
    _, _, err = search(capsys, videos / "cat.mp4", "--query", "a cat", "--store", store)
    assert len(err) == 1 and err[0].startswith("Queries read by the checkpoint's stand-in")


def test_the_bar_shows_the_video_and_how_far_it_is(capsys):
    with command_line.tqdm(unit="video") as bar:
        command_line.show_progress(bar, AddProgress("/v/a\x1b.mp4", 3, 8, 0.5))
        bar.refresh()
    err = capsys.readouterr().err
    assert "3/8" in err and "a\\x1b.mp4 50%" in err


def test_times_are_written_without_the_noise_of_arithmetic():
    line = command_line.to_json(Moment("a.mp4", "a cat", 16.759999999999998, 20.000000000000004, 0.5, True))
    assert '"start": 16.76, "end": 20.0' in line


def test_a_link_to_a_video_that_is_gone_is_named(videos, tmp_path, store, capsys):
    (tmp_path / "cat.mp4").symlink_to(videos / "cat.mp4")
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nothing")
    code, _, err = search(capsys, tmp_path, "--query", "a cat", "--store", store)
    assert code == 0 and len(err) == 1 and "gone.mp4" in err[0] and "There is no file" in err[0]
