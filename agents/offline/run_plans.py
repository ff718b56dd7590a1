"""Plans about the past: backtests, comparisons, look-ahead checks, stored runs, strategies. Called by plans.py."""

import json
import re
from dataclasses import replace
from itertools import product

from agents.offline.above import run_shown
from agents.offline.calls import ask_for, lead, not_given
from agents.offline.changes import BY_VALUE, moved_of
from agents.offline.dates import TimeSpan
from agents.offline.drafts import asks_back, changes_of, drafted, each_of, name_list, result_text, several_sleeves, which_sleeve
from agents.offline.fill import arguments, end_of, since_now
from agents.offline.focus import beyond_defaults, focus_of
from agents.offline.measured import deepest, ranked_runs, verdict
from agents.offline.names import BASKET
from agents.offline.params import keys_named
from agents.offline.read_back import PlannedCall, changes_text, read_as
from agents.offline.slots import given
from agents.offline.steps import CallResult, Plan, PlannedAnswer, Question
from agents.offline.tables import heads_of
from agents.offline.tables_shown import days_of
from agents.offline.ways import SAY
from agents.offline.words import PATTERNS, says
from engine.clock import DAY_MS, utc_day
from tools.common import render
from tools.common.contract import Table
from tools.common.time_words import instant

MAX_VARIANTS = 3
VALUES_MAX = 9  # of one parameter beside the live one, three to a call
RUNS_MAX = 6  # backtests, or runs side by side, of one question
_SIDE_BY_SIDE = ("total_return_frac", "optimistic_return_frac", "sharpe", "max_drawdown_frac", "trades", "fees")


def backtest(q: Question) -> Plan:
    """One run for each strategy, symbol, timeframe and period named; variants make it a comparison."""
    s, sleeve = q.slots, q.sleeve()
    if "compare" in q.tools and s.variants:
        return (yield from compare(q))
    if sleeve is None and s.timeframe and not s.strategies:  # `do 1h bars help on btc`: of what trades it, on other bars
        sleeve = next((one for one in q.words.sleeves if one.symbol in s.symbols), None)
        q = q if sleeve is None else replace(q, slots=replace(s, sleeves=(sleeve.name,)))
    pairs = _pairs_of(q)
    if not pairs:
        return asks_back(ask_for(q, "symbol" if s.strategies else "strategy"))
    moved, said = moved_of(q) if s.move == "sized" else ({}, "")
    if s.unclear or (s.move and not (s.common or moved)) or (s.move == "sized" and not moved):
        return asks_back(unclear(q) if s.unclear else BY_VALUE)
    args = arguments(q) if q.entry else {}
    args = {name: args[name] for name in ("venue", "fills", "funding") if name in args}
    spans = s.periods or (s.span,)
    windows = [{"start": of.start or of.at, "end": end_of(replace(q, slots=replace(s, span=of)))} for of in spans]
    frames = s.timeframes if len(s.timeframes) > 1 else (s.timeframe or (sleeve.timeframe if sleeve else "15m"),)
    if sleeve and says("run_plans.any_better", s.text):  # beside the bars that it runs on
        frames = tuple(dict.fromkeys((sleeve.timeframe, *frames)))
    if len(frames) > 1 and q.words.desk_ms and not (given(s.span) or s.periods):  # series begin on days of their own
        windows = [{"start": utc_day(q.words.desk_ms - 182 * DAY_MS), "end": utc_day(q.words.desk_ms)}]
    venues = s.venues if len(s.venues) > 1 else (args.pop("venue", None),)
    unfunded = len(venues) > 1 and not args.get("funding")
    args |= {"funding": "none"} if unfunded else {}  # which not every venue has recorded
    of_all = list(product(pairs, frames, windows, venues))
    if len(of_all) > RUNS_MAX:
        return asks_back(f"That is {len(of_all)} backtests; one question makes at most {RUNS_MAX}: name fewer of them.")
    calls = []
    for (strategy, symbol), frame, window, venue in of_all:
        live = beyond_defaults(q, strategy, sleeve.params) if sleeve and "sleeves" in s.places else {}
        changes = {**live, **s.common, **moved}
        own = {"strategy": strategy, "symbol": symbol, "timeframe": frame, "changes": changes_of(changes)}
        where = {k: v for k, v in {**window, "venue": venue}.items() if v}
        calls.append(PlannedCall("backtest", {**args, **where, **own}))
    results = yield calls
    more = [call for r in results if r.data.get("run_id") and (call := _read_of_run(q, str(r.data["run_id"])))]
    found = (yield more) if more else []
    other = {"long": "shorts", "short": "longs"}.get(s.side or "", "")
    one_side = f"No run takes one side alone, without the {other}: its {s.side} round trips, of a run of both, come first."
    now = since_now(q) and not s.span.to_now and not s.periods and calls[0].args.get("end")
    texts = [f"Until {str(now).replace('T', ' ')}, the desk's time."] if now else []
    texts += [one_side] if other else []
    texts += ["No window was named: the last six months."] if len(frames) > 1 and not (given(s.span) or s.periods) else []
    texts += ["All without funding, which is not recorded of every venue."] if unfunded else []
    texts += [text for text in (said, not_given(q), _first(q, results, found)) if text]
    texts += [result_text(result) for result in found]
    texts += [result_text(result, table=len(results) == 1) for result in results]
    return PlannedAnswer("\n\n".join(texts), read_as=read_as(calls))


