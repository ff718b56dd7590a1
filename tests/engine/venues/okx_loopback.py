"""A venue on loopback that speaks enough of OKX v5 to be pulled from, with the faults real ones have.

Used by test_ccxt_data.py and tests/app/test_cli_data.py through the real ccxt.
"""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MINUTE = 60_000
SWAP = {
    "instType": "SWAP",
    "instId": "BTC-USDT-SWAP",
    "instFamily": "BTC-USDT",
    "uly": "BTC-USDT",
    "baseCcy": "",
    "quoteCcy": "",
    "settleCcy": "USDT",
    "ctVal": "0.01",
    "ctMult": "1",
    "ctValCcy": "BTC",
    "ctType": "linear",
    "listTime": "1573557408000",
    "expTime": "",
    "lever": "100",
    "tickSz": "0.1",
    "lotSz": "0.01",
    "minSz": "0.01",
    "state": "live",
    "maxLmtSz": "100000000",
    "maxMktSz": "85000",
    "instIdCode": 10459,
}


class Venue:
    """What the server knows and how it misbehaves; tests set the attributes between requests."""

    def __init__(self, first_ms: int, bars: int, step_ms: int = 15 * MINUTE) -> None:
        self.step_ms = step_ms
        self.bars = {t: self.row(t, step_ms) for t in range(first_ms, first_ms + bars * step_ms, step_ms)}
        self.rates = dict.fromkeys(range(first_ms, first_ms + bars * step_ms, 8 * 60 * MINUTE), 0.0001)
        self.now_ms = first_ms + bars * step_ms - step_ms // 2  # the last bar is still forming
        self.page_max = 300
        self.drop_border = False  # every page lacks its oldest bar: the pager's classic
        self.keeps_oldest = False  # a page that is cut keeps its oldest rows, as on Binance
        self.fail_next: list[int] = []  # HTTP codes for the next requests
        self.dead_after = 10**9  # requests for candles answered before the venue dies
        self.holds_after = 10**9  # requests for candles answered before one hangs until `let_go`
        self.held, self.let_go = threading.Event(), threading.Event()
        self.asked: list[str] = []

    @staticmethod
    def row(t: int, step_ms: int = 15 * MINUTE) -> list[str]:
        """A bar as OKX writes it: volume in contracts, base and quote."""
        here, there = (50_000 + 300 * math.sin(at / 3e7) for at in (t, t + step_ms))
        prices = [f"{price:.1f}" for price in (here, max(here, there) + 9, min(here, there) - 9, there)]
        return [str(t), *prices, "100", "1.5", "75000", "1"]

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """The data of one request."""
        if path.endswith("/public/time"):
            return [{"ts": str(self.now_ms)}]
        if path.endswith("/public/instruments"):
            return [SWAP] if query.get("instType") == "SWAP" else []
        if path.endswith("funding-rate-history"):
            return self.page(
                self.rates,
                query,
                lambda t: {"instId": SWAP["instId"], "fundingTime": str(t), "realizedRate": "0.0001", "fundingRate": "0.0001"},
            )
        if path.endswith("mark-price-candles"):
            return self.page(self.bars, query, lambda t: [*self.row(t, self.step_ms)[:5], "1"])
        if path.endswith("candles"):
            return self.page(self.bars, query, lambda t: self.row(t, self.step_ms))
        return []

    def page(self, have: dict[int, Any], query: dict[str, str], render: Any) -> list[Any]:
        """OKX paging: newest first, `before` and `after` exclusive, at most page_max rows."""
        newer, older = int(query.get("before", 0)), int(query.get("after", 10**15))
        times = sorted((t for t in have if newer < t < older and t <= self.now_ms), reverse=True)
        most = min(int(query.get("limit", 100)), self.page_max)
        times = times[-most:] if self.keeps_oldest else times[:most]
        if self.drop_border and len(times) > 2:
            times = times[:-1]
        return [render(t) for t in times]


@contextmanager
def serving(venue: Venue) -> Iterator[str]:
    """Serve `venue` on a loopback port; yields its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            venue.asked.append(self.path)
            candles = sum("candles" in path for path in venue.asked)
            if "candles" in self.path and candles > venue.holds_after:
                venue.held.set()
                venue.let_go.wait(30)
            code = venue.fail_next.pop(0) if venue.fail_next and "candles" in self.path else 200
            if "candles" in self.path and candles > venue.dead_after:
                code = 503
            body = {"code": "0", "msg": "", "data": venue.answer(parts.path, query)} if code == 200 else {"msg": "busy"}
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def handle(self) -> None:
            """A client that was killed is no error of the server."""
            with suppress(ConnectionError):
                super().handle()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
