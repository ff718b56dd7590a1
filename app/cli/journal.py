"""`nightdesk journal verify | tail | replay | explain | pack | unpack`: what was seen, decided and done, and why.

Called by app/cli/main.py. Reads the home's two journals and the stored runs; the only write is `verify` recording in the
database how far both chains are intact.
"""

import re
import time
from pathlib import Path
from typing import Any

import typer

from app.cli import out, packing, stories
from app.views.event_story import event_json, story
from engine.clock import utc
from engine.errors import BadInput, JournalBroken

JSON = typer.Option(False, "--json", help="one JSON object on stdout")
TRIP = re.compile(r"(r-\d{8}-[0-9a-f]{8}(?:-\d+)?)/(t\d+)")
RUN = re.compile(r"r-\d{8}-[0-9a-f]{8}(?:-\d+)?")
TURN = re.compile(r"u-\d{8}-[0-9a-f]{8}")
EVENT = re.compile(r"[dp]-\d+")
BROKEN_MAX = 200  # broken laws that are listed
LOOK_BACK_MS = 3 * 86_400_000  # how far back to search for the start of a refusal


def register(app: typer.Typer) -> None:
    """Add the commands."""
    journal = typer.Typer(
        no_args_is_help=True, help="What was seen, decided and done: verify, tail, replay, explain; pack, unpack."
    )
    journal.command()(verify)
    journal.command()(tail)
    journal.command()(replay)
    journal.command()(explain)
    packing.register(journal)
    app.add_typer(journal, name="journal")


def verify(
    orders: bool = typer.Option(False, "--orders", help="check the desk journal's orders against their laws, too"),
    file: Path | None = typer.Option(None, "--file", metavar="PATH", help="of a desk journal anywhere, without its home"),
    as_json: bool = JSON,
) -> None:
    """Verify both hash chains from the first record, against each other, the database and the daily handovers, and that of
    shadows of models by itself. Exit code 1 when one is broken, when journal and database disagree on version or halt, or when
    an order broke a law."""
    from app.home.home import existing_home

    if file is not None:
        verify_file(file, orders=orders, as_json=as_json)
        return
    from engine.control.agreement import differences
    from engine.store.anchors import verify_apart, verify_home
    from engine.store.journal import journal_hash
    from engine.watch.shadow_journal import place_of

    home, now_ms = existing_home(), time.time_ns() // 1_000_000
    reports = verify_home(home.journal, home.engine, now_ms)
    if (shadows := place_of(home.path)).exists():
        reports["models"] = verify_apart(shadows, home.engine, note_ms=now_ms)
    found = {name: report._asdict() | {"head": report.head._asdict()} for name, report in reports.items()}
    whole = journal_hash(home.desk_journal) if found["desk"]["ok"] else None
    lines = [stories.verify_line(name, report) for name, report in found.items()]
    lines += [f"journal hash {whole}"] if whole else []
    apart = differences(home.path, home.engine)
    lines += [f"journal and database disagree: {line}" for line in apart] or ["journal and database agree"]
    laws = order_laws(home.desk_journal, readable=bool(found["desk"]["ok"])) if orders else {}
    lines += stories.law_lines(laws)
    value = {**found, "journal_hash": whole, "differences": apart} | ({"orders": laws} if orders else {})
    out.emit(value, as_json=as_json, text=lambda: "\n".join(lines))
    if apart or not all(r["ok"] for r in found.values()) or not laws.get("ok", True):
        raise typer.Exit(1)


def verify_file(path: Path, *, orders: bool, as_json: bool) -> None:
    """Verify one desk journal by itself: its chain, its orders' laws. Exit code 1 when either is broken."""
    from engine.store.journal import verify as verify_chain

    if not path.is_file():
        raise BadInput(f"no journal at {path}", "name a desk.jsonl")
    report = verify_chain(path)
    laws = order_laws(path, readable=report.ok) if orders else {}
    value = {"desk": report._asdict() | {"head": report.head._asdict()}} | ({"orders": laws} if orders else {})
    lines = [stories.verify_line("desk", value["desk"]), *stories.law_lines(laws)]
    out.emit(value, as_json=as_json, text=lambda: "\n".join(lines))
    if not report.ok or not laws.get("ok", True):
        raise typer.Exit(1)


