"""A local server that answers as the sources of outside series do, in their shapes, and in wrong ones when a switch says so.

`with OutsideServer(now_ms) as server:` then `server.entry("vix")` is an [outside] that reads from it. `wrong` names what is wrong
with every answer: renamed, text, constant, shifted, half, cut, limited, html, down, unit, nan, deep, moved, bomb, packed, other.
`page` rows are one page of OKX and Bybit, 0 is all of them; `later` is what is wrong from the second page on: again, disordered,
parted, or one of the above.
"""

import gzip
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from app.home.settings import OutsideEntry
from engine.clock import DAY_MS, HOUR_MS, utc_day

NAMES = ("binance", "okx", "bybit", "fred", "cboe", "coinmetrics", "glassnode", "alternative", "coinalyze", "stooq")
WEEKEND = (5, 6)
HOURS, DAYS = 60, 40
BASES = {
    "GVZCLS": 17.0,
    "DCOILWTICO": 70.0,
    "DCOILBRENTEU": 74.0,
    "VIXCLS": 18.0,
    "DTWEXBGS": 120.0,
    "SP500": 6_000.0,
    "NASDAQCOM": 20_000.0,
    "DGS10": 4.5,
    "DGS2": 4.2,
}


def level(n: int, base: float) -> float:
    """A number that moves a little and never twice the same way."""
    return round(base * (1 + 0.02 * ((n * 7919) % 101 - 50) / 50), 4)


