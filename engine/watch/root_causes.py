"""What an incident follows from: signs of trouble in the desk journal, and the first cause behind the worst of them.

Called by tools.causes. A sign is one journal event that says that something is wrong; FOLLOWS says which kinds of signs can make
which others. From the worst sign of a window the chain is followed back, always to an earlier event of the same sleeve or
instrument: what no sign precedes is the first cause. Order in time alone is never enough: a kind that cannot make another is no
cause of it, and a chain may have one link.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.bodies import CASH, POSITION
from engine.clock import DAY_MS, HOUR_MS
from engine.core.orders import REJECTED, UNKNOWN
from engine.store.chain import Event
from engine.watch.incident_words import HEALTH, INCIDENTS
from engine.watch.window import FAR_MS, between, raw_lines

REJECTED_AS = {"protective": "stop_rejected", "exit": "exit_rejected"}  # slot of a rejected order -> kind
UNKNOWN_RULE = "an input cannot be computed"
KINDS = (
    *("config", "health", "order", "incident", "reconcile", "orphan", "leave", "halt", "breaker", "fill", "funding"),
    *("decision", "bar"),
)
# how long after it began a detector says so (engine.live.health): it may name the cause of a sign that was journaled sooner
DELAY_MS: Mapping[str, int] = {"fills": 60_000, "away": 60_000, "stop_unseen": 15_000, "clock": 60_000, "unexplained": 5_000}
TWICE_MS = HOUR_MS  # one amount of funding, twice within this: venues settle each hour at the most
SIGNS_MAX = 20_000


class Sign(NamedTuple):
    """One event that says that something is wrong. `subject`: a sleeve or an instrument; "": the whole desk."""

    kind: str
    subject: str
    what: str
    event: str
    t_ms: int  # desk time; of an incident wall time
    seq: int
    wall_ms: int = 0  # when it was journaled
    from_ms: int = 0  # of a breaker: losses before this had no part in it


class CausePage(NamedTuple):
    """What is known of a kind of sign: its name for people, its runbook, what to look at next."""

    title: str
    runbook: str
    check: str
    severity: int  # the chain begins at the highest


PAGES: Mapping[str, CausePage] = {
    "halt_left": CausePage("the halt has not ended flat", "halted", "positions and orders at the venue's own page, by hand", 9),
    "halted": CausePage("the desk is halted", "halted", "what is still open: nightdesk status", 8),
    "liquidation": CausePage(
        "the venue closed a position: its margin was gone", "liquidation", "why its stop did not go first", 8
    ),
    "naked": CausePage(
        "a layer has no protective order at the venue", "protective-missing", "is its stop listed at the venue now?", 7
    ),
    "stop_unseen": CausePage(
        "the venue acknowledged a stop and does not show it",
        "protective-missing",
        "is the stop listed at the venue's own page?",
        7,
    ),
    "drawdown": CausePage(
        "the desk's drawdown breaker tripped", "drawdown", "which round trips made the fall: the trips of today", 7
    ),
    "position": CausePage(
        "venue and desk hold different positions", "reconcile-difference", "nightdesk reconcile, beside the venue's own page", 6
    ),
    "cash": CausePage("the venue's cash moved beside the desk's", "reconcile-difference", "the venue's transfers and bills", 6),
    "foreign_trade": CausePage(
        "an execution that is not of this desk", "unknown-order", "who else trades with the keys of this account", 6
    ),
    "foreign_order": CausePage(
        "an order that is not of this desk", "unknown-order", "who else trades with the keys of this account", 6
    ),
    "forced": CausePage(
        "the venue itself has closed lots of a position: liquidation, ADL or settlement",
        "liquidation",
        "the venue's notices, and its list of liquidations and ADL",
        7,
    ),
    "orphan": CausePage(
        "an execution under the desk's name that its journal does not know",
        "orphan",
        "whether a second desk or an old copy runs",
        6,
    ),
    "dust": CausePage("lots below the venue's least order", "protective-missing", "close them at the venue's own page", 6),
    "fills": CausePage(
        "an order is filled by the venue's word and its executions are not listed",
        "unknown-order",
        "the order at the venue's own page",
        6,
    ),
    "rejected": CausePage("the venue rejects orders", "orders-rejected", "the venue's words, against its order rules", 5),
    "stop_rejected": CausePage(
        "the venue rejects protective orders", "protective-missing", "the venue's words, against its rules for stops", 6
    ),
    "turned_away": CausePage(
        "the venue turns away every request", "orders-rejected", "the key's rights: nightdesk account check NAME", 7
    ),
    "exit_rejected": CausePage("the venue rejects exits", "orders-rejected", "the venue's words; close at its own page", 6),
    "stop_lost": CausePage(
        "a protective order has no answer, or is not there",
        "protective-missing",
        "is the stop listed at the venue's own page?",
        4,
    ),
    "funding_twice": CausePage("one funding payment was booked twice", "reconcile-difference", "the venue's list of bills", 5),
    "left": CausePage(
        "the desk left a position by itself", "protective-missing", "the exit's fill: nightdesk journal explain", 5
    ),
    "breaker": CausePage("a breaker tripped", "breaker-tripped", "the losses before it: the trips of today", 5),
    "away": CausePage(
        "the venue does not say what was executed", "gate-closed", "the venue's status page, then the network here", 4
    ),
    "stream": CausePage("the account's stream cannot be trusted", "gate-closed", "whether executions are listed by REST", 4),
    "settings": CausePage(
        "margin mode or leverage was changed at the venue", "gate-closed", "who changed it: the instrument's settings there", 4
    ),
    "other_fee": CausePage(
        "a fee in an asset that is not the cash", "reconcile-difference", "switch fees in it off at the venue", 4
    ),
    "gate": CausePage("the gate stays closed", "gate-closed", "which row, and what it waits for: nightdesk live gate", 4),
    "untraded": CausePage("the venue does not trade an instrument", "delisted", "its page and announcements at the venue", 4),
    "compare": CausePage("venue and book cannot be compared", "reconcile-difference", "does the venue answer at all?", 4),
    "unexplained": CausePage("executions that no order explains yet", "unknown-order", "the orders in doubt", 4),
    "features": CausePage(
        "an input of a strategy cannot be computed", "features-missing", "the last bars' values of the features of that sleeve", 4
    ),
    "silent": CausePage("an instrument has no price", "bars-stale", "the feed, and the instrument's status at the venue", 4),
    "clock": CausePage("the venue's clock and ours differ", "gate-closed", "this machine's time: timedatectl", 4),
    "duty": CausePage("a duty of the worker failed", "worker-down", "logs/worker.jsonl at that moment", 4),
    "torn": CausePage("the process ended in the middle of a record", "worker-down", "logs/worker.jsonl before the end", 4),
    "doubt": CausePage(
        "an order has no answer from the venue", "unknown-order", "that order's life: it is asked about, never sent twice", 3
    ),
    "other": CausePage("the worker reports trouble", "incident", "the event: nightdesk journal explain", 3),
    "loss": CausePage("a round trip was closed at a loss", "drawdown", "what decided its entry: nightdesk journal explain", 2),
    "change": CausePage("a configuration came into force", "canary-rolled-back", "what it changed, and its proposal", 1),
}

# sign -> kinds that can make it, the most telling first; each is looked for before it, on the same sleeve or instrument
FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "halt_left": ("exit_rejected", "away", "position", "fills", "doubt", "compare", "halted"),
    "halted": ("liquidation", "drawdown", "position", "naked"),
    "liquidation": ("naked", "stop_unseen", "stop_rejected", "change"),
    "drawdown": ("liquidation", "position", "naked", "stop_unseen", "breaker", "loss", "change"),
    "breaker": ("loss", "change"),
    "loss": ("left", "naked", "stop_unseen", "change"),
    "left": ("naked", "stop_rejected", "fills"),
    "naked": ("stop_rejected", "stop_lost", "stop_unseen", "turned_away", "fills", "away", "doubt"),
    "stop_unseen": ("away", "doubt"),
    "stop_rejected": ("change",),
    "rejected": ("clock", "change"),
    "exit_rejected": ("clock",),
    "stop_lost": ("away",),
    "position": ("untraded", "forced", "foreign_trade", "liquidation", "orphan", "fills", "doubt", "away"),
    "cash": ("funding_twice", "forced", "foreign_trade"),
    "fills": ("away",),
    "unexplained": ("away", "doubt"),
    "compare": ("away",),
    "orphan": ("torn", "duty"),
    "doubt": ("away", "torn"),
    "features": ("silent", "change"),
    "silent": ("untraded",),
    "away": ("untraded",),
    "duty": ("away",),
}


class CauseChain(NamedTuple):
    """From the first cause to the worst sign, in the order of the journal; and first causes that no chain explains."""

    links: Sequence[Sign]
    others: Sequence[Sign]

    @property
    def first(self) -> Sign:
        """The first cause."""
        return self.links[0]


def signs_of(path: Path, after_ms: int, up_to_ms: int = FAR_MS) -> list[Sign]:
    """Signs in a window of desk time, oldest first, at most SIGNS_MAX; a run of the same kind and subject counts by its first."""
    places, found = places_of(path), dict[tuple[str, str], Sign]()
    paid, losing = dict[tuple[str, float], int](), dict[str, int]()
    began = _first_seq(path)
    for line in raw_lines(path, after_ms, FAR_MS, KINDS, _worth):
        if line.kind != "incident" and line.t_event_ms > up_to_ms:
            break
        event = line.event()
        if event is None or event.seq <= began or len(found) >= SIGNS_MAX:
            continue
        _count(event, losing)
        for kind, subject, what in _read(event, paid):
            times = (event.t_event_ms, event.seq, event.t_recv_ms, _counted_from(event, losing) if kind == "breaker" else 0)
            sign = Sign(kind, places.get(subject, subject), what[:300], event.id, *times)
            found.setdefault((kind, sign.subject) if kind not in ("change", "loss") else (kind, event.id), sign)
    return sorted(found.values(), key=lambda sign: sign.seq)


def chain_of(signs: Sequence[Sign]) -> CauseChain | None:
    """The chain behind the worst sign; None where nothing is wrong: a configuration alone is no trouble."""
    worst = max((s for s in signs if PAGES[s.kind].severity > 1), key=lambda s: (PAGES[s.kind].severity, s.seq), default=None)
    if worst is None:
        return None
    links = [next(s for s in signs if s.kind == worst.kind and _near(s, worst))]  # one trouble may be journaled in two ways
    while (before := _cause(links[0], signs, links)) is not None:
        links.insert(0, before)
    explained = {sign.kind for sign in links}
    others = [s for s in signs if s.kind not in explained and PAGES[s.kind].severity > 2 and _cause(s, signs, [s]) is None]
    return CauseChain(links, others)


def _count(event: Event, losing: dict[str, int]) -> None:
    """Keep since when a sleeve has only lost: its first loss since it last won."""
    sleeve, pnl = str(event.body.get("sleeve")), event.body.get("round_trip_pnl") if event.kind == "fill" else None
    if isinstance(pnl, int | float):
        losing |= {sleeve: losing.get(sleeve, event.t_event_ms)} if pnl < 0.0 else {}
        if pnl >= 0.0:
            losing.pop(sleeve, None)


def _counted_from(event: Event, losing: Mapping[str, int]) -> int:
    """The first moment whose losses a breaker counted: of a streak, of the day; of entries that came too often none did."""
    name, t_ms = str(event.body.get("breaker")), event.t_event_ms
    if name == "loss streak":
        return losing.get(str(event.body.get("sleeve")), t_ms)
    return t_ms // DAY_MS * DAY_MS if name == "daily loss" else t_ms + 1


def places_of(path: Path) -> dict[str, str]:
    """Sleeve -> instrument: what happens to an instrument can be the cause of what happens to its sleeves."""
    first = next(between(path, -1, FAR_MS, {"config"}), None)
    return {} if first is None else {str(s["name"]): str(s["instrument"]) for s in first.body.get("sleeves", ())}


def _first_seq(path: Path) -> int:
    first = next(between(path, -1, FAR_MS, {"config"}), None)
    return 0 if first is None else first.seq


def _cause(sign: Sign, signs: Sequence[Sign], seen: Sequence[Sign]) -> Sign | None:
    """The earliest sign before it of the first kind that can make it."""
    for kind in FOLLOWS.get(sign.kind, ()):
        near = [s for s in signs if s.kind == kind and s not in seen and _before(s, sign) and _near(s, sign)]
        near = [s for s in near if kind != "loss" or s.t_ms >= sign.from_ms]
        if near:
            return near[-1] if kind == "change" else near[0]
    return None


def _near(one: Sign, other: Sign) -> bool:
    """Whether both are of one place; what is of the whole desk is of every place."""
    return "" in (one.subject, other.subject) or one.subject == other.subject


def _before(one: Sign, other: Sign) -> bool:
    """Whether one began before the other: in the journal, or by how late its detector is."""
    late = DELAY_MS.get(one.kind, 0) - DELAY_MS.get(other.kind, 0)
    return one.seq < other.seq or (late > 0 and one.wall_ms - late <= other.wall_ms)


def _worth(kind: bytes, line: bytes) -> bool:
    """Whether a line can hold a sign: most decisions and orders cannot."""
    if kind == b"decision":
        return UNKNOWN_RULE.encode() in line
    if kind == b"order":
        return f'"{REJECTED}"'.encode() in line or f'"{UNKNOWN}"'.encode() in line
    if kind == b"bar":
        return b"[null,null,null,null" in line
    return True


def _read(event: Event, paid: dict[tuple[str, float], int]) -> Iterator[tuple[str, str, str]]:
    """(kind, subject, what) of each sign in an event. `paid`: when each sleeve paid an amount of funding, kept between events."""
    body, sleeve = event.body, str(event.body.get("sleeve") or "")
    if event.kind == "order":
        yield from _order(body, sleeve)
    elif event.kind == "health" and body["state"] == "begun":
        name = str(body["what"])
        for start, kind in HEALTH:
            if name.startswith(start):
                yield kind, name.removeprefix(start) if start.endswith(" ") else "", f"{name}: {body['why']}"
                break
    elif event.kind == "incident":
        yield _incident(body)
    elif event.kind == "reconcile":
        for name, what in body["differs"].items():
            kind = "cash" if name == CASH else "position" if name.startswith(POSITION) else "foreign_order"
            yield kind, "" if name == CASH else name.removeprefix(POSITION).split(" ")[0], str(what)
    elif event.kind == "bar":
        for name, values in body["bars"].items():
            if all(value is None for value in values[:4]):
                yield "silent", str(name), f"no price of {name}"
    elif event.kind == "decision" and body.get("refused_by") == UNKNOWN_RULE:
        yield "features", sleeve, f"entry refused: {UNKNOWN_RULE}"
    else:
        yield from _money(event, sleeve, paid)


def _order(body: Mapping[str, Any], sleeve: str) -> Iterator[tuple[str, str, str]]:
    """Of an order: rejected, or without an answer."""
    slot = str(body.get("slot"))
    if body["state"] == REJECTED:
        yield (
            REJECTED_AS.get(slot, "rejected"),
            sleeve,
            f"{slot} order {body['order']} rejected: {body.get('why') or 'no reason given'}",
        )
    elif body["state"] == UNKNOWN:
        yield (
            "stop_lost" if slot == "protective" else "doubt",
            sleeve,
            f"{slot} order {body['order']}: {body.get('why') or 'no answer'}",
        )


def incident_kind(body: Mapping[str, Any]) -> str:
    """The kind of sign that the body of an `incident` event is: a key of PAGES."""
    return _incident(body)[0]


def _incident(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Of an incident: by its state or difference where it has one, else by the words that code wrote."""
    what, subject = str(body.get("what", "")), str(body.get("sleeve") or "")
    if body.get("state") == "KILL_INCOMPLETE":
        return "halt_left", "", what
    if str(body.get("difference", "")).startswith((POSITION, CASH)) or what.startswith("halt: "):
        return ("halted", "", what) if what.startswith("halt: ") else (_difference(body), "", what)
    kind = next((kind for words, kind in INCIDENTS if words in what), "other")
    return kind, subject, what


