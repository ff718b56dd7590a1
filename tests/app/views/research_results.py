"""Results of research jobs as they are stored, small: for the view, the route and the page."""

from typing import Any

TRIAL = {"number": 12, "trials": 58, "deflated_sharpe": 0.2, "plateau": "no", "plateau_score": None}
SWEEP: dict[str, Any] = {
    "hypothesis": "trend on BTC-USDT perp", "timeframe": "15m", "venue": "binance", "source": "synthetic",
    "first_ms": 1_735_689_600_000, "last_ms": 1_767_224_700_000, "fills": "pessimistic", "funding": "recorded",
    "variations": 4, "new_trials": 4, "failed": [{"params": {"stop_atr": 9.0}, "error": "no trips"}], "failed_count": 1,
    "columns": ["stop_atr", "entry", "sharpe", "total_return_frac", "max_drawdown_frac", "trips", "plateau", "trial"],
    "rows": [[4.0, "market", -0.22, -0.0127, 0.0588, 847, None, 12], [2.0, "limit", -4.57, -0.14, 0.15, 1157, 0.5, 3]],
    "heat": {"rows": "stop_atr", "columns": "entry", "row_values": [2.0, 4.0], "column_values": ["market", "limit"],
             "sharpe": [[-4.57, None], [1.5, -0.22]]},
    "best": {"params": {"stop_atr": 4.0}, "sharpe": -0.22, "total_return_frac": -0.0127, "trial": TRIAL},
    "luck_sharpe": 2.55, "pbo": None, "pbo_reason": "fewer than 16 days", "notes": [],
    "verdict": "Nothing is there: the best Sharpe is -0.22.",
}  # fmt: skip
FORWARD: dict[str, Any] = {
    "hypothesis": "trend on BTC-USDT perp", "timeframe": "15m", "venue": "binance", "source": "recorded",
    "train": "60d", "test": "5d",
    "first_ms": 1_740_888_000_000, "last_ms": 1_767_224_700_000, "variations": 2,
    "columns": ["fold", "train_from", "train_to", "test_from", "test_to", "train_sharpe", "sharpe", "return_frac", "trips",
                "stop_atr"],
    "rows": [[1, "2025-01-01", "2025-03-01", "2025-03-02", "2025-03-07", -3.36, -29.97, -0.0017, 24, 2.0],
             [2, "2025-01-06", "2025-03-06", "2025-03-07", "2025-03-12", 1.1, 0.4, 0.0021, 20, 3.0]],
    "summary": {"folds": 2, "won": 1, "better_than_hold": 1, "mean_train_sharpe": -1.1},
    "metrics": {"total_return_frac": -0.09, "sharpe": -3.9, "sharpe_low": -6.3, "sharpe_high": -1.5,
                "max_drawdown_frac": 0.1, "trades": 44},
    "baselines": [{"name": "hold", "total_return_frac": 0.02, "sharpe": -0.01, "max_drawdown_frac": 0.36}],
    "drift": {"stop_atr": {"changed": 1, "values": 2, "most": 3.0, "most_share": 0.5}},
    "audit": {"text": "2 folds: no training meets its test"}, "edges_text": "positions are carried",
    "notes": [], "verdict": "It does not hold forward.",
}  # fmt: skip
JUDGED: dict[str, Any] = {
    "strategy": "trend", "instrument": "binance:BTC-USDT:perp", "timeframe": "15m", "runs": 173, "verdict": "kill",
    "reasons": ["net after all costs: -14.45 %, above 0.00 % is needed"], "run_id": "r-20250101-00000001", "notes": [],
    "data": {"source": "recorded", "first_ms": 1_735_689_600_000, "last_ms": 1_767_224_700_000}, "page": None,
    "checks": [
        {"name": "net", "passed": False, "value": -0.1445, "limit": 0.0, "kills": True, "why": "it loses",
         "reason": ""},
        {"name": "round_trips", "passed": True, "value": 1157.0, "limit": 30.0, "kills": False, "why": "few say nothing",
         "reason": ""},
        {"name": "few_trips", "passed": False, "value": None, "limit": 0.0, "kills": False, "why": "",
         "reason": "they lose together"},
    ],
}  # fmt: skip
ZERO = {"usd": 0.0, "count": 0}
PARITY: dict[str, Any] = {
    "from_ms": 1_762_041_600_000, "to_ms": 1_764_722_700_000, "bars": 2979, "source": "recorded", "pairs": 207, "differing": 1,
    "desk_usd": -440.78, "replay_usd": -430.78, "difference_usd": -10.0, "unexplained_usd": 0.0, "unexplained_frac": 0.0,
    "unexplained_frac_max": 0.01, "gross_usd": 2600.0, "classes": {"fill_price": {"usd": -10.0, "count": 1}, "fee": ZERO},
    "sleeves": [{"sleeve": "btc-trend", "desk_usd": -440.78, "replay_usd": -430.78, "difference_usd": -10.0,
                 "classes": {"fill_price": -10.0, "fee": 0.0}}],
    "trips": [{"sleeve": "btc-trend", "side": "long", "entry_ms": 1_762_041_600_000, "desk": {"usd": -9.0}, "replay": None,
               "difference_usd": -9.0}],
}  # fmt: skip
GUARD = {"kind": "exit", "name": "trail", "where": "btc-trend", "by": "a bar through it"}
DRILL: dict[str, Any] = {
    "verdict": "NEVER FIRED: 1 of 2.", "sleeves": ["btc-trend"], "left_out": [], "notes": ["Bars are made."],
    "fired": [GUARD], "never_fired": [GUARD | {"name": "daily loss"}], "out_of_reach": [], "off": [],
}  # fmt: skip
LEAKS: dict[str, Any] = {
    "strategy": "trend",
    "clean": True,
    "text": "no look-ahead",
    "instrument": "a:b:c",
    "data": {"bars": 100},
}
PAIR = {
    "a": "BTC-USDT", "b": "ETH-USDT", "cointegrated": False, "edge": False, "why": "p 0.4", "refused": None,
    "coint_frac": 0.1, "random_walk_frac": 0.05, "p_adjusted": 0.4, "half_life_h": 90.0, "trades": 12, "moved_frac": 0.01,
    "costs_frac": -0.02, "funding_frac": 0.0, "net_return_frac": -0.01,
}  # fmt: skip
PAIRS: dict[str, Any] = {
    "verdict": "No edge after costs. 0 of 2 pairs cointegrated beyond random walks.", "tried": 2, "notes": ["Survivors."],
    "pairs": [PAIR, PAIR | {"b": "SOL-USDT", "refused": "nearly the same", "net_return_frac": None}],
    "instruments": [{"symbol": s, "source": "recorded"} for s in ("BTC-USDT", "ETH-USDT", "SOL-USDT")],
    "random_walk_bound_frac": 0.08, "timeframe": "1h", "window": "60d", "step": "5d", "from_ms": 0, "to_ms": 86_400_000,
    "source": "recorded",
}  # fmt: skip
ALL = {"pairs": PAIRS} | {
    "sweep": SWEEP,
    "walkforward": FORWARD,
    "judge": JUDGED,
    "parity": PARITY,
    "drill": DRILL,
    "leaks": LEAKS,
}
