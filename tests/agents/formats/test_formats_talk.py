"""The three API formats over sockets with the real client: text, calls and results, streamed and whole, odd endpoints too."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from agents.formats.model import EndpointModel
from agents.model import Call, Message, ModelDown, Reply
from agents.roster import role
from tests.fakes import model_rules
from tests.fakes.model_server import Fail, ModelServer, Raw, Say
from tools.catalog import TOOLS

Making = Callable[..., EndpointModel]
TOOLS_OF = role("operator").tools
QUESTION = [Message("system", "You are the operator."), Message("user", "how are we doing?")]
BOTH = pytest.mark.parametrize("api_format", ["chat", "responses"])
STREAMED = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def answered(reply: Reply, text: str = "all is well") -> list[Message]:
    """The messages that follow a reply with calls: itself, and a result for each call."""
    return [
        Message("assistant", reply.text, reply.calls, raw=reply.raw),
        *(Message("tool", f"{text} {n}", call_id=c.id) for n, c in enumerate(reply.calls)),
    ]


@BOTH
@STREAMED
def test_text_arrives_whole_and_in_pieces(model_at: Making, kept: Any, api_format: str, stream: bool) -> None:
    """The answer is the text; what was streamed is the same."""
    with ModelServer(Say("All is well, nothing is open.")) as server:
        reply = model_at(server, api_format, stream=stream).complete(QUESTION, TOOLS_OF, kept)
    assert reply.text == kept.text == "All is well, nothing is open."
    assert not reply.calls
    assert len(kept.kinds("text")) == (3 if stream else 1)
    assert (reply.usage.input_tokens > 100, reply.usage.output_tokens > 0) == (True, True)
    assert server.posts[0].path == {"chat": "/v1/chat/completions", "responses": "/v1/responses"}[api_format]


@BOTH
@STREAMED
def test_two_calls_and_their_results_make_a_round(model_at: Making, kept: Any, api_format: str, stream: bool) -> None:
    """Parallel calls come out with names, arguments and ids; the answers go back to the ids they belong to."""
    with ModelServer(Say(calls=[("desk", {}), ("run", {"run_id": "r-1"})]), Say("Done.")) as server:
        model = model_at(server, api_format, stream=stream)
        first = model.complete(QUESTION, TOOLS_OF, kept)
        last = model.complete([*QUESTION, *answered(first)], TOOLS_OF, kept)
    assert [(c.name, dict(c.args)) for c in first.calls] == [("desk", {}), ("run", {"run_id": "r-1"})]
    assert (last.text, server.rejected) == ("Done.", [])
    assert "all is well 1" in server.posts[1].raw.decode()


@BOTH
@STREAMED
def test_what_a_provider_signed_goes_back_as_it_came(model_at: Making, kept: Any, api_format: str, stream: bool) -> None:
    """extra_content, encrypted reasoning and unknown keys, in every round of the turn; without them the server rejects."""
    steps = [
        Say(calls=[("desk", {})], signed=True, extra={"reasoning_content": "hm", "new_key": [1]}),
        Say(calls=[("health", {})], signed=True),
    ]
    with ModelServer(*steps, Say("Done.")) as server:
        model = model_at(server, api_format, stream=stream)
        messages = list(QUESTION)
        for _ in range(2):
            messages += answered(model.complete(messages, TOOLS_OF, kept))
        assert model.complete(messages, TOOLS_OF, kept).text == "Done."
        assert server.rejected == []
        bare = [m._replace(raw=None) for m in messages]
        with pytest.raises(ModelDown, match="rejected the request \\(400\\)"):
            model.complete(bare, TOOLS_OF, kept)
    sent = server.posts[2].body
    if api_format == "chat":
        assert sent["messages"][2]["reasoning_content"] == "hm"
        assert sent["messages"][2]["new_key"] == [1]
    else:
        assert sent["input"][1] == {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [],
            "encrypted_content": "sealed-1",
            "new_key": 1,
        }


@BOTH
def test_a_providers_message_goes_to_no_other_model(model_at: Making, kept: Any, api_format: str) -> None:
    """Another address or model gets the call in plain words, without what was signed for the first."""
    with ModelServer(Say(calls=[("desk", {})], signed=True)) as one, ModelServer(Say("Done.")) as other:
        first = model_at(one, api_format).complete(QUESTION, TOOLS_OF, kept)
        assert model_at(other, api_format).complete([*QUESTION, *answered(first)], TOOLS_OF, kept).text == "Done."
        assert model_at(one, api_format, model="other").endpoint.at != first.raw.at  # type: ignore[union-attr]  # it has one
    assert b"sig-" not in other.posts[0].raw
    assert b"sealed" not in other.posts[0].raw


@pytest.mark.sample(3)
@STREAMED
@pytest.mark.parametrize(
    "odd",
    [
        {"no_index": True},
        {"one_index": True},
        {"ids": ["", ""]},
        {"ids": ["call_0", "call_0"]},
        {"ids": ["", ""], "one_index": True},
        {"ids": ["", ""], "no_index": True},
        {"object_args": True},
        {"finish": "stop"},
        {"usage": False},
        {"keep_alive": 40},
        {"pieces": 1},
        {"pieces": 50},
    ],
    ids=str,
)
def test_odd_chat_endpoints_are_read_all_the_same(model_at: Making, kept: Any, odd: dict[str, Any], stream: bool) -> None:
    """Two calls with their own arguments and ids, whatever the deltas lack; the round that follows is accepted."""
    wanted = [("desk", {}), ("run", {"run_id": "r-1"})]
    with ModelServer(Say(calls=wanted, **odd), Say(calls=wanted, **odd), Say("Done.")) as server:
        model = model_at(server, stream=stream)
        messages = list(QUESTION)
        for _ in range(2):
            reply = model.complete(messages, TOOLS_OF, kept)
            assert [(c.name, dict(c.args)) for c in reply.calls] == wanted
            messages += answered(reply)
        assert model.complete(messages, TOOLS_OF, kept).text == "Done."
    ids = [c.id for m in messages for c in m.calls]
    assert (len(set(ids)), "" in ids, server.rejected) == (4, False, [])
    assert all(usage.input_tokens > 100 for usage in kept.settled)


@BOTH
def test_arguments_that_are_no_json_are_told_to_the_tool_layer_and_replayed_as_json(
    model_at: Making, kept: Any, api_format: str
) -> None:
    """The call comes out with one key that no tool takes; a server that parses the replay is not upset."""
    with ModelServer(Say(calls=[("run", '{"run_id": ')]), Say("Sorry.")) as server:
        model = model_at(server, api_format)
        reply = model.complete(QUESTION, TOOLS_OF, kept)
        assert list(reply.calls[0].args) == ["unreadable_arguments"]
        assert model.complete([*QUESTION, *answered(reply)], TOOLS_OF, kept).text == "Sorry."
    assert server.rejected == []


@STREAMED
@pytest.mark.parametrize(
    "text", ["<think>I wonder, 99 %</think>All is well.", "I wonder</think>All is well.", "All is well.<think>did I say 99 %?"]
)
def test_what_a_model_only_thought_is_not_its_answer(model_at: Making, kept: Any, text: str, stream: bool) -> None:
    """<think> is left out of the answer, and of the stream where its beginning is seen."""
    with ModelServer(Say(text, pieces=7)) as server:
        reply = model_at(server, stream=stream).complete(QUESTION, TOOLS_OF, kept)
    assert reply.text == "All is well."
    assert "99" not in kept.text


def test_current_openai_models_get_their_tools_on_chat_completions_too(model_at: Making, kept: Any) -> None:
    """The 400 about reasoning_effort is answered with reasoning_effort none, once and for all."""
    with ModelServer(Say(calls=[("desk", {})]), Say("Done.")) as server:
        model = model_at(server, model="gpt-5-mini")
        first = model.complete(QUESTION, TOOLS_OF, kept)
        model.complete([*QUESTION, *answered(first)], TOOLS_OF, kept)
    assert [post.body.get("reasoning_effort") for post in server.posts] == [None, "none", "none"]
    assert len(server.rejected) == 1


@pytest.mark.parametrize(
    ("said", "gone", "there"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens", "max_completion_tokens"),
        ("Unrecognized request argument supplied: stream_options", "stream_options", "stream"),
        ("Streaming is not supported by this model", "stream", "max_tokens"),
    ],
)
def test_an_option_that_is_turned_down_is_left_out_from_then_on(
    model_at: Making, kept: Any, said: str, gone: str, there: str
) -> None:
    """Once, without the person noticing."""
    with ModelServer(Fail(400, said), Say("One."), Say("Two.")) as server:
        model = model_at(server)
        assert [model.complete(QUESTION, TOOLS_OF, kept).text for _ in range(2)] == ["One.", "Two."]
    assert gone in server.posts[0].body
    assert all(not post.body.get(gone) and there in post.body for post in server.posts[1:])
    assert kept.kinds("retrying") == []


def test_every_tool_is_strict_safe() -> None:
    """The rules of the strictest endpoint accept each schema of the catalog."""
    assert {name: model_rules.unstrict(line.tool.schema()) for name, line in TOOLS.items()} == dict.fromkeys(TOOLS, "")
    loose = {"type": "object", "properties": {"a": {"type": "string", "default": "b"}}, "required": []}
    assert model_rules.unstrict(loose)


def test_an_endpoint_that_answers_a_stream_with_a_document_is_read(model_at: Making, kept: Any) -> None:
    """The second attempt does not ask for a stream."""
    whole = {"id": "x", "object": "chat.completion", "created": 1, "model": "small"}
    whole |= {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Whole."}}]}
    with ModelServer(Raw(json.dumps(whole).encode())) as server:
        assert model_at(server).complete(QUESTION, TOOLS_OF, kept).text == "Whole."
    assert [post.body.get("stream") for post in server.posts] == [True, False]


def test_the_endpoints_first_model_is_taken_when_none_is_named(model_at: Making, kept: Any) -> None:
    """OPENAI_BASE_URL alone is enough for a local server."""
    with ModelServer(Say("Hello."), models=("qwen", "other")) as server:
        assert model_at(server, model="").complete(QUESTION, TOOLS_OF, kept).text == "Hello."
    assert server.posts[0].body["model"] == "qwen"


# ---- the json format ----------------------------------------------------------------------------------------------


def by_schema(body: dict[str, Any]) -> Say:
    """A small model: fenced JSON when it is asked for JSON, prose otherwise; needs the desk before it answers."""
    text = json.dumps(body["messages"])
    wanted = body.get("response_format")
    if wanted is None:
        return Say("<think>so</think>The desk is flat.")
    if wanted.get("json_schema", {}).get("name") == "choice":
        name = "answer" if "Result of run" in text else "run" if "Result of desk" in text else "desk"
        return Say(f'Sure!\n```json\n{{"tool": "{name}"}}\n```')
    return Say('{"run_id": "r-1"}')


@STREAMED
def test_the_json_format_chooses_fills_and_answers(model_at: Making, kept: Any, stream: bool) -> None:
    """A tool's name, its arguments, the text: each a schema step; fenced JSON and thinking are no hindrance."""
    with ModelServer(by_schema) as server:
        model = model_at(server, "json", stream=stream)
        messages, names = list(QUESTION), []
        while (reply := model.complete(messages, TOOLS_OF, kept)).calls:
            names.append((reply.calls[0].name, dict(reply.calls[0].args)))
            messages += answered(reply)
    assert names == [("desk", {}), ("run", {"run_id": "r-1"})]
    assert reply.text == kept.text == "The desk is flat."
    assert server.rejected == []
    assert all("tools" not in post.body for post in server.posts)


def test_the_json_format_asks_again_for_json_and_takes_no_unknown_tool(model_at: Making, kept: Any) -> None:
    """Prose, then a tool that is none, then a good choice."""
    steps = [Say("I would look at the desk."), Say('{"tool": "rm_rf"}'), Say('{"tool": "desk"}')]
    with ModelServer(*steps) as server:
        reply = model_at(server, "json").complete(QUESTION, TOOLS_OF, kept)
    assert reply.calls == (Call("step-1", "desk", {}),)
    assert len(kept.kinds("retrying")) == 2


def test_the_json_format_lives_without_json_schema(model_at: Making, kept: Any) -> None:
    """An endpoint that knows json_object only gets that."""

    def step(body: dict[str, Any]) -> Say | Fail:
        if body.get("response_format", {}).get("type") == "json_schema":
            return Fail(400, "response_format: json_schema is not available")
        return Say('{"tool": "desk"}')

    with ModelServer(step) as server:
        assert model_at(server, "json").complete(QUESTION, TOOLS_OF, kept).calls[0].name == "desk"
    assert server.posts[-1].body["response_format"] == {"type": "json_object"}
