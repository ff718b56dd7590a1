"""What goes wrong at endpoints, over sockets: told soon, tried again within bounds, never with a key in sight."""

import json
import logging
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from agents.formats import exchange, transport
from agents.formats.model import EndpointModel
from agents.model import Message, ModelDown, OverBudget
from agents.roster import role
from tests.agents.formats.conftest import KEY, Kept
from tests.fakes.model_server import Fail, Hang, ModelServer, Raw, Say, Step

Making = Callable[..., EndpointModel]
TOOLS_OF = role("operator").tools
QUESTION = [Message("system", "You are the operator."), Message("user", "how are we doing?")]
BOTH = pytest.mark.parametrize("api_format", ["chat", "responses"])


@pytest.mark.sample(3)
@BOTH
@pytest.mark.parametrize(
    "trouble",
    [
        Fail(429, "slow down", {"retry-after": "0.2"}),
        Fail(500, "oops"),
        Fail(503, "overloaded"),
        Raw(b"{nonsense"),
        Raw(b"<html>bad gateway</html>", "text/html"),
        Raw(b""),
        Raw(b"data: {nonsense\n\n", "text/event-stream"),
        Say(""),
        Say("half an ans", cut=True),
        Say("half an ans", error="upstream is overloaded"),
    ],
    ids=str,
)
def test_passing_trouble_is_told_at_once_and_tried_again(model_at: Making, kept: Kept, api_format: str, trouble: Step) -> None:
    """The second attempt answers; `retrying` came before it and says why."""
    posts: list[int] = []
    with ModelServer(trouble, Say("All is well.")) as server:
        tell = kept.report
        kept.report = lambda kind, body: (posts.append(len(server.posts)) if kind == "retrying" else None, tell(kind, body))[1]  # type: ignore[method-assign]  # notes when
        assert model_at(server, api_format).complete(QUESTION, TOOLS_OF, kept).text == "All is well."
    assert len(server.posts) == 2
    assert posts == [1]  # before it was tried again, not after
    assert "retrying in" in str(kept.kinds("retrying")[0]["text"])
    assert len(kept.reserved) == len(kept.settled) == 2


@pytest.mark.sample(3)
@BOTH
@pytest.mark.parametrize("trouble", [Fail(500, "oops"), Raw(b"{nonsense"), Say("")], ids=str)
def test_lasting_trouble_ends_after_three_attempts(model_at: Making, kept: Kept, api_format: str, trouble: Step) -> None:
    """ModelDown, in words, after a bounded number of calls."""
    with ModelServer(trouble) as server, pytest.raises(ModelDown):
        model_at(server, api_format).complete(QUESTION, TOOLS_OF, kept)
    assert len(server.posts) == 3


