"""What is or was wrong and what to do about it: alerts and runbook. Called by the catalog.

Alerts are rows that the supervisor's watch writes without any model; they use wall time, like everything people act on. A
runbook is our own page in docs/runbooks, found by tools/shipped.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from engine.clock import DAY_MS, HOUR_MS, utc, utc_day
from engine.control.checklists import open_ones, where
from engine.errors import BadInput
from engine.watch.incidents import lessons_of
from engine.watch.window import journal_of
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.common.ids import find_event
from tools.common.time_words import instant
from tools.shipped import RUNBOOK_PAGES

LESSONS_MAX = 12  # of a runbook, the newest
LOOKED_AT = 500  # alerts of one state that are searched
EVENING_MS = 6 * HOUR_MS  # last night began at 18:00 UTC
# what people say -> kind of alert; the first match wins, so worse or more specific kinds come first
SPOKEN: tuple[tuple[str, str], ...] = (
    ("protective", r"\bprotective|\bnaked\b|\b(?:without|no|missing) (?:a )?stops?\b|\bunprotected\b"),
    ("protective", r"\bstops?\b.*\b(?:gone|vanished|missing)\b"),
    ("stop", r"\bstops?\b.*\b(?:moved?|stuck|amend\w*)|\b(?:moved?|stuck|amend\w*)\b.*\bstops?\b"),
    ("parity", r"\bparity\b|\bdiffer\w*\b.*\bbacktests?\b|\bbacktests?\b.*\bdiffer\w*"),
    ("halt", r"\bkill(?:ed|s|ing|[- ]switch)?\b|\b(?:restart|start again)\b.*\bhalt"),
    ("difference", r"\bfills?\b.*\b(?:arriv|come|late|missing|lost)|\b(?:late|missing|lost)\b.*\bfills?\b"),
    (
        "difference",
        r"\borders?\b.*\b(?:stuck|doubt|hang\w*|time[sd]? out|timeout|unanswered)\b|\b(?:stuck|hanging|lost) orders?\b",
    ),
    (
        "difference",
        r"\bbooks?\b.*\b(?:match|agree|venue|exchange)|\bdiffer\w*|\breconcil\w*|\badopt\w*|\bunknown (?:order|trade)",
    ),
    ("rejected", r"\breject"),
    ("refused", r"\brefus|\bblocked\b"),
    ("delivery", r"\bdeliver|\bslack\b|\b(?:messages?|alerts?)\b.*\b(?:sent|arriv|not come|lost)"),
    ("journal", r"\bjournal|\bhash chain\b|\btamper|\bverif"),
    ("liquidation", r"\bliquidat|\bmargin\b"),
    ("drawdown", r"\bdraw-?downs?\b"),
    ("breaker", r"\bbreakers?\b|\bdaily loss\b|\bloss streak\b"),
    ("disk", r"\bdisk\b|\bspace\b|\bstorage\b"),
    ("watch", r"\bwatch\b|\bblind\b|\b(?:cannot|can't|could not) be (?:seen|looked)"),
    ("worker", r"\bworkers?\b|\bprocess(?:es)?\b|\bcrash|\bhang(?:s|ing)?\b|\brestart"),
    ("proposal", r"\bproposals?\b|\bexpired?\b"),
    ("halt", r"\bhalt"),
    ("incident", r"\bincidents?\b"),
    (
        "bars",
        r"\b(?:exchange|venue|binance|bybit|okx|internet|network|connection)\b.*\b(?:down|out|outage|offline|away|unreachable|maintenance|dead|"
        r"answer\w*|respon\w*|repl\w*|silent|quiet|lost|gone|cut|drop\w*)\b|\boutage\b",
    ),
    ("bars", r"\bbars?\b|\bstale\b|\bprices?\b|\bfeed\b|\bcandles?\b|\bdata\b"),
)
PAGES_SPOKEN: tuple[tuple[str, str], ...] = (  # of pages that no kind of alert opens by itself
    ("orphan", r"\borphan"),
    ("unknown-order", r"\b(?:unknown|foreign) (?:order|trade)"),
    ("gate-closed", r"\bgate\b"),
    ("identity", r"\b(?:money|cents?|cash|books?)\b.*\b(?:missing|add up|adds up|short)\b"),
)
_UNITS = {
    "equity": "usd",
    "price": "price",
    "peak": "usd",
    "high_water": "usd",
    "entry": "price",
    "protective": "price",
    "stop_at": "price",
    "wanted": "base",
}


class AlertsArgs(Args):
    """One alert by id (al-3); or a state, and a window of wall time (last night, 24h, 2025-03-04T05:15). All null: open
    alerts, and those resolved in the last day."""

    alert_id: str | None = Field(None, max_length=20)
    state: Literal["open", "resolved"] | None = None
    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)
    limit: int = Field(10, ge=1, le=50)


class RunbookArgs(Args):
    """An alert id (al-3) or kind (bars, worker), a journal event, a page name, or words such as `dead worker`; null: the
    list of pages."""

    about: str | None = Field(None, max_length=200)


@tool(
    "alerts",
    Effect.READ,
    asked_as(
        "",
        "what alerts are open?; who acknowledged the page last night?; which alerts fired yesterday?; show alert al-3; "
        "any alerts overnight?; was anyone paged last night?; is anybody on the open alerts?; did the alert reach Slack?; "
        "what alarms went off today?; how many alerts were there this week?; which alerts were resolved?; what's the "
        "status of alert al-7; has anyone acknowledged it?; who is on the alert about the worker?; which alert is the "
        "most serious?; what was the last alert?; who got paged?; why was I paged?; what was that alert?; how many alerts "
        "are open and since when?; when did the alert come in?",
    ),
)
def alerts(ctx: ToolContext, args: AlertsArgs) -> ToolResult:
    """Open and recent alerts: what, where, since when (wall time), numbers, state, who acknowledged it, delivery of its
    messages, runbook."""
    from engine.watch.alert_rows import deliveries_of, get, list_alerts, view

    if args.alert_id:
        bare = args.alert_id.strip().lower()
        rows = [get(ctx.engine, f"al-{bare}" if bare.isdigit() else bare)]
        of = "Requested"
    else:
        found = [list_alerts(ctx.engine, s, LOOKED_AT) for s in (("open", "resolved") if args.state is None else (args.state,))]
        low, high = window_of(args, ctx.now_ms)
        rows = [row for part in found for row in part if row.opened_ms < high and (row.resolved_ms or high) >= low]
        of = f"Alerts between {utc(low)} and {utc(min(high, ctx.now_ms))} of wall time" if low else "Alerts"
    open_ = sum(row.state == "open" for row in rows)
    values: dict[str, tuple[Value, str]] = {"open": (open_, "count"), "resolved": (len(rows) - open_, "count")}
    values["unanswered"] = (sum(row.state == "open" and row.acked_ms is None for row in rows), "count")
    h = ctx.handle("o", f"alerts {args.alert_id} {args.state} {args.since} {args.until}")
    facts: tuple[Fact, ...] = make_facts(h, "alerts", Evidence("desk", "alerts"), values)
    shown = [view(row, deliveries_of(ctx.engine, row.id)) for row in rows[: args.limit]]
    lines = [f"{of}: {{{h}.open}} open ({{{h}.unanswered}} unacknowledged), {{{h}.resolved}} resolved."]
    if taken := [f"{item['id']} by {acknowledged_by(item)}" for item in shown if acknowledged_by(item)]:
        lines.append(f"Acknowledged: {', '.join(taken)}.")
    if len(rows) > len(shown):
        lines.append("Only the newest of each state are shown; name an alert or a window for others.")
    if not open_ and args.state != "resolved" and not args.alert_id:
        lines.append("No open alert is not proof of health: ask for the health checks.")
    table_rows = []
    for item in shown:
        made = alert_facts(ctx, item)
        facts += made
        lines.append(sentence(item, made[0].ref.partition(".")[0]))
        table_rows.append(row_of(item, made[0].ref.partition(".")[0]))
    evidence = tuple(dict.fromkeys(e for item in shown for e in evidence_of(item)))
    table = Table(("alert", "severity", "where", "since (wall time)", "state", "acknowledged by"), tuple(table_rows))
    data = {"alerts": [item["id"] for item in shown], "open": open_}
    return ToolResult("ok", "\n\n".join(lines), facts, evidence, table if table_rows else None, data)


_WEEK = ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")


def window_of(args: AlertsArgs, now_ms: int) -> tuple[int, int]:
    """[from, to) in wall time. Without a window: the last day, or everything when a state was named."""
    low = moment(args.since, now_ms) if args.since else 0 if args.state else now_ms - DAY_MS
    high = moment(args.until, now_ms) if args.until else now_ms + 1
    if high <= low:
        raise BadInput(f"the window is empty or reversed: {utc(low)} to {utc(high)}")
    return low, high


def moment(text: str, now_ms: int) -> int:
    """An instant of wall time; `last night` and `overnight` begin at 18:00 UTC of the day before, `monday` at its midnight."""
    if re.fullmatch(r"(?:since )?(?:last night|overnight|the night)", text.strip().lower()):
        return now_ms - now_ms % DAY_MS - EVENING_MS
    if day := re.fullmatch(r"(?:since )?(?:last )?(mon|tues|wednes|thurs|fri|satur|sun)day", text.strip().lower()):
        back = (now_ms // DAY_MS + 3 - _WEEK.index(day[1])) % 7  # 1970 began on a Thursday
        return now_ms - now_ms % DAY_MS - int(back) * DAY_MS
    return instant(text, now_ms)


def alert_facts(ctx: ToolContext, item: Mapping[str, Any]) -> tuple[Fact, ...]:
    """The figures of one alert, its numbers included."""
    messages = [d["state"] for d in item["deliveries"]]
    end = item["resolved_ms"] or ctx.now_ms
    values: dict[str, tuple[Value, str]] = {
        "since": (item["since_ms"], "ms"),
        "opened": (item["opened_ms"], "ms"),
        "lasted": (max(0, end - item["since_ms"]), "duration_ms"),
        "acknowledged": (item["acked_ms"], "ms"),
        "resolved": (item["resolved_ms"], "ms"),
        "repeats": (item["repeats"], "count"),
        "escalations": (item["escalations"], "count"),
        "messages_sent": (messages.count("sent"), "count"),
        "messages_failed": (messages.count("failed"), "count"),
        "messages_waiting": (messages.count("waiting") + messages.count("sending"), "count"),
        "acknowledged_by": (acknowledged_by(item), "text"),
    }
    for key, value in item["numbers"].items():
        if key != "level" and isinstance(value, int | float) and not isinstance(value, bool):
            values[re.sub(r"\W", "_", key)] = with_unit(key, value)
    subject = f"alert {item['id']}, {clean(item['place'], 60)}"
    return make_facts(ctx.handle("w", item["id"]), subject, Evidence("alert", item["id"]), values)


def with_unit(key: str, value: float) -> tuple[Value, str]:
    """A number of an alert with the unit its name implies."""
    if key.endswith("_s"):
        return value * 1000, "duration_ms"
    if key.endswith("_ms"):
        return value, "ms"
    if "_frac" in key:
        return value, "frac"
    return value, _UNITS.get(key, "count")


def sentence(item: Mapping[str, Any], h: str) -> str:
    """One alert in words; text from outside is cleaned."""
    name = acknowledged_by(item)
    on_it = f"acknowledged by {name} at {{{h}.acknowledged}}" if name else "not acknowledged"
    state = "open" if item["state"] == "open" else f"resolved at {{{h}.resolved}}"
    parts = [f"{item['id']} {item['severity'].upper()} ({item['kind']}, {clean(item['place'], 80)}): {clean(item['what'], 400)}"]
    parts.append(f"Since {{{h}.since}}, {state}; {on_it}; messages: {deliveries_text(item['deliveries'])}")
    if item["state"] == "open":
        parts.append(f"To do: {clean(item['action'], 300)} (runbook {page_of(item['kind'])})")
    return ". ".join(part.rstrip(".") for part in parts) + "."


def deliveries_text(deliveries: Sequence[Mapping[str, Any]]) -> str:
    """The delivery states of an alert's messages."""
    told = []
    for d in deliveries:
        how = f"{d['state']} {utc(d['sent_ms'])}" if d["sent_ms"] else d["state"]
        told.append(f"{d['step']} to {d['sink']} {how}" + (f" ({clean(d['error'], 80)})" if d["error"] else ""))
    return ", ".join(told[-6:]) or "none (shown on the page only)"


