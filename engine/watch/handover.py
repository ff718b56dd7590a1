"""The morning handover, made by code: desk journal, alerts and proposals -> a short text and the same as JSON.

Called by app.processes.scheduler at a set hour. "Yesterday" is in desk time: the last whole UTC day before its last bar. The
heads of both journals are in it, so that whoever kept the message can detect a truncated journal.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from engine.amounts import quantity_text
from engine.clock import DAY_MS, utc, utc_day
from engine.control import halt
from engine.control.checklists import open_lines
from engine.control.proposals import list_proposals as proposals
from engine.store.chain import Event
from engine.store.opened import head_of
from engine.watch.alert_rows import list_alerts as alerts
from engine.watch.attribution import WindowPnl, pnl_of_window
from engine.watch.incidents import windows_of
from engine.watch.window import between, journal_of, mark_at, mode_of, start_of

LISTED = 8  # proposals and alerts listed one by one


def make_handover(home: Path, engine: Engine, now_ms: int) -> tuple[str, dict[str, Any]]:
    """(text, body) of the handover at wall time `now_ms`. Raises DeskError when journal or database cannot be read."""
    path = journal_of(home)
    mark = mark_at(path)
    body: dict[str, Any] = {
        "made_ms": now_ms,
        "desk_ms": mark.t_event_ms if mark is not None else None,
        "heads": {name: head_of(home / "journal" / f"{name}.jsonl", sync=True)._asdict() for name in ("desk", "people")},
        "proposals": [
            {"id": row.id, "sleeve": row.sleeve, "direction": row.direction, "expires_ms": row.expires_ms}
            for row in proposals(engine, now_ms, "pending")
        ],
        "alerts": [
            {"id": row.id, "severity": row.severity, "what": row.what, "acked": row.acked_ms is not None}
            for row in alerts(engine, "open")
        ],
    }
    body["checklists"] = open_lines(home)
    body["incidents"] = [
        {"id": one.id, "opened_ms": one.opened_ms, "causes": one.causes, "covers": [*one.sleeves, *one.instruments]}
        for one in windows_of(path)
        if one.closed_ms is None
    ]
    latch = halt.read(home, engine)
    body["halt"] = {"halted": latch.halted, "by": latch.by, "reason": latch.reason}
    if mark is not None:
        body |= yesterday(home, mark)
    return "\n".join(text_lines(body)), body


def yesterday(home: Path, mark: Event) -> dict[str, Any]:
    """Results of the desk's last whole day."""
    path = journal_of(home)
    end = mark.t_event_ms // DAY_MS * DAY_MS
    events = list(between(path, end - DAY_MS, end, {"decision", "fill", "breaker", "order"}))
    refused = Counter(str(e.body["refused_by"]) for e in events if e.kind == "decision" and e.body["action"] == "refused")
    return {
        "source": start_of(path).get("source"),
        "stamp": mark.body.get("stamp") or mode_of(path).upper(),  # the mark of a start, before the first bar, has none
        "day": utc_day(end - DAY_MS),
        "pnl": pnl_parts(pnl_of_window(home, end - DAY_MS, end)),
        "fills": sum(e.kind == "fill" for e in events),
        "rejected": sum(e.kind == "order" and e.body["state"] == "rejected" for e in events),
        "refused": dict(refused.most_common()),
        "breakers": [f"{e.body['breaker']} ({e.body['sleeve'] or 'desk'})" for e in events if e.kind == "breaker"],
        "equity": mark.body["equity"],
        "version": mark.body["version"],
        "positions": {
            name: f"{s['position']['side']} {quantity_text(s['position']['quantity'])}"
            for name, s in mark.body["sleeves"].items()
            if s.get("position")
        },
    }


def pnl_parts(window: WindowPnl | None) -> dict[str, Any] | None:
    """P&L of the window in quote units: the desk's change, and outside of incidents its parts and what each sleeve made.

    None when no bar was decided in it.
    """
    if window is None:
        return None
    desk = window.attribution.desk
    parts = {name: getattr(desk, name) / 100 for name in ("change", "price", "fees", "funding", "slippage", "unexplained")}
    incident = {"incident": window.incident / 100} if window.incident else {}
    own = {share.sleeve: (share.change - share.incident) / 100 for share in window.attribution.shares}
    return parts | incident | {"sleeves": own}


def text_lines(body: dict[str, Any]) -> list[str]:
    """The handover as lines of text."""
    text = []
    if body["halt"]["halted"]:
        text.append(f"The desk is HALTED by {body['halt']['by'] or 'an unknown actor'}: {body['halt']['reason']}")
    text += day_lines(body) if body["desk_ms"] is not None else ["No bar decided yet."]
    waiting = [f"{p['id']} {p['direction'].upper()} {p['sleeve']}" for p in body["proposals"]]
    text.append(f"Proposals waiting for approval: {', '.join(waiting[:LISTED]) or 'none'}")
    for one in body["incidents"][:LISTED]:
        covers = ", ".join(one["covers"])[:160]
        text.append(f"Open incident {one['id']} since {utc(one['opened_ms'])}: {'; '.join(one['causes'])[:160]} ({covers})")
    open_ = [f"{a['id']} {a['severity']}{'' if a['acked'] else ', not acknowledged'}: {a['what'][:160]}" for a in body["alerts"]]
    text += [f"Open alert {line}" for line in open_[:LISTED]] or ["No open alerts."]
    text += [f"Runbook being worked through, {line}" for line in body["checklists"][:LISTED]]
    heads = [f"{name} {head['id'] or 'empty'} {head['hash'][:16]}" for name, head in body["heads"].items()]
    return [*text, f"Journal heads: {', '.join(heads)}"]


def day_lines(body: dict[str, Any]) -> list[str]:
    """Yesterday in a few lines."""
    pnl = body["pnl"]
    kind = f"{body['stamp'] or 'PAPER'}, {body['source'] or 'unknown'} bars"
    if pnl is None:
        first = f"Desk day {body['day']} ({kind}): no bar decided."
    else:
        parts = f"price {pnl['price']:+,.2f}, fees {pnl['fees']:+,.2f}, funding {pnl['funding']:+,.2f}"
        parts += f", slippage {pnl['slippage']:+,.2f}"
        parts += f"; beside these, in incidents {pnl['incident']:+,.2f}" if pnl.get("incident") else ""
        sleeves = ", ".join(f"{name} {change:+,.2f}" for name, change in pnl["sleeves"].items())
        first = f"Desk day {body['day']} ({kind}): P&L {pnl['change']:+,.2f} ({parts}). {sleeves}"
    refused = ", ".join(f"{count} by {rule}" for rule, count in body["refused"].items()) or "none"
    positions = ", ".join(f"{name} {text}" for name, text in body["positions"].items()) or "flat"
    breakers = ", ".join(body["breakers"]) or "none"
    return [
        first,
        f"{body['fills']} fills; refused: {refused}; rejected: {body['rejected']}; breakers: {breakers}",
        f"Now: equity {body['equity']:,.2f}, {positions}, configuration version {body['version']}",
    ]
