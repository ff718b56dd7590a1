"""The event clock: messages, trades, requests on their way, answers on their way, alarms; a decision after what the maker sees.

Compiled by kernel.py, called through simulation.py. The book goes through engine/l2/loop.py, message by message. Of two events at
one time the message comes first, then the trade, then what the maker sent: a trade at the very time of an order came before it.
"""

from engine.l2.book import TAKEN, DepthBook, best_of
from engine.l2.loop import Messages, ReplayRows, replay_messages
from engine.l2.tape import Ints
from engine.making.guardrails import H_RATE, NO_HALT, breached, count_send, halt, send_cancel, too_fast
from engine.making.quotes import MakingTerms, desired, moved_away
from engine.making.resting import (
    APPLIED_COUNT,
    ARRIVES,
    ASK_NS,
    ASKED,
    BID_NS,
    BOTH_NS,
    BUY,
    CANCELS,
    CASH,
    CHANGES,
    CHECKED,
    DECISIONS,
    ENDS,
    ENTRIES,
    F_LOTS,
    F_PRICE,
    F_SIDE,
    F_WHEN,
    FEES,
    FILLS,
    HALT,
    HEARD,
    INVENTORY,
    KNOWN,
    L_LOTS,
    L_PRICE,
    L_SENT,
    L_SIDE,
    LAST_MIDDLE,
    LAST_NS,
    LEFT,
    MIDDLE2,
    NOW,
    NUMBER,
    PART,
    PRICE,
    SEEN,
    SELL,
    STALE_PULLS,
    TAIL,
    TOXIC_PULLS,
    VARIANCE,
    WAITING,
    WEIGHT,
    MakerState,
    MakerTrades,
    arrive,
    cancel_arrives,
    cancelling,
    on_book,
    on_trade,
    usable,
)

E_NOTHING, E_MESSAGE, E_TRADE, E_ARRIVE, E_CANCEL, E_SEEN, E_END, E_ALARM = range(8)
# elements of `at`, where a run is: next message and trade, how many there are, up to when, and what ends a call
MESSAGE, TRADE, MESSAGES, TRADES, UNTIL, OPEN_END, WATCHED = range(7)
SECONDS = 1e-9
TO_BPS = 1e4


def next_event(m: Messages, trades: MakerTrades, terms: MakingTerms, maker: MakerState, at: Ints) -> tuple[int, int, int]:
    """(time, kind, side) of what happens next up to at[UNTIL]; E_NOTHING where nothing does."""
    i, k, when, kind, side = at[MESSAGE], at[TRADE], at[UNTIL] + 1, E_NOTHING, BUY
    if i < at[MESSAGES] and m.recv_ns[i] < when:
        when, kind = m.recv_ns[i], E_MESSAGE
    if k < at[TRADES] and trades.recv_ns[k] < when:
        when, kind = trades.recv_ns[k], E_TRADE
    if maker.tally[SEEN] < maker.tally[FILLS]:
        known = maker.fills[maker.tally[SEEN], F_WHEN] + terms.response_ns
        if known < when:
            when, kind = known, E_SEEN
    for s in range(2):
        if maker.orders[s, NUMBER] == 0:
            continue
        for column in range(ARRIVES, ENDS + 1):
            due = maker.orders[s, column]
            if 0 < due < when:
                when, kind, side = due, E_ARRIVE if column == ARRIVES else E_CANCEL if column == CANCELS else E_END, s
        stale, late = maker.tally[HEARD] + terms.stale_ns, maker.orders[s, CHECKED] + terms.age_ns + 1
        if maker.tally[NOW] < stale < when:
            when, kind = stale, E_ALARM
        if maker.tally[NOW] < late < when:
            when, kind = late, E_ALARM
    return when, kind, side


def pass_time(maker: MakerState, now: int) -> None:
    """Count how long quotes rested, and go on to `now`."""
    gone = now - maker.tally[NOW]
    bid, ask = maker.orders[BUY, LEFT] > 0, maker.orders[SELL, LEFT] > 0
    if bid:
        maker.tally[BID_NS] += gone
    if ask:
        maker.tally[ASK_NS] += gone
    if bid and ask:
        maker.tally[BOTH_NS] += gone
    maker.tally[NOW] = now


