"""The backtest: honest figures, the same ones every time, and one clear line for what is off."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import state
from engine.data.catalog import Catalog
from engine.errors import BadInput, DataError, StrategyError
from engine.features.catalog import BY_NAME
from engine.sim import backtest, trips
from engine.sim.backtest import simulate
from engine.sim.request import Limits, Request, SleeveRequest, moment, plan, request_of
from tests.fakes import recordings

REPOSITORY = Path(__file__).resolve().parents[3]
KEYS = {
    "strategy",
    "params",
    "config_hash",
    "data",
    "metrics",
    "scenarios",
    "breakers",
    "journal_hash",
    "elapsed_s",
    "bars_per_s",
}
METRICS = {
    "total_return_frac",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown_frac",
    "recovery_factor",
    "win_rate",
    "trades",
    "exposure_frac",
    "turnover",
    "fees",
    "funding",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A month of made-up bars of two instruments."""
    return recordings.record(tmp_path_factory.mktemp("bars"))


@pytest.fixture
def catalog(folder):
    """What the folder holds."""
    return Catalog([(folder, "recorded")])


@pytest.fixture(scope="module")
def run(folder):
    """One run that several tests read."""
    return backtest("trend", "BTC-USDT", catalog=Catalog([(folder, "recorded")]), params={"layers_max": 3, "add_atr": 0.5})


def test_the_json_has_the_contract_names(run):
    """DESIGN 9: keys of the report, the data block and the metrics; plain JSON without NaN."""
    assert set(run.report) >= KEYS
    assert set(run.report["data"]) >= {"files", "sha256", "bars", "first_ms", "last_ms", "source"}
    assert set(run.metrics) >= METRICS
    assert set(run.scenarios) == {"pessimistic", "optimistic", "ambiguous_bars"}
    json.dumps(run.report, allow_nan=False)
    assert run.report["data"]["source"] == "recorded"
    assert run.report["data"]["first_ms"] == recordings.FIRST_MS


def test_trips_explain_the_equity_to_the_cent(run):
    """Nets and open P&L are the change of equity; the costs in the trips are those of the ledger."""
    table = run.round_trips
    assert len(table) > 20
    assert table["net"].sum() == pytest.approx(run.equity["equity"][-1] - 10_000.0, abs=0.005)
    for name in ("fees", "funding", "slippage"):
        assert table[name].sum() == pytest.approx(run.metrics[name], abs=0.005)
    assert table["layers"].max() > 1
    closes = run.rows.filter((pl.col("kind") == state.K_FILL) & (pl.col("b") != 0))
    closed = table.filter(pl.col("reason") != "open").sort("last_n")
    assert closed["net"].to_list() == pytest.approx(closes["b"].to_list(), abs=0.005)


def test_r_of_a_trip_is_the_core_s_r(run):
    """The R that sizing learns from is the R that people see, up to the stop's rounding to a tick."""
    table = run.round_trips.filter(pl.col("reason") == "stop")
    one = table.filter(pl.col("layers") == 1)
    assert one["r"].to_numpy().max() < -0.9


def test_frames_are_what_a_notebook_needs(run):
    """Decisions carry features, size and caps; fills carry both prices; equity has every bar and both scenarios."""
    entered = run.decisions.filter(pl.col("action") == "enter")
    assert entered["sma(40)"].null_count() == 0
    assert entered["cap_binding"].null_count() == 0
    assert (entered["lots_approved"] > 0).all()
    assert run.equity.columns == ["close_ms", "equity", "pessimistic", "optimistic", "hold"]
    assert len(run.equity) == run.report["data"]["bars"] == 3_000
    assert set(run.fills["slot"].unique()) <= {"entry", "protective", "target"}


def test_an_entry_acts_at_the_next_open(run):
    """The decision on a close is filled at the open of the bar that follows, never earlier."""
    decided = run.decisions.filter(pl.col("action") == "enter").select(pl.col("close_ms"), pl.lit(1).alias("decided"))
    entries = run.fills.filter((pl.col("slot") == "entry") & (pl.col("layer") == 0)).with_columns(
        pl.col("close_ms") - recordings.BAR_MS
    )
    assert entries.join(decided, on="close_ms", how="left")["decided"].null_count() == 0


