"""A shadow says what a challenger would have, at the closes at which the champion is read, and changes nothing of the desk."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from app.home.home import Home
from engine.clock import DAY_MS
from engine.control.config import active, validated
from engine.errors import BadInput, Busy, Refused
from engine.features.frame import FeatureFrame
from engine.live.loop import Loop
from engine.models.column import ModelColumn
from engine.models.scores import Score
from engine.store.journal import Journal, journal_hash, verify
from engine.watch import model_shadow_report, model_shadows
from engine.watch.model_shadow_report import report_of, verdict_of
from engine.watch.model_shadows import begin, find, record, rows_of, shadows, stop
from engine.watch.shadow_journal import any_runs, place_of
from tests.fakes import stored_models
from tests.fakes.own_strategies import SLEEVE, with_own
from tests.fakes.papers import WALL_MS, advanced, feed_of, loop_of
from tests.fakes.versions import put_in_force

READS = 'direction = np.where(f.model("vol-btc") > 0, 1, -1)'
VOL = {"name": "vol-btc", "version": "1.0.1"}


@pytest.fixture
def loop(home: Home, loops: list[Loop]) -> Loop:
    """A desk that has decided on ten bars, whose first sleeve reads vol-btc 1.0.0; 1.0.1 is stored."""
    stored_models.store(home.path / "models")
    with_own(home, READS, 'MODELS = ("vol-btc",)')
    stored_models.store(home.path / "models", version="1.0.1", days=(20, 25, 30, 35))
    loops.append(loop_of(home, feed_of(home)))
    return advanced(loops[0], 10)


def begun(home: Home, sleeve: str = SLEEVE) -> model_shadows.ModelShadow:
    """A shadow of 1.0.1 at the desk's time."""
    return begin(home.engine, home.path, home.catalog, "vol-btc", "1.0.1", sleeve, "ann")


def recorded(home: Home) -> list[str]:
    """What one turn of the schedule comes to."""
    return record(home.engine, home.path, home.catalog)


def test_what_is_recorded_is_the_column_of_each(home: Home, loop: Loop) -> None:
    """At every close after it began up to the desk's time, once, the bits of the two models; the chain holds."""
    one = begun(home)
    assert (one.begun_ms, one.label, one.by) == (loop.book.close_ms, "log_vol_4", "ann")
    advanced(loop, 30)
    assert recorded(home) == [f"vol-btc@1.0.1 of btc-trend: 30 closes more, up to {_at(loop)}"]
    assert recorded(home) == [f"vol-btc@1.0.1 of btc-trend: 0 closes more, up to {_at(loop)}"]
    advanced(loop, 25)
    recorded(home)
    rows = list(rows_of(home.path, one))
    market = feed_of(home).own[900_000].whole
    bars = FeatureFrame.of_market(market, market.instruments.index(stored_models.BTC))
    inside = (bars.close_ms > one.begun_ms) & (bars.close_ms <= loop.book.close_ms)
    assert [row[0] for row in rows] == bars.close_ms[inside].tolist()
    assert len(rows) == 55
    for at, version in ((1, "1.0.1"), (2, "1.0.0")):
        model = stored_models.artifact.load(home.path / "models", "vol-btc", version)
        wanted = ModelColumn(model).predictions(bars).values[inside]
        assert np.array([row[at] for row in rows]).tobytes() == wanted.tobytes()
    assert any(row[1] != row[2] for row in rows)
    assert verify(place_of(home.path)).ok


def test_the_desks_journal_is_the_same_with_and_without(home: Home, own_home: Path, loops: list[Loop], tmp_path: Path) -> None:
    """Byte for byte, and so is its hash: two desks of the same home, one of them with a shadow that records at every turn."""
    stored_models.store(home.path / "models")
    with_own(home, READS, 'MODELS = ("vol-btc",)')
    stored_models.store(home.path / "models", version="1.0.1", days=(20, 25, 30, 35))
    kept = []
    for shadowed in (False, True):
        loop = advanced(loop_of(home, feed_of(home)), 10)
        if shadowed:
            begun(home)
        for _ in range(3):
            advanced(loop, 15)
            recorded(home)
        loop.signals.keep([])
        loop.journal.close()
        path = loop.journal.path
        kept.append((path.read_bytes(), journal_hash(path)))
        path.rename(tmp_path / f"{shadowed}.jsonl")
        for other in path.parent.glob("desk.*"):
            other.unlink()
    assert len(list(rows_of(home.path, find(home.path, "vol-btc", "1.0.1")))) == 45
    assert kept[0][1] == kept[1][1]
    assert kept[0][0] == kept[1][0]


@pytest.mark.slow
def test_a_shadow_ends_where_there_is_nothing_to_stand_beside(home: Home, loop: Loop) -> None:
    """It became the champion; the sleeve's model is another one; another artifact was stored under its version."""
    begun(home)
    config = active(home.engine, home.path).config
    promoted = config.with_sleeve(config.sleeve(SLEEVE).model_copy(update={"models": "vol-btc=1.0.1"}))
    put_in_force(home.engine, home.path, validated(promoted, home.strategies), WALL_MS)
    advanced(loop, 2)
    (line,) = recorded(home)
    assert line.endswith("it ends: it is the champion")
    assert find(home.path, "vol-btc", "1.0.1").stopped == "it is the champion"
    assert recorded(home) == []
    put_in_force(home.engine, home.path, config, WALL_MS)
    begun(home)
    shutil.rmtree(home.path / "models" / "vol-btc" / "1.0.1")
    stored_models.store(home.path / "models", version="1.0.1", days=(20,))
    advanced(loop, 2)
    assert recorded(home)[0].endswith("it ends: another model was stored under its version")


