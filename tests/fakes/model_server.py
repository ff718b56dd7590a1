"""A model endpoint on loopback: `/v1/chat/completions` and `/v1/responses`, streaming and not, that says what a test wrote.

It rejects what real endpoints reject (model_rules.py) and stumbles as they do: Say has a switch for each. A stock OpenAI client
can talk to it. By hand: `python -m tests.fakes.model_server 8765` listens, calls the tool `desk` first, then says what it read.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes import model_rules as rules

Json = dict[str, Any]


@dataclass
class Say:
    """A good answer, with a switch for each way in which endpoints are odd."""

    text: str = ""
    calls: Sequence[tuple[str, Any]] = ()  # name, arguments (an object, or text as it is)
    ids: Sequence[str] | None = None
    finish: str | None = None  # else stop or tool_calls
    usage: bool | tuple[int, int] = True  # a pair: what it reports, true or not
    extra: Mapping[str, Any] = field(default_factory=dict)  # unknown keys of the message
    signed: bool = False  # extra_content on each call (chat), a reasoning item before them (responses)
    keep_alive: int = 0  # comment lines before the first event
    no_index: bool = False
    one_index: bool = False
    object_args: bool = False
    pieces: int = 3  # of text and of arguments
    error: str | None = None  # an error object in place of the end of the stream
    cut: bool = False  # the connection ends in the middle
    stall_s: float = 0.0  # silence before the end
    pace_s: float = 0.0  # between two events


@dataclass
class Fail:
    """An HTTP error."""

    status: int
    message: str = "it does not work"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Raw:
    """A body as it is: garbage, or something empty."""

    body: bytes
    kind: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Hang:
    """Nothing for so long, then the connection ends; comments all the while, if told to."""

    seconds: float
    comments: bool = False


Step = Say | Fail | Raw | Hang
Script = Callable[[Json], Step]


@dataclass
class Seen:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Json:
        """Its JSON."""
        value: Json = json.loads(self.raw) if self.raw else {}
        return value


class ModelServer:
    """Answers each request with the next step; the last one again when there are no more. Use as a context."""

    def __init__(
        self,
        *steps: Step | Script,
        key: str = "",
        context: int | None = None,
        models: Sequence[str] = ("small",),
        port: int = 0,
    ) -> None:
        self.steps, self.key, self.context, self.models = list(steps), key, context, models
        self.seen: list[Seen] = []
        self.read: list[Any] = []  # what was left of each request after a silent cut
        self.rejected: list[str] = []
        self.issued: dict[str, Any] = {}
        self.leaving = threading.Event()
        self._lock = threading.Lock()
        self._web = _Web(("127.0.0.1", port), _Answering)
        self._web.model = self

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._web.server_address[1]}/v1"

    def __enter__(self) -> "ModelServer":
        threading.Thread(target=self._web.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leaving.set()
        self._web.shutdown()
        self._web.server_close()

    @property
    def posts(self) -> list[Seen]:
        """The requests for an answer."""
        return [seen for seen in self.seen if not seen.path.endswith("/models")]

    def step(self, path: str, headers: Mapping[str, str], body: Json) -> Step:
        """The next step, unless the request is rejected."""
        said = headers.get("authorization", "")
        if self.key and said != f"Bearer {self.key}":
            return Fail(401, f"Incorrect API key provided: {said}. You can find your API key in your account.")
        why = rules.of_chat(body, self.issued) if "chat" in path else rules.of_responses(body, self.issued)
        if why:
            self.rejected.append(why)
            return Fail(400, why)
        with self._lock:
            step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return step(body) if callable(step) else step

    def usage(self, body: Json, say: Say) -> tuple[int, int]:
        """Tokens in and out; what is past the context was not read, and nobody says so."""
        took = rules.tokens(body)
        messages = body.get("messages") or body.get("input") or []
        if self.context is not None and took > self.context:
            messages, took = rules.cut_front(messages, self.context), self.context
        self.read.append(messages)
        return say.usage if isinstance(say.usage, tuple) else (took, rules.tokens([say.text, list(say.calls)]))


# ---- events ------------------------------------------------------------------------------------------------------------


def _parts(text: str, pieces: int) -> list[str]:
    size = max(1, -(-len(text) // max(1, pieces)))
    return [text[i : i + size] for i in range(0, len(text), size)]


def _calls(server: ModelServer, say: Say) -> list[Json]:
    """The calls as chat completions have them."""
    made = []
    for n, (name, args) in enumerate(say.calls):
        text = args if isinstance(args, str) else json.dumps(args)
        identity = say.ids[n] if say.ids is not None else f"call_{len(server.seen)}_{n}"
        call: Json = {"id": identity, "type": "function", "function": {"name": name, "arguments": text}}
        if say.object_args:
            call["function"]["arguments"] = args
        if say.signed:
            call["extra_content"] = {"google": {"thought_signature": f"sig-{identity}"}}
            server.issued[identity] = call["extra_content"]
        made.append(call)
    return made


def chat_whole(server: ModelServer, body: Json, say: Say) -> Json:
    """One completion."""
    calls = _calls(server, say)
    message: Json = {"role": "assistant", "content": say.text or None, **say.extra} | ({"tool_calls": calls} if calls else {})
    finish = say.finish or ("tool_calls" if calls else "stop")
    took, gave = server.usage(body, say)
    whole: Json = {"id": "c-1", "object": "chat.completion", "created": 1, "model": body["model"]}
    whole["choices"] = [{"index": 0, "message": message, "finish_reason": finish}]
    return whole | ({"usage": _chat_usage(took, gave)} if say.usage else {})


def _chat_usage(took: int, gave: int) -> Json:
    return {"prompt_tokens": took, "completion_tokens": gave, "total_tokens": took + gave}


def chat_events(server: ModelServer, body: Json, say: Say) -> Iterator[Json]:
    """The same as chunks."""
    took, gave = server.usage(body, say)
    base: Json = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return base | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": "", **say.extra})
    for piece in _parts(say.text, say.pieces):
        yield chunk({"content": piece})
    calls = _calls(server, say)
    for n, call in enumerate(calls):
        place: Json = {} if say.no_index else {"index": 0 if say.one_index else n}
        text = call["function"]["arguments"]
        pieces = [text] if say.no_index or not isinstance(text, str) else _parts(text, say.pieces) or [""]
        first = place | call | {"function": {"name": call["function"]["name"], "arguments": pieces[0]}}
        yield chunk({"tool_calls": [first]})
        for piece in pieces[1:]:
            yield chunk({"tool_calls": [place | {"function": {"arguments": piece}}]})
    if say.error is not None:
        yield {"error": {"message": say.error, "code": 502}}
        return
    yield chunk({}, say.finish or ("tool_calls" if calls else "stop"))
    if say.usage and (body.get("stream_options") or {}).get("include_usage"):
        yield base | {"choices": [], "usage": _chat_usage(took, gave)}


def response_whole(server: ModelServer, body: Json, say: Say) -> Json:
    """One response."""
    took, gave = server.usage(body, say)
    n = len(server.seen)
    items: list[Json] = []
    if say.signed:
        items.append({"type": "reasoning", "id": f"rs_{n}", "summary": [], "encrypted_content": f"sealed-{n}", "new_key": n})
    if say.text:
        part = {"type": "output_text", "text": say.text, "annotations": []}
        items.append({"type": "message", "id": f"msg_{n}", "role": "assistant", "status": "completed", "content": [part]})
    for call in _calls(server, Say(calls=say.calls, ids=say.ids)):
        function = {"type": "function_call", "id": f"fc_{call['id']}", "call_id": call["id"], "status": "completed"}
        items.append(function | call["function"])
        if say.signed:
            server.issued[call["id"]] = items[0]
    whole: Json = {"id": f"resp_{n}", "object": "response", "created_at": 1, "model": body["model"], "status": "completed"}
    whole |= {"output": items, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, **say.extra}
    whole["usage"] = {"input_tokens": took, "output_tokens": gave, "total_tokens": took + gave} if say.usage else None
    return whole


def response_events(server: ModelServer, body: Json, say: Say) -> Iterator[Json]:
    """The same as events."""
    whole = response_whole(server, body, say)
    yield {"type": "response.created", "sequence_number": 0, "response": whole | {"status": "in_progress", "output": []}}
    for at, item in enumerate(whole["output"]):
        yield {"type": "response.output_item.added", "output_index": at, "item": _begun(item), "sequence_number": 1}
        for event in _inside(item, say.pieces):
            yield event | {"output_index": at, "item_id": item.get("id"), "sequence_number": 2}
        yield {"type": "response.output_item.done", "output_index": at, "item": item, "sequence_number": 3}
    if say.error is not None:
        yield {"type": "error", "code": "server_error", "message": say.error, "param": None, "sequence_number": 4}
        return
    yield {"type": "response.completed", "response": whole, "sequence_number": 5}


def _begun(item: Json) -> Json:
    """An item before anything of it has come."""
    empty = {"message": {"content": []}, "function_call": {"arguments": ""}}
    return item | empty.get(item["type"], {}) | ({"status": "in_progress"} if "status" in item else {})


def _inside(item: Json, pieces: int) -> Iterator[Json]:
    """The events between an item's beginning and its end."""
    if item["type"] == "message":
        part, place = item["content"][0], {"content_index": 0}
        yield {"type": "response.content_part.added", "part": part | {"text": ""}, **place}
        for piece in _parts(part["text"], pieces):
            yield {"type": "response.output_text.delta", "delta": piece, "logprobs": [], **place}
        yield {"type": "response.output_text.done", "text": part["text"], "logprobs": [], **place}
        yield {"type": "response.content_part.done", "part": part, **place}
    elif item["type"] == "function_call" and isinstance(item["arguments"], str):
        for piece in _parts(item["arguments"], pieces):
            yield {"type": "response.function_call_arguments.delta", "delta": piece}
        yield {"type": "response.function_call_arguments.done", "arguments": item["arguments"], "name": item["name"]}