def _pairs_of(q: Question) -> list[tuple[str, str]]:
    """Strategy and symbol of each run: named, of every sleeve, of each coin or strategy where `which` of them is asked."""
    s, sleeve = q.slots, q.sleeve()
    strategies = list(s.strategies) or ([sleeve.strategy] if sleeve else [])
    symbols = list(s.symbols) or ([sleeve.symbol] if sleeve else [])
    if not s.symbols and _SYMBOLS.search(s.text):
        symbols = [symbol for symbol in q.words.symbols if symbol.endswith("-USDT")]
    return list(product(strategies, [",".join(symbols)] if strategies == [BASKET] and symbols else symbols))


def _first(q: Question, results: list[CallResult], found: list[CallResult]) -> str:
    """What a question about runs is answered with first: which made most, whether it beat holding or luck."""
    made, text = [r for r in results if r.status == "ok"], q.slots.text
    of = [r for r in found if r.name == "performance"]
    lines = [deepest(r) if says("run_plans.dated", text) else verdict(r, q.facts, text) for r in of]
    few = [(run_shown(r), *part) for r in made if (part := days_of(r, q.facts)) is not None]
    short = [f"{run} has bars of {days} of the {asked} days asked for: no result of that window." for run, days, asked in few]
    if short and len(made) < 3:
        return " ".join(short)
    if len(made) > 1:
        return " ".join(filter(None, (*short, ranked_runs(made, q.facts, text), *lines)))
    if len(results) > 1 or not made:
        return ""
    return " ".join(filter(None, lines)) or lead(q, made[0])


_SYMBOLS, _STRATEGIES, _LIVE, _EVERY = (PATTERNS[f"run_plans.{name}"] for name in ("symbols", "strategies", "live", "sleeves"))


def _read_of_run(q: Question, run_id: str) -> PlannedCall | None:
    """What else a sentence asks of the run it makes: a split of its round trips, its drawdowns with their dates."""
    if q.slots.side or (q.slots.by and q.slots.by[0] not in ("day", "symbol", "strategy", "sleeve")):
        of = {"side": q.slots.side} if q.slots.side else {"by": q.slots.by[0]}
        return PlannedCall("trips", {"subject": run_id, **of})
    return PlannedCall("performance", {"subject": run_id}) if says("run_plans.when_of_a_run", q.slots.text) else None


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
    how = f": {name_list(near[:4], 'or')}? Write it as key=value."
    return which + (how if near else "? Write it as key=value, such as stop_atr=2; `what parameters does trend have` lists them.")


