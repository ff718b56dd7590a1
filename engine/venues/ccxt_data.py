"""Public market data of a venue through ccxt: bars, settlements and mark prices of a span, page by page.

Called by `nightdesk data pull` (and by the worker's live feed). The only file that imports ccxt for public calls; it
holds no key. Yields polars frames in time order; what the venue did not have is a gap, never a filled bar.

Pagers lose bars at page borders (off by one) and cut pages shorter than asked. So a page here is a time window
with a known number of bars: missing ones are requested again, from a bar before to a bar after, as long as a response brings
something new. What is still missing then, the venue does not have.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import polars as pl

from engine.errors import BadInput, DataError
from engine.venues.bounded import TIMEOUT_MS, bound_answers
from engine.venues.installed import ccxt_class
from engine.venues.outcome import readable

CLASSES = {("binance", "perp"): "binanceusdm", ("binance", "spot"): "binance"}  # else the venue's own name
VENUES = ("binance", "okx", "bybit")
MARKET_LISTS = {("okx", "perp"): "swap", ("okx", "spot"): "spot", ("bybit", "perp"): "linear", ("bybit", "spot"): "spot"}
PAGE = {"okx": 300, "binance": 1000, "bybit": 1000}
MARK_PAGE = {"okx": 100}
BARS = {"ts": pl.Int64, **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64)}
RATES = {"ts": pl.Int64, "rate": pl.Float64}
FUNDING_WINDOW_MS = 30 * 86_400_000  # 90 settlements of 8 hours
FUNDING_STEP_MS = 8 * 3_600_000  # the longest interval there is
FUNDING_PAGE = 100
WAIT_S = 0.5  # before the second attempt; doubled for each further one
NO_LIST = "something else may have answered in its place (a proxy, a login page); try again later"
ASK_AGAIN = 8  # runs of missing bars asked for in a round, and rounds that may bring nothing


class Source(NamedTuple):
    """A connected venue: the ccxt object, the venue's name, and how often a failed call is tried."""

    exchange: Any
    venue: str
    attempts: int
    wait_s: float


def open_venue(venue: str, market: str, url: str = "", attempts: int = 6, wait_s: float | None = None) -> Source:
    """Connect to a venue's public REST and load its markets. `url`: a mirror with the same API.

    Raises BadInput for an unknown venue, DataError (one line) when it cannot be reached.
    """
    if venue not in VENUES:
        raise BadInput(f"unknown venue {venue!r}", f"available: {', '.join(VENUES)}")
    made = ccxt_class(CLASSES.get((venue, market), venue))
    exchange = made({"enableRateLimit": not url, "timeout": TIMEOUT_MS})
    exchange.options["fetchCurrencies"] = False  # a private call on some venues
    if (venue, market) in MARKET_LISTS:  # the venue has several, each a call or more
        exchange.options["fetchMarkets"] = {"types": [MARKET_LISTS[venue, market]]}
    bound_answers(exchange, venue)
    exchange.requests_trust_env = True  # a proxy of the machine is honoured
    if url:
        exchange.urls["api"] = redirected(exchange.urls["api"], url.rstrip("/"))
    source = Source(exchange, venue, attempts, WAIT_S if wait_s is None else wait_s)
    if not _ask(source._replace(attempts=min(attempts, 3)), exchange.load_markets):
        raise DataError(f"{venue} answered without a list of its instruments", NO_LIST)
    return source


def market_symbol(source: Source, symbol: str, market: str) -> str:
    """BTC-USDT -> the venue's unified name (BTC/USDT:USDT for a perpetual). BadInput when the venue does not list it."""
    base, unified = symbol.partition("-")[0], unified_name(symbol, market)
    if unified not in source.exchange.markets:
        near = sorted(s for s in source.exchange.markets if s.startswith(f"{base}/"))[:5]
        hint = f"available: {', '.join(near)}" if near else "symbols look like BTC-USDT"
        raise BadInput(f"{source.venue} has no {market} {symbol}", hint)
    return unified


