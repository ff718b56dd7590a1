"""Detectors of what is wrong between desk and venue: a layer without a working stop, a stop that the venue refuses to move,
executions that are missing, a difference that nobody explains, a position that the venue closed for want of margin.

Called by engine.watch.detectors with the others. Mark -> findings, each a page.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from shlex import quote

from engine.amounts import price_text
from engine.book.bodies import CASH, FEES, POSITION, REFUSALS, SETTINGS
from engine.book.windows import EXECUTIONS
from engine.core.orders import DONE
from engine.store.chain import Event
from engine.venues.outcome import readable
from engine.watch.halt_left import INCOMPLETE, KILLED
from engine.watch.health import nothing_there, unmoved_layers, unprotected_layers
from engine.watch.observation import (
    RELEASE,
    DeskObservation,
    Finding,
    Severity,
    instrument_of,
    is_gone,
    is_trading,
    open_positions,
    position_text,
)
from engine.watch.root_causes import PAGES, incident_kind

NAKED_MS = 5_000  # an account's own watch (engine.live.health) pages at the same time
ON_ITS_WAY = ("intended", "sent")
UNCONNECTED_MS = 60_000
REPORTED_MS = 120_000  # within which the worker says why executions are not read, or that it is why they were not before
PARTED = "data parted "  # how the feed's trouble of two venues begins in the mark
NOT_CONNECTED = "the account is not connected"  # how app/processes/account_start.py begins its reason
SHOWN = 3  # differences in one alert
# incidents (incident_words.INCIDENTS) that quiet hours do not hold back: a position or cash is not what the desk counts
PAGED = {"halt_left", "naked", "stop_unseen", "turned_away", "fills", "orphan", "foreign_trade", "forced", "position", "cash"} | {
    "clock",
    "compare",
    "settings",
}
ENDED = "The halt has ended: KILLED, neither a position nor an order of the desk is left at the venue"
# kinds of incidents of which a mark says that they last -> how it names them
NAMED_WHILE = {"rejected": REFUSALS, "clock": "clock", "settings": SETTINGS, "other_fee": FEES}
UNREAD = ("does not say what was executed", "and the venue does not answer for it")  # incidents of executions that are not read
UNSEEN = ("away", "turned_away")  # incidents that page for an open position
HALT_CLOSES = "nightdesk halt closes what is really there"


def protective(desk: DeskObservation) -> Iterator[Finding]:
    """An open layer without its protective order."""
    if not is_trading(desk) or desk.mark is None:
        return
    for sleeve in dict.fromkeys(name for name, _ in unprotected_layers(desk.mark)):
        if nothing_there(desk.mark, {sleeve: instrument_of(desk, sleeve)}):
            continue  # closed there by somebody: the difference is paged, and a stop by hand would protect nothing
        layers = [layer for name, layer in unprotected_layers(desk.mark) if name == sleeve]
        states = ", ".join(sorted({str(layer["protective_state"]) for layer in layers}))
        left = all(_is_gone_by_word(layer) for layer in layers)
        if (left or states in ON_ITS_WAY) and desk.now_ms - desk.mark.t_recv_ms < NAKED_MS:
            continue  # a fill is marked before the venue can have answered about its stop, an exit's end before its execution
        lots = sum(layer["lots"] for layer in layers)
        bare = f"{position_text(desk, sleeve)} WITHOUT a working protective order ({states})"
        what = f"{bare}: {_layers(layers)}, {lots} lots"
        by_hand = f"place a reduce-only stop at {price_text(layers[0]['protective'])} by hand"
        action = f"{by_hand}, or halt: nightdesk halt --reason 'no protective order'"
        numbers = {"layers": len(layers), "lots": lots, "entry": layers[0]["entry"], "protective": layers[0]["protective"]}
        severity: Severity = "page"
        if left:
            what = f"{bare}: its exit is filled by the venue's word, and the execution is not listed; {lots} lots in the book"
            action = f"look at the position at the venue's own page first: it may be flat already; {HALT_CLOSES}"
        if all(layer.get("dust") for layer in layers):  # the desk has said so by a page, once: nothing here can change it
            severity, what = "warn", f"DUST: {what}; the venue takes no order below {layers[0]['dust']} lots"
            action = "close it at the venue's own page, and adopt the difference: nightdesk reconcile"
        yield Finding(
            f"protective:{sleeve}", "protective", severity, what, sleeve, desk.mark.t_recv_ms, action, numbers, desk.mark.id
        )


def _is_gone_by_word(layer: Mapping[str, object]) -> bool:
    """Whether a layer's exit has ended, and the layer is still there: its executions are missing."""
    return layer.get("due") is not None and layer.get("exit_state") == DONE


