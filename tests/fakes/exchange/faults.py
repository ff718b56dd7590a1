"""What a venue does wrong, as switches: drawn from a seed or set by hand, each counted when it acts.

A protocol asks `hit(kind)` where the fault would be, so every venue has the same kinds. A plan is a list of windows:
print it, and the run can be repeated or cut in half.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tests.fakes.exchange import orders as o
from tests.fakes.exchange.market import PICO
from tests.fakes.exchange.matching import Exchange

KINDS = {
    # a request
    "timeout_before": "a trading request is lost, no answer",
    "timeout_after": "a trading request is taken, no answer",
    "late": "an order arrives 8 s later, no answer",
    "read_timeout": "a question gets no answer",
    "http_5xx": "502 and a page of HTML",
    "html": "200 and a page of HTML",
    "rate_limit": "429 with Retry-After",
    "ban": "418",
    "maintenance": "503 and the venue's own word for it",
    "clock_skew": "the venue's clock is 40 s ahead",
    # an answer
    "reject_orders": "new orders are refused",
    "reject_cancels": "cancellations are refused",
    "reject_amends": "amendments are refused",
    "lost_order": "an order is acknowledged and never existed",
    "algo_unaskable": "a conditional order cannot be asked for",
    "partial_answer": "a list comes with its first half only",
    "stale_positions": "positions as they were",
    "stale_candles": "the last three candles are missing",
    "stale_ticker": "a ticker as it was",
    "drop_fills_rest": "executions of the last ten minutes are not listed",
    # a stream
    "drop_fills": "an order says filled, its execution is not pushed",
    "ws_mute": "nothing is pushed and no ping answered",
    "ws_cut": "the connection is closed, and none is taken",
    "ws_delay": "pushes come 5 s late",
    "ws_duplicate": "a push comes twice",
    "ws_reorder": "a push comes after the next one",
    "book_gap": "a change of the book is missing",
    "inverted_book": "the best bid is above the best ask",
    "wrong_candle": "a candle closes in the stream with a price that REST does not have",
    "bad_login": "a login is refused as expired",
    # the account and the market
    "venue_cancels": "the venue ends an order of its own will",
    "stranger": "someone else trades in the account",
    "thin_book": "a lot a level: executions in many parts",
}
# by hand alone, so that plans that were drawn stay what they were
LATE_KINDS = {
    "lists_late": "lists of orders, executions and positions are 20 s old; an order by its id is not",
    "rest_late": "every question about the account is answered as it was 20 s ago",
}
BILL_KINDS = {
    "bills_late": "a bill is listed two hours after it was made",
    "bills_twice": "each bill of a page comes twice",
    "bills_shuffled": "the bills of a page come in another order",
    "bills_overlap": "a page begins with the last bill of the one before",
}
HAND_KINDS = {**LATE_KINDS, **BILL_KINDS}
ACTS = ("venue_cancels", "stranger", "thin_book")  # done once a window, at the first print in it
LATE_MS, DELAY_MS, SKEW_MS, HIDDEN_MS = 8_000, 5_000, 40_000, 600_000
BILLED_LATE_MS = 7_200_000


class Window(NamedTuple):
    """A fault between two times (UTC ms, the end not in it), at each chance that it has."""

    kind: str
    start_ms: int
    end_ms: int
    chance: float = 1.0


def drawn(
    seed: int, start_ms: int, span_ms: int, count: int, kinds: Iterable[str] = KINDS, bar_ms: int = 900_000
) -> list[Window]:
    """A plan: `count` windows of one to eight bars, each of a kind, with chance 1 or a half."""
    dice, among = random.Random(seed), sorted(kinds)
    plan = []
    for _ in range(count):
        start = start_ms + dice.randrange(span_ms)
        plan.append(Window(dice.choice(among), start, start + dice.randint(1, 8) * bar_ms, dice.choice([0.5, 1.0])))
    return sorted(plan, key=lambda window: window.start_ms)


class Faults:
    """The windows of a run. `count` says how often each kind has acted."""

    def __init__(self, clock: Callable[[], int], plan: Iterable[Window] = (), seed: int = 0) -> None:
        self.clock, self.plan = clock, list(plan)
        self.lag_ms = 0  # by which the answer under way is old (past.py)
        self.count: Counter[str] = Counter()
        self.acted: dict[Window, tuple[int, int]] = {}  # window -> (when its fault first acted in it, how often)
        self._dice = random.Random(seed)
        self._done: set[Window] = set()
        self._thin = False
        self._read: tuple[int, Window | None] = 0, None  # how many windows the plan had, and the last
        self._of: dict[str, list[Window]] = {}  # those of each kind
        if unknown := {window.kind for window in self.plan} - {*KINDS, *HAND_KINDS}:
            raise ValueError(f"unknown faults {sorted(unknown)}; known: {', '.join((*KINDS, *HAND_KINDS))}")

    def on(self, kind: str, for_ms: int = 10**15, chance: float = 1.0) -> None:
        """From now on."""
        assert kind in {*KINDS, *HAND_KINDS}, kind
        self.plan.append(Window(kind, self.clock(), self.clock() + for_ms, chance))

    def off(self, kind: str) -> None:
        """No more."""
        self.plan = [window for window in self.plan if window.kind != kind]

    def open_windows(self, kind: str) -> list[Window]:
        """Those of now."""
        read = len(self.plan), self.plan[-1] if self.plan else None
        if read != self._read:  # sorted by kind when it changes: a day asks some hundred thousand times
            self._read, self._of = read, {}
            for window in self.plan:
                self._of.setdefault(window.kind, []).append(window)
        if not (of := self._of.get(kind)):
            return []
        now = self.clock()
        return [window for window in of if window.start_ms <= now < window.end_ms]

    def hit(self, kind: str) -> bool:
        """Whether it acts here; counted."""
        for window in self.open_windows(kind) if self.plan else ():
            if window.chance >= 1 or self._dice.random() < window.chance:
                self._acts(window)
                return True
        return False

    def _acts(self, window: Window) -> None:
        self.count[window.kind] += 1
        first_ms, times = self.acted.get(window, (self.clock(), 0))
        self.acted[window] = first_ms, times + 1

    def executed(self, rows: list[Any], time_key: str, now: int) -> list[Any]:
        """The executions that are listed by now."""
        hidden_ms = HIDDEN_MS if self.hit("drop_fills_rest") else self.lag_ms
        return [row for row in rows if int(row[time_key]) < now - hidden_ms] if hidden_ms else rows

    def billed(self, rows: list[Any], time_key: str) -> list[Any]:
        """The bills that are listed by now."""
        if not self.plan or not self.hit("bills_late"):
            return rows
        return [row for row in rows if int(row[time_key]) < self.clock() - BILLED_LATE_MS]

    def paged(self, rows: list[Any]) -> list[Any]:
        """The bills of a page, as they come."""
        if self.plan and self.hit("bills_twice"):
            rows = [row for row in rows for _ in range(2)]
        if self.plan and self.hit("bills_shuffled"):
            rows = self._dice.sample(rows, len(rows))
        return rows

    def act(self, exchange: Exchange) -> None:
        """At a print: what needs no request."""
        for kind in ACTS if self.plan else ():
            for window in self.open_windows(kind):
                if window not in self._done:
                    self._done.add(window)
                    self._act(kind, exchange, window)
        if self._thin and not self.open_windows("thin_book"):
            self._thin = False
            for market in exchange.markets.values():
                market.depth_lots = market.contract.depth_lots

    def _act(self, kind: str, exchange: Exchange, window: Window) -> None:
        if kind == "venue_cancels":
            found = exchange.open_orders()
            try:
                exchange.venue_cancels(self._dice.choice(found).id if found else 0)
            except o.Refused:  # there is none, or it has ended in the same moment
                self._done.discard(window)
                return
        elif kind == "stranger":
            symbol = self._dice.choice(sorted(exchange.markets))
            market = exchange.markets[symbol]
            least = market.contract.min_notional * PICO // (market.last * market.contract.pico)
            exchange.place(o.Order("", symbol, self._dice.choice([1, -1]), self._dice.randint(1, 20) + least))
        else:
            self._thin = True
            for market in exchange.markets.values():
                market.depth_lots = 1
        self._acts(window)
