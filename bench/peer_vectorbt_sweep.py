"""vectorbt on a sweep of strategy A: `python peer_vectorbt_sweep.py BARS.npy PAIRS`; the stops of a pair in one call.

Its own way: averages once per window, signals once per pair, the stops of a pair as columns of one simulation.
"""

import json
import sys
import time

import numpy as np
import vectorbt as vbt
from numba import njit
from work import CASH, FEE, SWEEP_FAST, SWEEP_SLOW, SWEEP_STOP, TARGET, TRAIL, WARM_BARS, crosses, frame


@njit
def tighter_stop(context, stops, trail):
    """peer_vectorbt.tighter_stop with the stop of the column."""
    if context.position_now == 0:
        return context.curr_stop, True
    best, entry, stop = context.curr_price, context.init_price, stops[context.col]
    if context.position_now > 0:
        return 1.0 - max(entry * (1.0 - stop), best * (1.0 - trail)) / best, True
    return min(entry * (1.0 + stop), best * (1.0 + trail)) / best - 1.0, True


def run(data, pairs):
    """The variations of the first so many pairs: final value and trips of each."""
    averages = {n: vbt.MA.run(data.Close, n).ma.to_numpy() for n in dict.fromkeys((*SWEEP_FAST, *SWEEP_SLOW))}
    stops, found = np.array(SWEEP_STOP), []
    wide = [np.repeat(data[name].to_numpy()[:, None], len(stops), axis=1) for name in ("Open", "High", "Low", "Close")]
    for fast, slow in [(f, s) for f in SWEEP_FAST for s in SWEEP_SLOW][:pairs]:
        side = np.concatenate([[0], crosses(averages[fast], averages[slow])[:-1]])
        entries = np.repeat((side == 1)[:, None], len(stops), axis=1), np.repeat((side == -1)[:, None], len(stops), axis=1)
        portfolio = vbt.Portfolio.from_signals(
            wide[3], entries[0], False, entries[1], False,
            price=wide[0], open=wide[0], high=wide[1], low=wide[2], size=1.0, fees=FEE, init_cash=CASH,
            sl_stop=stops, sl_trail=True, tp_stop=TARGET, adjust_sl_func_nb=tighter_stop, adjust_sl_args=(stops, TRAIL),
            stop_entry_price="fillprice", stop_exit_price="stoplimit", upon_opposite_entry="ignore", freq="1min",
        )  # fmt: skip
        found += zip(portfolio.final_value().tolist(), portfolio.trades.closed.count().tolist(), strict=True)
    return found


if __name__ == "__main__":
    columns, pairs = np.load(sys.argv[1]), int(sys.argv[2])
    run(frame(columns[:WARM_BARS]), 2)
    data = frame(columns)
    begun = time.process_time()
    found = run(data, pairs)
    seconds = time.process_time() - begun
    print("RESULT " + json.dumps({"peer": f"vectorbt {vbt.__version__}", "cpu_s": seconds, "found": found}))
