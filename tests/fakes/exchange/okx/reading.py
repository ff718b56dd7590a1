"""OKX's questions: orders, algos, executions, bills, positions, settings and market data. Lists: newest first, 100 at most."""

from decimal import Decimal
from typing import Any

from engine.clock import LOCAL_MS, LOCAL_TIMEFRAME
from tests.fakes.exchange.market import FUNDING_MS
from tests.fakes.exchange.okx.rows import (
    Row,
    balance_row,
    candle_row,
    instrument_row,
    position_row,
    ticker_row,
)
from tests.fakes.exchange.okx.trading import ALGO_SHAPES, find_algo, find_order
from tests.fakes.exchange.okx.venue import OkxVenue
from tests.fakes.exchange.okx.words import STATES, Fault, number
from tests.fakes.exchange.orders import Refused

Fields = dict[str, Any]
ROWS_MAX = 100
SPANS = {"1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1H": 3_600_000, "4H": 14_400_000}
SPANS |= {"1D": 86_400_000, "1Dutc": 86_400_000, "6Hutc": 21_600_000, "12Hutc": 43_200_000}
SPANS |= {LOCAL_TIMEFRAME: LOCAL_MS}  # no real venue has it


def page(rows: list[Row], fields: Fields, key: str, time_key: str, most: int = ROWS_MAX) -> list[Row]:
    """Rows (oldest first) newest first: `before` is newer than an id, `after` older, `begin` and `end` are times."""

    def whole_number(name: str) -> int | None:
        text = fields.get(name)
        if text not in (None, "") and not str(text).isdigit():
            raise Fault("51000", f"Parameter {name} error")
        return int(text) if text not in (None, "") else None

    before, after, begin, end, limit = (whole_number(name) for name in ("before", "after", "begin", "end", "limit"))
    names = ("instId", "ordId", "ccy", "type", "subType")
    wanted = {name: fields[name] for name in names if fields.get(name) not in (None, "")}
    found: list[Row] = []
    for row in reversed(rows):
        at, t_ms = int(row[key]), int(row[time_key])
        if len(found) == min(limit or most, most) or (before is not None and at <= before):
            break
        in_time = (begin is None or t_ms >= begin) and (end is None or t_ms <= end)
        if in_time and (after is None or at < after) and all(row.get(name) == value for name, value in wanted.items()):
            found.append(row)
    return found


def swaps_only(fields: Fields, required: bool = False) -> bool:
    """Whether swaps are asked for. Raises Fault where the type is missing or not one of OKX's."""
    kind = fields.get("instType", "" if required else "SWAP")
    if kind not in ("SWAP", "SPOT", "MARGIN", "FUTURES", "OPTION", "ANY"):
        raise Fault("51000", "Parameter instType error")
    return kind in ("SWAP", "ANY")


# ---- orders -------------------------------------------------------------------------------------------------------------


def get_order(venue: OkxVenue, fields: Fields) -> list[Row]:
    """trade/order. Raises Fault 51603."""
    order = find_order(venue, fields)
    if order is None:
        raise Fault("51603", "Order does not exist")
    return [venue.order(order)]


def get_algo(venue: OkxVenue, fields: Fields) -> list[Row]:
    """trade/order-algo. Raises Fault 51603."""
    if venue.faults.hit("algo_unaskable"):
        raise Fault("50026", "System error. Try again later")
    algo = find_algo(venue, fields)
    if algo is None:
        raise Fault("51603", "Order does not exist")
    return [venue.algo(algo)]


def orders_pending(venue: OkxVenue, fields: Fields) -> list[Row]:
    """trade/orders-pending."""
    if not swaps_only(fields):
        return []
    return page([venue.order(order) for order in venue.exchange.open_orders()], fields, "ordId", "cTime")


def orders_history(venue: OkxVenue, fields: Fields) -> list[Row]:
    """trade/orders-history: what has ended."""
    if not swaps_only(fields, required=True):
        return []
    if (state := fields.get("state")) not in (None, "", "filled", "canceled", "mmp_canceled"):
        raise Fault("51000", "Parameter state error")
    ended = [order for order in venue.exchange.orders.values() if not order.is_open and state in (None, "", STATES[order.state])]
    return page([venue.order(order) for order in ended], fields, "ordId", "cTime")


