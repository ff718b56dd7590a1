"""Files of one series -> one frame in time order: what they share must be equal, and nothing is lost.

Called by importing.py, for the files of one command and for what is stored already.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.clock import utc
from engine.errors import BadInput

if TYPE_CHECKING:
    import polars as pl

AGAINST_STORED = "nothing was changed; --replace takes this file and keeps the old one aside, --tag keeps both"
TWINS = 5  # bars that are looked for in another series
AGAINST_FILE = "one of them is wrong: nightdesk data check ONE --against OTHER"


class SourceRows(NamedTuple):
    """One source of rows: its name in messages, and its frame in time order."""

    name: str
    frame: "pl.DataFrame"


def in_order(frame: "pl.DataFrame") -> tuple["pl.DataFrame", list[str]]:
    """Rows in time order, with a note when they were not. Equal times stay, for the check to find."""
    steps = frame["ts"].diff()
    if not (steps < 0).any():
        return frame, []
    note = "rows ran from newest to oldest: reversed" if not (steps > 0).any() else "rows were out of order: sorted by time"
    return frame.sort("ts", maintain_order=True), [note]


def twins(frame: "pl.DataFrame", stored: Path) -> bool:
    """Whether some bars of the frame, which have moved, stand in a stored series too, volume included."""
    import polars as pl

    names = ["open", "high", "low", "close", "volume"]
    moved = frame.filter((pl.col("high") > pl.col("low")) & (pl.col("volume") > 0))
    try:
        theirs = pl.scan_parquet(stored).with_columns(pl.col("ts").dt.epoch("ms"))
        common = theirs.select("ts").collect().join(moved.select("ts"), on="ts")["ts"].sort()
        some = (
            common.gather(sorted({round(n * (common.len() - 1) / (TWINS - 1)) for n in range(TWINS)})) if common.len() else common
        )
        rows = theirs.filter(pl.col("ts").is_in(some.implode())).select("ts", *names).collect()
    except (OSError, pl.exceptions.PolarsError):
        return False  # the catalog says what is wrong with it
    return rows.height == TWINS and rows.join(moved, on=["ts", *names], how="semi").height == TWINS


def joined(one: SourceRows, other: SourceRows, kind: str, hint: str) -> tuple["pl.DataFrame", int]:
    """(all rows of both in time order, how many both have). Raises BadInput where both have a row and the rows differ.

    Settlements are the same when their minute is: venues stamp them some ms late.
    """
    import polars as pl

    names = [n for n in one.frame.columns if n != "ts"]
    if set(names) != set(other.frame.columns) - {"ts"}:
        raise BadInput(f"{other.name} has other columns than {one.name}: {', '.join(other.frame.columns)}", hint)
    key = (pl.col("ts") + 30_000) // 60_000 if kind == "funding" else pl.col("ts")
    mine, theirs = one.frame.with_columns(key=key), other.frame.select(one.frame.columns).with_columns(key=key)
    both = mine.unique("key", keep="first", maintain_order=True).join(theirs, on="key", suffix="_other", maintain_order="left")
    equal = pl.all_horizontal(pl.col(n).fill_nan(None).eq_missing(pl.col(f"{n}_other").fill_nan(None)) for n in names)
    differ = both.filter(~equal)
    if differ.height:
        row = differ.row(0, named=True)
        name = next(n for n in names if row[n] != row[f"{n}_other"])
        what = f"{one.name} and {other.name} differ in {differ.height} of {both.height} common rows"
        at = f"the first {utc(row['ts'])}: {name} {row[name]} against {row[f'{name}_other']}"
        raise BadInput(f"{what}, {at}", hint)
    new = theirs.join(mine, on="key", how="anti", maintain_order="left")
    return pl.concat([mine, new]).drop("key").sort("ts", maintain_order=True), both.height
