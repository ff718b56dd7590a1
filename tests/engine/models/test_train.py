"""A training from its file: a fault in the file is one line, a stopped training goes on, what is stored is what was measured."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.data.catalog import Catalog
from engine.errors import BadInput, DataError
from engine.models import artifact, column, fold_store, lgbm, train_config
from engine.models import recipe as training
from engine.models import train as trainer
from engine.models.leak_check import LeakCheck
from engine.models.model_bars import ModelBars, model_bars
from engine.models.train import TrainingPlace
from engine.sim.request import moment
from tests.engine.models.conftest import Write
from tests.engine.models.test_out_of_sample import FEATURES
from tests.fakes import recordings

FUNDING = '[series.funding]\nseries = "funding"\ncolumn = "rate"\nmax_age_hours = 9\n'


def bars_of(unit: train_config.TrainUnit, place: TrainingPlace) -> ModelBars:
    """What a unit is trained on."""
    return model_bars(place.catalog, unit.instrument, unit.timeframe, unit.reads, unit.from_ms, unit.to_ms)


def trained(path: Path, place: TrainingPlace) -> dict[str, Any]:
    """All models of a file."""
    return trainer.train(train_config.read_config(path, moment), place, lambda _done: None, lambda _line: None)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"returns(1)"', '"retruns(1)"', "no feature 'retruns'"),
        ('"returns(1)"', '"returns(0)"', "returns"),
        ('"returns(1)", ', '"realised_vol(16)", ', "listed twice"),
        ('"log_vol_4"', '"gain_4"', "unknown label 'gain_4'"),
        ('"vol-btc"', '"a"\nthreshold = 1.0', "threshold = '1.0' is out of bounds"),
        ("rounds = 8", "rounds = 0", r"train.toml: \[learners.small\]: rounds = '0' is out of bounds"),
        ("rounds = 8", "round = 8", "unknown setting 'round'"),
        ("rounds = 8", 'kind = "xgboost"', "unknown model 'xgboost'"),
        ("rounds = 8", "search = {trials = 3}", "nothing to search"),
        ("rounds = 8", "search = {trials = 3, rounds = [9, 2]}", "is not a range"),
        ("rounds = 8", "search = {trials = 9999, rounds = [2, 9]}", "trials = '9999' is out of bounds"),
        ("train_days = 20", "train_days = 0", "train_days = '0' is out of bounds"),
        ("train_days = 20", "train_days = nan", "train_days = 'nan' is out of bounds"),
        ("train_days = 20", "days = 3", "unknown key 'days'"),
        ('"15m"', '"17m"', "unknown timeframe '17m'"),
        ('"BTC-USDT"', '"BTC"', "'BTC' is not a symbol"),
        ('"BTC-USDT"', '"BTC-USDT", "BTC-USDT"', "names one twice"),
        ('["BTC-USDT"]', '"BTC-USDT"', "list 1 to 20 names"),
        ('"vol-btc"', '"Vol BTC"', "small letters"),
        ('"vol-btc"', '"a"\nfrom = "2025-03"\nto = "2025-02"', "from is not before to"),
        ('"vol-btc"', '"a"\nversion = "one"', "is not a version"),
        ('"vol-btc"', '"a"\npath = "x"', "unknown key 'path'"),
        ('"returns(1)"', '"ETH-USDT.returns(1)"', "reads ETH-USDT, which `instruments` does not list"),
        ('"returns(1)"', '"funding_rate()"', "reads the series funding, which the file does not declare"),
        ("[folds]", '[series.funding]\nseries = "funding"\n[folds]', "is not an outside series"),
        ("[folds]", f"{FUNDING.replace('9', chr(34) + 'nine' + chr(34))}[folds]", "is not an outside series"),
        ("[folds]", f"{FUNDING.replace(chr(34) + 'funding' + chr(34), '5')}[folds]", "is not an outside series"),
        ("[folds]", f"{FUNDING}age = 3\n[folds]", "is not an outside series"),
        ("[folds]", f"{FUNDING.replace('9', '-9')}[folds]", "max_age_hours = -9 is out of bounds"),
        ("[folds]", "[folds", "it is TOML"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(write: Write, old: str, new: str, what: str) -> None:
    """Before any bar is read."""
    with pytest.raises(BadInput, match=what) as raised:
        train_config.read_config(write((old, new)), moment)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_none_or_too_large_is_refused(tmp_path: Path) -> None:
    """Bytes, size, absence."""
    path = tmp_path / "train.toml"
    with pytest.raises(BadInput, match="cannot be read"):
        train_config.read_config(path, moment)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="it is TOML"):
        train_config.read_config(path, moment)
    path.write_bytes(b"#" * (train_config.BYTES_MAX + 1))
    with pytest.raises(BadInput, match="larger than 64 KiB"):
        train_config.read_config(path, moment)


def test_a_file_names_a_model_for_each_combination(write: Write) -> None:
    """What differs between them is in their names, the horizon too."""
    units = train_config.read_config(
        write(('["log_vol_4"]', '["log_vol_4", "direction_12"]'), ('["BTC-USDT"]', '["BTC-USDT", "ETH-USDT"]')), moment
    )
    assert [unit.name for unit in units] == [
        "vol-btc-btc-usdt-log-vol-4",
        "vol-btc-btc-usdt-direction-12",
        "vol-btc-eth-usdt-log-vol-4",
        "vol-btc-eth-usdt-direction-12",
    ]
    assert units[3].instrument == "binance:ETH-USDT:perp"
    many = ", ".join(f'"log_vol_{n}"' for n in range(1, 16))
    coins = ", ".join(f'"C{n}-USDT"' for n in range(8))
    path = write(('"log_vol_4"', many), ('"BTC-USDT"', coins))
    with pytest.raises(BadInput, match="120 models - at most 100"):
        train_config.read_config(path, moment)


def test_features_may_read_another_instrument_and_an_outside_series(write: Write, place: TrainingPlace) -> None:
    """As a strategy does, and the version names the files and what was read."""
    own = ('"returns(1)"', '"ETH-USDT.returns(1)", "funding_rate()"'), ("[folds]", f"{FUNDING}[folds]")
    path = write(*own, ('name = "vol-btc"', 'name = "vol-btc"\ninstruments = ["ETH-USDT"]'))
    unit = train_config.read_config(path, moment)[0]
    loaded = bars_of(unit, place)
    rows = training.prepare(unit.recipe, loaded.frame)
    assert np.isfinite(rows.columns[1_000]).all()
    assert sorted(loaded.files) == [
        "binance_BTC-USDT_perp_15m.parquet",
        "binance_BTC-USDT_perp_funding.parquet",
        "binance_ETH-USDT_perp_15m.parquet",
    ]
    assert unit.reads.names[0] == "binance:ETH-USDT:perp"


def test_what_is_stored_is_what_was_measured(write: Write, place: TrainingPlace) -> None:
    """Gates, figures and folds are in the version; its column has a value wherever a figure is from."""
    found = trained(write(), place)["items"][0]
    model = artifact.load(place.models, "vol-btc", "1.0.0")
    assert (found["version"], found["sha256"], model.metrics["test"]) == ("1.0.0", model.sha256, found["test"])
    assert [gate["name"] for gate in found["gates"]] == ["gap", "baseline", "too_good", "rows", "leaks"]
    assert not found["promotable"]  # a random walk: nothing is better than its baseline
    assert {gate["name"] for gate in found["gates"] if not gate["passed"]} >= {"baseline", "rows"}
    assert found["leak_check"]["clean"]
    assert len(model.fits) == len(found["folds"]["rows"]) == 4
    loaded = bars_of(train_config.read_config(write(), moment)[0], place)
    said = column.predictions(model, loaded.frame)
    assert np.isfinite(said.values).sum() >= found["test"]["rows"] >= 1_500
    assert model.about["data"] == loaded.files
    assert list(place.work.iterdir()) == []
    assert trainer.next_version(["1.0.0", "1.2.9"]) == "1.2.10"


def test_a_training_that_was_stopped_goes_on(write: Write, place: TrainingPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in its third fold: what was fitted is not fitted again, a damaged fold is; the model is the same to the bit."""
    whole = trained(write(), place)["items"][0]
    fitted: list[int] = []
    honest = training.fit_fold

    def counted(recipe: Any, rows: Any, number: int) -> Any:
        if recipe.settings["rounds"] == 8:
            fitted.append(number)
            if len(fitted) == 3:
                raise KeyboardInterrupt
        return honest(recipe, rows, number)

    monkeypatch.setattr(trainer.leak_check, "check", lambda *_args, **_named: LeakCheck((), (0,), 3, 1))
    monkeypatch.setattr(trainer, "report_of", lambda _judged: {})
    monkeypatch.setattr(trainer, "line_of", lambda _report: "")
    monkeypatch.setattr(training, "fit_fold", counted)
    with pytest.raises(KeyboardInterrupt):
        trained(write(), place)
    kept = sorted(place.work.glob("*/fold-*.json"))
    assert [path.name for path in kept] == ["fold-0001.json", "fold-0002.json"]
    kept[1].write_text(kept[1].read_text().replace('"before": -', '"before": -1'))
    fitted[:] = [0, 0, 0]
    trained(write(), place)
    assert fitted[3:] == [2, 3, 4]
    first, again = (artifact.load(place.models, "vol-btc", version) for version in ("1.0.0", "1.0.1"))
    assert whole["version"] == "1.0.0"
    assert [json.dumps(fit.trees.value.tolist()) for fit in first.fits] == [
        json.dumps(fit.trees.value.tolist()) for fit in again.fits
    ]


