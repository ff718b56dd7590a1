"""One call to an endpoint: budget reserved, request kept, sent, read, retried, settled. Called by chat, responses and json_steps.

A call may take at most the endpoint's timeout (patience_s, 20 s): within it a failure is retried up to three times, each retry
reported to the person; then the call fails and the offline model answers. An option that an endpoint rejects for a reason listed
here is omitted from then on.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from agents.endpoints import Endpoint
from agents.formats.faults import EndpointFault
from agents.formats.transport import Transport
from agents.model import CHARACTERS_A_TOKEN, Caller, Reply, Usage

ATTEMPTS_MAX = 3
OUTPUT_TOKENS = 8_192  # at most, of one answer
CUT_SIZES = (2_048, 4_096, 8_192, 16_384)  # contexts that local servers start with unless told otherwise
TURNED_DOWN = (400, 422, 500, 501)  # some servers say 500 to an option that they do not know
UNCOUNTED = 256  # fewer reported tokens than this, for a much larger request, are not a real count
Body = dict[str, Any]


class AnswerReader(Protocol):
    """What a format makes of the events of one answer."""

    usage: Usage | None

    def add(self, event: Mapping[str, Any]) -> str:
        """Take an event in; the text of it that may be shown."""

    def reply(self) -> Reply:
        """The whole answer. Raises EndpointFault when it is none."""


R = TypeVar("R", bound=AnswerReader)
T = TypeVar("T")


@dataclass
class EndpointQuirks:
    """What has been learned about an endpoint; shared by its calls."""

    left_out: set[str] = field(default_factory=set)  # names of QUIRKS
    ratio: float = 1.0  # reported tokens for each one that was estimated
    model: str = ""


def _no_effort(body: Body) -> Body:
    return body | {"reasoning_effort": "none"}


def _other_limit(body: Body) -> Body:
    most = body.pop("max_tokens", None)
    return body | ({"max_completion_tokens": most} if most else {})


def _not_streamed(body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in ("stream", "stream_options")}


def _any_object(body: Body) -> Body:
    return body | {"response_format": {"type": "json_object"}} if "response_format" in body else body


def _without(name: str) -> Callable[[Body], Body]:
    return lambda body: {key: value for key, value in body.items() if key != name}


# an endpoint's message when it rejects an option (400), and what is sent instead
QUIRKS: Mapping[str, tuple[re.Pattern[str], Callable[[Body], Body]]] = {
    "reasoning_effort": (re.compile(r"reasoning_effort", re.I), _no_effort),
    "max_tokens": (re.compile(r"max_completion_tokens", re.I), _other_limit),
    "stream_options": (re.compile(r"stream_options", re.I), _without("stream_options")),
    "include": (re.compile(r"encrypted[ _.]content|'include'", re.I), _without("include")),
    "json_schema": (re.compile(r"response_format|json_schema", re.I), _any_object),
    "stream": (re.compile(r"\bstream(ing)?\b.{0,40}(not|un)[ -]?support", re.I), _not_streamed),
}


@dataclass
class Exchange:
    """The calls of one reply."""

    endpoint: Endpoint
    transport: Transport
    caller: Caller
    learned: EndpointQuirks
    usage: Usage = field(default_factory=Usage)

    def send(self, path: str, body: Body, made: Callable[[], R]) -> R:
        """Send `body`, read each attempt into a fresh `made()`; return the one that succeeded. Raises EndpointFault."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        self.transport.ready(path)
        began = time.monotonic()

        def left() -> float:
            return self.endpoint.patience_s - (time.monotonic() - began)

        def pause_s(state: Any) -> float:
            asked_s: float = state.outcome.exception().wait_s
            return max(asked_s, 0.25 * 2.0 ** int(state.attempt_number - 1))

        def useless(state: Any) -> bool:
            return stop_after_attempt(ATTEMPTS_MAX)(state) or pause_s(state) >= left()

        def report_retry(state: Any) -> None:
            fault = state.outcome.exception()
            text = f"{fault}: retrying in {pause_s(state):.1f} s"
            self.caller.report("retrying", {"text": text, "attempt": state.attempt_number})

        again = Retrying(
            retry=retry_if_exception(lambda e: isinstance(e, EndpointFault) and e.again),
            stop=useless,
            wait=pause_s,
            before_sleep=report_retry,
            reraise=True,
        )
        reading: R = again(lambda: self._attempt_with_quirks(path, body, made, left))
        return reading

    def _attempt_with_quirks(self, path: str, body: Body, made: Callable[[], R], left: Callable[[], float]) -> R:
        """One attempt; an option rejected for a known reason is omitted and the request resent at once."""
        while True:
            try:
                return self._attempt(path, self._request_body(path, body), made(), left())
            except EndpointFault as fault:
                known = {name for name, (words, _) in QUIRKS.items() if words.search(fault.said)} - self.learned.left_out
                if fault.status not in TURNED_DOWN or not known or left() <= 0:
                    raise
                self.learned.left_out.add(sorted(known)[0])

    def _request_body(self, path: str, body: Body) -> Body:
        shaped = {"model": self.endpoint.model or self._first_model(), **body}
        if self.endpoint.stream:
            shaped["stream"] = True
            if path == "chat":
                shaped["stream_options"] = {"include_usage": True}
        most = min(OUTPUT_TOKENS, self.endpoint.context_tokens // 4)
        shaped["max_tokens" if path == "chat" else "max_output_tokens"] = most
        for name in sorted(self.learned.left_out):
            shaped = QUIRKS[name][1](shaped)
        return shaped

    def _first_model(self) -> str:
        if not self.learned.model:
            self.learned.model = self.transport.first_model()
        return self.learned.model

    def _attempt(self, path: str, body: Body, reading: R, patience_s: float) -> R:
        estimate = int(len(json.dumps(body, ensure_ascii=False)) / CHARACTERS_A_TOKEN)
        most = Usage(int(estimate * self.learned.ratio) + 1, min(OUTPUT_TOKENS, self.endpoint.context_tokens // 4))
        self.caller.reserve(most, self.endpoint.prices)
        used, written, answered = Usage(), 0, False
        try:
            for event in self.transport.events(path, body, self.caller, patience_s):
                answered = True
                if text := self._readable(lambda event=event: reading.add(event)):  # type: ignore[misc]  # bound here
                    written += len(text)
                    self.caller.report("text", {"delta": text})
            if not answered and body.get("stream"):  # asked for a stream, and something else came
                self.learned.left_out.add("stream")
            if reading.usage is not None and reading.usage.input_tokens < min(UNCOUNTED, _message_tokens(body) / 10):
                reading.usage = None
            used = reading.usage or Usage(most.input_tokens, int(written / CHARACTERS_A_TOKEN) + 1)
            self._readable(reading.reply)
        finally:
            if answered and used == Usage():  # cut in the middle: what was sent has been read
                used = Usage(most.input_tokens, int(written / CHARACTERS_A_TOKEN) + 1)
            self.usage = self.usage.plus(used)
            self.caller.settle(used, self.endpoint.prices)
        if reading.usage is not None:
            self._weigh(estimate, _message_tokens(body), reading.usage.input_tokens)
        return reading

    def _readable(self, read: Callable[[], T]) -> T:
        """What `read` makes of a piece of the answer. Raises EndpointFault when the piece has another shape than the format's."""
        try:
            return read()
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            what = f"{self.endpoint.host} sent an answer of a shape that this API format does not have ({type(error).__name__})"
            raise EndpointFault(what, again=True) from None

    def _weigh(self, estimate: int, spoken: int, reported: int) -> None:
        """Correct the estimate by the reported count. Raises EndpointFault when most of the request was not read.

        `spoken`: of the estimate, the messages alone. Some gateways count without the tools, which is not a truncation.
        """
        at_an_edge = any(size - 64 <= reported <= size for size in CUT_SIZES) and estimate * self.learned.ratio > 1.3 * reported
        if estimate > min(CUT_SIZES) and (spoken > 2.5 * reported or at_an_edge):
            what = f"{self.endpoint.host} read only {reported:,} of about {estimate:,} tokens: it truncates its context silently"
            raise EndpointFault(
                f"{what}; raise its context size (Ollama: num_ctx), or lower context_tokens in desk.toml", again=False
            )
        self.learned.ratio = max(0.6, min(2.0, 0.5 * self.learned.ratio + 0.5 * reported / max(1, estimate)))


def _message_tokens(body: Mapping[str, Any]) -> int:
    """Estimated tokens of the messages of a request, without tools and schemas."""
    said = [body.get(key) for key in ("messages", "instructions", "input") if body.get(key)]
    return int(len(json.dumps(said, ensure_ascii=False)) / CHARACTERS_A_TOKEN)
