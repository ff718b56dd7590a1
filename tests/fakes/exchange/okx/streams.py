"""OKX's WebSockets: one `OkxLine` a connection, fed with texts and with what happens at the exchange. It opens no socket.

`send` and `close` are the transport's, `later` calls something after so many seconds. Private: orders, positions, account and
orders by socket; business: orders-algo and candles; public: tickers, mark-price, funding-rate.
"""

import json
from collections.abc import Callable
from typing import Any

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.faults import DELAY_MS
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.okx import reading, trading
from tests.fakes.exchange.okx.rest import KEY, PASSPHRASE, WINDOW_MS, signature
from tests.fakes.exchange.okx.rows import Row, candle_row, order_row, position_row
from tests.fakes.exchange.okx.venue import OkxVenue
from tests.fakes.exchange.okx.words import Fault, Refusal, money

PRIVATE, BUSINESS, PUBLIC = "private", "business", "public"
CHANNELS = {"orders": PRIVATE, "positions": PRIVATE, "account": PRIVATE, "orders-algo": BUSINESS}
CHANNELS |= {f"candle{bar}": BUSINESS for bar in reading.SPANS}
CHANNELS |= dict.fromkeys(("tickers", "mark-price", "funding-rate", "books"), PUBLIC)
SIGNED = ("orders", "positions", "account", "orders-algo")
ORDER_EVENTS = (log.ACCEPTED, log.FILL, log.ENDED, log.AMENDED)
ALGO_EVENTS = (log.ALGO_ACCEPTED, log.ALGO_TRIGGERED, log.ALGO_ENDED, log.ALGO_AMENDED)
OPS = {
    "order": trading.place_orders,
    "batch-orders": trading.place_orders,
    "cancel-order": trading.cancel_orders,
    "batch-cancel-orders": trading.cancel_orders,
    "amend-order": trading.amend_orders,
}
REORDER_S = 2.0  # a push that nothing follows comes after so long
Arg = dict[str, str]


