"""What one look at a file tells: the film among its tracks, its length, its shape."""

import shutil
from fractions import Fraction

import av
import numpy as np
import pytest

from grounding.errors import VideoError
from grounding.video import container
from grounding.video.clips import cut_clip, make_preview
from grounding.video.probe import probe_video
from grounding.video.reader import FrameReader
from grounding.video.transport_stream import HEAD_BYTES
from tests.clips import BLUE, GREEN, RED, colours, flash_and_tone, frames_at, plain, turned, write_video

DEFAULT = av.stream.Disposition.default.value


def write_tracks(path, tracks, fps=10):
    """A track for each (codec, colour, number of frames, disposition)."""
    with av.open(str(path), "w") as output:
        streams = []
        for codec, _, _, disposition in tracks:
            stream = output.add_stream(codec, rate=fps)
            stream.width, stream.height = 96, 64
            stream.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}.get(codec, "yuv420p")
            stream.disposition = disposition
            streams.append(stream)
        for stream, (_, colour, count, _) in zip(streams, tracks, strict=True):
            for index in range(count):
                frame = av.VideoFrame.from_ndarray(plain(colour), format="rgb24")
                frame.pts, frame.time_base = index, Fraction(1, fps)
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
    return path


FILMS = {
    "thumbnail_first.mp4": [("mjpeg", RED, 1, 0), ("libx264", BLUE, 30, 0)],
    "default_thumbnail_first.mov": [("mjpeg", RED, 1, DEFAULT), ("libx264", BLUE, 30, 0)],
    "lost_cover_first.mov": [("png", RED, 1, DEFAULT), ("libx264", BLUE, 30, 0)],
    "one_frame_of_h264_first.mp4": [("libx264", RED, 1, DEFAULT), ("libx264", BLUE, 30, 0)],
    "second_default.mkv": [("libx264", RED, 30, 0), ("libx264", BLUE, 30, DEFAULT)],
    "second_default.mp4": [("libx264", RED, 30, 0), ("libx264", BLUE, 30, DEFAULT)],
    "two_alike.mkv": [("libx264", BLUE, 30, DEFAULT), ("libx264", RED, 30, DEFAULT)],
    "second_default_vp9.mkv": [("libvpx-vp9", RED, 30, 0), ("libvpx-vp9", BLUE, 30, DEFAULT)],
}


@pytest.mark.parametrize("name", FILMS)
def test_the_film_is_what_a_player_plays_in_samples_previews_and_cuts(tmp_path, name):
    path = write_tracks(tmp_path / name, FILMS[name])
    reader = FrameReader(path, 2.0)
    frames = list(reader)
    assert len(frames) == 6 and reader.duration == pytest.approx(3.0, abs=0.11)
    preview, cut = make_preview(path, tmp_path / "own"), cut_clip(path, 1.0, 2.0, tmp_path / "cut.mp4")
    images = [frame.image for frame in frames] + frames_at(preview, [0.0, 2.9]) + frames_at(cut, [0.0, 0.9])
    assert all(np.abs(image.mean(axis=(0, 1)) - BLUE).max() < 15 for image in images)
    assert preview != path  # who knows which of two a browser plays


def test_a_single_picture_alone_is_a_film(tmp_path):
    assert len(list(FrameReader(write_tracks(tmp_path / "a.mp4", [("mjpeg", GREEN, 1, 0)]), 2.0))) == 1