def on_middle(maker: MakerState, terms: MakingTerms, middle2: int, now: int) -> None:
    """The variance of the middle, bps squared a second: squared moves over time, older ones fading. No power, so that compiled
    and plain are the same bits."""
    rates = maker.rates
    if rates[LAST_MIDDLE] > 0.0:
        move = (middle2 / rates[LAST_MIDDLE] - 1.0) * TO_BPS
        gone, fade = (now - maker.tally[LAST_NS]) * SECONDS, terms.variance_ns * SECONDS
        rates[VARIANCE] = (rates[VARIANCE] * fade + move * move) / (fade + gone)
        rates[WEIGHT] = (rates[WEIGHT] * fade + gone) / (fade + gone)
    rates[LAST_MIDDLE], maker.tally[LAST_NS] = float(middle2), now


def on_message(
    book: DepthBook, rule: int, m: Messages, rows: ReplayRows, terms: MakingTerms, maker: MakerState, i: int, now: int
) -> None:
    """A message through the book; where it changed, the orders and the variance follow."""
    tally = maker.tally
    tally[WAITING], tally[PART] = replay_messages(book, rule, m, rows, i, i + 1, tally[WAITING], tally[PART])
    if not usable(book):
        maker.rates[LAST_MIDDLE] = 0.0
        return
    if book.chain[TAKEN] == tally[APPLIED_COUNT]:
        return
    tally[APPLIED_COUNT], tally[HEARD] = book.chain[TAKEN], now
    on_book(maker, terms, book, now)  # what it fills is filled at the middle before it, as with a trade
    tally[MIDDLE2] = best_of(book, BUY)[0] + best_of(book, SELL)[0]
    on_middle(maker, terms, tally[MIDDLE2], now)


def see_fill(maker: MakerState, terms: MakingTerms) -> None:
    """The maker learns of its next fill."""
    row = maker.fills[maker.tally[SEEN]]
    amount = row[F_PRICE] * row[F_LOTS]
    maker.tally[SEEN] += 1
    maker.tally[INVENTORY] += row[F_SIDE] * row[F_LOTS]
    maker.tally[CASH] -= row[F_SIDE] * amount
    maker.rates[FEES] += amount * terms.money * terms.fee_frac
    s = BUY if row[F_SIDE] > 0 else SELL
    maker.orders[s, KNOWN] += row[F_LOTS]


def net_flow(trades: MakerTrades, terms: MakingTerms, maker: MakerState, k: int, now: int) -> int:
    """What takers bought less sold in the window up to now, lots: features.flow of engine/l2, at any time. k: trades so far."""
    tail = maker.tally[TAIL]
    while tail < k and trades.recv_ns[tail] <= now - terms.flow_ns:
        tail += 1
    maker.tally[TAIL] = tail
    return int(trades.net[k] - trades.net[tail])


def send_entry(maker: MakerState, terms: MakingTerms, s: int, price: int, now: int) -> None:
    """Ask for a new order; it arrives after its way."""
    at = maker.tally[ENTRIES]
    maker.tally[ENTRIES] = at + 1
    order, row = maker.orders[s], maker.log[at]
    order[NUMBER], order[PRICE], order[LEFT], order[CANCELS], order[ENDS], order[KNOWN] = at + 1, price, 0, 0, 0, 0
    order[ARRIVES], order[CHECKED], order[ASKED] = now + terms.entry_ns, now, now
    row[L_SIDE], row[L_PRICE], row[L_LOTS], row[L_SENT] = 1 - 2 * s, price, terms.lots, now
    count_send(maker, terms, now)


def pullable(maker: MakerState, s: int) -> bool:
    """Whether the side has an order that nobody asked to cancel."""
    return bool(maker.orders[s, NUMBER] > 0 and not cancelling(maker, s))


def meets(maker: MakerState, s: int, want: int) -> bool:
    """Whether a new order would take the maker's own of the other side, whose end it does not know: a venue refuses that."""
    other = maker.orders[1 - s]
    return bool(other[NUMBER] > 0 and (want >= other[PRICE] if s == BUY else want <= other[PRICE]))


