"""What research jobs came to, for the page: a line each, and one as verdict, figures and tables. Called by app/api/research.py.

Turns the stored result of a search, a walk-forward, an early-kill page, a parity check, a drill, a look-ahead check or a scan
of pairs into one shape that a screen paints without knowing which it is: values are numbers with their unit beside them, never
text of figures.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine
from sqlmodel import col, select

from engine.amounts import percent_text
from engine.clock import utc, utc_day
from engine.research.heads import HEADS
from engine.store import db
from engine.store.tables import Job

UNITS = {"sharpe": "ratio", "train_sharpe": "ratio", "trips": "count", "fold": "count", "trial": "count", "plateau": "ratio"}
ROWS_MAX = 400  # of one table
NAMED_MAX = 6  # instruments of a title
WORDS = {"kill": ("KILL", "bad"), "weak": ("WEAK", "warn"), "paper": ("WORTH PAPER", "calm")}
BOUNDS = {"least": "at least", "most": "at most", "above": "above"}
DRILLED = (
    *(("never_fired", "Never fired"), ("fired", "Fired"), ("out_of_reach", "Out of reach of the desk's own numbers")),
    ("off", "Off in desk.toml"),
)
CLASSES = {"fill_price": "fill price"}  # a class of parity as people read it, where its name is another
Row = Mapping[str, Any]


def lines(engine: Engine, count: int) -> list[dict[str, Any]]:
    """The newest `count` research jobs, newest first, each with what it is about and its verdict once it has one."""
    names = ("id", "kind", "state", "progress", "error", "created_ms", "args", "body")
    mine = select(*(getattr(Job, name) for name in names)).where(col(Job.kind).in_(tuple(VIEWS)))
    with db.read_rows(engine) as rows:
        found = rows.execute(mine.order_by(col(Job.created_ms).desc(), col(Job.id).desc()).limit(count)).all()
    return [_line(dict(zip(names, row, strict=True))) for row in found]


def _line(row: dict[str, Any]) -> dict[str, Any]:
    args, result = json.loads(row.pop("args")), json.loads(row.pop("body")).get("result")
    view = view_of(row["kind"], result) if isinstance(result, Mapping) and row["state"] == "done" else None
    return {
        **row,
        "title": view["title"] if view else f"{NAMES[row['kind']]} {subject_of(args)}".strip(),
        "verdict": view["verdict"] if view else row["error"] or "",
        "look": view["look"] if view else "warn" if row["error"] else "calm",
    }


def subject_of(args: Row) -> str:
    """What a job is about before it has a result: `of trend on BTC-USDT`."""
    symbols = ", ".join(map(str, args.get("symbols") or [args.get("symbol") or ""])).strip(", ")
    strategy = args.get("strategy")
    if symbols and not strategy:
        return f"of {symbols}"
    return f"of {strategy}{f' on {symbols}' if symbols else ''}" if strategy else f"of {args.get('sleeve') or 'the desk'}"


def view_of(kind: str, result: Row) -> dict[str, Any]:
    """A result as `title`, `about`, `verdict` with its `look`, `tiles`, `tables`, `heat`, `notes`, `source` and `run_id`."""
    whole = {"about": [], "tiles": [], "tables": [], "heat": None, "notes": list(result.get("notes") or []), "look": "calm"}
    whole |= {"source": _source(result), "run_id": result.get("run_id")}
    return whole | VIEWS[kind](result)


def _source(result: Row) -> str | None:
    """Whether bars were recorded, pulled or synthetic."""
    found = result.get("source") or (result.get("data") or {}).get("source")
    return None if found is None else str(found)


def _counted(n: int, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}"


def _tile(name: str, value: Any, unit: str, note: str = "", *, signed: bool = False) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "note": note, "signed": signed}


def _table(name: str, sub: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """`columns`: head and unit of each; text stands to the left."""
    return {"name": name, "sub": sub, "columns": [list(c) for c in columns], "rows": [list(r) for r in rows[:ROWS_MAX]]}


def _own_columns(names: Sequence[str]) -> list[tuple[str, str]]:
    """Columns of a search as head and unit; what has no head of its own is a parameter."""
    return [(HEADS.get(name, name.replace("_", " ") if name in UNITS else name), _unit(name)) for name in names]


def _unit(name: str) -> str:
    known = name in HEADS or name in UNITS
    return UNITS.get(name, "frac" if known and name.endswith("_frac") else "text")


def _sweep(found: Row) -> dict[str, Any]:
    best = found["best"] or {}
    trial = best.get("trial") or {}
    lucky = f"luck alone reaches {found['luck_sharpe']:.2f}" if found["luck_sharpe"] else ""
    tiles = [
        _tile("Variations", found["variations"], "count", f"{found['new_trials']} new trials, {found['failed_count']} failed"),
        _tile("Best Sharpe", best.get("sharpe"), "ratio", lucky),
        _tile("Its return", best.get("total_return_frac"), "frac", _settings(best.get("params") or {}), signed=True),
        _tile(
            "Deflated Sharpe", trial.get("deflated_sharpe"), "ratio", f"variant {trial.get('number')} of {trial.get('trials')}"
        ),
        _tile("Overfit (PBO)", found["pbo"], "frac", found["pbo_reason"] or "winners that fall behind out of sample"),
    ]
    sub = f"best first; {len(found['rows'])} of {found['variations']}"
    table = _table("Variations", sub, _own_columns(found["columns"]), found["rows"])
    failed = [(_settings(one.get("params") or {}), one.get("error")) for one in found["failed"]]
    more = (
        [_table("Failed", f"{found['failed_count']} in all", (("variation", "text"), ("why", "text")), failed)] if failed else []
    )
    tiles, heat = tiles if best else tiles[:1], found["heat"]
    about = [f"{found['timeframe']}, {found['venue']}", _days(found), f"fills {found['fills']}, funding {found['funding']}"]
    return {"title": f"Sweep of {found['hypothesis']}", "about": about, "verdict": found["verdict"], "tiles": tiles} | {
        "tables": [table, *more],
        "heat": heat,
    }


def _settings(params: Row) -> str:
    return ", ".join(f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in params.items())


def _days(found: Row) -> str:
    return f"{utc_day(found['first_ms'])} to {utc_day(found['last_ms'])}"


def _walkforward(found: Row) -> dict[str, Any]:
    figures, folds = found["metrics"], found["summary"]
    low, high = figures.get("sharpe_low"), figures.get("sharpe_high")
    between = f"95 % {low:.2f} to {high:.2f}" if low is not None and high is not None else ""
    tiles = [
        _tile(
            "Return, out of sample", figures.get("total_return_frac"), "frac", f"{figures.get('trades')} round trips", signed=True
        ),
        _tile("Sharpe, out of sample", figures.get("sharpe"), "ratio", between),
        _tile("Sharpe in training", folds["mean_train_sharpe"], "ratio", "mean of the folds"),
        _tile("Test windows won", folds["won"], "count", f"of {folds['folds']}; {folds['better_than_hold']} beat holding"),
        _tile("Drawdown", figures.get("max_drawdown_frac"), "frac"),
    ]
    columns = (("", "text"), ("return", "frac"), ("Sharpe", "ratio"), ("drawdown", "frac"))
    beside = [(b["name"], b["total_return_frac"], b["sharpe"], b["max_drawdown_frac"]) for b in found["baselines"]]
    drift = [(key, d["most"], d["most_share"], d["changed"], d["values"]) for key, d in found["drift"].items()]
    chosen = (("parameter", "text"), ("chosen most", "text"), ("in", "frac"), ("changed", "count"), ("values", "count"))
    tables = [
        _table("Folds", f"{found['train']} training, {found['test']} test", _own_columns(found["columns"]), found["rows"][::-1]),
        _table("Beside it", "the same days", columns, beside),
        _table("What was chosen", "how often it changed from fold to fold", chosen, drift),
    ]
    about = [f"{found['timeframe']}, {found['venue']}", _days(found), f"{found['variations']} variations a fold"]
    more = {"notes": [found["audit"]["text"], found["edges_text"], *found["notes"]]}
    return {"title": f"Walk-forward of {found['hypothesis']}", "about": about, "verdict": found["verdict"]} | {
        "tiles": tiles,
        "tables": tables,
        **more,
    }


def _judge(found: Row) -> dict[str, Any]:
    from engine.research.kill.limits import LIMITS

    forms = {
        limit.name: (limit.what, BOUNDS[limit.rule], {"share": "frac", "percent": "frac"}.get(limit.form, limit.form))
        for limit in LIMITS
    }
    word, look = WORDS[found["verdict"]]
    rows = [_check(check, *forms[check["name"]]) for check in found["checks"]]
    heads = (("", "text"), ("check", "text"), ("value", "own"), ("", "text"), ("limit", "own"), ("why it is checked", "text"))
    page = found["page"] or {}
    stressed = [
        (one["name"], one["net_frac"], one["sharpe"], one["trades"], one["mean_bps"])
        for one in [*page.get("costs", ()), *page.get("delays", ()), *page.get("symbols", ())]
    ]
    columns = (("", "text"), ("net", "frac"), ("Sharpe", "ratio"), ("round trips", "count"), ("mean a trip", "bps"))
    tables = [_table("Checks", f"{sum(c['passed'] for c in found['checks'])} of {len(rows)} pass", heads, rows)]
    tables += [_table("Under stress", "costs, delays, other symbols", columns, stressed)] if stressed else []
    about = [f"{found['timeframe']}", f"{found['runs']} runs"] + ([_days(found["data"])] if found.get("data") else [])
    verdict = f"{word}. {'; '.join(found['reasons'])}".rstrip(". ") + "."
    title = f"{found['strategy']} on {found['instrument'].replace(':', ' ')}, judged"
    return {"title": title, "about": about, "verdict": verdict, "look": look, "tables": tables}


def _check(check: Row, what: str, bound: str, unit: str) -> list[Any]:
    """A check as a row; a value and its limit carry the unit that this check has."""
    undefined = check["value"] is None
    mark = "✓" if check["passed"] else "■ kills" if check["kills"] else "– undefined" if undefined else "▲ no"
    why = f"undefined: {check['reason']}" if undefined else check["why"]
    return [mark, what, {"value": check["value"], "unit": unit}, bound, {"value": check["limit"], "unit": unit}, why]


def parity_verdict(found: Row) -> str:
    """`The desk did what its backtest says: 0.00.`"""
    moved = {name: one["usd"] for name, one in found["classes"].items() if one["usd"]}
    if not moved:
        return f"The desk did what its backtest says: 0.00 ({money(found['desk_usd'])} on either side)."
    parts = ", ".join(f"{CLASSES.get(name, name)} {money(usd)}" for name, usd in sorted(moved.items(), key=lambda x: -abs(x[1])))
    sides = f"desk {money(found['desk_usd'])}, backtest {money(found['replay_usd'])}"
    return f"The desk differs from its backtest by {money(found['difference_usd'])} ({sides}): {parts}."


def money(usd: float) -> str:
    """Dollars with two decimals and a sign where there is any."""
    return f"{usd:+,.2f}" if usd else "0.00"


def _parity(found: Row) -> dict[str, Any]:
    used = [name for name, one in found["classes"].items() if one["usd"] or one["count"]]
    columns = [("sleeve", "text"), ("desk", "pnl"), ("backtest", "pnl"), ("difference", "pnl")]
    columns += [(CLASSES.get(name, name), "pnl") for name in used]
    sides = ("desk_usd", "replay_usd", "difference_usd")
    rows = [[s["sleeve"], *(s[side] for side in sides), *(_usd(s["classes"][name]) for name in used)] for s in found["sleeves"]]
    trips = [_trip(trip) for trip in found["trips"]]
    heads = (("sleeve", "text"), ("side", "text"), ("entry", "text"), ("desk", "pnl"), ("backtest", "pnl"), ("difference", "pnl"))
    tables = [_table("By sleeve", "USDT, net", columns, rows)]
    tables += [_table("Round trips that differ", f"{found['differing']}, the largest first", heads, trips)] if trips else []
    tiles = [
        _tile("Desk, USDT", found["desk_usd"], "usd", f"{found['pairs']} round trips", signed=True),
        _tile("Backtest, USDT", found["replay_usd"], "usd", "the same days", signed=True),
        _tile(
            "Difference, USDT",
            found["difference_usd"],
            "usd",
            _counted(found["differing"], "trip differs", "trips differ"),
            signed=True,
        ),
        _tile(
            "Unexplained", found["unexplained_frac"], "frac", f"an alert above {percent_text(found['unexplained_frac_max'], 0)}"
        ),
    ]
    loud = found["unexplained_usd"] > found["unexplained_frac_max"] * found["gross_usd"]
    about = [f"{utc(found['from_ms'])} to {utc(found['to_ms'])}", f"{found['bars']:,} bars"]
    more = {"look": "warn" if loud else "calm", "tables": tables, "tiles": tiles}
    return {"title": "The desk against its backtest", "about": about, "verdict": parity_verdict(found), **more}


def _usd(of: Any) -> Any:
    return of["usd"] if isinstance(of, Mapping) else of


def _trip(trip: Row) -> list[Any]:
    sides = [trip[side]["usd"] if trip[side] else None for side in ("desk", "replay")]
    return [trip["sleeve"], trip["side"], utc(trip["entry_ms"]), *sides, trip["difference_usd"]]


def _drill(found: Row) -> dict[str, Any]:
    heads = (("guard", "text"), ("kind", "text"), ("where", "text"), ("by", "text"))
    tables = [
        _table(name, f"{len(found[state])}", heads, [(g["name"], g["kind"], g["where"], g["by"]) for g in found[state]])
        for state, name in DRILLED
        if found[state]
    ]
    tiles = [_tile(name, len(found[state]), "count") for state, name in DRILLED]
    look = "bad" if found["never_fired"] else "calm"
    about = [_counted(len(found["sleeves"]), "sleeve", "sleeves"), "a copy of the desk, made bars"]
    more = {"tiles": tiles, "tables": tables, "look": look, "notes": [*found["notes"], *map(str, found["left_out"])]}
    return {"title": "Drill of the desk", "about": about, "verdict": found["verdict"], **more}


def _leaks(found: Row) -> dict[str, Any]:
    data = found.get("data") or {}
    about = [str(found.get("instrument", "")).replace(":", " "), f"{data.get('bars', 0):,} bars"]
    verdict, look = f"{found.get('text') or 'no report'}".rstrip(".") + ".", "calm" if found.get("clean") else "bad"
    return {"title": f"Look-ahead check of {found.get('strategy')}", "about": about, "verdict": verdict, "look": look}


PAIR_COLUMNS = {  # of a scan: key -> head and unit
    "coint_frac": ("windows", "frac"),
    "random_walk_frac": ("by chance", "frac"),
    "p_adjusted": ("p", "ratio"),
    "half_life_h": ("half-life, h", "ratio"),
    "trades": ("trades", "count"),
    "moved_frac": ("moved", "frac"),
    "costs_frac": ("costs", "frac"),
    "funding_frac": ("funding", "frac"),
    "net_return_frac": ("net", "frac"),
}


def _pairs(found: Row) -> dict[str, Any]:
    from engine.research.pairs.request import ranked, span_text, word_of

    rows = ranked(found["pairs"])
    lines = [(f"{r['a']} {r['b']}", word_of(r), *(r[key] for key in PAIR_COLUMNS), r["refused"] or r["why"]) for r in rows]
    heads = (("pair", "text"), ("verdict", "text"), *PAIR_COLUMNS.values(), ("why", "text"))
    together, bound = [r for r in rows if r["cointegrated"]], found["random_walk_bound_frac"]
    tiles = [
        _tile("Pairs", found["tried"], "count", _counted(len(found["instruments"]), "instrument", "instruments")),
        _tile("Cointegrated", len(together), "count", "beyond random walks, both ways"),
        _tile("With an edge", sum(r["edge"] for r in rows), "count", "after costs and funding of both legs"),
        _tile("Windows of a random walk", bound, "frac", "the most that 19 of 20 have"),
    ]
    sub = f"best first; {min(len(rows), ROWS_MAX)} of {len(rows)}"
    sources = ", ".join(sorted({str(one["source"]) for one in found["instruments"]}))
    title = f"Pairs of {', '.join(str(one['symbol']) for one in found['instruments'][:NAMED_MAX])}"
    title += f" and {len(found['instruments']) - NAMED_MAX} more" if len(found["instruments"]) > NAMED_MAX else ""
    more = {"tiles": tiles, "tables": [_table("Pairs", sub, heads, lines)], "source": sources}
    return {"title": title, "about": [span_text(found)], "verdict": found["verdict"], **more}


VIEWS: Mapping[str, Callable[[Row], dict[str, Any]]] = {
    "sweep": _sweep,
    "walkforward": _walkforward,
    "judge": _judge,
    "parity": _parity,
    "drill": _drill,
    "leaks": _leaks,
    "pairs": _pairs,
}
NAMES = {"sweep": "Sweep", "walkforward": "Walk-forward", "judge": "Judgement", "parity": "Parity", "drill": "Drill"}
NAMES |= {"leaks": "Look-ahead check", "pairs": "Scan of pairs"}
