"""OKX v5 perpetuals through ccxt: one instrument of one account, as engine.venues.live_port.LiveVenue.

Called by the live desk's duties alone. Entries, targets and exits are normal orders; a protective order is a conditional algo
order, whose id is `algoClOrdId` and whose child comes with an id of its own. Calls are raw: ccxt 4.5.90 amends algo orders at
another endpoint, forgets `algoClOrdId` when it cancels one, and lists `trigger` orders alone.
OKX counts contracts: `contracts` is how many of them are one lot of the desk.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from engine.core.orders import DONE, PARTIAL, WORKING, VenueOrder
from engine.core.orders import UNKNOWN as IN_DOUBT
from engine.core.state import ENTRY, PROTECTIVE
from engine.errors import DataError
from engine.venues.answers import (
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
    together,
    unasked,
)
from engine.venues.binance_lists import cursor_of
from engine.venues.instruments import Instrument
from engine.venues.live_port import CHILDREN, LiveAnswer, StandingOrder, VenueBill, VenuePosition, VenueTrade, VenueTransfer
from engine.venues.outcome import NOT_FOUND, REFUSALS, Outcome, table_of
from engine.venues.transfer_bills import OKX as BILLS
from engine.venues.transfer_bills import named_transfers

PAGE = 100  # rows of a list
FUNDING = "8"  # type of a bill
RECENT_MS = 6 * 86_400_000  # bills of a week are in a list of their own, the archive of three months may be behind it
SIDES = {"buy": 1, "sell": -1}
STATES = {"live": WORKING, "partially_filled": PARTIAL, "filled": DONE, "canceled": DONE, "mmp_canceled": DONE}
ALGO_STATES = {"live": WORKING, "pause": WORKING, "partially_effective": WORKING, "canceled": DONE, "order_failed": DONE}
# subType of an execution that no order of anybody made: partial liquidation, liquidation, delivery (of a swap: delisted), ADL.
# The numbers are those of OKX's page of bills; that fills-history has them, too, is from memory, and no payload was seen
FORCED = dict.fromkeys(("100", "101", "102", "103", "104", "105", "106", "107"), "liquidation")
FORCED |= dict.fromkeys(("112", "113"), "delivery") | dict.fromkeys(("125", "126", "127", "128"), "adl")
FIRED = "effective"  # its child says how it stands

# https://www.okx.com/docs-v5/en/#error-code, as ccxt 4.5.90 lists it. Not in it, so UNKNOWN: 50004 (timeout: "does not indicate
# success or failure"), 50005, 50013, 50026 (down, busy, system error). 51065 is from memory: a duplicate algo id.
OUTCOMES: Mapping[str, Outcome] = table_of(
    exists="51016 51065",
    not_found="51400 51401 51402 51410 51503 51509 51600 51603",
    passed="51278 51280",
    not_taken="50001 50011 50061 50062 50100 50101 50102 50103 50104 50105 50106 50107 50110 50111 50112 50113 50114 50115"
    " 50120"  # the key has no right to it; from memory
    " 51030",  # at a settlement, for seconds: try again
    rejected="50002 50006 50007 50009 50012 50014 50015 50016 50017 50019 50020 50022 50024 50027 50028 51000 51001"
    " 51002 51004 51005 51006 51007 51008 51009 51010 51011 51015 51020 51021 51022 51023 51024 51025"
    " 51027 51028 51029 51031 51046 51047 51051 51100 51101 51102 51103 51104 51105 51106 51107"
    " 51108 51109 51110 51112 51115 51116 51117 51118 51119 51120 51121 51122 51124 51127 51129 51131"
    " 51134 51135 51136 51137 51138 51155 51162 51163 51169 51250 51251 51252 51253 51254 51258 51259"
    " 51260 51277 51279 51403 51404 51405 51408 51500 51501 51502 51506 51508 51510 51511",
)


class OkxVenue(NamedTuple):
    """`trading` and `polling` are two ccxt.pro.okx of one account, so that a poll never queues before a stop."""

    trading: Any
    polling: Any
    instrument: Instrument
    inst_id: str  # BTC-USDT-SWAP
    contracts: Decimal  # of one lot

    @property
    def attaches(self) -> str:
        """In the request of the entry: OKX has it as an algo order of its own id once the entry has ended with fills."""
        return "with"

    async def place(self, order: VenueOrder, attached: VenueOrder | None = None) -> LiveAnswer:
        """Hand an order over; the same client id again places nothing (EXISTS)."""
        common = {
            "instId": self.inst_id,
            "tdMode": "isolated",
            "side": "buy" if order.side > 0 else "sell",
            "sz": self._size(order.left),
        }
        if order.slot == PROTECTIVE:
            own = {"ordType": "conditional", "slTriggerPx": self._price(order.price), "slOrdPx": "-1", "slTriggerPxType": "last"}
            body = common | own | {"algoClOrdId": order.id, "clOrdId": order.id, "reduceOnly": True}  # else ccxt invents one
            return await self._request(order, self.trading.private_post_trade_order_algo, body)
        kind = "market" if order.price == 0.0 else "post_only" if order.post_only else "limit"
        body = common | {"clOrdId": order.id, "ordType": kind, "reduceOnly": order.slot != ENTRY}
        body |= {} if kind == "market" else {"px": self._price(order.price)}
        if attached is not None:
            own = {"slTriggerPx": self._price(attached.price), "slOrdPx": "-1", "slTriggerPxType": "last"}
            body |= {"attachAlgoOrds": [own | {"attachAlgoClOrdId": attached.id}]}
        return await self._request(order, self.trading.private_post_trade_order, body)

    async def amend(self, order: VenueOrder, price: float, lots: int) -> LiveAnswer:
        """Let a standing order stand at `price` with `lots` in all. One that the venue will not move is asked how it stands; a
        stop is asked too once it was acknowledged, since OKX acknowledges what arrives.
        """
        size = {"instId": self.inst_id, "newSz": self._size(lots)}
        call, body = self.trading.private_post_trade_amend_order, size | {"clOrdId": order.id, "newPx": self._price(price)}
        if order.slot == PROTECTIVE:
            call = self.trading.private_post_trade_amend_algos
            body = size | {"algoClOrdId": order.id, "newSlTriggerPx": self._price(price)}

        async def sent() -> LiveAnswer:
            return (await self._request(order, call, body))._replace(price=price, lots=lots)

        found = await sent()
        if found.state != WORKING:
            return await self._as_it_stands(order, found._replace(price=None, lots=None))
        return await moved(found, lambda: self.ask(order), sent) if order.slot == PROTECTIVE else found

    async def cancel(self, order: VenueOrder) -> LiveAnswer:
        """End an order. That it was asked to end says nothing yet of what it had filled: it is asked."""
        if order.slot == PROTECTIVE:
            algos = [{"instId": self.inst_id, "algoClOrdId": order.id}]
            sent = await self._request(order, self.trading.private_post_trade_cancel_algos, algos)
        else:
            body = {"instId": self.inst_id, "clOrdId": order.id}
            sent = await self._request(order, self.trading.private_post_trade_cancel_order, body)
        return await self.ask(order) if sent.state == WORKING else await self._as_it_stands(order, sent)

    async def _as_it_stands(self, order: VenueOrder, failed: LiveAnswer) -> LiveAnswer:
        """How an order stands that the venue would not amend or cancel; as it failed where nobody knows."""
        if failed.outcome not in (*REFUSALS, NOT_FOUND):
            return failed
        found = await self.ask(order)
        return found._replace(why=failed.why, outcome=failed.outcome)

    async def ask(self, order: VenueOrder) -> LiveAnswer:
        """How an order stands, by its client id; of a conditional one that has fired, how its child does."""
        try:
            if order.slot != PROTECTIVE:
                return self._normal(order, await self._one("private_get_trade_order", {"clOrdId": order.id}))
            algo = await self._one("private_get_trade_order_algo", {"algoClOrdId": order.id})
            kids = algo.get("ordIdList") or [algo.get("ordId") or ""]
            child = CHILDREN.join(kids)
            if algo["state"] == FIRED and child:
                rows = [await self._one("private_get_trade_order", {"ordId": kid}) for kid in kids]
                found = together([self._normal(order, row) for row in rows])
                return found._replace(venue_id=algo["algoId"], child_id=child)
            found = LiveAnswer(order.id, ALGO_STATES.get(algo["state"], IN_DOUBT), 0, algo["state"])
            found = found._replace(venue_id=algo["algoId"], child_id=child, fired=algo["state"] == FIRED)
            if found.state != WORKING:
                return found
            return found._replace(price=level_of(algo["slTriggerPx"]), lots=self._lots(algo["sz"]))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is known
            return unasked(order, error, OUTCOMES)

    @readable("OKX", "standing")
    async def standing(self) -> Sequence[StandingOrder]:
        """Every order that the venue holds for the instrument."""
        about = {"instType": "SWAP", "instId": self.inst_id}
        normal = await self._rows("private_get_trade_orders_pending", about, "ordId")
        algos = await self._rows("private_get_trade_orders_algo_pending", about | {"ordType": "conditional,oco"}, "algoId")
        more = await self._rows("private_get_trade_orders_algo_pending", about | {"ordType": "trigger"}, "algoId")
        return [*map(self._stands, normal), *map(self._stands, algos), *map(self._stands, more)]

    @readable("OKX", "trades")
    async def trades(self, cursor: str) -> tuple[Sequence[VenueTrade], str]:
        """Executions behind the cursor. A page holds the newest, so the pages go back until one is not full.

        Bills grow, and nothing promises that a lower one is listed first. So a cursor is the bill and time of all that were seen
        in the minute before the newest, and of the one before them, from which each look begins; it may be a bill alone.
        """
        seen = {int(id_): int(t_ms or 0) for id_, _, t_ms in (pair.partition("/") for pair in cursor.split(",") if pair)}
        about = {"instType": "SWAP", "instId": self.inst_id} | ({"before": str(min(seen))} if seen else {})
        rows = {int(row["billId"]): row for row in await self._rows("private_get_trade_fills_history", about, "billId")}
        new = {id_: self._trade(row) for id_, row in sorted(rows.items()) if id_ not in seen}
        return list(new.values()), cursor_of(seen | {id_: trade.t_ms for id_, trade in new.items()}) if new else cursor

    @readable("OKX", "bills")
    async def bills(self, since_ms: int) -> Sequence[VenueBill]:
        """Funding settlements from a time on. OKX does not filter the archive by time: pages are read until one is older.

        Since July 2024 that of an isolated position moves the position's own balance, and the account's only before or in cross.
        """
        about = {"instType": "SWAP", "type": FUNDING}
        found = await self._rows("private_get_account_bills_archive", about, "billId", since_ms)
        rows = sorted(
            (row for row in found if row["instId"] == self.inst_id), key=lambda row: (int(row["ts"]), int(row["billId"]))
        )
        return [VenueBill(row["billId"], float(self._moved(row)), int(row["ts"])) for row in rows]

    @readable("OKX", "transfers")
    async def transfers(self, since_ms: int) -> Sequence[VenueTransfer]:
        """As LiveVenue. No type can be left out of the list, so pages are read until one is older; a bill may be in two."""
        recent = since_ms > self.polling.milliseconds() - RECENT_MS
        name, about = (
            f"private_get_account_bills{'' if recent else '_archive'}",
            {"ccy": self.instrument.symbol.partition("-")[2]},
        )
        return named_transfers("OKX", await self._rows(name, about, "billId", since_ms), BILLS)

    @readable("OKX", "position")
    async def position(self) -> VenuePosition:
        """The net position. Raises DataError in hedge mode: the desk counts one side."""
        listed = rows_about(await self._data("private_get_account_positions", {"instId": self.inst_id}), "instId", self.inst_id)
        each = {row.get("posId") or number: row for number, row in enumerate(listed)}  # one that comes twice is one
        rows = [row for row in each.values() if float(row["pos"] or 0)]
        if any(row["posSide"] != "net" for row in rows):
            raise DataError(
                f"{self.inst_id}: the account is in long/short mode", "set net mode: Trade > Settings > Position mode"
            )
        if not rows:
            said = await self._data("private_get_account_leverage_info", {"instId": self.inst_id, "mgnMode": "isolated"})
            return VenuePosition(0, None, isolated=True, leverage=float(said[0]["lever"]) if said else None, liquidation=None)
        row = rows[0]
        figures = [float(row[name]) if row.get(name) else None for name in ("avgPx", "lever", "liqPx")]
        return VenuePosition(sum(self._lots(one["pos"]) for one in rows), figures[0], row["mgnMode"] == "isolated", *figures[1:])

    async def _request(self, order: VenueOrder, call: Any, body: Any) -> LiveAnswer:
        """Send it once. An answer without an error proves that it was taken; of an error the table says what it proves."""
        try:
            answer = (await call(body))["data"][0]
            field = "algoClOrdId" if order.slot == PROTECTIVE else "clOrdId"
            if answer.get(field):
                row_about(answer, field, order.id)
        except Exception as error:  # noqa: BLE001 - whatever it is: the table says what it proves, and else nothing
            return failed(order, error, OUTCOMES)
        if answer.get("sCode", "0") != "0":
            return failed(
                order, DataError(f"okx {json.dumps({name: answer.get(name, '') for name in ('sCode', 'sMsg')})}"), OUTCOMES
            )
        return LiveAnswer(order.id, WORKING, order.filled, venue_id=answer.get("algoId") or answer.get("ordId") or "")

    def _normal(self, order: VenueOrder, row: Mapping[str, Any]) -> LiveAnswer:
        """An answer of trade/order."""
        state, filled = STATES.get(row["state"], IN_DOUBT), self._lots(row["accFillSz"])
        found = LiveAnswer(order.id, state, filled, row["state"], venue_id=row["ordId"])
        if state not in (WORKING, PARTIAL):
            return found
        return found._replace(price=level_of(row["px"]), lots=self._lots(row["sz"]))

    def _stands(self, row: Mapping[str, Any]) -> StandingOrder:
        """A row of a list of open orders, normal or conditional."""
        conditional = bool(row.get("algoId")) and "algoClOrdId" in row
        price = row.get("slTriggerPx") or row.get("triggerPx") or row.get("tpTriggerPx") if conditional else row.get("px")
        ids = (row["algoClOrdId"] or "", row["algoId"]) if conditional else (row["clOrdId"] or "", row["ordId"])
        filled = 0 if conditional else self._lots(row["accFillSz"])
        side = SIDES[row["side"]]
        reduces = str(row.get("reduceOnly", "")).lower() == "true"
        return StandingOrder(*ids, side, self._lots(row["sz"] or 0), filled, float(price or 0.0), conditional, reduces)

    def _trade(self, row: Mapping[str, Any]) -> VenueTrade:
        """A row of fills-history: OKX says a fee as what the balance changes by."""
        side, quote = SIDES[row["side"]], self.instrument.symbol.partition("-")[2]
        fee, other = fee_of(-float(row["fee"] or 0.0), row.get("feeCcy"), quote)
        size, price, t_ms = self._lots(row["fillSz"]), float(row["fillPx"]), int(row.get("fillTime") or row["ts"])
        ids = (row["tradeId"], row["ordId"] or "", row.get("clOrdId") or "")
        core = (*ids, side, size, price, fee, row.get("execType") == "M", t_ms)
        return VenueTrade(*core, FORCED.get(str(row.get("subType") or ""), ""), other)

    async def _one(self, name: str, about: Mapping[str, str]) -> Mapping[str, Any]:
        """The one row of an answer, about the order that `about` names. Raises LookupError."""
        rows: Sequence[Mapping[str, Any]] = (await getattr(self.polling, name)({"instId": self.inst_id, **about}))["data"]
        [(field, id_)] = about.items()
        return row_about(rows[0], field, id_)

    async def _rows(self, name: str, about: Mapping[str, str], id_name: str, since_ms: int = 0) -> list[Mapping[str, Any]]:
        """All pages of a list, each row once; with `since_ms` those from then on, and pages are read until one is older. A page
        may hold a row twice, or one of the page before: it is full by what it holds, not by what of it is new. Raises DataError.
        """
        found: dict[str, Mapping[str, Any]] = {}
        after: dict[str, str] = {}
        while True:
            page = await self._data(name, {**about, "limit": str(PAGE), **after})
            rows = {str(row[id_name]): row for row in page}
            if page and not rows.keys() - found.keys():
                raise DataError(f"OKX shows a page of {name.removeprefix('private_get_')} again", "nothing is assumed of it")
            found |= rows
            if len(page) < PAGE or (since_ms and max(int(row["ts"]) for row in page) < since_ms):
                recent = [row for row in found.values() if not since_ms or int(row["ts"]) >= since_ms]
                return rows_about(recent, "instId", about["instId"]) if "instId" in about else recent
            after = {"after": min(rows, key=int)}

    async def _data(self, name: str, about: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """The rows of one answer. Raises DataError."""
        try:
            return list((await getattr(self.polling, name)(dict(about)))["data"])
        except Exception as error:
            raise silent("OKX", name.removeprefix("private_get_"), error) from error

    @staticmethod
    def _moved(row: Mapping[str, Any]) -> Decimal:
        """What a settlement moved: the balance of the account, or of the isolated position, which comes back as it closes."""
        return Decimal(row["balChg"] or 0) + Decimal(row.get("posBalChg") or 0)

    def _size(self, lots: int) -> str:
        """Lots as contracts."""
        return size_of(lots, self.contracts)

    def _lots(self, contracts: Any) -> int:
        """Contracts as lots. Raises DataError."""
        return lots_of(contracts, self.contracts, self.inst_id)

    def _price(self, price: float) -> str:
        """A price on the instrument's tick."""
        return price_of(price, self.instrument.tick)
