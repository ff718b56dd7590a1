"""What a recorder receives of one instrument, as the arrays of the maker's loop: appended as it comes, the oldest given up.

Called by app/making/live.py with the recorder's own receive times, so that a simulation of the recorded tape has the same input.
"""

import numpy as np

from engine.errors import DataError
from engine.l2.book import NEXT, PREVIOUS, empty_book
from engine.l2.loop import BUFFER, Messages
from engine.l2.replay import blank_rows
from engine.l2.tape import ASK, BID, DELTA, SNAPSHOT, Ints, Scale
from engine.making.fold import PaperBook
from engine.making.loop import MESSAGE, MESSAGES, TRADE, TRADES
from engine.making.quotes import MakingTerms
from engine.making.resting import CASH, FEES, HALT, INVENTORY, MIDDLE2, NOW, TAIL, WAITING, MakerTrades
from engine.making.simulation import MakingPass, require_exact, state_for
from engine.venues.book_pushes import BookPush, Push, TradePush

MESSAGES_ROOM = 16_384
LEVELS_ROOM = 2_000_000
TRADES_ROOM = 65_536
ORDERS_ROOM = 1_000_000  # of a session; memory is taken as they come
FILLS_ROOM = 1_000_000
OFF_GRID = 1e-6  # of a unit


def rule_at(venue: str, market: str) -> int:
    """How a venue numbers its deltas: by the one before (OKX, Binance perpetuals), or one after the other."""
    return PREVIOUS if venue == "okx" or (venue, market) == ("binance", "perp") else NEXT


