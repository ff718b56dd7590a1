"""Plans about the past: backtests, comparisons, leaks, runs, round trips, and changes proposed from them."""

from collections.abc import Mapping
from itertools import product
from typing import Any

from agents import render
from agents.offline.questions import place_in
from agents.offline.steps import (
    MAX_VARIANTS,
    Plan,
    PlannedCall,
    Question,
    answer,
    asks_back,
    changes_of,
    changes_text,
    join_parts,
    name_list,
    result_text,
    run_of,
    sleeve_line,
    span_text,
    which_sleeve,
)
from tools.common.contract import Table

_SIDE_BY_SIDE = ("total_return_frac", "optimistic_return_frac", "sharpe", "max_drawdown_frac", "trades", "fees")


def backtest(q: Question) -> Plan:
    """One run for each strategy and symbol named; variants make it a comparison."""
    if q.slots.variants:
        return (yield from compare(q))
    strategies, symbols = _what_on_what(q)
    settings = join_parts(_on(q), span_text(q.slots.span) or "all available bars", changes_text(q.slots.common), _assumed(q))
    if not strategies:
        return asks_back(join_parts("backtest", name_list(symbols) if symbols else "", settings), _which_strategy(q))
    if not symbols:
        return asks_back(join_parts(f"backtest {name_list(strategies)}", settings), _which_symbol(q))
    if q.slots.unclear:
        return asks_back(join_parts(f"backtest {name_list(strategies)} on {name_list(symbols)}", settings), _unclear(q))
    wanted = [PlannedCall("backtest", _arguments(q, s, y)) for s, y in product(strategies, symbols)][: MAX_VARIANTS + 1]
    results = yield wanted
    understood = join_parts(f"backtest {name_list(strategies)} on {name_list(symbols)}", settings)
    if len(results) == 1:
        return answer(understood, result_text(results[0], table=False), _next_step(q) if results[0].status == "ok" else "")
    return answer(understood, *(result_text(result, table=False) for result in results))


def _what_on_what(q: Question) -> tuple[list[str], list[str]]:
    """Strategies and symbols, each completed from the sleeve that the other one points at."""
    strategies, symbols = list(q.slots.strategies), list(q.slots.symbols)
    if (sleeve := q.sleeve()) is not None:
        strategies = strategies or [sleeve.strategy]
        symbols = symbols or [sleeve.symbol]
    return strategies, symbols


def _on(q: Question) -> str:
    return join_parts(q.slots.timeframe or _timeframe(q) or "15m", q.slots.venue or "")


def _timeframe(q: Question) -> str | None:
    sleeve = q.sleeve()
    return sleeve.timeframe if sleeve else None


def _assumed(q: Question) -> str:
    fills = f"{q.slots.fills} fills" if q.slots.fills else ""
    return join_parts(fills, f"funding {q.slots.funding}" if q.slots.funding else "")


def _arguments(q: Question, strategy: str, symbol: str) -> dict[str, Any]:
    s = q.slots
    given = {
        "venue": s.venue,
        "start": s.span.start or s.span.at,
        "end": s.span.end,
        "fills": s.fills,
        "funding": s.funding,
    }
    return {
        "strategy": strategy,
        "symbol": symbol,
        "timeframe": s.timeframe or _timeframe(q) or "15m",
        "changes": changes_of(s.common),
        **{key: value for key, value in given.items() if value},
    }


def _which_strategy(q: Question) -> str:
    return (
        f"Which strategy? Available: {name_list(list(q.words.strategies))}; your own go into the strategies folder of the home."
    )


def _which_symbol(q: Question) -> str:
    return f"On which symbol? Bars are available for {name_list(list(q.words.symbols)) if q.words.symbols else 'none yet'}."


def _unclear(q: Question) -> str:
    return (
        f"Which parameter is {name_list(list(q.slots.unclear))} for? Write it as key=value, such as stop_atr=2; "
        "`what parameters does trend have` lists them."
    )


