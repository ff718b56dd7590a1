"""An answer of any length, that never ends, packed to a thousandth, or without a list: bounded where it enters, and one line."""

import asyncio
import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from engine.data.outside import asking
from engine.errors import DataError
from engine.venues import bounded, candles, ccxt_data
from tests.fakes.waiting import WAIT_S

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PIECE = b"4000\r\n" + b" " * 0x4000 + b"\r\n"


def floods(to: socket.socket) -> None:
    """As fast as it is read, for ever."""
    to.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        to.sendall(PIECE)


def drips(to: socket.socket) -> None:
    """A letter now and then: never silent, never done."""
    to.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        to.sendall(b"1\r\n \r\n")
        time.sleep(0.02)


def packs(to: socket.socket) -> None:
    """Few bytes that unpack to many."""
    body = gzip.compress(b" " * (8 << 20))
    to.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def breaks_off(to: socket.socket) -> None:
    """Half of what it has promised."""
    to.sendall(HEAD + b"Content-Length: 900\r\n\r\n{")


def falls_silent(to: socket.socket) -> None:
    """A beginning, and nothing more while it stays connected."""
    to.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
    time.sleep(WAIT_S)


def garbles(to: socket.socket) -> None:
    """Packed, it says."""
    to.sendall(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b{}")


def lists_nothing(to: socket.socket) -> None:
    """Something else answers in the venue's place."""
    to.sendall(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")


@contextlib.contextmanager
def answered(how: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that answers every request like this."""

    def serve(to: socket.socket) -> None:
        with contextlib.suppress(OSError), to:
            to.recv(65_536)
            how(to)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bounds, smaller."""
    monkeypatch.setattr(bounded, "ANSWER_BYTES", 1 << 20)
    monkeypatch.setattr(bounded, "ANSWER_S", 0.3)
    monkeypatch.setattr(asking, "ANSWER_S", 0.3)
    monkeypatch.setattr(candles, "TIMEOUT_MS", 2_000)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (floods, "binance sent more than 1 MiB in one answer"),
        (packs, "binance sent more than 1 MiB in one answer"),
        (drips, "binance takes over 0 s for one answer"),
        (lists_nothing, "binance answered without a list of its instruments"),
    ],
)
def test_a_pull_takes_a_bounded_answer(how: Callable[[socket.socket], None], words: str) -> None:
    """Through the real ccxt, which reads whatever comes."""
    with answered(how) as url, pytest.raises(DataError, match=words):
        ccxt_data.open_venue("binance", "perp", url, attempts=1)


@pytest.mark.parametrize("how", [breaks_off, falls_silent, garbles])
def test_half_an_answer_of_a_pull_is_one_clear_line(
    how: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is without bounds: a fault of the network, tried again, and never a library's own error."""
    monkeypatch.setattr(ccxt_data, "TIMEOUT_MS", 300)
    with answered(how) as url, pytest.raises(DataError, match="binance"):
        ccxt_data.open_venue("binance", "perp", url, attempts=2, wait_s=0.001)


@pytest.mark.parametrize(
    ("how", "words"),
    [(floods, "did not answer"), (packs, "did not answer"), (drips, "did not answer"), (lists_nothing, "without a list")],
)
def test_a_live_feed_takes_a_bounded_answer(
    how: Callable[[socket.socket], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for the client of the trading process; what it read of a flood stays near the bound."""
    read = 0
    whole = bytearray

    class Counted(whole):
        def __iadd__(self, piece: bytes) -> "Counted":  # type: ignore[misc,override]
            nonlocal read
            read += len(piece)
            super().__iadd__(piece)
            return self

    monkeypatch.setattr(bounded, "bytearray", Counted, raising=False)

    async def opened() -> None:
        async with asyncio.timeout(WAIT_S):
            source = await candles.open_candles("binance", "perp", url)
            await source.close()

    with answered(how) as url, pytest.raises(DataError, match=words):
        asyncio.run(opened())
    assert (read > 1 << 20) is (how in (floods, packs))
    assert read < 16 << 20


def test_an_outside_source_that_never_ends_is_given_up() -> None:
    """A letter now and then is an answer of a minute at most, not for ever."""
    with answered(drips) as url, pytest.raises(DataError, match="takes over 0 s for an answer"):
        asking.answer(url)
