"""Paints the rows of a proposal's card (app.views.proposal_card) for a terminal. Called by app.cli.proposals."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from app.cli.words import shown
from app.views.proposal_card import TABLES


def card_text(value: Mapping[str, Any]) -> str:
    """The card as lines, followed by the commands that decide it."""
    lines: list[str] = []
    for kind, group in groupby(value["rows"], key=lambda row: row["kind"]):
        rows = [[shown(part) for part in (row["label"], *row["cells"])] for row in group]
        lines += ["", *_table(rows), ""] if kind in TABLES else [f"{label}: {text}" for label, text in rows]
    if value["state"] == "pending":
        lines += [
            value["expires"],
            f"  nightdesk proposals approve {value['id']} --sha {value['diff_sha256'][:12]} --as NAME",
            f"  nightdesk proposals reject {value['id']} --reason WHY --as NAME",
        ]
    return "\n".join(lines).replace("\n\n\n", "\n\n")


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned columns: labels left, cells right."""
    widths = [max(len(row[n]) for row in rows if n < len(row)) for n in range(max(map(len, rows)))]
    return ["  ".join([f"  {row[0]:<{widths[0]}}", *(f"{row[n]:>{widths[n]}}" for n in range(1, len(row)))]) for row in rows]
