"""Whether what stands above is much, good or enough: measured against a limit, against chance, against what was made. Called by
understand.py, above_kinds.py and the plans of figures.

No tool calls a figure good. What can be said is how far it is from a limit, whether its interval spans zero, and what it is of
the whole; the word in front is made from these by code.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import log
from typing import Any

from agents.offline.above import FromAbove, figure, newest, of_last, run_shown
from agents.offline.drafts import asks_back, drafted, first_sentence, result_text
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, Question
from agents.offline.tables import Facts, handle_of, number_of, ranks
from agents.offline.tables_shown import days_of
from agents.offline.words import PATTERNS, says

_OWN_VERDICT = ("sweep", "walkforward", "judge", "trials", "parity", "pair_scan", "leaks", "compare", "joint_risk", "exposure")
_OF_NOW = ("joint_risk", "exposure", "excursions")
_COUNTS = ("counts", "alerts", "journal_search", "orders", "list_data", "pauses", "proposals", "explain_event", "incidents")
_FALL = PATTERNS["measured.fall"]


def judged(slots: Slots, past: Sequence[PastTurn], facts: Facts) -> FromAbove:
    """How good the answer above is: its own verdict, or its figures beside chance and limits."""
    last, text = newest(past), slots.text
    if last is None and past and not past[-1].results and says("measured.of_desk", f"{past[-1].asked} {text}".lower()):
        return partial(measured, "", text)  # the question above named a figure of the desk
    if last is None:
        return asks_back("Is what any good? Nothing was looked up yet: name the run or the sleeve.")
    own = last.name in _OWN_VERDICT and last.status == "ok"
    doubts = says("measured.doubts", text) is not None
    ranked = (ranks(text) or slots.which) and not doubts
    if ranked and (call := figure(slots, past, facts)) is not None:
        return call
    if last.status == "ok" and (last.name in _COUNTS or (last.name in _OF_NOW and says("measured.usual", text))):
        found = first_sentence(last.text)
        return PlannedAnswer(
            f"The desk has no yardstick for that: nothing here says how much of it is much. What was found: {found}",
            read_as="the answer above",
        )
    if own:
        lucky = last.name == "sweep" and "luck" not in first_sentence(last.text) and (doubts or says("measured.enough", text))
        said = f"{PICKED if lucky else ''}{first_sentence(last.text)}\n\n{result_text(last)}"
        return PlannedAnswer(said, read_as="the verdict above")
    runs = of_last(past)
    if len(runs) > 1:
        said = ranked_runs(runs, facts, text)
        first, _, of_luck = said.rpartition("The 95 %")
        asks = first and doubts
        return PlannedAnswer(f"The 95 %{of_luck} {first}" if asks else said, read_as="the runs above")
    if not doubts and re.search(r"\b(?:better|worse|difference|between|the two|both)\b", text):
        return asks_back("Of what two? Name both values, periods or sleeves: `compare stop_atr=2 with stop_atr=3`.")
    asked = f"{next((turn.asked for turn in reversed(past) if turn.results), '')} {text}".lower()
    run = str(run_shown(last) or "")
    named = _named_figure(text) or ("" if _FALL.search(text) else _named_figure(asked))
    if not run and named and not says("measured.enough", text):
        return partial(of_trips, "streak" if says("measured.streak", asked) else named)
    return partial(measured, run, asked)


def _named_figure(text: str) -> str:
    """The figure without a limit that a text asks to judge: streak, costs, or what else it names; empty for one with a limit."""
    if _FALL.search(text):
        return ""
    said = next((found for name in ("streak", "costs", "no_yardstick") if (found := says(f"measured.{name}", text))), None)
    return "" if said is None else "streak" if says("measured.streak", text) else said[0]


def of_trips(named: str, q: Question) -> Plan:
    """A figure that no limit is of: a streak beside what chance allows, fees beside what was made; of any other that."""
    call = PlannedCall("trips", {"sleeve": one.name} if (one := q.sleeve()) else {})
    (result,) = yield [call]
    draft, h = drafted([call], [result]), handle_of(result, "trips")
    wins, size, most, net = (number_of(f"{{{h}.{name}}}", q.facts) for name in ("win_frac", "trips", "loss_streak", "net"))
    if named == "streak" and wins and wins < 1 and size and most is not None:
        lost = -log(1 - wins)  # the longest of n tosses of a coin: about log(n p) / -log(1 - p), give or take 1.28 / -log(1 - p)
        usual, error = log(max(size * wins, 1.0)) / lost, 1.28 / lost
        word = "No, longer than chance gives" if most > usual + 2 * error else "Yes, chance alone gives about as many"
        return draft.after(
            f"{word}: {{{h}.loss_streak}} losses in a row; at a hit rate of {{{h}.win_frac}} over {{{h}.trips}} round trips the "
            f"longest streak is about {usual:.0f}, between {max(1.0, usual - 2 * error):.0f} and {usual + 2 * error:.0f} mostly "
            "(a rule of thumb, for results that do not depend on each other)."
        )
    if re.match("fee|cost|commission", named) and net is not None:
        beside = f"before fees {{{h}.gross}}, fees {{{h}.fees}}, net {{{h}.net}} over {{{h}.trips}} round trips"
        return draft.after(f"{'Yes, fees are more than was made' if net < 0 else 'Fees are less than was made'}: {beside}.")
    return draft.after(f"The desk has no yardstick for {named}: no limit and no interval is of it. What it is so far is below.")


PICKED = "Not shown: the best of several is picked after the fact, so that part of its lead is luck, and no interval is of it. "


def _cells(result: CallResult) -> dict[str, str]:
    """The figures of a run by name; none of a result that is no run's."""
    return {row["metric"]: row["value"] for row in result.rows() if "metric" in row and "value" in row}


