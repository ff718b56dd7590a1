"""What other servers were seen to do (a LiteLLM proxy, transformers serve, llama-cpp-python), played again over sockets."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agents.formats.chat import usage_of
from agents.formats.model import EndpointModel
from agents.formats.text import circling
from agents.model import Message, ModelDown, Usage
from agents.probe import probe
from agents.roster import role
from tests.agents.formats.conftest import KEY, Kept
from tests.agents.formats.test_probe import at
from tests.fakes.model_server import Fail, Json, ModelServer, Raw, Say, Step

Making = Callable[..., EndpointModel]
TOOLS_OF = role("operator").tools
QUESTION = [Message("system", "You are the operator. " * 200), Message("user", "how are we doing?")]
BOTH = pytest.mark.parametrize("api_format", ["chat", "responses"])
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def refused_as(body: Any, status: int = 400) -> Raw:
    """An error in a server's own shape."""
    return Raw(json.dumps(body).encode(), status=status)


# ---- usage -------------------------------------------------------------------------------------------------------------


@pytest.mark.sample(1)
@BOTH
@STREAMED
def test_a_gateway_that_counts_without_the_tools_cuts_nothing_off(
    model_at: Making, kept: Kept, api_format: str, stream: bool
) -> None:
    """The messages alone were counted: fewer tokens than were sent, and yet the answer holds."""
    alone = len(json.dumps([m.text for m in QUESTION])) // 4
    with ModelServer(Say("All is well.", usage=(alone, 3))) as server:
        model = model_at(server, api_format, stream=stream)
        assert [model.complete(QUESTION, TOOLS_OF, kept).text for _ in range(3)] == ["All is well."] * 3
    assert kept.reserved[0].input_tokens > 2.5 * alone  # that it is far from what was sent is the point
    assert kept.settled[0] == Usage(alone, 3)


@BOTH
@pytest.mark.parametrize("reported", [(10, 20), (0, 0)])
def test_a_report_that_cannot_be_a_count_is_none(
    model_at: Making, kept: Kept, api_format: str, reported: tuple[int, int]
) -> None:
    """The answer holds, and the budget is charged with our own estimate."""
    with ModelServer(Say("All is well.", usage=reported)) as server:
        assert model_at(server, api_format).complete(QUESTION, TOOLS_OF, kept).text == "All is well."
    assert kept.settled[0].input_tokens == kept.reserved[0].input_tokens > 1_000


def test_what_a_cache_gave_counts_where_it_is_reported_beside() -> None:
    """Claude's own figures leave it out of the input, a gateway's have it in."""
    read = {"cache_read_input_tokens": 9_000, "cache_creation_input_tokens": 500}
    assert usage_of({"input_tokens": 40, "output_tokens": 7, **read}) == Usage(9_540, 7)
    assert usage_of({"prompt_tokens": 9_540, "completion_tokens": 7, **read}) == Usage(9_540, 7)


# ---- errors in other shapes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "No connected db.", "type": "no_db_connection", "param": None, "code": "400"}},
        [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}],
        {"error": {"message": "Invalid API key"}},
    ],
    ids=["litellm", "gemini", "plain"],
)
def test_a_400_that_means_the_key_says_so_and_ends_the_probe(model_at: Making, kept: Kept, body: Any) -> None:
    """One line, one call; no other format is tried with a key that is wrong."""
    with ModelServer(refused_as(body)) as server:
        with pytest.raises(ModelDown, match=r"rejected the key \(400\): [^\[{]+$"):
            model_at(server).complete(QUESTION, TOOLS_OF, kept)
        assert len(list(probe(at(server), KEY))) == 1
    assert len(server.posts) == 2


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"detail": "Server is pinned to 'tiny'; requested 'nope'."}, 400, r"\(400\): Server is pinned to 'tiny'"),
        ({"detail": "Not Found"}, 404, r"\(404\): Not Found$"),
        ({"detail": [{"loc": ["body", "seed"], "msg": "Field required"}]}, 422, r"\(422\): seed: Field required"),
        ({"detail": "Invalid API key"}, 401, r"rejected the key \(401\): Invalid API key$"),
    ],
)
def test_fastapis_errors_are_told_in_their_words(model_at: Making, kept: Kept, body: Any, status: int, words: str) -> None:
    """No braces, no quotes of a dictionary."""
    with ModelServer(refused_as(body, status)) as server, pytest.raises(ModelDown, match=words):
        model_at(server).complete(QUESTION, TOOLS_OF, kept)


