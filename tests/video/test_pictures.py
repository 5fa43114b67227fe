"""Decoded frames as a player shows them: standard range, opaque, square, upright, not larger than needed."""

from fractions import Fraction

import av
import numpy as np
import pytest

from grounding.video.clips import cut_clip
from grounding.video.pictures import shrink
from grounding.video.probe import probe_video
from grounding.video.reader import FrameReader
from grounding.video.tone_mapping import BT2020_TO_BT709, HLG, HLG_GAMMA, HLG_PEAK, KNEE, PQ, WHITE, tone_map
from tests.clips import BLUE, RED, frames_at, write_video

COLOURS = [(20, 20, 20), (128, 128, 128), (150, 60, 60), (60, 140, 60), (50, 60, 150), (170, 140, 90)]


def encode_hdr(colour, transfer):
    """A colour of a standard screen as PQ or HLG in BT.2020, (3,) in [0, 1]."""
    light = np.linalg.inv(BT2020_TO_BT709) @ (np.array(colour) / 255) ** 2.2  # (3,) of reference white
    if transfer == PQ:
        power = (np.maximum(light, 0) * WHITE / 10_000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    shown = light * WHITE / HLG_PEAK
    luminance = max(shown @ [0.2627, 0.6780, 0.0593], 1e-6)
    scene = np.maximum(shown * luminance ** (1 / HLG_GAMMA - 1), 0)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def write_hdr(path, transfer):
    """A second of each colour in 10 bits, as phones write HDR."""
    matrix = np.array([[0.2627, 0.6780, 0.0593], [-0.13963, -0.36037, 0.5], [0.5, -0.45979, -0.04021]])  # BT.2020
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx265", rate=4, options={"x265-params": "log-level=none:crf=4"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, transfer, 1
        for index in range(4 * len(COLOURS)):
            y, cb, cr = matrix @ encode_hdr(COLOURS[index // 4], transfer)
            planes = np.full((96, 96), round(64 + 876 * y), np.uint16)  # the picture, then cb and cr in halves
            planes[64:80], planes[80:] = round(512 + 896 * cb), round(512 + 896 * cr)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p10le")
            frame.pts, frame.time_base = index, Fraction(1, 4)
            frame.colorspace, frame.color_trc, frame.color_primaries, frame.color_range = 9, transfer, 9, 1
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_high_dynamic_range_is_shown_in_the_colours_it_stands_for(tmp_path, transfer, suffix):
    path = write_hdr(tmp_path / f"a.{suffix}", transfer)
    images = [frame.image for frame in FrameReader(path, 1.0)]
    for image, colour in zip(images, COLOURS, strict=True):
        assert np.abs(image.mean(axis=(0, 1)) - colour).max() < 8
    cut = cut_clip(path, 1.0, 2.0, tmp_path / "cut.mp4")
    assert np.abs(frames_at(cut, [0.5])[0].mean(axis=(0, 1)) - COLOURS[1]).max() < 8


def test_light_beyond_white_bends_and_keeps_its_hue():
    levels = np.linspace(0, 65535, 64).astype(np.uint16)
    grey = tone_map(np.repeat(levels[:, None], 3, axis=1)[None], PQ)[0].astype(int)  # (64, 3)
    assert (np.diff(grey[:, 0]) >= 0).all() and grey[0, 0] == 0 and grey[-1, 0] >= 254
    white = tone_map(np.full((1, 1, 3), round(0.5807 * 65535), np.uint16), PQ)[0, 0]  # 203 cd/m2
    assert 255 * KNEE ** (1 / 2.2) < white[0] < 250 and len(set(white.tolist())) == 1


def write_alpha(path, codec, pixels):
    """Opaque red at the left, transparent blue at the right."""
    image = np.zeros((64, 96, 4), np.uint8)
    image[:, :48], image[:, 48:] = (*RED, 255), (*BLUE, 0)
    with av.open(str(path), "w") as output:
        options = {"auto-alt-ref": "0"} if codec == "libvpx" else {}  # which its encoder asks for
        stream = output.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(image, format="rgba").reformat(format=pixels)
            frame.pts, frame.time_base = index, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a8.webm", "libvpx", "yuva420p"),
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("b.mov", "qtrle", "argb"),
        ("c.mov", "png", "rgba"),
    ],
)
def test_what_is_transparent_is_black_and_not_the_hidden_colour(tmp_path, name, codec, pixels):
    path = write_alpha(tmp_path / name, codec, pixels)
    cut = cut_clip(path, 0.0, 0.5, tmp_path / "cut.mp4")
    for image in [frame.image for frame in FrameReader(path, 2.0)] + frames_at(cut, [0.2]):
        assert np.abs(image[8:-8, 8:40].mean(axis=(0, 1)) - RED).max() < 15
        assert image[8:-8, 56:-8].max() < 20


def test_a_full_picture_in_a_webm_without_alpha_is_left_to_the_usual_decoder(tmp_path):
    path = write_video(tmp_path / "a.webm", [np.full((64, 96, 3), RED, np.uint8)] * 5, codec="libvpx-vp9")
    assert probe_video(path).alpha_decoder is None


@pytest.mark.parametrize(
    ("size", "shown"), [((500, 60_000), (33, 4000)), ((4, 60_000), (1, 15_000)), ((720, 1280), (360, 640))]
)
def test_a_picture_is_long_only_within_a_limit(size, shown):
    assert shrink(np.zeros((*size, 3), np.uint8), 336).shape[:2] == shown
