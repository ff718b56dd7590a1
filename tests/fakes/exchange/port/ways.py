"""What three venues do differently at the port, as values: the adapters' own words are tested elsewhere, with real ccxt."""

from typing import NamedTuple

from engine.venues.outcome import NOT_TAKEN, UNKNOWN, Outcome


class Ways(NamedTuple):
    """One venue's habits, as its adapter shows them."""

    name: str
    attaches: str  # how an entry brings its stop along (engine.book.attached)
    fired_is_ours: bool = False  # executions of a stop that fired carry the stop's own ids
    looks_back: bool = False  # a cursor goes back by a minute; else rows that are listed behind it are never listed again
    newest_half: bool = True  # of a list that comes with one half only
    maintenance: Outcome = UNKNOWN  # what the venue's own word for it proves
    ids_come_again: bool = False


WAYS = {
    "okx": Ways("OKX", "with", maintenance=NOT_TAKEN),
    "binance": Ways("Binance", "beside", looks_back=True, newest_half=False, ids_come_again=True),
    "bybit": Ways("Bybit", "beside", fired_is_ours=True, looks_back=True),
}

# a list of executions, beside what tests.fakes.exchange.faults has; none of them lies about what it does show
PORT_KINDS = {
    "list_twice": "each row of a list comes twice",
    "list_shuffled": "the rows of a list come in any order",
    "list_gaps": "a third of the rows of a list is missing",
    "list_late": "an execution is listed 5 s after it was made",
}
LISTED_LATE_MS = 5_000
STREAM_KINDS = ("drop_fills", "ws_mute", "ws_cut", "ws_delay", "ws_duplicate", "ws_reorder")
DATA_KINDS = ("stale_candles", "stale_ticker", "book_gap", "inverted_book", "wrong_candle", "bad_login")
NOT_AT_THE_PORT = (*STREAM_KINDS, *DATA_KINDS)  # the port is of requests and lists; feed and streams are beside it