def unified_name(symbol: str, market: str) -> str:
    """BTC-USDT -> ccxt's name of it, whether a venue lists it or not."""
    base, _, quote = symbol.partition("-")
    return f"{base}/{quote}" + (f":{quote}" if market == "perp" else "")


def server_ms(source: Source) -> int:
    """The venue's clock, which decides what has closed; UTC ms."""
    return int(_ask(source, source.exchange.fetch_time))


def bars(
    source: Source, symbol: str, timeframe: str, from_ms: int, to_ms: int, now_ms: int, price: str = ""
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Closed bars with from_ms <= ts < to_ms, oldest first: (time reached, frame of ts, OHLC, volume in base units).

    from_ms is on the timeframe's grid. A bar that has not closed at now_ms is left out. price "mark": mark prices.
    Raises DataError when the venue stops answering; what was yielded before is complete up to there.
    """
    step = int(source.exchange.parse_timeframe(timeframe)) * 1000
    page = (MARK_PAGE if price else PAGE).get(source.venue, 300)
    end = min(to_ms, now_ms // step * step)  # the bar that opens here has not closed
    params = {"price": price} if price else {}

    def ask(first: int, last: int) -> list[list[Any]]:
        """Bars that open from first to last, both included, as the venue gives them."""
        limit = min(page, (last - first) // step + 1)
        ends = {**params, "until": last + step - 1}
        rows: list[list[Any]] = _ask(source, source.exchange.fetch_ohlcv, symbol, timeframe, first, limit, ends)
        return rows

    for start in range(from_ms, end, page * step):
        last = min(start + (page - 1) * step, end - step)
        got = _whole_window(ask, start, last, step)
        rows = [[int(t), *(float("nan") if v is None else float(v) for v in got[t][1:6])] for t in sorted(got)]
        yield last + step, pl.DataFrame(rows, schema=BARS, orient="row")


def _whole_window(ask: Callable[[int, int], list[list[Any]]], first: int, last: int, step: int) -> dict[int, list[Any]]:
    """Every bar the venue has from first to last (opens, included), asking again for bars a page left out."""
    got = {row[0]: row for row in ask(first, last) if first <= row[0] <= last}
    asked: set[tuple[int, int]] = set()
    rounds, brought = 0, True
    while rounds < ASK_AGAIN or brought:
        missing = _missing_runs(got, first, last, step)
        runs = [run for run in missing if run not in asked][:ASK_AGAIN]
        if not runs:
            break
        before, rounds = len(got), rounds + 1
        for a, b in runs:
            asked.add((a, b))
            again = ask(a - step, b + step)
            got.update({row[0]: row for row in again if first <= row[0] <= last and row[0] not in got})
        brought = len(got) > before
    return got


def _missing_runs(got: dict[int, Any], first: int, last: int, step: int) -> list[tuple[int, int]]:
    """(first, last) opens of each run of bars that are not there."""
    runs: list[tuple[int, int]] = []
    for t in range(first, last + 1, step):
        if t in got:
            continue
        if runs and runs[-1][1] == t - step:
            runs[-1] = (runs[-1][0], t)
        else:
            runs.append((t, t))
    return runs


def funding(source: Source, symbol: str, from_ms: int, to_ms: int, now_ms: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Settlements with from_ms <= ts < to_ms that have happened, oldest first: (time reached, frame of ts, rate)."""
    end = min(to_ms, now_ms + 1)

    def ask(first: int, last: int) -> dict[int, float]:
        """Settlements of one window as the venue gives them: from either end, and perhaps cut short."""
        params = {"after": last} if source.venue == "okx" else {"until": last - 1}
        page = _ask(source, source.exchange.fetch_funding_rate_history, symbol, first, FUNDING_PAGE, params)
        rates = {int(r["timestamp"]): float(r["fundingRate"]) for r in page if r["fundingRate"] is not None}
        return {t: rate for t, rate in rates.items() if first <= t < last}

    for first in range(from_ms, end, FUNDING_WINDOW_MS):
        last = min(first + FUNDING_WINDOW_MS, end)
        rates = _all_settlements(ask, first, last)
        yield last, pl.DataFrame([[t, rates[t]] for t in sorted(rates)], schema=RATES, orient="row")


def _all_settlements(ask: Callable[[int, int], dict[int, float]], first: int, last: int) -> dict[int, float]:
    """Every settlement of a window: where a page ends far from the window's edge, the rest is asked for."""
    found = ask(first, last)
    if not found:
        return found
    oldest, newest = min(found), max(found)
    if oldest - first > FUNDING_STEP_MS:
        found = {**_all_settlements(ask, first, oldest), **found}
    if last - newest > FUNDING_STEP_MS:
        found |= _all_settlements(ask, newest + 1, last)
    return found


def _ask(source: Source, call: Callable[..., Any], *args: Any) -> Any:
    """One call, tried again with growing waits while the network or the venue is at fault; DataError in one line."""
    import ccxt
    from tenacity import RetryError, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

    retrying = Retrying(
        stop=stop_after_attempt(source.attempts),
        wait=wait_exponential_jitter(multiplier=source.wait_s, max=20, jitter=source.wait_s),
        retry=retry_if_exception(_passing),
    )
    try:
        return retrying(call, *args)
    except RetryError as error:
        raise DataError(*_unreachable(source, error.last_attempt.exception())) from error
    except ccxt.BadSymbol as error:
        raise BadInput(f"{source.venue}: {_line(error)}", "see the venue's list of instruments") from error
    except ccxt.BaseError as error:
        raise DataError(f"{source.venue} refused the request: {_line(error)}", "try another range") from error
    except (KeyError, TypeError, ValueError) as error:  # an answer of another shape than ccxt knows
        raise DataError(f"{source.venue} sent an unreadable response ({type(error).__name__}: {_line(error)})") from error


def _passing(error: BaseException) -> bool:
    """Whether the fault is transient (network or venue), so that a retry may help. ccxt misreads a 5xx with a body."""
    import ccxt
    import requests

    if isinstance(error, ccxt.NetworkError):
        return True
    cause = error.__context__ if isinstance(error, ccxt.ExchangeError) else None
    answer = cause.response if isinstance(cause, requests.exceptions.HTTPError) else None
    return answer is not None and (answer.status_code >= 500 or answer.status_code in (408, 425, 429))


def _unreachable(source: Source, error: BaseException | None) -> tuple[str, str]:
    """(what, hint) when every attempt failed: no network at all, or a venue that does not answer."""
    import requests

    cause = error.__cause__ if error is not None else None
    if isinstance(cause, requests.exceptions.ConnectionError):
        host = _host(source)
        return f"no network: {source.venue} ({host}) cannot be reached", "check the connection, then run the same command"
    return f"{source.venue} does not answer: {_line(error)}", "wait a little, then run the same command: it resumes here"


def _host(source: Source) -> str:
    """The host the requests go to."""
    api = source.exchange.urls["api"]
    while isinstance(api, dict):
        api = api.get("rest") or api.get("fapiPublic") or api.get("public") or next(iter(api.values()))
    return str(api).replace("{hostname}", source.exchange.hostname or "").removeprefix("https://").split("/")[0]


def _line(error: BaseException | None) -> str:
    """The first line of a message, short."""
    return (readable((str(error).splitlines() or [""])[0]) or type(error).__name__)[:160]


def redirected(api: Any, url: str) -> Any:
    """ccxt's addresses with another scheme and host in front of the same paths."""
    if isinstance(api, dict):
        return {key: value if key == "ws" else redirected(value, url) for key, value in api.items()}
    path = str(api).split("://", 1)[-1].split("/", 1)
    return url + ("/" + path[1] if len(path) > 1 else "")


def public_address(venue: str, section: str, path: str, query: dict[str, str], url: str = "") -> str:
    """The address of a public call that ccxt knows, without asking it; `url`: a mirror with the same paths."""
    exchange = ccxt_class(CLASSES.get((venue, "perp"), venue))()
    if url:
        exchange.urls["api"] = redirected(exchange.urls["api"], url.rstrip("/"))
    return str(exchange.sign(path, [section], "GET", query)["url"])
