"""A venue's public candles, live: what its stream pushes with the venue's own word that a bar has closed, and what REST lists.

Called by engine/live/feed_live.py with a ccxt.pro client that belongs to the feed alone. ccxt's unified candle lacks the flag
(OKX and Bybit `confirm`, Binance `x`), so pushes are read from the raw message; numbers go through the `parse_ohlcv` of REST,
so that equal bars are equal floats. Times are UTC ms, volumes base units.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from engine.clock import LOCAL_TIMEFRAME, timeframe_ms
from engine.errors import BadInput, DataError
from engine.venues.answers import silent
from engine.venues.bounded import TIMEOUT_MS, bound_answers_async
from engine.venues.ccxt_data import CLASSES, NO_LIST, VENUES, Source, market_symbol, redirected
from engine.venues.installed import ccxt_class
from engine.venues.lines import hang_up, read_first

T = TypeVar("T")
Prices = tuple[float, float, float, float, float]  # open, high, low, close, volume
Tap = Callable[[str, Any], None]  # (ws or rest: what it was, the message or the body's text) -> kept
BYBIT_TYPES = {"perp": "linear", "spot": "spot"}
SETTLEMENTS_MAX = 100
LIMITED_MS = 10_000  # without a Retry-After
LIMITED_MAX_MS = 600_000
OKX_UTC_MS = 6 * 3_600_000  # OKX's own days begin at 16:00 UTC: from here on the UTC candles have another name


class PushedCandle(NamedTuple):
    """One candle as a stream pushed it."""

    symbol: str  # ccxt's: BTC/USDT:USDT
    timeframe_ms: int
    open_ms: int
    prices: Prices
    closed: bool  # as the venue says


class RateLimited(DataError):
    """The venue wants fewer requests: none for `wait_ms`."""

    def __init__(self, what: str, wait_ms: int) -> None:
        super().__init__(what, f"nothing is asked for {wait_ms // 1000} s")
        self.wait_ms = wait_ms


class CandleSource:
    """One venue's candles."""

    def __init__(self, exchange: Any, venue: str, tap: Tap = lambda _what, _message: None) -> None:
        """`exchange`: a ccxt.pro client of `venue` (okx, binance, bybit); `tap` gets everything that is received."""
        if venue not in FLAGGED:
            raise BadInput(f"unknown venue {venue!r}", f"available: {', '.join(FLAGGED)}")
        self.venue, self._exchange, self._tap = venue, exchange, tap
        self.on_push: Callable[[PushedCandle], None] = lambda _candle: None
        self.on_unreadable: Callable[[str], None] = lambda _why: None
        self._answered, self._rest = read_first(exchange, self._received), exchange.on_rest_response
        exchange.on_rest_response = self._responded

    async def watch(self, symbol: str, timeframe: str) -> None:
        """Subscribe, and return at the next push. Raises DataError."""
        utc_days = self.venue == "okx" and timeframe_ms(timeframe) >= OKX_UTC_MS
        name = f"{self._exchange.timeframes[timeframe]}utc" if utc_days else timeframe
        try:
            await self._exchange.watch_ohlcv(symbol, name)
        except Exception as error:
            raise silent(self.venue, f"a subscription to {timeframe} candles of {symbol}", error) from error

    async def rows(self, symbol: str, timeframe: str, since_ms: int, limit: int) -> dict[int, Prices]:
        """Candles that REST lists from an open on, `limit` at most, by their open; the last one may be forming.

        Raises DataError for anything but a list of candles on their grid, RateLimited when the venue wants fewer requests.
        """
        question, step = f"for {timeframe} candles of {symbol}", timeframe_ms(timeframe)
        try:
            answer = await self._exchange.fetch_ohlcv(symbol, timeframe, since_ms, limit)
            found = {int(row[0]): prices_of(row[1:6]) for row in answer}
        except Exception as error:
            raise self._limited(error) or silent(self.venue, question, error) from error
        if not found:  # a page of HTML reads as no candle at all
            raise DataError(f"{self.venue} listed no {timeframe} candles of {symbol}")
        if len(found) != len(answer) or any(open_ms % step for open_ms in found):
            raise DataError(f"{self.venue} listed {timeframe} candles of {symbol} twice or off their grid")
        return {open_ms: found[open_ms] for open_ms in sorted(found) if open_ms >= since_ms}

    async def server_ms(self) -> int:
        """The venue's clock. Raises DataError."""
        return await self._response("for its time", self._exchange.fetch_time(), int)

    async def funding(self, symbol: str) -> tuple[float, int]:
        """(the rate as it is now, when it is settled) of a perpetual. Raises DataError."""
        return await self._response(f"for the funding rate of {symbol}", self._exchange.fetch_funding_rate(symbol), rate_of)

    async def settlements(self, symbol: str, since_ms: int) -> dict[int, float]:
        """Settlements from a time on that have happened: whole minute -> rate. Raises DataError."""
        call = self._exchange.fetch_funding_rate_history(symbol, since_ms, SETTLEMENTS_MAX)
        found = await self._response(f"for the settlements of {symbol}", call, settlements_of)
        return {t: rate for t, rate in found.items() if t >= since_ms}

    async def mark(self, symbol: str) -> float:
        """The mark price, by REST. Raises DataError."""
        name = "fetch_mark_price" if self._exchange.has.get("fetchMarkPrice") else "fetch_ticker"
        return await self._response(f"for the mark price of {symbol}", getattr(self._exchange, name)(symbol), mark_of)

    async def watch_mark(self, symbol: str) -> float:
        """The next mark price of the stream. Raises DataError."""
        name = "watch_mark_price" if self._exchange.has.get("watchMarkPrice") else "watch_ticker"
        return await self._response(f"a subscription to marks of {symbol}", getattr(self._exchange, name)(symbol), mark_of)

    async def _response(self, question: str, call: Awaitable[Any], read: Callable[[Any], T]) -> T:
        """What `read` makes of a call of ccxt's. Raises RateLimited and DataError, for an answer of another shape too."""
        try:
            return read(await call)
        except Exception as error:
            raise self._limited(error) or silent(self.venue, question, error) from error

    def unified(self, symbol: str, market: str) -> str:
        """BTC-USDT -> ccxt's name. Raises BadInput when the venue does not list it."""
        return market_symbol(Source(self._exchange, self.venue, 1, 0.0), symbol, market)

    async def close(self) -> None:
        """Hang up."""
        await self._exchange.close()

    def silent_since_ms(self) -> int | None:
        """When its quietest connection last brought anything, a pong included; None without a connection."""
        lines = self._exchange.clients.values()
        return min((int(at) for line in lines if (at := line.last_message_at or line.connectionEstablished)), default=None)

    async def redial(self) -> None:
        """Give up every connection; the next `watch` dials a new one at once."""
        await hang_up(self._exchange)

    def dial_at_once(self) -> None:
        """Forget ccxt's waits before a next dial, which grow to 30 s."""
        self._exchange.ws_dial_backoff = {}

    def _received(self, client: Any, message: Any) -> Any:
        self._tap("ws", message)
        try:
            candles = FLAGGED[self.venue](self._exchange, message) if isinstance(message, dict) else []
        except (KeyError, IndexError, TypeError, ValueError) as error:
            candles = []
            self.on_unreadable(f"{self.venue} pushed a candle that cannot be read ({type(error).__name__}: {error})"[:200])
        for candle in candles:
            self.on_push(candle)
        return self._answered(client, message)

    def _responded(self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *sent: Any) -> Any:
        self._tap("rest", {"url": url, "status": code, "body": body})
        return self._rest(code, reason, url, method, headers, body, *sent)

    def _limited(self, error: BaseException) -> RateLimited | None:
        """The error as RateLimited where it is one."""
        import ccxt

        if not isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
            return None
        headers = {str(name).lower(): value for name, value in (self._exchange.last_response_headers or {}).items()}
        wait = headers.get("retry-after", "")
        wait_ms = min(int(wait) * 1000, LIMITED_MAX_MS) if str(wait).isdigit() else LIMITED_MS
        return RateLimited(f"{self.venue} limits requests", wait_ms)


