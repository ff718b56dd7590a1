"""Money that comes to the account of an exchange, or leaves it, beside every trade."""

from tests.fakes.exchange import ledger as log
from tests.fakes.exchange.matching import Exchange


def transfer(exchange: Exchange, kind: str, cash: int) -> int:
    """Pico of one of account.TRANSFERS; the bill's number."""
    exchange.catch_up()
    bill = exchange.account.transfer(kind, cash, exchange.now)
    exchange.ledger.append(log.Event(len(exchange.ledger) + 1, exchange.now, log.TRANSFER, bill=bill))
    return bill.id
