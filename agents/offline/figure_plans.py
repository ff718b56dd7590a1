"""What the desk or a run made: where it comes from, return and drawdowns, excursions, P&L by time. Called by plans.py."""

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from agents.offline.calls import made, once
from agents.offline.choose import SPOKEN_RUN
from agents.offline.dates import NO_SPAN
from agents.offline.drafts import asks_back, drafted, name_list, reckoned, result_text, window
from agents.offline.fill import DESKWARD, EXTREMES, FILLERS, arguments, speaks_of_run
from agents.offline.follow import RUNS
from agents.offline.measured import deepest, is_deepest, measured
from agents.offline.read_back import PlannedCall
from agents.offline.run_plans import runs_of
from agents.offline.slots import words_of
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, Question
from agents.offline.table_answers import ROWS_SUMMED
from agents.offline.tables import column_of, extreme, extreme_row, handle_of, heads_of, number_of, ordered, ranks, rows_named
from agents.offline.ways import SAY
from agents.offline.words import LISTS, says, tidy, vocabulary
from tools.common.contract import Table
from tools.common.split_words import of_rows, spread
from tools.common.time_words import instant


def _alone(table: Table, names: Sequence[str]) -> str:
    """The rows of sleeves with all their figures, in a sentence."""
    rows = [(name, row) for name in names for row in table.rows if str(row[0]).endswith(name)]
    each = [
        f"{name} alone: {', '.join(f'{h} {c}' for h, c in zip(table.columns[1:], row[1:], strict=False))}" for name, row in rows
    ]
    return f"{'; '.join(each)}. What follows is the whole desk's." if each else ""


def attribution(q: Question) -> Plan:
    """Where the P&L comes from, in the window named; of one sleeve its row first, since the rest is the whole desk's."""
    call = PlannedCall("attribution", window(q.slots.span))
    (result,) = yield [call]
    draft, table, sleeve = drafted([call], [result]), result.table, q.sleeve()
    if says("choose.adds_up", q.slots.text) and "to the cent" in result.text:
        return draft.after("Yes, to the cent: price, slippage, fees and funding are what equity changed by.")
    if table is None:
        return draft
    if sleeve is None:
        costs = [i for i in heads_of(table, q.slots.text) if table.columns[i] in ("fees", "slippage", "funding")]
        costs = [i for i in costs if table.columns[i].rstrip("s") in q.slots.text] or costs
        each = "sleeve" in q.slots.text or (ranks(q.slots.text) and not q.slots.symbols)
        rows = [n for n, row in enumerate(table.rows) if "sleeve" in str(row[0])] if each and costs else []
        if len(rows) > 1:  # the dearest first, costs being losses here
            said = "; ".join(_cost_of_each(table, rows, i, q) for i in costs)
            return draft.after(f"{said.capitalize()}. The dearest first; what was paid has a minus.")
        if q.chosen.asked.kind == "sleeves":
            named = rows_named(table, q.slots.text, q.slots.sleeves)
            first = spread(table, q.facts, column_of(table, "change"), ordered(table, q.facts, "change", "best"))
            return draft.after(first if len(named) < 2 else of_rows(table, q.facts, named[:3]))
        if len(q.slots.sleeves) > 1 and not costs:
            return draft.after(_alone(table, q.slots.sleeves))
        parts = ", ".join(f"{table.columns[i]} {table.rows[-1][i]}" for i in costs)
        return draft.after(f"Of the {table.rows[-1][0]}: {parts}." if parts else "")
    return draft.after(_alone(table, [sleeve.name]))


def _cost_of_each(table: Table, rows: Sequence[int], at: int, q: Question) -> str:
    """A cost of each sleeve, the dearest first, and in all."""
    order = sorted(rows, key=lambda n: number_of(table.rows[n][at], q.facts) or 0.0)
    each = ", ".join(f"{str(table.rows[n][0]).removeprefix('sleeve ')} {table.rows[n][at]}" for n in order)
    return f"{table.columns[at]}: {each}, in all {table.rows[-1][at]}"


