"""The morning handover on a hand-written journal: its day, its figures to the cent, what waits, and its journal heads."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.clock import DAY_MS
from engine.control import halt
from engine.errors import JournalBroken
from engine.store import db as database
from engine.store.journal import Event, Journal, find
from engine.store.opened import head_of
from engine.store.tables import Proposal
from engine.watch.alert_rows import AlertPolicy, acknowledge, apply_findings
from engine.watch.handover import LISTED, make_handover
from engine.watch.incidents import MONEY
from engine.watch.observation import Finding
from engine.watch.window import journal_of

D0 = 20_000 * DAY_MS  # 2024-10-04
HOUR = 3_600_000
NOW = D0 + 3 * DAY_MS
CONFIG = {"start": {"source": "recorded", "timeframe_ms": 900_000}, "sleeves": []}


def sleeve(equity: float, quantity: float = 0.0, price: float = 0.0) -> dict[str, Any]:
    """A sleeve of a mark; long when it holds something."""
    held = {"side": "long", "quantity": quantity, "notional": quantity * price} if quantity else None
    return {"equity": equity, "position": held}


def mark(t: int, btc: dict[str, Any], sol: dict[str, Any]) -> Event:
    """A mark of both sleeves."""
    body = {"equity": btc["equity"] + sol["equity"], "version": 3, "stamp": "PAPER", "sleeves": {"btc": btc, "sol": sol}}
    return Event("mark", t, body)


def fill(t: int, name: str, side: str, quantity: float, price: float, reference: float, fee: float) -> Event:
    """A fill."""
    body = {"sleeve": name, "side": side, "quantity": quantity, "price": price, "reference_price": reference, "fee": fee}
    return Event("fill", t, body)


def written(home: Path, groups: list[list[Event]]) -> Path:
    """A desk journal of these groups behind its configuration."""
    journal = Journal(journal_of(home), "worker")
    for group in [[Event("config", D0, CONFIG)], *groups]:
        journal.append(group, sync=False)
    journal.close()
    return home


def refusal(t: int, rule: str) -> Event:
    """A refused entry."""
    return Event("decision", t, {"sleeve": "btc", "action": "refused", "refused_by": rule})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Day one: flat, then a fill at midnight. Day two: one entry, funding, three refusals, a breaker."""
    day = D0 + DAY_MS
    groups = [
        [mark(D0 + HOUR, sleeve(10_000.0), sleeve(5_000.0))],
        [fill(day, "sol", "buy", 1.0, 100.0, 100.0, 0.5), mark(day, sleeve(10_000.0), sleeve(4_999.5, 1.0, 100.0))],
        [
            fill(day + HOUR, "btc", "buy", 2.0, 50.1, 50.0, 0.1),
            refusal(day + HOUR, "leverage_max"),
            mark(day + HOUR, sleeve(9_999.7, 2.0, 50.0), sleeve(4_999.5, 1.0, 100.0)),
        ],
        [
            Event("funding", day + 2 * HOUR, {"sleeve": "btc", "cash_flow": -0.25}),
            refusal(day + 2 * HOUR, "leverage_max"),
            refusal(day + 2 * HOUR, "entries paused"),
            Event("decision", day + 2 * HOUR, {"sleeve": "btc", "action": "hold"}),
            Event("breaker", day + 2 * HOUR, {"sleeve": "btc", "breaker": "loss streak"}),
            Event("breaker", day + 2 * HOUR, {"sleeve": None, "breaker": "desk drawdown"}),
            Event("order", day + 2 * HOUR, {"sleeve": "btc", "state": "rejected"}),
            Event("order", day + 2 * HOUR, {"sleeve": "btc", "state": "working"}),
            mark(day + 2 * HOUR, sleeve(9_999.45, 2.0, 50.0), sleeve(4_999.5, 1.0, 100.0)),
        ],
        [mark(day + DAY_MS, sleeve(10_003.45, 2.0, 52.0), sleeve(4_989.5, 1.0, 90.0))],
        [
            refusal(day + DAY_MS + HOUR, "layers_max"),
            mark(day + DAY_MS + HOUR, sleeve(10_001.45, 2.0, 51.0), sleeve(4_989.5, 1.0, 90.0)),
        ],
    ]
    return written(tmp_path, groups)


