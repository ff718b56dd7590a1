"""Plans about the past: backtests, comparisons, look-ahead checks, stored runs, strategies. Called by plans.py."""

import re
from itertools import product
from typing import Any

from agents.offline.calls import ask_for, lead, made
from agents.offline.figure_plans import about_run
from agents.offline.fill import arguments, end_of
from agents.offline.names import BASKET
from agents.offline.read_back import PlannedCall, changes_text, read_as
from agents.offline.steps import (
    CallResult,
    Plan,
    PlannedAnswer,
    Question,
    asks_back,
    changes_of,
    drafted,
    name_list,
    result_text,
    which_sleeve,
)
from agents.offline.words import PATTERNS
from tools.common import render
from tools.common.contract import Table

MAX_VARIANTS = 3
RUNS_MAX = 4  # backtests, or runs side by side, of one question
_SIDE_BY_SIDE = ("total_return_frac", "optimistic_return_frac", "sharpe", "max_drawdown_frac", "trades", "fees")


def backtest(q: Question) -> Plan:
    """One run for each strategy and symbol named; variants make it a comparison."""
    s, sleeve = q.slots, q.sleeve()
    if s.variants and "compare" in q.tools:
        return (yield from compare(q))
    strategies = list(s.strategies) or ([sleeve.strategy] if sleeve else [])
    symbols = list(s.symbols) or ([sleeve.symbol] if sleeve else [])
    if not strategies and re.search(r"\b(?:re-?run|reproduce|repeat|again|same|back-?test)\b", s.text) and q.role == "developer":
        how = "a stored one is run again, unchanged, by `nightdesk rerun RUN_ID`, and `list the latest runs` shows the ids"
        return asks_back(f"Which run? {ask_for(q, 'strategy')} Name it with its symbol and window; {how}.")
    if not strategies or not symbols:
        return asks_back(ask_for(q, "symbol" if strategies else "strategy"))
    if s.unclear:
        return asks_back(unclear(q))
    if not s.common and (said := _NO_VALUE.search(s.text)):  # `with the stop more wide`
        return asks_back(f"With which value? `{said[0]}` names none. Write it as key=value, such as stop_atr=3.")
    if strategies == [BASKET]:
        symbols = [",".join(symbols)]
    pairs = list(product(strategies, symbols))
    if len(pairs) > RUNS_MAX:
        return asks_back(
            f"That is {len(pairs)} backtests; name at most {RUNS_MAX} pairs of strategy and symbol for one question."
        )
    args = arguments(q) if q.entry else {}
    args = {name: args[name] for name in ("venue", "start", "end", "fills", "funding") if name in args}
    own = {"timeframe": s.timeframe or (sleeve.timeframe if sleeve else "15m"), "changes": changes_of(s.common)}
    each = [own | {"timeframe": frame} for frame in s.timeframes] if len(s.timeframes) > 1 and len(pairs) == 1 else [own]
    calls = [PlannedCall("backtest", {**args, "strategy": a, "symbol": b, **more}) for a, b in pairs for more in each]
    results = yield calls
    more = [call for r in results if r.data.get("run_id") and (call := _read_of_run(q, str(r.data["run_id"])))]
    found = (yield more) if more else []
    texts = ["No run takes one side alone: its round trips of that side, of a run of both, come first."] if s.side else []
    texts += [first] if len(results) == 1 and (first := lead(q, results[0])) else []
    texts += [result_text(result) for result in found]
    texts += [result_text(result, table=len(results) == 1) for result in results]
    return PlannedAnswer("\n\n".join(texts), read_as=read_as(calls))


_SET = r"(?:stops?|targets?|take profits?|trail\w*|leverage|risk|averages?|bands?|layers?)"
_MORE = r"(?:wider|tighter|looser|larger|bigger|smaller|closer|further|(?:more|less) (?:wide|tight|loose|big|small|far|close))"
_NO_VALUE = re.compile(rf"\b{_MORE} (?:\w+ )?{_SET}\b|\b{_SET} (?:(?:is|be|was|a|bit|little|somewhat|much|set|made) )*{_MORE}\b")
_WHEN_OF_A_RUN = PATTERNS["run_plans.when_of_a_run"]