def unlisted(desk: DeskObservation) -> Iterator[Finding]:
    """An order that has filled by the venue's word, and whose executions the venue does not list: nothing enters meanwhile, and
    the position of the book is not the venue's. One alert for all of them, for as long as it lasts.
    """
    if not is_trading(desk) or desk.mark is None:
        return
    reasons = [why for what, why in desk.mark.body.get("blocked", {}).items() if what.startswith(EXECUTIONS)]
    if not reasons:
        return
    held = ", ".join(open_positions(desk)) or "flat"
    what = f"Executions are missing: {'; '.join(reasons)[:300]}. In the book: {held}; the venue may hold another position"
    action = f"nightdesk reconcile, then the position at the venue's own page: place and close nothing before; {HALT_CLOSES}"
    yield Finding("executions", "executions", "page", what, "venue", desk.mark.t_recv_ms, action, {}, desk.mark.id)


def parted(desk: DeskObservation) -> Iterator[Finding]:
    """Two venues of one desk whose prices or volumes disagree: nothing enters, and what is open is marked by one of them."""
    if not is_trading(desk) or desk.mark is None:
        return
    for what, why in desk.mark.body.get("blocked", {}).items():
        if what.startswith(PARTED):
            named = why.partition(" against ")[0]
            said = f"Two venues disagree, nothing enters: {why[:300]}; open: {', '.join(open_positions(desk)) or 'nothing'}"
            action = f"look at the price and the unit of the volume of {named} at both venues; entries come back once they agree"
            yield Finding(f"bars:{what}", "bars", "warn", said, named, desk.mark.t_recv_ms, action, {}, desk.mark.id)


def unconnected(desk: DeskObservation) -> Iterator[Finding]:
    """A start that does not reach its account: what is open there is nobody's until it does. A page where something is."""
    why = str(desk.heartbeat.get("note") or "")
    lasts = desk.now_ms - desk.phase_ms >= UNCONNECTED_MS
    if desk.pid is None or desk.heartbeat.get("phase") != "starting" or not why.startswith(NOT_CONNECTED) or not lasts:
        return
    positions = open_positions(desk)
    what = f"{why[:300]}; open: {', '.join(positions) or 'nothing'}"
    account = desk.config.get("start", {}).get("account") or "NAME"
    action = f"nightdesk account check {account} says what is wrong; stops stay at the venue, look there at what is open"
    severity: Severity = "page" if positions else "warn"
    yield Finding("account", "worker", severity, what, "worker", desk.phase_ms, action, {"open_positions": len(positions)})


