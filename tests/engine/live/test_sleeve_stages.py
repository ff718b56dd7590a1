"""Versions and stages a sleeve on a desk that trades: what an event says, what keeps its version, how a sleeve leaves trading."""

from typing import Any

import pytest

from app.home.home import Home
from app.people import approvals
from app.people.identity import Actor
from engine.book import transitions
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.control import proposals
from engine.core.desk import decide_all
from engine.live.feed import Feed
from engine.live.loop import Loop
from engine.store.journal import read
from engine.watch.desk_view import desk_view
from tests.fakes.papers import BAR_MS, WALL_MS, advanced, advanced_until, loop_of, ordering, reconfigured

ANN = Actor("ann", "claimed", "ann", "test")


def configs(loop: Loop) -> list[dict]:
    """The desk's config events, oldest first."""
    return [dict(e.body) for e in read(loop.journal.path, {"config"}) if "sha256" in e.body]


def marked(loop: Loop, name: str) -> dict:
    """A sleeve in the last mark."""
    return dict(list(read(loop.journal.path, {"mark"}))[-1].body["sleeves"][name])


def stages(loop: Loop, name: str) -> tuple[str | None, str | None]:
    """(stage, stage_reached) of a sleeve in the last mark."""
    body = marked(loop, name)
    return body.get("stage"), body.get("stage_reached")


def test_the_config_event_lists_the_version_of_every_sleeve(home: Home, loop: Loop) -> None:
    """The desk's number moves with each change, a sleeve's own only with its own; the next decisions say it."""
    advanced_until(loop, lambda book: not ordering(book) and not any(s.position.open_layers for s in book.sleeves))
    assert reconfigured(home, "btc-trend", stop_atr=3.0) == 2
    loop.poll_controls()
    assert reconfigured(home, "eth-trend", stop_atr=3.0) == 3
    loop.poll_controls()
    lists = [(c["version"], [s["version"] for s in c["sleeves"]]) for c in configs(loop)]
    assert lists == [(1, [1, 1, 1]), (2, [2, 1, 1]), (3, [2, 2, 1])]
    assert [spec.version for spec in loop.book.specs] == [2, 2, 1]
    assert {name: marked(loop, name)["version"] for name in loop.book.names} == dict(zip(loop.book.names, (2, 2, 1), strict=True))
    advanced_until(loop, lambda book: book.sleeves[0].order.side != 0)
    entry = [e.body for e in read(loop.journal.path, {"decision"}) if e.body["sleeve"] == "btc-trend"][-1]
    assert (entry["action"], entry["version"]) == ("enter", 2)


def test_a_retired_sleeve_winds_down_and_is_then_retired(home: Home, feed: Feed, loop: Loop) -> None:
    """With a position open: no entry, its exits go on, over a restart too; flat it has reached what people want."""
    advanced_until(loop, lambda book: book.sleeves[0].position.open_layers > 0)
    reconfigured(home, "btc-trend", stage="retired")
    advanced(loop, 1)
    began = len(list(read(loop.journal.path, {"decision"})))
    assert stages(loop, "btc-trend") == ("retired", "winding_down")
    assert desk_view(home.path, home.engine).sleeves["btc-trend"]["stage_reached"] == "winding_down"
    loop.journal.close()
    loop = loop_of(home, feed, fold(home.desk_journal))
    advanced_until(loop, lambda book: book.sleeves[0].position.open_layers == 0)
    assert stages(loop, "btc-trend") == ("retired", None)
    advanced(loop, 300)
    after = [e.body for e in list(read(loop.journal.path, {"decision"}))[began:] if e.body["sleeve"] == "btc-trend"]
    assert not [b for b in after if b["action"] in ("enter", "add")]
    assert "entries paused" in {b.get("refused_by") for b in after}, "the market gave no signal, or this says little"
    assert [b for b in after if b["action"] in ("exit", "hold")] or loop.book.sleeves[0].ledger.trips > 0
    assert {e.body["sleeve"] for e in read(loop.journal.path, {"intent"})} > {"eth-trend"}, "the others trade on"
    assert to_json(fold(home.desk_journal, whole=True)) == to_json(loop.book)
    loop.journal.close()


def test_an_entry_order_of_a_retired_sleeve_is_cancelled(home: Home, loop: Loop) -> None:
    """Decided before the approval, still at the venue: it does not become a position afterwards."""
    advanced_until(loop, lambda book: book.sleeves[0].order.side != 0 and book.sleeves[0].position.open_layers == 0)
    reconfigured(home, "btc-trend", stage="retired")
    loop.poll_controls()
    assert loop.book.sleeves[0].order.side == 0
    advanced(loop, 3)
    assert loop.book.sleeves[0].position.open_layers == 0
    assert stages(loop, "btc-trend") == ("retired", None)
    ends = [e.body for e in read(loop.journal.path, {"order"}) if e.body["sleeve"] == "btc-trend"][-2:]
    assert [(b["state"], b["filled_lots"]) for b in ends] == [("cancelling", 0), ("done", 0)]


