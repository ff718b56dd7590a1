"""A change of a basket is watched by the round trips of its pairs: numbers from its run, measures from a desk's journal, each
stated breach planted, and what the card said of one is done.
"""

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from app.home.home import Home, open_home
from app.jobs import kinds
from app.people import approvals
from app.processes.canary_watch import CanaryWatch
from engine.control import canary_terms, proposals
from engine.control.canary import OF_A_FIT, OF_THE_DESK, CanaryPlan, CanaryRun, terms_rows
from engine.control.canary_limits import RunTrips
from engine.control.canary_terms import stretches
from engine.control.code_changes import code_changes
from engine.control.config import active
from engine.store.chain import Event
from engine.store.journal import Journal, read
from engine.store.runs import Runs
from engine.watch.basket_canaries import BasketFold, fold_of
from engine.watch.canaries import breaches, follow, progress
from engine.watch.desk_trips import desk_trips
from tests.fakes.basket_desks import LEGS, PARAMS, basket_home
from tests.fakes.papers import BAR_MS, FROM_MS, WALL_MS, advanced, feed_of, loop_of, span
from tests.fakes.tried_changes import ANN, the_canary

EAGER: dict[str, Any] = {"enter": 0.8, "step_days": 0.25}
PLAN = CanaryPlan(1.0, 6, None, shortens=True)
DAY = 96 * BAR_MS
BEFORE, AFTER = 60, 200  # bars
TIGHTER, LOOSER = {"stop": 2.9}, {"leverage_max": 4.0}


def ran(home: Home, **changes: Any) -> str:
    """A stored run of the basket over the fortnight before its desk began."""
    given = {"strategy": "pairs", "symbol": ",".join(LEGS), "venue": "synthetic", "timeframe": "15m", "cash": 100_000.0}
    where = {"params": {**PARAMS, **EAGER, **changes}, "start": FROM_MS + 19 * DAY, "end": span().first_ms}
    return str(kinds.backtest(home, given | where)["run_id"])


def approved(home: Home, changes: dict[str, Any]) -> CanaryRun:
    """A change of the basket with the runs of before and after, proposed and approved."""
    runs = [{"role": "base", "run_id": ran(home)}, {"role": "changed", "run_id": ran(home, **changes)}]
    more: dict[str, Any] = {"rationale": "", "requester": {"role": "person", "thread": "", "person": "ann"}, "now_ms": WALL_MS}
    row = proposals.create(home.engine, home.path, sleeve="pairs", changes=changes, evidence=runs, canary=PLAN, **more)
    assert "unwatched" not in json.loads(row.diff)
    approvals.approve(home, row.id, row.diff_sha256, ANN, WALL_MS + 1)
    return the_canary(home, "pairs")


def lived(folder: Path, changes: dict[str, Any]) -> Home:
    """A home whose basket trades on after a change."""
    home = basket_home(folder, **EAGER)
    loop = advanced(loop_of(home, feed_of(home)), BEFORE)
    approved(home, changes)
    loop.poll_controls()
    advanced(loop, AFTER)
    loop.journal.close()
    return open_home(WALL_MS)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One whose change can only pause, traded for two days since."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("basket") / "home"
        patch.setenv("NIGHTDESK_HOME", str(folder))
        yield lived(folder, TIGHTER)


def own_trips(home: Home, fold: Any) -> pl.DataFrame:
    """Closed round trips of pairs that were entered since the change."""
    found = desk_trips(home.path)
    began = next(e.seq for e in read(home.desk_journal, {"config"}) if e.body.get("state") == "governs")
    assert found.filter(pl.col("first_n") < began).height > 0
    return found.filter((pl.col("first_n") > began) & pl.col("exit_ms").is_not_null()).sort("last_n")


