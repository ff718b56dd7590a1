"""Tool calls that a model wrote as text, read as calls. Called by agents/nodes.py for a reply without calls.

The usual forms: `<tool_call>{...}</tool_call>`, `[TOOL_CALLS] ...`, `<function=name>...`, `<|python_tag|>{...}`, a fenced JSON
object at the end, or the whole answer as JSON; others are in call_dialects.py. A call in JSON alone counts only when it names an
offered tool. What looks like a call and cannot be read raises ModelDown, which says what to set: the offline model answers then.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from agents.call_dialects import CALLS_MAX, begins, dialect_calls, scalar, value_at
from agents.model import Call, ModelDown, Reply

TEXT_MAX = 100_000  # characters of an answer that are looked at
SET_FORMAT = 'set api_format = "json" for it in desk.toml ([models.NAME]), or serve it with tool calls enabled'
MARK = re.compile(
    r"(?i)<tool_calls?>|\[TOOL_CALLS\]|<function=|<\|(?:python_tag|tool_calls?(?:_begin)?|start_action|tool▁calls▁begin)\|>|<function_call>"
)
_FENCE = re.compile(r"```(?:json|tool_calls?|tool|xml)?[ \t]*\n([^`]{2,20000})```\s*\Z")
_NAMED = re.compile(r"\s*([A-Za-z_]\w{0,59})\s*(?:\[ARGS\]|:)?\s*(?=\{)")
_FUNCTION = re.compile(r"<function=([\w.-]{1,60})>?\s*")
_PARAMETER = re.compile(r"<parameter=([\w.-]{1,60})>([^<]{0,20000})</parameter>")
_STARTS = re.compile(r"[\[{]")
_NAME_KEYS, _ARGUMENT_KEYS = ("name", "tool", "tool_name", "function"), ("arguments", "parameters", "args", "input", "kwargs")


def with_written_calls(reply: Reply, offered: Collection[str]) -> Reply:
    """The reply with the calls that its text holds, and the text before them; unchanged without any. Raises ModelDown."""
    text = reply.text[:TEXT_MAX]
    mark = MARK.search(text)
    if mark is not None:
        calls, before = list(_marked(text[mark.start() :])), text[: mark.start()]
        unread = not calls
    else:
        calls, before = _json_calls(text, offered)
        written = dialect_calls(text, offered) if not calls else None
        if written is not None and written.start >= 0:
            calls, before = written.calls, text[: written.start]
        unread = not calls and written is not None and written.start >= 0
    if unread:
        raise ModelDown(f"it wrote a tool call as text that cannot be read: {SET_FORMAT}")
    if not calls:
        return reply
    made = tuple(Call("", name[:60], args) for name, args in calls[:CALLS_MAX])
    return Reply(before.strip(), made, reply.usage, None)


def hides_call(text: str) -> int:
    """Where a written call begins in streamed text, so that it is not shown raw; -1 for none."""
    found = MARK.search(text)
    if found:
        return found.start()
    if (at := begins(text)) >= 0:
        return at
    bare = text.lstrip()
    return len(text) - len(bare) if re.match(r'\{\s*"(?:name|tool|function|tool_calls)"|```json\b', bare) else -1


def _marked(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls after a mark, in order."""
    at = 0
    while at < len(text) and (found := MARK.search(text, at)):
        at = found.end()
        if found[0].lower().startswith("<function="):
            named = _FUNCTION.match(text, found.start())
            if named is None:
                continue
            until = text.find("</function>", named.end())
            body = text[named.end() : until if until >= 0 else len(text)]
            yield named[1], _function_arguments(body)
            at = named.end() + len(body)
            continue
        while True:
            at, calls = _next_calls(text, at)
            if not calls:
                break
            yield from calls


def _function_arguments(body: str) -> dict[str, Any]:
    """The arguments of `<function=name>`: one JSON object, or a parameter each."""
    if body.lstrip().startswith("{"):
        value = value_at(body, body.index("{"))[1]
        return value if isinstance(value, dict) else {"unreadable_arguments": body[:200]}
    return {found[1]: scalar(found[2].strip()) for found in _PARAMETER.finditer(body)}


def _next_calls(text: str, at: int) -> tuple[int, list[tuple[str, dict[str, Any]]]]:
    """(where to go on, the calls of the next JSON value); no calls when the next thing is no call."""
    named = _NAMED.match(text, at)  # [TOOL_CALLS]name{...}
    start = _STARTS.match(text, named.end() if named else _after_space(text, at))
    if start is None:
        return at, []
    end, value = value_at(text, start.start())
    if value is None:
        return at, []
    if named and isinstance(value, dict):
        return end, [(named[1], value)]
    return end, list(_calls_in(value))


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n,;":
        at += 1
    return at


def _calls_in(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls that a JSON value says: one, a list of them, or `tool_calls`."""
    if isinstance(value, list):
        for part in value:
            yield from _calls_in(part)
        return
    if not isinstance(value, Mapping):
        return
    if isinstance(value.get("tool_calls"), list):
        yield from _calls_in(value["tool_calls"])
        return
    if isinstance(value.get("function"), Mapping):
        yield from _calls_in(value["function"])
        return
    name = next((value[key] for key in _NAME_KEYS if isinstance(value.get(key), str)), "")
    if name:
        yield name, _arguments(next((value[key] for key in _ARGUMENT_KEYS if key in value), {}))


def _arguments(said: Any) -> dict[str, Any]:
    """Arguments as an object, also when they were written as JSON inside a string."""
    value = value_at(said, 0)[1] if isinstance(said, str) else said
    if value is None and said in (None, ""):
        return {}
    return value if isinstance(value, dict) else {"unreadable_arguments": str(said)[:200]}


def _json_calls(text: str, offered: Collection[str]) -> tuple[list[tuple[str, dict[str, Any]]], str]:
    """(calls, the text before them) of an answer that is, or ends in, JSON alone; only offered tools count."""
    fence = _FENCE.search(text) if "```" in text else None
    bare = fence[1].strip() if fence else text.strip()
    if not bare.startswith(("{", "[")):
        return [], ""
    end, value = value_at(bare, 0)
    if value is None or bare[end:].strip():
        return [], ""
    calls = [(name, args) for name, args in _calls_in(value) if name in offered]
    return calls, text[: fence.start()] if fence else ""
