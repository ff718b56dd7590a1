"""Plans of research: sweep, walk forward, judge, what has been tried. Called by plans.py.

What a sentence leaves open - strategy, symbol, window, settings - is that of the thread's last run or search; what that does not
say is asked back. Values that nobody named are chosen around the present ones, and the answer says which.
"""

import re
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

from agents.offline.calls import lead, made
from agents.offline.choose import SPOKEN_RUN
from agents.offline.dates import TimeSpan
from agents.offline.drafts import asks_back, drafted, name_list
from agents.offline.figure_plans import about_run
from agents.offline.fill import arguments, end_of
from agents.offline.focus import RunFocus, beyond_defaults, focus_of
from agents.offline.follow import moved_back
from agents.offline.params import value_text
from agents.offline.ranges import around, count_of
from agents.offline.read_back import PlannedCall, changes_text
from agents.offline.run_plans import unclear
from agents.offline.slots import COUNTED, given, read_slots
from agents.offline.steps import CallResult, Plan, Question
from agents.offline.ways import SAY
from agents.offline.words import PATTERNS, Param, says
from engine.clock import DAY_MS, utc_day

CHOSEN_MAX = 500  # combinations of values that the planner chooses: a search that nobody spelled out stays small


_FOLDS = re.compile(rf"\b(?:\d{{1,2}}|{'|'.join(COUNTED)}) (?:folds?|splits?|windows?|segments?|periods?|steps?)\b")
_NEXT = {
    "sweep": "Next: `is that overfit?`, or `walk it forward`.",
    "walkforward": "Next: `is that overfit?`, or `kill it or keep it`.",
}


def search(q: Question) -> Plan:
    """Every combination of what the sentence wants varied; or parameters chosen fold by fold, those that it varies, else those of
    the thread's last search. What was chosen for it is said first."""
    text, tool = q.slots.text, q.chosen.tool.name
    forward = tool == "walkforward"
    if forward and (folds := _FOLDS.search(text)):
        how = "how long each learns and trades instead, such as `60d train and 20d test`"
        return asks_back(f"A walk-forward takes no number of folds, so {folds[0]} were not set and nothing was run: name {how}.")
    if says("research_plans.everything", text):
        return asks_back(SAY["all_at_once"])
    if q.slots.unclear:
        return asks_back(unclear(q))
    subject = subject_of(q)
    if isinstance(subject, str):
        return asks_back(subject)
    found, of = subject
    axes, said = _axes(q, found, carries=forward or not q.slots.keys)
    if not axes:
        return asks_back(said)
    vary = [f"{key}={values}" for key, values in axes.items()]
    vary += [f"{key}={value_text(value)}" for key, value in found.params.items() if key not in axes]
    args = {**_where(found), **_costs(q), "vary": vary} | (dict(q.slots.folds) if forward else {})
    (result,) = yield [PlannedCall(tool, args)]
    draft = drafted([PlannedCall(tool, args)], [result], _NEXT[tool] if result.status == "ok" else "")
    ranked = lead(q, result) if PATTERNS["research_plans.which"].search(text) else ""
    return draft.after(" ".join(part for part in (of, said, _dropped(q, found, axes)) if part)).after(ranked)


def _where(found: RunFocus) -> dict[str, Any]:
    """Strategy, symbol, timeframe and window as arguments."""
    args = {"strategy": found.strategy, "symbol": found.symbol, "timeframe": found.timeframe}
    return args | {name: value for name, value in (("start", found.start), ("end", found.end)) if value}


def _costs(q: Question) -> dict[str, Any]:
    """Venue, fills and funding that the sentence names, as arguments."""
    found = (("venue", q.slots.venue), ("fills", q.slots.fills), ("funding", q.slots.funding))
    return {name: value for name, value in found if value}


