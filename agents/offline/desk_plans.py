"""What the desk and its sleeves are now, with what no tool shows named first; counts of what was listed. Called by plans.py."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agents.offline.calls import lead, made, not_given, once
from agents.offline.drafts import asks_back, drafted, name_list, reckoned, result_text, window
from agents.offline.entries import choices_of
from agents.offline.fill import arguments
from agents.offline.follow import bound, points_back
from agents.offline.measured import fall_limit, lately
from agents.offline.read_back import PlannedCall
from agents.offline.steps import CallResult, Plan, Question
from agents.offline.tables import handle_of, number_of
from agents.offline.ways import SAY
from agents.offline.words import COINS, LISTS, PATTERNS, Words, says
from engine.amounts import percent_text
from tools.common import render
from tools.common.contract import Table
from tools.common.time_words import instant


def sleeves(q: Question) -> Plan:
    """The sleeves, or one: how it stands; asked for settings, its parameters first."""
    call = PlannedCall("sleeves", arguments(q))
    (result,) = yield [call]
    draft, text, rows = drafted([call], [result]), q.slots.text, result.table.rows if result.table is not None else None
    opened = says("desk_plans.opened", f"{text} {q.raw}".lower())
    of_settings = says("plans.setting", text) and not (opened or re.search(r"\b(?:where|far|distance|version)\b", text))
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
    named = [key for key in keys if key in q.slots.keys]
    keys = named or [key for key in keys if key in q.slots.text or asked & set(key.split("_"))] or keys
    rows = tuple(
        (key, *("-" if (value := sleeve["params"].get(key)) is None else str(value) for sleeve in listed)) for key in keys
    )
    return render.markdown_table(Table(("parameter", *(sleeve["name"] for sleeve in listed)), rows))


def desk(q: Question) -> Plan:
    """The desk now; asked for the loss of a day, today's P&L and that limit, which the desk's own figures leave out."""
    above = next(reversed(q.results()), None)
    of_the_day = above is not None and above.name == "define" and re.search(r"daily|day.loss", str(above.args.get("word", "")))
    if not (of_the_day or says("desk_plans.day_loss", q.slots.text)):
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
    return (yield from _day_limit(q))


def _day_limit(q: Question) -> Plan:
    """How much of a day's loss limit each sleeve has used, the nearest first."""
    limit = PlannedCall("define", {"word": "day_loss_frac_max"})
    named = [sleeve for sleeve in q.words.sleeves if not q.slots.sleeves or sleeve.name in q.slots.sleeves][:6]
    days = [PlannedCall("pnl", {"unit": "day", "limit": 1, "sleeve": sleeve.name}) for sleeve in named]
    *of_days, standing, rule = yield [*days, PlannedCall("sleeves", {}), limit]
    equity = {row["sleeve"]: row.get("equity", "") for row in standing.rows()}
    used = {
        sleeve.name: (net, equity[sleeve.name])
        for sleeve, day in zip(named, of_days, strict=True)
        if (net := next((row["net"] for row in day.rows()), "")).startswith("{") and equity.get(sleeve.name, "").startswith("{")
    }
    shares = yield from reckoned(*(f"share({net[1:-1]}, {cash[1:-1]})" for net, cash in used.values()))
    order = sorted(zip(used, shares, strict=True), key=lambda one: number_of(used[one[0]][0], q.facts) or 0.0)
    said = "; ".join(f"{name} {share} ({used[name][0]})" for name, share in order)
    most = next((re.split(r" ", row["default"])[0] for row in rule.rows() if "default" in row), "")
    limit_text = f"{percent_text(float(most), 0)} of its equity" if re.fullmatch(r"[\d.]+", most) else "its limit"
    worst = min((number_of(net, q.facts) or 0.0 for net, _ in used.values()), default=0.0)
    far = "No sleeve has lost today" if worst >= 0 else f"Nearest to the daily loss limit is {order[0][0]}"
    rule_text = f"a sleeve that loses {limit_text} in a UTC day takes no entries for 24 hours"
    lead = f"{far}; {rule_text}. Today of equity: {said}." if used else f"No sleeve has a P&L of today yet; {rule_text}."
    return drafted([limit], [rule]).after(lead)


