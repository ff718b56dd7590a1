"""The findings on a file that was read, by its kind, and those of two files compared.

Called by `nightdesk data check` and by importing.py; the checks themselves are engine/data/checks.py and compare_sources.py.
"""

import time
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.data.files import RawFile
    from engine.data.issues import DataIssue


NEXT = {  # rule -> what to do about it
    "gap": "get the missing rows too, take a part without them, or aggregate to a longer timeframe",
    "stride": "get the range again",
    "duplicate": "leave one of each",
    "shifted": "give the open times, in UTC",
    "timeframe": "correct the name, or add --timeframe",
    "unfinished": "leave out what has not closed",
    "zero-volume": "leave out the rows after trading ended",
    "unit": "give the volume in base units throughout",
    "twin": "check which instrument it is, then --symbol, --market or --venue; --tag stores it all the same",
    "heikin-ashi": "export plain candles",
}


def advice(found: "DataIssue") -> str:
    """What to do about a finding that kept a file out."""
    return NEXT.get(found.rule, "correct the file, or get it again")


def judge(raw: "RawFile") -> list["DataIssue"]:
    """Findings of one file, by its kind; a table of several coins is checked coin by coin, with row numbers of the full table."""
    import polars as pl

    from engine.data.issues import DataIssue

    if not raw.group:
        return _judge_one(raw, raw.frame)
    numbered = raw.frame.with_row_index("row")
    found = []
    for (coin,), part in numbered.group_by(raw.group, maintain_order=True):
        rows = part["row"].to_list()
        for f in _judge_one(raw, part.drop("row", raw.group)):
            found.append(DataIssue(f.rule, f.severity, tuple(rows[r] for r in f.rows), f"{coin}: {f.text}"))
    if not found and raw.frame.select(pl.len()).item() == 0:
        raise BadInput(f"{raw.path} has no rows", "download it again")
    return found


def _judge_one(raw: "RawFile", frame: Any) -> list["DataIssue"]:
    """Findings of one instrument's rows."""
    from engine.data.checks import check, check_funding, check_series

    if raw.kind == "funding":
        return check_funding(frame, time.time_ns() // 1_000_000)
    if not raw.timeframe_ms:
        raise no_timeframe(raw)
    if raw.kind == "series":  # indices pause at weekends, statistics start late: only timestamps can be errors
        found = check_series(frame, raw.timeframe_ms)
        return [f if f.rule in ("unsorted", "duplicate") else f._replace(severity="warning") for f in found]
    return check(frame, raw.timeframe_ms, time.time_ns() // 1_000_000, raw.empty_ms)


def no_timeframe(raw: "RawFile") -> BadInput:
    """What to say of rows that are on no timeframe of ours: seconds, or irregular times."""
    from engine.data.dialects.times import usual_step

    step = usual_step(raw.frame["ts"])
    if 0 < step < 60_000:
        return BadInput(f"{raw.path}: rows are {step / 1000:g} s apart, and the shortest timeframe is 1m", "aggregate them to 1m")
    what = f"{raw.path} has no regular timeframe (columns {', '.join(raw.frame.columns)})"
    return BadInput(
        what, "only bars, marks, funding and other regularly spaced series can be read: add --timeframe if it has one"
    )


def compare(raw: "RawFile", other: "RawFile") -> list["DataIssue"]:
    """Findings from comparing two sources of bars, marks or settlements; names say whether both are of the same market."""
    from engine.data.compare_sources import compare_sources
    from engine.data.funding_checks import compare_funding

    if raw.kind == other.kind == "funding" and not raw.group and not other.group:
        return compare_funding(raw.frame, other.frame)
    for one in (raw, other):
        if one.kind not in ("bars", "marks", "prices") or not one.timeframe_ms or one.group:
            raise BadInput(f"{one.path} contains {one.kind}; --against compares bars", "give two files of bars")
    mine, theirs = raw.named, other.named
    same = raw.kind == other.kind and all(not a or not b or a == b for a, b in zip(mine[:3], theirs[:3], strict=True))
    return compare_sources(raw.frame, other.frame, same, (raw.timeframe_ms, other.timeframe_ms))
