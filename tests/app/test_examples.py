"""The example clips: small, playable, and answered rightly by the shipped checkpoint."""

import json
from pathlib import Path

import av
import pytest

from grounding.app.examples import make
from grounding.predictor import Predictor
from grounding.video.reader import FrameReader

FOLDER = Path(make.__file__).parent
ENTRIES = json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))
each_clip = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])


def overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Intersection over union of two spans in seconds."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / (max(a[1], b[1]) - min(a[0], b[0]))


def test_there_are_at_least_three_clips_with_two_queries_each() -> None:
    assert len(ENTRIES) >= 3
    assert all(len(entry["queries"]) == len(entry["spans"]) >= 2 for entry in ENTRIES)
    assert {entry["file"] for entry in ENTRIES} == {path.name for path in FOLDER.glob("*.mp4")}


def test_the_list_says_what_the_script_draws() -> None:
    assert [clip.entry() for clip in make.CLIPS] == ENTRIES


@each_clip
def test_a_clip_is_small_and_decodes_to_the_end(entry: dict) -> None:
    path = FOLDER / entry["file"]
    assert path.stat().st_size < 1_000_000
    reader = FrameReader(path, rate=1.0)
    frames = list(reader)
    expected = sum(shot.seconds for clip in make.CLIPS if clip.file == entry["file"] for shot in clip.shots)
    assert 15 <= reader.duration <= 45
    assert reader.duration == pytest.approx(expected, abs=0.05)
    assert len(frames) == expected


@each_clip
def test_a_browser_can_play_a_clip_while_it_loads(entry: dict) -> None:
    path = FOLDER / entry["file"]
    with av.open(str(path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@each_clip
def test_the_shipped_checkpoint_finds_the_moments(entry: dict, predictor: Predictor) -> None:
    video = predictor.encode_video(FOLDER / entry["file"])
    for query, span in zip(entry["queries"], entry["spans"], strict=True):
        answer = predictor.ground(video, query, top_k=1)
        best = answer.segments[0]
        assert overlap((best.start, best.end), span) >= 0.5, f"{query}: {best}, not {span}"
        assert answer.stands_out is not False, f"{query}: {answer.doubt}"


def test_a_clip_is_drawn_the_same_every_time(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    shot = make.Shot("chelsea", 1, make.Window(0.3, 0.5, 0.7), make.Window(0.6, 0.5, 0.9))
    first, second = (make.write(make.Clip(name, "", (shot,)), tmp_path) for name in ("a.mp4", "b.mp4"))
    assert first.read_bytes() == second.read_bytes()


def test_the_window_moves_and_stays_inside_the_photograph() -> None:
    pytest.importorskip("skimage")
    shot = make.Shot("brick", 0.2, make.Window(0, 0, 0.9375), make.Window(1, 1, 0.9375))  # a pixel for a pixel
    drawn, photo = list(make.frames(shot)), make.photograph("brick")
    assert len(drawn) == 5
    assert (drawn[0] == photo[: make.HEIGHT, : make.WIDTH]).all()
    assert (drawn[-1] == photo[-make.HEIGHT :, -make.WIDTH :]).all()
