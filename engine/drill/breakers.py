"""Each breaker, made to trip, and the refusal that follows from it. Called by engine.drill.drill and engine.drill.refusals."""

from collections.abc import Callable

from engine.amounts import percent_text
from engine.clock import DAY_MS, HOUR_MS
from engine.control import halt
from engine.core.state import BREAKERS, LEAVE_LONG, LEAVE_SHORT, Signal
from engine.core.windows import shut
from engine.drill.copied import DeskCopy
from engine.drill.made import Move
from engine.drill.outcome import DRAWDOWN_FIRST, DrillOutcome, exposed, fired, largest, never, no_entry, out_of_reach, seen

FALL_MAX = 0.9  # of the price, against a long
RISE_MAX = 20.0  # against a short
ROUNDS_MAX = 60  # falls, a day each, until the desk's drawdown must have come


def lose_a_day(copy: DeskCopy) -> tuple[str, str]:
    """The largest position loses more than its sleeve may in a day, and wants to enter again. (sleeve, why it cannot be done)."""
    enter_all(copy)
    name, most = largest(copy), copy.parts.limits.day_loss_frac_max
    share, side = exposed(copy, name), copy.side(name)
    if not share > 0.0:
        return name, f"no entry was let through: {', '.join(dict.fromkeys(copy.refusals())) or 'no order'}"
    gap = 1.3 * most / share
    if gap > (FALL_MAX if side > 0 else RISE_MAX):
        return name, f"a position of {share:.2g} x equity loses less than {percent_text(most, 1)} in any fall to a tenth"
    at = copy.price(name) * (1.0 - side * gap)
    copy.bar(name, {name: copy.signal(name)}, copy.move(name, open=at))
    if copy.book.desk.halted:
        return name, DRAWDOWN_FIRST
    return name, ""


def day_loss(copy: DeskCopy) -> DrillOutcome:
    """A sleeve's loss in a UTC day."""
    name, why = lose_a_day(copy)
    limit = f"day_loss_frac_max {copy.parts.limits.day_loss_frac_max:g}"
    if "daily loss" in copy.breakers():
        return fired(f"a gap against {name} beyond {limit}")
    return out_of_reach(f"{why}; {limit}") if why else never(f"a gap against {name} beyond {limit}: no breaker")