def compare(q: Question) -> Plan:
    """Variants against the live configuration; two strategies, two symbols or two runs side by side."""
    s, sleeve = q.slots, q.sleeve()
    variants = [{**s.common, **variant} for variant in s.variants] or ([s.common] if s.common else [])
    if not variants and len(s.axes) == 1 and ":" not in (values := next(iter(s.axes.values()))):
        variants = [{next(iter(s.axes)): json.loads(value)} for value in values.split(",")]
    runs = _named(q) or (_made(q) if says("run_plans.them", s.text) else [])
    if not variants and (len(runs) > 1 or says("run_plans.stored_runs", s.text)):
        return (yield from _side_by_side(q, runs))
    several = max(map(len, (s.strategies, s.symbols, s.timeframes, s.periods, s.venues))) > 1 or _STRATEGIES.search(s.text)
    if not variants and several:
        return (yield from backtest(q))
    if s.unclear:
        return asks_back(unclear(q))
    above = focus_of(q)
    moved, said = moved_of(q) if s.move == "sized" else ({}, "")
    variants = [{**variant, **moved} for variant in variants or [{}]] if moved else variants
    if s.move and not (moved or (variants and s.move != "sized")):
        return asks_back(BY_VALUE)
    if not variants and above is not None and above.params and _LIVE.search(s.text):
        variants = [dict(above.params)]
    if not variants:
        return asks_back("Which values? For example `compare a 2 ATR with a 3 ATR stop` or `stop_atr=2 against stop_atr=3`.")
    own = {one.name: q.words.params_of((one.strategy,)) for one in q.words.sleeves}
    names = [name for name in several_sleeves(q) if all(key in own[name] for v in variants for key in v)]
    if sleeve is None and len(names) > 1 and len(s.strategies) < 2:
        drafts: list[PlannedAnswer] = []
        for name in names:
            one = replace(s, sleeves=(name,), symbols=(), strategies=(), strategy=None, everything=False, out=None)
            drafts.append((yield from compare(replace(q, slots=replace(one, text=_EVERY.sub(" ", s.text))))))
        return each_of(names, drafts)
    if sleeve is None and not (s.strategies and s.symbols):
        return asks_back(which_sleeve(q))
    if sleeve is not None and len(variants) > MAX_VARIANTS:  # what runs is row 0
        variants = [v for v in variants if any(sleeve.params.get(key) != value for key, value in v.items())]
    of = {"strategy": s.strategies[0], "symbol": s.symbols[0], "timeframe": s.timeframe} if sleeve is None else {}
    if sleeve is not None and s.venue not in (None, sleeve.venue):  # of a sleeve the tool takes its own venue alone
        of = {"strategy": sleeve.strategy, "symbol": sleeve.symbol, "timeframe": s.timeframe or sleeve.timeframe}
        variants = [{**beyond_defaults(q, sleeve.strategy, sleeve.params), **variant} for variant in variants]
    span = (s.span.start or s.span.at, end_of(q))
    span = (above.start, above.end) if not any(span) and above is not None and not s.common else span
    where = of | {"venue": s.venue} if of else {"sleeve": sleeve.name if sleeve else ""}
    where |= {"start": span[0], "end": span[1], "fills": s.fills, "funding": s.funding}
    args = {k: v for k, v in where.items() if v}
    if len(variants) > VALUES_MAX:
        return asks_back(f"That is {len(variants)} variants; one comparison has at most {VALUES_MAX}. `sweep` takes more.")
    parts = [variants[n : n + MAX_VARIANTS] for n in range(0, len(variants), MAX_VARIANTS)]  # as many as one call takes
    calls = [PlannedCall("compare", {"variants": [{"changes": changes_of(v)} for v in part], **args}) for part in parts]
    results = yield calls
    first = " ".join(filter(None, (compared_first(result, s.text) for result in results)))
    first = first.replace(". Against the live configuration: ", "; ")
    return drafted(calls, results, _after(q, results[-1])).after(first).after(said)


def compared_first(result: CallResult, text: str) -> str:
    """What a comparison found, in a sentence, with the figure that a text asks for; empty where it was not made."""
    rows, table = result.data.get("rows") or (), result.table
    if result.status != "ok" or len(rows) < 2:
        return ""
    named = [(changes_text({c["key"]: c["value"] for c in row["changes"]}), row.get("verdict")) for row in rows[1:]]
    told = {word: [name for name, verdict in named if verdict == word] for word in ("better", "worse")}
    known = [f"{name_list(names)} {'is' if len(names) == 1 else 'are'} {word}" for word, names in told.items() if names]
    others = [name for name, verdict in named if verdict not in told]
    known += [f"{name_list(others)} cannot be told apart from it"] if others else []
    heads = heads_of(table, re.sub(r"\bper (?:trade|trip)\b", "", text)) if table is not None else []
    at = next((n for n in heads if table is not None and table.columns[n] in _FIGURES), None)
    figures = [f"{row[1]} {row[at]}" for row in table.rows] if table is not None and at is not None else []
    shown = f" {table.columns[at].capitalize()}: {', '.join(figures)}." if table is not None and at is not None else ""
    of = "the defaults" if "strategy" in result.args else "the live configuration"
    return f"Against {of}: {'; '.join(known)}.{shown}"


