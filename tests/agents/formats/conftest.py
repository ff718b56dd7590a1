"""What the tests of the formats share: an endpoint at a fake server, a caller that keeps what it is told."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from agents.endpoints import Endpoint
from agents.formats import transport
from agents.formats.model import EndpointModel
from agents.model import Caller, Message, OverBudget, Prices, Usage
from tests.fakes.model_server import ModelServer

PATIENCE_S = 120.0  # where silence is not what a test is about: a busy machine is no silent endpoint
KEY = "sk-canary-4f1b9c2e7d8a6b5c4d3e2f1a"


class Kept(Caller):
    """Keeps what a format tells, sends and pays."""

    def __init__(self, most: int | None = None) -> None:
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.bodies: list[bytes] = []
        self.raws: list[Any] = []
        self.reserved: list[Usage] = []
        self.settled: list[Usage] = []
        self.most = most

    @property
    def text(self) -> str:
        """The text that was streamed."""
        return "".join(str(body["delta"]) for kind, body in self.told if kind == "text")

    def kinds(self, kind: str) -> list[Mapping[str, Any]]:
        """What was told of one kind."""
        return [body for told, body in self.told if told == kind]

    def report(self, kind: str, body: Mapping[str, Any]) -> None:
        """Keep it."""
        self.told.append((kind, body))

    def sent(self, body: bytes) -> None:
        """Keep it."""
        self.bodies.append(body)

    def received(self, said: Any) -> None:
        """Keep it."""
        self.raws.append(said)

    def reserve(self, most: Usage, prices: Prices) -> None:
        """Refuse what is over the limit, if there is one."""
        if self.most is not None and most.input_tokens > self.most:
            raise OverBudget("the tokens of this turn are used up")
        self.reserved.append(most)

    def settle(self, used: Usage, prices: Prices) -> None:
        """Keep it."""
        self.settled.append(used)


@pytest.fixture
def kept() -> Kept:
    """A caller."""
    return Kept()


@pytest.fixture
def model_at() -> Callable[..., EndpointModel]:
    """Makes a model at a server; every field of its endpoint can be named."""

    def made(server: ModelServer, api_format: str = "chat", key: str = KEY, **fields: Any) -> EndpointModel:
        known: dict[str, Any] = {"model": "small", "context_tokens": 100_000, "patience_s": PATIENCE_S, **fields}
        return EndpointModel(Endpoint("test", server.url, api_format=api_format, key_env="TEST_KEY", **known), key)

    return made


def question(text: str = "how are we doing?") -> list[Message]:
    """A conversation of one question."""
    return [Message("system", "You are the operator."), Message("user", text)]


@pytest.fixture
def soon_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person is told at once that we wait, so that short patience is enough to test it."""
    monkeypatch.setattr(transport, "QUIET_S", 0.05)
