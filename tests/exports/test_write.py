"""What is exported is read back by other programs' readers, and cut by ffmpeg."""

import csv
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote, urlparse
from xml.etree import ElementTree

import av
import opentimelineio as otio
import pytest

from grounding.errors import GroundingError, VideoError, WriteError
from grounding.exports.cut_list import Moment
from grounding.exports.timecode import timecode_rate
from grounding.exports.write import check_export, write_moments
from grounding.video.media_info import MediaInfo, read_media_info
from tests.exports.clips import number_in, write_numbered

NTSC = Fraction(30000, 1001)
ODD = "a =b;c & <d> 'e'\n\"f\" é 猫.mp4"
RATES = {  # a clip's, and the timecode of its first frame
    "25": (Fraction(25), ""),
    "29.97": (NTSC, ""),
    "29.97 from 1 h on": (NTSC, "01:00:00;00"),
    "59.94": (2 * NTSC, ""),
    "23.976": (NTSC * 4 / 5, ""),
    "12.5": (Fraction(25, 2), ""),  # counted at 25
}
NOTHING = MediaInfo(Fraction(25), 9000.0, 320, 240)


@pytest.fixture(scope="module", params=RATES.values(), ids=RATES)
def shot(request, tmp_path_factory):
    """A clip, its rate, and two moments in it: from frame 90 and from frame 31 on."""
    rate, timecode = request.param
    clip = write_numbered(tmp_path_factory.mktemp("clip") / "clip.mov", rate, timecode=timecode)
    begin = [float(frame / rate) for frame in (90, 31)]
    return clip, rate, [Moment(str(clip), f"query {at:.0f}", at, at + float(20 / rate), 0.75) for at in begin]


def first_frames(path: Path, rate: Fraction) -> list[tuple[str, int, int]]:
    """As an editing program opens an export: for each cut the file, its first frame and how many there are."""
    facts = {"rate": float(rate)} if path.suffix == ".edl" else {}
    adapter = {".edl": "cmx_3600", ".fcpxml": "fcpx_xml", ".otio": "otio_json"}[path.suffix]
    if adapter == "fcpx_xml":
        return fcpxml_cuts(path, rate)
    timeline = otio.adapters.read_from_file(str(path), adapter, **facts)
    return [
        (clip.name, round(clip.source_range.start_time.value), round(clip.source_range.duration.value))
        for clip in timeline.find_clips()
    ]


@pytest.mark.parametrize("kind", [".edl", ".fcpxml", ".otio", ".srt", ".vtt", ".csv"])
def test_a_visitor_is_told_file_names_and_no_folders(tmp_path, kind):
    moments = [Moment(f"/operator/{folder}/a b.mp4", "a cat", 1.0, 2.0, 0.5) for folder in ("one", "two")]
    text = write_moments(tmp_path / f"cuts{kind}", moments, lambda path: NOTHING, bare=True).read_text("utf-8")
    assert "operator" not in text
    assert "a b.mp4" in text or "a%20b.mp4" in text
    if kind == ".fcpxml":
        assets = ElementTree.fromstring(text).iter("asset")
        assert [asset.get("src") or asset.find("media-rep").get("src") for asset in assets] == ["a%20b.mp4"] * 2
    if kind == ".otio":
        clips = otio.adapters.read_from_string(text, "otio_json").find_clips()
        assert [clip.media_reference.target_url for clip in clips] == ["a%20b.mp4"] * 2


def fcpxml_cuts(path: Path, rate: Fraction) -> list[tuple[str, int, int]]:
    """Times of FCPXML must be whole frames."""
    frames = [
        (clip.get("name"), *(Fraction(clip.get(name).rstrip("s")) * rate for name in ("start", "duration")))
        for clip in ElementTree.parse(path).iter("asset-clip")
    ]
    assert all(value.denominator == 1 for _, *values in frames for value in values)
    return [(name, int(start), int(length)) for name, start, length in frames]


@pytest.mark.parametrize("suffix", [".edl", ".fcpxml", ".otio"])
def test_the_first_frame_of_each_cut_is_that_of_the_moment(shot, tmp_path, suffix):
    clip, rate, moments = shot
    path = write_moments(tmp_path / f"cuts{suffix}", moments)
    origin, each = 107_892 if read_media_info(clip).timecode else 0, int(timecode_rate(rate) / rate)
    cuts = [
        (name, (first - origin) / each, length / each)
        for name, first, length in first_frames(path, timecode_rate(rate))
    ]
    assert cuts == [("clip.mov", 90, 20), ("clip.mov", 31, 20)]


