"""What the charts and the long table of a run's report draw, as JSON. Called by sim/report.py and sim/report_parts.py.

Turns round trips (trips.parquet) into the specs of page/charts.js and the rows of page/table.js. Bounded: the page stays small
for a run of a hundred thousand trips, and says what it left out.
"""

from typing import Any, cast

import numpy as np
import polars as pl

from engine.clock import utc_day
from engine.sim import breakdown

TRIPS_MAX = 10_000  # of the list on the page; trips.parquet beside it holds all
DOTS_MAX = 2_000  # of the scatter
BIN_R = 0.25
BINS_MAX = 80
# name, kind in table.js, column of the frame, offered as a filter
TRIP_COLUMNS = (
    ("trip", "text", "trip", False),
    ("sleeve", "text", "sleeve", True),
    ("side", "text", "side", True),
    ("in, UTC", "ms", "entry_ms", False),
    ("out, UTC", "ms", "exit_ms", False),
    ("exit", "text", "reason", True),
    ("net", "money", "net", False),
    ("R", "r", "r", False),
    ("MAE, R", "reach", "mae_r", False),
    ("MFE, R", "reach", "mfe_r", False),
    ("bars", "count", "bars", False),
    ("units", "size", "units", False),
    ("entry", "price", "entry_price", False),
    ("exit at", "price", "exit_price", False),
    ("gross", "money", "gross", False),
    ("slippage", "cost", "slippage", False),
    ("fees", "cost", "fees", False),
    ("funding", "money", "funding", False),
)
OF_LEGS = tuple((f"{end} {leg}", "price", f"{end}_{leg}", False) for leg in "ab" for end in ("entry", "exit"))
OF_ONE = ("mae_r", "mfe_r", "units", "entry_price", "exit_price")  # columns that a pair of a basket has none of
PHONE = ("trip", "side", "out, UTC", "exit", "net", "R")  # columns that a narrow screen keeps


def chart_specs(trips: pl.DataFrame) -> dict[str, Any]:
    """The charts of the round trips by name; one that has nothing to draw is left out."""
    found = {"result": result_spec(trips), "dots": dots_spec(trips), "costs": costs_spec(trips)}
    found |= {by: net_spec(trips, by) for by in ("weekday", "hour")}
    return {name: spec for name, spec in found.items() if spec is not None}