def algo_shapes(fields: Fields) -> list[str]:
    """ordType of an algo list: one word, or conditional and oco together. Raises Fault: none, or one unknown to OKX."""
    shapes = str(fields.get("ordType", "")).split(",")
    if not set(shapes) <= {*ALGO_SHAPES, "move_order_stop", "iceberg", "twap", "chase"} or (
        len(shapes) > 1 and set(shapes) != {"conditional", "oco"}
    ):
        raise Fault("51000", "Parameter ordType error")
    return shapes


def algos_pending(venue: OkxVenue, fields: Fields) -> list[Row]:
    """trade/orders-algo-pending: `ordType` is a must, and hides all others."""
    shapes = algo_shapes(fields)
    return page([venue.algo(algo) for algo in venue.exchange.open_algos() if algo.shape in shapes], fields, "algoId", "cTime")


def algos_history(venue: OkxVenue, fields: Fields) -> list[Row]:
    """trade/orders-algo-history: `state` or `algoId` is a must."""
    shapes, state, id_ = algo_shapes(fields), fields.get("state"), fields.get("algoId")
    if not (state or id_) or state not in (None, "", "effective", "canceled", "order_failed"):
        raise Fault("51000", "Parameter state error")
    rows = [venue.algo(algo) for algo in venue.exchange.algos.values() if not algo.is_open and algo.shape in shapes]
    return page([row for row in rows if (row["state"] == state if state else row["algoId"] == id_)], fields, "algoId", "cTime")


def fills(venue: OkxVenue, fields: Fields) -> list[Row]:
    """trade/fills and trade/fills-history."""
    if not swaps_only(fields):
        return []
    rows = venue.fills()
    rows = venue.faults.executed(rows, "ts", venue.now)
    return page(rows, fields, "billId", "ts")


def bills(venue: OkxVenue, fields: Fields) -> list[Row]:
    """account/bills and account/bills-archive."""
    if not swaps_only(fields):
        return []
    if str(fields.get("after") or "").isdigit() and venue.faults.hit("bills_overlap"):
        fields = {**fields, "after": str(int(fields["after"]) + 1)}
    rows = [row for row in venue.bills() if fields.get("instType", "") in ("", row["instType"])]
    return venue.faults.paged(page(venue.faults.billed(rows, "ts"), fields, "billId", "ts"))


# ---- account ------------------------------------------------------------------------------------------------------------


def positions(venue: OkxVenue, fields: Fields) -> list[Row]:
    """account/positions: with an instId also the one that is flat, if it was ever open."""
    exchange = venue.exchange
    rows = []
    for inst_id, inst in venue.instruments.items():
        held = exchange.account.position(inst.name)
        named = inst_id in str(fields.get("instId", "")).split(",")
        if held.lots or (named and held.opened_ms):
            rows.append(position_row(inst, held, venue.market(inst)) | {"mgnMode": venue.margin_mode})
    if venue.faults.hit("stale_positions"):
        return venue.old.get("positions", [])
    venue.old["positions"] = rows
    wanted = [name for name in str(fields.get("instId") or "").split(",") if name]
    return [row for row in rows if not wanted or row["instId"] in wanted] if swaps_only(fields) else []


def balance(venue: OkxVenue, _: Fields) -> list[Row]:
    """account/balance."""
    account, markets = venue.exchange.account, venue.exchange.markets.values()
    upl = sum(account.unrealized(market.contract, market.mark) for market in markets)
    margin = sum(account.margin(market.contract) for market in markets)
    return [balance_row(account.cash, upl, margin, account.cash - margin - venue.exchange.available(), venue.now)]


def config(venue: OkxVenue, _: Fields) -> list[Row]:
    """account/config."""
    empty = dict.fromkeys(("spotOffsetType", "roleType", "spotRoleType", "opAuth", "kycLv"), "")
    lists: Row = {"traderInsts": [], "spotTraderInsts": []}
    row = {
        "uid": "1",
        "mainUid": "1",
        "acctLv": venue.level,
        "posMode": venue.position_mode,
        "perm": venue.permissions,
        "ip": venue.ips,
    }
    more = {"label": "local", "autoLoan": False, "ctIsoMode": "automatic", "mgnIsoMode": "automatic", "greeksType": "PA"}
    return [row | more | empty | lists | {"level": "Lv1", "levelTmp": "", "liquidationGear": "-1", "type": "0"}]


