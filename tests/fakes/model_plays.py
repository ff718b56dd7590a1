"""Scripted conversations for model_server.py: what a model says to a question is chosen by a word of that question.

Used by the browser tests of the page. By hand: `python -m tests.fakes.model_plays 8765`, then a desk with OPENAI_BASE_URL
pointed there; ask `tell me of the desk`, `a busy model`, `a lost model`, `backtest it`.
"""

import re
import sys
import threading
from collections.abc import Sequence
from typing import Any

from tests.fakes.model_server import Fail, Json, ModelServer, Say, Step

SENTENCES = (
    "The desk stands at {EQUITY}. It has made 41.7 % since spring. Its guardrails hold. "
    "I have looked at each sleeve by itself and found none that a person has to stop. That is all there is to say tonight."
)
WAIT_S = 8  # what a busy model asks for


class Play:
    """One conversation partner: called by ModelServer for each request. `pace_s` is the time between two pieces of text."""

    def __init__(self, pace_s: float = 0.0) -> None:
        self.pace_s = pace_s
        self._turned_away: set[str] = set()

    def __call__(self, body: Json) -> Step:
        """The next step of the play that the last question asks for."""
        question, read = question_and_results(body)
        if "lost" in question:
            return Fail(503, "the model is being moved")
        if "busy" in question and question not in self._turned_away:
            self._turned_away.add(question)
            return Fail(429, "too many requests", {"retry-after": str(WAIT_S)})
        if "backtest" in question:
            return self._backtest(read)
        if not read:
            return Say("I look at the desk first.", calls=[("desk", {}), ("sleeves", {})], pace_s=self.pace_s)
        return self._answer_from(read)

    def _answer_from(self, read: Sequence[str]) -> Step:
        equity = named(read, "equity")
        text = SENTENCES.replace("EQUITY", equity) if equity else SENTENCES.replace("{EQUITY}", "a place nobody knows yet")
        return Say(text, pieces=24, pace_s=self.pace_s)

    def _backtest(self, read: Sequence[str]) -> Step:
        if not read:
            return Say(calls=[("backtest", {"strategy": "trend", "symbol": "BTC-USDT"})])
        sharpe, drawdown = named(read, "sharpe"), named(read, "max_drawdown_frac")
        return Say(f"The Sharpe is {{{sharpe}}}, the largest drawdown {{{drawdown}}}. Next year it will be 3.14.", pieces=12)


def question_and_results(body: Json) -> tuple[str, list[str]]:
    """The last question of a request, and what tools have said since."""
    items: list[Any] = body.get("messages") or body.get("input") or []
    asked = max((n for n, item in enumerate(items) if item.get("role") == "user"), default=-1)
    question = str(items[asked].get("content") if asked >= 0 else "").lower()
    since = items[asked + 1 :]
    return question, [str(i.get("content") or i.get("output")) for i in since if i.get("role") == "tool" or "output" in i]


def named(read: Sequence[str], metric: str) -> str:
    """The first reference to a metric that the tools gave; empty when there is none."""
    found = re.search(rf"\b([a-z]\w*\.(?:[\w-]+\.)*{metric})\b", "\n".join(read))
    return found[1] if found else ""


if __name__ == "__main__":
    with ModelServer(Play(0.15), models=("night-model",), port=int(sys.argv[1])):
        threading.Event().wait()
