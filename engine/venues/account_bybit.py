"""A unified account at Bybit, asked: key, mode, margin, orders, positions, fees, instrument. As account_okx.py.

Bybit has no question for the position mode: the rows of a symbol's position say it (positionIdx 0 is one-way).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from engine.venues.account_facts import (
    QUOTE,
    AccountSettings,
    KeyRights,
    OpenItem,
    VenueListing,
    listed_rows,
    side_text,
    steps_text,
)

PAGES_MAX = 100  # a cursor that runs in a circle is an error
MARGINS = {"ISOLATED_MARGIN": "isolated", "REGULAR_MARGIN": "cross", "PORTFOLIO_MARGIN": "portfolio margin: one margin for all"}
LINEAR = {"category": "linear"}


class BybitAccount(NamedTuple):
    """`client`: a ccxt bybit that sends questions alone."""

    client: Any

    async def time_ms(self) -> int:
        """The venue's clock, UTC ms."""
        return int((await self.client.public_get_v5_market_time())["result"]["timeNano"]) // 1_000_000

    async def rights(self) -> KeyRights:
        """user/query-api. A key that is bound to addresses has no end; Bybit then says 0 days or less (from memory)."""
        row = (await self.client.private_get_v5_user_query_api())["result"]
        wallet = set(row["permissions"].get("Wallet") or ())
        contract, derivatives = (set(row["permissions"].get(name) or ()) for name in ("ContractTrade", "Derivatives"))
        trades = str(row["readOnly"]) == "0" and ({"Order", "Position"} <= contract or "DerivativesTrade" in derivatives)
        ips = tuple(ip for ip in row["ips"] or () if ip not in ("*", "0.0.0.0"))  # noqa: S104 - an entry of a list that is read
        days = int(row["deadlineDay"])
        withdraws, moves = "Withdraw" in wallet, bool(wallet - {"Withdraw"})
        return KeyRights(trades, withdraws, moves, ips, None if ips and days <= 0 else days, end_is_named=not (ips and days <= 0))

    async def settings(self, symbol: str) -> AccountSettings:
        """account/info, position/list."""
        mode = (await self.client.private_get_v5_account_info())["result"]["marginMode"]
        rows = (await self.client.private_get_v5_position_list({**LINEAR, "symbol": name_of(symbol)}))["result"]["list"]
        one_way = bool(rows) and all(str(row["positionIdx"]) == "0" for row in rows)
        lever = rows[0]["leverage"] if rows else ""
        return AccountSettings(one_way, MARGINS.get(mode, mode), float(lever or 0) or None)

    async def orders(self) -> Sequence[OpenItem]:
        """order/realtime: normal and conditional ones are one list."""
        rows = await self._rows("private_get_v5_order_realtime", "50")
        return [
            OpenItem(
                row["symbol"],
                side_text(row["side"] == "Buy", row["qty"], next((p for p in (row["triggerPrice"], row["price"]) if p), "")),
                row["orderLinkId"] or "",
            )
            for row in rows
        ]

    async def positions(self) -> Sequence[OpenItem]:
        """position/list."""
        rows = await self._rows("private_get_v5_position_list", "200")
        return [
            OpenItem(row["symbol"], side_text(row["side"] == "Buy", row["size"], row["avgPrice"]))
            for row in rows
            if float(row["size"] or 0)
        ]

    async def fees(self, symbol: str) -> tuple[float, float]:
        """account/fee-rate."""
        row = (await self.client.private_get_v5_account_fee_rate({**LINEAR, "symbol": name_of(symbol)}))["result"]["list"][0]
        return float(row["makerFeeRate"]), float(row["takerFeeRate"])

    async def listing(self, symbol: str) -> VenueListing | None:
        """market/instruments-info, market/tickers."""
        about = {**LINEAR, "symbol": name_of(symbol)}

        async def instruments() -> Sequence[Mapping[str, Any]]:
            rows: Sequence[Mapping[str, Any]] = (await self.client.public_get_v5_market_instruments_info(about))["result"]["list"]
            return rows

        rows = await listed_rows(instruments)
        if not rows or rows[0]["settleCoin"] != QUOTE:
            return None
        sizes, state = rows[0]["lotSizeFilter"], rows[0]["status"]
        price = (await self.client.public_get_v5_market_tickers(about))["result"]["list"][0]["markPrice"]
        steps = steps_text(1, sizes["qtyStep"], rows[0]["priceFilter"]["tickSize"])
        least, notional = float(sizes["minOrderQty"]), float(sizes["minNotionalValue"] or 0)
        return VenueListing(state == "Trading", state, least, notional, float(price), steps)

    async def _rows(self, name: str, limit: str) -> list[Mapping[str, Any]]:
        """All pages of a list of USDT perpetuals. Raises ValueError for a cursor without an end."""
        found: list[Mapping[str, Any]] = []
        about = {**LINEAR, "settleCoin": QUOTE, "limit": limit}
        for _ in range(PAGES_MAX):
            result = (await getattr(self.client, name)(dict(about)))["result"]
            found += result["list"]
            if not result.get("nextPageCursor") or not result["list"]:
                return found
            about["cursor"] = result["nextPageCursor"]
        raise ValueError(f"more than {PAGES_MAX} pages")


def name_of(symbol: str) -> str:
    """BTC-USDT -> BTCUSDT."""
    return symbol.replace("-", "")
