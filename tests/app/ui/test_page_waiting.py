"""What waits for a person and what a click can start: watches, newer bars, a halt's end, a sleeve to ask about, challengers."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from app.ui import data_pull, halt, head, inputs, parts, strips, urgent
from app.ui.chat import asked_of
from engine.live import halt as live_halt
from engine.watch import halt_left
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import NOW_MS, desk, sleeve
from tests.app.ui.looking import page, texts_of

WATCH = {"id": "w-3", "text": "BTC-USDT below 60,000", "state": "asked"}


def test_a_watch_that_a_chat_asked_for_waits_with_the_proposals() -> None:
    """One that is in force asks for nothing; the head counts those that wait."""
    (line,) = urgent.needs([], [], None, [WATCH, {**WATCH, "id": "w-2", "state": "active"}])
    assert (line.strong, line.look, line.to and line.to.where["view"]) == ("w-3 waits,", "wrn", "alerts")
    assert "not watched yet: BTC-USDT below 60,000" in line.rest
    (badge,) = head._waits({"pending": 1, "watches_asked": 2}, [])
    assert badge.text == "▲ 3 wait"


@pytest.mark.parametrize(("source", "pulls"), [("recorded", True), ("pulled", True), ("synthetic", False), ("live", False)])
def test_bars_that_a_venue_has_are_fetched_by_a_button(source: str, pulls: bool) -> None:
    """Synthetic bars have no newer ones, and live ones come by themselves."""
    waits = desk() | {"source": source, "worker": {"running": True, "phase": "waiting"}, "checks": [], "now_ms": NOW_MS * 2}
    (strip,) = strips.found(waits, [], [sleeve("btc-trend")])
    pull = "nightdesk data pull --venue binance --symbol BTC-USDT --timeframe 15m"
    assert (strip.pulls, strip.command) == (pulls, "nightdesk doctor" if source == "live" else pull)
    (strip,) = strips.found(waits | {"source": "synthetic"}, [], [sleeve("btc-trend") | {"venue": "synthetic"}])
    assert strip.command == "nightdesk data pull", "a venue that has none"


def test_newer_bars_are_those_of_the_sleeves() -> None:
    """One request a timeframe; the sleeves' own venues first, a synthetic one left out."""
    of = [
        {"symbol": "BTC-USDT", "venue": "okx", "timeframe": "15m"},
        {"symbol": "ETH-USDT", "venue": "synthetic", "timeframe": "15m"},
        {"symbol": "BTC-USDT", "venue": "okx", "timeframe": "1h"},
    ]
    first, second = data_pull.wanted(of)
    assert (first["symbols"], first["venues"][0], first["timeframe"]) == (["BTC-USDT", "ETH-USDT"], "okx", "15m")
    assert (second["symbols"], sorted(second["venues"]), second["timeframe"]) == (
        ["BTC-USDT"],
        ["binance", "bybit", "okx"],
        "1h",
    )


def test_an_incomplete_halt_of_an_account_says_until_when_it_tries() -> None:
    """While it does and after it has; of a simulated venue it says nothing of tries."""
    text = halt.tries({"tries_until_ms": NOW_MS, "tried": False}, NOW_MS)
    assert text.startswith("The desk tries until")
    assert "until about" in text
    ended = halt.tries({"tries_until_ms": NOW_MS, "tried": True}, NOW_MS)
    assert "tries no more: close the rest at the venue" in ended
    assert halt.tries({"tries_until_ms": None, "tried": False}, NOW_MS) == ""
    waits = (live_halt.BACKOFF_S[min(n, len(live_halt.BACKOFF_S) - 1)] for n in range(live_halt.TRIES_MAX))
    least = live_halt.OWN_EXITS_S + sum(waits)
    assert abs(halt_left.TRIES_S - least) <= 1.0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("why did it not trade?", "why did it not trade, btc-trend?"),
        ("how is it doing", "how is it doing, btc-trend"),
        ("how is BTC-trend doing?", "how is BTC-trend doing?"),
        ("/halt now", "/halt now"),
    ],
)
def test_a_question_of_a_sleeve_names_it(text: str, wanted: str) -> None:
    """Where it does not yet; what stops the desk is sent as it was typed."""
    assert asked_of(text, "btc-trend") == wanted
    assert asked_of(text, "") == text


