"""The report page: complete, self-contained, and deaf to hostile names."""

import base64
import hashlib
import html
import json
import re

import numpy as np
import polars as pl
import pytest

from engine.core import state
from engine.sim import report, report_drawn, report_parts, trips

BAR = 900_000
START = 1_735_689_600_000
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&{{7*7}}"


def run_of(**changes):
    """A run's JSON as the page reads it."""
    names = ("sharpe", "sharpe_low", "sharpe_high", "sortino", "calmar", "recovery_factor", "win_rate")
    metrics = dict.fromkeys(names, 1.25) | {
        "total_return_frac": 0.0312,
        "max_drawdown_frac": 0.0821,
        "max_drawdown": 871.2,
        "trades": 4,
        "open_trades": 1,
        "exposure_frac": 0.31,
        "turnover": 12.0,
        "fees": 31.2,
        "slippage": 8.1,
        "funding": -3.3,
        "undefined": {"calmar": "fewer than 30 days"},
    }
    sleeve = {"name": "trend", "strategy": "trend", "venue": "binance", "symbol": "BTC-USDT", "params": {"fast": 40}}
    data = {"source": "recorded", "files": ["a.parquet"], "sha256": "ab" * 32, "bars": 96, "first_ms": START}
    return {
        "run_id": "r-20250101-0123abcd",
        "timeframe": "15m",
        "fills": "pessimistic",
        "funding": "recorded",
        "cash": 10_000.0,
        "sleeves": [sleeve],
        "data": data | {"last_ms": START + 95 * BAR},
        "metrics": metrics,
        "scenarios": {"pessimistic": 0.0312, "optimistic": 0.051, "ambiguous_bars": 17},
        "leaks": None,
        "notes": ["funding at the last close for 3 of 9 settlements"],
        "journal_hash": "cd" * 32,
        "config_hash": "ef" * 32,
        "code_hash": "01" * 32,
        "versions": {"nightdesk": "0.1.0"},
    } | changes


@pytest.fixture(scope="module")
def parts():
    """Equity, one round trip and one breaker."""
    close_ms = START + BAR * np.arange(1, 97, dtype=np.int64)
    equity = 10_000 + np.cumsum(np.random.default_rng(3).normal(1, 40, 96))
    sleeves = [trips.RunSleeve("trend", "binance:BTC-USDT:perp", 0.001, 60_000.0, BAR)]
    rows = pl.DataFrame(
        [
            {"close_ms": START + 2 * BAR, "kind": state.K_FILL, "side": 1, "lots": 10, "price": 60_010.0, "a": 60_000.0},
            {
                "close_ms": START + 9 * BAR,
                "kind": state.K_FILL,
                "code": state.PROTECTIVE,
                "rule": state.TRAIL,
                "side": -1,
                "lots": 10,
                "price": 61_000.0,
                "a": 61_010.0,
            },
            {"close_ms": START + 9 * BAR, "kind": state.K_BREAKER, "code": state.DAY_LOSS, "equity": 9_900.0},
        ],
        schema=dict.fromkeys((*trips.COLUMNS, "lots"), pl.Int64) | dict.fromkeys(trips.VALUES[1:], pl.Float64),
    )
    rows = rows.fill_null(0).with_row_index("n").with_columns(pl.col("n").cast(pl.Int64))
    return (
        close_ms,
        {"pessimistic": equity, "optimistic": equity * 1.01},
        trips.trips(rows, sleeves),
        trips.breakers(rows, sleeves),
    )


def scripts_of(page):
    """The executable scripts of a page."""
    return re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)


def test_the_page_holds_what_a_reader_needs(parts):
    """Figures, scenarios, round trips, breakers, configuration, stamp and proof are on it."""
    page = report.page(run_of(), *parts)
    for text in (
        "recorded data",
        "fills pessimistic",
        "+3.12\u202f%",
        "8.21\u202f%",
        "17 ambiguous bars",
        "daily loss",
        "trail",
    ):
        assert text in page
    assert "nightdesk rerun r-20250101-0123abcd" in page
    assert "fewer than 30 days" in page
    assert "ab" * 32 in page


