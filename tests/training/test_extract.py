import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import SafetensorError

from grounding.features.streaming import encode_frames
from tests.clips import bad_file, colours
from training.extract import extract, main
from training.features import FeatureFolder
from training.moments import DataError
from training.video_files import find_videos


class FakeEncoder:
    """The mean colour of a frame; keeps count of the frames it saw."""

    name, width, batch = "fake", 3, 8

    def __init__(self):
        self.seen = 0

    def encode(self, frames):
        self.seen += len(frames)
        return torch.stack([torch.from_numpy(frame).float().mean(dim=(0, 1)) / 255 for frame in frames])


@pytest.fixture
def encoder(monkeypatch):
    fake = FakeEncoder()
    monkeypatch.setattr("training.extract.load_frame_encoder", lambda *args, **options: fake)
    return fake


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    (folder / "more").mkdir(parents=True)
    colours(folder / "a.mp4", seconds=0.5)
    colours(folder / "more" / "b.MP4", seconds=0.5)
    (folder / "notes.txt").write_text("not a video")
    return folder


def test_every_video_is_encoded(videos, tmp_path, encoder):
    assert extract(find_videos(videos).videos, videos, "fake", 2.0, tmp_path / "out") == {}
    for name in ("a.mp4", "more/b.MP4"):
        video = FeatureFolder(tmp_path / "out", "fake", 3).load(name)
        assert video.timestamps.tolist() == pytest.approx([0.0, 0.5, 1.0])
        assert video.features.argmax(axis=1).tolist() == [0, 1, 2]
        assert video.duration == pytest.approx(1.5, abs=0.05)


def test_a_folder_of_pictures_is_a_video_with_frames_at_the_rate(videos, tmp_path, encoder):
    (videos / "pictures").mkdir()
    for name, colour in (("0.png", (0, 0, 255)), ("1.png", (255, 0, 0))):  # BGR
        cv2.imwrite(str(videos / "pictures" / name), np.full((4, 6, 3), colour, dtype=np.uint8))
    assert find_videos(videos).videos == ["a.mp4", "more/b.MP4", "pictures"]
    assert extract(["pictures"], videos, "fake", 2.0, tmp_path / "out") == {}
    video = FeatureFolder(tmp_path / "out", "fake", 3).load("pictures")
    assert (video.timestamps.tolist(), video.duration) == ([0.0, 0.5], 1.0)
    assert video.features.tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_picture_that_cannot_be_read_is_reported(videos, tmp_path, encoder, content):
    (videos / "pictures").mkdir()
    (videos / "pictures" / "0.jpg").write_bytes(content)
    failed = extract(find_videos(videos).videos, videos, "fake", 2.0, tmp_path / "out")
    assert list(failed) == ["pictures"]
    assert "0.jpg cannot be read as a picture" in failed["pictures"]


def test_what_is_done_is_not_done_again(videos, tmp_path, encoder, monkeypatch):
    extract(["a.mp4"], videos, "fake", 2.0, tmp_path / "out")
    before = encoder.seen
    extract(find_videos(videos).videos, videos, "fake", 2.0, tmp_path / "out")
    assert encoder.seen == 2 * before

    def unwanted(*args, **options):
        raise AssertionError("loaded an encoder with nothing to encode")

    monkeypatch.setattr("training.extract.load_frame_encoder", unwanted)
    assert extract(find_videos(videos).videos, videos, "fake", 2.0, tmp_path / "out") == {}


def test_a_killed_run_leaves_no_half_file_and_goes_on(videos, tmp_path, encoder, monkeypatch):
    def dies(tensors, path, meta):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("training.features.save_file", dies)
        with pytest.raises(KeyboardInterrupt):
            extract(find_videos(videos).videos, videos, "fake", 2.0, tmp_path / "out")
    extract(find_videos(videos).videos, videos, "fake", 2.0, tmp_path / "out")
    store = FeatureFolder(tmp_path / "out", "fake", 3)
    assert all(len(store.load(name).timestamps) == 3 for name in find_videos(videos).videos)


@pytest.mark.parametrize("kind", ["text", "empty", "truncated", "sound"])
def test_a_bad_file_is_reported_and_the_rest_goes_on(videos, tmp_path, encoder, kind):
    (tmp_path / "bad").mkdir()
    bad_file(kind, tmp_path / "bad").rename(videos / "aa.mp4")
    failed = extract(find_videos(videos).videos, videos, "fake", 2.0, tmp_path / "out")
    assert set(failed) == {"aa.mp4"}
    assert "aa.mp4" in failed["aa.mp4"]
    store = FeatureFolder(tmp_path / "out", "fake", 3)
    assert [store.has(name) for name in ("a.mp4", "aa.mp4", "more/b.MP4")] == [True, False, True]