def test_other_bars_settings_or_days_have_other_folds(write: Write, place: TrainingPlace) -> None:
    """Nothing that was fitted for one training is taken for another."""
    units = train_config.read_config(write(), moment)
    loaded = bars_of(units[0], place)
    rows = training.prepare(units[0].recipe, loaded.frame)
    changed = units[0].recipe._replace(settings=lgbm.settings_of({"rounds": 9}, "test"))
    other = rows._replace(columns=np.where(np.arange(len(rows.columns))[:, None] == 700, 0.5, rows.columns))
    searched = units[0].recipe._replace(search={"trials": 2, "num_leaves": [4, 9]})
    folders = [
        fold_store.folder_of(place.work, *given)
        for given in ((units[0].recipe, rows), (changed, rows), (units[0].recipe, other), (searched, rows))
    ]
    assert len(set(folders)) == 4
    assert fold_store.folder_of(place.work, units[0].recipe, rows) == folders[0]


def test_a_search_chooses_on_training_rows_alone(write: Write, place: TrainingPlace) -> None:
    """Within its range; test rows and what comes after them change nothing."""
    unit = train_config.read_config(write(("rounds = 8", "rounds = 8\nsearch = {trials = 3, num_leaves = [3, 9]}")), moment)[0]
    rows = training.prepare(unit.recipe, bars_of(unit, place).frame)
    found = training.fit_fold(unit.recipe, rows, 1)
    assert 3 <= found.settings["num_leaves"] <= 9
    assert found.settings["rounds"] == 8
    later = rows.columns.copy()
    later[rows.folds[0].test] = 7.0
    label = rows.label._replace(
        values=np.where(rows.label.known_ms >= rows.close_ms[rows.folds[0].test[0]], 9.0, rows.label.values)
    )
    again = training.fit_fold(unit.recipe, rows._replace(columns=later, label=label), 1)
    assert (again.settings, again.model.text) == (found.settings, found.model.text)


