"""Levels to hear about: a role asks, a person confirms, an alert opens while one is passed; nothing is traded."""

from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people import watches as people
from app.people.identity import Actor
from engine.control import watches
from engine.control.config import DeskConfig, SleeveConfig, validated, write_first
from engine.control.halt import Latch
from engine.control.limits import HardLimits
from engine.errors import BadInput, DeskError, Refused
from engine.store.journal import read
from engine.watch import alert_rows, levels
from engine.watch.detectors import evaluate
from engine.watch.health import HealthCheck
from engine.watch.levels import alerted, watched
from engine.watch.observation import DeskObservation, Finding
from engine.watch.window import journal_of, mark_at
from tests.tools.desk_journal import END, mark, write_desk
from tools.catalog import call

ANN = Actor("ann", "claimed", "ann", "test")
NOW = 1_800_000_000_000
PRICE = {"metric": "price", "subject": "btc", "beyond": "below", "level": 95.0}


@pytest.fixture
def ctx(make_ctx: Any, db: Any) -> Any:
    """A desk that has walked two days; its last bar closed at 95."""
    sleeve = SleeveConfig(name="trend-btc", strategy="trend", venue="binance", symbol="BTC-USDT")
    write_first(db, validated(DeskConfig(sleeves=(sleeve,))), 0, "test")
    made = make_ctx("operator", desk_ms=END)
    write_desk(made.home, last=mark(994.59, 0.0, 95.0) | {"stamp": "PAPER"})
    return made


def alerts_of(ctx: Any) -> list[tuple[str, str]]:
    """What the watch finds: fingerprint and text."""
    return [(f.fingerprint, f.what) for f in findings_of(ctx)]


def findings_of(ctx: Any) -> list[Finding]:
    """What the watch finds of levels."""
    last = mark_at(journal_of(ctx.home))
    found = watched(journal_of(ctx.home), last, watches.in_force(ctx.engine), alerted(ctx.engine))
    checks = {name: HealthCheck(name, "ok", "fine") for name in ("worker", "protective orders", "journals", "disk")}
    seen = DeskObservation(
        now_ms=NOW, checks=checks, mark=last, config={"sleeves": [], "start": {"timeframe_ms": 900_000}}, pid=7, absent_ms=None,
        heartbeat={"phase": "running", "bars_per_second": 1.0, "wall_ms": NOW}, phase_ms=NOW, exits=(), limits=HardLimits(),
        halt=Latch(False), watched=found,
    )  # fmt: skip
    return [f for f in evaluate(seen)[0] if f.kind == "level"]


@pytest.mark.parametrize(
    ("beyond", "level", "closes", "opened"),
    [("below", 95.0, (95.0, 95.2, 94.9, 95.4, 94.8), 1), ("below", 95.0, (94.0, 95.5, 94.9), 2),
     ("above", 95.0, (96.0, 94.7, 95.1), 1), ("above", 95.0, (96.0, 94.5, 95.1), 2)],
)  # fmt: skip
def test_a_price_that_hovers_at_its_level_opens_one_alert(
    ctx: Any, monkeypatch: pytest.MonkeyPatch, beyond: str, level: float, closes: tuple[float, ...], opened: int
) -> None:
    """It is over, and armed again, half a percent back and no sooner; alert and watch say where that is."""
    wish = watches.wish_of(ctx.engine, ctx.home, "price", "btc", beyond, level)
    row = watches.put_in_force(ctx.engine, wish, ANN.as_json(), ctx.now_ms)
    steps: list[str] = []
    for n, close in enumerate(closes):
        monkeypatch.setattr(levels, "_value", lambda *_, at=close: (at, at))
        found = findings_of(ctx)
        assert all(watches.view(row)["rearms"] in f.action for f in found)
        for later in (0, 20_000):  # the second time what is no longer found has been gone for long enough
            changes = alert_rows.apply_findings(ctx.engine, found, (), NOW + 60_000 * n + later, alert_rows.AlertPolicy(), ())
            steps += [change.step for change in changes]
    assert steps.count("opened") == opened
    assert f"{'95.475 or above' if beyond == 'below' else '94.525 or below'}" in watches.view(row)["rearms"]


def test_a_day_s_loss_comes_back_by_a_tenth_of_the_level_at_least_by_one() -> None:
    """A level near zero has a margin too."""
    wish = watches.WatchWish("day_pnl", "desk", "below", -200.0)
    assert (wish.rearm(), wish._replace(level=0.0).rearm(), wish._replace(beyond="above", level=50.0).rearm()) == (
        -180.0,
        1.0,
        45.0,
    )


def test_a_role_asks_and_only_a_persons_click_puts_it_in_force(ctx: Any) -> None:
    """Asked: no alert. Confirmed: the alert opens, says level and value; removed: it is over. The act is journaled."""
    result = call(ctx, "propose_watch", PRICE)
    assert (result.status, result.data["watch"], result.evidence[0]) == ("ok", "w-1", ("watch", "w-1"))
    assert "not in force yet" in result.text
    assert alerts_of(ctx) == []
    watches.decide(ctx.engine, "w-1", "active", ANN.as_json(), ctx.now_ms)
    ((name, text),) = alerts_of(ctx)
    assert (name, "price of binance:BTC-USDT:perp below 95 (w-1); now 95" in text) == ("level:w-1", True)
    ctx.proposed = False
    assert "passed" in str(call(ctx, "watches", {}).table)
    watches.decide(ctx.engine, "1", "removed", ANN.as_json(), ctx.now_ms)
    assert alerts_of(ctx) == []
    assert [e.body["act"] for e in read(ctx.home / "journal" / "people.jsonl", {"watch"})] == ["ask"]
    with pytest.raises(Refused, match="removed already"):
        watches.decide(ctx.engine, "w-1", "active", ANN.as_json(), ctx.now_ms)


