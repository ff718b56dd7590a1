"""The settings of sleeves in words and as a table: what they are, and in which they differ. Called by the offline planner.

Takes the sleeves as the tool `sleeves` lists them in its data; computes nothing of the desk.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.common.contract import Table

Listed = Sequence[Mapping[str, Any]]  # name and params of each sleeve


def settings_table(listed: Listed, keys: Sequence[str]) -> Table:
    """A row a parameter, a column a sleeve."""
    return Table(("parameter", *(of["name"] for of in listed)), tuple((key, *_cells(listed, key)) for key in keys))


def settings_text(listed: Listed, keys: Sequence[str]) -> str:
    """`trail_atr: btc-trend 2.5, eth-trend 3.0.`"""
    names = [str(of["name"]) for of in listed]
    each = (", ".join(f"{name} {cell}" for name, cell in zip(names, _cells(listed, key), strict=True)) for key in keys)
    return "; ".join(f"{key}: {values}" for key, values in zip(keys, each, strict=True)) + "."


def unlike(listed: Listed, keys: Sequence[str], own: Mapping[str, Mapping[str, Any]] | None) -> tuple[str, list[str]]:
    """In how many settings these sleeves differ from each other, or (`own`: what is no default, by sleeve) from the defaults of
    their strategies; and the settings to show."""
    if own is None:
        differ = [key for key in keys if len(set(_cells(listed, key))) > 1]
    else:
        differ = [key for key in keys if any(key in own.get(of["name"], ()) for of in listed)]
    of_what = f"between {' and '.join(of['name'] for of in listed)}" if own is None else "from the defaults of their strategies"
    count = f"{len(differ) or 'No'} {'setting differs' if len(differ) == 1 else 'settings differ'} {of_what}"
    return f"{count}{': ' if differ else ''}{', '.join(differ)}.", differ or list(keys)


def _cells(listed: Listed, key: str) -> list[str]:
    return ["-" if (value := of["params"].get(key)) is None else str(value) for of in listed]