def row_of(item: Mapping[str, Any], h: str) -> tuple[Value, ...]:
    """One alert as a row."""
    state = "open" if item["state"] == "open" else "resolved"
    name = acknowledged_by(item)
    return (
        item["id"],
        item["severity"],
        clean(item["place"], 60),
        f"{{{h}.since}}",
        state,
        f"{{{h}.acknowledged_by}}" if name else "-",
    )


def acknowledged_by(item: Mapping[str, Any]) -> str | None:
    """Who acknowledged an alert; None when unacknowledged."""
    by = item["acked_by"] or {}
    return clean(by.get("name") or "unknown", 60) if by else None


def evidence_of(item: Mapping[str, Any]) -> tuple[Evidence, ...]:
    """The alert itself, and its journal event if it has one."""
    return (Evidence("alert", item["id"]), *([Evidence("event", item["event"])] if item["event"] else []))


@tool(
    "runbook",
    Effect.READ,
    asked_as(
        "",
        "what do I do about stale bars?; show the runbook for a dead worker; which runbooks are there?; how do I deal "
        "with rejected orders?; what do we do if the disk is full; how should I react to a tripped breaker?; the journal "
        "is broken, what now?; steps for a missing protective order; what should I do when the worker hangs?; how do I "
        "fix alerts that are not delivered?; what must I do now that the worker died?; what should i do about it; a "
        "position without protective order: what do I do?; is there a playbook for refused orders?; give me the checklist "
        "for a dead feed; how do i get the worker going again?; how do I bring the feed back?; what's the procedure when "
        "a stop order is missing?; how do I recover from a crashed worker?; what to do about the open alert",
    ),
)
def runbook(ctx: ToolContext, args: RunbookArgs) -> ToolResult:
    """What to do about an alert or incident: the desk's own page, written by people, steps in order."""
    pages = titles()
    if not pages:
        return no_data(f"no runbooks found in {RUNBOOK_PAGES}: this installation is not whole")
    name = page_for(ctx, args.about) if args.about else ""
    if name is None:
        return no_data(f"no runbook matches {clean(args.about, 80)!r}; available: {', '.join(pages)}")
    if not name:
        rows = tuple((page, title) for page, title in pages.items())
        return ToolResult("ok", f"Runbooks: {', '.join(pages)}.", table=Table(("runbook", "when"), rows))
    evidence: tuple[Evidence, ...] = (Evidence("page", f"docs/runbooks/{name}.md"),)
    text = (RUNBOOK_PAGES / f"{name}.md").read_text(encoding="utf-8").strip()
    head = f"Runbook {name} (trusted: the desk's own page, docs/runbooks/{name}.md)."
    lessons = [one for one in lessons_of(journal_of(ctx.home)) if name in one.pages][-LESSONS_MAX:]
    if lessons:
        text += "\n\nChecks from this desk's own incidents, in the words of the people who closed them:\n\n"
        about = ((one, f"{one.window}, {utc_day(one.closed_ms)}, {clean(one.by, 60)}") for one in lessons)
        text += "\n".join(f"- {clean(one.text, 300)} ({whose})" for one, whose in about)
    evidence += tuple(Evidence("page", f"incidents/{one.window}") for one in lessons)
    worked = [where(one) for one in open_ones(ctx.home) if one.runbook == name]
    text += f"\n\nBeing worked through: {clean('; '.join(worked), 400)}." if worked else ""
    return ToolResult("ok", f"{head}\n\n{with_bold_title(text)}", evidence=evidence, data={"runbook": name})