_FIGURES = ("drawdown", "fees", "round trips", "return")


def _after(q: Question, result: CallResult) -> str:
    """The step that fits a comparison: a proposal when something is better, a longer span when nothing can be told."""
    better = any(row.get("verdict") == "better" for row in result.data.get("rows", ()))
    wish = says("changes.wish", q.raw.lower()) and result.args.get("sleeve") and len(result.data.get("rows", ())) == 2
    if result.status == "ok" and wish and "propose_config" in q.tools:
        changes = changes_text({c["key"]: c["value"] for c in result.data["rows"][1]["changes"]})
        return f"Nothing was filed. To have it: `propose {changes} for {result.args['sleeve']}`; a person decides on it."
    if result.status != "ok" or (better and not ("propose_config" in q.tools and result.data.get("sleeve"))):
        return ""
    return "Next: `propose the better one`." if better else SAY["longer_span"]


def halves(q: Question) -> list[TimeSpan]:
    """Both halves of the days that the run above is of, where a sentence asks for each; none otherwise."""
    above = focus_of(q) if says("run_plans.halves", q.raw.lower()) else None
    ends = [instant(at, q.words.desk_ms or 0) for at in (above.start, above.end) if at] if above is not None else []
    if above is None or len(ends) < 2:
        return []
    middle = utc_day(sum(ends) // 2)
    return [TimeSpan(above.start, middle), TimeSpan(middle, above.end)]


def _named(q: Question) -> list[str]:
    """The runs that a question names, by id and by handle."""
    return [i for i in q.slots.ids if i.startswith("r-")] + [q.handles.get(h, h) for h in q.slots.handles]


def runs_of(q: Question, latest: CallResult) -> list[str]:
    """The stored runs of what a sentence names, the newest first."""
    of_sleeves = [part for one in q.words.sleeves if one.name in q.slots.sleeves for part in (one.strategy, one.symbol)]
    named = (*q.slots.strategies, *q.slots.symbols) or tuple(dict.fromkeys(of_sleeves))
    if not named:
        return list(latest.evidence)
    rows = zip(latest.evidence, latest.rows(), strict=False)
    return [run for run, row in rows if all(name in " ".join(row.values()) for name in named)]


def _made(q: Question) -> list[str]:
    """The last two runs that this thread made, where it made no comparison since."""
    ids = [str(r.data["run_id"]) for r in q.results() if r.name == "backtest" and r.data.get("run_id")]
    return list(dict.fromkeys(ids))[-2:] if not q.last("compare") else []


def _side_by_side(q: Question, ids: list[str]) -> Plan:
    """Stored runs beside each other, their figures as references: those named, else the newest of what a sentence names."""
    text, few = q.slots.text, ""
    if len(ids) < 2:
        (latest,) = yield [PlannedCall("run", {})]
        ids, newest = runs_of(q, latest), says("run_plans.newest", text)
        if len(ids) < 2:
            what = name_list([*q.slots.strategies, *q.slots.symbols] or list(q.slots.sleeves))
            none = "Only one stored run is" if ids else "No stored run is"
            return PlannedAnswer(f"{none} of {what}.\n\n{result_text(latest)}")
        few = f"{len(ids)} runs are stored, not two." if len(ids) > 2 and not newest and says("run_plans.two", text) else ""
        ids = ids[: 2 if newest else RUNS_MAX]
    if len(ids) > RUNS_MAX:
        return asks_back(f"You named {len(ids)} runs; at most {RUNS_MAX} stand beside each other.")
    results = yield [PlannedCall("run", {"run_id": i}) for i in ids]
    handles = {name: handle for handle, name in q.handles.items()}
    good = [r for r in results if r.status == "ok"]
    about = [r.text.partition(", recorded bars")[0] for r in good]  # `trend on binance BTC-USDT 15m, from when to when`
    figures = ((metric, *(f"{{{handles[r.data['run_id']]}.{metric}}}" for r in good)) for metric in _SIDE_BY_SIDE)
    table = Table(("metric", *(str(r.data["run_id"]) for r in good)), (("of", *about), *figures))
    shown = render.markdown_table(table) if len(good) > 1 else ""
    bad = [result_text(r, table=False) for r in results if r.status != "ok"]
    first = ranked_runs(good, q.facts, q.slots.text) if len(good) > 1 else ""
    firsts = (first, _differ(good)) if "settings" not in text else (_differ(good), first)
    if says("run_plans.which_venue", text):
        few = (
            f"Bars of {name_list([v for v in q.words.venues if any(f' on {v} ' in one for one in about)])}. {SAY['other_venue']}"
        )
    return PlannedAnswer(
        "\n\n".join(part for part in (few, *firsts, *bad, shown) if part), read_as=f"the runs {name_list(ids)} side by side"
    )


def _differ(runs: list[CallResult]) -> str:
    """In which parameters stored runs differ, with the value of each; empty for less than two."""
    of = [{k: v for sleeve in r.data.get("sleeves") or () for k, v in (sleeve.get("params") or {}).items()} for r in runs]
    keys = [key for key in dict.fromkeys(key for one in of for key in one) if len({str(one.get(key)) for one in of}) > 1]
    said = "; ".join(f"{key} {' against '.join(str(one.get(key, 'not set')) for one in of)}" for key in keys[:8])
    none = "Their parameters are the same: window, costs, data or limits differ."
    return "" if len(of) < 2 else f"They differ in {said}." if said else none


def run(q: Question) -> Plan:
    """A run's figures, or those of several beside each other; the latest runs when none is meant."""
    if len(several := _named(q)) > 1:
        return (yield from _side_by_side(q, several))
    lists = says("run_plans.runs", q.slots.text) and not q.slots.ids and not q.slots.handles
    if lists and (says("run_plans.which_venue", q.slots.text) or says("run_plans.beside", q.slots.text)):
        return (yield from compare(q))
    args = {} if lists or q.run_id() is None else {"run_id": q.run_id()}
    dates = args and re.search(r"\bwhen\b|\bhow long\b", q.slots.text)
    dated = [PlannedCall("performance", {"subject": q.run_id()})] if dates else []
    calls = [PlannedCall("run", args), *dated]
    results = yield calls
    return drafted(calls, results).after(" ".join(filter(None, (lead(q, results[0]), *map(deepest, results[1:])))))


def strategies(q: Question) -> Plan:
    """The available strategies, those that are named in the words of their files, or one parameter with its bounds."""
    s, sleeve = q.slots, q.sleeve()
    named = list(s.strategies) or ([sleeve.strategy] if sleeve else [])
    wants = says("run_plans.of_a_param", s.text)
    spoken = [key for key in q.words.params if re.search(rf"\b{key}\b", s.text)]
    spoken = spoken or (list(keys_named(s.text, q.words.params_of(tuple(named))))[:1] if wants else [])
    key = next(iter(spoken), None)
    having = [of for of, params in q.words.strategies.items() if params and (key is None or any(p.key == key for p in params))]
    names = named or (having[:1] if key in s.text.split() else having if wants else [])
    calls = [PlannedCall("list_strategies", {"strategy": n}) for n in names] or [PlannedCall("list_strategies", {})]
    results = yield calls
    for n, result in enumerate(results if key else ()):
        if (table := result.table) and (row := [r for r in table.rows if r[0] == key]):
            bounds = f"{row[0][2]} to {row[0][3]}, {row[0][1]} by default"
            results[n] = result._replace(
                text=f"{key} of {names[n]}: {row[0][-1]}; {bounds}.", table=Table(table.columns, tuple(row))
            )
    if len(named) > 1 and key is None:  # set beside each other, without their settings
        results = [result._replace(table=None) for result in results]
    return drafted(calls, results)
