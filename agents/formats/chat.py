"""The API format of `/v1/chat/completions` with native tool calls: OpenRouter, vLLM, llama.cpp, Ollama, Gemini and look-alikes.

Called by agents/formats/model.py. Endpoints of this kind deviate in many ways, all handled here: deltas without an index, an
empty id, arguments as an object, two calls on one index, content in parts, `finish_reason: stop` beside calls, no usage.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agents.formats.bounds import check_calls, check_text
from agents.formats.exchange import Exchange
from agents.formats.faults import EndpointFault, error_text
from agents.formats.text import VisibleText, arguments_of, circling, readable, visible
from agents.model import Call, Message, ProviderMessage, Reply, Usage
from tools.common.contract import Tool

TOKENS_MAX = 100_000_000  # of one answer; what is above is no count
TEXT_PARTS = ("text", "output_text")
_JOINED = ("content", "refusal")  # strings that arrive in pieces; so does every key that speaks of reasoning


def ask(exchange: Exchange, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
    """One reply: text, calls or both. Raises EndpointFault."""
    at, host = exchange.endpoint.at, exchange.endpoint.host
    taken = {call.id for message in messages for call in message.calls}
    body: dict[str, Any] = {"messages": chat_messages(messages, at)}
    if tools:
        body["tools"] = [tool_declaration(tool) for tool in tools]
    return exchange.send("chat", body, lambda: ChatReader(at, host, taken)).reply()


def tool_declaration(tool: Tool) -> dict[str, Any]:
    """A tool as this format declares it."""
    return {"type": "function", "function": {"name": tool.name, "description": tool.about, "parameters": tool.schema()}}


def chat_messages(messages: Sequence[Message], at: str) -> list[dict[str, Any]]:
    """The conversation in this format; system messages are joined into one, since some servers accept only one."""
    system = "\n\n".join(m.text for m in messages if m.role == "system")
    lines = [{"role": "system", "content": system}] if system else []
    return lines + [_chat_message(m, at) for m in messages if m.role != "system"]


def _chat_message(message: Message, at: str) -> dict[str, Any]:
    if message.raw is not None and message.raw.at == at:
        said: dict[str, Any] = message.raw.said
        return said
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": message.text}
    if not message.calls:
        return {"role": message.role, "content": message.text}
    calls = [
        {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(dict(c.args), default=str)}}
        for c in message.calls
    ]
    return {"role": "assistant", "content": message.text or None, "tool_calls": calls}


class ChatReader:
    """Reads one answer, streamed or whole."""

    def __init__(self, at: str, host: str, taken: set[str]) -> None:
        self.at, self.host, self.taken = at, host, set(taken)
        self.message: dict[str, Any] = {"role": "assistant"}
        self.calls: list[dict[str, Any]] = []
        self.usage: Usage | None = None
        self.finish: str | None = None
        self._places: dict[Any, int] = {}
        self._shown = VisibleText()
        self._reply: Reply | None = None

    def add(self, event: Mapping[str, Any]) -> str:
        """Take a chunk or a whole completion; returns its visible text."""
        if event.get("error"):
            raise EndpointFault(f"{self.host} reported an error in place of an answer: {error_text(event['error'])}", again=True)
        self.usage = usage_of(event.get("usage")) or self.usage
        choices = event.get("choices") or []
        if not choices or not isinstance(choices[0], Mapping):
            return ""
        choice = choices[0]
        self.finish = choice.get("finish_reason") or self.finish
        part = choice.get("delta") or choice.get("message") or {}
        before = len(self.message.get("content") or "")
        for key, value in part.items():
            if key == "tool_calls":
                for call in value or []:
                    self._take_call(call) if "delta" in choice else self._take_whole_call(call)
            elif key != "role" and value is not None:
                piece = text_of_parts(value) if key == "content" else value
                self.message[key] = merge_pieces(key, self.message.get(key), piece)
        content = str(self.message.get("content") or "")
        if len(content) > before and circling(content):
            raise EndpointFault(f"{self.host} repeats itself endlessly", again=True)
        check_text(content, self.host)
        check_calls([str(call["function"]["arguments"] or "") for call in self.calls], self.host)
        return self._shown.add(content[before:])

    def _take_whole_call(self, call: Mapping[str, Any]) -> None:
        """A tool call of an answer that came in one piece."""
        function = {"name": "", "arguments": ""} | dict(call.get("function") or {})
        if isinstance(function["arguments"], Mapping):
            function["arguments"] = json.dumps(function["arguments"])
        self.calls.append({"type": "function"} | dict(call) | {"id": str(call.get("id") or ""), "function": function})

    def _take_call(self, delta: Mapping[str, Any]) -> None:
        """A tool call, or a piece of one: joined to the call it belongs to."""
        index, identity = delta.get("index"), str(delta.get("id") or "")
        function = dict(delta.get("function") or {})
        if isinstance(function.get("arguments"), Mapping):
            function["arguments"] = json.dumps(function["arguments"])
        at = self._places.get(index, len(self.calls) - 1 if index is None else None)
        if at is None or at < 0 or self._another(self.calls[at], identity, function):
            self.calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
            at = len(self.calls) - 1
        if index is not None:
            self._places[index] = at
        call = self.calls[at]
        call["id"] = call["id"] or identity
        for key, value in function.items():
            held = call["function"].get(key)
            if key == "arguments":
                call["function"]["arguments"] = (held or "") + (value or "")
            elif value:
                call["function"][key] = value
        for key, value in delta.items():
            if key not in ("index", "id", "function") and value is not None:
                call[key] = merge_pieces(key, call.get(key), value)

    @staticmethod
    def _another(call: Mapping[str, Any], identity: str, function: Mapping[str, Any]) -> bool:
        """Whether a piece begins a new call: another id, or a name where the call before it is complete."""
        if identity and call["id"]:
            return bool(identity != call["id"])
        return bool(function.get("name") and call["function"]["name"] and readable(call["function"]["arguments"] or "{}"))

    def reply(self) -> Reply:
        """The reply. Raises EndpointFault for a missing, truncated or filtered one."""
        if self._reply is None:
            self._reply = self._build_reply()
        return self._reply

    def _build_reply(self) -> Reply:
        if self.finish is None:
            raise EndpointFault(f"{self.host} stopped in the middle of its answer", again=True)
        calls = tuple(self._with_unique_id(n, call) for n, call in enumerate(self.calls) if call["function"]["name"])
        text = visible(str(self.message.get("content") or ""))
        if self.finish == "length" and not text:
            raise EndpointFault(f"{self.host} ran out of output tokens before it answered", again=False)
        if self.finish == "length" and calls:
            raise EndpointFault(f"{self.host} ran out of output tokens in the middle of a tool call", again=False)
        if not calls and not text:
            if self.finish == "content_filter":
                raise EndpointFault(f"{self.host} withheld its answer (content filter)", again=False)
            raise EndpointFault(f"{self.host} gave an empty answer", again=True)
        text += "\n\n[cut here: the model reached its output limit]" if self.finish == "length" else ""
        said = {"content": None} | self.message | ({"tool_calls": self.calls} if calls else {})
        return Reply(text, calls, self.usage or Usage(), ProviderMessage(self.at, said))

    def _with_unique_id(self, n: int, call: dict[str, Any]) -> Call:
        """The call with an id unique in the conversation, in the raw message too: some servers restart at 0."""
        if not call["id"] or call["id"] in self.taken:
            call["id"] = f"call_{len(self.taken)}_{n}"
        self.taken.add(call["id"])
        args = arguments_of(call["function"]["arguments"])
        if not readable(call["function"]["arguments"]):  # a server could not read it back
            call["function"]["arguments"] = json.dumps(args)
        return Call(call["id"], call["function"]["name"], args)


def text_of_parts(content: Any) -> Any:
    """Content that came as a list of parts, as its text; thinking and pictures are none. Anything else as it is."""
    if not isinstance(content, list | Mapping):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [p if isinstance(p, str) else p.get("text") for p in parts if isinstance(p, str) or p.get("type") in TEXT_PARTS]
    return "".join(str(text) for text in texts if text is not None)


def merge_pieces(key: str, held: Any, value: Any) -> Any:
    """Merge two pieces of one key: text concatenated, lists appended, objects merged key by key."""
    if isinstance(held, str) and isinstance(value, str) and (key in _JOINED or "reason" in key or "think" in key):
        return held + value
    if isinstance(held, list) and isinstance(value, list):
        return held + value
    if isinstance(held, dict) and isinstance(value, Mapping):
        return held | {k: merge_pieces(k, held.get(k), v) for k, v in value.items()}
    return value


def usage_of(said: Any) -> Usage | None:
    """Token counts as reported, under either format's keys; None when not reported."""
    if not isinstance(said, Mapping):
        return None
    taken = said.get("prompt_tokens", said.get("input_tokens"))
    given = said.get("completion_tokens", said.get("output_tokens"))
    if not isinstance(taken, int) or not isinstance(given, int) or taken < 0 or given < 0:
        return None
    if max(taken, given) > TOKENS_MAX:
        return None
    cached = [said.get(key) for key in ("cache_read_input_tokens", "cache_creation_input_tokens")]
    beside = sum(n for n in cached if isinstance(n, int))
    return Usage(taken + beside if beside > taken else taken, given)  # more than the total: counted separately
