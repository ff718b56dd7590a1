"""What a venue closes by itself: auto-deleveraging, a liquidation, the settlement of an instrument that it delists.

Called by engine.live.poll with executions that the venue's own list words so. Such an execution has no order of the desk, and
needs none: the layers that held the lots lose them in the book, so that stops cover what is there and no exit asks for more. That
is bookkeeping, never a trade. Nothing enters until a named person lets the desk go on.
"""

from typing import Any

from engine.book.account_events import orphan_lots
from engine.book.bodies import REDUCED, position_of
from engine.book.book import lots_text
from engine.live.desk import LiveDesk, going_on
from engine.venues.live_port import VenueTrade

WORDS = {"adl": "auto-deleveraging", "liquidation": "a liquidation", "delivery": "its settlement of a delisted instrument"}
Share = dict[str, Any]  # sleeve, key, lots


def shares_of(desk: LiveDesk, instrument: str, trade: VenueTrade) -> list[Share]:
    """The layers that lose what a trade has closed, by their part of what is held; none where the book does not explain it.

    It does not while an order is in doubt, since that may have closed the same lots, nor while the position differs by something
    else than these lots, which may be listed long after they are gone.
    """
    book = desk.book
    if not trade.forced or desk.doubts(instrument):
        return []
    held = layers_of(desk, instrument, -trade.side)
    if position_of(instrument) in book.differences:
        gap = desk.venue_lots.get(instrument, 0) + trade.side * sum(one["lots"] for one in held)
        if trade.side * gap < trade.lots:
            return []
    return parted(held, trade.lots)


def word_of(trade: VenueTrade) -> str:
    """What has closed it, for people."""
    return WORDS.get(trade.forced, trade.forced)


def executed_text(desk: LiveDesk, instrument: str, trade: VenueTrade) -> str:
    """`okx:BTC-USDT:perp: -200 lots (-0.02 BTC) at 60531.9`, for people."""
    return f"{instrument}: {lots_text(desk.book, instrument, trade.side * trade.lots)} at {trade.price}"


def layers_of(desk: LiveDesk, instrument: str, side: int) -> list[Share]:
    """What sleeves hold of an instrument on one side, layer by layer."""
    book, held = desk.book, list[Share]()
    for s, sleeve in enumerate(book.sleeves):
        position = sleeve.position
        if book.specs[s].source["instrument"] == instrument and position.side == side:
            layers = position.layers[: position.open_layers]
            held += [{"sleeve": book.names[s], "key": layer.key, "lots": layer.lots} for layer in layers]
    return held


def closed_by_halt(desk: LiveDesk, instrument: str, trade: VenueTrade) -> bool:
    """Book an execution of an order by which a halt has closed straight at the venue what layers held: True. False where it has
    closed what no sleeve held. Without it a layer would stay in the book beside its own close, and be left again for ever.
    """
    shares = parted(layers_of(desk, instrument, -trade.side), trade.lots)
    if not shares or orphan_lots(desk.book, instrument) * trade.side < 0:
        return False
    desk.take("reduced", body_of(instrument, trade, "halt", shares))
    return True


def body_of(instrument: str, trade: VenueTrade, word: str, shares: list[Share]) -> dict[str, Any]:
    """Of a `reduced` event."""
    body = {"instrument": instrument, "trade": trade.trade, "order": trade.order or trade.venue_id, "side": trade.side}
    return body | {"lots": trade.lots, "price": trade.price, "fee": trade.fee, "t_ms": trade.t_ms, "word": word, "shares": shares}


def parted(held: list[Share], lots: int) -> list[Share]:
    """`lots` by largest remainder over what is held; none where less is held."""
    total = sum(one["lots"] for one in held)
    if not 0 < lots <= total:
        return []
    parts = [divmod(one["lots"] * lots, total) for one in held]
    spare = lots - sum(whole for whole, _ in parts)
    first = sorted(range(len(held)), key=lambda k: (-parts[k][1], k))[:spare]
    shares = [{**one, "lots": whole + (k in first)} for k, (one, (whole, _)) in enumerate(zip(held, parts, strict=True))]
    return [share for share in shares if share["lots"]]


def book_reduced(desk: LiveDesk, instrument: str, trade: VenueTrade, shares: list[Share]) -> str:
    """Withhold entries, then book it; what a person has to know of it."""
    what, word = f"{REDUCED}{instrument}", word_of(trade)
    if what not in desk.book.health:
        why = f"{instrument}: the venue has closed lots by {word}"
        desk.take("health", {"what": what, "state": "begun", "why": why})
    desk.take("reduced", body_of(instrument, trade, trade.forced, shares))
    return word


def page_reduced(desk: LiveDesk, instrument: str, closed: dict[str, int], left: int) -> None:
    """One page for all that one reading has brought: `closed` is emptied. `left`: lots that the book still holds."""
    for word, lots in closed.items():
        share = f"{lots_text(desk.book, instrument, lots)} of {instrument} by {word}, {left} are left"
        what = f"the venue has closed {share}; the book and its stops follow"
        desk.incident(f"{what}, nothing was ordered; {going_on(REDUCED + instrument)}", lots=lots, left=left)
    closed.clear()
