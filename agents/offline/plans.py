"""What is done for a question: one call of the chosen tool with the arguments named, or one of the few plans that need more.

Called by model.py. A tool without a plan of its own here is called once, and its text and table are the answer.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agents.offline import desk_plans, figure_plans, model_plans, page_plans, research_plans, run_plans, trip_plans
from agents.offline.calls import made, not_given, once
from agents.offline.changes import not_yet, propose
from agents.offline.drafts import asks_back, drafted, each_of, name_list, result_text, which_sleeve, window
from agents.offline.figure_plans import SLEEVES_MAX
from agents.offline.fill import arguments
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.ways import SAY
from agents.offline.words import LISTS, PATTERNS, says
from engine.clock import HOUR_MS, utc
from tools.common.time_words import instant

HALF_HOUR_MS = HOUR_MS // 2


def plan_of(q: Question) -> Plan:
    """The plan of a question whose entry is chosen and allowed."""
    meant = ""
    for tools, found in ((_OF_A_RUN, figure_plans.about_run), (_MAKES_A_RUN, research_plans.based)):
        if q.chosen.tool.name in tools:
            q, meant = yield from found(q)
    if meant.startswith("No stored run"):
        return PlannedAnswer(meant)
    if q.chosen.tool.name in _MAKES_A_RUN and (spans := run_plans.halves(q)):
        drafts: list[PlannedAnswer] = []
        for of in spans:
            drafts.append(
                (yield from plan_of(replace(q, raw="", slots=replace(q.slots, span=of, periods=(), move=None, unclear=()))))
            )
        return each_of([f"{of.start} to {of.end}" for of in spans], drafts)
    plan = _PLANS.get(q.chosen.tool.name, once)(q)
    draft = (yield from plan).after(
        SAY["after_costs"] if q.chosen.tool.name in _NET and says("plans.includes", q.slots.text) else ""
    )
    draft = draft.after(meant)
    return draft if draft.asked_back or not_given(q) in draft.text else draft.after(not_given(q))


_NET = ("run", "trips", "performance", "pnl", "define", "attribution")
_MAKES_A_RUN = ("backtest", "compare", "judge", "sweep", "walkforward")
_OF_A_RUN = ("run", "round_trip", "trips", "performance", "pnl", "excursions", "trials")


def journal(q: Question) -> Plan:
    """Events of a window; a question why also explains the last refusal."""
    args, text, slots = arguments(q) | window(q.slots.span), q.slots.text, q.slots
    kind, now, start = q.chosen.asked.kind, q.words.desk_ms, q.slots.span.start or q.slots.span.at
    at = slots.span.at if "T" in (slots.span.at or "") and "since" not in text else None
    if at and now is not None:  # `around 3am`: what was before and after it
        args |= {end: _iso(instant(at, now) + by) for end, by in (("since", -HALF_HOUR_MS), ("until", HALF_HOUR_MS))}
    if now is not None and start and start > _iso(now):
        return PlannedAnswer(f"The desk has not come to {start.replace('T', ' ')} yet: its time is {utc(now)}.")
    if not start and ("ever" in slots.places or (kind == "breaker" and PATTERNS["plans.whether"].match(text))):
        args["since"] = "2009-01-01"  # `since the start`: whether it did at all is no question about yesterday
    if not start and slots.which == "last" and slots.count:  # however old they are
        args["since"] = "30d"
    if (ended := says("plans.of_exit", text)) and args.get("kinds", ["fill"]) == ["fill"]:
        args |= {"text": f"by {next(name for name in ('trail', 'target', 'stop') if name in ended[0])}", "kinds": ["fill"]}
    if ranked := says("plans.fills_by", text):
        by = next(by for by, form in LISTS["fills_by"].items() if re.search(form, text)) if slots.which != "last" else "time"
        some = {"kinds": ["fill"], "fills_by": by, "limit": slots.count or (1 if ranked["one"] or ranked["order"] else 10)}
        return (yield from made([PlannedCall("journal_search", {"since": "30d"} | args | some)]))
    if "fills_by" in args and not start:
        args["since"] = "30d"
    if args.get("kinds") == ["refused", "breaker"] and "breaker" in text and not says("plans.refusals", text):
        args["kinds"] = ["breaker"]  # `blocked by a breaker`
    before: list[PlannedCall] = []  # asked before the events, or after them
    after: list[PlannedCall] = []
    if kind == "config" and PATTERNS["plans.changed"].match(text):  # whatever changed, not the configuration alone
        args.pop("kinds", None)
    elif kind == "config":
        args = {"since": "30d"} | args | {"kinds": ["config", "proposal"]}
        before = [PlannedCall("proposals", {"state": "applied"})] * bool(says("plans.signed", text))  # the cards say by whom
    elif kind == "refused":
        args |= {"kinds": ["refused"]}
    elif kind == "halt":
        after, args = [PlannedCall("health", {})], {"since": "2009-01-01"} | args | {"kinds": ["halt"]}
    if not before and says("plans.missed", text) and "kinds" not in args:  # what waits for a person is no event of the desk's
        after = [PlannedCall("alerts", {}), PlannedCall("proposals", {"state": "pending"})]
    if kind == "halt":
        results = yield (calls := [PlannedCall("journal_search", args), *after])
        rows = [row for row in results[0].rows() if row["kind"] == "halt"]
        now_is = [f" Now: {row['found']}." for row in results[-1].rows() if row.get("what") == "halt"]  # it may be released
        halts = [f"The last halt: {row['desk time']}, {row['what']} ({row['event']}).{''.join(now_is)}" for row in rows]
        none = "No halt in that window." if start else "The desk was never halted, by its journal."
        return drafted(calls, results).after(halts[-1] if halts else none if results[0].status in ("ok", "no_data") else "")
    if before or after:
        calls = [*before, PlannedCall("journal_search", args), *after]
        results = yield calls
        due = desk_plans.left_over(results) if after and says("plans.to_do", text) else []
        return drafted(calls, results).after("\n".join(["What waits for a person:", *due]) if due else "")
    if "operator actions" in text:  # people act in wall time, which no window of desk time holds
        args = {**args, "since": "2009-01-01", "kinds": ["proposal", "config", "halt"]}
        args.pop("until", None)
    long = {"limit": 60} if args.get("kinds") == ["breaker"] and "since" in args else {}  # with until when: each of them
    call = PlannedCall("journal_search", long | args)
    (found,) = yield [call]
    if kind == "config" and args.get("sleeve") and found.status == "ok" and not found.rows():  # a version is of the whole desk
        own = args.pop("sleeve")
        (found,) = yield [call := PlannedCall("journal_search", args | {"since": "2009-01-01"})]
        none = f"Nothing was changed on {own} in that window; its approvals would be listed with their names. "
        return drafted([call], [found]).after(f"{none}What is below is of the whole desk.")
    newest = max(map(_ended, found.rows()), key=lambda row: row.get("desk time", ""), default=None)
    last = slots.which == "last" and not slots.count and found.status == "ok"
    if last and newest is not None and "event" in newest and newest.get("kind") != "proposal":  # of a change: none was made
        what = f"{newest.get('sleeve', '')} {newest['what']}".strip()
        return drafted([call], [found]).after(f"The last: {newest['desk time']}, {what} ({newest['event']}).")
    return drafted([call], [found]).after(_whether(text, args, found))


_LASTS = re.compile(r" \(at \d+ bars, the last (?P<time>\d{4}-\d\d-\d\d \d\d:\d\dZ), (?P<event>d-\d+)\)")


def _ended(row: Mapping[str, str]) -> Mapping[str, str]:
    """A row; of an event that lasted several bars its last one."""
    last = _LASTS.search(row.get("what", ""))
    return {**row, "desk time": last["time"], "event": last["event"], "what": _LASTS.sub("", row["what"])} if last else row


def _whether(text: str, args: Mapping[str, Any], found: CallResult) -> str:
    """Yes or no, of events of one kind that a sentence asks for; of changes whether any is in force."""
    if not args.get("kinds") or not PATTERNS["plans.asks_whether"].match(text):
        return ""
    rows = [row for row in found.rows() if row.get("kind") != "proposal" or args["kinds"] == ["proposal"]]
    first = [row for row in rows if says("plans.adopted", row.get("what", ""))]
    rows = [row for row in rows if row not in first]  # the version that a desk begins with changes nothing
    every = found.data.get("counts", {}).get(args["kinds"][0], len(rows)) - len(first)
    one, _, many = LISTS["event_names"].get(str(args["kinds"][0]), "such event|such events").partition("|")
    what, rule = many if every > 1 else one, (says("fill.rule", text) or [""])[0]
    if rule and args["kinds"][0] in ("breaker", "refused"):
        others, rows = len(rows), [row for row in rows if rule in row.get("what", "")]
        return f"{f'Yes: {len(rows)}' if rows else 'No'} {what} of {rule} in that window; {others - len(rows)} of other rules."
    if says("plans.of_those", text) and not args.keys() & {"sleeve", "text"}:  # `did we trade on one of them`
        return f"Whether it was on one of those was not looked up: the journal cannot be narrowed to them. Every {what} is below."
    acts = len(found.rows()) - len(rows) - len(first)
    more = f" What people did is listed ({acts}) and changes nothing by itself." if acts > 0 else ""
    more += "".join(f" It began with this: {row['what']}, {row['desk time']} ({row['event']})." for row in first[:1])
    of = Counter(row["sleeve"] for row in rows if row.get("sleeve", "-") != "-") if every == len(rows) else Counter[str]()
    each = f": {', '.join(f'{sleeve} {n}' for sleeve, n in of.most_common())}" if len(of) > 1 else ""
    return f"Yes: {every} {what}{each}." if rows else f"No {what} in that window.{more}"


def _iso(ms: int) -> str:
    return utc(ms).removesuffix("Z").replace(" ", "T")


def explain(q: Question) -> Plan:
    """One event; or what a sleeve did at an instant, or did not; or the last fill."""
    args, text, sleeve = arguments(q), q.slots.text, q.sleeve()
    if args.get("event_id"):
        return (yield from made([PlannedCall("explain_event", {"event_id": args["event_id"]})]))
    if q.chosen.asked.kind == "idle" or q.slots.span.at:
        return (yield from _at(q))
    lost, won = (says(f"plans.{how}", text) for how in ("lost", "won"))
    ended = "round trip -" if lost else "round trip +" if won else ""  # `the last losing trade`
    since = window(q.slots.span) or {"since": "30d"}
    form = next((form for form in ("by stop", "by trail", "by target") if re.search(LISTS["filled"][form], text)), ended)
    search = {"kinds": ["fill"], **since, **({"sleeve": sleeve.name} if sleeve else {})}
    (found,) = yield [PlannedCall("journal_search", search)]
    entries, exits = says("plans.entry", text), says("plans.exit", text)
    form = "to enter" if entries else form or ("by " if exits else "")  # a fill that ended it is no entry
    events = [str(row[1]) for row in found.table.rows if form in str(row[-1])] if found.table is not None and form else []
    events = events or ([] if form and found.table is not None else [e for e in found.evidence if re.fullmatch(r"d-\d+", e)])
    if not events:
        return PlannedAnswer(f"{result_text(found)}\n\nName an event (`explain d-123`), or a sleeve and a time.")
    calls = [PlannedCall("explain_event", {"event_id": events[-1]})]
    if sleeve and re.search(r"\b(?:entered|opened)\b", text):  # it may be over
        calls.append(PlannedCall("sleeves", {"sleeve": sleeve.name}))
    return (yield from made(calls))


def _at(q: Question) -> Plan:
    """What a sleeve decided: at the instant named, or at the last bar of the span named, with what it refused within it."""
    sleeve, span, text = q.sleeve(), q.slots.span, q.slots.text
    if sleeve is None and (q.slots.sleeves or not 0 < len(q.words.sleeves) <= SLEEVES_MAX):
        return asks_back(which_sleeve(q))
    if span.at is None and q.words.desk_ms is None:
        return asks_back("The desk has not processed a bar yet; start it with: nightdesk up")
    last = _iso(q.words.desk_ms or 0)
    at = span.at or (min(span.end, last) if span.end else last)
    now = "health" in q.tools and not (span.at or span.end)  # the first reason is a worker that does not run
    stuck = [PlannedCall("health", {})] * bool(says("plans.stuck", text) or now)
    if sleeve is None:  # `why is it not trading`: of each, and what is paused
        calls = [PlannedCall("explain_event", {"sleeve": one.name, "at": at}) for one in q.words.sleeves]
        calls = [PlannedCall("pauses", {}), *calls]
        health, results = _parted((yield [*stuck, *calls]), stuck)
        return drafted(calls, results).after(_worker(health, text))
    calls = [PlannedCall("explain_event", {"sleeve": sleeve.name, "at": at})]
    if span.start and not span.at:
        kinds = ["refused", "breaker", "fill"]
        calls.append(PlannedCall("journal_search", {"kinds": kinds, "sleeve": sleeve.name, **window(span)}))
    elif not span.at:
        calls.append(PlannedCall("pauses", {"sleeve": sleeve.name}))
    calls = [call for call in calls if call.name in q.tools]
    health, results = _parted((yield [*stuck, *calls]), stuck)
    did = ""
    if calls[-1].name == "journal_search":  # in which it is said to have done nothing
        n = {kind: results[-1].data.get("counts", {}).get(kind, 0) for kind in kinds}
        traded = f"did trade in that window: {n['fill']} fills" if n["fill"] else "had no fill in that window"
        did = f"{sleeve.name} {traded}; entries refused {n['refused']}, breakers tripped {n['breaker']}."
    return drafted(calls, results).after(f"{_worker(health, text)} {did}".strip())


def _parted(results: Sequence[CallResult], stuck: Sequence[PlannedCall]) -> tuple[CallResult | None, Sequence[CallResult]]:
    """The health that was asked first, and the rest: what is asked next goes on with the decision, not with the worker."""
    return (results[0], results[1:]) if stuck else (None, results)


def _worker(health: CallResult | None, text: str) -> str:
    """That no worker runs, which is why nothing trades; asked whether it is stuck, yes or no."""
    worker = next((row for row in health.rows() if row.get("what") == "worker"), {}) if health is not None else {}
    bad = worker.get("state") == "bad"
    word = f"{'Yes' if bad else 'No'}. " if says("plans.stuck", text) and worker else ""
    return f"{word}Worker: {worker.get('state')}, {worker.get('found')}." if bad or word else ""


def pause(q: Question) -> Plan:
    """A pause of one sleeve, of each that is named, or of all."""
    slots = q.slots
    if later := not_yet(q):
        return asks_back(later)
    named = len(slots.symbols) + len(slots.strategies) > 1 and len(slots.sleeves) == len(slots.symbols)
    names = [s.name for s in q.words.sleeves] if slots.everything and not slots.sleeves else list(slots.sleeves)
    if len(names) < 2 or not (named or slots.everything or len(slots.places.get("sleeves", ())) > 1):
        return (yield from once(q))
    return (yield from made([PlannedCall("propose_pause", arguments(q) | {"sleeve": names[0], "also": names[1:]})]))


def proposals(q: Question) -> Plan:
    """Pending proposals, those in the state named, or the one named."""
    args = arguments(q)
    if "proposal_id" in args:
        args = {"proposal_id": args["proposal_id"]}
    elif "state" not in args and not re.search(r"\b(?:all|last|latest|list|recent|history|previous)\b", q.slots.text):
        args["state"] = "pending"
    asked = [part for part, form in LISTS["card_parts"].items() if re.search(form, q.raw.lower())]
    (found,) = yield (calls := [PlannedCall("proposals", args)])
    waiting = list(dict.fromkeys(found.ids("prop-"))) if args.get("state") == "pending" else []
    if len(waiting) == 1 and (asked or q.slots.sleeves):  # of the only one its card
        (found,) = yield (calls := [PlannedCall("proposals", {"proposal_id": waiting[0]})])
    by, h = {k: v for k, v in (found.data.get("asked_by") or {}).items() if v}, re.search(r"\{(q\d+)\.", found.text)
    who = f"It was asked for by {' '.join(by.values())}{f', {{{h[1]}.created}}' if h else ''}." if by else ""
    parts = {"asked": who, **(found.data.get("says") or {})}
    first = " ".join(text for part in asked if (text := parts.get(part))) or who
    for said in (parts[part] for part in asked if parts.get(part)):  # not once more below
        found = found._replace(text=" ".join(found.text.replace(said, "").split()))
    named, of = q.slots.sleeves, re.search(r" for (\S+) \(", found.text)
    if named and of and of[1] not in named:
        first = f"No proposal of {name_list(list(named))} waits; the only one is of {of[1]}. {first}"
    advice = SAY["no_advice"] if says("choose.advice", q.slots.text) else ""
    return drafted(calls, [found]).after(f"{advice} {first}".strip())


_LAST = {"hour": "1h", "day": "24h", "week": "7d", "weekend": "3d", "month": "31d"}


def alerts(q: Question) -> Plan:
    """Alerts: the one named, those of a window of wall time, or the open ones and those of the last day."""
    text, since, args = q.slots.text, None, dict[str, Any]()
    if found := says("plans.when", text):
        since = re.sub(r"^(?:the )?(?:last|past) (?=\d)", "", found[1])
    elif found := re.search(r"\b(?:this|last|past|the last|the past) (hour|day|weekend|week|month)\b", text):
        since = _LAST[found[1]]
    elif found := says("plans.since_day", text):
        since = found["day"] or f"{found['n']}d"
    if named := next((i for i in q.slots.ids if i.startswith("al-")), None):
        args = {"alert_id": named}
    elif since:
        args = {"since": since}
    elif q.slots.count:  # `the last 5 alerts`, however old
        args = {"since": "365d", "limit": q.slots.count}
    elif state := arguments(q).get("state"):
        args = {"state": state}
    (result,) = yield [call := PlannedCall("alerts", args)]
    draft = drafted([call], [result])
    none = "Alerts have wall time: the window of desk time above was not applied." if q.slots.span.start and not args else ""
    return draft.after(f"{_unanswered(result) if says('plans.unanswered', text) else ''} {none}".strip())


def _unanswered(result: CallResult) -> str:
    """Which open alerts a person has acknowledged, and that it closes none."""
    rows = [row for row in result.rows() if row["state"] == "open"]
    taken = {row["alert"]: row["acknowledged by"] for row in rows if row["acknowledged by"] != "-"}
    left = [row["alert"] for row in rows if row["alert"] not in taken]
    said = [f"not acknowledged: {', '.join(left)}"] * bool(left) + [f"{alert} by {name}" for alert, name in taken.items()]
    ends = "An acknowledgement closes no alert: it stays open until what it found is over."
    return f"Of the open alerts {'; '.join(said)}. {ends}" if rows else "No alert is open."


# the plan of each tool: in which module, by which name where it is not the tool's own; of any other tool one call
_MODULES: Mapping[Any, str] = {
    run_plans: "backtest compare run list_strategies=strategies",
    research_plans: "judge trials pair_scan=pairs sweep=search walkforward=search",
    desk_plans: "counts sleeves desk exposure health what_if orders list_data=data "
    "joint_risk=joint probe=health version_effect=versions",
    trip_plans: "trips",
    figure_plans: "pnl performance excursions attribution",
    page_plans: "define runbook checklist=steps memory note runbook_steps=steps propose_watch=watch",
    model_plans: "models model_drift=of_one train_model=of_one propose_model=propose",
}
_HERE = {"journal_search": journal, "propose_pause": pause, "explain_event": explain, "proposals": proposals, "alerts": alerts}
_HERE |= {"propose_config": propose, "propose_tightening": propose}
_NAMED = [(of, *name.partition("=")[::2]) for of, names in _MODULES.items() for name in names.split()]
_PLANS: Mapping[str, PlanOf] = {**_HERE, **{tool: getattr(of, name or tool) for of, tool, name in _NAMED}}
