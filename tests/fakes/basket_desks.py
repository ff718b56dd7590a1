"""A home whose one sleeve is a basket of three synthetic coins, and the backtest of the same bars."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.home.home import Home, open_home
from engine.book.bar_signals import as_written
from engine.book.bodies import finite
from engine.book.book import Book
from engine.book.snapshot import as_json, from_json, to_json
from engine.book.transitions import begin, step
from engine.core.state import Signal
from engine.live.basket_bar import trade_basket
from engine.live.requests import answers, reported
from engine.store.chain import encode_body
from engine.venues.paper import PaperVenue
from tests.fakes.baskets import FIRST_MS, HOUR_MS, BasketCase
from tests.fakes.papers import WALL_MS, furnished

LEGS = ("BTC-USDT", "ETH-USDT", "SOL-USDT")
PARAMS: Mapping[str, Any] = {"window_days": 3.0, "step_days": 0.5, "enter": 1.2, "stop": 3.0, "pair_frac_max": 0.8}
BASKET = """
[[sleeves]]
name = "pairs"
strategy = "pairs"
venue = "{venue}"
legs = [{legs}]
timeframe = "{timeframe}"
cash = 100000.0
params = {{ {params} }}
"""


def basket_home(folder: Path, more: str = "", **params: Any) -> Home:
    """A fresh home with a basket of LEGS alone, on the small market; `more`: further lines of desk.toml."""
    furnished(folder)
    open_home(WALL_MS)
    return rewritten(folder, more, **params)


def rewritten(
    folder: Path,
    more: str = "",
    *,
    legs: Sequence[str] = LEGS,
    venue: str = "synthetic",
    timeframe: str = "15m",
    only: Mapping[str, Any] | None = None,
    **params: Any,
) -> Home:
    """The home with that basket in the place of the sleeves of its desk.toml; `only`: its parameters, instead of PARAMS."""
    path = folder / "desk.toml"
    before = path.read_text().partition("[[sleeves]]")[0]
    text = ", ".join(f"{key} = {value!r}" for key, value in ((PARAMS if only is None else only) | params).items())
    names = ", ".join(f'"{leg}"' for leg in legs)
    path.write_text(before + BASKET.format(legs=names, venue=venue, timeframe=timeframe, params=text) + more)
    return open_home(WALL_MS)


# ---- any case of tests/fakes/baskets.py on paper, without files ----------------------------------------------------------------


class PaperBasket:
    """A BasketCase as a paper desk trades it, event by event; `look` is called after each."""

    def __init__(
        self, case: BasketCase, look: Callable[[Book], None] = lambda _book: None, venue: PaperVenue | None = None
    ) -> None:
        self.case, self.look = case, look
        self.k, self.p = len(case.rules), len(case.pairs)
        self.bars = case.given.bars.reshape(-1, self.k)
        self.book, _ = begin(config_of(case))
        self.venue = venue or PaperVenue()
        self.events: list[tuple[str, Mapping[str, Any], list[Any]]] = []

    def take(self, kind: str, body: Mapping[str, Any]) -> None:
        """One leading event, and what the venue answers to what follows."""
        for answer in self._led(kind, body):
            self.take(*reported(answer))

    def _led(self, kind: str, body: Mapping[str, Any]) -> list[Any]:
        led = step(self.book, kind, body, {}, {})
        self.events.append((kind, *led))
        self.look(self.book)
        return list(answers(self.venue, self.book.orders, led[1]))

    def bar(self, t: int) -> None:
        """Bar t: what the venue does inside it, then mark and decision."""
        self.trade(self.body(t))

    def trade(self, body: dict[str, Any]) -> None:
        """The same of a `bar` event's body."""
        self.venue.begin_bar()
        trade_basket(self.venue, self.book, body, lambda report: self.take(*reported(report)))
        self.take("bar", body)

    def restarted(self) -> None:
        """The desk as its snapshot says, at a venue that knows its orders alone."""
        self.book = from_json(json.loads(encode_body(to_json(self.book))))
        self.venue = PaperVenue(self.book.orders.open.values())

    def body(self, t: int) -> dict[str, Any]:
        """The `bar` event of bar t."""
        given, k, p = self.case.given, self.k, self.p
        here, pairs = slice(t * k, t * k + k), slice(t * p, t * p + p)
        names = self.book.names
        fields = ("open", "high", "low", "close", "volume", "funding_rate", "funding_mark")
        rows = [[finite(float(self.bars[t, leg][name])) for name in fields] for leg in range(k)]
        costs = zip(given.slip[here], given.impact[here], given.range_times[here], given.volume_times[here], strict=True)
        signals = [Signal(0, 0.0, 0.0, 0.0, float(s), float(i), 0.0, 0, 1, float(r), float(v)) for s, i, r, v in costs]
        fits = zip(given.hedge[pairs], given.intercept[pairs], given.deviation[pairs], strict=True)
        basket: dict[str, Any] = {
            "logs": [finite(float(log)) for log in given.logs[here]],
            "fits": [[finite(float(number)) for number in fit] for fit in fits],
        }
        ended = [name for name, end in zip(names, given.ends, strict=True) if end == t]
        return {
            "close_ms": int(self.bars[t, 0]["close_ms"]),
            "stamp": "PAPER",
            "bars": dict(zip(self.book.instruments, rows, strict=True)),
            "signals": {name: as_written(signal) for name, signal in zip(names, signals, strict=True)},
            "features": {},
            "basket": basket | ({"ended": ended} if ended else {}),
        }


def config_of(case: BasketCase) -> dict[str, Any]:
    """The first config event of a desk with the basket of a case."""
    count, symbols = len(case.rules), [f"{letter}-USDT" for letter in "ABCDEFGHIJKL"]
    sleeves = [
        {
            "name": f"pairs-{symbol.lower()}",
            "version": 1,
            "strategy": "pairs",
            "instrument": f"synthetic:{symbol}:perp",
            "timeframe": "1h",
            "side": "both",
            "cash": case.cash / count,
            "paused": False,
            "stage": "paper",
            "rules": {name: as_json(value) for name, value in rules._replace(instrument=leg, bars=leg)._asdict().items()},
        }
        for leg, (symbol, rules) in enumerate(zip(symbols, case.rules, strict=False))
    ]
    start = {"instruments": [s["instrument"] for s in sleeves], "own_bars": [], "timeframe_ms": HOUR_MS, "first_ms": FIRST_MS}
    return {
        "version": 1,
        "sha256": "",
        "limits": {name: as_json(value) for name, value in case.limits._asdict().items()},
        "sleeves": sleeves,
        "start": start,
        "basket": basket_part(case),
    }


def basket_part(case: BasketCase) -> dict[str, Any]:
    """The same of the basket alone."""
    pairs = [list(pair) for pair in case.pairs]
    return {"name": "pairs", "version": 1, "cash": case.cash, "terms": case.terms._asdict(), "pairs": pairs}
