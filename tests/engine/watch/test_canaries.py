"""Each stated breach is found, each a hair below is not, and what is missing is a breach (planted in a journal by hand)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from engine.control.canary import CanaryRun, terms_rows
from engine.watch.basket_canaries import fold_of
from engine.watch.canaries import LATE_MS, CanaryFold, breaches, follow, progress, state_text
from tests.fakes.tried_changes import BAR, NOW, SLEEVE, TriedDesk, approved

ERROR = {"model": "vol-btc", "version": "1.0.1", "champion": "1.0.0", "worst": 1.0, "ratio_max": 1.25, "closes": 100}
Play = Callable[[TriedDesk], Any]


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new synthetic desk."""
    return open_home(NOW)


@pytest.fixture
def run(home: Home) -> CanaryRun:
    """A canary of four round trips: above 7 refused, 4.5 bps, 1.485 %, 397 bars, 20 entries a day."""
    return approved(home, {"leverage_max": 4.0})


def read(home: Home, run: CanaryRun) -> CanaryFold:
    """The journal as a watch that has just started reads it."""
    fold = fold_of(home.desk_journal, run)
    assert fold is not None
    follow(home.desk_journal, fold)
    return fold


def found(home: Home, run: CanaryRun, **errors: Any) -> list[str]:
    """The kinds of the breaches."""
    return [one.kind for one in breaches(read(home, run), errors, NOW, NOW)]


def rejected(desk: TriedDesk, count: int) -> None:
    """So many orders that the venue rejected."""
    for _ in range(count):
        desk.append("order", {"sleeve": SLEEVE, "state": "rejected", "slot": "entry"})
    desk.closes()


def refused(desk: TriedDesk, count: int, rule: str) -> None:
    """So many entries that a rule refused."""
    for _ in range(count):
        desk.append("decision", {"sleeve": SLEEVE, "action": "refused", "refused_by": rule})
    desk.closes()


def lost(desk: TriedDesk, frac: float) -> None:
    """A fall from the peak."""
    desk.closes(2)
    desk.closes(equity=10_000.0 * (1.0 - frac))


def trips(desk: TriedDesk, count: int, bps: float = 2.0, bars: int = 4) -> None:
    """Round trips, one after the other."""
    for _ in range(count):
        desk.trip(bps, bars)


