"""What a venue answers, in its own words: no person reads JSON at three in the morning."""

import pytest

from engine.venues.outcome import code_of, words_of


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
            "okx GET https://www.okx.com/api/v5/public/time 502 Bad Gateway",
        ),
    ],
)
def test_a_venues_answer_is_words(text: str, shown: str) -> None:
    """The words about the order before those about the request; what has none stays as it came."""
    assert words_of(text) == shown
    assert not shown.startswith("okx says") or f"({code_of(text)})" in shown
