"""Whole turns over real connections: tools called, numbers grounded, sentences told as they end, falls to offline, budgets."""

import json
from typing import Any

import pytest

from agents import spending, turns
from agents.caller import TurnCaller, kept_requests
from agents.endpoints import Endpoint
from agents.formats.model import EndpointModel
from agents.model import OverBudget, Prices
from agents.spending import SpendLimits
from engine.store import db
from engine.store.tables import Turn
from tests.agents.formats.conftest import KEY, PATIENCE_S
from tests.fakes.model_server import Fail, Hang, ModelServer, Raw, Say, Step
from tests.fakes.offices import NOW_MS, FakeOffice

PRICES = Prices(1.0, 2.0)


def use(office: FakeOffice, server: ModelServer, api_format: str = "chat", prices: Prices = PRICES, **fields: Any) -> None:
    """Let the office's model be the one at `server`."""
    known: dict[str, Any] = {"context_tokens": 100_000, "patience_s": PATIENCE_S, "prices": prices, **fields}
    office.model = EndpointModel(Endpoint("test", server.url, "small", api_format=api_format, key_env="TEST_KEY", **known), KEY)  # type: ignore[arg-type]  # a api_format's name


def events_of(
    office: FakeOffice, text: str = "what parameters does trend have?", role: str = "developer"
) -> list[dict[str, Any]]:
    """Every event of a turn."""
    return list(turns.ask(office, role, text, "mara"))


def by_json(body: dict[str, Any]) -> Step:
    """The model of the json format: one look at the strategies, then the answer."""
    wanted = (body.get("response_format") or {}).get("json_schema", {}).get("name")
    if wanted == "choice":
        looked = "Result of list_strategies" in json.dumps(body["messages"])
        return Say(json.dumps({"tool": "answer" if looked else "list_strategies"}))
    return Say('{"strategy": "trend"}') if wanted else Say("The stop is {p1.stop_atr}. The Sharpe is 2.71.")


