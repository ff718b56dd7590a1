"""Plans about the running desk: events, health, refusals, positions, pauses, proposals, halts, notes."""

import re

from agents import render
from agents.offline.developer import propose_change
from agents.offline.steps import (
    Plan,
    PlannedCall,
    Question,
    answer,
    asks_back,
    join_parts,
    name_list,
    result_text,
    sleeve_line,
    span_text,
    which_sleeve,
    window,
)
from engine.clock import utc

_KINDS = {
    "fill": r"\bfills?\b|\btrad(?:e|es|ed|ing)\b|\bbought\b|\bsold\b|\bentr(?:y|ies)\b|\bexits?\b|\borders?\b",
    "breaker": r"\bbreakers?\b",
    "halt": r"\bhalt\w*",
    "funding": r"\bfunding\b",
    "proposal": r"\bproposals?\b",
    "incident": r"\bincidents?\b",
    "decision": r"\bdecisions?\b",
}


def happened(q: Question) -> Plan:
    """What the journals say of a window."""
    args: dict[str, object] = dict(window(q.slots))
    kinds = [kind for kind, pattern in _KINDS.items() if re.search(pattern, q.slots.text)]
    sleeve = q.sleeve()
    if kinds:
        args["kinds"] = kinds
    if sleeve:
        args["sleeve"] = sleeve.name
    (result,) = yield [PlannedCall("journal_search", args)]
    what = f"list {name_list(kinds)} events" if kinds else "report what happened"
    return answer(
        join_parts(what, sleeve.name if sleeve else "", span_text(q.slots.span) or "since yesterday"), result_text(result)
    )


def wrong(_q: Question) -> Plan:
    """Is anything wrong?"""
    (result,) = yield [PlannedCall("health", {})]
    return answer("check the desk's health", result_text(result))


def refused(q: Question) -> Plan:
    """What was refused; a question why also explains the last refusal."""
    args: dict[str, object] = {"kinds": ["refused"], **window(q.slots)}
    sleeve = q.sleeve()
    if sleeve:
        args["sleeve"] = sleeve.name
    (found,) = yield [PlannedCall("journal_search", args)]
    understood = join_parts(
        "report what was refused", sleeve.name if sleeve else "", span_text(q.slots.span) or "since yesterday"
    )
    events = [e for e in found.evidence if re.fullmatch(r"[dp]-\d+", e)]
    if found.status == "ok" and events and re.search(r"\bwhy\b|\bhow come\b|\breason\b", q.slots.text):
        (reason,) = yield [PlannedCall("explain_event", {"event_id": events[-1]})]
        return answer(understood, result_text(found), f"The last of them, {events[-1]}: {result_text(reason)}")
    return answer(understood, result_text(found))


def explain(q: Question) -> Plan:
    """One event; or what a sleeve did at an instant; or the last fill."""
    event = next((i for i in q.slots.ids if re.fullmatch(r"[dp]-\d+", i)), None)
    if event:
        (result,) = yield [PlannedCall("explain_event", {"event_id": event})]
        return answer(f"explain event {event}", result_text(result))
    if q.slots.span.at:
        return (yield from why_not(q))
    sleeve = q.sleeve()
    args: dict[str, object] = {"kinds": ["fill"], **window(q.slots)}
    if sleeve:
        args["sleeve"] = sleeve.name
    (found,) = yield [PlannedCall("journal_search", args)]
    events = [e for e in found.evidence if re.fullmatch(r"d-\d+", e)]
    about = join_parts("explain the last fill", sleeve.name if sleeve else "", span_text(q.slots.span))
    if not events:
        return answer(about, result_text(found), "Name an event (`explain d-123`), or a sleeve and a time.")
    (result,) = yield [PlannedCall("explain_event", {"event_id": events[-1]})]
    return answer(f"{about}: {events[-1]}", result_text(result))


