"""Why a stored run did what it did: a round trip from the signal to the closing rule, or one close with or without a trade.

Called by `nightdesk journal explain` and the tools. Turns the frames of a run's folder into plain JSON; a close without
a row is recomputed from the stored configuration, but only on the same data and code.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.amounts import price_text
from engine.book.quiet_close import quiet_close
from engine.clock import timeframe_ms, utc
from engine.core import state
from engine.core.ledger import open_lots
from engine.core.row_fields import BreakerRow, CapsRow, FundingRow
from engine.data.catalog import Catalog
from engine.errors import BadInput, DataError
from engine.sim import trips as reading
from engine.sim.basket_explain import RULE_TEXT as PAIR_RULES
from engine.sim.basket_explain import pair_steps
from engine.sim.request import Plan, plan, request_of
from engine.sim.vwap_fills import VWAP, core_mode
from engine.store.runs import Runs

# how each fill mode treats an order inside a bar (DEFINITIONS D12)
ENTRY_MODEL = "market order decided at a close, filled at the next open plus slippage (half-spread and impact), taker fee"
VWAP_MODEL = (
    "market order decided at a close, filled at the VWAP of the next bar plus slippage, taker fee;"
    " at its open where no quote volume is recorded"
)
LIMIT_MODELS = {
    "pessimistic": "limit order at its price, resting, filled after trade-through by a tick, maker fee",
    "optimistic": "limit order at its price, resting, filled on a touch, maker fee",
    "reference": "limit order at its price, resting, filled on a touch, maker fee",
}
EXIT_MODELS = {
    "pessimistic": {
        "stop": "the protective order: at its level, at the open after a gap, before any target; plus slippage, taker fee",
        "target": "the target order: at its level after trade-through by a tick, maker fee",
    },
    "optimistic": {
        "stop": "the protective order: at its level when traded through, at the open after a gap; plus slippage, taker fee",
        "target": "the target order: at its level or a better open, before the protective order, maker fee",
    },
    "reference": {
        "stop": "the protective order: at its level, at the open after a gap; no slippage, taker fee",
        "target": "the target order: at its level or a better open, maker fee",
    },
}
LIQUIDATION_MODEL = (
    "closed whole by the venue at the price that leaves nothing of the margin, or at a worse open; liquidation fee"
)
DUE = frozenset(state.EXIT_REASONS[reason] for reason in state.DECIDED)
DUE_MODEL = "decided at the close, filled at the next open plus slippage, taker fee"
RULE_TEXT = {
    "stop": "the protective order was at the stop: the first one, or a tighter one that the strategy has said since",
    "trail": "the protective order was at the trail, tighter than the stop",
    "target": "the target was reached",
    "fade": "the signal had decayed below fade_below at the close before",
    "signal": "the strategy left at the close before: its exit signal, or a close beyond its own stop or target",
    "reversal": "the strategy turned at the close before: the other side was to be entered at the same open",
    "time": "the position had been held for the strategy's hold_bars at the close before",
    "halt": "the desk was halted: every position was flattened",
    "liquidation": "the margin was gone: the venue closed the position before its protective order",
    "adopted": "a person adopted what the venue holds: it was closed there",
    "delisted": "its bars had ended: it was closed at the last close",
    "pair": "what the pairs of its basket wanted of this leg, net",
    "none": "it is still open",
}


def trip(runs: Runs, run_id: str, name: str) -> dict[str, Any]:
    """One round trip: each entry with its decision, features, size and caps; each exit with its rule; every cost."""
    run, table = runs.load(run_id), runs.frame(run_id, "trips")
    found = table.filter(pl.col("trip") == name)
    if found.is_empty():
        there = f"available: t1 to t{len(table)}" if len(table) else "it has none"
        raise BadInput(f"run {run_id} has no round trip {name!r}", there)
    about = found.row(0, named=True)
    rows, decisions = runs.frame(run_id, "rows"), runs.frame(run_id, "decisions").filter(pl.col("sleeve") == about["sleeve"])
    if run.get("pairs"):
        return answer_of(run, name, about, *pair_steps(run, about, rows, decisions), PAIR_RULES)
    sleeves = run_sleeves(run)
    number = next(n for n, sleeve in enumerate(sleeves) if sleeve.name == about["sleeve"])
    own = rows.filter((pl.col("sleeve") == number) & pl.col("n").is_between(about["first_n"], about["last_n"]))
    bar_ms = sleeves[number].bar_ms
    steps = [step(run, fill, decisions, bar_ms) for fill in reading.fills(own, sleeves).to_dicts()]
    paid = (reading.field(FundingRow, name) for name in ("lots", "mark", "rate", "cash_flow"))
    settled = reading.only(own, FundingRow).select("close_ms", *paid).rename({"cash_flow": "cash"})
    opened = pl.col("close_ms") - timeframe_ms(run["timeframe"])  # a settlement is at the open of the bar that charges it
    settled = settled.with_columns(opened.alias("settled_ms"))
    return answer_of(run, name, about, steps, settled.to_dicts(), RULE_TEXT)


def answer_of(
    run: Mapping[str, Any],
    name: str,
    about: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    settled: Sequence[Mapping[str, Any]],
    rules: Mapping[str, str],
) -> dict[str, Any]:
    """A round trip explained: its executions by slot, its settlements, what it cost, and the rule that closed it."""
    return {
        "id": f"{run['run_id']}/{name}",
        "run": stamp_of(run),
        "trip": {k: v for k, v in about.items() if k not in {"first_n", "last_n"}},
        "entries": [s for s in steps if s["fill"]["slot"] == "entry"],
        "exits": [s for s in steps if s["fill"]["slot"] != "entry"],
        "funding": list(settled),
        "costs": {name: about[name] for name in reading.COSTS},
        "closing_rule": {"reason": about["reason"], "text": rules.get(about["reason"], rules["none"])},
    }


def step(run: Mapping[str, Any], fill: dict[str, Any], decisions: pl.DataFrame, bar_ms: int) -> dict[str, Any]:
    """One execution with the decision at the close before it and the assumption under which it filled."""
    before, entry = decisions.filter(pl.col("close_ms") == fill["close_ms"] - bar_ms), fill["slot"] == "entry"
    if entry:  # a limit may have been decided some closes earlier
        entered = pl.col("action").is_in(["enter", "add"]) & (pl.col("close_ms") < fill["close_ms"])
        before = decisions.filter(entered).tail(1)
    fills, market = core_mode(run["fills"]), VWAP_MODEL if run["fills"] == VWAP else ENTRY_MODEL
    model = LIMIT_MODELS[fills] if fill["maker"] else market
    if not entry:
        due = fill["reason"] in DUE
        kind = "target" if fill["slot"] == "target" else "stop"
        leaves = VWAP_MODEL if run["fills"] == VWAP else DUE_MODEL
        model = leaves if due else EXIT_MODELS[fills][kind]
        model = LIQUIDATION_MODEL if fill["reason"] == "liquidation" else model
    shown = {k: v for k, v in fill.items() if k not in {"n", "sleeve"}}
    notional = fill["units"] * fill["price"]
    shown |= {"bar_open_ms": fill["close_ms"] - bar_ms, "fee_bps": fill["fee"] / notional * 1e4, "assumption": model}
    shown["slippage_bps"] = fill["side"] * (fill["price"] / fill["clean_price"] - 1.0) * 1e4
    return {"fill": shown, "decision": decision_of(before) if len(before) else None}


def decision_of(row: pl.DataFrame) -> dict[str, Any]:
    """A line of the decisions frame as nested JSON: signal, position before, size, caps, levels, features read."""
    line = row.row(0, named=True)
    fixed = set(reading.decisions(reading.no_rows(), []).columns)
    caps = {name.removeprefix("cap_"): line[name] for name in CapsRow._fields}
    sized = line["units_wanted"] is not None
    size = ("lots_approved", "units_wanted", "risk_frac", "cap_binding", "price_reviewed", "stop_distance", "target_distance")
    return {
        "close_ms": line["close_ms"],
        "action": line["action"],
        "refused_by": line["refused_by"],
        "exit_reason": line["exit_reason"],
        "signal": {"side": line["signal"], "strength": line["strength"]},
        "position_before": {"lots": line["lots_before"], "layers_after": line["layers"]},
        "close": line["close"],
        "equity": line["equity"],
        "size": {name: line[name] for name in size} if sized else None,
        "caps": caps if sized else None,
        "levels_after": {"protective": line["protective"], "target": line["target"]},
        "features": {k: v for k, v in line.items() if k not in fixed and v is not None},
    }


def at(runs: Runs, run_id: str, sleeve: str | None, when_ms: int, catalog: Catalog, folder: Path | None = None) -> dict[str, Any]:
    """What a sleeve of a run decided at the first close at or after `when_ms`, or why nothing happened there."""
    run = runs.load(run_id)
    if run.get("pairs"):
        raise BadInput(f"run {run_id} is of a basket, which decides by pairs", f"name a round trip: {run_id}/t1")
    names = [s["name"] for s in run["sleeves"]]
    sleeve = sleeve or names[0]
    if sleeve not in names:
        raise BadInput(f"run {run_id} has no sleeve {sleeve!r}", f"available: {', '.join(names)}")
    bar_ms, data = run_sleeves(run)[names.index(sleeve)].bar_ms, run["data"]
    close_ms = -(-when_ms // bar_ms) * bar_ms
    end_ms = data["last_ms"] + timeframe_ms(run["timeframe"])
    if not data["first_ms"] < close_ms <= end_ms:
        raise BadInput(f"{utc(when_ms)} is not in run {run_id}", f"it covers {utc(data['first_ms'])} to {utc(end_ms)}")
    table = runs.frame(run_id, "decisions")
    own = table.filter((pl.col("sleeve") == sleeve) & (pl.col("close_ms") == close_ms))
    answer = {"id": f"{run_id}@{sleeve}@{close_ms}", "run": stamp_of(run), "sleeve": sleeve, "close_ms": close_ms}
    if len(own):
        parts = [decision_of(own[k : k + 1]) for k in range(len(own))]  # of a reversal the exit and what follows it
        found = parts[-1] | {"exit_reason": parts[0]["exit_reason"]}
        if found["refused_by"] and found["size"] is None:
            found |= {"sized_at": earlier_size(table, sleeve, close_ms, found["refused_by"])}
        rows = runs.frame(run_id, "rows")
        stopped = reading.only(rows, BreakerRow).filter(pl.col("sleeve") == state.DESK_ROW)
        halted = not stopped.filter(pl.col("close_ms") <= close_ms).is_empty()
        warming = warming_up(table.filter(pl.col("sleeve") == sleeve), close_ms)
        return answer | {"decision": found, "text": "; ".join(sentence(part, halted=halted, warming=warming) for part in parts)}
    found = silent_close(run, sleeve, close_ms, catalog, folder)
    if found["refused_ms"] is not None:
        began = table.filter((pl.col("sleeve") == sleeve) & (pl.col("close_ms") == found["refused_ms"]))
        found |= {"sized_at": decision_of(began.tail(1)) if len(began) else None}
    return answer | {"decision": found, "text": found.pop("text")}


def warming_up(own: pl.DataFrame, close_ms: int) -> list[str]:
    """Features that a sleeve's decisions have from a later close on, and had at none up to this one."""
    features = [name for name in own.columns if name in set(own.columns) - set(reading.decisions(reading.no_rows(), []).columns)]
    seen = own.filter(pl.col("close_ms") <= close_ms)
    return [name for name in features if own[name].null_count() < len(own) and seen[name].null_count() == len(seen)]