def version(name: str, state: str, **more: Any) -> dict[str, Any]:
    """A line of /api/trained-models."""
    return {
        "name": name.partition("@")[0],
        "version": name.partition("@")[2],
        "state": state,
        "sleeves": ["btc-vol"] if state == "champion" else [],
        "error": "",
        "figure": "R2",
        "value": 0.45,
        "low": 0.42,
        "high": 0.48,
        "folds": [0.1, 0.42, 0.7],
        "baselines": ["HAR 0.430, better by 0.020 (0.010 to 0.030)"],
        "shadow_of": "",
        "shadow_days": None,
        "promotable": True,
        "gates": "every gate passed",
    } | more


def test_challengers_are_below_their_champion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figure, interval, folds, baselines, days of shadow and gates; none for a model that no sleeve reads, or of one version."""
    drawn: list[Any] = []
    monkeypatch.setattr(parts, "table", lambda heads, rows, **_: drawn.append([heads, rows]))
    monkeypatch.setattr(parts, "head", lambda *_: None)
    lines: list[Mapping[str, Any]] = [
        version("vol-btc@1.3.0", "draft", shadow_of="btc-vol", shadow_days=3.25),
        version("vol-btc@1.2.0", "champion"),
        version("vol-btc@1.1.0", "retired"),
        version("vol-eth@1.0.0", "draft"),
        version("regime-btc@1.0.0", "champion"),
    ]
    inputs.challengers(lines)
    ((heads, rows),) = drawn
    assert [row[0] for row in rows] == ["vol-btc@1.2.0 ● champion of btc-vol", "vol-btc@1.3.0"]
    assert rows[1][1:4] == ("R2 0.450 (0.420 to 0.480)", "0.10, 0.42, 0.70", "HAR 0.430, better by 0.020 (0.010 to 0.030)")
    assert (rows[1][4], rows[1][5]) == ("3.3 days, btc-vol", ("● every gate passed", ""))
    assert len(heads) == len(rows[0])
    inputs.challengers(lines[3:])
    assert len(drawn) == 1


@pytest.mark.parametrize("meanwhile", [None, "pending", "applied", "other sleeve"])
def test_a_proposal_that_went_stale_is_said_until_it_is_proposed_again(fake: Fake, meanwhile: str | None) -> None:
    """After a halt, or another approval, nothing of it waits any more: the reason and the way on."""
    old = fake.proposals["prop-1"] | {"state": "stale", "state_reason": "a halt began: news", "expires_ms": NOW_MS + 1000}
    fake.proposals = {"prop-1": old}
    if meanwhile:
        other = {"created_ms": old["created_ms"] + 1, "state": meanwhile if meanwhile in ("pending", "applied") else "applied"}
        sleeve = "eth-trend" if meanwhile == "other sleeve" else old["sleeve"]
        fake.proposals["prop-2"] = old | other | {"id": "prop-2", "sleeve": sleeve}
    text = texts_of(page(tab="desk"))
    said = "prop-1 is stale," in text
    assert said == (meanwhile in (None, "other sleeve"))
    if said:
        assert "a halt began: news. Nobody can approve it." in text
        assert re.search(r"tab=proposals&amp;proposal=prop-1\"[^>]*>propose again</a>", text)


def test_a_stale_proposal_whose_time_is_over_is_quiet(fake: Fake) -> None:
    """It would have expired."""
    fake.proposals = {"prop-1": fake.proposals["prop-1"] | {"state": "stale", "expires_ms": NOW_MS - 1}}
    assert "is stale," not in texts_of(page(tab="desk"))
