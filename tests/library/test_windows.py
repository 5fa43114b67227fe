import numpy as np
import pytest

from grounding.library.windows import make_windows


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_windows_cover_the_video_at_every_length_up_to_its_own():
    times = np.arange(0, 50, 0.5)
    windows = make_windows(unit(np.random.default_rng(0).normal(size=(100, 4))), times, 50.0, (8.0, 16.0, 64.0))
    spans = list(zip(windows.start, windows.end, strict=True))
    assert spans[:3] == [(0, 8), (4, 12), (8, 16)]
    assert (42, 50) in spans and (34, 50) in spans
    assert {round(end - start) for start, end in spans} == {8, 16}
    assert all(any(start <= time < end for start, end in spans) for time in times)


def test_a_window_is_the_mean_of_its_frames_at_unit_length():
    frames = np.eye(4)[[0, 1, 2, 3] * 4].astype(np.float32)
    windows = make_windows(frames, np.arange(16.0), 16.0, (4.0,))
    assert windows.vectors == pytest.approx(np.full_like(windows.vectors, 0.5))


def test_a_short_video_is_one_window():
    windows = make_windows(np.eye(3, dtype=np.float32), np.arange(3.0), 3.0)
    assert (windows.start.tolist(), windows.end.tolist(), windows.vectors.shape) == ([0.0], [3.0], (1, 3))


def test_a_stretch_without_frames_has_no_window():
    windows = make_windows(np.eye(2, dtype=np.float32), np.array([0.0, 99.0]), 100.0, (8.0,))
    assert len(windows.start) == 2
    assert np.isfinite(windows.vectors).all()
