"""Cleans a model's text: removes its thinking, extracts JSON. Used by the API formats.

What a model writes is untrusted: nothing is executed, and only a JSON object counts as one.
"""

import json
import re
from typing import Any

_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_UNOPENED = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_OPEN, _CLOSE = ("<think>", "<thinking>", "<reasoning>"), ("</think>", "</thinking>", "</reasoning>")
_FENCE = re.compile(r"```[\w-]*\s*\n(.*?)(?:```|\Z)", re.DOTALL)


def visible(text: str) -> str:
    """`text` without the model's thinking; an end tag without a start hides everything before it."""
    return _UNOPENED.sub("", _THOUGHT.sub("", text)).strip()


class VisibleText:
    """The same for streamed text: `add` returns what may be shown so far."""

    def __init__(self) -> None:
        self._held, self._thinking = "", False

    def add(self, piece: str) -> str:
        """What of the text so far is new and visible."""
        self._held += piece
        shown: list[str] = []
        while True:
            marks = _CLOSE if self._thinking else _OPEN
            lower = self._held.lower()
            at, mark = min(((lower.find(m), m) for m in marks if m in lower), default=(-1, ""))
            if at < 0:
                break
            if not self._thinking:
                shown.append(self._held[:at])
            self._held, self._thinking = self._held[at + len(mark) :], not self._thinking
        keep = _tail(self._held, marks)
        if not self._thinking:
            shown.append(self._held[: len(self._held) - keep])
        self._held = self._held[len(self._held) - keep :]
        return "".join(shown)


def _tail(text: str, marks: tuple[str, ...]) -> int:
    """How many last characters may be the beginning of a mark."""
    lower = text.lower()
    most = max(len(mark) for mark in marks) - 1
    return next((n for n in range(min(most, len(lower)), 0, -1) if any(m.startswith(lower[-n:]) for m in marks)), 0)


def circling(text: str) -> bool:
    """Whether a text has started to loop: its last 1 to 80 characters repeated 40 times or more.

    A line of dashes does not count: the repeated part must contain a letter or a digit.
    """
    units = (text[-n:] for n in range(1, 81))
    return len(text) >= 200 and any(
        text.endswith(unit * max(40, 200 // len(unit))) and any(c.isalnum() for c in unit) for unit in units
    )


def arguments_of(said: Any) -> dict[str, Any]:
    """A call's arguments, however they came: JSON text, an object, nothing. What cannot be read is one key that no tool knows."""
    if said is None or said == "":
        return {}
    if isinstance(said, dict):
        return said
    found = object_in(said) if isinstance(said, str) else None
    return found if found is not None else {"unreadable_arguments": str(said)[:200]}


def readable(said: Any) -> bool:
    """Whether arguments are a JSON object as they stand."""
    try:
        return isinstance(json.loads(said), dict)
    except (TypeError, ValueError, RecursionError):
        return False


def object_in(text: str) -> dict[str, Any] | None:
    """The JSON object in a text: alone, fenced, or between prose. None if absent."""
    bare = visible(text)
    for part in (bare, *(found[1] for found in _FENCE.finditer(bare)), bare[bare.find("{") :] if "{" in bare else ""):
        try:
            value, _ = json.JSONDecoder().raw_decode(part.strip())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, str):  # arguments that were encoded twice
            return object_in(value) if value != text else None
        if isinstance(value, dict):
            return value
    return None
