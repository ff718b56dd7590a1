"""Is a variant better than the live configuration? compare (COMPUTE): row 0 is live, variants below. Called by the catalog.

Each variant is compared with row 0 by the difference of mean daily returns over the whole days that both traded: a run that a
breaker ended has no returns after it (bootstrap.py, life.py). Without an end the span ends at the desk's time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from engine.clock import Timeframe
from engine.errors import BadInput
from engine.sim import bootstrap, versus
from engine.sim.life import favours, life_of
from tools import runs
from tools.common.contract import Args, Effect, Evidence, Fact, Table, ToolContext, ToolResult, asked_as, make_facts, tool
from tools.setups import (
    CostArgs,
    ParamChange,
    Setup,
    full_params,
    label_of,
    live_setup,
    lived_span,
    named_setup,
    runs_of,
    values_of,
)

VARIANTS_MAX = 3
SHARPE_INTERVAL = "Sharpe, 95 % interval"


class Variant(Args):
    """What differs from the live configuration."""

    changes: list[ParamChange] = Field(min_length=1, max_length=30)


class CompareArgs(CostArgs):
    """`sleeve`: its live configuration is row 0; or strategy, symbol, timeframe to find it by."""

    variants: list[Variant] = Field(min_length=1, max_length=VARIANTS_MAX)
    sleeve: str | None = Field(None, max_length=60)
    strategy: str | None = Field(None, max_length=60)
    symbol: str | None = Field(None, max_length=30)
    timeframe: Timeframe | None = None


@tool(
    "compare",
    Effect.COMPUTE,
    asked_as(
        "",
        "compare a 2 ATR with a 3 ATR stop for the BTC trend sleeve over 2025; what if the ETH stop was 3 ATR?; fast 20 "
        "against fast 60 on BTC for 2025; which is better, stop at 2 or 3 ATR for btc trend?; does a wider stop help? try "
        "2.5 and 3.5 ATR on the BTC trend sleeve; would a 3 ATR target be better for ETH?; compare the live BTC trend "
        "settings with a stop of 3 ATR; is it worth going from 2 to 3 ATR on the BTC stop?; try a tighter stop (1.5 ATR) "
        "on btc-trend vs what we have; would loosening the stop to 4 ATR on btc-trend make sense?; check whether "
        "fast_bars 30 beats fast_bars 60 on ETH; how does a 1.5 ATR stop stack up against the current one for BTC?; stop "
        "1.5 or 2.5 for btc-trend over 2025; what would change if btc-trend used a 4 atr trail?; fast 20 or 40 on "
        "eth-trend; is a stop of 2.5 any better for eth-trend?",
    ),
    asked_as("models", "does the regime help?; is btc-vol better with its model than without?; does predicted volatility help?"),
)
def compare(ctx: ToolContext, args: CompareArgs) -> ToolResult:
    """Backtest variants against the live configuration (row 0) on the same bars and costs, with an interval on the
    difference of mean daily returns; "cannot be told apart" when it spans zero."""
    base, sleeve = base_of(ctx, args)
    setups, same = variants_of(base, args.variants)
    done = runs_of(ctx, [base, *setups], lived_span(ctx, args.start, args.end), args.costs())
    if done.instead:
        return done.instead
    result = comparison_result(ctx, [base, *setups], done.runs, sleeve, same)
    return result._replace(data={**result.data, "listed": listed_rows(base, setups, args.variants)})


def base_of(ctx: ToolContext, args: CompareArgs) -> tuple[Setup, str | None]:
    """Row 0 and the sleeve it belongs to: the named one, or the one that runs this; without any, the strategy's defaults."""
    from engine.control.config import active

    now = active(ctx.engine, ctx.home)
    desk = now.config
    if args.sleeve:
        return live_setup(desk.sleeve(args.sleeve), now.sleeves[args.sleeve]), args.sleeve
    if not (args.strategy and args.symbol):
        raise BadInput(
            "compare needs a sleeve, or a strategy and a symbol", f"sleeves: {', '.join(s.name for s in desk.sleeves)}"
        )
    wanted = {"strategy": args.strategy, "symbol": args.symbol.upper(), "timeframe": args.timeframe, "venue": args.venue}
    found = [s for s in desk.sleeves if all(v is None or getattr(s, k) == v for k, v in wanted.items())]
    if found:
        return live_setup(found[0], now.sleeves[found[0].name]), found[0].name
    setup = named_setup(args.strategy, args.symbol, args.timeframe or "15m", args.venue)
    return setup._replace(label="defaults (no sleeve runs this)"), None


