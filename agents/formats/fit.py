"""Fits a conversation into a context: drops the oldest turns, then shortens long results; never the instructions.

Called by agents/formats/model.py. A server that truncates by itself would drop the instructions first.
"""

import json
from collections.abc import Sequence

from agents.model import CHARACTERS_A_TOKEN, Message, ModelDown
from tools.common.contract import Tool, schema_text

A_MESSAGE = 16  # tokens around each
A_TOOL = 60  # characters around each: its name and the shape of the format
SHORTEST = 1_500  # characters that a shortened result keeps


def fit_to_context(messages: Sequence[Message], tools: Sequence[Tool], room_tokens: float) -> list[Message]:
    """`messages` within `room_tokens`, tools counted. Raises ModelDown when not even the question with its results fits."""
    kept = list(messages)
    room = room_tokens - schema_tokens(tools)
    question = max((i for i, m in enumerate(kept) if m.role == "user"), default=0)
    first = next((i for i, m in enumerate(kept) if m.role != "system"), 0)
    while _tokens(kept) > room and first < question:
        del kept[first]
        question -= 1
    while _tokens(kept) > room and kept[first - 1].role == "system" and first > 1:  # the folded older turns
        del kept[first - 1]
        first -= 1
    for i, message in enumerate(kept):
        if _tokens(kept) <= room:
            break
        if message.role == "tool" and len(message.text) > SHORTEST:
            kept[i] = message._replace(text=f"{message.text[:SHORTEST]} [cut here to fit the model's context]")
    if _tokens(kept) > room:
        raise ModelDown(f"the question with its context needs about {_tokens(kept):,} tokens; the model accepts {room:,.0f}")
    return kept


def schema_tokens(tools: Sequence[Tool]) -> int:
    """Estimated tokens of what a request says about these tools: names, descriptions, schemas."""
    return int(sum(len(schema_text(tool.args)) + len(tool.about) + A_TOOL for tool in tools) / CHARACTERS_A_TOKEN)


def _tokens(messages: Sequence[Message]) -> int:
    return int(sum(_characters(m) / CHARACTERS_A_TOKEN + A_MESSAGE for m in messages))


def _characters(message: Message) -> int:
    if message.raw is not None:
        return len(json.dumps(message.raw.said, default=str))
    return len(message.text) + sum(len(json.dumps(dict(c.args), default=str)) + len(c.name) + 40 for c in message.calls)
