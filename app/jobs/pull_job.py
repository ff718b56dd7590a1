"""A pull as a job: bars of several symbols from the first venue that serves them, started from the page.

`python -m app.jobs.pull_job ID` is the job's process (app.jobs.queue starts it). Besides `nightdesk data pull` it is the
only place that reaches a venue's public data. It sees no key. Files fetched before a venue refused are kept, and the result
lists each refusal with its reason.
"""

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from app.home.home import Home, open_home
from app.jobs import kinds
from app.jobs.queue import run_job
from engine.errors import DataError, DeskError

VENUES = ("binance", "okx", "bybit")
SYMBOLS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
Fetch = Callable[[str, str, str, str], list[dict[str, Any]]]


def fetch(venue: str, symbol: str, timeframe: str, start: str) -> list[dict[str, Any]]:
    """Fetch one symbol's bars and funding from one venue into the home's data folder."""
    from app.market_data.pulling import PullRequest
    from app.market_data.pulling import pull as pull_one

    return pull_one(PullRequest(venue, symbol, timeframe, "perp", start, None, True, False, ""))


def pull(_home: Home, args: Mapping[str, Any], progress: kinds.Progress, fetched: Fetch = fetch) -> dict[str, Any]:
    """{"venue", "refused": [{"venue", "why"}], "files"}: every symbol of one venue. DataError when each venue refused."""
    venues, symbols = args.get("venues") or VENUES, args.get("symbols") or SYMBOLS
    start = f"{datetime.now(UTC) - timedelta(days=int(args.get('days') or 730)):%Y-%m-%d}"
    refused = list[dict[str, str]]()
    for venue in venues:
        files: list[dict[str, Any]] = []
        try:
            for n, symbol in enumerate(symbols):
                progress(n / len(symbols))
                files += fetched(venue, symbol, str(args.get("timeframe") or "15m"), start)
            return {"venue": venue, "refused": refused, "files": files}
        except DeskError as error:
            refused.append({"venue": str(venue), "why": str(error)})
    reasons = "; ".join(f"{r['venue']}: {r['why']}" for r in refused)
    raise DataError(f"every venue refused ({reasons})", "check the network, or import files: nightdesk data import")


if __name__ == "__main__":
    os.nice(10)
    run_job(open_home(), sys.argv[1], {"pull": pull})
