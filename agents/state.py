"""The state of a turn: the values that pass through the graph, and what its nodes work with. Used by graph and nodes."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypedDict

from agents.budget import Budget
from agents.grounding import StruckSentence
from agents.model import ALONE, Call, Caller, Message, Model
from agents.roster import Role
from tools.common.contract import Fact, ToolContext, ToolResult


class AnsweredCall(NamedTuple):
    """A tool call with its result."""

    call: Call
    result: ToolResult


class TurnState(TypedDict):
    """What the nodes pass on. `messages` and `done` grow; the rest is set once."""

    messages: Annotated[list[Message], operator.add]
    done: Annotated[list[AnsweredCall], operator.add]
    draft: str
    by_code: bool  # the draft is code's own: the offline model's, or a failure in plain words
    unused: tuple[str, ...]  # pieces of the question that the draft leaves out
    asked_back: bool  # the draft asks the person
    read_as: str  # how the question was read
    answer: str
    struck: list[StruckSentence]
    unchecked: list[str]


class EarlierTurn(NamedTuple):
    """An ended turn, summarised by code: question, answer, calls, runs and proposals."""

    id: str
    asked: str
    answered: str
    calls: tuple[Mapping[str, Any], ...]  # name, args, status, text, data, evidence (ids)
    runs: tuple[str, ...]
    proposals: tuple[str, ...]
    posted: bool = False  # by code, when the jobs of an earlier question ended: no person asked it


@dataclass
class Work:
    """What the nodes of one turn work with. Made by agents/turns.py; only the context's facts and handles grow."""

    question: str
    role: Role
    ctx: ToolContext
    model: Model
    system: Message
    earlier: Sequence[EarlierTurn] = ()
    settings: Sequence[Mapping[str, Any]] = ()  # live parameters: configuration numbers that an answer may state
    names: Sequence[str] = ()
    stamp: str = ""  # desk time, PAPER, data source: the last line that code adds to an answer about the desk
    caller: Caller = ALONE  # reserves budget for, stores and reports the calls of a real model
    spare: Model | None = None  # answers when `model` fails
    notice: str = ""  # why the spare answers; empty while `model` does
    fell_at: tuple[int, int] = (0, 0)  # counts of messages and answered calls at the fallback
    budget: Budget = field(default_factory=Budget)

    def fall(self, notice: str, messages: int, calls: int) -> bool:
        """Switch to the spare model; False when it already answers, or none is set."""
        if self.spare is None or self.model.offline:
            return False
        self.model, self.notice, self.fell_at = self.spare, notice, (messages, calls)
        self.ctx.model = self.spare.name  # the journal names who calls
        return True

    @property
    def facts(self) -> Mapping[str, Fact]:
        """Every fact shown in this thread so far."""
        return self.ctx.facts
