"""The accounting identity of a desk: cash + strategies + incidents + by hand + fees + funding = its equity, to the cent.

Called by `nightdesk status`, and by engine.watch.observer, which pages where it does not hold. The left side is summed from the
journal's own events (fills, settlements, windows, adoptions, orphans: attribution.py); the right side is the equity that the fold
journals in its marks. Neither is worked out from the other, so a fill that was booked twice, or never, shows as a gap. A second
sum is the incidents' money as the fold has it. The desk's equity counts from nothing: what it began with is cash in. No deposit
reaches a sleeve: its cash is fixed for the life of a home, so cash is what all sleeves began with. Cash in and out is what the
account has beside the sleeves: read from the bills of a traded account (engine/live/transfers.py), else declared by people
(app/people/cash.py). account = equity + deposits - withdrawals + what a bill of an unknown type has moved. A third sum is that of
the fold's transfers against the events'.

Sums of whole days are kept in `cache/identity.json` by the supervisor: derived, rebuilt when the journal is another one.
Rounding: the terms to cents by attribution.apportion, so that they sum to the rounded equity, where the gap is under half a cent.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.transfers import IN, OUT, UNEXPLAINED
from engine.book.transfers import TERMS as MOVES
from engine.clock import DAY_MS
from engine.store.chain import Event
from engine.watch.attribution import PARTS, apportion, parts_between
from engine.watch.cash_moves import sums_of, transfer_events
from engine.watch.incidents import IncidentWindow, incident_of, windows_of
from engine.watch.observation import DeskObservation, Finding, blind_finding
from engine.watch.window import FAR_MS, between, first_mark, journal_of, mark_at

FILE = "cache/identity.json"
SCHEMA = 2
MOVED = {term: f"moved {term}" for term in MOVES}  # in the sums that are kept
CENT = 0.005  # what rounds to a cent
TERMS = ("cash", "strategy", "incident", "manual", "fees", "funding")
ACTION = "nightdesk journal verify, then nightdesk tool attribution: the day with an unexplained part is where to look"


class Identity(NamedTuple):
    """Quote units, to the cent; `gap`: what the equity is more than the sum of the terms, `apart`: what the fold's incidents are
    more than those summed here, `moved_apart`: the same of its transfers. All are 0 where it holds.
    """

    until_ms: int
    event: str  # the mark that the equity is of
    cash: float
    strategy: float  # price P&L less slippage, outside of windows
    incident: float  # everything that was made in windows, and by orphans
    manual: float  # what adoptions moved outside of windows
    fees: float
    funding: float
    equity: float  # with what orphans have made
    gap: float
    apart: float
    deposits: float = 0.0  # by the venue's bills, or declared by people; in no sleeve
    withdrawals: float = 0.0
    account: float = 0.0  # the equity with both, and with what is unexplained
    unexplained_cash: float = 0.0  # moved by bills of a type that nobody knows
    moved_apart: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether both sides are equal to the cent."""
        return self.off == 0.0

    @property
    def off(self) -> float:
        """By how much it does not hold."""
        return self.gap or self.apart or self.moved_apart


def identity(home: Path) -> Identity | None:
    """Of the desk as its last mark has it; None before the first bar."""
    path = journal_of(home)
    last = mark_at(path)
    return None if last is None else _identity(home, path, last)


def _identity(home: Path, path: Path, last: Event) -> Identity:
    sums = _sums_until(home, path, last)
    orphans = float(last.body.get("orphan_pnl") or 0.0)
    terms = {"cash": _begun_with(path), "strategy": sums["price"] + sums["slippage"], "incident": sums["incident"] + orphans}
    terms |= {name: sums[name] for name in ("manual", "fees", "funding")}
    equity = sum(float(sleeve["equity"]) for sleeve in last.body["sleeves"].values()) + orphans
    gap, apart = equity - sum(terms.values()), incident_of(last.body) + _incident_since(path, last) - sums["incident"]
    cents = [100 * terms[name] for name in TERMS]
    whole = apportion(cents, round(100 * equity)) if abs(gap) < CENT else [round(value) for value in cents]
    money = [value / 100 for value in whole]
    moved = {term: sums[MOVED[term]] for term in MOVES}
    moved_apart = sum(float(value) for value in last.body.get("transfers", {}).values()) - sum(moved.values())
    gap, apart, moved_apart = (0.0 if abs(value) < CENT else round(value, 2) for value in (gap, apart, moved_apart))
    put, taken = (round(declared + read, 2) for declared, read in zip(declared_cash(home), (moved[IN], moved[OUT]), strict=True))
    unexplained = round(moved[UNEXPLAINED], 2)
    account = round(round(equity, 2) + put + taken + unexplained, 2)
    terms_of_account = (put, 0.0 - taken, account, unexplained, moved_apart)
    return Identity._make((last.t_event_ms, last.id, *money, round(equity, 2), gap, apart, *terms_of_account))