def test_one_that_fails_stops_no_other(home: Home, loop: Loop) -> None:
    """A damaged challenger is a line; the other shadow has its closes."""
    stored_models.store(home.path / "models", version="1.0.2")
    begun(home)
    begin(home.engine, home.path, home.catalog, "vol-btc", "1.0.2", SLEEVE, "ann")
    path = home.path / "models" / "vol-btc" / "1.0.1" / "fits" / "0001.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace("-0.5", "-0.6"))
    advanced(loop, 3)
    first, second = recorded(home)
    assert "fits/0001.json was changed since it was trained" in first
    assert "vol-btc@1.0.2 of btc-trend: 3 closes more" in second


def test_begin_and_stop_refuse_in_one_line(home: Home, loop: Loop) -> None:
    """The champion itself, a model that the sleeve does not read, one that runs, one that ended, no shadow, a second writer."""
    with pytest.raises(Refused, match=r"btc-trend reads vol-btc@1\.0\.0 itself"):
        begin(home.engine, home.path, home.catalog, "vol-btc", "1.0.0", SLEEVE, "ann")
    with pytest.raises(BadInput, match="eth-trend does not read the model vol-btc"):
        begun(home, "eth-trend")
    with pytest.raises(BadInput, match=r"vol-btc@1\.0\.1 has no shadow"):
        stop(home.path, **VOL, sleeve="", why="enough")
    begun(home)
    assert any_runs(home.path)
    with pytest.raises(Refused, match="is a shadow of btc-trend already"):
        begun(home)
    held = Journal(place_of(home.path), "test")
    with pytest.raises(Busy):
        recorded(home)
    held.close()
    assert stop(home.path, **VOL, sleeve="", why="enough").stopped == "enough"
    with pytest.raises(Refused, match="has ended: enough"):
        stop(home.path, **VOL, sleeve="", why="enough")
    assert not any_runs(home.path)
    advanced(loop, 2)
    assert recorded(home) == []
    assert len(shadows(home.path)) == 1


@pytest.mark.slow
def test_the_losses_are_those_of_the_rows(home: Home, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: mean squared error of the outcomes that the desk's time knows, of both models and the baselines; a few days say
    nothing, and with enough of them the interval does."""
    one = begun(home)
    advanced(loop, 2 * 96)
    recorded(home)
    found = report_of(home.path, home.catalog, find(home.path, **VOL))
    market = feed_of(home).own[900_000].whole
    bars = FeatureFrame.of_market(market, market.instruments.index(stored_models.BTC))
    label = model_shadow_report.label_of("log_vol_4", bars)
    at = {int(ms): n for n, ms in enumerate(bars.close_ms)}
    rows = [row for row in rows_of(home.path, one) if label.known_ms[at[row[0]]] <= loop.book.close_ms]
    rows = [row for row in rows if np.isfinite(label.values[at[row[0]]])]
    assert (found["closes"], found["known"]) == (192, len(rows))
    assert len(rows) == 188
    losses = {row["name"]: row["loss"] for row in found["rows"]}
    for name, column in (("challenger", 1), ("champion", 2)):
        errors = [(label.values[at[row[0]]] - row[column]) ** 2 for row in rows]
        assert losses[name] == pytest.approx(np.mean(errors))
    past = (label.known_ms <= one.begun_ms) & (bars.close_ms > one.begun_ms - 60 * DAY_MS) & np.isfinite(label.values)
    mean = label.values[past].mean()
    assert losses["base rate"] == pytest.approx(np.mean([(label.values[at[row[0]]] - mean) ** 2 for row in rows]))
    assert {"challenger", "champion", "base rate", "last known", "HAR"} == set(losses)
    assert found["text"].startswith("vol-btc@1.0.1 against the champion: too little to judge: outcomes of ")
    monkeypatch.setattr(model_shadow_report, "DAYS_MIN", 2)
    gap = report_of(home.path, home.catalog, find(home.path, **VOL))["rows"][1]
    assert gap["better_by"]["value"] == pytest.approx(losses["champion"] - losses["challenger"])
    assert gap["verdict"] in ("better", "worse", "cannot be told apart")


@pytest.mark.parametrize(
    ("low", "high", "days", "verdict"),
    [
        (0.1, 0.2, 19, "too little to judge: outcomes of 19 days, 20 are asked for"),
        (0.1, 0.2, 20, "better"),
        (-0.2, -0.1, 20, "worse"),
        (-0.1, 0.2, 20, "cannot be told apart"),
        (float("nan"), float("nan"), 20, "not comparable"),
    ],
)
def test_the_verdict_is_the_intervals(low: float, high: float, days: int, verdict: str) -> None:
    """And of too few days there is none."""
    assert verdict_of(Score((low + high) / 2, low, high, 0.0, 0.0, 0.0, 100), days) == verdict


def test_before_the_first_close_nothing_is_said(home: Home, loop: Loop) -> None:
    """Nor of outcomes that are not known."""
    one = begun(home)
    assert report_of(home.path, home.catalog, one)["text"] == "no close is recorded yet"
    advanced(loop, 2)
    recorded(home)
    assert report_of(home.path, home.catalog, one)["text"] == "2 closes are recorded, of none the outcome is known yet"


def _at(loop: Loop) -> str:
    return model_shadows.utc(loop.book.close_ms)