def _axes(q: Question, found: RunFocus, *, carries: bool) -> tuple[dict[str, str], str]:
    """What is varied, and a sentence about the values that nobody named; nothing and a question back where none can be chosen."""
    own = {param.key: param for param in q.words.strategies.get(found.strategy, ())}
    if q.slots.axes:
        steps = [f"{key} in steps of {q.slots.axes[key].rpartition(':')[2]}" for key in q.slots.stepped]
        return dict(q.slots.axes), f"No step was named: {name_list(steps)}." if steps else ""
    if carries and found.vary and not q.slots.keys:
        return dict(found.vary), "The values are those compared or searched above."
    if unknown := [word for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", q.slots.text) if word not in own]:
        return {}, _ask_values(unknown, own, found.strategy)
    said = set(PATTERNS["research_plans.spoken"].findall(q.slots.text)) - {key.partition("_")[0] for key in q.slots.common}
    spoken = [key for key, param in own.items() if key.partition("_")[0] in said and param.default]
    # where nothing is named: the first number that the strategy itself declares, and the stop
    declared = [*[key for key, param in own.items() if type(param.default) is int][:1], *({"stop_atr"} & own.keys())]
    keys = q.slots.keys or spoken[:1] or [key for key in declared if key not in q.slots.common]
    axes = {key: values for key in keys if key in own and (values := around(own[key], found.params.get(key, own[key].default)))}
    if count_of(axes) > CHOSEN_MAX:
        axes = {key: ",".join(values.split(",")[::2]) for key, values in axes.items()}
    if not axes:
        return {}, _ask_values(list(q.slots.keys), own, found.strategy)
    chosen = "; ".join(f"{key} {values.replace(',', ', ')}" for key, values in axes.items())
    what = "No values were named" if q.slots.keys or spoken else "Nothing was named to vary"
    now = ", ".join(f"{key} {value_text(found.params.get(key, own[key].default))}" for key in axes)
    return axes, f"{what}, so I took these around {now}: {chosen}. Name others like `sweep stop_atr from 1 to 4`."


def _dropped(q: Question, found: RunFocus, axes: Mapping[str, str]) -> str:
    """A sentence about what the search above varied and this one does not."""
    own = {param.key: param.default for param in q.words.strategies.get(found.strategy, ())}
    left = [f"{key} at its default {value_text(own[key])}" for key in found.vary if key not in axes and key in own]
    return f"Varied above, and not here: {name_list(left)}." if left else ""


def _ask_values(keys: list[str], own: Mapping[str, Param], strategy: str) -> str:
    """Ask for parameters or values."""
    missing = [key for key in keys if key not in own]
    if own and missing:
        return f"{strategy} has no parameter {name_list(missing)}; `what parameters does {strategy} have` lists them."
    return f"Over which values{f' of {name_list(keys)}' if keys else ''}? For example `sweep stop_atr from 1 to 4`."


def based(q: Question) -> Generator[list[PlannedCall], list[CallResult], tuple[Question, str]]:
    """The question of a run as one of what it is to be made of: the change that waits, or a stored run, on its bars and with its
    settings where the sentence names no others; and which that is."""
    s = q.slots
    if says("run_plans.pending", s.text) and not s.variants:
        (listed,) = yield [PlannedCall("proposals", {"state": "pending"})]
        waiting = list(dict.fromkeys(listed.ids("prop-")))
        if len(waiting) != 1:
            return q, ""
        (card,) = yield [PlannedCall("proposals", {"proposal_id": waiting[0]})]
        sleeve = re.search(r" for (\S+) \(", card.text)
        found = read_slots(" ".join(f"{row['parameter']}={row['proposed']}" for row in card.rows()), q.words)
        if sleeve is None or not found.common:
            return q, ""
        slots = replace(s, sleeves=(sleeve[1],), common=found.common | s.common, unclear=())
        return replace(q, slots=slots), f"Of the pending {waiting[0]}: {changes_text(found.common)} for {sleeve[1]}."
    of_one = SPOKEN_RUN.search(s.text) or says("run_plans.same_run", s.text)
    if not of_one or s.variants or says("run_plans.runs", s.text):
        return q, ""
    q, meant = yield from about_run(q)
    run_id = q.run_id()
    if run_id is None or meant.startswith("No stored run"):
        return q, meant
    (run,) = yield [PlannedCall("run", {"run_id": run_id})]
    above = focus_of(replace(q, done=(*q.done, run)))
    if above is None or not run.data.get("sleeves"):  # of a basket
        return q, meant
    own = q.slots.span if given(q.slots.span) else moved_back(q.slots, TimeSpan(above.start, above.end))
    symbols = tuple(symbol for symbol in s.symbols if symbol != above.symbol) or (above.symbol,)
    slots = replace(q.slots, strategy=above.strategy, strategies=(above.strategy,), symbols=symbols, sleeves=(), span=own)
    frame, at, common = s.timeframe or above.timeframe, run.data["sleeves"][0].get("venue"), {**above.params, **s.common}
    venue = s.venue or (at if at != "binance" else None)
    return replace(q, slots=replace(slots, timeframe=frame, timeframes=(frame,), venue=venue, common=common, move=None)), meant


def judge(q: Question) -> Plan:
    """Kill, weak or worth paper; asked about dearer costs, the return at those first."""
    subject = subject_of(q)
    if isinstance(subject, str):
        return asks_back(subject)
    found, first = subject
    fixed = [f"{key}={value_text(value)}" for key, value in found.params.items()]
    args = _where(found) | _costs(q) | ({"fixed": fixed} if fixed else {})
    (result,) = yield [PlannedCall("judge", args)]
    if found.vary and not q.slots.common:
        first = f"{first} It is judged at the settings that the search began with, not at its best variation.".lstrip()
    costs = says("research_plans.at_costs", result.text) if says("research_plans.costs", q.slots.text) else None
    return drafted([PlannedCall("judge", args)], [result]).after(first).after(costs[0] if costs else "")


def pairs(q: Question) -> Plan:
    """Every pair of the symbols named, or of all that are quoted in USDT where fewer than two are."""
    named = q.slots.symbols if len(q.slots.symbols) > 1 else [s for s in q.words.symbols if s.endswith("-USDT")]
    given = {k: v for k, v in arguments(q).items() if k in ("timeframe", "venue", "start", "end")}
    (start, end), said = _window(q, (given.get("start"), given.get("end")), 6)
    args = {"symbols": list(named), **given, "start": start, "end": end}
    return (yield from made([PlannedCall("pair_scan", {k: v for k, v in args.items() if v})], q)).after(said)


def _window(q: Question, span: tuple[str | None, str | None], months: int = 12) -> tuple[tuple[str | None, str | None], str]:
    """The window of a search, and a sentence about it where nobody named one: the last months of the desk's time."""
    if any(span) or "ever" in q.slots.places or q.words.desk_ms is None:
        return span, ""
    first = utc_day(q.words.desk_ms - months * 365 * DAY_MS // 12)
    return (first, utc_day(q.words.desk_ms)), f"No window was named: the last {months} months."


def trials(q: Question) -> Plan:
    """What has been tried: of a run by its id, of the strategy and symbol named, of the thread's last run; else the list."""
    runs = [i for i in q.slots.ids if i.startswith("r-")] + [q.handles[h] for h in q.slots.handles if h in q.handles]
    focus = None if q.slots.strategies or q.slots.symbols or q.slots.sleeves else focus_of(q)
    of = (q.sleeve() if "sleeves" in q.slots.places else None) or focus
    strategy, symbol = (of.strategy, of.symbol) if of else (q.slots.strategy, q.slots.symbol)
    lists = re.search(r"\b(?:which|what|list|all) (?:the )?hypothes[ei]s\b|\bledger\b", q.slots.text)
    if not (strategy or symbol or runs or lists) and (shown := q.last("trials")) and shown.args.get("hypothesis"):
        return (yield from made([PlannedCall("trials", {"hypothesis": shown.args["hypothesis"]})]))
    if named := runs[0] if runs else f"{strategy} on {symbol}" if strategy and symbol and not lists else "":
        return (yield from made([PlannedCall("trials", {"hypothesis": named})]))
    call = PlannedCall("trials", {})
    (found,) = yield [call]
    if found.table is None or not (strategy or symbol):
        more = "Name one for its deflated Sharpe ratio, such as `deflated Sharpe of trend on BTC`."
        return drafted([call], [found], more if found.table else "")
    rows = [n for n, row in enumerate(found.rows()) if all(w.lower() in str(row).lower() for w in (strategy, symbol) if w)]
    if len(rows) == 1:
        return (yield from made([PlannedCall("trials", {"hypothesis": str(found.rows()[rows[0]]["hypothesis"])})]))
    about = strategy or symbol
    kept = found.only(rows)._replace(text=f"{len(rows)} hypotheses of {about}, last first.")
    return drafted([call], [kept] if rows else [found], "" if rows else f"Nothing has been tried of {about} yet.")


def subject_of(q: Question) -> tuple[RunFocus, str] | str:
    """What a search or a judgement is of, and where its settings are from; else the question back for what is missing."""
    s, focus = q.slots, focus_of(q)
    if len(s.symbols) > 1 or len(s.strategies) > 1:
        return "One at a time: name one strategy and one symbol."
    named = "sleeves" in s.places or (focus is None and not s.strategies)
    sleeve = q.sleeve() if named else None
    strategy = s.strategy or (sleeve.strategy if sleeve else None)
    symbol = s.symbol or (sleeve.symbol if sleeve else None)
    if focus is not None and strategy not in (None, focus.strategy):
        focus = None  # another strategy: nothing of the run above is its
    above = focus if sleeve is None else None
    if above is not None:  # `walk it forward on ETH` is the run above on another symbol
        strategy, symbol = above.strategy, symbol or above.symbol
    span = (s.span.start or s.span.at, end_of(q))
    if not any(span) and focus is not None:
        span = (focus.start, focus.end)
    if not strategy or not symbol:
        missing = "On which symbol" if strategy else "Which strategy" if symbol else "Which strategy, on which symbol"
        missing += "" if any(span) else ", over which window"
        there = f"Strategies: {name_list(list(q.words.strategies))}; bars for {name_list(list(q.words.symbols))}."
        return f"{missing}? Answer like `trend on BTC for 2025`. {there}"
    span, said = _window(q, span) if focus is None else (span, "")
    of = above or sleeve
    params = beyond_defaults(q, strategy, of.params) if of else {}
    from_ = "the run above" if above else f"the live configuration of {sleeve.name}" if sleeve else ""
    own = {key: value for key, value in s.common.items() if key not in s.axes}
    timeframe = s.timeframe or (of.timeframe if of else "15m")
    settings = f"Settings of {from_}: {changes_text(params)}." if params else f"Of {sleeve.name}." if sleeve and not named else ""
    settings = " ".join(part for part in (settings, said) if part)
    return RunFocus(strategy, symbol, timeframe, *span, {**params, **own}, above.vary if above else {}), settings