def test_a_pause_with_an_end_is_over_by_the_desks_own_clock(
    home: Home, feed: Feed, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No entry before its end and none a bar late; the journal says when it resumed, and folds to the same book."""
    advanced_until(loop, lambda book: not ordering(book) and book.sleeves[0].position.open_layers == 0)
    advanced(loop, 1)
    end = loop.book.close_ms + 200 * BAR_MS
    reconfigured(home, "btc-trend", paused=True, resumes_ms=end)
    keys = loop.book.sleeves[0].entries
    advanced(loop, 199)
    assert (loop.book.sleeves[0].entries, marked(loop, "btc-trend")["resumes_ms"]) == (keys, end)
    assert desk_view(home.path, home.engine).sleeves["btc-trend"]["paused"]
    loop.journal.close()
    loop = loop_of(home, feed, fold(home.desk_journal))
    decided: list[int] = []

    def seen(m: Any, *rest: Any) -> Any:
        decided.append(m.sleeves[0].guard.paused)
        return decide_all(m, *rest)

    monkeypatch.setattr(transitions, "decide_all", seen)
    advanced(loop, 1)
    assert decided == [0], "the close at its end decides already"
    told = [e for e in read(loop.journal.path, {"config"}) if e.body.get("state") == "resumes"]
    assert [(e.body["sleeve"], e.t_event_ms) for e in told] == [("btc-trend", end)]
    assert not {"paused", "resumes_ms"} & set(marked(loop, "btc-trend"))
    advanced_until(loop, lambda book: book.sleeves[0].entries > keys)
    assert to_json(fold(home.desk_journal, whole=True)) == to_json(loop.book)
    loop.journal.close()


def test_every_event_of_a_sleeve_carries_its_version(home: Home, loop: Loop) -> None:
    """Orders, executions and decisions say by which version of their sleeve they are."""
    advanced_until(loop, lambda book: not ordering(book) and book.sleeves[0].position.open_layers == 0)
    reconfigured(home, "btc-trend", stop_atr=3.0)
    advanced_until(loop, lambda book: book.sleeves[0].position.open_layers > 0)
    advanced_until(loop, lambda book: book.sleeves[0].position.open_layers == 0)
    seen = {}
    for e in read(loop.journal.path, {"decision", "intent", "order", "fill"}):
        if e.body["sleeve"] == "btc-trend":
            seen[e.kind] = e.body["version"]
    assert seen == {"decision": 2, "intent": 2, "order": 2, "fill": 2}
    assert {e.body["version"] for e in read(loop.journal.path, {"fill"}) if e.body["sleeve"] != "btc-trend"} == {1}


def test_a_draft_enters_nothing_until_it_is_on_paper(home: Home, loop: Loop) -> None:
    """Refused by the core's own rule while it is a draft; on paper again it enters, and the mark says nothing of it."""
    advanced_until(loop, lambda book: not ordering(book) and book.sleeves[0].position.open_layers == 0)
    reconfigured(home, "btc-trend", stage="draft")
    keys = loop.book.sleeves[0].entries
    advanced(loop, 400)
    assert (loop.book.sleeves[0].entries, stages(loop, "btc-trend")) == (keys, ("draft", None))
    assert "paused" not in marked(loop, "btc-trend")
    reconfigured(home, "btc-trend", stage="paper")
    advanced_until(loop, lambda book: book.sleeves[0].entries > keys)
    assert stages(loop, "btc-trend") == (None, None)


def test_an_order_in_doubt_keeps_a_flat_sleeve_settling(home: Home, loop: Loop) -> None:
    """Flat, but the venue has not said what became of an order: not yet retired."""
    advanced_until(loop, lambda book: not ordering(book) and book.sleeves[0].position.open_layers == 0)
    reconfigured(home, "btc-trend", stage="retired")
    loop.poll_controls()
    assert loop.book.stage_reached(0) == "retired"
    loop.book.sleeves[0] = loop.book.sleeves[0]._replace(in_doubt=100.0)
    assert loop.book.stage_reached(0) == "settling"
    assert loop.book.stage_reached(1) == "paper"


def tightened(home: Home, sleeve: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Ann approves a lower leverage of a sleeve, for its open position too; the desk's version."""
    monkeypatch.setattr(proposals, "check_evidence", lambda *_args: None)
    who = {"role": "operator", "thread": "", "person": "ann"}
    given = {"changes": {"leverage_max": 2.0}, "rationale": "calm", "evidence": [], "requester": who, "now_ms": WALL_MS}
    row = proposals.create(home.engine, home.path, sleeve=sleeve, apply_to_open=True, **given)
    version = approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS).version
    assert version is not None
    return version


def test_a_tightening_for_the_open_position_holds_although_another_card_came_after_it(
    home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cards approved between two bars: the desk adopts both at once, and the first one still reaches its position."""
    advanced_until(loop, lambda book: book.sleeves[0].position.open_layers > 0)
    tightened(home, "btc-trend", monkeypatch)
    version = reconfigured(home, "eth-trend", stop_atr=3.0)
    advanced(loop, 1)
    lead = configs(loop)[-1]
    assert (lead["version"], lead["to_open"]) == (version, ["btc-trend"])
    assert (loop.book.specs[0].version, loop.book.specs[0].rules.leverage_max) == (2, 2.0)
    reconfigured(home, "sol-reversion", stop_atr=3.0)
    advanced(loop, 1)
    assert configs(loop)[-1]["to_open"] == [], "it is asked once, for the version that moved"


def test_a_journal_from_before_sleeves_had_versions_is_gone_on_with(home: Home, loop: Loop) -> None:
    """A config event without a sleeve's version and stage: the desk's counts, and it trades on paper."""
    from engine.book.transitions import begin

    body = configs(loop)[0]
    old = {
        **body,
        "version": 7,
        "sleeves": [{k: v for k, v in s.items() if k not in ("version", "stage")} for s in body["sleeves"]],
    }
    book, _ = begin(old)
    assert [(spec.version, spec.enters_nothing(book.close_ms)) for spec in book.specs] == [(7, False)] * 3
    assert [book.stage_reached(s) for s in range(3)] == ["paper"] * 3
