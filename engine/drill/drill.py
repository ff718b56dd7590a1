"""`nightdesk drill`: every guardrail, breaker, exit path, halt and pause of a desk, made to fire on a copy of it.

Called by app/cli/drill.py and by the drill job. The lists of what must fire are the code's own: RULES, BREAKERS and
EXIT_REASONS of core/state.py; one without a drill counts as never fired. A drill that fails is one as well, with its fault.
"""

from collections.abc import Callable, Iterator
from typing import Any

from engine.core.state import RULES
from engine.drill import baskets, breakers, exits, halts, refusals
from engine.drill.copied import Copies, DeskCopy, DeskParts, copies_of
from engine.drill.outcome import Drilled, DrillOutcome, Kind, never, no_entry
from engine.errors import DeskError

SLEEVES_MAX = 24  # whose exit paths are drilled one by one; of the others those with rules of their own
Step = tuple[Kind, str, str, Callable[[], DrillOutcome]]
Progress = Callable[[float], None]


def drill(parts: DeskParts, progress: Progress = lambda _done: None) -> dict[str, Any]:
    """The report: fired, never_fired, out_of_reach and off, each a list of {kind, name, where, by}, with `left_out`, the sleeves
    whose exit paths another sleeve's stand for. Nothing but a temporary folder is written.
    """
    found: list[Drilled] = []
    basket = basket_in(parts)
    with copies_of(parts, baskets.BasketCopy if basket else DeskCopy) as copies:
        drilled, left_out = chosen(copies)
        copies.look(drilled)
        steps = list(steps_of(copies, drilled))
        drilled = [basket] if basket else drilled
        for n, (kind, name, where, step) in enumerate(steps):
            outcome = outcome_of(step)
            if copies.barred and outcome.state == "never_fired":  # what needs an entry can be tried on no sleeve
                outcome = no_entry(f"no sleeve can enter: {copies.barred}")
            found.append(Drilled(kind, name, where, *outcome))
            progress((n + 1) / len(steps))
    report: dict[str, Any] = {state: [] for state in ("fired", "never_fired", "out_of_reach", "off")}
    for one in found:
        report[one.state].append({"kind": one.kind, "name": one.name, "where": one.where, "by": one.by})
    return {"sleeves": drilled, "left_out": left_out, **report}


def outcome_of(step: Callable[[], DrillOutcome]) -> DrillOutcome:
    """What a drill found; a fault of ours is reported in its place, and the others go on."""
    try:
        return step()
    except DeskError as error:
        return never(f"the drill failed: {error}")
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        return never(f"the drill failed: {type(error).__name__}: {error}")


def basket_in(parts: DeskParts) -> str:
    """The basket that a desk trades; "" where it trades none."""
    return next((sleeve.name for sleeve in parts.config.sleeves if sleeve.legs), "")


def steps_of(copies: Copies, sleeves: list[str]) -> Iterator[Step]:
    """Every drill, in the order of the report. Of a basket the exit paths are those of its pairs."""
    basket = basket_in(copies.parts)
    for code, rule in enumerate(RULES):
        if code:
            yield "refusal", rule, "desk", refusal(copies, code, basket)
    for name in breakers.DRILLED:
        yield "breaker", name, "desk", on_a_copy(copies, breakers.DRILLS.get(name))
    for reason in baskets.DRILLED if basket else ():
        yield "exit", reason, basket, on_a_copy(copies, baskets.PATHS.get(reason))
    for sleeve in sleeves if not basket else ():
        for reason in exits.DRILLED:
            path = exits.PATHS.get(reason)
            yield "exit", reason, sleeve, on_a_copy(copies, path and of_sleeve(path, sleeve), copies.parts.of_sleeve(sleeve))
    for name, step in halts.HALTS.items():
        yield "halt", name, "desk", on_copies(copies, step)
    for name, step in halts.PAUSES.items():
        yield "pause", name, "desk", on_copies(copies, step)


def refusal(copies: Copies, code: int, basket: str = "") -> Callable[[], DrillOutcome]:
    """The drill of a rule."""
    found = (baskets.REFUSALS if basket else {}).get(code) or refusals.DRILLS.get(code)
    return uncovered if found is None else on_copies(copies, found)


def uncovered() -> DrillOutcome:
    """What the code declares and no drill covers."""
    return never("no drill covers it")


def on_copies(copies: Copies, step: Callable[[Copies], DrillOutcome]) -> Callable[[], DrillOutcome]:
    """A drill that makes its own copies."""
    return lambda: step(copies)


def on_a_copy(
    copies: Copies, step: Callable[[Any], DrillOutcome] | None, parts: DeskParts | None = None
) -> Callable[[], DrillOutcome]:
    """A drill on one fresh copy, of the desk or of other `parts`."""
    if step is None:
        return uncovered

    def run() -> DrillOutcome:
        with copies.new(parts) as copy:
            return step(copy)

    return run


def of_sleeve(path: Callable[[Any, str], DrillOutcome], sleeve: str) -> Callable[[Any], DrillOutcome]:
    """An exit path of one sleeve."""
    return lambda copy: path(copy, sleeve)


def chosen(copies: Copies) -> tuple[list[str], list[str]]:
    """(sleeves whose exit paths are drilled, those left out because another one has the same rules)."""
    with copies.new() as copy:
        if len(copy.names) <= SLEEVES_MAX:
            return list(copy.names), []
        kept: dict[Any, str] = {}
        for name in copy.names:
            kept.setdefault(copy.rules(name)._replace(instrument=0, bars=0, family=0), name)
        drilled = list(kept.values())[:SLEEVES_MAX]
        return drilled, [name for name in copy.names if name not in drilled]