def test_it_fetches_nothing_and_runs_only_its_own_scripts(parts):
    """The policy lists the hashes of exactly the scripts that are there, and no address is loaded."""
    page = report.page(run_of(), *parts)
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])
    scripts = scripts_of(page)
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    outside = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(src|href)=", outside)
    assert "\r" not in page  # a browser would turn it into another character, and the hash would not match


def test_hostile_names_stay_text(parts):
    """A strategy, a parameter and a note that carry markup are shown, never run."""
    sleeve = run_of()["sleeves"][0] | {"strategy": HOSTILE, "name": HOSTILE, "params": {HOSTILE: HOSTILE}}
    close_ms, curves, table, tripped = parts
    table = table.with_columns(pl.lit(HOSTILE).alias("sleeve"))
    page = report.page(run_of(sleeves=[sleeve], notes=[HOSTILE]), close_ms, curves, table, tripped)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert html.escape(HOSTILE, quote=False).split("'")[0] in page
    assert "{{7*7}}" in page


def test_the_data_block_cannot_close_its_element():
    """JSON in the page has no `<`."""
    assert "<" not in report.script_safe_json({"name": "</script>"})
    assert json.loads(report.script_safe_json({"name": "</script>&"})) == {"name": "</script>&"}


def test_thinning_keeps_the_extremes():
    """A million bars become some thousand points, and the one bad bar is among them."""
    y = np.zeros(200_000)
    y[123_457] = -999.0
    y[77_777] = 888.0
    thin = report.thin(y)
    assert len(thin) <= report.POINTS_MAX + 1
    assert {0, 123_457, 77_777, 199_999} <= set(thin.tolist())


def test_where_the_run_stopped_is_on_the_page_and_in_its_chart(parts):
    """The stamp is loud, and the chart gets the moment; a run that traded to its end has a quiet stamp and no line."""
    day = 24 * 4 * BAR
    data = {
        "source": "recorded",
        "files": [],
        "sha256": "ab" * 32,
        "bars": 960,
        "first_ms": START,
        "last_ms": START + 10 * day - BAR,
    }
    drawn = {"sleeve": "desk", "breaker": "desk drawdown", "times": 1, "first_ms": START + 3 * day + 1}
    ended = run_of(data=data, breakers=[drawn])
    (loud,) = report_parts.verdicts(ended)
    assert (loud["kind"], loud["strong"]) == ("warn", "▲ Stopped by the desk drawdown breaker on 2025-01-04.")
    (quiet,) = report_parts.verdicts(run_of(data=data, breakers=[]))
    assert (quiet["kind"], quiet["strong"]) == ("calm", "Traded all 10 days.")
    close_ms, curves = START + BAR * np.arange(1, 961), {"pessimistic": np.full(960, 10_000.0)}
    page = report.page(ended, close_ms, curves, *parts[-2:])
    assert f'"stopped":{START + 3 * day + 1}' in page
    assert "It traded 3 of 10 days; the figures below count the other 7 days as zero." in page


def test_what_is_unusual_is_loud(parts):
    """Synthetic bars, waived funding and a leaking strategy are stamped so that nobody overlooks them."""
    data = run_of()["data"] | {"source": "synthetic"}
    page = report.page(run_of(data=data, funding="none", leaks={"clean": False, "text": "leaks at bar 4,181"}), *parts)
    for text in ("SYNTHETIC data", "funding none"):
        assert re.search(rf'class="loud">[^<]*{text}', page)
    assert re.search(r'<p class="note first bad"><b>■ LOOKS AHEAD[^<]*</b> leaks at bar 4,181', page)


def series_of(page):
    """What the page's charts and its table draw."""
    return json.loads(re.search(r'id="series">(.*?)</script>', page)[1])


