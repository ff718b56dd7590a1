"""The synthetic market has the moments of recorded ones, is the same in every process, and passes the checks."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.catalog import Catalog
from engine.data.checks import check, check_funding, errors
from engine.data.synthetic import COINS, synthetic, write_synthetic
from engine.errors import BadInput

STEP = 900_000
START = 1_735_689_600_000
FOUR = ("BTC", "ETH", "SOL", "XRP")


@pytest.fixture(scope="module")
def year() -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """A year of 15m bars of four coins."""
    return synthetic([f"{c}-USDT" for c in FOUR], STEP, START, 35_040, 7)


@pytest.fixture(scope="module")
def measured(market_data: Path) -> dict:
    """Aggregates of the recorded year."""
    return json.loads((market_data / "calibration.json").read_text())


def memory(x: np.ndarray, lag: int) -> float:
    """Autocorrelation at a lag."""
    x = x - x.mean()
    return float((x[:-lag] * x[lag:]).mean() / (x * x).mean())


def returns(frame: pl.DataFrame) -> np.ndarray:
    """Log returns of the closes."""
    return np.diff(np.log(frame["close"].to_numpy()))


@pytest.mark.parametrize("coin", FOUR)
def test_moments_are_those_of_the_recorded_year(year, measured: dict, coin: str) -> None:
    """Volatility within 20 %, tails, clustering at four lags within 0.11, no memory in returns, range within 20 %."""
    want, frame = measured[coin], year[0][f"{coin}-USDT"]
    r = returns(frame)
    size = np.abs(r)
    assert r.std() * 1e4 == pytest.approx(want["ret_std_bps"], rel=0.20)
    assert 10 < ((r - r.mean()) ** 4).mean() / r.var() ** 2 < 60
    for lag in (1, 4, 16, 96):
        assert memory(size, lag) == pytest.approx(want["acf_absret"][str(lag)], abs=0.11)
    assert abs(memory(r, 1)) < 0.03
    for q in ("0.01", "0.99"):
        assert np.quantile(r, float(q)) * 1e4 == pytest.approx(want["ret_q_bps"][q], rel=0.25)
    spread = ((frame["high"] - frame["low"]) / frame["close"]).mean() * 1e4
    assert spread == pytest.approx(want["hl_range_bps"]["mean"], rel=0.20)


@pytest.mark.parametrize("coin", FOUR)
def test_volume_and_hours_are_those_of_the_recorded_year(year, measured: dict, coin: str) -> None:
    """Log volume within 0.3, its spread within 15 %, its tie to |return| within 0.12, the hours' profile within 0.2."""
    want, frame = measured[coin], year[0][f"{coin}-USDT"]
    size, volume = np.abs(returns(frame)), frame["volume"].to_numpy()
    assert np.log(volume).mean() == pytest.approx(want["vol_log_mean"], abs=0.3)
    assert np.log(volume).std() == pytest.approx(want["vol_log_std"], rel=0.15)
    assert np.corrcoef(size, volume[1:])[0, 1] == pytest.approx(want["corr_absret_volume"], abs=0.12)
    hour = (frame["ts"].to_numpy()[1:] // 3_600_000) % 24
    profile = np.array([size[hour == h].mean() for h in range(24)]) / size.mean()
    real = np.array([want["absret_by_utc_hour_rel"][str(h)] for h in range(24)])
    assert np.abs(profile - real).max() < 0.2
    assert np.corrcoef(profile, real)[0, 1] > 0.9


def test_coins_move_together_as_recorded(year, measured: dict) -> None:
    """Correlations of 15m returns within 0.06."""
    found = np.corrcoef([returns(year[0][f"{c}-USDT"]) for c in FOUR])
    want = np.array([[measured["ret_corr_15m_2025"][a][b] for b in FOUR] for a in FOUR])
    assert np.abs(found - want).max() < 0.06


@pytest.mark.parametrize("coin", FOUR)
def test_funding_is_that_of_the_recorded_year(year, measured: dict, coin: str) -> None:
    """Every 8 hours, mean within 0.2 bps, spread within 20 %, memory within 0.1, capped where the venue caps."""
    want, frame = measured[coin]["funding_8h"], year[1][f"{coin}-USDT"]
    rate = frame["rate"].to_numpy() * 1e4
    assert (frame["ts"].diff().drop_nulls() == 8 * 3_600_000).all()
    assert rate.mean() == pytest.approx(want["mean_bps"], abs=0.2)
    assert rate.std() == pytest.approx(want["std_bps"], rel=0.2)
    assert memory(rate, 1) == pytest.approx(want["acf1"], abs=0.1)
    assert rate.max() <= COINS[f"{coin}-USDT"].funding_cap_bps


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 400), st.integers(0, 300), st.integers(0, 2**32), st.sampled_from([60_000, 900_000, 3_600_000]))
def test_a_longer_walk_begins_with_the_shorter_one(bars: int, more: int, seed: int, step: int) -> None:
    """Law: more bars, or another coin beside it, move no number."""
    short, early = synthetic(["SOL-USDT"], step, START, bars, seed)
    long, late = synthetic(["BTC-USDT", "SOL-USDT"], step, START, bars + more, seed)
    assert short["SOL-USDT"].equals(long["SOL-USDT"].head(bars))
    assert early["SOL-USDT"].equals(late["SOL-USDT"].head(early["SOL-USDT"].height))


