"""What a run earned and why: P&L by fee, spread captured, moves after fills by fill speed, inventory, quotes. Verdict first.

Called by app/cli/making.py.
"""

from typing import Any, NamedTuple

import numpy as np

from engine.core.ledger import open_lots
from engine.l2.feasibility import DAY_MS, DAYS_MIN, FOLDS, FOLDS_ABOVE
from engine.l2.loop import ASKS, BIDS
from engine.l2.moments import Changes, changes_of
from engine.l2.outcomes import HORIZONS_S, MS_NS, RestingOrders, any_within, by_speed, excursion
from engine.l2.tape import BookTape, Floats, Ints
from engine.making.account import account_of
from engine.making.funding import paid_until
from engine.making.guardrails import HALTS
from engine.making.resting import (
    ASK_NS,
    BID_NS,
    BOTH_NS,
    CANCELS_SENT,
    DECISIONS,
    F_HOW,
    F_LOTS,
    F_MIDDLE2,
    F_NUMBER,
    F_PRICE,
    F_SIDE,
    F_WAITED,
    F_WHEN,
    HALT,
    HALTED_NS,
    HOW,
    L_FILLED,
    L_LOTS,
    L_OUTCOME,
    MIDDLE2,
    OUTCOMES,
    STALE_PULLS,
    TOXIC_PULLS,
)
from engine.making.simulation import MakingRun

PATH_MAX = 200  # points of the inventory path in a report


class MakerFees(NamedTuple):
    """Fractions of notional: the venue's maker and taker fee, and a rebate to show what one would change (0 or more)."""

    maker_frac: float
    taker_frac: float
    rebate_frac: float


def middles_at(changes: Changes, times: Ints) -> Floats:
    """The middle known at each time, price units: of the last usable book; 0 before the first."""
    good = np.flatnonzero(changes.usable)
    near, when = changes.near[good], changes.when_ns[good]
    at = np.searchsorted(when, times, side="right") - 1
    middle = (near[:, BIDS] + near[:, ASKS]) / 2.0
    return np.where(at >= 0, middle[at], 0.0) if len(good) else np.zeros(len(times))


def equity_at(run: MakingRun, changes: Changes, fee_frac: float, times: Ints) -> Floats:
    """P&L at each time, inventory at the middle, with funding; quote currency."""
    f = run.fills
    amount = f[:, F_PRICE] * f[:, F_LOTS]
    cash, spent, inventory = (
        np.concatenate([[0], np.cumsum(x)]) for x in (-f[:, F_SIDE] * amount, amount, f[:, F_SIDE] * f[:, F_LOTS])
    )
    at = np.searchsorted(f[:, F_WHEN], times, side="right")
    held = inventory[at] * middles_at(changes, times)
    paid = np.array([paid_until(run.funding, int(t)) for t in times])
    return np.asarray((cash[at] + held - fee_frac * spent[at]) * run.terms.money + paid)


def windows_of(run: MakingRun, tape: BookTape, changes: Changes, fee_frac: float) -> list[float]:
    """P&L after fees in each of FOLDS parts of the tape of one length."""
    borders = np.linspace(float(tape.recv_ns[0]), float(tape.recv_ns[-1]), FOLDS + 1).astype(np.int64)
    borders[-1] = tape.recv_ns[-1]
    return [float(x) for x in np.diff(equity_at(run, changes, fee_frac, borders))]


