"""How far round trips went against and for their position: MAE and MFE of a run or of the desk (READ). Called by the catalog.

The measure is sim/excursions.with_excursions for both: a run keeps it with its trips, the desk has it from its journal
(engine.watch.desk_excursions); here it becomes facts with their receipts.
"""

from pydantic import Field

from engine.book.bodies import SIMULATED
from tools.common.contract import Args, Effect, Fact, Table, ToolContext, ToolResult, Value, asked_as, make_facts, no_data, tool
from tools.common.time_words import NEVER_RAN
from tools.figures import DESK, IN_INCIDENTS, Exit, Side, TripsArgs, bars_of, left_out, narrowed, trips_of
from tools.runs import TRIP

LISTED = {"mae": "usd", "mfe": "usd", "mae_r": "ratio", "mfe_r": "ratio", "net": "usd", "r": "ratio"}
LISTED |= {name: TRIP[name] for name in ("entry_ms", "exit_ms")}
AGAINST = "at fill prices and extremes of bars, before fees and funding; MAE counts positive."
OF_DESK = "Bars: those that the desk's own journal has."
INSIDE = " Of an account the whole bar of a fill between two closes counts against the position, also the part before the fill."


class ExcursionsArgs(Args):
    """subject: a run's id or desk. worst: so many that went farthest against; else winners, losers, exits. The rest narrows."""

    subject: str = Field(DESK, max_length=80)
    sleeve: str | None = Field(None, max_length=60)
    side: Side | None = None
    exit: Exit | None = None
    since: str | None = Field(None, max_length=40)
    until: str | None = Field(None, max_length=40)
    worst: int | None = Field(None, ge=1, le=20)


@tool(
    "excursions",
    Effect.READ,
    asked_as(
        "",
        "show MAE and MFE; how far do trades go against us?; mae and mfe of the last run; how far did winners go against us?; "
        "how much do losers give back?; MAE by exit; median MAE of btc; how far do trades go in our favour?; "
        "worst excursions of the desk; maximum adverse excursion of the shorts; mae mfe of eth this month",
    ),
)
def excursions(ctx: ToolContext, args: ExcursionsArgs) -> ToolResult:
    """MAE and MFE of round trips of a run or the desk, in money and R: median, mean, most; of winners, losers and each exit; or
    the n that went farthest against."""
    from engine.sim.breakdown import farthest, reach
    from engine.watch.desk_excursions import reached_trips

    of_trips = TripsArgs(**args.model_dump(exclude={"worst"}))
    found, evidence, apart = trips_of(ctx, of_trips, reached_trips)
    if found is None:
        return no_data(NEVER_RAN)
    groups = reach(found)
    if groups.is_empty():
        inside = " but for those that were open in an incident window" if apart else ""
        return no_data(f"no closed round trips of {args.subject}{narrowed(of_trips)}{inside}")
    label = f"{args.subject} {args.model_dump_json(exclude_none=True)}"
    facts: list[Fact] = []
    handles: dict[str, str] = {}
    rows: list[tuple[Value, ...]] = []
    units = {name: "count" if name == "trips" else "ratio" if name.endswith("_r") else "usd" for name in groups.columns[1:]}
    for row in groups.to_dicts():
        h = handles[row["key"]] = ctx.handle("k", f"excursions {label} {row['key']}")
        values: dict[str, tuple[Value, str]] = {name: (row[name], unit) for name, unit in units.items()}
        values |= {IN_INCIDENTS: (apart, "count")} if apart and row["key"] == "all" else {}
        facts += make_facts(h, f"excursions of {row['key']} round trips of {args.subject}", evidence, values)
        rows.append((row["key"], *(f"{{{h}.{name}}}" for name in units)))
    table = Table(("of", *units), tuple(rows))
    if args.worst is not None:
        rows = []
        for row in farthest(found, args.worst).to_dicts():
            h = ctx.handle("k", f"excursions {label} {row['trip']}")
            values = {name: (row[name], unit) for name, unit in LISTED.items()}
            facts += make_facts(h, f"round trip {row['trip']} of {args.subject}", evidence, values)
            rows.append((*(row[name] for name in ("trip", "sleeve", "side", "reason")), *(f"{{{h}.{name}}}" for name in LISTED)))
        table = Table(("trip", "sleeve", "side", "reason", *LISTED), tuple(rows))
    text = f"{_verdict(handles)} {{{handles['all']}.trips}} closed round trips of {args.subject}{bars_of(ctx, args.subject)}"
    text += f"{narrowed(of_trips)}; {AGAINST}{_bars(ctx) if args.subject == DESK else ''}"
    text += left_out(handles["all"], apart)
    return ToolResult("ok", text, tuple(facts), (evidence,), table, {"subject": args.subject})


def _verdict(handles: dict[str, str]) -> str:
    """What the median, the winners and the losers did, by the handles of their facts."""
    h, won, lost = (handles.get(name) for name in ("all", "winners", "losers"))
    text = f"The median round trip went {{{h}.mae_median}} ({{{h}.mae_median_r}} R) against us and "
    text += f"{{{h}.mfe_median}} ({{{h}.mfe_median_r}} R) in our favour; the farthest {{{h}.mae_worst}} against."
    if won is not None:
        text += f" Winners: {{{won}.mae_median}} ({{{won}.mae_median_r}} R) against us before they won, "
        text += f"the farthest {{{won}.mae_worst}}."
    if lost is not None:
        text += f" Losers: up {{{lost}.mfe_median}} ({{{lost}.mfe_median_r}} R) at their best before they gave it back, "
        text += f"the most {{{lost}.mfe_best}}."
    return text


def _bars(ctx: ToolContext) -> str:
    """Which bars the desk's are of."""
    from engine.watch.window import journal_of, mode_of

    return f" {OF_DESK}{'' if mode_of(journal_of(ctx.home)) in SIMULATED else INSIDE}"