def _next_step(q: Question) -> str:
    return "" if q.role != "developer" else "Next: compare it with a variant, for example `compare a 2 ATR with a 3 ATR stop`."


def compare(q: Question) -> Plan:
    """Variants against the live configuration; two strategies, two symbols or two runs side by side."""
    variants = _variants(q)
    if not variants:
        if len(q.slots.handles) + len([i for i in q.slots.ids if i.startswith("r-")]) > 1:
            return (yield from _runs_side_by_side(q))
        if len(q.slots.strategies) > 1 or len(q.slots.symbols) > 1:
            return (yield from backtest(q))
    sleeve = q.sleeve()
    strategies, symbols = _what_on_what(q)
    about = (
        sleeve_line(sleeve)
        if sleeve
        else join_parts(name_list(strategies) if strategies else "", name_list(symbols) if symbols else "")
    )
    rows = "; ".join(changes_text(v) for v in variants)
    every = "all available bars" if q.words.desk_ms is None else "all bars up to the desk's time"
    understood = join_parts(f"compare {about}".strip(), span_text(q.slots.span) or every)
    understood += f"; variants {rows}; against the live configuration" if variants else ""
    if q.slots.unclear:
        return asks_back(understood, _unclear(q))
    if not variants:
        return asks_back(
            understood, "Which values? For example `compare a 2 ATR with a 3 ATR stop` or `stop_atr=2 against stop_atr=3`."
        )
    if len(variants) > MAX_VARIANTS:
        return asks_back(understood, "Too many variants for one comparison; name at most three.")
    if sleeve is None and not (strategies and symbols):
        return asks_back(understood, which_sleeve(q))
    where = {"sleeve": sleeve.name} if sleeve else {"strategy": strategies[0], "symbol": symbols[0]}
    given = {
        "timeframe": None if sleeve else q.slots.timeframe,
        "venue": None if sleeve else q.slots.venue,
        "start": q.slots.span.start or q.slots.span.at,
        "end": q.slots.span.end,
    }
    args = {"variants": [{"changes": changes_of(v)} for v in variants], **where, **{k: v for k, v in given.items() if v}}
    (result,) = yield [PlannedCall("compare", args)]
    step = "Next: `propose the better one`." if result.status == "ok" and sleeve and "propose_config" in q.tools else ""
    return answer(understood, result_text(result), step)


def _variants(q: Question) -> list[Mapping[str, Any]]:
    if q.slots.variants:
        return [{**q.slots.common, **variant} for variant in q.slots.variants]
    return [q.slots.common] if q.slots.common else []


def _runs_side_by_side(q: Question) -> Plan:
    """Stored runs beside each other, their figures as references."""
    ids = [i for i in q.slots.ids if i.startswith("r-")] + [(q.handles or {}).get(h, h) for h in q.slots.handles]
    results = yield [PlannedCall("run", {"run_id": i}) for i in ids[:4]]
    handles = {name: handle for handle, name in (q.handles or {}).items()}
    good = [r for r in results if r.status == "ok"]
    rows = tuple(
        (metric, *(f"{{{handles[r.data['run_id']]}.{metric}}}" for r in good)) for metric in _SIDE_BY_SIDE if len(good) > 1
    )
    shown = render.markdown_table(Table(("metric", *(str(r.data["run_id"]) for r in good)), rows)) if rows else ""
    bad = [result_text(r, table=False) for r in results if r.status != "ok"]
    return answer(f"compare the runs {name_list(ids)}", *bad, shown)


def leaks(q: Question) -> Plan:
    """Does a strategy look ahead?"""
    if not q.slots.strategy:
        return asks_back("check a strategy for look-ahead", _which_strategy(q))
    given = {"symbol": q.slots.symbol, "timeframe": q.slots.timeframe, "venue": q.slots.venue}
    args = {"strategy": q.slots.strategy, **{k: v for k, v in given.items() if v}}
    (result,) = yield [PlannedCall("leaks", args)]
    on = f" on {q.slots.symbol}" if q.slots.symbol else ""
    return answer(f"check whether {q.slots.strategy} looks ahead{on}", result_text(result))


