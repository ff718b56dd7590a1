"""Binance USD-M perpetuals through ccxt: one instrument of one account, as engine.venues.live_port.LiveVenue.

Called by the live desk's duties alone. Entries, targets and exits are normal orders; a protective order is a conditional ("algo")
order, whose child comes with an id of its own. Calls are raw: ccxt 4.5.90 drops a target beside a stop, sends what is attached to
an entry as text, cannot move a stop, and reads executions of one week alone.

Binance does not move conditional orders. An amended one is a new order with the next version in its id (`ID`, `ID-1`, `ID-2`),
and the old one is cancelled once the new one stands: never none, for a moment two, both reduce-only. The version that stands or
has fired is the desk's one order. A client id is unique among open orders alone: an entry is asked for before it is placed.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, NamedTuple

from engine.core.orders import DONE, PARTIAL, WORKING, VenueOrder
from engine.core.orders import UNKNOWN as IN_DOUBT
from engine.core.state import ENTRY, PROTECTIVE
from engine.venues.answers import (
    each_apart,
    failed,
    fee_of,
    level_of,
    lots_of,
    price_of,
    readable,
    row_about,
    row_of,
    rows_about,
    silent,
    size_of,
    unasked,
)
from engine.venues.binance_codes import OUTCOMES
from engine.venues.binance_lists import NAMED_MS, cursor_of, executions_from, net_row, rows_of, rows_since, settings_of
from engine.venues.binance_versions import (
    ENDED,
    FIRING,
    LAG_MS,
    LIFE_MS,
    THIN_MS,
    Sent,
    completed,
    fired_of,
    forced_by,
    id_of,
    is_stuck,
    keep_sent,
    may_be_newer,
    next_version,
    standing_of,
    stem_of,
    version_of,
)
from engine.venues.instruments import Instrument
from engine.venues.live_port import LiveAnswer, StandingOrder, VenueBill, VenuePosition, VenueTrade, VenueTransfer
from engine.venues.outcome import EXISTS, NOT_FOUND, NOT_TAKEN, REFUSALS, outcome_of
from engine.venues.outcome import UNKNOWN as UNPROVEN
from engine.venues.transfer_bills import BINANCE as BILLS
from engine.venues.transfer_bills import named_transfers

OURS = "nd"  # how the desk's client ids begin; a conditional order's child has its version's, or one that Binance invents
SLACK_MS = 60_000  # by which the venue's clock may be behind the desk's
STATES = {"NEW": WORKING, "PARTIALLY_FILLED": PARTIAL}
STATES |= dict.fromkeys(("FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"), DONE)
SIDES, SIDE_WORDS = {"BUY": 1, "SELL": -1}, {1: "BUY", -1: "SELL"}
IN_NO_LIST, ON_ITS_WAY = "in no list", "a newer version may be on its way"
FUNDING = "FUNDING_FEE"


class BinanceVenue(NamedTuple):
    """`trading` and `polling` are two ccxt.pro.binanceusdm of one account, so that a poll never queues before a stop."""

    trading: Any
    polling: Any
    instrument: Instrument
    symbol: str  # BTCUSDT
    last_sent: dict[str, Sent]  # order -> its last version: it may still come, or be left out of a list
    began_ms: int  # since when this process asks: what the one before has sent may still arrive

    @property
    def attaches(self) -> str:
        """A conditional order that follows the entry; it needs no position before it triggers."""
        return "beside"

    async def place(self, order: VenueOrder, attached: VenueOrder | None = None) -> LiveAnswer:  # noqa: ARG002 - it comes by itself
        """Hand an order over; the same client id again places nothing (EXISTS).

        An entry whose id cannot be asked for is not sent. An exit does not wait for a question: its id is refused while
        it stands, and reduce-only never turns the position.
        """
        if order.slot == PROTECTIVE:
            sent = await self._request(order, self.trading.fapiprivate_post_algoorder, self._stop(order, order.id))
            if sent.outcome != EXISTS:
                keep_sent(self.last_sent, order.id, self.last_sent[order.id].version if order.id in self.last_sent else 0)
            return sent
        if order.slot == ENTRY and (reason := await self._reason_not_to_send(order)):
            return reason
        body = {"newClientOrderId": order.id, "side": SIDE_WORDS[order.side], "quantity": self._size(order.left)}
        body |= {} if order.slot == ENTRY else {"reduceOnly": "true"}
        limit = {"type": "LIMIT", "price": self._price(order.price), "timeInForce": "GTX" if order.post_only else "GTC"}
        body |= limit if order.price else {"type": "MARKET"}
        return await self._request(order, self.trading.fapiprivate_post_order, body)

    async def _reason_not_to_send(self, order: VenueOrder) -> LiveAnswer | None:
        """Why an entry is not sent: its id is taken, or nobody could be asked. None where there is no such order."""
        try:
            row = await self._one({"origClientOrderId": order.id}, self.trading)
            return LiveAnswer(order.id, IN_DOUBT, order.filled, "its id is taken", venue_id=str(row["orderId"]), outcome=EXISTS)
        except Exception as error:  # noqa: BLE001 - whatever it is: the table says what it proves
            found = failed(order, error, OUTCOMES)
            return None if found.outcome == NOT_FOUND else found

    async def amend(self, order: VenueOrder, price: float, lots: int) -> LiveAnswer:
        """Let a standing order stand at `price` with `lots` in all. One that the venue will not move is asked how it stands."""
        if order.slot == PROTECTIVE:
            return await self._replaced(order, price, lots)
        body = {"origClientOrderId": order.id, "side": SIDE_WORDS[order.side]}
        body |= {"quantity": self._size(lots), "price": self._price(price)}
        found = await self._request(order, self.trading.fapiprivate_put_order, body)
        return found._replace(price=price, lots=lots) if found.state == WORKING else await self._as_it_stands(order, found)

    async def cancel(self, order: VenueOrder) -> LiveAnswer:
        """End an order. That it was asked to end says nothing yet of what it had filled: it is asked."""
        if order.slot != PROTECTIVE:
            sent = await self._request(order, self.trading.fapiprivate_delete_order, {"origClientOrderId": order.id})
            return await self.ask(order) if sent.state == WORKING else await self._as_it_stands(order, sent)
        now, versions = await self._answer_and_versions(order)
        if (now.state != WORKING and now.why != ON_ITS_WAY) or not standing_of(versions):
            return now
        sent = await self._drop(order, standing_of(versions)[-1])
        if sent.state != WORKING:
            return await self._as_it_stands(order, sent)
        if now.why in (IN_NO_LIST, ON_ITS_WAY) or order.id not in self.last_sent:  # a later version may be there, or on its way
            return await self.ask(order)
        return LiveAnswer(order.id, DONE, 0, "CANCELED", venue_id=now.venue_id)

    async def _as_it_stands(self, order: VenueOrder, sent: LiveAnswer) -> LiveAnswer:
        """How an order stands that the venue would not amend or cancel; as it failed where nobody knows."""
        if sent.outcome not in (*REFUSALS, NOT_FOUND):
            return sent
        found = await self.ask(order)
        return found._replace(why=sent.why, outcome=sent.outcome)

    async def ask(self, order: VenueOrder) -> LiveAnswer:
        """How an order stands, by its client id; of a conditional one that has fired, how its child does."""
        if order.slot == PROTECTIVE:
            found, _ = await self._answer_and_versions(order)
            moves = found.state == WORKING and order.amending and order.id not in self.last_sent
            return found._replace(state=IN_DOUBT, outcome=UNPROVEN) if moves else found
        try:
            return self._normal(order, await self._one({"origClientOrderId": order.id}))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is known
            return unasked(order, error, OUTCOMES)

    async def _answer_and_versions(self, order: VenueOrder) -> tuple[LiveAnswer, Sequence[Mapping[str, Any]]]:
        """How a conditional order stands, and its versions as they were before it was asked; none where nothing is known."""
        try:
            if not (listed := await self._versions(order)):
                return await self._unlisted(order)
            versions = await self._completed(order, listed)
            return await self._conditional(order, versions), versions
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is known; what is not found is its child
            return unasked(order, error, OUTCOMES)._replace(outcome=UNPROVEN), []

    async def _unlisted(self, order: VenueOrder) -> tuple[LiveAnswer, Sequence[Mapping[str, Any]]]:
        """Of a conditional order that no list shows: a list may leave it out, so it is asked for by the ids of its versions."""
        try:
            row = await self._algo(order.id)
        except Exception as error:  # noqa: BLE001 - whatever it is: the table says what it proves
            return unasked(order, error, OUTCOMES), []
        versions = await self._completed(order, [row])
        if not standing_of(versions) and fired_of(versions) is None:
            return LiveAnswer(order.id, IN_DOUBT, order.filled, IN_NO_LIST), []
        return (await self._conditional(order, versions))._replace(why=IN_NO_LIST), versions

    async def _conditional(self, order: VenueOrder, versions: Sequence[Mapping[str, Any]]) -> LiveAnswer:
        """What the versions of a conditional order (oldest first) say of it. One may stand, and none beside one that has fired:
        what is too many is cancelled here.
        """
        standing = standing_of(versions)
        fired = fired_of(versions)
        for row in standing if fired else standing[:-1]:
            if (sent := await self._drop(order, row)).state != WORKING:
                return sent._replace(state=IN_DOUBT, outcome=UNPROVEN)
        row = fired or (standing or versions)[-1]
        found = LiveAnswer(order.id, DONE, 0, row["algoStatus"], venue_id=str(row["algoId"]))
        if fired:
            if (child := str(row.get("actualOrderId") or "0")) == "0":  # on its way
                over = is_stuck(row, self.last_sent, self.polling.milliseconds())
                return found if over else found._replace(state=IN_DOUBT, filled_lots=order.filled, fired=True)
            return self._normal(order, await self._one({"orderId": child}))._replace(venue_id=found.venue_id, child_id=child)
        if may_be_newer(versions[-1], self.last_sent.get(order.id), self.polling.milliseconds()):
            return found._replace(state=IN_DOUBT, why=ON_ITS_WAY)
        if not standing:
            return found
        return found._replace(state=WORKING, price=level_of(row["triggerPrice"]), lots=self._lots(row["quantity"]))

    async def _completed(self, order: VenueOrder, listed: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """The versions as they are by their ids. Of an order that another process was moving as it ended, the last one is known
        once nothing of that process can arrive. Raises what Binance does not answer.
        """
        is_over = not order.amending or self.polling.milliseconds() >= self.began_ms + LIFE_MS
        versions = await completed(order.id, listed, self._by_id, self.last_sent.get(order.id))
        if is_over and order.id not in self.last_sent:
            keep_sent(self.last_sent, order.id, version_of(versions[-1]))
        return versions

    async def _by_id(self, id_: str, client: Any = None) -> Mapping[str, Any] | None:
        """A conditional order by its client id; None where Binance has none. Raises what it does not answer."""
        try:
            return await self._algo(id_, client)
        except Exception as error:
            if outcome_of(error, OUTCOMES) != NOT_FOUND:
                raise
            return None

    async def _algo(self, id_: str, client: Any = None) -> Mapping[str, Any]:
        """A conditional order by its client id. Raises what is not answered, and LookupError for an answer about another one."""
        row = await (client or self.polling).fapiprivate_get_algoorder({"symbol": self.symbol, "clientAlgoId": id_})
        return row_about(row_of(row), "clientAlgoId", id_)

    async def _replaced(self, order: VenueOrder, price: float, lots: int) -> LiveAnswer:
        """Place the next version of a standing conditional order, read it back, and then cancel the one before."""
        # the desk moves none that is in doubt (`ask`): no version of another process is on its way
        now, versions = await self._answer_and_versions(order._replace(amending=0))
        if now.state != WORKING or (now.price, now.lots) == (price, lots):
            return now
        number = next_version(versions, self.last_sent[order.id])
        wait_ms = THIN_MS if lots > (now.lots or 0) else LAG_MS
        keep_sent(self.last_sent, order.id, number, self.polling.milliseconds() + min(wait_ms, LIFE_MS))
        new = id_of(order.id, number)
        wanted = self._stop(order._replace(price=price, lots=lots, filled=0), new)
        sent = await self._request(order, self.trading.fapiprivate_post_algoorder, wanted)
        if sent.state != WORKING:
            if sent.outcome in (*REFUSALS, NOT_TAKEN):
                keep_sent(self.last_sent, order.id, number - 1)
            return await self._as_it_stands(order, sent)
        keep_sent(self.last_sent, order.id, number, self.polling.milliseconds() + wait_ms)
        if not await self._is_there(new):
            return sent._replace(state=IN_DOUBT, why=f"{new} was taken and cannot be read back: the one before it stays")
        gone = await self._drop(order, standing_of(versions)[-1])
        return now._replace(price=price, lots=lots, venue_id=sent.venue_id) if gone.state == WORKING else await self.ask(order)

    async def _is_there(self, id_: str) -> bool:
        """Whether Binance has a conditional order that it has acknowledged."""
        with suppress(Exception):  # whatever it is, it was not seen
            row = await self._by_id(id_, self.trading)
            return row is not None and row["algoStatus"] not in ENDED
        return False

    async def _versions(self, order: VenueOrder) -> list[Mapping[str, Any]]:
        """Every version of a conditional order that Binance lists, oldest first. None is older than the decision."""
        rows = await self._since("allalgoorders", {"symbol": self.symbol}, order.decided_ms - SLACK_MS, "algoId")
        return sorted((row for row in rows if stem_of(row["clientAlgoId"]) == order.id), key=version_of)

    async def _drop(self, order: VenueOrder, row: Mapping[str, Any]) -> LiveAnswer:
        """Cancel one version."""
        return await self._request(order, self.trading.fapiprivate_delete_algoorder, {"clientAlgoId": row["clientAlgoId"]})

    @readable("Binance", "standing")
    async def standing(self) -> Sequence[StandingOrder]:
        """Every order that the venue holds for the instrument; a version that is being replaced is one of its own. One that fires
        covers nothing until it has placed something, so it does not stand.
        """
        algos = [row for row in await self._mine("openalgoorders") if row.get("algoStatus") != FIRING]
        return [*map(self._stands, await self._mine("openorders")), *map(self._stands, algos)]

    @readable("Binance", "trades")
    async def trades(self, cursor: str) -> tuple[Sequence[VenueTrade], str]:
        """Executions behind the cursor, without one all that Binance lists.

        Ids grow, and nothing promises that a lower one is listed first. So a cursor is the id and time of all that were seen in
        the minute before the newest, and of the one before them, from which each look begins. Binance does not say whose order
        an execution is of: each order is asked for once.
        """
        seen = {int(id_): int(t_ms) for id_, _, t_ms in (pair.partition("/") for pair in cursor.split(",") if pair)}
        rows = await executions_from(self._data, min(seen, default=0), self.symbol)
        new = each_apart([row for (id_, _), row in sorted(rows.items()) if id_ not in seen], "id")
        names = {row["orderId"]: await self._name(row) for row in {row["orderId"]: row for row in new}.values()}
        seen |= {id_: int(row["time"]) for (id_, _), row in rows.items() if id_ not in seen}
        return [self._trade(row, names[row["orderId"]]) for row in new], cursor_of(seen) if new else cursor

    async def _name(self, trade: Mapping[str, Any]) -> str:
        """The client id of an execution's order; empty where it is older than a week, since an account may have thousands."""
        if int(trade["time"]) < self.polling.milliseconds() - NAMED_MS:
            return ""
        try:
            return str((await self._one({"orderId": trade["orderId"]}))["clientOrderId"])
        except Exception as error:
            raise silent("Binance", "order", error) from error

    @readable("Binance", "bills")
    async def bills(self, since_ms: int) -> Sequence[VenueBill]:
        """Funding settlements from a time on, oldest first."""
        about = {"symbol": self.symbol, "incomeType": FUNDING}
        rows = await self._since("income", about, since_ms, "tranId")
        found = [VenueBill(str(row["tranId"]), float(row["income"]), int(row["time"])) for row in rows]
        return sorted(found, key=lambda bill: bill.t_ms)

    @readable("Binance", "transfers")
    async def transfers(self, since_ms: int) -> Sequence[VenueTransfer]:
        """As LiveVenue: the income of all symbols. A tranId is unique among the incomes of one type alone."""
        rows = await self._since("income", {}, since_ms, "incomeType", "tranId")
        return named_transfers("Binance", [row for row in rows if row["asset"] == self._quote], BILLS)

    @readable("Binance", "position")
    async def position(self) -> VenuePosition:
        """The net position. Raises DataError in hedge mode: the desk counts one side."""
        row = net_row(self.symbol, await self._data("positionrisk", {}, "v3"))
        isolated, leverage = await settings_of(self.polling, self.symbol)
        if row is None:
            return VenuePosition(0, None, isolated, leverage, None)
        figures = float(row["entryPrice"]), isolated, leverage, float(row["liquidationPrice"]) or None
        return VenuePosition(self._lots(row["positionAmt"]), *figures)

    def _stop(self, order: VenueOrder, id_: str) -> dict[str, Any]:
        """The body of a protective order: at the market once the last price comes to its level."""
        body = {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "workingType": "CONTRACT_PRICE", "reduceOnly": "true"}
        body |= {"side": SIDE_WORDS[order.side], "quantity": self._size(order.left), "triggerPrice": self._price(order.price)}
        return body | {"clientAlgoId": id_}

    async def _request(self, order: VenueOrder, call: Any, body: Mapping[str, Any]) -> LiveAnswer:
        """Send it once. An answer without an error proves that it was taken; of an error the table says what it proves."""
        try:
            answer = row_of(await call({"symbol": self.symbol, **body}))
            name = "clientAlgoId" if "clientAlgoId" in answer else "clientOrderId"
            id_ = next(body[key] for key in ("newClientOrderId", "origClientOrderId", "clientAlgoId") if key in body)
            row_about(answer, name, id_)
            return LiveAnswer(order.id, WORKING, order.filled, venue_id=str(answer.get("algoId") or answer["orderId"]))
        except Exception as error:  # noqa: BLE001 - whatever it is: the table says what it proves, and else nothing
            return failed(order, error, OUTCOMES)

    def _normal(self, order: VenueOrder, row: Mapping[str, Any]) -> LiveAnswer:
        """A normal order as Binance has it."""
        state, filled = STATES.get(row["status"], IN_DOUBT), self._lots(row["executedQty"])
        found = LiveAnswer(order.id, state, filled, row["status"], venue_id=str(row["orderId"]))
        if state not in (WORKING, PARTIAL):
            return found
        return found._replace(price=level_of(row["price"]), lots=self._lots(row["origQty"]))

    def _stands(self, row: Mapping[str, Any]) -> StandingOrder:
        """A row of a list of open orders, normal or conditional."""
        side = SIDES[row["side"]]
        reduces = any(str(row[name]).lower() == "true" for name in ("reduceOnly", "closePosition"))
        if "algoId" in row:
            ids, size, filled = (stem_of(row["clientAlgoId"]), str(row["algoId"])), row["quantity"], 0
        else:
            ids = stem_of(row["clientOrderId"]), str(row["orderId"])
            size, filled = row["origQty"], self._lots(row["executedQty"])
        price = level_of(row["triggerPrice"] if "algoId" in row else row["price"])  # a trailing one has none
        return StandingOrder(*ids, side, self._lots(size), filled, price, "algoId" in row, reduces)

    def _trade(self, row: Mapping[str, Any], name: str) -> VenueTrade:
        """A row of userTrades."""
        side, price = SIDES[row["side"]], float(row["price"])
        fee, other = fee_of(row["commission"], row["commissionAsset"], self._quote)
        ids = (str(row["id"]), str(row["orderId"]), stem_of(name) if name.startswith(OURS) else "")
        core = (*ids, side, self._lots(row["qty"]), price, fee, bool(row["maker"]), int(row["time"]))
        return VenueTrade(*core, forced_by(name), other)

    async def _one(self, about: Mapping[str, Any], client: Any = None) -> Mapping[str, Any]:
        """One normal order, by the one id in `about`. Raises LookupError for an answer about another one."""
        row = row_of(await (client or self.polling).fapiprivate_get_order({"symbol": self.symbol, **about}))
        row_about({"symbol": self.symbol, **row}, "symbol", self.symbol)  # orders are numbered by symbol
        ((name, id_),) = about.items()
        field = "orderId" if name == "orderId" else "clientOrderId"
        return row_about({**row, field: str(row[field])}, field, str(id_))

    async def _since(self, name: str, about: Mapping[str, Any], since_ms: int, *id_keys: str) -> list[Mapping[str, Any]]:
        """The rows of a list by time, each once."""
        return await rows_since(self.polling, name, about, since_ms, id_keys)

    async def _data(self, name: str, about: Mapping[str, Any], version: str = "") -> list[Mapping[str, Any]]:
        """The rows of one list of the instrument. Raises DataError."""
        return await rows_of(self.polling, f"{version}_get_{name}", {"symbol": self.symbol, **about})

    async def _mine(self, name: str) -> list[Mapping[str, Any]]:
        """Those of them that are about the instrument: a list may mix others in. Raises DataError."""
        return rows_about(await self._data(name, {}), "symbol", self.symbol)

    def _size(self, lots: int) -> str:
        """Lots as base units."""
        return size_of(lots, Decimal(str(self.instrument.lot_size)))

    def _lots(self, size: Any) -> int:
        """Base units as lots. Raises DataError."""
        return lots_of(size, Decimal(str(self.instrument.lot_size)), self.symbol)

    def _price(self, price: float) -> str:
        """A price on the instrument's tick."""
        return price_of(price, self.instrument.tick)

    @property
    def _quote(self) -> str:
        """The asset that cash, fees and funding are in."""
        return self.instrument.symbol.partition("-")[2]
