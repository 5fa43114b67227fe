"""Decoders that crash, hang, or take too long or too much, in child processes of their own."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from grounding.errors import VideoError
from grounding.isolation import client
from grounding.isolation.client import IsolatedReader, probe_video
from grounding.isolation.worker_pool import MAX_QUEUED, ROOT, WorkerPool
from grounding.video.limits import DecodeLimits
from tests.clips import RED, plain, write_video

posix = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")


def running() -> set[int]:
    """The process ids of workers that somebody listens to."""
    return {int(thread.name.split()[1]) for thread in threading.enumerate() if thread.name.startswith("worker ")}


def gone(process: int, seconds: float = 60.0) -> bool:
    """Whether a process ends, and is no zombie, in a while."""
    for _ in range(round(seconds / 0.05)):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def limited(monkeypatch):
    """Sets the limits for this test, whose workers are its own."""
    made, before = [], running()

    def give(**limits: float) -> WorkerPool:
        made.append(WorkerPool(DecodeLimits(**limits)))
        monkeypatch.setattr(client, "get_pool", lambda: made[-1])
        return made[-1]

    yield give
    for workers in made:
        workers.kill()
    assert running() <= before


@pytest.fixture
def clip(tmp_path):
    """More frames than wait in the queue and in the pipe."""
    return write_video(tmp_path / "clip.mp4", [plain(RED, (240, 320))] * 6 * MAX_QUEUED)


def begun(clip):
    """A reader that gave its first frame, its frames, and the id of its process."""
    before = running()
    reader = IsolatedReader(clip, rate=10.0)
    frames = iter(reader)
    next(frames)
    (process,) = running() - before
    return frames, process


@posix
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_decoder_that_crashes_is_told_and_the_next_clip_works(limited, clip, blow):
    limited()
    frames, process = begun(clip)
    os.kill(process, blow)
    with pytest.raises(VideoError, match="was killed, as happens" if blow == signal.SIGKILL else blow.name) as caught:
        list(frames)
    assert "'clip.mp4'" in str(caught.value)
    assert gone(process)
    assert len(list(IsolatedReader(clip, rate=10.0))) == 6 * MAX_QUEUED


@posix
def test_a_decoder_that_is_stuck_is_given_up_after_the_stated_time(limited, clip):
    limits = limited().limits
    frames, process = begun(clip)
    os.kill(process, signal.SIGSTOP)
    object.__setattr__(limits, "stall", 0.3)  # only now, since a process may take its time to start
    with pytest.raises(VideoError, match=r"'clip.mp4'.* for 0.3 s.*GROUNDING_DECODE_STALL"):
        list(frames)
    assert gone(process)
    object.__setattr__(limits, "stall", 60.0)
    assert probe_video(clip).duration == pytest.approx(0.6 * MAX_QUEUED)


def test_a_consumer_that_takes_its_time_is_no_stall(limited, clip):
    limits = limited().limits
    frames, _ = begun(clip)
    object.__setattr__(limits, "stall", 0.5)
    time.sleep(1.0)
    assert next(frames)
    object.__setattr__(limits, "stall", 60.0)
    assert 1 + len(list(frames)) == 6 * MAX_QUEUED - 1


def test_all_of_a_clip_has_a_limit_too(limited, clip):
    limited(seconds=0.01)
    with pytest.raises(VideoError, match=r"'clip.mp4'.* longer than 0.01 s.*GROUNDING_DECODE_SECONDS"):
        list(IsolatedReader(clip, rate=10.0))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("avi", "mpeg4")])  # by plan, and frame by frame
def test_memory_has_a_limit(limited, tmp_path, suffix, codec):
    limited(megabytes=100)
    clip = write_video(
        tmp_path / f"large.{suffix}", [plain(RED, (2160, 3840))] * 12, codec=codec, encoder={"preset": "ultrafast"}
    )
    with pytest.raises(VideoError, match=r"'large.*' .* more than 100 MB of memory.*GROUNDING_DECODE_MEGABYTES"):
        list(IsolatedReader(clip, rate=10.0))


@pytest.mark.skipif(sys.platform != "linux", reason="as Linux counts")
def test_what_the_parent_holds_does_not_count(limited, clip):
    held = np.ones(500_000_000, np.uint8)
    limited(megabytes=400)
    assert len(list(IsolatedReader(clip, rate=10.0))) == 6 * MAX_QUEUED and held[0]


def test_what_nobody_thought_of_is_told_by_its_kind_and_logged_by_its_text(limited, caplog):
    with pytest.raises(VideoError, match=r"'a.mp4' was given up, since its decoder failed \(TypeError\)"):
        list(limited().run("probe", "a.mp4", {"nonsense": 1}))
    assert "unexpected keyword argument 'nonsense'" in caplog.text


def test_one_child_does_one_clip_after_another(limited, clip):
    limited()
    before = running()
    for _ in range(3):
        assert len(list(IsolatedReader(clip, rate=10.0))) == 6 * MAX_QUEUED
        assert probe_video(clip).duration == pytest.approx(0.6 * MAX_QUEUED)
    assert len(running() - before) == 1


def test_an_error_of_the_file_leaves_the_child_alive(limited, clip):
    limited()
    probe_video(clip)
    before = running()
    for _ in range(3):
        with pytest.raises(VideoError, match="There is no file 'none.mp4'"):
            IsolatedReader(clip.with_name("none.mp4"), rate=1.0)
    assert running() == before


@pytest.mark.parametrize("iterated", [False, True])
def test_whoever_stops_stops_the_decoder(limited, clip, iterated):
    limited()
    before = running()
    reader = IsolatedReader(clip, rate=10.0)
    (process,) = running() - before
    if iterated:
        frames = iter(reader)
        next(frames)
        frames.close()
    del reader
    assert gone(process)
    assert len(running() - before) == 1  # the next one, in reserve


def test_several_clips_at_once(limited, clip):
    limited()
    readers = [iter(IsolatedReader(clip, rate=10.0)) for _ in range(4)]
    assert all(len({frame.timestamp for frame in group}) == 1 for group in zip(*readers, strict=True))


@posix
@pytest.mark.parametrize("stuck", [False, True])
def test_no_child_outlives_its_parent(clip, stuck):
    """Its parent is killed while it decodes; `stuck`: while it waits for room."""
    code = f"""
