"""An account at OKX, asked: key, mode, margin, orders, positions, fees, instrument; an AccountReader (account_facts.py)."""

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
from engine.venues.outcome import code_of

PAGE = 100
NO_INSTRUMENT = "51001"
ALGO_KINDS = ("conditional,oco", "trigger", "move_order_stop", "iceberg", "twap")
ISOLATES = ("2", "3")  # futures mode, multi-currency margin: tdMode of each order says isolated
LEVELS = {"1": "spot mode: no perpetuals", "4": "portfolio margin: one margin for all"}


class OkxAccount(NamedTuple):
    """`client`: a ccxt okx that sends questions alone."""

    client: Any

    async def time_ms(self) -> int:
        """The venue's clock, UTC ms."""
        return int((await self.client.public_get_public_time())["data"][0]["ts"])

    async def rights(self) -> KeyRights:
        """account/config: perm and ip. OKX names no end of a key."""
        row = await self._one("private_get_account_config")
        words = row["perm"].split(",")
        ips = tuple(ip for ip in row["ip"].split(",") if ip)
        return KeyRights("trade" in words, "withdraw" in words, ips=ips)

    async def settings(self, symbol: str) -> AccountSettings:
        """account/config and account/leverage-info; isolated is said by each order, but an open position may be cross."""
        row, about = await self._one("private_get_account_config"), {"instId": inst_id(symbol)}
        lever = await self._one("private_get_account_leverage_info", about | {"mgnMode": "isolated"})
        held = (await self.client.private_get_account_positions(about))["data"]
        crossed = any(one["mgnMode"] != "isolated" and float(one["pos"] or 0) for one in held)
        level = row["acctLv"]
        margin = "isolated" if level in ISOLATES else LEVELS.get(level, f"account mode {level}")
        return AccountSettings(row["posMode"] == "net_mode", "cross" if crossed else margin, float(lever["lever"] or 0) or None)

    async def orders(self) -> Sequence[OpenItem]:
        """trade/orders-pending and trade/orders-algo-pending of every kind."""
        normal = await self._rows("private_get_trade_orders_pending", {"instType": "SWAP"}, "ordId")
        algos = [
            row
            for kind in ALGO_KINDS
            for row in await self._rows("private_get_trade_orders_algo_pending", {"instType": "SWAP", "ordType": kind}, "algoId")
        ]
        found = [
            OpenItem(row["instId"], side_text(row["side"] == "buy", row["sz"], row["px"]), row["clOrdId"] or "") for row in normal
        ]
        return found + [
            OpenItem(row["instId"], side_text(row["side"] == "buy", row["sz"], row.get("slTriggerPx")), row["algoClOrdId"] or "")
            for row in algos
        ]

    async def positions(self) -> Sequence[OpenItem]:
        """account/positions."""
        rows = (await self.client.private_get_account_positions({"instType": "SWAP"}))["data"]
        return [OpenItem(row["instId"], f"{row['pos']} contracts at {row['avgPx']}") for row in rows if float(row["pos"] or 0)]

    async def fees(self, symbol: str) -> tuple[float, float]:
        """account/trade-fee: OKX says what the balance changes by; makerU is of USDT contracts."""
        row = await self._one("private_get_account_trade_fee", {"instType": "SWAP", "instFamily": symbol})
        return -float(row.get("makerU") or row["maker"]), -float(row.get("takerU") or row["taker"])

    async def listing(self, symbol: str) -> VenueListing | None:
        """public/instruments, market/ticker. Sizes are contracts of ctVal base units; OKX has no least notional."""
        about = {"instType": "SWAP", "instId": inst_id(symbol)}

        async def instruments() -> Sequence[Mapping[str, Any]]:
            rows: Sequence[Mapping[str, Any]] = (await self.client.public_get_public_instruments(about))["data"]
            return rows

        try:
            rows = await listed_rows(instruments)
        except Exception as error:
            if code_of(error) == NO_INSTRUMENT:
                return None
            raise
        if not rows or rows[0]["settleCcy"] != QUOTE:
            return None
        price = (await self.client.public_get_market_ticker({"instId": inst_id(symbol)}))["data"][0]["last"]
        least = float(rows[0]["minSz"]) * float(rows[0]["ctVal"])
        steps = steps_text(rows[0]["ctVal"], rows[0]["lotSz"], rows[0]["tickSz"])
        return VenueListing(rows[0]["state"] == "live", rows[0]["state"], least, 0.0, float(price), steps)

    async def _one(self, name: str, about: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        rows: Sequence[Mapping[str, Any]] = (await getattr(self.client, name)(dict(about or {})))["data"]
        return rows[0]

    async def _rows(self, name: str, about: Mapping[str, str], id_name: str) -> list[Mapping[str, Any]]:
        """All pages of a list, newest first."""
        found: list[Mapping[str, Any]] = []
        while True:
            after = {"after": found[-1][id_name]} if found else {}
            page = (await getattr(self.client, name)({**about, "limit": str(PAGE), **after}))["data"]
            found += page
            if len(page) < PAGE:
                return found


def inst_id(symbol: str) -> str:
    """BTC-USDT -> BTC-USDT-SWAP."""
    return f"{symbol}-SWAP"
