import numpy as np
import pytest

from grounding.apart import ApartReader, length
from grounding.errors import VideoError
from grounding.video import FrameReader
from tests.clips import BAD_KINDS, RED, bad_file, colours, plain, turned, write_video
from tests.trust.matrix import broken

FILES = {
    "plain.mp4": {},
    "uneven.mkv": {"times": [0.1 * index**1.5 for index in range(20)]},
    "late.mkv": {"times": [10 + 0.1 * index for index in range(20)]},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "old.avi": {"codec": "mpeg4", "encoder": {"bf": "2"}},
}


def frames(count: int, size: tuple[int, int] = (64, 96)) -> list[np.ndarray]:
    return [plain((4 * index, 90, 250 - 4 * index), size) for index in range(count)]


def same(path, rate: float = 3.0) -> bool:
    """Whether a reader in a child gives what the one here gives, bit for bit."""
    here, there = FrameReader(path, rate), ApartReader(path, rate)
    ours, theirs = list(here), list(there)
    assert ours
    return (here.info, here.duration, here.skipped, [frame.timestamp for frame in ours]) == (
        there.info,
        there.duration,
        there.skipped,
        [frame.timestamp for frame in theirs],
    ) and all(np.array_equal(one.image, other.image) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", FILES)
def test_the_frames_are_the_same(tmp_path, name):
    assert same(write_video(tmp_path / name, frames(20), **FILES[name]))


def test_so_are_those_of_turned_large_and_damaged_files(tmp_path):
    path = write_video(tmp_path / "a.mp4", frames(20))
    assert same(turned(path, tmp_path / "turned.mp4"))
    assert same(write_video(tmp_path / "large.mp4", frames(3, (900, 1200))))
    cut = write_video(tmp_path / "whole.mkv", frames(40))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    assert same(cut)
    broken(tmp_path / "broken.mp4")
    assert same(tmp_path / "broken.mp4")


def test_it_may_be_read_twice(tmp_path):
    reader = ApartReader(colours(tmp_path / "a.mp4"), rate=1.0)
    assert [frame.timestamp for frame in reader] == [frame.timestamp for frame in reader] == [0, 1, 2, 3, 4, 5]


def test_frames_may_be_written_to(tmp_path):
    """As torch wants them."""
    assert next(iter(ApartReader(colours(tmp_path / "a.mp4"), rate=1.0))).image.flags.writeable


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_errors_are_the_same(tmp_path, kind, capfd):
    path, said = bad_file(kind, tmp_path), []
    for reader in (FrameReader, ApartReader):
        with pytest.raises(VideoError) as caught:
            list(reader(path, rate=1.0))
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert capfd.readouterr().err == ""


def test_an_error_comes_after_the_frames_before_it(tmp_path):
    part = write_video(tmp_path / "part.ts", [plain(RED)] * 20).read_bytes()
    (tmp_path / "twice.ts").write_bytes(part + part)
    frames = iter(ApartReader(tmp_path / "twice.ts", rate=1.0))
    assert [next(frames).timestamp, next(frames).timestamp] == pytest.approx([0.0, 1.0])
    with pytest.raises(VideoError, match="jump backwards"):
        next(frames)


def test_a_rate_is_a_positive_number(tmp_path):
    with pytest.raises(ValueError, match="positive number of frames a second"):
        ApartReader(colours(tmp_path / "a.mp4"), rate=0.0)


def test_length_is_that_of_the_file(tmp_path):
    assert length(colours(tmp_path / "a.mp4")) == pytest.approx(6.0)