def order_laws(path: Path, *, readable: bool) -> dict[str, Any]:
    """{ok, orders, fills, broken: [what broke a law]}. A chain that is broken proves nothing about its orders."""
    from engine.book.order_laws import OrderLaws
    from engine.store.journal import read

    if not readable:
        return {"ok": False, "orders": 0, "fills": 0, "broken": ["the chain is broken: its orders were not looked at"]}
    counted = dict.fromkeys(("intent", "fill"), 0)

    def events() -> Any:
        for event in read(path):
            if event.kind in counted:
                counted[event.kind] += 1
            yield event

    try:
        broken = OrderLaws().read(events())
    except (KeyError, TypeError, ValueError) as error:
        broken = [f"an event lacks what every order has: {type(error).__name__} {error}"[:300]]
    return {"ok": not broken, "orders": counted["intent"], "fills": counted["fill"], "broken": broken[:BROKEN_MAX]}


def tail(
    count: int = typer.Option(20, "--count", min=1, max=100_000, help="how many records"),
    people: bool = typer.Option(False, "--people", help="the journal of questions, tool calls, proposals and decisions"),
    bars: bool = typer.Option(False, "--bars", help="include bars, marks, snapshots and orders that stand"),
    as_json: bool = JSON,
) -> None:
    """Show the last records of a journal, oldest first."""
    from app.home.home import existing_home

    home = existing_home()
    path = home.people_journal if people else home.desk_journal
    found = [event_json(e) for e in last_events(path, count, all_kinds=bars or people)]
    if not found and path.is_file() and path.stat().st_size and not last_events(path, 1, all_kinds=True):
        raise JournalBroken(f"{path.name} holds no readable record", "see nightdesk journal verify")
    nothing = "the journal is empty: `nightdesk up` starts the desk"
    out.emit({"items": found}, as_json=as_json, text=lambda: "\n".join(map(stories.event_line, found)) or nothing)


def last_events(path: Path, count: int, *, all_kinds: bool) -> list[Any]:
    """The last `count` events, reading further back when hidden kinds lie between them."""
    from engine.store.journal import tail as read_tail
    from tools.common.event_text import is_routine

    wanted = count
    while True:
        events = read_tail(path, wanted)
        kept = events if all_kinds else [e for e in events if not is_routine(e)]
        if len(kept) >= count or len(events) < wanted:
            return kept[-count:]
        wanted *= 4


def replay(as_json: bool = JSON) -> None:
    """Replay every bar of the desk journal through the core and compare the result with what was journaled."""
    from app.home.home import existing_home
    from engine.book.replay import fold
    from engine.store.journal import journal_hash

    home = existing_home()
    book = fold(home.desk_journal, whole=True)
    found = {"journal_hash": journal_hash(home.desk_journal), "bars": 0} if book is None else replayed(home.desk_journal, book)
    nothing = "the journal is empty: `nightdesk up` starts the desk"
    out.emit(found, as_json=as_json, text=lambda: nothing if book is None else stories.replay_text(found))


def replayed(path: Path, book: Any) -> dict[str, Any]:
    """The state at the journal's end."""
    from engine.core.ledger import open_lots
    from engine.store.journal import journal_hash

    part = 0.0 if book.basket is None else book.basket.part  # of a leg its part of the cash
    sleeves = {
        name: {
            "lots": open_lots(sleeve.position) * sleeve.position.side,
            "cash": sleeve.ledger.cash + part,
            "equity": sleeve.ledger.equity + part,
            "round_trips": sleeve.ledger.trips,
            "fees": sleeve.ledger.fees,
            "funding": sleeve.ledger.funding,
            "slippage": sleeve.ledger.slippage,
        }
        for name, sleeve in zip(book.names, book.sleeves, strict=True)
    }
    return {
        "journal_hash": journal_hash(path),
        "bars": book.count,
        "desk_ms": book.close_ms,
        "version": book.version,
        "equity": book.desk.equity,
        "halted": bool(book.desk.halted),
        "sleeves": sleeves,
    }


