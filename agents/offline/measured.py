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
from agents.offline.drafts import asks_back, drafted, first_sentence, result_text
from agents.offline.moves import unsized
from agents.offline.params import keys_named
from agents.offline.read_back import PlannedCall
from agents.offline.slots import ORDINALS, Slots
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.tables import Facts, column_of, handle_of, number_of, ordered, ranks
from agents.offline.tables_shown import days_of
from agents.offline.talk import figure_meant, key_of, tables_above
from agents.offline.turn_above import ANY, Kinds, Rest, ShortSentence
from agents.offline.words import PATTERNS, says

KINDS = Kinds()
_COUNTS = ("trips", "trades", "round trips")
_OWN_VERDICT = ("sweep", "walkforward", "judge", "trials", "parity", "pair_scan", "leaks", "compare", "joint_risk", "exposure")
_FALL, _DOUBTS = PATTERNS["measured.fall"], PATTERNS["measured.doubts"]


def judged(slots: Slots, past: Sequence[PastTurn], facts: Facts) -> FromAbove:
    """How good the answer above is: its own verdict, which of two runs made more, or its figures beside chance and limits."""
    last, text = newest(past), slots.text
    if (both := two_runs(past)) is not None:
        return both
    ranked, own = ranks(text) or slots.which, last is not None and last.name in _OWN_VERDICT and last.status == "ok"
    if last is not None and own and _DOUBTS.search(text):
        return _verdict_of(last)
    if ranked and (call := figure(slots, past, facts)) is not None:
        return call
    if last is None:
        return asks_back("Is what any good? Nothing was looked up yet: name the run or the sleeve.")
    if own:
        return _verdict_of(last)
    if last.name == "pnl" and re.search(r"\b(?:better|worse)\b", text):
        return asks_back("Better than what? Name the period or the sleeve to set it against: `this week against last week`.")
    if re.search(r"\b(?:difference|between|the two|both)\b", text):
        return asks_back("The difference of what two? Name both values: `compare stop_atr=2 with stop_atr=3`.")
    asked = f"{next((turn.asked for turn in reversed(past) if turn.results), '')} {text}".lower()
    return partial(measured, str(run_shown(last) or ""), asked)


def _verdict_of(last: CallResult) -> PlannedAnswer:
    """The first sentence of a search, a comparison or a check, which is its verdict; then all of it."""
    return PlannedAnswer(f"{first_sentence(last.text)}\n\n{result_text(last)}", read_as="the verdict above")


def _cells(result: CallResult) -> dict[str, str]:
    """The figures of a run by name; none of a result that is no run's."""
    return {row["metric"]: row["value"] for row in result.rows() if "metric" in row and "value" in row}


# a figure of a run, how it is called, how a sentence asks for it, and whether less of it is better
_OF_RUNS = (
    ("total_return_frac", "return", r"\breturns?\b", False),
    ("sharpe", "Sharpe", r"\bsharpe\b", False),
    ("max_drawdown_frac", "drawdown", r"\bdraw-?downs?\b|\bdd\b", True),
    ("trades", "round trips", r"\btrades\b", False),
    ("fees", "fees", r"\b(?:fees?|costs?)\b", True),
)


def ranked_runs(runs: Sequence[CallResult], facts: Mapping[str, Any], text: str = "") -> str:
    """Which of several runs made most, or was best or worst by the figure that is asked for, and whether luck explains it."""
    full = [r for r in runs if days_of(r, facts) is None]
    runs = full if len(full) > 1 else runs  # a year of which it has a day is no rival
    of, names = [_cells(r) for r in runs], _apart(runs)
    key, head, _, less = next((figure for figure in _OF_RUNS[1:] if re.search(figure[2], text)), _OF_RUNS[0])
    values = {n: value for n, cells in enumerate(of) if (value := number_of(cells.get(key), facts)) is not None}
    bad = re.search(r"\b(?:worse|worst)\b", text) is not None
    order = sorted(values, key=lambda n: values[n], reverse=less == bad)
    if len(order) < 2:
        return ""
    first, rest = order[0], order[1:]
    days = {n: number_of(cells.get("days"), facts) or 0.0 for n, cells in enumerate(of)}
    same = len({(r.args.get("start"), r.args.get("end")) for r in runs}) == 1 and "run_id" not in runs[0].args
    if same and min(days.values()) < 0.8 * max(days.values()):  # a year of which one of them has a day
        lengths = [f"{names[n]} has bars of {of[n].get('days', 'no days')}" for n in order]
        return f"Not comparable: {', '.join(lengths)}."
    shown = [one for one in _OF_RUNS[:3] if all(one[0] in of[n] for n in order)] if key in of[first] else []
    figures = [f"{h} {of[first][k]} against {' and '.join(of[n][k] for n in rest)}" for k, h, *_ in shown]
    verb = ("lost more" if bad else "made more") if key == "total_return_frac" else f"had a {'worse' if bad else 'better'} {head}"
    lead = f"{names[first]} {verb} than {' and '.join(names[n] for n in rest)}: {', '.join(figures)}."
    totals = [number_of(cells.get("total_return_frac"), facts) or 0.0 for cells in of]
    lead += f" {'Both' if len(of) == 2 else 'All'} lost money." if max(totals) < 0 else ""
    low, high = (number_of(of[n].get(k), facts) for n, k in ((first, "sharpe_low"), (rest[0], "sharpe_high")))
    low, high = (
        (number_of(of[rest[0]].get("sharpe_low"), facts), number_of(of[first].get("sharpe_high"), facts)) if bad else (low, high)
    )
    if low is None or high is None:
        return f"{lead} Runs beside each other do not tell skill from luck."
    return f"{lead} " + (
        "The 95 % intervals of their Sharpe ratios overlap, so luck may explain the difference."
        if low <= high
        else "The 95 % intervals of their Sharpe ratios do not overlap: it is more than luck."
    )


