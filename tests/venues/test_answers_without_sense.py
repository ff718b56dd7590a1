"""Answers with status 200 that are none: an error inside a list, null, empty fields. A question raises DataError alone."""

import asyncio
from typing import Any

import pytest

from engine.errors import DataError
from tests.fakes.exchange.adapted import ADAPTED
from tests.fakes.exchange.stage import START_MS

ERROR = {"retCode": 10016, "code": "50013", "msg": "busy"}
ANSWERS: tuple[Any, ...] = (
    None,
    "<html>",
    {},
    [],
    [None],
    [ERROR],
    {"data": None},
    {"data": [ERROR]},
    {"data": [None]},
    {"result": None},
    {"result": {"list": [ERROR], "nextPageCursor": ""}},
    {"result": {"list": [None], "nextPageCursor": ""}},
    {"result": {"list": None}},
)
QUESTIONS = {"standing": (), "trades": ("",), "bills": (START_MS,), "transfers": (START_MS,), "position": ()}


class Senseless:
    """A ccxt client whose every call brings the same."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def milliseconds(self) -> int:
        """Its clock."""
        return START_MS + 60_000

    def __getattr__(self, name: str) -> Any:
        async def call(*_: Any) -> Any:
            return self.answer

        return call


@pytest.mark.parametrize("venue", ADAPTED)
@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_without_sense_is_no_answer(venue: str, question: str) -> None:
    """A duty that asks goes on: what it catches is a DataError. An empty list is an answer."""

    async def play() -> int:
        silent = 0
        for answer in ANSWERS:
            adapter = ADAPTED[venue].adapter(Senseless(answer))
            try:
                found = await getattr(adapter, question)(*QUESTIONS[question])
            except DataError:
                silent += 1
            else:
                assert found in ([], ([], "")) or getattr(found, "lots", None) == 0, (answer, found)
        return silent

    assert asyncio.run(play()) >= len(ANSWERS) - 2


OKX_ROW = {"clOrdId": None, "ordId": "1", "algoId": "", "side": "buy", "sz": "1", "accFillSz": "0", "px": "60000"}
OKX_STOP = {
    "algoClOrdId": None,
    "algoId": "2",
    "ordId": "",
    "side": "sell",
    "sz": "1",
    "slTriggerPx": "59000",
    "reduceOnly": "true",
}
BYBIT_ROW = {"orderLinkId": None, "orderId": "1", "side": "Buy", "qty": "0.1", "cumExecQty": "0", "orderStatus": "New"}
BYBIT_ROW |= {"price": "60000", "createdTime": "1", "reduceOnly": False}
NAMELESS = {
    "okx": {"data": [OKX_ROW]},
    "okx stop": {"data": [OKX_STOP]},
    "bybit": {"result": {"list": [BYBIT_ROW], "nextPageCursor": ""}},
}


@pytest.mark.parametrize("venue", NAMELESS)
def test_an_order_whose_id_is_null_has_none(venue: str) -> None:
    """One of a person's: the comparison of venue and book failed over it, and began again, as long as it stood."""

    async def play() -> list[str]:
        found = await ADAPTED[venue.partition(" ")[0]].adapter(Senseless(NAMELESS[venue])).standing()
        return [one.order for one in found]

    assert set(asyncio.run(play())) == {""}