def after_fills(run: MakingRun, tape: BookTape, changes: Changes) -> list[dict[str, Any]]:
    """For each horizon the classes by time to fill, as of resting orders in engine/l2/outcomes.py; a part counts as a fill.

    Time to fill runs from the order's arrival at the venue. What the tape ends too early for, or a lost book hides, is left out.
    """
    f, last = run.fills, int(tape.recv_ns[-1])
    middle, lost = (changes.near[:, BIDS] + changes.near[:, ASKS]) / 2.0, changes.when_ns[~changes.usable]
    tables = [np.full((len(f), len(HORIZONS_S)), np.nan) for _ in range(3)]
    for h, horizon_s in enumerate(HORIZONS_S):
        length = int(horizon_s * 1e9)
        whole = (f[:, F_WHEN] + length <= last) & ~any_within(lost, f[:, F_WHEN] - f[:, F_WAITED], f[:, F_WHEN] + length)
        for n in np.flatnonzero(whole):
            values = excursion(changes.when_ns, middle, int(f[n, F_WHEN]), length, int(f[n, F_PRICE]))
            for table, value in zip(tables, values, strict=True):
                table[n, h] = value
    favour = f[:, F_SIDE].astype(np.float64)[:, None]
    move, high, low = (table * favour for table in tables)
    best, worst = np.maximum(np.maximum(high, low), 0.0), np.minimum(np.minimum(high, low), 0.0)
    placed = f[:, F_WHEN] - f[:, F_WAITED]
    took = f[:, F_WAITED] / MS_NS
    orders = RestingOrders(placed, f[:, F_SIDE], f[:, F_PRICE], np.ones(len(f)), took, f[:, F_WHEN], move, best, worst)
    return [{"horizon_s": h, "classes": by_speed(orders, HORIZONS_S, h)} for h in HORIZONS_S]


def inventory_of(run: MakingRun, tape: BookTape) -> dict[str, Any]:
    """Largest, smallest, last and mean absolute inventory, base units, and its path: [seconds, inventory] after a fill."""
    f, begin, last = run.fills, int(tape.recv_ns[0]), int(tape.recv_ns[-1])
    path = np.concatenate([[0], np.cumsum(f[:, F_SIDE] * f[:, F_LOTS])])
    when = np.concatenate([[begin], f[:, F_WHEN]])
    lasted = np.diff(np.concatenate([when, [last]]))
    mean = float((np.abs(path) * lasted).sum() / max(last - begin, 1))
    shown = np.unique(np.linspace(0, len(path) - 1, min(len(path), PATH_MAX)).round().astype(np.int64))
    base = tape.scale.quantity
    return {
        "max": float(base(path.max())),
        "min": float(base(path.min())),
        "end": float(base(path[-1])),
        "mean_abs": float(base(mean)),
        "path": [[round((int(when[n]) - begin) / 1e9, 3), float(base(path[n]))] for n in shown],
    }


def money_of(run: MakingRun, tape: BookTape, fees: MakerFees) -> dict[str, Any]:
    """P&L by fee, and what it is made of; quote currency. Through the desk's ledger, inventory at the last middle.

    gross = spread_captured + moves, before fees and funding: what fills were better than the middle of their moment, and what the
    middle did to the inventory since. close: what a taker's exit from the rest costs at the last spread.
    """
    f, scale, middle2 = run.fills, tape.scale, int(run.tally[MIDDLE2])
    mark = float(scale.price(middle2 / 2.0))
    free, paid, given = (account_of(run, scale, frac, mark) for frac in (0.0, fees.maker_frac, -fees.rebate_frac))
    funding = paid.ledger.funding
    captured = float((f[:, F_SIDE] * (f[:, F_MIDDLE2] - 2 * f[:, F_PRICE]) * f[:, F_LOTS]).sum()) * run.terms.money / 2.0
    rest = float(scale.quantity(open_lots(paid.position))) * mark
    near = run.replayed.written.near
    lasting = near[(near[:, BIDS] > 0) & (near[:, ASKS] > 0)][-1:]
    half = float((lasting[0, ASKS] - lasting[0, BIDS]) / middle2) if len(lasting) and middle2 else 0.0
    close = rest * (fees.taker_frac + half)
    return {
        "gross": free.ledger.equity - funding,
        "fees": paid.ledger.fees,
        "funding": funding,
        "settlements": len(run.funding),
        "net": paid.ledger.equity,
        "with_rebate": given.ledger.equity,
        "close_cost": close,
        "net_closed": paid.ledger.equity - close,
        "spread_captured": captured,
        "moves": free.ledger.equity - funding - captured,
        "traded": paid.ledger.traded,
        "net_bps": paid.ledger.equity / paid.ledger.traded * 1e4 if paid.ledger.traded > 0.0 else None,
        "round_trips": paid.ledger.trips,
    }