# --------------------------------------------------------------------------- changes


def propose_better(q: Question) -> Plan:
    """Propose the better variant of the thread's last comparison, or the one the question picks."""
    last = q.last("compare")
    if last is None:
        return asks_back(
            "propose the better variant",
            "This thread has no comparison yet. First: `compare a 2 ATR with a 3 ATR stop for the BTC trend sleeve`.",
        )
    wrong = _other_sleeve(q, last.data.get("sleeve"))
    if wrong:
        return asks_back("propose the better variant", wrong)
    if (row := _picked(q, last.data)) is None:
        names = [changes_text({c["key"]: c["value"] for c in r["changes"]}) for r in last.data["rows"][1:]]
        return asks_back("propose one of the compared variants", f"Which one? Compared were {name_list(names)}.")
    if not row["changes"] and place_in(q) is not None:
        return answer("propose the one you named", "That one is the live configuration itself: nothing to propose.")
    if not row["changes"]:
        return answer(
            f"propose the better variant for {last.data.get('sleeve')}",
            f"The live configuration did best in the comparison (run {row['run_id']}): nothing to propose. "
            "To propose a variant anyway, name it: `propose the first one`.",
        )
    changes = {change["key"]: change["value"] for change in row["changes"]}
    told_apart = "" if row.get("verdict") in ("better", "worse") else "; it cannot be told apart from the live configuration"
    rationale = f"Asked by a person: {render.one_line(q.raw, 200)!r}. From the comparison with run {row['run_id']}{told_apart}."
    return (yield from _propose(q, str(last.data["sleeve"]), changes, rationale, last.args))


def _other_sleeve(q: Question, compared: Any) -> str:
    """Why the last comparison does not apply; empty when it does."""
    if not compared:
        return "The last comparison was not of a live sleeve, so nothing can be changed. Compare a sleeve: " + which_sleeve(q)
    named = q.slots.sleeves
    if named and compared not in named:
        return f"This thread's last comparison was of {compared}, not {name_list(list(named), 'or')}. Compare that one first."
    return ""


def _picked(q: Question, data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row meant: by value (`the 3 ATR one`), by place as the person listed them (`the second`), else the best. None when the
    question names one that was not compared.
    """
    rows: list[Mapping[str, Any]] = data["rows"]
    wanted = q.slots.common or (q.slots.variants[0] if q.slots.variants else {})
    unit = next((float(text.split()[0]) for text in q.slots.unclear if text.split()[0].replace(".", "", 1).isdigit()), None)
    if wanted:
        fits = [r for r in rows[1:] if wanted.items() <= {c["key"]: c["value"] for c in r["changes"]}.items()]
        return fits[0] if fits else None
    if unit is not None:
        fits = [r for r in rows[1:] if any(c["value"] == unit for c in r["changes"])]
        return fits[0] if len(fits) == 1 else None
    place = place_in(q)
    if place is None:
        return rows[data.get("best", 0)]
    listed = data.get("listed") or list(range(1, len(rows)))  # the row of each variant, in the person's order
    return rows[listed[place]] if -len(listed) <= place < len(listed) else None


def propose_change(q: Question) -> Plan:
    """A change that the question spells out."""
    changes = dict(q.slots.common)
    sleeve = q.sleeve()
    about = sleeve.name if sleeve else "a sleeve"
    understood = f"propose {changes_text(changes) or 'a change'} for {about}"
    if q.slots.unclear:
        return asks_back(understood, _unclear(q))
    if q.slots.variants:
        return asks_back(understood, "You named several values for one parameter; a proposal sets one. Which?")
    if sleeve is None:
        return asks_back(understood, which_sleeve(q))
    if not changes:
        return asks_back(understood, _to_which_value(q, sleeve.params))
    rationale = f"Asked by a person: {render.one_line(q.raw, 200)!r}."
    last = q.last("compare")
    span = last.args if last and last.data.get("sleeve") == sleeve.name else {}
    return (yield from _propose(q, sleeve.name, changes, rationale, span))


def _to_which_value(q: Question, params: Mapping[str, Any]) -> str:
    """Ask for a value, with the present ones of what the question seems to mean."""
    near = [key for key in params if any(part in q.slots.text for part in key.split("_") if len(part) > 3 and part != "bars")]
    now = changes_text({key: params[key] for key in near[:4]})
    return (
        f"To which value? Now {now}."
        if now
        else "Which parameter, and to which value? Write it as key=value, such as stop_atr=1.5."
    )


def _propose(q: Question, sleeve: str, changes: Mapping[str, Any], rationale: str, span: Mapping[str, Any]) -> Plan:
    """Call the role's proposing tool; what it refuses as not tightening is referred to the developer."""
    understood = f"propose {changes_text(changes)} for {sleeve}"
    args: dict[str, Any] = {"sleeve": sleeve, "changes": changes_of(changes), "rationale": rationale}
    if "propose_config" in q.tools:
        args |= {key: span[key] for key in ("start", "end") if span.get(key)}
        (result,) = yield [PlannedCall("propose_config", args)]
        return answer(understood, result_text(result))
    (result,) = yield [PlannedCall("propose_tightening", args)]
    if result.status == "refused" and ("tighten" in result.text or "loosen" in result.text):
        carry = f"nightdesk chat --role developer {_quoted(f'propose {changes_text(changes)} for {sleeve}')}"
        return answer(understood, result_text(result), f"A change that does not tighten is proposed by the developer: `{carry}`")
    return answer(understood, result_text(result))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "").replace('"', "'").replace("`", "'").replace("$", "") + '"'