def set_position_mode(venue: OkxVenue, fields: Fields) -> list[Row]:
    """account/set-position-mode: the local venue knows net mode only."""
    if fields.get("posMode") not in ("net_mode", "long_short_mode"):
        raise Fault("51000", "Parameter posMode error")
    if any(held.lots for held in venue.exchange.account.positions.values()) or venue.exchange.open_orders():
        raise Fault("59000", "Settings failed. Close any open positions or orders before modifying settings.")
    venue.position_mode = fields["posMode"]
    return [{"posMode": venue.position_mode}]


def set_leverage(venue: OkxVenue, fields: Fields) -> list[Row]:
    """account/set-leverage of an instrument on isolated margin."""
    inst, lever = venue.inst(fields), str(fields.get("lever", ""))
    if fields.get("mgnMode") != "isolated" or fields.get("posSide", "net") not in ("net", ""):
        raise Fault("51000", "Parameter mgnMode error")
    try:
        venue.exchange.set_leverage(inst.name, int(float(lever)))
    except (ValueError, Refused):
        raise Fault("59102", "Leverage exceeds the maximum limit. Please lower the leverage.") from None
    return [{"lever": lever, "mgnMode": "isolated", "instId": inst.inst_id, "posSide": "net"}]


def leverage(venue: OkxVenue, fields: Fields) -> list[Row]:
    """account/leverage-info."""
    inst = venue.inst(fields)
    row = {"instId": inst.inst_id, "ccy": "", "mgnMode": str(fields.get("mgnMode", "isolated")), "posSide": "net"}
    return [row | {"lever": str(venue.leverage(inst.name))}]


def trade_fee(venue: OkxVenue, fields: Fields) -> list[Row]:
    """account/trade-fee: negative numbers are what one pays."""
    if not swaps_only(fields, required=True):
        return []
    contract = next(iter(venue.exchange.markets.values())).contract
    rates = {"maker": f"{-contract.maker_ppm / 1e6:f}", "taker": f"{-contract.taker_ppm / 1e6:f}"}
    swap = {"makerU": rates["maker"], "takerU": rates["taker"], "makerUSDC": rates["maker"], "takerUSDC": rates["taker"]}
    fixed = {"category": "1", "delivery": "", "exercise": "", "instType": "SWAP", "level": "Lv1", "uly": "", "ts": str(venue.now)}
    return [fixed | rates | swap]


def currencies(venue: OkxVenue, _: Fields) -> list[Row]:
    """asset/currencies: one chain of one currency."""
    flags = {"canDep": True, "canInternal": True, "canWd": True, "mainNet": False}
    sizes = {"fee": "1", "maxFee": "2", "minFee": "1", "maxWd": "1000000", "minWd": "2", "wdTickSz": "6", "minDep": "0.1"}
    return [{"ccy": "USDT", "chain": "USDT-TRC20", "name": "Tether", "usedWdQuota": "0", "wdQuota": "500"} | flags | sizes]


# ---- market -------------------------------------------------------------------------------------------------------------


def instruments(venue: OkxVenue, fields: Fields) -> list[Row]:
    """public/instruments."""
    if not swaps_only(fields, required=True):
        return []
    listed = [inst for inst in venue.instruments.values() if inst.inst_id not in venue.unknown]
    rows = [instrument_row(inst, venue.market(inst)) | venue.recounted for inst in listed]
    rows = [row | {"state": "suspend"} if row["instId"] in venue.suspended else row for row in rows]
    return [row for row in rows if fields.get("instId") in (None, "", row["instId"])]


def server_time(venue: OkxVenue, _: Fields) -> list[Row]:
    """public/time."""
    return [{"ts": str(venue.now)}]


def system_status(venue: OkxVenue, _: Fields) -> list[Row]:
    """system/status: no maintenance is announced."""
    return []


