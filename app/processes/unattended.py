"""The positions of a desk in words, for the moments at which a worker begins or ends to look after them.

Called by app.processes.worker. Turns the book into lines for heartbeat and terminal; engine.watch.heartbeat says what to do when
nobody looks after them.
"""

import sys
from contextlib import suppress
from typing import Any

from engine.amounts import price_text


def positions(book: Any) -> list[str]:
    """Open positions in words: `btc-trend long 0.02`."""
    from engine.core.ledger import open_lots
    from engine.core.state import SIDES

    return [
        f"{name} {SIDES[sleeve.position.side]} {open_lots(sleeve.position) * spec.rules.lot_size:g}"
        for name, sleeve, spec in zip(book.names, book.sleeves, book.specs, strict=True)
        if sleeve.position.open_layers > 0
    ]


def open_positions(book: Any) -> list[str]:
    """Open positions with instrument and stops: `btc-trend long 0.02 binance:BTC-USDT:perp, stop at 94,210.50`."""
    from engine.core.exits import protective

    found = {text.split(" ", 1)[0]: text for text in positions(book)}
    texts = []
    for name, sleeve, spec in zip(book.names, book.sleeves, book.specs, strict=True):
        if name in found:
            layers = sleeve.position.layers[: sleeve.position.open_layers]
            levels = dict.fromkeys(price_text(protective(sleeve.position, layer)[1]) for layer in layers)
            texts.append(f"{found[name]} {spec.source['instrument']}, stop at {' and '.join(levels)}")
    return texts


def left_text(book: Any) -> str:
    """What a desk of an account leaves at its venue, and which of it has no working stop there; "" when it is nothing."""
    from engine.book.order_events import states_of
    from engine.core.orders import PARTIAL, WORKING
    from engine.core.state import ENTRY, PROTECTIVE

    texts = open_positions(book)
    waiting = dict.fromkeys(book.names[one.sleeve] for one in book.orders.open.values() if one.slot == ENTRY)
    texts += [f"{name}'s entry order, which may fill" for name in waiting]
    if not texts:
        return ""
    bare = [
        name
        for s, (name, sleeve) in enumerate(zip(book.names, book.sleeves, strict=True))
        for layer in sleeve.position.layers[: sleeve.position.open_layers]
        if states_of(book, s).get((PROTECTIVE, layer.key)) not in (WORKING, PARTIAL)
    ]
    left = f"LEFT AT THE VENUE: {'; '.join(texts)}. Nothing watches, trails or closes it until the next start: nightdesk up."
    missing = f" NO STOP WORKS there for {', '.join(dict.fromkeys(bare))}: look at the venue's own page now."
    return left + (missing if bare else " The stops work there." if open_positions(book) else "")


def say(line: str) -> None:
    """One line for whoever sees the worker's terminal; a terminal that is gone stops nothing."""
    if line:
        with suppress(OSError):
            sys.stderr.write(f"nightdesk worker: {line}\n")
