"""Which column is the funding rate, as a fraction. Called by data/files.py.

Relative rates come before absolute ones, realised before predicted. A percent sign in cells or in the column's name is evidence;
without it a rate is a fraction, and checks.py refuses the size of a percentage.
"""

import polars as pl

from engine.data.dialects.columns import PERCENT, RATES, as_numbers


def rate_column(names: list[str]) -> str:
    """The column of the rate; "" without one."""
    plain = {PERCENT.sub("", n).rstrip("_"): n for n in reversed(names)}
    return next((plain[r] for r in RATES if r in plain), "")


def rate_values(table: pl.DataFrame, name: str, where: str, notes: list[str]) -> pl.Series:
    """The rates as fractions, with notes on what was left out and on percent."""
    others = [n for n in table.columns if n != name and rate_column([n])]
    if others:
        notes.append(f"the rate is {name}; {', '.join(others)} left out")
    column = table[name]
    signed = column.dtype == pl.String and column.str.strip_chars().str.ends_with("%").any()
    if signed:
        column = column.str.strip_chars().str.strip_suffix("%")
    value = as_numbers(column, name, where)
    if not signed and not PERCENT.search(name):
        return value
    notes.append(f"rates in {name} are percent: divided by 100")
    return value / 100
