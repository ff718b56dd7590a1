"""What is done for a question: one call of the chosen tool with the arguments named, or one of the few plans that need more.

Called by model.py. A tool without a plan of its own here is called once, and its text and table are the answer.
"""

import re
from collections.abc import Mapping
from typing import Any

from agents.offline import run_plans
from agents.offline.calls import made, once
from agents.offline.changes import propose
from agents.offline.fill import arguments, free_words
from agents.offline.steps import (
    Plan,
    PlannedAnswer,
    PlannedCall,
    PlanOf,
    Question,
    asks_back,
    drafted,
    result_text,
    which_sleeve,
    window,
)
from agents.offline.watch_plans import watch
from engine.clock import utc
from tools.common import render


def plan_of(q: Question) -> Plan:
    """The plan of a question whose entry is chosen and allowed."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    return _PLANS.get(q.entry.tool.name, once)(q)


# --------------------------------------------------------------------------- the desk


def journal(q: Question) -> Plan:
    """Events of a window; a question why also explains the last refusal."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    args = arguments(q, q.entry.tool) | window(q.slots.span)
    changed = q.entry.asked.about == "setting"
    halted = q.entry.asked.nouns[0] == "halted"
    refused = "refused" in q.entry.asked.nouns
    if changed and re.search(r"\b(?:config\w*|versions?|settings?|parameters?|approved|adopted)\b|\blast change", q.slots.text):
        args = {"since": "30d"} | args | {"kinds": ["config", "proposal"]}
    elif changed:
        args.pop("kinds", None)
    if refused:
        args |= {"kinds": ["refused"]}
    if halted:
        calls = [PlannedCall("health", {}), PlannedCall("journal_search", {"kinds": ["halt"], "since": "30d"})]
        return (yield from made(calls))
    if "kinds" in args and set(args["kinds"]) & {"halt", "breaker"} and "operator" in q.slots.text:
        args.pop("kinds")
    call = PlannedCall("journal_search", args)
    (found,) = yield [call]
    events = [e for e in found.evidence if re.fullmatch(r"[dp]-\d+", e)]
    if refused and found.status == "ok" and events and re.search(r"\bwhy\b|\bhow come\b|\breason\b", q.slots.text):
        (reason,) = yield [PlannedCall("explain_event", {"event_id": events[-1]})]
        text = f"The last of them, {events[-1]}: {result_text(reason)}\n\n{result_text(found)}"
        return PlannedAnswer(text, read_as=f"why the last entry was refused, {events[-1]}")
    return drafted([call], [found])


def explain(q: Question) -> Plan:
    """One event; or what a sleeve did at an instant, or did not; or the last fill."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    args = arguments(q, q.entry.tool)
    if args.get("event_id"):
        return (yield from made([PlannedCall("explain_event", {"event_id": args["event_id"]})]))
    if q.entry.asked.about == "sleeve" or q.slots.span.at:
        return (yield from _at(q))
    sleeve = q.sleeve()
    search = {"kinds": ["fill"], **window(q.slots.span), **({"sleeve": sleeve.name} if sleeve else {})}
    (found,) = yield [PlannedCall("journal_search", search)]
    events = [e for e in found.evidence if re.fullmatch(r"d-\d+", e)]
    if not events:
        return PlannedAnswer(f"{result_text(found)}\n\nName an event (`explain d-123`), or a sleeve and a time.")
    return (yield from made([PlannedCall("explain_event", {"event_id": events[-1]})]))


def _at(q: Question) -> Plan:
    """What a sleeve decided: at the instant named, or at the last bar of the span named, with what it refused within it."""
    sleeve, span = q.sleeve(), q.slots.span
    if sleeve is None:
        return asks_back(which_sleeve(q))
    if span.at is None and q.words.desk_ms is None:
        return asks_back("The desk has not processed a bar yet; start it with: nightdesk up")
    last = utc(q.words.desk_ms or 0).removesuffix("Z").replace(" ", "T")
    at = span.at or (min(span.end, last) if span.end else last)
    calls = [PlannedCall("explain_event", {"sleeve": sleeve.name, "at": at})]
    if span.start and not span.at:
        calls.append(
            PlannedCall("journal_search", {"kinds": ["refused", "breaker", "fill"], "sleeve": sleeve.name, **window(span)})
        )
    return (yield from made(calls))


def health(q: Question) -> Plan:
    """What is wrong; asked what to look at, also what waits for a decision."""
    ranked = q.entry is not None and q.entry.asked.want == "rank"
    more = [PlannedCall("proposals", {"state": "pending"}), PlannedCall("desk", {})] if ranked else []
    return (yield from made([PlannedCall("health", {}), *more]))


def attribution(q: Question) -> Plan:
    """Where the P&L comes from, in the window named."""
    return (yield from made([PlannedCall("attribution", window(q.slots.span))]))


def proposals(q: Question) -> Plan:
    """Pending proposals, those in the state named, or the one named."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    args = arguments(q, q.entry.tool)
    if "proposal_id" in args:
        args = {"proposal_id": args["proposal_id"]}
    elif "state" not in args and not re.search(r"\b(?:all|last|latest|list|recent|history|previous)\b", q.slots.text):
        args["state"] = "pending"
    return (yield from made([PlannedCall("proposals", args)]))