def lose_in_a_row(copy: DeskCopy) -> tuple[str, str]:
    """As many losing round trips as a streak needs, small and days apart, and another entry at the close of the last.
    (sleeve, why it cannot be done)."""
    name, last = copy.lead, copy.parts.limits.streak_max - 1
    for n in range(copy.parts.limits.streak_max):
        copy.jump((copy.at_ms // DAY_MS + 2) * DAY_MS + int(copy.parts.limits.pause_hours * HOUR_MS))
        if why := copy.enter(name, copy.small(name)):
            return name, DRAWDOWN_FIRST if copy.book.desk.halted else why
        side, layer = copy.side(name), copy.sleeve(name).position.layers[0]
        through = layer.stop * (1.0 - side * 0.001)
        again = {name: copy.signal(name)} if n == last else {}
        copy.bar(name, again, copy.move(name, **{"low" if side > 0 else "high": through, "close": through}))
    return name, ""


def loss_streak(copy: DeskCopy) -> DrillOutcome:
    """Losing round trips in a row."""
    name, why = lose_in_a_row(copy)
    by = f"{copy.parts.limits.streak_max} stopped round trips of {name} in a row"
    return no_entry(why) if why else seen("loss streak", copy.breakers(), by, "no breaker")


def frequency(copy: DeskCopy) -> DrillOutcome:
    """Entries of a sleeve in a UTC day; each leaves by a signal, with a gain, so that no streak comes first."""
    name = min(copy.able, key=lambda n: copy.rules(n).bar_ms)
    rules, most = copy.rules(name), copy.parts.limits.day_entries_max
    start, room = best_day(copy, name)
    if room < most:
        return out_of_reach(f"a day of {name} has room for {room} entries, day_entries_max is {most}")
    copy.jump(start)
    side, wish = copy.side(name), LEAVE_LONG if copy.side(name) > 0 else LEAVE_SHORT
    base = copy.price(name)
    for _ in range(DAY_MS // (2 * rules.bar_ms)):
        copy.bar(name, {name: copy.signal(name)}, copy.move(name, close=base))
        leaving = {name: copy.quiet(name)._replace(leave=wish)}
        copy.bar(name, leaving, copy.move(name, close=base * (1.0 + side * 0.01)))
        if "entry frequency" in copy.breakers():
            return fired(f"{most} entries of {name} in a day")
    return never(f"{copy.sleeve(name).entries} entries of {name} in a day, day_entries_max is {most}: no breaker")


def best_day(copy: DeskCopy, name: str) -> tuple[int, int]:
    """(start, entries that it has room for) of the day of the week with the fewest shut closes: an entry takes two bars."""
    rules, limits, week = copy.rules(name), copy.book.limits, (copy.at_ms // DAY_MS + 1) * DAY_MS
    found = []
    for day in range(week, week + 7 * DAY_MS, DAY_MS):
        closes = range(day + rules.bar_ms, day + DAY_MS + 1, 2 * rules.bar_ms)
        found.append((sum(not shut(rules, limits, close) for close in closes), -day))
    room, day = max(found)
    return -day, room


def fall(copy: DeskCopy) -> str:
    """Every sleeve enters as much as it may and the prices gap against them, day after day, until the desk halts. Why it
    cannot be done."""
    equity = copy.book.desk.equity
    for _ in range(ROUNDS_MAX):
        enter_all(copy)
        if not any(exposed(copy, n) > 0.0 for n in copy.names):
            return f"no entry was let through: {', '.join(dict.fromkeys(copy.refusals())) or 'no order'}"
        moves = {copy.spec(n).source["instrument"]: gap_against(copy, n) for n in copy.names}
        copy.bars_of_all({}, moves)
        if copy.book.desk.halted or copy.book.desk.equity < 0.01 * equity:
            return ""
        copy.prices = copy.first_prices()
        copy.jump(copy.at_ms + 3 * DAY_MS + int(copy.parts.limits.pause_hours * HOUR_MS))
    return f"{ROUNDS_MAX} falls did not reach it"


def drawdown(copy: DeskCopy) -> DrillOutcome:
    """The desk's equity below its peak: latched, in the core and for people."""
    why, most = fall(copy), copy.parts.limits.drawdown_frac_max
    if "desk drawdown" in copy.breakers():
        return fired(f"gaps against every sleeve beyond drawdown_frac_max {most:g}")
    lost = 1.0 - copy.book.desk.equity / copy.book.desk.peak
    if lost <= most:
        return out_of_reach(
            f"{why or 'every position was lost'}: {percent_text(lost, 1)} of the peak, drawdown_frac_max is {most:g}"
        )
    return never(f"{percent_text(lost, 1)} below the peak, drawdown_frac_max is {most:g}: no breaker")


DRILLS: dict[str, Callable[[DeskCopy], DrillOutcome]] = {
    "daily loss": day_loss,
    "loss streak": loss_streak,
    "entry frequency": frequency,
    "desk drawdown": drawdown,
}
DRILLED = list(BREAKERS.values())


def enter_all(copy: DeskCopy, signals: dict[str, Signal] | None = None) -> None:
    """Every sleeve enters at one close, as large as its caps let it, and is filled."""
    entering = signals or {name: copy.large(name) for name in copy.names}
    if copy.seek_common():
        copy.bars_of_all(entering)
        copy.bars_of_all()
    else:  # every common close is in a window: those that close with the leading sleeve
        copy.seek_open(copy.lead)
        copy.bar(copy.lead, entering)
        copy.bar(copy.lead)


def gap_against(copy: DeskCopy, name: str) -> Move:
    """An open far beyond every stop of a sleeve: a fall to less than a half, a rise to three times."""
    at = copy.price(name) * (0.4 if copy.side(name) > 0 else 3.0)
    return Move(at, at, at, at)


def latched(copy: DeskCopy) -> bool:
    """Whether the copy's own latch is set, for people to see."""
    return halt.read(copy.home, copy.engine).halted
