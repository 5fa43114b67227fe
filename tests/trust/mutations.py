"""Small whole videos, and seeded ways to break them."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.clips import write_video

KINDS = (("mp4", "libx264"), ("mkv", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4"), ("mov", "libx264"))
SIZES = (0, 1, 7, 2**16, 2**31 - 1, 2**31, 2**32 - 1)  # what a field may claim
BOXES = re.compile(
    rb"ftyp|moov|mdat|trak|mdia|minf|stbl|stsd|stts|ctts|stss|stsc|stsz|stco|elst|edts|mvhd|tkhd|mdhd|hdlr|avc1|avcC"
    rb"|hdrl|avih|strl|strh|strf|movi|idx1|00dc"  # of mp4 and mov, of avi
    rb"|\x1aE\xdf\xa3|\x18S\x80g|\x15I\xa9f|\x16T\xaek|\x1fC\xb6u|\x1cS\xbbk|\x2a\xd7\xb1|\xe7|\xa3"  # of Matroska
)

Mutation = Callable[[bytearray, random.Random], None]


def seeds(folder: Path) -> list[Path]:
    """A second of moving noise in each container, 64 x 48 pixels, 10 frames, two of them key frames."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (48, 74, 3), dtype=np.uint8)
    frames = [np.ascontiguousarray(noise[:, step : step + 64]) for step in range(10)]
    options = {"encoder": {"g": "5", "threads": "1"}, "muxer": {"fflags": "+bitexact"}}  # else Matroska draws numbers
    return [write_video(folder / f"whole.{end}", frames, codec=codec, **options) for end, codec in KINDS]


def mutated(data: bytes, seed: int) -> tuple[str, bytes]:
    """A broken copy, the same for the same seed, and how it was broken: one to three of MUTATIONS."""
    rng, broken = random.Random(seed), bytearray(data)
    chosen = [MUTATIONS[seed % len(MUTATIONS)], *rng.choices(MUTATIONS, k=rng.choice((0, 0, 1, 2)))]
    for mutation in chosen:
        if broken:
            mutation(broken, rng)
    return ", ".join(mutation.__name__ for mutation in chosen), bytes(broken)


def flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 4, 32, 256))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_header_bits(data: bytearray, rng: random.Random) -> None:
    """As `flip_bits`, near the beginning or the end, where containers keep what they say of themselves."""
    reach = min(len(data), 1024)
    for _ in range(rng.choice((1, 3, 9))):
        data[rng.choice((rng.randrange(reach), -1 - rng.randrange(reach)))] ^= 1 << rng.randrange(8)


def truncate(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def double(data: bytearray, rng: random.Random) -> None:
    start, end = chunk(data, rng)
    data[rng.choice((start, end)) : end] = data[start:end] * rng.choice((1, 2, 20))


def remove(data: bytearray, rng: random.Random) -> None:
    start, end = chunk(data, rng)
    del data[start:end]


def zero(data: bytearray, rng: random.Random) -> None:
    start, end = chunk(data, rng)
    data[start:end] = bytes(end - start)


def shuffle(data: bytearray, rng: random.Random) -> None:
    """Two chunks change places."""
    one, two, three = sorted(rng.randrange(len(data)) for _ in range(3))
    data[one:three] = data[two:three] + data[one:two]


def resize_box(data: bytearray, rng: random.Random) -> None:
    """The size before a box's name, or after it, claims something else."""
    found = [match.span() for match in BOXES.finditer(data)]
    for start, end in rng.choices(found, k=rng.choice((1, 2, 4))) if found else ():
        place = rng.choice((max(start - 4, 0), end))
        order = rng.choice(("big", "little"))
        claimed = rng.choice((*SIZES, int.from_bytes(data[place : place + 4], order) + rng.choice((-1, 1, 8))))
        data[place : place + 4] = (claimed % 2**32).to_bytes(4, order)


def edit_field(data: bytearray, rng: random.Random) -> None:
    """Four bytes within a box claim something else: a count, a width, a duration, a time."""
    found = [match.end() for match in BOXES.finditer(data)]
    for start in rng.choices(found, k=rng.choice((1, 3))) if found else ():
        place = start + 4 * rng.randrange(24)
        data[place : place + 4] = rng.choice(SIZES).to_bytes(4, rng.choice(("big", "little")))


def chunk(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 4, 16, 188, 1024, len(data) // 3)))


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, flip_header_bits, truncate, double, remove, zero, shuffle, resize_box, edit_field
)  # fmt: skip
