"""Bybit's questions: orders, executions, the transaction log, positions, settings, markets. Lists: newest first, by cursor."""

from decimal import Decimal
from typing import Any

from engine.clock import LOCAL_MS, LOCAL_TIMEFRAME
from tests.fakes.exchange.bybit.rows import Row, candle_row, instrument_row, position_row, ticker_row, wallet_row
from tests.fakes.exchange.bybit.trading import find, linear, of_filter
from tests.fakes.exchange.bybit.venue import BybitVenue
from tests.fakes.exchange.bybit.words import (
    ENDED_STATES,
    PARAMS,
    SYSTEM,
    Fault,
    number,
    order_id,
    own_number,
    whole,
    wrong,
)
from tests.fakes.exchange.market import FUNDING_MS
from tests.fakes.exchange.orders import Algo, Refused

Fields = dict[str, Any]
MINUTE_MS, DAY_MS = 60_000, 86_400_000
SPANS = {word: int(word) * MINUTE_MS for word in ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720")} | {"D": DAY_MS}
SPANS |= {LOCAL_TIMEFRAME: LOCAL_MS}  # no real venue has it
EXEC_TYPES = ("Trade", "AdlTrade", "Funding", "BustTrade", "Delivery", "Settle", "BlockTrade", "MovePosition", "FutureSpread")
LOG_TYPES = ("TRADE", "SETTLEMENT", "TRANSFER_IN", "TRANSFER_OUT", "DELIVERY", "LIQUIDATION", "ADL", "INTEREST", "BONUS")
MARGIN_MODES = ("ISOLATED_MARGIN", "REGULAR_MARGIN", "PORTFOLIO_MARGIN")


def window(fields: Fields, now: int, default_ms: int, most_ms: int) -> tuple[int, int]:
    """(first, last) ms that a list is asked for: one end alone, and none, is a window of `default_ms`. Raises Fault."""
    start, end = (whole(fields, name, 0, 10**15, 0) for name in ("startTime", "endTime"))
    if start and end and not 0 <= end - start <= most_ms:
        raise Fault(PARAMS, f"The time range between startTime and endTime cannot exceed {most_ms // DAY_MS} days")
    if not start:
        end = end or now
        return end - default_ms, end
    return start, end or start + default_ms


def page(rows: list[Row], fields: Fields, default: int, most: int, times: tuple[str, int, int] | None = None) -> Row:
    """A page of rows (oldest first), newest first, and the cursor behind it: empty only behind an empty page.

    `times` is the name of a time that rises from row to row, and what it may be. A cursor is the number of an order where a list
    loses rows while it is read, else the place of a row.
    """
    limit, behind = whole(fields, "limit", 1, most, default), 10**18
    if fields.get("cursor"):
        head = str(fields["cursor"]).partition(":")[0]
        if not head.isdigit():
            raise wrong("cursor")
        behind = int(head)
    wanted = {name: fields[name] for name in ("symbol", "execType", "type", "currency") if fields.get(name) not in (None, "")}
    found: list[Row] = []
    for place in range(len(rows) - 1, -1, -1):
        row = rows[place]
        at = own_number(row["orderId"]) if "orderStatus" in row else place
        if len(found) == limit or (times and int(row[times[0]]) < times[1]):
            break
        in_time = times is None or int(row[times[0]]) <= times[2]
        if at < behind and in_time and all(row.get(name) == value for name, value in wanted.items()):
            found.append(row)
            last = at
    return {"nextPageCursor": f"{last}%3A0%2C{last}%3A0" if found else "", "category": "linear", "list": found}


# ---- orders -------------------------------------------------------------------------------------------------------------


def one_order(venue: BybitVenue, fields: Fields) -> list[Row] | None:
    """The order of an id, if one is asked for. Raises Fault 10016 where conditional orders cannot be asked for."""
    if not (fields.get("orderId") or fields.get("orderLinkId")):
        return None
    symbol = venue.inst(fields).name if fields.get("symbol") else ""
    found = find(venue, fields)
    if found and symbol not in ("", found.symbol):
        found = None
    if isinstance(found, Algo) and venue.faults.hit("algo_unaskable"):
        raise Fault(*SYSTEM)
    lets = of_filter(fields)
    return [venue.order(found)] if found and lets(found) else []


def scoped(fields: Fields) -> None:
    """A list of a coin's orders or positions says which. Raises Fault."""
    linear(fields)
    if not any(fields.get(name) for name in ("symbol", "baseCoin", "settleCoin")):
        raise Fault(PARAMS, "params error: symbol, baseCoin or settleCoin is required")


def orders_realtime(venue: BybitVenue, fields: Fields) -> Row:
    """order/realtime: what is open; by its id also one that has ended lately. One that is not there is an empty list."""
    linear(fields)
    if (mine := one_order(venue, fields)) is not None:
        ended = bool(mine) and mine[0]["orderStatus"] in ENDED_STATES
        return page(mine if not ended or mine[0]["orderId"] in recent(venue) else [], {}, 20, 50)
    scoped(fields)
    lets = of_filter(fields)
    if whole(fields, "openOnly", 0, 1, 0):
        wanted = recent(venue)
        return page([row for one in venue.all_orders() if (row := venue.order(one))["orderId"] in wanted], fields, 20, 50)
    return page([venue.order(one) for one in venue.open_orders() if lets(one)], fields, 20, 50)


def recent(venue: BybitVenue) -> set[str]:
    """Ids of the orders that have ended lately."""
    still = {one.id for one in venue.open_orders()}
    ended = [one for one in venue.all_orders() if one.id not in still]
    return {order_id(one) for one in ended[max(0, len(ended) - venue.recent) :]}


def orders_history(venue: BybitVenue, fields: Fields) -> Row:
    """order/history: what has ended, of seven days."""
    linear(fields)
    if (state := fields.get("orderStatus")) not in (None, "", *ENDED_STATES):
        raise wrong("orderStatus")
    if (mine := one_order(venue, fields)) is not None:
        return page([row for row in mine if row["orderStatus"] in ENDED_STATES], {}, 20, 50)
    lets = of_filter(fields)
    rows = [venue.order(one) for one in venue.all_orders() if lets(one)]
    ended = [row for row in rows if row["orderStatus"] in ENDED_STATES and state in (None, "", row["orderStatus"])]
    times = window(fields, venue.now, 7 * DAY_MS, 7 * DAY_MS)
    return page(ended, fields, 20, 50, ("createdTime", *times))


def executions(venue: BybitVenue, fields: Fields) -> Row:
    """execution/list: trades and fundings, of seven days."""
    linear(fields)
    if fields.get("execType") not in (None, "", *EXEC_TYPES):
        raise wrong("execType")
    rows, times = venue.executions(), window(fields, venue.now, 7 * DAY_MS, 7 * DAY_MS)
    rows = venue.faults.executed(rows, "execTime", venue.now)
    for name in ("orderId", "orderLinkId"):
        if fields.get(name):
            rows = [row for row in rows if row[name] == fields[name]]
    return page(rows, fields, 50, 100, ("execTime", *times))


def transactions(venue: BybitVenue, fields: Fields) -> Row:
    """account/transaction-log: of one day, or of seven where both ends are given."""
    if fields.get("accountType", "UNIFIED") != "UNIFIED":
        raise wrong("accountType")
    if fields.get("category"):
        linear(fields)
    if fields.get("type") not in (None, "", *LOG_TYPES):
        raise wrong("type")
    times = window(fields, venue.now, DAY_MS, 7 * DAY_MS)
    rows = [row for row in venue.transactions() if fields.get("category") in (None, "", row["category"])]
    rows = venue.faults.billed(rows, "transactionTime")
    found = page(rows, fields, 20, 50, ("transactionTime", *times))
    if found["list"] and fields.get("cursor") and venue.faults.hit("bills_overlap"):
        one_more = {**fields, "cursor": str(int(str(fields["cursor"]).partition(":")[0]) + 1)}
        found["list"] = [*page(rows, one_more, 20, 50, ("transactionTime", *times))["list"][:1], *found["list"]]
    return found | {"list": venue.faults.paged(found["list"])}


# ---- account ------------------------------------------------------------------------------------------------------------


def position_rows(venue: BybitVenue) -> list[Row]:
    """Every position, also those that are flat."""
    account = venue.exchange.account
    return [
        position_row(inst, account.position(inst.name), venue.market(inst), *venue.levels(inst.name))
        for inst in venue.instruments.values()
    ]


def positions(venue: BybitVenue, fields: Fields) -> Row:
    """position/list: of a symbol also one that is flat, of a coin those that are open."""
    if fields.get("category") == "inverse":
        return {"nextPageCursor": "", "category": "inverse", "list": []}
    scoped(fields)
    if symbol := fields.get("symbol"):
        venue.inst(fields)
    rows = [row for row in position_rows(venue) if row["symbol"] == symbol or (not symbol and row["size"] != "0")]
    if venue.hedged and symbol:  # a row a side; trading in it is refused here
        rows = [row | {"positionIdx": index} for row in rows for index in (1, 2)]
    whole(fields, "limit", 1, 200, 20)
    if venue.faults.hit("stale_positions"):
        rows = venue.old.get("positions", [])
    else:
        venue.old["positions"] = rows
    return {"nextPageCursor": "", "category": "linear", "list": list(rows)}


def wallet(venue: BybitVenue, fields: Fields) -> Row:
    """account/wallet-balance."""
    if fields.get("accountType") != "UNIFIED":
        raise wrong("accountType")
    account, markets = venue.exchange.account, venue.exchange.markets.values()
    upl = sum(account.unrealized(market.contract, market.mark) for market in markets)
    margin = sum(account.margin(market.contract) for market in markets)
    frozen = account.cash - margin - venue.exchange.available()
    return {"list": [wallet_row(account.cash, upl, margin, frozen)]}


def account_settings(venue: BybitVenue, _: Fields) -> Row:
    """account/info."""
    fixed = {"updatedTime": str(venue.now), "unifiedMarginStatus": 5, "smpGroup": 0, "isMasterTrader": False}
    dcp = {"dcpStatus": "ON" if venue.dead_man_s else "OFF", "timeWindow": venue.dead_man_s or 10}
    return {"marginMode": venue.margin_mode, "spotHedgingStatus": "OFF"} | fixed | dcp


def set_margin_mode(venue: BybitVenue, fields: Fields) -> Row:
    """account/set-margin-mode: of the whole account, and only without positions."""
    if fields.get("setMarginMode") not in MARGIN_MODES:
        raise wrong("setMarginMode")
    if any(held.lots for held in venue.exchange.account.positions.values()):
        raise Fault("110073", "Set margin mode failed")
    venue.margin_mode = fields["setMarginMode"]
    return {"reasons": []}


def switch_mode(venue: BybitVenue, fields: Fields) -> Row:
    """position/switch-mode: 0 one-way, 3 both sides."""
    linear(fields)
    if fields.get("mode") not in (0, 3):
        raise wrong("mode")
    if (fields["mode"] == 3) is venue.hedged:
        raise Fault("110025", "Position mode is not modified")
    if any(held.lots for held in venue.exchange.account.positions.values()):
        raise Fault("110024", "You have an existing position, so position mode cannot be switched")
    if venue.open_orders():
        raise Fault("110028", "Open orders exist, so you cannot change position mode")
    venue.hedged = fields["mode"] == 3
    return {}


def set_leverage(venue: BybitVenue, fields: Fields) -> Row:
    """position/set-leverage: one for both sides. What is so already is refused."""
    linear(fields)
    inst, asked = venue.inst(fields), {str(fields.get(name, "")) for name in ("buyLeverage", "sellLeverage")}
    if len(asked) != 1:
        raise Fault(PARAMS, "buy leverage not equal to sell leverage in one-way mode")
    try:
        lever = int(float(asked.pop()))
        if lever == venue.exchange.account.position(inst.name).leverage:
            raise Fault("110043", "Set leverage not modified")
        venue.exchange.set_leverage(inst.name, lever)
    except (ValueError, Refused):
        raise Fault("110013", "Due to risk limit, cannot set leverage") from None
    return {}


def fee_rate(venue: BybitVenue, fields: Fields) -> Row:
    """account/fee-rate."""
    linear(fields)
    insts = [venue.inst(fields)] if fields.get("symbol") else venue.instruments.values()
    rows = []
    for inst in insts:
        contract = venue.market(inst).contract
        maker, taker = (number(Decimal(ppm) / 1_000_000) for ppm in (contract.maker_ppm, contract.taker_ppm))
        rows.append({"symbol": inst.symbol, "baseCoin": "", "makerFeeRate": maker, "takerFeeRate": taker})
    return {"list": rows}


def query_api(venue: BybitVenue, _: Fields) -> Row:
    """user/query-api: what the key may do."""
    rights = {
        "ContractTrade": ["Order", "Position"],
        "Derivatives": ["DerivativesTrade"],
        "Spot": [],
        "Wallet": venue.key["wallet"],
    }
    row: Row = {
        "id": "1",
        "note": "local",
        "apiKey": "key",
        "secret": "",
        "permissions": rights,
        "type": 1,
        "unified": 0,
        "uta": 1,
    }
    row |= {name: venue.key[name] for name in ("readOnly", "ips", "deadlineDay")}
    row |= {"expiredAt": "2024-02-05T00:00:00Z", "createdAt": "2023-11-01T00:00:00Z", "userID": 1, "inviterID": 0}
    return row | {"vipLevel": "No VIP", "mktMakerLevel": "0", "affiliateID": 0, "rsaPublicKey": "", "isMaster": True}


def coins(venue: BybitVenue, _: Fields) -> Row:
    """asset/coin/query-info: one chain of one coin."""
    chain = {"chain": "TRX", "chainType": "TRC20", "confirmation": "100", "chainDeposit": "1", "chainWithdraw": "1"}
    chain |= {"withdrawFee": "1", "depositMin": "0.01", "withdrawMin": "2", "minAccuracy": "6"}
    return {"rows": [{"name": "USDT", "coin": "USDT", "remainAmount": "1000000", "chains": [chain]}]}


# ---- market -------------------------------------------------------------------------------------------------------------


def instruments(venue: BybitVenue, fields: Fields) -> Row:
    """market/instruments-info: none is before its launch."""
    linear(fields)
    rows = [instrument_row(inst, venue.market(inst)) for inst in venue.instruments.values()]
    rows = [row | {"status": "Closed"} if row["symbol"] in venue.suspended else row for row in rows]
    rows = [row for row in rows if row["symbol"] not in venue.unknown]
    for one in (one for row in rows for one in (row, row["lotSizeFilter"], row["priceFilter"])):
        one |= {name: value for name, value in venue.recounted.items() if name in one}
    shown = [row for row in rows if fields.get("symbol") in (None, "", row["symbol"])]
    return {"category": "linear", "nextPageCursor": "", "list": shown if fields.get("status") in (None, "", "Trading") else []}


def server_time(venue: BybitVenue, _: Fields) -> Row:
    """market/time."""
    return {"timeSecond": str(venue.now // 1000), "timeNano": str(venue.now * 1_000_000)}


def tiers(venue: BybitVenue, fields: Fields) -> Row:
    """market/risk-limit: one."""
    linear(fields)
    row = {"id": 1, "riskLimitValue": "2000000", "maintenanceMargin": "0.005", "initialMargin": "0.01", "isLowestRisk": 1}
    insts = [venue.inst(fields)] if fields.get("symbol") else venue.instruments.values()
    return {"category": "linear", "list": [row | {"symbol": inst.symbol, "maxLeverage": "100.00"} for inst in insts]}


def next_funding(venue: BybitVenue) -> int:
    """When funding is settled next."""
    return (venue.now // FUNDING_MS + 1) * FUNDING_MS


def tickers(venue: BybitVenue, fields: Fields) -> Row:
    """market/tickers: mark price and funding rate are here too."""
    linear(fields)
    insts = [venue.inst(fields)] if fields.get("symbol") else venue.instruments.values()
    rows = [ticker_row(inst, venue.market(inst), venue.now, next_funding(venue)) for inst in insts]
    if venue.faults.hit("stale_ticker"):
        rows = venue.old.get("tickers", rows)
    venue.old["tickers"] = rows
    return {"category": "linear", "list": list(rows)}


def funding_history(venue: BybitVenue, fields: Fields) -> Row:
    """market/funding/history: the same rate at each settlement since the path began."""
    linear(fields)
    inst = venue.inst(fields)
    market = venue.market(inst)
    first, rate = market.minutes[0].open_ms // FUNDING_MS + 1, number(Decimal(market.rate_e8) / 10**8)
    times = [n * FUNDING_MS for n in range(first, venue.now // FUNDING_MS + 1)]
    rows = [{"symbol": inst.symbol, "fundingRate": rate, "fundingRateTimestamp": str(t_ms)} for t_ms in times]
    return {"category": "linear", "list": rows[::-1][: whole(fields, "limit", 1, 200, 200)]}


def candles(venue: BybitVenue, fields: Fields) -> Row:
    """market/kline: newest first, the forming one too."""
    linear(fields)
    inst, span = venue.inst(fields), SPANS.get(str(fields.get("interval")))
    if span is None:
        raise wrong("interval")
    first, last = (whole(fields, name, 0, 10**15, default) for name, default in (("start", 0), ("end", 10**15)))
    listed = venue.market(inst).candles(span)
    if venue.faults.hit("stale_candles"):
        listed = listed[:-3]
    shown = [candle for candle in listed if first <= candle.open_ms <= last]
    limit = whole(fields, "limit", 1, 1000, 200)
    kept = shown[:limit] if fields.get("start") and not fields.get("end") else shown[-limit:]
    return {"category": "linear", "symbol": inst.symbol, "list": [candle_row(inst, candle) for candle in kept[::-1]]}


def books(venue: BybitVenue, fields: Fields) -> Row:
    """market/orderbook: five levels a side."""
    linear(fields)
    inst = venue.inst(fields)
    market, now = venue.market(inst), venue.now
    size = inst.size(market.depth_lots)
    asks, bids = ([[inst.price(market.best(side) + side * n), size] for n in range(5)] for side in (1, -1))
    return {"s": inst.symbol, "a": asks, "b": bids, "ts": now, "u": now // 1000, "seq": now, "cts": now}