def test_loading_the_client_takes_nothing_off_the_timeout(model_at: Making, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client library that loads slower than the endpoint may take: a failure is still retried."""
    load = transport.Transport._new_client
    monkeypatch.setattr(transport.Transport, "_new_client", lambda self: (time.sleep(1.5), load(self))[1])
    with ModelServer(Fail(500, "oops"), Say("All is well.")) as server:
        model = model_at(server, patience_s=1.5)
        assert model.complete(QUESTION, TOOLS_OF, kept).text == "All is well."


@BOTH
@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "rejected the key"), (403, "rejected the key"), (404, "does not know this model"), (400, "rejected the request")],
)
def test_what_cannot_get_better_is_not_tried_again(
    model_at: Making, kept: Kept, api_format: str, status: int, words: str
) -> None:
    """One call, one line that names the host and the status."""
    with ModelServer(Fail(status, "no")) as server, pytest.raises(ModelDown, match=words):
        model_at(server, api_format).complete(QUESTION, TOOLS_OF, kept)
    assert len(server.posts) == 1


def test_a_long_retry_after_is_not_waited_for(model_at: Making, kept: Kept) -> None:
    """An endpoint that wants a minute of quiet gets it; the person gets the offline model at once."""
    busy = Fail(429, "slow down", {"retry-after": "60"})
    with ModelServer(busy) as server, pytest.raises(ModelDown, match="busy or over a rate limit"):
        model_at(server, patience_s=30.0).complete(QUESTION, TOOLS_OF, kept)
    assert len(server.posts) == 1  # it was not asked again after that minute
    assert kept.kinds("retrying") == []


@pytest.mark.sample(3)
@BOTH
@pytest.mark.parametrize("silence", [Hang(600), Hang(600, comments=True), Say("half an ans", stall_s=600)], ids=str)
@pytest.mark.usefixtures("soon_told")
def test_silence_ends_after_the_patience_of_the_endpoint(model_at: Making, kept: Kept, api_format: str, silence: Step) -> None:
    """A hanging server, one that drips comments, one that stalls in the middle; the person is told that we wait."""
    with ModelServer(silence) as server, pytest.raises(ModelDown, match=r"sent nothing|did not answer in time"):
        model_at(server, api_format, patience_s=1.0).complete(QUESTION, TOOLS_OF, kept)  # the server itself never ends it
    assert "waiting" in str(kept.kinds("retrying")[0]["text"])


def test_nothing_that_listens_is_one_line(model_at: Making, kept: Kept) -> None:
    """A refused connection."""
    with ModelServer(Say("x")) as server:
        model = model_at(server)
    with pytest.raises(ModelDown, match=r"the connection to 127\.0\.0\.1:\d+ failed"):
        model.complete(QUESTION, TOOLS_OF, kept)


def test_a_silent_cut_of_the_context_is_noticed(model_at: Making, kept: Kept) -> None:
    """A server that reads the last 4,096 tokens answers nonsense without instructions: that answer is not taken."""
    long = [*QUESTION[:1], Message("user", "word " * 8_000)]
    with ModelServer(Say("Fine."), context=4_096) as server:
        with pytest.raises(ModelDown, match="truncates its context silently"):
            model_at(server).complete(long, TOOLS_OF, kept)
        assert server.read[0] != server.posts[0].body["messages"]
        assert model_at(server).complete(QUESTION, [], kept).text == "Fine."


def test_a_conversation_is_made_to_fit_the_context(model_at: Making, kept: Kept) -> None:
    """Old turns go first, then long results are shortened; the instructions and the question stay."""
    old = [Message("user", "an old question " * 600), Message("assistant", "an old answer " * 600)]
    with ModelServer(Say("Fine.")) as server:
        model_at(server, context_tokens=12_000).complete([QUESTION[0], *old * 3, QUESTION[1]], TOOLS_OF, kept)
        with pytest.raises(ModelDown, match="needs about"):
            model_at(server, context_tokens=12_000).complete([QUESTION[0], Message("user", "x " * 60_000)], TOOLS_OF, kept)
    lines = server.posts[0].body["messages"]
    assert (lines[0]["role"], lines[-1]["content"]) == ("system", "how are we doing?")
    assert len(server.posts[0].raw) / 3.5 < 12_000


def test_a_call_beyond_the_budget_is_not_made(model_at: Making) -> None:
    """What would cost too much is turned down before anything leaves."""
    with ModelServer(Say("Fine.")) as server, pytest.raises(OverBudget):
        model_at(server).complete(QUESTION, TOOLS_OF, Kept(most=10))
    assert server.posts == []


def test_estimates_follow_what_is_reported(model_at: Making, kept: Kept) -> None:
    """Reserved before, settled after with the endpoint's own figures; the next reservation is nearer."""
    with ModelServer(Say("Fine.")) as server:
        model = model_at(server)
        for _ in range(4):
            model.complete(QUESTION, TOOLS_OF, kept)
    assert [used.output_tokens for used in kept.settled] == [kept.settled[0].output_tokens] * 4
    off = [abs(r.input_tokens - s.input_tokens) for r, s in zip(kept.reserved, kept.settled, strict=True)]
    assert off[-1] <= off[0]


# ---- the key -----------------------------------------------------------------------------------------------------------


def test_the_key_goes_to_its_host_and_nowhere_else(model_at: Making, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not along a redirect; no header of account or machine goes along; another endpoint gets no key of the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-canary")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-canary")
    with ModelServer(Say("x")) as other:
        there = {"location": other.url + "/chat/completions"}
        for status in (301, 307, 308):
            with ModelServer(Raw(b"", status=status, headers=there), key=KEY) as server:
                with pytest.raises(ModelDown, match="redirects"):
                    model_at(server).complete(QUESTION, TOOLS_OF, kept)
                assert server.posts[0].headers["authorization"] == f"Bearer {KEY}"
                assert "canary" not in str({k: v for k, v in server.posts[0].headers.items() if k != "authorization"})
                assert not [name for name in server.posts[0].headers if "stainless" in name]
        assert other.seen == []
        model_at(other, key="").complete(QUESTION, TOOLS_OF, kept)
        assert "authorization" not in other.posts[0].headers
        assert "canary" not in str(other.posts[0].headers)


@BOTH
def test_the_key_shows_nowhere(model_at: Making, api_format: str, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    """Not in errors, logs, told events, kept bodies or answers, not even when the endpoint repeats it."""
    caplog.set_level(logging.DEBUG)
    kept = Kept()
    said: list[str] = []
    echo = Say(
        f"your key is {KEY}", calls=[("run", {"run_id": KEY})], extra={"reasoning_content": KEY} if api_format == "chat" else {}
    )
    prompt = [*QUESTION, Message("user", f"I pasted my key {KEY} here")]
    for step in (
        echo,
        Fail(401, f"bad key Bearer {KEY}"),
        Fail(400, KEY),
        Fail(500, f"{KEY[:20]}..."),
        Say("x", error=f"key {KEY}"),
    ):
        with ModelServer(step) as server:
            try:
                said.append(repr(model_at(server, api_format).complete(prompt, TOOLS_OF, kept)))
            except ModelDown as error:
                said += [str(error), repr(error), repr(error.__dict__), repr(error.__cause__)]
    said += [caplog.text, *capfd.readouterr(), repr(kept.told), repr(kept.raws), repr(kept.bodies)]
    assert not [text for text in said if KEY in text or KEY[:16] in text]
    assert any("[key]" in text for text in said)


def test_a_key_that_no_header_can_carry_is_not_repeated() -> None:
    """One line that names the variable."""
    from agents.endpoints import Endpoint, key_of
    from engine.errors import BadInput

    with pytest.raises(BadInput) as told:
        key_of(Endpoint("x", "http://127.0.0.1:1/v1", "m", "chat", "MY_KEY"), {"MY_KEY": f"{KEY}\nsecond line"})
    assert "MY_KEY" in str(told.value)
    assert "canary" not in str(told.value)


@BOTH
def test_a_body_is_kept_exactly_as_it_is_sent(model_at: Making, kept: Kept, api_format: str) -> None:
    """Byte for byte what the server got."""
    with ModelServer(Say("Fine.")) as server:
        model_at(server, api_format).complete(QUESTION, TOOLS_OF, kept)
    assert kept.bodies == [server.posts[0].raw]
    assert json.loads(kept.bodies[0])["model"] == "small"


def test_loading_our_own_library_is_not_the_endpoints_silence(
    model_at: Making, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer after a start is read with code that has yet to load; an hour of that costs the endpoint no attempt."""
    loaded_s = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + loaded_s[0])
    for module in (exchange, transport):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(transport, "_rehearsed", lambda path: loaded_s.__setitem__(0, 3_600.0))
    with ModelServer(Fail(500, "oops"), Say("All is well.")) as server:
        assert model_at(server, "responses").complete(QUESTION, TOOLS_OF, kept).text == "All is well."
    assert len(server.posts) == 2
    assert "waiting" not in str(kept.kinds("retrying"))


@BOTH
def test_the_library_reads_one_answer_before_the_first_question(
    model_at: Making, monkeypatch: pytest.MonkeyPatch, api_format: str
) -> None:
    """A canned one, streamed and whole, without a request to anybody: its types are built by then."""
    read: list[Any] = []
    plain = transport._json_value
    monkeypatch.setattr(transport, "_json_value", lambda event: read.append(plain(event)) or read[-1])
    transport._rehearsed.cache_clear()
    with ModelServer(Say("x")) as server:
        model_at(server, api_format)._transport.ready(api_format)
    assert read == [transport.EVENTS[api_format], transport.WHOLE[api_format]]
    assert server.seen == []