def test_ffmpeg_finds_the_frames_by_their_numbers(shot, tmp_path):
    for first in (90, 31):
        assert shown_by_ffmpeg(shot[0], first, 20, tmp_path) == [*range(first, first + 20)]


def shown_by_ffmpeg(clip: Path, first: int, length: int, folder: Path) -> list[int]:
    """The numbers in the frames that ffmpeg cuts out."""
    out = folder / "cut.mp4"
    span = f"trim=start_frame={first}:end_frame={first + length},setpts=PTS-STARTPTS"
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(clip), "-vf", span, "-an", str(out)]
    subprocess.run(command, check=True)
    with av.open(str(out)) as container:
        return [number_in(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_final_cut_reads_where_the_clip_lies_and_what_was_asked(shot, tmp_path):
    clip, rate, moments = shot
    path = write_moments(tmp_path / "cuts.fcpxml", moments)
    container = otio.adapters.read_from_file(str(path), "fcpx_xml")
    assert container is not None
    root = ElementTree.parse(path).getroot()
    assert unquote(urlparse(root.find("resources/asset").get("src")).path) == str(clip)
    assert Fraction(root.find("resources/format").get("frameDuration").rstrip("s")) == 1 / timecode_rate(rate)
    assert [marker.get("value") for marker in root.iter("marker")] == [f"{one.query} (0.75)" for one in moments]
    offsets = [Fraction(one.get("offset").rstrip("s")) for one in root.iter("asset-clip")]
    assert offsets[0] == Fraction(root.find(".//sequence").get("tcStart").rstrip("s"))
    assert offsets[1] - offsets[0] == 20 / rate


def test_an_edl_at_29_97_is_drop_frame(tmp_path):
    moment = Moment("clip.mp4", "a cat", 3600.0, 3602.0, 0.5)
    lines = write_moments(tmp_path / "a.edl", [moment], lambda video: MediaInfo(NTSC, 9000, 320, 240, True)).read_text()
    assert lines.splitlines() == [
        "TITLE: a",
        "FCM: DROP FRAME",
        "",
        "001  AX       AA/V  C        01:00:00;00 01:00:02;00 01:00:00;00 01:00:02;00",
        "* FROM CLIP NAME: clip.mp4",
        "* COMMENT: a cat (0.50)",
        "* LOC: 01:00:00;00 GREEN   a cat (0.50)",
        "",
    ]


@pytest.mark.parametrize("suffix", [".edl", ".fcpxml", ".otio", ".csv", ".srt", ".vtt"])
def test_odd_names_and_queries_stay_names_and_queries(tmp_path, suffix):
    moments = [
        Moment(str(tmp_path / ODD), "=1+1\n\n00:00 --> <i>{x} &\ufffe\x1b", 1.0, 2.0, 0.5),
        Moment("b.mp4", "@", 1, 2, 0),
    ]
    path = write_moments(tmp_path / f"odd{suffix}", moments, lambda video: NOTHING)
    text = path.read_text(encoding="utf-8")
    assert "\x1b" not in text or suffix == ".csv"
    if suffix == ".csv":
        rows = list(csv.DictReader(text.removeprefix("\ufeff").splitlines(keepends=True)))
        assert [row["query"][:2] for row in rows] == ["'=", "'@"]
        assert rows[0]["video"] == str(tmp_path / ODD)
        assert (rows[0]["start_timecode"], rows[0]["end_timecode"]) == ("00:00:01:00", "00:00:02:00")
    elif suffix in (".srt", ".vtt"):
        assert text.count(" --> ") == 2 and "<i>" not in text
    else:
        names = [name for name, *_ in first_frames(path, Fraction(25))]
        assert names == [ODD.replace("\n", " "), "b.mp4"]


def test_subtitles_of_one_video_are_on_its_clock(tmp_path):
    moments = [Moment("a.mp4", "second", 3725.5, 3727.0, 0.9), Moment("a.mp4", "first & best", 1.0, 2.25, 0.1)]
    srt = write_moments(tmp_path / "a.srt", moments, lambda video: NOTHING).read_text()
    assert srt == ("1\n00:00:01,000 --> 00:00:02,250\nfirst & best\n\n2\n01:02:05,500 --> 01:02:07,000\nsecond\n")
    vtt = write_moments(tmp_path / "a.vtt", moments, lambda video: NOTHING).read_text()
    assert vtt.startswith("WEBVTT\n\n00:00:01.000 --> 00:00:02.250\nfirst &amp; best\n\n01:02:05.500 -->")


def test_subtitles_of_several_videos_follow_the_timeline(tmp_path):
    moments = [Moment("b.mp4", "x", 100.0, 102.0, 0.9), Moment("a.mp4", "x", 1.0, 2.0, 0.1)]
    srt = write_moments(tmp_path / "a.srt", moments, lambda video: NOTHING).read_text()
    assert "00:00:00,000 --> 00:00:02,000\nx (b.mp4)" in srt
    assert "00:00:02,000 --> 00:00:03,000\nx (a.mp4)" in srt


def test_ffmpeg_reads_the_subtitles(tmp_path):
    moments = [Moment("a.mp4", "a cat", 1.0, 2.25, 0.1)]
    for suffix in (".srt", ".vtt"):
        path = write_moments(tmp_path / f"a{suffix}", moments, lambda video: NOTHING)
        with av.open(str(path)) as container:
            packet = next(container.demux())
            assert (float(packet.pts * packet.time_base), bytes(packet)) == (1.0, b"a cat")


def test_clips_of_other_rates_are_as_long_on_the_timeline(tmp_path):
    rates = {"a": Fraction(25), "b": Fraction(50), "c": Fraction(25)}
    moments = [Moment(name, "x", 1.0, 2.0, 0.5) for name in rates]
    path = write_moments(tmp_path / "a.edl", moments, lambda video: MediaInfo(rates[video], 10, 32, 32))
    events = [line.split()[4:] for line in path.read_text().splitlines() if line[:1] == "0"]
    assert events[1] == ["00:00:01:00", "00:00:02:00", "01:00:01:00", "01:00:02:00"]


def test_what_cannot_be_exported_is_said_before_the_work(tmp_path):
    (tmp_path / "there.srt").write_text("mine")
    for name, said in {"a.mov": r"end it in \.edl", "no/a.edl": "no folder", "there.srt": "there already"}.items():
        with pytest.raises(GroundingError, match=said):
            check_export(tmp_path / name)
    assert (tmp_path / "there.srt").read_text() == "mine"
    assert check_export(tmp_path / "there.srt", overwrite=True)


@pytest.mark.parametrize(
    ("moments", "rate", "said"),
    [
        ([], 25, "no moments"),
        ([Moment("a", "x", 0, 1, 0)] * 1000, 25, "999 events"),
        ([Moment("a", "x", 0, 1, 0)], 240, "99"),
    ],
)
def test_what_an_edl_does_not_hold_is_said(tmp_path, moments, rate, said):
    with pytest.raises(GroundingError, match=said):
        write_moments(tmp_path / "a.edl", moments, lambda video: MediaInfo(Fraction(rate), 10, 32, 32))
    assert not list(tmp_path.iterdir())


def test_a_clip_that_has_left_is_said(tmp_path):
    with pytest.raises(VideoError, match="no file 'gone.mp4'"):
        write_moments(tmp_path / "a.edl", [Moment(str(tmp_path / "gone.mp4"), "x", 0, 1, 0)])


def test_without_opentimelineio_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(GroundingError, match="pip install opentimelineio"):
        write_moments(tmp_path / "a.otio", [Moment("a", "x", 0, 1, 0)], lambda video: NOTHING)


def test_a_folder_that_must_not_be_written_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(WriteError, match="make room"):
        write_moments(tmp_path / "a.srt", [Moment("a", "x", 0, 1, 0)], lambda video: NOTHING)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [".edl", ".fcpxml", ".otio", ".srt", ".vtt", ".csv"])
def test_a_moment_that_does_not_stand_out_is_marked_as_uncertain(tmp_path, kind):
    moments = [Moment("a.mp4", "a cat", start, start + 1.0, 0.5, start < 2) for start in (1.0, 3.0)]
    sure, both = (
        write_moments(tmp_path / f"{name}{kind}", some, lambda path: NOTHING).read_text("utf-8")
        for name, some in (("sure", moments[:1]), ("both", moments))
    )
    mark = {".csv": "false", ".edl": "YELLOW", ".otio": "YELLOW"}.get(kind, "uncertain")
    assert mark in both and mark not in sure


def test_a_timeline_carries_whether_each_moment_stands_out(tmp_path):
    moments = [Moment("a.mp4", "a cat", 1.0, 2.0, 0.5, stands_out) for stands_out in (True, False, None)]
    write_moments(tmp_path / "a.otio", moments, lambda video: NOTHING)
    clips = otio.adapters.read_from_file(str(tmp_path / "a.otio"), "otio_json").find_clips()
    assert [clip.metadata["grounding"]["stands_out"] for clip in clips] == [True, False, None]