def test_yesterday_is_the_last_whole_utc_day_of_the_desk_with_its_figures_to_the_cent(home: Path, sqlite: Engine) -> None:
    """The bar that closes at midnight ends the day before; what the first hour of today did is not in it."""
    _, body = make_handover(home, sqlite, NOW)
    assert body["day"] == "2024-10-05"
    # btc: bought 2 at 50.1 (50 clean), marked at 52: +4.00 price, -0.20 slippage, -0.10 fee, -0.25 funding; sol: 100 -> 90
    assert body["pnl"] == {
        "change": -6.55,
        "price": -6.0,
        "fees": -0.1,
        "funding": -0.25,
        "slippage": -0.2,
        "unexplained": 0.0,
        "sleeves": {"btc": 3.45, "sol": -10.0},
    }
    assert (body["fills"], body["rejected"]) == (1, 1)
    assert body["refused"] == {"leverage_max": 2, "entries paused": 1}
    assert body["breakers"] == ["loss streak (btc)", "desk drawdown (desk)"]
    assert (body["source"], body["stamp"], body["desk_ms"]) == ("recorded", "PAPER", D0 + 2 * DAY_MS + HOUR)


def test_what_the_desk_holds_is_of_now_not_of_yesterday(home: Path, sqlite: Engine) -> None:
    """Equity and positions are the last mark's, an hour into today."""
    text, body = make_handover(home, sqlite, NOW)
    assert body["equity"] == pytest.approx(14_990.95)
    assert body["positions"] == {"btc": "long 2", "sol": "long 1"}
    assert "Now: equity 14,990.95, btc long 2, sol long 1, configuration version 3" in text


def test_the_text_says_the_figures_of_the_body(home: Path, sqlite: Engine) -> None:
    """One line for the result with its parts and each sleeve, one for what was refused."""
    lines = make_handover(home, sqlite, NOW)[0].splitlines()
    assert lines[0] == (
        "Desk day 2024-10-05 (PAPER, recorded bars): P&L -6.55 (price -6.00, fees -0.10, funding -0.25, slippage -0.20). "
        "btc +3.45, sol -10.00"
    )
    assert lines[1] == (
        "1 fills; refused: 2 by leverage_max, 1 by entries paused; rejected: 1; breakers: loss streak (btc), desk drawdown (desk)"
    )
    assert lines[3:5] == ["Proposals waiting for approval: none", "No open alerts."]


@pytest.mark.parametrize(("last", "day"), [(DAY_MS - 1, "2024-10-03"), (DAY_MS, "2024-10-04"), (DAY_MS + 1, "2024-10-04")])
def test_the_day_turns_with_the_bar_that_closes_at_midnight(tmp_path: Path, sqlite: Engine, last: int, day: str) -> None:
    """One millisecond before midnight the day is not whole; at midnight it is."""
    home = written(tmp_path, [[mark(D0 + last, sleeve(10_000.0), sleeve(5_000.0))]])
    assert make_handover(home, sqlite, NOW)[1]["day"] == day


def test_a_day_without_a_bar_has_no_profit_of_zero(tmp_path: Path, sqlite: Engine) -> None:
    """A desk that began this morning: its P&L of yesterday is null and the text says that no bar was decided."""
    home = written(tmp_path, [[mark(D0 + DAY_MS + HOUR, sleeve(10_000.0), sleeve(5_000.0))]])
    text, body = make_handover(home, sqlite, NOW)
    assert body["pnl"] is None
    assert text.startswith("Desk day 2024-10-04 (PAPER, recorded bars): no bar decided.")
    assert "Now: equity 15,000.00, flat, configuration version 3" in text


def test_a_desk_that_never_ran_hands_over_that(tmp_path: Path, sqlite: Engine) -> None:
    """No journal: no figures, empty heads, and no exception at six in the morning."""
    text, body = make_handover(tmp_path, sqlite, NOW)
    assert body["desk_ms"] is None
    assert "pnl" not in body
    assert [head["seq"] for head in body["heads"].values()] == [0, 0]
    assert text.splitlines()[0] == "No bar decided yet."
    assert "Journal heads: desk empty 0000000000000000, people empty 0000000000000000" in text


def test_the_first_handover_of_an_account_is_not_called_paper(tmp_path: Path, sqlite: Engine) -> None:
    """The mark of a start, before the first bar, has no stamp: what the desk trades has."""
    started = mark(D0, sleeve(100.0), sleeve(100.0))
    started.body.pop("stamp")
    journal = Journal(journal_of(tmp_path), "worker")
    journal.append([Event("config", D0, {**CONFIG, "start": CONFIG["start"] | {"mode": "live"}}), started], sync=False)
    journal.close()
    text, body = make_handover(tmp_path, sqlite, NOW)
    assert body["stamp"] == "LIVE"
    assert "(LIVE, recorded bars)" in text


