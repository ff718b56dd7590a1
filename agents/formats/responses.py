"""The API format of `/v1/responses`: OpenAI's own, with function tools. Called by agents/formats/model.py.

Nothing is stored at the provider (`store: false`): its output items - reasoning with its encrypted content, calls, text - are
sent back verbatim in the next round of the same turn.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agents.formats.bounds import check_calls, check_text
from agents.formats.chat import usage_of
from agents.formats.exchange import Exchange
from agents.formats.faults import EndpointFault, error_text
from agents.formats.text import VisibleText, arguments_of, circling, visible
from agents.model import Call, Message, ProviderMessage, Reply, Usage
from tools.common.contract import Tool


def ask(exchange: Exchange, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
    """One reply: text, calls or both. Raises EndpointFault."""
    at, host = exchange.endpoint.at, exchange.endpoint.host
    body: dict[str, Any] = {
        "instructions": "\n\n".join(m.text for m in messages if m.role == "system"),
        "input": [item for m in messages if m.role != "system" for item in items_of(m, at)],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    if tools:
        body["tools"] = [tool_declaration(tool) for tool in tools]
    return exchange.send("responses", body, lambda: ResponsesReader(at, host)).reply()


def tool_declaration(tool: Tool) -> dict[str, Any]:
    """A tool as this format declares it; its schema is strict."""
    return {"type": "function", "name": tool.name, "description": tool.about, "parameters": tool.schema(), "strict": True}


def items_of(message: Message, at: str) -> list[dict[str, Any]]:
    """A message as input items."""
    if message.raw is not None and message.raw.at == at:
        return list(message.raw.said)
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.call_id, "output": message.text}]
    items: list[dict[str, Any]] = [{"role": message.role, "content": message.text}] if message.text else []
    return items + [
        {"type": "function_call", "call_id": c.id, "name": c.name, "arguments": json.dumps(dict(c.args), default=str)}
        for c in message.calls
    ]


class ResponsesReader:
    """Reads one answer, streamed or whole."""

    def __init__(self, at: str, host: str) -> None:
        self.at, self.host = at, host
        self.items: list[dict[str, Any]] = []
        self.usage: Usage | None = None
        self.ended: str | None = None  # completed | incomplete
        self.why = ""
        self._shown, self._said = VisibleText(), ""

    def add(self, event: Mapping[str, Any]) -> str:
        """Take an event, or a whole response, in; the visible text it brings."""
        kind = str(event.get("type") or "")
        if kind == "error" or event.get("error"):
            raise EndpointFault(f"{self.host} reported an error: {error_text(event.get('error') or event)}", again=True)
        if event.get("object") == "response":
            return self._take_response(event)
        if kind == "response.output_text.delta":
            self._said = self._checked(self._said + str(event.get("delta") or ""))
            return self._shown.add(str(event.get("delta") or ""))
        if kind == "response.output_item.done":
            self.items.append(dict(event["item"]))
            self._check_calls()
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self._take_response(event.get("response") or {})
        return ""

    def _take_response(self, response: Mapping[str, Any]) -> str:
        """Take the finished response: its items replace the streamed ones."""
        if response.get("status") == "failed" or response.get("error"):
            raise EndpointFault(f"{self.host} failed: {error_text(response.get('error') or 'no reason given')}", again=True)
        self.ended = str(response.get("status") or "completed")
        self.why = str((response.get("incomplete_details") or {}).get("reason") or "")
        self.usage = usage_of(response.get("usage"))
        self.items = [dict(item) for item in response.get("output") or []] or self.items
        self._check_calls()
        return self._checked(self._text())

    def _check_calls(self) -> None:
        calls = (item for item in self.items if item.get("type") == "function_call")
        check_calls([str(item.get("arguments") or "") for item in calls], self.host)

    def _checked(self, text: str) -> str:
        if circling(text):
            raise EndpointFault(f"{self.host} repeats itself endlessly", again=True)
        check_text(text, self.host)
        return text

    def _text(self) -> str:
        parts = [p for item in self.items if item.get("type") == "message" for p in item.get("content") or []]
        return "".join(str(p.get("text") or p.get("refusal") or "") for p in parts if isinstance(p, Mapping))

    def reply(self) -> Reply:
        """The reply. Raises EndpointFault for a missing or truncated one."""
        if self.ended is None:
            raise EndpointFault(f"{self.host} stopped in the middle of its answer", again=True)
        for n, item in enumerate(self.items):
            if item.get("type") == "function_call" and not item.get("call_id"):
                item["call_id"] = f"call_{item.get('id') or n}"
        calls = tuple(
            Call(str(item["call_id"]), str(item.get("name") or ""), arguments_of(item.get("arguments")))
            for item in self.items
            if item.get("type") == "function_call"
        )
        text = visible(self._text())
        if self.ended == "incomplete" and (calls or not text):
            raise EndpointFault(
                f"{self.host} stopped before its answer was complete ({self.why or 'no reason given'})", again=False
            )
        if not calls and not text:
            raise EndpointFault(f"{self.host} gave an empty answer", again=True)
        text += "\n\n[cut here: the model reached its output limit]" if self.ended == "incomplete" else ""
        return Reply(text, calls, self.usage or Usage(), ProviderMessage(self.at, self.items))
