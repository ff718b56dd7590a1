"""Tool calls in dialects that are no JSON as a whole. Called by agents/written_calls.py for a text without the marks of its own.

An answer's text -> where its first call begins, and the calls: DeepSeek's `<｜tool▁calls▁begin｜>`, `<invoke name="x">` with a
`<parameter>` each, Harmony's `to=functions.x ... <|message|>{...}`, Functionary's `>>>x`, `Action: x` with `Action Input: {}`,
and calls as Python, alone or in a fence. The last two look like prose or code: there only names of offered tools count.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

CALL_MAX = 20_000  # characters of one call
CALLS_MAX = 32
DEPTH_MAX = 20
Named = tuple[str, dict[str, Any]]

# nothing but a call is written with these: where no call can be read after one, the text is still none for a person
_MARK = re.compile(
    r"(?i)<｜tool▁call|<(?:\w{1,20}:)?(?:function_calls|tool_call)>|<invoke name=|```tool_code\b"
    r"|<\|channel\|>\s{0,9}commentary\b|\bto=functions\.\w|\A\s{0,9}>>>\w"
)
_DEEPSEEK = re.compile(
    r"<｜tool▁sep｜>([\w.-]{1,60})\s{0,9}(?:```(?:json)?\s{0,9})?(?=\{)|<｜tool▁call▁begin｜>([\w.-]{1,60})<｜tool▁sep｜>\s{0,9}(?=\{)"
)
_HARMONY = re.compile(r"\bto=functions\.([\w.-]{1,60})[^{}]{0,120}?<\|message\|>\s{0,9}(?=\{)")
_FUNCTIONARY = re.compile(r"(?m)^[ \t]{0,9}>>>([A-Za-z_]\w{0,59})\s{0,9}(?=\{)")
_ACTION = re.compile(r"(?m)^[ \t]{0,9}Action:[ \t]{0,9}`?([A-Za-z_]\w{0,59})`?[ \t]{0,9}\n[ \t]{0,9}Action Input:\s{0,9}(?=\{)")
_INVOKE = re.compile(r"<invoke name=[\"']?([\w.-]{1,60})[\"']?\s?>")
_PARAMETER = re.compile(r"<parameter name=[\"']?([\w.-]{1,60})[\"']?[^<>]{0,60}>([^<]{0,20000})</parameter>")
_FENCE = re.compile(r"```(?:tool_code|python|py)[ \t]*\n([^`]{2,20000})```\s*\Z")
_PYTHON = re.compile(r"[\[\s,;]{0,20}([A-Za-z_]\w{0,59})\(")
_VALUE = r"\"[^\"\\\n]{0,2000}\"|'[^'\\\n]{0,2000}'|-?\d{1,20}(?:\.\d{1,20})?|True|False|None"
_ARGUMENT = re.compile(rf"\s{{0,9}}([A-Za-z_]\w{{0,59}})\s?=\s?({_VALUE})\s{{0,9}}(?:,|(?=\)))")
_END = re.compile(r"\s{0,9}\)")
_WORDS = {"True": True, "False": False, "None": None}


class Written(NamedTuple):
    """Where the first call begins (-1: the text has none), and the calls; none of them from there on: they cannot be read."""

    start: int
    calls: list[Named]


NOTHING = Written(-1, [])


def dialect_calls(text: str, offered: Collection[str]) -> Written:
    """The calls that a text has in one of these dialects."""
    mark = _MARK.search(text)
    if mark is not None:
        for found in (_headed(_DEEPSEEK, text), _headed(_HARMONY, text), _headed(_FUNCTIONARY, text), _invoked(text)):
            if calls := list(found):
                return Written(mark.start(), calls)
    action = _ACTION.search(text)
    if action is not None and action[1] in offered:
        return Written(action.start(), list(_headed(_ACTION, text)))
    return _as_python(text, offered) or (Written(mark.start(), []) if mark is not None else NOTHING)


def begins(text: str) -> int:
    """Where one of these marks begins in streamed text; -1 for none."""
    found = _MARK.search(text)
    return found.start() if found is not None else -1


def value_at(text: str, at: int) -> tuple[int, Any]:
    """(end, value) of the JSON value at a place; None when it cannot be read, is too long or too deep."""
    try:
        value, length = json.JSONDecoder().raw_decode(text[at : at + CALL_MAX * 2])
    except (ValueError, RecursionError):
        return at, None
    return at + length, value if _shallow(value) else None


def scalar(text: str) -> Any:
    """A parameter's text as the JSON value that it is, else as it stands."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _shallow(value: Any) -> bool:
    """Whether a value nests no deeper than a call may."""
    open_ = [(value, 0)]
    while open_:
        part, depth = open_.pop()
        if depth > DEPTH_MAX:
            return False
        if isinstance(part, dict | list):
            open_ += [(item, depth + 1) for item in (part.values() if isinstance(part, dict) else part)]
    return True


def _headed(head: re.Pattern[str], text: str) -> Iterator[Named]:
    """Calls of a head with the name and a JSON object after it, up to the first that cannot be read."""
    at = 0
    for _ in range(CALLS_MAX):
        found = head.search(text, at)
        at, value = value_at(text, found.end()) if found is not None else (0, None)
        if found is None or not isinstance(value, dict):
            return
        yield found[found.lastindex or 1], value


def _invoked(text: str) -> Iterator[Named]:
    """Calls of `<invoke name="x">` with a parameter each."""
    heads = [found for found, _ in zip(_INVOKE.finditer(text), range(CALLS_MAX + 1), strict=False)]
    ends = [*(found.start() for found in heads[1:]), len(text)]
    for found, end in list(zip(heads, ends, strict=False))[:CALLS_MAX]:
        yield found[1], {one[1]: scalar(one[2].strip()) for one in _PARAMETER.finditer(text, found.end(), end)}


def _as_python(text: str, offered: Collection[str]) -> Written | None:
    """An answer, or its last fence, that is nothing but calls of offered tools; None for any other text.

    Read by hand: Python's own parser can be crashed by what a stranger writes. Values are words, numbers and text.
    """
    fence = _FENCE.search(text) if "```" in text else None
    bare, start = (fence[1].strip(), fence.start()) if fence else (text.strip(), 0)
    first = _PYTHON.match(bare)
    if first is None or first[1] not in offered or not bare.endswith((")", ")]")):
        return None
    calls, at = list[Named](), 0
    while (found := _PYTHON.match(bare, at)) and found[1] in offered and len(calls) < CALLS_MAX:
        args, at = dict[str, Any](), found.end()
        while one := _ARGUMENT.match(bare, at):
            args[one[1]], at = _WORDS[one[2]] if one[2] in _WORDS else _literal(one[2]), one.end()
        end = _END.match(bare, at)
        if end is None:
            return Written(start, []) if fence or bare[0] == "[" else None  # prose may begin like a call
        calls, at = [*calls, (found[1], args)], end.end()
    return Written(start, calls if not bare[at:].strip(" \t\r\n],;") else [])


def _literal(text: str) -> Any:
    return text[1:-1] if text[0] in "\"'" else scalar(text)
