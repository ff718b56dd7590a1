"""The page on a small made-up API, without a browser: what it says and asks, and that nothing foreign gets out."""

import re
from pathlib import Path

import pytest

from engine.control import halt
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import alert, answer, card, turn
from tests.app.ui.looking import page, texts_of

EVIL = "x](http://evil.example/a)<img src=http://evil.example/b>![c](http://evil.example/c)<script>d()</script> www.evil.example"


def test_every_tab_says_what_is_real(fake: Fake) -> None:
    """Paper or live, which bars, desk time, worker and model stand on each tab."""
    for tab in ("chat", "proposals", "desk", "sleeves", "runs"):
        text = texts_of(page(tab=tab))
        for word in ("PAPER", "REPLAYED recorded", "Desk time", "● worker", "OFFLINE"):
            assert word in text.replace("\\", ""), (tab, word)


def test_a_dead_worker_is_red_on_every_tab(fake: Fake) -> None:
    """A worker that does not run is never shown as health."""
    fake.desk["worker"] |= {"running": False, "phase": "not running"}
    for tab in ("desk", "chat"):
        text = texts_of(page(tab=tab))
        assert "■ worker" in text
        assert 'class="note bad"><b>■ No worker runs' in text


def test_without_a_session_it_says_how_to_get_one(fake: Fake) -> None:
    """No data of the desk, and the command that prints a link."""
    fake.session = None
    text = texts_of(page())
    assert "nightdesk login" in text
    assert "btc-trend" not in text


def test_the_pull_is_a_button_and_nothing_is_fetched_before(fake: Fake) -> None:
    """Without data there is one button; only its click starts a job, whose progress is shown."""
    fake.empty = True
    at = page(tab="chat")
    assert not fake.asked
    at.button(key="pull").click().run()
    assert fake.asked == [("POST", "/api/data/pull", {})]
    assert "pull running 25" in str([p.text for p in at.get("progress")] if hasattr(at.get("progress")[0], "text") else at)


def test_with_data_there_is_no_pull_button(fake: Fake) -> None:
    """The offer is made only where there are no real bars."""
    assert "pull" not in [b.key for b in page(tab="chat").button]


def test_a_question_becomes_a_turn_and_the_address_keeps_the_thread(fake: Fake) -> None:
    """Asking posts once; the thread's id goes into the address; the running turn shows its steps and cancel."""
    fake.turn_events = [
        {"n": 1, "kind": "tool_started", "id": "c1", "tool": "backtest", "args": {"symbol": "BTC-USDT"}},
        {"n": 2, "kind": "understood", "text": "a backtest"},
    ]
    at = page(tab="chat", role="developer")
    at.chat_input[0].set_value("Backtest trend").run()
    assert fake.asked == [("POST", "/api/turns", {"role": "developer", "text": "Backtest trend", "thread": "new"})]
    assert at.query_params["thread"] in ("t-1", ["t-1"])
    assert "**backtest** symbol BTC\\-USDT · running" in texts_of(at)
    at.button(key="cancel_u-1").click().run()
    assert fake.turns["u-1"]["state"] == "cancelled"


def test_a_reload_finds_the_running_turn(fake: Fake) -> None:
    """Another browser at the same address sees the same thread, question and turn."""
    fake.turns["u-1"] = turn("u-1", "running", "Sweep it")
    at = page(tab="chat", role="developer", thread="t-1")
    assert "Sweep it" in texts_of(at)
    assert "cancel_u-1" in [b.key for b in at.button]