class OutsideServer:
    """The sources at one moment: hourly and daily rows up to `now_ms`."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms, self.wrong, self.revision = now_ms, "", 0.0
        self.hours, self.page, self.later = HOURS, 0, ""
        self.asked: list[tuple[str, dict[str, str], str]] = []  # path, query, key
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._door())
        self._http.daemon_threads = True

    def __enter__(self) -> "OutsideServer":
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def entry(self, *series: str, sources: tuple[str, ...] = ()) -> OutsideEntry:
        """An [outside] that declares these series and asks here."""
        return OutsideEntry(series=series, symbols=("BTC-USDT",), sources=sources, base_urls=dict.fromkeys(NAMES, self.url))

    def _times(self, step_ms: int, count: int) -> list[int]:
        """The opens of the last rows, the one that still runs included."""
        last = self.now_ms // step_ms * step_ms
        shift = 3 * step_ms if self.wrong == "shifted" else 0
        return [last - n * step_ms + shift for n in range(count - 1, -1, -1)]

    def _value(self, ts: int, step_ms: int, base: float) -> float:
        """The value of a row: of its true time, whatever the clock says."""
        n = ts // step_ms - (3 if self.wrong == "shifted" else 0)
        value = base if self.wrong == "constant" else level(n, base)
        if self.wrong == "unit" and ts > self.now_ms - 6 * step_ms:
            value *= 100
        return round(value + (self.revision if ts == self.now_ms // step_ms * step_ms - 2 * step_ms else 0), 6)

    def _rows(self, step_ms: int, count: int, base: float) -> list[tuple[int, float]]:
        return [(ts, self._value(ts, step_ms, base)) for ts in self._times(step_ms, count)]

    def _paged(self, base: float, before: str | None) -> list[tuple[int, float]]:
        """A page of hourly rows, oldest first: the newest before a time, the newest of all without one."""
        rows = self._rows(HOUR_MS, self.hours, base)
        if before is None or self.later == "again":
            return rows[-self.page :]
        older = [row for row in rows if row[0] < int(before)]
        if self.later == "disordered":
            return rows[-self.page - 3 : -3]
        if self.later == "parted":
            return [*older[-self.page :], (int(before), 1.0)]
        return older[-self.page :]

    # ---- the shapes ----------------------------------------------------------------------------------------------------

    def _binance(self, path: str, query: dict[str, str]) -> Any:
        names = {
            "openInterestHist": "sumOpenInterest",
            "globalLongShortAccountRatio": "longShortRatio",
            "takerlongshortRatio": "buyVol",
        }
        name, base = names[path.rsplit("/", 1)[1]], {"openInterestHist": 80_000.0}.get(path.rsplit("/", 1)[1], 2.0)
        rows = []
        for ts, value in self._rows(HOUR_MS, HOURS, base):
            row = {"symbol": query["symbol"], name: f"{value:.8f}", "timestamp": ts}
            rows.append(row | {"sumOpenInterestValue": f"{value * 60_000:.8f}", "sellVol": f"{value * 0.9:.4f}"})
        return rows

    def _okx(self, path: str, query: dict[str, str]) -> Any:
        base = 80_000.0 if "open-interest" in path else 2.0
        rows = [
            [str(ts), str(v), str(v), str(v * 60_000 if "open-interest" in path else v)]
            for ts, v in reversed(self._paged(base, query.get("end")))
        ]
        return {"code": "0", "msg": "", "data": [row[:2] if "ratio" in path else row for row in rows]}

    def _bybit(self, path: str, query: dict[str, str]) -> Any:
        if "open-interest" in path:
            rows = [
                {"openInterest": str(v), "timestamp": str(ts)} for ts, v in reversed(self._paged(80_000.0, query.get("endTime")))
            ]
        else:
            rows = [
                {
                    "symbol": query["symbol"],
                    "buyRatio": f"{v / (1 + v):.8f}",
                    "sellRatio": f"{1 / (1 + v):.8f}",
                    "timestamp": str(ts),
                }
                for ts, v in reversed(self._rows(HOUR_MS, HOURS, 2.0))
            ]
        return {
            "retCode": 0,
            "retMsg": "OK",
            "result": {"category": "linear", "list": rows, "nextPageCursor": ""},
            "time": self.now_ms,
        }

    def _week(self, base: float) -> list[tuple[int, float]]:
        return [(ts, v) for ts, v in self._rows(DAY_MS, DAYS, base) if (ts // DAY_MS + 3) % 7 not in WEEKEND]

    def _fred(self, _path: str, query: dict[str, str]) -> str:
        holiday = self._week(1)[5][0]
        lines = [f"{utc_day(ts)},{'' if ts == holiday else v}" for ts, v in self._week(BASES[query["id"]])]
        return "\n".join(["observation_date," + query["id"], *lines, ""])

    def _cboe(self, _path: str, _query: dict[str, str]) -> str:
        days = [(utc_day(ts).split("-"), v) for ts, v in self._week(18.0)]
        return "\r\n".join(["DATE,OPEN,HIGH,LOW,CLOSE", *(f"{m}/{d}/{y},1,1,1,{v}" for (y, m, d), v in days), ""])

    def _coinmetrics(self, _path: str, query: dict[str, str]) -> Any:
        rows = self._rows(DAY_MS, DAYS, 2.0)
        listed = [
            {"asset": query["assets"], "time": f"{utc_day(ts)}T00:00:00.000000000Z", query["metrics"]: str(v)} for ts, v in rows
        ]
        return {"data": listed}

    def _glassnode(self, _path: str, _query: dict[str, str]) -> Any:
        return [{"t": ts // 1000, "v": v} for ts, v in self._rows(DAY_MS, DAYS, 2.0)]

    def _coinalyze(self, _path: str, query: dict[str, str]) -> Any:
        history = [{"t": ts // 1000, "l": v, "s": round(v * 0.9, 6)} for ts, v in self._rows(HOUR_MS, HOURS, 20.0)]
        return [{"symbol": "ETHUSDT_PERP.A" if self.wrong == "other" else query["symbols"], "history": history}]

    def _stooq(self, _path: str, _query: dict[str, str]) -> str:
        days = [f"{utc_day(ts)},1,1,1,{v}" for ts, v in self._week(2_600.0)]
        return "\r\n".join(["Date,Open,High,Low,Close", *days, ""])

    def _alternative(self, _path: str, _query: dict[str, str]) -> Any:
        rows = [(ts, round(v)) for ts, v in self._rows(DAY_MS, DAYS, 50.0)]
        if self.wrong not in ("constant", "unit"):
            rows = [(ts, 30 + (ts // DAY_MS * 7) % 40) for ts, _ in rows]
        data = [{"value": str(v), "value_classification": "Neutral", "timestamp": str(ts // 1000)} for ts, v in reversed(rows)]
        return {"name": "Fear and Greed Index", "data": data, "metadata": {"error": None}}

    def answer(self, path: str, query: dict[str, str]) -> bytes:
        """What the source at this path answers, and what is wrong with it."""
        places: dict[str, Callable[[str, dict[str, str]], Any]] = {
            "/futures/data": self._binance,
            "/api/v5": self._okx,
            "/v5/market": self._bybit,
            "/graph": self._fred,
            "/api/global": self._cboe,
            "/v4/": self._coinmetrics,
            "/v1/metrics": self._glassnode,
            "/fng": self._alternative,
            "/v1/liquidation": self._coinalyze,
            "/q/d/l": self._stooq,
        }
        made = next(shape(path, query) for start, shape in places.items() if path.startswith(start))
        text = made if isinstance(made, str) else json.dumps(made)
        if self.wrong == "renamed":
            names = (
                "sumOpenInterest",
                "openInterest",
                "observation_date",
                "CLOSE",
                "CapMVRVCur",
                '"v"',
                '"value"',
                "longShortRatio",
                '"history"',
                "Close",
            )
            for name in names:
                text = text.replace(name, name.swapcase())
        if self.wrong == "text":
            text = re.sub(r'"v": ([\d.]+)', r'"v": "\1"', text, count=1).replace('"value": "3', '"value": "n/a 3', 1)
        if self.wrong == "nan":
            text = re.sub(r'"v": ([\d.]+)', '"v": NaN', text, count=1)
        if self.wrong == "half":
            text = text[: len(text) // 2]
        if self.wrong == "html":
            text = "<!DOCTYPE html><html><body>Just a moment...</body></html>"
        if self.wrong == "deep":
            text = "[" * 200_000
        return text.encode()

    def _door(outside) -> type[BaseHTTPRequestHandler]:
        class Door(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = dict(parse_qsl(parts.query))
                key = self.headers.get("X-Api-Key") or self.headers.get("api_key") or ""
                outside.asked.append((parts.path, query, key))
                if query.keys() & {"end", "endTime"} and outside.later not in ("", "again", "disordered", "parted"):
                    outside.wrong = outside.later
                if outside.wrong == "down":
                    self.close_connection = True
                    return
                if outside.wrong == "limited":
                    self.send_response(429)
                    self.send_header("Retry-After", "120")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                body = outside.answer(parts.path, query)
                if outside.wrong == "bomb":
                    body = gzip.compress(b"[" + b" " * 3_000_000 + b"]")
                self.send_response(302 if outside.wrong == "moved" else 200)
                if outside.wrong == "moved":
                    self.send_header("Location", outside.url + "/elsewhere")
                if outside.wrong in ("bomb", "packed"):
                    self.send_header("Content-Encoding", "gzip" if outside.wrong == "bomb" else "br")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if outside.wrong == "cut" else body)

        return Door
