"""`nightdesk journal verify | tail | replay | explain`: what was seen, decided and done, and why.

Called by app/cli/main.py. Reads the two journals of the home and the folders of stored runs; writes nothing.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from app.cli import out
from engine.errors import BadInput

JSON = typer.Option(False, "--json", help="one JSON object on stdout")
TRIP = re.compile(r"(r-\d{8}-[0-9a-f]{8}(?:-\d+)?)/(t\d+)")
RUN = re.compile(r"r-\d{8}-[0-9a-f]{8}(?:-\d+)?")
EVENT = re.compile(r"[dp]-\d+")
QUIET = ("bar",)  # kinds that tail leaves out unless asked


def register(app: typer.Typer) -> None:
    """Add the commands."""
    journal = typer.Typer(no_args_is_help=True, help="What was seen, decided and done: verify, tail, replay, explain.")
    journal.command()(verify)
    journal.command()(tail)
    journal.command()(replay)
    journal.command()(explain)
    app.add_typer(journal, name="journal")


def verify(as_json: bool = JSON) -> None:
    """Walk both hash chains and hold them against each other and the database. Exit code 1 when one does not verify."""
    from app.home import open_home
    from engine.store.anchors import verify_home

    home = open_home()
    found = {
        name: report._asdict() | {"head": report.head._asdict()}
        for name, report in verify_home(home.journal, home.engine).items()
    }
    out.emit(found, as_json=as_json, text=lambda: "\n".join(verify_line(name, r) for name, r in found.items()))
    if not all(r["ok"] for r in found.values()):
        raise typer.Exit(1)


def verify_line(name: str, report: Mapping[str, Any]) -> str:
    """A chain's verdict."""
    extra = f"; {report['unfinished_bytes']} unfinished bytes at the end" if report["unfinished_bytes"] else ""
    extra += f"; set aside by earlier crashes: {', '.join(report['set_aside'])}" if report["set_aside"] else ""
    if report["ok"]:
        return f"{name}: {report['rows']:,} records verify, head {report['head']['hash'][:16]}{extra}"
    return f"{name}: BROKEN at line {report['line']:,}: {report['reason']}; {report['rows']:,} records before it verify{extra}"


def tail(
    count: int = typer.Option(20, "--count", min=1, max=100_000, help="how many records"),
    people: bool = typer.Option(False, "--people", help="the journal of asks, tool calls, proposals and decisions"),
    bars: bool = typer.Option(False, "--bars", help="bars too"),
    as_json: bool = JSON,
) -> None:
    """The last records of a journal, oldest first."""
    from app.home import open_home

    home = open_home()
    path = home.people_journal if people else home.desk_journal
    found = [event_json(e) for e in last_events(path, count, all_kinds=bars or people)]
    nothing = "the journal is empty: `nightdesk up` starts the desk"
    out.emit({"items": found}, as_json=as_json, text=lambda: "\n".join(map(event_line, found)) or nothing)


def last_events(path: Path, count: int, *, all_kinds: bool) -> list[Any]:
    """The last `count` events, looking further back when the kinds that nobody asked for stand between them."""
    from engine.store.journal import tail as read_tail

    wanted = count
    while True:
        events = read_tail(path, wanted)
        kept = events if all_kinds else [e for e in events if e.kind not in QUIET]
        if len(kept) >= count or len(events) < wanted:
            return kept[-count:]
        wanted *= 4


def event_json(event: Any) -> dict[str, Any]:
    """An event without what only the chain needs."""
    shown = ("seq", "id", "kind", "t_event_ms", "body", "run_id", "config_version", "cause_id", "writer")
    return {name: getattr(event, name) for name in shown}


def event_line(event: Mapping[str, Any]) -> str:
    """An event as one line."""
    body = ", ".join(f"{key} {said(value)}" for key, value in list(event["body"].items())[:12])
    return f"{event['id']:>8}  {out.stamp(event['t_event_ms'])}  {event['kind']:<9} {body}"


def said(value: Any) -> str:
    """A value of a body, short."""
    if isinstance(value, float):
        return f"{value:,.6g}"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def replay(as_json: bool = JSON) -> None:
    """Fold the desk journal into the state it stands for: positions, cash, equity, configuration; and its hash."""
    from app.home import open_home
    from engine.store.fold import fold
    from engine.store.journal import journal_hash, read

    home = open_home()
    state = fold(read(home.desk_journal))
    found = {"journal_hash": journal_hash(home.desk_journal), **out.plain(state._asdict())}
    out.emit(found, as_json=as_json, text=lambda: "\n".join(f"{key}: {said(value)}" for key, value in found.items()))


