"""The figures of docs/reliability.md: between its two marks, from the results that were kept. Every one of them was run."""

import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fakes.exchange.faults import KINDS
from tests.storms.plan import PAIRS, UNMET, VENUES
from tests.storms.results import Results
from tests.storms.runs import percentiles

BEGIN, END = "<!-- figures: python -m tests.storms report -->", "<!-- end of figures -->"
ABOUT = {
    "fault": "each kind of fault alone",
    "pair": "pairs of kinds",
    "halt": "halted in the middle of a fault",
    "restart": "killed in the middle of a fault, behind the gate",
    "kill": "killed at every eighth journal event",
    "drawdown": "a drawdown limit that is reached",
    "same": "each seed twice, in two processes",
    "fair": "without faults",
    "day": "drawn faults and kills",
}
PORT = "port"  # counted apart: neither ccxt nor an adapter is in it
# kinds at which something has to be withheld while they last; the others are answered by asking again, or change nothing
WITHHELD = (
    *("timeout_before", "late", "read_timeout", "http_5xx", "html", "rate_limit", "ban", "maintenance", "clock_skew"),
    *("drop_fills", "drop_fills_rest", "ws_mute", "ws_cut", "bad_login", "stale_candles", "wrong_candle", "stranger"),
)
Row = Mapping[str, Any]


