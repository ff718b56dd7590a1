"""The fake endpoint is a good one: a stock OpenAI client talks to it, and it rejects what real ones reject."""

from types import ModuleType
from typing import Any, Literal

import pydantic
import pytest

from tests.fakes.model_server import Fail, ModelServer, Say, by_hand

TOOL = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def openai() -> ModuleType:
    """The client's package, loaded where its tests run: at the head of the file each process of a run would load it."""
    import openai

    return openai


def client(server: ModelServer) -> Any:
    """The client as it comes out of the box."""
    import openai

    return openai.OpenAI(base_url=server.url, api_key="x", max_retries=0)


def test_a_stock_client_gets_text_by_both_routes_streamed_and_whole() -> None:
    """The same words four times, and from the client's own stream collector."""
    with ModelServer(Say("Hello there, desk.")) as server:
        asking = client(server)
        chat = asking.chat.completions.create(model="small", messages=HI)
        chunks = asking.chat.completions.create(model="small", messages=HI, stream=True)
        whole = asking.responses.create(model="small", input="hi")
        events = list(asking.responses.create(model="small", input="hi", stream=True))
        with asking.responses.stream(model="small", input="hi") as stream:
            collected = stream.get_final_response()
        assert [model.id for model in asking.models.list()] == ["small"]
    texts = [chat.choices[0].message.content, "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)]
    texts += [
        whole.output_text,
        "".join(e.delta for e in events if e.type == "response.output_text.delta"),
        collected.output_text,
    ]
    assert texts == ["Hello there, desk."] * 5


def test_a_stock_client_gets_calls_by_both_routes() -> None:
    """Names and arguments, put together by the client's own collectors."""
    with ModelServer(Say(calls=[("f", {"a": "one"}), ("f", {"a": "two"})])) as server:
        asking = client(server)
        with asking.responses.stream(model="small", input="hi") as stream:
            items = stream.get_final_response().output
        with asking.chat.completions.stream(model="small", messages=HI) as chat:
            calls = chat.get_final_completion().choices[0].message.tool_calls
    assert [item.arguments for item in items] == [call.function.arguments for call in calls] == ['{"a": "one"}', '{"a": "two"}']


def test_by_hand_it_calls_the_desk_and_reads_what_came() -> None:
    """The server that `python -m tests.fakes.model_server PORT` starts."""
    tool = {"type": "function", "function": {"name": "desk", "parameters": TOOL}}
    with ModelServer(by_hand) as server:
        first = client(server).chat.completions.create(model="small", messages=HI, tools=[tool]).choices[0].message
        heard = [*HI, first.to_dict(), {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "all flat"}]
        assert (
            client(server).chat.completions.create(model="small", messages=heard, tools=[tool]).choices[0].message.content
            == "I read: all flat"
        )
        assert client(server).responses.create(model="small", input="hi").output_text == "I read: nothing"


CALL = {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
LOOSE = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("route", "body", "words"),
    [
        (
            "chat",
            {
                "model": "gpt-5-mini",
                "messages": HI,
                "tools": [{"type": "function", "function": {"name": "f", "parameters": TOOL}}],
            },
            "reasoning_effort",
        ),
        ("chat", {"messages": [*HI, CALL]}, "No tool output found"),
        ("chat", {"messages": [*HI, CALL, *HI]}, "must be followed by tool messages"),
        ("chat", {"messages": [*HI, {"role": "tool", "tool_call_id": "c9", "content": "x"}]}, "not found in the preceding"),
        ("responses", {"input": [{"type": "function_call_output", "call_id": "c9", "output": "x"}]}, "No tool call found"),
        (
            "responses",
            {"input": [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}]},
            "No tool output found",
        ),
        (
            "responses",
            {"input": "hi", "tools": [{"type": "function", "name": "f", "strict": True, "parameters": LOOSE}]},
            "additionalProperties",
        ),
        (
            "responses",
            {"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": LOOSE}]},
            "additionalProperties",
        ),
        (
            "responses",
            {"input": "hi", "text": {"format": {"type": "json_schema", "name": "x", "schema": LOOSE, "strict": True}}},
            "Invalid schema for response_format",
        ),
    ],
)
def test_it_rejects_what_real_endpoints_reject(openai: ModuleType, route: str, body: dict, words: str) -> None:
    """A 400 with their words."""
    with ModelServer(Say("fine")) as server:
        asking = client(server)
        create = asking.chat.completions.create if route == "chat" else asking.responses.create
        for stream in (False, True):
            with pytest.raises(openai.BadRequestError, match=words) as told:
                create(**({"model": "small", "stream": stream} | body))
            assert (told.value.status_code, told.value.type, told.value.code) == (400, "invalid_request_error", None)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_stock_client_goes_a_round_of_parallel_calls_on_responses(openai: ModuleType, stream: bool) -> None:
    """Strict tools, two calls with a reasoning item before them, both results; without the reasoning it is rejected."""
    tool = {"type": "function", "name": "f", "parameters": TOOL, "strict": True}
    script = Say(calls=[("f", {"a": "one"}), ("f", {"a": "two"})], signed=True)
    with ModelServer(script, Say("Both read.")) as server:
        create = client(server).responses.create
        asked = {"model": "small", "tools": [tool], "parallel_tool_calls": True, "store": False}
        heard: list = [{"role": "user", "content": "hi"}]

        def ask(items: list) -> Any:
            made = create(input=items, stream=stream, **asked)
            return [event for event in made if event.type == "response.completed"][-1].response if stream else made

        items = [item.to_dict() for item in ask(heard).output]
        results = [{"type": "function_call_output", "call_id": i["call_id"], "output": "x"} for i in items if "call_id" in i]
        assert len(results) == 2
        assert ask([*heard, *items, *results]).output_text == "Both read."
        with pytest.raises(openai.BadRequestError, match="without its required 'reasoning' item"):
            ask([*heard, *items[1:], *results])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_stock_client_that_drops_extra_content_is_rejected_on_chat(openai: ModuleType, stream: bool) -> None:
    """The signature on a call goes back with it, or the next round is a 400."""
    with ModelServer(Say(calls=[("f", {"a": "one"})], signed=True), Say("Read.")) as server:
        create = client(server).chat.completions.create
        call = create(model="small", messages=HI).choices[0].message.tool_calls[0].to_dict()
        result = {"role": "tool", "tool_call_id": call["id"], "content": "x"}

        def ask(said: dict) -> None:
            create(model="small", messages=[*HI, {"role": "assistant", "tool_calls": [said]}, result], stream=stream)

        ask(call)
        with pytest.raises(openai.BadRequestError, match="thought_signature"):
            ask({key: value for key, value in call.items() if key != "extra_content"})


