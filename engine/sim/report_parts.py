"""What stands on a run's report: verdict, figures, tables, and what its charts draw. Called by sim/report.py.

Turns the run's JSON, its curves and its round trips into texts and cells; the figures of the round trips come from
sim/breakdown.py. The signs are those of the page: a real minus, a sign on P&L, a dash for what is not known.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import polars as pl

from engine.clock import DAY_MS, utc, utc_day
from engine.sim import breakdown
from engine.sim.leaks import verdict
from engine.sim.life import DRAWDOWN, life_of
from engine.sim.metrics import Floats, Times
from engine.sim.naming import run_name
from engine.sim.report_drawn import DOTS_MAX, TRIPS_MAX, key_name, measured

MINUS, NONE, THIN = "\u2212", "–", "\u202f"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NAMES = {"sharpe_adjusted": "Sharpe, adjusted for autocorrelation,", "var_95_frac": "value at risk a day, 95 %,"}
Row = Sequence[str]


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """`1,234.50` with a real minus; a dash for what is not known, no sign on zero."""
    if value is None or not np.isfinite(value):
        return NONE
    text = f"{abs(value):,.{digits}f}"
    return text if not text.strip("0.,") else (MINUS if value < 0 else "+" if sign else "") + text


def percent(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction in percent."""
    return NONE if value is None else number(value * 100, digits, sign=sign) + (f"{THIN}%" if np.isfinite(value) else "")


def in_r(value: float | None) -> str:
    """A multiple of the money at risk, with its sign."""
    return NONE if value is None else f"{number(value, sign=True)}{THIN}R"


