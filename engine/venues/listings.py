"""When a venue began to trade an instrument, and when it stopped, where that is known.

Called by sim/request.py for every run, read by research/universe.py. A venue's own field is not trusted alone: Binance's
recorded exchangeInfo of 2021-07-21 gives all five coins the same `onboardDate`, 2019-09-25, before which BTC had traded
for two weeks and after which XRP had no bars for three months. desk.toml may give any instrument's days.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from engine.errors import BadInput

FIRST_BAR, FIRST_FUNDING = "first recorded bar", "first recorded funding settlement"
# the first day of trading, ISO, and where it is from; every other instrument's is not known here
_LISTED = {
    "binance:BTC-USDT:perp": ("2019-09-08", FIRST_BAR),
    "binance:ETH-USDT:perp": ("2019-11-27", FIRST_FUNDING),
    "binance:XRP-USDT:perp": ("2020-01-06", FIRST_FUNDING),
    "okx:ETH-USDT:perp": ("2019-11-12", "listTime of a recorded GET /api/v5/public/instruments"),
}


class Lifetime(NamedTuple):
    """The days on which an instrument was listed and delisted, ISO; empty where not known, or not delisted."""

    listed: str = ""
    delisted: str = ""
    source: str = ""


def lifetime_of(key: str, overrides: Mapping[str, Mapping[str, Any]] | None = None) -> Lifetime:
    """The lifetime of `venue:SYMBOL:market`, desk.toml's days first. Raises BadInput where it ends before it begins."""
    own = (overrides or {}).get(key, {})
    listed, source = _LISTED.get(key, ("", ""))
    found = Lifetime(str(own.get("listed", listed)), str(own.get("delisted", "")), source)
    if {"listed", "delisted"} & set(own):
        found = found._replace(source="desk.toml")
    days = [date.fromisoformat(day) for day in (found.listed, found.delisted) if day]
    if days != sorted(days):
        raise BadInput(f"[instruments] {key}: delisted {found.delisted} is before listed {found.listed}", "swap the two days")
    return found
