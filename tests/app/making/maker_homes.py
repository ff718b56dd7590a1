"""A home with an account for a maker and the journal of a maker that was on paper; a ground that lets it go, or not."""

import tomllib
from pathlib import Path
from typing import Any

import polars as pl

from app.home.home import Home, open_home
from engine.making.fold import order_id
from engine.making.paper import PaperJournal
from engine.making.report import MakerFees
from engine.making.simulation import MakingOptions
from engine.making.stored import AT_ACCOUNT, ON_BOOK
from tests.fakes.papers import WALL_MS, furnished

OPTIONS = MakingOptions(half_spread_bps=1.0, size=0.01, inventory=0.05, inventory_max=0.2)
ACCOUNTS = """
[accounts.mm]
venue = "{venue}"
mode = "testnet"
making = true
key_env = "PLANTED_KEY"
secret_env = "PLANTED_SECRET"
leverage = 3
{passphrase}{urls}
[accounts.money]
venue = "{venue}"
mode = "live"
making = true
key_env = "MONEY_KEY"
secret_env = "MONEY_SECRET"
{passphrase}
[accounts.other]
venue = "{venue}"
mode = "testnet"
key_env = "OTHER_KEY"
secret_env = "OTHER_SECRET"
{passphrase}
"""


def with_accounts(path: Path, venue: str = "binance", urls: tuple[str, str] = ("", "")) -> Home:
    """A desk on paper whose desk.toml also names makers' accounts."""
    furnished(path)
    open_home(WALL_MS)
    toml = path / "desk.toml"
    text = toml.read_text()
    of_account = f'rest_url = "{urls[0]}"\nws_url = "{urls[1]}"\n' if urls[0] else ""
    passphrase = 'passphrase_env = "PLANTED_PASS"\n' if venue == "okx" else ""
    rules = f'[instruments."{venue}:BTC-USDT:perp"]\nlot_size = 0.0001\ntick = 0.1\n'
    rules = "" if f"{venue}:BTC-USDT:perp" in tomllib.loads(text).get("instruments", {}) else rules
    toml.write_text(text + rules + ACCOUNTS.format(venue=venue, passphrase=passphrase, urls=of_account))
    return open_home(WALL_MS)


def maker_before(home: Home, name: str, *, trips: int = 10, venue: str = "binance", **start: Any) -> None:
    """The journal of a maker that has made round trips; `start`: what differs in its begin."""
    source = {"venue": venue, "symbol": "BTC-USDT", "market": "perp"}
    begun = {
        "t_ns": 1, "kind": ON_BOOK, "scale": [1, 4, 1], "source": source, "options": OPTIONS._asdict(),
        "fees_frac": MakerFees(2e-4, 5e-4, 5e-5)._asdict(), **start,
    }  # fmt: skip
    journal = PaperJournal(home.path / "making" / name / "making.jsonl", "test", lambda: WALL_MS, again=False)
    journal.write([("start", begun)], sync=False)
    for n in range(1, 2 * trips + 1):
        side, id_ = "buy" if n % 2 else "sell", order_id(n)
        order = {"t_ns": n, "order": id_, "side": side, "lots": 100, "price": 60_000.0, "post_only": True}
        fill = {"trade": f"t{n}", "price_units": 600_000, "fee_frac": 2e-4, "fee": 0.12}
        journal.write([("intent", order), ("sent", {"t_ns": n, "orders": [id_]})], sync=False)
        journal.write([("fill", {**order, **fill})], sync=False)
    journal.write([("end", {"t_ns": 10**6, "why": "over", "gone": []})], sync=True)
    journal.close()


def at_stage(stage: str) -> dict[str, Any]:
    """The begin of a maker at an account."""
    mode, account = ("testnet", "mm") if stage == "testnet" else ("live", "money")
    return {"kind": AT_ACCOUNT[mode], "stage": stage, "account": account, "code": "abcd"}


def some_tapes(folder: Path) -> Path:
    """A folder with a file called a tape: what is judged of it is given by the test."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("l2", "trades"):
        pl.DataFrame({"a": [1]}).write_parquet(folder / f"binance_BTC-USDT_perp_week_{kind}.parquet")
    return folder


def feasible(*, days: float = 7.5, above: int = 5, floor: float = 4.0, **more: Any) -> dict[str, Any]:
    """The JSON of a feasibility of BTC-USDT at Binance; with less of something, one that refuses."""
    folds = [{"bps": floor + 1.0 if n < above else 0.0, "moments": 100, "independent": 50} for n in range(5)]
    cells = [{"feature": "imbalance", "horizon_s": 5, "folds": folds}]
    about = {"venue": "binance", "symbol": "BTC-USDT", "market": "perp", "floor_bps": floor, "verdict": "yes", "why": "1 of 60"}
    tapes = [{"file": "a_l2.parquet", "names_previous": True, "repeated_frac": 0.0, "warnings": 0}]
    ground = {"days": days, "usable_frac": 0.99, "tapes": tapes}
    return about | {"fees_bps": 4.0, "cells": cells, "together": [], "substrate": ground} | more
