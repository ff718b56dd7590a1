"""Whether what stands above is much, good or enough: measured against a limit, against chance, against what was made. Called by
understand.py, above_kinds.py and the plans of figures.

No tool calls a figure good. What can be said is how far it is from a limit, whether its interval spans zero, and what it is of
the whole; the word in front is made from these by code.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from agents.offline.above import FromAbove, figure, newest, run_shown, two_runs
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, Question, asks_back, drafted, reckoned, result_text
from agents.offline.tables import Facts, column_of, number_of, ordered, ranks
from agents.offline.talk import figure_meant, key_of, tables_above
from agents.offline.turn_above import ANY, Kinds, Rest, ShortSentence
from agents.offline.words import PATTERNS

KINDS = Kinds()
_COUNTS = ("trips", "trades", "round trips")
_OWN_VERDICT = ("sweep", "walkforward", "judge", "trials", "parity", "pair_scan", "leaks", "compare", "joint_risk", "exposure")
_COSTS = re.compile(r"\b(?:fees?|costs?|slippage|commissions?|funding)\b")
_FALL = PATTERNS["measured.fall"]
_HOLDS = re.compile(r"\b(?:hold|held|holding|benchmark)\b")
_ENOUGH = re.compile(r"\b(?:enough|too (?:few|short|little|soon|early)|sufficient|how sure|luck|chance|significan\w+)\b")


def judged(slots: Slots, past: Sequence[PastTurn], facts: Facts) -> FromAbove:
    """How good the answer above is: its own verdict, which of two runs made more, or its figures beside chance and limits."""
    last, text = newest(past), slots.text
    if (both := two_runs(past)) is not None:
        return both
    if (ranks(text) or slots.which) and (call := figure(slots, past, facts)) is not None:
        return call
    if last is None:
        return asks_back("Is what any good? Nothing was looked up yet: name the run or the sleeve.")
    if last.name == "pnl" and re.search(r"\b(?:better|worse)\b", text):
        return asks_back("Better than what? Name the period or the sleeve to set it against: `this week against last week`.")
    if last.name in _OWN_VERDICT and last.status == "ok":
        return _own_verdict(last)
    if re.search(r"\b(?:difference|between|the two|both)\b", text):
        return asks_back("The difference of what two? Name both values: `compare stop_atr=2 with stop_atr=3`.")
    asked = f"{next((turn.asked for turn in reversed(past) if turn.results), '')} {text}".lower()
    if _COSTS.search(asked) and last.name in ("attribution", "pnl", "trips"):
        return costs_measured
    return partial(measured, str(run_shown(last) or ""), asked)


def _own_verdict(last: CallResult) -> PlannedAnswer:
    verdict = re.split(r"(?<=[a-z)}%])\. (?=[A-Z])", last.text, maxsplit=1)[0].rstrip(".")
    return PlannedAnswer(f"{verdict}.\n\n{result_text(last)}", read_as="the verdict above")


def costs_measured(q: Question) -> Plan:
    """What costs are of the change in equity, and beside what the price made."""
    call = PlannedCall("attribution", {})
    if call.name not in q.tools:
        return (yield from measured("", "", q))
    (result,) = yield [call]
    row = next((row for row in result.rows() if "whole desk" in row.values()), {})
    refs = {name: cell[1:-1] for name, cell in row.items() if cell.startswith("{")}
    if not {"price P&L", "fees", "slippage", "change"} <= refs.keys():
        return drafted([call], [result])
    costs, share = yield from reckoned(
        f"{refs['fees']}+{refs['slippage']}", f"share({refs['fees']}+{refs['slippage']}, {refs['change']})"
    )
    sizes = [abs(number_of(f"{{{refs[name]}}}", q.facts) or 0.0) for name in ("fees", "price P&L")]
    word = "It is much" if sizes[0] > sizes[1] else "It is less than the price moves"
    lead = f"{word}: fees and slippage took {costs}, {share} of the change in equity ({row['change']}). "
    lead += f"The price alone made {row['price P&L']}."
    return drafted([call], [result]).after(lead)


def measured(subject: str, asked: str, q: Question) -> Plan:
    """Return and Sharpe of the desk or a run with the word that its interval allows; a drawdown beside the limit that halts."""
    calls = [PlannedCall("performance", {"subject": subject} if subject else {})]
    calls += [PlannedCall("desk", {})] if not subject and _FALL.search(asked) else []
    results = yield calls
    leads = [fall_limit(results[1], q.facts)] if len(results) > 1 else []
    leads.append(verdict(results[0], q.facts, q.slots.text))
    return drafted(calls[:1], results[:1]).after(" ".join(filter(None, leads)))


def _handle(result: CallResult, name: str) -> str:
    found = re.search(rf"\{{(\w+)\.{name}\}}", result.text)
    return found[1] if found else ""


def verdict(result: CallResult, facts: Mapping[str, Any], asked: str = "") -> str:
    """Whether a performance can be told from chance, or beats holding, in a sentence; empty where it has no ratio."""
    enough = _ENOUGH.search(asked)
    h = _handle(result, "sharpe")
    low, high, total = (number_of(f"{{{h}.{name}}}", facts) for name in ("sharpe_low", "sharpe_high", "return_frac"))
    hold = number_of(f"{{{h}.hold_return_frac}}", facts) if _HOLDS.search(asked) else None
    if low is None or high is None or total is None:
        return ""
    told = low > 0 or high < 0
    if enough and told:
        return f"Enough: {{{h}.whole_days}} tell it from zero."
    if enough:
        lead = f"Not enough: over {{{h}.whole_days}} it cannot be told from luck"
        return f"{lead}; at this ratio that takes about {{{h}.days_needed}}."
    word = (
        ("Good, beyond chance" if low > 0 else "Bad, beyond chance")
        if told
        else "Not good so far"
        if total < 0
        else "A gain so far"
    )
    if hold is not None:
        beside = "more" if total > hold else "less"
        return f"The desk returned {{{h}.return_frac}}, {beside} than {{{h}.hold_return_frac}} by holding the same instruments."
    luck = "excludes zero" if told else "spans zero, so that luck explains it"
    return f"{word}: return {{{h}.return_frac}}, Sharpe {{{h}.sharpe}}; its interval {luck}."


def deepest(result: CallResult) -> str:
    """The deepest drawdown with its dates, in a sentence; empty without one."""
    row = next(iter(result.rows()), {})
    if "depth" not in row:
        return ""
    end = row["recovered"] if row["recovered"].startswith("not") else f"recovered {row['recovered']}"
    return (
        f"The deepest: {row['depth']} ({row['money']}), from {row['peak']} to {row['trough']}, {end}; it lasted {row['lasted']}."
    )


def fall_limit(result: CallResult, facts: Mapping[str, Any]) -> str:
    """How much of what halts the desk has been used, of its drawdown and its exposure; empty where a limit is not known."""
    h = _handle(result, "drawdown_frac")
    used = []
    for name, limit, head in (
        ("drawdown_frac", "drawdown_frac_max", "the drawdown, which halts the desk"),
        ("gross_frac", "gross_frac_max", "the exposure, times equity"),
    ):
        now, most = (number_of(f"{{{h}.{key}}}", facts) for key in (name, limit))
        if now is not None and most:
            used.append((now / most, f"{head}: {{{h}.{name}}} of {{{h}.{limit}}}"))
    if not used:
        return ""
    broken = [text for share, text in used if share >= 1]
    parts = "; ".join(text for _, text in sorted(used, reverse=True))
    return f"{'A limit is reached' if broken else 'No desk limit is reached'}. Nearest first: {parts}."


@KINDS(most=9, of=("run", "backtest", "sweep", "pair_scan", "walkforward"))
def which_better(heard: ShortSentence) -> FromAbove | None:
    """`which is better and by how much`, `which of those was worst`: of the rows above, of two runs of one window compared."""
    of_run = heard.last.name in ("backtest", "run") and heard.last.table is not None and heard.last.table.columns[0] == "metric"
    return two_runs(heard.above.past) if of_run else judged(heard.read, heard.above.past, heard.above.facts)


@KINDS(most=14, of=ANY, table=True)
def noise(heard: ShortSentence) -> FromAbove | None:
    """`is the top one really better or noise`: what a comparison or a search says itself, the two best values of a search or two
    runs of one window compared; of any other rows that their table has no interval."""
    last, facts, past = heard.last, heard.above.facts, heard.above.past
    above = next(iter(tables_above(past, facts, heard.above.words)), None)
    if (
        above is None
        or len(above.rows) < 2
        or heard.last.name in ("performance", "pnl", "compare")
        or above.table.columns[-1] == "value"
    ):
        return None
    text = figure_meant(heard.read, above)
    order, at = ordered(above.table, facts, text, "best", above.rows), column_of(above.table, text)
    if last.name == "sweep" and len(order) > 1 and (call := _two_values(last, [str(above.table.rows[n][0]) for n in order[:2]])):
        return partial(_told_apart, call)
    if (both := two_runs(past)) is not None:
        return partial(_told_apart, both) if isinstance(both, PlannedCall) else both
    if last.name in _OWN_VERDICT or len(order) < 2:
        return _own_verdict(last) if last.name in _OWN_VERDICT else None
    rows, counts = above.table.rows, [i for i, head in enumerate(above.table.columns) if head in _COUNTS]
    named = [
        f"{rows[n][key_of(above.table)]} {rows[n][at]}{''.join(f' of {rows[n][i]} trades' for i in counts[:1])}"
        for n in order[:2]
    ]
    return PlannedAnswer(
        f"The table cannot tell: it has no interval. By {above.table.columns[at]} the first is {named[0]}, the next {named[1]}. "
        "What tells a difference from luck is a comparison of two values of a setting over the same days (the developer's "
        "`compare stop_atr=2 with stop_atr=3`).",
        read_as="the table above",
    )


def _two_values(last: CallResult, names: Sequence[str]) -> PlannedCall | None:
    """The two best variations of a search compared over its days; None where they are no `key value` pairs."""
    pairs = [dict(part.rsplit(" ", 1) for part in name.split(", ") if " " in part) for name in names]
    same = {key: last.args[key] for key in ("strategy", "symbol", "timeframe", "start", "end") if last.args.get(key)}
    changed = [{"changes": [{"key": key, "value": float(value)} for key, value in pair.items()]} for pair in pairs]
    return PlannedCall("compare", {**same, "variants": changed}) if all(pairs) else None


def _told_apart(call: PlannedCall, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    """A comparison with the verdict of each value first."""
    (result,) = yield [call]
    rows = [row for row in result.rows() if row.get("#", "0") != "0" and "verdict" in row]
    leads = [
        f"{row['configuration']} against the live configuration: {row['verdict']}, {row['difference a day (95 %)']} a day."
        for row in rows
    ]
    return drafted([call], [result]).after(" ".join(leads))


@KINDS(most=8, of=("pnl", "attribution", "desk", "performance", "trips"), ok=False)
def in_proportion(heard: ShortSentence) -> FromAbove | None:
    """`is that a lot`, `in percent`, of the desk's money: beside what it made, its interval or its limit."""
    of_run = str(heard.last.args.get("subject", "desk")).startswith("r-")
    other = of_run or heard.last.args.get("sleeve") or heard.read.places.keys() & {"by", "side", "outcome"}
    return None if other else judged(heard.read, heard.above.past, heard.above.facts)


