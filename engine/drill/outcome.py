"""What one drill found. Made by the drills of this folder, read by engine.drill.drill."""

from typing import Literal, NamedTuple

from engine.core.state import R_CORRELATED, R_FAMILY, R_GROSS, R_INSTRUMENT, R_LEAST, R_RISK, R_SIZE, R_WINDOW, RULES
from engine.drill.copied import DeskCopy

FIRED, NEVER, OUT_OF_REACH, OFF = "fired", "never_fired", "out_of_reach", "off"
State = Literal["fired", "never_fired", "out_of_reach", "off"]
Kind = Literal["refusal", "breaker", "exit", "halt", "pause"]


class DrillOutcome(NamedTuple):
    """A guard and what became of it. `by`: what fired it, or why it did not."""

    state: State
    by: str


class Drilled(NamedTuple):
    """The same with its place in the report. `where`: a sleeve, or `desk`."""

    kind: Kind
    name: str
    where: str
    state: State
    by: str


def fired(by: str) -> DrillOutcome:
    """It fired, under the desk's own limits."""
    return DrillOutcome("fired", by)


def never(by: str) -> DrillOutcome:
    """It is on, everything that should fire it was there, and it did not."""
    return DrillOutcome("never_fired", by)


def out_of_reach(by: str) -> DrillOutcome:
    """The desk's own numbers keep it from ever firing."""
    return DrillOutcome("out_of_reach", by)


DRAWDOWN_FIRST = "the desk's drawdown breaker comes first"
BY_NUMBERS = frozenset(  # rules by which the desk's own numbers keep a sleeve from ever entering
    RULES[code] for code in (R_WINDOW, R_SIZE, R_LEAST, R_RISK, R_GROSS, R_INSTRUMENT, R_FAMILY, R_CORRELATED)
)


def no_entry(why: str) -> DrillOutcome:
    """A drill whose entry was not let through: the desk's own numbers, or something that refuses what it should not."""
    return out_of_reach(why) if why == DRAWDOWN_FIRST or why.rpartition(": ")[2] in BY_NUMBERS else never(why)


def off(by: str) -> DrillOutcome:
    """It is switched off."""
    return DrillOutcome("off", by)


def seen(wanted: str, found: list[str], by: str, otherwise: str = "nothing") -> DrillOutcome:
    """Fired if `wanted` is among what the journal of the copy names."""
    return fired(by) if wanted in found else never(f"{by}: {', '.join(dict.fromkeys(found)) or otherwise}")


def largest(copy: DeskCopy) -> str:
    """The sleeve whose position is largest against its equity."""
    return max(copy.names, key=lambda n: exposed(copy, n))


def exposed(copy: DeskCopy, name: str) -> float:
    """A sleeve's notional over its equity."""
    ledger = copy.sleeve(name).ledger
    return ledger.notional / ledger.equity if ledger.equity > 0.0 else 0.0
