"""The fake endpoint is a good one: a stock OpenAI client talks to it, and it rejects what real ones reject."""

import openai
import pytest

from tests.fakes.model_server import ModelServer, Say, by_hand

TOOL = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
HI = [{"role": "user", "content": "hi"}]


def client(server: ModelServer) -> openai.OpenAI:
    """The client as it comes out of the box."""
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
    ],
)
def test_it_rejects_what_real_endpoints_reject(route: str, body: dict, words: str) -> None:
    """A 400 with their words."""
    with ModelServer(Say("fine")) as server:
        asking = client(server)
        create = asking.chat.completions.create if route == "chat" else asking.responses.create
        with pytest.raises(openai.BadRequestError, match=words):
            create(**({"model": "small"} | body))
