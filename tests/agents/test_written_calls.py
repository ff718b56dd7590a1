"""Tool calls written as text: read as calls to offered tools, or the offline model answers and says what to set."""

import contextlib
import json
from typing import Any

import pytest

from agents import turns
from agents.caller import TurnCaller
from agents.model import ModelDown, Reply
from agents.written_calls import with_written_calls
from tests.fakes.linear_time import beyond_linear
from tests.fakes.offices import FakeOffice, ScriptedModel, calls

OFFERED = ("desk", "list_strategies", "memory")
CALL = '{"name": "list_strategies", "arguments": {"strategy": "trend"}}'
FORMS = {
    "tags": f"<tool_call>\n{CALL}\n</tool_call>",
    "tags, not closed": f"Let me look.\n<tool_call>{CALL}",
    "mistral": f"[TOOL_CALLS] [{CALL}]",
    "mistral, newer": '[TOOL_CALLS]list_strategies[ARGS]{"strategy": "trend"}',
    "function": '<function=list_strategies>{"strategy": "trend"}</function>',
    "function with parameters": "<function=list_strategies>\n<parameter=strategy>\ntrend\n</parameter>\n</function>",
    "fence": f"I will look it up.\n```json\n{CALL}\n```",
    "whole answer": CALL,
    "list": f"[{CALL}]",
    "openai": json.dumps(
        {"tool_calls": [{"type": "function", "function": {"name": "list_strategies", "arguments": '{"strategy": "trend"}'}}]}
    ),
    "parameters": '{"name": "list_strategies", "parameters": {"strategy": "trend"}}',
    "python tag": f"<|python_tag|>{CALL}",
    "deepseek": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>list_strategies\n"
    '```json\n{"strategy": "trend"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    "deepseek, newer": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>"
    'list_strategies<｜tool▁sep｜>{"strategy": "trend"}<｜tool▁call▁end｜>',
    "invoke": 'Sure.\n<function_calls>\n<invoke name="list_strategies">\n<parameter name="strategy">trend</parameter>\n</invoke>',
    "harmony": '<|channel|>commentary to=functions.list_strategies <|constrain|>json<|message|>{"strategy": "trend"}<|call|>',
    "functionary": '>>>list_strategies\n{"strategy": "trend"}',
    "cohere": '<|START_ACTION|>[{"tool_name": "list_strategies", "parameters": {"strategy": "trend"}}]<|END_ACTION|>',
    "action": 'Thought: I need it.\nAction: list_strategies\nAction Input: {"strategy": "trend"}',
    "python": "[list_strategies(strategy='trend')]",
    "python in a fence": 'Let me see.\n```tool_code\nlist_strategies(strategy="trend")\n```',
    "tool key": '{"tool": "list_strategies", "args": {"strategy": "trend"}}',
}


def ask(office: FakeOffice, text: str = "what parameters does trend have?") -> dict[str, Any]:
    """The answer of one turn."""
    return list(turns.ask(office, "developer", text, "mara"))[-1]


@pytest.mark.parametrize("form", FORMS)
def test_the_usual_forms_are_read_as_calls(form: str) -> None:
    """Name and arguments; the text before the call is kept, the call is not shown."""
    made = with_written_calls(Reply(FORMS[form]), OFFERED)
    assert [(call.name, dict(call.args)) for call in made.calls] == [("list_strategies", {"strategy": "trend"})]
    assert "list_strategies" not in made.text
    assert made.raw is None