def test_runs_on_one_folder_share_the_work_and_harm_nothing(videos, tmp_path, encoder, monkeypatch):
    """Another run finishes a video while this one works on its first: it is not done twice."""
    first = []

    def encode(path, *arguments):
        if not first:
            first.append(path.name)
            extract(find_videos(videos).videos, videos, "fake", 2.0, tmp_path / "out")
        return encode_frames(path, *arguments)

    monkeypatch.setattr("training.extract.encode_frames", encode)
    extract(find_videos(videos).videos, videos, "fake", 2.0, tmp_path / "out")
    assert encoder.seen == 3 * 3  # the first video twice, the other once, three frames each
    files = sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert files == ["a.mp4.safetensors", "b.MP4.safetensors"]


def test_a_damaged_file_is_done_again(videos, tmp_path, encoder):
    extract(["a.mp4"], videos, "fake", 2.0, tmp_path / "out")
    (tmp_path / "out" / "a.mp4.safetensors").write_bytes(b"half")
    extract(["a.mp4"], videos, "fake", 2.0, tmp_path / "out")
    assert len(FeatureFolder(tmp_path / "out", "fake", 3).load("a.mp4").timestamps) == 3


def test_features_of_another_encoder_are_not_mixed_in(videos, tmp_path, encoder):
    extract(["a.mp4"], videos, "fake", 2.0, tmp_path / "out")
    with pytest.raises(DataError, match="choose another --out"):
        extract(find_videos(videos).videos, videos, "embedded", 2.0, tmp_path / "out")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("No space left on device")])
def test_a_full_disk_is_one_clear_error_and_leaves_nothing(videos, tmp_path, encoder, monkeypatch, error):
    def full(tensors, path, meta):
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr("training.features.save_file", full)
    with pytest.raises(DataError, match=r"mp4\.safetensors cannot be written .No space"):
        extract(["a.mp4"], videos, "fake", 2.0, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


class TestMain:
    def run(self, monkeypatch, videos, out, rate="2"):
        arguments = ["extract", "--videos", str(videos), "--encoder", "fake", "--rate", rate, "--out", str(out)]
        monkeypatch.setattr(sys, "argv", arguments)
        return main()

    def test_encodes_a_folder(self, videos, tmp_path, encoder, monkeypatch):
        assert self.run(monkeypatch, videos, tmp_path / "out") == 0
        assert FeatureFolder(tmp_path / "out", "fake", 3).has("more/b.MP4")

    def test_says_in_one_line_what_is_no_video(self, videos, tmp_path, encoder, monkeypatch, capfd):
        (videos / "more" / "table.csv").write_text("a,b")
        assert self.run(monkeypatch, videos, tmp_path / "out") == 0
        assert "left out as no videos: more/table.csv, notes.txt\n" in capfd.readouterr().err

    def test_says_which_files_it_skipped(self, videos, tmp_path, encoder, monkeypatch, capsys):
        (videos / "c.mp4").write_text("not a video")
        assert self.run(monkeypatch, videos, tmp_path / "out") == 1
        assert "skipped c.mp4" in capsys.readouterr().err

    def test_says_which_files_end_early(self, videos, tmp_path, encoder, monkeypatch, capsys):
        whole = colours(tmp_path / "whole.mkv")
        (videos / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        assert self.run(monkeypatch, videos, tmp_path / "out") == 0
        assert "cut.mkv: Only the first" in capsys.readouterr().err

    def test_weights_of_a_local_file_reach_the_encoder(self, videos, tmp_path, monkeypatch):
        seen = {}

        def load(name, device, weights):
            seen.update(name=name, weights=weights)
            return FakeEncoder()

        monkeypatch.setattr("training.extract.load_frame_encoder", load)
        arguments = ["--videos", videos, "--encoder", "fake", "--weights", "w.bin", "--out", tmp_path / "out"]
        monkeypatch.setattr(sys, "argv", ["extract", *map(str, arguments)])
        assert main() == 0
        assert seen == {"name": "fake", "weights": Path("w.bin")}

    def test_a_place_that_cannot_be_written_is_one_line(self, videos, tmp_path, encoder, monkeypatch, capsys):
        (tmp_path / "file").write_text("")
        assert self.run(monkeypatch, videos, tmp_path / "file") == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1

    @pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
    def test_a_rate_that_is_none_is_one_line(self, videos, tmp_path, encoder, monkeypatch, capsys, rate):
        assert self.run(monkeypatch, videos, tmp_path / "out", rate) == 2
        assert "--rate" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_a_folder_without_videos_is_one_line(self, tmp_path, encoder, monkeypatch, capsys):
        assert self.run(monkeypatch, tmp_path / "absent", tmp_path / "out") == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
