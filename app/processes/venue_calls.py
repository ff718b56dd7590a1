"""Which calls of ccxt's an account needs, by venue: what the installed ccxt lacks is said before anything is sent.

Called by account_start.py and account_check.py. A test compares the names with those in engine.venues.
"""

from typing import Any

from engine.errors import BadInput

CALLS: dict[str, tuple[str, ...]] = {
    "binance": (
        *(f"fapiprivate_get_{name}" for name in ("accountconfig", "algoorder", "commissionrate", "openalgoorders", "openorders")),
        *(f"fapiprivate_get_{name}" for name in ("order", "positionside_dual", "symbolconfig")),
        *(f"fapiprivate_{name}" for name in ("post_algoorder", "post_listenkey", "post_order", "put_listenkey", "put_order")),
        *(f"fapiprivate_delete_{name}" for name in ("algoorder", "order")),
        *(f"fapiprivatev3_get_{name}" for name in ("account", "positionrisk")),
        *(f"fapipublic_get_{name}" for name in ("exchangeinfo", "premiumindex", "time")),
    ),
    "bybit": (
        *(f"private_get_v5_account_{name}" for name in ("fee_rate", "info", "transaction_log", "wallet_balance")),
        *(f"private_get_v5_{name}" for name in ("execution_list", "order_history", "order_realtime", "position_list")),
        "private_get_v5_user_query_api",
        *(f"private_post_v5_order_{name}" for name in ("amend", "cancel", "create")),
        *(f"public_get_v5_market_{name}" for name in ("instruments_info", "tickers", "time")),
    ),
    "okx": (
        *(f"private_get_account_{name}" for name in ("balance", "bills", "bills_archive", "config", "leverage_info")),
        *(f"private_get_account_{name}" for name in ("positions", "trade_fee")),
        *(f"private_get_trade_{name}" for name in ("fills_history", "order", "order_algo", "orders_algo_pending")),
        "private_get_trade_orders_pending",
        *(f"private_post_trade_{name}" for name in ("amend_algos", "amend_order", "cancel_algos", "cancel_order")),
        *(f"private_post_trade_{name}" for name in ("order", "order_algo")),
        *(f"public_get_{name}" for name in ("market_ticker", "public_instruments", "public_time")),
    ),
}


def with_calls(venue: str, client: Any) -> Any:
    """The same client. Raises BadInput where it lacks a call: an order could be placed, and not be moved."""
    if lacking := [name for name in CALLS[venue] if not hasattr(client, name)]:
        more = f" and {len(lacking) - 1} more calls" if len(lacking) > 1 else ""
        raise BadInput(f"the installed ccxt's {venue} has no {lacking[0]}{more}", "install the locked version: make setup")
    return client