def with_bold_title(text: str) -> str:
    """The page with its title as a bold line, for use inside an answer."""
    title, _, rest = text.partition("\n")
    return f"**{title.lstrip('# ')}**\n{rest}"


def titles() -> dict[str, str]:
    """Every page with its title line."""
    from engine.watch.runbooks import titles_in

    return titles_in(RUNBOOK_PAGES)


def page_of(kind: str) -> str:
    """The page of a kind of alert."""
    from engine.watch.observation import RUNBOOKS

    return RUNBOOKS.get(kind, "incident")


def page_for(ctx: ToolContext, about: str) -> str | None:
    """The page that `about` means: an alert, an event, a page's own name, a kind, or words; None when nothing matches."""
    from engine.watch.alert_rows import get
    from engine.watch.observation import RUNBOOKS

    low = about.strip().lower()
    if found := re.search(r"\bal-\d{1,9}\b", low):
        return page_of(get(ctx.engine, found[0]).kind)
    if found := re.search(r"\b[dp]-\d{1,12}\b", low):
        return of_event(ctx, found[0])
    name = low.removeprefix("docs/runbooks/").removesuffix(".md").replace(" ", "-")
    if name in titles():
        return name
    if (spoken := next((page for page, pattern in PAGES_SPOKEN if re.search(pattern, low)), None)) in titles():
        return spoken
    kind = low if low in RUNBOOKS else next((kind for kind, pattern in SPOKEN if re.search(pattern, low)), None)
    return page_of(kind) if kind else None


def of_event(ctx: ToolContext, event_id: str) -> str | None:
    """The page for a journal event: of the alert that names it, else of its kind. BadInput for an unknown event."""
    from engine.watch.alert_rows import list_alerts

    named = next((row for row in list_alerts(ctx.engine, None, LOOKED_AT) if row.event == event_id), None)
    if named is not None:
        return page_of(named.kind)
    event = find_event(ctx, event_id)
    if event is None:
        raise BadInput(f"unknown event {event_id}", "find its id with journal_search")
    if event.kind == "decision" and event.body.get("action") == "refused":
        return page_of("refused")
    if event.kind == "order" and event.body.get("state") == "rejected":
        return page_of("rejected")
    return page_of(event.kind) if event.kind in ("incident", "halt", "breaker") else None