def why_not(q: Question) -> Plan:
    """What a sleeve decided at an instant, and which rule or missing signal kept it from more."""
    sleeve = q.sleeve()
    at = q.slots.span.at or q.slots.span.start
    when = f"at {at}" if at else "at the desk's last bar"
    if sleeve is None:
        return asks_back(f"explain what a sleeve did {when}", which_sleeve(q))
    if at is None and q.words.desk_ms is None:
        return asks_back(f"explain what {sleeve.name} did", "The desk has not processed a bar yet; start it with: nightdesk up")
    args = {"sleeve": sleeve.name, "at": at or utc(q.words.desk_ms or 0).removesuffix("Z").replace(" ", "T")}
    (result,) = yield [PlannedCall("explain_event", args)]
    return answer(f"explain what {sleeve.name} did, or why it did nothing, {when}", result_text(result))


def positions(q: Question) -> Plan:
    """Positions of all sleeves, or of the one named."""
    sleeve = q.sleeve()
    (result,) = yield [PlannedCall("sleeves", {"sleeve": sleeve.name} if sleeve else {})]
    return answer(f"show the position of {sleeve.name}" if sleeve else "show all positions", result_text(result))


def configuration(q: Question) -> Plan:
    """The live configuration of the sleeves, or of the one named."""
    sleeve = q.sleeve()
    (result,) = yield [PlannedCall("sleeves", {"sleeve": sleeve.name} if sleeve else {})]
    return answer(f"show the live configuration of {sleeve_line(sleeve) if sleeve else 'all sleeves'}", result_text(result))


def changes(q: Question) -> Plan:
    """Which configurations were adopted and which changes decided."""
    args = {"kinds": ["config", "proposal"], **(window(q.slots) or {"since": "30d"})}
    (result,) = yield [PlannedCall("journal_search", args)]
    return answer(
        join_parts("report what changed in the configuration", span_text(q.slots.span) or "in the last month"),
        result_text(result),
    )


def tighten(q: Question) -> Plan:
    """A change that lowers risk."""
    return (yield from propose_change(q))


def pause(q: Question) -> Plan:
    """Pause a sleeve's entries."""
    sleeve = q.sleeve()
    if sleeve is None:
        return asks_back("propose to pause a sleeve", which_sleeve(q))
    rationale = f"Asked by a person: {render.one_line(q.raw, 200)!r}."
    (result,) = yield [PlannedCall("propose_pause", {"sleeve": sleeve.name, "rationale": rationale})]
    return answer(f"propose to pause {sleeve_line(sleeve)}", result_text(result))


def proposals(q: Question) -> Plan:
    """Pending proposals, or the one named."""
    named = next((i for i in q.slots.ids if not re.match(r"(?:r|d|j)-", i) and not re.fullmatch(r"p-\d+", i)), None)
    if named:
        (result,) = yield [PlannedCall("proposals", {"proposal_id": named})]
        return answer(f"show proposal {named}", result_text(result))
    states = ("applied", "rejected", "expired", "stale", "superseded")
    state = next((s for s in states if s in q.slots.text), None)
    everything = state is None and re.search(r"\b(?:all|last|latest|list|recent|history|previous)\b", q.slots.text)
    args = {} if everything else {"state": state or "pending"}
    (result,) = yield [PlannedCall("proposals", args)]
    return answer(f"list {'the latest' if everything else state or 'pending'} proposals", result_text(result))


def halted(_q: Question) -> Plan:
    """Is the desk halted, and by whom?"""
    results = yield [PlannedCall("health", {}), PlannedCall("journal_search", {"kinds": ["halt"], "since": "30d"})]
    return answer("report whether the desk is halted", result_text(results[0]), result_text(results[1]))


def probe(_q: Question) -> Plan:
    """Everything that must hold before a halt can be released."""
    (result,) = yield [PlannedCall("probe", {})]
    return answer("check what must hold before a halt can be released", result_text(result))


HALT_GUIDE = """\
To halt now: write `/halt REASON` in any chat (it takes effect before any model reads it), or run `nightdesk halt --reason "..."`.
It latches and survives a restart: no new entries, open orders cancelled, positions flattened. No model is involved.

To resume, a person:

- looks at what happened: `nightdesk chat --role operator "what happened since yesterday?"`
- runs the release checks: `nightdesk chat --role operator "can the halt be released safely?"`
- releases the halt by name, with a reason: `nightdesk release --reason "..." --as NAME`"""