_LAST = {"hour": "1h", "day": "24h", "week": "7d", "weekend": "3d", "month": "31d"}
_WHEN = re.compile(
    r"\b(last night|overnight|yesterday|today|(?:the )?(?:last|past) \d{1,3} ?(?:hours?|h|days?|d|weeks?|minutes?))\b"
)


def alerts(q: Question) -> Plan:
    """Alerts: the one named, those of a window of wall time, or the open ones and those of the last day."""
    text, named = q.slots.text, next((i for i in q.slots.ids if i.startswith("al-")), None)
    args: dict[str, Any] = {"alert_id": named} if named else {}
    since = None
    if found := _WHEN.search(text):
        since = re.sub(r"^(?:the )?(?:last|past) (?=\d)", "", found[1])
    elif found := re.search(r"\b(?:this|last|past|the last|the past) (hour|day|weekend|week|month)\b", text):
        since = _LAST[found[1]]
    elif re.search(r"\d{4}-\d{2}|\b(?:19|20)\d{2}\b", text):
        since = q.slots.span.at or q.slots.span.start
    if since and not named:
        args["since"] = since
    elif not named and q.entry and (state := arguments(q, q.entry.tool).get("state")):
        args["state"] = state
    return (yield from made([PlannedCall("alerts", args)]))


def runbook(q: Question) -> Plan:
    """The desk's own page for what is wrong."""
    ids = [i for i in q.slots.ids if i.startswith("al-") or re.fullmatch(r"[dp]-\d+", i)]
    about = ids[0] if ids else free_words(q)
    if not about and re.search(r"\b(?:it|that|this|them)\b", q.slots.text) and q.last("alerts", "health"):
        (found,) = yield [PlannedCall("alerts", {"state": "open"})]  # asked anew: what was listed may be over, or more have come
        about = next((i for i in found.evidence if i.startswith("al-")), None)
        if about is None:
            lists = "`show the runbooks` lists what to do for each kind of trouble."
            return PlannedAnswer(f"{result_text(found)}\n\n{lists}", read_as="what to do about the open alerts")
    return (yield from made([PlannedCall("runbook", {"about": about} if about else {})]))


def memory(q: Question) -> Plan:
    """What the desk remembers; quoted, as background."""
    text = q.slots.text
    topic = next((t for t in ("handoff", "desk", "developer", "operator", "advisor") if re.search(rf"\b{t}\b", text)), None)
    about = re.search(r"\b(?:about|on|of|for)\s+(.*?)[?.! ]*$", text)
    names = " ".join(dict.fromkeys([about[1] if about else "", *q.slots.symbols, *q.slots.strategies])).strip()
    args = {"topic": topic} if topic and not about else {"query": render.one_line(names, 120)} if names else {}
    return (yield from made([PlannedCall("memory", args)]))


_NOTED = re.compile(
    r"(?i)^\W*(?:please\s+)?(?:note|remember|write down|leave a note|make a note|take a note|record|jot down|keep in mind)"
    r"(?:\s+(?:that|about|on|down|it))*[\s:,-]*"
)


def note(q: Question) -> Plan:
    """A note into the inbox; with the ids that show it, where the tool asks for some."""
    assert q.entry is not None  # noqa: S101 - chosen by the caller
    ids = list(q.slots.ids) + [q.handles.get(h, h) for h in q.slots.handles]
    if not ids and (last := q.last("backtest", "compare", "run", "journal_search", "explain_event")) is not None:
        ids = list(last.evidence[:3])
    if not ids and q.entry.tool.args.model_fields["evidence"].is_required():
        return asks_back("Which run, event or proposal shows it? Name its id, for example `note that d-12 was an outage`.")
    topic = q.slots.symbols[0] if q.slots.symbols else q.slots.strategy or "desk"
    args = {"topic": topic, "text": render.one_line(_NOTED.sub("", q.raw) or q.raw, 1000)} | (
        {"evidence": ids[:10]} if ids else {}
    )
    return (yield from made([PlannedCall("note", args)]))


_PLANS: Mapping[str, PlanOf] = {
    "backtest": run_plans.backtest,
    "compare": run_plans.compare,
    "leaks": run_plans.leaks,
    "run": run_plans.run,
    "round_trip": run_plans.round_trip,
    "list_strategies": run_plans.strategies,
    "journal_search": journal,
    "explain_event": explain,
    "health": health,
    "attribution": attribution,
    "proposals": proposals,
    "alerts": alerts,
    "runbook": runbook,
    "memory": memory,
    "propose_watch": watch,
    "note": note,
    "propose_config": propose,
    "propose_tightening": propose,
}