def variants_of(base: Setup, variants: Sequence[Variant]) -> tuple[list[Setup], list[str]]:
    """The variants that differ from row 0 and from each other, and the labels of those that do not."""
    kept: list[Setup] = []
    same: list[str] = []
    seen = [full_params(base.sleeve)]
    for variant in variants:
        changes = values_of(variant.changes)
        setup = base.having(label_of(changes), {**base.sleeve["params"], **changes})
        full = full_params(setup.sleeve)
        (same if full in seen else kept).append(setup.label if full in seen else setup)  # type: ignore[arg-type]  # one or the other
        seen.append(full)
    return kept, same


def listed_rows(base: Setup, kept: Sequence[Setup], variants: Sequence[Variant]) -> list[int]:
    """The row of each variant in the order in which the person listed them; 0 for one that is the live configuration."""
    rows = [full_params(setup.sleeve) for setup in (base, *kept)]
    return [
        rows.index(full_params({**base.sleeve, "params": {**base.sleeve["params"], **values_of(v.changes)}})) for v in variants
    ]


def comparison_result(
    ctx: ToolContext, setups: Sequence[Setup], found: Sequence[Mapping[str, Any]], sleeve: str | None, same: Sequence[str]
) -> ToolResult:
    """The table of a comparison, row 0 first, with each variant's difference and verdict."""
    facts: list[Fact] = []
    rows, told = [], []
    for n, (setup, run) in enumerate(zip(setups, found, strict=True)):
        subject = f"{runs.subject_of(run)}, {setup.label}"
        facts += runs.facts_of(ctx, run, subject)
        h = runs.handle_of(ctx, run)
        cells = [n, setup.label, run["run_id"], *(f"{{{h}.{m}}}" for m in ("total_return_frac", "optimistic_return_frac"))]
        cells += [f"{{{h}.sharpe}}", sharpe_interval(h, run) or "-"]
        cells += [f"{{{h}.{m}}}" for m in ("max_drawdown_frac", "trades", "fees")]
        life = life_of(run)
        cells.append("; stopped ".join(filter(None, (life.share, life.ended))) or "-")
        if n:
            gap = versus.gap(runs.store(ctx), found[0], run, len(setups) - 1)
            x = ctx.handle("x", f"{found[0]['run_id']}|{run['run_id']}")
            facts += gap_facts(x, f"{setup.label} against {setups[0].label}", run["run_id"], gap)
            shown = f"{{{x}.difference_bps}} ({{{x}.low_bps}} to {{{x}.high_bps}})" if gap.low is not None else "-"
            rows.append((*cells, shown, gap.verdict))
            told.append((gap, setup, run, x))
        else:
            rows.append((*cells, "-", "row 0"))
    level = percent(1 - bootstrap.ALPHA / max(1, len(setups) - 1))
    columns = ("#", "configuration", "run", "return", "optimistic", "Sharpe", SHARPE_INTERVAL, "drawdown", "round trips")
    table = Table((*columns, "fees", "traded", f"difference a day ({level})", "verdict"), tuple(rows))
    evidence = tuple(Evidence("run", run["run_id"]) for run in found)
    data = summary(setups, found, told, sleeve)
    text = " ".join([*sentences(ctx, setups, found, told, same), method(told), tried(ctx, told)]).strip()
    return ToolResult("ok", text, tuple(facts), evidence, table, data)


def sharpe_interval(handle: str, run: Mapping[str, Any]) -> str:
    """Both ends of the 95 % interval of a run's Sharpe ratio, which alone says whether it is one; empty where it has none."""
    known = run["metrics"].get("sharpe_low") is not None and run["metrics"].get("sharpe_high") is not None
    return f"{{{handle}.sharpe_low}} to {{{handle}.sharpe_high}}" if known else ""


