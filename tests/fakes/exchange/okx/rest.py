"""OKX's REST middleware: a request in, an answer out. Signature, envelope, and the faults that need not know what is asked.

Each path has the fields that OKX documents; any other is noted, not refused: whether the real venue minds is not known.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Any

from tests.fakes.exchange.okx.routes import ROUTES, Route
from tests.fakes.exchange.okx.venue import OkxVenue
from tests.fakes.exchange.okx.words import Fault, Refusal
from tests.fakes.exchange.wire import NO_ANSWER, Answer, Request, json_answer

KEY, SECRET, PASSPHRASE = "key", "secret", "pass"
WINDOW_MS = 30_000
RATE = (60, 2_000)  # requests to one trading path in so many ms; OKX has its own number for each, most of them this one
HTML = "<html><body><h1>Please wait</h1></body></html>"
PREFIX = "/api/v5/"
BY_ID = ("trade/order", "trade/order-algo")  # questions about one order


def rest(venue: OkxVenue, request: Request) -> Answer:
    """Answer a request, or play a fault."""
    venue.exchange.catch_up()
    venue.swallow = False
    method, path = request.method, request.path.removeprefix(PREFIX)
    if fault := fault_before(venue, method, path):
        return fault
    try:
        body = envelope(venue, request, path)
    except Fault as fault:
        return json_answer({"msg": fault.message, "code": fault.code, "data": []}, fault.status)
    except ValueError:
        return json_answer({"msg": "JSON syntax error", "code": "50002", "data": []}, 400)
    if method == "POST" and (venue.swallow or venue.faults.hit("timeout_after")):
        return NO_ANSWER
    return json_answer(body)


def envelope(venue: OkxVenue, request: Request, path: str) -> dict[str, Any]:
    """The body of an answer. Raises Fault, and ValueError where the request is not JSON."""
    route = ROUTES.get((request.method, path))
    if route is None or not request.path.startswith(PREFIX):
        raise Fault("50404", f"no such path: {request.method} {request.path}", 404)
    if route.private:
        check_signature(venue, request)
    if path.startswith("trade/") and not venue.within(path, *RATE):
        raise Fault("50011", "Too Many Requests", 429)
    fields = request.fields
    note_unknown(venue, request.method, path, route, fields)
    venue.calls.append((request.method, path, fields))
    if any(item.get("instId") in venue.unknown for item in (fields if isinstance(fields, list) else [fields])):
        raise Fault("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    try:
        private = request.method == "GET" and route.private
        with venue.past.shown(venue.faults, private, path in BY_ID):
            rows = route.act(venue, fields)
    except Refusal as refusal:
        return {"code": refusal.code, "data": refusal.rows, "msg": "All operations failed" if refusal.code == "1" else ""}
    if request.method == "GET" and len(rows) > 1 and venue.faults.hit("partial_answer"):
        rows = rows[: len(rows) // 2]
    return {"code": "0", "msg": "", "data": rows}


def fault_before(venue: OkxVenue, method: str, path: str) -> Answer | None:
    """Faults before the venue has looked at the request."""
    hit = venue.faults.hit
    if hit("http_5xx"):
        return Answer(HTML, 502, {"Content-Type": "text/html"})
    if hit("html"):
        return Answer(HTML, 200, {"Content-Type": "text/html"})
    if hit("rate_limit"):
        return json_answer({"msg": "Too Many Requests", "code": "50011", "data": []}, 429, Retry_After="2")
    if hit("ban"):
        return Answer("", 418, {"Content-Type": "text/plain", "Retry-After": "120"})
    if hit("maintenance"):
        return json_answer({"msg": "Service temporarily unavailable. Try again later", "code": "50001", "data": []}, 503)
    lost = hit("timeout_before") if method == "POST" and path.startswith("trade/") else method == "GET" and hit("read_timeout")
    return NO_ANSWER if lost else None


def note_unknown(venue: OkxVenue, method: str, path: str, route: Route, fields: Any) -> None:
    """Count fields that OKX does not document. Raises Fault where an item is not an object."""
    for item in fields if isinstance(fields, list) else [fields]:
        if not isinstance(item, dict):
            raise Fault("50002", "JSON syntax error", 400)
        venue.noted.update(f"{method} {path}: {name}" for name in item if name not in route.fields)


def check_signature(venue: OkxVenue, request: Request) -> None:
    """Key, passphrase, time, signature and environment. Raises Fault with status 401."""
    got = request.headers
    for code, name in (("50103", "KEY"), ("50104", "PASSPHRASE"), ("50106", "SIGN"), ("50107", "TIMESTAMP")):
        if not got.get(f"OK-ACCESS-{name}"):
            raise Fault(code, f"Request header OK-ACCESS-{name} can not be empty.", 401)
    if got["OK-ACCESS-KEY"] != KEY:
        raise Fault("50111", "Invalid OK-ACCESS-KEY", 401)
    if venue.key_ended:
        raise Fault("50119", "API key doesn't exist", 401)
    if got["OK-ACCESS-PASSPHRASE"] != PASSPHRASE:
        raise Fault("50105", "Request header OK-ACCESS-PASSPHRASE incorrect.", 401)
    stamp = got["OK-ACCESS-TIMESTAMP"]
    try:
        sent_ms = round(datetime.fromisoformat(stamp).timestamp() * 1000)
    except ValueError:
        raise Fault("50112", "Invalid OK-ACCESS-TIMESTAMP", 401) from None
    if abs(venue.now - sent_ms) > WINDOW_MS:
        venue.faults.hit("clock_skew")
        raise Fault("50102", "Timestamp request expired", 401)
    if got["OK-ACCESS-SIGN"] != signature(stamp + request.method + request.target + request.body):
        raise Fault("50113", "Invalid Sign", 401)
    if (got.get("X-SIMULATED-TRADING") == "1") is not venue.simulated:
        raise Fault("50101", "APIKey does not match current environment.", 401)


def signature(text: str) -> str:
    """OKX's signature of a text."""
    return base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest()).decode()
