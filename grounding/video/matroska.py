"""Whether a Matroska or WebM file is all there, which its container does not say."""

from pathlib import Path

SEGMENT = b"\x18S\x80g"  # the element that holds all but the header
HEAD_BYTES = 4096


def is_whole_matroska(path: Path) -> bool:
    """Whether the file is as long as its segment says; a live recording states no length and counts as whole."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    place = head.find(SEGMENT)
    if place < 0 or place + 5 > len(head):
        return False
    # The length of an element: as many leading zero bits as further bytes, then the number; all ones is unknown.
    first = head[place + 4]
    count = 9 - first.bit_length()
    number = int.from_bytes(head[place + 4 : place + 4 + count], "big") - (1 << 7 * count)
    return number == (1 << 7 * count) - 1 or place + 4 + count + number <= path.stat().st_size
