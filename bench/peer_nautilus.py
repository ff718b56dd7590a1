"""nautilus_trader on strategy A: a quote at each bar's open, then the bar; the entry leaves at that quote, its stop and target
after the fill.

With bars alone a market order would fill at the close of the signal's bar. The trail is moved in on_bar: its own trailing order
follows a bar's high before it looks at the low. Averages and crosses are given to it, as `work` has them.
"""

from decimal import Decimal

import nautilus_trader
import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler, QuoteTickDataWrangler
from nautilus_trader.trading.strategy import Strategy
from work import CASH, FAST, FEE, SLOW, STOP, TARGET, TRAIL, average, crosses, frame, measure

LIQUID = 1_000_000.0  # units at every price: an order of one fills whole
DECIMALS = 9  # of prices: levels are fractions of a price and stay as good as unrounded
SIM = Venue("SIM")
PERP = CryptoPerpetual(
    instrument_id=InstrumentId(Symbol("BTCUSDT-PERP"), SIM), raw_symbol=Symbol("BTCUSDT"), base_currency=BTC,
    quote_currency=USDT, settlement_currency=USDT, is_inverse=False, price_precision=DECIMALS,
    price_increment=Price(10.0**-DECIMALS, DECIMALS), size_precision=0, size_increment=Quantity.from_int(1),
    margin_init=Decimal(0), margin_maint=Decimal(0), maker_fee=Decimal(str(FEE)), taker_fee=Decimal(str(FEE)),
    ts_event=0, ts_init=0,
)  # fmt: skip
BARS = BarType.from_str("BTCUSDT-PERP.SIM-1-MINUTE-LAST-EXTERNAL")


class OneAtATime(Strategy):
    """SMA crosses; one position at a time."""

    def __init__(self, side):
        super().__init__()
        self.side, self.seen, self.wanted, self.way = side, 0, 0, 0
        self.guard = self.aim = self.entered = None
        self.best, self.trips = 0.0, []

    def on_start(self):
        """Both kinds of data."""
        self.one = PERP.make_qty(1)
        self.subscribe_bars(BARS)
        self.subscribe_quote_ticks(PERP.id)

    def on_quote_tick(self, _tick):
        """The open of a bar: the signal of the close before it acts."""
        if self.wanted != 0:
            side = OrderSide.BUY if self.wanted > 0 else OrderSide.SELL
            self.wanted = 0
            self.submit_order(self.order_factory.market(PERP.id, side, self.one))

    def on_position_opened(self, event):
        """Stop and target at distances from the fill's price."""
        self.way, price = (1 if event.entry == OrderSide.BUY else -1), float(event.avg_px_open)
        self.entered, self.best = (self.seen, price), price
        out = OrderSide.SELL if self.way > 0 else OrderSide.BUY
        stop, target = PERP.make_price(price * (1 - self.way * STOP)), PERP.make_price(price * (1 + self.way * TARGET))
        self.guard = self.order_factory.stop_market(PERP.id, out, self.one, stop, reduce_only=True)
        self.aim = self.order_factory.limit(PERP.id, out, self.one, target, reduce_only=True)
        self.submit_order(self.guard)
        self.submit_order(self.aim)

    def on_position_closed(self, event):
        """The other order goes."""
        entry, price = self.entered
        self.trips.append((entry, self.seen, price, float(event.avg_px_close)))
        self.way = 0
        self.cancel_all_orders(PERP.id)

    def on_bar(self, bar):
        """Trail an open position, else note a cross for the next open."""
        if self.way != 0:
            self.best = max(self.best, float(bar.high)) if self.way > 0 else min(self.best, float(bar.low))
            trail = PERP.make_price(self.best * (1 - self.way * TRAIL))
            if (trail - self.guard.trigger_price) * self.way > 0:
                self.modify_order(self.guard, trigger_price=trail)
        else:
            self.wanted = int(self.side[self.seen])
        self.seen += 1


def prepare(columns):
    """Bars stamped at their close, a quote of the open a nanosecond after the bar before, and the crosses."""
    bars = frame(columns)
    bars.columns = [name.lower() for name in bars.columns]
    bars.index = bars.index.tz_localize("UTC").as_unit("ns")
    quotes = pd.DataFrame({"bid_price": bars["open"], "ask_price": bars["open"], "bid_size": LIQUID, "ask_size": LIQUID})
    quotes.index = bars.index + pd.Timedelta(1, "ns")
    bars.index = bars.index + pd.Timedelta("1min")
    bars["volume"] = LIQUID
    events = BarDataWrangler(BARS, PERP).process(bars) + QuoteTickDataWrangler(PERP).process(quotes)
    close = columns[:, 3]
    return events, crosses(average(close, FAST), average(close, SLOW))


def run(data):
    """Every event through the engine, without its analysis."""
    events, side = data
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False))
    engine.add_venue(
        SIM, OmsType.NETTING, AccountType.MARGIN, [Money(CASH, USDT)], base_currency=USDT, default_leverage=Decimal(10)
    )  # fmt: skip
    engine.add_instrument(PERP)
    engine.add_data(events)
    strategy = OneAtATime(side)
    engine.add_strategy(strategy)
    engine.run()
    trips, equity = np.array(strategy.trips).reshape(-1, 4), float(engine.portfolio.account(SIM).balance_total(USDT))
    engine.dispose()
    return trips, equity


if __name__ == "__main__":
    measure(f"nautilus_trader {nautilus_trader.__version__}", prepare, run)