def many(count):
    """Closed round trips, one each hour, the last one open."""
    n = np.arange(count)
    net = np.where(n % 3, -10.0, 25.0)
    return pl.DataFrame(
        {
            "trip": [f"t{k + 1}" for k in n],
            "sleeve": "trend",
            "instrument": "binance:BTC-USDT:perp",
            "side": np.where(n % 2, "long", "short"),
            "layers": 1,
            "lots": 1,
            "units": 0.01,
            "entry_ms": START + 3_600_000 * n,
            "exit_ms": pl.Series([*(START + 3_600_000 * n[:-1] + BAR), None], dtype=pl.Int64),
            "bars": 2,
            "entry_price": 60_000.0,
            "exit_price": 60_001.0,
            "gross": net + 3.0,
            "slippage": 1.0,
            "fees": 1.5,
            "funding": -0.5,
            "net": net,
            "r": net / 20.0,
            "risk": 20.0,
            "reason": [*np.where(n[:-1] % 3, "stop", "target"), "open"],
            "first_n": n,
            "last_n": n,
            "mae": -8.0,
            "mfe": 26.0,
        }
    )


def test_a_figure_of_the_list_is_not_rounded_twice():
    """-0.114992 is -0.11 beside the list; by way of -0.1150 a browser would make it -0.12."""
    listed = report_drawn.trip_list(many(3).with_columns(pl.lit(-0.114992).alias("net")))
    at = [column[0] for column in listed["columns"]].index("net")
    assert [row[at] for row in listed["rows"]] == [-0.114992] * 3


def test_the_list_holds_every_trip_and_says_when_it_cannot(parts):
    """All trips are in the table that sorts and filters; of too many the newest, and the page says so."""
    close_ms, curves, _, tripped = parts
    page = report.page(run_of(), close_ms, curves, many(300), tripped)
    listed = series_of(page)["trips"]
    assert len(listed["rows"]) == 300
    assert listed["rows"][0][0] == "t300"
    assert len(listed["columns"]) == len(listed["rows"][0])
    assert "300 in all, the newest first" in page
    assert len(report_drawn.trip_list(many(300), 20)["rows"]) == 20
    table = many(report_drawn.TRIPS_MAX + 1)
    assert report_parts.trips_note(table).startswith("The newest 10,000 of 10,001")


def test_the_costs_lead_from_gross_to_net(parts):
    """The steps between gross and net sum to the difference, to the cent."""
    close_ms, curves, _, tripped = parts
    steps = {
        s["name"]: s["value"] for s in series_of(report.page(run_of(), close_ms, curves, many(60), tripped))["costs"]["steps"]
    }
    assert list(steps) == ["gross", "fees", "slippage", "funding", "net"]
    assert steps["gross"] + steps["fees"] + steps["slippage"] + steps["funding"] == pytest.approx(steps["net"], abs=0.005)
    assert steps["net"] == pytest.approx(many(60)["net"].sum())


def test_every_closed_trip_is_in_the_distribution(parts):
    """The bars count each closed trip once; the dots are those whose excursions are known."""
    close_ms, curves, _, tripped = parts
    drawn = series_of(report.page(run_of(), close_ms, curves, many(60), tripped))
    assert sum(item["value"] for item in drawn["result"]["items"]) == 59
    assert [item["value"] for item in drawn["result"]["items"] if item["tone"] == "up"] != []
    assert len(drawn["dots"]["points"]) == 59
    assert drawn["dots"]["points"][0][:2] == [-0.4, 1.3]


def test_holding_stands_beside_the_run(parts):
    """The line of who held the instruments, its return, and what it assumes; without it none is claimed."""
    close_ms, curves, table, tripped = parts
    hold = np.linspace(10_000.0, 10_900.0, len(close_ms))
    page = report.page(run_of(), close_ms, curves, table, tripped, hold)
    assert "hold BTC +9.00\u202f%" in page
    assert "without costs and funding" in page
    assert [line["name"] for line in series_of(page)["curve"]["lines"]] == ["this run", "optimistic fills", "hold BTC"]
    assert "hold BTC" not in report.page(run_of(), close_ms, curves, table, tripped)


def test_a_run_without_trips_has_a_page(parts):
    """Nothing to split and nothing to draw: the page says so instead of drawing nothing."""
    close_ms, curves, table, tripped = parts
    empty = report.page(run_of(), close_ms, curves, table.head(0), tripped)
    assert "0 in all" in empty
    assert not {"result", "dots", "costs", "hour"} & set(series_of(empty))
