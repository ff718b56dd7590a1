"""The graph of a turn: recall -> think <-> act -> ground -> reply. Built anew for each turn by agents/turns.py; holds no logic.

No checkpointer: a thread lives in our tables, and nothing waits in the graph for a person (see docs/decisions).
"""

from functools import partial
from typing import TYPE_CHECKING, Any

from agents import nodes
from agents.state import TurnState, Work

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph


def build(work: Work) -> "CompiledStateGraph[Any, Any, Any, Any]":
    """The graph of one turn over `work`."""
    from langgraph.graph import END, START, StateGraph

    shape = StateGraph(TurnState)
    shape.add_node("recall", partial(nodes.recall, work))
    shape.add_node("think", partial(nodes.think, work))
    shape.add_node("act", partial(nodes.act, work))
    shape.add_node("ground", partial(nodes.ground_draft, work))
    shape.add_node("reply", partial(nodes.reply, work))
    shape.add_edge(START, "recall")
    shape.add_edge("recall", "think")
    shape.add_conditional_edges("think", nodes.next_step, {"act": "act", "ground": "ground"})
    shape.add_edge("act", "think")
    shape.add_edge("ground", "reply")
    shape.add_edge("reply", END)
    return shape.compile()


def no_tracing() -> None:
    """Disable LangChain tracing, whatever the environment says: no part of a turn is uploaded."""
    import os

    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING", "LANGSMITH_TRACING_V2"):
        os.environ[name] = "false"
