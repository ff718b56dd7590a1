"""What the desk and its sleeves are now, with what no tool shows named first; counts of what was listed. Called by plans.py."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agents.offline.calls import lead, made, not_given, once
from agents.offline.drafts import asks_back, drafted, name_list, result_text, window
from agents.offline.entries import choices_of
from agents.offline.fill import arguments
from agents.offline.focus import beyond_defaults
from agents.offline.follow import bound, points_back
from agents.offline.measured import fall_limit
from agents.offline.read_back import PlannedCall, read_as
from agents.offline.steps import CallResult, Plan, PlannedAnswer, Question
from agents.offline.tables import handle_of, number_of
from agents.offline.ways import SAY
from agents.offline.words import COINS, LISTS, PATTERNS, Words, says
from engine.clock import utc
from tools.common import render
from tools.common.settings_words import settings_table, settings_text, unlike
from tools.common.time_words import instant


def sleeves(q: Question) -> Plan:
    """The sleeves, or one: how it stands; asked for settings, its parameters first."""
    call = PlannedCall("sleeves", arguments(q))
    (result,) = yield [call]
    draft, text, rows = drafted([call], [result]), q.slots.text, result.table.rows if result.table is not None else None
    opened = says("desk_plans.opened", f"{text} {q.raw}".lower())
    asks = says("plans.setting", text) or says("choose.risk_set", text)
    of_settings = asks and not (opened or re.search(r"\b(?:where|far|distance|version)\b", text))
    of_settings = of_settings or (any(r.name == "define" for r in q.done) and re.search(r"\bvalues?\b", text) is not None)
    if result.data.get("sleeves") and (q.slots.keys or of_settings):
        return draft._replace(text=f"{_settings(q, result.data['sleeves'])}\n\n{result_text(result, table=False)}")
    if rows is None:
        return draft
    if re.search(r"\b(?:equity|cash|worth|balance)\b", text):
        return draft.after("\n\n".join(_lines(q, rows, LISTS["of_account"], "equity cash")))
    if opened:
        return draft.after("\n\n".join(_lines(q, rows, LISTS["of_position"], "entry") or ["No position is open there."]))
    return draft.after("" if "version" in text else positions_of(rows))


def positions_of(rows: Sequence[Sequence[Any]]) -> str:
    """Which of these sleeves hold a position, in a sentence."""
    held = [f"{row[0]} {row[2]}{'' if str(row[3]) == '-' else f', out at {row[3]}'}" for row in rows if str(row[2]) != "flat"]
    if len(rows) == 1:
        return f"{rows[0][0]} is flat." if not held else f"{held[0]}."
    verb = "holds" if len(held) == 1 else "hold"
    return f"{len(held)} of {len(rows)} sleeves {verb} a position{': ' if held else ''}{'; '.join(held)}."


def _lines(q: Question, rows: Sequence[Sequence[Any]], forms: Mapping[str, str], least: str) -> list[str]:
    """What the facts behind a sleeve's row say of it, one line a sleeve; none of a sleeve without any fact of `least`."""
    lines = []
    for row in rows:
        handle = str(row[1])[1:-1].partition(".")[0]
        there = {name: form.format(f"{{{handle}.{name}}}") for name, form in forms.items() if f"{handle}.{name}" in q.facts}
        lines += [f"{row[0]}: {', '.join(there.values())}."] if there.keys() & set(least.split()) else []
    return lines


