"""The card of a market maker's step: account, quotes, guardrails, and the ground that it was judged on.

Called by app/views/proposal_card.py.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from engine.amounts import percent_text

GUARDRAILS = ("inventory_max", "loss_max", "quote_age_max_ms", "orders_second_max")


def maker_rows(diff: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(label, cells) of what a maker runs by once the step is approved; nothing for a step down."""
    if not (terms := diff["terms"]):
        return
    options, ground = terms["options"], diff["tapes"]["ground"]
    halted = "leaves its inventory at the market" if terms["flatten"] else "keeps its inventory"
    place = f"{terms['venue']} {terms['symbol']} {terms['market']}"
    yield "account", (f"{terms['account']}: {place}; a halt {halted}",)
    yield "quotes", (f"{options['quoter']}, {options['size']:g} a quote, inventory at most {options['inventory']:g}",)
    yield "guardrails", (", ".join(f"{name} {options[name]:g}" for name in GUARDRAILS),)
    yield "maker before", (str(diff["after"]),)
    days, usable = ground["substrate"]["days"], ground["substrate"]["usable_frac"]
    yield "ground", (f"{ground['verdict']}: {ground['why']}; {days:.3g} days, {percent_text(usable)} usable",)
    yield "tapes", (f"{diff['tapes']['folder']}, sha256 {diff['tapes']['sha256'][:12]}",)
