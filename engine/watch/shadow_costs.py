"""What a desk in shadow has seen of an account: orders that did not leave, and what the venue's book would have cost them.

Called by app.people.stages, the API and tools. Notes of the journal (`shadow`) become one row a sleeve.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.amounts import price_text
from engine.book.bodies import ShadowBody
from engine.store.chain import Event
from engine.watch.kept_lines import trading_lines
from engine.watch.window import FAR_MS

COUNTS = ("orders", "refused", "at_market", "compared", "thin", "crossing")


class ShadowCosts(NamedTuple):
    """One sleeve in shadow. Costs in basis points of price, against the order; null where nothing was compared."""

    orders: int  # that would have left
    refused: int  # of these the account's venue would not have taken
    at_market: int
    compared: int  # of those at the market the book was read
    thin: int  # larger than the levels that were read: the true cost is higher
    crossing: int  # limits that would have taken at once
    spread_bps: float | None  # mean
    assumed_bps: float | None  # mean of what the fill model counts
    book_bps: float | None  # mean of what the book would have cost
    book_p95_bps: float | None
    behind_ms: float | None  # mean, from the close to the book
    maker_frac: float | None  # of the account, as last asked
    taker_frac: float | None


def shadow_costs(journal: Path, since_ms: int = -1) -> dict[str, ShadowCosts]:
    """Sleeve -> its row, of the notes after `since_ms` (desk time); empty where nothing is in shadow."""
    lines = trading_lines(journal, since_ms, FAR_MS, {"shadow"})
    return costs_by_sleeve(event for line in lines if (event := line.event()) is not None)


def costs_by_sleeve(events: Iterable[Event]) -> dict[str, ShadowCosts]:
    """Sleeve -> its row, of `shadow` events in their order."""
    notes: dict[str, list[ShadowBody]] = {}
    terms: Mapping[str, Any] = {}
    for event in events:
        if event.body["what"] == "account":
            terms = event.body["terms"]
        else:
            notes.setdefault(event.body["sleeve"], []).append(ShadowBody(**event.body))  # type: ignore[typeddict-item]
    return {sleeve: row_of(found, terms.get(found[-1]["instrument"], {})) for sleeve, found in notes.items()}


def row_of(notes: list[ShadowBody], terms: Mapping[str, Any]) -> ShadowCosts:
    """The row of one sleeve's notes."""
    compared = [note for note in notes if "book_bps" in note]
    books = [note["book_bps"] for note in compared]
    return ShadowCosts(
        orders=len(notes),
        refused=sum(bool(note["refused"]) for note in notes),
        at_market=sum(note["assumed_bps"] is not None for note in notes),
        compared=len(compared),
        thin=sum(note["thin"] for note in compared),
        crossing=sum(note.get("crosses", False) for note in notes),
        spread_bps=mean([note["spread_bps"] for note in compared]),
        assumed_bps=mean([note["assumed_bps"] or 0.0 for note in compared]),
        book_bps=mean(books),
        book_p95_bps=sorted(books)[max(0, -(-95 * len(books) // 100) - 1)] if books else None,
        behind_ms=mean([note["behind_ms"] for note in compared]),
        maker_frac=terms.get("maker_frac"),
        taker_frac=terms.get("taker_frac"),
    )


def together(rows: Sequence[ShadowCosts]) -> ShadowCosts | None:
    """The rows of a basket's legs as one: counts sum, means weigh by what was compared, fees are the dearest; None of no row."""
    if len(rows) < 2:
        return rows[0] if rows else None
    counts = {name: sum(getattr(row, name) for row in rows) for name in COUNTS}

    def weighed(name: str) -> float | None:
        found = [(getattr(row, name), row.compared) for row in rows if row.compared]
        return sum(value * times for value, times in found) / counts["compared"] if found else None

    def dearest(name: str) -> float | None:
        found = [getattr(row, name) for row in rows]
        return None if None in found else max(found)

    means: dict[str, Any] = {name: weighed(name) for name in ("spread_bps", "assumed_bps", "book_bps", "behind_ms")}
    worst = [row.book_p95_bps for row in rows if row.book_p95_bps is not None]
    return ShadowCosts(
        **counts,
        **means,
        book_p95_bps=max(worst, default=None),
        maker_frac=dearest("maker_frac"),
        taker_frac=dearest("taker_frac"),
    )


def mean(values: list[float] | list[int]) -> float | None:
    """None of nothing."""
    return sum(values) / len(values) if values else None


def shadow_text(note: Mapping[str, Any]) -> str:
    """Why an order did not leave, and what the book said of it, in one line."""
    parts = [note["why"]] + ([f"the venue would have refused it: {note['refused']}"] if note["refused"] else [])
    if (level := note["attached_level"]) is not None:
        parts.append(f"a stop at {price_text(level)} would have left with it")
    if "bid" not in note:
        return "; ".join([*parts, f"no book: {note['unread']}"])
    seen = f"the book {note['behind_ms'] / 1000:.1f} s after the close: {price_text(note['bid'])} to {price_text(note['ask'])}"
    if "book_bps" in note:
        more = "more than " if note["thin"] else ""
        seen += f", it would have paid {more}{price_text(note['price'])} ({note['book_bps']:.2f} bps; the fill model counts "
        seen += f"{note['assumed_bps']:.2f})"
    elif note["crosses"]:
        seen += ", the limit would have taken at once"
    return "; ".join([*parts, seen])
