import io

import pytest

from grounding.isolation.protocol import HEAD, receive, send


def sent(*messages) -> io.BytesIO:
    stream = io.BytesIO()
    for said, carried in messages:
        send(stream, said, carried)
    return io.BytesIO(stream.getvalue())


def test_what_is_sent_is_received():
    stream = sent(({"a": 1.5, "b": "é\udc80"}, b"xyz"), ({}, b""))
    assert receive(stream) == ({"a": 1.5, "b": "é\udc80"}, b"xyz")
    assert receive(stream) == ({}, b"")
    assert receive(stream) is None


@pytest.mark.parametrize("kept", [3, HEAD.size, HEAD.size + 1, -1])
def test_a_message_that_breaks_off_is_the_end(kept):
    assert receive(io.BytesIO(sent(({"a": 1}, b"xyz")).getvalue()[:kept])) is None


def test_an_absurd_length_is_the_end():
    assert receive(io.BytesIO(HEAD.pack(2**32 - 1, 2**32 - 1))) is None
