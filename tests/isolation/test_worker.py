"""The child's side, here; that it works as a process is tested with its parent, in test_worker_pool.py."""

import io

import av
import pytest

from grounding.errors import QueryError, VideoError
from grounding.isolation import parent_channel, worker
from grounding.isolation.parent_channel import ParentChannel, peak_megabytes
from grounding.isolation.protocol import Message, receive
from grounding.isolation.worker import do_job
from grounding.video import probe, pyav_decoder
from grounding.video.container import open_container
from tests.clips import RED, colours, plain, write_video


def said(job, megabytes=4000.0, **arguments) -> list[Message]:
    """All that is said about a job."""
    stream = io.BytesIO()
    do_job(Message({"job": job, "arguments": arguments}, bytearray()), ParentChannel(stream, megabytes))
    stream.seek(0)
    return list(iter(lambda: receive(stream), None))


def test_frames_come_with_what_is_known_of_the_video(tmp_path):
    info, *frames, end = said("frames", path=str(colours(tmp_path / "a.mp4")), rate=1.0, short_side=336)
    assert info.fields["info"]["codec"] == "h264"
    assert [frame.fields["timestamp"] for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert all(len(frame.payload) == 64 * 96 * 3 for frame in frames)
    assert end.fields == {"end": "done", "duration": pytest.approx(6.0), "skipped": []}


def test_jobs_say_how_far_they_are_and_what_they_made(tmp_path):
    clip = write_video(tmp_path / "a.avi", [plain(RED)] * 20, codec="mpeg4", ticks=10)
    assert said("probe", path=str(clip))[-1].fields["info"]["duration"] == pytest.approx(2.0)
    *told, end = said("preview", path=str(clip), folder=str(tmp_path))
    assert told[-1].fields["progress"][0] == 1 and end.fields["path"].endswith("a-preview.mp4")
    *told, end = said("cut", path=str(clip), start=0.0, end=1.0, out=str(tmp_path / "cut.mp4"))
    assert told[-1].fields == {"progress": [1.0]} and end.fields["path"].endswith("cut.mp4")


def test_a_picture_far_from_its_key_frame_gives_signs_of_life(tmp_path, monkeypatch):
    path = colours(tmp_path / "a.mp4")
    monkeypatch.setattr(parent_channel, "HEARTBEAT", 0.0)
    *alive, picture, end = said("frame_at", path=str(path), seconds=4.0, short_side=336)
    assert sum("alive" in message.fields for message in alive) > 4
    assert picture.fields["timestamp"] == 4.0 and end.fields["end"] == "done"


def test_a_clip_is_probed_once_and_read_once(tmp_path, monkeypatch):
    """What an upload and a Find ask of it; only a file that was written to is looked at again."""
    opened = []
    for module in (probe, pyav_decoder):
        monkeypatch.setattr(module, "open_container", lambda path: opened.append(path) or open_container(path))
    path, channel = colours(tmp_path / "a.mp4"), ParentChannel(io.BytesIO())

    def run(job, **arguments):
        do_job(Message({"job": job, "arguments": {"path": str(path), **arguments}}, bytearray()), channel)

    run("probe")
    run("preview", folder=str(tmp_path))  # every browser plays it
    run("frames", rate=1.0, short_side=336)
    assert len(opened) == 2
    colours(path, seconds=1.0)
    run("probe")
    assert len(opened) == 3


def test_a_job_that_takes_too_much_memory_says_so(tmp_path):
    assert said("frames", 1.0, path=str(colours(tmp_path / "a.mp4")), rate=1.0, short_side=336)[-1].fields == {
        "end": "memory"
    }


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (VideoError("cut off"), {"end": "error", "kind": "VideoError", "why": "cut off"}),
        (QueryError("empty"), {"end": "error", "kind": "QueryError", "why": "empty"}),
        (MemoryError(), {"end": "memory"}),
        (av.error.MemoryError(12, "no memory"), {"end": "memory"}),
        (BlockingIOError(11, "no thread"), {"end": "memory"}),
        (RuntimeError("can't start new thread"), {"end": "memory"}),
        (RuntimeError("broken"), {"end": "failed", "why": "RuntimeError", "log": "RuntimeError: broken"}),
        (KeyError("/private/secret"), {"end": "failed", "why": "KeyError", "log": "KeyError: '/private/secret'"}),
        (
            OSError(5, "input/output error", "/private/secret"),
            {
                "end": "failed",
                "why": "input/output error",
                "log": "OSError: [Errno 5] input/output error: '/private/secret'",
            },
        ),
    ],
)
def test_what_goes_wrong_is_said(monkeypatch, error, end):
    def job(channel):
        raise error

    monkeypatch.setattr(worker, "list_jobs", lambda: {"job": job})
    assert said("job")[-1].fields == end


def test_signs_of_life_come_now_and_then(monkeypatch):
    stream, now = io.BytesIO(), [100.0]
    monkeypatch.setattr(parent_channel.time, "monotonic", lambda: now[0])
    channel = ParentChannel(stream)
    for seconds in (0.0, 0.5, 0.4, 0.2, 0.3, 0.9):
        now[0] += seconds
        channel.heartbeat()
    stream.seek(0)
    assert [message.fields for message in iter(lambda: receive(stream), None)] == [{"alive": True}] * 2


def test_the_peak_of_memory_is_that_of_this_process():
    assert 20 < peak_megabytes() < 20_000
