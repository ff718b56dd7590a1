"""A basket in the lines of `nightdesk status`: its money and each of its pairs. Called by app/cli/desk.py."""

from collections.abc import Mapping
from typing import Any


def basket_lines(basket: Mapping[str, Any] | None) -> list[str]:
    """A basket: its money, and each pair; nothing of a desk without one."""
    if not basket:
        return []
    head = (
        f"Basket {basket['name']}: gross {basket['gross']:,.2f}, net {basket['net']:,.2f}, {basket['trips']} round trips of pairs"
    )
    return [head, *map(pair_line, basket["pairs"])]


def pair_line(pair: Mapping[str, Any]) -> str:
    """One pair: side, spread, what it has made, why it leaves."""
    z = "spread unknown" if pair["z"] is None else f"spread {pair['z']:+.2f}"
    more = f", open {pair['open_pnl']:+,.2f}, risk {pair['risk']:,.2f}" if pair.get("open_pnl") is not None else ""
    more += ", enters at the next open" if pair.get("entering") else ""
    more += f", leaves ({pair['leaving']})" if pair.get("leaving") else ""
    more += f", refused: {pair['refused_by']}" if pair.get("refused_by") else ""
    return f"  {pair['pair']:<20} {pair['side']:<6} {z}, made {pair['pnl']:+,.2f}{more}"
