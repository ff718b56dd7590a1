"""The one port to a language model. Called by agents/nodes.py; agents/offline and agents/formats implement it.

Messages in, a Reply out: text, tool calls, or both. `Message.data` is what code knows about a message (the desk's
vocabulary, a tool's whole result); it is read by the offline model and never leaves the process. `Message.raw` is what a
provider said, word for word; it goes back to the same endpoint and model as it came, and nowhere else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from engine.errors import DeskError
from tools.common.contract import Tool


class Call(NamedTuple):
    """A tool call: its id is answered exactly once."""

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
    raw: ProviderMessage | None = None


class ModelDown(DeskError):
    """A model that did not answer, or not usably: the offline model takes over for the rest of the turn."""

    recoverable = True


class OverBudget(ModelDown):
    """A call that would cost more than a turn, a person or a day may use."""


class Prices(NamedTuple):
    """US dollars for a million tokens; None where nobody has said."""

    input_per_million: float | None = None
    output_per_million: float | None = None

    def cost_usd(self, usage: Usage) -> float | None:
        """What `usage` costs; None while a price is unknown."""
        if self.input_per_million is None or self.output_per_million is None:
            return None
        return (usage.input_tokens * self.input_per_million + usage.output_tokens * self.output_per_million) / 1e6


class Caller:
    """Who asks, as a format sees it. This one keeps nothing; agents/caller.py has the one of a turn."""

    def report(self, kind: str, body: Mapping[str, Any]) -> None:
        """What happens meanwhile: `text` {delta} of an answer, `retrying` {text, attempt}."""

    def sent(self, body: bytes) -> None:
        """A request's exact body, key-free, before it leaves; what this raises keeps it from leaving."""

    def received(self, said: Any) -> None:
        """A provider's whole message."""

    def reserve(self, most: Usage, prices: Prices) -> None:
        """Set `most` aside for one call, or raise OverBudget."""

    def begin_call(self, emit: Callable[[str, Mapping[str, Any]], None], checked: Callable[[str], str]) -> None:
        """Before a call: where to tell what happens, and what makes a piece of text fit to show."""

    def flush(self) -> None:
        """After it: the last of the text."""

    def settle(self, used: Usage, prices: Prices) -> None:
        """The call is over and took `used`; what was set aside for it is free again."""


ALONE = Caller()


class Model(Protocol):
    """Something that answers messages. `complete` may raise DeskError: the offline model then answers instead, and says so."""

    name: str
    api_format: str
    offline: bool

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:
        """The next reply to `messages`, with `tools` to call, on behalf of `caller`."""


def tokens_of(text: str) -> int:
    """Estimated tokens of a text: characters / 3.5, until an endpoint reports better."""
    return int(len(text) / 3.5) + 1