def exposure(q: Question) -> Plan:
    """What is held; whether it is one bet comes first where that is asked, else the largest, or the sum beside its limit."""
    call = PlannedCall("exposure", arguments(q))
    (result,) = yield [call]
    if result.status != "ok" or result.table is None or says("desk_plans.one_bet", q.slots.text):
        return drafted([call], [result]).after(lead(q, result))
    largest = lead(q, result.only([n for n, row in enumerate(result.table.rows) if row[0] == "symbol"]))
    result = result._replace(text=re.sub(r"^No[^.:]*:? ?[^.]*\. ", "", result.text))
    return drafted([call], [result]).after(largest)


def counts(q: Question) -> Plan:
    """A count; of `them`, what the list or count above was narrowed to, asked back about where that has no count of its own."""
    args, above = arguments(q), next(reversed(q.results()), None)
    if above is not None and above.name in ("journal_search", "counts") and "what" not in args and points_back(q.slots):
        of = above.args.get("kinds") or [above.args.get("what")]
        if len(of) > 1 or of[0] not in (None, *choices_of(q.chosen.tool, "what")):
            return asks_back(
                f"The list above is of {name_list(list(of))}, which no tool counts. Name what to count, and since when."
            )
        args |= {"what": of[0]} if of[0] else {}
    return (yield from made([PlannedCall("counts", args)], q))


def joint(q: Question) -> Plan:
    """What sleeves risk together; what every stop costs, added up, and how far each is come first."""
    call = PlannedCall("joint_risk", {})
    (result,) = yield [call]
    stops = [row for row in (result.table.rows if result.table is not None else ()) if str(row[0]).startswith("stop")]
    if says("desk_plans.alike", q.slots.text) and "stop" not in q.slots.text:
        return drafted([call], [result]).after(alike(result, q.facts, q.slots.sleeves))
    stops = [row for row in stops if not q.slots.sleeves or row[1] in q.slots.sleeves]
    of = f" of {name_list(list(q.slots.sleeves))}" if q.slots.sleeves else ""
    if not stops or result.status != "ok":
        none = f"No open position{of} has a stop, so none can be hit." if result.status == "ok" else ""
        return drafted([call], [result]).after(none)
    (value,) = yield from reckoned("+".join(str(row[3])[1:-1] for row in stops[:20]))
    each = "; ".join(f"{row[1]} is {row[2]} from its stop, {row[4]}" for row in stops[:5])
    first = f"If every stop{of} fills at its level: {value} from here. {each[0].upper()}{each[1:]}."
    return drafted([call], [result]).after(f"{first} A price that jumps over a stop costs more.")


def alike(result: CallResult, facts: Mapping[str, Any], named: Sequence[str] = ()) -> str:
    """Whether the days of any two sleeves move together beyond chance, the nearest two first; empty where none are compared."""
    days = [row for row in (result.table.rows if result.table else ()) if row[0] == "days" and str(row[2]).startswith("{")]
    days = [row for row in days if len(named) < 2 or all(name in str(row[1]) for name in named)] or days
    days = sorted(days, key=lambda row: -(number_of(row[2], facts) or 0.0))
    if not days:
        return ""
    low = [number_of(str(row[4]).split(" to ")[0], facts) or 0.0 for row in days]
    together = [str(row[1]) for row, value in zip(days, low, strict=True) if value > 0]
    word = f"Yes, {name_list(together)} move together beyond chance" if together else "No two move together beyond chance so far"
    each = "; ".join(f"{row[1]} {row[2]} ({row[4]})" for row in days)
    return f"{word}. Nearest first, the correlation of their days: {each}."


def context(q: Question) -> Plan:
    """The market around an event: the one named, that of the answer above, the worst or the best trade, or the last such fill."""
    args, text, last = arguments(q), q.slots.text, next(reversed(q.results()), None)
    if args.get("event_id") or (args.get("sleeve") and args.get("at")):
        return (yield from once(q))
    event = last.ids("d-")[-1:] if last is not None and last.name == "explain_event" and not q.slots.sleeves else []
    if not event:
        since = window(q.slots.span) or {"since": "30d"}
        of = {"sleeve": args["sleeve"]} if "sleeve" in args else {}
        if q.slots.which in ("worst", "best") or (last is not None and last.name == "trips"):
            return asks_back(SAY["which_event"])
        (found,) = yield [PlannedCall("journal_search", {"kinds": ["fill"], "limit": 20, **since, **of})]
        form = next((form for form, word in LISTS["filled"].items() if re.search(word, text)), "")
        event = [row["event"] for row in found.rows() if form in row["what"]][-1:]
    if not event:
        return asks_back(SAY["which_event"])
    return (yield from made([PlannedCall("market_context", {"event_id": event[0]})]))


