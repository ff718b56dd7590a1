"""Incident windows: opened by what a desk notices or by a person, closed by a person, their P&L apart from every strategy's.

`on_window` is called through transitions.step, by whoever journals and by the fold. `due` is called by live/record.py behind
every batch: what touches money and is in no window yet opens one, in the same batch, so that no crash comes between. A window
changes no decision, no order and no figure but whose P&L it is (incident_money.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.book import events
from engine.book.bodies import REDUCED, position_of
from engine.book.book import Book
from engine.book.executions import Led
from engine.book.incident_money import NO_MONEY, as_pnl, incidents_of, money_of, orphan_pnl, orphans_of

DETECTOR = "detector"
CAUSES_MAX = 20  # of one window; what comes beyond is in it all the same
TEXT_MAX = 300
OPEN_MAX = 50
EXECUTIONS = "executions"  # of Book.health: filled, says the venue, and it lists no execution
HALT_LEFT = "halt incomplete"
_INCOMPLETE = "KILL_INCOMPLETE"


def on_window(book: Book, body: Mapping[str, Any]) -> Led:
    """A window opens, gets a further cause, or closes; refused, everything is as before and the body says why.

    {what: open, cause, by, sleeves, instruments}; {what: joins, window, cause}; {what: close, window, cause, by, lesson}. What
    the book adds: the window's id, and, closed, its money.
    """
    why = refusal(book, body)
    if why:
        return {**body, "taken": False, "why": why}, []
    led = {"open": _open, "joins": _join, "close": _close}[body["what"]](book, body)
    return {**led, "taken": True}, [events.mark(book)]


def refusal(book: Book, body: Mapping[str, Any]) -> str:
    """Why this cannot be now; "" when it can. A row of the database may have been edited: every part is looked at."""
    if body.get("what") not in ("open", "joins", "close") or not _is_text(body.get("cause")):
        return "a part of it is missing or is not a text"
    opened = incidents_of(book)["open"]
    if body["what"] == "joins":
        return "" if body.get("window") in opened else f"window {str(body.get('window'))[:20]} is not open"
    if not _is_text(body.get("by")):
        return "it names nobody"
    if "lesson" in body and not _is_text(body["lesson"]):
        return "its lesson is not a text"
    if body["what"] == "close":
        if body.get("window") not in opened:
            return f"window {str(body.get('window'))[:20]} is not open"
        lasts = lasting(book, body["window"])
        return f"its cause lasts: {', '.join(lasts)[:TEXT_MAX]}" if lasts else ""
    if len(opened) >= OPEN_MAX:
        return f"{OPEN_MAX} windows are open: close one first"
    sleeves, instruments = body.get("sleeves"), body.get("instruments")
    if not isinstance(sleeves, list) or not isinstance(instruments, list) or not sleeves + instruments:
        return "it covers nothing"
    unknown = {*map(str, sleeves)} - {*book.names} | {*map(str, instruments)} - {*book.instruments}
    return f"unknown: {', '.join(sorted(unknown))[:TEXT_MAX]}" if unknown else ""


def lasting(book: Book, window: str) -> list[str]:
    """Causes of an open window that are still there: it cannot be closed before them."""
    found = incidents_of(book)["open"][window]
    causes = [cause for cause in found["causes"] if cause in book.differences or cause in book.health]
    return causes + [
        f"{book.orphans[i]['lots']} lots of {i} that no order explains" for i in found["instruments"] if _orphaned(book, i)
    ]


def is_ended(book: Book, body: Mapping[str, Any]) -> bool:
    """Whether a body closes a window that was opened once and is not open any more."""
    state, window = incidents_of(book), str(body.get("window"))
    number = int(window[1:]) if window[1:].isascii() and window[1:].isdigit() and len(window) < 12 else 0
    return body.get("what") == "close" and 1 <= number <= state["count"] and window not in state["open"]


def _orphaned(book: Book, instrument: str) -> bool:
    return bool(book.orphans.get(instrument, {}).get("lots"))


def _open(book: Book, body: Mapping[str, Any]) -> dict[str, Any]:
    """The window with its number; the sleeves that no earlier one covers are its own from here."""
    state = incidents_of(book)
    window = f"w{state['count'] + 1}"
    opened = {"opened_ms": book.close_ms, "by": body["by"], "causes": [body["cause"]], "money": NO_MONEY._asdict()}
    opened |= {"sleeves": list(body["sleeves"]), "instruments": list(body["instruments"])}
    book.incidents = state | {"count": state["count"] + 1, "open": {**state["open"], window: opened}}
    _hand_over(book)
    return {**body, "window": window}


def _join(book: Book, body: Mapping[str, Any]) -> dict[str, Any]:
    """One more cause of a window that covers it."""
    state = incidents_of(book)
    found = state["open"][body["window"]]
    joined = {**found, "causes": [*found["causes"], body["cause"]]}
    book.incidents = state | {"open": {**state["open"], body["window"]: joined}}
    return dict(body)


def _close(book: Book, body: Mapping[str, Any]) -> dict[str, Any]:
    """The window ends: its sleeves go to the next one that covers them, or back to themselves."""
    window = body["window"]
    _hand_over(book, but=window)
    state = incidents_of(book)
    found, left = state["open"][window], {id_: other for id_, other in state["open"].items() if id_ != window}
    # orphans of an instrument that another window covers go on with that one
    taken = {i: orphan_pnl(book, i) for i in orphans_of(state["open"], window) if i in book.orphans and not _covered(left, i)}
    orphans = sum(pnl - state["orphans"].get(i, 0.0) for i, pnl in taken.items())
    book.incidents = state | {"open": left, "orphans": state["orphans"] | taken}
    about = {key: found[key] for key in ("opened_ms", "causes", "sleeves", "instruments")}
    return {**body, **about, "money": as_pnl(NO_MONEY.plus(found["money"]), orphans)}


def _covered(opened: Mapping[str, Any], instrument: str) -> bool:
    return any(instrument in found["instruments"] for found in opened.values())


def _hand_over(book: Book, but: str = "") -> None:
    """Each sleeve to the first open window that covers it, `but` not to this one. What it has made since it came to the window
    before is that one's for good.
    """
    state = incidents_of(book)
    opened, owned, booked = dict(state["open"]), dict(state["owned"]), dict(state["booked"])
    for s, name in enumerate(book.names):
        owner = next((id_ for id_, found in opened.items() if name in found["sleeves"] and id_ != but), None)
        base = owned.get(name)
        if (base["window"] if base else None) == owner:
            continue
        now = money_of(book, s)
        if base is not None:
            made, before = now.since(base), opened[base["window"]]
            opened[base["window"]] = {**before, "money": made.plus(before["money"])._asdict()}
            booked[name] = booked.get(name, 0.0) + made.equity
            del owned[name]
        if owner is not None:
            owned[name] = {"window": owner, **now._asdict()}
    book.incidents = state | {"open": opened, "owned": owned, "booked": booked}


# ---- what opens one ---------------------------------------------------------------------------------------------------------


def due(book: Book, groups: Sequence[tuple[str, Mapping[str, Any], Any]]) -> Iterator[dict[str, Any]]:
    """Bodies of the `window` events that follow from the book as it is, and from the (kind, body, ...) `groups` that led here.

    Take each before asking for the next. A cause that an open window covers joins it; one that none covers opens another.
    """
    for cause, instrument in _causes(book, groups):
        opened = incidents_of(book)["open"]
        if any(cause in found["causes"] for found in opened.values()):
            continue
        body = scope_of(book, instrument)
        wider = next((id_ for id_, found in opened.items() if _covers(found, body)), None)
        if wider is None and len(opened) < OPEN_MAX:
            yield {"what": "open", "cause": cause, "by": DETECTOR, **body}
        elif wider is not None and len(opened[wider]["causes"]) < CAUSES_MAX:
            yield {"what": "joins", "window": wider, "cause": cause}


def scope_of(book: Book, instrument: str = "") -> dict[str, list[str]]:
    """What a window of an instrument covers: the sleeves that trade it, and its orphans; of none, the whole desk."""
    if instrument not in book.instruments:
        return {"sleeves": list(book.names), "instruments": list(book.instruments)}
    traders = [spec.source["name"] for spec in book.specs if spec.source["instrument"] == instrument]
    return {"sleeves": traders, "instruments": [instrument]}


def _covers(found: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    return set(body["sleeves"]) <= set(found["sleeves"]) and set(body["instruments"]) <= set(found["instruments"])


def _causes(book: Book, groups: Sequence[tuple[str, Mapping[str, Any], Any]]) -> Iterator[tuple[str, str]]:
    """(what touches money now, its instrument or "" for the desk)."""
    for instrument, found in book.orphans.items():
        if found["lots"] or orphan_pnl(book, instrument) != incidents_of(book)["orphans"].get(instrument, 0.0):
            yield f"orphans of {instrument}"[:TEXT_MAX], instrument
    for what in book.differences:
        if not any(what.startswith(f"{name} order ") for name in book.instruments):  # a stranger's order has moved no money yet
            yield what[:TEXT_MAX], _instrument_of(book, what, groups)
    yield from ((what[:TEXT_MAX], what.removeprefix(REDUCED)) for what in book.health if what.startswith(REDUCED))
    if EXECUTIONS in book.health:
        yield EXECUTIONS, ""
    if any(kind == "incident" and body.get("state") == _INCOMPLETE for kind, body, *_ in groups):
        yield HALT_LEFT, ""


def _instrument_of(book: Book, what: str, groups: Sequence[tuple[str, Mapping[str, Any], Any]]) -> str:
    """The instrument of a difference: by its name, or by the report that it came from; "" when neither says so."""
    named = next((name for name in book.instruments if what == position_of(name)), "")
    reports = (body for _, body, *_ in groups if what in (body.get("trade"), body.get("order")))
    return named or str(next((body["instrument"] for body in reports if body.get("instrument")), ""))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= TEXT_MAX
