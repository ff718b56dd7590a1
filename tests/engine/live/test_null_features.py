"""Three features without a value at one close: no entry, the bar and an alert name them, and both are over when they are back."""

from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home
from engine.core.state import LEAVE_LONG, Signal
from engine.live import signal_source
from engine.live.loop import Loop
from engine.live.signal_source import SignalReading, entering_nothing_blind
from engine.store.journal import read
from engine.watch.detectors import evaluate
from engine.watch.null_features import lacking_now, null_features
from engine.watch.observer import Observer
from engine.watch.window import journal_of, mark_at
from tests.engine.watch.test_detectors import desk
from tests.fakes.papers import WALL_MS, advanced

WANTS = Signal(1, 0.5, 2.0, 0.4, 0.0, 0.0, 0.0, 0, 1, leave=LEAVE_LONG, reverse=1)


@pytest.mark.parametrize(("nulls", "side"), [(0, 1), (2, 1), (3, 0), (5, 0)])
def test_three_are_too_many(nulls: int, side: int) -> None:
    """No entry and no reversal; what leaves, the ATR of the trail and what was read stay as they are."""
    features = {f"f{n}": None if n < nulls else 1.0 for n in range(6)}
    found = entering_nothing_blind(SignalReading(WANTS, features, ""))
    assert (found.signal.side, found.signal.reverse) == (side, side)
    assert found.signal._replace(side=1, reverse=1) == WANTS
    assert (found.read, found.wrong) == (features, "")
    assert found.lacking == (tuple(f"f{n}" for n in range(nulls)) if nulls >= 3 else ())


def test_a_reading_that_failed_has_its_own_reason() -> None:
    """Late or raised: it names no features."""
    assert entering_nothing_blind(signal_source.silent("late")).lacking == ()


def test_a_desk_says_it_at_the_close_and_until_they_are_back(
    home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The bar event names them at each such close, nothing is entered, the watch has one alert a sleeve; then it is over."""
    names = loop.book.names
    advanced(loop, 20)
    honest, gone = signal_source.features_of, {"on": True}

    def without(given: Any) -> dict[str, float | None]:
        found = honest(given)
        return dict.fromkeys([*found, "funding_rate", "vix", "mvrv"]) if gone["on"] else found

    monkeypatch.setattr(signal_source, "features_of", without)
    restored = signal_source.restored
    monkeypatch.setattr(
        signal_source,
        "restored",
        lambda kind, value: restored(kind, value)._replace(side=1, strength=0.9) if gone["on"] else restored(kind, value),
    )
    before = loop.book.count
    advanced(loop, 10)
    loop.journal.sync()
    bars = [e.body for e in read(home.desk_journal, {"bar"})][before:]
    assert len(bars) == 10
    for body in bars:
        assert set(body["lacking"]) == set(names)
        assert {"funding_rate", "mvrv", "vix"} <= set(body["lacking"][names[0]])
        assert all(body["signals"][name][0] == 0 for name in names)
    entered = [
        e for e in read(home.desk_journal, {"decision"}) if e.body["action"] == "enter" and e.t_event_ms > bars[0]["close_ms"] - 1
    ]
    assert entered == []
    seen = Observer(home.path, home.engine, home.desk.limits).observe(WALL_MS)
    assert set(seen.lacking) == set(names)
    found = list(null_features(desk(lacking=seen.lacking)))
    assert {one.fingerprint for one in found} == {f"features:{name}" for name in names}
    assert "features have no value: " in found[0].what
    gone["on"] = False
    advanced(loop, 1)
    loop.journal.sync()
    path = journal_of(home.path)
    assert lacking_now(path, mark_at(path), seen.config) == {}
    assert "lacking" not in [e.body for e in read(home.desk_journal, {"bar"})][-1]


def test_an_alert_names_six_and_counts_the_rest_and_a_replay_has_none() -> None:
    """Bounded, and quiet about the past."""
    many = {"btc-trend": [f"f{n}" for n in range(9)]}
    (found,) = [one for one in evaluate(desk(lacking=many))[0] if one.kind == "features"]
    assert found.what.startswith("btc-trend enters nothing: 9 features have no value: f0, f1, f2, f3, f4, f5 and 3 more; ")
    assert list(null_features(desk(lacking=many, heartbeat={"phase": "replaying"}))) == []