def _read_of_run(q: Question, run_id: str) -> PlannedCall | None:
    """What else a sentence asks of the run it makes: a split of its round trips, its drawdowns with their dates."""
    if q.slots.side or (q.slots.by and q.slots.by[0] != "day"):
        of = {"side": q.slots.side} if q.slots.side else {"by": q.slots.by[0]}
        return PlannedCall("trips", {"subject": run_id, **of})
    return PlannedCall("performance", {"subject": run_id}) if _WHEN_OF_A_RUN.search(q.slots.text) else None


_UNITS = (("atr", "_atr"), ("bar", "_bars"), ("%", "_frac"), ("percent", "_frac"))


def unclear(q: Question) -> str:
    """Ask which parameter a number is for."""
    s = q.slots
    words = set(s.text.split()) - {"atr", "bars", "for", "start", *q.words.strategies}
    unit = next((end for said, end in _UNITS if said in s.unclear[0]), "")
    known = q.words.params_of(s.strategies) if BASKET in s.strategies else q.words.params
    fits = [key for key in known if key.endswith(unit) or ("_frac" in key and unit == "_frac")]
    said = {key.split("_")[0] for key in s.common}
    near = [key for key in fits if words & set(key.split("_")) and key.split("_")[0] not in said] or (fits if unit else [])
    of = f" of {s.strategies[0]} on {s.symbols[0]}" if s.strategies and s.symbols and near else ""
    which = f"Which parameter{of} is {name_list(list(s.unclear))} for"
    if near:
        return f"{which}: {name_list(near[:4], 'or')}? Write it as key=value."
    return f"{which}? Write it as key=value, such as stop_atr=2; `what parameters does trend have` lists them."


_THEM = re.compile(r"\b(?:them|both|these|those|the two|which|runs)\b")


def compare(q: Question) -> Plan:
    """Variants against the live configuration; two strategies, two symbols or two runs side by side."""
    s, sleeve = q.slots, q.sleeve()
    variants = [{**s.common, **variant} for variant in s.variants] or ([s.common] if s.common else [])
    runs = _named(q) or (_made(q) if _THEM.search(s.text) else [])
    if len(runs) < 2 and not variants and re.search(r"\b(?:two|both|stored|last|latest)\b.*\bruns\b", s.text):
        (latest,) = yield [PlannedCall("run", {})]
        if len(latest.evidence) > 2 and not re.search(r"\b(?:last|latest|newest)\b", s.text):
            return asks_back(f"Which two of these? Name them by their ids.\n\n{result_text(latest)}")
        runs = list(latest.evidence[:2])
    if not variants and len(runs) > 1:
        return (yield from _side_by_side(q, runs))
    if not variants and max(len(s.strategies), len(s.symbols), len(s.timeframes)) > 1:
        return (yield from backtest(q))
    if not variants and q.last("compare"):
        return best_of_last(q)
    if s.unclear:
        return asks_back(unclear(q))
    if not variants:
        return asks_back("Which values? For example `compare a 2 ATR with a 3 ATR stop` or `stop_atr=2 against stop_atr=3`.")
    if len(variants) > MAX_VARIANTS:
        return asks_back("Too many variants for one comparison; name at most three.")
    if sleeve is None and not (s.strategies and s.symbols):
        return asks_back(which_sleeve(q))
    where: dict[str, Any] = {"sleeve": sleeve.name} if sleeve else {"strategy": s.strategies[0], "symbol": s.symbols[0]}
    given = {} if sleeve else {"timeframe": s.timeframe, "venue": s.venue}
    given |= {"start": s.span.start or s.span.at, "end": end_of(q), "fills": s.fills, "funding": s.funding}
    args = {"variants": [{"changes": changes_of(v)} for v in variants], **where, **{k: v for k, v in given.items() if v}}
    (result,) = yield [PlannedCall("compare", args)]
    return drafted([PlannedCall("compare", args)], [result], _after(q, result))


def _after(q: Question, result: CallResult) -> str:
    """The step that fits a comparison: a proposal when something is better, a longer span when nothing can be told."""
    better = any(row.get("verdict") == "better" for row in result.data.get("rows", ()))
    if result.status != "ok" or (better and not ("propose_config" in q.tools and result.data.get("sleeve"))):
        return ""
    return (
        "Next: `propose the better one`."
        if better
        else "Next: a longer span tells more; `what data do we have?` says how far back."
    )


