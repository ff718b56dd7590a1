"""Everything that can fail at an endpoint, as one kind of error that says whether to retry. Used by agents/formats.

The key is removed from whatever an endpoint says before it reaches a person, a log or a journal.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from agents.model import ModelDown
from engine.redaction import redacted
from tools.common.contract import clean

SAID_MAX = 240
# 400 responses that mean a bad key: Google's, and a proxy without its key database
_KEY = re.compile(
    r"api[ _-]?key.{0,20}(not valid|invalid|incorrect|expired)|(invalid|incorrect).{0,12}api[ _-]?key|no connected db", re.I
)
_SMALL = re.compile(r"context.{0,12}(length|window|size)|too many tokens|exceed\w*.{0,40}context", re.I)
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}


class EndpointFault(ModelDown):
    """One failed attempt. `again`: a retry may work, after `wait_s` seconds. `said`: the endpoint's words.
    `lasts`: no other API format at the same endpoint will do better (a rejected key, a dead address).
    """

    lasts = False

    def __init__(self, what: str, *, again: bool, wait_s: float = 0.0, status: int | None = None, said: str = "") -> None:
        super().__init__(what)
        self.again, self.wait_s, self.status, self.said = again, wait_s, status, said

    def lasting(self) -> "EndpointFault":
        """The same, marked as lasting."""
        self.lasts = True
        return self


def without_key(value: Any, key: str) -> Any:
    """`value` (text, or JSON values) with every occurrence of the key replaced."""
    if isinstance(value, str):
        return value.replace(key, "[key]") if key and key in value else value
    if isinstance(value, Mapping):
        return {without_key(k, key): without_key(v, key) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [without_key(v, key) for v in value]
    return value


def storable(value: Any) -> Any:
    """`value` without the characters that a database or a stream cannot hold: null bytes, and halves of characters."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "?")
    if isinstance(value, Mapping):
        return {storable(k): storable(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [storable(v) for v in value]
    return value


def error_line(text: object, key: str) -> str:
    """An endpoint's words for a person: short, on one line, without the key or anything that looks like one."""
    bare = without_key(" ".join(str(text).split()), key)
    if len(key) >= 12:  # the endpoint may repeat part of a key
        bare = re.sub(rf"{re.escape(key[:8])}\S*", "[key]", bare)
        bare = re.sub(rf"\S*{re.escape(key[-8:])}", "[key]", bare)
    return redacted(clean(bare, SAID_MAX))


def error_text(error: Any) -> str:
    """The text of an error object inside an answer; the key has been removed already."""
    return error_line(error.get("message") or error if isinstance(error, Mapping) else error, "")


def fault_of(error: BaseException, host: str, key: str) -> EndpointFault:
    """Any error of the client as an EndpointFault."""
    import openai

    if isinstance(error, EndpointFault):
        return error
    if isinstance(error, openai.APITimeoutError):
        return EndpointFault(f"{host} did not answer in time", again=True).lasting()
    if isinstance(error, openai.APIResponseValidationError):
        return EndpointFault(f"{host} answered with something that is not JSON", again=True)
    if isinstance(error, openai.APIConnectionError):
        return EndpointFault(f"the connection to {host} failed or was cut ({_cause(error, key)})", again=True).lasting()
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, host, key)
    if isinstance(error, openai.APIError):  # an error object inside a stream that began well
        said = error_line(error.message, key)
        return EndpointFault(f"{host} reported an error in the middle of its answer: {said}", again=True, said=said)
    if isinstance(error, RecursionError):
        return EndpointFault(f"{host} sent an answer that is nested too deeply", again=False)
    if isinstance(error, ValueError):  # also a JSON fault
        return EndpointFault(f"{host} answered with something that is not JSON", again=True)
    return EndpointFault(f"the request to {host} failed ({type(error).__name__})", again=False, said=error_line(error, key))


def _of_status(error: Any, host: str, key: str) -> EndpointFault:
    status, said = error.status_code, error_line(_message(error), key)
    if status in (401, 403) or (status == 400 and _KEY.search(said)):
        return EndpointFault(f"{host} rejected the key ({status}): {said}", again=False, status=status, said=said).lasting()
    if status == 404:
        return EndpointFault(f"{host} does not know this model or route (404): {said}", again=False, status=status, said=said)
    if 300 <= status < 400:
        return EndpointFault(
            f"{host} redirects ({status}): the key is not sent to another address", again=False, status=status
        ).lasting()
    if status in (400, 413) and _SMALL.search(said):
        what = f"{host} accepts less than was sent ({status}): {said.rstrip('.')}; set context_tokens in desk.toml to its limit"
        return EndpointFault(what, again=False, status=status, said=said)
    wait_s = _retry_after_s(error.response.headers) if status in _AGAIN else 0.0
    what = "is busy or over a rate limit" if status == 429 else "failed" if status >= 500 else "rejected the request"
    return EndpointFault(f"{host} {what} ({status}): {said}", again=status in _AGAIN, wait_s=wait_s, status=status, said=said)


def _message(error: Any) -> str:
    body = _of_stream(error.body) if isinstance(error.body, str) else error.body
    if isinstance(body, list) and body:  # Google's: a list of one
        body = body[0]
    if isinstance(body, Mapping):
        inner = body.get("error") or body.get("detail") or body
        if isinstance(inner, list):  # one entry a field, as FastAPI says it
            inner = "; ".join(_of_field(entry) for entry in inner)
        return str(inner.get("message") or inner) if isinstance(inner, Mapping) else str(inner)
    return str(body or error.message)


def _of_stream(body: str) -> Any:
    """An error that was sent as the first event of a stream: its JSON; else the text as it is."""
    first = body.strip().partition("\n")[0]
    try:
        return json.loads(first.removeprefix("data:")) if first.startswith("data:") else body
    except ValueError:
        return body


def _of_field(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        return str(entry)
    where = ".".join(str(part) for part in entry.get("loc") or [] if part != "body")
    return f"{where}: {entry.get('msg')}" if where else str(entry.get("msg") or entry)


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds of a Retry-After header (or its milliseconds twin); 0 without one. A date is ignored."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            wait_s = float(headers.get(name, "")) / scale
        except ValueError:
            continue
        if 0 <= wait_s < 86_400:
            return wait_s
    return 0.0


def _cause(error: BaseException, key: str) -> str:
    cause = error.__cause__
    return error_line(f"{type(cause).__name__}: {cause}" if cause is not None else error, key)
