"""One round trip explained: in, out, size, costs, why it entered and left, then every decision folded. Called by market.py.

Turns the answer of /api/runs/{id}/trips/{t} or /api/desk/trips/{t}, which have the same shape, into a panel's inside.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import parts
from app.ui.figures import NONE, in_r, number, price, short, tone

LAYERS_MAX = 5
OPEN = "still open"


def show(answer: Mapping[str, Any], now_ms: int | None) -> None:
    """The trip of an answer; `now_ms`: the desk's time, whose year goes without saying."""
    found = answer.get("trip") or {}
    parts.pairs(_facts(found.get("trip") or {}, now_ms))
    for line in reasons(found, str(answer.get("text") or ""), now_ms):
        parts.soft(line)
    folded = st.expander("Every decision, size, cap and fill", key="trip_folded", on_change="rerun")
    if folded.open:  # its viewer is a script of its own, which a chart beside it need not wait for
        folded.json(found, expanded=2)


def reasons(found: Mapping[str, Any], closing: str, now_ms: int | None = None) -> list[str]:
    """Why it entered, with the features it read, what bound its size, and why it left."""
    lines = []
    for entry in (found.get("entries") or [])[:LAYERS_MAX]:
        decision = entry.get("decision") or {}
        if not decision:
            lines.append("In: no decision of this sleeve is behind it.")
            continue
        signal, size = decision.get("signal") or {}, decision.get("size") or {}
        read = (decision.get("features") or {}).items()
        features = [f"{name} {number(value, 4).rstrip('0').rstrip('.')}" for name, value in read]
        side = {1: "long", -1: "short"}.get(signal.get("side") or 0, "no")
        bound = f", size bound by {size['cap_binding']}" if size.get("cap_binding") else ""
        strength = f"strength {number(signal.get('strength'))}"
        lines.append(f"In: {side} signal of {strength} at {short(decision.get('close_ms'), now_ms)}{bound}.")
        lines.append(f"Read: {', '.join(features)}." if features else "")
    lines.append(f"Out: {closing}." if closing else "")
    return [line for line in dict.fromkeys(lines) if line]  # both legs of a pair have one decision


def _facts(trip: Mapping[str, Any], now_ms: int | None) -> list[tuple[str, parts.Cell]]:
    """A trip as label and value."""
    risk = trip.get("risk") or 0.0
    moves = [trip.get(name) for name in ("mae", "mfe")]
    reach = [None if move is None or risk <= 0 else move / risk for move in moves]
    sleeve = [("sleeve", str(trip["sleeve"]))] if trip.get("sleeve") else []
    ended = trip.get("exit_ms") is not None
    at = "" if trip.get("closed_ms") == trip.get("exit_ms") else "bar of "  # a simulated exit is known to its bar alone
    entered, left = short(trip.get("entry_ms"), now_ms), f"{at}{short(trip['exit_ms'], now_ms)}" if ended else ""
    excursion = [("went against it, for it", f"{in_r(reach[0])}, {in_r(reach[1])}")] if None not in reach else []
    net = number(trip.get("net"), sign=True) + (f" · {in_r(trip.get('r'))}" if ended else "")
    return [
        *sleeve,
        ("side", f"{trip.get('side')}, {trip.get('layers')} layer{'' if trip.get('layers') == 1 else 's'}"),
        *(_of_legs(trip, entered, left) if trip.get("a") else _of_one(trip, entered, left)),
        *([("closed by", str(trip.get("reason")))] if ended else []),
        ("1 R, lost at the first stop", number(risk) if risk else NONE),
        *excursion,
        ("gross", number(trip.get("gross"), sign=True)),
        ("fees, slippage", f"{number(trip.get('fees'))}, {number(trip.get('slippage'))}"),
        ("funding", number(trip.get("funding"), sign=True)),
        ("net" if ended else "net so far, at the mark", (net, tone(trip.get("net")))),
    ]


def _of_one(trip: Mapping[str, Any], entered: str, left: str) -> list[tuple[str, parts.Cell]]:
    """In and out with their prices, and its size."""
    out = f"{price(trip.get('exit_price'))} · {left}" if left else OPEN
    units = number(trip.get("units"), 6).rstrip("0").rstrip(".")
    return [("in", f"{price(trip.get('entry_price'))} · {entered}"), ("out", out), ("units", units)]


def _of_legs(trip: Mapping[str, Any], entered: str, left: str) -> list[tuple[str, parts.Cell]]:
    """Of a pair when it went in and out, and of each leg its prices and what it made; the first leg has the pair's side."""
    legs = list[tuple[str, parts.Cell]]()
    for end in ("a", "b"):
        prices = f"{price(trip.get(f'entry_{end}'))} to {price(trip.get(f'exit_{end}'))}"
        legs.append((str(trip[end]), f"{prices} · {number(trip.get(f'net_{end}'), sign=True)}"))
    return [("in", entered), ("out", left or OPEN), *legs]
