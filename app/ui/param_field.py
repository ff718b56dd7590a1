"""A field for one parameter of a strategy, with its bounds and what it does. Called by sleeve_settings.py and run_form.py.

A row is a parameter as the API gives it: key, low, high, unit, choices, zero, about. A number is typed; one that is not allowed
is said and not taken.
"""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.ui import parts
from app.ui.figures import setting
from app.ui.safe import one_line, words

Row = Mapping[str, Any]


def bounds_text(row: Row) -> str:
    """The allowed values in words."""
    if row["choices"]:
        return " or ".join(row["choices"])
    return f"{setting(row['low'])} to {setting(row['high'])} {row['unit'] or ''}".strip()


def about_text(row: Row) -> str:
    """What it does, and what 0 means where that is not an amount."""
    off = f"; 0: {row['zero']}" if row.get("zero") else ""
    return f"{row['about'] or ''}{off}"


def field(row: Row, value: Any, key: str, word: str = "now") -> Any:
    """The value that was chosen; None while it is not allowed. `value`, `word`: what it is without a change, and what that is."""
    label, about = f"{row['key']}, {word} {setting(value)} ({bounds_text(row)})", words(about_text(row), 300)
    if row["choices"]:
        return st.selectbox(label, row["choices"], index=row["choices"].index(value), key=key, help=about)
    if isinstance(value, bool):
        return st.checkbox(label, value, key=key, help=about)
    text = st.text_input(label, f"{value:.10g}", key=key, help=about, max_chars=24)
    found = number_in(text, row, whole=isinstance(value, int))
    if found is None:
        parts.note(f"▲ {one_line(text, 24)} is out of bounds or not a number.", f"Allowed: {bounds_text(row)}.", "warn")
    return found


def number_in(text: str, row: Row, *, whole: bool) -> float | int | None:
    """The number of a text, if the parameter may have it; a whole one where the parameter is whole."""
    try:
        value = float(text.strip().replace(",", "").replace("\u2212", "-"))
    except ValueError:
        return None
    low = row["low"] if row["low"] is not None else -float("inf")
    high = row["high"] if row["high"] is not None else float("inf")
    if not low <= value <= high:
        return None
    return (int(value) if value == int(value) else None) if whole else value