@pytest.mark.parametrize(
    ("play", "kinds"),
    [
        (lambda d: rejected(d, 7), []),
        (lambda d: rejected(d, 8), ["rejections"]),
        (lambda d: refused(d, 8, "gross_frac_max"), ["rejections"]),
        (lambda d: refused(d, 8, "desk is halted"), []),
        (lambda d: (refused(d, 2, "below the venue's least order"), rejected(d, 6)), ["rejections"]),
        (lambda d: trips(d, 4, 4.4), []),
        (lambda d: trips(d, 4, 4.6), ["slippage"]),
        (lambda d: trips(d, 3, 9.0), []),  # fewer than the evidence is the mean of
        (lambda d: lost(d, 0.0148), []),
        (lambda d: lost(d, 0.0149), ["drawdown"]),
        (lambda d: d.closes(397), []),
        (lambda d: d.closes(398), ["too few"]),
        (lambda d: trips(d, 20, bars=2), []),
        (lambda d: trips(d, 21, bars=2), ["too many"]),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else "",
)
def test_a_breach_is_found_and_a_hair_below_is_not(home: Home, run: CanaryRun, play: Play, kinds: list[str]) -> None:
    """Each kind of what is stated, in its one direction; trade rate in both."""
    play(TriedDesk(home))
    assert found(home, run) == kinds


@pytest.mark.parametrize(
    "play",
    [
        lambda d: d.closes(1).closes(3, equity=None),
        lambda d: setattr(d, "bar", 5) or d.closes(),
        lambda d: d.closes().append(
            "fill", {"sleeve": SLEEVE, "slot": "entry", "side": "buy", "lots": 1, "price": None, "reference_price": 1.0}
        ),
    ],
    ids=["no equity", "a gap in the journal", "a fill without a price"],
)
def test_what_is_missing_is_a_breach(home: Home, run: CanaryRun, play: Play) -> None:
    """Fail closed: not "no breach"."""
    play(TriedDesk(home))
    assert found(home, run)[:1] == ["no data"]


def test_one_close_without_equity_is_none(home: Home, run: CanaryRun) -> None:
    """Two in a row neither; the third is."""
    desk = TriedDesk(home)
    desk.closes(1).closes(2, equity=None).closes(1).closes(2, equity=None).closes(1)
    assert found(home, run) == []


@pytest.mark.parametrize(
    "how",
    [
        {"paused": True},
        {"desk": {"halt": {"reason": "r"}}},
        {"desk": {"blocked": {"x": "y"}}},
        {"desk": {"tripped": ["drawdown"]}},
    ],
)
def test_a_sleeve_that_may_not_enter_is_not_too_quiet(home: Home, run: CanaryRun, how: dict[str, Any]) -> None:
    """A pause, a halt and blocked entries are waited for, and the sentence says so; a drawdown counts all the while."""
    desk = TriedDesk(home)
    desk.closes(400, **how)
    assert found(home, run) == []
    assert "the canary waits" in state_text(run, progress(read(home, run), {}))
    desk.closes(1, equity=9_000.0, **how)
    assert found(home, run) == ["drawdown"]
    desk.equity = 9_000.0
    desk.closes(398)
    assert found(home, run) == ["drawdown", "too few"]


def test_an_open_position_waits_for_no_entry(home: Home, run: CanaryRun) -> None:
    """A trend that holds for weeks is not a signal that has died; once flat it is waited for anew."""
    desk = TriedDesk(home).closes(300)
    fill = {"sleeve": SLEEVE, "lots": 100, "price": 100.0, "reference_price": 100.0}
    desk.append("fill", {**fill, "slot": "entry", "side": "buy"})
    desk.closes(800)
    assert found(home, run) == []
    desk.append("fill", {**fill, "slot": "protective", "side": "sell"})
    desk.closes(397)
    assert found(home, run) == []
    desk.closes(1)
    assert found(home, run) == ["too few"]


def test_slippage_is_of_all_trips(home: Home, run: CanaryRun) -> None:
    """Four dear ones among ten are not what changed; ten of them are."""
    desk = TriedDesk(home)
    trips(desk, 6, 2.0)
    trips(desk, 4, 5.5)
    assert (read(home, run).slippage_bps, found(home, run)) == (pytest.approx(3.4, rel=1e-3), [])
    trips(desk, 12, 6.0, bars=8)
    assert found(home, run) == ["slippage"]


def test_a_card_from_before_keeps_what_it_said(home: Home, run: CanaryRun) -> None:
    """Slippage over the last ones in a row, and waits with open positions: what was approved then is what is done."""
    old = run._replace(terms={key: value for key, value in run.terms.items() if key not in ("level", "seen")})
    assert dict(terms_rows(old.terms, 1))["breach: slippage"].startswith("above 4.50 bps a round trip, over 4 in a row")
    desk = TriedDesk(home)
    trips(desk, 6, 2.0)
    trips(desk, 4, 5.5)
    assert read(home, old).slippage_bps == pytest.approx(5.5, rel=1e-3)
    fill = {"sleeve": SLEEVE, "lots": 100, "price": 100.0, "reference_price": 100.0}
    desk.append("fill", {**fill, "slot": "entry", "side": "buy"})
    desk.closes(398)
    assert found(home, old) == ["slippage", "too few"]


def test_a_restart_reads_what_a_watch_that_went_on_has_read(home: Home, run: CanaryRun) -> None:
    """Bar by bar, or all at once."""
    desk = TriedDesk(home).closes()
    going = fold_of(home.desk_journal, run)
    assert going is not None
    for n in range(6):
        desk.trip(2.0 + n)
        rejected(desk, n % 2)
        follow(home.desk_journal, going)
        assert progress(going, {}) == progress(read(home, run), {})
    assert (going.trips, going.refused) == (6, 3)
    assert going.is_over({})


def test_it_begins_when_the_desk_adopts_it(home: Home, run: CanaryRun) -> None:
    """A position that was open keeps its version; what came before is not the canary's."""
    assert fold_of(home.desk_journal, run) is None
    desk = TriedDesk(home, version=1)
    rejected(desk, 9)
    assert fold_of(home.desk_journal, run) is None
    assert "begins when the desk has adopted version 2" in state_text(run, {})
    desk.append("config", {"sleeve": SLEEVE, "version": 2, "state": "waits"})
    assert fold_of(home.desk_journal, run) is None
    desk.append("config", {"sleeve": SLEEVE, "version": 2, "state": "governs"})
    desk.version = 2
    desk.closes()
    assert found(home, run) == []


def test_the_sentence_counts(home: Home, run: CanaryRun) -> None:
    """What status, the page and the chat say."""
    trips(TriedDesk(home), 2)
    said = state_text(run, progress(read(home, run), {}))
    assert said == "canary of prop-1: 25 % of the size until 4 trips are over; 2 of 4 trips; nothing breached"


def with_error(run: CanaryRun) -> CanaryRun:
    """The same with a model."""
    return run._replace(terms={**run.terms, "error": ERROR})


@pytest.mark.parametrize(
    ("errors", "kinds"),
    [
        ({"known": 100, "ratio": 1.24}, []),
        ({"known": 100, "ratio": 1.26}, ["predictions"]),
        ({"known": 99, "ratio": 9.0}, []),  # too few outcomes
        ({"known": 100, "ratio": None}, ["predictions"]),
    ],
)
def test_the_error_of_predictions(home: Home, run: CanaryRun, errors: dict[str, Any], kinds: list[str]) -> None:
    """Beside the version before, once enough outcomes are known; a ratio that is not known is no good one."""
    TriedDesk(home).closes()
    assert found(home, with_error(run), ok_ms=NOW, **errors) == kinds


def test_predictions_that_nobody_compares_are_a_breach(home: Home, run: CanaryRun) -> None:
    """After three hours of the watch, with the reason; and a canary is not over before they were judged."""
    trips(TriedDesk(home), 4)
    fold = read(home, with_error(run))
    assert breaches(fold, {"why": "no bar"}, NOW + LATE_MS, NOW) == []
    late = breaches(fold, {"why": "no bar"}, NOW + LATE_MS + 1, NOW)
    assert [(one.kind, "no bar" in one.text) for one in late] == [("no data", True)]
    assert breaches(fold, {"ok_ms": NOW + LATE_MS}, NOW + LATE_MS + 1, NOW) == []
    assert not fold.is_over({"known": 99})
    assert fold.is_over({"known": 100})
    assert json.dumps(progress(fold, {"known": 3, "ratio": None}))
    assert fold.at_ms % BAR == 0