async def open_candles(venue: str, market: str, url: str = "", tap: Tap = lambda _what, _message: None) -> CandleSource:
    """Connect to a venue's public streams and REST, without a key, and load its markets. `url`: a mirror with the same API.

    Raises BadInput for an unknown venue, DataError when it cannot be reached.
    """
    if venue not in VENUES:
        raise BadInput(f"unknown venue {venue!r}", f"available: {', '.join(VENUES)}")
    exchange = ccxt_class(CLASSES.get((venue, market), venue), "ccxt.pro")({"enableRateLimit": not url, "timeout": TIMEOUT_MS})
    exchange.options["fetchCurrencies"] = False  # a private call on some venues
    kinds = {"okx": {"types": ["swap" if market == "perp" else "spot"]}, "bybit": {"types": [BYBIT_TYPES[market]]}}
    exchange.options["fetchMarkets"] = kinds.get(venue, exchange.options.get("fetchMarkets", {}))
    bound_answers_async(exchange)
    exchange.aiohttp_trust_env = True  # a proxy of the machine is honoured
    if url:
        api = exchange.urls["api"]
        streams = redirected(api["ws"], url.rstrip("/").replace("http", "ws", 1))
        exchange.urls["api"] = redirected(api, url.rstrip("/")) | {"ws": streams}
        exchange.timeframes = {**exchange.timeframes, LOCAL_TIMEFRAME: LOCAL_TIMEFRAME}  # what a local venue may close besides
    source = CandleSource(exchange, venue, tap)
    try:
        await exchange.load_markets()
    except Exception as error:
        await exchange.close()
        raise silent(venue, "for its instruments", error) from error
    if not exchange.markets:
        await exchange.close()
        raise DataError(f"{venue} answered without a list of its instruments", NO_LIST)
    return source


