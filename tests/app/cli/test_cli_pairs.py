"""`nightdesk pairs scan` as it is typed, over parquet files of synthetic bars and over the recorded coins."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from app.cli.pairs import register
from app.home.home import open_home
from app.jobs import kinds
from app.views.research import view_of
from engine.clock import HOUR_MS
from engine.errors import BadInput, DataError
from engine.research.pairs.request import asked_of
from tests.fakes import recordings
from tests.tools.conftest import FakeJobs
from tools.catalog import call
from tools.common.contract import JobView, ToolContext

BARS = 1_000
SHORT = ("--window", "10d", "--step", "5d")
NAMES = [*(f"W{n}-USDT" for n in range(6)), "TIED-USDT"]


def write(folder: Path, symbol: str, log_price: np.ndarray) -> None:
    """Hourly bars of a binance perpetual whose closes are these."""
    close = np.exp(log_price)
    opens = np.r_[close[0], close[:-1]]
    ts = recordings.FIRST_MS + np.arange(len(close), dtype=np.int64) * HOUR_MS
    high, low = np.maximum(opens, close), np.minimum(opens, close)
    columns = {"ts": ts, "open": opens, "high": high, "low": low, "close": close, "volume": np.full(len(close), 10.0)}
    recordings.write(folder, f"binance_{symbol}_perp_1h", pl.DataFrame(columns))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six walks and one that is tied to the first: 21 pairs."""
    dice = np.random.default_rng(1)
    walks = 3.0 + np.cumsum(dice.normal(0.0, 0.005, (8, BARS)), axis=1)[:6]
    spread, kept = np.zeros(BARS), 0.5 ** (1 / 5)
    for t in range(1, BARS):
        spread[t] = kept * spread[t - 1] + dice.normal(0.0, 0.006)
    found = tmp_path_factory.mktemp("pairs") / "bars"
    for n, walk in enumerate(walks):
        write(found, f"W{n}-USDT", walk)
    write(found, "TIED-USDT", 0.8 * walks[0] + spread)
    return found