class OkxLine:
    """One connection to ws/v5/private, business or public."""

    def __init__(
        self, venue: OkxVenue, path: str, send: Callable[[str], None], close: Callable[[], None], later: Callable[..., Any]
    ) -> None:
        self.venue, self.kind = venue, path.rstrip("/").rpartition("/")[2]
        self._send, self._close, self._later = send, close, later
        self.logged_in = self.closed = False
        self.args: list[Arg] = []
        self.received: list[Any] = []
        self._kept: str | None = None
        self._seq = 0  # of the last push of a book
        self._levels: dict[str, dict[str, str]] = {}  # asks and bids -> price -> size, as pushed
        self._candle: dict[tuple[str, str], int] = {}  # (channel, symbol) -> the open_ms that was pushed last
        venue.exchange.listeners.append(self._listen)

    def pinged(self) -> bool:
        """A ping of the protocol: OKX is pinged by a text."""
        return not self.venue.faults.hit("ws_mute")

    def end(self) -> None:
        """The connection is over."""
        self.closed = True
        if self._listen in self.venue.exchange.listeners:
            self.venue.exchange.listeners.remove(self._listen)

    def channels(self) -> set[str]:
        """What has been subscribed to."""
        return {arg["channel"] for arg in self.args}

    # ---- what comes -----------------------------------------------------------------------------------------------------

    def take(self, text: str) -> None:
        """A text from the client."""
        self.venue.exchange.catch_up()
        if self.venue.faults.hit("ws_mute"):
            return
        if text == "ping":
            self._send("pong")
            return
        try:
            message = json.loads(text)
            self.received.append(message)
            op = message["op"]
        except (ValueError, TypeError, KeyError):
            self._error("60012", f"Illegal request: {text}")
            return
        if op == "login":
            self._login(message)
        elif op in ("subscribe", "unsubscribe"):
            for arg in message.get("args", []):
                self._subscribe(op, arg)
        elif op in OPS and self.kind == PRIVATE and self.logged_in:
            self._trade(message)
        else:
            self._error("60012", f"Illegal request: {text}")

    def _say(self, **body: Any) -> None:
        self._send(json.dumps(body, separators=(",", ":")))

    def _error(self, code: str, text: str) -> None:
        self._say(event="error", code=code, msg=text, connId="a4d3ae55")

    def _login(self, message: Any) -> None:
        args = (message.get("args") or [{}])[0]
        stamp = str(args.get("timestamp", ""))
        if self.venue.faults.hit("bad_login"):
            self._error("60006", "Timestamp request expired")
        elif args.get("apiKey") != KEY:
            self._error("60005", "Invalid apiKey")
        elif args.get("passphrase") != PASSPHRASE:
            self._error("60024", "Wrong passphrase")
        elif not stamp.isdigit() or abs(self.venue.now - int(stamp) * 1000) > WINDOW_MS:
            self._error("60006", "Timestamp request expired")
        elif args.get("sign") != signature(f"{stamp}GET/users/self/verify"):
            self._error("60007", "Invalid sign")
        else:
            self.logged_in = True
            self._say(event="login", code="0", msg="", connId="a4d3ae55")

    def _subscribe(self, op: str, arg: Arg) -> None:
        channel = arg.get("channel", "")
        if CHANNELS.get(channel) != self.kind:
            self._error(
                "60018", f"Wrong URL or {json.dumps(arg)} doesn't exist. Please use the correct URL, channel and parameters"
            )
        elif channel in SIGNED and not self.logged_in:
            self._error("60011", "Please log in")
        elif channel not in SIGNED and arg.get("instId") not in self.venue.instruments:
            self._error("60018", f"{json.dumps(arg)} doesn't exist")
        elif op == "unsubscribe":
            self.args = [other for other in self.args if other != arg]
            self._say(event=op, arg=arg, connId="a4d3ae55")
        else:
            self.args.append(arg)
            self._say(event=op, arg=arg, connId="a4d3ae55")
            self._first(arg)

    def _first(self, arg: Arg) -> None:
        """What a channel says when it is subscribed to."""
        if arg["channel"] == "positions":
            self._push(arg, [row for row in reading.positions(self.venue, {}) if arg.get("instId") in (None, row["instId"])])
        elif arg["channel"] == "account":
            self._push(arg, reading.balance(self.venue, {}))
        elif arg["channel"] == "books":
            self._push(arg, self._book(arg, before=-1), action="snapshot")
        elif CHANNELS[arg["channel"]] == PUBLIC:
            self._push(arg, self._public(arg))

    def _trade(self, message: Any) -> None:
        """An order by socket: the rows of REST with the request's id."""
        code, note = "0", ""
        try:
            rows = OPS[message["op"]](self.venue, message.get("args"))
        except Refusal as refusal:
            code, rows = refusal.code, refusal.rows
        except Fault as fault:
            code, rows, note = fault.code, [], fault.message
        if not self.venue.swallow:
            times = {"inTime": f"{self.venue.now}000", "outTime": f"{self.venue.now}001"}
            self._say(id=message.get("id"), op=message["op"], code=code, msg=note, data=rows, **times)

    # ---- what is pushed -------------------------------------------------------------------------------------------------

    def _listen(self, event: Event) -> None:
        if self.closed:
            return
        if self.venue.faults.hit("ws_cut"):
            self.end()
            self._close()
            return
        for arg in list(self.args):
            if rows := self._rows(arg, event):
                self._push(arg, rows, **({"action": "update"} if arg["channel"] == "books" else {}))

    def _rows(self, arg: Arg, event: Event) -> list[Any]:
        """What an event says on a channel."""
        channel, symbol = arg["channel"], event_symbol(event)
        inst = self.venue.of.get(symbol)
        if inst is None or arg.get("instId") not in (None, inst.inst_id):
            return []
        if channel == "orders" and event.kind in ORDER_EVENTS:
            return [self._order(event)]
        if channel == "orders-algo" and event.kind in ALGO_EVENTS and event.algo:
            return [self.venue.algo(event.algo)]
        if channel == "positions" and event.bill:
            held = self.venue.exchange.account.position(symbol)
            return [position_row(inst, held, self.venue.market(inst))]
        if channel == "account" and event.bill:
            return reading.balance(self.venue, {})
        if event.kind != log.PRINT or channel in SIGNED:
            return []
        return self._candles(channel, symbol) if channel.startswith("candle") else self._public(arg)

    def _order(self, event: Event) -> Row:
        """An order as the stream has it; the fault of the missing executions leaves out what says of one."""
        order = event.order
        assert order is not None
        inst, last = self.venue.of[order.symbol], self.venue.exchange.markets[order.symbol].last
        shown = None if event.kind == log.FILL and self.venue.faults.hit("drop_fills") else event
        row = order_row(inst, order, self.venue.leverage(order.symbol), shown)
        worth = order.lots * (order.price or last) * self.venue.exchange.markets[order.symbol].contract.pico
        more = {"amendResult": "0" if event.kind == log.AMENDED else "", "amendSource": "", "reqId": "", "code": "0", "msg": ""}
        fill = money(event.bill.lots * event.bill.ticks * self.venue.market(inst).contract.pico) if event.bill and shown else ""
        return row | more | {"notionalUsd": money(worth), "fillNotionalUsd": fill, "lastPx": inst.price(last)}

    def _candles(self, channel: str, symbol: str) -> list[list[str]]:
        """The forming candle; before the first of a new one, the last of the one that has closed."""
        span, inst = reading.SPANS[channel.removeprefix("candle")], self.venue.of[symbol]
        listed = self.venue.exchange.markets[symbol].candles(span, latest=2)
        before = self._candle.get((channel, symbol))
        self._candle[channel, symbol] = listed[-1].open_ms
        rows = [candle_row(inst, listed[-1], False)]
        if before is not None and before < listed[-1].open_ms and len(listed) > 1:
            closed = candle_row(inst, listed[-2], True)
            if self.venue.faults.hit("wrong_candle"):
                closed[4] = inst.price(listed[-2].close + 7)
            self._push({"channel": channel, "instId": inst.inst_id}, [closed])
        return rows

    def _book(self, arg: Arg, before: int) -> list[Row]:
        """The book, or what has changed in it since the push numbered `before`: levels that are gone have size 0."""
        inst = self.venue.instruments[arg["instId"]]
        (row,) = reading.books(self.venue, {"instId": inst.inst_id})
        if self.venue.faults.hit("inverted_book"):
            row["asks"], row["bids"] = row["bids"], row["asks"]
        shown = {side: {price: size for price, size, *_ in row[side]} for side in ("asks", "bids")}
        gone = {
            side: [[price, "0", "0", "0"] for price in self._levels.get(side, {}) if price not in shown[side]] for side in shown
        }
        self._levels = shown
        if before >= 0 and self.venue.faults.hit("book_gap"):
            before = self._seq = self._seq + 1
        self._seq += 1
        sides = {side: gone[side] + row[side] for side in shown}
        return [row | sides | {"checksum": 0, "prevSeqId": before, "seqId": self._seq}]

    def _public(self, arg: Arg) -> list[Row]:
        if arg["channel"] == "books":
            return self._book(arg, self._seq)
        named = {"instId": arg.get("instId", "")}
        if arg["channel"] == "tickers":
            return reading.tickers(self.venue, named)
        return (
            reading.mark_price(self.venue, named) if arg["channel"] == "mark-price" else reading.funding_rate(self.venue, named)
        )

    def _push(self, arg: Arg, rows: list[Any], **more: str) -> None:
        """Send it, or lose it, late, twice, or after the next one."""
        hit = self.venue.faults.hit
        body = {"arg": {**arg, "uid": "1"} if arg["channel"] in SIGNED else arg, **more, "data": rows}
        text = json.dumps(body, separators=(",", ":"))
        if hit("ws_mute"):
            return
        if hit("ws_delay"):
            self._later(DELAY_MS / 1000, self._out, text)
        elif self._kept is None and hit("ws_reorder"):
            self._kept = text
            self._later(REORDER_S, self._release)
        else:
            self._out(text)
            if hit("ws_duplicate"):
                self._out(text)
            self._release()

    def _out(self, text: str) -> None:
        if not self.closed:
            self._send(text)

    def _release(self) -> None:
        """What was kept back follows now."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self._out(kept)


def event_symbol(event: Event) -> str:
    """The contract that an event is about."""
    for about in (event.order, event.algo, event.bill):
        if about is not None:
            return about.symbol
    return event.why
