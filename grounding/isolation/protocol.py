"""What a process and its child send each other over a pipe: a JSON object each, and bytes where it carries any.

Nothing that is received is ever executed or unpickled.
"""

import json
import struct
from typing import Any, BinaryIO, NamedTuple

HEAD = struct.Struct("!II")  # length of the JSON text, length of the bytes that follow
MAX_BYTES = 2**30  # of one message; a child that sends more is broken


class Message(NamedTuple):
    """A JSON object, and the bytes that came with it."""

    fields: dict[str, Any]
    payload: bytearray


def send(stream: BinaryIO, fields: dict[str, Any], payload: memoryview | bytes = b"") -> None:
    """Writes one message. Raises OSError where nobody listens any more."""
    text, payload = json.dumps(fields).encode(), memoryview(payload).cast("B")
    stream.write(HEAD.pack(len(text), len(payload)) + text)
    stream.write(payload)
    stream.flush()


def receive(stream: BinaryIO) -> Message | None:
    """The next message, None at the end of the stream or where it breaks off."""
    head = _read_exactly(stream, HEAD.size)
    if head is None:
        return None
    lengths = HEAD.unpack(head)
    if sum(lengths) > MAX_BYTES:
        return None
    text, payload = (_read_exactly(stream, length) for length in lengths)
    return None if text is None or payload is None else Message(json.loads(text), payload)


def _read_exactly(stream: BinaryIO, length: int) -> bytearray | None:
    data = bytearray(length)
    return data if stream.readinto(data) == length else None