def test_a_late_start_finds_the_features_warm(catalog):
    """Features are computed from the file's first bar: the first day of a later span trades on the same values."""
    whole = backtest("trend", "BTC-USDT", catalog=catalog)
    late = backtest("trend", "BTC-USDT", catalog=catalog, from_="2025-01-15")
    assert late.used[0]["sma(200)"][0] == whole.used[0]["sma(200)"][14 * 96]
    assert not np.isnan(late.used[0]["sma(200)"]).any()
    assert late.report["data"]["anchor_ms"] == {"binance:BTC-USDT:perp": recordings.FIRST_MS}


def test_several_sleeves_share_one_clock_and_the_desk_s_limits(catalog):
    """Two strategies on two instruments: one equity, costs by sleeve, a tight gross limit refuses somebody."""
    specs = (
        SleeveRequest("trend", "BTC-USDT"),
        SleeveRequest("trend", "ETH-USDT"),
        SleeveRequest("reversion", "ETH-USDT", side="long"),
    )
    request = Request(specs, limits=Limits(0.15, 0.2, 1.8, 10))
    both = simulate(plan(request, catalog))
    assert both.report["cash"] == 30_000.0
    assert [s["name"] for s in both.report["sleeves"]] == ["trend BTC-USDT", "trend ETH-USDT", "reversion ETH-USDT"]
    assert both.report["refused"]["gross_frac_max"] > 0
    assert set(both.round_trips["sleeve"]) == {s["name"] for s in both.report["sleeves"]}
    assert both.round_trips["net"].sum() == pytest.approx(both.equity["equity"][-1] - 30_000.0, abs=0.005)
    assert set(both.report["params"]) == {"trend BTC-USDT", "trend ETH-USDT", "reversion ETH-USDT"}


def test_a_run_says_when_its_breaker_ended_it(catalog):
    """A desk that may lose half a percent is stopped in its month: the report says when, and after how many days; no entry
    follows; and the notes have it. One that may lose fifteen trades all of them."""
    tight = simulate(plan(Request((SleeveRequest("trend", "BTC-USDT"),), limits=Limits(0.005, 3.0, 1.8, 10)), catalog))
    life, first_ms = tight.report["life"], tight.report["data"]["first_ms"]
    (tripped,) = [b for b in tight.report["breakers"] if b["breaker"] == "desk drawdown"]
    assert (life["stopped_ms"], life["stopped_by"]) == (tripped["first_ms"], "desk drawdown breaker")
    assert life["traded_days"] == (tripped["first_ms"] - first_ms) // state.DAY_MS < life["days"] == 31
    assert life["text"] in tight.report["notes"]
    assert tight.entry_orders["close_ms"].max() < tripped["first_ms"]
    whole = backtest("trend", "BTC-USDT", catalog=catalog)
    assert whole.report["life"]["text"] == "traded all 31 days"
    assert whole.report["life"]["text"] not in whole.report["notes"]


def test_the_configuration_makes_the_same_plan_again(catalog):
    """What a run stores is enough to repeat it: config, data and code hash equal."""
    first = plan(Request((SleeveRequest("trend", "BTC-USDT", params={"stop_atr": "3"}),), from_ms=moment("2025-01-10")), catalog)
    request, overrides = request_of(json.loads(json.dumps(first.config)))
    again = plan(request, catalog, None, overrides)
    assert again.cache_key == first.cache_key
    assert again.config == first.config


def test_the_cache_key_moves_with_everything_that_moves_a_number(catalog, folder, tmp_path):
    """Another parameter, another span, other data: another key."""
    base = Request((SleeveRequest("trend", "BTC-USDT"),))
    keys = [
        plan(request, catalog).cache_key
        for request in (
            base,
            base._replace(sleeves=(SleeveRequest("trend", "BTC-USDT", params={"stop_atr": 3}),)),
            base._replace(from_ms=moment("2025-01-05")),
            base._replace(fills="optimistic"),
            base._replace(funding="none"),
            base._replace(limits=Limits(0.2, 3.0, 1.8, 10)),
        )
    ]
    other = recordings.record(tmp_path / "other", count=2_999)
    keys.append(plan(base, Catalog([(other, "recorded")])).cache_key)
    assert len(set(keys)) == len(keys)


