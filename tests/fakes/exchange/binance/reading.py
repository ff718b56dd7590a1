"""Binance's questions: orders, executions, income, positions, settings and market data. Lists: oldest first."""

from typing import Any

from engine.clock import LOCAL_MS, LOCAL_TIMEFRAME
from tests.fakes.exchange.binance.rows import (
    Row,
    asset_row,
    candle_row,
    instrument_row,
    old_position_row,
    position_row,
    premium_row,
    rate,
    ticker_row,
)
from tests.fakes.exchange.binance.trading import find_algo, find_order
from tests.fakes.exchange.binance.venue import BinanceVenue
from tests.fakes.exchange.binance.words import NO_ORDER, Fault, required, truth, whole
from tests.fakes.exchange.market import FUNDING_MS
from tests.fakes.exchange.orders import CANCELED, Refused

Fields = dict[str, Any]
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
KEPT_MS = 3 * DAY_MS  # of an order that was cancelled without executions
ROWS, ROWS_MAX = 500, 1_000
INCOMES = ("TRANSFER", "WELCOME_BONUS", "REALIZED_PNL", "FUNDING_FEE", "COMMISSION", "INSURANCE_CLEAR", "REFERRAL_KICKBACK")
SPANS = {"1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000, "4h": 14_400_000}
SPANS |= {"1d": DAY_MS}
SPANS |= {LOCAL_TIMEFRAME: LOCAL_MS}  # no real venue has it


def page(venue: BinanceVenue, rows: list[Row], fields: Fields, time_key: str, id_key: str = "", default: int = ROWS) -> list[Row]:
    """Rows (oldest first) from an id on, or of at most seven days: the last seven where no time is given.

    `id_key` is the row's name of the id, empty where a list cannot be read from one. Raises Fault.
    """
    from_id, start, end = (whole(fields, name) for name in ("fromId" if id_key == "id" else id_key, "startTime", "endTime"))
    limit = min(whole(fields, "limit") or default, ROWS_MAX)
    if from_id is not None and id_key:
        if id_key == "id" and (start is not None or end is not None):
            raise Fault(-1128, "Combination of optional parameters invalid.")
        return [row for row in rows if row[id_key] >= from_id][:limit]
    if start is not None and end is not None and end - start > WEEK_MS:
        raise Fault(-4165, "Invalid time interval: Maximum time interval is 7 days.")
    until = end if end is not None else (venue.now if start is None else start + WEEK_MS)
    since = start if start is not None else until - WEEK_MS
    found = [row for row in rows if since <= row[time_key] <= until]
    return found[-limit:] if start is None else found[:limit]


# ---- orders -------------------------------------------------------------------------------------------------------------


def get_order(venue: BinanceVenue, fields: Fields) -> Row:
    """order. Raises Fault -2013."""
    order = find_order(venue, fields)
    if order is None:
        raise Fault(*NO_ORDER)
    return venue.order(order)


def open_order(venue: BinanceVenue, fields: Fields) -> Row:
    """openOrder: -2013 for one that has ended, too."""
    order = find_order(venue, fields)
    if order is None or not order.is_open:
        raise Fault(*NO_ORDER)
    return venue.order(order)


def get_algo(venue: BinanceVenue, fields: Fields) -> Row:
    """algoOrder. Raises Fault -2013."""
    unaskable(venue)
    algo = find_algo(venue, fields)
    if algo is None:
        raise Fault(*NO_ORDER)
    return venue.algo(algo)


def unaskable(venue: BinanceVenue) -> None:
    """The fault of conditional orders that cannot be asked for. Raises Fault."""
    if venue.faults.hit("algo_unaskable"):
        raise Fault(-1001, "Internal error; unable to process your request. Please try again.", 500)


def open_orders(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """openOrders."""
    names = {inst.name for inst in venue.wanted(fields)}
    return [venue.order(order) for order in venue.exchange.open_orders() if order.symbol in names]


def all_orders(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """allOrders: without those that were cancelled three days ago and had no execution."""
    name, since = venue.inst(fields).name, venue.now - KEPT_MS
    orders = [order for order in venue.exchange.orders.values() if order.symbol == name]
    kept = [order for order in orders if order.filled or order.state != CANCELED or order.created_ms >= since]
    return page(venue, [venue.order(order) for order in kept], fields, "time", "orderId")


def open_algos(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """openAlgoOrders."""
    unaskable(venue)
    if fields.get("algoType", "CONDITIONAL") != "CONDITIONAL":
        raise Fault(-1130, "Data sent for parameter 'algoType' is not valid.")
    names = {inst.name for inst in venue.wanted(fields)}
    return [venue.algo(algo) for algo in venue.exchange.open_algos() if algo.symbol in names]


def all_algos(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """allAlgoOrders: open ones too, without those that were cancelled three days ago."""
    unaskable(venue)
    name, since = venue.inst(fields).name, venue.now - KEPT_MS
    algos = [algo for algo in venue.exchange.algos.values() if algo.symbol == name]
    kept = [algo for algo in algos if algo.state != CANCELED or algo.created_ms >= since]
    return page(venue, [venue.algo(algo) for algo in kept], fields, "createTime", "algoId")


def trades(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """userTrades."""
    symbol, order = venue.inst(fields).symbol, whole(fields, "orderId")
    rows = [row for row in venue.fills() if row["symbol"] == symbol and order in (None, row["orderId"])]
    rows = venue.faults.executed(rows, "time", venue.now)
    return page(venue, rows, fields, "time", "id")


def income(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """income: of all symbols and kinds, unless some are asked for."""
    symbols, kind = {inst.symbol for inst in venue.wanted(fields)}, fields.get("incomeType")
    if kind not in (None, "", *INCOMES):
        raise Fault(-1130, "Data sent for parameter 'incomeType' is not valid.")
    symbols |= set() if fields.get("symbol") else {""}
    rows = [row for row in venue.income() if row["symbol"] in symbols and kind in (None, "", row["incomeType"])]
    return venue.faults.paged(page(venue, venue.faults.billed(rows, "time"), fields, "time", default=100))


# ---- account ------------------------------------------------------------------------------------------------------------


def positions(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """v3/positionRisk: symbols with a position or an open order alone."""
    account, ordered = venue.exchange.account, {order.symbol for order in venue.exchange.open_orders()}
    named = {inst.name: (inst, account.position(inst.name)) for inst in venue.wanted(fields)}
    rows = [position_row(x, held, venue.market(x)) for name, (x, held) in named.items() if held.lots or name in ordered]
    return stale(venue, f"v3 {fields.get('symbol', '')}", rows)


def old_positions(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """v2/positionRisk: every symbol."""
    position = venue.exchange.account.position
    insts = venue.wanted(fields)
    rows = [old_position_row(x, position(x.name), venue.market(x), venue.margin_types[x.symbol]) for x in insts]
    return stale(venue, f"v2 {fields.get('symbol', '')}", rows)


def stale(venue: BinanceVenue, name: str, rows: list[Row]) -> list[Row]:
    """Positions, or what they were when the fault began."""
    if venue.faults.hit("stale_positions"):
        return list(venue.old.get(name, []))
    venue.old[name] = rows
    return rows


def account(venue: BinanceVenue, _: Fields) -> Row:
    """v3/account."""
    held, markets = venue.exchange.account, venue.exchange.markets.values()
    upl = sum(held.unrealized(market.contract, market.mark) for market in markets)
    margin = sum(held.margin(market.contract) for market in markets)
    asset = asset_row(held.cash, upl, margin, held.cash - margin - venue.exchange.available(), venue.now)
    sums = {"totalInitialMargin": "initialMargin", "totalMaintMargin": "maintMargin", "totalWalletBalance": "walletBalance"}
    sums |= {"totalUnrealizedProfit": "unrealizedProfit", "totalMarginBalance": "marginBalance"}
    sums |= {"totalPositionInitialMargin": "positionInitialMargin", "totalOpenOrderInitialMargin": "openOrderInitialMargin"}
    sums |= {"totalCrossWalletBalance": "crossWalletBalance", "totalCrossUnPnl": "crossUnPnl"}
    sums |= {"availableBalance": "availableBalance", "maxWithdrawAmount": "maxWithdrawAmount"}
    names = ("symbol", "positionSide", "positionAmt", "isolatedMargin", "isolatedWallet", "notional", "initialMargin")
    names += ("maintMargin", "updateTime")
    rows = [{name: row[name] for name in names} | {"unrealizedProfit": row["unRealizedProfit"]} for row in positions(venue, {})]
    return {name: asset[part] for name, part in sums.items()} | {"assets": [asset], "positions": rows}


def account_config(venue: BinanceVenue, _: Fields) -> Row:
    """accountConfig."""
    flags = {"canTrade": True, "canDeposit": True, "canWithdraw": True, "multiAssetsMargin": venue.multi_assets}
    return flags | {"feeTier": 0, "dualSidePosition": venue.hedge_mode, "updateTime": 0, "tradeGroupId": -1}


def symbol_config(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """symbolConfig: kind of margin and leverage."""
    return [
        {"symbol": inst.symbol, "marginType": venue.margin_types[inst.symbol], "isAutoAddMargin": False}
        | {"leverage": venue.leverage(inst.name), "maxNotionalValue": "20000000"}
        for inst in venue.wanted(fields)
    ]


def brackets(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """leverageBracket: one a symbol."""
    only = {"bracket": 1, "notionalCap": 300_000, "notionalFloor": 0, "maintMarginRatio": 0.004, "cum": 0.0}
    return [{"symbol": x.symbol, "brackets": [only | {"initialLeverage": x.contract.leverage_max}]} for x in venue.wanted(fields)]


def position_mode(venue: BinanceVenue, _: Fields) -> Row:
    """positionSide/dual."""
    return {"dualSidePosition": venue.hedge_mode}


def set_position_mode(venue: BinanceVenue, fields: Fields) -> Row:
    """positionSide/dual."""
    required(fields, "dualSidePosition")
    wanted = truth(fields, "dualSidePosition")
    if wanted is venue.hedge_mode:
        raise Fault(-4059, "No need to change position side.")
    if any(held.lots for held in venue.exchange.account.positions.values()):
        raise Fault(-4068, "Position side cannot be changed if there exists position.")
    venue.hedge_mode = wanted
    return {"code": 200, "msg": "success"}


def set_margin_type(venue: BinanceVenue, fields: Fields) -> Row:
    """marginType of a symbol. The exchange's margin is isolated whatever is set here."""
    inst, wanted = venue.inst(fields), required(fields, "marginType")
    if wanted not in ("ISOLATED", "CROSSED"):
        raise Fault(-1102, "Mandatory parameter 'marginType' was not sent, was empty/null, or malformed.")
    if wanted == venue.margin_types[inst.symbol]:
        raise Fault(-4046, "No need to change margin type.")
    if venue.exchange.account.position(inst.name).lots:
        raise Fault(-4048, "Margin type cannot be changed if there exists position.")
    venue.margin_types[inst.symbol] = wanted
    return {"code": 200, "msg": "success"}


def set_leverage(venue: BinanceVenue, fields: Fields) -> Row:
    """leverage of a symbol."""
    inst, leverage = venue.inst(fields), whole(fields, "leverage")
    try:
        venue.exchange.set_leverage(inst.name, leverage or 0)
    except Refused:
        raise Fault(-4028, f"Leverage {leverage} is not valid") from None
    return {"symbol": inst.symbol, "leverage": leverage, "maxNotionalValue": "20000000"}


def commission(venue: BinanceVenue, fields: Fields) -> Row:
    """commissionRate."""
    inst = venue.inst(fields)
    rates = {"makerCommissionRate": inst.contract.maker_ppm, "takerCommissionRate": inst.contract.taker_ppm}
    return {"symbol": inst.symbol} | {name: f"{ppm / 1e6:.6f}" for name, ppm in rates.items()}


def restrictions(venue: BinanceVenue, _: Fields) -> Row:
    """sapi account/apiRestrictions: what the key may do."""
    rest = dict.fromkeys(("enableInternalTransfer", "permitsUniversalTransfer", "enableMargin", "enableVanillaOptions"), False)
    return venue.rights | rest | {"enableSpotAndMarginTrading": False, "createTime": 1_690_000_000_000}


# ---- market -------------------------------------------------------------------------------------------------------------


def trading_rules(venue: BinanceVenue, _: Fields) -> Row:
    """exchangeInfo."""
    weight = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}
    limits = [weight, {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300}]
    assets = [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}]
    symbols = [instrument_row(inst, venue.market(inst)) for inst in venue.instruments.values()]
    symbols = [row | {"status": "SETTLING"} if row["symbol"] in venue.suspended else row for row in symbols]
    symbols = [row for row in symbols if row["symbol"] not in venue.unknown]
    for one in (one for row in symbols for one in (row, *row["filters"])):
        one |= {name: value for name, value in venue.recounted.items() if name in one}
    head = {"timezone": "UTC", "serverTime": venue.now, "futuresType": "U_MARGINED", "exchangeFilters": []}
    return head | {"rateLimits": limits, "assets": assets, "symbols": symbols}


def server_time(venue: BinanceVenue, _: Fields) -> Row:
    """time."""
    return {"serverTime": venue.now}


def one_or_all(fields: Fields, rows: list[Row]) -> Any:
    """An object where a symbol was named, else a list."""
    return rows[0] if fields.get("symbol") else rows


def premium(venue: BinanceVenue, fields: Fields) -> Any:
    """premiumIndex."""
    due = (venue.now // FUNDING_MS + 1) * FUNDING_MS
    return one_or_all(fields, [premium_row(x, venue.market(x), due, venue.now) for x in venue.wanted(fields)])


def funding_history(venue: BinanceVenue, fields: Fields) -> list[Row]:
    """fundingRate: the same rate at each settlement since the path began; the venue bounds it by rows, not by days."""
    rows: list[Row] = []
    for inst in venue.wanted(fields):
        market = venue.market(inst)
        fixed = {"symbol": inst.symbol, "fundingRate": rate(market), "markPrice": inst.price(market.mark)}
        first = market.minutes[0].open_ms // FUNDING_MS + 1
        rows += [fixed | {"fundingTime": n * FUNDING_MS} for n in range(first, venue.now // FUNDING_MS + 1)]
    start, end = whole(fields, "startTime"), whole(fields, "endTime")
    limit = min(whole(fields, "limit") or 100, ROWS_MAX)
    found = [row for row in rows if (start or 0) <= row["fundingTime"] <= (venue.now if end is None else end)]
    return found[-limit:] if start is None else found[:limit]


def tickers(venue: BinanceVenue, fields: Fields) -> Any:
    """ticker/24hr."""
    rows = one_or_all(fields, [ticker_row(inst, venue.market(inst), venue.now) for inst in venue.wanted(fields)])
    name = f"ticker {fields.get('symbol', '')}"
    if venue.faults.hit("stale_ticker"):
        return venue.old.get(name, rows)
    venue.old[name] = rows
    return rows


def candles(venue: BinanceVenue, fields: Fields) -> list[list[Any]]:
    """klines: the forming candle is the last of them."""
    inst, span = venue.inst(fields), SPANS.get(required(fields, "interval"))
    if span is None:
        raise Fault(-1120, "Invalid interval.")
    start, end, limit = (whole(fields, name) for name in ("startTime", "endTime", "limit"))
    listed = venue.market(inst).candles(span)
    if venue.faults.hit("stale_candles"):
        listed = listed[:-3]
    found = [x for x in listed if (start is None or x.open_ms >= start) and (end is None or x.open_ms <= end)]
    most = min(limit or ROWS, 1_500)
    return [candle_row(inst, x, span) for x in (found[-most:] if start is None else found[:most])]


def book(venue: BinanceVenue, fields: Fields) -> Row:
    """depth: five levels a side; `lastUpdateId` joins it to the stream."""
    inst = venue.inst(fields)
    market = venue.market(inst)
    size = inst.size(market.depth_lots)
    asks, bids = ([[inst.price(market.best(sign) + sign * n), size] for n in range(5)] for sign in (1, -1))
    return {"lastUpdateId": venue.books[inst.symbol], "E": venue.now, "T": venue.now, "bids": bids, "asks": asks}


def listen_key(venue: BinanceVenue, _: Fields) -> Row:
    """POST and PUT listenKey: the same key while it lives, which is an hour from the last of them."""
    if venue.faults.hit("bad_login"):
        raise Fault(-1125, "This listenKey does not exist.")
    return {"listenKey": venue.renewed_key()}


def close_listen_key(venue: BinanceVenue, _: Fields) -> Row:
    """DELETE listenKey."""
    venue.key_ends_ms = 0
    return {}