def _apart(runs: Sequence[CallResult]) -> list[str]:
    """Each run by what sets it apart from the others: its strategy, symbol, timeframe or window, and its id."""
    told = [
        [str(r.args.get(key) or "") for key in ("strategy", "symbol", "timeframe")]
        + [" to ".join(str(r.args.get(end) or "")[:10] for end in ("start", "end"))]
        for r in runs
    ]
    differ = [at for at in range(4) if len({one[at] for one in told}) > 1]
    return [
        f"{run_shown(r)} ({words})" if (words := " ".join(one[at] for at in differ)) else str(run_shown(r))
        for r, one in zip(runs, told, strict=True)
    ]


def measured(subject: str, asked: str, q: Question) -> Plan:
    """Return and Sharpe of the desk or a run with the word that its interval allows; a drawdown beside the limit that halts."""
    calls = [PlannedCall("performance", {"subject": subject} if subject else {})]
    calls += [PlannedCall("desk", {})] if not subject and _FALL.search(asked) else []
    results = yield calls
    leads = [fall_limit(results[1], q.facts)] if len(results) > 1 else []
    leads.append(verdict(results[0], q.facts, q.slots.text))
    return drafted(calls[:1], results[:1]).after(" ".join(filter(None, leads)))


def verdict(result: CallResult, facts: Mapping[str, Any], asked: str = "") -> str:
    """Whether a performance can be told from chance, or beats holding, in a sentence; empty where it has no ratio."""
    enough = says("measured.enough", asked)
    h = handle_of(result, "sharpe")
    low, high, total = (number_of(f"{{{h}.{name}}}", facts) for name in ("sharpe_low", "sharpe_high", "return_frac"))
    hold = number_of(f"{{{h}.hold_return_frac}}", facts) if says("measured.holds", asked) else None
    if low is None or high is None or total is None:
        return ""
    told = low > 0 or high < 0
    if enough:
        lead = f"Not enough: over {{{h}.whole_days}} it cannot be told from luck"
        return f"{lead}; at this ratio that takes about {{{h}.days_needed}}."
    words = ("Bad, beyond chance", "Good, beyond chance") if told else ("Not good so far", "A gain so far")
    word = words[(low > 0) if told else (total >= 0)]
    if hold is not None:
        beside, of_desk = "more" if total > hold else "less", result.data.get("subject", "desk") == "desk"
        asks = re.search(r"\b(?:beat\w*|better|outperform\w*|more than|ahead)\b", asked)
        word = ("Yes: it" if total > hold else "No: it") if asks else "It"
        who = "The desk" if of_desk else word
        return f"{who} returned {{{h}.return_frac}}, {beside} than {{{h}.hold_return_frac}} by holding the same instruments."
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
    h = handle_of(result, "drawdown_frac")
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


@KINDS(most=18, of=ANY, table=True)
def noise(heard: ShortSentence) -> FromAbove | None:
    """`is the top one really better or noise`: what a comparison or a search says itself, the two best values of a search or two
    runs of one window compared; of any other rows that their table has no interval."""
    last, facts, past = heard.last, heard.above.facts, heard.above.past
    above = next(iter(tables_above(past, facts, heard.above.words)), None)
    other = heard.last.name in ("performance", "pnl", "compare")
    if above is None or other or len(above.rows) < 2 or above.table.columns[-1] == "value":
        return None
    text = figure_meant(heard.read, above)
    order, at = ordered(above.table, facts, text, "best", above.rows), column_of(above.table, text)
    places = [ORDINALS[word] for word in re.findall(r"\b(?:first|second|third|fourth|last)\b", heard.text)]
    if len(places) == 2 and all(-len(above.rows) <= place < len(above.rows) for place in places):
        order = [above.rows[place] for place in places]
    if last.name == "sweep" and len(order) > 1 and (call := _two_values(last, [str(above.table.rows[n][0]) for n in order[:2]])):
        return partial(_told_apart, call)
    if (both := two_runs(past)) is not None:
        return partial(_told_apart, both) if isinstance(both, PlannedCall) else both
    if last.name in _OWN_VERDICT or len(order) < 2:
        return _verdict_of(last) if last.name in _OWN_VERDICT else None
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
    apart = [
        next((cell for head, cell in row.items() if head.startswith("difference a day")), "") for row in rows
    ]  # (97.5 %) of two
    leads = [
        f"{row['configuration']} against the live configuration: {row['verdict']}{f', {by} a day' if by else ''}."
        for row, by in zip(rows, apart, strict=True)
    ]
    return drafted([call], [result]).after(" ".join(leads))


