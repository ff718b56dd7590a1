"""Below the runs: outside series with age and reason, trained models with gates and drift; texts of others without effect."""

from typing import Any

from app.ui.inputs import age_text
from tests.app.ui.fake_api import Fake
from tests.app.ui.looking import page, texts_of

EVIL = "</div><script>window.pwned=1</script>"
SERIES: dict[str, Any] = {
    "name": "oi/okx/BTC-USDT",
    "what": "open interest",
    "unit": "base units",
    "source": "okx",
    "symbol": "BTC-USDT",
    "last_ms": 1_740_000_000_000,
    "age_hours": 0.917,
    "max_age_hours": 3.0,
    "fresh": True,
    "scheduled": True,
    "why": "",
    "warnings": [],
}
MODEL: dict[str, Any] = {
    "name": "vol",
    "version": "1.1.0",
    "target": "log_vol_4",
    "instrument": "binance:BTC-USDT:perp",
    "timeframe": "15m",
    "figure": "R2",
    "value": 0.434,
    "low": 0.398,
    "high": 0.468,
    "state": "refused",
    "sleeves": [],
    "baseline": "har",
    "baseline_value": 0.431,
    "promotable": False,
    "gates": "failed: gap",
    "error": "",
    "drift": "",
    "moved": 0,
}


def test_nothing_is_drawn_while_there_is_neither(fake: Fake) -> None:
    """A desk that reads nothing and has no model."""
    text = texts_of(page(tab="runs"))
    assert "Outside data" not in text
    assert "Trained models" not in text
    assert not fake.asked


def test_each_series_says_whether_it_counts_how_old_it_is_and_why_not(fake: Fake) -> None:
    """The state is a sign and a word, not a colour alone."""
    old = SERIES | {"name": "vix/fred", "fresh": False, "why": f"fred sent {EVIL}", "age_hours": 121.0, "max_age_hours": 96.0}
    fake.outside = [old, SERIES, SERIES | {"name": "lsr/okx/BTC-USDT", "warnings": ["level: 9"]}]
    text = texts_of(page(tab="runs"))
    assert "1 of 3 count no longer" in text
    assert "● counts" in text
    assert "▲ counts; level: 9" in text
    assert "■ counts no longer: fred sent" in text
    assert "5.0 d" in text
    assert "0.9 h" in text
    assert "<script>" not in text


def test_each_model_has_figure_interval_gates_and_drift(fake: Fake) -> None:
    """One that cannot be read has the reason in its place."""
    moved = MODEL | {"state": "champion", "sleeves": ["btc-vol"], "promotable": True, "gates": "every gate passed"}
    moved |= {"drift": "1 of 3 features has moved: a (PSI 0.31).", "moved": 1}
    fake.trained = [MODEL, moved, MODEL | {"error": f"metrics.json was changed {EVIL}"}]
    text = texts_of(page(tab="runs"))
    assert "3 stored, 1 read by sleeves; none trades by itself" in text
    assert "R2 0.434 (0.398 to 0.468)" in text
    assert "▲ failed: gap" in text
    assert "● every gate passed" in text
    assert "champion of btc-vol" in text
    assert "har 0.431" in text
    assert "▲ 1 of 3 features has moved: a (PSI 0.31)." in text
    assert "■ metrics.json was changed" in text
    assert "<script>" not in text
    assert "None" not in text


def test_an_age_has_its_unit() -> None:
    """Hours, then days; a row that is not due yet has none."""
    assert [age_text(hours) for hours in (2.54, -0.5, 47.9, 48.0, 24 * 14, None)] == [
        "2.5 h",
        "0.0 h",
        "47.9 h",
        "2.0 d",
        "14.0 d",
        "–",
    ]
