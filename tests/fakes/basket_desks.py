"""A home whose one sleeve is a basket of three synthetic coins, and the backtest of the same bars."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.home.home import Home, open_home
from tests.fakes.papers import WALL_MS, furnished

LEGS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
PARAMS: Mapping[str, Any] = {"window_days": 3.0, "step_days": 0.5, "enter": 1.2, "stop": 3.0, "pair_frac_max": 0.8}
BASKET = """
[[sleeves]]
name = "pairs"
strategy = "pairs"
venue = "synthetic"
legs = [{legs}]
timeframe = "15m"
cash = 100000.0
params = {{ {params} }}
"""


def basket_home(folder: Path, more: str = "", **params: Any) -> Home:
    """A fresh home with a basket of LEGS alone, on the small market; `more`: further lines of desk.toml."""
    furnished(folder)
    open_home(WALL_MS)
    return rewritten(folder, more, **params)


def rewritten(folder: Path, more: str = "", **params: Any) -> Home:
    """The home with that basket in the place of the sleeves of its desk.toml."""
    path = folder / "desk.toml"
    before = path.read_text().partition("[[sleeves]]")[0]
    text = ", ".join(f"{key} = {value!r}" for key, value in (PARAMS | params).items())
    path.write_text(before + BASKET.format(legs=", ".join(f'"{leg}"' for leg in LEGS), params=text) + more)
    return open_home(WALL_MS)