def length(ms: float | None) -> str:
    """A span in its two largest units: `14 h 15 min`."""
    if ms is None:
        return NONE
    minutes = int(ms // 60_000)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days:,} d {hours} h" if hours else f"{days:,} d"
    return f"{hours} h {rest:02d} min" if hours else f"{rest} min"


def tone(value: float | None) -> str:
    """The class of a result's colour; its sign says the same."""
    return "" if not value else "pos" if value > 0 else "neg"


def texts(
    run: Mapping[str, Any],
    close_ms: Times,
    equity: Floats,
    trips: pl.DataFrame,
    breakers: pl.DataFrame,
    hold: Floats | None,
) -> dict[str, Any]:
    """Every text of the page but the scripts."""
    heading = run_name(run)
    data = run["data"]
    return {
        "title": f"{heading} - {run['run_id']}",
        "heading": heading,
        "run_id": run["run_id"],
        "about": about(run),
        "verdicts": verdicts(run),
        "tiles": tiles(run, trips, hold),
        "months": month_rows(run, close_ms, equity, trips, hold),
        "hold_note": "" if hold is None else hold_note(run),
        "splits": split_tables(trips, pairs=bool(run.get("pairs"))),
        "pairs": pair_rows(run),
        "falls": fall_rows(close_ms, equity, float(run["cash"])),
        "more": more_figures(run),
        "breakers": breaker_rows(breakers),
        "undefined": {NAMES.get(name) or name.replace("_", " "): why for name, why in run["metrics"]["undefined"].items()},
        "warnings": [note for note in run["notes"] if note != str(run.get("verdict")).rstrip(".")],  # it is above
        "trips_note": trips_note(trips),
        "last_trips": last_trips(trips),
        "dots_note": dots_note(trips),
        "config": config(run),
        "proof": proof(run),
        "bars": f"{data['bars']:,}",
    }


def about(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Span, source, fills, funding; `loud` marks what is unusual."""
    data = run["data"]
    source = data["source"].upper() if data["source"] == "synthetic" else data["source"]
    return [
        {"text": f"{utc_day(data['first_ms'])} to {utc_day(data['last_ms'])}, {data['bars']:,} bars", "loud": False},
        {"text": f"{source} data", "loud": data["source"] == "synthetic"},
        {"text": f"fills {run['fills']}", "loud": False},
        {"text": f"funding {run['funding']}", "loud": run["funding"] != "recorded"},
    ]


def verdicts(run: Mapping[str, Any]) -> list[dict[str, str]]:
    """What must be read before any figure: look-ahead, a raw signal, and how long the run traded. kind: bad, warn or calm."""
    found, life = [], life_of(run)
    if line := verdict(run["leaks"]):
        found.append({"kind": "bad", "strong": f"■ {line}.", "text": run["leaks"]["text"]})
    for name, strong in (("raw_signal", "▲ Raw signal, never evidence."), ("delayed", "▲ Late signals, never evidence.")):
        found += [{"kind": "warn", "strong": strong, "text": run[name]["text"]}] if run.get(name) else []
    if said := str(run.get("verdict") or ""):  # of a basket, in its own words
        first, _, rest = said.partition(": ")
        found.append({"kind": "calm", "strong": f"{first}:" if rest else first, "text": rest})
    if life.stopped_ms is not None:
        still = life.days - life.traded_days
        rest = f"; the figures below count the other {still:,} days as zero." if still else "."
        found.append(
            {
                "kind": "warn",
                "strong": f"▲ Stopped by the {life.stopped_by} on {utc_day(life.stopped_ms)}.",
                "text": f"It traded {life.share}{rest}",
            }
        )
    elif life.text:
        kind, sign = ("warn", "▲ ") if life.ends else ("calm", "")
        found.append({"kind": kind, "strong": f"{sign}{life.text[:1].upper()}{life.text[1:]}.", "text": ""})
    return found


def ended_by(by: str) -> str:
    """The word at the line in the chart."""
    return "breaker" if by.startswith(DRAWDOWN) else by


def hold_name(run: Mapping[str, Any]) -> str:
    """`hold BTC`."""
    bases = list(dict.fromkeys(str(s["symbol"]).partition("-")[0] for s in run["sleeves"]))
    return "hold " + ("+".join(bases) if len(bases) <= 3 else f"{len(bases)} instruments")


def hold_note(run: Mapping[str, Any]) -> str:
    """What the line of holding assumes."""
    several = len({s["symbol"] for s in run["sleeves"]}) > 1
    parts = "in equal parts " if several else ""
    return f"Hold: the same cash {parts}long from the first open to the last close, without costs and funding."


def tiles(run: Mapping[str, Any], trips: pl.DataFrame, hold: Floats | None) -> list[dict[str, str]]:
    """The key figures: label, value, note; the first is the large one."""
    m, s, cash = run["metrics"], run["scenarios"], float(run["cash"])
    costs = m["fees"] + m["slippage"] - m["funding"]
    reach = (
        f"95{THIN}% {number(m['sharpe_low'], 1)} to {number(m['sharpe_high'], 1)}"
        if m["sharpe_low"] is not None
        else "no interval"
    )
    closed = trips.filter(pl.col("reason") != "open")["r"].drop_nulls() if len(trips) else pl.Series([], dtype=pl.Float64)
    mean, median = (cast("float | None", x) for x in ((closed.mean(), closed.median()) if len(closed) else (None, None)))
    holding = "" if hold is None else f"{hold_name(run)} {percent(float(hold[-1]) / cash - 1, sign=True)}"
    other = "pessimistic" if run["fills"] == "optimistic" else "optimistic"
    bars = s["ambiguous_bars"]
    still = f", {m['open_trades']} open" if m["open_trades"] else ""
    tile = [
        ("Return", percent(m["total_return_frac"], sign=True), holding, tone(m["total_return_frac"])),
        ("Sharpe", number(m["sharpe"]), reach, ""),
        ("Max drawdown", percent(m["max_drawdown_frac"]), f"{number(m['max_drawdown'])} at its worst", ""),
        ("Trips", f"{m['trades']:,}", f"{percent(m['win_rate'], 0)} won{still}", ""),
        ("Mean trip", in_r(mean), f"median {in_r(median)}", ""),
        ("Costs", number(costs, 0), f"{percent(costs / cash, 1)} of the start", ""),
        (f"Fills {other}", percent(s[other], sign=True), f"{bars:,} ambiguous bar{'' if bars == 1 else 's'}", ""),
    ]
    return [dict(zip(("name", "value", "note", "tone"), line, strict=True)) for line in tile]


def more_figures(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The figures that few ask for first."""
    m = run["metrics"]
    return [
        ("net profit", number(m.get("net_profit"), sign=True)),
        ("Sortino", number(m["sortino"])),
        ("Calmar", number(m["calmar"])),
        ("recovery factor", number(m["recovery_factor"])),
        ("Sharpe, adjusted for autocorrelation", number(m.get("sharpe_adjusted"))),
        ("value at risk a day, 95 %", percent(m.get("var_95_frac"))),
        ("expected shortfall a day, 95 %", percent(m.get("es_95_frac"))),
        ("worst day", percent(m.get("worst_day_frac"))),
        ("time under water, of the bars", percent(m.get("under_water_frac"))),
        ("longest time under water, days", number(m.get("under_water_days"), 1)),
        ("exposure, of the bars", percent(m["exposure_frac"])),
        ("turnover, times equity a year", number(m["turnover"])),
        ("fees", number(m["fees"])),
        ("slippage", number(m["slippage"])),
        ("funding, received minus paid", number(m["funding"], sign=True)),
    ]


def month_rows(
    run: Mapping[str, Any], close_ms: Times, equity: Floats, trips: pl.DataFrame, hold: Floats | None
) -> list[dict[str, Any]]:
    """Return of each month of the run and of holding, with the trips that began in it; last, all of it."""
    cash, first = float(run["cash"]), int(run["data"]["first_ms"])
    at = np.concatenate(([first + 1], close_ms))  # a moment after the start, so that it is of the first month
    own = breakdown.months(at, np.concatenate(([cash], equity)))
    held = {} if hold is None else {(y, m): r for y, m, r in breakdown.months(at, np.concatenate(([cash], hold)))}
    counts = {row["key"]: row for row in breakdown.split(trips, "month").to_dicts()}
    rows = list[dict[str, Any]]()
    for year, month, value in own:
        split = counts.get(f"{year}-{month:02d}", {})
        name = f"{MONTHS[month - 1]} {year}" if month == 1 or not rows else MONTHS[month - 1]
        rows.append(_month(name, value, held.get((year, month)), split.get("trips", 0), split.get("win_frac")))
    holding = None if hold is None else float(hold[-1]) / cash - 1
    wins = (trips["net"] > 0).mean() if len(trips) else None
    rows.append({**_month("all", float(equity[-1]) / cash - 1, holding, len(trips), wins), "sum": True})
    return rows


def _month(name: str, own: float | None, held: float | None, trips: int, won: Any) -> dict[str, Any]:
    return {
        "name": name,
        "run": percent(own, 1, sign=True),
        "tone": tone(own),
        "hold": percent(held, 1, sign=True),
        "trips": f"{trips:,}",
        "won": percent(won, 0),
        "sum": False,
    }


MADE = ("gross", "slippage", "fees", "funding", "net")


def pair_rows(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each pair of a basket made and each of its legs, then each leg over all pairs; empty of any other run. sum: a line
    that others sum to."""
    found = []
    for row in sorted(run.get("pairs") or (), key=lambda one: -one["net"]):
        found.append(_pair_row(row["name"], "both", row, sums=True))
        found += [_pair_row("", leg["symbol"], leg) for leg in row["legs"]]
    return found + [_pair_row("all pairs", leg["symbol"], leg, sums=True) for leg in run.get("legs") or ()]


def _pair_row(name: str, leg: str, made: Mapping[str, Any], *, sums: bool = False) -> dict[str, Any]:
    money = [number(made[key], sign=key in {"gross", "funding", "net"}) for key in MADE]
    return {"name": name, "leg": leg, "money": money, "tone": tone(made["net"]), "sum": sums}


def split_tables(trips: pl.DataFrame, *, pairs: bool = False) -> list[dict[str, Any]]:
    """By exit path and side, then weekday and hour (of the entry, UTC), and by sleeve, of a basket by pair, when there are
    several."""
    kinds = [
        ("By exit path", "exit"),
        ("By side", "side"),
        ("By weekday of the entry, UTC", "weekday"),
        ("By hour of the entry, UTC", "hour"),
    ]
    if len(trips) and trips["sleeve"].n_unique() > 1:
        kinds.append(("By pair" if pairs else "By sleeve", "sleeve"))
    found = []
    for title, by in kinds:
        rows = [_split_row(row, key_name(by, row["key"])) for row in breakdown.split(trips, by).to_dicts()]
        if rows:
            found.append({"title": title, "by": by, "rows": rows})
    return found


def _split_row(row: Mapping[str, Any], name: str) -> dict[str, str]:
    return {
        "name": name,
        "trips": f"{row['trips']:,}",
        "won": percent(row["win_frac"], 0),
        "mean_r": number(row["mean_r"], sign=True),
        "r_tone": tone(row["mean_r"]),
        "hold": length(row["median_hold_ms"]),
        "net": number(row["net"], 0, sign=True),
        "tone": tone(row["net"]),
    }


def fall_rows(close_ms: Times, equity: Floats, cash: float, count: int = 5) -> list[Row]:
    """The deepest drawdowns: how deep, from, lowest, back at its peak, how long."""
    at, curve = np.concatenate(([close_ms[0]], close_ms)), np.concatenate(([cash], equity))
    rows = list[Row]()
    for fall in breakdown.drawdowns(at, curve, count):
        end = int(close_ms[-1]) if fall.recovered_ms is None else fall.recovered_ms
        back = "not recovered" if fall.recovered_ms is None else utc_day(fall.recovered_ms)
        days = f"{(end - fall.peak_ms) / DAY_MS:,.0f} d"
        rows.append((percent(fall.depth_frac), number(fall.depth, 0), utc_day(fall.peak_ms), utc_day(fall.trough_ms), back, days))
    return rows


def breaker_rows(breakers: pl.DataFrame) -> list[dict[str, str]]:
    """Each kind of breaker with how often it tripped, and when first and last."""
    found = breakers.group_by("sleeve", "breaker", maintain_order=True).agg(
        pl.len(), pl.col("close_ms").min().alias("first"), pl.col("close_ms").max().alias("last")
    )
    return [
        {
            "name": f"{row['breaker']} ({row['sleeve']})",
            "times": f"{row['len']:,}×",
            "note": utc(row["first"]) + (f" to {utc(row['last'])}" if row["len"] > 1 else ""),
        }
        for row in found.to_dicts()
    ]


def trips_note(trips: pl.DataFrame) -> str:
    """How many round trips there are, and what the list leaves out."""
    if len(trips) > TRIPS_MAX:
        return f"The newest {TRIPS_MAX:,} of {len(trips):,}; all of them are in trips.parquet beside this page."
    return f"{len(trips):,} in all, the newest first. A click on a head sorts."


def dots_note(trips: pl.DataFrame) -> str:
    """What the scatter of excursions shows, or why it is not drawn."""
    found = len(measured(trips))
    if "lots_a" in trips.columns:
        return "Not kept of pairs: two legs are at their extremes at different moments."
    if not found:
        return "No closed trip with a stop." if "mae" in trips.columns else "Not kept by this run: run it again with --fresh."
    shown = f"the newest {DOTS_MAX:,} of {found:,} trips" if found > DOTS_MAX else "each trip"
    return f"{shown}; hollow lost, filled won"


STATIC = (("trip", str), ("side", str), ("entry_ms", utc), ("reason", str), ("net", number), ("r", number))


def last_trips(trips: pl.DataFrame, count: int = 25) -> list[list[str]]:
    """The newest trips as cells, for a reader without JavaScript."""
    return [[NONE if row[k] is None else form(row[k]) for k, form in STATIC] for row in reversed(trips.tail(count).to_dicts())]


def config(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every parameter of every sleeve."""
    found = [("cash", number(run["cash"])), ("fills", run["fills"]), ("funding", run["funding"])]
    sleeves = run["sleeves"][:1] if run.get("pairs") else run["sleeves"]  # the legs of a basket have the same
    for sleeve in sleeves:
        prefix = f"{sleeve['name']}." if len(sleeves) > 1 else ""
        found += [(f"{prefix}{key}", f"{value}") for key, value in sleeve["params"].items()]
    return found


def proof(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What it takes to repeat and check the run."""
    data, leaks = run["data"], run["leaks"]
    ahead = leaks["text"] if leaks else "strategies that ship with Nightdesk, checked by its tests"
    rows: Sequence[tuple[str, str]] = [
        ("source", data["source"]),
        *(("file", name) for name in data["files"]),
        ("look-ahead", ahead),
        ("data sha256", data["sha256"]),
        ("journal hash", run["journal_hash"]),
        ("config hash", run["config_hash"]),
        ("code hash", run["code_hash"]),
        ("versions", ", ".join(f"{k} {v}" for k, v in run["versions"].items())),
        ("again", f"nightdesk rerun {run['run_id']}"),
        ("explain a trip", f"nightdesk journal explain {run['run_id']}/t1"),
    ]
    return list(rows)
