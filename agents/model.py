"""The port to a language model. Called by agents/nodes.py; agents/offline and agents/formats implement it.

Messages in, a Reply out: text, tool calls, or both. `Message.data` is what code knows about a message (the desk's
vocabulary, a tool's whole result); the offline model reads it, and it never leaves the process. `Message.raw` is a
provider's message, verbatim; it is replayed to the same endpoint and model only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from engine.errors import DeskError
from tools.common.contract import Tool

CHARACTERS_A_TOKEN = 3.5  # an estimate, for text of any model


class Call(NamedTuple):
    """A tool call. Its id is answered exactly once."""

    id: str
    name: str
    args: Mapping[str, Any]


class ProviderMessage(NamedTuple):
    """A provider's own message, unknown keys and signatures included. `at`: the API format, address and model it came from."""

    at: str
    said: Any


class Message(NamedTuple):
    """One message of the conversation. A tool's message answers `call_id`."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[Call, ...] = ()
    call_id: str | None = None
    data: Any = None
    raw: ProviderMessage | None = None


class Usage(NamedTuple):
    """Tokens used by a completion; estimated when the endpoint does not report them."""

    input_tokens: int = 0
    output_tokens: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """The sum of both."""
        return Usage(self.input_tokens + other.input_tokens, self.output_tokens + other.output_tokens)


class Reply(NamedTuple):
    """A model's reply: tool calls to make first, or, without calls, a draft of the answer."""

    text: str
    calls: tuple[Call, ...] = ()
    usage: Usage = Usage()
    raw: ProviderMessage | None = None
    unused: tuple[str, ...] = ()  # pieces of the question that the planner without a model left out
    asked_back: bool = False  # the planner asks the person instead of answering
    read_as: str = ""  # how the planner read the question; empty: it could be read in one way only


class ModelDown(DeskError):
    """The model failed or gave no usable answer: the offline model takes over for the rest of the turn."""

    recoverable = True


class OverBudget(ModelDown):
    """The call would exceed the budget of the turn, the person or the day."""


class Prices(NamedTuple):
    """US dollars per million tokens; None when not configured."""

    input_per_million: float | None = None
    output_per_million: float | None = None

    def cost_usd(self, usage: Usage) -> float | None:
        """What `usage` costs; None while a price is unknown."""
        if self.input_per_million is None or self.output_per_million is None:
            return None
        return (usage.input_tokens * self.input_per_million + usage.output_tokens * self.output_per_million) / 1e6


class Caller:
    """The caller, as an API format sees it. This one does nothing; agents/caller.py has the one used in a turn."""

    def report(self, kind: str, body: Mapping[str, Any]) -> None:
        """Report progress: `text` {delta} of an answer, or `retrying` {text, attempt}."""

    def sent(self, body: bytes) -> None:
        """A request's exact body, without the key, before it is sent; an exception here stops the request."""

    def received(self, said: Any) -> None:
        """A provider's whole message."""

    def reserve(self, most: Usage, prices: Prices) -> None:
        """Reserve `most` for one call, or raise OverBudget."""

    def begin_call(self, emit: Callable[[str, Mapping[str, Any]], None], checked: Callable[[str], str]) -> None:
        """Before a call: where to report events, and how to check text before it is shown."""

    def flush(self) -> None:
        """After it: report the rest of the text."""

    def settle(self, used: Usage, prices: Prices) -> None:
        """The call has ended and used `used`; its reservation is released."""


ALONE = Caller()


class Model(Protocol):
    """Something that answers messages. `complete` may raise DeskError: the offline model then answers instead, and says so."""

    @property
    def name(self) -> str:
        """As desk.toml calls it."""

    @property
    def api_format(self) -> str:
        """How its endpoint is spoken to."""

    @property
    def offline(self) -> bool:
        """Whether it is code of this process."""

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:
        """The next reply to `messages`, with `tools` to call, on behalf of `caller`."""


def tokens_of(text: str) -> int:
    """Estimated tokens of a text: characters / CHARACTERS_A_TOKEN, until an endpoint reports real counts."""
    return int(len(text) / CHARACTERS_A_TOKEN) + 1