def test_a_search_is_fitted_to_rows_whose_labels_are_known_before_those_it_chooses_on(
    write: Write, place: TrainingPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three quarters of the rows less the four whose labels reach into the last quarter; then all rows, once."""
    unit = train_config.read_config(write(("rounds = 8", "rounds = 8\nsearch = {trials = 2, num_leaves = [3, 9]}")), moment)[0]
    rows = training.prepare(unit.recipe, bars_of(unit, place).frame)
    counts, honest = [], lgbm.fit
    monkeypatch.setattr(lgbm, "fit", lambda columns, *rest: counts.append(len(columns)) or honest(columns, *rest))
    training.fit_fold(unit.recipe, rows, 1)
    count = len(rows.folds[0].train)
    assert counts == [count - count // 4 - 4] * 2 + [count]


@pytest.mark.parametrize(
    ("changes", "error", "what"),
    [
        ((("train_days = 20", "train_days = 60"),), BadInput, "one fold takes 65 days"),
        ((('"vol-btc"', '"a"\nto = "2025-01-02"'),), BadInput, "96 bars.*nothing can be trained"),
        ((("train_days = 20", "train_days = 2"),), DataError, "fold 1 has .* labelled training rows: nothing can be fitted"),
        ((('"BTC-USDT"', '"DOGE-USDT"'),), BadInput, "DOGE-USDT"),
    ],
)
def test_bars_that_nothing_can_be_trained_on_are_named(
    write: Write, place: TrainingPlace, changes: tuple[tuple[str, str], ...], error: type[Exception], what: str
) -> None:
    """Too few, too short a training, none at all."""
    with pytest.raises(error, match=what):
        trained(write(*changes), place)
    assert artifact.names(place.models) == []


@pytest.mark.slow
def test_a_class_that_a_fold_lacks_is_named(write: Write, tmp_path: Path) -> None:
    """A price that only rises has no other direction: the fold is named, and of several models the others are trained."""
    folder = tmp_path / "rising"
    frame = recordings.bars(3_456)
    rising = 100.0 * np.exp(0.0001 * np.arange(3_456) + 0.00002 * np.random.default_rng(1).uniform(size=3_456))
    opens = np.concatenate([[100.0], rising[:-1]])
    bars = frame.with_columns(open=opens, high=rising * 1.001, low=opens * 0.999, close=rising)
    recordings.write(folder, "binance_BTC-USDT_perp_15m", bars)
    place = TrainingPlace(Catalog([(folder, "test")]), {}, tmp_path / "models", tmp_path / "work")
    with pytest.raises(DataError, match="fold 1 has one value of its label alone: nothing can be fitted"):
        trained(write(("log_vol_4", "direction_4")), place)
    found = trained(write(('"log_vol_4"', '"direction_4", "log_vol_4"')), place)
    assert [("error" in item) for item in found["items"]] == [True, False]
    assert found["text"] == "1 of 2 models trained, 0 of them passed every gate"


def test_a_version_that_exists_is_refused_before_anything_is_trained(write: Write, place: TrainingPlace) -> None:
    """It is never written over."""
    (place.models / "vol-btc" / "2.0.0").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"vol-btc 2\.0\.0 exists"):
        trained(write(('name = "vol-btc"', 'name = "vol-btc"\nversion = "2.0.0"')), place)
    assert not place.work.exists()


@pytest.mark.long
def test_processes_fit_what_one_process_fits(write: Write, place: TrainingPlace) -> None:
    """Bit for bit, in whichever order they end; what they read is there for them alone."""
    config = write(("train_days = 20", "train_days = 20\ntest_days = 1\nstep_days = 1"))
    one, many = (trained(config, place._replace(workers=workers))["items"][0] for workers in (1, 2))
    first, second = (artifact.load(place.models, "vol-btc", item["version"]) for item in (one, many))
    assert len(first.fits) == 16
    assert first.sha256 == second.sha256


POOL = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from engine.models.train import end_with_parent
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


@pytest.mark.long
def test_a_training_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    """Its processes would wait for work for ever: nobody else ends them."""
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    root = Path(__file__).parents[3]
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.wait()
    try:
        parent.communicate(timeout=120)  # ends when the child, which has the same pipe, does
    except subprocess.TimeoutExpired:
        os.kill(child, 9)
        raise


@pytest.mark.long
def test_volatility_of_a_recorded_year_passes_and_direction_does_not(write: Write, tmp_path: Path, market_data: Path) -> None:
    """BTC 15m of 2025: a small learner is better than HAR and as good as on its training rows; direction is not."""
    path = write(
        ('["log_vol_4"]', '["log_vol_4", "direction_4"]'),
        ('name = "vol-btc"', 'name = "m"\nfrom = "2024-11-01"\nto = "2026-01-01"'),
        ('"returns(1)", "realised_vol(16)", "hour_sin()"', ", ".join(f'"{text}"' for text in FEATURES)),
        ("train_days = 20", "train_days = 60"),
        ("rounds = 8", "rounds = 100\nnum_leaves = 5\nmin_data_in_leaf = 300\nlearning_rate = 0.06"),
    )
    place = TrainingPlace(Catalog([(market_data, "recorded")]), {}, tmp_path / "models", tmp_path / "work", 2)
    volatility, direction = trained(path, place)["items"]
    assert volatility["promotable"], volatility["text"]
    assert volatility["test"]["value"] >= 0.44
    assert volatility["baselines"]["HAR"]["better_by"]["low"] > 0.0
    assert {gate["name"] for gate in direction["gates"] if not gate["passed"]} == {"gap", "costs"}
    assert 0.5 < direction["test"]["value"] < 0.53
    assert all(side["precision"] < side["needed"] and side["net_bps"] < 0.0 for side in direction["sides"])