def test_scenarios_are_always_both(catalog):
    """An optimistic run still reports the pessimistic figure, and the other way round."""
    high = backtest("trend", "BTC-USDT", catalog=catalog, fills="optimistic")
    low = backtest("trend", "BTC-USDT", catalog=catalog)
    plain = backtest("trend", "BTC-USDT", catalog=catalog, fills="reference")
    assert high.scenarios["pessimistic"] == low.scenarios["pessimistic"] == low.metrics["total_return_frac"]
    assert high.metrics["total_return_frac"] == pytest.approx(low.scenarios["optimistic"])
    assert plain.scenarios["pessimistic"] == low.scenarios["pessimistic"]
    assert plain.metrics["slippage"] == 0.0


def test_missing_funding_refuses_and_says_the_way_out(folder, tmp_path):
    """No settlements, no run; --funding none and assume=BPS are stamped."""
    alone = Catalog([(recordings.record(tmp_path / "alone", symbols=("BTC-USDT",)), "recorded")])
    (tmp_path / "alone" / "binance_BTC-USDT_perp_funding.parquet").unlink()
    alone = Catalog(alone.roots)
    with pytest.raises(DataError, match="--funding none"):
        backtest("trend", "BTC-USDT", catalog=alone)
    free = backtest("trend", "BTC-USDT", catalog=alone, funding="none")
    assert free.report["funding"] == "none"
    assert free.metrics["funding"] == 0.0
    assumed = backtest("trend", "BTC-USDT", catalog=alone, funding="assume=1")
    assert assumed.metrics["funding"] != 0.0
    assert any("assumed 1 bps" in note for note in assumed.report["notes"])


def test_a_strategy_that_looks_ahead_is_named_before_its_numbers(catalog, tmp_path):
    """A person's own file is checked first; its figures carry the stamp."""
    recordings.strategy(tmp_path, "seer")
    found = backtest("seer", "BTC-USDT", catalog=catalog, folder=tmp_path)
    assert found.report["leaks"]["clean"] is False
    assert "leaks at bar" in found.report["leaks"]["text"]
    assert found.report["notes"][-1].startswith("LEAKS") or any(n.startswith("LEAKS") for n in found.report["notes"])
    assert backtest("trend", "BTC-USDT", catalog=catalog).report["leaks"] is None


BROKEN = {
    "raises": ("    later =", "    raise ZeroDivisionError('boom')\n    later =", "boom"),
    "short": ("np.append(f.close[1:], f.close[-1])", "f.close[1:]", "entries for|broadcast"),
    "nan": ("np.abs(direction).astype(float)", "np.full(len(f), np.nan)", "strength is nan"),
    "infinite": ("np.abs(direction).astype(float)", "np.full(len(f), np.inf)", "strength is inf"),
    "syntax": ("def signals", "def signals(:", "does not import"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_strategy_is_one_clear_line(catalog, tmp_path, kind):
    """Raising, wrong length, NaN, infinite, not importable: StrategyError that says what and where."""
    old, new, said = BROKEN[kind]
    recordings.strategy(tmp_path, "mine", recordings.LEAKING.replace(old, new))
    with pytest.raises(StrategyError, match=said) as caught:
        backtest("mine", "BTC-USDT", catalog=catalog, folder=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"strategy": "tremd"}, "unknown strategy 'tremd'"),
        ({"symbol": "DOGE-USDT"}, "DOGE-USDT"),
        ({"timeframe": "7m"}, "unknown timeframe '7m'"),
        ({"timeframe": "5m"}, "no data for binance BTC-USDT perp 5m"),
        ({"venue": "kraken"}, "kraken"),
        ({"params": {"stop_atrs": 3}}, "did you mean stop_atr"),
        ({"params": {"stop_atr": 99}}, "out of bounds"),
        ({"params": {"stop_atr": "many"}}, "not a number"),
        ({"from_": "2025-02-01", "to": "2025-01-01"}, "reversed dates"),
        ({"from_": "yesterdayish"}, "not a valid date"),
        ({"fills": "dreamy"}, "unknown fills"),
        ({"funding": "assume=x"}, "unknown funding"),
        ({"cash": -1.0}, "out of bounds"),
        ({"side": "up"}, "unknown side"),
    ],
)
def test_words_that_are_off_are_one_clear_line(catalog, wrong, said):
    """Each says what was wrong and what there is."""
    with pytest.raises(BadInput, match=said) as caught:
        backtest(**({"strategy": "trend", "symbol": "BTC-USDT", "catalog": catalog} | wrong))
    assert "\n" not in str(caught.value)


