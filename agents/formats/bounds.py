"""How much one answer of a model may be: the one door through which a model's words enter. Called by transport and model.

Events as they come, then the whole reply -> the same, or EndpointFault in one line: the offline model answers then. Everything
behind the door (grounding, tools, the stored turn, the page) reads no more than this.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agents.formats.faults import EndpointFault
from agents.model import Reply

ANSWER_MAX = 100_000  # characters of one answer's text
ARGUMENTS_MAX = 20_000  # characters of one call's arguments, as JSON
CALLS_MAX = 32  # of one answer
DEPTH_MAX = 20  # of arguments, and of what an endpoint sends around them
NAME_MAX = 200  # characters of a call's name or id
EVENT_MAX = 1_000_000  # characters and values of one event: an answer in one piece, with its reasoning
STREAM_MAX = 8_000_000  # of all events of one answer, their envelopes and repetitions included


def weight(value: Any, most: int, depth: int = 2 * DEPTH_MAX) -> int:
    """Characters and values in a JSON value; stops counting above `most`. What is nested deeper than `depth` weighs too much."""
    total, open_ = 0, [(value, depth)]
    while open_ and total <= most:
        part, left = open_.pop()
        if isinstance(part, str | Mapping | list | tuple):
            total += len(part)
        if isinstance(part, Mapping | list | tuple):
            if left == 0 or total > most:
                return most + 1
            if isinstance(part, Mapping):
                total += sum(len(key) for key in part if isinstance(key, str))
                open_ += [(item, left - 1) for item in part.values()]
            else:
                open_ += [(item, left - 1) for item in part]
    return total


class Weighed:
    """What has come of one answer so far."""

    def __init__(self, host: str) -> None:
        self.host, self.total = host, 0

    def take(self, event: Any) -> None:
        """Count one event. Raises EndpointFault when it, or all of them, are too much."""
        self.total += (one := weight(event, EVENT_MAX))
        if one > EVENT_MAX or self.total > STREAM_MAX:
            raise too_much(self.host, "an answer that is too long or nested too deeply")


def too_much(host: str, what: str) -> EndpointFault:
    """The fault of an answer beyond the bounds."""
    return EndpointFault(f"{host} sent {what}", again=False)


def check_text(text: str, host: str) -> None:
    """Raise EndpointFault for more text than an answer may have; asked while it grows."""
    if len(text) > ANSWER_MAX:
        raise too_much(host, f"more than {ANSWER_MAX // 1000} KB of text in one answer")


def check_calls(written: Sequence[str], host: str) -> None:
    """Raise EndpointFault for too many calls, or too long arguments; asked while they grow. `written`: each call's arguments."""
    if len(written) > CALLS_MAX:
        raise too_much(host, f"more than {CALLS_MAX} tool calls in one answer")
    if any(len(text) > ARGUMENTS_MAX for text in written):
        raise too_much(host, f"more than {ARGUMENTS_MAX:,} characters of arguments for one call")


def bounded(reply: Reply, host: str) -> Reply:
    """The reply, which every format has made, within the bounds. Raises EndpointFault."""
    check_text(reply.text, host)
    for call in reply.calls:
        if not (isinstance(call.name, str) and isinstance(call.id, str)):
            raise too_much(host, "a tool call whose name or id is not text")
        if len(call.name) > NAME_MAX or len(call.id) > NAME_MAX:
            raise too_much(host, f"a tool call whose name or id has more than {NAME_MAX} characters")
        if weight(call.args, 2 * ARGUMENTS_MAX, DEPTH_MAX) > 2 * ARGUMENTS_MAX:
            raise too_much(host, f"arguments that are too long or nested more than {DEPTH_MAX} levels deep")
    check_calls([written_args(call.args) for call in reply.calls], host)
    return reply


def written_args(args: Mapping[str, Any]) -> str:
    """Arguments as JSON."""
    return json.dumps(dict(args), ensure_ascii=False, default=str)