# --------------------------------------------------------------------------- stored runs


def show_run(q: Question) -> Plan:
    """A stored run's figures."""
    run_id = run_of(q)
    if run_id is None:
        (result,) = yield [PlannedCall("run", {})]
        return answer("show a run (none is named: listing the latest)", result_text(result))
    (result,) = yield [PlannedCall("run", {"run_id": run_id})]
    return answer(f"show run {run_id}", result_text(result))


def list_runs(_q: Question) -> Plan:
    """The latest runs."""
    (result,) = yield [PlannedCall("run", {})]
    return answer("list the latest runs", result_text(result))


def round_trip(q: Question) -> Plan:
    """One round trip of a run."""
    run_id = run_of(q)
    if run_id is None:
        latest = yield [PlannedCall("run", {})]
        run_id = latest[0].evidence[0] if latest[0].evidence else None
        if run_id is None:
            return answer("explain a round trip", result_text(latest[0]))
    pick: int | str = q.slots.number if q.slots.number is not None else "best" if q.slots.which == "best" else "worst"
    (result,) = yield [PlannedCall("round_trip", {"run_id": run_id, "number": pick})]
    which = f"round trip {pick}" if isinstance(pick, int) else f"the {pick} round trip"
    return answer(f"explain {which} of run {run_id}", result_text(result))


def strategies(q: Question) -> Plan:
    """The available strategies, or one with its parameters."""
    name = q.slots.strategy
    if name is None and (sleeve := q.sleeve()) is not None:
        name = sleeve.strategy
    wants_parameters = any(word in q.slots.text for word in ("param", "knob", "bound", "default", "tunable", "dial"))
    names = [name] if name else list(q.words.strategies) if wants_parameters else []
    results = yield [PlannedCall("list_strategies", {"strategy": n}) for n in names] or [PlannedCall("list_strategies", {})]
    about = f"describe {name_list([n for n in names if n])} and its parameters" if names else "list the strategies"
    return answer(about, *(result_text(result) for result in results))


def data(q: Question) -> Plan:
    """The available data."""
    given = {"venue": q.slots.venue, "symbol": q.slots.symbol, "series": q.slots.timeframe}
    args = {key: value for key, value in given.items() if value}
    (result,) = yield [PlannedCall("list_data", args)]
    return answer(f"list the data{' of ' + ' '.join(map(str, args.values())) if args else ''}", result_text(result))