def _settings(q: Question, listed: Any) -> str:
    """The parameters of sleeves as a table, those that the sentence speaks of alone."""
    asked = set(PATTERNS["plans.set"].findall(q.slots.text))
    keys = list(dict.fromkeys(key for sleeve in listed for key in sleeve["params"]))
    defined = [str(r.args.get("word")) for r in q.done if r.name == "define"]  # `what is stop_atr, and which value do we run`
    named = [key for key in keys if key in (q.slots.keys or defined)]
    keys = named or [key for key in keys if key in q.slots.text or asked & set(key.split("_"))] or keys
    if says("plans.differ", q.slots.text) and len(q.slots.sleeves) != 1:
        listed = [of for of in listed if not q.slots.sleeves or of["name"] in q.slots.sleeves]
        own = {s.name: beyond_defaults(q, s.strategy, s.params) for s in q.words.sleeves}
        first, keys = unlike(listed, keys, own if says("plans.default", q.slots.text) else None)
        return f"{first}\n\n{render.markdown_table(settings_table(listed, keys))}"
    first = f"{settings_text(listed, keys)}\n\n" if 0 < len(keys) < 3 else ""
    return first + render.markdown_table(settings_table(listed, keys))


def desk(q: Question) -> Plan:
    """The desk now; asked for the loss of a day, today's P&L and that limit, which the desk's own figures leave out."""
    if not says("desk_plans.day_loss", q.slots.text):
        call = PlannedCall("desk", {})
        (result,) = yield [call]
        limits = fall_limit(result, q.facts) if q.chosen.asked.kind == "limits" else lead(q, result)
        if q.chosen.asked.kind == "limits" and says("desk_plans.lists", q.slots.text):
            listed = PlannedCall("define", {"word": "guardrails"})
            (every,) = yield [listed]
            return drafted([listed], [every]).after(limits)
        if (h := handle_of(result, "drawdown_frac")) and re.search(r"\b(?:peak|high|top)\b", q.slots.text):
            limits = f"Equity is {{{h}.drawdown_frac}} below its peak."
        return drafted([call], [result]).after(limits)
    return (yield from made([PlannedCall("define", {"word": "day_loss_frac_max"})])).after(SAY["day_loss_acts"])


def exposure(q: Question) -> Plan:
    """What is held; whether it is one bet comes first where that is asked, else the largest, or the sum beside its limit."""
    call = PlannedCall("exposure", arguments(q))
    (result,) = yield [call]
    way, h, gaps = says("desk_plans.which_way", q.slots.text), handle_of(result, "gross"), not_given(q)
    if result.status != "ok" or result.table is None or (says("desk_plans.one_bet", q.slots.text) and not way):
        return drafted([call], [result]).after(lead(q, result))
    first = gaps or lead(q, result.only([n for n, row in enumerate(result.table.rows) if row[0] == "symbol"]))
    result = result._replace(text=re.sub(r"^No[^.:]*:? ?[^.]*\. ", "", result.text))
    if (way or says("desk_plans.net", q.slots.text)) and h and not gaps:
        first = f"Gross {{{h}.gross}}, {{{h}.gross_share}} of equity {{{h}.equity}}: long {{{h}.long}}, short {{{h}.short}}; "
        first += f"net {{{h}.net}}, {{{h}.net_share}} (a short has a minus). {{{h}.idle_share}} of equity is in no position."
    if way and not gaps:
        sides = sorted({row["side"] for row in result.rows() if row["of"] == "symbol"} - {"flat"})
        yes = ("Yes: all " if way["same"] else "All of it is ") if len(sides) == 1 else "No: " if sides else "Nothing is held"
        first = f"{yes}{' and '.join(sides)}. {first}"
    return drafted([call], [result]).after(first)


def counts(q: Question) -> Plan:
    """A count; of `them`, of what the list above was narrowed to; of alerts also which are open, where that is asked."""
    args, above = arguments(q), next(reversed(q.results()), None)
    if above is not None and above.name in ("journal_search", "counts") and "what" not in args and points_back(q.slots):
        of = above.args.get("kinds") or [above.args.get("what")]
        args |= {"what": of[0]} if len(of) == 1 and of[0] in choices_of(q.chosen.tool, "what") else {}
    still = [PlannedCall("alerts", {"state": "open"})] * (
        args.get("what") == "alert" and bool(says("counts.still_open", q.slots.text))
    )
    return (yield from made([PlannedCall("counts", args), *still], q))


