"""A desk in shadow of an account: what did not leave it, and what the venue's book would have cost. Called by overview.py."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import parts
from app.ui.figures import NONE, is_number, pure
from app.ui.page_client import PageClient


def show(api: PageClient, desk: Mapping[str, Any]) -> None:
    """A row a sleeve; nothing on a desk that is not in shadow."""
    if desk.get("mode") != "shadow":
        return
    found = api.as_of(desk.get("event"), "/api/shadow")
    with st.container(key="panel_shadow"):
        parts.head("In shadow", "no order leaves this desk: fills are simulated; cost in bps, against the order")
        if not found["items"]:
            parts.soft("No order would have left yet.")
            return
        heads = ("sleeve", "orders", "refused", "at the market", "with the book", "fill model", "book", "95 % below", "spread")
        parts.table(heads, [_row(item) for item in found["items"]], thin=(2, 3, 7, 8))


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    """One sleeve."""
    counts = (pure(item[name]) for name in ("orders", "refused", "at_market", "compared"))
    costs = (item[name] for name in ("assumed_bps", "book_bps", "book_p95_bps", "spread_bps"))
    return (str(item["sleeve"]), *counts, *(f"{bps:.2f}" if is_number(bps) else NONE for bps in costs))
