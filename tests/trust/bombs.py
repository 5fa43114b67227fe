"""Small files that ask for much: enormous pictures, endless durations, millions of frames."""

import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.clips import GREEN, RED, plain, write_video

LIMIT = "GROUNDING_DECODE_MEGAPIXELS"

Make = Callable[[Path], object]


def bombs() -> dict[str, tuple[Make, str]]:
    """How each file is made, and what its message has to hold; "" where frames are as good an answer."""
    return {
        "claims-16000.mov": (lambda path: pictures(path, (16000, 16000), [16000]), LIMIT),
        "claims-16000.avi": (lambda path: pictures(path, (16000, 16000), [16000]), LIMIT),
        "claims-64.mov": (lambda path: pictures(path, (64, 64), [16000] * 20), LIMIT),
        "claims-64.avi": (lambda path: pictures(path, (64, 64), [16000] * 20), LIMIT),
        "beyond-ffmpeg.mov": (lambda path: pictures(path, (64, 64), [32768] * 3), "convert it"),
        "midway.mov": (lambda path: pictures(path, (64, 64), [64] * 8 + [16000] * 8), ""),
        "wide.mov": (lambda path: pictures(path, (64, 64), [(60000, 800)] * 3), LIMIT),
        "header-65535.mp4": (lambda path: edited(path, b"avc1", 24, b"\xff\xff\xff\xff"), ""),
        "header-65535.mkv": (wide_matroska, ""),
        "lasts-136-years.mp4": (lambda path: edited(path, b"mvhd", 16, b"\xff\xff\xff\xff"), ""),
        "frame-after-hours.mp4": (lambda path: write_video(path, [plain(RED), plain(GREEN)] * 2, [0, 1, 2, 3e4]), ""),
        "frame-in-a-century.mkv": (lambda path: write_video(path, [plain(RED), plain(GREEN)] * 2, [0, 1, 2, 3e9]), ""),
        "million-fps.mp4": (lambda path: edited(path, b"mdhd", 12, struct.pack(">I", 10_000_000)), ""),
        "zero-clock.mp4": (lambda path: edited(path, b"mdhd", 12, bytes(4)), ""),
        "samples-50-million.mp4": (lambda path: many_samples(path, 50_000_000), ""),
        "samples-2-billion.mp4": (lambda path: many_samples(path, 2**31 - 1), ""),
        "frames-100-thousand.avi": (lambda path: pictures(path, (16, 16), [16] * 100_000), ""),
    }


def pictures(path: Path, claimed: tuple[int, int], sizes: list[int | tuple[int, int]], fps: int = 10) -> Path:
    """A video of black PNGs of these widths and heights in a container that claims another size."""
    sheets = {size: png(*(size if isinstance(size, tuple) else (size, size))) for size in set(sizes)}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *claimed, "monob"
        for index, size in enumerate(sizes):
            packet = av.Packet(sheets[size])
            packet.pts = packet.dts = index
            packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, fps), True
            container.mux(packet)
    return path


def png(width: int, height: int) -> bytes:
    """A black picture of a bit a pixel: 16,000 x 16,000 in 31 kB."""
    deflate, row = zlib.compressobj(9), bytes(1 + (width + 7) // 8)
    data = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def edited(path: Path, box: bytes, offset: int, value: bytes) -> Path:
    """An mp4 whose first box of a name claims something else, `offset` bytes behind the name."""
    data = bytearray(write_video(path, [plain(RED)] * 20).read_bytes())
    place = data.index(box) + 4 + offset
    data[place : place + len(value)] = value
    path.write_bytes(data)
    return path


def wide_matroska(path: Path) -> Path:
    """A Matroska file whose header claims 65,535 pixels in a row where there are 96."""
    data = write_video(path, [plain(RED, (300, 400))] * 20).read_bytes()
    width = b"\xb0\x82" + (400).to_bytes(2, "big")  # the element PixelWidth of two bytes
    assert width in data
    path.write_bytes(data.replace(width, b"\xb0\x82\xff\xff", 1))
    return path


def many_samples(path: Path, count: int) -> Path:
    """An mp4 that says it has `count` samples of a byte each, all in one chunk."""
    data = bytearray(write_video(path, [plain(RED)] * 20).read_bytes())
    number = struct.pack(">I", count)
    for box, offset, value in (
        (b"stsz", 4, struct.pack(">I", 1) + number),  # the size of every sample, and how many there are
        (b"stts", 8, number),  # how many of the first duration
        (b"stsc", 12, number),  # how many in the first chunk
    ):
        place = data.index(box) + 4 + offset
        data[place : place + len(value)] = value
    path.write_bytes(data)
    return path


def poses(folder: Path) -> list[Path]:
    """Pictures, moving ones too, under the names of videos."""
    from PIL import Image

    frames = [Image.fromarray(np.full((64, 96, 3), shade, np.uint8)) for shade in (0, 100, 200)]
    made = []
    for kind in ("GIF", "PNG", "WEBP", "TIFF", "JPEG", "BMP"):
        path = folder / f"{kind}.mp4"
        more = {"save_all": True, "append_images": frames[1:]} if kind in ("GIF", "PNG", "WEBP", "TIFF") else {}
        try:
            frames[0].save(path, format=kind, **more)
        except (OSError, KeyError):  # a format that this Pillow does not write
            continue
        made.append(path)
    return made
