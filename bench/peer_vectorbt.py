"""vectorbt on strategies A and B: from_signals, the fixed and the trailing stop joined in its callback (it takes one of them)."""

import numpy as np
import vectorbt as vbt
from numba import njit
from work import CASH, FAST, FEE, RSI_BARS, RSI_HIGH, RSI_LOW, SLOW, STOP, TARGET, TRAIL, crosses, frame, measure


@njit
def tighter_stop(context, stop, trail):
    """The distance from the running best price that gives the tighter of the two stops."""
    if context.position_now == 0:
        return context.curr_stop, True
    best, entry = context.curr_price, context.init_price
    if context.position_now > 0:
        return 1.0 - max(entry * (1.0 - stop), best * (1.0 - trail)) / best, True
    return min(entry * (1.0 + stop), best * (1.0 + trail)) / best - 1.0, True


def sides(data, kind):
    """What the strategy says at each close."""
    if kind == "B":  # a span of 2n - 1 is Wilder's average of n
        rsi = vbt.RSI.run(data.Close, 2 * RSI_BARS - 1, ewm=True).rsi.to_numpy()
        return (rsi < RSI_LOW).astype(np.int8) - (rsi > RSI_HIGH).astype(np.int8)
    return crosses(*(vbt.MA.run(data.Close, n).ma.to_numpy() for n in (FAST, SLOW)))


def run(data, kind="A"):
    """Indicators and simulation by vectorbt; a signal acts at the next bar's open."""
    side = np.concatenate([np.zeros(1, np.int8), sides(data, kind)[:-1]])
    portfolio = vbt.Portfolio.from_signals(
        data.Close, side == 1, False, side == -1, False,
        price=data.Open, open=data.Open, high=data.High, low=data.Low, size=1.0, fees=FEE, init_cash=CASH,
        sl_stop=STOP, sl_trail=True, tp_stop=TARGET, adjust_sl_func_nb=tighter_stop, adjust_sl_args=(STOP, TRAIL),
        stop_entry_price="fillprice", stop_exit_price="stoplimit", upon_opposite_entry="ignore", freq="1min",
        max_orders=len(data),
    )  # fmt: skip
    closed = portfolio.trades.closed.records
    columns = [closed[name] for name in ("entry_idx", "exit_idx", "entry_price", "exit_price")]
    return np.column_stack(columns), portfolio.final_value()


if __name__ == "__main__":
    measure(f"vectorbt {vbt.__version__}", frame, run)
