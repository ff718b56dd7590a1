"""Every outside series, declared once: name, unit, fields with their bounds, period, lag, greatest age, and its sources.

Read by app/market_data/outside_fetch.py (what to ask), reading.py (what an answer must be), door.py (what is odd) and stored.py
(where it is kept). A source answers in one shape; a name, a type or a place that differs from it is an error, never a default.
"""

from collections.abc import Collection
from typing import Literal, NamedTuple

from engine.clock import HOUR_MS, MINUTE_MS, timeframe_ms, utc_day
from engine.data.sources import FUNDING, OutsideSeries
from engine.errors import BadInput

Place = str | int | tuple[str, str] | None  # a key, a position, one key over another, or not sent by this source
Stamp = Literal["ms", "ms text", "s", "s text", "iso", "date", "us date"]
VENUES = ("binance", "okx", "bybit")
FAR_S = 4_102_444_800  # 2100: the end of a question that has to have one


class OutsideField(NamedTuple):
    """One number of a row: its unit, what it can be at all, and how many equal ones in a row are too many."""

    name: str
    unit: str
    least: float
    most: float
    still_rows: int


class AnswerShape(NamedTuple):
    """How a source answers: where its rows are, and where in a row time and fields are (in the order of the series' fields)."""

    time: str | int
    stamp: Stamp
    values: tuple[Place, ...]
    rows_at: tuple[str | int, ...] = ()  # keys and places down to the list of rows; none: the answer is the list
    is_text: bool = True  # numbers come as text
    says: tuple[str, str] | None = None  # a key of each row, and what it must say
    named: tuple[tuple[str | int, ...], str] | None = None  # keys down to what the answer says it is about, and what that must be
    accepted: tuple[str, str | int] | None = None  # a key of the answer, and its value when all is well
    no_value: tuple[str, ...] = ()  # texts that say: no observation (a holiday)
    table: bool = False  # CSV with a header, not JSON


class OutsideSource(NamedTuple):
    """Who publishes a series: address and question, with {places} that `OutsideFeed` fills in."""

    name: str
    path: str
    query: tuple[tuple[str, str], ...]
    shape: AnswerShape
    base_url: str = ""  # empty: a venue, whose address ccxt knows
    section: str = ""  # of the venue's addresses in ccxt
    key_env: str = ""  # the variable that holds the key
    key_header: str = "X-Api-Key"  # and the header that it goes into
    older: str = ""  # a parameter of the question for rows before a time, ms: an answer is one page of them; empty: it is all


class DeclaredSeries(NamedTuple):
    """One outside series. `of`: what it is about; `moment`: a row is known at its time, not at the end of its period."""

    name: str
    group: Literal["positioning", "macro", "on-chain", "sentiment"]
    what: str
    fields: tuple[OutsideField, ...]
    period: str
    lag_minutes: float  # from the end of the period until it is published; an assumption on the safe side
    max_age_hours: float  # from when it should have been published
    of: Literal["instrument", "coin", "world"]
    sources: tuple[OutsideSource, ...]
    apart_frac: float = 0.05  # two sources may usually differ by this much
    moment: bool = False
    weekdays: bool = False

    @property
    def period_ms(self) -> int:
        """The length of its period."""
        return timeframe_ms(self.period)

    def published_ms(self, ts: int) -> int:
        """When a row should have been published."""
        return ts + (0 if self.moment else self.period_ms) + round(self.lag_minutes * MINUTE_MS)