def reported(desk: DeskObservation) -> Iterator[Finding]:
    """Incidents that the worker has journaled. Those that touch money at an account page; what lasts has an alert of its own,
    and a difference that a later mark no longer has was adopted or undone.
    """
    body = {} if desk.mark is None else desk.mark.body
    halts = [event.seq for event in desk.incidents if event.body.get("state") in (KILLED, INCOMPLETE)]
    lasting = {"fills"} if any(what.startswith(EXECUTIONS) for what in body.get("blocked", {})) else set()
    for event in desk.incidents:
        kind = incident_kind(event.body)
        if str(event.body.get("difference")) in body.get("differs", {}) or kind in lasting or _is_over(desk, event, kind):
            continue
        if event.seq in halts:
            if event.seq < halts[-1]:  # how it went on is said by the last
                continue
            if event.body["state"] == KILLED:  # it went well: a word to who waits for it, until the release
                if desk.halt is not None and desk.halt.halted:
                    yield Finding(
                        f"incident:{event.id}", "incident", "note", ENDED, "worker", event.t_recv_ms, RELEASE, {}, event.id
                    )
                continue
        unseen = kind in UNSEEN and open_positions(desk)  # nobody here sees what becomes of it
        what = f"The worker reports: {readable(str(event.body.get('what', 'an incident')))[:400]}"
        what += f"; open: {', '.join(unseen)}{_bare(desk)}" if unseen else ""
        place, page = str(event.body.get("sleeve") or "worker"), PAGES[kind]
        explain = f"nightdesk journal explain {event.id}"
        check = explain if kind == "other" else f"{page.check} (docs/runbooks/{page.runbook}.md). {explain}"
        severity: Severity = "page" if kind in PAGED or unseen else "warn"
        action = str(event.body.get("action") or check)[:400]
        yield Finding(f"incident:{event.id}", "incident", severity, what, place, event.t_recv_ms, action, {}, event.id)


def _bare(desk: DeskObservation) -> str:
    """Which open layers have no stop at the venue by the book."""
    lots = Counter[str]()
    for sleeve, layer in unprotected_layers(desk.mark):
        lots[sleeve] += layer["lots"]
    return "".join(f", {count} lots of {sleeve} WITHOUT a stop" for sleeve, count in lots.items())


def _is_over(desk: DeskObservation, event: Event, kind: str) -> bool:
    """Whether what an incident is of has ended: the mark, which is of later, would still name it."""
    if desk.mark is None or event.seq >= desk.mark.seq:
        return False
    said, body = str(event.body.get("what")), desk.mark.body
    where = _unread_of(event) or said.partition(": ")[0].partition(" cannot be compared ")[0]
    unread = f"venue of {where}" if _unread_of(event) else NAMED_WHILE.get(kind)
    begins = "gate" if "row" in event.body else unread
    ended = begins is not None and not any(what.startswith(begins) for what in body.get("blocked", {}))
    if _unread_of(event):  # of what is off the mark does not say it; and what came again is said by the last
        ended = ended and where not in body.get("off", {})
        ended = ended or any(later.seq > event.seq and _unread_of(later) == where for later in desk.incidents)
        since = desk.away.get(f"venue of {where}")  # its reason is that of the time before
        ended = ended or (since is not None and event.seq < since.seq and desk.now_ms - since.t_recv_ms < REPORTED_MS)
    if kind == "stop_unseen" and "layer" in event.body:
        position = body["sleeves"].get(where, {}).get("position") or {"layers": []}
        ended = all(layer.get("key") != event.body["layer"] for layer in position["layers"])
    unlisted = kind == "compare" and is_gone(desk, where)  # paged as the position that cannot be looked at
    return ended or unlisted or "difference" in event.body


def _unread_of(event: Event) -> str:
    """The instrument whose executions an incident says are not read; "" for another incident."""
    said = str(event.body.get("what"))
    return said.partition(": ")[0] if any(words in said for words in UNREAD) else ""


def _layers(layers: Sequence[object]) -> str:
    return f"{len(layers)} open layer{'s' if len(layers) != 1 else ''}"


def unmoved(desk: DeskObservation) -> Iterator[Finding]:
    """A layer whose protective order works, and not where it should: the venue has refused to move it."""
    if not is_trading(desk) or desk.mark is None:
        return
    for sleeve in dict.fromkeys(name for name, _ in unmoved_layers(desk.mark)):
        layers = [layer for name, layer in unmoved_layers(desk.mark) if name == sleeve]
        first, lots = layers[0], sum(layer["lots"] for layer in layers)
        where = f"it is at {price_text(first['stop_at'])} for {first['stop_lots']} of {first['lots']} lots"
        what = f"The venue refuses to move the stop of {position_text(desk, sleeve)}: {where}; {_layers(layers)}"
        wanted = f"{price_text(first['protective'])} for {first['lots']} lots"
        action = f"move it to {wanted} by hand, or halt: nightdesk halt --reason 'stop not moved'"
        numbers = {"layers": len(layers), "lots": lots, **{k: first[k] for k in ("protective", "stop_at", "stop_lots")}}
        since, event = desk.mark.t_recv_ms, desk.mark.id
        yield Finding(f"stop:{sleeve}", "stop", "page", what, sleeve, since, action, numbers, event)