def test_two_calls_in_a_row_are_two() -> None:
    """Each between its own marks, or one after the other."""
    second = '{"name": "desk", "arguments": {}}'
    for text in (f"<tool_call>{CALL}</tool_call>\n<tool_call>{second}</tool_call>", f"<tool_call>{CALL}\n{second}</tool_call>"):
        assert [call.name for call in with_written_calls(Reply(text), OFFERED).calls] == ["list_strategies", "desk"]


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 4.",
        '{"answer": 4}',
        '```json\n{"sharpe": 1.2}\n```',
        '{"name": "trend", "arguments": {}}',
        "",
        "a `{b` c",
        "{" * 500,
        "desk(1) is a tool; so is run(2)",
        "desk is fine (all of it)",
        'Action: buy\nAction Input: {"a": 1}',
        "```python\nprint(list(range(3)))\n```",
    ],
)
def test_other_text_stays_text(text: str) -> None:
    """JSON that names no offered tool is an answer."""
    assert with_written_calls(Reply(text), OFFERED) == Reply(text)


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>list the data please",
        '<tool_call>{"name": "desk", ',
        "<tool_call>" + '{"a":' * 900 + "1",
        "<｜tool▁calls▁begin｜>desk",
        '<function_calls><invoke name="',
        "<|channel|>commentary to=functions.desk<|message|>" + '{"a":' * 900,
        "```tool_code\nprint(default_api.desk())\n```",
        "[desk(at=[1, 2])]",
    ],
)
def test_a_call_that_cannot_be_read_says_what_to_set(text: str) -> None:
    """Also one that is cut, or nested 900 levels deep."""
    with pytest.raises(ModelDown, match=r'set api_format = "json"'):
        with_written_calls(Reply(text), OFFERED)


def test_a_turn_with_a_written_call_runs_it(office: FakeOffice) -> None:
    """The tool is called, its fact stands in the answer, and nothing raw is shown."""
    office.model = ScriptedModel(Reply(FORMS["tags"]), Reply("The default stop is {p1.stop_atr}."))
    answer = ask(office)
    assert answer["answer_md"].startswith("The default stop is 2.00.")
    assert [call["name"] for call in answer["tool_calls"]] == ["list_strategies"]


def test_an_unreadable_written_call_falls_to_the_offline_model(office: FakeOffice) -> None:
    """It answers the question, under the line that says what to set."""
    office.model = ScriptedModel(Reply("<tool_call>{broken"))
    answer = ask(office)
    assert 'set api_format = "json" for it in desk.toml' in answer["answer_md"].partition("\n")[0]
    assert "Read as: parameters of trend" in answer["answer_md"]
    assert "<tool_call>" not in answer["answer_md"]


@pytest.mark.parametrize(
    ("reply", "rounds"),
    [
        (calls(("desk", {"unreadable_arguments": "{{{"})), 1),
        (calls(("release_halt", {})), 3),
        (Reply('<tool_call>{"name": "release_halt", "arguments": {}}</tool_call>'), 3),
    ],
)
def test_calls_that_lead_nowhere_end_soon(office: FakeOffice, reply: Reply, rounds: int) -> None:
    """Unreadable twice, or three rounds without one that was carried out: the offline model answers, no ninth round."""
    office.model = model = ScriptedModel(reply)
    answer = ask(office)
    assert len(model.seen) == rounds + 1
    assert answer["model"]["offline"]
    assert 'api_format = "json"' in answer["answer_md"]


def test_a_streamed_call_is_not_shown(office: FakeOffice) -> None:
    """What comes before it is; in pieces as small as they come."""
    told: list[str] = []
    caller = TurnCaller(office.engine, office.home, "u-1", office.limits, office.now_ms)
    caller.begin_call(lambda kind, body: told.append(str(body["text"])), lambda text: text)
    for piece in ("I look. <tool", '_call>{"name": "desk". ', "More. ", "</tool_call>"):
        caller.report("text", {"delta": piece})
    caller.flush()
    assert [text.strip() for text in told] == ["I look."]


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>" * 9_000,
        "<function=" * 9_000,
        "[TOOL_CALLS]" * 8_000,
        "```json\n{" * 9_000,
        "<tool_call>" + "[" * 90_000,
        "<tool_call>{}" * 7_000,
        "<｜tool▁sep｜>desk{" * 5_000,
        '<invoke name="desk">' * 4_000 + '<parameter name="a">' * 2_000,
        "to=functions.desk " * 5_000,
        "Action: desk\nAction Input: " * 3_000,
        "desk(a=1)," * 9_000 + ")",
    ],
)
def test_the_worst_text_is_read_in_linear_time(text: str) -> None:
    """Marks without calls, nesting without end."""

    def read(part: str) -> None:
        with contextlib.suppress(ModelDown):
            with_written_calls(Reply(part), OFFERED)

    assert not beyond_linear(read, text)
