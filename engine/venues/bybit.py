"""Bybit v5 linear perpetuals through ccxt: one instrument of one unified account, as engine.venues.live_port.LiveVenue.

Called by the live desk's duties alone. Every order has our id as `orderLinkId`. A protective order is a conditional one: when it
fires it keeps both of its ids, so it has no child and its fills carry our id. Calls are raw: where ccxt 4.5.90 cancels or asks by
`clientOrderId`, it sends that field, which Bybit does not know; it will not ask for an order of a unified account without a flag,
and asks for fundings with a `size` that Bybit does not know.
Bybit counts base units: `lot` is how many of them are one lot of the desk. An answer to a request says that it has arrived, not
how it ended: an order that is not there is an empty list, not a code.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from engine.core.orders import DONE, PARTIAL, REJECTED, WORKING, VenueOrder
from engine.core.orders import UNKNOWN as IN_DOUBT
from engine.core.state import ENTRY, PROTECTIVE
from engine.errors import DataError
from engine.venues.answers import (
    each_apart,
    failed,
    fee_of,
    level_of,
    lots_of,
    moved,
    price_of,
    readable,
    row_about,
    rows_about,
    silent,
    size_of,
    unasked,
)
from engine.venues.instruments import Instrument
from engine.venues.live_port import LiveAnswer, StandingOrder, VenueBill, VenuePosition, VenueTrade, VenueTransfer
from engine.venues.outcome import NOT_FOUND, REFUSALS, Outcome, table_of
from engine.venues.outcome import REJECTED as REFUSED
from engine.venues.outcome import UNKNOWN as UNPROVEN
from engine.venues.pace import turn
from engine.venues.transfer_bills import BYBIT as BILLS
from engine.venues.transfer_bills import named_transfers

WEEK_MS = 7 * 86_400_000  # the longest window of a list, and the one that a list has without times
BACK_MS = 60_000  # how late an execution may be listed behind newer ones
AHEAD_MS = 60_000  # of the venue's clock before ours, at most
PAGES_MAX = 200  # of one window: a cursor that runs in a circle is an error, not a desk that hangs
WEEKS_MAX = 105  # two years are kept
SIDES = {"Buy": 1, "Sell": -1}
STATES = {"New": WORKING, "Untriggered": WORKING, "Triggered": WORKING, "PartiallyFilled": PARTIAL, "Filled": DONE}
STATES |= dict.fromkeys(("Cancelled", "PartiallyFilledCanceled", "Deactivated"), DONE)
FUNDING = "Funding"  # an execution that is a bill
# execType, and createType of its order, of what no order of anybody made: as Bybit's page of enums (v5) has them; no payload seen
FORCED = {"AdlTrade": "adl", "BustTrade": "liquidation", "Settle": "delivery", "Delivery": "delivery"}
FORCED |= {"CreateByLiq": "liquidation", "CreateByTakeOver_PassThrough": "liquidation", "CreateByAdl_PassThrough": "adl"}
FORCED |= {"CreateBySettle": "delivery"}  # its page: a contract was delisted; a trade without an order
REFUSED_STATE = "Rejected"  # refused after it was taken down, or when it was triggered

# https://bybit-exchange.github.io/docs/v5/error, as ccxt 4.5.90 lists it. Not in it, so UNKNOWN: 10016, 5004 (system error,
# server timeout), 10014 (duplicate request), 110019, 110030 (an id of theirs). From memory: 110079 (order in processing).
OUTCOMES: Mapping[str, Outcome] = table_of(
    exists="110072",
    not_found="110001 110008 110010",
    passed="110092 110093",
    not_taken="10002 10003 10004 10005 10006 10007 10008 10009 10010 10017 10018 10024 10027 10028 10029 110063 110066",
    rejected="10001 110003 110004 110005 110006 110007 110009 110011 110012 110013 110014 110015 110016 110017 110018 110020"
    " 110021 110022 110023 110031 110032 110033 110034 110035 110036 110037 110038 110039 110040 110041 110042"
    " 110044 110045 110046 110047 110048 110049 110050 110051 110052 110053 110054 110055 110056 110057 110058"
    " 110059 110060 110061 110064 110065 110067 110068 110069 110070 110079 110094",
)


class BybitVenue(NamedTuple):
    """`trading` and `polling` are two ccxt.pro.bybit of one account, so that a poll never queues before a stop."""

    trading: Any
    polling: Any
    instrument: Instrument
    symbol: str  # BTCUSDT
    lot: Decimal  # base units of one lot

    @property
    def attaches(self) -> str:
        """Its `stopLoss` has no id and is one for all sleeves: the stop is a conditional order that follows the entry."""
        return "beside"

    async def place(self, order: VenueOrder, attached: VenueOrder | None = None) -> LiveAnswer:  # noqa: ARG002 - it comes by itself
        """Hand an order over; the same client id again places nothing (EXISTS)."""
        body = self._mine(order) | {
            "positionIdx": 0,
            "side": "Buy" if order.side > 0 else "Sell",
            "orderType": "Market" if order.slot == PROTECTIVE or order.price == 0.0 else "Limit",
            "qty": self._size(order.left),
            "reduceOnly": order.slot != ENTRY,
        }
        if order.slot == PROTECTIVE:  # 1: it waits for a price that rises
            way = 1 if order.side > 0 else 2
            body |= {"triggerPrice": self._price(order.price), "triggerDirection": way, "triggerBy": "LastPrice"}
        elif order.price != 0.0:
            body |= {"price": self._price(order.price), "timeInForce": "PostOnly" if order.post_only else "GTC"}
        return await self._request(order, self.trading.private_post_v5_order_create, body)

    async def amend(self, order: VenueOrder, price: float, lots: int) -> LiveAnswer:
        """Let a standing order stand at `price` with `lots` in all. One that the venue will not move is asked how it stands; a
        stop is asked too once it was acknowledged, since Bybit acknowledges what arrives.
        """
        level = "triggerPrice" if order.slot == PROTECTIVE else "price"
        body = self._mine(order) | {"qty": self._size(lots), level: self._price(price)}

        async def sent() -> LiveAnswer:
            found = await self._request(order, self.trading.private_post_v5_order_amend, body)
            return found._replace(price=price, lots=lots)

        found = await sent()
        if found.state != WORKING:
            return await self._as_it_stands(order, found._replace(price=None, lots=None))
        return await moved(found, lambda: self.ask(order), sent) if order.slot == PROTECTIVE else found

    async def cancel(self, order: VenueOrder) -> LiveAnswer:
        """End an order. That it was asked to end says nothing yet of what it had filled: it is asked."""
        sent = await self._request(order, self.trading.private_post_v5_order_cancel, self._mine(order))
        return await self.ask(order) if sent.state == WORKING else await self._as_it_stands(order, sent)

    async def _as_it_stands(self, order: VenueOrder, failed: LiveAnswer) -> LiveAnswer:
        """How an order stands that the venue would not amend or cancel; as it failed where nobody knows."""
        if failed.outcome not in (*REFUSALS, NOT_FOUND):
            return failed
        found = await self.ask(order)
        return found._replace(why=failed.why, outcome=failed.outcome)

    async def ask(self, order: VenueOrder) -> LiveAnswer:
        """How an order stands, by its client id. The list of recent orders forgets: what is not in it is asked of the history."""
        try:
            for name in ("private_get_v5_order_realtime", "private_get_v5_order_history"):
                if rows := (await self._page(name, self._mine(order)))[0]:
                    return self._stands_as(order, row_about(rows[0], "orderLinkId", order.id))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is known
            return unasked(order, error, OUTCOMES)
        return LiveAnswer(order.id, IN_DOUBT, order.filled, "in no list of orders", outcome=NOT_FOUND)

    @readable("Bybit", "standing")
    async def standing(self) -> Sequence[StandingOrder]:
        """Every order that the venue holds for the instrument: of both kinds, whatever a list without a filter shows."""
        about = {"category": "linear", "symbol": self.symbol, "limit": "50"}
        both = [await self._rows("private_get_v5_order_realtime", about | more) for more in ({}, {"orderFilter": "StopOrder"})]
        return [self._stands(row) for row in {row["orderId"]: row for rows in both for row in rows}.values()]

    @readable("Bybit", "trades")
    async def trades(self, cursor: str) -> tuple[Sequence[VenueTrade], str]:
        """Executions behind the cursor, without one those of a week.

        Bybit lists by time alone, and nothing promises that an older one is listed before a newer one. So each look goes back by
        a minute, and a cursor is the time of the newest with the (time, id) of all that were seen in the minute before it.
        """
        newest, _, kept = cursor.partition(":")
        seen = {id_: int(t_ms) for t_ms, _, id_ in (pair.partition("/") for pair in kept.split(",") if pair)}
        about = {"category": "linear", "symbol": self.symbol, "limit": "100"}
        since = max(1, int(newest) - BACK_MS) if newest else 0
        rows = await self._since("private_get_v5_execution_list", about, since, "execTime")
        each = {(row["execId"], row["side"]): row for row in rows if row["execType"] != FUNDING}
        new = [row for (id_, _), row in each.items() if id_ not in seen]
        if not new:
            return [], cursor
        seen |= {row["execId"]: int(row["execTime"]) for row in new}
        new = each_apart(new, "execId")
        last = max(seen.values())
        pairs = sorted(f"{t_ms}/{id_}" for id_, t_ms in seen.items() if t_ms >= last - BACK_MS)
        return [self._trade(row) for row in new], f"{last}:{','.join(pairs)}"

    @readable("Bybit", "bills")
    async def bills(self, since_ms: int) -> Sequence[VenueBill]:
        """Funding settlements from a time on, of two years at most, by the account's transaction log."""
        about = {"accountType": "UNIFIED", "category": "linear", "currency": "USDT", "type": "SETTLEMENT", "limit": "50"}
        rows = await self._since("private_get_v5_account_transaction_log", about, max(1, since_ms), "transactionTime")
        return [self._bill(row) for row in rows if row["symbol"] == self.symbol]

    @readable("Bybit", "transfers")
    async def transfers(self, since_ms: int) -> Sequence[VenueTransfer]:
        """As LiveVenue, by the account's transaction log: of all categories, a transfer is of none."""
        about = {"accountType": "UNIFIED", "currency": self.instrument.symbol.partition("-")[2], "limit": "50"}
        rows = await self._since("private_get_v5_account_transaction_log", about, max(1, since_ms), "transactionTime")
        return named_transfers("Bybit", rows, BILLS)

    @readable("Bybit", "position")
    async def position(self) -> VenuePosition:
        """The net position; isolated or not is the account's setting. Raises DataError in hedge mode: a desk counts one side."""
        account = await self._result("private_get_v5_account_info", {})
        about = {"category": "linear", "symbol": self.symbol}
        listed = rows_about((await self._page("private_get_v5_position_list", about))[0], "symbol", self.symbol)
        each = {row["positionIdx"]: row for row in listed}  # one that comes twice is one
        rows = [row for row in each.values() if float(row["size"] or 0)]
        isolated = account["marginMode"] == "ISOLATED_MARGIN"
        if any(row["positionIdx"] != 0 for row in rows):
            raise DataError(
                f"{self.symbol}: the account is in hedge mode", "set one-way mode: Derivatives > Preferences > Position mode"
            )
        if not rows:
            leverage = float(listed[0].get("leverage") or 0) or None if listed else None
            return VenuePosition(0, None, isolated, leverage, None)
        figures = [float(rows[0][name]) if rows[0].get(name) else None for name in ("avgPrice", "leverage", "liqPrice")]
        net = sum(self._lots(row["size"]) * SIDES[row["side"]] for row in rows)
        return VenuePosition(net, figures[0], isolated, *figures[1:])

    # ---- requests and rows ----------------------------------------------------------------------------------------------

    def _mine(self, order: VenueOrder) -> dict[str, Any]:
        """What names an order."""
        return {"category": "linear", "symbol": self.symbol, "orderLinkId": order.id}

    async def _request(self, order: VenueOrder, call: Any, body: Any) -> LiveAnswer:
        """Send it once. An answer without an error proves that it was taken; of an error the table says what it proves."""
        try:
            answer = (await call(body))["result"]
            if answer.get("orderLinkId"):
                row_about(answer, "orderLinkId", order.id)
            return LiveAnswer(order.id, WORKING, order.filled, venue_id=answer["orderId"])
        except Exception as error:  # noqa: BLE001 - whatever it is: the table says what it proves, and else nothing
            return failed(order, error, OUTCOMES)

    def _stands_as(self, order: VenueOrder, row: Mapping[str, Any]) -> LiveAnswer:
        """A row of order/realtime or order/history. One that was refused with fills has ended; without any it never stood."""
        said, filled = row["orderStatus"], self._lots(row["cumExecQty"])
        state = STATES.get(said, IN_DOUBT) if said != REFUSED_STATE else DONE if filled else REJECTED
        why = said if state in (WORKING, PARTIAL) or said == "Filled" else f"{said} {row.get('rejectReason') or ''}".strip()
        found = LiveAnswer(
            order.id, state, filled, why, venue_id=row["orderId"], outcome=REFUSED if state == REJECTED else UNPROVEN
        )
        if state not in (WORKING, PARTIAL):
            return found
        return found._replace(price=self._level(row), lots=self._lots(row["qty"]))

    @staticmethod
    def _level(row: Mapping[str, Any]) -> float:
        """Where an order stands: its trigger while it waits, then its limit; 0 at the market."""
        name = "triggerPrice" if row["orderStatus"] == "Untriggered" else "price"
        return level_of(row[name])

    def _stands(self, row: Mapping[str, Any]) -> StandingOrder:
        """A row of the list of open orders."""
        waits, side = row["orderStatus"] == "Untriggered", SIDES[row["side"]]
        sizes = (self._lots(row["qty"]), self._lots(row["cumExecQty"]))
        ids = row["orderLinkId"] or "", row["orderId"]
        return StandingOrder(*ids, side, *sizes, self._level(row), waits, bool(row["reduceOnly"]))

    def _trade(self, row: Mapping[str, Any]) -> VenueTrade:
        """A row of execution/list: Bybit says a fee as what it cost."""
        side, size, price = SIDES[row["side"]], self._lots(row["execQty"]), float(row["execPrice"])
        ids = (row["execId"], row["orderId"], row["orderLinkId"] or "")
        forced = FORCED.get(row["execType"]) or FORCED.get(str(row.get("createType") or ""), "")
        fee, other = fee_of(row["execFee"], row.get("feeCurrency"), self.instrument.symbol.partition("-")[2])
        figures = side, size, price, fee, bool(row["isMaker"]), int(row["execTime"])
        return VenueTrade._make((*ids, *figures, forced, other))

    def _bill(self, row: Mapping[str, Any]) -> VenueBill:
        """A line of the transaction log: `change` is what the balance changed by. Raises DataError without an id."""
        if not row["tradeId"]:
            raise DataError(f"{self.symbol}: a funding of {row['transactionTime']} has no id", "it cannot be booked exactly once")
        return VenueBill(row["tradeId"], float(row["change"]), int(row["transactionTime"]))

    async def _since(self, name: str, about: dict[str, str], since_ms: int, time: str) -> list[Mapping[str, Any]]:
        """A list from a time on (0: of a week), oldest first: windows of a week, each with all of its pages."""
        if not since_ms:
            return await self._rows(name, about, time)
        rows: list[Mapping[str, Any]] = []
        now = int(self.polling.milliseconds())
        start = max(since_ms, now - WEEKS_MAX * WEEK_MS)
        while True:
            end = start + WEEK_MS
            rows += await self._rows(name, about | {"startTime": str(start), "endTime": str(end - 1)}, time)
            if end > now + AHEAD_MS:
                return rows
            start = end

    async def _rows(self, name: str, about: Mapping[str, str], time: str = "createdTime") -> list[Mapping[str, Any]]:
        """All pages of a list, oldest first. A page behind the last one is empty; a short one need not be the last."""
        found: list[Mapping[str, Any]] = []
        cursor: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            rows, after = await self._page(name, {**about, **cursor})
            found += rows
            if not rows or not after:
                found.reverse()  # what shares a millisecond stays in its order
                mine = rows_about(found, "symbol", about["symbol"]) if "symbol" in about else found
                return sorted(mine, key=lambda row: int(row[time]))
            cursor = {"cursor": after}
        raise DataError(f"Bybit's {name} has more than {PAGES_MAX} pages", "nothing is assumed of it; ask for a shorter time")

    async def _page(self, name: str, about: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str]:
        """The rows of one answer, and the cursor of the next. Raises DataError."""
        result = await self._result(name, about)
        try:
            return list(result["list"]), result.get("nextPageCursor") or ""
        except (KeyError, TypeError, AttributeError) as error:
            raise silent("Bybit", name.removeprefix("private_get_v5_"), error) from error

    async def _result(self, name: str, about: Mapping[str, str]) -> Mapping[str, Any]:
        """What one answer holds. Raises DataError."""
        await turn(self.polling, name)
        try:
            found: Mapping[str, Any] = (await getattr(self.polling, name)(dict(about)))["result"]
            return found
        except Exception as error:
            raise silent("Bybit", name.removeprefix("private_get_v5_"), error) from error

    def _size(self, lots: int) -> str:
        """Lots as base units."""
        return size_of(lots, self.lot)

    def _lots(self, size: Any) -> int:
        """Base units as lots. Raises DataError."""
        return lots_of(size, self.lot, self.symbol)

    def _price(self, price: float) -> str:
        """A price on the instrument's tick."""
        return price_of(price, self.instrument.tick)