def earlier_size(table: pl.DataFrame, sleeve: str, close_ms: int, rule: str) -> dict[str, Any] | None:
    """Size and caps of the close at which this refusal began: a continued refusal is sized once."""
    before = table.filter((pl.col("sleeve") == sleeve) & (pl.col("close_ms") < close_ms))
    same = (pl.col("refused_by") == rule).fill_null(value=False)
    began = before.filter(~same)["close_ms"].max()
    sized = before.filter(same & pl.col("units_wanted").is_not_null() & (pl.col("close_ms") > (began or 0))).tail(1)
    return decision_of(sized) if len(sized) else None


def silent_close(run: Mapping[str, Any], sleeve: str, close_ms: int, catalog: Catalog, folder: Path | None) -> dict[str, Any]:
    """A close without a row: nothing new was decided. What it was is worked out again on the same data by the same code."""
    from engine.sim.backtest import signals_in_span, state_at

    found, loaded = bars_again(run, catalog, folder)
    t = int(np.searchsorted(loaded.span.close_ms, close_ms))
    names, everyone = [s.spec.name for s in found.sleeves], [signals_in_span(s, loaded) for s in found.sleeves]
    signals, after = everyone[names.index(sleeve)], state_at(found, loaded, everyone, t)[names.index(sleeve)]
    lot_size = found.sleeves[names.index(sleeve)].instrument.lot_size
    features = {label: float(values[t]) if np.isfinite(values[t]) else None for label, values in signals.used.items()}
    k = loaded.span.instruments.index(found.column(next(s for s in found.sleeves if s.spec.name == sleeve)))
    close = float(loaded.span.close[t, k])
    warming = [label for label, values in signals.used.items() if not np.isfinite(values[: t + 1]).any()]
    missing = [label for label, value in features.items() if value is None and label not in warming]
    why = quiet_close(after, lot_size, int(signals.side[t])) + (f"; missing: {', '.join(missing)}" if missing else "")
    if warming:
        unknown = after.guard.refused in (state.R_NONE, state.R_UNKNOWN)
        during = warm_up_text(warming)
        why = f"no entry {during}" if unknown and not open_lots(after.position) else f"{why}; {during}"
    if not np.isfinite(close):
        why = "the bar is missing in the data: no trade on it"
    refused = after.guard.refused
    lots = open_lots(after.position) * after.position.side
    return {
        "close_ms": close_ms,
        "action": "refused" if refused else "hold",
        "refused_by": state.RULES[refused] if refused else None,
        "refused_ms": after.guard.refused_ms if refused else None,
        "signal": {"side": int(signals.side[t]), "strength": float(signals.strength[t])},
        "position_before": {"lots": lots, "layers_after": after.position.open_layers},
        "close": close if np.isfinite(close) else None,
        "features": features,
        "text": why,
    }