def towards(maker: MakerState, terms: MakingTerms, s: int, want: int, now: int) -> bool:
    """Bring one side to its price; False where that were one request too many."""
    busy, middle = maker.orders[s, NUMBER] > 0, maker.tally[MIDDLE2] / 2.0
    if busy and cancelling(maker, s):
        return True
    if busy and not moved_away(terms, maker.orders[s, PRICE], want, middle):
        maker.orders[s, CHECKED] = now
        return True
    if want == 0 and not busy:
        return True
    if not busy and meets(maker, s, want):
        return True
    if want != 0 and now - maker.orders[s, ASKED] < terms.pace_ns:
        return True  # the next message or trade asks again
    if too_fast(maker, terms, now):
        return False
    if busy:
        send_cancel(maker, terms, s, now)
    else:
        send_entry(maker, terms, s, want, now)
    return True


def decide(book: DepthBook, trades: MakerTrades, terms: MakingTerms, maker: MakerState, k: int, now: int) -> None:
    """Guardrails, then quotes. A book that is unknown or stale has none."""
    tally = maker.tally
    tally[DECISIONS] += 1
    if tally[HALT] != NO_HALT:
        return
    why = breached(maker, terms, now)
    if why != NO_HALT:
        halt(maker, terms, why, now)
        return
    buy, sell = 0, 0
    flow = net_flow(trades, terms, maker, k, now)
    if usable(book) and now - tally[HEARD] < terms.stale_ns:
        rates = maker.rates
        buy, sell = desired(
            terms, best_of(book, BUY)[0], best_of(book, SELL)[0], rates[VARIANCE], rates[WEIGHT], tally[INVENTORY], flow,
            terms.lots - maker.orders[BUY, KNOWN], terms.lots - maker.orders[SELL, KNOWN],
        )  # fmt: skip
        if terms.toxic_lots > 0 and abs(flow) >= terms.toxic_lots:
            s = BUY if flow < 0 else SELL
            if pullable(maker, s):
                tally[TOXIC_PULLS] += 1
    elif pullable(maker, BUY) or pullable(maker, SELL):
        tally[STALE_PULLS] += 1
    if not towards(maker, terms, BUY, buy, now) or not towards(maker, terms, SELL, sell, now):
        halt(maker, terms, H_RATE, now)


def happen(
    book: DepthBook,
    rule: int,
    m: Messages,
    rows: ReplayRows,
    trades: MakerTrades,
    terms: MakingTerms,
    maker: MakerState,
    at: Ints,
) -> bool:
    """The next event, and what the maker decides after it; False where nothing happens up to at[UNTIL]."""
    now, kind, s = next_event(m, trades, terms, maker, at)
    if kind == E_NOTHING:
        return False
    pass_time(maker, now)
    if kind == E_MESSAGE:
        on_message(book, rule, m, rows, terms, maker, at[MESSAGE], now)
        at[MESSAGE] += 1
    elif kind == E_TRADE:
        k = at[TRADE]
        on_trade(maker, terms, trades.price[k], trades.lots[k], trades.taker[k], now)
        at[TRADE] += 1
    elif kind == E_SEEN:
        see_fill(maker, terms)
    elif kind == E_END:
        maker.orders[s, NUMBER] = maker.orders[s, ENDS] = maker.orders[s, CANCELS] = maker.orders[s, KNOWN] = 0
    elif kind == E_ARRIVE:
        arrive(maker, terms, book, s, now)
    elif kind == E_CANCEL:
        cancel_arrives(maker, terms, s, now)
    ending = maker.orders[BUY, ENDS] == now or maker.orders[SELL, ENDS] == now  # known with its fill: decided on both
    if kind not in (E_ARRIVE, E_CANCEL) and not (kind == E_SEEN and ending):
        decide(book, trades, terms, maker, at[TRADE], now)
    return True


def run_making(
    book: DepthBook,
    rule: int,
    m: Messages,
    rows: ReplayRows,
    trades: MakerTrades,
    terms: MakingTerms,
    maker: MakerState,
    at: Ints,
) -> None:
    """From where `at` is up to its end: the last message, or at[UNTIL] where more may come (at[OPEN_END]).

    Watched, it returns after the first event that changed an order, a fill or the halt, so that a journal has each of them.
    """
    before = maker.tally[CHANGES]
    while at[OPEN_END] == 1 or at[MESSAGE] < at[MESSAGES]:
        if not happen(book, rule, m, rows, trades, terms, maker, at):
            break
        if at[WATCHED] == 1 and maker.tally[CHANGES] != before:
            break
