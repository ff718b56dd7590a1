"""Strategies that say nothing at the last close: late, crashed, or an answer that is none. An alert with the reason.

Read from the `bar` events of the desk journal by engine.watch.observer and engine.watch.health. The desk goes on with stops,
trails and targets; what only the strategy does, entries and its own exits, does not come.
"""

from collections.abc import Iterator

from engine.watch.null_features import null_features
from engine.watch.observation import DeskObservation, Finding, Severity, is_trading, position_text

SHOWN_MAX = 20  # sleeves with an alert of their own
ACTION = "nightdesk leaks and nightdesk backtest of the strategy on these bars; propose a pause, or flatten: nightdesk halt"


def failing_strategies(desk: DeskObservation) -> Iterator[Finding]:
    """One finding a sleeve; a page where it holds a position, or where no strategy says anything."""
    if not is_trading(desk) or desk.mark is None:
        return
    sleeves = desk.mark.body["sleeves"]
    asked = [name for name, sleeve in sleeves.items() if sleeve.get("stage", "paper") not in ("draft", "retired")]
    everyone = bool(asked) and all(name in desk.failing for name in asked)
    for name, why in sorted(desk.failing.items())[:SHOWN_MAX]:
        held = bool(sleeves.get(name, {}).get("position"))
        what = f"The strategy of {name} says nothing: {why[:160]}; {position_text(desk, name)}"
        what += "; its stop, trail and target go on, its own exits do not" if held else "; it enters nothing"
        severity: Severity = "page" if held or everyone else "warn"
        yield Finding(f"strategy:{name}", "strategy", severity, what, name, desk.mark.t_recv_ms, ACTION, {}, desk.mark.id)


def strategies(desk: DeskObservation) -> Iterator[Finding]:
    """What keeps a strategy from deciding: itself, or features without a value."""
    yield from failing_strategies(desk)
    yield from null_features(desk)
