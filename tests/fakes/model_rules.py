"""What real endpoints reject, as checks of a request's body: the words of a 400, or nothing. Used by model_server.py."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

CURRENT = re.compile(r"^(gpt-5|gpt-6|o\d)")  # models that take function tools on chat completions only without reasoning
NOT_PERMITTED = frozenset({"default", "maxLength", "minLength", "oneOf", "allOf", "not"})  # in a strict schema, at OpenAI
UNSTRICT = NOT_PERMITTED | {"format", "pattern", "$defs", "title"}  # somewhere: what the desk's own tools do without


def of_chat(body: Mapping[str, Any], issued: Mapping[str, Any]) -> str:
    """Why a body for `/v1/chat/completions` is rejected. `issued`: extra_content given out by call id."""
    if body.get("tools") and CURRENT.match(str(body.get("model"))) and body.get("reasoning_effort") != "none":
        return (
            f"Function tools with reasoning_effort are not supported for {body['model']} in /v1/chat/completions. "
            "Please use /v1/responses or set reasoning_effort to 'none'."
        )
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema" and (why := unstrict(wanted["json_schema"]["schema"], NOT_PERMITTED)):
        return f"Invalid schema for response_format: {why}"
    return _answered(body.get("messages") or [], issued)


def _answered(messages: Sequence[Mapping[str, Any]], issued: Mapping[str, Any]) -> str:
    """Every call answered at once and once, every answer to a call, what was signed still signed."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                return f"tool_call_id '{message.get('tool_call_id')}' of 'tool' message not found in the preceding 'tool_calls'"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return f"An assistant message with 'tool_calls' must be followed by tool messages for each: {', '.join(waiting)}"
        for call in message.get("tool_calls") or []:
            waiting.append(call["id"])
            if not call["id"]:
                return "tool_calls[].id is empty"
            try:
                json.loads(call["function"]["arguments"])
            except (TypeError, ValueError):
                return "tool_calls[].function.arguments is no JSON"
            if call["id"] in issued and call.get("extra_content") != issued[call["id"]]:
                return "Function call is missing a thought_signature in functionCall parts"
    return f"No tool output found for {', '.join(waiting)}" if waiting else ""


def of_responses(body: Mapping[str, Any], issued: Mapping[str, Any]) -> str:
    """Why a body for `/v1/responses` is rejected. `issued`: the reasoning item that each call id came with."""
    for tool in body.get("tools") or []:
        strict = tool.get("type") == "function" and tool.get("strict") is not False  # unless it says otherwise
        if strict and (why := unstrict(tool.get("parameters") or {}, NOT_PERMITTED)):
            return f"Invalid schema for function '{tool['name']}': {why}"
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema" and (why := unstrict(wanted["schema"], NOT_PERMITTED)):
        return f"Invalid schema for response_format '{wanted.get('name')}': {why}"
    items = body.get("input") or []
    items = [{"role": "user", "content": items}] if isinstance(items, str) else items
    given = {item["call_id"] for item in items if item.get("type") == "function_call_output"}
    asked = {item["call_id"] for item in items if item.get("type") == "function_call"}
    if lost := given - asked:
        return f"No tool call found for function call output with call_id {sorted(lost)[0]}."
    if open_ones := asked - given:
        return f"No tool output found for function call {sorted(open_ones)[0]}."
    for call in sorted(asked & set(issued)):
        if issued[call] not in items:
            return f"Item '{call}' of type 'function_call' was provided without its required 'reasoning' item."
    return ""


def unstrict(schema: Any, banned: frozenset[str] = UNSTRICT) -> str:
    """Why a schema is not strict; empty when it is."""
    return next(_faults(schema, "()", banned), "")


def _faults(node: Any, where: str, banned: frozenset[str]) -> Iterator[str]:
    if isinstance(node, list):
        for part in node:
            yield from _faults(part, where, banned)
    if not isinstance(node, Mapping):
        return
    if bad := banned & set(node):
        yield f"In context={where}, '{sorted(bad)[0]}' is not permitted."
    if node.get("type") == "object":
        properties = node.get("properties")
        if node.get("additionalProperties") is not False or properties is None:
            yield f"In context={where}, 'additionalProperties' is required to be supplied and to be false."
        elif sorted(node.get("required") or []) != sorted(properties):
            yield f"In context={where}, 'required' is required to be an array including every key in properties."
    for key, part in node.items():
        if key == "properties":
            for name, inner in part.items():
                yield from _faults(inner, f"{where}.{name}", banned)
        elif key not in ("enum", "required", "description", "const"):
            yield from _faults(part, where, banned)


def error_body(status: int, message: str) -> dict[str, Any]:
    """An error as OpenAI's API words it."""
    code = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
    kind = "rate_limit_error" if status == 429 else "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def tokens(body: Any) -> int:
    """Tokens of a body, about."""
    return int(len(json.dumps(body, ensure_ascii=False)) / 3.5)


def cut_front(messages: list[Any], most: int) -> list[Any]:
    """What a server with a small context reads: the end, silently."""
    kept = list(messages)
    while len(kept) > 1 and tokens(kept) > most:
        del kept[0]
    return kept