def _difference(body: Mapping[str, Any]) -> str:
    return "cash" if body["difference"] == CASH else "position"


def _money(event: Event, sleeve: str, paid: dict[tuple[str, float], int]) -> Iterator[tuple[str, str, str]]:
    """Of halts, breakers, fills, funding, configurations, orphans and exits of the desk's own."""
    body = event.body
    if event.kind == "halt" and body.get("state") in (None, "halted", "flattening"):
        reason = str(body.get("reason") or "no reason given")
        yield "halted", "", f"halted by {body.get('by')}: {reason}"
        if "drawdown" in reason:
            yield "drawdown", "", reason
    elif event.kind == "breaker":
        name = str(body.get("breaker"))
        yield ("drawdown", "", name) if name == "desk drawdown" else ("breaker", sleeve, name)
    elif event.kind == "fill":
        pnl = body.get("round_trip_pnl")
        if body.get("reason") == "liquidation":
            yield "liquidation", sleeve, f"liquidated at {body.get('price')}"
        elif not sleeve:
            kind = "forced" if body.get("forced") else "foreign_trade"
            yield kind, str(body.get("instrument") or ""), f"execution {body.get('trade')} is not of this desk"
        elif isinstance(pnl, int | float) and pnl < 0.0:
            yield "loss", sleeve, f"round trip closed by {body.get('reason')}"
    elif event.kind == "funding":
        amount = (sleeve, float(body["cash_flow"]))
        before, paid[amount] = paid.get(amount), event.t_event_ms
        if before is not None and amount[1] and event.t_event_ms - before < TWICE_MS:
            yield "funding_twice", sleeve, f"the same payment {body['cash_flow']} twice"
    elif event.kind == "config" and "version" in body and body.get("state") in (None, "governs"):
        yield "change", sleeve, f"version {body['version']}"
    elif event.kind == "orphan" and body.get("what") == "found":
        yield "orphan", str(body.get("instrument") or ""), f"execution {body.get('trade')} of order {body.get('order')}"
    elif event.kind == "leave":
        yield "left", sleeve, str(body.get("why"))