@pytest.mark.parametrize("api_format", ["responses", "chat", "json"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_a_turn_over_each_format_is_grounded(office: FakeOffice, api_format: str, stream: bool) -> None:
    """A tool is called, its fact rendered, the invented number marked; the model and its cost are named."""
    steps = [
        Say(calls=[("list_strategies", {"strategy": "trend"})], signed=True),
        Say("The stop is {p1.stop_atr}. The Sharpe is 2.71."),
    ]
    with ModelServer(*([by_json] if api_format == "json" else steps), key=KEY) as server:
        use(office, server, api_format, stream=stream)
        answer = events_of(office)[-1]
    assert answer["answer_md"].startswith("The stop is 2.00. \u27e6The Sharpe is 2.71.\u27e7")
    assert answer["answer_md"].endswith("model small*")
    assert answer["model"] == {"name": "small", "api_format": api_format, "offline": False}
    assert [call["name"] for call in answer["tool_calls"]] == ["list_strategies"]
    assert answer["usage"]["model_calls"] == len(server.posts)
    assert answer["usage"]["cost_usd"] > 0
    assert server.rejected == []


def test_checked_sentences_leave_as_they_end(office: FakeOffice) -> None:
    """Each once, grounded, before the answer; what was sent is named before the first call."""
    with ModelServer(Say("All is well. The Sharpe is 2.71.", pieces=8)) as server:
        use(office, server)
        events = events_of(office)
    checked = [e["text"].strip() for e in events if e["kind"] == "sentence"]
    assert checked == ["\u27e6All is well.\u27e7", "\u27e6The Sharpe is 2.71.\u27e7"]
    assert f"small at 127.0.0.1:{server.url.split(':')[2].split('/')[0]}, a process on this machine" in events[0]["privacy"]


def test_a_silence_in_a_sentence_cuts_nothing_off(office: FakeOffice) -> None:
    """`retrying` with attempt 0 only waits: the sentence that had begun is told whole; another attempt begins anew."""
    caller = TurnCaller(office.engine, office.home, "u-1", office.limits, office.now_ms)
    told: list[tuple[str, str]] = []
    caller.begin_call(lambda kind, body: told.append((kind, str(body["text"]))), lambda text: text)
    caller.report("text", {"delta": "The equity is 98,"})
    caller.report("retrying", {"text": "waiting", "attempt": 0})
    caller.report("text", {"delta": "765.43 USDT. Cut off in the"})
    caller.report("retrying", {"text": "again", "attempt": 1})
    caller.report("text", {"delta": "It stands."})
    caller.flush()
    assert told == [
        ("retrying", "waiting"),
        ("sentence", "The equity is 98,765.43 USDT."),
        ("retrying", "again"),
        ("sentence", "It stands."),
    ]


@pytest.mark.sample(3)
@pytest.mark.parametrize("api_format", ["responses", "chat", "json"])
@pytest.mark.parametrize(
    "trouble",
    [
        Fail(401, f"bad key {KEY}"),
        Fail(429, "slow", {"retry-after": "60"}),
        Fail(500, "No fallback was attempted."),
        Raw(b"{nonsense"),
        Say(""),
        Hang(600),
        Say("x", cut=True),
    ],
    ids=str,
)
@pytest.mark.usefixtures("soon_told")
def test_when_the_model_fails_the_offline_one_answers_and_says_so(office: FakeOffice, api_format: str, trouble: Step) -> None:
    """A notice first, then what was asked; `retrying` before it where something is tried again."""
    with ModelServer(trouble) as server:
        use(office, server, api_format, patience_s=1.0 if isinstance(trouble, Hang) else 30.0)
        events = events_of(office)
    answer, told = events[-1], [event["kind"] for event in events]
    assert answer["answer_md"].startswith("> The model small did not answer:")
    assert ".. The offline model" not in answer["answer_md"]
    assert "Read as: parameters of trend" in answer["answer_md"]
    assert "OFFLINE model" in answer["answer_md"]
    assert answer["model"]["offline"] is True
    assert "canary" not in json.dumps(answer)
    assert told.count("notice") == 1
    if getattr(trouble, "status", 200) not in (401, 429):
        assert "retrying" in told[: told.index("notice")]


def test_after_a_fall_nothing_is_computed_or_proposed(office: FakeOffice) -> None:
    """The offline model reads on; what the model had found stays in the answer."""
    with ModelServer(Say(calls=[("list_strategies", {"strategy": "trend"})]), Fail(500)) as server:
        use(office, server)
        answer = events_of(office, "backtest trend on BTC-USDT for 2025")[-1]
    assert [(c["name"], c["status"]) for c in answer["tool_calls"]] == [("list_strategies", "ok"), ("backtest", "refused")]
    assert "the offline model only reads" in answer["answer_md"]
    assert "Found before that:" in answer["answer_md"]
    assert answer["proposals"] == answer["jobs"] == []
    named = [(kind, body["model"]) for kind, body in office.journaled() if "model" in body]
    assert named == [("tool", "small"), ("answer", "offline")]


def test_the_next_turn_asks_the_model_again(office: FakeOffice) -> None:
    """A fall lasts one turn."""
    with ModelServer(Fail(401), Say("Back again.")) as server:
        use(office, server)
        assert events_of(office)[-1]["model"]["offline"]
        assert events_of(office)[-1]["unchecked"] == ["Back again."]
    assert len(server.posts) == 2


# ---- what was sent -----------------------------------------------------------------------------------------------------


def test_every_request_can_be_read_as_it_was_sent(office: FakeOffice) -> None:
    """Byte for byte, with the provider's message beside it, and without the key."""
    with ModelServer(
        Say(calls=[("list_strategies", {"strategy": None})], extra={"new_key": "kept"}), Say("Done."), key=KEY
    ) as server:
        use(office, server)
        answer = events_of(office, f"is {KEY} my key?")[-1]
    found = kept_requests(office.home, answer["turn"])
    assert [part["file"] for part in found] == ["001-request.json", "001-response.json", "002-request.json", "002-response.json"]
    assert json.loads(server.posts[1].raw) == found[2]["body"]
    assert found[1]["body"]["new_key"] == "kept"
    assert KEY not in json.dumps(found)
    journal = (office.home / "journal" / "people.jsonl").read_text()
    assert "Done." in journal
    assert "is [secret] my key?" in journal
    assert "canary" not in journal + server.posts[0].raw.decode() + json.dumps(answer)


def test_what_cannot_be_kept_is_not_sent(office: FakeOffice) -> None:
    """A full or broken disk: the offline model answers."""
    (office.home / "turns").write_text("in the way")
    with ModelServer(Say("Fine.")) as server:
        use(office, server)
        answer = events_of(office)[-1]
    assert answer["model"]["offline"]
    assert server.posts == []


# ---- budgets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (SpendLimits(turn_tokens=100), "a turn"),
        (SpendLimits(person_tokens=100), "a person's day"),
        (SpendLimits(day_tokens=100), "the desk's day"),
        (SpendLimits(turn_usd=1e-6), "a turn"),
        (SpendLimits(person_usd=1e-6), "a person's day"),
        (SpendLimits(day_usd=1e-6), "the desk's day"),
    ],
)
def test_past_a_budget_the_offline_model_answers(office: FakeOffice, limits: SpendLimits, name: str) -> None:
    """Before anything is sent, with the limit named."""
    office.limits = limits
    with ModelServer(Say("Fine.")) as server:
        use(office, server)
        answer = events_of(office)[-1]
    assert f"was not called: the budget of {name}" in answer["answer_md"]
    assert answer["model"]["offline"]
    assert server.posts == []


