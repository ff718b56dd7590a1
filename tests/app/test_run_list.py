"""What names a run in a list: the settings in which it differs from the others of its strategy and instrument."""

import json

from app.views.run_list import labels, run_lines
from engine.store.runs import Runs

BASE = {
    "sharpe_low": -1.0,
    "strategy": "trend",
    "symbol": "BTC-USDT",
    "side": "both",
    "params": {"stop_atr": 2.0, "stop_frac": 0.0, "fast_bars": 40},
}


def line(**changes):
    """A run's line; parameters by name, anything else as it is."""
    own = {k: v for k, v in changes.items() if k in BASE["params"]}
    return {**BASE, **{k: v for k, v in changes.items() if k not in own}, "params": {**BASE["params"], **own}}


def test_only_what_differs_is_said():
    """In words a trader uses, without the ends of names that lose nothing."""
    assert labels([line(), line(stop_atr=3.0), line(stop_atr=3.0, side="long")]) == [
        "stop 2, side both",
        "stop 3, side both",
        "stop 3, side long",
    ]


def test_two_parameters_of_one_stem_keep_their_whole_names():
    """A stop in ATR and one as a fraction are not the same."""
    assert labels([line(), line(stop_atr=0.0, stop_frac=0.02)]) == ["stop atr 2, stop frac 0", "stop atr 0, stop frac 0.02"]


def test_runs_of_other_strategies_and_instruments_do_not_matter():
    """A run alone, or equal to all others of its kind, has nothing to say."""
    assert labels([line(), line(symbol="ETH-USDT", stop_atr=9.0), line(strategy="reversion")]) == ["", "", ""]
    assert labels([line(), line()]) == ["", ""]


def test_many_differences_are_counted():
    """Four are named."""
    other = line(stop_atr=1.0, stop_frac=1.0, fast_bars=1, side="long", fills="optimistic", venue="okx")
    assert labels([line(), other])[1].endswith("side long and 2 more")


def test_sleeves_of_several_keep_their_names():
    """`btc.stop 2`."""
    several = [line() | {"params": {"btc": {"stop_atr": n}, "eth": {"stop_atr": 2.0}}} for n in (2.0, 3.0)]
    assert labels(several) == ["btc.stop 2", "btc.stop 3"]


def test_runs_that_nothing_else_tells_apart_are_named_by_their_models(monkeypatch):
    """Their rows do not hold the versions: only such runs are read for them."""
    read = []

    class Stored:
        def latest(self, count):
            others = [line(id="r-4", symbol="ETH-USDT"), line(id="r-5", strategy="reversion")]
            return [line(id="r-1"), line(id="r-2"), line(id="r-3", stop_atr=9.0), *others][:count]

        def load(self, ident):
            read.append(ident)
            return {"sleeves": [{"models": f"vol={ident[-1]}.0.0"}]}

    assert [one["label"] for one in run_lines(Stored(), 5)][:3] == ["stop 2, vol=1.0.0", "stop 2, vol=2.0.0", "stop 9, vol=3.0.0"]
    assert set(read) == {"r-1", "r-2", "r-3"}


def test_a_row_of_before_intervals_gets_its_own_from_the_runs_folder_and_a_damaged_one_stays_short(tmp_path):
    """A Sharpe ratio is listed with its interval, also of runs that were stored before lists had one."""
    data = {"source": "recorded", "first_ms": 0, "last_ms": 1}
    metrics = {"sharpe": 1.0, "sharpe_low": -0.5, "sharpe_high": 2.5}
    (tmp_path / "r-20250101-00000001").mkdir()
    kept = {"metrics": metrics, "data": data, "sleeves": [{"side": "both"}]}
    (tmp_path / "r-20250101-00000001" / "run.json").write_text(json.dumps(kept))

    class Old(Runs):
        def latest(self, count=20):
            return [{"id": f"r-20250101-0000000{n}", "strategy": "trend", "symbol": "BTC-USDT", "sharpe": 1.0} for n in (1, 2)]

    whole, short = run_lines(Old(tmp_path), 2)
    assert (whole["sharpe_low"], whole["sharpe_high"]) == (-0.5, 2.5)
    assert "sharpe_low" not in short
