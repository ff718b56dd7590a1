"""Each kind of halt, and each kind of pause: what people, the desk itself or a broken latch set. Called by engine.drill.drill.

A halt has worked when an entry signal at the next close makes no order and what is open leaves; a pause when the entry is refused
and the position stays.
"""

from collections.abc import Callable

from engine.clock import DAY_MS
from engine.control import halt
from engine.core.state import R_PAUSE, RULES
from engine.drill.breakers import fall, latched
from engine.drill.copied import WALL_MS, Copies, DeskCopy
from engine.drill.outcome import DrillOutcome, fired, never, no_entry, out_of_reach, seen
from engine.live.requests import reported
from engine.ports import Execution

PERSON = {"name": "drill"}
PAUSED = RULES[R_PAUSE]


def by_person(copies: Copies) -> DrillOutcome:
    """`nightdesk halt`."""
    return _stops(copies, lambda copy: _set(copy, database=True), "a halt in file and database")


def by_file(copies: Copies) -> DrillOutcome:
    """The latch file alone, as the page writes it when nothing else answers."""
    return _stops(copies, lambda copy: _set(copy, database=False), "the file HALT alone")


def unreadable(copies: Copies) -> DrillOutcome:
    """A latch that cannot be read."""

    def broken(copy: DeskCopy) -> None:
        (copy.home / halt.FILE).mkdir()

    return _stops(copies, broken, "a latch file that cannot be read")


def lost(copies: Copies) -> DrillOutcome:
    """A latch that vanished without a person's release: the desk stays halted."""
    with copies.small() as copy:
        name = copy.lead
        _set(copy, database=False)
        copy.bar(name)
        (copy.home / halt.FILE).unlink()
        copy.bar(name, {name: copy.signal(name)})
        copy.bar(name)
        if copy.book.desk.halted and latched(copy) and copy.sleeve(name).entries == 0:
            return fired("the latch was removed by hand: halted all the same")
        return never("the latch was removed by hand, and the desk went on")


def by_drawdown(copies: Copies) -> DrillOutcome:
    """The drawdown breaker latches for people too, and a bar later nothing enters."""
    with copies.new() as copy:
        why = fall(copy)
        if not copy.book.desk.halted:
            return out_of_reach(why or "its loss is out of reach")
        name = copy.lead
        before = copy.sleeve(name).entries
        copy.bar(name, {name: copy.signal(name)})
        copy.bar(name)
        if latched(copy) and copy.sleeve(name).entries == before and copy.book.desk.halted:
            return fired("the drawdown breaker latched file and database")
        return never(f"after the drawdown breaker: latched {latched(copy)}, halted {bool(copy.book.desk.halted)}")


def released(copies: Copies) -> DrillOutcome:
    """A named person's release ends the halt: without it a desk that halts could never be tried."""
    with copies.small() as copy:
        name = copy.lead
        _set(copy, database=True)
        copy.bar(name)
        let_go(copy)
        why = copy.enter(name)
        return no_entry(why) if why else fired("a release by name, and an entry after it")


def _stops(copies: Copies, how: Callable[[DeskCopy], None], by: str) -> DrillOutcome:
    """Whether a halt flattens what is open and lets nothing enter."""
    with copies.small() as copy:
        name = copy.lead
        if why := copy.enter(name):
            return no_entry(why)
        entries = copy.sleeve(name).entries
        how(copy)
        for _ in range(2):
            copy.bar(name, {name: copy.signal(name)})
        held = copy.sleeve(name)
        if copy.book.desk.halted and held.position.open_layers == 0 and held.entries == entries:
            return fired(f"{by}: flat at the next open, no entry")
        left = "flat" if held.position.open_layers == 0 else "still open"
        return never(f"{by}: {left}, {held.entries - entries} entries after it")


def _set(copy: DeskCopy, *, database: bool) -> None:
    halt.set(copy.home, "a drill", PERSON, WALL_MS, copy.engine if database else None)


def let_go(copy: DeskCopy) -> None:
    """A named person's release of the copy's halt, and the bar at which the desk sees it."""
    halt.release(copy.home, copy.engine, halt.read(copy.home, copy.engine), PERSON, "a drill", WALL_MS)
    copy.bar(copy.lead)


HALTS: dict[str, Callable[[Copies], DrillOutcome]] = {
    "by a person": by_person,
    "by the latch file alone": by_file,
    "latch unreadable": unreadable,
    "latch lost": lost,
    "by the drawdown breaker": by_drawdown,
    "release": released,
}


# ---- pauses ---------------------------------------------------------------------------------------------------------------


def lead_of(copies: Copies) -> str:
    """The sleeve that is paused."""
    return copies.able[0] if copies.able else copies.parts.config.sleeves[0].name


def people(copies: Copies) -> DrillOutcome:
    """A sleeve that people paused."""
    name = lead_of(copies)
    with copies.new(copies.parts.with_sleeve(name, paused=True).of_sleeve(name)) as copy:
        copy.enter(name)
        return seen(PAUSED, copy.refusals(name), f"an entry of {name}, paused", "it entered")


def until(copies: Copies) -> DrillOutcome:
    """A pause with an end: refused before it, entered after it."""
    name = lead_of(copies)
    with copies.small() as plain:
        ends_ms = plain.at_ms + 40 * DAY_MS
    with copies.new(copies.parts.with_sleeve(name, paused=True, resumes_ms=ends_ms).of_sleeve(name)) as copy:
        copy.enter(name)
        if PAUSED not in copy.refusals(name):
            return never(f"an entry of {name} before the end of its pause was not refused")
        copy.jump(ends_ms + DAY_MS)
        copy.bar(name)
        why = copy.enter(name)
        return (
            no_entry(f"after the end of its pause: {why}") if why else fired(f"{name} refused before the end, entered after it")
        )


def stage(copies: Copies) -> DrillOutcome:
    """A sleeve whose stage does not trade."""
    name = lead_of(copies)
    with copies.new(copies.parts.with_sleeve(name, stage="draft").of_sleeve(name)) as copy:
        copy.enter(name)
        return seen(PAUSED, copy.refusals(name), f"an entry of {name} at stage draft", "it entered")


def unverified(copies: Copies) -> DrillOutcome:
    """Entries are withheld while the journal is not verified."""
    with copies.small() as copy:
        name = copy.lead
        copy.loop.withheld = lambda: "a drill: the journal is not verified"
        copy.enter(name)
        return seen(PAUSED, copy.refusals(name), "an entry while the journal is not verified", "it entered")


def difference(copies: Copies) -> DrillOutcome:
    """The venue has something that the book cannot explain."""
    with copies.small() as copy:
        name = copy.lead
        price = copy.price(name)
        unknown = Execution("drill-1", "not-an-order-of-this-desk", 1, price, 0.0, False, price, copy.at_ms)
        copy.loop.take(*reported(unknown))
        copy.enter(name)
        return seen(PAUSED, copy.refusals(name), "an entry while the venue differs from the book", "it entered")


PAUSES: dict[str, Callable[[Copies], DrillOutcome]] = {
    "by people": people,
    "until a time": until,
    "stage": stage,
    "journal not verified": unverified,
    "venue differs": difference,
}
