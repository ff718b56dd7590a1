"""One request over the real openai client, read event by event. Called by agents/formats/exchange.py.

The client runs in a thread of its own, so that the timeout holds whatever the endpoint does: drip keep-alive
comments, accept and never answer, stall in the middle. No redirect is followed; what goes out is the body and the few
headers listed here - no account header of the environment, no machine description, no key to another host.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from agents.endpoints import Endpoint
from agents.formats.bounds import Weighed
from agents.formats.faults import EndpointFault, fault_of, storable, without_key
from agents.formats.intake import ACCEPTED, LISTING_S, bound_body, until
from agents.model import Caller

CONNECT_S = 5.0
ATTEMPT_S_MAX = 600.0  # an answer that takes longer is abandoned
EVENTS_MAX = 200_000  # of one answer
QUIET_S = 1.5  # silence after which the person is told that we are waiting
HEADERS = {"host", "accept", "accept-encoding", "connection", "content-length", "content-type", "authorization", "user-agent"}
WHOLE: Mapping[str, Mapping[str, Any]] = {  # the least that an answer is made of; read once, before the first question
    "chat": {"id": "c", "object": "chat.completion", "created": 0, "model": "none", "choices": []},
    "responses": {"id": "r", "object": "response", "created_at": 0, "model": "none", "output": []},
}
EVENTS: Mapping[str, Mapping[str, Any]] = {
    "chat": {**WHOLE["chat"], "object": "chat.completion.chunk"},
    "responses": {"type": "response.created", "sequence_number": 0, "response": WHOLE["responses"]},
}
_END = object()


class Transport:
    """One endpoint's client, made at the first request; used by any thread."""

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        self.endpoint, self.key = endpoint, key
        self._client: Any = None
        self._making = threading.Lock()
        self._local = threading.local()

    def events(self, path: str, body: Mapping[str, Any], caller: Caller, patience_s: float) -> Iterator[dict[str, Any]]:
        """The events of one answer as plain JSON values (one, when `stream` is not asked for). Raises EndpointFault.

        `patience_s`: how long nothing may come at first; between events the endpoint's own patience holds.
        """
        self.ready(path)
        feed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        left = threading.Event()
        work = threading.Thread(
            target=self._pump, args=(path, dict(body), caller.sent, feed, left), daemon=True, name="model-request"
        )
        work.start()
        began = last = time.monotonic()
        first, told, count, weighed = True, False, 0, Weighed(self.endpoint.host)
        try:
            while True:
                silent_s = patience_s if first else self.endpoint.patience_s
                due = min(last + silent_s, began + ATTEMPT_S_MAX, last + QUIET_S if not told else last + silent_s)
                if time.monotonic() >= began + ATTEMPT_S_MAX:  # also while events keep coming
                    what = f"{self.endpoint.host} did not end its answer within {ATTEMPT_S_MAX:.0f} s"
                    raise EndpointFault(what, again=True).lasting()
                try:
                    item = feed.get(timeout=max(0.0, due - time.monotonic()))
                except queue.Empty:
                    now = time.monotonic()
                    if now >= began + ATTEMPT_S_MAX:
                        continue
                    if now >= last + silent_s:
                        what = f"{self.endpoint.host} sent nothing for {now - last:.0f} s (patience_s in desk.toml)"
                        raise EndpointFault(what, again=True).lasting() from None
                    told = True
                    text = (
                        f"no answer yet from {self.endpoint.host}: waiting up to {silent_s:.0f} s, then the offline model answers"
                    )
                    caller.report("retrying", {"text": text, "attempt": 0})
                    continue
                if item is _END:
                    return
                if isinstance(item, BaseException):
                    raise fault_of(item, self.endpoint.host, self.key) from None
                last, first, count = time.monotonic(), False, count + 1
                if count > EVENTS_MAX:
                    raise EndpointFault(f"{self.endpoint.host} sent too many events", again=False)
                weighed.take(item)
                yield storable(without_key(item, self.key))
        finally:
            left.set()

    def ready(self, path: str) -> None:
        """Load the library and what it reads this path's answers with: our time, which no patience counts."""
        self.client()
        _rehearsed(path)

    def first_model(self) -> str:
        """The first model that the endpoint lists. Raises EndpointFault."""
        if listed := self.models():
            return listed[0]
        raise EndpointFault(f"{self.endpoint.host} lists no models: set OPENAI_MODEL, or model in desk.toml", again=False)

    def models(self) -> list[str]:
        """The models that the endpoint lists, in its order. Raises EndpointFault."""
        self._local.is_left = until(LISTING_S)
        try:
            return [str(model.id) for model in self.client().with_options(timeout=CONNECT_S).models.list()]
        except Exception as error:  # noqa: BLE001 - whatever a client raises becomes one kind of fault
            raise fault_of(error, self.endpoint.host, self.key) from None

    def _pump(self, path: str, body: dict[str, Any], sent: Callable[[bytes], None], feed: Any, left: threading.Event) -> None:
        """In the thread: send, and hand on each event until the end, an error, or until nobody listens."""
        self._local.sent, self._local.is_left = sent, left.is_set
        try:
            answer = self._create(path, body)
            if isinstance(answer, str | bytes) or answer is None:
                raise ValueError("no JSON")
            if not body.get("stream"):
                feed.put(_json_value(answer))
            else:
                with answer:
                    for event in answer:
                        if left.is_set():
                            return
                        feed.put(_json_value(event))
            feed.put(_END)
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
            feed.put(error)

    def _create(self, path: str, body: dict[str, Any]) -> Any:
        return _created(self.client(), path, body)

    def client(self) -> Any:
        """The openai client, with nothing of the environment in it."""
        with self._making:
            if self._client is None:
                self._client = self._new_client()
        return self._client

    def _new_client(self) -> Any:
        import httpx2
        import openai

        for name in ("openai", "httpx2", "httpcore2", "httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)  # debug logs of these hold headers and bodies
        timeout = httpx2.Timeout(self.endpoint.patience_s, connect=min(CONNECT_S, self.endpoint.patience_s))
        web = httpx2.Client(
            follow_redirects=False,
            timeout=timeout,
            verify=_certificates(trust_env=not self.endpoint.local),
            trust_env=not self.endpoint.local,  # a proxy has no business between us and our own machine
            event_hooks={"request": [self._before_it_leaves], "response": [self._before_it_is_read]},
        )
        return openai.OpenAI(
            api_key=self.key or "none",
            base_url=self.endpoint.base_url,
            timeout=timeout,
            max_retries=0,
            http_client=web,
        )

    def _before_it_leaves(self, request: Any) -> None:
        """Keep the body; strip the headers; no key to any other host."""
        home = urlsplit(self.endpoint.base_url)
        for name in list(request.headers):
            if name.lower() not in HEADERS:
                del request.headers[name]
        request.headers["user-agent"], request.headers["accept-encoding"] = "nightdesk", ACCEPTED
        if not self.key or (request.url.scheme, request.url.host) != (home.scheme, home.hostname):
            request.headers.pop("authorization", None)
        else:
            request.headers["authorization"] = f"Bearer {self.key}"
        sent = getattr(self._local, "sent", None)
        if sent is not None and request.method == "POST":
            content: bytes = request.read()
            sent(content.replace(self.key.encode(), b"[key]") if self.key else content)

    def _before_it_is_read(self, response: Any) -> None:
        """Bound what comes back, also while nobody waits for it any more."""
        bound_body(response, self.endpoint.host, getattr(self._local, "is_left", until(ATTEMPT_S_MAX)))


@cache
def _certificates(*, trust_env: bool) -> Any:
    """The certificates that are trusted, read once a process: reading them takes each client 20 ms of CPU (measured)."""
    import httpx2

    return httpx2.create_ssl_context(trust_env=trust_env)


def _created(client: Any, path: str, body: Mapping[str, Any]) -> Any:
    """Send: all that matters goes in word for word, past the client's own types."""
    resource = client.chat.completions if path == "chat" else client.responses
    needed: dict[str, Any] = {"messages": []} if path == "chat" else {}
    return resource.create(model=body["model"], stream=bool(body.get("stream")), extra_body=dict(body), **needed)


@cache
def _rehearsed(path: str) -> None:
    """Have the library read one canned answer, streamed and whole: it builds its types at the first one, which takes 0.5 s
    of CPU (measured) and under load was taken for an endpoint that says nothing.
    """
    import httpx2
    import openai

    def canned(request: Any) -> Any:
        if not json.loads(request.read()).get("stream"):
            return httpx2.Response(200, json=WHOLE[path])
        stream = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=stream, text=f"data: {json.dumps(EVENTS[path])}\n\n")

    with httpx2.Client(transport=httpx2.MockTransport(canned), trust_env=False) as web:
        client = openai.OpenAI(api_key="none", base_url="http://127.0.0.1", max_retries=0, http_client=web)
        with _created(client, path, {"model": "none", "stream": True}) as answer:
            for event in answer:
                _json_value(event)
        _json_value(_created(client, path, {"model": "none"}))


def _json_value(event: Any) -> dict[str, Any]:
    """An event of the client as the JSON values it was read from, unknown keys included."""
    value = event.to_dict(mode="json", warnings=False) if hasattr(event, "to_dict") else event
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value