def explain(
    what: str | None = typer.Argument(None, metavar="ID", help="RUN_ID/t12, an event id like d-123, or a run id with --at"),
    sleeve: str | None = typer.Option(None, "--sleeve", help="a sleeve of the desk, or of the run"),
    at: str | None = typer.Option(None, "--at", help="UTC time: 2025-03-04T05:15; the first close at or after it"),
    as_json: bool = JSON,
) -> None:
    """Why a round trip, an event or a close is what it is: features, position, order, fill assumption, costs, rule."""
    from app.home import open_home

    home = open_home()
    if what and (match := TRIP.fullmatch(what)):
        found = explain_trip(home, *match.groups())
        out.emit(found, as_json=as_json, text=lambda: trip_text(found))
    elif what and RUN.fullmatch(what):
        found = explain_close(home, what, sleeve, at)
        out.emit(found, as_json=as_json, text=lambda: close_text(found))
    elif what is None or EVENT.fullmatch(what):
        found = explain_desk(home, what, sleeve, at)
        out.emit(found, as_json=as_json, text=lambda: desk_text(found))
    else:
        raise BadInput(f"{what!r} is no id", "give RUN_ID/t12, d-123, p-7, a run id with --at, or --sleeve S --at T")


def explain_trip(home: Any, run_id: str, name: str) -> dict[str, Any]:
    """A round trip of a stored run."""
    from engine.sim.explain import trip
    from engine.store.runs import Runs

    return trip(Runs(home.runs, home.engine), run_id, name)


def explain_close(home: Any, run_id: str, sleeve: str | None, at: str | None) -> dict[str, Any]:
    """One close of a stored run."""
    from engine.sim import explain as explaining
    from engine.sim.plan import moment
    from engine.store.runs import Runs

    when = moment(at)
    if when is None:
        raise BadInput(f"when in run {run_id}?", f"add --at 2025-03-04T05:15, or name a round trip: {run_id}/t1")
    return explaining.at(Runs(home.runs, home.engine), run_id, sleeve, when, home.catalog, home.strategies)


def explain_desk(home: Any, event_id: str | None, sleeve: str | None, at: str | None) -> dict[str, Any]:
    """An event of the desk's or the people's journal with what led to it and what followed; or a sleeve's close."""
    from engine.sim.plan import moment
    from engine.store.journal import find

    if event_id is not None:
        path = home.people_journal if event_id.startswith("p-") else home.desk_journal
        event = find(path, event_id)
        if event is None:
            raise BadInput(f"there is no event {event_id} in {path.name}", "see nightdesk journal tail")
        return story(path, event)
    when = moment(at)
    if sleeve is None or when is None:
        raise BadInput("name an event, or a sleeve and a time", "as in --sleeve btc-trend --at 2025-03-04T05:15")
    return close_of_desk(home.desk_journal, sleeve, when)


def story(path: Path, event: Any) -> dict[str, Any]:
    """The event, the events that caused it (oldest first), and those it caused."""
    from engine.store.journal import find, read

    causes, seen = [], {event.id}
    cause = event
    while cause.cause_id and cause.cause_id not in seen and len(causes) < 20:
        seen.add(cause.cause_id)
        cause = find(path, cause.cause_id)
        if cause is None:
            break
        causes.append(event_json(cause))
    followed = [event_json(e) for e in read(path, after=event.seq) if e.cause_id == event.id]
    return {"event": event_json(event), "causes": causes[::-1], "followed": followed[:50]}


def close_of_desk(path: Path, sleeve: str, when_ms: int) -> dict[str, Any]:
    """What the desk's journal holds about a sleeve at the first close at or after `when_ms`."""
    from engine.store.journal import read

    known: set[str] = set()
    close_ms, found = None, []
    for event in read(path):
        if name := event.body.get("sleeve"):
            known.add(str(name))
        if event.t_event_ms < when_ms:
            continue
        if close_ms is None and event.kind == "bar":
            close_ms = event.t_event_ms
        if close_ms is not None and event.t_event_ms > close_ms:
            break
        if close_ms is not None and event.body.get("sleeve") in {sleeve, None}:
            found.append(event_json(event))
    if close_ms is None:
        raise BadInput(f"the desk has seen no bar at or after {out.stamp(when_ms)}", "see nightdesk journal tail --bars")
    decided = [e for e in found if e["kind"] == "decision"]
    if not decided and sleeve not in known:
        raise BadInput(f"the journal knows no sleeve {sleeve!r}", f"it knows {', '.join(sorted(known)) or 'none'}")
    text = "" if decided else "no decision row: the strategy gave no signal, nothing was open and nothing was refused"
    return {"sleeve": sleeve, "close_ms": close_ms, "events": found, "text": text}


def desk_text(found: Mapping[str, Any]) -> str:
    """A story or a close of the desk as lines."""
    if "event" not in found:
        head = f"{found['sleeve']} at the close of {out.stamp(found['close_ms'])}"
        lines = [head + (f": {found['text']}" if found["text"] else "")]
        return "\n".join([*lines, *(whole(e) for e in found["events"] if e["kind"] != "bar" or not found["text"])])
    lines = [f"because of {event_line(e)}" for e in found["causes"]]
    lines.append(whole(found["event"]))
    return "\n".join([*lines, *(f"then       {event_line(e)}" for e in found["followed"])])