@BOTH
def test_an_error_sent_as_a_stream_is_told_in_its_words(model_at: Making, kept: Kept, api_format: str) -> None:
    """A 500 whose body is an event."""
    event = b'data: {"error": {"message": "Error processing stream start", "code": "500"}}\n\ndata: [DONE]\n\n'
    at_start = Raw(event, "text/event-stream", 500)
    with ModelServer(at_start) as server, pytest.raises(ModelDown, match=r"failed \(500\): Error processing stream start$"):
        model_at(server, api_format).complete(QUESTION, TOOLS_OF, kept)


def test_a_context_that_is_too_small_says_what_to_set(model_at: Making, kept: Kept) -> None:
    """A 400 in the words of two servers."""
    for said in (
        "This model's maximum context length is 2048 tokens. However, you requested 9033 tokens.",
        "litellm.ContextWindowExceededError: prompt is too long",
    ):
        words = r"accepts less than was sent \(400\): .*set context_tokens in desk\.toml"
        with ModelServer(Fail(400, said)) as server, pytest.raises(ModelDown, match=words):
            model_at(server).complete(QUESTION, TOOLS_OF, kept)
        assert len(server.posts) == 1


def test_a_500_about_an_option_is_an_option_turned_down(model_at: Making, kept: Kept) -> None:
    """llama-cpp-python says 500 to json_schema and takes json_object: found out once, without the person noticing."""

    def step(body: Json) -> Step:
        if body.get("response_format", {}).get("type") == "json_schema":
            said = "1 validation error: {'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'json_object'\"}"
            return Fail(500, said)
        return Say('{"tool": "desk"}')

    with ModelServer(step) as server:
        model = model_at(server, "json")
        assert [model.complete(QUESTION, TOOLS_OF, kept).calls[0].name for _ in range(2)] == ["desk", "desk"]
    first, *rest = [post.body["response_format"]["type"] for post in server.posts]
    assert (first, set(rest)) == ("json_schema", {"json_object"})
    assert kept.kinds("retrying") == []


def test_doctor_names_the_models_there_are() -> None:
    """An unknown one ends the probe with what the server lists; a server that lists ours goes on to the other formats."""
    with ModelServer(Fail(400, "no such model"), models=("tiny@main", "other")) as server:
        checks = list(probe(at(server)._replace(model="nope"), ""))
        known = list(probe(at(server)._replace(model="tiny"), ""))
    assert [(c.name, c.text) for c in checks][1:] == [("model", "nope is not among the models it lists: tiny@main, other")]
    assert {c.api_format for c in known} == {"chat", "responses", "json"}


# ---- garbage -----------------------------------------------------------------------------------------------------------


@BOTH
@STREAMED
def test_a_model_that_says_the_same_again_and_again_is_stopped(
    model_at: Making, kept: Kept, api_format: str, stream: bool
) -> None:
    """Random weights fall into circles: that is no answer, and a stream of it is not listened to until its end."""
    with ModelServer(Say("Well. " + "off\n" * 40_000, pieces=4_000), Say("All is well.")) as server:
        reply = model_at(server, api_format, stream=stream).complete(QUESTION, TOOLS_OF, kept)
    assert reply.text == "All is well."
    assert len(kept.text) < 2_000
    assert "repeats itself endlessly" in kept.kinds("retrying")[0]["text"]


def test_tables_lists_and_rulers_are_no_circles() -> None:
    """Only what holds a letter or a digit and is the same to the letter counts."""
    rows = "\n".join(f"| BTC-USDT | {n} | 0.00 | 0.00 |" for n in range(200))
    assert not any(circling(text) for text in ("-" * 900, "| --- " * 300, rows, "no " * 20, "", "word"))
    assert all(circling(text) for text in ("off\n" * 60, "x" * 200, "All is well. " * 40))


def test_a_model_of_random_words_works_over_no_format() -> None:
    """The probe of a garbage model ends with what it said, on each format; nothing is raised."""
    with ModelServer(Say("whyck heldmentist all lab undefinguardrail")) as server:
        checks = list(probe(at(server), ""))
    assert [(c.api_format, c.state) for c in checks] == [("chat", "bad"), ("responses", "bad"), ("json", "bad")]
    assert "no tool call, but: 'whyck held" in checks[0].text
    with ModelServer(Say("off\n" * 400)) as server:
        assert len({c.api_format for c in probe(at(server, "json"), "")}) == 3  # one that goes in circles is tried on each, too


def test_what_lasts_ends_the_probe_at_once() -> None:
    """A redirect and a dead address: one line, not one a format."""
    with ModelServer(Raw(b"", status=307, headers={"location": "http://localhost:1/v1"})) as server:
        assert [c.api_format for c in probe(at(server), KEY)] == ["chat"]
    assert [("failed or was cut" in c.text, c.api_format) for c in probe(at(server), KEY)] == [(True, "chat")]