@pytest.mark.parametrize(
    ("metric", "subject", "beyond", "level", "passed"),
    [("price", "BTC-USDT", "below", 94.9, False), ("price", "binance:BTC-USDT:perp", "above", 95.0, True),
     ("day_pnl", "desk", "below", -9.14, True), ("day_pnl", "trend-btc", "below", -9.16, False),
     ("equity", "desk", "above", 994.0, True), ("equity", "trend-btc", "above", 995.0, False)],
)  # fmt: skip
def test_each_level_is_judged_at_the_last_bar(
    ctx: Any, metric: str, subject: str, beyond: str, level: float, passed: bool
) -> None:
    """A price by the bar's own extreme, money by the marks: the day's P&L is equity against the last mark of the day before."""
    wish = watches.wish_of(ctx.engine, ctx.home, metric, subject, beyond, level)
    watches.put_in_force(ctx.engine, wish, ANN.as_json(), ctx.now_ms)
    assert bool(alerts_of(ctx)) is passed


@pytest.mark.parametrize(
    "wish",
    [{"subject": "DOGE"}, {"subject": ""}, {"level": 0.0}, {"level": -5.0}, {"metric": "day_pnl", "subject": "nobody"},
     {"level": 1e13}, {"beyond": "around"}],
)  # fmt: skip
def test_a_watch_on_what_the_desk_has_not_is_refused(ctx: Any, wish: dict[str, Any]) -> None:
    """One clear line, and no row."""
    assert call(ctx, "propose_watch", PRICE | wish).status in ("failed", "refused")
    with pytest.raises(DeskError):
        watches.wish_of(ctx.engine, ctx.home, *(PRICE | wish).values())
    assert watches.listed(ctx.engine, ctx.now_ms) == []


def test_a_share_of_a_price_is_a_level_from_its_last_close(ctx: Any) -> None:
    """10 % below a close of 95. Of money there is no share, and a watch has one level."""
    share = {key: value for key, value in PRICE.items() if key != "level"} | {"move_frac": -0.1}
    refused = (share | {"metric": "day_pnl", "subject": "desk"}, share | {"level": 90.0}, share | {"move_frac": 0.0})
    without = {"metric": "day_pnl", "subject": "desk", "beyond": "below"}  # a watch at 0 was not asked for
    assert {call(ctx, "propose_watch", args).status for args in (*refused, without)} <= {"failed", "refused"}
    assert watches.listed(ctx.engine, ctx.now_ms) == []
    assert "below 85.5;" in call(ctx, "propose_watch", share).text


def test_watches_are_bounded_and_what_nobody_confirms_lapses(ctx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full list refuses the next one; the same watch twice is refused; a day later what was asked cannot be confirmed."""
    monkeypatch.setattr(watches, "ASKED_MAX", 2)
    monkeypatch.setattr(watches, "WATCHES_MAX", 1)
    for n in range(2):
        watches.ask(ctx.engine, watches.WatchWish("equity", "desk", "above", 1.0 + n), {}, ctx.now_ms)
    assert "the most there may be" in call(ctx, "propose_watch", PRICE).text
    late = ctx.now_ms + watches.ASKED_MS
    assert watches.listed(ctx.engine, late) == []
    with pytest.raises(Refused, match="more than a day ago"):
        watches.decide(ctx.engine, "w-1", "active", ANN.as_json(), late)
    wish = watches.WatchWish("equity", "desk", "above", 5.0)
    watches.put_in_force(ctx.engine, wish, ANN.as_json(), ctx.now_ms)
    with pytest.raises(Refused, match="the most there may be"):
        watches.put_in_force(ctx.engine, wish, ANN.as_json(), ctx.now_ms)
    monkeypatch.setattr(watches, "WATCHES_MAX", 9)
    with pytest.raises(Refused, match="already"):
        watches.put_in_force(ctx.engine, wish, ANN.as_json(), ctx.now_ms)


def test_people_add_confirm_and_remove_in_their_name(own_home: Any) -> None:
    """The row says who, and the people journal has each act with its person; an unknown id names the list."""
    home: Home = open_home(NOW)
    row = people.add(home, watches.wish_of(home.engine, home.path, "equity", "desk", "below", 9_000.0), ANN, NOW)
    asked = watches.ask(home.engine, watches.WatchWish("equity", "desk", "above", 1.0), {"role": "operator"}, NOW)
    assert people.confirm(home, asked.id, ANN, NOW).state == "active"
    assert people.remove(home, row.id, ANN, NOW).state == "removed"
    acts = [(e.body["act"], e.body["watch"], e.body["actor"]["name"]) for e in read(home.people_journal, {"watch"})]
    assert acts == [("add", "w-1", "ann"), ("confirm", "w-2", "ann"), ("remove", "w-1", "ann")]
    with pytest.raises(BadInput, match="no watch"):
        people.remove(home, "w-9", ANN, NOW)
