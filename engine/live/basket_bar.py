"""A basket's part of a bar: what a `bar` event says of it beside prices and costs, and what its paper venue does inside one.

Called by live/loop.py. The order inside a bar is core/basket_open.settle's, over all legs: settlements, opens, wide stops,
liquidation, the end of a leg's bars.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.book.basket_account import uncrossed
from engine.book.basket_events import basket_of
from engine.book.basket_moves import memory
from engine.book.bodies import finite
from engine.book.book import Book
from engine.core.basket import asked_on, lots_on
from engine.core.basket_open import end_of, liquidation_of, margin_is_gone
from engine.core.state import Bar
from engine.core.step import usable
from engine.features.feature import Array
from engine.features.hedge import Fit
from engine.live import config_event
from engine.live.bar_event import account_of
from engine.live.feed import Feed
from engine.ports import Crossing
from engine.strategies import pairs as strategy
from engine.venues.paper import Account, Deliver, PaperVenue


class BasketBars:
    """What a desk's basket is told at each close: log prices and the fits that decide, of the bars up to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._feed: Feed | None = None
        self._logs: Array = np.empty((0, 0))
        self._kept: tuple[Any, list[Fit | None]] = (None, [])  # what the fits were made of, and they

    def body(self, book: Book, feed: Feed, t: int, *, growing: bool) -> dict[str, Any]:
        """The `basket` of the event of bar t. `growing`: bars that come as they close; there no leg is known to end."""
        spec, close_ms = book.specs[0], int(feed.span.close_ms[t])
        own = feed.own[spec.rules.bar_ms]
        columns = [own.whole.instruments.index(one.source["instrument"]) for one in book.specs]
        if feed is not self._feed:
            self._feed, self._logs = feed, strategy.logs_of(own.whole.close[:, columns])
        at = own.first + feed.closed(spec.rules.bar_ms, close_ms)
        params = config_event.code_of(spec, self.folder).params
        assert isinstance(params, strategy.Params), "a basket of another strategy"  # noqa: S101 - control/config.py lets none in
        window, step = strategy.spans_of(spec.rules.bar_ms, params)
        first = strategy.renewed_at(own.whole.close_ms, at, window, step)
        of = (int(own.whole.close_ms[first]), window) if first >= 0 else None
        if self._kept[0] != of:
            self._kept = of, strategy.fits_before(self._logs, first, window) if of else []
        fits = self._kept[1] or [None] * len(basket_of(book).pairs)
        body: dict[str, Any] = {
            "logs": [finite(float(log)) for log in self._logs[at]],
            "fits": [list(fit or (None, None, None)) for fit in fits],
        }
        ended = [] if growing else ended_at(book, feed, t)
        return body | ({"ended": ended} if ended else {})


def ended_at(book: Book, feed: Feed, t: int) -> list[str]:
    """Legs whose bars end with bar t, while others go on."""
    places = [feed.span.instruments.index(spec.source["instrument"]) for spec in book.specs]
    ends = strategy.ends_of(feed.span.close[:, places])
    return [name for name, end in zip(book.names, ends, strict=True) if end == t]


def silent(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a close at which no strategy is asked: no spread is known, so no pair enters or leaves by it."""
    fits = [[None] * len(fit) for fit in body["fits"]]
    return {**body, "logs": [None] * len(body["logs"]), "fits": fits}


def without_off(book: Book, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body of a bar event; pairs with a leg that the venue does not trade have no fit in it, so that none of them enters."""
    if book.basket is None or not book.off:
        return body
    off = [book.is_off(s) for s in range(len(book.specs))]
    fits = zip(book.basket.pairs, body["basket"]["fits"], strict=True)
    kept = [[None] * len(fit) if off[pair.a] or off[pair.b] else fit for pair, fit in fits]
    return {**body, "basket": {**body["basket"], "fits": kept}}


def crossings(book: Book, body: Mapping[str, Any]) -> list[Crossing]:
    """What pairs cross inside legs of which no order has filled in the bar that closes, at its open; at an account."""
    found = []
    for s in uncrossed(book) if book.basket is not None else ():
        values = body["bars"].get(book.column(s)) or (None,)
        if values[0] is not None:
            found.append(Crossing(book.names[s], float(values[0]), body["close_ms"]))
    return found


def trade_basket(venue: PaperVenue, book: Book, body: Mapping[str, Any], deliver: Deliver) -> None:
    """What the paper venue does with all legs inside the bar of a `bar` event's body."""
    found = [account_of(book, s, body) for s in range(len(book.specs))]
    there = [(account, bar) for account, bar in found if usable(bar)]
    basket = basket_of(book)
    for account, bar in there:
        if any(lots_on(pair, account.sleeve) for pair in basket.pairs):
            venue.settlement(account, bar, deliver)
    for account, bar in there:
        _open(venue, book, account, bar, deliver)
    for account, bar in there:
        venue.stop_leg(account, bar, deliver)
    m, t = memory(book, [bar for _, bar in found])
    m = m._replace(marks=[bar.close if usable(bar) else mark for mark, (_, bar) in zip(basket.marks, found, strict=True)])
    if margin_is_gone(m, basket.whole, t):
        for s, (account, bar) in enumerate(found):
            if book.sleeves[s].position.open_layers > 0:
                venue.close_leg(account, liquidation_of(m, s, t), bar, deliver)
    for name in body["basket"].get("ended", ()):
        s = book.names.index(name)
        account, bar = found[s]
        if book.sleeves[s].position.open_layers > 0:
            venue.close_leg(account, end_of(m, s, t), bar, deliver)
        elif any(lots_on(pair, s) for pair in basket.pairs):
            deliver(Crossing(name, bar.close, bar.close_ms, delisted=True))


def _open(venue: PaperVenue, book: Book, account: Account, bar: Bar, deliver: Deliver) -> None:
    """A leg's open: its net order, or what crosses inside where that has filled nothing."""
    venue.open_leg(account, bar, deliver)
    asked = [asked_on(pair, account.sleeve) for pair in basket_of(book).pairs]  # of a fill, what crosses has crossed with it
    if max(asked) > 0 > min(asked):
        deliver(Crossing(account.name, bar.open, bar.close_ms))