def test_days_add_up_over_turns_and_persons(office: FakeOffice) -> None:
    """What one turn used counts for the next, for the person and for the desk; another day begins anew."""
    with ModelServer(Say("Fine.")) as server:
        use(office, server)
        first = events_of(office)[-1]
        used = spending.of_turn(office.engine, first["turn"])
        assert (used.held_tokens, used.held_usd, used.calls) == (0, 0.0, 1)
        office.limits = SpendLimits(person_tokens=used.tokens + 11_000)
        assert events_of(office)[-1]["model"]["offline"]
        assert not list(turns.ask(office, "developer", "and you?", "noor"))[-1]["model"]["offline"]
        office.limits = SpendLimits(day_tokens=used.tokens + 11_000)
        assert list(turns.ask(office, "developer", "and you?", "vera"))[-1]["model"]["offline"]
        office.clock_ms += spending.DAY_MS
        assert not events_of(office)[-1]["model"]["offline"]


def test_without_a_price_only_tokens_count(office: FakeOffice) -> None:
    """The cost is null, not zero."""
    office.limits = SpendLimits(turn_usd=0.0)
    with ModelServer(Say("Fine.")) as server:
        use(office, server, prices=Prices())
        answer = events_of(office)[-1]
    assert (answer["model"]["offline"], answer["usage"]["cost_usd"]) == (False, None)


def test_what_is_set_aside_is_seen_by_all_and_survives_a_crash(office: FakeOffice) -> None:
    """Two turns at once cannot both take the last of a day; what was never settled counts as spent."""
    with db.write(office.engine) as session:
        from engine.store.tables import Thread

        session.add(Thread(id="t-1", role="operator", person="mara", created_ms=NOW_MS))
        for n in (1, 2):
            session.add(Turn(id=f"u-{n}", thread="t-1", role="operator", created_ms=NOW_MS, state="failed"))
    limits = SpendLimits(day_tokens=1_000)
    spending.reserve(office.engine, "u-1", limits, 700, 0.1, NOW_MS)
    with pytest.raises(OverBudget, match="the desk's day"):
        spending.reserve(office.engine, "u-2", limits, 700, 0.1, NOW_MS)
    spending.settle(office.engine, "u-1", (700, 0.1), (200, 0.03))
    spending.reserve(office.engine, "u-2", limits, 700, 0.1, NOW_MS)
    assert spending.of_turn(office.engine, "u-1") == spending.Spend(200, 0.03, 0, 0.0, 1)


def test_many_turns_at_once_share_one_model(office: FakeOffice) -> None:
    """Eight turns in eight threads: each gets its own answer, each request stands with its own turn."""
    from concurrent.futures import ThreadPoolExecutor

    def echo(body: dict[str, Any]) -> Step:
        return Say(f"You asked: {body['messages'][-1]['content']}", stall_s=0.1)

    with ModelServer(echo) as server, ThreadPoolExecutor(8) as pool:
        use(office, server)
        words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
        answers = list(pool.map(lambda word: list(turns.ask(office, "developer", word, word))[-1], words))
    for word, answer in zip(words, answers, strict=True):
        assert f"You asked: {word}" in answer["answer_md"]
        assert kept_requests(office.home, answer["turn"])[0]["body"]["messages"][-1]["content"] == word


@pytest.mark.parametrize("api_format", ["responses", "chat"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_half_a_character_in_an_argument_or_a_text_is_a_turn_like_any_other(
    office: FakeOffice, api_format: str, stream: bool
) -> None:
    """JSON may hold a lone surrogate, which no file, database or request can: it is replaced where it comes in."""
    steps = [
        Say("Half: \ud83d", calls=[("list_strategies", {"strategy": "tr\ud83dend"}), ("m\ud83d", {"\ud83d": ["\ud83d"]})]),
        Say("Half: \ud83d. The stop is 2."),
    ]
    with ModelServer(*steps, key=KEY) as server:
        use(office, server, api_format, stream=stream)
        answer = events_of(office)[-1]
    assert [call["status"] for call in answer["tool_calls"]] == ["failed", "refused"]  # no strategy, no tool of that name
    assert answer["answer_md"].encode()
    assert "Half: " in answer["answer_md"]
    assert len(server.posts) == 2
