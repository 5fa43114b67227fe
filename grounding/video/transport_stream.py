"""MPEG transport streams as bytes: what they look like, and whether any are missing, which ffmpeg does not tell."""

from pathlib import Path

import numpy as np

PACKETS = (188, 192, 204)  # bytes: as broadcast, with time codes as cameras write (AVCHD), with error correction
SYNC = ord("G")  # every packet has it at the same place
ROW = 5  # packets in a row that have to; text may have a few
HEAD_BYTES = (ROW + 1) * max(PACKETS)
MAX_READ = 2**27  # bytes that are looked through for one gap


def is_transport_stream(head: bytes) -> bool:
    """Whether a file begins like one; recordings that were cut begin anywhere in a packet.

    `head` has HEAD_BYTES bytes, or all of a short file, which has to hold two packets at least.
    """
    return find_packets(head) is not None


def find_packets(data: bytes) -> tuple[int, int] | None:
    """The size of the packets that bytes consist of, and where the first begins; None where they do not."""
    for size in PACKETS:
        for start in range(min(size, len(data) - size)):
            row = data[start::size][:ROW]
            if len(row) > 1 and row.count(SYNC) == len(row) and (start in (0, 4) or len(row) == ROW):
                return size, start
    return None


def is_complete(path: Path, track: int, begin: int, end: int) -> bool:
    """Whether no packet of a track is missing or damaged between two places of a file, as its counters say.

    Args:
        path: the file.
        track: its PID.
        begin, end: places of two packets of the track, bytes, in any order.
    """
    begin, end = sorted((begin, end))  # frames that are reordered lie the other way round
    begin = max(begin - max(PACKETS), 0)
    with path.open("rb") as file:
        file.seek(begin)
        data = file.read(min(end - begin, MAX_READ) + 2 * max(PACKETS))
    found = find_packets(data[:HEAD_BYTES])
    if found is None or end - begin > MAX_READ:
        return False
    size, start = found
    count = (len(data) - start) // size
    packets = np.frombuffer(data, np.uint8, count * size, start).reshape(count, size)[:, :4].astype(int)  # (P, 4)
    if (packets[:, 0] != SYNC).any() or (packets[:, 1] & 0x80).any():  # the other bit says that it arrived damaged
        return False
    own = packets[((packets[:, 1] & 0x1F) << 8 | packets[:, 2]) == track]  # (O, 4)
    counters = own[(own[:, 3] & 0x10) > 0, 3] & 0x0F  # of packets that carry anything
    return bool(np.isin(np.diff(counters) % 16, (0, 1)).all())  # one may be sent twice