def test_a_running_turn_says_what_happens_in_its_order(fake: Fake) -> None:
    """Sentences stand below the tool they came after; a retry is shown until something comes of it, and voids its sentences."""
    fake.turns["u-1"] = turn("u-1", "running", "how is the desk")
    events = [
        {"kind": "sentence", "text": "I look at it."},
        {"kind": "understood", "text": "I look at it."},
        {"kind": "tool_started", "id": "c1", "tool": "desk", "args": {}},
        {"kind": "tool_finished", "id": "c1", "tool": "desk", "status": "ok"},
        {"kind": "sentence", "text": "Cut off in the middle of"},
        {"kind": "retrying", "text": "api.example failed (503): retrying in 0.5 s", "attempt": 1},
    ]
    fake.turn_events = [{"n": n, **event} for n, event in enumerate(events, 1)]
    text = texts_of(page(tab="chat", role="developer", thread="t-1")).replace("\\", "").replace("\u2060", "")
    assert text.count("I look at it.") == 1
    assert "Cut off" not in text
    assert "retrying in 0.5 s" in text
    fake.turn_events += [{"n": 7, "kind": "sentence", "text": "It stands at ~~41.7 %~~ 29,541.99 USDT."}]
    at = page(tab="chat", role="developer", thread="t-1")
    text = texts_of(at).replace("\\", "")
    assert "retrying in" not in text
    shown = [str(m.value) for m in at.markdown]
    assert next(n for n, m in enumerate(shown) if "**desk**" in m) < next(n for n, m in enumerate(shown) if "~~41" in m)
    fake.turn_events += [{"n": 8, "kind": "notice", "text": "The model did not answer. The offline model answers instead"}]
    text = texts_of(page(tab="chat", role="developer", thread="t-1")).replace("\\", "")
    assert "The offline model answers instead" in text
    assert "It stands at" not in text


@pytest.mark.parametrize(
    ("usage", "offline", "line"),
    [
        ({"model_calls": 2, "cost_usd": None, "input_tokens": 900, "output_tokens": 100}, False, "1,000 tokens · price unknown"),
        ({"model_calls": 1, "cost_usd": 0.0123, "input_tokens": 9, "output_tokens": 1}, False, "10 tokens · 0.0123 USD"),
        (
            {"model_calls": 3, "cost_usd": None, "input_tokens": 9, "output_tokens": 1},
            True,
            "OFFLINE model · 3 model calls · price",
        ),
        ({"input_tokens": 9, "output_tokens": 1}, True, "OFFLINE model"),
    ],
)
def test_the_cost_of_a_turn_is_told(fake: Fake, usage: dict[str, float | None], offline: bool, line: str) -> None:
    """Tokens and dollars of a real model, `price unknown` where none is configured, also after a fall to the offline model."""
    model = {"name": "small", "api_format": "chat", "offline": offline}
    fake.turns["u-1"] = turn("u-1", "done", "q", answer("It stands.", usage=usage, model=model))
    captions = [str(c.value).replace("\\", "") for c in page(tab="chat", role="developer", thread="t-1").caption]
    assert any(line in caption for caption in captions), captions


def test_codes_two_lines_stand_under_the_answer(fake: Fake) -> None:
    """State of the desk and acts of the turn, as code wrote them."""
    lines = {"state_line": "State: HALTED by otto", "acts_line": "This turn: nothing was changed, proposed or noted"}
    fake.turns["u-1"] = turn("u-1", "done", "q", answer("The halt is released.", **lines))
    captions = [str(c.value).replace("\\", "") for c in page(tab="chat", role="developer", thread="t-1").caption]
    assert any(all(line in caption.split("  \n") for line in lines.values()) for caption in captions), captions


def test_the_desk_time_stands_once_under_an_answer(fake: Fake) -> None:
    """The state line has it; an older answer without one keeps the stamp."""
    md = "Flat.\n\n*Read as: the desk.*\n\n*desk time 2026-01-01 00:00Z · PAPER*"
    fake.turns["u-1"] = turn("u-1", "done", "how is it?") | {"answer": answer(md) | {"state_line": "State: desk time 2026-01-01"}}
    assert texts_of(page(tab="chat", role="operator", thread="t-1")).count("desk time") == 1
    fake.turns["u-1"]["answer"] |= {"state_line": ""}
    assert texts_of(page(tab="chat", role="operator", thread="t-1")).count("desk time") == 1