class OutsideFeed(NamedTuple):
    """A declared series from one source, of one instrument or coin where it is of one."""

    series: DeclaredSeries
    source: OutsideSource
    symbol: str = ""  # BTC-USDT

    @property
    def key(self) -> str:
        """As people and files name it: `oi/binance/BTC-USDT`."""
        about = {"instrument": self.symbol, "coin": self.coin.upper(), "world": ""}[self.series.of]
        return "/".join(part for part in (self.series.name, self.source.name, about) if part)

    @property
    def coin(self) -> str:
        """The coin in small letters."""
        return self.symbol.partition("-")[0].lower()

    @property
    def word(self) -> str:
        """The series in a file's name: funding, oi_1h, btc-mvrv_1d, vix_1d."""
        if self.series.name == FUNDING:
            return FUNDING
        name = f"{self.coin}-{self.series.name}" if self.series.of == "coin" else self.series.name
        return f"{name}_{self.series.period}"

    @property
    def file(self) -> str:
        """The name of its file in the home's data folder, as data/catalog.py reads it."""
        from engine.data.writer import file_name  # who only reads a declaration needs no polars

        of = (self.symbol, "perp") if self.series.of == "instrument" else ("", "")
        return file_name(self.source.name, *of, self.word)

    def reading(self, field: str) -> OutsideSeries:
        """What a strategy declares to read it: with the greatest age from here; the file itself says when each row was known."""
        of = f"{self.source.name}:{self.symbol}:perp" if self.series.of == "instrument" else self.source.name
        return OutsideSeries(self.word, field, self.series.max_age_hours, 0.0, of)

    def filled(self, text: str, from_ms: int = 0) -> str:
        """A text of the source with its places filled in."""
        base, _, quote = self.symbol.partition("-")
        date, own = utc_day(from_ms), {"id": base + quote, "swap": f"{self.symbol}-SWAP", "coin": self.coin, "COIN": base}
        return text.format(**own, date=date, day=date.replace("-", ""), from_s=from_ms // 1000, far_s=FAR_S)


def _venue(name: str, section: str, path: str, query: dict[str, str], shape: AnswerShape) -> OutsideSource:
    return OutsideSource(name, path, tuple(query.items()), shape, section=section)


def _binance(path: str, *values: Place) -> OutsideSource:
    """A statistic of Binance's futures data: rows with a symbol, newest last."""
    shape = AnswerShape("timestamp", "ms", values, says=("symbol", "{id}"))
    return _venue("binance", "fapiData", path, {"symbol": "{id}", "period": "1h", "limit": "500"}, shape)


def _okx(path: str, *values: Place, **more: str) -> OutsideSource:
    """A statistic of OKX: lists without names, newest first."""
    shape = AnswerShape(0, "ms text", values, ("data",), accepted=("code", "0"))
    source = _venue("okx", "public", path, {"instId": "{swap}", "period": "1H", "limit": "100", **more}, shape)
    return source._replace(older="end")


def _bybit(path: str, step: str, *values: Place, says: tuple[str, str] | None = None) -> OutsideSource:
    """A statistic of Bybit's linear contracts, newest first."""
    shape = AnswerShape("timestamp", "ms text", values, ("result", "list"), says=says, accepted=("retCode", 0))
    query = {"category": "linear", "symbol": "{id}", step: "1h", "limit": "200"}
    return _venue("bybit", "public", path, query, shape)


def _fred(code: str) -> OutsideSource:
    """A series of the St. Louis Fed, as its chart's CSV: needs no key; a day without trading is empty or a point."""
    shape = AnswerShape("observation_date", "date", (code,), no_value=("", "."), table=True)
    return OutsideSource("fred", "/graph/fredgraph.csv", (("id", code), ("cosd", "{date}")), shape, "https://fred.stlouisfed.org")


CBOE = OutsideSource(
    "cboe",
    "/api/global/us_indices/daily_prices/VIX_History.csv",
    (),
    AnswerShape("DATE", "us date", ("CLOSE",), table=True),
    "https://cdn.cboe.com",
)


def _coinmetrics(metric: str) -> OutsideSource:
    """A daily metric of Coin Metrics' community API: needs no key."""
    shape = AnswerShape("time", "iso", (metric,), ("data",), says=("asset", "{coin}"))
    query = {"assets": "{coin}", "metrics": metric, "frequency": "1d", "start_time": "{date}", "page_size": "1000"}
    url = "https://community-api.coinmetrics.io"
    return OutsideSource("coinmetrics", "/v4/timeseries/asset-metrics", tuple(query.items()), shape, url)


def _glassnode(path: str) -> OutsideSource:
    """A daily metric of Glassnode: by key."""
    shape = AnswerShape("t", "s", ("v",), is_text=False)
    query = (("a", "{COIN}"), ("i", "24h"), ("s", "{from_s}"))
    return OutsideSource(
        "glassnode", f"/v1/metrics/{path}", query, shape, "https://api.glassnode.com", key_env="GLASSNODE_API_KEY"
    )


COINALYZE = OutsideSource(
    "coinalyze",
    "/v1/liquidation-history",
    (("symbols", "{id}_PERP.A"), ("interval", "1hour"), ("from", "{from_s}"), ("to", "{far_s}")),
    AnswerShape("t", "s", ("l", "s"), (0, "history"), is_text=False, named=((0, "symbol"), "{id}_PERP.A")),
    "https://api.coinalyze.net",
    key_env="COINALYZE_API_KEY",
    key_header="api_key",
)
STOOQ = OutsideSource(
    "stooq",
    "/q/d/l/",
    (("s", "xauusd"), ("i", "d"), ("d1", "{day}"), ("d2", "21000101")),
    AnswerShape("Date", "date", ("Close",), table=True),
    "https://stooq.com",
)
ALTERNATIVE = OutsideSource(
    "alternative",
    "/fng/",
    (("limit", "400"), ("format", "json")),
    AnswerShape("timestamp", "s text", ("value",), ("data",)),
    "https://api.alternative.me",
)


def _daily(
    name: str,
    what: str,
    unit: str,
    bounds: tuple[float, float],
    sources: tuple[OutsideSource, ...],
    lag: float = 14,
    age: float = 96,
    still: int = 8,
) -> DeclaredSeries:
    """A daily number of the traditional markets; lag and age in hours. It rests at weekends and holidays."""
    field = OutsideField("value", unit, *bounds, still)
    return DeclaredSeries(name, "macro", what, (field,), "1d", lag * 60, age, "world", sources, 0.01, weekdays=True)


def _on_chain(
    name: str, what: str, unit: str, most: float, sources: tuple[OutsideSource, ...], apart_frac: float = 0.1
) -> DeclaredSeries:
    """A daily number of a chain: published some hours after the day, and revised."""
    field = OutsideField("value", unit, 0.0, most, still_rows=4)
    return DeclaredSeries(name, "on-chain", what, (field,), "1d", 6 * 60, 48, "coin", sources, apart_frac)


def _hourly(name: str, what: str, fields: tuple[OutsideField, ...], *sources: OutsideSource, apart_frac: float) -> DeclaredSeries:
    """An hourly statistic of a venue's perpetuals."""
    return DeclaredSeries(name, "positioning", what, fields, "1h", 5, 3, "instrument", sources, apart_frac)


COINS = 1e13  # more of a coin than was ever counted

PULLED = AnswerShape("", "ms", (None,))  # read by engine/venues/ccxt_data.py, as `nightdesk data pull --funding` does
SERIES: tuple[DeclaredSeries, ...] = (
    DeclaredSeries(
        FUNDING,
        "positioning",
        "settled funding rate of the perpetual",
        (OutsideField("rate", "fraction", -0.05, 0.05, 90),),
        "8h",
        0,
        9,
        "instrument",
        tuple(OutsideSource(venue, "", (), PULLED) for venue in VENUES),
        apart_frac=20.0,
        moment=True,
    ),
    _hourly(
        "oi",
        "open interest of the perpetual",
        (OutsideField("oi", "base units", 0, COINS, 6), OutsideField("oi_value", "quote units", 0, 1e13, 6)),
        _binance("openInterestHist", "sumOpenInterest", "sumOpenInterestValue"),
        _okx("rubik/stat/contracts/open-interest-history", 2, 3),
        _bybit("v5/market/open-interest", "intervalTime", "openInterest", None)._replace(older="endTime"),
        apart_frac=20.0,  # venues have other shares of the market: only another unit is told apart
    ),
    _hourly(
        "lsr",
        "accounts that are long, for each that is short",
        (OutsideField("ratio", "ratio", 0.001, 1000, 24),),
        _binance("globalLongShortAccountRatio", "longShortRatio"),
        _okx("rubik/stat/contracts/long-short-account-ratio-contract", 1),
        _bybit("v5/market/account-ratio", "period", ("buyRatio", "sellRatio"), says=("symbol", "{id}")),
        apart_frac=3.0,
    ),
    _hourly(
        "taker",
        "what takers bought and sold of the perpetual",
        (OutsideField("buy", "base units", 0, COINS, 3), OutsideField("sell", "base units", 0, COINS, 3)),
        _binance("takerlongshortRatio", "buyVol", "sellVol")._replace(
            shape=AnswerShape("timestamp", "ms", ("buyVol", "sellVol"))
        ),
        _okx("rubik/stat/taker-volume-contract", 2, 1, unit="0"),
        apart_frac=20.0,
    ),
    DeclaredSeries(
        "liquidations",
        "positioning",
        "positions of Binance's perpetual that were liquidated: long ones, short ones",
        (OutsideField("long", "base units", 0, COINS, 24), OutsideField("short", "base units", 0, COINS, 24)),
        "1h",
        15,
        6,  # an hour without any may be left out
        "instrument",
        (COINALYZE,),
    ),
    _daily("gold", "gold, US dollars an ounce, close", "US dollars", (200, 50_000), (STOOQ,)),
    _daily("gold-vol", "volatility index of gold, close", "percent a year", (3, 200), (_fred("GVZCLS"),)),
    _daily("oil-wti", "crude oil, Cushing", "US dollars", (-100, 500), (_fred("DCOILWTICO"),), lag=7 * 24, age=14 * 24),
    _daily("oil-brent", "crude oil, Brent", "US dollars", (0, 500), (_fred("DCOILBRENTEU"),), lag=7 * 24, age=14 * 24),
    _daily("dollar", "broad dollar index (for DXY)", "index", (50, 250), (_fred("DTWEXBGS"),), lag=7 * 24, age=14 * 24),
    _daily("sp500", "S&P 500, close", "index", (200, 100_000), (_fred("SP500"),)),
    _daily("nasdaq", "Nasdaq Composite, close", "index", (200, 500_000), (_fred("NASDAQCOM"),)),
    _daily("vix", "volatility index of the S&P 500, close", "percent a year", (5, 200), (_fred("VIXCLS"), CBOE)),
    _daily("yield-10y", "US Treasury yield, 10 years", "percent a year", (-5, 25), (_fred("DGS10"),), still=20),
    _daily("yield-2y", "US Treasury yield, 2 years", "percent a year", (-5, 25), (_fred("DGS2"),), still=20),
    _on_chain("mvrv", "market value over realised value", "ratio", 100, (_coinmetrics("CapMVRVCur"), _glassnode("market/mvrv"))),
    _on_chain(
        "active-addresses",
        "addresses that sent or received",
        "addresses a day",
        1e9,
        (_coinmetrics("AdrActCnt"), _glassnode("addresses/active_count")),
        0.3,
    ),
    _on_chain("sopr", "price of spent coins over what they were bought at", "ratio", 20, (_glassnode("indicators/sopr"),)),
    DeclaredSeries(
        "fear-greed",
        "sentiment",
        "fear and greed index",
        (OutsideField("value", "0 to 100", 0, 100, 6),),
        "1d",
        30,
        36,
        "world",
        (ALTERNATIVE,),
        moment=True,
    ),
)
BY_NAME = {series.name: series for series in SERIES}
GROUPS = tuple(dict.fromkeys(series.group for series in SERIES))


def series_named(names: Collection[str]) -> tuple[DeclaredSeries, ...]:
    """The series of these names and groups, in the order of their declaration. Raises BadInput for one that does not exist."""
    for name in names:
        if name not in BY_NAME and name not in GROUPS:
            raise BadInput(f"unknown outside series {name[:60]!r}", f"use {', '.join((*BY_NAME, *GROUPS))}")
    return tuple(series for series in SERIES if series.name in names or series.group in names)


def feeds_of(series: Collection[DeclaredSeries], symbols: Collection[str], sources: Collection[str] = ()) -> list[OutsideFeed]:
    """Each series from each of its sources (of `sources`, where some are named), once for each instrument or coin."""
    feeds: dict[str, OutsideFeed] = {}
    for one in series:
        for source in one.sources:
            for symbol in symbols if one.of != "world" else ("",):
                feed = OutsideFeed(one, source, symbol)
                if not sources or source.name in sources:
                    feeds.setdefault(feed.key, feed)
    return list(feeds.values())


def history_ms(series: DeclaredSeries) -> int:
    """How far back a first question goes: 400 rows."""
    return 400 * max(series.period_ms, HOUR_MS)