def bars_again(run: Mapping[str, Any], catalog: Catalog, folder: Path | None) -> tuple[Plan, Any]:
    """The plan of a stored run and its bars (DeskBars), loaded again. Raises DataError when data or code changed since."""
    from engine.sim.backtest import load

    request, overrides = request_of(run["config"])
    found = plan(request, catalog, folder, overrides)
    require_same_inputs(run, found)
    return found, load(found)


def require_same_inputs(run: Mapping[str, Any], now: Plan) -> None:
    """Raises DataError for other data or code: recomputed values would not be those of the run."""
    if now.data_sha256 != run["data"]["sha256"]:
        changed = [n for n in run["data"]["file_sha256"] if now.files.get(n) != run["data"]["file_sha256"][n]]
        what = f"the data changed since run {run['run_id']}: {', '.join(changed) or 'other files'}"
        raise DataError(f"{what}; its feature values cannot be recomputed", "run the backtest again")
    then = [sleeve.get("model_sha256") for sleeve in run["config"]["sleeves"]]
    if then != [sleeve.get("model_sha256") for sleeve in now.config["sleeves"]]:
        raise DataError(f"a model that run {run['run_id']} read is not stored as it was", "restore it, or run the backtest again")
    if now.code_hash != run["code_hash"]:
        changed = sorted(part for part in {*run["code"], *now.code} if run["code"].get(part) != now.code.get(part))
        what = f"the code changed since run {run['run_id']}: {', '.join(changed)}"
        raise DataError(f"{what}; its feature values cannot be recomputed", "run the backtest again")


