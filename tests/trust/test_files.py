"""Files from the wild, each once; `python -m tests.trust --part files` tries them at more sampling rates."""

import numpy as np
import pytest

from grounding.video.reader import Frame
from tests.trust.files import available, verdict, wrong_samples
from tests.trust.matrix import cases, number, numbered


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_samples_are_where_they_belong_or_one_error_is_given(case, tmp_path):
    if not available(case):
        pytest.skip(f"this PyAV has no {case.codec}")
    assert verdict(case, tmp_path) == ""


@pytest.mark.parametrize("size", [(97, 131), (48, 64), (160, 90)])
def test_numbers_are_read_as_they_were_written(size):
    assert [number(numbered(index, size)) for index in range(240)] == list(range(240))


TIMES = [index / 10 for index in range(30)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frames: frames, ""),
        (lambda frames: frames[:-1], "5 samples at 2 fps where 6"),
        (lambda frames: [Frame(frame.timestamp + 0.25, frame.image) for frame in frames], "0.250 s where 0.000 s"),
        (lambda frames: [Frame(frame.timestamp, frames[0].image) for frame in frames], "number 0 instead of 5"),
    ],
)
def test_the_check_finds_what_is_wrong(change, said):
    frames = change([Frame(TIMES[index], numbered(index, (48, 64))) for index in range(0, 30, 5)])
    found = wrong_samples(frames, 2.0, TIMES, TIMES, True)
    assert said in found and bool(said) == bool(found)


def test_without_ffprobe_written_times_are_the_measure():
    frames = [Frame(np.float64(0.1), numbered(1, (48, 64)))]
    assert "1 samples" in wrong_samples(frames, 2.0, TIMES, None, True)