def test_a_late_end_of_the_sound_is_the_end_and_a_little_later_is_not(tmp_path):
    path = flash_and_tone(tmp_path / "a.mkv", seconds=4.0)
    assert probe_video(path).info.duration == pytest.approx(4.0, abs=1e-3)  # though the codec pads the sound
    with av.open(str(tmp_path / "late.mkv"), "w") as output, av.open(str(path)) as source:
        tracks = [output.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.size and (packet.stream.type == "audio" or packet.pts * packet.time_base < 1.05):
                packet.stream = tracks[packet.stream.index]
                output.mux(packet)
    reader = FrameReader(tmp_path / "late.mkv", 2.0)
    frames = list(reader)
    assert [frame.timestamp for frame in frames][:8] == [0.5 * index for index in range(8)]
    assert reader.duration == probe_video(tmp_path / "late.mkv").info.duration == pytest.approx(4.0, abs=0.05)
    assert reader.skipped == ()


def test_the_length_of_the_last_frame_may_stand_in_the_container_alone(tmp_path):
    """As screen recorders write Matroska; where the file breaks off it is no longer true."""
    path = write_video(tmp_path / "a.mkv", [plain(RED), plain(GREEN), plain(BLUE)], [0.0, 1.0, 2.0])
    data = bytearray(path.read_bytes())
    place = data.index(b"\x44\x89\x88") + 3  # the element Duration, a double in milliseconds
    data[place : place + 8] = np.array([5000.0], ">f8").tobytes()
    path.write_bytes(data)
    reader = FrameReader(path, 1.0)
    assert [frame.timestamp for frame in reader] == [0, 1, 2, 3, 4] and reader.duration == pytest.approx(5.0)
    (tmp_path / "cut.mkv").write_bytes(data[:-40])
    assert probe_video(tmp_path / "cut.mkv").info.duration < 3


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov", "webm", "flv", "avi"])
def test_a_picture_that_stands_still_is_there_until_the_next_one(tmp_path, suffix):
    codec = {"webm": "libvpx", "avi": "mpeg4"}.get(suffix, "libx264")
    frames, times = [plain(RED), plain(GREEN), plain(BLUE), plain(BLUE)], [0.0, 3.0, 6.0, 8.9]
    ticks = 10 if suffix == "avi" else 1000
    path = write_video(tmp_path / f"a.{suffix}", frames, times, codec, encoder={"bf": "0"}, ticks=ticks)
    reader = FrameReader(path, 2.0)
    samples = list(reader)
    assert [sample.timestamp for sample in samples][:18] == pytest.approx([0.5 * k for k in range(18)], abs=2e-3)
    shown = [min((RED, GREEN, BLUE), key=lambda c: np.abs(s.image.mean((0, 1)) - c).sum()) for s in samples]  # noqa: B023
    assert shown[:18] == [RED] * 6 + [GREEN] * 6 + [BLUE] * 6 and reader.duration <= 9.91
    assert len({id(sample.image) for sample in samples}) <= 4 and reader.skipped == ()


@pytest.mark.parametrize("size", [188, 192, 204])
@pytest.mark.parametrize("lost", [0, 50])
def test_transport_streams_are_read_whatever_their_packets_and_names(tmp_path, size, lost):
    plain_ts = colours(tmp_path / "a.ts").read_bytes()
    packets = [plain_ts[start : start + 188] for start in range(0, len(plain_ts), 188)]
    made = {188: lambda p: p, 192: lambda p: bytes(4) + p, 204: lambda p: p + bytes(16)}[size]
    path = tmp_path / "00000.MTS"
    path.write_bytes(b"".join(map(made, packets))[lost:])
    reader = FrameReader(path, 1.0)
    assert len(list(reader)) in (5, 6)  # the first packet may be the one that names the tracks
    assert reader.info.codec == "h264"


@pytest.mark.parametrize("name", ["no_suffix", "IMG_0001.MOV", "rec.txt", "a.html"])
def test_the_name_decides_nothing(tmp_path, name):
    shutil.copy(colours(tmp_path / "a.mp4"), tmp_path / name)
    assert probe_video(tmp_path / name).info.duration == pytest.approx(6.0)


@pytest.mark.parametrize("head", [b"G" + b"x" * 187 + b"G" + b"x" * 187 + b"H" * 900, b"Good day. " * 200, bytes(2000)])
def test_what_only_begins_like_a_transport_stream_is_none(head):
    assert not container.is_video_head(head[:HEAD_BYTES])


@pytest.mark.parametrize(
    ("sar", "turns", "size"), [("64/45", 0, (137, 64)), ("8/9", 0, (85, 64)), ("2/1", 1, (64, 192))]
)
def test_pixels_are_square_when_they_are_handed_out(tmp_path, sar, turns, size):
    path = write_video(tmp_path / "a.mp4", [plain(RED)] * 5, encoder={"x264-params": f"sar={sar}"})
    path = turned(path, tmp_path / "turned.mp4") if turns else path
    reader = FrameReader(path, 2.0)
    assert next(iter(reader)).image.shape == (size[1], size[0], 3)
    assert (reader.info.width, reader.info.height) == size


def test_pixels_of_an_absurd_shape_are_taken_as_square(tmp_path):
    path = write_video(tmp_path / "a.mp4", [plain(RED)] * 5, encoder={"x264-params": "sar=60000/1"})
    assert probe_video(path).info.width == 96


def test_no_picture_that_can_be_decoded_is_an_error(tmp_path):
    path = write_video(tmp_path / "a.mkv", [plain(RED)] * 5)
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"))
    with pytest.raises(VideoError, match="can be decoded: convert it"):
        probe_video(path)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.3gp", "mpeg4"),
        ("MOV00001.MPG", "mpeg2video"),
        ("a.vob", "mpeg2video"),
        ("a.m2v", "mpeg2video"),
        ("tape.dv", "dvvideo"),
        ("a.mxf", "mpeg2video"),
        ("a.wmv", "wmv2"),
        ("a.ogv", "libtheora"),
        ("a.f4v", "libx264"),
        ("00001.M2TS", "libx264"),
    ],
)
def test_what_cameras_and_recorders_write_is_read(tmp_path, name, codec):
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    size = (576, 720) if codec == "dvvideo" else (144, 176)
    frames = [plain(colour, size) for colour in (RED, GREEN, BLUE) for _ in range(25)]
    muxer = {"mpegts_m2ts_mode": "1"} if name.endswith("M2TS") else {}
    path = write_video(tmp_path / name, frames, codec=codec, fps=25, ticks=25, muxer=muxer)
    samples = list(FrameReader(path, 1.0))
    for sample, colour in zip(samples, (RED, GREEN, BLUE), strict=True):
        assert np.abs(sample.image.mean(axis=(0, 1)) - colour).max() < 25