@KINDS(most=9, of=("run", "backtest", "sweep", "pair_scan", "walkforward"))
def which_better(heard: ShortSentence) -> FromAbove | None:
    """`which is better and by how much`, `did the top one hold out of sample`: of the rows above, of two runs of one window
    compared."""
    of_run = heard.last.name in ("backtest", "run") and heard.last.table is not None and heard.last.table.columns[0] == "metric"
    if of_run and (both := two_runs(heard.above.past)) is not None:
        return both
    return judged(heard.read, heard.above.past, heard.above.facts)


@KINDS(most=8, of=("pnl", "attribution", "desk", "performance", "trips"), ok=False)
def in_proportion(heard: ShortSentence) -> FromAbove | None:
    """`is that a lot`, `in percent`, of the desk's money: beside what it made, its interval or its limit."""
    of_run = str(heard.last.args.get("subject", "desk")).startswith("r-")
    other = of_run or heard.last.args.get("sleeve") or heard.read.places.keys() & {"by", "side", "outcome"}
    return None if other else judged(heard.read, heard.above.past, heard.above.facts)


@KINDS(most=9, of=("propose_config", "propose_tightening", "proposals"))
def evidence(heard: ShortSentence) -> PlannedCall | PlanOf | None:
    """`what is the evidence`, `since when does it wait`, after a proposal: its card, or the time on it."""
    shown = heard.last.ids("prop-")
    card = PlannedCall("proposals", {"proposal_id": shown[0]}) if len(set(shown)) == 1 else None
    return partial(dated, card) if card is not None and (heard.found["since"] or heard.found["who"]) else card


def dated(call: PlannedCall, q: Question) -> Plan:  # noqa: ARG001 - a plan takes its question
    """A proposal's card, with the times on it first."""
    (result,) = yield [call]
    h = handle_of(result, "expires")
    by = " ".join(filter(None, result.data.get("asked_by", {}).values()))
    times = f"{call.args['proposal_id']} was made {{{h}.created}}{f' by {by}' if by else ''}; it expires {{{h}.expires}}."
    return drafted([call], [result]).after(times if h else "")


_MOVED = ("define", "sleeves", "list_strategies", "backtest", "compare", "propose_config", "propose_tightening", "sweep")


@KINDS(of=_MOVED)
def moved_on(heard: ShortSentence) -> Rest | str | None:
    """`and 5 lower`, `half an ATR wider`, `tighter still`: the setting that the turn above was about, moved; the answer says to
    which value. `no trail at all` is its zero."""
    read, last, words, older = heard.read, heard.last, heard.above.words, heard.above.older
    off = heard.found["off"]
    if (
        (read.move is None and not off)
        or older is None
        or says("measured.files", read.text)
        or read.places.keys() & {"span", "symbols", "sleeves", "strategies"}
    ):
        return None
    changed = {c["key"]: c["value"] for of in (last.args, *last.args.get("variants", ())) for c in of.get("changes") or ()}
    own = words.params_of(older.slots.strategies)
    named = [f"{off}_atr"] if off else list(keys_named(unsized(read.text), own))
    spoken = str(last.args.get("word", "")), *older.slots.keys, *changed
    asked = list(keys_named(older.slots.text, own)) if not named else []
    key = next((key for key in (*named, *spoken, *asked) if key in words.params and not words.params[key].choices), None)
    of = [s for s in words.sleeves if s.name == last.args.get("sleeve") or s.name in older.slots.sleeves]
    of = of or [s for s in words.sleeves if any(p.key == key for p in words.strategies.get(s.strategy, ()))]
    now = changed.get(key) if last.name == "backtest" or heard.found["still"] else None
    now = now if now is not None or key is None or not of else of[0].params.get(key, words.params[key].default)
    if key is None or (not off and (not isinstance(now, int | float) or not now)):
        return None
    value = read.move.of(now) if read.move is not None and not off and isinstance(now, int | float) else 0
    if last.name == "backtest":
        return Rest(f"with {key}={value:g}")
    window = f" from {last.args['start']} to {last.args['end']}" if last.args.get("start") and last.args.get("end") else ""
    return f"compare the live settings of {of[0].name} with {key}={value:g}{window}" if of else None