def differences(desk: DeskObservation) -> Iterator[Finding]:
    """What the book cannot explain at the venue: nothing enters until a named person adopts it. Each order that nobody knows is
    an alert, and so are all executions of one instrument, since an order fills in parts; the position and the cash that they move
    are said in the same one.
    """
    if not is_trading(desk) or desk.mark is None or not (differs := desk.mark.body.get("differs", {})):
        return
    positions = [what for what in differs if what.startswith(POSITION)]
    places = [str(sleeve["instrument"]) for sleeve in desk.config["sleeves"]]
    trades = {place: of for place in places if len(of := trades_of(differs, place)) > 1}
    texts_of = {place: f"{len(of)} trades of {place} are of orders that this desk does not know" for place, of in trades.items()}
    apart = [what for what in differs if what not in (*positions, CASH, *chain.from_iterable(trades.values()))]
    heads = [*trades, *apart] or positions or list(differs)
    joined = [what for what in differs if what in (*positions, CASH) and what not in heads]
    held = ", ".join(open_positions(desk)) or "no open position"
    enters = "no sleeve enters" if "blocked" in desk.mark.body else "the sleeves of that instrument enter nothing"
    for head in heads:
        last = head == heads[-1]
        texts = [(texts_of | differs)[what][:300] for what in ([head, *joined] if last else [head])]
        rest = f"; and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
        what = f"Desk and venue differ, {enters}: {'; '.join(texts[:SHOWN])}{rest}; {held}"
        since, event = desk.mark.t_recv_ms, desk.mark.id
        level = max(0, sum(part in positions for part in joined) - 1) if last else 0  # one more position is worse
        level += len(trades.get(head, (head,))) - 1  # and so is one more trade
        yield Finding(f"difference:{head}", "difference", "page", what, "desk", since, _way_on(head), {}, event, level)


def _way_on(head: str) -> str:
    """What to type for a difference, as `nightdesk reconcile` says it for each choice."""
    adopt, by = f"nightdesk adopt {quote(head)}", "--as NAME --reason WHY"
    if " order " in head:
        return f"cancel it at the venue's own page, or let it be: {adopt} --keep {by}"
    units = "--sleeve SLEEVE --units U --price P --fee F, as the venue holds it"
    how = units if head.startswith(POSITION) else "--keep (or --sleeve, --units)"
    return f"nightdesk reconcile, compare with the venue, then: {adopt} {how} {by}"


def trades_of(differs: Iterable[str], instrument: str) -> list[str]:
    """The names of differences that are executions of an instrument."""
    return [what for what in differs if what.startswith(f"{instrument}:")]


def liquidated(desk: DeskObservation) -> Iterator[Finding]:
    """A sleeve whose position the venue closed lately, or whose equity is gone."""
    if not is_trading(desk) or desk.mark is None:
        return
    closed = {e.body["sleeve"]: e for e in desk.recent if e.kind == "fill" and e.body.get("reason") == "liquidation"}
    for sleeve, state in desk.mark.body["sleeves"].items():
        equity, fill = state.get("equity"), closed.get(sleeve)
        gone = equity is not None and equity <= 0.0
        if fill is None and not gone:
            continue
        how = f"LIQUIDATED at {price_text(fill.body['price'])}: its margin was gone" if fill else "has no equity left"
        worth = "unknown" if equity is None else f"{equity:,.2f}"
        what = f"{sleeve} {how}; equity {worth}, no entry passes without equity; {position_text(desk, sleeve)}"
        action = "compare with the venue's liquidation history; find out why its stop did not go first; new cash takes a new home"
        numbers, event = {"equity": equity, "price": fill.body["price"] if fill else None}, fill or desk.mark
        yield Finding(f"liquidation:{sleeve}", "liquidation", "page", what, sleeve, event.t_recv_ms, action, numbers, event.id)