def test_a_span_without_bars_says_what_there_is(catalog):
    """Dates outside the file are no empty success."""
    with pytest.raises(DataError, match=r"no bars between .* available: 2025-01-01"):
        backtest("trend", "BTC-USDT", catalog=catalog, from_="2026-05-01")


def spoiled(kind, frame):
    """Bars with one kind of dirt."""
    if kind == "high below low":
        return frame.with_columns(
            pl.when(pl.arange(pl.len()) == 700).then(pl.col("low") - 5).otherwise(pl.col("high")).alias("high")
        )
    if kind == "empty value":
        return frame.with_columns(pl.when(pl.arange(pl.len()) == 700).then(None).otherwise(pl.col("close")).alias("close"))
    if kind == "twice":
        return pl.concat([frame[:700], frame[699:]])
    return frame.filter(pl.arange(pl.len()) % 500 != 499)


@pytest.mark.parametrize("kind", ["high below low", "empty value", "twice", "every 500th missing"])
def test_dirty_bars_refuse(tmp_path, kind):
    """A file with impossible bars, doubles or a pager's holes gives no figure, but the command that shows the rows."""
    recordings.record(tmp_path, symbols=("BTC-USDT",))
    recordings.write(tmp_path, "binance_BTC-USDT_perp_15m", spoiled(kind, recordings.bars(3_000)))
    with pytest.raises(DataError, match="nightdesk data check") as caught:
        backtest("trend", "BTC-USDT", catalog=Catalog([(tmp_path, "recorded")]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "cannot be read as parquet"), (b"PAR1 but no more", "cannot be read"), (None, "no rows")]
)
def test_a_broken_or_empty_file_says_what_it_is(tmp_path, content, said):
    """The file is there under the right name, and the message says why it is not used."""
    recordings.record(tmp_path, symbols=("BTC-USDT",))
    path = tmp_path / "binance_BTC-USDT_perp_15m.parquet"
    if content is None:
        recordings.write(tmp_path, path.stem, recordings.bars(10)[:0])
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        backtest("trend", "BTC-USDT", catalog=Catalog([(tmp_path, "recorded")]))
    assert path.name in str(caught.value)


def test_no_feature_is_called_like_a_column_of_decisions():
    """A feature read by a strategy gets its own column beside what was decided."""
    assert set(BY_NAME).isdisjoint(trips.decisions(trips.no_rows(), []).columns)


def test_a_hole_before_the_asked_span_does_not_matter(tmp_path):
    """A hole is refused where it is traded; before that, features warm up again behind it."""
    recordings.record(tmp_path, symbols=("BTC-USDT",))
    holed = recordings.bars(3_000).filter(~pl.arange(pl.len()).is_between(300, 900))
    recordings.write(tmp_path, "binance_BTC-USDT_perp_15m", holed)
    catalog = Catalog([(tmp_path, "recorded")])
    with pytest.raises(DataError, match="601 bars missing"):
        backtest("trend", "BTC-USDT", catalog=catalog)
    found = backtest("trend", "BTC-USDT", catalog=catalog, from_="2025-01-20")
    assert found.report["data"]["bars"] == 3_000 - 19 * 96