def explain(
    what: str | None = typer.Argument(
        None, metavar="ID", help="RUN_ID/t12, an event id like d-123, a turn, or a run id with --at"
    ),
    sleeve: str | None = typer.Option(None, "--sleeve", help="a sleeve of the desk, or of the run"),
    at: str | None = typer.Option(None, "--at", help="UTC time: 2025-03-04T05:15; the first close at or after it"),
    around: bool = typer.Option(False, "--around", help="of the desk: market, funding and outside series too, as known then"),
    as_json: bool = JSON,
) -> None:
    """Explain a round trip, an event or a bar close: features, position, order, fill assumption, costs, rule."""
    from app.home.home import existing_home

    home = existing_home()
    if what and (match := TRIP.fullmatch(what)):
        found = explain_trip(home, *match.groups())
        out.emit(found, as_json=as_json, text=lambda: stories.trip_text(found))
    elif what and TURN.fullmatch(what):
        turn = explain_turn(home, what)
        out.emit(turn, as_json=as_json, text=lambda: stories.turn_text(turn))
    elif what and RUN.fullmatch(what):
        found = explain_close(home, what, sleeve, at)
        out.emit(found, as_json=as_json, text=lambda: stories.close_text(found))
    elif what is None or EVENT.fullmatch(what):
        found = explain_desk(home, what, sleeve, at)
        found |= {"around": around_of(home, found)} if around else {}
        out.emit(found, as_json=as_json, text=lambda: stories.desk_text(found))
    else:
        raise BadInput(f"{what!r} is not a valid id", "give RUN_ID/t12, d-123, p-7, a run id with --at, or --sleeve S --at T")


def explain_trip(home: Any, run_id: str, name: str) -> dict[str, Any]:
    """A round trip of a stored run."""
    from engine.sim.explain import trip
    from engine.store.runs import Runs

    return trip(Runs(home.runs, home.engine), run_id, name)


def explain_turn(home: Any, turn: str) -> dict[str, Any]:
    """A question with its answer, its cost, and every request to a real model exactly as sent (never with a key)."""
    import json

    from agents.caller import kept_requests
    from agents.spending import spend_of
    from engine.store.db import read
    from engine.store.tables import Turn

    with read(home.engine) as session:
        row = session.get(Turn, turn)
        if row is None:
            raise BadInput(f"unknown turn {turn}", "the output of `nightdesk chat --json` contains a turn's id")
        answer = json.loads(row.answer)
        found = {"turn": turn, "thread": row.thread, "role": row.role, "state": row.state, "asked": row.text, "model": row.model}
        cost = spend_of(row.body)._asdict()
    said = {key: answer.get(key, "") for key in ("answer_md", "state_line", "acts_line")}
    return found | said | {"spend": cost, "sent": kept_requests(home.path, turn)}


def explain_close(home: Any, run_id: str, sleeve: str | None, at: str | None) -> dict[str, Any]:
    """One close of a stored run."""
    from engine.sim import explain as explaining
    from engine.sim.request import moment
    from engine.store.runs import Runs

    when = moment(at)
    if when is None:
        raise BadInput(f"a time in run {run_id} is missing", f"add --at 2025-03-04T05:15, or name a round trip: {run_id}/t1")
    return explaining.at(Runs(home.runs, home.engine), run_id, sleeve, when, home.catalog, home.strategies)


def explain_desk(home: Any, event_id: str | None, sleeve: str | None, at: str | None) -> dict[str, Any]:
    """An event of either journal with its causes and consequences; or one bar close of a sleeve."""
    from engine.sim.request import moment
    from engine.store.journal import find

    if event_id is not None:
        path = home.people_journal if event_id.startswith("p-") else home.desk_journal
        event = find(path, event_id)
        if event is None:
            raise BadInput(f"unknown event {event_id} in {path.name}", "see nightdesk journal tail")
        return story(path, event)
    when = moment(at)
    if sleeve is None or when is None:
        raise BadInput("name an event, or a sleeve and a time", "example: --sleeve btc-trend --at 2025-03-04T05:15")
    return close_of_desk(home.desk_journal, sleeve, when)


