"""P&L attribution of a window: two marks of the desk and the flows between them -> parts that sum to the cent.

Called by tools/desk.py and engine.watch.handover (`pnl_of_window`: two marks of the desk journal and the flows between). For each
sleeve the change of its equity is price P&L before costs, minus fees, minus slippage, plus funding. Price P&L is computed
from reference prices (without slippage), so the four parts sum to the change by arithmetic, none of them being a remainder;
what is still left over is shown as `unexplained` and is a defect to look into. What was made in incident windows, and what an
adoption moved, is in parts of its own (pnl_segments.py): the other parts are the strategies'.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.store.chain import Event
from engine.watch.flows import Flow, between_marks
from engine.watch.incidents import incident_of
from engine.watch.pnl_segments import segments
from engine.watch.window import first_mark, journal_of, mark_at

PARTS = ("price", "slippage", "fees", "funding", "incident", "manual", "unexplained")


class Holding(NamedTuple):
    """A sleeve at an instant: marked equity (quote), signed base units, and the mark price (quote)."""

    equity: float
    units: float
    mark: float


class Share(NamedTuple):
    """One sleeve's part of the change, in whole cents; the parts sum to `change`."""

    sleeve: str
    price: int
    slippage: int
    fees: int
    funding: int
    incident: int  # all of what it made in incident windows; the four above are outside of them
    manual: int  # what people's adoptions moved, outside of windows
    unexplained: int
    change: int


class Attribution(NamedTuple):
    """All sleeves and the desk, in cents; sleeves sum to the desk, column by column."""

    shares: tuple[Share, ...]
    desk: Share


class WindowPnl(NamedTuple):
    """The P&L of a window: its first and last mark, and the attribution of the change between them."""

    start: Event
    end: Event
    attribution: Attribution
    fills: int
    incident: int = 0  # of the desk's change, in cents: what was made in incident windows


def pnl_of_window(home: Path, after_ms: int, up_to_ms: int) -> WindowPnl | None:
    """Attribution of the desk's change of equity in (after_ms, up_to_ms] of desk time; None when no bar was decided in it.

    Fills and funding are summed from their own journal events and reconciled with the equity of both marks.
    """
    path = journal_of(home)
    start, end = mark_at(path, after_ms) or first_mark(path), mark_at(path, up_to_ms)
    if start is None or end is None or end.seq <= start.seq:
        return None
    amounts, changes, fills = _amounts_between(home, start, end)
    made = _in_cents(amounts, changes)
    incident = round((incident_of(end.body) - incident_of(start.body)) * 100)
    return WindowPnl(start, end, made, fills, incident)


def parts_between(home: Path, start: Event, end: Event) -> dict[str, float]:
    """The desk's PARTS between two marks, in quote units."""
    amounts, _, _ = _amounts_between(home, start, end)
    return {part: sum(parts[part] for parts in amounts.values()) for part in PARTS}


def _amounts_between(home: Path, start: Event, end: Event) -> tuple[dict[str, dict[str, float]], dict[str, float], int]:
    """(parts by sleeve, change by sleeve, fills) between two marks, segment by segment."""
    whole: dict[str, dict[str, float]] = {name: dict.fromkeys(PARTS, 0.0) for name in end.body["sleeves"]}
    totals, fills = dict.fromkeys(whole, 0.0), 0
    for segment in segments(journal_of(home), start, end):
        flows = list(between_marks(home, segment.start, segment.end))
        amounts, changes = _amounts(holdings(segment.start.body), holdings(segment.end.body), flows)
        fills += sum(flow.fills for flow in flows)
        for name, parts in amounts.items():
            totals[name] += changes[name]
            for part, amount in _whose(parts, segment.whose.get(name)).items():
                whole[name][part] += amount
    return whole, totals, fills


def holdings(mark: Mapping[str, Any]) -> dict[str, Holding]:
    """Each sleeve of a mark event."""
    found = {}
    for name, sleeve in mark["sleeves"].items():
        position = sleeve.get("position")
        if position is None:
            found[name] = Holding(sleeve["equity"], 0.0, 0.0)
        else:
            units = position["quantity"] * (1 if position["side"] == "long" else -1)
            found[name] = Holding(sleeve["equity"], units, position["notional"] / position["quantity"])
    return found


def _whose(parts: dict[str, float], apart: str | None) -> dict[str, float]:
    """Parts of a strategy; or all that is explained as one part, an incident's or a person's."""
    if apart is None:
        return parts
    return {apart: sum(parts.values()) - parts["unexplained"], "unexplained": parts["unexplained"]}


def attribute(start: Mapping[str, Holding], end: Mapping[str, Holding], flows: Iterable[Flow]) -> Attribution:
    """Split the change of equity between two instants. Both mappings name the same sleeves; a sleeve that began within
    the window starts as Holding(its first equity, 0, 0). KeyError for a flow of a sleeve that is in neither."""
    return _in_cents(*_amounts(start, end, flows))


def _amounts(
    start: Mapping[str, Holding], end: Mapping[str, Holding], flows: Iterable[Flow]
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """The parts and the change of each sleeve, in quote units."""
    amounts = {sleeve: _price_of(start[sleeve], end[sleeve]) for sleeve in end}
    for flow in flows:
        parts = amounts[flow.sleeve]
        parts["price"] -= flow.traded
        parts["slippage"] -= flow.slippage
        parts["fees"] -= flow.fee
        parts["funding"] += flow.cash
    changes = {sleeve: end[sleeve].equity - start[sleeve].equity for sleeve in end}
    for sleeve, parts in amounts.items():
        parts["unexplained"] = changes[sleeve] - sum(parts.values())
    return amounts, changes


def _price_of(start: Holding, end: Holding) -> dict[str, float]:
    """The parts before any flow: the price change of the position."""
    return dict.fromkeys(PARTS, 0.0) | {"price": end.units * end.mark - start.units * start.mark}


def _in_cents(amounts: Mapping[str, Mapping[str, float]], changes: Mapping[str, float]) -> Attribution:
    """Round so that sums stay sums: the desk's change first, then the sleeves' to it, then each sleeve's parts."""
    total_cents = round(sum(changes.values()) * 100)
    totals = apportion([change * 100 for change in changes.values()], total_cents)
    shares = []
    for (sleeve, parts), total in zip(amounts.items(), totals, strict=True):
        cents = apportion([parts[name] * 100 for name in PARTS], total)
        shares.append(Share._make((sleeve, *cents, total)))
    columns = [sum(int(share[n]) for share in shares) for n in range(1, len(PARTS) + 1)]
    return Attribution(tuple(shares), Share._make(("desk", *columns, total_cents)))


def apportion(values: Sequence[float], total: int) -> list[int]:
    """Whole numbers near `values` that sum to `total`: the values nearest to the next whole number give way first."""
    rounded = [round(value) for value in values]
    left = total - sum(rounded)
    step = 1 if left > 0 else -1
    # the smallest error first; a part that rounds to zero stays zero while others can move
    order = sorted(range(len(values)), key=lambda n: (abs(values[n]) < 0.5, abs(rounded[n] + step - values[n])))
    for n in range(abs(left)):
        rounded[order[n % len(order)]] += step
    return rounded
