"""What one answer of a model may be: text, calls, arguments and depth are bounded where they enter, in every format."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from agents.formats.bounds import ANSWER_MAX, ARGUMENTS_MAX, CALLS_MAX, DEPTH_MAX, EVENT_MAX, Weighed, bounded, weight
from agents.formats.chat import ChatReader
from agents.formats.faults import EndpointFault
from agents.formats.responses import ResponsesReader
from agents.grounding import Ground
from agents.model import Call, Reply

HOST = "model.example"


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def call(args: Any, name: str = "desk") -> Reply:
    """A reply with one call."""
    return Reply("", (Call("c-1", name, args),))


@pytest.mark.parametrize(
    ("inside", "outside", "words"),
    [
        (Reply("x" * ANSWER_MAX), Reply("x" * (ANSWER_MAX + 1)), "100 KB of text"),
        (Reply("", (Call("c", "desk", {}),) * CALLS_MAX), Reply("", (Call("c", "desk", {}),) * (CALLS_MAX + 1)), "32 tool calls"),
        (call({"a": "x" * (ARGUMENTS_MAX - 9)}), call({"a": "x" * (ARGUMENTS_MAX - 8)}), "20,000 characters of arguments"),
        (call({"a": nested(DEPTH_MAX - 2)}), call({"a": nested(DEPTH_MAX + 1)}), "more than 20 levels deep"),
        (call({"a": nested(3)}), call({"a": nested(900)}), "more than 20 levels deep"),
        (call({}, "n" * 200), call({}, "n" * 201), "more than 200 characters"),
    ],
    ids=["text", "calls", "arguments", "depth", "recursion", "name"],
)
def test_an_answer_at_its_bounds_is_taken_and_beyond_them_refused(inside: Reply, outside: Reply, words: str) -> None:
    """Refused in one line that says what was too much; the offline model answers then."""
    assert bounded(inside, HOST) is inside
    with pytest.raises(EndpointFault, match=words) as caught:
        bounded(outside, HOST)
    assert not caught.value.again, "the same answer would come again"


def fed(take: Callable[[Any], Any], events: Iterable[Any], words: str) -> int:
    """Give one event after the other; how many were taken before the fault that says `words`."""
    for n, event in enumerate(events):
        try:
            take(event)
        except EndpointFault as fault:
            return n if words in str(fault) else -1
    return -1


@pytest.mark.parametrize("reader", [ChatReader("at", HOST, set()), ResponsesReader("at", HOST)], ids=["chat", "responses"])
def test_an_answer_that_grows_too_long_is_left_while_it_comes(reader: Any) -> None:
    """Nobody waits for the end of five megabytes."""
    pieces = [" ".join(f"w{n}" for n in range(k, k + 900)) for k in range(0, 500_000, 900)]
    kind = "response.output_text.delta"
    taken = fed(
        reader.add, ({"choices": [{"delta": {"content": p}}], "type": kind, "delta": p} for p in pieces), "100 KB of text"
    )
    assert sum(map(len, pieces[:taken])) <= ANSWER_MAX


def test_calls_and_arguments_that_grow_too_many_or_long_are_left_too() -> None:
    """Pieces of arguments without an end; one call after another."""
    piece = {"index": 0, "function": {"name": "desk", "arguments": "x" * 1_000}}
    chunk = {"choices": [{"delta": {"tool_calls": [piece]}}]}
    assert fed(ChatReader("at", HOST, set()).add, [chunk] * 100, "characters of arguments") == ARGUMENTS_MAX // 1_000
    done = {"type": "response.output_item.done", "item": {"type": "function_call", "call_id": "c", "arguments": "{}"}}
    assert fed(ResponsesReader("at", HOST).add, [done] * 100, "32 tool calls") == CALLS_MAX


def test_one_event_of_five_megabytes_or_a_thousand_levels_is_not_taken() -> None:
    """Before anything reads it; weighing it stops at the bound, whatever it is. Many large ones are too much together."""
    for event in ({"a": "x" * 5_000_000}, {"a": nested(1_000)}, {"a": [[]] * 2_000_000}):
        assert fed(Weighed(HOST).take, [event], "too long or nested too deeply") == 0
    assert weight({"a": "xyz", "b": [1, 2]}, EVENT_MAX) == 2 + len("ab") + len("xyz") + 2
    assert fed(Weighed(HOST).take, [{"a": "x" * 500_000}] * 100, "too long") == 15


def test_arguments_of_eighty_thousand_letters_are_grounded_at_once() -> None:
    """They were read anew from each letter: 82 seconds. Ids in them are found as before."""
    assert Ground({}, arguments=[{"x": "a" * 80_000}]).mentions.ids == frozenset()
    assert Ground({}, arguments=[{"x": ["see d-12", {"y": "prop-3"}]}]).mentions.ids == {"d-12", "prop-3"}