def around_of(home: Any, found: dict[str, Any]) -> list[dict[str, Any]]:
    """What market, funding and outside series were, as known then. Raises BadInput for an event of no instrument."""
    from engine.watch.market_context import instruments_of, market_context

    event = found.get("event") or {"body": found, "t_event_ms": found["close_ms"], "id": found["bar"]}
    body = event["body"]
    instrument = body.get("instrument") or instruments_of(home.desk_journal).get(str(body.get("sleeve") or ""))
    if instrument is None or event["id"].startswith("p-"):
        raise BadInput(f"{event['id']} is of no instrument", "explain it without --around, or name a sleeve and a time")
    return [one._asdict() for one in market_context(home.desk_journal, home.catalog, str(instrument), int(event["t_event_ms"]))]


def close_of_desk(path: Path, sleeve: str, when_ms: int) -> dict[str, Any]:
    """The desk journal about a sleeve at the first close at or after `when_ms`; for a refusal with size and caps."""
    from engine.book.bar_signals import signal_in
    from engine.book.quiet_close import quiet_mark
    from engine.watch.pair_reasons import is_of_leg, leg_text, symbol_of
    from engine.watch.window import FAR_MS, between, own_close

    mark = next(between(path, when_ms - 1, FAR_MS, {"mark"}), None)
    if mark is None:
        raise BadInput(f"the desk has seen no bar at or after {utc(when_ms)}", "see nightdesk journal tail --bars")
    if sleeve not in mark.body["sleeves"]:
        raise BadInput(f"the desk had no sleeve {sleeve!r} at that time", f"available: {', '.join(mark.body['sleeves'])}")
    bar = own_close(path, sleeve, when_ms)
    if bar is None:
        raise BadInput(f"no bar of {sleeve} has closed at or after {utc(when_ms)}", "see nightdesk journal tail --bars")
    symbol = symbol_of(path, sleeve) if "basket" in mark.body else ""
    here = [e for e in between(path, bar.t_event_ms - 1, bar.t_event_ms) if is_of_leg(e, sleeve, symbol)]
    decisions = [e for e in here if e.kind == "decision"]
    side, strength, silent = signal_in(bar.body, sleeve)
    found = {"sleeve": sleeve, "close_ms": bar.t_event_ms, "bar": bar.id, "signal": {"side": side, "strength": strength}}
    if silent:
        found["silent"] = silent
    if nulls := bar.body.get("nulls", {}).get(sleeve):
        found["nulls"] = nulls
    found["events"] = [event_json(e) for e in here]
    if symbol:
        mark = next(e for e in between(path, bar.t_event_ms - 1, bar.t_event_ms, {"mark"}) if "basket" in e.body)
        return found | {"text": leg_text(path, mark, sleeve, symbol)}
    if not decisions:
        mark = next((e for e in between(path, bar.t_event_ms - 1, bar.t_event_ms, {"mark"}) if sleeve in e.body["sleeves"]), None)
        if mark is None:
            raise BadInput(f"the mark of {bar.id} is missing", "nightdesk journal verify")
        body = mark.body["sleeves"][sleeve]
        began = decision_at(path, sleeve, body["guard"]["refused_ms"])
        return found | {"text": quiet_mark(body, side), "sized_at": began}
    said, refused = "; ".join(map(decision_text, decisions)), any(e.body.get("refused_by") for e in decisions)
    return found | {"text": said} | ({"sized_at": None} if refused else {})


def decision_text(event: Any) -> str:
    """What a close decided, in a few words; a reversal decides twice."""
    body = event.body
    if body.get("refused_by"):
        return f"no trade: refused by {body['refused_by']}"
    why = f" by {ended}" if (ended := body.get("cancelled_by")) else ""
    return f"{body['action']}{why}; {body['signal']} signal"


def decision_at(path: Path, sleeve: str, close_ms: int | None) -> dict[str, Any] | None:
    """The decision that a lasting refusal began with, with size and caps: it is sized once."""
    from engine.watch.window import between

    if close_ms is None:
        return None
    at = [e for e in between(path, close_ms - 1, close_ms, {"decision"}) if e.body.get("sleeve") == sleeve]
    return event_json(at[-1]) if at else None  # the exit of a reversal comes before its refused entry