def best_of_last(q: Question) -> PlannedAnswer:
    """What came out ahead in the last comparison; nothing is filed."""
    last = q.last("compare")
    assert last is not None  # noqa: S101 - asked before
    row = last.data["rows"][last.data.get("best", 0)]
    if not row["changes"]:
        return PlannedAnswer("No variant came out ahead of the live configuration.")
    name, verdict = changes_text({c["key"]: c["value"] for c in row["changes"]}), row.get("verdict") or "cannot be told apart"
    live = "it is better than the live configuration" if verdict == "better" else f"it is {verdict}"
    live = f"it {verdict} from the live configuration" if verdict.startswith("cannot") else live
    caveat = f" Mind that {row['caveat']}." if row.get("caveat") else ""
    more = "`propose the better one` would propose it" if verdict == "better" else "A longer span tells more"
    found = f"{name} has the highest mean daily return of those compared; {live}.{caveat}"
    return PlannedAnswer(f"{found}\n\nNothing was proposed. {more}.")


def _named(q: Question) -> list[str]:
    """The runs that a question names, by id and by handle."""
    return [i for i in q.slots.ids if i.startswith("r-")] + [q.handles.get(h, h) for h in q.slots.handles]


def _made(q: Question) -> list[str]:
    """The last two runs that this thread made, where it made no comparison since."""
    ids = [str(r.data["run_id"]) for r in q.results() if r.name == "backtest" and r.data.get("run_id")]
    return list(dict.fromkeys(ids))[-2:] if not q.last("compare") else []


def _side_by_side(q: Question, ids: list[str]) -> Plan:
    """Stored runs beside each other, their figures as references."""
    if len(ids) > RUNS_MAX:
        return asks_back(f"You named {len(ids)} runs; at most {RUNS_MAX} stand beside each other.")
    results = yield [PlannedCall("run", {"run_id": i}) for i in ids]
    handles = {name: handle for handle, name in q.handles.items()}
    good = [r for r in results if r.status == "ok"]
    rows = tuple((metric, *(f"{{{handles[r.data['run_id']]}.{metric}}}" for r in good)) for metric in _SIDE_BY_SIDE)
    shown = render.markdown_table(Table(("metric", *(str(r.data["run_id"]) for r in good)), rows)) if len(good) > 1 else ""
    bad = [result_text(r, table=False) for r in results if r.status != "ok"]
    return PlannedAnswer("\n\n".join(part for part in (*bad, shown) if part), read_as=f"the runs {name_list(ids)} side by side")


def run(q: Question) -> Plan:
    """A run's figures, or those of several beside each other; the latest runs when none is meant."""
    if len(several := _named(q)) > 1:
        return (yield from _side_by_side(q, several))
    q = yield from about_run(q)
    lists = re.search(r"\b(?:runs|backtests)\b", q.slots.text) and not q.slots.ids and not q.slots.handles
    args = {} if lists or q.run_id() is None else {"run_id": q.run_id()}
    return (yield from made([PlannedCall("run", args)], q))


def round_trip(q: Question) -> Plan:
    """One round trip of a run."""
    run_id = q.run_id()
    if run_id is None:
        (latest,) = yield [PlannedCall("run", {})]
        if not latest.evidence:
            return PlannedAnswer(result_text(latest))
        run_id = latest.evidence[0]
    pick: int | str = q.slots.number if q.slots.number is not None else "best" if q.slots.which == "best" else "worst"
    return (yield from made([PlannedCall("round_trip", {"run_id": run_id, "number": pick})]))


def strategies(q: Question) -> Plan:
    """The available strategies, or one with its parameters."""
    sleeve = q.sleeve()
    name = q.slots.strategy or (sleeve.strategy if sleeve else None)
    key = next((key for key in q.words.params if re.search(rf"\b{key}\b", q.slots.text)), None)
    if name is None and key:
        name = next((s for s, params in q.words.strategies.items() if any(p.key == key for p in params)), None)
    wants = re.search(r"\b(?:param\w*|knobs?|bounds?|defaults?|tun\w+|dials?)\b", q.slots.text)
    names = [name] if name else [s for s, params in q.words.strategies.items() if params] if wants else []
    calls = [PlannedCall("list_strategies", {"strategy": n}) for n in names] or [PlannedCall("list_strategies", {})]
    results = yield calls
    if key and len(results) == 1 and (table := results[0].table) and (row := [r for r in table.rows if r[0] == key]):
        results = [results[0]._replace(text=f"{key}: {row[0][-1]}.", table=Table(table.columns, tuple(row)))]
    return drafted(calls, results)