def _incident_since(path: Path, mark: Event) -> float:
    """What a mark's incidents lack: between closes, and at one without bars, the core journals what sleeves were worth before,
    and its windows count by that; 0.0 at every other close."""
    raw = next(one for one in between(path, mark.t_event_ms - 1, mark.t_event_ms, {"mark"}) if one.seq == mark.seq)
    inside = {name for window in windows_of(path) if is_open(window, mark) for name in window.sleeves}
    now, then = mark.body["sleeves"], raw.body["sleeves"]
    return sum(float(now[name]["equity"]) - float(then[name]["equity"]) for name in inside if name in now)


def is_open(window: IncidentWindow, mark: Event) -> bool:
    """Whether a window is open at a mark."""
    return window.opened_seq < mark.seq and (window.closed_seq is None or window.closed_seq > mark.seq)


def cash_events(home: Path) -> list[Event]:
    """Cash in and out as people declared it, oldest first: {amount, reason, actor}."""
    return list(between(home / "journal" / "people.jsonl", -1, FAR_MS, {"cash"}))


def declared_cash(home: Path) -> tuple[float, float]:
    """(sum of deposits, sum of withdrawals as a negative number), quote units, to the cent."""
    amounts = [round(100 * float(event.body["amount"])) for event in cash_events(home)]
    return sum(a for a in amounts if a > 0) / 100, sum(a for a in amounts if a < 0) / 100


def _begun_with(path: Path) -> float:
    """What all sleeves began with."""
    first = next(between(path, -1, FAR_MS, {"config"}), None)
    return sum(float(sleeve["cash"]) for sleeve in (first.body["sleeves"] if first is not None else ()))


def _sums_until(home: Path, path: Path, last: Event) -> dict[str, float]:
    """The parts since the desk began: those that are kept, and what came since."""
    until, sums = _stored(home, path)
    start = until or first_mark(path)
    if start is None or start.seq >= last.seq:
        return sums
    moved = sums_of(transfer_events(home, start, last))
    more = parts_between(home, start, last) | {MOVED[term]: moved[term] for term in MOVES}
    return {name: sums[name] + more[name] for name in sums}


def refresh(home: Path) -> None:
    """Keep the sums up to the last whole day. A disk that cannot be written makes answers slower, not wrong."""
    path = journal_of(home)
    last = mark_at(path)
    mark = None if last is None else mark_at(path, (last.t_event_ms - 1) // DAY_MS * DAY_MS)
    kept, _ = _stored(home, path)
    if mark is None or (kept is not None and kept.seq >= mark.seq):
        return
    body = {"schema": SCHEMA, "until_ms": mark.t_event_ms, "mark": mark.hash, "sums": _sums_until(home, path, mark)}
    draft = (home / FILE).with_name(f"identity.json.{mark.seq:x}.draft")
    with suppress(OSError):
        draft.parent.mkdir(exist_ok=True)
        draft.write_text(json.dumps(body, allow_nan=False), encoding="utf-8")
        draft.replace(home / FILE)


def _stored(home: Path, path: Path) -> tuple[Event | None, dict[str, float]]:
    """The mark that sums are kept up to, and they; None and zeros where the file is missing or of another journal."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        found = json.loads((home / FILE).read_text(encoding="utf-8"))
        mark = mark_at(path, int(found["until_ms"]))
        if found["schema"] == SCHEMA and mark is not None and mark.hash == found["mark"]:
            return mark, {name: float(found["sums"][name]) for name in (*PARTS, *MOVED.values())}
    return None, dict.fromkeys((*PARTS, *MOVED.values()), 0.0)


def identity_json(found: Identity | None) -> dict[str, Any] | None:
    """Its terms and whether it holds."""
    return None if found is None else {**found._asdict(), "holds": found.holds}


def identity_lines(found: Mapping[str, Any] | None) -> list[str]:
    """What the account has beside the sleeves, where anything was moved; a line where the desk's money does not add up."""
    if found is None:
        return []
    moved = [f"{found[name]:,.2f} {name}" for name in ("deposits", "withdrawals") if found[name]]
    moved += [f"{found['unexplained_cash']:+,.2f} unexplained"] if found["unexplained_cash"] else []
    lines = [f"The account has {found['account']:,.2f}: the equity with {', '.join(moved)}"] if moved else []
    if found["holds"]:
        return lines
    off = found["gap"] or found["apart"] or found["moved_apart"]
    return [f"THE MONEY DOES NOT ADD UP: {off:+,.2f} in no term; see docs/runbooks/identity.md", *lines]


def broken(desk: DeskObservation) -> Iterator[Finding]:
    """Money that no term has: a page, since every figure of the desk is in doubt."""
    found: Mapping[str, Any] | None = desk.identity
    if found and "failed" in found:
        yield blind_finding("the accounting identity", str(found["failed"]), desk.now_ms)
        return
    if not found or found["holds"]:
        return
    if found["gap"]:
        what = f"The desk's equity is {found['gap']:+,.2f} off the sum of its fills, fees, funding and incidents"
    elif found["moved_apart"]:
        what = f"Cash in and out is {found['moved_apart']:+,.2f} off the sum of the transfers in the journal"
    else:
        what = f"P&L in incident windows is {found['apart']:+,.2f} off what was made while they were open"
    numbers = {name: found[name] for name in (*TERMS, "equity", "gap", "apart", "moved_apart")}
    yield Finding("identity", "identity", "page", what, "desk", desk.now_ms, ACTION, numbers, str(found["event"]))
