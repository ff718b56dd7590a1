"""What an instrument is and what trading it costs: lot, tick, maintenance margin, fees, half-spread, impact (D16).

Called by the backtest, the worker, paper fills and the configuration's bounds. Every figure carries the page and the
date it was read from; desk.toml may override any of them, key by key. An unknown figure is never guessed: an
instrument that is not in the table raises BadInput, and the hint lists the keys that would describe it.
"""

from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

from engine.errors import BadInput
from engine.venues.tiers import fault_in

# figures of an instrument, as desk.toml names them
FIGURES = ("lot_size", "tick", "maintenance_frac", "least_qty", "least_notional", "contract_size", "liquidation_fee_frac")
Overrides = Mapping[str, Mapping[str, Any]]  # "binance:BTC-USDT:perp" -> some fields of Instrument or Costs


class Instrument(NamedTuple):
    """One thing to trade. Sizes are base units (OKX contracts times their value), prices quote units."""

    venue: str
    symbol: str
    market: str
    lot_size: float
    tick: float
    maintenance_frac: float  # of notional; 0 on spot
    least_qty: float = 0.0  # base units of an entry; 0: one lot
    least_notional: float = 0.0  # quote units of an entry
    rules_source: str = ""  # where lot, tick and least order come from
    rules_dated: str = ""  # the day they were read there, ISO
    funding_hours: int = 8  # between settlements, at multiples of it (UTC); no matter on spot
    contract_size: float = 1.0  # base units in one contract; 1 where the venue or this desk counts coins
    fee_tier: str = ""  # whose maker and taker fees Costs holds, where and when they were read
    liquidation_fee_frac: float = 0.0  # of the notional that the venue closes
    tiers: tuple[tuple[float, float], ...] = ()  # (notional_max, rate) of all margin tiers; empty: only the first is known

    @property
    def kind(self) -> str:
        """What is traded: `spot` is bought with cash and never sold short; a `linear perp` is margined in quote units."""
        return "spot" if self.market == "spot" else "linear perp"


class Costs(NamedTuple):
    """Costs as fractions of notional; a negative maker fee is a rebate. impact_y is D3's Y."""

    maker_frac: float
    taker_frac: float
    half_spread_frac: float
    impact_y: float
    source: str  # the page each figure comes from
    dated: str  # the day it was read there, ISO
    funding_source: str  # where settlements come from; "none" on spot


# Lot (base units) and tick by venue and market: the grid of recorded prices and volumes at 2025-12-31; for BTC and ETH
# recorded bodies of GET /fapi/v1/exchangeInfo, /api/v5/public/instruments (lotSz * ctVal) and /v5/market/instruments-info
# say the same but for Bybit's older ticks. Binance SOL traded whole coins until early 2025. Not recorded, so from the
# venues' contract pages and to be checked by a pull: OKX XRP and BNB, Bybit XRP and BNB, Binance BNB spot.
_PERP = {
    "binance": {
        "BTC": (0.001, 0.1),
        "ETH": (0.001, 0.01),
        "SOL": (0.01, 0.01),
        "XRP": (0.1, 0.0001),
        "BNB": (0.01, 0.01),
    },
    "okx": {
        "BTC": (0.0001, 0.1),
        "ETH": (0.001, 0.01),
        "SOL": (0.01, 0.01),
        "XRP": (1.0, 0.0001),
        "BNB": (0.01, 0.1),
    },
    "bybit": {
        "BTC": (0.001, 0.1),
        "ETH": (0.01, 0.01),
        "SOL": (0.1, 0.01),
        "XRP": (0.1, 0.0001),
        "BNB": (0.01, 0.1),
    },
}
_PERP["synthetic"] = _PERP["binance"]
_SPOT = {
    "binance": {
        "BTC": (0.00001, 0.01),
        "ETH": (0.0001, 0.01),
        "SOL": (0.001, 0.01),
        "XRP": (0.1, 0.0001),
        "BNB": (0.001, 0.01),
    },
}
_TABLES = {"perp": _PERP, "spot": _SPOT}

# Maintenance margin of the bracket that holds 100,000 USDT, rounded up: a small desk stays below it, and a figure that
# is too high refuses earlier. Binance "Leverage & Margin Tiers" 2025-11-28 (BTC 0.40-0.50 %, SOL 1.00 %), OKX "Position
# tiers" 2025-02-24 (BTC 0.40-0.50 %), Bybit "Risk limit" (BTC 0.50 %). One figure for all three venues.
_MAINTENANCE = {"BTC": 0.005, "ETH": 0.005, "SOL": 0.01, "XRP": 0.01, "BNB": 0.01}

