"""A stored model is read on paper as in a backtest, bit for bit, and what is wrong with one is a line at the door."""

import subprocess
import sys

import numpy as np
import pytest

from app.cli.journal import close_of_desk
from app.cli.stories import desk_text
from app.home.home import Home
from engine.clock import DAY_MS
from engine.control.config import active
from engine.errors import DataError
from engine.features.frame import FeatureFrame
from engine.live.loop import Loop
from engine.models.column import ModelColumn
from engine.parity.tape import tape_of
from engine.parity.today import today_of
from engine.store.journal import read
from tests.fakes import stored_models
from tests.fakes.own_strategies import SLEEVE, backtest_of, check_paper_is_the_backtest, with_own
from tests.fakes.papers import FROM_MS, advanced, feed_of, loop_of
from tests.fakes.parity_desks import comparison

BARS = 3 * 96 + 40  # over the fits that begin on the days 35 and 36
MODELS = 'MODELS = ("vol-btc", "regime-{symbol}")'
READS = """said, seen = f.model("vol-btc"), f.regime("regime-{symbol}")
    sure = f.regime("regime-{symbol}", "bull")
    direction = np.where((said > 1.5) & (seen > -1), 1, np.where((said < -1.5) & (sure < 0.5), -1, 0))
    f.ema(4)"""


def modelled(home: Home) -> Home:
    """The home with two stored models and a strategy of a person's own that reads both."""
    stored_models.store(home.path / "models")
    stored_models.store(home.path / "models", "regime-btc-usdt", of_regimes=True)
    return with_own(home, READS, MODELS)


@pytest.mark.slow
def test_paper_reads_a_model_as_the_backtest(home: Home, loops: list[Loop]) -> None:
    """Decisions, fills and equity of three days; columns by their version in the journal, their digests in its configuration."""
    loops.append(loop_of(modelled(home), feed_of(home)))
    loop = advanced(loops[0], BARS)
    run = backtest_of(home, BARS)
    check_paper_is_the_backtest(loop, run)
    assert run.report["leaks"]["clean"], run.report["leaks"]
    decided = [e.body["features"] for e in read(loop.journal.path, {"decision"}) if e.body["sleeve"] == SLEEVE]
    labels = {"model(vol-btc@1.0.0)", "regime(regime-btc-usdt@1.0.0)", "regime(regime-btc-usdt@1.0.0,bull)"}
    assert all(labels <= set(features) for features in decided)
    values = {features["model(vol-btc@1.0.0)"] for features in decided}
    assert values & {2.0, -1.5, 3.0, -2.5}, values
    config = [e.body for e in read(loop.journal.path, {"config"})][-1]
    (sleeve,) = (s for s in config["sleeves"] if s["name"] == SLEEVE)
    named = {one.text.partition(" ")[0]: one.columns.sha256 for one in run.plan.sleeves[0].models}
    assert sleeve["models"] == named == run.report["sleeves"][0]["model_sha256"]
    assert all(any(name in text for text in sleeve["reads"]) for name in named)
    assert run.report["sleeves"][0]["models"] == "regime-btc-usdt=1.0.0, vol-btc=1.0.0"


def test_a_restart_goes_on_with_the_same_columns(home: Home, loops: list[Loop]) -> None:
    """Closed in the middle and opened again: the journal's hashes of features are those of a desk that never stopped."""
    modelled(home)
    feed = feed_of(home)
    first = advanced(loop_of(home, feed), 150)
    first.signals.keep([])
    first.journal.close()
    loops.append(loop_of(home, feed, first.book))
    again = advanced(loops[0], 60)  # over the fit of day 35, at bar 192
    found = [e.body["features"][SLEEVE] for e in read(again.journal.path, {"bar"})]
    assert len(found) == 210
    check_paper_is_the_backtest(again, backtest_of(home, 210))


def test_the_version_of_the_configuration_answers(home: Home, loops: list[Loop]) -> None:
    """One that is stored later changes no running desk, and no backtest of its configuration."""
    modelled(home)
    assert active(home.engine, home.path).config.sleeve(SLEEVE).models == "regime-btc-usdt=1.0.0, vol-btc=1.0.0"
    stored_models.store(home.path / "models", version="1.0.1", days=(20,))
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], 5)
    config = [e.body for e in read(loop.journal.path, {"config"})][-1]
    assert set(next(s for s in config["sleeves"] if s["name"] == SLEEVE)["models"]) == {"regime-btc-usdt@1.0.0", "vol-btc@1.0.0"}