def test_before_the_first_call_host_model_and_what_is_sent_are_named(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a model configured, the first panel says it before anything is asked."""
    import tests.app.ui.fake_api as shapes

    told = {"name": "small", "api_format": "chat", "offline": False, "host": "api.example.com", "sends": ["your question"]}
    told["privacy"] = "Sent to it: your question."
    monkeypatch.setitem(shapes.ROUTES, ("GET", "/api/model"), lambda f, q, b: told)
    text = texts_of(page(tab="chat")).replace("\\", "")
    assert "Model small at api.example.com" in text
    assert "Sent to it" in text
    assert text.count("your question") == 1
    assert not fake.asked


def test_a_refused_question_is_kept_to_be_seen(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """409 while the thread's turn runs: the reason and the typed words stay."""
    import tests.app.ui.fake_api as shapes

    busy = (409, {"error": {"kind": "Busy", "what": "this thread answers a question already", "hint": "wait for it"}})
    monkeypatch.setitem(shapes.ROUTES, ("POST", "/api/turns"), lambda f, q, b: busy)
    at = page(tab="chat", role="developer", thread="t-1")
    at.chat_input[0].set_value("and one more").run()
    assert "this thread answers a question already" in texts_of(at)
    assert "and one more" in texts_of(at)


def test_a_tightening_is_approved_in_chat_with_the_diff_that_was_shown(fake: Fake) -> None:
    """The Approve button posts the card's own diff_sha256, beside what becomes of open positions; for a loosening there is only
    the way to the proposals page.
    """
    fake.turns["u-1"] = turn("u-1", "done", "tighten it", answer("Proposed.", proposals=["prop-1", "prop-2"]))
    at = page(tab="chat", role="developer", thread="t-1")
    keys = [b.key for b in at.button]
    assert "approve_u-1_prop-1" in keys
    assert "approve_u-1_prop-2" not in keys
    assert "open_u-1_prop-2" in keys
    assert texts_of(at).count("keep the version they were opened under") == 2
    at.button(key="approve_u-1_prop-1").click().run()
    assert ("POST", "/api/proposals/prop-1/approve", {"diff_sha256": "ab" * 32}) in fake.asked
    assert "applied, version 2 by vera" in texts_of(at).replace("\\", "")


def test_a_question_is_carried_to_the_role_it_belongs_to(fake: Fake) -> None:
    """One click: the other role, with the question ready; a second one asks it."""
    text = 'That belongs to the advisor; ask there: `nightdesk chat --role advisor "where from"`'
    fake.turns["u-1"] = turn("u-1", "done", "where from", answer(text))
    at = page(tab="chat", role="developer", thread="t-1")
    at.button(key="carry_u-1").click().run()
    assert at.session_state["role"] == "advisor"
    assert not fake.asked
    at.button(key="send_carried").click().run()
    assert ("POST", "/api/turns", {"role": "advisor", "text": "where from", "thread": "new"}) in fake.asked


def test_a_loosening_needs_a_second_click_and_then_shows_its_adoption(fake: Fake) -> None:
    """The card says LOOSENS; after the approval the adoption ticks to done with the journal's event."""
    at = page(tab="proposals", proposal="prop-2")
    assert "LOOSENS" in texts_of(at)
    assert "Approve as vera" not in [b.label for b in at.button]
    at.button(key="yes_prop-2").click().run()
    assert ("POST", "/api/proposals/prop-2/approve", {"diff_sha256": "ab" * 32}) in fake.asked
    assert "Adopted: the desk runs version 2" in texts_of(at)


def test_the_time_left_to_decide_counts_in_seconds(fake: Fake) -> None:
    """Hours, minutes and seconds; only what waits has a countdown."""
    at = page(tab="proposals", proposal="prop-1")
    told = [str(p.proto.text) for p in at.get("progress")]
    until = r"(19:59:5\d|20:00:00) left to decide, until \d+ \w+( \d{4})? \d\d:\d\dZ, wall clock"
    assert any(re.fullmatch(until, text) for text in told), told
    fake.proposals["prop-1"]["state"] = "applied"
    assert not page(tab="proposals", proposal="prop-1").get("progress")


def test_a_stale_proposal_can_be_proposed_anew(fake: Fake) -> None:
    """No approve button on what is no longer pending; refresh asks for a new card."""
    fake.proposals["prop-1"] = card("prop-1", "tightens") | {"state": "stale", "state_reason": "a halt began"}
    keys = [b.key for b in page(tab="proposals", proposal="prop-1").button]
    assert "yes_prop-1" not in keys
    assert "refresh_prop-1" in keys


def test_an_older_version_can_be_rolled_back_to(fake: Fake) -> None:
    """The active version has no button, the older one posts its number."""
    at = page(tab="proposals")
    assert not {"back_2", "back_yes_1", "back_yes_2"} & {b.key for b in at.button}
    at.button(key="back_1").click().run()
    assert "TIGHTENS" in texts_of(at)
    at.button(key="back_yes_1").click().run()
    assert ("POST", "/api/proposals/rollback", {"target": "1", "diff_sha256": "cd" * 32}) in fake.asked
    assert "back_yes_1" not in [b.key for b in at.button]


def test_one_sleeve_can_be_rolled_back_alone(fake: Fake) -> None:
    """Beside an older version there is a button for each sleeve that had another version of its own in it."""
    at = page(tab="proposals")
    at.button(key="back_1").click().run()
    assert "back_1_eth-trend" not in [b.key for b in at.button]
    at.button(key="back_1_btc-trend").click().run()
    at.button(key="back_yes_1").click().run()
    assert ("POST", "/api/proposals/rollback", {"target": "1", "sleeve": "btc-trend", "diff_sha256": "cd" * 32}) in fake.asked


def test_halt_asks_why_and_release_too(fake: Fake) -> None:
    """HALT latches with the reason, the banner tells it on every tab, a release wants a reason of its own."""
    at = page(tab="proposals")
    at.text_input(key="halt_reason_0").set_value("fills look wrong")
    at.button(key="halt_now").click().run()
    assert ("POST", "/api/halt", {"reason": "fills look wrong"}) in fake.asked
    at = page(tab="chat")
    assert "fills look wrong" in texts_of(at)
    release = next(b for b in at.button if b.label == "Release")
    release.click().run()
    assert not [a for a in fake.asked if a[0] == "DELETE"]
    at.text_input(key="release_reason").set_value("checked")
    next(b for b in at.button if b.label == "Release").click().run()
    assert ("DELETE", "/api/halt", {"reason": "checked"}) in fake.asked


def test_halt_works_with_the_api_down(fake: Fake, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is open, then the API dies: HALT is still there, writes the latch file itself, and the page says so."""
    from app.ui import page_client

    own_home.mkdir()
    at = page(tab="desk")
    monkeypatch.setenv("NIGHTDESK_API_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(
        page_client,
        "open_client",
        lambda: page_client.PageClient(page_client.Client("http://127.0.0.1:9", "", own_home), known=True),
    )
    at.run()
    assert "does not answer" in texts_of(at)
    at.text_input(key="halt_reason_0").set_value("the API is gone")
    at.button(key="halt_now").click().run()
    assert halt.read(own_home).reason == "the API is gone"
    assert "HALTED by file" in texts_of(at)


def test_the_desk_shows_what_protects_each_position(fake: Fake) -> None:
    """Protective level, kind and distance; a layer without one is said loudly."""
    text = texts_of(page(tab="desk")).replace("\\", "")
    assert "62,900.0" in text
    assert "2.48\u202f%" in text
    fake.sleeves[0]["position"]["layers"][0] |= {"protective": None, "protective_state": "none", "covered": False}
    assert "No protective order works</b> for btc-trend:" in texts_of(page(tab="desk"))


def test_links_lead_to_run_round_trip_and_event(fake: Fake) -> None:
    """Addresses of evidence open what they name."""
    assert "trend on binance BTC-USDT 15m" in texts_of(page(tab="runs", run="r-1"))
    assert "Trip t12" in texts_of(page(tab="runs", run="r-1", trip="t12"))
    assert "What led to it" in texts_of(page(tab="desk", view="journal", event="d-1"))
    assert texts_of(page(tab="proposals", version="v2")).count("cited by the answer") == 1


@pytest.mark.parametrize(
    "where", [{"tab": "nowhere"}, {"tab": "desk", "view": "<b>"}, {"thread": "../../x"}, {"tab": "desk", "run": "a b"}]
)
def test_an_address_that_makes_no_sense_is_the_usual_page(fake: Fake, where: dict[str, str]) -> None:
    """Ids from the address are ids or nothing."""
    assert "PAPER" in texts_of(page(**where))


def hostile(fake: Fake) -> None:
    """A hostile text in every field that somebody else writes."""
    for s in fake.sleeves:
        s |= {"name": EVIL, "strategy": EVIL}
    for e in fake.events:
        e |= {"told": EVIL, "kind": EVIL, "body": {"note": EVIL, "sleeve": EVIL}}
    for p in fake.proposals.values():
        p |= {"rationale": EVIL, "sleeve": EVIL, "warnings": [EVIL], "requester": {"role": EVIL, "person": EVIL}}
        p["diff"]["changes"][0] |= {"key": EVIL, "unit": EVIL}
        p["exposure"]["why"] = EVIL
    for r in fake.runs:
        r |= {"strategy": EVIL, "symbol": EVIL}
    fake.desk |= {"walks": EVIL, "breakers": [EVIL], "checks": [{"name": EVIL, "state": "bad", "text": EVIL, "event": "d-1"}]}
    fake.desk["guards"][0]["name"] = EVIL
    fake.desk["halt"] |= {"halted": True, "reason": EVIL, "by": EVIL}
    fake.desk["worker"]["note"] = EVIL
    lost = {"sink": EVIL, "step": EVIL, "state": EVIL, "error": EVIL}
    told = {"what": EVIL, "place": EVIL, "action": EVIL, "numbers": {EVIL: EVIL}, "kind": EVIL, "deliveries": [lost]}
    fake.alerts = [alert("al-1", "page") | told, alert("al-2", EVIL) | told | {"acked_by": {"name": EVIL}, "runbook": EVIL}]
    fake.handovers = [{"day": EVIL, "created_ms": 1, "text": f"{EVIL}\n{EVIL}", "body": {}, "deliveries": [lost]}]
    fake.titles = [EVIL]
    facts = [
        {"ref": "a.b", "subject": EVIL, "metric": EVIL, "value": EVIL, "unit": "text", "evidence": {"kind": "run", "id": EVIL}}
    ]
    calls = [{"id": "c", "name": EVIL, "args": {EVIL: EVIL}, "status": EVIL}]
    struck = [{"text": EVIL, "sentence": EVIL, "why": EVIL}]
    held = answer(f"| {EVIL} |\n|---|\n| {EVIL} |\n\n# {EVIL}\n- **{EVIL}**", facts=facts, tool_calls=calls, struck=struck)
    fake.turns = {"u-1": turn("u-1", "done", EVIL, held), "u-2": turn("u-2", "running", EVIL)}
    fake.turn_events = [
        {"n": 1, "kind": "understood", "text": EVIL},
        {"n": 2, "kind": "tool_started", "id": "1", "tool": EVIL, "args": {EVIL: 1}},
        {"n": 3, "kind": "notice", "text": EVIL},
        {"n": 4, "kind": "sentence", "text": f"> {EVIL}"},
        {"n": 5, "kind": "retrying", "text": EVIL, "attempt": 0},
    ]


PLACES = [
    {"tab": "chat", "role": "developer"},
    {"tab": "chat", "role": "developer", "thread": "t-1"},
    {"tab": "proposals"},
    {"tab": "desk"},
    {"tab": "desk", "view": "journal"},
    {"tab": "desk", "view": "journal", "event": "d-1"},
    {"tab": "runs"},
    {"tab": "runs", "run": "r-1"},
    {"tab": "sleeves", "sleeve": "btc-trend"},
    {"tab": "desk", "view": "alerts"},
    {"tab": "desk", "view": "handover"},
]


@pytest.mark.sample(3)
@pytest.mark.parametrize("where", PLACES, ids=lambda w: "-".join(w.values()))
def test_a_hostile_name_does_nothing_anywhere(fake: Fake, where: dict[str, str]) -> None:
    """No image, no link, no tag and no recognisable address in anything that is read as markdown."""
    hostile(fake)
    at = page(**where)
    for kind in ("markdown", "caption", "error", "warning", "info", "success", "subheader"):
        for element in at.get(kind):
            check_harmless(str(element.value))
    for button in at.button:
        check_harmless(str(button.label))
        check_harmless(str(button.help or ""))


def check_harmless(markdown: str) -> None:
    """Nothing that a markdown reader would turn into an image, a link, a tag or a live address."""
    assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(\w+:|(?<!\\)<\w", markdown), markdown
    assert not re.search(r"https?://|www\.evil|:(?:red|material)\[", re.sub(r"`[^`]*`", "", markdown)), markdown


@pytest.mark.sample(3)
@pytest.mark.parametrize("where", PLACES, ids=lambda w: "-".join(w.values()))
def test_no_place_breaks_when_the_api_dies(fake: Fake, monkeypatch: pytest.MonkeyPatch, where: dict[str, str]) -> None:
    """The page says that nobody answers, keeps HALT, and looks for the API again."""
    at = page(**where)
    monkeypatch.setenv("NIGHTDESK_API_URL", "http://127.0.0.1:9")
    from app.ui import page_client

    monkeypatch.setattr(
        page_client, "open_client", lambda: page_client.PageClient(page_client.Client("http://127.0.0.1:9"), known=True)
    )
    at.run()
    assert not at.exception
    assert "Retrying every two seconds" in texts_of(at)
    assert "halt_now" in [b.key for b in at.button]
