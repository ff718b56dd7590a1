"""P&L by day, week or month: net as bars; realised, unrealised, fees and funding below. Called by overview.py."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import drawn, parts
from app.ui.figures import MONTHS, day, is_number, number, tone
from app.ui.page_client import PageClient

UNITS = {"day": 30, "week": 26, "month": 24}  # how many of each are shown
SUMMED = ("net", "realised", "unrealised", "fees", "funding", "slippage")


def show(api: PageClient, desk: Mapping[str, Any]) -> None:
    """The chosen unit."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        parts.head("P&L", "net, USDT")
        chosen = st.segmented_control("By", UNITS, default="day", key="unit", required=True, label_visibility="collapsed")
    unit = chosen if chosen in UNITS else "day"
    answer = api.as_of(desk.get("event"), "/api/desk/periods", unit=unit, limit=UNITS[unit])
    items = answer["items"]
    if not items:
        parts.soft("No bar is decided yet.")
        return
    drawn.chart(spec(items, unit), key=f"money_{unit}", mark=f"{desk.get('event')} {unit}")
    parts.pairs(summary(items, unit))
    parts.soft(str(answer.get("phase") or ""))
    with st.expander("Table"):
        parts.table(("UTC", *SUMMED), [_row(one, unit) for one in reversed(items)], thin=(6,), scroll=True)


def spec(items: Sequence[Mapping[str, Any]], unit: str) -> dict[str, Any]:
    """Bars of the net; a period that a mark does not say is left out."""
    bars = [
        {
            "name": label(one["from_ms"], unit),
            "value": one["net"],
            "tone": "up" if one["net"] > 0 else "down",
            "text": _text(one, unit),
        }
        for one in items
        if is_number(one.get("net"))
    ]
    return {"kind": "bars", "unit": "money", "label": f"Net P&L by {unit}, UTC", "items": bars, "height": 190}


def label(ms: int, unit: str) -> str:
    """`31 Dec`, of a week its Monday; `Dec 2025`."""
    year, month, of_month = day(ms).split("-")
    name = MONTHS[int(month) - 1]
    return f"{name} {year}" if unit == "month" else f"{int(of_month)} {name}"


def _text(one: Mapping[str, Any], unit: str) -> str:
    kept = ", ".join(f"{name} {number(one.get(name), sign=True)}" for name in ("net", "realised", "unrealised"))
    return f"{label(one['from_ms'], unit)}: {kept}"


def summary(items: Sequence[Mapping[str, Any]], unit: str) -> list[tuple[str, parts.Cell]]:
    """What the shown periods come to: net is realised and unrealised; fees, slippage and funding are in the realised."""
    sums = {name: total([one.get(name) for one in items]) for name in SUMMED}
    won = sum(is_number(one.get("net")) and one["net"] > 0 for one in items)
    lost = sum(is_number(one.get("net")) and one["net"] < 0 for one in items)
    plural = "" if len(items) == 1 else "s"
    rows: list[tuple[str, parts.Cell]] = [
        (
            f"net of {len(items)} {unit}{plural} from {label(items[0]['from_ms'], unit)}, {won} up, {lost} down",
            (number(sums["net"], sign=True), tone(sums["net"])),
        ),
        ("realised, after fees and funding", (number(sums["realised"], sign=True), tone(sums["realised"]))),
        ("unrealised", (number(sums["unrealised"], sign=True), tone(sums["unrealised"]))),
    ]
    costs = [("fees paid", number(sums["fees"])), ("slippage paid", number(sums["slippage"]))]
    return [*rows, *costs, ("funding, received minus paid", number(sums["funding"], sign=True))]


def total(values: Sequence[Any]) -> float | None:
    """The sum, if every period says it."""
    return sum(values) if values and all(is_number(value) for value in values) else None


def _row(one: Mapping[str, Any], unit: str) -> Sequence[parts.Cell]:
    signed = [(number(one.get(name), sign=True), tone(one.get(name))) for name in SUMMED[:3]]
    return (
        label(one["from_ms"], unit),
        *signed,
        number(one.get("fees")),
        number(one.get("funding"), sign=True),
        number(one.get("slippage")),
    )
