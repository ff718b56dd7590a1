"""hftbacktest on the same tape and the same orders: post-only, constant latency, its risk-averse queue. Filled lots and times.

Arguments: the .npz of making.py, where to write the outcome. Its environment is its own; it imports nothing of ours.
"""

import json
import sys
import time

import numpy as np
from hftbacktest import BUY, GTX, LIMIT, BacktestAsset, HashMapMarketDepthBacktest
from hftbacktest.types import event_dtype
from numba import njit


def events_of(z):
    """Columns -> its event array; the exchange's clock is the recorder's, as in ours."""
    data = np.zeros(len(z["ev"]), event_dtype)
    data["ev"], data["px"], data["qty"] = z["ev"], z["px"], z["qty"]
    data["exch_ts"] = data["local_ts"] = z["ts"]
    return data


@njit
def run(hbt, when, number, side, price, quantity, last):
    """Send each request at its time: quantity 0 is a cancel. Returns (its error, requests sent)."""
    hbt.elapse(0)  # its clock begins at the first event
    for n in range(len(when)):
        code = hbt.elapse(when[n] - hbt.current_timestamp)
        if code != 0:
            return code, n
        if quantity[n] == 0.0:
            hbt.cancel(0, number[n], False)
        elif side[n] == BUY:
            hbt.submit_buy_order(0, number[n], price[n], quantity[n], GTX, LIMIT, False)
        else:
            hbt.submit_sell_order(0, number[n], price[n], quantity[n], GTX, LIMIT, False)
    hbt.elapse(last - hbt.current_timestamp)
    return 0, len(when)


@njit
def outcomes(hbt, count):
    """Of each order: (filled quantity, the exchange's last time of it in ns)."""
    filled, when = np.zeros(count), np.zeros(count, np.int64)
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        filled[order.order_id - 1] = order.qty - order.leaves_qty
        when[order.order_id - 1] = order.exch_timestamp
    return filled, when


def market(z, data):
    """A venue with the tape's grid and the run's latencies."""
    asset = (
        BacktestAsset()
        .data([data])
        .linear_asset(1.0)
        .constant_order_latency(int(z["entry_ns"]), int(z["response_ns"]))
        .risk_adverse_queue_model()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(float(z["tick"]))
        .lot_size(float(z["lot"]))
    )
    asset = asset.partial_fill_exchange() if bool(z["in_part"]) else asset.no_partial_fill_exchange()
    return HashMapMarketDepthBacktest([asset])


def main(source, target):
    """Run three times; the fastest counts, and compiling does not."""
    with np.load(source) as z:
        data, taken = events_of(z), []
        count = int(z["number"].max()) if len(z["number"]) else 0
        arguments = (z["when"], z["number"].astype(np.uint64), z["side"], z["price"], z["quantity"], int(z["last"]))
        for _ in range(4):
            hbt = market(z, data)
            begun = time.thread_time()
            stopped = run(hbt, *arguments)
            taken.append(time.thread_time() - begun)
            filled, when = outcomes(hbt, count)
            hbt.close()
    np.savez(target, filled=filled, when=when)
    print("RESULT " + json.dumps({"seconds": min(taken[1:]), "stopped": [int(x) for x in stopped]}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