def test_the_numbers_are_those_of_its_pairs_round_trips(changed: Home) -> None:
    """Against a plain reckoning of the run: every stretch from an entry until the sixth round trip since is over."""
    terms = the_canary(changed, "pairs").terms
    store, run_id = Runs(changed.runs, changed.engine), terms["against"]
    trips = store.frame(run_id, "trips").filter(pl.col("exit_ms").is_not_null())
    count = int(terms["trips"])
    curve = {row["close_ms"]: row["equity"] for row in store.frame(run_id, "equity").iter_rows(named=True)}
    refusals_all = store.frame(run_id, "decisions").filter(pl.col("refused_by").is_not_null())
    refused = refusals_all.filter(~pl.col("refused_by").is_in([*OF_THE_DESK, *OF_A_FIT]))["close_ms"].to_list()
    falls, refusals = [0.0], [0]
    for n in range(trips.height - count + 1):
        begin, end = trips["entry_ms"][n], sorted(trips["exit_ms"][n:].to_list())[count - 1]
        peak = worst = 0.0
        for equity in (value for ms, value in curve.items() if begin <= ms < end):
            peak = max(peak, equity)
            worst = max(worst, 1.0 - equity / peak)
        falls.append(worst)
        refusals.append(sum(begin <= ms <= end for ms in refused))
    assert trips.height == terms["seen"] >= 12
    assert terms["worst"]["drawdown_frac"] == pytest.approx(max(falls))
    assert terms["worst"]["refused"] == max(refusals)
    assert terms["drawdown_frac_max"] >= 1.5 * max(falls)
    assert 0.0 < terms["worst"]["slippage_bps"] < 100.0
    assert dict(terms_rows(terms, 1))["on a breach"].startswith("is paused")


