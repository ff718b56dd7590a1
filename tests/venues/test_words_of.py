"""What a venue answers, in its own words: no person reads JSON at three in the morning."""

import pytest

from engine.venues.answers import silent
from engine.venues.outcome import code_of, readable, words_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            'bybit {"retCode":110017,"retMsg":"current position is zero","result":{},"time":17}',
            "bybit says: current position is zero (110017)",
        ),
        (
            'binanceusdm {"code":-2022,"msg":"ReduceOnly Order is rejected."}',
            "binance says: ReduceOnly Order is rejected (-2022)",
        ),
        (
            'okx {"code":"1","data":[{"clOrdId":"nd1","sCode":"51169","sMsg":"No \\"short\\" to\\n close."}],"msg":"failed"}',
            'okx says: No "short" to close (51169)',
        ),
        ('okx {"sCode": "51000", "sMsg": ""}', 'okx {"sCode": "51000", "sMsg": ""}'),
        ('okx {"msg":"Service unavailable","code":"50001"', "okx says: Service unavailable (50001)"),
        ('okx {"code":"51008","msg":"' + "not enough " * 30 + '"}', f"okx says: {'not enough ' * 11}not (51008)"),
        (
            'binanceusdm 418 I\'m a teapot {"code": -1003, "msg": "Way too many requests; banned until 17."}',
            "binance says: Way too many requests; banned until 17 (-1003)",
        ),
        (
            'bybit GET https://api.bybit.com/v5/order 403 Forbidden {"retCode":10006,"retMsg":"Too many visits"}',
            "bybit says: Too many visits (10006)",
        ),
        ('okx {"code":"1"} and okx {[}', 'okx {"code":"1"} and okx {[}'),
        (
            "okx GET https://www.okx.com/api/v5/public/time 502 Bad Gateway",
            "502 Bad Gateway",
        ),
    ],
)
def test_a_venues_answer_is_words(text: str, shown: str) -> None:
    """The words about the order before those about the request; what has none stays, without its address."""
    assert words_of(text) == shown
    assert not shown.startswith("okx says") or f"({code_of(text)})" in shown


PAGES = ("<html><body>x</body></html>", "<!DOCTYPE html>\n<title>x</title>", '<?xml version="1.0"?><Error>x</Error>', "<HTML>x")


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "address", ["GET https://h/v5/kline?symbol=X&signature=ab", "POST https://h/x", "http://h:1/x", "wss://h/ws?k=1"]
)
def test_a_reason_has_no_address_and_no_page_of_html(page: str, address: str) -> None:
    """Where it is made, and where one that an older desk has journaled is shown."""
    error = RuntimeError(f"bybit {address} 502 Bad Gateway {page * 30}")
    assert words_of(error) == "502 Bad Gateway"
    assert silent("Bybit", "for marks", error).what == "Bybit did not answer for marks: 502 Bad Gateway"
    assert readable(f"bybit did not answer for marks: {error}") == "bybit did not answer for marks: 502 Bad Gateway"


@pytest.mark.parametrize("text", ["okx GET https://www.okx.com/api/v5/public/time", "", "<html></html>"])
def test_an_error_that_is_an_address_alone_is_its_kind(text: str) -> None:
    """As ccxt words a timeout."""
    assert words_of(TimeoutError(text)) == "TimeoutError"


@pytest.mark.parametrize("text", ["bybit says: Service is restarting (10016)", "a < b and <class 'int'> stay"])
def test_other_words_stay(text: str) -> None:
    """What is no page."""
    assert readable(text) == text
