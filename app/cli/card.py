"""Paints the rows of a proposal's card (app.views.proposal_card) for a terminal. Called by app.cli.proposals."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from app.cli.words import shown
from app.views.proposal_card import TABLES


def card_text(value: Mapping[str, Any]) -> str:
    """The card as lines, followed by the commands that decide it."""
    lines = [rows_text(value["rows"])]
    if value["state"] == "pending":
        lines += [
            value["expires"],
            f"  nightdesk proposals approve {value['id']} --sha {value['diff_sha256'][:12]} --as NAME",
            f"  nightdesk proposals reject {value['id']} --reason WHY --as NAME",
        ]
    return "\n".join(lines)


def rows_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """A card's rows as text: a table for each kind of table, a line for anything else."""
    lines: list[str] = []
    for kind, group in groupby(rows, key=lambda row: row["kind"]):
        cells = [[shown(part) for part in (row["label"], *row["cells"])] for row in group]
        lines += ["", *_table(cells), ""] if kind in TABLES else [f"{label}: {text}" for label, text in cells]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned columns: labels left, cells right."""
    widths = [max(len(row[n]) for row in rows if n < len(row)) for n in range(max(map(len, rows)))]
    return ["  ".join([f"  {row[0]:<{widths[0]}}", *(f"{row[n]:>{widths[n]}}" for n in range(1, len(row)))]) for row in rows]