import sys, threading, time
from grounding.isolation.client import IsolatedReader
frames = iter(IsolatedReader({str(clip)!r}, rate=10.0))
next(frames)
print(next(t.name for t in threading.enumerate() if t.name.startswith("worker ")).split()[1], flush=True)
{"time.sleep(60)" if stuck else f"all(iter(lambda: list(IsolatedReader({str(clip)!r}, 10.0)), 0))"}
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    process = int(parent.stdout.readline())
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(process)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_children_of_its_own(clip):
    """As ZeroGPU forks the process that encodes."""
    code = f"""
import os
from pathlib import Path
from grounding.isolation.client import probe_video
from grounding.isolation.worker_pool import get_pool
clip, before = Path({str(clip)!r}), (probe_video(Path({str(clip)!r})).duration, get_pool())[1]
process = os.fork()
if not process:
    ok = get_pool() is not before and probe_video(clip).duration > 4
    get_pool().kill()
    os._exit(0 if ok else 1)
assert os.waitpid(process, 0)[1] == 0 and probe_video(clip).duration > 4
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=True)


def test_a_child_that_cannot_be_started_is_told(limited, clip, monkeypatch):
    limited()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(VideoError, match="could be started"):
        probe_video(clip)


@posix
@pytest.mark.parametrize("job", ["frames", "preview", "cut", "probe", "key frames"])
def test_a_check_ends_a_decoder_that_hangs_at_once(limited, clip, tmp_path, job):
    """As a visitor's cancel does, long before the decoder would be given up."""
    limited()
    stopped, before = [], running()

    def check():
        workers = running() - before
        for process in workers if not stopped else ():
            os.kill(process, signal.SIGSTOP)
            stopped.append((process, time.monotonic()))
        if stopped and time.monotonic() > stopped[0][1] + 0.3:
            raise InterruptedError("cancelled")

    jobs = {
        "frames": lambda: list(IsolatedReader(clip, 10.0, check=check)),
        "preview": lambda: client.make_preview(clip, tmp_path / "own", check=check),
        "cut": lambda: client.cut_clip(clip, 0.0, 5.0, tmp_path / "cut.mp4", check=check),
        "probe": lambda: probe_video(clip, check=check),
        "key frames": lambda: list(client.read_key_frames(clip, 8, check=check)),
    }
    with pytest.raises(InterruptedError, match="cancelled"):
        jobs[job]()
    ((process, since),) = stopped
    assert gone(process) and time.monotonic() < since + 10