def tiers(venue: OkxVenue, fields: Fields) -> list[Row]:
    """public/position-tiers: one."""
    if fields.get("tdMode") not in ("isolated", "cross"):
        raise Fault("51000", "Parameter tdMode error")
    row = {"baseMaxLoan": "", "imr": "0.01", "instId": "", "maxLever": "100", "maxSz": "1000000", "minSz": "0", "mmr": "0.004"}
    family = str(fields.get("instFamily", ""))
    return [row | {"optMgnFactor": "0", "quoteMaxLoan": "", "tier": "1", "uly": family, "instFamily": family}]


def mark_price(venue: OkxVenue, fields: Fields) -> list[Row]:
    """public/mark-price."""
    insts = [venue.inst(fields)] if fields.get("instId") else venue.instruments.values()
    ts = str(venue.now)
    return [{"instType": "SWAP", "instId": x.inst_id, "markPx": x.price(venue.market(x).mark), "ts": ts} for x in insts]


def tickers(venue: OkxVenue, fields: Fields) -> list[Row]:
    """market/ticker and market/tickers."""
    insts = [venue.inst(fields)] if fields.get("instId") else venue.instruments.values()
    rows = [ticker_row(inst, venue.market(inst), venue.now) for inst in insts]
    if venue.faults.hit("stale_ticker"):
        return venue.old.get("tickers", rows)
    venue.old["tickers"] = rows
    return rows


def funding_rate(venue: OkxVenue, fields: Fields) -> list[Row]:
    """public/funding-rate: what is paid next, and when."""
    inst, due = venue.inst(fields), (venue.now // FUNDING_MS + 1) * FUNDING_MS
    rate = rate_text(venue.market(inst).rate_e8)
    row = {"instType": "SWAP", "instId": inst.inst_id, "fundingRate": rate, "fundingTime": str(due), "nextFundingRate": ""}
    more = {
        "nextFundingTime": str(due + FUNDING_MS),
        "minFundingRate": "-0.00375",
        "maxFundingRate": "0.00375",
        "settState": "settled",
    }
    more |= {
        "method": "current_period",
        "premium": "0",
        "settFundingRate": rate,
        "interestRate": "0.0001",
        "formulaType": "noRate",
    }
    return [row | more | {"ts": str(venue.now), "prevFundingTime": str(due - FUNDING_MS), "impactValue": "20000"}]


def funding_history(venue: OkxVenue, fields: Fields) -> list[Row]:
    """public/funding-rate-history: the same rate at each settlement since the path began."""
    inst = venue.inst(fields)
    market = venue.market(inst)
    first, rate = market.minutes[0].open_ms // FUNDING_MS + 1, rate_text(market.rate_e8)
    fixed = {"instType": "SWAP", "instId": inst.inst_id, "fundingRate": rate, "realizedRate": rate, "method": "current_period"}
    rows = [
        fixed | {"formulaType": "noRate", "fundingTime": str(n * FUNDING_MS)} for n in range(first, venue.now // FUNDING_MS + 1)
    ]
    return page(rows, fields, "fundingTime", "fundingTime")


def rate_text(rate_e8: int) -> str:
    """A funding rate."""
    return number(Decimal(rate_e8) / 10**8)


def candles(venue: OkxVenue, fields: Fields) -> list[list[str]]:
    """market/candles and market/history-candles: `before` and `after` are times here."""
    inst, span = venue.inst(fields), SPANS.get(fields.get("bar") or "1m")
    if span is None:
        raise Fault("51000", "Parameter bar error")
    listed = venue.market(inst).candles(span)
    if venue.faults.hit("stale_candles"):
        listed = listed[:-3]
    rows = [{"at": str(x.open_ms), "row": candle_row(inst, x, x.open_ms + span <= venue.now)} for x in listed]
    wanted = {name: fields.get(name) for name in ("before", "after", "limit")}
    return [row["row"] for row in page(rows, wanted, "at", "at", 300)]


def books(venue: OkxVenue, fields: Fields) -> list[Row]:
    """market/books: five levels a side."""
    inst = venue.inst(fields)
    market = venue.market(inst)
    size = inst.contracts(market.depth_lots)
    asks, bids = ([[inst.price(market.best(side) + side * n), size, "0", "1"] for n in range(5)] for side in (1, -1))
    return [{"asks": asks, "bids": bids, "ts": str(venue.now)}]
