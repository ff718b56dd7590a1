"""What a turn knows: the values that pass through the graph, and the things its nodes work with. Read by graph and nodes."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypedDict

from agents.budget import Budget
from agents.grounding import StruckNumber
from agents.model import ALONE, Call, Caller, Message, Model
from agents.roster import Role
from tools.common.contract import Fact, ToolContext, ToolResult


class AnsweredCall(NamedTuple):
    """A call with its answer."""

    call: Call
    result: ToolResult


class TurnState(TypedDict):
    """What the nodes hand on. `messages` and `done` grow; the rest is set once."""

    messages: Annotated[list[Message], operator.add]
    done: Annotated[list[AnsweredCall], operator.add]
    draft: str
    answer: str
    struck: list[StruckNumber]


class EarlierTurn(NamedTuple):
    """A turn that has ended, folded by code: what was asked and answered, what its calls were and left behind."""

    id: str
    asked: str
    answered: str
    calls: tuple[Mapping[str, Any], ...]  # name, args, status, text, data, evidence (ids)
    runs: tuple[str, ...]
    proposals: tuple[str, ...]
    posted: bool = False  # by code, when the jobs of an earlier question had ended: nobody asked it


@dataclass
class Work:
    """One turn's tools of the trade, made by agents/turns.py; nodes read it, only the context's facts and handles grow."""

    question: str
    role: Role
    ctx: ToolContext
    model: Model
    system: Message
    earlier: Sequence[EarlierTurn] = ()
    settings: Sequence[Mapping[str, Any]] = ()  # live parameters: numbers of configuration that an answer may name
    names: Sequence[str] = ()
    stamp: str = ""  # desk time, paper, source: code's own last line of an answer with numbers of the desk
    caller: Caller = ALONE  # who pays for, keeps and tells what a real model is asked
    spare: Model | None = None  # answers when `model` does not
    notice: str = ""  # why it does; empty while `model` answers
    fell_at: tuple[int, int] = (0, 0)  # how many messages and answered calls there were by then
    budget: Budget = field(default_factory=Budget)

    def fall(self, notice: str, messages: int, calls: int) -> bool:
        """Let the spare model answer from here on; False when it already does, or there is none."""
        if self.spare is None or self.model.offline:
            return False
        self.model, self.notice, self.fell_at = self.spare, notice, (messages, calls)
        self.ctx.model = self.spare.name  # the journal names who calls
        return True

    @property
    def facts(self) -> Mapping[str, Fact]:
        """Every fact shown in this thread so far."""
        return self.ctx.facts
