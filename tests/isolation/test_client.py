import numpy as np
import pytest

from grounding.errors import VideoError
from grounding.isolation import client
from grounding.isolation.client import IsolatedReader, cut_clip, make_preview, probe_video, read_key_frames
from grounding.isolation.worker_pool import WorkerPool
from grounding.video.limits import DecodeLimits
from grounding.video.reader import FrameReader
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


def same(path, rate: float = 3.0, pictures: bool = True) -> bool:
    """Whether a reader in a child gives what the one here gives, bit for bit; without `pictures`, but for these."""
    here, there = FrameReader(path, rate), IsolatedReader(path, rate)
    ours, theirs = list(here), list(there)
    assert ours
    return (here.info, here.duration, here.skipped, [frame.timestamp for frame in ours]) == (
        there.info,
        there.duration,
        there.skipped,
        [frame.timestamp for frame in theirs],
    ) and all(not pictures or np.array_equal(one.image, other.image) for one, other in zip(ours, theirs, strict=True))


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
    assert same(tmp_path / "broken.mp4", pictures=False)  # what stands for lost data is another at every run


def test_it_may_be_read_twice(tmp_path):
    reader = IsolatedReader(colours(tmp_path / "a.mp4"), rate=1.0)
    assert [frame.timestamp for frame in reader] == [frame.timestamp for frame in reader] == [0, 1, 2, 3, 4, 5]


def test_pictures_one_after_another_come_from_one_worker(tmp_path, monkeypatch):
    path, pool, started = colours(tmp_path / "a.mp4"), WorkerPool(DecodeLimits()), []
    start = pool._start
    monkeypatch.setattr(pool, "_start", lambda: started.append(1) or start())
    monkeypatch.setattr(client, "get_pool", lambda: pool)
    assert [client.read_frame_at(path, seconds).timestamp for seconds in (0.0, 2.0, 4.0)] == [0.0, 2.0, 4.0]
    assert len(started) == 1
    pool.kill()


def test_frames_may_be_written_to(tmp_path):
    """As torch wants them."""
    assert next(iter(IsolatedReader(colours(tmp_path / "a.mp4"), rate=1.0))).image.flags.writeable


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_errors_are_the_same(tmp_path, kind, capfd):
    path, said = bad_file(kind, tmp_path), []
    for reader in (FrameReader, IsolatedReader):
        with pytest.raises(VideoError) as caught:
            list(reader(path, rate=1.0))
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert capfd.readouterr().err == ""


def test_an_error_comes_after_the_frames_before_it(tmp_path):
    part = write_video(tmp_path / "part.ts", [plain(RED)] * 20).read_bytes()
    (tmp_path / "twice.ts").write_bytes(part + part)
    frames = iter(IsolatedReader(tmp_path / "twice.ts", rate=1.0))
    assert [next(frames).timestamp, next(frames).timestamp] == pytest.approx([0.0, 1.0])
    with pytest.raises(VideoError, match="jump backwards"):
        next(frames)


def test_a_rate_is_a_positive_number(tmp_path):
    with pytest.raises(ValueError, match="positive number of frames a second"):
        IsolatedReader(colours(tmp_path / "a.mp4"), rate=0.0)


def test_a_probe_tells_what_a_reader_knows(tmp_path):
    path = colours(tmp_path / "a.mp4")
    assert probe_video(path) == FrameReader(path, 1.0).info
    assert probe_video(path).duration == pytest.approx(6.0)


def test_a_cut_and_a_preview_are_made_with_progress(tmp_path):
    told: list[tuple] = []
    clip = write_video(tmp_path / "a.avi", frames(60), codec="mpeg4", ticks=10)
    part = cut_clip(clip, 1.0, 3.0, tmp_path / "cut.mp4", lambda *said: told.append(said))
    assert part == tmp_path / "cut.mp4" and probe_video(part).duration == pytest.approx(2.0)
    shown = make_preview(clip, tmp_path / "own", lambda *said: told.append(said))
    assert shown == tmp_path / "own" / "a-preview.mp4" and probe_video(shown).duration == pytest.approx(6.0)
    assert (1.0,) in told and (1.0, "Making a preview that the browser can play") in told
    assert make_preview(part, tmp_path / "own") == part  # plays everywhere


@pytest.mark.parametrize("job", ["preview", "cut"])
def test_whoever_stops_leaves_nothing_unfinished(tmp_path, job):
    clip = write_video(tmp_path / "a.avi", frames(60, (480, 640)) * 5, codec="mpeg4", ticks=10)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / ".else.mp4.7.part").touch()

    def stop(fraction, *_):
        if fraction > 0.1:
            assert len(list((tmp_path / "own").glob(".*.part"))) == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        if job == "preview":
            make_preview(clip, tmp_path / "own", stop)
        else:
            cut_clip(clip, 0.0, 30.0, tmp_path / "own" / "cut.mp4", stop)
    assert [path.name for path in (tmp_path / "own").iterdir()] == [".else.mp4.7.part"]


def test_errors_of_a_cut_are_told(tmp_path):
    with pytest.raises(VideoError, match="'a.mp4' has no frame at 7.00 s"):
        cut_clip(colours(tmp_path / "a.mp4"), 7.0, 8.0, tmp_path / "cut.mp4")
    with pytest.raises(VideoError, match="There is nothing from 2"):
        cut_clip(tmp_path / "a.mp4", 2.0, 1.0, tmp_path / "cut.mp4")


def test_key_frames_come_from_all_over_the_video(tmp_path):
    path = write_video(tmp_path / "a.mp4", frames(60), encoder={"g": "10", "sc_threshold": "0"})
    found = list(read_key_frames(path, 3))
    assert [frame.timestamp for frame in found] == [1.0, 3.0, 5.0]
    assert [frame.image.shape for frame in found] == [(64, 96, 3)] * 3