def result_spec(trips: pl.DataFrame) -> dict[str, Any] | None:
    """How many trips ended with how much, in R."""
    values = closed(trips)["r"].drop_nulls()
    if not len(values):
        return None
    low, high = (float(x) for x in (values.to_numpy().min(), values.to_numpy().max()))
    width = BIN_R * max(1, int(np.ceil((high - low) / BIN_R / BINS_MAX)))
    first, last = np.floor(low / width) * width, np.floor(high / width) * width + width
    counts, edges = np.histogram(values.to_numpy(), bins=np.arange(first, last + width / 2, width))
    items = [
        {
            "name": f"{a:g}",
            "value": int(n),
            "tone": "up" if a >= 0 else "down",
            "text": f"{n:,} trips from {a:+g} to {b:+g} R".replace("-", "\u2212"),
        }
        for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    mean = float(values.mean() or 0.0)  # type: ignore[arg-type]  # of floats
    mark = {"at": mean, "text": f"mean {mean:+.2f}\u202fR".replace("-", "\u2212")}
    edge = [float(edges[0]), float(edges[-1])]
    label = "Number of trips by their result in R"
    return {"kind": "bars", "unit": "count", "label": label, "items": items, "edges": edge, "marks": [mark], "width": width}


def dots_spec(trips: pl.DataFrame) -> dict[str, Any] | None:
    """How far each trip went against and for its position, in R."""
    found = measured(trips)
    if found.is_empty():
        return None
    found = found.tail(DOTS_MAX)
    points = [
        [round(against, 3), round(favour, 3), round(net, 2), name]
        for against, favour, net, name in found.select("mae_r", "mfe_r", "net", "trip").iter_rows()
    ]
    return {"kind": "scatter", "label": "Maximum adverse and favourable excursion of each trip, in R", "points": points}


def costs_spec(trips: pl.DataFrame) -> dict[str, Any] | None:
    """From gross to net."""
    if trips.is_empty():
        return None
    gross, slippage, fees, funding, net = (float(trips[name].sum()) for name in ("gross", "slippage", "fees", "funding", "net"))
    steps = [("gross", gross, True), ("fees", -fees, False), ("slippage", -slippage, False), ("funding", funding, False)]
    drawn = [{"name": name, "value": round(value, 2), "total": total} for name, value, total in [*steps, ("net", net, True)]]
    return {"kind": "waterfall", "label": "From gross to net: fees, slippage, funding", "steps": drawn}


def net_spec(trips: pl.DataFrame, by: str) -> dict[str, Any] | None:
    """Net P&L by hour or weekday of the entry."""
    if trips.is_empty():
        return None
    items = []
    for row in breakdown.split(trips, by).to_dicts():
        name, net = key_name(by, row["key"]), round(float(row["net"]), 2)
        text = f"{name}: {row['trips']:,} trips, net {net:+,.2f}".replace("-", "\u2212")
        items.append({"name": name.removesuffix(":00"), "value": net, "tone": "up" if net > 0 else "down", "text": text})
    return {"kind": "bars", "unit": "money", "label": f"Net P&L by {by} of the entry, UTC", "items": items, "height": 180}


def key_name(by: str, key: Any) -> str:
    """A key of a breakdown as a reader knows it."""
    text = str(key)
    if by == "weekday":
        return text[:3]
    return f"{int(text):02d}:00" if by == "hour" and text.isdigit() else text


def trip_list(trips: pl.DataFrame, count: int = TRIPS_MAX) -> dict[str, Any]:
    """The newest `count` trips, newest first, for the table that sorts and filters."""
    shown = [column for column in TRIP_COLUMNS if column[2] != "sleeve" or (len(trips) and trips["sleeve"].n_unique() > 1)]
    if "lots_a" in trips.columns:
        own = [("pair", *column[1:]) if column[2] == "sleeve" else column for column in shown if column[2] not in OF_ONE]
        shown = [*own[:-4], *OF_LEGS, *own[-4:]]
    frame = with_r(trips).tail(count).reverse().select([column[2] for column in shown])
    money = ("net", "gross", "slippage", "fees", "funding", "r", "mae_r", "mfe_r")
    rounded = [pl.col(name).round(6) for name in money if name in frame.columns]
    last = trips["entry_ms"].max() if len(trips) else None
    return {
        "columns": [[name, kind, pick, name not in PHONE] for name, kind, _, pick in shown],
        "rows": [list(r) for r in frame.with_columns(rounded).iter_rows()],
        "year": int(utc_day(cast("int", last))[:4]) if last is not None else None,
    }


def with_r(trips: pl.DataFrame) -> pl.DataFrame:
    """The trips with `mae_r` and `mfe_r`; null where a trip has no risk or was stored before excursions were kept."""
    risk = pl.when(pl.col("risk") > 0).then(pl.col("risk"))
    there = {"mae", "mfe"} <= set(trips.columns)
    return trips.with_columns(
        (pl.col(name) / risk if there else pl.lit(None, pl.Float64)).alias(f"{name}_r") for name in ("mae", "mfe")
    )


def measured(trips: pl.DataFrame) -> pl.DataFrame:
    """The closed trips whose excursions are known."""
    return with_r(closed(trips)).filter(pl.col("mae_r").is_finite() & pl.col("mfe_r").is_finite())


def closed(trips: pl.DataFrame) -> pl.DataFrame:
    """The trips that ended."""
    return trips.filter(pl.col("reason") != "open")