def about_run(q: Question) -> Generator[list[PlannedCall], list[CallResult], tuple[Question, str]]:
    """The question about the stored run that it speaks of, and which one that is where several are; of none such, that."""
    spoken: object = SPOKEN_RUN.search(q.slots.text) or _same_of_another(q)
    span = q.slots.span.start or ""
    stored = re.search(r"\bstored\b", q.slots.text)  # not the one that this thread made last
    if not spoken or (q.run_id() is not None and not (stored or _same_of_another(q))):
        return q, ""
    (latest,) = yield [PlannedCall("run", {})]
    every = list(zip(latest.evidence, latest.rows(), strict=False))
    runs = [run for run in every if run[0] in runs_of(q, latest)]
    dated = [run for run in runs if span and run[1].get("first") == span[:10]]
    if every and (not runs or (stored and span and not dated and q.chosen.tool.name == "run")):
        named = (*q.slots.strategies, *q.slots.symbols) or q.slots.sleeves
        of = " ".join(filter(None, (name_list(list(named)), words_of("span", q.slots.span) if runs else "")))
        return (
            q,
            f"No stored run is of {of}, and nothing was run for it. Stored are: {'; '.join(map(_run_named, every[:6]))}. {_DESK}",
        )
    if not every:
        return q, ""
    (run, row), *others = dated or runs
    past = (*q.past, PastTurn("", (latest._replace(data={}, evidence=(run,)),)))
    own = replace(q.slots, sleeves=(), span=NO_SPAN if dated else q.slots.span)
    more = f" ({len(others)} more of the same: {', '.join(run for run, _ in others[:5])})" if others else ""
    newest = says("figure_plans.newest", q.slots.text)
    return replace(q, slots=own, past=past), "" if newest else f"Meant is {_run_named((run, row))}{more}."


def _same_of_another(q: Question) -> bool:
    """`and the same for eth-trend`, after a stored run: the run of that one, not what the desk made."""
    last, own = next(reversed(q.results()), None), tidy(q.raw, q.words, vocabulary())
    stored = last is not None and (last.name == "run" or str(last.args.get("subject", "")).startswith("r-"))
    names = bool(q.slots.sleeves or q.slots.symbols) and says("figure_plans.same_for", own) is not None
    return stored and names and not DESKWARD.search(own)


_DESK = "The desk's own trades are no run: ask for them without one."


def _run_named(run: tuple[str, Mapping[str, str]]) -> str:
    """A stored run by its id, with what it is of and its window."""
    return f"{run[0]} ({run[1].get('about', '')}, {run[1].get('first', '')} to {run[1].get('last', '')})"


def performance(q: Question) -> Plan:
    """Return, Sharpe and drawdowns of the desk or a run; asked back where a run is meant that there is not."""
    last = next(reversed(q.results()), None)
    if last is not None and last.status != "ok" and last.name in RUNS and not DESKWARD.search(q.slots.text):
        return asks_back(f"The run that this is about was not made. {result_text(last)}")
    if re.search(r"\b(?:out|in)[- ]of?[- ]?sample\b", q.slots.text) and not (last is not None and last.name in RUNS):
        return asks_back(SAY["no_folds"])
    named, of_desk = says("figure_plans.of_runs", q.slots.text), (FILLERS["subject"](q) or "desk") == "desk"
    holds = named is not None and re.search("hold|held|benchmark", named[0]) is not None
    if holds and not of_desk:  # beside holding the same instruments
        return (yield from measured(str(q.run_id() or ""), q.slots.text, q))
    if named and of_desk and not holds:
        draft = yield from once(q)
        return draft.after(f"No tool of a chat gives that ({named[0]}) here; the table of a backtest has it. What there is:")
    if of_desk and (holds or says("measured.good", q.slots.text)) and not says("figure_plans.cash", q.slots.text):
        return (yield from measured("", q.slots.text, q))
    call = PlannedCall("performance", arguments(q))
    (result,) = yield [call]
    if says("figure_plans.cash", q.slots.text) and (h := handle_of(result, "return_frac")):  # which earns nothing here
        more = "Yes, ahead of" if (number_of(f"{{{h}.return_frac}}", q.facts) or 0.0) > 0 else "No, behind"
        return drafted([call], [result]).after(f"{more} cash, which makes 0 here: the return is {{{h}.return_frac}}.")
    h = handle_of(result, "sharpe")
    said = [form.format(h=h) for words, form in LISTS["figures_of_days"].items() if h and re.search(words, q.slots.text)]
    fall = deepest(result, q.slots.text) if says("measured.fall", q.slots.text) or says("measured.back", q.slots.text) else ""
    low, high = (number_of(f"{{{h}.sharpe_{end}}}", q.facts) for end in ("low", "high"))
    how_long = re.search(r"\bhow (?:many|long|much)\b", q.slots.text)
    if said and says("measured.chance", q.slots.text) and not how_long and low is not None and high is not None:
        said[0] = f"{'No, zero is inside' if low <= 0 <= high else 'Yes, without zero'}: {said[0]}"
    worse = is_deepest(result, q.slots.text)
    return drafted([call], [result]).after(" ".join(filter(None, (worse, fall, *(f"{one}." for one in said)))))


