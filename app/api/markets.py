"""Routes of candle charts: a sleeve of the desk, a stored run, an instrument alone. Registered by app.api.factory.

The answers are app.views.candles'; they are JSON already, so they are passed on as bytes. /api/markets lists what can be drawn.
"""

from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError

from app.api.context import ApiContext, At, NotFound, Who
from app.api.runs import RunId, store_with
from app.views import candles
from engine.control.config import SleeveConfig, active
from engine.errors import BadInput, DeskError
from engine.watch.window import desk_ms

router = APIRouter(prefix="/api", tags=["markets"])
MS_MAX = 1 << 52
Instant = Annotated[int | None, Query(ge=0, le=MS_MAX)]
Chart = dict[str, Any]


@router.get("/desk/candles", response_model=Chart)
def candles_of_desk(
    at: At, _: Who, sleeve: Annotated[str, Query(min_length=1, max_length=60)], from_ms: Instant = None, until_ms: Instant = None
) -> Response:
    """Candles of a sleeve up to the desk's clock, with its trips, levels, refusals, breakers and features."""
    found = next((s for s in active(at.engine, at.path).config.traded if s.name == sleeve), None)
    if found is None:
        raise NotFound(f"the desk has no sleeve {sleeve!r}", "see /api/sleeves")
    return _json(candles.desk_candles(at.home.setup, at.home.catalog, _about(found), (from_ms, until_ms)))


@router.get("/runs/{run_id}/candles", response_model=Chart)
def candles_of_run(
    at: At,
    _: Who,
    run_id: str = RunId,
    sleeve: Annotated[str, Query(max_length=60)] = "",
    from_ms: Instant = None,
    until_ms: Instant = None,
) -> Response:
    """Candles of a stored run, with its trips, levels, refusals, breakers and features."""
    runs = store_with(at, run_id)
    return _json(candles.run_candles(at.home.setup, at.home.catalog, runs, run_id, sleeve, (from_ms, until_ms)))


@router.get("/markets/candles", response_model=Chart)
def candles_of_market(
    at: At,
    _: Who,
    instrument: Annotated[str, Query(max_length=60, pattern=r"^[a-z0-9-]+:[A-Z0-9]+-[A-Z0-9]+:(perp|spot)$")],
    timeframe: Annotated[str, Query(max_length=4, pattern=r"^[1-9][0-9]?[mhd]$")],
    from_ms: Instant = None,
    until_ms: Instant = None,
) -> Response:
    """Bars of an instrument alone, as binance:BTC-USDT:perp; nothing later than the desk's clock."""
    venue, symbol, market = instrument.split(":")
    place = candles.Place(venue, symbol, market, timeframe)
    try:
        at.home.catalog.find(venue, symbol, timeframe, market)
    except BadInput as error:
        raise NotFound(error.what, error.hint) from None
    return _json(candles.market_candles(at.home.setup, at.home.catalog, place, (from_ms, until_ms), _clock(at)))


def prepare(at: ApiContext) -> None:
    """Make the charts that a page asks for first, so that nobody waits for a year of journal; of a desk without bars none."""
    with suppress(DeskError, OSError, SQLAlchemyError):  # whoever asks for one hears of it
        for sleeve in active(at.engine, at.path).config.traded[: candles.KEPT_MAX]:
            candles.desk_candles(at.home.setup, at.home.catalog, _about(sleeve), (None, None))


def _about(sleeve: SleeveConfig) -> dict[str, str]:
    return {name: getattr(sleeve, name) for name in ("name", "venue", "symbol", "market", "timeframe")}


def _clock(at: ApiContext) -> int | None:
    return desk_ms(at.path)


def _json(text: bytes) -> Response:
    return Response(text, media_type="application/json")
