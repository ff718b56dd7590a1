"""Bybit's WebSockets: one `BybitLine` a connection, fed with texts and with what happens at the exchange. It opens no socket.

`send` and `close` are the transport's, `later` calls something after so many seconds. Private: order, execution, position,
wallet; trade: orders by socket; public: kline, tickers, orderbook.
"""

import json
from collections.abc import Callable
from typing import Any

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.bybit import reading, trading
from tests.fakes.exchange.bybit.rest import KEY, check_time, signature
from tests.fakes.exchange.bybit.rows import Row, pushed_candle, pushed_execution, pushed_order, pushed_position, pushed_wallet
from tests.fakes.exchange.bybit.venue import BybitVenue
from tests.fakes.exchange.bybit.words import Fault
from tests.fakes.exchange.faults import DELAY_MS
from tests.fakes.exchange.ledger import Event

PRIVATE, TRADE, PUBLIC = "private", "trade", "linear"
SIGNED = ("order", "execution", "position", "wallet")
DEPTHS = ("1", "50", "200", "1000")
ORDER_EVENTS = (log.ACCEPTED, log.FILL, log.ENDED, log.AMENDED)
ALGO_EVENTS = (log.ALGO_ACCEPTED, log.ALGO_TRIGGERED, log.ALGO_ENDED, log.ALGO_AMENDED)
OPS = {"order.create": trading.place_order, "order.amend": trading.amend_order, "order.cancel": trading.cancel_order}
REORDER_S = 2.0  # a push that nothing follows comes after so long
CONN = "cejreaspqfm9se7usbrg-2xh"