def activity_of(run: MakingRun, tape: BookTape) -> dict[str, Any]:
    """Orders by outcome, fills by how, requests, pulls, and the shares of the tape's time in which quotes rested."""
    log, tally, span = run.orders, run.tally, max(int(tape.recv_ns[-1] - tape.recv_ns[0]), 1)
    outcomes = np.bincount(log[:, L_OUTCOME], minlength=len(OUTCOMES)).tolist()
    how = np.bincount(run.fills[:, F_HOW], minlength=len(HOW)).tolist()
    return {
        "decisions": int(tally[DECISIONS]),
        "orders": len(log),
        "cancels_sent": int(tally[CANCELS_SENT]),
        "outcomes": dict(zip(OUTCOMES, outcomes, strict=True)),
        "filled_in_part": int(((log[:, L_FILLED] > 0) & (log[:, L_FILLED] < log[:, L_LOTS])).sum()),
        "fills": len(run.fills),
        "orders_with_fills": len(np.unique(run.fills[:, F_NUMBER])),
        "fills_by": dict(zip(HOW, how, strict=True)),
        "stale_pulls": int(tally[STALE_PULLS]),
        "toxic_pulls": int(tally[TOXIC_PULLS]),
        "quoted_frac": {
            "bid": float(tally[BID_NS] / span), "ask": float(tally[ASK_NS] / span), "both": float(tally[BOTH_NS] / span)
        },
        "halt": None if not tally[HALT] else {
            "rule": HALTS[int(tally[HALT])], "at_s": (int(tally[HALTED_NS]) - int(tape.recv_ns[0])) / 1e9
        },
    }  # fmt: skip


def verdict_of(net_closed: float, windows: list[float], fills: int, days: float, currency: str) -> tuple[str, str]:
    """(verdict, why). A yes needs what a feasibility needs: FOLDS_ABOVE of FOLDS windows and DAYS_MIN days."""
    above = sum(x > 0.0 for x in windows)
    text = f"{net_closed:+,.2f} {currency} after fees and closing, above 0 in {above} of {len(windows)} windows"
    if not fills:
        return "No edge after costs", "nothing was filled"
    if not net_closed > 0.0 or above < FOLDS_ABOVE:
        return "No edge after costs", text
    if days < DAYS_MIN:
        return "Not enough tape", f"{text}, on {days:.3g} days: at least {DAYS_MIN:g} days count"
    return "Edge after costs", text


def report_of(tape: BookTape, run: MakingRun, fees: MakerFees) -> dict[str, Any]:
    """The whole answer as JSON, verdict first."""
    changes = changes_of(run.replayed, tape)
    money, windows = money_of(run, tape, fees), windows_of(run, tape, changes, fees.maker_frac)
    span_s = float(tape.recv_ns[-1] - tape.recv_ns[0]) / 1e9
    days = span_s * 1000.0 / DAY_MS
    verdict, why = verdict_of(money["net_closed"], windows, len(run.fills), days, tape.symbol.split("-")[-1])
    return {
        "verdict": verdict,
        "why": why,
        "span_s": span_s,
        "fees_bps": {"maker": fees.maker_frac * 1e4, "taker": fees.taker_frac * 1e4, "rebate": fees.rebate_frac * 1e4},
        "pnl": money,
        "windows_net": windows,
        "after_fills": after_fills(run, tape, changes),
        "inventory": inventory_of(run, tape),
        "activity": activity_of(run, tape),
    }
