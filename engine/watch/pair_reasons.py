"""Why a pair of a basket traded nothing at a close: its spread, its fit, a rule, or that it waits after a stop.

Called by quiet_closes.py, `journal explain` and the tool explain_event, where a sleeve of one instrument has its signal. Read
from the mark of that close and the terms of the configuration in force: what neither of them says is ruled out one after the
other, in the order in which the core asks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.book.bodies import RESTING
from engine.book.quiet_close import pause_text
from engine.store.chain import Event
from engine.watch.kept_lines import trading_lines
from engine.watch.window import FAR_MS

NO_FIT, NO_BAR, BELOW, BEYOND, COOLING = (
    "no fit of the spread", "a leg has no bar", "spread below entry", "spread beyond its stop", "cooling after a stop",
)  # fmt: skip
LEAVING, IN_PAIR, ENTERED = "leaving a pair", "in a pair", "entered"
NEAREST = (ENTERED, LEAVING, IN_PAIR, "", COOLING, BEYOND, BELOW, NO_BAR, NO_FIT)  # to a trade; "": refused by a rule


class PairReason(NamedTuple):
    """One pair at one close. `kind`: to be counted by; `rule`: it was refused by a guardrail."""

    pair: str
    kind: str
    text: str
    rule: bool = False

    @property
    def rank(self) -> int:
        """How near it was to a trade; 0 is one."""
        return NEAREST.index("" if self.rule else self.kind)


def reasons_of(mark: Mapping[str, Any], terms: Mapping[str, float], symbol: str = "") -> list[PairReason]:
    """Of each pair of a mark's body, or of those alone that have a leg (`BTC-USDT`)."""
    pairs = mark["basket"]["pairs"]
    return [reason_of(pair, terms) for pair in pairs if not symbol or symbol in str(pair["pair"]).split()]


def reason_of(pair: Mapping[str, Any], terms: Mapping[str, float]) -> PairReason:
    """Of one pair of a mark."""
    name, z = str(pair["pair"]), pair.get("z")
    at = "" if z is None else f"spread {z:+.2f} deviations"
    if pair.get("side") != "flat":
        kind = ENTERED if pair.get("entering") else LEAVING if "leaving" in pair else IN_PAIR
        why = f", leaves by {pair['leaving']}" if "leaving" in pair else ", entry ordered" if kind == ENTERED else ""
        return PairReason(name, kind, f"{pair['side']}{why}, {at or 'spread not known'}")
    if pair.get("hedge") is None:
        return PairReason(name, NO_FIT, "no fit of its spread: too few bars of both legs, or no hedge ratio above 0")
    if z is None:
        return PairReason(name, NO_BAR, "a leg has no bar at this close: its spread is not known")
    if abs(z) < terms["enter"]:
        return PairReason(name, BELOW, f"{at}, below the entry at {terms['enter']:g}")
    if abs(z) >= terms["stop"]:
        return PairReason(name, BEYOND, f"{at}, beyond the stop at {terms['stop']:g}: not entered there")
    if rule := pair.get("refused_by"):
        return PairReason(name, str(rule), f"{at}, refused by {rule}", rule=True)
    return PairReason(name, COOLING, f"{at}, waits after a stop until its spread has been inside {terms['enter']:g}")


def terms_of(path: Path) -> dict[int, Mapping[str, float]]:
    """Version of the desk -> the terms of its basket."""
    found: dict[int, Mapping[str, float]] = {}
    for line in trading_lines(path, -1, FAR_MS, {"config"}):
        event = line.event()
        if event is not None and "basket" in event.body:
            found[event.body["version"]] = event.body["basket"]["terms"]
    return found


def leg_text(path: Path, mark: Event, sleeve: str, symbol: str) -> str:
    """What the pairs of a leg did at the close of a mark, the nearest to a trade first."""
    own = mark.body["sleeves"][sleeve]
    stage = own.get("stage", "paper")
    barred = f"the basket is {pause_text(own)}; " if own.get("paused") else f"its stage is {stage}; " if stage in RESTING else ""
    found = sorted(reasons_of(mark.body, terms_of(path)[mark.body["version"]], symbol), key=lambda one: one.rank)
    return barred + "; ".join(f"{one.pair}: {one.text}" for one in found)


def symbol_of(path: Path, sleeve: str) -> str:
    """The symbol of a leg's instrument, as pairs are named; "" for an unknown sleeve."""
    for line in trading_lines(path, -1, FAR_MS, {"config"}):
        event = line.event()
        for one in (event.body.get("sleeves") or ()) if event is not None else ():
            if one["name"] == sleeve:
                return str(one["instrument"]).split(":")[1]
    return ""


def is_of_leg(event: Event, sleeve: str, symbol: str) -> bool:
    """Whether an event is a leg's: its own, or a decision about a pair that has it."""
    return event.body.get("sleeve") == sleeve or (
        event.kind == "decision" and symbol != "" and symbol in str(event.body.get("pair", "")).split()
    )