def warm_up_text(features: list[str]) -> str:
    """Why nothing enters before the features have their first value."""
    return f"during warm-up: {', '.join(features)} {'has' if len(features) == 1 else 'have'} no value yet"


def sentence(found: Mapping[str, Any], *, halted: bool, warming: list[str]) -> str:
    """A decision as a sentence; `halted`: the desk's drawdown breaker had tripped by then; `warming`: features without a value
    so far.
    """
    side = {1: "long", -1: "short", 0: "no"}[found["signal"]["side"]]
    signal = f"{side} signal" + (f" of strength {found['signal']['strength']:.2f}" if found["signal"]["side"] else "")
    if found["action"] == "refused":
        unready = warming and found["refused_by"] == state.RULES[state.R_UNKNOWN]
        return f"{signal}; the entry was refused" + (f" {warm_up_text(warming)}" if unready else f": {found['refused_by']}")
    if found["action"] == "exit":
        return f"{signal}; the position exits at the next open: {found['exit_reason']}"
    if found["action"] in {"enter", "add"}:
        size, price = found["size"], found["size"]["price_reviewed"]
        how = (
            "at the next open" if price == found["close"] else f"by limit at {price_text(price)}"
        )  # a market entry is sized at the close
        return f"{signal}; {found['action']} with {size['lots_approved']:,} lots {how}, bound by {size['cap_binding']}"
    if found["action"] == "cancel":
        why = found.get("cancelled_by") or "the signal no longer wants it"
        return f"{signal}; the entry order that rested is cancelled: {why}"
    lots = found["position_before"]["lots"]
    if lots:
        return f"{signal}; position {lots:+,} lots, no change"
    why = "the desk is halted by its drawdown breaker" if halted else "no position and no entry signal"
    return f"{signal}; no entry: {why}"


def run_sleeves(run: Mapping[str, Any]) -> list[reading.RunSleeve]:
    """The sleeves of a stored run; marks play no part in explaining."""
    sleeves = []
    for s in run["config"]["sleeves"]:
        key = f"{s['venue']}:{s['symbol']}:{s['market']}"
        lot_size, timeframe = float(run["config"]["instruments"][key]["lot_size"]), s.get("timeframe") or run["timeframe"]
        sleeves.append(reading.RunSleeve(s["name"], key, lot_size, 0.0, timeframe_ms(timeframe)))
    return sleeves


def traders(run: Mapping[str, Any]) -> list[reading.RunSleeve]:
    """The sleeves that the rows of a stored run are of: of a basket one, over all of its legs."""
    sleeves = run_sleeves(run)
    return [sleeves[0]._replace(name=run["strategy"])] if run.get("pairs") else sleeves


def stamp_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """What every explanation states about its run: source of the bars, fill mode, funding, hashes."""
    return {
        "run_id": run["run_id"],
        "source": run["data"]["source"],
        "fills": run["fills"],
        "funding": run["funding"],
        "data_sha256": run["data"]["sha256"],
        "config_hash": run["config_hash"],
        "leaks": run["leaks"],
        "raw_signal": run.get("raw_signal"),
        "delayed": run.get("delayed"),
    }
