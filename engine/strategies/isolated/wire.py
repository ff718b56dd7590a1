"""Messages between a desk process and its strategy process: a length, a JSON object, then raw arrays. Both sides use this file.

Requests come from the desk and may be large (bars). Answers come from a process that runs a person's code: they are bounded and
carry JSON alone, so that reading one can run nothing.
"""

import struct
from collections.abc import Sequence
from typing import Any

import orjson

LENGTH = struct.Struct("<I")
ANSWER_MAX = 1_000_000  # bytes of one answer


class Nonsense(Exception):
    """What came back is not an answer."""


def encode_request(request: dict[str, Any], arrays: Sequence[bytes] = ()) -> bytes:
    """A request with its arrays, ready to be written."""
    head = orjson.dumps(request | {"arrays": [len(a) for a in arrays]})
    return b"".join((LENGTH.pack(len(head)), head, *arrays))


def read_request(stream: Any) -> tuple[dict[str, Any], list[bytes]] | None:
    """The next request of a blocking stream; None at its end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    request = orjson.loads(stream.read(LENGTH.unpack(head)[0]))
    return request, [stream.read(size) for size in request["arrays"]]


def encode_answer(answer: dict[str, Any]) -> bytes:
    """An answer; NaN and infinite are null."""
    body = orjson.dumps(answer)
    return LENGTH.pack(len(body)) + body


def take_answers(buffer: bytearray) -> list[dict[str, Any]]:
    """The complete answers at the start of `buffer`, which loses them. Raises Nonsense for what is not one."""
    found, start = [], 0
    while len(buffer) - start >= LENGTH.size:
        size = LENGTH.unpack_from(buffer, start)[0]
        if size > ANSWER_MAX:
            raise Nonsense(f"an answer of {size:,} bytes")
        if len(buffer) - start - LENGTH.size < size:
            break
        start += LENGTH.size
        try:
            answer = orjson.loads(memoryview(buffer)[start : start + size])
        except orjson.JSONDecodeError as error:
            raise Nonsense("an answer that is not JSON") from error
        if not isinstance(answer, dict):
            raise Nonsense("an answer that is not an object")
        found.append(answer)
        start += size
    del buffer[:start]
    return found