# ---- HTTP --------------------------------------------------------------------------------------------------------------


class _Web(ThreadingHTTPServer):
    """The listening socket of a ModelServer."""

    daemon_threads = True
    model: ModelServer

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Answering(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    @property
    def model(self) -> ModelServer:
        """Whose requests these are."""
        assert isinstance(self.server, _Web)
        return self.server.model

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._note(b"")
        listed = [{"id": name, "object": "model", "created": 1, "owned_by": "test"} for name in self.model.models]
        self._send(200, json.dumps({"object": "list", "data": listed}).encode())

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = self._note(raw).body
        chat = self.path.endswith("/chat/completions")
        if not chat and not self.path.endswith("/responses"):
            self._send(404, json.dumps(rules.error_body(404, f"Invalid URL (POST {self.path})")).encode())
            return
        step = self.model.step(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        if isinstance(step, Fail):
            self._send(step.status, json.dumps(rules.error_body(step.status, step.message)).encode(), step.headers)
        elif isinstance(step, Raw):
            self._send(step.status, step.body, step.headers, step.kind)
        elif isinstance(step, Hang):
            self._hang(step)
        elif body.get("stream"):
            self._stream(step, (chat_events if chat else response_events)(self.model, body, step))
        else:
            made = (chat_whole if chat else response_whole)(self.model, body, step)
            self._send(200, json.dumps(made).encode())

    def _note(self, raw: bytes) -> Seen:
        seen = Seen(self.path, {k.lower(): v for k, v in self.headers.items()}, raw)
        self.model.seen.append(seen)
        return seen

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, kind: str = "application/json") -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _put(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _hang(self, step: Hang) -> None:
        until = time.monotonic() + step.seconds
        if step.comments:
            self._begin()
        try:
            while time.monotonic() < until and not self.model.leaving.wait(0.1):
                if step.comments:
                    self._put(": still here\n\n")
        except OSError:
            pass
        self.close_connection = True

    def _stream(self, say: Say, events: Iterator[Json]) -> None:
        self._begin()
        made = list(events)
        try:
            if say.keep_alive:
                self._put(": keep-alive\n\n" * say.keep_alive)
            for n, event in enumerate(made):
                if n == len(made) - 1:
                    self.model.leaving.wait(say.stall_s)
                    if say.cut:
                        self.close_connection = True
                        return
                self.model.leaving.wait(say.pace_s)
                name = f"event: {event['type']}\n" if "type" in event else ""
                self._put(f"{name}data: {json.dumps(event)}\n\n")
            if "type" not in made[-1]:
                self._put("data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True


def by_hand(body: Json) -> Step:
    """Calls the first tool that needs no arguments, then says what it read."""
    items = body.get("messages") or body.get("input") or []
    items = items if isinstance(items, list) else []
    read = [item.get("content") or item.get("output") for item in items if item.get("role") == "tool" or "output" in item]
    names = [tool.get("name") or tool["function"]["name"] for tool in body.get("tools") or []]
    if read or "desk" not in names:
        return Say(f"I read: {str(read[-1] if read else 'nothing')[:400]}")
    return Say(calls=[("desk", {})])


if __name__ == "__main__":
    with ModelServer(by_hand, port=int(sys.argv[1])):
        threading.Event().wait()
