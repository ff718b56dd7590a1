"""P&L and equity of the desk or of a run by day, week and month (READ). Called by the catalog.

The figures are engine.watch.periods'; here they become facts with their receipts: the run, or the journal's last mark.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from engine.clock import utc
from engine.errors import BadInput
from tools.common.contract import (
    Args,
    Effect,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    make_facts,
    no_data,
    tool,
)
from tools.common.time_words import NEVER_RAN, window_text
from tools.figures import DESK, bars_of, receipt_of
from tools.runs import store

if TYPE_CHECKING:
    from engine.watch.periods import Lately, Period

SPLIT = ("realised", "unrealised", "fees", "funding", "slippage", "net")
SUMS = "Realised is after the fees and funding of the {}; net = realised + unrealised."
OF_CURVE = ("net", "equity")  # what an equity curve says


class PnlArgs(Args):
    """The newest `limit` units; one sleeve, or null: the desk. equity: at each end. subject: a run's id or desk."""

    unit: Literal["day", "week", "month"] = "day"
    sleeve: str | None = Field(None, max_length=60)
    limit: int = Field(12, ge=1, le=60)
    equity: bool = False
    subject: str = Field(DESK, max_length=80)


@tool(
    "pnl",
    Effect.READ,
    asked_as(
        "",
        "p&l by week; how much did we make each day?; how much did we make this month?; "
        "how are we doing?; how's the month going?; are we up or down this "
        "week?; profit per month; best day so far; worst week; p&l of yesterday; how are we doing this week compared to "
        "last week?; are we winning or losing money?; good month or bad month?; what's the trend of our equity?; how did "
        "btc do this week?; p&l per day; net result per week; did we make money today?; how did we do yesterday?; how did "
        "btc do?; how has eth done?; pnl this week; was march worse than february?; which month was better, october or "
        "november?; worst three days; what did we earn yesterday?; how much did we earn last week?",
    ),
)
def pnl(ctx: ToolContext, args: PnlArgs) -> ToolResult:
    """P&L of the desk or a sleeve by day, week or month: realised, unrealised, fees, funding, slippage, net; and today, 7 and
    30 days, since the start, in money and R. Of a run, or with equity: net and equity."""
    from engine.watch.periods import lately

    if args.subject == DESK and ctx.desk_ms is None:
        return no_data(NEVER_RAN)
    about = args.sleeve or "the desk" if args.subject == DESK else args.subject
    found, evidence = _periods(ctx, args), receipt_of(ctx, args.subject)
    if not found:
        return no_data(NEVER_RAN if args.subject == DESK else f"run {args.subject} has no equity curve")
    names: tuple[str, ...] = OF_CURVE if args.equity or args.subject != DESK else SPLIT
    names += ("incident", "strategy") if any(period.incident for period in found) else ()
    facts: list[Fact] = []
    rows, handles = list[tuple[Value, ...]](), list[str]()
    for period in found:
        own = ctx.handle("y", f"{args.unit} {about} {period.from_ms} {period.until_ms}{' equity' if 'equity' in names else ''}")
        kept: dict[str, tuple[Value, str]] = {name: (getattr(period, name), "usd") for name in names}
        subject = f"{args.unit} from {utc(period.from_ms)} of {about}"
        facts += make_facts(own, subject, evidence, kept, window_text(period.from_ms, period.until_ms))
        rows.append((utc(period.from_ms), *(f"{{{own}.{name}}}" for name in names)))
        handles.append(own)
    text = _equity_text(found, handles, f"{about}{bars_of(ctx, args.subject)}", args.unit) if "equity" in names else ""
    if args.subject == DESK:
        h = ctx.handle("y", f"lately {about} {ctx.desk_ms}")
        values, said = _lately_text(h, lately(ctx.home, args.sleeve))
        facts += make_facts(h, f"P&L of {about}", evidence, values)
        text += f"Net P&L of {about} at {utc(ctx.desk_ms or 0)}: {said}"
        text += "." if "equity" in names else f". {SUMS.format(args.unit)}"
    table = Table((args.unit, *names), tuple(rows))
    return ToolResult("ok", text.strip(), tuple(facts), (evidence,), table, {"unit": args.unit, "subject": args.subject})


def _periods(ctx: ToolContext, args: PnlArgs) -> "list[Period]":
    """The periods of the desk or of a run, oldest first. Raises BadInput for a sleeve of a run."""
    from engine.watch.periods import curve_periods, periods

    if args.subject == DESK:
        return periods(ctx.home, args.unit, args.sleeve, args.limit)
    run, curve = store(ctx).load(args.subject), store(ctx).frame(args.subject, "equity")
    if args.sleeve is not None:
        raise BadInput(f"run {args.subject} keeps the equity of all its sleeves together", "leave the sleeve out, or ask `trips`")
    begun = int(run["data"]["first_ms"]), float(run["cash"])
    return curve_periods(curve["close_ms"].to_numpy(), curve["equity"].to_numpy(), begun, args.unit, args.limit)


def _equity_text(found: "Sequence[Period]", handles: Sequence[str], about: str, unit: str) -> str:
    """Where the equity ended, and the highest and the lowest of the ends shown."""
    known = [n for n, period in enumerate(found) if period.equity is not None]
    if not known:
        return f"The journal does not say the equity of {about}. "
    low, high = (pick(known, key=lambda n: found[n].equity or 0.0) for pick in (min, max))
    last = known[-1]
    return (
        f"Equity of {about} at the end of each {unit}: {{{handles[last]}.equity}} at {utc(found[last].until_ms)}; of the "
        f"last {len(found)} the highest {{{handles[high]}.equity}} at {utc(found[high].until_ms)}, the lowest "
        f"{{{handles[low]}.equity}} at {utc(found[low].until_ms)}. "
    )


def _lately_text(h: str, spans: "dict[str, Lately]") -> tuple[dict[str, tuple[Value, str]], str]:
    """What was made lately: the facts, and the words with their references."""
    values: dict[str, tuple[Value, str]] = {}
    for name, span in spans.items():
        values |= {name: (span.net, "usd"), f"{name}_r": (span.r, "ratio"), f"{name}_trips": (span.trips, "count")}
        apart = span.incident if name == "start" else None
        values |= {"in_incidents": (apart, "usd"), "strategies": (span.strategy, "usd")} if apart else {}
    said = f"today {{{h}.today}}, 7 days {{{h}.d7}}, 30 days {{{h}.d30}}, since the start {{{h}.start}}"
    if "in_incidents" in values:
        said += f", of it {{{h}.in_incidents}} in incidents and {{{h}.strategies}} by the strategies"
    return values, said
