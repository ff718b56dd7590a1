"""Binance's lists of an account: the rows of one, those of a list by time in windows, the one position. Called by binance.py."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from engine.errors import DataError
from engine.venues.answers import rows_about, silent
from engine.venues.outcome import answer_text

PAGE = 1_000  # rows of a list
WEEK_MS = 7 * 86_400_000  # the longest window of a list by time
NAMED_MS = 7 * 86_400_000  # of executions: how far back each one's order is asked for
KEPT_MS = 89 * 86_400_000  # how far back orders and bills are read: Binance keeps them for 90 days
BACK_MS = 60_000  # how late an execution may be listed behind newer ones
SETTINGS_MS = 20_000  # that an instrument's margin and leverage count: a halt asks for the position far more often
_SETTINGS: WeakKeyDictionary[Any, dict[str, tuple[int, bool, float]]] = WeakKeyDictionary()  # client -> symbol -> when, what

ListOf = Callable[[str, Mapping[str, Any]], Awaitable[list[Mapping[str, Any]]]]  # name, what is asked -> rows of the instrument


async def rows_of(client: Any, name: str, about: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of one list; `name` as ccxt's method has it behind `fapiprivate`. Raises DataError."""
    try:
        rows = await getattr(client, f"fapiprivate{name}")(dict(about))
        if not isinstance(rows, list):
            raise TypeError(f"no list: {answer_text(rows)}")
        return rows
    except Exception as error:
        raise silent("Binance", name.rpartition("_get_")[2], error) from error


async def rows_since(
    client: Any, name: str, about: Mapping[str, Any], since_ms: int, id_keys: Sequence[str]
) -> list[Mapping[str, Any]]:
    """The rows of a list by time, each once by its `id_keys`: a week at a time, the last one up to now. Raises DataError."""
    now = client.milliseconds()
    start, rows = max(since_ms, now - KEPT_MS), dict[tuple[str, ...], Mapping[str, Any]]()
    while True:
        ends = start + WEEK_MS < now
        week = await _window(client, name, about, start, start + WEEK_MS - 1 if ends else 0)
        week = rows_about(week, "symbol", about["symbol"]) if "symbol" in about else week
        rows |= {tuple(str(row[key]) for key in id_keys): row for row in week}
        if not ends:
            return list(rows.values())
        start += WEEK_MS


async def _window(client: Any, name: str, about: Mapping[str, Any], start: int, end: int) -> list[Mapping[str, Any]]:
    """The rows between two times (0: now); a page that is full is asked for in halves, whichever end of it Binance shows."""
    span = {"startTime": start} | ({"endTime": end} if end else {})
    rows = await rows_of(client, f"_get_{name}", {**about, **span, "limit": PAGE})
    if len(rows) < PAGE:
        return rows
    middle = (start + (end or client.milliseconds())) // 2
    if middle <= start:
        raise DataError(
            f"{about.get('symbol', 'the account')}: {name} has {PAGE} rows in a moment", "nothing is assumed of it; ask Binance"
        )
    return await _window(client, name, about, start, middle) + await _window(client, name, about, middle + 1, end)


async def executions_from(list_of: ListOf, first: int, symbol: str) -> dict[tuple[int, str], Mapping[str, Any]]:
    """Executions from an id on, by id and side: where two orders of the account have met, both have one id. Raises DataError."""
    rows: dict[tuple[int, str], Mapping[str, Any]] = {}
    while True:
        listed = await list_of("usertrades", {"fromId": first, "limit": PAGE})
        rows |= {(int(row["id"]), row["side"]): row for row in rows_about(listed, "symbol", symbol)}  # ids are a symbol's own
        page = {(int(row["id"]), row["side"]) for row in listed}
        if len(page) < PAGE or (newest := max(page)[0]) == first:
            return rows
        first = newest  # once more: its other side may be on the next page


async def settings_of(client: Any, symbol: str) -> tuple[bool, float]:
    """Whether an instrument's margin is isolated, and its leverage, by an answer of the last 20 s. Raises DataError."""
    kept, now = _SETTINGS.setdefault(client, {}), client.milliseconds()
    if symbol not in kept or not 0 <= now - kept[symbol][0] < SETTINGS_MS:
        (row,) = rows_about(await rows_of(client, "_get_symbolconfig", {"symbol": symbol}), "symbol", symbol)
        kept[symbol] = now, row["marginType"] == "ISOLATED", float(row["leverage"])
    return kept[symbol][1:]


def net_row(symbol: str, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The position of an instrument, None where nothing is held. Raises DataError in hedge mode, since the desk counts one side,
    and for two that differ: one-way mode has one, which may be shown twice.
    """
    held = [row for row in rows_about(rows, "symbol", symbol) if Decimal(row["positionAmt"])]
    if any(row["positionSide"] != "BOTH" for row in held):
        raise DataError(f"{symbol}: the account is in hedge mode", "set one-way mode: Preferences > Position Mode")
    if len({row["positionAmt"] for row in held}) > 1:
        raise DataError(f"{symbol}: Binance shows {len(held)} positions", "nothing is assumed of it; compare there")
    return held[0] if held else None


def cursor_of(seen: Mapping[int, int]) -> str:
    """A cursor: id -> UTC ms of executions, of which the last minute and the one before it are kept."""
    newest = max(seen.values())
    first = max((id_ for id_, t_ms in seen.items() if t_ms < newest - BACK_MS), default=0)
    return ",".join(f"{id_}/{t_ms}" for id_, t_ms in sorted(seen.items()) if id_ >= first)
