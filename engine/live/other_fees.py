"""Fees that a venue takes in an asset which is not the account's cash, as Binance does in BNB where that is switched on.

Called by engine.live.poll. The execution is booked like any other, without that fee: what it cost is in none of our sums.
"""

from engine.book.bodies import FEES, going_on
from engine.live.desk import LiveDesk
from engine.venues.live_port import VenueTrade


def withhold_for_fee(desk: LiveDesk, instrument: str, trade: VenueTrade) -> None:
    """Nothing enters until a named person lets the desk go on; one page for as long as that lasts."""
    what, asset = f"{FEES}{instrument}", trade.other_fee.rpartition(" ")[2]
    if what in desk.book.health:
        return
    why = f"{instrument}: a fee was taken in {asset}, which the desk does not count: {trade.other_fee}, execution {trade.trade}"
    desk.take("health", {"what": what, "state": "begun", "why": why})
    desk.incident(f"{why}; switch fees in {asset} off at the venue; {going_on(what)}", trade=trade.trade)
