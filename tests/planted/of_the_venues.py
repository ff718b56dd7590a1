"""Bugs of the adapters: what an answer proves, what a list leaves out, what an order may do."""

from typing import Any

from engine.venues import answers, binance_versions, bybit, okx, outcome
from engine.venues.okx import OkxVenue
from tests.planted.planting import Instead, Plant, everywhere


def unknown_code_is_a_refusal(plant: Plant) -> None:
    """A timeout, a page of HTML, a code that is new: the order is not there."""
    outcome_of = outcome.outcome_of

    def sure(error: BaseException, table: Any) -> Any:
        found = outcome_of(error, table)
        return outcome.REJECTED if found == outcome.UNKNOWN else found

    everywhere(plant, outcome_of, sure)


def cursor_skips_a_millisecond(plant: Plant) -> None:
    """A look begins behind the newest execution that was seen."""
    plant.setattr(bybit, "BACK_MS", -1)


def acknowledged_is_moved(plant: Plant) -> None:
    """An amendment is believed as soon as it has arrived."""

    async def believed(wanted: Any, *_: Any) -> Any:
        return wanted

    everywhere(plant, answers.moved, believed)


def first_page_is_the_list(plant: Plant) -> None:
    """More executions than a page holds are not read."""
    plant.setattr(okx, "PAGE", 10**6)


def list_of_versions_is_complete(plant: Plant) -> None:
    """Versions of a stop that a process before has sent, and that no list has yet, are not asked for."""
    plant.setattr(binance_versions, "UNLISTED_MAX", 0)


def exit_may_open_a_position(plant: Plant) -> None:
    """An exit leaves without reduce-only."""
    place = OkxVenue.place

    async def loose(self: Any, order: Any, attached: Any = None) -> Any:
        async def send(body: Any) -> Any:
            return await self.trading.private_post_trade_order({**body, "reduceOnly": False})

        return await place(self._replace(trading=Instead(self.trading, private_post_trade_order=send)), order, attached)

    plant.setattr(OkxVenue, "place", loose)
