"""What a process and its child say to each other over a pipe: a JSON object each, and bytes where it carries any.

Nothing that is received is ever executed or unpickled.
"""

import json
import struct
from typing import Any, BinaryIO, NamedTuple

HEAD = struct.Struct("!II")  # length of the JSON text, length of the bytes that follow
MOST = 2**30  # bytes of one message; a child that says more is broken


class Message(NamedTuple):
    """A JSON object, and the bytes that came with it."""

    said: dict[str, Any]
    carried: bytearray


def send(stream: BinaryIO, said: dict[str, Any], carried: memoryview | bytes = b"") -> None:
    """Writes one message. Raises OSError where nobody listens any more."""
    text, carried = json.dumps(said).encode(), memoryview(carried).cast("B")
    stream.write(HEAD.pack(len(text), len(carried)) + text)
    stream.write(carried)
    stream.flush()


def receive(stream: BinaryIO) -> Message | None:
    """The next message, None at the end of the stream or where it breaks off."""
    head = _exactly(stream, HEAD.size)
    if head is None:
        return None
    lengths = HEAD.unpack(head)
    if sum(lengths) > MOST:
        return None
    text, carried = (_exactly(stream, length) for length in lengths)
    return None if text is None or carried is None else Message(json.loads(text), carried)


def _exactly(stream: BinaryIO, length: int) -> bytearray | None:
    data = bytearray(length)
    return data if stream.readinto(data) == length else None