@pytest.fixture
def folder(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the data of this test's home."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(recorded))
    return recorded


@pytest.fixture(scope="module")
def scanned(recorded: Path) -> dict[str, Any]:
    """The scan of all of them as it is typed, once: it is seconds of work."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NIGHTDESK_DATA", str(recorded))
        return typed("--symbols", ",".join(NAMES), *SHORT)


def typed(*words: str) -> dict[str, Any]:
    """The scan, as JSON. Raises what the command raises."""
    app = typer.Typer()
    register(app)
    done = CliRunner().invoke(app, ["pairs", "scan", "--json", *words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_of_21_pairs_the_planted_one_is_found(scanned: dict[str, Any]) -> None:
    """With its figures, their units, and what was assumed."""
    found = scanned
    assert found["tried"] == len(found["pairs"]) == 21
    (pair,) = [row for row in found["pairs"] if row["cointegrated"]]
    assert (pair["a"], pair["b"]) == ("W0-USDT", "TIED-USDT")
    assert {"a", "b", "windows", "coint_frac", "random_walk_frac", "half_life_h", "net_return_frac"} <= pair.keys()
    assert 0.0 <= pair["random_walk_frac"] < pair["coint_frac"] <= 1.0
    assert 2.0 < pair["half_life_h"] < 10.0
    parts = math.fsum(pair[f"{part}_frac"] for part in ("moved", "costs", "funding"))
    assert pair["net_return_frac"] == pytest.approx(parts)
    assert any("funding is not charged" in note for note in found["notes"])
    assert any("5 bps a fill are assumed" in note for note in found["notes"])
    assert {one["source"] for one in found["instruments"]} == {"recorded"}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--symbols", "W0-USDT"], "1 symbol cannot be scanned"),
        (["--symbols", "W0-USDT,W0-USDT"], "W0-USDT is named twice"),
        (["--symbols", "W0-USDT,binance:W0-USDT"], "is named twice"),
        (["--symbols", "W0USDT,W1-USDT"], "did you mean W0-USDT"),
        (["--symbols", "W0-USDT,NONE-USDT"], "no data for .* NONE-USDT"),
        (["--symbols", "a:b:c:d,W1-USDT"], "unknown instrument"),
        (["--symbols", "W0-USDT,W1-USDT", "--window", "3h"], "3 and 120 bars of 1h"),
        (["--symbols", "W0-USDT,W1-USDT", "--window", "soon"], "is not a length of time"),
        (["--symbols", "W0-USDT,W1-USDT", "--enter", "5"], "are no rule"),
        (["--symbols", "W0-USDT,W1-USDT", "--enter", "nan"], "are no rule"),
        (["--symbols", "W0-USDT,W1-USDT", "--cost-bps", "-1"], "out of bounds"),
        (["--symbols", "W0-USDT,W1-USDT", "--from", "2020", "--to", "2021"], "no bars between .* available: 20[0-9-]+ "),
        (["--symbols", "W0-USDT,W1-USDT", "--timeframe", "7x"], "unknown timeframe"),
        (["--symbols", ",".join(f"A{n}-USDT" for n in range(61))], "61 symbols cannot be scanned"),
    ],
)
def test_what_cannot_be_scanned_is_refused_in_one_line(words: list[str], said: str) -> None:
    """By name, with a way out."""
    with pytest.raises((BadInput, DataError), match=said) as refused:
        typed(*words)
    assert refused.value.hint


def test_one_instrument_that_cannot_be_judged_leaves_the_others(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hole of a month in one's bars refuses its pairs; holes in another's funding leave what its pairs returned unknown."""
    copied = tmp_path / "bars"
    shutil.copytree(folder, copied)
    for path in copied.glob("*W1-USDT*.parquet"):
        bars = pl.read_parquet(path)
        bars.filter(~pl.int_range(pl.len()).is_between(100, 800)).write_parquet(path)
    recordings.write(copied, "binance_TIED-USDT_perp_funding", recordings.settlements(BARS // 3))
    monkeypatch.setenv("NIGHTDESK_DATA", str(copied))
    found = typed("--symbols", "W0-USDT,W1-USDT,TIED-USDT", *SHORT)
    rows = {(row["a"], row["b"]): row for row in found["pairs"]}
    assert [row["refused"] is not None for row in rows.values()] == [True, False, True]
    assert "bars missing" in rows["W0-USDT", "W1-USDT"]["why"]
    tied = rows["W0-USDT", "TIED-USDT"]
    assert (tied["cointegrated"], tied["edge"], tied["net_return_frac"], tied["funding_frac"]) == (True, False, None, None)
    assert tied["trades"] > 0
    assert "no funding rates" in tied["why"]
    assert found["verdict"].startswith("Whether it pays is not known for W0-USDT and TIED-USDT")


@pytest.mark.long
def test_recorded_coins_have_no_edge(market_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten pairs of 2025: none belongs together beyond chance, and BTC with itself is refused."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(market_data))
    coins = [f"binance:{coin}-USDT" for coin in ("BTC", "ETH", "SOL", "XRP", "BNB")]
    found = typed("--symbols", ",".join([*coins, "bybit:BTC-USDT"]), "--from", "2025", "--to", "2026")
    refused = [(row["a"], row["b"]) for row in found["pairs"] if row["refused"]]
    assert refused == [("binance:BTC-USDT", "bybit:BTC-USDT")]
    assert found["verdict"].startswith("No edge after costs. 0 of 14 pairs")
    assert all(row["net_return_frac"] is not None for row in found["pairs"] if not row["refused"])


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_chat_scans_as_a_job_and_answers_what_the_command_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned: dict[str, Any]
) -> None:
    """The same rows, as facts with receipts: the planted pair first; the page of the job has all of them."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "home"))
    home, jobs = open_home(), FakeJobs()
    results = list[dict[str, Any]]()

    def ends(job: str, args: Any) -> JobView:
        results.append(kinds.pairs(home, args))
        return JobView(job, "done", 1.0, None, None, results[-1])

    jobs.ends = ends
    base: dict[str, Any] = {
        "engine": home.engine,
        "home": home.path,
        "catalog": home.catalog,
        "jobs": jobs,
        "record": lambda *_: "p-1",
    }
    about: dict[str, Any] = {"role": "developer", "thread": "t1", "turn": "u1", "person": "mara", "desk_ms": None}
    ctx = ToolContext(**base, **about, now_ms=1_800_000_000_000)
    answer, said = call(ctx, "pair_scan", {"symbols": NAMES, "window": "10d", "step": "5d"}), scanned
    assert json.loads(json.dumps(results[0])) == said
    assert answer.status == "ok", answer.text
    assert answer.text.startswith(said["verdict"])
    assert answer.table is not None
    assert answer.table.rows[0][:2] == ("W0-USDT TIED-USDT", next(row[1] for row in view_of("pairs", said)["tables"][0]["rows"]))
    assert len(answer.table.rows) == 15 < said["tried"]
    facts = {fact.ref: fact.value for fact in answer.facts}
    tied = next(row for row in said["pairs"] if (row["a"], row["b"]) == ("W0-USDT", "TIED-USDT"))
    assert facts[str(answer.table.rows[0][2]).strip("{}")] == tied["coint_frac"]
    assert {fact.evidence.kind for fact in answer.facts} == {"job"}
    assert len(view_of("pairs", said)["tables"][0]["rows"]) == said["tried"]


def test_an_argument_that_no_scan_has_is_refused() -> None:
    """Of a job, whoever made it."""
    with pytest.raises(BadInput, match="unknown argument 'symbol' of a scan"):
        asked_of({"symbol": "BTC-USDT"})
