"""A pull that somebody asked for on the page: venue after venue until one gives everything, and who refused is named."""

from pathlib import Path
from typing import Any

import pytest

from app.home.home import open_home
from app.jobs.pull_job import pull
from app.jobs.queue import JobQueue
from engine.errors import DataError
from tests.fakes.waiting import WAIT_S


def fetcher(refusing: dict[str, str], asked: list[tuple[str, str]]) -> Any:
    """A venue's data in which some venues refuse some symbol."""

    def fetch(venue: str, symbol: str, timeframe: str, start: str) -> list[dict[str, Any]]:
        asked.append((venue, symbol))
        if refusing.get(venue) == symbol:
            raise DataError(f"{venue} does not answer from here", "451")
        return [{"file": f"{venue}_{symbol}_{timeframe}", "from": start}]

    return fetch


def test_the_next_venue_is_tried_and_the_one_that_refused_is_named(own_home: Path) -> None:
    """The first refuses its second symbol: everything comes from the second."""
    asked: list[tuple[str, str]] = []
    done = pull(open_home(), {"days": 10}, lambda _: None, fetcher({"binance": "ETH-USDT"}, asked))
    assert done["venue"] == "okx"
    assert [r["venue"] for r in done["refused"]] == ["binance"]
    assert "does not answer" in done["refused"][0]["why"]
    assert len(done["files"]) == 3
    assert asked[:2] == [("binance", "BTC-USDT"), ("binance", "ETH-USDT")]


def test_when_all_refuse_each_reason_is_told(own_home: Path) -> None:
    """One error that names every venue."""
    refusing = dict.fromkeys(("binance", "okx", "bybit"), "BTC-USDT")
    with pytest.raises(DataError, match=r"binance.*okx.*bybit"):
        pull(open_home(), {}, lambda _: None, fetcher(refusing, []))


def test_a_pull_runs_as_a_job_of_its_own(own_home: Path) -> None:
    """A process of its own; a venue that there is none of makes it fail with a line, not hang."""
    jobs = JobQueue(open_home(), "ann", 60)
    job = jobs.submit("pull", {"venues": ["nowhere"], "days": 1})
    ended = jobs.wait(job, WAIT_S)
    assert ended.state == "failed"
    assert "every venue refused" in (ended.error or "")
