"""Binance's REST middleware: a request in, an answer out. Signature, refusals, and the faults that need not know what is asked.

Each path has the fields that Binance documents; any other is noted, not refused: whether the real venue minds is not known.
"""

import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.exchange.binance.routes import KEY as KEY_ALONE
from tests.fakes.exchange.binance.routes import PUBLIC, ROUTES, SENT_WITH_ALL, SIGNED
from tests.fakes.exchange.binance.venue import BinanceVenue
from tests.fakes.exchange.binance.words import Fault, required, whole
from tests.fakes.exchange.wire import NO_ANSWER, Answer, Request, json_answer

KEY, SECRET = "key", "secret"
WINDOW_MS, WINDOW_MAX_MS, AHEAD_MS = 5_000, 60_000, 1_000
WEIGHT = (2_400, 60_000)  # requests in so many ms: each weighs 1 here
HTML = "<html><body><h1>Please wait</h1></body></html>"
PAGE = {"Content-Type": "text/html"}
BY_ID = ("order", "openOrder", "algoOrder")  # questions about one order
CHANGES = ("POST", "PUT", "DELETE")
TRADES = ("order", "batchOrders", "allOpenOrders", "algoOrder", "algoOpenOrders", "countdownCancelAll")


def rest(venue: BinanceVenue, request: Request) -> Answer:
    """Answer a request, or play a fault."""
    venue.exchange.catch_up()
    venue.swallow = False
    path = request.path.strip("/")
    trading = request.method in CHANGES and path.rpartition("/")[2] in TRADES
    if played := fault_before(venue, request.method, trading):
        return played
    if (request.method, path) not in ROUTES:
        return Answer(HTML, 404, PAGE)
    try:
        body = answered(venue, request, path)
    except Fault as fault:
        return json_answer({"code": fault.code, "msg": fault.message}, fault.status)
    if trading and (venue.swallow or venue.faults.hit("timeout_after")):
        return NO_ANSWER
    return json_answer(body)


def answered(venue: BinanceVenue, request: Request, path: str) -> Any:
    """The body of an answer. Raises Fault."""
    route = ROUTES[request.method, path]
    if not venue.within("weight", *WEIGHT):
        raise Fault(-1003, "Too many requests; current limit of IP(127.0.0.1) is 2400 requests per minute.", 429)
    fields = dict(parse_qsl(sent(request), keep_blank_values=True))
    if route.needs != PUBLIC:
        check_key(request.headers.get("X-MBX-APIKEY", ""), venue.key_ended)
    if route.needs not in (PUBLIC, KEY_ALONE):
        check_signature(venue, request, fields)
    fields = {name: value for name, value in fields.items() if name not in SENT_WITH_ALL}
    venue.noted.update(f"{request.method} {path}: {name}" for name in fields if name not in route.fields)
    venue.calls.append((request.method, path, fields))
    if fields.get("symbol") in venue.unknown:
        raise Fault(-1121, "Invalid symbol.")
    private = request.method == "GET" and route.needs == SIGNED
    with venue.past.shown(venue.faults, private, path.rpartition("/")[2] in BY_ID):
        body = route.act(venue, fields)
    if isinstance(body, list) and request.method == "GET" and len(body) > 1 and venue.faults.hit("partial_answer"):
        return body[: len(body) // 2]
    return body


def sent(request: Request) -> str:
    """Query and body as they are signed: one behind the other."""
    return request.target.partition("?")[2] + request.body


def fault_before(venue: BinanceVenue, method: str, trading: bool) -> Answer | None:
    """Faults before the venue has looked at the request."""
    hit = venue.faults.hit
    if hit("http_5xx"):
        return Answer(HTML, 502, PAGE)
    if hit("html"):
        return Answer(HTML, 200, PAGE)
    if hit("rate_limit"):
        text = "Too many requests; current limit of IP(127.0.0.1) is 2400 requests per minute."
        return json_answer({"code": -1003, "msg": text}, 429, Retry_After="2")
    if hit("ban"):
        text = f"Way too many requests; IP(127.0.0.1) banned until {venue.now + 120_000}."
        return json_answer({"code": -1003, "msg": text}, 418, Retry_After="120")
    if hit("maintenance"):
        return json_answer({"code": 1, "msg": "System is under maintenance."}, 503)
    lost = hit("timeout_before") if trading else method == "GET" and hit("read_timeout")
    return NO_ANSWER if lost else None


def check_key(key: str, ended: bool = False) -> None:
    """Raises Fault with status 401."""
    if not key:
        raise Fault(-2014, "API-key format invalid.", 401)
    if key != KEY or ended:
        raise Fault(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def check_signature(venue: BinanceVenue, request: Request, fields: dict[str, str]) -> None:
    """Time, window and signature. Raises Fault."""
    stamp, window = whole({"timestamp": required(fields, "timestamp")}, "timestamp") or 0, whole(fields, "recvWindow")
    window = WINDOW_MS if window is None else window
    if window > WINDOW_MAX_MS:
        raise Fault(-1131, "recvWindow must be less than 60000.")
    if not venue.now - window <= stamp < venue.now + AHEAD_MS:
        venue.faults.hit("clock_skew")
        raise Fault(-1021, "Timestamp for this request is outside of the recvWindow.")
    payload = sent(request).removesuffix(f"&signature={required(fields, 'signature')}")
    if fields["signature"] != signature(payload):
        raise Fault(-1022, "Signature for this request is not valid.")


def signature(text: str) -> str:
    """Binance's signature of a text."""
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
