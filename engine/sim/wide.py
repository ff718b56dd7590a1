"""The raw signal: the same guardrails with limits too wide to bind, and what the desk's own limits would have refused.

Called by sim/resolve.py (the limits of `backtest --limits wide`) and sim/backtest.py (the count). Law 3 knows no bypass: every
entry still passes guardrails.review, which refuses what cannot be computed, what the venue would liquidate and what is less than
a lot. A strategy's own parameters (notional_frac_max, leverage_max, ...) hold as they are.
"""

from typing import Any, TypeVar

import polars as pl

from engine.core.state import OFF, Limits
from engine.errors import BadInput
from engine.strategies.rules import SleeveLimits

DESK, WIDE = "desk", "wide"
NO_WINDOW = (0, 0, 0, 0, 0, 0, 0)
FAR, MANY = OFF, 1 << 40  # what no fraction of equity and no count of a backtest reaches
ENTRIES = ("enter", "add")
Some = TypeVar("Some", Limits, SleeveLimits)


def is_wide(word: str) -> bool:
    """Whether `--limits` asks for the raw signal. Raises BadInput for another word."""
    if word not in (DESK, WIDE):
        raise BadInput(f"unknown limits {word!r}", f"use {DESK} or {WIDE}")
    return word == WIDE


def widened(limits: Some) -> Some:
    """The same limits, each so wide that it never binds."""
    wide: dict[str, Any] = {}
    for name, value in limits._asdict().items():
        if name.endswith("_max"):
            wide[name] = MANY if isinstance(value, int) else FAR
    quiet: dict[str, Any] = {"pause_hours": 0.0, "volume_times_min": 0.0, "funding_quiet_ms": 0, "no_entry": NO_WINDOW}
    return limits._replace(**wide, **{name: value for name, value in quiet.items() if name in limits._fields})


def counted(raw: pl.DataFrame, limited: pl.DataFrame, return_frac: float, liquidations: int = 0) -> dict[str, Any]:
    """What became of each entry order of the raw run in a second run over the same signals under the desk's limits.

    `raw`, `limited`: decisions of the two runs (sim/trips.decisions). `allowed`: ordered at the same close there too. `refused`:
    refused there by that rule, at that close or since an earlier one. `elsewhere`: not asked there, because that run was in
    another position: after the first refusal the two go different ways. `liquidations`: of the raw run.
    """
    asked = raw.filter(pl.col("action").is_in(ENTRIES)).select("sleeve", "close_ms").sort("close_ms")
    known = limited.filter(pl.col("action").is_in((*ENTRIES, "refused"))).select(
        "sleeve", "close_ms", pl.col("close_ms").alias("decided_ms"), "refused_by"
    )
    met = asked.join_asof(known.sort("close_ms"), on="close_ms", by="sleeve", strategy="backward", check_sortedness=False)
    refused = (
        met.filter(pl.col("refused_by").is_not_null()).group_by("refused_by").len().sort("len", "refused_by", descending=True)
    )
    allowed = met.filter(pl.col("refused_by").is_null() & (pl.col("decided_ms") == pl.col("close_ms"))).height
    rules = dict(refused.iter_rows())
    found = {"entries": len(asked), "allowed": allowed, "refused": rules, "total_return_frac": return_frac}
    found["liquidations"] = liquidations
    found["elsewhere"] = len(asked) - allowed - sum(rules.values())
    return found | {"text": sentence(found)}


def sentence(found: dict[str, Any]) -> str:
    """The stamp of every output of such a run."""
    rules = ", ".join(f"{rule} {count:,}" for rule, count in found["refused"].items())
    refused = f"{sum(found['refused'].values()):,}" + (f" ({rules})" if rules else "")
    text = "LIMITS WIDE: the raw signal, never evidence. "
    text += f"Of {found['entries']:,} entries the desk's limits would have refused {refused}"
    if found["elsewhere"]:
        text += f"; at {found['elsewhere']:,} the run under them was in another position"
    if found["liquidations"]:
        text += f". The venue would have liquidated it {found['liquidations']:,} times"
    return f"{text}. Under the limits: return {found['total_return_frac'] * 100:+.2f} %"
