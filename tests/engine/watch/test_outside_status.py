"""Outside series that count no longer become one alert each, with the reason; a young or undeclared one becomes none."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.processes.children import OUTSIDE_KEYS
from engine.data.outside.declared import SERIES
from engine.watch.outside_status import FILE, outside_series, read_status
from tests.engine.watch.test_detectors import NOW, desk

GOOD = {
    "scheduled": True,
    "asked_ms": NOW - 60_000,
    "last_ms": NOW - 7_200_000,
    "too_old_ms": NOW + 1,
    "error": None,
    "failed_since_ms": None,
}
DEAD = GOOD | {"error": "api.example answered with status 503", "failed_since_ms": NOW - 9_000_000}
HOUR_MS = 3_600_000


def whats(**status: Any) -> list[str]:
    """What the findings on one series say."""
    return [found.what for found in outside_series(desk(outside={"oi/okx/BTC-USDT": status}))]


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (GOOD, []),
        (DEAD, []),  # its last value counts still
        (DEAD | {"too_old_ms": NOW - 1}, ["answered with status 503"]),
        (DEAD | {"too_old_ms": NOW - 1, "scheduled": False}, []),  # fetched by hand once
        (GOOD | {"too_old_ms": NOW - 1}, ["its source answers, and its last row is of"]),
        (DEAD | {"too_old_ms": None, "last_ms": None, "failed_since_ms": NOW - HOUR_MS}, []),  # young trouble of a new series
        (DEAD | {"too_old_ms": None, "last_ms": None, "failed_since_ms": NOW - 4 * HOUR_MS}, ["answered with status 503"]),
        (GOOD | {"compared": ["vix: fred and cboe differ"]}, ["Two sources disagree, and neither was changed: vix"]),
    ],
)
def test_an_alert_is_for_a_value_that_counts_no_longer(status: dict[str, Any], says: list[str]) -> None:
    """A fault alone is none: the last value may be young enough."""
    found = whats(**status)
    assert len(found) == len(says)
    assert all(part in what for part, what in zip(says, found, strict=True))


@pytest.mark.parametrize("text", ["", "[]", '{"feeds": [1]}', '{"feeds": {"a": 1}}', "[" * 100_000])
def test_a_status_that_cannot_be_read_claims_nothing(tmp_path: Path, text: str) -> None:
    """It is derived: the next fetch writes it anew."""
    (tmp_path / "data").mkdir()
    (tmp_path / FILE).write_text(text)
    assert read_status(tmp_path) == {}
    (tmp_path / FILE).write_text(json.dumps({"feeds": {"vix/fred": GOOD}}))
    assert read_status(tmp_path) == {"vix/fred": GOOD}


def test_the_fetch_sees_the_keys_of_declared_sources() -> None:
    """And no other key: the supervisor passes these variables alone."""
    assert set(OUTSIDE_KEYS) == {source.key_env for series in SERIES for source in series.sources if source.key_env}