@pytest.mark.slow
def test_without_an_answer_there_is_no_signal(home: Home, loops: list[Loop]) -> None:
    """Before the first fit the column is null: the strategy says nothing there, as of any feature, and trades on from the fit."""
    stored_models.store(home.path / "models", days=(35,))
    with_own(home, 'direction = np.where(f.model("vol-btc") > 0, 1, -1)', 'MODELS = ("vol-btc",)')
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], BARS)
    bars = [(e.body["close_ms"], e.body["signals"][SLEEVE][0]) for e in read(loop.journal.path, {"bar"})]
    first = FROM_MS + 35 * DAY_MS
    nulls = [e.body.get("nulls", {}).get(SLEEVE) for e in read(loop.journal.path, {"bar"}) if e.body["close_ms"] < first]
    assert nulls == [{"model(vol-btc@1.0.0)": "before the model's first fit (2025-02-05 00:00Z)"}] * len(nulls)
    assert not any("nulls" in e.body for e in read(loop.journal.path, {"bar"}) if e.body["close_ms"] >= first)
    story = close_of_desk(loop.journal.path, SLEEVE, FROM_MS + 34 * DAY_MS)
    assert "model(vol-btc@1.0.0) has no value: before the model's first fit (2025-02-05 00:00Z)" in desk_text(story)
    assert not any(side for close_ms, side in bars if close_ms < first)
    assert all(side for close_ms, side in bars if close_ms >= first)


@pytest.mark.parametrize("fault", ["flipped", "gone"])
def test_a_damaged_model_stops_the_start_in_one_line(home: Home, loops: list[Loop], fault: str) -> None:
    """It names the model and what is wrong with it."""
    modelled(home)
    path = home.path / "models" / "vol-btc" / "1.0.0" / "fits" / "0002.json"
    path.chmod(0o644)
    if fault == "gone":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"the model vol-btc 1.0.0: fits/0002.json (is missing|was changed)") as caught:
        loops.append(loop_of(home, feed_of(home)))
    assert "\n" not in str(caught.value)


def test_a_damaged_model_is_no_new_version(home: Home, loops: list[Loop]) -> None:
    """While the desk runs: one incident, and the version before stays in force and trades on."""
    loops.append(loop_of(home, feed_of(home)))
    loop = advanced(loops[0], 2)
    modelled(home)
    path = home.path / "models" / "vol-btc" / "1.0.0" / "metrics.json"
    path.chmod(0o644)
    path.write_text("{} ")
    advanced(loop, 3)
    assert loop.book.version == 1
    (incident,) = [e.body["what"] for e in read(loop.journal.path, {"incident"})]
    assert "cannot be followed: the model vol-btc 1.0.0: metrics.json was changed since it was trained" in incident


def test_another_model_under_the_same_version_is_refused(home: Home, loops: list[Loop]) -> None:
    """A desk that is opened again follows the bytes that its journal names, not the number."""
    modelled(home)
    feed = feed_of(home)
    first = advanced(loop_of(home, feed), 3)
    first.signals.keep([])
    first.journal.close()
    folder = home.path / "models" / "vol-btc"
    (folder / "1.0.0").rename(folder.parent / "kept")
    stored_models.store(home.path / "models", days=(21, 31))
    loops.append(first)
    with pytest.raises(DataError, match=r"vol-btc@1\.0\.0 is not the one that this desk has followed"):
        first.signals._source(first.book.specs[0])


def test_no_learner_is_loaded_where_a_model_is_read() -> None:
    """The worker, and the process that runs strategies."""
    wanted = "import sys, app.processes.worker, engine.strategies.isolated.serve, engine.models.column\n"
    heavy = "[m for m in sys.modules if m.partition('.')[0] in ('lightgbm', 'sklearn', 'hmmlearn', 'numba')]"
    done = subprocess.run([sys.executable, "-c", f"{wanted}print({heavy})"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stdout


def test_the_fold_that_answers_changes_where_the_next_begins(home: Home) -> None:
    """Each fit of the model says something else, so that a later one's answer would be seen."""
    model = stored_models.store(home.path / "models")
    frame = feed_of(home).own[900_000].whole
    bars = FeatureFrame.of_market(frame, frame.instruments.index(stored_models.BTC))
    found = ModelColumn(model).predictions(bars)
    for number, fit in enumerate(model.fits):
        own = found.values[found.fits == number]
        assert set(np.unique(own)) <= {-0.5 - number, 1.0 + number}
        assert bars.close_ms[found.fits == number].min() == fit.from_ms


@pytest.mark.slow
def test_parity_computes_the_columns_again(home: Home) -> None:
    """The versions that the journal names, though a later one is stored: not a cent apart, and the same hash of features."""
    loop = advanced(loop_of(modelled(home), feed_of(home)), 150)
    loop.signals.keep([])
    loop.journal.close()
    stored_models.store(home.path / "models", version="1.0.1", days=(20,))
    found = comparison(home)
    assert found.unexplained_frac in (0.0, None)
    assert not any(pair.differs for pair in found.pairs)
    tape = tape_of(home.path)
    today = today_of(tape, home.setup, home.catalog, lambda _sleeve, _version: None)
    key = next(key for key, source in tape.sources.items() if source["name"] == SLEEVE)
    last = list(tape.bars)[-1].body
    assert today.features(key, last["close_ms"]) == last["features"][SLEEVE]