def prices_of(values: Any) -> Prices:
    """Open, high, low, close and volume. Raises ValueError or TypeError unless they are five finite numbers."""
    first, high, low, last, volume = (float(value) for value in values)
    if not all(math.isfinite(value) for value in (first, high, low, last, volume)):
        raise ValueError(f"{values} are not finite numbers")
    return first, high, low, last, volume


def rate_of(answer: Any) -> tuple[float, int]:
    """The rate and when it is settled. Raises what an answer of another shape raises."""
    rate, next_ms = float(answer["fundingRate"]), answer.get("fundingTimestamp") or answer.get("nextFundingTimestamp")
    if not math.isfinite(rate):
        raise ValueError(f"a funding rate of {rate}")
    return rate, int(next_ms)


def settlements_of(rows: Any) -> dict[int, float]:
    """Whole minute -> rate, oldest first; venues stamp a settlement some ms late. Raises the same."""
    found = {(int(row["timestamp"]) + 30_000) // 60_000 * 60_000: float(row["fundingRate"]) for row in rows}
    return dict(sorted(found.items()))


def mark_of(ticker: Any) -> float:
    """The mark price of a ticker. Raises the same."""
    price = float(ticker["markPrice"])
    if not (math.isfinite(price) and price > 0):
        raise ValueError(f"a mark price of {price}")
    return price


def okx_candles(exchange: Any, message: Mapping[str, Any]) -> list[PushedCandle]:
    """OKX: channel candle15m, rows [ts, o, h, l, c, contracts, base, quote, confirm]."""
    about = message.get("arg") or {}
    channel = str(about.get("channel", ""))
    if not channel.startswith("candle") or not (rows := message.get("data")):
        return []
    market, step = exchange.market(about["instId"]), _step(exchange, channel.removeprefix("candle").removesuffix("utc"))
    return [_candle(exchange, market, step, row, row[8] == "1") for row in rows]


def binance_candles(exchange: Any, message: Mapping[str, Any]) -> list[PushedCandle]:
    """Binance: an event `kline`, its bar under `k`, closed where `x` is true."""
    if message.get("e") != "kline":
        return []
    bar = message["k"]
    market, step = exchange.market(bar["s"]), _step(exchange, bar["i"])
    row = [bar[name] for name in ("t", "o", "h", "l", "c", "v", "T", "q")]
    return [_candle(exchange, market, step, row, bar["x"] is True)]


def bybit_candles(exchange: Any, message: Mapping[str, Any]) -> list[PushedCandle]:
    """Bybit: topic kline.15.BTCUSDT, bars with `confirm`."""
    word, _, rest = str(message.get("topic", "")).partition(".")
    if word != "kline" or not (bars := message.get("data")):
        return []
    interval, _, id_ = rest.partition(".")
    market, step = exchange.markets_by_id[id_][0], _step(exchange, interval)  # spot and linear share ids: one of them is loaded
    names = ("start", "open", "high", "low", "close", "volume", "turnover")
    return [_candle(exchange, market, step, [bar[name] for name in names], bar["confirm"] is True) for bar in bars]


FLAGGED: dict[str, Callable[[Any, Mapping[str, Any]], list[PushedCandle]]] = {
    "okx": okx_candles,
    "binance": binance_candles,
    "bybit": bybit_candles,
}


def _step(exchange: Any, interval: str) -> int:
    """A venue's word for a timeframe, in ms. Raises ValueError."""
    if (name := exchange.find_timeframe(interval)) is None:
        raise ValueError(f"interval {interval!r}")
    return timeframe_ms(name)


def _candle(exchange: Any, market: Any, step: int, row: Any, closed: bool) -> PushedCandle:
    """One row in the order of ccxt's REST rows. Raises ValueError for an open off the grid."""
    open_ms, *values = exchange.parse_ohlcv(row, market)
    if open_ms is None or open_ms % step:
        raise ValueError(f"a candle that opens at {open_ms}")
    return PushedCandle(market["symbol"], step, int(open_ms), prices_of(values[:5]), closed)