def excursions(q: Question) -> Plan:
    """MAE and MFE of the desk or of a run; trades ended so are meant where it says so."""
    if _no_run(q):
        return asks_back(NO_RUN)
    args, by = arguments(q), q.slots.by
    if args.get("exit") == "open" or not says("figure_plans.ended", q.slots.text):
        args.pop("exit", None)
    if not (q.slots.count or says("figure_plans.listed", q.slots.text)):  # `at their worst` ranks no trades
        args.pop("worst", None)
    if says("figure_plans.kept", q.slots.text) and "trips" in q.tools and not (by or "subject" in args):
        return (yield from _kept_of_best(args))
    calls = [PlannedCall("excursions", args)]
    if {"sleeve", "side"} & {*by} - {*args} and "subject" not in args:
        of = {"side": ("long", "short"), "sleeve": [sleeve.name for sleeve in q.words.sleeves[:SLEEVES_MAX]]}
        calls = [PlannedCall("excursions", args | {by[0]: name}) for name in of[by[0]]]
    if len(calls) > 1 or q.slots.outcome not in ("winners", "losers") or re.search(r"winn.*los|los.*winn", q.slots.text):
        return (yield from made(calls, q))
    (result,) = yield calls
    row = next((row for row in result.rows() if row.get("of") == q.slots.outcome), {})
    names = [name for name in ("mae_median", "mae_worst", "mfe_median", "mfe_best") if name in row]
    said = [f"{name.replace('_', ' ')} {row[name]}" for name in names]
    return drafted(calls, [result]).after(f"{q.slots.outcome.capitalize()}: {', '.join(said)}." if said else "")


def _kept_of_best(args: dict[str, Any]) -> Plan:
    """What winners had at their best beside what they made in the end, and what losers had given back."""
    narrowed = {name: args[name] for name in args if name in ("sleeve", "side", "since", "until", "exit")}
    calls = [PlannedCall("excursions", args), PlannedCall("trips", {**narrowed, "outcome": "winners"})]
    results = yield calls
    best, h = {row["of"]: row.get("mfe_mean", "") for row in results[0].rows() if "of" in row}, handle_of(results[1], "net")
    if not (h and best.get("winners", "").startswith("{")):
        return drafted(calls, results)
    (kept,) = yield from reckoned(f"share({h}.mean_net, {best['winners'][1:-1]})")
    lead = f"Winners kept {kept} of their best: up {best['winners']} on average, closed at {{{h}.mean_net}} after costs, over "
    lead += f"{{{h}.trips}} round trips. Losers had been up {best.get('losers', 'n/a')} on average before they lost it."
    return drafted(calls, results).after(lead)


SLEEVES_MAX = 6


