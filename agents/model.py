"""The one port to a language model, whoever answers behind it. Called by agents/nodes.py; agents/offline implements it.

Messages in, a Reply out: text, tool calls, or both. `Message.data` is what code knows about a message (the desk's
vocabulary, a tool's whole result); it is read by the offline model and never leaves the process.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from tools.contract import Tool


class Call(NamedTuple):
    """A tool call: its id is answered exactly once."""

    id: str
    name: str
    args: Mapping[str, Any]


class Message(NamedTuple):
    """One message of the conversation. A tool's message answers `call_id`."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[Call, ...] = ()
    call_id: str | None = None
    data: Any = None


class Usage(NamedTuple):
    """What a completion cost, in tokens; estimated where the endpoint does not say."""

    input_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """The sum of both."""
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)


class Reply(NamedTuple):
    """What a model says: calls to make before it goes on, or, without calls, its draft of the answer."""

    text: str
    calls: tuple[Call, ...] = ()
    usage: Usage = Usage()


class Model(Protocol):
    """A model behind a wire. `complete` may raise DeskError: the turn then ends with a plain answer that says so."""

    name: str
    wire: str
    offline: bool

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool]) -> Reply:
        """The next reply to `messages`, with `tools` to call."""


def tokens_of(text: str) -> int:
    """Estimated tokens of a text: characters / 3.5, until an endpoint reports better."""
    return int(len(text) / 3.5) + 1
