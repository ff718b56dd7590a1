"""Causes in seeded combinations: whatever meets, the classes sum to the difference to the cent, and nothing is unexplained."""

import random
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from app.home.home import Home
from engine.control.desk_setup import DeskSetup
from engine.data.timeframes import DeskBars
from engine.live.loop import Loop
from engine.parity.comparison import Comparison, compared
from engine.parity.drift import Side, pairs_of
from engine.parity.tape import Tape, tape_of
from engine.parity.today import Today, today_of
from engine.parity.trip_pairs import paired, residue
from tests.engine.parity.test_planted_causes import muted, with_venue
from tests.fakes.papers import BAR_MS, advanced, reconfigured
from tests.fakes.parity_desks import DAY_BARS, FORK_MS, copied, forked, in_usd, opened

SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
CAUSES = ("fee", "slippage", "data", "funding", "version")


def busy(home: Home, loop: Loop) -> None:
    """A day on which strategies say nothing for hours, a venue rejects an order, and people pause two sleeves."""
    muted(loop)
    with_venue("reject", loop)
    advanced(loop, DAY_BARS // 4)
    for name in ("btc-trend", "eth-trend"):
        reconfigured(home, name, paused=True)


@pytest.fixture(scope="module")
def busy_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """That day, after the ten."""
    with opened(copied(tmp_path_factory.mktemp("busy") / "home")) as home:
        forked(home, DAY_BARS, lambda loop: busy(home, loop))
        return home


def corrected(loaded: DeskBars, dice: random.Random, causes: set[str]) -> DeskBars:
    """The bars as corrected since: some prices of some bars, some settlements."""
    own = {ms: bars._replace(whole=bars.whole._replace(close=bars.whole.close.copy())) for ms, bars in loaded.own.items()}
    span = loaded.span._replace(close=loaded.span.close.copy(), funding_rate=loaded.span.funding_rate.copy())
    rows = np.flatnonzero(span.close_ms > FORK_MS)
    for _ in range(dice.randint(10, 30) if "data" in causes else 0):
        t, k = dice.choice(rows.tolist()), dice.randrange(3)
        moved = min(max(span.close[t, k] * dice.uniform(0.97, 1.03), span.low[t, k]), span.high[t, k])
        whole = own[BAR_MS].whole
        span.close[t, k] = whole.close[np.searchsorted(whole.close_ms, span.close_ms[t]), k] = moved
    if "funding" in causes:
        span.funding_rate[rows] += np.where(span.funding_mark[rows] > 0.0, dice.uniform(-0.002, 0.002), 0.0)
    return DeskBars(span, own, loaded.notes)


def combined(tape: Tape, base: Today, home: Home, seed: int) -> Comparison:
    """The day against a backtest for which several things have changed since."""
    dice = random.Random(seed)
    causes = set(dice.sample(CAUSES, dice.randint(2, len(CAUSES))))
    figures = {"taker_frac": dice.uniform(0.0002, 0.001)} if "fee" in causes else {}
    figures |= {"half_spread_frac": dice.uniform(0.0, 0.001)} if "slippage" in causes else {}
    setup: DeskSetup = home.setup._replace(overrides={f"synthetic:{symbol}:perp": figures for symbol in SYMBOLS})
    approved = {"eth-trend": {"stop_atr": dice.uniform(1.0, 4.0)}} if "version" in causes else {}
    today = today_of(tape, setup, home.catalog, lambda name, _: approved.get(name))
    return compared(tape, replace(today, loaded=corrected(base.loaded, dice, causes)))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 100), marks=pytest.mark.long)], ids=["some", "many"])
def test_the_classes_sum_to_the_difference(busy_home: Home, seeds: range) -> None:
    """Sleeve by sleeve, over all of them, and over the sleeves of the desk's own change of equity; and every pair of sides."""
    tape = tape_of(busy_home.path, FORK_MS)
    base, seen = today_of(tape, busy_home.setup, busy_home.catalog, lambda *_: None), set[str]()
    before: Comparison | None = None
    for seed in seeds:
        found = combined(tape, base, busy_home, seed)
        for share in found.shares:
            assert sum(share.classes.values()) == share.difference, seed
        assert found.cents("unexplained") == 0, (seed, in_usd(found))
        assert sum(found.cents(name) for name in found.shares[0].classes) == found.difference
        other = found if before is None else before  # two sides that differ from their backtests by other causes
        for pair in pairs_of([Side("live", found), Side("paper", other)]):
            assert sum(pair.causes.values()) == pair.difference, (seed, pair)
        before = found
        seen |= in_usd(found).keys()
    assert seen >= {"data", "version", "timing", "slippage", "fee", "funding", "paused", "missed"}


def trip(side: str = "long", entry: int = 0, exit_bar: int | None = 4, **figures: float | str) -> dict[str, object]:
    """A round trip as sim/trips.py has it, of one unit unless said otherwise."""
    costs = {"units": 1.0, "gross": 10.0, "slippage": 1.0, "fees": 2.0, "funding": -0.5, "reason": "stop"} | figures
    net = costs["gross"] - costs["slippage"] - costs["fees"] + costs["funding"]  # type: ignore[operator]
    exit_ms = None if exit_bar is None else exit_bar * BAR_MS
    return {"sleeve": "s", "side": side, "entry_ms": entry * BAR_MS, "exit_ms": exit_ms, "net": net, **costs}


TRIPS = {
    "an equal one": (trip(), trip(), {}),
    "twice the size": (trip(units=2.0, gross=20.0, slippage=2.0, fees=4.0, funding=-1.0), trip(), {"size": 6.5}),
    "another price": (trip(gross=7.0), trip(), {"fill_price": -3.0}),
    "more slippage": (trip(slippage=1.5), trip(), {"slippage": -0.5}),
    "a higher fee": (trip(fees=2.75), trip(), {"fee": -0.75}),
    "other funding": (trip(funding=0.25), trip(), {"funding": 0.75}),
    "another exit": (trip(exit_bar=9, gross=4.0), trip(), {"unexplained": -6.0}),
    "an exit that a person adopted": (trip(exit_bar=9, gross=4.0, reason="adopted"), trip(), {"extra": -6.0}),
    "only the desk's, not decided": (trip(), None, {"extra": 6.5}),
    "only the desk's, decided": (trip(entry=2), None, {"unexplained": 6.5}),
    "only the backtest's": (None, trip(), {"unexplained": -6.5}),
    "open ones": (trip(exit_bar=None, gross=3.0), trip(exit_bar=None), {"fill_price": -7.0}),
}


@pytest.mark.parametrize("case", TRIPS)
def test_what_is_left_is_parted_trip_by_trip(case: str) -> None:
    """Each part in its class; the parts sum to the pair's difference."""
    desk, replay, wanted = TRIPS[case]
    tables = [pl.DataFrame([one] if one else [], schema=pl.DataFrame([trip()]).schema) for one in (desk, replay)]
    pairs = paired(*tables)
    parts = list(residue(pairs, {("s", 2 * BAR_MS)}))
    assert {name: usd for name, _, usd in parts if usd} == pytest.approx(wanted)
    assert sum(usd for _, _, usd in parts) == pytest.approx(sum(pair.usd for pair in pairs))


def test_a_trip_that_had_no_room_is_missed() -> None:
    """The desk held an extra position when the backtest entered: that one's absence has a reason."""
    extra, crowded = trip("short", 0, 8), trip("long", 3, 12)
    parts = list(residue(paired(pl.DataFrame([extra]), pl.DataFrame([crowded])), frozenset()))
    assert {name: usd for name, _, usd in parts} == pytest.approx({"extra": 6.5, "missed": -6.5})