def pnl(q: Question) -> Plan:
    """P&L by day, week or month, or equity; of a window or of two periods their rows alone; the best or the worst first."""
    if _no_run(q):
        return asks_back(NO_RUN)
    args, now, span = arguments(q), q.words.desk_ms, q.slots.span
    text = q.raw.lower() if q.past and ranks(q.raw.lower()) else q.slots.text  # which is of the question before
    hours = re.search(r"T(?!00:00)", span.start or "") and not says("figure_plans.days", text)
    if hours and not (q.slots.by or args.get("subject")) and q.entry is not None:
        return (yield from _of_hours(q))
    if says("figure_plans.equity", text):
        args["equity"] = True
    args.pop("subject", None)
    if _run_meant(q):
        args["subject"] = q.run_id()
    pair = q.slots.periods
    spans = list(pair) or ([span] if span.start or span.at else [])
    starts = [of.start or of.at or "" for of in spans]
    if pair:  # this week against the last one: both are rows of one table
        said = next((unit for unit in ("week", "month", "year") if re.search(rf"\b{unit}\b", text)), "")
        unit = said or ("month" if all(of.endswith("-01") for of in starts) else "day")
        args |= {"unit": "month" if unit == "year" else unit}
    if spans and now is not None and spans[0].end and not pair:
        size = (instant(spans[0].end, now) - instant(starts[0], now)) // 86_400_000
        args |= {"unit": "day"} if size < {"week": 7, "month": 28}.get(args.get("unit", ""), 0) else {}
    extremes = q.slots.which in ("worst", "best")
    n = args.pop("limit", None) if extremes else None  # the two worst days are not the last two
    if starts and now is not None:
        days = (now - instant(min(starts), now)) // 86_400_000 + 1
        of_months = all(end.endswith("-01") for end in (starts[0], spans[0].end) if end)
        if days > ROWS_SUMMED and "unit" not in args and len(spans) == 1 and of_months:
            args["unit"] = "month"
        args |= {"limit": max(1, min(60, days if args.get("unit", "day") == "day" else days // 7 + 2))}
    if (ranks(text) or extremes or ("subject" in args and args.get("unit") in ("week", "month"))) and not starts:
        args |= {"limit": 60}  # of all that it shows, not of the last twelve
    call = PlannedCall("pnl", args)
    (result,) = yield [call]
    short = ""
    if spans and result.table is not None:
        began = min((str(row[0])[:10] for row in result.table.rows), default="")
        if began > min(starts)[:10] and len(result.table.rows) < args.get("limit", 0):
            short = f"The desk has no P&L before {began}, so this is not all of the window that was asked for."
        asked = [(begin[:10], (of.end or "9999")[:10]) for begin, of in zip(starts, spans, strict=True)]
        kept = [n for n, row in enumerate(result.table.rows) if any(a <= str(row[0])[:10] < b for a, b in asked)]
        result = result.only(kept)
        if not kept:
            return PlannedAnswer(f"No {args.get('unit', 'day')} of that window is among the last {args.get('limit', 12)}.")
    draft, first, table = drafted([call], [result]), "", result.table
    if spans:  # rows of the window alone
        rows_of = " and ".join(words_of("span", of) for of in spans)
        what, of = "equity and P&L" if args.get("equity") else "P&L", args.get("subject") or args.get("sleeve", "the whole desk")
        draft = draft._replace(read_as=f"{what} of {of}, by {args.get('unit', 'day')}, {rows_of}")
    if len(spans) == 1 and table is not None and not (ranks(text) or extremes) and 0 < len(table.rows) <= ROWS_SUMMED:
        refs = [str(row[table.columns.index("net")])[1:-1] for row in table.rows if "net" in table.columns]
        (total,) = (yield from reckoned("+".join(refs))) if len(refs) > 1 else (f"{{{refs[0]}}}",)
        first = f"Net {words_of('span', spans[0])}: {total}."
    nets = [str(row["net"]) for row in result.rows() if "net" in row]
    if len(spans) == len(nets) > 1:  # one row each
        first = "; ".join(f"{words_of('span', of)} {net}" for of, net in zip(sorted(spans), nets, strict=True)) + "."
    n = n or (EXTREMES if extremes and not starts else None)
    if n and table is not None and "net" in table.columns:
        draft = draft._replace(text=drafted([call], [result.only(ordered(table, q.facts, "net", q.slots.which)[:n])]).text)
    if table is not None and (ranks(text) or extremes):
        ends = ("best", "worst") if says("tables.both_ends", text) else (q.slots.which,)
        first = " ".join(extreme(table, q.facts, text, end) for end in ends) or first
        first += yield from _and_why(table, f"{text} {q.raw.lower()}", q)
    return draft.after(" ".join(filter(None, (first, short))))


def _and_why(table: Table, text: str, q: Question) -> Generator[list[PlannedCall], list[CallResult], str]:
    """What went on in the day that a sentence ranks, where it asks for that: `the worst day, and what went wrong`."""
    at = extreme_row(table, q.facts, text, q.slots.which) if table.columns[0] == "day" and says("subject.reason", text) else None
    if at is None:
        return ""
    day = date.fromisoformat(str(table.rows[at][0])[:10])
    tool = "attribution" if "attribution" in q.tools else "journal_search"
    (found,) = yield [PlannedCall(tool, {"since": f"{day}", "until": f"{day + timedelta(days=1)}"})]
    return f" {found.text}"


def _of_hours(q: Question) -> Plan:
    """What a window of hours made, which the journal has: P&L is kept by days."""
    sleeve = {"sleeve": one.name} if (one := q.sleeve()) else {}
    call = PlannedCall("journal_search", {**sleeve, **window(q.slots.span), "kinds": ["fill"]})
    (result,) = yield [call]
    made_it = re.search(r"equity changed by (\S+ \w+|\S+)\.(?= |$)", result.text)
    when = words_of("span", q.slots.span)
    lead = f"{when[0].upper()}{when[1:]} equity changed by {made_it[1]}." if made_it else f"By round trips that closed {when}:"
    return drafted([call], [result]).after(lead)._replace(read_as=f"P&L {when}, from the journal")


def _run_meant(q: Question) -> bool:
    """Whether the sentence speaks of a run: by its id, in words, or as equity right after one was made or shown."""
    last, text = next(reversed(q.results()), None), q.slots.text
    subject = "" if last is None else str(last.args.get("subject") or last.args.get("run_id") or "")
    after = last is not None and (last.name in _ONE_RUN or subject.startswith("r-")) and says("figure_plans.equity", text)
    named = q.slots.handles or any(identity.startswith("r-") for identity in q.slots.ids)
    spoken = speaks_of_run(text)
    return q.run_id() is not None and bool(named or spoken or (after and not DESKWARD.search(text)))


def _no_run(q: Question) -> bool:
    """Whether the sentence speaks of a run where none is stored: the desk's figures would be of another question."""
    return speaks_of_run(q.slots.text) and q.run_id() is None


_ONE_RUN = ("backtest", "run", "round_trip")
NO_RUN = "No run is stored that this could be about. `backtest trend on BTC for 2025` makes one, by the developer."
