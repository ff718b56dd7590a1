"""Candle charts over HTTP: what is not there is named, what is out of bounds is refused, and nobody reads without a session."""

from typing import Any

SLEEVE = "/api/desk/candles?sleeve=btc-trend"
MARKET = "/api/markets/candles?timeframe=15m&instrument="


REFUSED = {
    "/api/desk/candles": 422,
    "/api/desk/candles?sleeve=nobody": 404,
    f"/api/desk/candles?sleeve={'x' * 61}": 422,
    f"{SLEEVE}&from_ms=-1": 422,
    f"{SLEEVE}&until_ms={1 << 60}": 422,
    SLEEVE: 400,
    f"{MARKET}binance:BTC-USDT:perp": 404,
    f"{MARKET}../../etc": 422,
    "/api/runs/r-20250101-00000000/candles": 404,
    "/api/runs/..%2F..%2Fetc/candles": 404,
}


def test_a_chart_that_cannot_be_is_refused_in_words(served: Any) -> None:
    """A desk that has not begun, unknown sleeves, runs and instruments, times that are none; and without a session, nothing."""
    with served.client() as api:
        for path, status in REFUSED.items():
            answer = api.get(path)
            assert answer.status_code == status, (path, answer.text)
            assert answer.json()["error"]["what"]
    with served.client(headers={"authorization": ""}) as stranger:
        assert stranger.get(SLEEVE).status_code == 401
