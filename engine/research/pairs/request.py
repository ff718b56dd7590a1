"""A scan of pairs as a person asks for it: symbols, span, windows -> recorded bars with costs and funding -> a report in JSON.

Called by app/jobs/kinds.py for the command and for jobs. Turns names into the legs of scan.py by the one path of bars
(data/loading.py), and its rows into figures with units, a verdict first.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engine.clock import HOUR_MS, timeframe_ms, utc_day
from engine.control.desk_setup import DeskSetup
from engine.data.align import FUNDING_HINT, Market
from engine.data.catalog import Catalog, Series
from engine.data.loading import load, policy_of
from engine.errors import BadInput, DataError
from engine.research.pairs.scan import P_MAX, PairRow, ScanWindows, scan
from engine.research.pairs.spread import Leg, SpreadRule
from engine.research.universe import SURVIVORS
from engine.research.windows import length, length_ms
from engine.sim.request import SleeveRequest, moment
from engine.sim.resolve import require_spelled, venue_of
from engine.venues.instruments import costs_of

SYMBOLS_MAX = 60
TESTS_MAX = 400_000  # of windows, over all pairs: about ten minutes
FITTED_MIN = 100  # bars of a window
COST_BPS = 5.0  # of a fill where the costs of an instrument are not known
_MARKETS = ("perp", "spot")


class PairsRequest(NamedTuple):
    """What is scanned. Dates as a backtest takes them; `cost_bps` replaces the costs of every fill of a leg."""

    symbols: tuple[str, ...]  # BASE-QUOTE, VENUE:BASE-QUOTE or VENUE:BASE-QUOTE:MARKET
    timeframe: str = "1h"
    venue: str = ""
    start: str | int | None = None
    end: str | int | None = None
    window: str = "60d"
    step: str = "5d"
    rule: SpreadRule = SpreadRule()
    funding: str = "recorded"
    cost_bps: float | None = None
    seed: int = 0


def asked_of(args: Mapping[str, Any]) -> PairsRequest:
    """A request from JSON arguments: the fields of PairsRequest, of its rule those of SpreadRule. Raises BadInput for another."""
    known = {*PairsRequest._fields, *SpreadRule._fields} - {"rule"}
    if unknown := sorted(set(args) - known):
        raise BadInput(f"unknown argument {unknown[0]!r} of a scan", f"available: {', '.join(sorted(known))}")
    given = {name: value for name, value in args.items() if value is not None}
    rule = SpreadRule(**{name: given.pop(name) for name in SpreadRule._fields if name in given})
    return PairsRequest(tuple(given.pop("symbols", ())), **given, rule=rule)


class _Asked(NamedTuple):
    """One instrument: as it was asked for, and where its bars are."""

    label: str
    series: Series

    @property
    def key(self) -> str:
        """`venue:BASE-QUOTE:market`."""
        return f"{self.series.venue}:{self.series.symbol}:{self.series.market}"


def report(
    desk: DeskSetup, catalog: Catalog, asked: PairsRequest, advance: Callable[[float], None] = lambda _share: None
) -> dict[str, Any]:
    """The scan of a request as JSON values. Raises BadInput and DataError naming the first fault."""
    bar_ms, windows = timeframe_ms(asked.timeframe), windows_of(asked)
    places = _places(desk, catalog, asked)
    markets, faults, notes = _loaded(catalog, places, asked, bar_ms)
    pairs, there = len(places) * (len(places) - 1) // 2, [market for market in markets if market is not None]
    first = min(int(market.close_ms[0]) for market in there)
    bars = (max(int(market.close_ms[-1]) for market in there) - first) // bar_ms + 1
    if (tests := pairs * (bars // windows.traded)) > TESTS_MAX:
        raise BadInput(
            f"{pairs} pairs over {bars} bars are {tests} windows, {TESTS_MAX} are the most", "fewer symbols, or a longer --step"
        )
    costs = [_cost(desk, one, asked, notes) for one in places]
    legs = [_leg(market, first, bars, cost) for market, cost in zip(markets, costs, strict=True)]
    found, bound = scan([one.label for one in places], legs, windows, asked.rule, asked.seed, advance)
    rows = [with_faults(row, faults) for row in found]
    if any(one.series.market == "spot" for one in places):
        notes.append("spot: its short side is computed as if it could be borrowed without interest")
    return {
        "verdict": verdict_of(rows),
        "pairs": [as_json(row, bar_ms) for row in rows],
        "tried": len(rows),
        "random_walk_bound_frac": bound,
        "timeframe": asked.timeframe,
        "window": length(windows.fitted * bar_ms),
        "step": length(windows.traded * bar_ms),
        "rule": asked.rule._asdict(),
        "from_ms": first - bar_ms,
        "to_ms": first + (bars - 1) * bar_ms,
        "instruments": [
            {
                "symbol": one.label,
                "instrument": one.key,
                "source": one.series.source,
                "file": one.series.path.name,
                "cost_frac": cost,
            }
            for one, cost in zip(places, costs, strict=True)
        ],
        "seed": asked.seed,
        "notes": [*notes, SURVIVORS],
    }


def windows_of(asked: PairsRequest) -> ScanWindows:
    """Its windows in bars. Raises BadInput for what no data can answer: symbols, windows, rule, costs, funding."""
    bar_ms = timeframe_ms(asked.timeframe)
    windows = ScanWindows(length_ms(asked.window, "window") // bar_ms, length_ms(asked.step, "step") // bar_ms)
    if not 2 <= len(asked.symbols) <= SYMBOLS_MAX:
        what = f"{len(asked.symbols)} symbol{'' if len(asked.symbols) == 1 else 's'} cannot be scanned for pairs"
        raise BadInput(what, f"name 2 to {SYMBOLS_MAX}: --symbols BTC-USDT,ETH-USDT,SOL-USDT")
    if twice := sorted({name for name in asked.symbols if asked.symbols.count(name) > 1}):
        raise BadInput(f"{twice[0]} is named twice", "name each symbol once")
    if windows.fitted < FITTED_MIN or windows.traded < 1:
        bars = f"{windows.fitted} and {windows.traded} bars of {asked.timeframe}"
        what = f"--window {asked.window} and --step {asked.step} are {bars}"
        raise BadInput(what, f"a window of {FITTED_MIN} bars or more, a step of one or more")
    enter, leave, stop = asked.rule
    if not 0.0 <= leave < enter < stop <= 20.0:
        raise BadInput(
            f"enter {enter:g}, leave {leave:g}, stop {stop:g} are no rule", "0 <= leave < enter < stop <= 20 deviations"
        )
    if asked.cost_bps is not None and not 0.0 <= asked.cost_bps <= 1_000.0:
        raise BadInput(f"--cost-bps {asked.cost_bps:g} is out of bounds", "0 to 1000 basis points of a fill")
    policy_of(asked.funding)
    return windows


def _places(desk: DeskSetup, catalog: Catalog, asked: PairsRequest) -> list[_Asked]:
    """Where the bars of each symbol are."""
    found = []
    for label in asked.symbols:
        words = label.split(":")
        venue, symbol, market = (asked.venue, words[0], "perp") if len(words) == 1 else (*words, "perp")[:3]
        if len(words) > 3 or market not in _MARKETS:
            raise BadInput(f"unknown instrument {label!r}", "BASE-QUOTE, VENUE:BASE-QUOTE or VENUE:BASE-QUOTE:spot")
        require_spelled(catalog, symbol)
        venue = venue or venue_of(desk, catalog, SleeveRequest("", symbol, market=market), asked.timeframe)
        found.append(_Asked(label, catalog.find(venue, symbol, asked.timeframe, market)))
    keys = [one.key for one in found]
    if twice := next((key for key in keys if keys.count(key) > 1), ""):
        raise BadInput(f"{twice} is named twice", "name each instrument once")
    return found


class DataFaults(NamedTuple):
    """What is wrong with instruments of a scan, by label: those without usable bars, and those whose settlements have holes."""

    unread: dict[str, str]
    unpaid: dict[str, str]


def _loaded(
    catalog: Catalog, places: Sequence[_Asked], asked: PairsRequest, bar_ms: int
) -> tuple[list[Market | None], DataFaults, list[str]]:
    """The bars of each, with settlements where the catalog has any; what is wrong with some, and what a reader must know.

    Raises DataError where fewer than two can be read: the first fault.
    """
    markets, faults, notes = list[Market | None](), DataFaults({}, {}), list[str]()
    unusable = list[DataError]()
    for one in places:
        policy = asked.funding
        if policy == "recorded" and one.series.market == "perp" and catalog.funding(one.series.venue, one.series.symbol) is None:
            policy = "none"
            notes.append(f"{one.label}: no recorded settlements; funding is not charged")
        span = bar_ms, policy_of(policy), None, moment(asked.start), moment(asked.end)
        try:
            loaded = load(catalog, {one.key: one.series}, *span)
        except DataError as error:
            if error.hint != FUNDING_HINT:
                unusable.append(error)
                faults.unread[one.label] = error.what
                markets.append(None)
                continue
            loaded = load(catalog, {one.key: one.series}, bar_ms, "none", *span[2:])
            faults.unpaid[one.label] = error.what
            notes.append(f"{error.what}: what its pairs would have returned is not known ({FUNDING_HINT})")
        markets.append(loaded.span)
        notes += [note if note.startswith(one.label) else f"{one.label}: {note}" for note in loaded.notes]
    if len(unusable) > len(places) - 2:
        raise unusable[0]
    return markets, faults, notes


def _cost(desk: DeskSetup, one: _Asked, asked: PairsRequest, notes: list[str]) -> float:
    """Of a market fill, as a fraction of its money: taker fee and half the spread."""
    if asked.cost_bps is not None:
        return asked.cost_bps / 1e4
    try:
        found = costs_of(one.series.venue, one.series.symbol, one.series.market, desk.overrides)
    except BadInput:
        notes.append(f"{one.label}: its costs are not known here; {COST_BPS:g} bps a fill are assumed (--cost-bps, or desk.toml)")
        return COST_BPS / 1e4
    return found.taker_frac + found.half_spread_frac


def _leg(market: Market | None, first_ms: int, bars: int, cost: float) -> Leg:
    """The bars of an instrument on the grid of all of them; None: it has none."""
    if market is None:
        nan, zero = np.full(bars, math.nan), np.zeros(bars)
        return Leg(nan, nan, zero, zero, cost)
    at = (market.close_ms - first_ms) // market.timeframe_ms

    def placed(column: np.ndarray, missing: float) -> np.ndarray:
        found = np.full(bars, missing)
        found[at] = column[:, 0]
        return found

    prices = [placed(column, math.nan) for column in (market.open, market.close)]
    settled = [placed(column, 0.0) for column in (market.funding_rate, market.funding_mark)]
    return Leg(prices[0], prices[1], settled[0], settled[1], cost)


def with_faults(row: PairRow, faults: DataFaults) -> PairRow:
    """A pair with a leg that cannot be read is refused for that; one of which settlements have holes may belong together, and
    what trading it returned is not known.
    """
    if unread := [faults.unread[label] for label in (row.a, row.b) if label in faults.unread]:
        return row._replace(refused=unread[0], why=f"refused: {unread[0]}")
    holes = [faults.unpaid[label] for label in (row.a, row.b) if label in faults.unpaid]
    if not holes or row.refused:
        return row
    why = f"cointegrated, its return is not known: {holes[0]}" if row.cointegrated else row.why
    return row._replace(unpaid=True, edge=False, why=why)


def verdict_of(rows: Sequence[PairRow]) -> str:
    """One sentence: how many belong together beyond chance, and whether that pays."""
    judged, refused = [row for row in rows if not row.refused], [row for row in rows if row.refused]
    left = f"; {len(refused)} refused" if refused else ""
    together, edges = [row for row in judged if row.cointegrated], [row for row in judged if row.edge]
    if not judged:
        return f"Nothing to judge: {'the pair is' if len(refused) == 1 else f'all {len(refused)} pairs are'} refused."
    found = f"{len(together)} of {len(judged)} pairs cointegrated beyond random walks{left}"
    if edges:
        names = ", ".join(f"{row.a} and {row.b}" for row in edges[:5])
        return f"An edge after costs in {len(edges)}: {names}. {found}. Judge it on bars that were not scanned."
    if unknown := [row for row in together if row.unpaid]:
        names = ", ".join(f"{row.a} and {row.b}" for row in unknown[:5])
        return f"Whether it pays is not known for {names}: funding has holes. {found}."
    return f"No edge after costs. {found}."


def as_json(row: PairRow, bar_ms: int) -> dict[str, Any]:
    """A pair's figures: fractions, hours; null where it was refused or nothing can be said."""
    known = not row.refused
    paid = known and not row.unpaid
    hours = None if row.half_life is None or not math.isfinite(row.half_life) else row.half_life * bar_ms / HOUR_MS
    return {
        "a": row.a,
        "b": row.b,
        "cointegrated": row.cointegrated,
        "edge": row.edge,
        "why": row.why,
        "refused": row.refused or None,
        "windows": row.windows,
        "coint_frac": row.coint_frac,
        "random_walk_frac": row.random_walk_frac,
        "p": row.p,
        "p_adjusted": row.p_adjusted,
        "johansen": None if row.johansen is None else row.johansen._asdict(),
        "hedge_ratio": row.hedge,
        "wrong_sign_windows": row.wrong_sign,
        "half_life_h": hours,
        "trades": len(row.trades) if known else None,
        "stopped": sum(trade.exit == "stop" for trade in row.trades) if known else None,
        "moved_frac": row.total("moved") if known else None,
        "costs_frac": row.total("costs") if known else None,
        "funding_frac": row.total("funding") if paid else None,
        "net_return_frac": row.total("net") if paid else None,
        "net_return_cointegrated_frac": row.total("net", tested=True) if paid else None,
    }


def ranked(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A report's pairs: an edge first, then what is cointegrated, then by what it made; the refused ones last."""

    def place(row: Mapping[str, Any]) -> tuple[bool, bool, bool, float]:
        return bool(row["refused"]), not row["edge"], not row["cointegrated"], -(row["net_return_frac"] or 0.0)

    return sorted(rows, key=place)


def word_of(row: Mapping[str, Any]) -> str:
    """The verdict about a pair of a report."""
    return "edge" if row["edge"] else "cointegrated" if row["cointegrated"] else "refused" if row["refused"] else "no"


def span_text(value: Mapping[str, Any]) -> str:
    """`1h bars of 2025-01-01 to 2025-12-31, 60d fitted, 5d traded with it`."""
    ends = f"{utc_day(value['from_ms'])} to {utc_day(value['to_ms'])}"
    return f"{value['timeframe']} bars of {ends}; {value['window']} fitted, {value['step']} traded with it; p below {P_MAX:g}"
