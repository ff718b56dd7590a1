"""What a maker is made of, as typed: the options that `nightdesk making backtest` and `paper` share, and the fees.

Called by app/cli/making.py and app/cli/making_paper.py.
"""

from typing import TYPE_CHECKING, Any

import typer

from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.making.report import MakerFees
    from engine.making.simulation import MakingOptions

QUOTER = typer.Option("symmetric", "--quoter", help="symmetric, or as (Avellaneda and Stoikov).")
SIZE = typer.Option(0.01, "--size", help="Of a quote, base units.")
INVENTORY = typer.Option(0.05, "--inventory", help="No quote that may lead beyond it, base units.")
HALF_SPREAD = typer.Option(1.0, "--half-spread-bps", help="symmetric: from the middle; 0 quotes at the best.")
GAMMA = typer.Option(0.1, "--gamma", help="as: risk aversion, 1/bps.")
KAPPA = typer.Option(1.0, "--kappa", help="as: decay of fills by distance, 1/bps.")
HORIZON = typer.Option(10.0, "--horizon-s", help="as: how far ahead inventory is a risk.")
REQUOTE = typer.Option(0.5, "--requote-bps", help="A quote that near to its place stays in its queue.")
PACE = typer.Option(100, "--pace-ms", help="Between two requests of a side; a pull does not wait.")
TOXIC = typer.Option(0.0, "--toxic-flow", help="Net taker flow within a second that pulls a side; 0: off.")
STALE = typer.Option(1_000, "--stale-ms", help="A book that heard nothing for so long has no quotes.")
LATENCY = typer.Option(20, "--latency-ms", help="From a message received to the order at the venue.")
RESPONSE = typer.Option(10, "--response-ms", help="From the venue until it is known.")
QUEUE = typer.Option("last", "--queue", help="last: who cancels was behind; even: ahead and behind alike.")
MAKER = typer.Option(None, "--maker-bps", help="Fee; negative: a rebate. Default: that of your tier.")
TAKER = typer.Option(None, "--taker-bps", help="Fee of closing what is left. Default: that of your tier.")
FUNDING = typer.Option("recorded", "--funding", help="Of a tape of a perpetual: recorded, none, or assume=BPS (per 8 hours).")
REBATE = typer.Option(0.5, "--rebate-bps", help="Shown beside: what a rebate would make of the same fills.")
INVENTORY_MAX = typer.Option(0.1, "--inventory-max", help="Guardrail: more inventory halts the quoting.")
LOSS_MAX = typer.Option(100.0, "--loss-max", help="Guardrail: a larger loss, quote currency, halts it.")
AGE_MAX = typer.Option(5_000, "--quote-age-max-ms", help="Guardrail: a quote nobody confirmed so long halts it.")
ORDERS_MAX = typer.Option(30, "--orders-second-max", help="Guardrail: more requests a second halt it.")
FIELDS = {"half_spread": "half_spread_bps", "horizon": "horizon_s", "requote": "requote_bps", "pace": "pace_ms"}
FIELDS |= {"toxic": "toxic_flow", "stale": "stale_ms", "latency": "latency_ms", "response": "response_ms"}
FIELDS |= {"age_max": "quote_age_max_ms", "orders_max": "orders_second_max"}


def options_of(typed: "dict[str, Any]") -> "MakingOptions":
    """The options among what was typed, by the names of the command's arguments."""
    from engine.making.simulation import MakingOptions

    named = {FIELDS.get(name, name): value for name, value in typed.items()}
    return MakingOptions(**{name: named[name] for name in MakingOptions._fields if name in named})


def fees_of(venue: str, symbol: str, market: str, maker: float | None, taker: float | None, rebate: float) -> "MakerFees":
    """Fees as fractions: those given, else the desk's tier. Raises BadInput for others, and where the venue's are not known."""
    from engine.control.desk_setup import desk_setup
    from engine.making.report import MakerFees
    from engine.venues.instruments import costs_of

    for name, bps in (("maker", maker), ("taker", taker)):
        if bps is not None and not -100.0 <= bps <= 100.0:
            raise BadInput(f"--{name}-bps {bps:g}", "-100 to 100")
    if not 0.0 <= rebate <= 100.0:
        raise BadInput(f"--rebate-bps {rebate:g}", "0 to 100")
    if maker is None or taker is None:
        try:
            costs = costs_of(venue, symbol, market, desk_setup().overrides)
        except BadInput as error:
            raise BadInput(error.what, "give --maker-bps and --taker-bps") from error
        maker = costs.maker_frac * 1e4 if maker is None else maker
        taker = costs.taker_frac * 1e4 if taker is None else taker
    return MakerFees(maker / 1e4, taker / 1e4, rebate / 1e4)
