"""A request as people and programs give it, against the desk's one setup: arguments -> Request -> Plan.

Called by sim/backtest.py (notebook) and app/jobs/kinds.py (command line, tools through jobs), so that the same arguments give the
same figures and the same config_hash through every door: costs and limits of desk.toml, venue, cash and dates read alike.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engine.control.desk_setup import DeskSetup
from engine.data.catalog import Catalog, spelled
from engine.errors import BadInput
from engine.sim.late import checked_delay
from engine.sim.request import CASH, Plan, Request, SleeveRequest, moment, plan
from engine.sim.vwap_fills import VWAP
from engine.sim.wide import DESK, is_wide, widened
from engine.strategies.base import BASKETS
from engine.strategies.pairs import LEGS_MAX

ARGS = (
    "strategy",
    "symbol",
    "timeframe",
    "venue",
    "market",
    "side",
    "start",
    "end",
    "params",
    "fills",
    "funding",
    "cash",
    "sleeves",
    "limits",
    "delay_bars",
    "execution",
    "models",
)

ONE_INSTRUMENT = {"side": "both", "limits": DESK, "delay_bars": 0, "execution": "", "models": ""}  # of no basket


def planned(
    desk: DeskSetup,
    catalog: Catalog,
    args: Mapping[str, Any],
    folder: Path | None = None,
    in_force: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """The request of `args` resolved: strategies, data files, hashes. `folder`: people's own strategies, else the home's;
    `in_force`: the desk's versions of stored models.
    """
    return plan(request_from(desk, catalog, args), catalog, folder or desk.strategies, desk.overrides, in_force)


def backtest_request(desk: DeskSetup, catalog: Catalog, args: Mapping[str, Any]) -> Request:
    """The request of a backtest, whichever kind its strategy is: of one that trades a basket that of its legs."""
    given = {key: value for key, value in args.items() if value is not None}
    sleeves = given.pop("sleeves", None) or [{}]
    alone = {**given, **sleeves[0]} if len(sleeves) == 1 else {}
    return basket_request(desk, catalog, alone) if alone.get("strategy") in BASKETS else request_from(desk, catalog, args)


def basket_request(desk: DeskSetup, catalog: Catalog, args: Mapping[str, Any]) -> Request:
    """The request of a basket: `symbol` names its legs, with commas; a sleeve of it is a leg, with its part of the cash."""
    require_arguments(args)
    given = {key: value for key, value in args.items() if value not in (None, "")}
    legs = [name.strip() for name in str(given.pop("symbol", "")).split(",") if name.strip()]
    if not 2 <= len(legs) <= LEGS_MAX or len(set(legs)) < len(legs):
        what = (
            f"a basket of {len(legs)} leg{'' if len(legs) == 1 else 's'}" if len(set(legs)) == len(legs) else "a leg named twice"
        )
        raise BadInput(what, f"name 2 to {LEGS_MAX} instruments, each once: --symbol BTC-USDT,ETH-USDT,SOL-USDT")
    odd = [name for name, usual in ONE_INSTRUMENT.items() if given.get(name, usual) != usual]
    odd += ["fills"] if given.get("fills") == VWAP else []
    if odd:
        raise BadInput(f"{odd[0]} = {given[odd[0]]} is of one instrument, a basket does not know it", f"leave {odd[0]} out")
    common: dict[str, Any] = {name: given[name] for name in ("strategy", "venue", "market", "params") if name in given}
    common["cash"] = float(given.get("cash", CASH)) / len(legs)
    sleeves = tuple(spec_of(desk, catalog, common | {"symbol": leg}, given.get("timeframe", "15m")) for leg in legs)
    return _with_specs(desk, given, sleeves)


def request_from(desk: DeskSetup, catalog: Catalog, args: Mapping[str, Any]) -> Request:
    """A request from JSON arguments. `sleeves` (fields of SleeveRequest) replaces strategy, symbol, ... of a single sleeve."""
    require_arguments(args)
    given = {key: value for key, value in args.items() if value is not None}
    timeframe = given.get("timeframe", "15m")
    sleeves = given.get("sleeves") or [{k: given[k] for k in SleeveRequest._fields if k in given}]
    if given.get("models") and given.get("sleeves"):
        raise BadInput("models of a request with several sleeves", "name them in the sleeve that reads them")
    specs = tuple(spec_of(desk, catalog, sleeve, timeframe) for sleeve in sleeves)
    if basket := next((spec.strategy for spec in specs if spec.strategy in BASKETS), ""):
        what = f"{basket} trades a basket of instruments: it is the only sleeve of one"
        raise BadInput(what, f"nightdesk backtest {basket} --symbol BTC-USDT,ETH-USDT,SOL-USDT")
    return _with_specs(desk, given, specs)


def require_arguments(args: Mapping[str, Any]) -> None:
    """Raise BadInput for an argument that no request has."""
    if unknown := sorted(set(args) - set(ARGS)):
        raise BadInput(f"unknown argument {unknown[0]!r}", f"available: {', '.join(ARGS)}")


def _with_specs(desk: DeskSetup, given: Mapping[str, Any], specs: tuple[SleeveRequest, ...]) -> Request:
    """The request of some sleeves: range, fills and funding as given, limits as the desk has them."""
    limits, own = desk.limits.desk(), desk.limits.sleeve()
    wide = is_wide(given.get("limits", DESK))
    return Request(
        specs,
        given.get("timeframe", "15m"),
        moment(given.get("start")),
        moment(given.get("end")),
        given.get("fills", "pessimistic"),
        given.get("funding", "recorded"),
        widened(limits) if wide else limits,
        widened(own) if wide else own,
        (limits, own) if wide else None,
        checked_delay(given.get("delay_bars", 0)),
        str(given.get("execution", "")),
    )


def spec_of(desk: DeskSetup, catalog: Catalog, given: Mapping[str, Any], timeframe: str) -> SleeveRequest:
    """One sleeve from JSON arguments; without a venue, the one that has the bars."""
    for needed in ("strategy", "symbol"):
        if not given.get(needed):
            raise BadInput(f"the {needed} is missing", f"name a {needed}")
    try:
        spec = SleeveRequest(
            **{"venue": "", **given, "params": dict(given.get("params") or {}), "cash": float(given.get("cash", CASH))}
        )
    except (TypeError, ValueError) as error:
        raise BadInput(f"invalid sleeve in the request: {error}", f"its fields: {', '.join(SleeveRequest._fields)}") from error
    require_spelled(catalog, spec.symbol)
    return spec._replace(venue=spec.venue or venue_of(desk, catalog, spec, spec.timeframe or timeframe))


def require_spelled(catalog: Catalog, symbol: str) -> None:
    """Raise BadInput for another spelling of a symbol that has data (BTCUSDT), and for the half of one alone (BTC)."""
    known = {name[1] for name in catalog.names if name[1]}
    halves = [name for name in sorted(known) if name.partition("-")[0] == symbol.upper()]
    meant = spelled(symbol, known) or (halves[0] if len(halves) == 1 else "")
    if meant:
        raise BadInput(f"unknown symbol {symbol!r}", f"did you mean {meant}?")


def venue_of(desk: DeskSetup, catalog: Catalog, spec: SleeveRequest, timeframe: str) -> str:
    """binance if it has the bars, else the only venue that does, else the venue of the first start."""
    found = catalog.venues(spec.symbol, spec.market, timeframe)
    real = sorted(found - {"synthetic"})
    if "binance" in found or len(real) > 1:
        return "binance"
    if real:
        return real[0]
    return "synthetic" if "synthetic" in found else desk.venue or "binance"
