"""Tests what a model can do: one call, two at once, reading a result, context size. For `doctor --model`.

Called by app/cli/models.py. It asks about made-up prices: no desk data is sent. Each API format is tried, the configured one
first; the first that calls a tool and reads its result is the one to name in desk.toml.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, cast

from agents.endpoints import ApiFormat, Endpoint
from agents.formats.faults import EndpointFault
from agents.formats.model import API_FORMATS, EndpointModel
from agents.model import Message, ModelDown, Reply
from tools.common.contract import Args, Effect, Tool, clean, refused

CODE_WORD = "MAUVE"
PRICE = "61250"
FILLER = "The desk was quiet and nothing was traded in this hour. "
LISTED_MAX = 12  # models named
CONTEXT_TOKENS = 6_000  # more than the 4,096 at which some servers cut


class PriceArgs(Args):
    """Which one."""

    symbol: Literal["BTC", "ETH", "SOL"]


PRICE_OF = Tool("price_of", Effect.READ, PriceArgs, "The last price of a symbol.", lambda _ctx, _args: refused("a probe"))
RULES = Message("system", "You answer questions about prices. You know none by heart: call price_of for each one you need.")


class ProbeCheck(NamedTuple):
    """One test over one API format: ok, warning or bad. `answered`: whether the model replied at all.

    `model`: the one that was called, if known.
    """

    api_format: str
    name: str
    state: str
    text: str
    answered: bool = True
    model: str = ""


def probe(endpoint: Endpoint, key: str) -> Iterator[ProbeCheck]:
    """Try every API format, the configured one first, yielding each check. A bad key, dead address or unknown model ends it."""
    first = [endpoint.api_format, *(api_format for api_format in API_FORMATS if api_format != endpoint.api_format)]
    for api_format in first:
        model = EndpointModel(endpoint._replace(api_format=cast("ApiFormat", api_format)), key)
        try:
            for check in _checks_of(api_format, model):
                yield check._replace(model=model.model_id)
        except ModelDown as error:
            yield ProbeCheck(api_format, "one call", "bad", str(error), answered=False, model=model.model_id)
            if not isinstance(error, EndpointFault) or error.lasts:
                return
            if error.status in (400, 404) and (others := _others(model)):
                what = f"{endpoint.model} is not among the models it lists: {others}"
                yield ProbeCheck(api_format, "model", "bad", what, answered=False, model=model.model_id)
                return


def works(checks: Sequence[ProbeCheck]) -> str | None:
    """The first API format over which a tool was called and its result read; None if there is none."""
    good = {(check.api_format, check.name) for check in checks if check.state == "ok"}
    formats = dict.fromkeys(check.api_format for check in checks)
    return next((api_format for api_format in formats if {(api_format, "one call"), (api_format, "result")} <= good), None)


def _others(model: EndpointModel) -> str:
    """The models the endpoint lists, when ours is not one of them; else empty."""
    try:
        listed = model.list_models()
    except ModelDown:
        return ""
    name = model.endpoint.model
    if not name or not listed or any(name in (known, known.partition("@")[0]) for known in listed):
        return ""
    return clean(", ".join(listed[:LISTED_MAX]) + (", ..." if len(listed) > LISTED_MAX else ""), 400)


def _checks_of(api_format: str, model: EndpointModel) -> Iterator[ProbeCheck]:
    """The four checks over one API format. Raises ModelDown when not even the first call is answered."""
    question = [RULES, Message("user", "What is the price of BTC? Call price_of.")]
    reply = model.complete(question, [PRICE_OF])
    right = [call for call in reply.calls if call.name == "price_of" and call.args.get("symbol") == "BTC"]
    if not right:
        yield ProbeCheck(api_format, "one call", "bad", f"no tool call, but: {_reply_text(reply)}")
        return
    yield ProbeCheck(api_format, "one call", "ok", "the tool was called with the right argument")
    yield _run_check(api_format, "result", lambda: _result(model, question, reply))
    yield _run_check(api_format, "two calls", lambda: _two(model))
    yield _run_check(api_format, "context", lambda: _context(model))


def _run_check(api_format: str, name: str, check: Callable[[], tuple[str, str]]) -> ProbeCheck:
    try:
        state, text = check()
    except ModelDown as error:
        return ProbeCheck(api_format, name, "bad", str(error), answered=False)
    return ProbeCheck(api_format, name, state, text)


def _result(model: EndpointModel, question: Sequence[Message], reply: Reply) -> tuple[str, str]:
    heard = [
        *question,
        Message("assistant", reply.text, reply.calls, raw=reply.raw),
        *(Message("tool", f'{{"price": {PRICE}}}', call_id=call.id) for call in reply.calls),
    ]
    text = model.complete(heard, [PRICE_OF]).text.replace(",", "").replace(" ", "")
    return (
        ("ok", "the result was read and reported")
        if PRICE in text
        else ("bad", f"the result was not reported, but: {text[:80]!r}")
    )


def _two(model: EndpointModel) -> tuple[str, str]:
    asking = Message("user", "What are the prices of BTC and of ETH? Call price_of for both in the same step.")
    reply = model.complete([RULES, asking], [PRICE_OF])
    if len({str(call.args.get("symbol")) for call in reply.calls} & {"BTC", "ETH"}) == 2:
        return "ok", "two calls in one step"
    return "warning", f"{len(reply.calls)} call per step: slower, not wrong"


def _context(model: EndpointModel) -> tuple[str, str]:
    tokens = min(CONTEXT_TOKENS, int(model.endpoint.context_tokens * 0.7))
    filler = FILLER * int(tokens * 3.5 / len(FILLER))
    hidden = Message("system", f"The code word is {CODE_WORD}. Say it when you are asked for it.")
    reply = model.complete([hidden, Message("user", f"{filler}\nWhat is the code word? Answer with that word alone.")], [])
    if CODE_WORD in reply.text.upper():
        return "ok", f"reads at least {tokens:,} tokens"
    return "bad", f"the start of about {tokens:,} tokens was not read, or not followed: {_reply_text(reply)}"


def _reply_text(reply: Reply) -> str:
    return repr(" ".join(reply.text.split())[:80]) if not reply.calls else f"a call of {reply.calls[0].name[:40]}"
