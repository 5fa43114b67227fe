"""What a browser shows at a time is what an answer calls that time."""

import base64

import numpy as np
import pytest

from grounding.video.clips import cut_clip, make_preview
from tests.clips import flash_and_tone, frames_at, plain, write_video

HEVC = {"x265-params": "log-level=none"}
FRAMES = [plain((2 * index, 240 - 2 * index, 40)) for index in range(110)]  # 11 s; every frame has its own colour
TIMES = [0.0, 0.45, 3.05, 5.55, 7.75, 7.85, 9.95, 10.85]

SOURCES = {
    "reordered.mkv": {"encoder": {"bf": "3", "g": "30"}},
    "hevc.mp4": {"codec": "libx265", "encoder": HEVC},
    "mpeg4.avi": {"codec": "mpeg4"},
    "stream.ts": {"encoder": {"g": "30"}},
    "plain.mp4": {"encoder": {"bf": "3"}},
    "late.mp4": {"times": [4 + index / 10 for index in range(110)], "muxer": {"use_editlist": "0"}},
}

SHOWN = """async ([source, times]) => {
  const video = document.createElement("video");
  video.muted = true;
  video.src = source;
  document.body.append(video);
  await new Promise((resolve, reject) => {
    video.onloadeddata = resolve;
    video.onerror = () => reject(new Error(video.error.message));
  });
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const colours = [];
  let shown = -1; // when the picture on the screen begins
  const note = (now, picture) => {
    shown = picture.mediaTime;
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
  for (const time of times) {
    const sought = new Promise((resolve) => { video.onseeked = resolve; });
    video.currentTime = time;
    await sought;
    const end = performance.now() + 20000; // no picture at all is for the comparison to find
    while (!(shown <= time + 0.001 && time < shown + 0.101) && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    context.drawImage(video, 0, 0);
    colours.push([...context.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data].slice(0, 3));
  }
  return colours;
}"""


def shown(chromium, path, times):
    """Colours in the middle of the picture that the browser shows at `times`."""
    tab = chromium.new_page()
    source = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()
    colours = tab.evaluate(SHOWN, [source, times])
    tab.close()
    return np.array(colours)


def seen(path, times):
    """The same as features see them."""
    return np.array([image.mean(axis=(0, 1)) for image in frames_at(path, times)])


@pytest.mark.parametrize("name", SOURCES)
def test_a_preview_shows_at_a_time_what_features_saw_then(chromium, tmp_path, name):
    source = write_video(tmp_path / name, FRAMES, **SOURCES[name])
    copy = make_preview(source, tmp_path / "own")
    assert np.abs(shown(chromium, copy, TIMES) - seen(source, TIMES)).max() < 4.5  # the next frame but one is 4 away


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "mpeg4.mkv", "a.webm"])
def test_a_picture_that_comes_later_than_its_sound_is_shown_at_the_time_of_the_answers(chromium, tmp_path, name):
    codecs = {"a.webm": ("libvpx", "libopus"), "mpeg4.mkv": ("mpeg4", "aac")}.get(name, ("libx264", "aac"))
    source = flash_and_tone(tmp_path / name, 6.0, 9.0, codec=codecs[0], sound=codecs[1], picture_from=4.0)
    times = [4.25, 5.75, 6.25, 8.75]
    colours = shown(chromium, make_preview(source, tmp_path / "own"), times)
    assert np.abs(colours - seen(source, times)).max() < 12
    assert [colour.argmax() for colour in colours] == [0, 0, 2, 2]  # red, then blue


def test_a_cut_begins_with_the_frame_at_its_start(chromium, tmp_path):
    source = write_video(tmp_path / "a.mkv", FRAMES, encoder={"bf": "3"})
    clip = cut_clip(source, 6.25, 8.0, tmp_path / "cut.mp4")
    assert np.abs(shown(chromium, clip, [0.0, 0.5, 1.7]) - seen(source, [6.25, 6.75, 7.95])).max() < 4.5
