"""Binance's WebSockets: one `BinanceLine` a connection, fed with texts and with what happens at the exchange. It opens no socket.

`send` and `close` are the transport's, `later` calls something after so many seconds. `private/ws?listenKey=` is the user stream:
it needs no subscription. `market/ws/N` and `public/ws/N` take subscriptions, `ws-fapi/v1` takes orders.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.binance import pushes, reading, trading
from tests.fakes.exchange.binance.rest import AHEAD_MS, WINDOW_MS, check_key, signature
from tests.fakes.exchange.binance.routes import ROUTES, SENT_WITH_ALL
from tests.fakes.exchange.binance.rows import Row
from tests.fakes.exchange.binance.venue import BinanceVenue
from tests.fakes.exchange.binance.words import Fault, Instrument
from tests.fakes.exchange.faults import DELAY_MS
from tests.fakes.exchange.ledger import Event
from tests.fakes.exchange.orders import FILLED, TRIGGERED

PRIVATE, MARKET, PUBLIC, ORDERS = "private", "market", "public", "ws-fapi"
ORDER_EVENTS = (log.ACCEPTED, log.FILL, log.ENDED, log.AMENDED)
BOOKS = ("depth", "bookTicker", "trade")  # streams of public/ws; the others are on market/ws
METHODS = {
    "order.place": (trading.place_order, "POST", "fapi/v1/order"),
    "order.modify": (trading.amend_order, "PUT", "fapi/v1/order"),
    "order.cancel": (trading.cancel_order, "DELETE", "fapi/v1/order"),
    "order.status": (reading.get_order, "GET", "fapi/v1/order"),
    "algoOrder.place": (trading.place_algo, "POST", "fapi/v1/algoOrder"),
    "algoOrder.cancel": (trading.cancel_algo, "DELETE", "fapi/v1/algoOrder"),
}
REORDER_S = 2.0  # a push that nothing follows comes after so long


class BinanceLine:
    """One connection: its kind is the first part of its path."""

    def __init__(
        self, venue: BinanceVenue, path: str, send: Callable[[str], None], close: Callable[[], None], later: Callable[..., Any]
    ) -> None:
        self.venue, self.kind = venue, path.strip("/").partition("/")[0]
        self._send, self._close, self._later = send, close, later
        self.key = parse_qs(path.partition("?")[2]).get("listenKey", [""])[0]
        self.alive = self.kind == PRIVATE and self.key != "" and self.key == venue.listen_key
        self.closed = False
        self.streams: list[str] = []
        self.received: list[Any] = []
        self._kept: str | None = None
        self._pushed: dict[str, int] = {}  # symbol -> update id of its book that was pushed last
        self._levels: dict[str, tuple[dict[str, str], dict[str, str]]] = {}  # symbol -> bids and asks as pushed
        self._candle: dict[str, int] = {}  # stream -> the open_ms that was pushed last
        venue.exchange.listeners.append(self._listen)

    def channels(self) -> set[str]:
        """What has been subscribed to; the user stream is one by itself."""
        return {*self.streams, *(["user"] if self.alive else [])}

    def pinged(self) -> bool:
        """A ping of the protocol: whether it is answered."""
        return not self.venue.faults.hit("ws_mute")

    def end(self) -> None:
        """The connection is over."""
        self.closed = True
        if self._listen in self.venue.exchange.listeners:
            self.venue.exchange.listeners.remove(self._listen)

    # ---- what comes -----------------------------------------------------------------------------------------------------

    def take(self, text: str) -> None:
        """A text from the client."""
        self.venue.exchange.catch_up()
        if self.venue.faults.hit("ws_mute"):
            return
        try:
            message = json.loads(text)
            method, id_ = message["method"], message.get("id")
        except (ValueError, TypeError, KeyError):
            self._say({"error": {"code": 3, "msg": "Invalid JSON: expected value"}})
            return
        self.received.append(message)
        if self.kind == ORDERS:
            self._trade(message)
        elif method in ("SUBSCRIBE", "UNSUBSCRIBE") and isinstance(message.get("params"), list):
            self._subscribe(method, message["params"], id_)
        elif method == "LIST_SUBSCRIPTIONS":
            self._say({"result": self.streams, "id": id_})
        else:
            self._say({"error": {"code": 2, "msg": f"Invalid request: unknown variant `{method}`"}, "id": id_})

    def _say(self, body: Row) -> None:
        self._send(json.dumps(body, separators=(",", ":")))

    def _subscribe(self, method: str, names: list[str], id_: Any) -> None:
        if any(self._parts(name) is None for name in names):
            self._say({"error": {"code": 2, "msg": "Invalid request: invalid stream name"}, "id": id_})
            return
        for name in names:
            if method == "SUBSCRIBE" and name not in self.streams:
                self.streams.append(name)
            elif method == "UNSUBSCRIBE" and name in self.streams:
                self.streams.remove(name)
        self._say({"result": None, "id": id_})
        for name in names if method == "SUBSCRIBE" else ():
            self._first(name)

    def _parts(self, name: Any) -> tuple[Instrument, str] | None:
        """Instrument and channel of btcusdt@kline_15m; None where this line has no such stream."""
        symbol, _, channel = str(name).partition("@")
        inst, head = self.venue.instruments.get(symbol.upper()), channel.partition("@")[0]
        if symbol != symbol.lower() or inst is None or (self.kind == PUBLIC) is not (head in BOOKS):
            return None
        fits = head in ("markPrice", "miniTicker", "ticker", "depth") or head.removeprefix("kline_") in reading.SPANS
        return (inst, head) if fits else None

    def _first(self, name: str) -> None:
        """Marks and tickers come every second: the first at once. A book is continued from here."""
        inst, head = self._parts(name) or (next(iter(self.venue.of.values())), "")
        if head == "depth":
            self._pushed[inst.symbol], self._levels[inst.symbol] = self.venue.books[inst.symbol], self._book(inst)
        elif not head.startswith("kline_"):
            self._push(self._public(inst, head))

    def _trade(self, message: Any) -> None:
        """An order by socket: the answer of REST, or its refusal, with the request's id."""
        found: Row = {"id": message.get("id"), "status": 200}
        try:
            if message["method"] not in METHODS or not isinstance(message.get("params"), dict):
                raise Fault(-1000, "Unknown method")
            act, verb, path = METHODS[message["method"]]
            self._check_signed(message["params"])
            fields = {name: as_text(value) for name, value in message["params"].items() if name not in (*SENT_WITH_ALL, "apiKey")}
            unknown = [name for name in fields if name not in ROUTES[verb, path].fields and name != "returnRateLimits"]
            self.venue.noted.update(f"WS {message['method']}: {name}" for name in unknown)
            self.venue.swallow = False
            found["result"] = act(self.venue, fields)
        except Fault as fault:
            found |= {"status": fault.status, "error": {"code": fault.code, "msg": fault.message}}
        if not self.venue.swallow:
            self._say(found)

    def _check_signed(self, params: Row) -> None:
        """Key, time and signature, over the fields in the order of their names. Raises Fault."""
        check_key(str(params.get("apiKey", "")))
        stamp, window = params.get("timestamp"), params.get("recvWindow", WINDOW_MS)
        if not isinstance(stamp, int) or not self.venue.now - window <= stamp < self.venue.now + AHEAD_MS:
            raise Fault(-1021, "Timestamp for this request is outside of the recvWindow.")
        named = {name: as_text(params[name]) for name in sorted(params) if name != "signature"}
        if params.get("signature") != signature(urlencode(named)):
            raise Fault(-1022, "Signature for this request is not valid.")

    # ---- what is pushed -------------------------------------------------------------------------------------------------

    def _listen(self, event: Event) -> None:
        if self.closed:
            return
        if self.venue.faults.hit("ws_cut"):
            self.end()
            self._close()
            return
        if self.kind == PRIVATE:
            self._user(event)
        elif event.kind == log.PRINT:
            for name in list(self.streams):
                inst, head = self._parts(name) or (self.venue.of[event.why], "")
                if inst.name == event.why:
                    self._market(name, inst, head)

    def _user(self, event: Event) -> None:
        """What the user stream says of an event, while its key lives."""
        if self.alive and self.key != self.venue.listen_key:
            self.alive = False
            self._push(pushes.expired_push(self.venue, self.key))
        if not self.alive:
            return
        if event.bill:
            self._push(pushes.account_push(self.venue, event))
        if event.order and event.kind in ORDER_EVENTS:
            hidden = event.kind == log.FILL and self.venue.faults.hit("drop_fills")
            self._push(pushes.order_push(self.venue, event, hidden))
        for status in self._algo_statuses(event):
            algo = event.algo or self.venue.exchange.algos[event.order.parent]  # type: ignore[union-attr]  # one of the two is there
            self._push(pushes.algo_push(self.venue, algo, status, event.t_ms))

    @staticmethod
    def _algo_statuses(event: Event) -> tuple[str, ...]:
        """What is said of a conditional order: its own events, and the end of what it has placed."""
        words = {log.ALGO_ACCEPTED: ("NEW",), log.ALGO_TRIGGERED: ("TRIGGERING", "TRIGGERED")}
        if event.algo is not None:
            ended = "CANCELED" if event.algo.state != "failed" else "REJECTED"
            return words.get(event.kind, (ended,) if event.kind == log.ALGO_ENDED and event.algo.state != TRIGGERED else ())
        over = event.kind == log.ENDED or (event.kind == log.FILL and event.order is not None and event.order.state == FILLED)
        return ("FINISHED",) if over and event.order is not None and event.order.parent else ()

    def _market(self, name: str, inst: Instrument, head: str) -> None:
        """What a print says on a stream."""
        if head.startswith("kline_"):
            self._candles(name, inst, head.removeprefix("kline_"))
        elif head == "depth":
            self._push(self._depth(inst))
        else:
            self._push(self._public(inst, head))

    def _public(self, inst: Instrument, head: str) -> Row:
        if head == "markPrice":
            return pushes.mark_push(self.venue, inst)
        return pushes.ticker_push(self.venue, inst, head == "miniTicker")

    def _candles(self, name: str, inst: Instrument, interval: str) -> None:
        """The forming candle; before the first of a new one, the last of the one that has closed."""
        span, market = reading.SPANS[interval], self.venue.market(inst)
        listed = market.candles(span, latest=2)
        before, self._candle[name] = self._candle.get(name), listed[-1].open_ms
        if before is not None and before < listed[-1].open_ms and len(listed) > 1:
            closed = listed[-2]
            if self.venue.faults.hit("wrong_candle"):
                closed = closed._replace(close=closed.close + 7)
            self._push(pushes.candle_push(self.venue, inst, closed, interval, span, True))
        self._push(pushes.candle_push(self.venue, inst, listed[-1], interval, span, False))

    def _book(self, inst: Instrument) -> tuple[dict[str, str], dict[str, str]]:
        """Bids and asks now, price -> size."""
        row = reading.book(self.venue, {"symbol": inst.symbol})
        return pushes.sizes(row["bids"]), pushes.sizes(row["asks"])

    def _depth(self, inst: Instrument) -> Row:
        """What has changed in the book since the last push."""
        bids, asks = self._book(inst)
        if self.venue.faults.hit("inverted_book"):
            bids, asks = asks, bids
        before, (old_bids, old_asks) = self._pushed[inst.symbol], self._levels[inst.symbol]
        if self.venue.faults.hit("book_gap"):
            before += 5
        self._pushed[inst.symbol], self._levels[inst.symbol] = self.venue.books[inst.symbol], (bids, asks)
        return pushes.depth_push(self.venue, inst, before, pushes.changed(old_bids, bids), pushes.changed(old_asks, asks))

    def _push(self, body: Row) -> None:
        """Send it, or lose it, late, twice, or after the next one."""
        hit, text = self.venue.faults.hit, json.dumps(body, separators=(",", ":"))
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


def as_text(value: Any) -> str:
    """A field of a socket's request as REST would have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
