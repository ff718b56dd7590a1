"""The bytes of one answer, bounded before anything reads them. Called by agents/formats/transport.py.

A response of the HTTP client -> the same with a bounded body: unpacked here (gzip alone is asked for) and left after too many
bytes, one line without an end, or when nobody waits for it any more. What comes a byte at a time is handed on a line at a time.
"""

import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from agents.formats.bounds import EVENT_MAX, STREAM_MAX
from agents.formats.faults import EndpointFault

ACCEPTED = "gzip"
LINE_BYTES_MAX = 8 * EVENT_MAX  # an event is one line; a character may take six bytes
ANSWER_BYTES_MAX = 8 * STREAM_MAX
PIECE_BYTES = 64 * 1024
LISTING_S = 10.0  # for the list of models, however slowly it comes


def bound_body(response: Any, host: str, is_left: Callable[[], bool]) -> None:
    """Replace the body of `response` by its bounded, unpacked self. Raises EndpointFault for an encoding nobody asked for."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", "deflate", ""):
        raise EndpointFault(f"{host} packed its answer as {encoding[:40]!r}, which was not asked for", again=False)
    if packed := encoding not in ("identity", ""):
        del response.headers["content-encoding"]
    response.stream = _stream_of(response.stream, _pieces(response.stream, packed, host, is_left))


def until(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have passed since now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _stream_of(inner: Any, pieces: Iterator[bytes]) -> Any:
    """The pieces as a stream of the HTTP client, whose library is loaded with the first question."""
    import httpx2

    class Bounded(httpx2.SyncByteStream):
        """Read like the stream that it replaces."""

        def __iter__(self) -> Iterator[bytes]:
            return pieces

        def close(self) -> None:
            """Close the connection's own."""
            inner.close()

    return Bounded()


def _pieces(raw: Any, packed: bool, host: str, is_left: Callable[[], bool]) -> Iterator[bytes]:
    """The body in whole lines, or pieces of PIECE_BYTES. Raises EndpointFault beyond the bounds."""
    held, line, total = bytearray(), 0, 0
    for part in _unpacked(raw, packed, host, is_left):
        total += len(part)
        end = max(part.rfind(b"\n"), part.rfind(b"\r"))
        line = line + len(part) if end < 0 else len(part) - end - 1
        if total > ANSWER_BYTES_MAX or line > LINE_BYTES_MAX:
            raise EndpointFault(f"{host} sent an answer of too many bytes", again=False)
        held += part
        if end >= 0 or len(held) >= PIECE_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


def _unpacked(raw: Any, packed: bool, host: str, is_left: Callable[[], bool]) -> Iterator[bytes]:
    """Parts of at most PIECE_BYTES when packed, so that a bomb is noticed while it unpacks. Raises EndpointFault."""
    reader = zlib.decompressobj(47)  # gzip or zlib, by its header
    for part in raw:
        if is_left():
            raise EndpointFault(f"{host} did not end its answer in time", again=True)
        if not packed:
            yield part
            continue
        try:
            left: bytes = part
            while left:
                yield reader.decompress(left, PIECE_BYTES)
                left = reader.unconsumed_tail
        except zlib.error:
            raise EndpointFault(f"{host} sent an answer that cannot be unpacked", again=True) from None