def write(path: Path, results: Results) -> None:
    """Put the tables into the page. Raises ValueError for a page without the marks, or without any result."""
    rows = list(results.read().values())
    if not rows:
        raise ValueError(f"no results in {results.path}: python -m tests.storms first")
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{path} has to have {BEGIN} and {END}, once each")
    head, rest = text.split(BEGIN)
    path.write_text(f"{head}{BEGIN}\n\n{tables(rows, results.path.stem)}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def tables(rows: Sequence[Row], source: str) -> str:
    """All of them, in the page's order."""
    real = [row for row in rows if row["part"] != PORT]
    made = (run_table(rows, source), acted_table(real), pairs_table(real), times_table(real), halts_table(real), broken(rows))
    return "\n".join(made)


def table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A table of Markdown."""
    written = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*written, *("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)]) + "\n"


def total(rows: Iterable[Row], key: str) -> float:
    """Sum of a figure."""
    return sum(row.get(key, 0) for row in rows)


def run_table(rows: Sequence[Row], source: str) -> str:
    """What was run, by part."""
    commits = ", ".join(sorted({row["commit"] for row in rows}))
    parts = [(ABOUT[part], [row for row in rows if row["part"] == part]) for part in ABOUT]
    real, ported = [row for row in rows if row["part"] != PORT], [row for row in rows if row["part"] == PORT]
    lines = []
    for about, some in [*parts, ("**all of these**", real), ("at the port: drawn faults and kills, without ccxt", ported)]:
        days = [f"{total((r for r in some if r['venue'] == venue), 'days'):.1f}" for venue in VENUES]
        figures = [f"{total(some, key):,.0f}" for key in ("looks", "orders", "fills", "kills")]
        acts = sum(sum(row.get("acted", {}).values()) for row in some)
        wrong = sum(len(row["wrong"]) for row in some)
        lines.append((about, len(some), *days, *figures, f"{acts:,}", wrong, f"{total(some, 'cpu_s'):,.0f}"))
    head = (
        "runs",
        "number",
        *(f"days {venue}" for venue in VENUES),
        "looks",
        "orders",
        "fills",
        "kills",
        "faults acted",
        "broken",
    )
    days = f"**{total(real, 'days'):.0f} simulated days with ccxt, {total(ported, 'days'):.0f} at the port.**"
    carried = Counter(row["source"] for row in rows if "source" in row)
    older = "".join(f" {count} of the runs were made on `{name}`." for name, count in sorted(carried.items()))
    intro = f"Source `{source}` (commit {commits}), Python {platform.python_version()}. {days}{older}\n"
    same, of = total(rows, "same"), total(rows, "of")
    after = f"\nThe same seed gave the same journal, byte for byte, {same:.0f} times of {of:.0f}, in a process of its own each.\n"
    return f"{intro}\n{table((*head, 'CPU s'), lines)}{after}"


def acted_table(rows: Sequence[Row]) -> str:
    """How often each kind has acted, and how long a position was without a stop at most where it was alone."""
    count: dict[str, Counter[str]] = {venue: Counter() for venue in VENUES}
    naked: dict[tuple[str, str], str] = {}
    for row in rows:
        count[row["venue"]].update(row.get("acted", {}))
        if row["part"] == "fault" and "naked_ms" in row:
            naked[row["name"].rpartition("/")[2], row["venue"]] = f"{row['naked_ms'] / 1000:.1f}"
    lines = [
        (
            f"`{kind}`",
            about,
            *(UNMET.get(kind) or f"{count[v][kind]:,}" for v in VENUES),
            *(naked.get((kind, v), "-") for v in VENUES),
        )
        for kind, about in KINDS.items()
    ]
    head = ("kind", "what the venue does", *VENUES, *(f"uncovered {venue}, s" for venue in VENUES))
    return f"### How often each fault has acted\n\n{table(head, lines)}"


def pairs_table(rows: Sequence[Row]) -> str:
    """Pairs that have acted in one window."""
    lines = []
    for venue in VENUES:
        met = {pair for row in rows if row["venue"] == venue for pair in row.get("pairs", ())}
        ran = [row for row in rows if row["part"] == "pair" and row["venue"] == venue]
        lines.append((venue, len(PAIRS), len(ran), len(met), sum(len(row["wrong"]) for row in ran)))
    return f"### Pairs of faults\n\n{table(('venue', 'pairs', 'runs', 'both acted', 'broken'), lines)}"


def times_table(rows: Sequence[Row]) -> str:
    """Detect and reconcile where a fault was alone; how long an execution takes into the journal on a fair day."""
    lines = []
    for venue in VENUES:
        times = [one for row in rows if row["venue"] == venue for one in row.get("times", ())]
        detect = [one[2] for one in times if one[1] and one[0] in WITHHELD and one[2] is not None]
        reconcile = [one[3] or 0 for one in times if one[0] != "stranger"]
        apart = [one[3] for one in times if one[0] != "stranger" and one[3] is not None]
        for what, values in (("detect", detect), ("reconcile", reconcile), ("reconcile, where it was apart", apart)):
            lines.append((venue, what, *spread(values)))
        fair = [row["lags"] for row in rows if row["venue"] == venue and row["part"] == "fair" and row.get("lags")]
        if fair:
            middle, high = (max(one[key] for one in fair) / 1000 for key in ("p50", "p99"))
            worst = max(one["worst"] for one in fair) / 1000
            lines.append(
                (
                    venue,
                    "an execution, into the journal",
                    sum(o["n"] for o in fair),
                    f"{middle:.2f}",
                    f"{high:.2f}",
                    f"{worst:.2f}",
                )
            )
    slow = sorted(
        ((one[2], row["name"]) for row in rows for one in row.get("times", ()) if one[1] and one[0] in WITHHELD and one[2]),
        reverse=True,
    )
    behind = sorted(
        ((one[3], row["name"]) for row in rows for one in row.get("times", ()) if one[3] and one[0] != "stranger"), reverse=True
    )
    worst = "".join(
        f"\nSlowest to {what}: {', '.join(f'`{name}` {ms / 1000:.1f} s' for ms, name in found[:6])}.\n"
        for what, found in (("detect", slow), ("reconcile", behind))
        if found
    )
    return f"### Times, on the virtual clock\n\n{table(('venue', 'what', 'number', 'p50 s', 'p99 s', 'worst s'), lines)}{worst}"


def spread(values: Sequence[int]) -> tuple[object, ...]:
    """Number, half, 99 of 100 and worst, in seconds."""
    found = percentiles(list(values))
    return (len(values), *(f"{found[key] / 1000:.2f}" for key in ("p50", "p99", "worst"))) if found else (0, "-", "-", "-")


def halts_table(rows: Sequence[Row]) -> str:
    """From the latch on."""
    lines = []
    for venue in VENUES:
        for about, faulty in (("no fault", False), ("in a fault", True)):
            some = [
                r
                for r in rows
                if r["venue"] == venue and r["part"] == "halt" and ("none" not in r["name"]) == faulty and "halt" in r
            ]
            states = Counter(row["halt"]["state"] for row in some)
            flat = [row["halt"]["flat_ms"] for row in some if row["halt"]["flat_ms"] is not None]
            last = max((row["halt"]["last_increase_ms"] for row in some), default=0)
            lines.append((venue, about, len(some), states["KILLED"], states["KILL_INCOMPLETE"], last, *spread(flat)[1:]))
    head = ("venue", "halted", "runs", "KILLED", "KILL_INCOMPLETE", "last increasing order after the latch, ms")
    return f"### Stop: from the latch to a flat account\n\n{table((*head, 'flat p50 s', 'p99 s', 'worst s'), lines)}"


def broken(rows: Sequence[Row]) -> str:
    """Every run that broke a rule, or none."""
    found = [f"- `{row['name']}`: {what}" for row in rows for what in row["wrong"]]
    return "### Broken\n\n" + ("\n".join(found) + "\n" if found else "None.\n")
