"""An account at Binance USD-M, asked: key, mode, margin, orders, positions, fees, instrument. As account_okx.py.

Rights of a key are a question to the spot address (sapi), which demo trading does not have.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.venues.account_facts import QUOTE, AccountSettings, KeyRights, OpenItem, VenueListing, side_text, steps_text
from engine.venues.answers import rows_about

MARGINS = {"ISOLATED": "isolated", "CROSSED": "cross", "CROSS": "cross"}


class BinanceAccount(NamedTuple):
    """`client`: a ccxt binanceusdm that sends questions alone. `plays`: demo trading, which says nothing of a key's rights."""

    client: Any
    plays: bool = False

    async def time_ms(self) -> int:
        """The venue's clock, UTC ms."""
        return int((await self.client.fapipublic_get_time())["serverTime"])

    async def rights(self) -> KeyRights:
        """sapi account/apiRestrictions: not which addresses; an end in tradingAuthorityExpirationTime alone."""
        if self.plays:
            config = await self.client.fapiprivate_get_accountconfig()
            return KeyRights(bool(config["canTrade"]), None)
        row = await self.client.sapi_get_account_apirestrictions()
        ends, now = row.get("tradingAuthorityExpirationTime"), await self.time_ms()
        days = None if ends in (None, "") else (int(ends) - now) // 86_400_000
        moves = any(is_true(row.get(name)) for name in ("enableInternalTransfer", "permitsUniversalTransfer"))
        ips = ("a list",) if is_true(row["ipRestrict"]) else ()
        trades, withdraws = is_true(row["enableFutures"]), is_true(row["enableWithdrawals"])
        return KeyRights(trades, withdraws, moves, ips, days, end_is_named=days is not None)

    async def settings(self, symbol: str) -> AccountSettings:
        """positionSide/dual, accountConfig, symbolConfig."""
        dual = await self.client.fapiprivate_get_positionside_dual()
        config = await self.client.fapiprivate_get_accountconfig()
        rows = await self.client.fapiprivate_get_symbolconfig({"symbol": name_of(symbol)})
        row = rows_about(rows, "symbol", name_of(symbol))[0]
        margin = MARGINS.get(row["marginType"].upper(), row["marginType"])
        shared = "multi-assets mode: one margin for all" if is_true(config["multiAssetsMargin"]) else margin
        return AccountSettings(not is_true(dual["dualSidePosition"]), shared, float(row["leverage"]))

    async def orders(self) -> Sequence[OpenItem]:
        """openOrders and openAlgoOrders: two lists."""
        normal, algos = await self.client.fapiprivate_get_openorders(), await self.client.fapiprivate_get_openalgoorders()
        found = [order_item(row, row["origQty"], row["price"], row["clientOrderId"]) for row in normal]
        return found + [order_item(row, row["quantity"], row["triggerPrice"], row["clientAlgoId"]) for row in algos]

    async def positions(self) -> Sequence[OpenItem]:
        """v3/positionRisk."""
        rows = await self.client.fapiprivatev3_get_positionrisk()
        return [
            OpenItem(row["symbol"], f"{row['positionAmt']} at {row['entryPrice']}") for row in rows if float(row["positionAmt"])
        ]

    async def fees(self, symbol: str) -> tuple[float, float]:
        """commissionRate."""
        row = await self.client.fapiprivate_get_commissionrate({"symbol": name_of(symbol)})
        return float(row["makerCommissionRate"]), float(row["takerCommissionRate"])

    async def listing(self, symbol: str) -> VenueListing | None:
        """exchangeInfo, premiumIndex."""
        rows = (await self.client.fapipublic_get_exchangeinfo())["symbols"]
        row = next((one for one in rows if one["symbol"] == name_of(symbol)), None)
        if row is None or row["marginAsset"] != QUOTE:
            return None
        filters = {one["filterType"]: one for one in row["filters"]}
        mark = await self.client.fapipublic_get_premiumindex({"symbol": name_of(symbol)})
        least, notional = filters["MARKET_LOT_SIZE"]["minQty"], filters["MIN_NOTIONAL"]["notional"]
        lots = sorted({filters[name]["stepSize"] for name in ("LOT_SIZE", "MARKET_LOT_SIZE")})
        steps = " and ".join(steps_text(1, lot, filters["PRICE_FILTER"]["tickSize"]) for lot in lots)
        state, price = row["status"], float(mark["markPrice"])
        return VenueListing(state == "TRADING", state, float(least), float(notional), price, steps)


def name_of(symbol: str) -> str:
    """BTC-USDT -> BTCUSDT."""
    return symbol.replace("-", "")


def is_true(value: Any) -> bool:
    """A truth value of an answer: ccxt leaves some as words."""
    return value is True or str(value).lower() == "true"


def order_item(row: Any, size: Any, price: Any, client_id: str) -> OpenItem:
    """An open order."""
    return OpenItem(row["symbol"], side_text(row["side"] == "BUY", size, price), client_id or "")