def health(q: Question) -> Plan:
    """What is wrong, the check that is asked about first; asked what to look at, also what waits for a decision."""
    if q.chosen.asked.kind == "handover":
        return (yield from handover(q))
    if says("measured.lately", q.slots.text) and "trips" in q.tools:
        return (yield from lately(q))
    ranked = q.chosen.asked.kind == "next"
    more = [PlannedCall("proposals", {"state": "pending"}), PlannedCall("desk", {})] if ranked else []
    calls = [PlannedCall(q.chosen.tool.name, {}), *more]
    results = yield calls
    forms = {name.removeprefix("health."): form for name, form in PATTERNS.items() if name.startswith("health.")}
    asked = [row for row in results[0].rows() if row["what"] in forms and forms[row["what"]].search(q.slots.text)]
    first = " ".join(f"{row['what'].capitalize()}: {row['state']}, {row['found']}." for row in asked[:2])
    return drafted(calls, results).after(first)


def handover(q: Question) -> Plan:
    """What the next person takes over: how much is open and what waits, counted first; of several things named these alone."""
    named = [tool for tool, form in LISTS["handover"].items() if re.search(form, q.slots.text)]
    tools = [tool for tool in (named if len(named) > 1 else LISTS["handover"]) if tool in q.tools]
    args: dict[str, Mapping[str, Any]] = {"orders": {"only_open": True}, "alerts": {"state": "open"}}
    args |= {"proposals": {"state": "pending"}, "journal_search": window(q.slots.span) or {"since": "12h"}}
    calls = [PlannedCall(tool, args.get(tool, {})) for tool in tools]
    results = yield calls
    return drafted(calls, results).after(f"{counted(results)}.")


def counted(results: Sequence[CallResult]) -> str:
    """How much of each kind a handover has: `Positions open 1, orders working 2`."""
    rows = {
        r.name: [row for row in r.table.rows if r.name != "sleeves" or str(row[2]) != "flat"] if r.table else [] for r in results
    }
    return ", ".join(f"{head} {len(rows[tool])}" for tool, head in LISTS["handover_heads"].items() if tool in rows).capitalize()


def what_if(q: Question) -> Plan:
    """A sudden move; where no word says which way, a rise and a fall, the fall first."""
    if len(moves := moves_of(q.slots.text, q.words)) > 1:
        back = -1 if re.search(r"\bother way\b|\bopposite\b", q.raw.lower()) else 1
        moves = {symbol: back * move for symbol, move in moves.items()}
        return (yield from _together(moves))
    args, past = arguments(q), [float(r.args.get("move_frac") or 0.0) for r in q.results() if r.name == "what_if"][-2:]
    both = len(past) == 2 and past[0] == -past[1] != 0.0 and bound(q.slots)  # `and 20 %?`, after both
    one_way = args.get("move_frac") is None or says("desk_plans.one_way", q.slots.text)
    if one_way or not (says("desk_plans.moves", q.slots.text) or both):
        return (yield from once(q))
    size = abs(args["move_frac"])
    draft = yield from made([PlannedCall("what_if", args | {"move_frac": move}) for move in (-size, size)])
    return draft.after("No direction is named: the fall first, then the rise.")


_AMOUNT = r"(?P<n>[-+]? ?\d{1,2}(?:\.\d+)?)(?: ?%)?(?![\w:])|\b(?P<part>half|halves?d?|quarter|third|tenth)\b"
_PARTS = {"quarter": 0.25, "third": 1 / 3, "tenth": 0.1}


