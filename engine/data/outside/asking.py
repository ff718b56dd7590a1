"""One bounded question over HTTP: an address -> the bytes of its answer, or one clear error.

Called by app/market_data/outside_fetch.py. No redirect is followed and nothing is asked twice: the schedule asks again. A key
goes into a header, to the source's own address; no error repeats it.
"""

import contextlib
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from engine.data.outside.reading import BYTES_MAX
from engine.errors import DataError

SILENCE_S = 10.0  # between two pieces of an answer
ANSWER_S = 60.0  # for all of it
WAIT_S = (60.0, 3_600.0)  # bounds of what a source may ask us to wait; without a word of its own the first
AGAIN = "it is asked again by the schedule, or by nightdesk data fetch"


class AskedToWait(DataError):
    """A source has had too many questions; `wait_s` is how long it wants to be left alone."""

    recoverable = True

    def __init__(self, host: str, wait_s: float) -> None:
        super().__init__(f"{host} has had too many questions and asks for {wait_s:.0f} s of rest", AGAIN)
        self.wait_s = wait_s


def answer(url: str, key: str = "", key_header: str = "X-Api-Key") -> bytes:
    """The answer to a GET, at most BYTES_MAX of it, unpacked. Raises DataError for all but status 200, AskedToWait for 429."""
    host = urlsplit(url).netloc
    with _faults(host):
        headers = {"Accept-Encoding": "gzip"} | ({key_header: key} if key else {})
        with httpx.stream("GET", url, headers=headers, timeout=SILENCE_S, follow_redirects=False) as response:
            if response.status_code in (418, 429):
                raise AskedToWait(host, _wait_s(response.headers.get("retry-after", "")))
            if response.status_code != 200:
                raise DataError(f"{host} answered with status {response.status_code}", _hint(response.status_code))
            packed = response.headers.get("content-encoding", "identity").lower()
            if packed not in ("identity", "gzip"):  # others unpack a few bytes to gigabytes in one step
                raise DataError(f"{host} packs its answer as {packed[:20]!r}, unasked", "gzip alone is read")
            return _body(response, host)


def _body(response: httpx.Response, host: str) -> bytes:
    """The body as it comes, until it is too large or takes too long."""
    body, until = bytearray(), time.monotonic() + ANSWER_S
    for piece in response.iter_bytes():
        body += piece
        if len(body) > BYTES_MAX:
            raise DataError(f"{host} sent more than {BYTES_MAX >> 20} MiB", "nothing was stored")
        if time.monotonic() > until:
            raise DataError(f"{host} takes over {ANSWER_S:.0f} s for an answer", AGAIN)
    return bytes(body)


@contextlib.contextmanager
def _faults(host: str) -> Iterator[None]:
    """httpx's errors as one line each; a broken body is half a page."""
    try:
        yield
    except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
        raise DataError(f"{host} broke off in its answer: half a page ({type(error).__name__})", AGAIN) from error
    except httpx.TimeoutException as error:
        raise DataError(f"{host} is silent for {SILENCE_S:.0f} s", AGAIN) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DataError(f"{host} cannot be reached ({type(error).__name__})", f"check the network; {AGAIN}") from error


def _wait_s(said: str) -> float:
    """Retry-After in seconds, within bounds; a date counts as the shortest."""
    return min(max(float(said), WAIT_S[0]), WAIT_S[1]) if said.isascii() and said.isdigit() and len(said) < 9 else WAIT_S[0]


def _hint(status: int) -> str:
    if status in (401, 403):
        return "the source refuses: is its key right, and does it serve this country?"
    return "the address has moved" if status < 500 else AGAIN