def halt_help(_q: Question) -> Plan:
    """How to halt and how to resume: our own text, no tool, no model."""
    yield from ()
    return answer("how to halt the desk, and how to release a halt", HALT_GUIDE)


PERSON_ONLY = (
    (r"\b(?:release|resume|un-?halt|lift)\b", 'A halt is released by a person: `nightdesk release --reason "..." --as NAME`.'),
    (
        r"\b(?:approve|accept|confirm|sign off|reject|decline|roll ?back)\b",
        "Only a named person decides on a change, and no chat can: `nightdesk proposals show ID`, then "
        "`nightdesk proposals approve ID --as NAME` (or `reject`, `rollback`).",
    ),
    (
        r"\b(?:limits?|guard-?rails?|breakers?|kill switch|checks?|daily loss)\b",
        "Hard limits and guardrails are set in desk.toml; no role can propose to change or disable them. A person edits "
        "the file while the desk is stopped.",
    ),
    (
        r"\b(?:keys?|password|credentials?|withdraw\w*|transfer)\b",
        "No role holds keys or can move funds. Keys exist only in the worker's environment.",
    ),
    (r"\bgo live\b", "Going live is a person's decision; no chat can make it."),
    (
        r"",
        "No role can place, change or close an order: the engine trades, inside its guardrails. To go flat now: `/halt REASON`. "
        "To stop one sleeve's entries, ask the operator to pause it.",
    ),
)


def person_only(q: Question) -> Plan:
    """What no model can do, and how a person does it."""
    yield from ()
    words = next(text for pattern, text in PERSON_ONLY if re.search(pattern, q.slots.text))
    return answer("something that only a person does", words)


def memory(q: Question) -> Plan:
    """What the desk remembers; quoted, as background."""
    text = q.slots.text
    topic = next((t for t in ("handoff", "desk", "developer", "operator", "advisor") if re.search(rf"\b{t}\b", text)), None)
    about = re.search(r"\b(?:about|on|of|for)\s+(.*?)[?.! ]*$", text)
    names = [*q.slots.symbols, *q.slots.strategies]
    if topic and not about:
        args = {"topic": topic}
    elif about or names:
        args = {"query": render.one_line(" ".join([about[1].replace("\u00b7", " ") if about else "", *names]).strip(), 120)}
    else:
        args = {}
    (result,) = yield [PlannedCall("memory", args)]
    quoted = (
        "\n".join(f"> {line}" for line in result.text.splitlines()) if args and result.status == "ok" else result_text(result)
    )
    return answer(f"look into memory{': ' + next(iter(args.values())) if args else ''}", quoted)


def note(q: Question) -> Plan:
    """A note into the inbox; it needs something that shows it."""
    ids = list(q.slots.ids) + [(q.handles or {}).get(h, h) for h in q.slots.handles]
    if not ids and (last := q.last("backtest", "compare", "run", "journal_search", "explain_event")) is not None:
        ids = list(last.evidence[:3])
    if not ids:
        return asks_back(
            "leave a note", "Which run, event or proposal shows it? Name its id, for example `note that d-12 was an outage`."
        )
    words = re.sub(
        r"(?i)^\W*(?:please\s+)?(?:note|remember|write down|leave a note|make a note|take a note|record|jot down|keep in mind)"
        r"(?:\s+(?:that|about|on|down|it))*[\s:,-]*",
        "",
        q.raw,
    )
    topic = q.slots.symbols[0] if q.slots.symbols else q.slots.strategy or "desk"
    args = {"topic": topic, "text": render.one_line(words or q.raw, 1000), "evidence": ids[:10]}
    (result,) = yield [PlannedCall("note", args)]
    return answer(f"leave a note on {topic}, shown by {name_list(ids[:10])}", result_text(result))
