"""backtesting.py on strategy A: levels set exactly at the first close after the fill, the trail moved in next()."""

import warnings

import backtesting
from backtesting import Backtest, Strategy
from work import CASH, FAST, FEE, SLOW, STOP, TARGET, TRAIL, average, frame, measure

warnings.filterwarnings("ignore")
backtesting.backtesting._tqdm = lambda items, **_: items


class Cross(Strategy):
    """SMA crosses; one position at a time."""

    def init(self):
        """Indicators over the whole data."""
        self.known, self.best = None, 0.0
        self.fast = self.I(average, self.data.Close, FAST, plot=False)
        self.slow = self.I(average, self.data.Close, SLOW, plot=False)

    def next(self):
        """Trail an open trade, else enter on a cross."""
        if self.trades:
            self.follow(self.trades[0])
        elif not self.orders:
            fast, slow, price = self.fast, self.slow, self.data.Close[-1]
            if fast[-1] > slow[-1] and fast[-2] <= slow[-2]:
                self.buy(size=1, sl=price * (1 - STOP), tp=price * (1 + TARGET))
            elif fast[-1] < slow[-1] and fast[-2] >= slow[-2]:
                self.sell(size=1, sl=price * (1 + STOP), tp=price * (1 - TARGET))

    def follow(self, trade):
        """Exact levels once the fill price is known, then the tighter of stop and trail."""
        way = 1 if trade.is_long else -1
        if trade is not self.known:
            self.known, self.best = trade, trade.entry_price
            trade.sl, trade.tp = trade.entry_price * (1 - way * STOP), trade.entry_price * (1 + way * TARGET)
        self.best = max(self.best, self.data.High[-1]) if way > 0 else min(self.best, self.data.Low[-1])
        trail = self.best * (1 - way * TRAIL)
        trade.sl = max(trade.sl, trail) if way > 0 else min(trade.sl, trail)


def run(data):
    """Backtest.run() with its statistics, plotting off; the trade still open at the end is closed by it and left out."""
    found = Backtest(data, Cross, cash=CASH, commission=FEE).run()
    trips = found["_trades"][["EntryBar", "ExitBar", "EntryPrice", "ExitPrice"]].to_numpy()
    return trips[trips[:, 1] < len(data) - 1], found["Equity Final [$]"]


if __name__ == "__main__":
    measure(f"backtesting.py {backtesting.__version__}", frame, run)
