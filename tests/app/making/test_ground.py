"""A synthetic week with an edge put into it may leave paper, judged for real; without one, or cut short, it may not."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.making.ground import every_ms_of, ground_of, kept_ground
from engine.errors import Refused
from engine.making.stages import refusals_of, require_ground
from tests.fakes.book_tapes import START_NS

STEP_S = 4  # a book that heard nothing for five seconds is stale
FLOOR = 4.0
NAME = "bybit_BTC-USDT_perp_week_l2.parquet"


def week(folder: Path, days: float, edge_bps: float) -> Path:
    """A book each four seconds. Where one side has ten times the lots, the next middle is that way by `edge_bps`, four times of
    five.
    """
    rng, n = np.random.default_rng(3), int(days * 86_400 / STEP_S)
    sign, noise, right = rng.choice((-1, 0, 0, 0, 0, 0, 1), n), rng.normal(0.0, 1.0, n), rng.random(n) < 0.8
    middle = np.empty(n)
    at = 60_000.0
    for i in range(n):
        move = edge_bps * sign[i - 1] * (1 if right[i] else -1) if i else 0.0
        at *= 1.0 + (move + noise[i]) * 1e-4 - 0.001 * (at / 60_000.0 - 1.0)
        middle[i] = round(at, 1)
    seq, recv = np.arange(1, n + 1), START_NS + np.arange(1, n + 1) * STEP_S * 10**9
    about = {"seq": seq, "recv_ns": recv, "ts_exch_ms": recv // 10**6 - 20, "kind": ["snapshot"] * n}
    about |= {"first_id": 1_000 + seq, "last_id": 1_000 + seq, "prev_id": np.full(n, -1)}
    levels = []
    for side, k in (("b", 0), ("b", 1), ("a", 0), ("a", 1)):
        price = np.round(middle - 0.1 * (k + 1) if side == "b" else middle + 0.1 * k, 1)
        quantity = np.where(sign > 0, 50.0, 5.0) if side == "b" else np.where(sign < 0, 50.0, 5.0)
        levels.append(pl.DataFrame({**about, "side": [side] * n, "price": price, "qty": quantity}))
    pl.concat(levels).sort("seq", maintain_order=True).write_parquet(folder / NAME)
    k = np.arange(5, n - 1, 15)
    trades = {"recv_ns": recv[k] + 10**9, "ts_exch_ms": np.zeros(len(k), int), "price": middle[k]}
    trades |= {"qty": np.full(len(k), 0.001), "buyer_maker": k % 2 == 0}
    pl.DataFrame(trades).write_parquet(folder / NAME.replace("_l2.", "_trades."))
    return folder / NAME


@pytest.mark.long
@pytest.mark.parametrize(
    ("days", "edge_bps", "why"),
    [(7.05, 20.0, ""), (7.05, 0.0, "feasibility says no"), (6.9, 20.0, "6.9 recorded days; at least 7 count")],
)
def test_seven_days_with_an_edge_may_leave_paper(tmp_path: Path, days: float, edge_bps: float, why: str) -> None:
    """The condition as it is, on few messages: nothing of it is scaled but how often the book speaks."""
    path = week(tmp_path, days, edge_bps)
    found = ground_of(path, FLOOR, {})
    assert refusals_of(kept_ground(found)) == refusals_of(found)
    if why:
        with pytest.raises(Refused, match=why):
            require_ground(found)
    else:
        require_ground(found)
        assert found["substrate"]["usable_frac"] > 0.99


def test_a_long_recording_is_judged_at_fewer_rows(tmp_path: Path) -> None:
    """A tenth of a second between rows up to a day and more; a second for a week: at most a million rows."""
    for days, every_ms in ((0.1, 100), (1.5, 200), (7.05, 1_000)):
        folder = tmp_path / f"{days}"
        folder.mkdir()
        n = int(days * 24) + 1
        rows = {"seq": np.arange(n), "recv_ns": START_NS + np.arange(n) * 3_600 * 10**9, "ts_exch_ms": np.arange(n)}
        rows |= {"kind": ["snapshot"] * n, "first_id": np.arange(n), "last_id": np.arange(n), "prev_id": np.full(n, -1)}
        rows |= {"side": ["b"] * n, "price": np.full(n, 1.0), "qty": np.full(n, 1.0)}
        pl.DataFrame(rows).write_parquet(folder / NAME)
        assert every_ms_of(folder) == every_ms