def test_what_comes_in_clusters_has_half_more_room(changed: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits and refusals of pairs that share fits and equity; a sleeve of one instrument has none of it."""
    store, terms = Runs(changed.runs, changed.engine), the_canary(changed, "pairs").terms
    monkeypatch.setattr(canary_terms, "CLUSTER_MARGIN", 1.0)
    plain = canary_terms.numbers_of(store, terms["against"], PLAN, BAR_MS, 1.0)
    assert terms["quiet_bars_max"] == pytest.approx(1.5 * plain["quiet_bars_max"], abs=2)
    assert terms["refused_max"] == math.ceil(1.5 * plain["refused_max"])
    same = ("slippage_bps_max", "drawdown_frac_max", "day_entries_max", "worst")
    assert [terms[name] for name in same] == [plain[name] for name in same]


def test_a_desks_trips_are_counted_as_its_journal_has_them(changed: Home) -> None:
    """How many are over, and what each paid of the notional of both legs; those that were in before are not the change's."""
    fold = fold_of(changed.desk_journal, the_canary(changed, "pairs"))
    assert isinstance(fold, BasketFold)
    follow(changed.desk_journal, fold)
    own, lots = own_trips(changed, fold), {name.split(":")[1]: size for name, size in lot_sizes(changed).items()}
    notional = sum(
        own[f"lots_{leg}"] * own[f"entry_{leg}"].fill_null(0.0) * own[leg].replace_strict(lots, return_dtype=pl.Float64)
        for leg in "ab"
    )
    assert own.height > 5
    assert fold.trips == own.height
    assert fold.slippages == pytest.approx((own["slippage"] / notional * 1e4).to_list())
    marks = [e.body["basket"]["equity"] for e in read(changed.desk_journal, {"mark"}) if e.seq > fold_began(changed)]
    assert fold.drawdown == pytest.approx(max(1.0 - e / max(marks[: n + 1]) for n, e in enumerate(marks)))
    assert breaches(fold, {}, WALL_MS, WALL_MS) == []
    again = fold_of(changed.desk_journal, the_canary(changed, "pairs"))
    assert again is not None
    follow(changed.desk_journal, again)
    assert progress(again, {}) == progress(fold, {})


def fold_began(home: Home) -> int:
    """Number of the last event with which its legs took the change."""
    return [e.seq for e in read(home.desk_journal, {"config"}) if e.body.get("state") == "governs"][-1]


def lot_sizes(home: Home) -> dict[str, float]:
    """By instrument."""
    first = next(e.body for e in read(home.desk_journal, {"config"}) if "start" in e.body)
    return {one["instrument"]: one["rules"]["lot_size"] for one in first["sleeves"]}


# ---- each breach by hand ---------------------------------------------------------------------------------------------------

A, B, C = "pairs-a", "pairs-b", "pairs-c"
TERMS = {
    "part": 1.0, "trips": 4, "bars": None, "bar_ms": BAR_MS, "level": 0.005, "seen": 40, "refused_max": 3,
    "slippage_bps_max": 5.0, "slippage_trips": 2, "drawdown_frac_max": 0.02, "quiet_bars_max": 20, "day_entries_max": 6,
    "error": None, "way": "pause",
}  # fmt: skip


class Legs:
    """Events of a basket of three legs, taken by a fold as they come; a pair is its two legs' letters."""

    def __init__(self, **before: int) -> None:
        run = CanaryRun("prop-1", "pairs", 1, 2, (2,), True, 2, TERMS, "ann", 0, "running", {})
        self.fold = BasketFold(run, Event("config", 0, {}), {A: 0.01, B: 1.0, C: 1.0}, before)
        self.at_ms, self.seq, self.sides = 0, 0, dict[str, str]()

    def see(self, kind: str, body: dict[str, Any]) -> None:
        """The next event."""
        self.seq += 1
        self.fold.see(Event(kind, self.at_ms, body)._replace(seq=self.seq))

    def closes(self, count: int = 1, equity: float | None = 100.0, **leg: Any) -> "Legs":
        """So many bars."""
        for _ in range(count):
            self.at_ms += BAR_MS
            pairs = [{"pair": pair, "side": self.sides.get(pair, "flat")} for pair in ("ab", "ac", "bc")]
            basket = {"name": "pairs", "equity": equity, "pairs": pairs}
            self.see("mark", {"sleeves": {A: {}, B: leg, C: {}}, "basket": basket})
        return self

    def fill(self, pair: str, leg: str, side: str, key: int, lots: int, bps: float, opens: bool, kind: str = "fill") -> None:
        """A leg's execution at 100, of which a pair has all."""
        price = 100.0 * (1.0 + (1 if side == "buy" else -1) * bps / 1e4)
        part = {"pair": pair, "pair_key": key, "side": side, "lots": lots, "fee": 0.0, "opens": opens}
        money = {"price": price, "reference_price": 100.0} if kind == "fill" else {"price": price}
        self.see(kind, {"sleeve": leg, "parts": [part], **money})

    def enters(self, pair: str, key: int, bps: float = 0.0) -> None:
        """Long the first leg, short the second: 1 unit of each."""
        for letter, side in zip(pair, ("buy", "sell"), strict=True):
            self.fill(pair, f"pairs-{letter}", side, key, 100 if letter == "a" else 1, bps, True)
        self.sides[pair] = "long"

    def leaves(self, pair: str, key: int, bps: float = 0.0, kind: str = "fill") -> None:
        """Out of both."""
        for letter, side in zip(pair, ("sell", "buy"), strict=True):
            self.fill(pair, f"pairs-{letter}", side, key, 100 if letter == "a" else 1, bps, False, kind)
        self.sides[pair] = "flat"

    def trip(self, pair: str, key: int, bps: float) -> None:
        """In and out."""
        self.enters(pair, key, bps)
        self.closes(2)
        self.leaves(pair, key, bps)
        self.closes(40)

    @property
    def found(self) -> list[str]:
        """Kinds of what is breached."""
        return [one.kind for one in breaches(self.fold, {}, 0, 0)]


def rejected(desk: Legs, count: int) -> None:
    """Orders of two legs and refusals of a pair, which its first leg has."""
    for n in range(count):
        orders = n % 2 == 0
        body = {"sleeve": (B, C)[n % 4 // 2], "state": "rejected"} if orders else {"sleeve": A, "refused_by": "gross_frac_max"}
        desk.see("order" if orders else "decision", body)
    for rule in ("desk is halted", "below the venue's least order"):  # of the desk, and of how small a leg a fit makes
        desk.see("decision", {"sleeve": A, "refused_by": rule})
    desk.closes()


def entered(desk: Legs, count: int) -> None:
    """Pairs in and out in a day."""
    for key in range(count):
        desk.enters(("ab", "ac", "bc")[key % 3], key)
        desk.closes()
        desk.leaves(("ab", "ac", "bc")[key % 3], key)


def slipped(desk: Legs, bps: float) -> None:
    """Two round trips side by side; the notional is that of both legs, once."""
    desk.enters("ab", 0, bps)
    desk.enters("bc", 0, bps)
    desk.closes(2)
    desk.leaves("ab", 0, bps)
    desk.leaves("bc", 0, bps)
    desk.closes()


def held(desk: Legs, flat: int) -> None:
    """A pair that holds waits for nothing; flat, all of it waits."""
    desk.enters("ac", 0)
    desk.closes(90)
    desk.leaves("ac", 0)
    desk.closes(flat)


@pytest.mark.parametrize(
    ("play", "kinds_found"),
    [
        (lambda d: rejected(d, 3), []),
        (lambda d: rejected(d, 4), ["rejections"]),
        (lambda d: slipped(d, 2.4), []),  # both ways: 4.8
        (lambda d: slipped(d, 2.6), ["slippage"]),
        (lambda d: d.closes().closes(equity=98.1), []),
        (lambda d: d.closes().closes(equity=97.9), ["drawdown"]),
        (lambda d: held(d, 20), []),
        (lambda d: held(d, 21), ["too few"]),
        (lambda d: entered(d, 6), []),
        (lambda d: entered(d, 7), ["too many"]),
        (lambda d: d.closes(2, equity=None), []),
        (lambda d: d.closes(3, equity=None), ["no data"]),
        (lambda d: d.closes(30, paused=True), []),
    ],
)
def test_a_breach_is_found_and_a_hair_below_is_not(play: Callable[[Legs], Any], kinds_found: list[str]) -> None:
    """Each of what a card states."""
    desk = Legs()
    play(desk)
    assert desk.found == kinds_found


def test_a_pair_that_was_in_is_not_the_changes_own() -> None:
    """Neither its leg that fills late, nor its exit; the next round trip is, and one that ends by crossing inside."""
    desk = Legs(ab=4)
    desk.fill("ab", B, "sell", 4, 1, 50.0, opens=True)
    desk.leaves("ab", 4, 50.0)
    assert (desk.fold.trips, desk.fold.most_a_day) == (0, 0)
    desk.enters("ab", 5)
    desk.leaves("ab", 5, kind="cross")
    assert (desk.fold.trips, desk.fold.most_a_day, desk.fold.slippages) == (1, 1, [0.0])
    desk.fill("ab", A, "buy", 5, 1, 0.0, opens=True)  # of an order that was thought to be over
    desk.fill("ab", A, "sell", 5, 1, 0.0, opens=False)
    assert (desk.fold.trips, desk.fold.most_a_day) == (1, 1)


def test_stretches_end_with_the_round_trip_that_ends_them() -> None:
    """Side by side the second one may end last; one after the other nothing is new."""
    entries, three = np.arange(6), CanaryPlan(1.0, 3, None)
    assert stretches(entries, np.array([90, 20, 40, 60, 50, 70]), three, 1) == [(0, 50), (1, 50), (2, 60), (3, 70)]
    assert stretches(entries, np.arange(6) + 1, three, 1) == [(0, 3), (1, 4), (2, 5), (3, 6)]
    none = np.array([], np.int64)
    beside = RunTrips(np.array([0, 10, 20]), np.array([15, 30, 25]), none, none, none, none)  # type: ignore[arg-type]
    apart = RunTrips(np.array([0, 10, 50]), np.array([15, 30, 60]), none, none, none, none)  # type: ignore[arg-type]
    assert beside.waits_ms.tolist() == [10, 10]  # something was always open: from entry to entry
    assert apart.waits_ms.tolist() == [0, 20]


# ---- what follows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "back"), [(TIGHTER, False), (LOOSER, True)])
def test_a_planted_fall_does_what_the_card_said(own_home: Path, changes: dict[str, Any], back: bool) -> None:
    """The basket goes back to the version before where that tightens, else it is paused: all of its legs."""
    home = basket_home(own_home, **EAGER)
    loop = advanced(loop_of(home, feed_of(home)), BEFORE)
    run = approved(home, changes)
    loop.poll_controls()
    advanced(loop, 3)
    loop.journal.close()
    watch = CanaryWatch(home, lambda: WALL_MS + 10)
    assert watch.look() == []
    mark = list(read(home.desk_journal, {"mark"}))[-1]
    lost = dict(mark.body["basket"]) | {"equity": mark.body["basket"]["equity"] * (0.99 - run.terms["drawdown_frac_max"])}
    journal = Journal(home.desk_journal, "worker")
    journal.append([Event("mark", mark.t_event_ms + BAR_MS, {**mark.body, "basket": lost})])
    journal.close()
    (done,) = watch.look()
    assert (done.state, [kind for kind, _ in done.found["breach"]]) == ("breached", ["drawdown"])
    config = active(home.engine, home.path).config
    assert config.sleeve("pairs").paused is not back
    assert config.sleeve("pairs").params.get("leverage_max") == 3.0
    assert all(leg.paused is not back for leg in config.traded)


def test_a_changed_code_is_one_change_of_the_basket(own_home: Path) -> None:
    """Not one of each leg, which no person has a name for."""
    home = basket_home(own_home, **EAGER)
    loop = advanced(loop_of(home, feed_of(home)), 1)
    loop.journal.close()
    first = next(e.body for e in read(home.desk_journal, {"config"}) if "start" in e.body)
    later = [one | {"strategy_sha256": "f" * 64} for one in first["sleeves"]]
    journal = Journal(home.desk_journal, "worker")
    journal.append([Event("config", span().first_ms + 9 * BAR_MS, {**first, "sleeves": later})])
    journal.close()
    (change,) = code_changes(home.desk_journal)
    assert (change.sleeve, change.version) == ("pairs", 1)
    assert change.new_sha256 == "f" * 64
