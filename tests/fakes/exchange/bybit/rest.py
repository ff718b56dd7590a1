"""Bybit's REST middleware: a request in, an answer out. Signature, envelope, and the faults that need not know what is asked.

Each path has the fields that Bybit documents; any other is noted, not refused: whether the real venue minds is not known.
"""

import hashlib
import hmac
from typing import Any

from tests.fakes.exchange.bybit.routes import ROUTES, Route
from tests.fakes.exchange.bybit.venue import BybitVenue
from tests.fakes.exchange.bybit.words import PARAMS, Fault
from tests.fakes.exchange.wire import NO_ANSWER, Answer, Request, json_answer

KEY, SECRET = "key", "secret"
AHEAD_MS = 1_000  # how far a client's clock may be before the venue's; behind it: the client's own window
WINDOW_MS = 60_000  # the longest that it may ask for
RATES = {"order/create": 20, "order/cancel": 20, "account/transaction-log": 30}  # requests to one path a second
RATE = 10
HTML = "<html><body><h1>Please wait</h1></body></html>"
PREFIX = "/v5/"
OK = "OK"


def rest(venue: BybitVenue, request: Request) -> Answer:
    """Answer a request, or play a fault."""
    venue.exchange.catch_up()
    venue.swallow = False
    method, path = request.method, request.path.removeprefix(PREFIX)
    if fault := fault_before(venue, method, path):
        return fault
    try:
        body = envelope(venue, request, path)
    except Fault as fault:
        return json_answer(said(venue, {}, fault.code, fault.message), fault.status)
    except ValueError:
        return json_answer(said(venue, {}, PARAMS, "Request parameter error: body is not JSON"))
    if method == "POST" and (venue.swallow or venue.faults.hit("timeout_after")):
        return NO_ANSWER
    return json_answer(body)


def said(venue: BybitVenue, result: Any, code: str = "0", message: str = OK, ext: Any = None) -> dict[str, Any]:
    """The body around every answer; the code is a number."""
    return {"retCode": int(code), "retMsg": message, "result": result, "retExtInfo": ext or {}, "time": venue.now}


def envelope(venue: BybitVenue, request: Request, path: str) -> dict[str, Any]:
    """The body of an answer. Raises Fault, and ValueError where the request is not JSON."""
    route = ROUTES.get((request.method, path))
    if route is None or not request.path.startswith(PREFIX):
        raise Fault("10017", f"Route not found: {request.method} {request.path}", 404)
    if route.private:
        check_signature(venue, request)
        if not venue.within(path, RATES.get(path, RATE), 1_000):
            raise Fault("10006", "Too many visits. Exceeded the API Rate Limit.")
    fields = request.fields
    note_unknown(venue, request.method, path, route, fields)
    venue.calls.append((request.method, path, fields))
    if fields.get("symbol") in venue.unknown and path != "market/instruments-info":
        raise Fault(PARAMS, f"params error: symbol invalid {fields['symbol']}")
    private = request.method == "GET" and route.private
    with venue.past.shown(venue.faults, private, bool(fields.get("orderId") or fields.get("orderLinkId"))):
        result = route.act(venue, fields)
    ext = {"list": result.pop("ext")} if "ext" in result else None
    rows = result.get("list", [])
    if request.method == "GET" and len(rows) > 1 and venue.faults.hit("partial_answer"):
        result = result | {"list": rows[: len(rows) // 2]}
    return said(venue, result, ext=ext)


def fault_before(venue: BybitVenue, method: str, path: str) -> Answer | None:
    """Faults before the venue has looked at the request."""
    hit = venue.faults.hit
    if hit("http_5xx"):
        return Answer(HTML, 502, {"Content-Type": "text/html"})
    if hit("html"):
        return Answer(HTML, 200, {"Content-Type": "text/html"})
    if hit("rate_limit"):
        return json_answer(said(venue, {}, "10006", "Too many visits. Exceeded the API Rate Limit."), 429, Retry_After="2")
    if hit("ban"):
        return Answer("", 418, {"Content-Type": "text/plain", "Retry-After": "120"})
    if hit("maintenance"):
        return json_answer(said(venue, {}, "10016", "Service is restarting. Please try again later."), 503)
    trades = method == "POST" and path.startswith(("order/", "position/trading-stop"))
    lost = hit("timeout_before") if trades else method == "GET" and hit("read_timeout")
    return NO_ANSWER if lost else None


def note_unknown(venue: BybitVenue, method: str, path: str, route: Route, fields: Any) -> None:
    """Count fields that Bybit does not document. Raises Fault where the body is not an object."""
    if not isinstance(fields, dict):
        raise Fault(PARAMS, "Request parameter error: body is not an object")
    venue.noted.update(f"{method} {path}: {name}" for name in fields if name not in route.fields)


def check_signature(venue: BybitVenue, request: Request) -> None:
    """Key, time and signature. Raises Fault."""
    got = request.headers
    key, stamp, window, sign = (got.get(f"X-BAPI-{name}", "") for name in ("API-KEY", "TIMESTAMP", "RECV-WINDOW", "SIGN"))
    if not (key and stamp and sign):
        raise Fault(PARAMS, f"empty value: apiTimestamp[{stamp}] apiKey[{key}] apiSignature[{sign}]: openapi sign params error!")
    if key != KEY:
        raise Fault("10003", "API key is invalid.")
    if venue.key_ended:
        raise Fault("33004", "Your api key has expired.")
    check_time(venue, stamp, window or "5000")
    signed = request.target.partition("?")[2] if request.method == "GET" else request.body
    if sign != signature(f"{stamp}{key}{window}{signed}"):
        raise Fault("10004", f"error sign! origin_string[{stamp}{key}{window}{signed}]")


def check_time(venue: BybitVenue, stamp: str, window: str) -> None:
    """A request is as old as its own window at most, and hardly from the future. Raises Fault 10002."""
    if not stamp.isdigit() or not window.isdigit() or not -AHEAD_MS < venue.now - int(stamp) <= min(int(window), WINDOW_MS):
        venue.faults.hit("clock_skew")
        text = "invalid request, please check your server timestamp or recv_window param."
        raise Fault("10002", f"{text} req_timestamp[{stamp}],server_timestamp[{venue.now}],recv_window[{window}]")


def signature(text: str) -> str:
    """Bybit's signature of a text."""
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