# Least notional of an entry in USDT. Bybit: minNotionalValue of a recorded GET /v5/market/instruments-info; OKX has a least size
# alone, one lot. Binance: what its trading rules are widely quoted to say; the recorded exchangeInfo of 2022 says 10, so these
# figures are to be checked by a pull. One that is too high refuses an entry that the venue might take.
_LEAST_NOTIONAL = {
    ("binance", "perp"): {"BTC": 100.0, "ETH": 20.0, "": 5.0},
    ("binance", "spot"): {"": 5.0},
    ("bybit", "perp"): {"": 5.0},
    ("okx", "perp"): {"": 0.0},
}
_LEAST_NOTIONAL["synthetic", "perp"] = _LEAST_NOTIONAL["binance", "perp"]
_GRID = "lot and tick: grid of recorded bars"
_RULES_SOURCE = {
    "binance": f"{_GRID}; least notional: unchecked",
    "okx": f"{_GRID}, recorded instruments (lotSz x ctVal)",
    "bybit": f"{_GRID}; least notional: recorded instruments-info",
    "synthetic": "as binance",
}
_GRID_DATED = "2025-12-31"

# `liquidationFee` of a recorded GET /fapi/v1/exchangeInfo of 2022-02-19, Binance, perpetuals. The others are not recorded: there
# the taker fee counts (strategies/rules.py). What the margin has left bounds it, so a higher figure costs no more.
_LIQUIDATION_FEE = {"BTC": 0.012, "ETH": 0.03}

# maker, taker of a user without volume tier or token discount; page; day read
_FEES = {
    ("binance", "perp"): (0.0002, 0.0005, "www.binance.com/en/fee/futureFee", "2026-10-12"),
    ("okx", "perp"): (0.0002, 0.0005, "www.okx.com/fees", "2026-10-16"),
    ("bybit", "perp"): (0.0002, 0.00055, "www.bybit.com/en/help-center/article/Trading-Fee-Structure", "2026-10-16"),
    ("synthetic", "perp"): (0.0002, 0.0005, "as binance", "2026-10-12"),
    ("binance", "spot"): (0.001, 0.001, "www.binance.com/en/fee/schedule", "2026-10-12"),
}

# Half of the spread as a fraction of price. BTC: 99th percentile of a recorded Binance book, 2024-08-08 (2.9 USD wide;
# the median is one tick). The others: one tick at the price of 2025-12-31, twice what a book one tick wide costs.
_HALF_SPREAD = {"BTC": 0.000023, "ETH": 0.00002, "SOL": 0.00008, "XRP": 0.000055, "BNB": 0.000015}
_SPREAD_SOURCE = "half-spread: recorded Binance book 2024-08-08 (BTC), one tick at 2025-12-31 (others)"

IMPACT_Y_MAX = 10.0
IMPACT_Y = 0.7  # D3: the prior of the literature's 0.5-1 until the desk has slippage of its own to regress


def _key(venue: str, symbol: str, market: str) -> str:
    """The instrument's one name: `binance:BTC-USDT:perp`."""
    return f"{venue}:{symbol}:{market}"


def _figures(venue: str, symbol: str, market: str) -> tuple[float, float] | None:
    """(lot, tick) of the table, or None. Only USDT quotes are in it."""
    base, _, quote = symbol.partition("-")
    return _TABLES.get(market, {}).get(venue, {}).get(base) if quote == "USDT" else None


def instruments() -> list[str]:
    """Every instrument of the table, as `venue:SYMBOL:market`."""
    return sorted(
        _key(venue, f"{base}-USDT", market)
        for market, table in _TABLES.items()
        for venue, bases in table.items()
        for base in bases
    )


def _numbers(own: Mapping[str, Any], names: tuple[str, ...], key: str) -> dict[str, Any]:
    """The overridden figures as floats; BadInput for one that is not a number."""
    try:
        return {name: float(own[name]) for name in names if name in own}
    except (TypeError, ValueError) as error:
        raise BadInput(f"[instruments] {key}: {error}", "give plain numbers") from error