# a figure of a run, how it is called, how a sentence asks for it, and whether less of it is better
_OF_RUNS = (
    ("total_return_frac", "return", r"\breturns?\b", False),
    ("sharpe", "Sharpe", r"\bsharpe\b", False),
    ("max_drawdown_frac", "drawdown", r"\bdraw-?downs?\b|\bdd\b", True),
    ("trades", "round trips", r"\b(?:trades?|trips|over-?trad\w+|turnover)\b", True),
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
    first_ones = _OF_RUNS[3:] + _OF_RUNS[:3] if key in ("trades", "fees") else _OF_RUNS[:3]
    shown = [one for one in first_ones if all(one[0] in of[n] for n in order)] if key in of[first] else []
    figures = [f"{h} {of[first][k]} against {' and '.join(of[n][k] for n in rest)}" for k, h, *_ in shown]
    verb = ("lost more" if bad else "made more") if key == "total_return_frac" else f"had a {'worse' if bad else 'better'} {head}"
    if key in ("trades", "fees"):
        verb = f"had fewer {head}" if key == "trades" else "paid less in fees"
    lead = f"{names[first]} {verb} than {' and '.join(names[n] for n in rest)}: {', '.join(figures)}."
    totals = [number_of(cells.get("total_return_frac"), facts) or 0.0 for cells in of]
    lead += f" {'Both' if len(of) == 2 else 'All'} lost money." if max(totals) < 0 else ""
    upper, lower = (rest[0], first) if bad else (first, rest[0])
    low, high = number_of(of[upper].get("sharpe_low"), facts), number_of(of[lower].get("sharpe_high"), facts)
    if low is None or high is None:
        return f"{lead} Runs beside each other do not tell skill from luck."
    word = "overlap, so luck may explain the difference" if low <= high else "do not overlap: it is more than luck"
    return f"{lead} The 95 % intervals of their Sharpe ratios {word}."


def _apart(runs: Sequence[CallResult]) -> list[str]:
    """Each run by what sets it apart from the others: its strategy, symbol, timeframe or window, and its id."""
    keys = ("strategy", "symbol", "timeframe")
    told = [
        (*(str(r.args.get(key) or "") for key in keys), " to ".join(str(r.args.get(end) or "")[:10] for end in ("start", "end")))
        for r in runs
    ]
    own = [" ".join(one[at] for at in range(4) if len({other[at] for other in told}) > 1) for one in told]
    return [f"{run_shown(r)} ({words})" if words else str(run_shown(r)) for r, words in zip(runs, own, strict=True)]


def measured(subject: str, asked: str, q: Question) -> Plan:
    """Return and Sharpe of the desk or a run with the word that its interval allows; of the desk beside its limits."""
    of = PlannedCall("performance", {"subject": subject} if subject else {})
    of_ratio = says("measured.enough", asked) or re.search(r"\bsharpe\b", asked)
    weighed = not subject and not of_ratio and (_FALL.search(asked) or says("measured.is_it_bad", asked))
    results = yield [*([PlannedCall("desk", {})] if weighed else []), of]
    leads = [_beside(results, q.facts)] if len(results) > 1 else []
    leads.append(verdict(results[-1], q.facts, q.slots.text))
    return drafted([of], results[-1:]).after(" ".join(filter(None, leads)))


def _beside(results: Sequence[CallResult], facts: Facts) -> str:
    """How much of the desk's limits is used, beside what holding did."""
    desk, performance = results
    limits = fall_limit(desk, facts)
    if not limits:
        return ""
    h = handle_of(desk, "drawdown_frac")
    used = [number_of(f"{{{h}.{name}}}", facts) or 0.0 for name in ("drawdown_frac", "drawdown_frac_max")]
    near = limits.startswith("A limit") or (used[1] and used[0] / used[1] > 0.5)
    hold = handle_of(performance, "hold_return_frac")
    beside = f" Holding the same instruments made {{{hold}.hold_return_frac}}." if hold else ""
    return f"{'Yes, by its limits' if near else 'Not by its limits'}. {limits}{beside}"


def drifted(q: Question, runs_of: Callable[[Question, CallResult], list[str]]) -> Plan:
    """Whether a sleeve does on paper what its stored run did: hit rate and R of both, and whether chance explains the gap."""
    sleeve = q.sleeve()
    assert sleeve is not None  # noqa: S101 - asked by the caller
    (stored,) = yield [PlannedCall("run", {})]
    runs = {f"its stored run {run}": {"subject": run} for run in runs_of(q, stored)[:1]}
    draft = yield from beside({sleeve.name: {"sleeve": sleeve.name}} | runs, q)
    if not runs:
        draft = draft.after(f"Cannot be told: no stored run is of {sleeve.strategy} on {sleeve.symbol}.")
    return draft


_BESIDE = "{{{h}.trips}} round trips, hit rate {{{h}.win_frac}}, a winner {{{h}.mean_win}} and a loser {{{h}.mean_loss}}, mean R "
_BESIDE += "{{{h}.mean_r}}, profit factor {{{h}.profit_factor}}, net {{{h}.net}}"


def beside(of: Mapping[str, Mapping[str, Any]], q: Question) -> Plan:
    """Two lots of round trips beside each other, by name: how many, their hit rates and whether chance explains the gap."""
    results = yield (calls := [PlannedCall("trips", args) for args in of.values()])
    draft, handles = drafted(calls, results), [handle_of(result, "trips") for result in results]
    if len(of) < 2 or not all(handles):
        none = [name for name, h in zip(of, handles, strict=True) if not h]
        return draft.after(f"Cannot be compared: there are no round trips {' and none '.join(none)}." if none else "")
    apart, gap = _apart_by_rate(handles, q.facts)
    word = f"Yes, a {'better' if gap > 0 else 'worse'} hit rate beyond chance" if apart else "Cannot be told from chance"
    if says("measured.fewer", q.slots.text):
        now, then = (number_of(f"{{{h}.trips}}", q.facts) or 0.0 for h in handles)
        word = "Yes, fewer" if now < 0.75 * then else "No, not fewer to speak of"
    each = "; ".join(f"{name} {_BESIDE.format(h=h)}" for name, h in zip(of, handles, strict=True))
    return draft.after(f"{word}: {each}.")


def _apart_by_rate(handles: Sequence[str], facts: Mapping[str, Any]) -> tuple[bool, float]:
    """Whether two hit rates are further apart than chance gives, 95 %, and the first less the second as a fraction."""
    rates, sizes = ([number_of(f"{{{h}.{name}}}", facts) or 0.0 for h in handles] for name in ("win_frac", "trips"))
    error = sum(rate * (1 - rate) / max(size, 1) for rate, size in zip(rates, sizes, strict=True)) ** 0.5
    return min(sizes) >= 10 and abs(rates[0] - rates[1]) > 1.96 * error, rates[0] - rates[1]


def verdict(result: CallResult, facts: Mapping[str, Any], asked: str = "") -> str:
    """Whether a performance can be told from chance, or beats holding, in a sentence; empty where it has no ratio."""
    h = handle_of(result, "sharpe")
    low, high, total = (number_of(f"{{{h}.{name}}}", facts) for name in ("sharpe_low", "sharpe_high", "return_frac"))
    hold = number_of(f"{{{h}.hold_return_frac}}", facts) if says("measured.holds", asked) else None
    if low is None or high is None or total is None:
        return ""
    told = low > 0 or high < 0
    if (zero := says("measured.zero", asked)) is not None:
        ends = f"{{{h}.sharpe_low}} to {{{h}.sharpe_high}}"
        inside = f"the 95 % interval of the Sharpe ratio, {ends}, {'ex' if told else 'in'}cludes zero"
        means = "it is more than luck" if told else "luck explains it"
        return f"{'Yes' if told == bool(zero['out']) else 'No'}: {inside}, so that {means}."
    if says("measured.enough", asked):
        lead = f"Not enough: over {{{h}.whole_days}} it cannot be told from luck"
        return f"{lead}; at this ratio that takes about {{{h}.days_needed}}."
    words = ("Bad, beyond chance", "Good, beyond chance") if told else ("Not good so far", "A gain so far")
    word = words[(low > 0) if told else (total >= 0)]
    if hold is not None:
        asks = re.search(r"\b(?:beat\w*|better|outperform\w*|more than|ahead)\b", asked)
        turned = re.search(r"\bbetter\b(?! than)[^?]*\b(?:hold|bought|buy)", asked) is not None  # `better off just holding`
        who, beside = "Yes: it" if (total > hold) != turned else "No: it", "more" if total > hold else "less"
        returned = f"returned {{{h}.return_frac}}, {beside} than {{{h}.hold_return_frac}} by holding the same instruments."
        return f"{who if asks else 'It'} {returned}"
    luck = "excludes zero" if told else "spans zero, so that luck explains it"
    return f"{word}: return {{{h}.return_frac}}, Sharpe {{{h}.sharpe}}; its interval {luck}."


def deepest(result: CallResult, asked: str = "") -> str:
    """The deepest drawdown with its dates, after whether it is over or how far below the peak it is now; empty without one."""
    row, h = next(iter(result.rows()), {}), handle_of(result, "below_frac")
    if "depth" not in row:
        return ""
    over = "not recovered" if row["recovered"].startswith("not") else f"recovered {row['recovered']}"
    first = (
        f"{'No' if over.startswith('not') else 'Yes'}. "
        if says("measured.back", asked) and not re.search(r"\b(?:how long|when)\b", asked)
        else ""
    )
    first = (
        f"Now {{{h}.below_frac}} ({{{h}.below}}) below the peak of {{{h}.peak}}. " if h and says("measured.now", asked) else first
    )
    deep = f"{row['depth']} ({row['money']}), from {row['peak']} to {row['trough']}, {over}; it lasted {row['lasted']}"
    return f"{first}The deepest: {deep}."


def is_deepest(result: CallResult, asked: str) -> str:
    """Whether the present drawdown is the deepest one, where a sentence asks that; empty where it does not."""
    rows, found = [row for row in result.rows() if "depth" in row], says("measured.fall_worse", asked)
    if not rows or found is None:
        return ""
    now = rows[0]["recovered"].startswith("not")
    which = "the present one is the deepest so far" if now else "an earlier one was deeper than the present"
    return f"{'Yes' if now == bool(found['worst']) else 'No'}: {which}."


def fall_limit(result: CallResult, facts: Mapping[str, Any]) -> str:
    """How much of what halts the desk has been used, of its drawdown and its exposure; empty where a limit is not known."""
    h, used = handle_of(result, "drawdown_frac"), []
    for name, head in (("drawdown", "the drawdown, which halts the desk"), ("gross", "the exposure, times equity")):
        now, most = (number_of(f"{{{h}.{name}_{end}}}", facts) for end in ("frac", "frac_max"))
        used += [(now / most, f"{head}: {{{h}.{name}_frac}} of {{{h}.{name}_frac_max}}")] if now is not None and most else []
    reached = "A limit is reached" if max(used, default=(0.0, ""))[0] >= 1 else "No desk limit is reached"
    return f"{reached}. Nearest first: {'; '.join(text for _, text in sorted(used, reverse=True))}." if used else ""