@pytest.mark.slow
def test_another_process_and_hash_seed_give_the_same_bits(tmp_path: Path) -> None:
    """Determinism: same arguments, same digest, whatever PYTHONHASHSEED says."""
    code = (
        "import hashlib\nfrom engine.data.synthetic import synthetic\n"
        f"f, r = synthetic(['BTC-USDT', 'ETH-USDT'], {STEP}, {START}, 500, 3)\n"
        "print(hashlib.sha256(b''.join(x.to_numpy().tobytes() for d in (f, r) for x in d.values())).hexdigest())"
    )
    root = str(Path(__file__).resolve().parents[3])
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": root}, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1


def test_another_seed_is_another_market() -> None:
    """A seed means something."""
    a, b = (synthetic(["BTC-USDT"], STEP, START, 50, seed)[0]["BTC-USDT"] for seed in (1, 2))
    assert not a.equals(b)


@pytest.mark.parametrize("step", [60_000, 300_000, 900_000, 3_600_000])
def test_it_passes_our_own_checks(step: int) -> None:
    """No error in any coin at any timeframe; prices stand on the tick."""
    bars, funding = synthetic(list(COINS), step, START, 5000, 3)
    for symbol, coin in COINS.items():
        assert errors(check(bars[symbol], step)) == []
        assert check_funding(funding[symbol]) == []
        ticks = bars[symbol]["close"].to_numpy() / coin.tick
        assert np.abs(ticks - np.round(ticks)).max() < 1e-6


def test_written_files_are_found_as_synthetic(tmp_path: Path) -> None:
    """Bars and funding under the venue `synthetic`, stamped so in the catalog."""
    write_synthetic(tmp_path / "synthetic", ["BTC-USDT"], "15m", STEP, START, 200, 1)
    catalog = Catalog([(tmp_path, "recorded")])
    assert {(s.venue, s.series, s.source) for s in catalog.series()} == {
        ("synthetic", "15m", "synthetic"),
        ("synthetic", "funding", "synthetic"),
    }
    assert catalog.bars(catalog.find("synthetic", "BTC-USDT", "15m")).height == 200


@pytest.mark.parametrize("args", [(["DOGE-USDT"], STEP, START, 5), (["BTC-USDT"], STEP, START, 0), (["BTC-USDT"], STEP, 7, 5)])
def test_what_cannot_be_made_is_refused(args: tuple) -> None:
    """Unknown coin, no bars, a start off the grid."""
    with pytest.raises(BadInput):
        synthetic(*args, 1)
