"""A short sentence about the one thing that was just shown: the day, the oldest, the gravest, the fall, the usual. Called by
above_kinds.py.

What is recorded is said with its time; what no record has is said to be missing, never worked out of another figure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from agents.offline.choose import SPOKEN_RUN
from agents.offline.dates import TimeSpan
from agents.offline.drafts import drafted, name_list, reckoned, result_text
from agents.offline.read_back import PlannedCall
from agents.offline.run_plans import run
from agents.offline.slots import words_of
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, Question
from agents.offline.tables import Facts, extreme_row, handle_of, number_of, only, ranks
from agents.offline.turn_above import ANY, LEAD, Kinds, ShortSentence
from agents.offline.words import LISTS
from tools.common import render

if TYPE_CHECKING:
    from agents.offline.parts import Part

KINDS = Kinds()
_DAYS = {"day": 1, "week": 7}  # columns
_TIMES = ("decided", "since (wall time)", "made", "since")  # columns
_WINDOW = re.compile(r"(\d{4}-\d\d-\d\d) \d\d:\d\dZ to (\d{4}-\d\d-\d\d)")
_GRAVE = ("halt", "incident", "breaker", "refused")  # kinds of events, the gravest first
_START = ("since", "until")


def day_of(text: str, past: Sequence[PastTurn], facts: Facts) -> TimeSpan | None:
    """The day or week that the last answer ranked first, or that a sentence about it ranks; None where none was ranked."""
    shown = next((turn for turn in reversed(past[-3:]) if turn.results), None)  # `which was the worst` looks nothing up
    last = next((r for r in reversed(shown.results) if r.table is not None), None) if shown is not None else None
    asked = next((said for said in (text, *(turn.asked.lower() for turn in reversed(past[-3:]))) if ranks(said)), "")
    if last is None or last.name != "pnl" or last.table is None or last.table.columns[0] not in _DAYS or not asked:
        return None
    at = extreme_row(last.table, facts, f"{asked} net", None)
    start = str(last.table.rows[at][0])[:10] if at is not None else ""
    return TimeSpan(start, f"{date.fromisoformat(start) + timedelta(days=_DAYS[last.table.columns[0]])}") if start else None


def on_that_day(part: "Part", past: Sequence[PastTurn], facts: Facts) -> "Part | None":
    """A question that points back to a day that was ranked, of that day; None where no day was, or the tool takes no window."""
    span = day_of(part.slots.text, past, facts)
    if span is None or part.chosen is None or not any(map(part.chosen.entry.takes, ("since", "start"))):
        return None
    by = tuple(by for by in part.slots.by if by != "day")
    return part._replace(slots=replace(part.slots, span=span, which=None, by=by), kept=(words_of("span", span),), frame=None)


@KINDS(most=8, of=("pnl",), table=True)
def of_that_day(heard: ShortSentence) -> str | None:
    """`what went wrong`, `what happened on the worst one`, after days that were ranked: what the journal has of that day."""
    day = day_of(heard.text, heard.above.past, heard.above.facts)
    return f"what happened from {day.start} to {day.end}" if day else None


@KINDS(LISTS["kinds"]["which_sleeve"].replace("{LEAD}", LEAD), most=9, of=("pnl",), table=True)
def sleeve_of_that_day(heard: ShortSentence) -> PlannedCall | None:
    """`which sleeve was it`, after days that were ranked: the round trips of that day by sleeve."""
    day = day_of(heard.text, heard.above.past, heard.above.facts)
    return PlannedCall("trips", {"by": "sleeve", "since": day.start, "until": day.end}) if day else None


@KINDS(most=8, of=("orders", "alerts", "proposals", "watches"), table=True)
def oldest(heard: ShortSentence) -> PlannedAnswer | None:
    """`how old is the oldest`: by the times of the table; in desk time how long ago that is."""
    table, newest = heard.table, re.search(r"\b(?:newest|latest|youngest)\b", heard.text)
    heads = [i for i, head in enumerate(table.columns) if head in _TIMES]
    dated = sorted((ms, n) for n, row in enumerate(table.rows) for i in heads if (ms := number_of(row[i], heard.above.facts)))
    if not dated:
        return None
    ms, n = dated[-1 if newest else 0]
    row, now, alike = table.rows[n], heard.above.words.desk_ms, sum(at == ms for at, _ in dated) - 1
    ago = f", {render.duration(now - ms)} before the desk's time" if now and heard.last.name == "orders" else ""
    more = f"; {alike} more of the same time" if alike else ""
    lead = f"The {'newest' if newest else 'oldest'} is {row[0]}: {table.columns[heads[0]]} {row[heads[0]]}{ago}{more}."
    return PlannedAnswer(f"{lead}\n\n{render.markdown_table(only(heard.table, [n]))}", read_as="the table above")


@KINDS(most=8, of=("journal_search", "alerts", "orders"), ok=False)
def gravest(heard: ShortSentence) -> PlannedAnswer | None:
    """`was any of that serious`, `which of them should worry me`: by the kind of event; of none that there is none."""
    last, rows = heard.last, heard.last.rows()
    if last.status == "no_data" or (last.status == "ok" and "No matching events" in last.text):
        return PlannedAnswer(f"None: {result_text(last)}", read_as="the answer above")
    ranked = [n for kind in _GRAVE for n, row in enumerate(rows) if row.get("kind") == kind]
    if last.name != "journal_search" or last.table is None:
        return None
    shown = [rows[n] for n in ranked]
    if not shown:
        return PlannedAnswer("No: no halt, incident, breaker or refusal is among the events above.", read_as="the events above")
    whether = re.match(r"(?:and |so |but )*(?:is|was|are|were|any)", heard.text) is not None
    grave = ("Yes. " if shown[0]["kind"] != "refused" else "Not very. ") if whether else ""
    lead = f"{grave}The gravest is a {shown[0]['kind']}, {shown[0]['desk time']}: {shown[0]['what']} ({shown[0]['event']})."
    return PlannedAnswer(
        f"{lead}\n\n{render.markdown_table(only(last.table, ranked))}", read_as="the events above, the gravest first"
    )


@KINDS(most=8, of=("performance", "desk"))
def out_of_it(heard: ShortSentence) -> Any:
    """`are we out of it`, `how long have we been in it`, after a drawdown: since its peak, recovered or not."""
    return partial(_fall, heard.text) if re.search(r"\bdraw-?down|\bdd\b|under ?water|\bpeak", heard.above.question) else None


def _fall(text: str, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    (result,) = yield [call := PlannedCall("performance", {})]
    rows, still = [row for row in result.rows() if row.get("recovered")], "still in" in text
    row = next((row for row in rows if not re.search(r"\d|\{", row["recovered"])), None)
    if row is None:
        return drafted([call], [result]).after(f"{'No' if still else 'Yes'}: each drawdown below has recovered." if rows else "")
    no = "" if text.startswith("how long") else "Yes. " if still else "No. "
    return drafted([call], [result]).after(
        f"{no}The desk is below its peak of {row['peak']}: {row['lasted']} so far, not recovered."
    )


@KINDS(most=8, of=("attribution",))
def usual(heard: ShortSentence) -> Any:
    """`is that worse than usual`: what a fill cost in the window above, beside all fills of the desk."""
    what = next((cost for cost in ("slippage", "fees") if cost.rstrip("s") in heard.above.question), "")
    return partial(beside_all, what, heard.last.args) if what and heard.last.args.get("since") else None


def beside_all(what: str, args: Mapping[str, Any], q: Question) -> Plan:
    """What a fill cost in the window of these arguments, beside all fills of the desk."""
    wide = {name: value for name, value in args.items() if name not in _START}
    calls = [PlannedCall("attribution", args), PlannedCall("attribution", wide)]
    results = yield calls
    handles = [handle_of(result, what) for result in results]
    if not all(handles):
        return drafted(calls, results)
    each = yield from reckoned(*(f"{h}.{what}/{h}.fills" for h in handles))
    counts = [f"{{{h}.fills}}" for h in handles]
    cost = [abs(number_of(f"{{{h}.{what}}}", q.facts) or 0.0) / (number_of(f"{{{h}.fills}}", q.facts) or 1.0) for h in handles]
    more = "" if not all(cost) else "More than usual. " if cost[0] > cost[1] else "Not more than usual. "
    lead = f"{more}{what.capitalize()} per fill: {each[0]} over {counts[0]} then, {each[1]} over all {counts[1]}; below 0: paid."
    return drafted(calls, results).after(lead)


@KINDS(of=ANY)
def from_the_start(heard: ShortSentence) -> Any:
    """`and since the start`: the call above without its window; where it had none, that it is since the start."""
    last: CallResult = heard.last
    if last.name == "pnl":
        total = re.search(r"since the start (\{[^}]+\})", last.text)
        return PlannedAnswer(f"Net since the start: {total[1]}.", read_as="the P&L above") if total else None
    if not set(last.args) & {*_START, "start", "end"}:
        return PlannedAnswer(f"That is since the start already: {result_text(last, table=False)}", read_as="the answer above")
    if last.name not in ("trips", "attribution", "pnl", "performance", "excursions"):
        return None
    return PlannedCall(last.name, {name: value for name, value in last.args.items() if name not in _START})


@KINDS(most=8, of=("runbook", "define", "incidents"), ok=False)
def ever_one(heard: ShortSentence) -> Any:
    """`did we ever have one`, after a page or a word of what goes wrong: the incidents of the desk and its alerts by rule."""
    if heard.last.name == "incidents":
        return PlannedAnswer(f"No: {heard.last.text}.", read_as="the answer above") if heard.last.status == "no_data" else None
    if not re.search(r"reconcile|mismatch|differ|incident|alert|outage|gap", heard.above.question):
        return None
    return partial(
        _ever, [PlannedCall("incidents", {}), PlannedCall("counts", {"what": "alert", "by": "rule", "since": "2009-01-01"})]
    )


def _ever(calls: list[PlannedCall], q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    results = yield calls
    none = "No incident window was ever open; the alerts by rule are below."
    return drafted(calls, results).after(none if results[0].status == "no_data" else "")


_OPEN: Mapping[str, Mapping[str, Any]] = {"alerts": {"state": "open"}, "orders": {"only_open": True}}


@KINDS(most=8, of=tuple(_OPEN), ok=False)
def still_open(heard: ShortSentence) -> PlannedCall:
    """`which are still open`, of alerts or orders: those that are."""
    return PlannedCall(heard.last.name, _OPEN[heard.last.name])


@KINDS(of=("run",))
def window_shared(heard: ShortSentence) -> PlannedAnswer | None:
    """`only the window both runs share`: which days that are; a stored run is not cut to them."""
    shown = [result for turn in heard.above.past[-4:] for result in turn.results if result.args.get("run_id")]
    windows = {str(result.args["run_id"]): found for result in shown if (found := _WINDOW.search(result.text))}
    (_, one), (_, two) = [*windows.items()][-2:] if len(windows) > 1 else (("", None), ("", None))
    if one is None or two is None:
        return None
    start, end = max(one[1], two[1]), min(one[2], two[2])
    days = f"Both have the days from {start} to {end}" if start <= end else "They share no day"
    cut = "No stored run is cut to a part of its window: make both anew, such as `backtest trend on BTC from"
    return PlannedAnswer(f"{days}. {cut} {start} to {end}`.", read_as="the windows of the runs above")


def two_named(part: "Part") -> "Part":
    """`the trend run on btc against the reversion run on sol`: two runs, each strategy on its own symbol; any other as it is."""
    two = len(part.slots.strategies) == len(part.slots.symbols) == 2 and SPOKEN_RUN.search(part.slots.text)
    reads = part.chosen is not None and part.chosen.entry.tool.name in ("run", "compare", "performance", "trips")
    return part._replace(call=_two_runs) if two and reads else part


def _two_runs(q: Question) -> Plan:
    """The stored runs of two strategies, each on its own symbol, side by side; of one that is not stored, that."""
    (latest,) = yield [PlannedCall("run", {})]
    rows = list(zip(latest.evidence, latest.rows(), strict=False))
    pairs = list(zip(q.slots.strategies, q.slots.symbols, strict=True))
    ids = [next((run for run, row in rows if row.get("about", "").startswith(f"{of} on {on}")), "") for of, on in pairs]
    if not all(ids):
        none = name_list([f"{of} on {on}" for (of, on), run in zip(pairs, ids, strict=True) if not run])
        return drafted([PlannedCall("run", {})], [latest]).after(f"No stored run is of {none}; these are stored.")
    return (yield from run(replace(q, slots=replace(q.slots, ids=tuple(ids)))))