def whole(event: Mapping[str, Any]) -> str:
    """An event with its whole body, a line a field."""
    lines = [f"{event['id']} {event['kind']} at {out.stamp(event['t_event_ms'])} (configuration {event['config_version']})"]
    for key, value in event["body"].items():
        if isinstance(value, Mapping):
            lines.append(f"  {key}: " + ", ".join(f"{k} {said(v)}" for k, v in value.items()))
        else:
            lines.append(f"  {key}: {said(value)}")
    return "\n".join(lines)


def trip_text(found: Mapping[str, Any]) -> str:
    """A round trip as a page of text."""
    t, run = found["trip"], found["run"]
    lines = [
        f"{found['id']}: {t['side']} {t['units']:g} {t['instrument']}, {t['layers']} layer(s), sleeve {t['sleeve']}",
        f"{run['source'].upper()} data, fills {run['fills']}, funding {run['funding']}, data {run['data_sha256'][:16]}",
    ]
    if run["leaks"] and not run["leaks"]["clean"]:
        lines.append(f"LOOKS AHEAD: {run['leaks']['text']}")
    for part, steps in (("entry", found["entries"]), ("exit", found["exits"])):
        for n, step in enumerate(steps, 1):
            lines += ["", f"{part} {n}", *step_lines(step, part)]
    for f in found["funding"]:
        price = f"{f['lots']:,} lots x mark {f['mark']:,.2f} x rate {f['rate']:.6f}"
        lines.append(f"funding     {out.stamp(f['close_ms'])}  {price} = {f['cash']:+,.4f}")
    c = found["costs"]
    lines += [
        "",
        f"closed by   {found['closing_rule']['reason']}: {found['closing_rule']['text']}",
        f"result      gross {c['gross']:+,.4f} - slippage {c['slippage']:,.4f} - fees {c['fees']:,.4f} "
        f"{'+' if c['funding'] >= 0 else '-'} funding {abs(c['funding']):,.4f} = net {c['net']:+,.4f}"
        + (f" ({t['r']:+.2f} R)" if t["r"] is not None else ""),
    ]
    return "\n".join(lines)


def step_lines(step: Mapping[str, Any], part: str) -> list[str]:
    """One execution and the decision before it."""
    f, d = step["fill"], step["decision"]
    lines = decision_lines(d) if d and part == "entry" else []
    if d and part == "exit" and d["levels_after"]["protective"] is not None:
        levels = d["levels_after"]
        target = "none" if levels["target"] is None else f"{levels['target']:,.2f}"
        lines.append(f"levels      protective {levels['protective']:,.2f}, target {target} as of the close before")
    side = "buy" if f["side"] > 0 else "sell"
    lines += [
        f"fill        bar of {out.stamp(f['bar_open_ms'])}: {side} {f['lots']:,} lots ({f['units']:g}) at {f['price']:,.4f}"
        + (f", reason {f['reason']}" if part == "exit" else ""),
        f"assumption  {f['assumption']}",
        f"costs       slippage {f['slippage']:,.4f} ({f['slippage_bps']:.2f} bps from {f['clean_price']:,.4f}), "
        f"fee {f['fee']:,.4f} ({f['fee_bps']:.2f} bps, {'maker' if f['maker'] else 'taker'}); cash after {f['cash_after']:,.2f}",
    ]
    return lines


def decision_lines(d: Mapping[str, Any]) -> list[str]:
    """Signal, features, position before, size and caps of a decision."""
    signal = {1: "long", -1: "short", 0: "none"}[d["signal"]["side"]]
    lines = [
        f"decided     close of {out.stamp(d['close_ms'])} at {said(d['close'])}: {d['action']}"
        + (f" by {d['refused_by']}" if d.get("refused_by") else ""),
        f"signal      {signal}, strength {d['signal']['strength']:.4f}",
        "features    " + (", ".join(f"{k} {'-' if v is None else said(v)}" for k, v in d["features"].items()) or "none"),
        f"before      {d['position_before']['lots']:+,} lots"
        + (f", sleeve equity {d['equity']:,.2f}" if d.get("equity") is not None else ""),
    ]
    size = d.get("size")
    if size:
        wanted = f"wanted {size['units_wanted']:.6g} units at risk {size['risk_frac'] * 100:.3f} %"
        lines.append(f"size        {wanted}, approved {size['lots_approved']:,} lots; bound by {size['cap_binding']}")
        lines.append("caps        " + ", ".join(f"{k} {v:.6g}" for k, v in d["caps"].items()) + " (base units)")
        lines.append(f"distances   stop {size['stop_distance']:,.4f}, target {size['target_distance']:,.4f}")
    return lines


def close_text(found: Mapping[str, Any]) -> str:
    """One close of a run as lines."""
    d = found["decision"]
    run = found["run"]
    lines = [
        f"{found['sleeve']} at the close of {out.stamp(found['close_ms'])}: {found['text']}",
        f"{run['source'].upper()} data, run {run['run_id']}, fills {run['fills']}",
        *decision_lines(d),
    ]
    if d.get("sized_at"):
        lines += ["the refusal began, with its size and caps, at:", *decision_lines(d["sized_at"])]
    return "\n".join(lines)