def instrument_of(venue: str, symbol: str, market: str = "perp", overrides: Overrides | None = None) -> Instrument:
    """The instrument, with desk.toml's overrides on top. Raises BadInput for an unknown instrument."""
    own = dict((overrides or {}).get(_key(venue, symbol, market), {}))
    figures = _figures(venue, symbol, market)
    base = symbol.partition("-")[0]
    if figures is None and not {"lot_size", "tick", "maintenance_frac"} <= set(own):
        raise BadInput(
            f"unknown instrument {_key(venue, symbol, market)[:60]}",
            f"available: {', '.join(instruments())}; any other needs lot_size, tick, maintenance_frac and its costs"
            " under [instruments] in desk.toml",
        )
    lot, tick = figures or (0.0, 0.0)
    least = _LEAST_NOTIONAL.get((venue, market), {}) if figures else {}
    said = (_RULES_SOURCE[venue], _GRID_DATED) if figures else ("desk.toml", "")
    maintenance = _MAINTENANCE.get(base, 0.0) if market == "perp" else 0.0
    shipped = Instrument(venue, symbol, market, lot, tick, maintenance, 0.0, least.get(base, least.get("", 0.0)), *said)
    if figures and market == "perp" and venue in ("binance", "synthetic"):
        shipped = shipped._replace(liquidation_fee_frac=_LIQUIDATION_FEE.get(base, 0.0))
    given = _numbers(own, FIGURES, _key(venue, symbol, market))
    if figures and given:
        shipped = shipped._replace(rules_source=f"{said[0]}; desk.toml: {', '.join(sorted(given))}")
    words: dict[str, Any] = {k: str(own[k]) for k in ("rules_source", "rules_dated") if k in own}
    found = shipped._replace(**given, **words)
    found = found._replace(funding_hours=int(own.get("funding_hours", found.funding_hours)))
    found = with_tiers(found, own)._replace(fee_tier=str(own.get("fee_tier", fee_tier_of(venue, symbol, market, own))))
    least_fits = 0 <= found.least_qty < inf and 0 <= found.least_notional < inf
    least_fits = least_fits and 0 < found.contract_size < inf and 0 <= found.liquidation_fee_frac < 1
    if not (0 < found.lot_size < inf and 0 < found.tick < inf and 0 <= found.maintenance_frac < 1 and least_fits):
        figures_text = ", ".join(f"{name} {getattr(found, name)}" for name in FIGURES)
        raise BadInput(
            f"{_key(venue, symbol, market)}: {figures_text} are not valid",
            "lot, tick and contract_size must be above 0, maintenance_frac and liquidation_fee_frac in 0..1,"
            " least_qty and least_notional 0 or more",
        )
    return found


def with_tiers(found: Instrument, own: Mapping[str, Any]) -> Instrument:
    """The instrument with the margin tiers of desk.toml, whose first rate is its maintenance_frac. Raises BadInput."""
    pairs = own.get("tiers") or ()
    if found.market == "spot" or not pairs:
        return found
    try:
        fault = fault_in(pairs)
    except (TypeError, ValueError):
        fault = "give plain numbers"
    first = 0.0 if fault else float(pairs[0][1])
    if not fault and own.get("maintenance_frac", first) != first:
        fault = "maintenance_frac is not the first tier's rate; give one of the two"
    if fault:
        key = _key(found.venue, found.symbol, found.market)
        raise BadInput(f"[instruments] {key}: tiers: {fault}", "for example tiers = [[50000, 0.004], [600000, 0.005]]")
    return found._replace(maintenance_frac=first, tiers=tuple((float(cap), float(rate)) for cap, rate in pairs))


def fee_tier_of(venue: str, symbol: str, market: str, own: Mapping[str, Any]) -> str:
    """Whose maker and taker fees are charged, with source and date."""
    fees = _FEES.get((venue, market)) if _figures(venue, symbol, market) else None
    if fees is None or {"maker_frac", "taker_frac"} & set(own):
        return "; ".join(("desk.toml", *(str(own[k]) for k in ("source", "dated") if own.get(k))))
    return f"no volume tier, no token discount; {fees[2]}, {fees[3]}"


def costs_of(venue: str, symbol: str, market: str = "perp", overrides: Overrides | None = None) -> Costs:
    """The costs of trading it (D16), with desk.toml's overrides on top. Raises BadInput where a figure is missing."""
    own = dict((overrides or {}).get(_key(venue, symbol, market), {}))
    fees = _FEES.get((venue, market)) if _figures(venue, symbol, market) else None
    if fees is None and not {"maker_frac", "taker_frac", "half_spread_frac"} <= set(own):
        raise BadInput(
            f"no costs for {_key(venue, symbol, market)}",
            "give maker_frac, taker_frac and half_spread_frac under [instruments] in desk.toml",
        )
    maker, taker, page, dated = fees or (0.0, 0.0, "desk.toml", "")
    half_spread = _HALF_SPREAD.get(symbol.partition("-")[0], 0.0)
    funding = "recorded settlements of the venue" if market == "perp" else "none"
    shipped = Costs(maker, taker, half_spread, IMPACT_Y, f"fees: {page}; {_SPREAD_SOURCE}", dated, funding)
    names = ("maker_frac", "taker_frac", "half_spread_frac", "impact_y")
    given = _numbers(own, names, _key(venue, symbol, market))
    words: dict[str, Any] = {k: str(own[k]) for k in ("source", "dated", "funding_source") if k in own}
    if given and "source" not in words:
        words["source"] = f"{shipped.source}; desk.toml: {', '.join(sorted(given))}" if fees else "desk.toml"
    found = shipped._replace(**given, **words)
    bounded = -0.01 <= found.maker_frac < 0.1 and 0 <= found.taker_frac < 0.1
    if not (bounded and 0 <= found.half_spread_frac < 0.1 and 0 <= found.impact_y <= IMPACT_Y_MAX):
        raise BadInput(f"{_key(venue, symbol, market)}: {found} is out of bounds", "fees are fractions: 0.0005 is 5 bps")
    return found