class LiveTape:
    """`work` is the loop's pass over what has come so far."""

    def __init__(self, scale: Scale, rule: int, terms: MakingTerms, before: PaperBook) -> None:
        """before: the journal of earlier sessions, whose inventory and money go on."""
        self.scale, self._highest = scale, 0
        self.room = MESSAGES_ROOM, LEVELS_ROOM, TRADES_ROOM
        m, n, t = self.room
        ids = (np.zeros(m, np.int64), np.zeros(m, np.int64), np.zeros(m, np.int64))
        levels = (np.zeros(n, np.int8), np.zeros(n, np.int64), np.zeros(n, np.int64))
        messages = Messages(np.zeros(m, np.int8), np.zeros(m, np.int64), *ids, np.zeros(m + 1, np.int64), *levels)
        amounts = (np.zeros(t, np.int64), np.zeros(t, np.int64), np.zeros(t, np.int64))
        trades = MakerTrades(*amounts, np.zeros(t, np.int8), np.zeros(t + 1, np.int64))
        state = state_for(terms, FILLS_ROOM, ORDERS_ROOM)
        state.tally[INVENTORY], state.tally[CASH] = before.inventory, before.cash_units
        state.tally[MIDDLE2] = 2 * before.last_price
        state.rates[FEES] = before.sleeve.ledger.fees - before.sleeve.ledger.funding
        at = np.array([0, 0, 0, 0, 0, 1, 0], np.int64)
        self.work = MakingPass(empty_book(), rule, messages, blank_rows(m), trades, terms, state, at)

    @property
    def begun_ns(self) -> int:
        """When the first message came; 0 before it."""
        return int(self.work.maker.tally[NOW])

    def add(self, recv_ns: int, push: Push) -> None:
        """Append a message or a trade. Raises DataError for a number between two units of the instrument's grid."""
        if isinstance(push, BookPush):
            self._message(recv_ns, push)
        elif self.begun_ns:  # a trade before the first message is none of the tape's
            self._trade(recv_ns, push)

    def units(self, values: "np.ndarray", digits: int) -> Ints:
        """Prices or quantities as whole units. Raises DataError for what is between two."""
        scaled = values * 10.0**digits
        found = np.rint(scaled)
        if (np.abs(scaled - found) > np.maximum(OFF_GRID, np.abs(scaled) * 1e-14)).any():
            raise DataError(f"the venue sent more than {digits} decimals", "the instrument has changed: begin a new maker")
        return np.asarray(found.astype(np.int64))

    def _message(self, recv_ns: int, push: BookPush) -> None:
        work, at = self.work, self.work.at
        if at[MESSAGES] >= self.room[0] or work.messages.start[at[MESSAGES]] + len(push.levels) > self.room[1]:
            self._forget_messages()
        n = int(at[MESSAGES])
        begin = int(work.messages.start[n])
        end = begin + len(push.levels)
        if n >= self.room[0] or end > self.room[1]:
            raise DataError("the venue sends more than the maker has room for", "the machine is too slow for this book")
        m = work.messages
        m.kind[n], m.recv_ns[n] = SNAPSHOT if push.snapshot else DELTA, recv_ns
        m.first_id[n], m.last_id[n], m.prev_id[n], m.start[n + 1] = push.first_id, push.last_id, push.prev_id, end
        if push.levels:
            side, price, quantity = (np.array(column) for column in zip(*push.levels, strict=True))
            m.side[begin:end] = np.where(side == 0, BID, ASK)
            m.price[begin:end] = self.units(price, self.scale.price_digits)
            m.lots[begin:end] = self.units(quantity, self.scale.lot_digits)
            self._require_exact(int(m.price[begin:end].max()))
        at[MESSAGES] = n + 1
        if not self.begun_ns:
            work.maker.tally[NOW] = recv_ns

    def _require_exact(self, price: int) -> None:
        """Money at this price is exact. Raises BadInput."""
        if price > self._highest:
            self._highest = price
            require_exact(self.work.terms, float(price))

    def _trade(self, recv_ns: int, push: TradePush) -> None:
        at, trades = self.work.at, self.work.trades
        if at[TRADES] >= self.room[2]:
            self._forget_trades()
        k = int(at[TRADES])
        if k >= self.room[2]:
            raise DataError("the venue sends more trades than the maker has room for", "the machine is too slow for this book")
        price, lots = (
            self.units(np.array([push.price]), self.scale.price_digits),
            self.units(np.array([push.quantity]), self.scale.lot_digits),
        )
        taker = -1 if push.buyer_maker else 1
        trades.recv_ns[k], trades.price[k], trades.lots[k], trades.taker[k] = recv_ns, price[0], lots[0], taker
        trades.net[k + 1] = trades.net[k] + taker * lots[0]
        at[TRADES] = k + 1

    def _forget_messages(self) -> None:
        """Give up what the loop has taken, but for the deltas that a snapshot on its way may still need."""
        work, m, at, tally = self.work, self.work.messages, self.work.at, self.work.maker.tally
        gone, count = max(int(at[MESSAGE]) - BUFFER, 0), int(at[MESSAGES])
        first = int(m.start[gone])
        for array in (m.kind, m.recv_ns, m.first_id, m.last_id, m.prev_id, *work.rows):
            array[: count - gone] = array[gone:count].copy()
        for array in work.rows:
            array[count - gone :] = 0
        m.start[: count - gone + 1] = m.start[gone : count + 1] - first
        levels = int(m.start[count - gone])
        for array in (m.side, m.price, m.lots):
            array[:levels] = array[first : first + levels].copy()
        at[MESSAGE] -= gone
        at[MESSAGES] -= gone
        tally[WAITING] = max(int(tally[WAITING]) - gone, 0)

    def _forget_trades(self) -> None:
        """Give up trades that are behind the window of the taker flow."""
        trades, at, tally = self.work.trades, self.work.at, self.work.maker.tally
        gone, count = int(at[TRADE] if tally[HALT] else tally[TAIL]), int(at[TRADES])
        for array in trades[:4]:
            array[: count - gone] = array[gone:count].copy()
        trades.net[: count - gone + 1] = trades.net[gone : count + 1].copy()
        at[TRADE] -= gone
        at[TRADES] -= gone
        tally[TAIL] = max(int(tally[TAIL]) - gone, 0)