@pytest.mark.parametrize(
    ("strategy", "symbol", "span"),
    [
        ("trend", "BTC-USDT", ("2025-03-01", "2025-04-01")),
        ("reversion", "ETH-USDT", ("2025-10-01", "2025-11-01")),
        ("trend", "SOL-USDT", ("2025-06-01", "2025-07-01")),
    ],
)
def test_recorded_months_add_up(market_data, strategy, symbol, span):
    """Real months with real funding: accounts close, funding is charged once, exposure and figures are sane."""
    found = backtest(strategy, symbol, from_=span[0], to=span[1], catalog=Catalog([(market_data, "recorded")]))
    table = found.round_trips
    assert len(table) > 5
    assert table["net"].sum() == pytest.approx(found.equity["equity"][-1] - 10_000.0, abs=0.005)
    assert 0 < found.metrics["exposure_frac"] < 1
    assert found.metrics["fees"] > 0
    assert abs(found.metrics["funding"]) < 50
    assert found.scenarios["ambiguous_bars"] >= 0
    assert found.report["data"]["source"] == "recorded"
    settled = found.rows.filter(pl.col("kind") == state.K_FUNDING)
    assert (settled["close_ms"] % (8 * 3_600_000) == recordings.BAR_MS).all()
    assert settled.group_by("close_ms").len()["len"].max() == 1


@pytest.mark.parametrize("examples", [10, pytest.param(250, marks=pytest.mark.long)])
def test_whatever_is_traded_the_accounts_close(catalog, examples):
    """Law: under any parameters, sides, modes, limits and funding, trips and costs explain the equity to the cent."""
    ran: list[None] = []
    settings(max_examples=examples)(given(st.data())(lambda data: ran.append(accounts_close(catalog, data.draw))))()
    assert len(ran) >= examples


def accounts_close(catalog, draw):
    """One backtest, drawn."""
    sleeves = tuple(
        SleeveRequest(
            draw(st.sampled_from(("trend", "reversion"))),
            draw(st.sampled_from(("BTC-USDT", "ETH-USDT"))),
            side=draw(st.sampled_from(("both", "long", "short"))),
            cash=draw(st.floats(200, 1e7)),
            params={
                "layers_max": draw(st.integers(1, 5)),
                "add_atr": draw(st.floats(0.1, 2)),
                "stop_atr": draw(st.floats(0.1, 6)),
                "target_atr": draw(st.floats(0, 8)),
                "trail_atr": draw(st.floats(0, 4)),
                "fade_below": draw(st.floats(0, 0.9)),
                "leverage_max": draw(st.floats(0.1, 10)),
                "participation_max": draw(st.floats(0.0001, 0.2)),
            },
        )
        for _ in range(draw(st.integers(1, 4)))
    )
    request = Request(
        sleeves,
        fills=draw(st.sampled_from(state.FILL_MODES)),
        funding=draw(st.sampled_from(("recorded", "none", "assume=-3"))),
        limits=Limits(draw(st.floats(0.01, 0.9)), draw(st.floats(0.1, 10)), draw(st.floats(0.1, 10)), draw(st.integers(1, 20))),
    )
    found = simulate(plan(request, catalog))
    table, cash = found.round_trips, sum(s.cash for s in sleeves)
    cent = 0.005 + 1e-12 * cash
    assert table["net"].sum() == pytest.approx(found.equity["equity"][-1] - cash, abs=cent)
    assert found.rows.filter(pl.col("kind") == state.K_FUNDING)["fee"].sum() == pytest.approx(found.metrics["funding"], abs=cent)
    for name in ("fees", "funding", "slippage"):
        assert table[name].sum() == pytest.approx(found.metrics[name], abs=cent)
    assert found.metrics["trades"] == len(closed := table.filter(pl.col("reason") != "open"))
    assert (closed["exit_ms"] >= closed["entry_ms"]).all()
    assert 0 <= found.metrics["exposure_frac"] <= 1
    json.dumps(found.report, allow_nan=False)