class Inner(pydantic.BaseModel):
    """A part of a schema: the client writes it under $defs, with titles."""

    side: Literal["long", "short"]


class Wanted(pydantic.BaseModel):
    """A schema as a stock client makes it."""

    name: str
    parts: list[Inner]


def test_a_stock_clients_own_strict_schemas_are_taken() -> None:
    """Its parse() on both routes: what the real API takes is not turned down."""
    with ModelServer(Say('{"name": "a", "parts": [{"side": "long"}]}')) as server:
        asking = client(server)
        chat = asking.chat.completions.parse(model="small", messages=HI, response_format=Wanted).choices[0].message.parsed
        response = asking.responses.parse(model="small", input="hi", text_format=Wanted).output_parsed
    assert chat == response == Wanted(name="a", parts=[Inner(side="long")])


def test_errors_are_shaped_as_openais(openai: ModuleType) -> None:
    """Key, limit and fault: the client's own classes, with type and code."""
    with ModelServer(Fail(429, "slow down"), Fail(500, "oops"), key="right") as server:
        wrong, good = client(server), openai.OpenAI(base_url=server.url, api_key="right", max_retries=0)
        for asking, kind, said, code in (
            (wrong, openai.AuthenticationError, "invalid_request_error", "invalid_api_key"),
            (good, openai.RateLimitError, "rate_limit_error", "rate_limit_exceeded"),
            (good, openai.InternalServerError, "server_error", None),
        ):
            with pytest.raises(kind) as told:
                asking.chat.completions.create(model="small", messages=HI)
            assert (told.value.type, told.value.code) == (said, code)