@KINDS(most=5, of=("backtest", "run"))
def of_the_run(heard: ShortSentence) -> PlannedCall | None:
    """`worst trade`, `long or short`, after a run: of its round trips."""
    run = run_shown(heard.last)
    if run is None or (heard.last.table is not None and "run" in heard.last.table.columns):
        return None
    if heard.found["side"]:
        return PlannedCall("trips", {"subject": str(run), "by": "side"})
    if not (heard.found["of"] or heard.found["n"]):
        return None
    low = heard.found["which"] == "worst" or str(heard.found["of"]).startswith("los")
    n = int(heard.found["n"]) if heard.found["n"] else 5 if str(heard.found["of"]).endswith("s") else 1
    return PlannedCall("trips", {"subject": str(run), "worst" if low else "best": min(max(n, 1), 20)})


@KINDS(of=("backtest", "compare"))
def without_value(heard: ShortSentence) -> Rest | None:
    """`ok and with a tighter stop`, after a run: a quarter closer or wider than it was; the answer says the value."""
    key = f"{heard.found['what']}_atr"
    was = {c["key"]: c["value"] for c in heard.last.args.get("changes") or ()}.get(key)
    was = was or (heard.above.words.params[key].default if key in heard.above.words.params else None)
    if not isinstance(was, int | float) or not was:
        return None
    closer = heard.found["how"] in ("tighter", "closer", "smaller", "lower")
    return Rest(f"with {key}={was * (0.75 if closer else 1.25):g}")