def moves_of(text: str, words: Words) -> dict[str, float]:
    """What a text moves each of several symbols by, as fractions: `btc -15, eth and sol down 20`; none without a direction."""
    symbols = {sleeve.symbol.partition("-")[0].lower(): sleeve.symbol for sleeve in words.sleeves}
    symbols |= {name: symbols[base.lower()] for name, base in COINS.items() if base.lower() in symbols}
    found: dict[str, float] = {}
    waiting: list[str] = []
    at, sign = 0, 0.0
    for m in re.finditer(rf"\b(?P<coin>{'|'.join(symbols) or '-'})\b|{_AMOUNT}", text):
        if m["coin"]:
            waiting.append(symbols[m["coin"]])
            continue
        said, between = m["n"] or "", text[at : m.end()]
        falls = says("slots.down", between) or re.search(r"\bhal(?:f|ve[sd]?)\b", between)
        sign = -1.0 if "-" in said or falls else 1.0 if "+" in said or says("desk_plans.up", between) else sign
        size = abs(float(re.sub(r"[-+ ]", "", said))) / 100 if said else _PARTS.get(m["part"], 0.5)
        found |= dict.fromkeys(waiting, round(sign * size, 6)) if sign else {}
        waiting, at = [], m.end()
    return found


def _together(moves: Mapping[str, float]) -> Plan:
    """Several symbols, each by its own move, in the same moment: no sleeve trades two of them, so that the changes add up."""
    calls = [PlannedCall("what_if", {"symbol": symbol, "move_frac": move}) for symbol, move in moves.items()]
    results = yield calls
    handles = [handle_of(result, "change") for result in results]
    if not all(handles):
        return drafted(calls, results)
    change, after = yield from reckoned(
        "+".join(f"{h}.change" for h in handles), "+".join([f"{handles[0]}.before", *(f"{h}.change" for h in handles)])
    )
    said = ", ".join(f"{{{h}.move_frac}} on {symbol.partition('-')[0]}" for h, symbol in zip(handles, moves, strict=True))
    lead = f"All at once ({said}): equity changes by {change} (a loss has a minus), to {after}. "
    return drafted(calls, results).after(
        f"{lead}The changes of the moves below are added up; the breaker is asked there of each move alone."
    )


def orders(q: Question) -> Plan:
    """Orders of a window, of the state and kind that the sentence was learned to ask for; of the last few no more than these."""
    closed = {name: value for name, value in q.slots.closed.items() if name in ("state", "kind")}
    states = [state for state, form in LISTS["order_states"].items() if re.search(form, q.raw.lower())]
    args = arguments(q) | window(q.slots.span) | closed
    if count := q.slots.count:  # `the last 5 then`, after those in doubt
        args = {name: value for name, value in args.items() if name != "state" or states}
    if len(states) > 1:  # `rejected or cancelled`: a call of each
        calls = [PlannedCall("orders", args | {"state": state}) for state in states]
        results = yield calls
        said = [f"{state} {len(r.data.get('orders') or ()) or 'none'}" for state, r in zip(states, results, strict=True)]
        some = "Yes" if any(r.status == "ok" for r in results) else "No"
        return drafted(calls, results).after(f"{some}: {', '.join(said)}.")
    call = PlannedCall("orders", args | ({"state": states[0]} if states else {}))
    (result,) = yield [call]
    if result.status == "no_data":
        return drafted([call], [result]).after("None." if states else "")
    if q.slots.which == "last" and not count and result.data.get("newest") and re.search(r"\border\b", q.slots.text):
        return (yield from made([PlannedCall("orders", {"cid": result.data["newest"][0]})]))  # the last one, not the open ones
    if result.table is None or not count or count >= len(result.table.rows):
        return drafted([call], [result])
    draft = drafted([call], [result.only(range(count))])
    return draft.after(f"Of these the first {count}; open ones come first, then the newest.")


def _first_of(table: Table, row: Sequence[Any], facts: Mapping[str, Any]) -> float:
    """When a series begins, in ms; last where that is not known."""
    return number_of(row[table.columns.index("first")], facts) or float("inf")


def data(q: Question) -> Plan:
    """The recorded series; of a window those that reach into it."""
    call, gaps = PlannedCall("list_data", arguments(q)), not_given(q)
    (result,) = yield [call]
    start, end, table = q.slots.span.start or q.slots.span.at, q.slots.span.end, result.table
    if table is not None and says("desk_plans.how_far", q.slots.text):
        oldest: dict[str, Mapping[str, str]] = {}
        for row, cells in sorted(zip(table.rows, result.rows(), strict=True), key=lambda one: _first_of(table, one[0], q.facts)):
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
