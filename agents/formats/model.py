"""A model behind an endpoint: the Model port over one of the three API formats. Made by app/wiring.py; called by agents/nodes.py.

The openai library is loaded with the first question, not with the process. A model may be asked by many turns at once.
"""

from collections.abc import Callable, Mapping, Sequence

from agents.endpoints import Endpoint, privacy_sentence
from agents.formats import chat, json_steps, responses
from agents.formats.bounds import bounded
from agents.formats.exchange import OUTPUT_TOKENS, EndpointQuirks, Exchange
from agents.formats.faults import storable, without_key
from agents.formats.fit import fit_to_context
from agents.formats.transport import Transport
from agents.model import ALONE, Caller, Message, ModelDown, Reply
from tools.common.contract import Tool

API_FORMATS: Mapping[str, Callable[[Exchange, Sequence[Message], Sequence[Tool]], Reply]] = {
    "responses": responses.ask,
    "chat": chat.ask,
    "json": json_steps.ask,
}


class EndpointModel:
    """The model of one endpoint."""

    offline = False

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        self.endpoint, self.api_format = endpoint, endpoint.api_format
        self._transport, self._learned, self._key = Transport(endpoint, key), EndpointQuirks(), key

    @property
    def name(self) -> str:
        """The model's name; the host while it is unknown."""
        return self.model_id or self.endpoint.host

    @property
    def model_id(self) -> str:
        """The configured model, else the first one its address listed; empty before that is known."""
        return self.endpoint.model or self._learned.model

    @property
    def privacy(self) -> str:
        """What is sent where, in words."""
        return privacy_sentence(self.endpoint._replace(model=self.model_id))

    def __repr__(self) -> str:
        """Without the key."""
        return f"EndpointModel({self.endpoint.name}, {self.endpoint.host}, {self.api_format})"

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:
        """The next reply. Raises ModelDown when the endpoint gave none within its patience, OverBudget before it is asked."""
        room = self.endpoint.context_tokens - min(OUTPUT_TOKENS, self.endpoint.context_tokens // 4)
        kept = fit_to_context(messages, tools, room / self._learned.ratio)
        exchange = Exchange(self.endpoint, self._transport, caller, self._learned)
        reply = bounded(API_FORMATS[self.api_format](exchange, kept, tools)._replace(usage=exchange.usage), self.endpoint.host)
        if reply.raw is not None:
            caller.received(without_key(reply.raw.said, self._key))
        return self._clean(reply)

    def list_models(self) -> list[str]:
        """The models that the endpoint says it has. Raises ModelDown."""
        return self._transport.models()

    def _clean(self, reply: Reply) -> Reply:
        """The reply with our key taken out, should an endpoint have repeated it; arguments are JSON inside of JSON."""
        calls = tuple(
            c._replace(args=storable(without_key(c.args, self._key)), name=without_key(c.name, self._key)) for c in reply.calls
        )
        raw = None if reply.raw is None else reply.raw._replace(said=without_key(reply.raw.said, self._key))
        return reply._replace(text=without_key(reply.text, self._key), calls=calls, raw=raw)


class NoModel:
    """A configured model that cannot be used: raises the reason, so that the offline model answers with that notice."""

    offline = False

    def __init__(self, name: str, api_format: str, why: str) -> None:
        self.name, self.api_format, self.why = name, api_format, why

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:  # noqa: ARG002 - the port's
        """Always ModelDown."""
        raise ModelDown(self.why)