def versions(q: Question) -> Plan:
    """A sleeve before and after its newest version; where none is named each of them, and whether any had more than one."""
    named = list(q.slots.sleeves) or [sleeve.name for sleeve in q.words.sleeves]
    args = {name: value for name, value in arguments(q).items() if name != "sleeve" and value != 1}  # v1
    calls = [PlannedCall("version_effect", args | {"sleeve": name}) for name in named[:6]]
    results = yield calls
    kept = [n for n, result in enumerate(results) if result.status != "no_data"] or list(range(len(calls)))
    several = len(calls) > 1 and all(result.status == "no_data" for result in results)
    none = "No sleeve has had more than its first version, so none has a before and an after." if several else ""
    return drafted([calls[n] for n in kept], [results[n] for n in kept]).after(none)


def joint(q: Question) -> Plan:
    """What sleeves risk together: the sentence first that is asked for, of the sleeves that are named."""
    (result,) = yield [call := PlannedCall("joint_risk", {})]
    text, named, rows = q.slots.text, q.slots.sleeves, result.rows()
    if says("desk_plans.alike", text) and "stop" not in text:
        begins = [*["As their"] * bool(says("desk_plans.how_many_bets", text)), "No two sleeves", "Days of"]
        leads = [said for begin in begins for said in _sentences(result) if said.startswith(begin)]
        return drafted([call], [result]).after(" ".join(leads))
    own = [row for row in rows if row["of"].startswith("stop") and row["sleeves"] in named]
    leads = ["{sleeves} is {distance or correlation} from its stop, {more}: {from here}.".format_map(row) for row in own]
    first = " ".join(leads if named else [s for s in _sentences(result) if s.startswith("If every stop")])
    none = f"No open position{f' of {name_list(list(named))}' if named else ''} has a stop, so none can be hit."
    atr = "Not in ATR: no tool has it; in percent and money: " if "atr" in text else ""
    lead = f"{atr}{first} A price that jumps over a stop costs more." if first else none
    return drafted([call], [result]).after(lead if result.status == "ok" else "")


def _sentences(result: CallResult) -> list[str]:
    """The sentences of a tool's text."""
    return re.split(r"(?<=\.) (?=[A-Z])", result.text)


def health(q: Question) -> Plan:
    """What is wrong, the check that is asked about first; asked what to look at, also what waits for a decision."""
    if q.chosen.asked.kind == "handover":
        return (yield from handover(q))
    ranked = q.chosen.asked.kind == "next"
    more = [PlannedCall("proposals", {"state": "pending"}), PlannedCall("desk", {})] if ranked else []
    kept = "upkeep" in q.tools and says("desk_plans.upkeep", q.slots.text)
    since = says("desk_plans.since_when", q.slots.text)
    more += [PlannedCall("upkeep", {})] * bool(kept) + [PlannedCall("alerts", {"state": "open"})] * bool(since)
    calls = [PlannedCall(q.chosen.tool.name, {}), *more]
    results = yield calls
    forms = {name.removeprefix("health."): form for name, form in PATTERNS.items() if name.startswith("health.")}
    asked = [row for row in results[0].rows() if row["what"] in forms and forms[row["what"]].search(q.slots.text)]
    first = " ".join(f"{row['what'].capitalize()}: {row['state']}, {row['found']}." for row in asked[:2])
    opened = [f"{row['alert']} of {row['where']} since {row['since (wall time)']}" for row in results[-1].rows() if since]
    last = f"; the last bar that was decided on closed at {utc(q.words.desk_ms)} of desk time" if q.words.desk_ms else ""
    first += f" Open: {', '.join(opened) or 'no alert'}{last}." if since else ""
    if says("desk_plans.heartbeat", q.slots.text):
        h = handle_of(results[0], "beat")
        beat = f"The worker's last heartbeat: {{{h}.beat}} (wall time), {{{h}.silent}} ago." if h else SAY["no_heartbeat"]
        first = f"{beat} {first}"
    if asked and any(row["what"] == "bars" for row in asked) and says("desk_plans.last_bar", q.slots.text):
        first += f" T{last[3:]}, the same for every sleeve." if last and not since else ""
    if kept and not since and results[-1].table is None:
        return drafted(calls[:-1], results[:-1]).after(f"{first} {results[-1].text}".strip())
    return drafted(calls, results).after(first)