def tried(ctx: ToolContext, told: Sequence[Any]) -> str:
    """Of each variant: which of how many of its hypothesis it is, and what is left of its Sharpe ratio after so many."""
    from engine.research.ledger import place_of_run

    places = [(setup.label, place_of_run(ctx.engine, run["run_id"])) for _, setup, run, _ in told]
    return " ".join(f"{label} is {place.text}." for label, place in places if place is not None)


def gap_facts(handle: str, subject: str, run_id: str, gap: bootstrap.Difference) -> tuple[Fact, ...]:
    """The difference of mean daily returns and its interval, in bps a day."""

    def bps(value: float | None) -> float | None:
        return None if value is None else value * 1e4

    ends = {"difference_bps": gap.mean, "low_bps": gap.low, "high_bps": gap.high}
    values: dict[str, Any] = {name: (bps(value), "bps") for name, value in ends.items()}
    return make_facts(handle, subject, Evidence("run", run_id), values | {"compared_days": (gap.days, "count")})


def sentences(ctx: ToolContext, setups: Any, found: Any, told: Any, same: Sequence[str]) -> list[str]:
    """The table in words: row 0 first, then each variant."""
    said = [runs.headline(ctx, found[0], f"Row 0 is {runs.subject_of(found[0])}, {setups[0].label}")]
    for gap, setup, run, x in told:
        h = runs.handle_of(ctx, run)
        what = f"{setup.label}: return {{{h}.total_return_frac}}, Sharpe {{{h}.sharpe}}"
        what += f" ({between})" if (between := sharpe_interval(h, run)) else ""
        life = life_of(run)
        what += f"; {life.text}" if life.ends else ""
        if gap.low is None:
            said.append(f"{what}; not comparable with row 0: {gap.why}.")
        elif gap.verdict == "the same":
            said.append(f"{what}; the same as row 0 on every day.")
        else:
            span = f"{{{x}.difference_bps}} a day ({{{x}.low_bps}} to {{{x}.high_bps}})"
            word = f"{gap.verdict} than row 0" if gap.verdict in ("better", "worse") else f"{gap.verdict} from row 0"
            said.append(
                f"{what}; {word}: {span} over the {{{x}.compared_days}} whole days that both traded{caveat(found[0], run)}."
            )
    if same:
        said.append(f"Left out as identical to row 0 or another row: {'; '.join(same)}.")
    return said


def caveat(base: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """`; those days end where ...`: what favours one of the two; empty when nothing does."""
    text = favours(base, run, ("live", "other"))
    return f"; {text}" if text else ""


def method(told: Sequence[Any]) -> str:
    """How the interval was made."""
    if not told:
        return "Nothing to compare."
    gap = told[0][0]
    note = ", widened because several variants are compared" if len(told) > 1 else ""
    return f"Interval: {percent(gap.level)}{note}, stationary bootstrap of the paired differences of daily returns, fixed seed."


def summary(setups: Any, found: Any, told: Any, sleeve: str | None) -> dict[str, Any]:
    """The comparison as data, for a next step such as proposing the better variant."""
    base_params = setups[0].sleeve["params"]
    rows = [{"row": 0, "label": setups[0].label, "run_id": found[0]["run_id"], "changes": []}]
    for n, (gap, setup, run, _) in enumerate(told, start=1):
        changed = [
            {"key": k, "value": v} for k, v in setup.sleeve["params"].items() if k not in base_params or base_params[k] != v
        ]
        kept = {"verdict": gap.verdict, "caveat": favours(found[0], run, ("live", "other"))}
        rows.append({"row": n, "label": setup.label, "run_id": run["run_id"], "changes": changed, **kept})
    means = [0.0 if gap.low is None else gap.mean or 0.0 for gap, *_ in told]
    best = max(((mean, n) for n, mean in enumerate(means, start=1)), default=(0.0, 0))
    return {
        "sleeve": sleeve,
        "rows": rows,
        "best": best[1] if best[0] > 0.0 else 0,
        "told_apart": any(gap.verdict in ("better", "worse") for gap, *_ in told),
        "source": found[0]["data"]["source"],
        "first_ms": found[0]["data"]["first_ms"],
        "last_ms": found[0]["data"]["last_ms"],
    }


def percent(level: float) -> str:
    """`95 %`, `98.3 %`."""
    return f"{level * 100:.1f} %".replace(".0 %", " %")
