"""The shape of a turn: recall -> think <-> act -> ground -> reply. Built anew for each turn by agents/turns.py; holds no logic.

The shape is declared once, in NODES and AFTER. A turn with a real model runs as LangGraph's graph of it; one of the offline model
walks it as it stands (`walk`), because loading LangGraph takes longer than such an answer (docs/decisions/0024). No
checkpointer: a thread lives in our tables, and nothing waits in the graph for a person.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, cast

from agents import nodes
from agents.state import TurnState, Work

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

Node = Callable[[Work, TurnState], dict[str, Any]]
FIRST, LAST = "recall", "reply"
NODES: Mapping[str, Node] = {
    "recall": nodes.recall,
    "think": nodes.think,
    "act": nodes.act,
    "ground": nodes.ground_draft,
    "reply": nodes.reply,
}
AFTER: Mapping[str, str | Callable[[TurnState], str]] = {
    "recall": "think",
    "think": nodes.next_step,
    "act": "think",
    "ground": "reply",
}
_BESIDE = ThreadPoolExecutor(64, "step")  # of all turns of the process: a thread that is there costs less than one that starts
GROWING = ("messages", "done")  # what the state adds up; the rest is replaced


class StepsUsedUp(Exception):
    """A turn has taken all the steps that it may."""


def stream(work: Work, state: Mapping[str, Any], steps_max: int) -> Iterator[tuple[str, Any]]:
    """Run a turn: ("custom", event) as each happens, ("values", state) after each step. Raises StepsUsedUp."""
    return walk(work, state, steps_max) if work.model.offline else _langgraph(work, state, steps_max)


def walk(work: Work, state: Mapping[str, Any], steps_max: int) -> Iterator[tuple[str, Any]]:
    """The shape, step by step. Tools run beside the reader, who sees their events while they work; the other steps of the
    offline model take less time than a thread to start."""
    now, at = dict(state), FIRST
    for _ in range(steps_max):
        if at == "act":
            found = yield from _beside(NODES[at], work, now)
        else:
            events: list[Any] = []
            found = copy_context().run(_step, NODES[at], work, now, events.append)
            yield from (("custom", event) for event in events)
        now |= {key: [*now[key], *value] if key in GROWING else value for key, value in found.items()}
        yield "values", dict(now)
        if at == LAST:
            return
        follows = AFTER[at]
        at = follows if isinstance(follows, str) else follows(now)  # type: ignore[arg-type]  # the keys of a TurnState
    raise StepsUsedUp


def _beside(node: Node, work: Work, state: Any) -> Generator[tuple[str, Any], None, dict[str, Any]]:
    """One step in a thread, its events as they happen; what it found."""
    events: SimpleQueue[Any] = SimpleQueue()
    step = _BESIDE.submit(copy_context().run, _step, node, work, state, events.put)
    step.add_done_callback(lambda _ended: events.put(None))
    try:
        while (event := events.get()) is not None:
            yield "custom", event
    finally:
        wait([step])  # a reader may leave in between; the turn ends after what its tools do
    return step.result()


def _step(node: Node, work: Work, state: Any, report: Callable[[Any], None]) -> dict[str, Any]:
    """One step that reports its events to `report`."""
    nodes.WRITER.set(report)
    return node(work, state)


def _langgraph(work: Work, state: Mapping[str, Any], steps_max: int) -> Iterator[tuple[str, Any]]:
    """The same through LangGraph."""
    no_tracing()
    from langgraph.errors import GraphRecursionError

    try:
        parts = build(work).stream(dict(state), {"recursion_limit": steps_max}, stream_mode=["custom", "values"])
        yield from cast("Iterator[tuple[str, Any]]", parts)
    except GraphRecursionError:
        raise StepsUsedUp from None


def build(work: Work) -> "CompiledStateGraph[Any, Any, Any, Any]":
    """The graph of one turn over `work`."""
    from langgraph.graph import END, START, StateGraph

    shape = StateGraph(TurnState)
    for name, node in NODES.items():
        shape.add_node(name, partial(node, work))
    shape.add_edge(START, FIRST)
    for name, follows in AFTER.items():
        if isinstance(follows, str):
            shape.add_edge(name, follows)
        else:
            shape.add_conditional_edges(name, follows, {"act": "act", "ground": "ground"})
    shape.add_edge(LAST, END)
    return shape.compile()


def no_tracing() -> None:
    """Disable LangChain tracing, whatever the environment says: no part of a turn is uploaded."""
    import os

    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING", "LANGSMITH_TRACING_V2"):
        os.environ[name] = "false"