def handover(q: Question) -> Plan:
    """What the next person takes over: how much is open and what waits, counted first; of several things named these alone."""
    named = [tool for tool, form in LISTS["handover"].items() if re.search(form, q.slots.text)]
    tools = [tool for tool in (named if len(named) > 1 else LISTS["handover"]) if tool in q.tools]
    args: dict[str, Mapping[str, Any]] = {"orders": {"only_open": True}, "alerts": {"state": "open"}}
    args |= {"proposals": {"state": "pending"}, "journal_search": window(q.slots.span) or {"since": "12h"}}
    calls = [PlannedCall(tool, args.get(tool, {})) for tool in tools]
    results = yield calls
    lead = "\n".join((f"{counted(results)}.", *left_over(results)))
    return (
        PlannedAnswer(lead, read_as=read_as(calls))
        if says("plans.briefly", q.slots.text)
        else drafted(calls, results).after(lead)
    )


def left_over(results: Sequence[CallResult]) -> list[str]:
    """A line for each thing that the next person finds: alerts, positions, pauses, proposals, what happened."""
    of = {result.name: result for result in results if result.status in ("ok", "no_data")}
    lines = [line.partition(" Since ")[0] for line in of["alerts"].text.split("\n\n")[1:]] if "alerts" in of else []
    lines += [positions_of(of["sleeves"].table.rows)] if "sleeves" in of and of["sleeves"].table else []
    lines += [of["pauses"].text] if "pauses" in of else []
    if "proposals" in of:
        lines += [
            f"{row['proposal']} waits: {row['sleeve']}, {row['change']}, it {row['direction']}." for row in of["proposals"].rows()
        ]
    return [f"- {line}" for line in lines]


def counted(results: Sequence[CallResult]) -> str:
    """How much of each kind a handover has: `Positions open 1, orders working 2`."""
    rows = {
        r.name: [row for row in r.table.rows if r.name != "sleeves" or str(row[2]) != "flat"] if r.table else [] for r in results
    }
    return ", ".join(f"{head} {len(rows[tool])}" for tool, head in LISTS["handover_heads"].items() if tool in rows).capitalize()


def what_if(q: Question) -> Plan:
    """A sudden move; where no word says which way, a rise and a fall, the fall first."""
    if moves_of(q.slots.text, q.words) > 1:
        return asks_back(SAY["one_move"])
    args, past = arguments(q), [float(r.args.get("move_frac") or 0.0) for r in q.results() if r.name == "what_if"][-2:]
    both = len(past) == 2 and past[0] == -past[1] != 0.0 and bound(q.slots)  # `and 20 %?`, after both
    one_way = args.get("move_frac") is None or says("desk_plans.one_way", q.slots.text)
    if one_way or not (says("desk_plans.moves", q.slots.text) or both):
        return (yield from once(q))
    size = abs(args["move_frac"])
    draft = yield from made([PlannedCall("what_if", args | {"move_frac": move}) for move in (-size, size)])
    return draft.after("No direction is named: the fall first, then the rise.")


_AMOUNT = r"[-+]? ?\d{1,2}(?:\.\d+)?(?: ?%)?(?![\w:])|\b(?:half|halves?d?|quarter|third|tenth)\b"


def moves_of(text: str, words: Words) -> int:
    """How many coins, or lots of them, a text moves each by its own amount: `btc -15, eth and sol down 20` are two."""
    coins = "|".join({*(sleeve.symbol.partition("-")[0].lower() for sleeve in words.sleeves), *COINS})
    return len(re.findall(rf"\b(?:{coins})\b(?:(?!\b(?:{coins})\b).)*?(?:{_AMOUNT})", text))