def test_its_heads_are_records_of_the_journals(home: Path, sqlite: Engine) -> None:
    """Whoever kept the message can look the record up: number and hash are those of the last whole group."""
    journal = Journal(home / "journal" / "people.jsonl", "cli")
    journal.append([Event("ask", NOW, {"text": "why"})])
    journal.close()
    heads = make_handover(home, sqlite, NOW)[1]["heads"]
    for name in ("desk", "people"):
        event = find(home / "journal" / f"{name}.jsonl", heads[name]["id"])
        assert event is not None
        assert (event.seq, event.hash, event.left) == (heads[name]["seq"], heads[name]["hash"], 0)


def test_a_torn_end_is_not_the_head_and_a_damaged_one_stops_the_handover(home: Path, sqlite: Engine) -> None:
    """Half a line is what a crash leaves: the head is the record before it. A finished line that was edited is damage."""
    path = journal_of(home)
    whole = path.read_bytes()
    before = head_of(path)
    path.write_bytes(whole + b'{"seq":99,"id":"d-')
    assert head_of(path) == before
    path.write_bytes(whole.replace(b'"equity":14990.95', b'"equity":99990.95'))
    assert path.read_bytes() != whole
    with pytest.raises(JournalBroken, match="does not carry its own hash"):
        make_handover(home, sqlite, NOW)


def found(n: int) -> Finding:
    """The n-th of many alerts."""
    return Finding(f"x{n}", "bars", "page", f"no bars of {n}", "BTC", NOW, "look", {}, "", 0)


def test_open_alerts_are_listed_with_who_has_seen_them_and_a_flood_is_cut(home: Path, sqlite: Engine) -> None:
    """Eight lines at most; the body has all of them."""
    apply_findings(sqlite, [found(n) for n in range(LISTED + 3)], frozenset(), NOW, AlertPolicy(), [])
    acknowledge(sqlite, "al-1", {"name": "ann"}, NOW)
    text, body = make_handover(home, sqlite, NOW)
    assert len(body["alerts"]) == LISTED + 3
    assert sum(alert["acked"] for alert in body["alerts"]) == 1
    lines = [line for line in text.splitlines() if line.startswith("Open alert")]
    assert len(lines) == LISTED
    assert all("page" in line and "no bars of" in line for line in lines)
    assert "No open alerts." not in text


def test_what_waits_and_a_halt_come_first(home: Path, sqlite: Engine) -> None:
    """A halted desk is the first line; an expired proposal does not wait any more."""
    row = {"kind": "change", "base_version": 1, "diff": "{}", "diff_sha256": "x", "direction": "loosens", "created_ms": NOW}
    with database.write(sqlite) as session:
        session.add(Proposal(id="prop-1", sleeve="btc", expires_ms=NOW + 1, **row))
        session.add(Proposal(id="prop-2", sleeve="sol", expires_ms=NOW, **row))
    text, body = make_handover(home, sqlite, NOW)
    assert [p["id"] for p in body["proposals"]] == ["prop-1"]
    assert "Proposals waiting for approval: prop-1 LOOSENS btc" in text
    halt.set(home, "odd prices", {"name": "ann"}, NOW, sqlite)
    text, body = make_handover(home, sqlite, NOW)
    assert text.splitlines()[0] == "The desk is HALTED by ann: odd prices"
    assert body["halt"] == {"halted": True, "by": "ann", "reason": "odd prices"}
    assert body["proposals"] == []


def test_an_incident_that_nobody_has_closed_is_handed_over(home: Path, sqlite: Engine) -> None:
    """From its first hour on: the alert about it comes after a day, and a shift is shorter. One that is closed is not."""
    about = {"taken": True, "by": "mara", "cause": "odd fills", "sleeves": ["btc"], "instruments": ["binance:BTC-USDT:perp"]}
    journal = Journal(journal_of(home), "worker")
    at = D0 + 2 * DAY_MS + 2 * HOUR
    for n, name in enumerate(("w1", "w2")):
        journal.append([Event("window", at + n, about | {"window": name, "what": "open"})])
    journal.append([Event("window", at + 9, about | {"window": "w1", "what": "close", "money": dict.fromkeys(MONEY, 0.0)})])
    journal.close()
    text, body = make_handover(home, sqlite, NOW)
    assert [one["id"] for one in body["incidents"]] == ["w2"]
    assert "Open incident w2 since 2024-10-06 02:00Z: odd fills (btc, binance:BTC-USDT:perp)" in text.splitlines()