class BybitLine:
    """One connection to v5/private, v5/trade or v5/public/linear."""

    def __init__(
        self, venue: BybitVenue, path: str, send: Callable[[str], None], close: Callable[[], None], later: Callable[..., Any]
    ) -> None:
        self.venue, self.kind = venue, path.rstrip("/").rpartition("/")[2]
        self._send, self._close, self._later = send, close, later
        self.logged_in = self.closed = False
        self.topics: list[str] = []
        self.received: list[Any] = []
        self._kept: str | None = None
        self._update = 0  # of the last push of a book
        self._levels: dict[str, dict[str, str]] = {}  # a and b -> price -> size, as pushed
        self._candle: dict[str, int] = {}  # topic -> the open_ms that was pushed last
        venue.exchange.listeners.append(self._listen)

    def pinged(self) -> bool:
        """A ping of the protocol: Bybit is pinged by a text."""
        return not self.venue.faults.hit("ws_mute")

    def end(self) -> None:
        """The connection is over; the last private one starts the dead man's time."""
        if self.closed:
            return
        self.closed = True
        self.venue.exchange.listeners.remove(self._listen)
        if self.kind == PRIVATE and self.logged_in:
            self.venue.private_lines -= 1
            if self.venue.dead_man_s and not self.venue.private_lines:
                self.venue.exchange.dead_man(self.venue.dead_man_s * 1000)

    def channels(self) -> set[str]:
        """What has been subscribed to."""
        return set(self.topics)

    # ---- what comes -----------------------------------------------------------------------------------------------------

    def take(self, text: str) -> None:
        """A text from the client."""
        self.venue.exchange.catch_up()
        if self.venue.faults.hit("ws_mute"):
            return
        try:
            message = json.loads(text)
            op = message["op"]
        except (ValueError, TypeError, KeyError):
            self._say(success=False, ret_msg="Request not authorized", op="")
            return
        if op == "ping":
            self._pong(message)
            return
        self.received.append(message)
        if op == "auth" and self.kind != PUBLIC:
            self._login(message)
        elif op in ("subscribe", "unsubscribe") and self.kind != TRADE:
            self._subscribe(op, message)
        elif op in OPS and self.kind == TRADE:
            self._trade(message)
        else:
            self._say(success=False, ret_msg="error:invalid op", op=op, **of_request(message))

    def _say(self, **body: Any) -> None:
        self._send(json.dumps({"conn_id": CONN} | body, separators=(",", ":")))

    def _pong(self, message: Any) -> None:
        """Public and private lines word it differently."""
        if self.kind == PUBLIC:
            self._say(success=True, ret_msg="pong", op="ping", **of_request(message))
        else:
            self._say(op="pong", args=[str(self.venue.now)], **of_request(message))

    def _login(self, message: Any) -> None:
        """`expires` is a time to come: one that has passed is refused."""
        key, expires, sign = ([*(message.get("args") or []), "", "", ""])[:3]
        code, text = "0", ""
        if self.venue.faults.hit("bad_login") or not str(expires).isdigit() or int(expires) <= self.venue.now:
            code, text = "10002", "Params Error: expires has passed"
        elif key != KEY:
            code, text = "10003", "Invalid apikey"
        elif sign != signature(f"GET/realtime{expires}"):
            code, text = "10004", "Invalid sign"
        if code == "0" and not self.logged_in:
            self.logged_in = True
            if self.kind == PRIVATE:
                self.venue.private_lines += 1
                self.venue.exchange.dead_man(0)
        ok = {"success": code == "0"} if self.kind == PRIVATE else {}
        self._say(op="auth", retCode=int(code), retMsg=text, connId=CONN, **ok)

    def _subscribe(self, op: str, message: Any) -> None:
        """All topics of a request, or none."""
        asked = [str(topic) for topic in message.get("args") or []]
        if unknown := [topic for topic in asked if not self._knows(topic)]:
            self._say(success=False, ret_msg=f"Invalid topic: {unknown[0]}", op=op, **of_request(message))
            return
        if self.kind == PRIVATE and not self.logged_in:
            self._say(success=False, ret_msg="Request not authorized", op=op, **of_request(message))
            return
        self._say(success=True, ret_msg="", op=op, **of_request(message))
        for topic in asked:
            if op == "unsubscribe":
                self.topics = [other for other in self.topics if other != topic]
            elif topic not in self.topics:
                self.topics.append(topic)
                self._first(topic)

    def _knows(self, topic: str) -> bool:
        """Whether this address has the topic."""
        if self.kind == PRIVATE:
            return topic in SIGNED
        name, *more = topic.split(".")
        known = bool(more) and more[-1] in self.venue.instruments
        if name == "kline":
            return known and len(more) == 2 and more[0] in reading.SPANS
        return known and (name == "tickers" or (name == "orderbook" and more[0] in DEPTHS))

    def _first(self, topic: str) -> None:
        """What a topic says when it is subscribed to: private ones nothing."""
        name, *more = topic.split(".")
        if name == "orderbook":
            self._push(topic, self._book(more[-1]), type="snapshot")
        elif name == "tickers":
            self._push(topic, self._ticker(more[-1]), type="snapshot")

    def _trade(self, message: Any) -> None:
        """An order by socket: the result of REST with the request's id."""
        code, text, data, fields = "0", "OK", {}, (message.get("args") or [{}])[0]
        try:
            if not self.logged_in:
                raise Fault("10005", "Permission denied")
            header = message.get("header", {})
            check_time(self.venue, str(header.get("X-BAPI-TIMESTAMP", "")), str(header.get("X-BAPI-RECV-WINDOW", "5000")))
            data = OPS[message["op"]](self.venue, fields)
        except Fault as fault:
            code, text = fault.code, fault.message
        if not self.venue.swallow:
            header = {"X-Bapi-Limit": "20", "X-Bapi-Limit-Status": "19", "Timenow": str(self.venue.now)}
            body = {"reqId": message.get("reqId"), "retCode": int(code), "retMsg": text, "op": message["op"], "data": data}
            self._send(json.dumps(body | {"header": header, "connId": CONN}, separators=(",", ":")))

    # ---- what is pushed -------------------------------------------------------------------------------------------------

    def _listen(self, event: Event) -> None:
        if self.closed:
            return
        if self.venue.faults.hit("ws_cut"):
            self.end()
            self._close()
            return
        for topic in list(self.topics):
            if topic in SIGNED:
                if rows := self._rows(topic, event):
                    self._push(topic, rows)
            elif event.kind == log.PRINT:
                self._public(topic, event.why)

    def _rows(self, topic: str, event: Event) -> list[Row]:
        """What an event says on a private topic."""
        venue = self.venue
        if topic == "order" and event.kind in ORDER_EVENTS and event.order:
            return [pushed_order(venue.row(venue.parent(event.order), event.order))]
        if topic == "order" and event.kind in ALGO_EVENTS and event.algo:
            return [pushed_order(venue.row(event.algo, None))]
        if not event.bill or topic == "order":
            return []
        if topic == "execution":
            hidden = event.kind == log.FILL and venue.faults.hit("drop_fills")
            return [] if hidden else [pushed_execution(venue.execution(event))]
        if topic == "position":
            inst = venue.of[event.bill.symbol]
            return [pushed_position(row) for row in reading.position_rows(venue) if row["symbol"] == inst.symbol]
        return [pushed_wallet(row) for row in reading.wallet(venue, {"accountType": "UNIFIED"})["list"]]

    def _public(self, topic: str, symbol: str) -> None:
        """A print has come."""
        name, *more = topic.split(".")
        if more[-1] != self.venue.of[symbol].symbol:
            return
        if name == "kline":
            self._candles(topic, more[0], symbol)
        elif name == "tickers":
            self._push(topic, self._ticker(more[-1]), type="delta")
        elif change := self._book(more[-1]):
            if self.venue.faults.hit("book_gap"):
                return  # it is counted in the next one's number, and lost
            self._push(topic, change, type="delta")

    def _candles(self, topic: str, word: str, symbol: str) -> None:
        """The forming candle; before the first of a new one, the last of the one that has closed."""
        span, inst, now = reading.SPANS[word], self.venue.of[symbol], self.venue.now
        listed = self.venue.exchange.markets[symbol].candles(span, latest=2)
        before = self._candle.get(topic)
        self._candle[topic] = listed[-1].open_ms
        if before is not None and before < listed[-1].open_ms and len(listed) > 1:
            closed = pushed_candle(inst, listed[-2], word, span, now, True)
            if self.venue.faults.hit("wrong_candle"):
                closed["close"] = inst.price(listed[-2].close + 7)
            self._push(topic, [closed], type="snapshot")
        self._push(topic, [pushed_candle(inst, listed[-1], word, span, now, False)], type="snapshot")

    def _ticker(self, symbol: str) -> Row:
        found: Row = reading.tickers(self.venue, {"category": "linear", "symbol": symbol})["list"][0]
        return found

    def _book(self, symbol: str) -> Row:
        """The book, or what has changed in it since the last push: levels that are gone have size 0."""
        book = reading.books(self.venue, {"category": "linear", "symbol": symbol})
        if self.venue.faults.hit("inverted_book"):
            book["a"], book["b"] = book["b"], book["a"]
        shown = {side: dict(book[side]) for side in ("a", "b")}
        gone = {side: [[price, "0"] for price in self._levels.get(side, {}) if price not in shown[side]] for side in shown}
        self._levels = shown
        self._update += 1
        return {"s": symbol} | {side: gone[side] + book[side] for side in shown} | {"u": self._update, "seq": book["seq"]}

    def _push(self, topic: str, data: Any, **more: Any) -> None:
        """Send it, or lose it, late, twice, or after the next one."""
        hit, now = self.venue.faults.hit, self.venue.now
        times = {"id": f"{CONN}-{now}", "creationTime": now} if topic in SIGNED else {"ts": now}
        text = json.dumps({"topic": topic} | times | more | {"data": data}, separators=(",", ":"))
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


def of_request(message: Any) -> dict[str, Any]:
    """The request's id, where it had one."""
    return {"req_id": str(message["req_id"])} if "req_id" in message else {}
