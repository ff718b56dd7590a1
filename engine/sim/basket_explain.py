"""Why a pair's round trip was entered and left: fills of both legs, the spread that decided, every cost. Called by
sim/explain.py, in whose shape it answers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from engine.clock import timeframe_ms
from engine.core import state
from engine.core.row_fields import KIND_OF, FillRow, FundingRow

RULE_TEXT = {
    "signal": "the spread had come back at the close before",
    "stop": "the spread had gone on to its stop at the close before, or a leg was at its wide stop",
    "pair": "its mate had left: by the wide stop or by its venue, or at the entry it did not fill",
    "liquidation": "the margin of the basket was gone: the venue closed all legs",
    "delisted": "the bars of a leg ended",
    "halt": "the desk was halted: every position was flattened",
    "none": "it is still open",
}
OPEN_MODEL = (
    "net order of the leg decided at a close, filled at the next open plus slippage, taker fee; what crosses inside costs none"
)
CLOSED_MODEL = (
    "closed inside the bar by the leg's wide stop or by its venue: at the level, or the open after a gap, and taker fee"
)


def pair_steps(
    run: Mapping[str, Any], about: Mapping[str, Any], rows: pl.DataFrame, decisions: pl.DataFrame
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(executions of both legs, settlements of both) of a trip. rows: all of the run; decisions: of its pair."""
    legs, bar_ms = [str(symbol) for symbol in run["symbols"]], timeframe_ms(run["timeframe"])
    names = [f"{about['a']} {about['b']}" == row["name"] for row in run["pairs"]]
    first = rows.filter(pl.col("n") == about["first_n"]).row(0, named=True)
    own = rows.filter((pl.col("pair") == names.index(True)) & (pl.col("key") == first["key"]))
    fills = own.filter(pl.col("kind") == KIND_OF[FillRow]).to_dicts()
    sizes = _lot_sizes(run)
    steps = [_step(fill, legs, sizes, decisions, bar_ms) for fill in fills]
    paid = own.filter(pl.col("kind") == KIND_OF[FundingRow]).to_dicts()
    settled = [_settlement(row, legs, bar_ms) for row in paid]
    return steps, settled


def _lot_sizes(run: Mapping[str, Any]) -> list[float]:
    """Base units a lot of each leg."""
    kept = run["config"]["instruments"]
    return [float(kept[f"{s['venue']}:{s['symbol']}:{s['market']}"]["lot_size"]) for s in run["config"]["sleeves"]]


def _settlement(row: Mapping[str, Any], legs: Sequence[str], bar_ms: int) -> dict[str, Any]:
    """A settlement of one leg, at the open of the bar that charges it."""
    at = {"close_ms": row["close_ms"], "settled_ms": row["close_ms"] - bar_ms, "leg": legs[row["leg"]]}
    return at | {"lots": row["lots"], "mark": row["price"], "rate": row["a"], "cash": row["fee"]}


def _step(
    row: Mapping[str, Any], legs: Sequence[str], sizes: Sequence[float], decisions: pl.DataFrame, bar_ms: int
) -> dict[str, Any]:
    """One execution of a leg, with the decision at the close before it."""
    units, entry = row["lots"] * sizes[row["leg"]], row["code"] == state.ENTRY
    notional, reference, reason = units * row["price"], row["a"], state.EXIT_REASONS[row["rule"]]
    fill = {
        "close_ms": row["close_ms"],
        "bar_open_ms": row["close_ms"] - bar_ms,
        "leg": legs[row["leg"]],
        "slot": state.SLOTS[row["code"]],
        "reason": reason,
        "side": row["side"],
        "layer": 0,
        "lots": row["lots"],
        "units": units,
        "price": row["price"],
        "clean_price": reference,
        "fee": row["fee"],
        "fee_bps": row["fee"] / notional * 1e4,
        "slippage": row["side"] * units * (row["price"] - reference),
        "slippage_bps": row["side"] * (row["price"] / reference - 1.0) * 1e4,
        "maker": False,
        "cash_after": row["equity"],
        "assumption": CLOSED_MODEL if row["code"] == state.PROTECTIVE else OPEN_MODEL,
    }
    action = "enter" if entry else "exit"
    before = decisions.filter((pl.col("action") == action) & (pl.col("close_ms") < row["close_ms"])).tail(1)
    return {"fill": fill, "decision": _decision(before.row(0, named=True)) if len(before) and entry else None}


def _decision(line: Mapping[str, Any]) -> dict[str, Any]:
    """A pair's entry as sim/explain.decision_of gives one: what it read is its spread."""
    read = {name: line[name] for name in ("spread_z", "hedge", "deviation", "risk") if line[name] is not None}
    return {
        "close_ms": line["close_ms"],
        "action": line["action"],
        "refused_by": line["refused_by"],
        "exit_reason": line["exit_reason"],
        "signal": {"side": line["signal"], "strength": 1.0},
        "position_before": {"lots": line["lots_before"], "layers_after": 0},
        "close": None,
        "equity": line["equity"],
        "size": None,
        "caps": None,
        "levels_after": {"protective": None, "target": None},
        "features": read,
    }