def orders(q: Question) -> Plan:
    """Orders of a window, of the state and kind that the sentence was learned to ask for; of the last few no more than these."""
    closed = {name: value for name, value in q.slots.closed.items() if name in ("state", "kind")}
    states = [state for state, form in LISTS["order_states"].items() if re.search(form, q.raw.lower())]
    args, count = arguments(q) | window(q.slots.span) | closed, q.slots.count
    if states or count:  # `the last 5 then`, after those in doubt
        args.pop("state", None)
    of_state = [args | ({"only_open": True} if state == "open" else {"state": state}) for state in states] or [args]
    if len(states) > 1:  # `rejected or cancelled`: a call of each
        results = yield (calls := [PlannedCall("orders", of) for of in of_state])
        heads = {"open": "working", "partly": "partly filled", "doubt": "in doubt"}
        said = [f"{heads.get(of, of)} {len(r.data.get('orders') or ()) or 'none'}" for of, r in zip(states, results, strict=True)]
        some = "Yes" if any(r.status == "ok" for of, r in zip(states, results, strict=True) if of != "open") else "No"
        return drafted(calls, results).after(f"{some}: {', '.join(said)}.")
    call = PlannedCall("orders", of_state[0])
    (result,) = yield [call]
    if result.status == "no_data":
        return drafted([call], [result]).after("None." if states else "")
    if q.slots.which == "last" and not count and result.data.get("newest") and re.search(r"\border\b", q.slots.text):
        return (yield from made([PlannedCall("orders", {"cid": result.data["newest"][0]})]))  # the last one, not the open ones
    if result.table is None or not count or count >= len(result.table.rows):
        return drafted([call], [result])
    draft = drafted([call], [result.only(range(count))])
    return draft.after(f"Of these the first {count}; open ones come first, then the newest.")


def data(q: Question) -> Plan:
    """The recorded series; of a window those that reach into it."""
    args = arguments(q)
    if len(q.slots.venues) > 1:  # all of them: which has none is said
        args.pop("venue", None)
    call = PlannedCall("list_data", args)
    (result,) = yield [call]
    gaps = not_given(q) if result.table is not None else ""
    none = [venue for venue in q.slots.venues if not any(row["venue"] == venue for row in result.rows())]
    gaps = f"Nothing of {args.get('symbol') or 'that'} is recorded from {' or '.join(none)}. {gaps}" if none else gaps
    start, end, table = q.slots.span.start or q.slots.span.at, q.slots.span.end, result.table
    if table is not None and says("desk_plans.how_far", q.slots.text):
        oldest, at = dict[str, Mapping[str, str]](), table.columns.index("first")
        for row, cells in sorted(
            zip(table.rows, result.rows(), strict=True), key=lambda one: number_of(one[0][at], q.facts) or float("inf")
        ):
            oldest.setdefault(f"{row[table.columns.index('series')]}", cells)
        each = "; ".join(f"{of} of {row['symbol']} from {row['first']} to {row['last']}" for of, row in list(oldest.items())[:8])
        return drafted([call], [result]).after(f"The oldest of each series shown: {each}.")
    if table is None or gaps or not (start or end) or not {"first", "last"} <= set(table.columns):
        return drafted([call], [result]).after(gaps)
    first, last = (
        [number_of(row[table.columns.index(name)], q.facts) or 0.0 for row in table.rows] for name in ("first", "last")
    )
    low, high = (instant(text, q.words.desk_ms) if text else None for text in (start, end))
    kept = [i for i in range(len(table.rows)) if (high is None or first[i] < high) and (low is None or last[i] >= low)]
    window_text = " ".join(part for part in (f"from {start}" if start else "", f"before {end}" if end else "") if part)
    draft = drafted([call], [result.only(kept)])
    return draft.after(f"{len(kept)} of the {len(table.rows)} series shown have bars {window_text}.")
