"""The caps of the whole desk, made to refuse: exposure, positions, orders a minute. Called by engine.drill.refusals."""

from collections.abc import Callable, Mapping

from engine.core.state import MINUTE_MS, OFF, R_ORDER_RATE, RULES, Signal
from engine.drill.asking import Drill, ask
from engine.drill.breakers import enter_all
from engine.drill.copied import Copies, DeskCopy
from engine.drill.outcome import DrillOutcome, fired, never, out_of_reach

ROUNDS_MAX = 12  # closes at which sleeves that the rate of orders held back try again
MARKED = 1.02  # fees and the spread of an entry move its share of equity a little after it was let through
TIGHT = 1e-6  # of equity: any entry is beyond it


def cap(code: int, field: str, tight: float, reached: Callable[[DeskCopy], float]) -> Drill:
    """Every sleeve enters at one close: under the desk's own limit, and if that is out of reach under a tighter one."""

    def drill(copies: Copies) -> DrillOutcome:
        limit, most = getattr(copies.parts.limits, field), 0.0
        for by, size in entries_against(field, float(limit)):
            with copies.new() as copy:
                usual = {name: copy.room(name) for name in copy.names}
                enter_one_by_one(copy, {name: copy.large(name, size_frac=size(copy, name)) for name in copy.names})
                most = max(most, reached(copy))
                if RULES[code] in copy.refusals():
                    return fired(f"{by}, {field} {limit:g}")
        if most > limit * MARKED:
            return never(f"entries at one close came to {most:.3g}, {field} is {limit:g}")
        why = f"the drill's entries come to {most:.3g} at most, {field} is {limit:g}"
        with copies.new(copies.parts.with_limits(**{"positions_max": 300, field: type(limit)(tight)})) as copy:
            if tight >= 1 and len(copy.able) < 2:
                return ask(copies, code, why)
            enter_all(copy, {name: copy.signal(name, size_frac=usual[name]) for name in copy.names})
            if RULES[code] not in copy.refusals():
                return never(f"{why}; lowered to {tight:g} on a copy it refused nothing")
        return out_of_reach(f"{why}; lowered to {tight:g} on a copy it refuses")

    return drill


def enter_one_by_one(copy: DeskCopy, signals: Mapping[str, Signal]) -> None:
    """Every sleeve enters at one close; those that the rate of orders held back, at the next ones."""
    for _ in range(min(len(signals), ROUNDS_MAX)):
        flat = {name: signal for name, signal in signals.items() if copy.sleeve(name).position.open_layers == 0}
        before = copy.refusals().count(RULES[R_ORDER_RATE])
        enter_all(copy, flat)
        if not flat or copy.refusals().count(RULES[R_ORDER_RATE]) == before:
            return


def entries_against(field: str, limit: float) -> list[tuple[str, Callable[[DeskCopy, str], float]]]:
    """Sizes (of a sleeve's equity; 0: as its caps let it) that a cap should refuse: as large as can be, within the other caps,
    and just beyond this one, by one sleeve or by all together."""
    found: list[tuple[str, Callable[[DeskCopy, str], float]]] = [
        ("all sleeves at once, as large as they may", lambda _c, _n: 0.0),
        ("all sleeves at once", lambda c, n: c.room(n)),
    ]
    if field.endswith("_frac_max"):
        found += [
            ("an entry just beyond it", lambda c, n: beyond(c, n, limit, 1)),
            ("entries that come to more than it", lambda c, n: beyond(c, n, limit, len(c.names))),
            ("entries as large as the other caps let them", lambda c, n: within_the_others(c, n, field)),
        ]
    return found


def within_the_others(copy: DeskCopy, name: str, field: str) -> float:
    """What a sleeve may enter, of its equity, when those before it have taken all that the caps other than `field` let them."""
    taken: dict[str, float] = {}
    caps = {"gross_frac_max": "", "correlated_frac_max": "", "instrument_frac_max": "instrument", "family_frac_max": "strategy"}
    for one in copy.names:
        free = [OFF]
        for cap_, by in caps.items():
            if cap_ != field:
                same = [n for n in taken if not by or copy.spec(n).source[by] == copy.spec(one).source[by]]
                free.append(float(getattr(copy.book.limits, cap_)) * copy.book.desk.equity - sum(taken[n] for n in same))
        rules, equity = copy.rules(one), copy.sleeve(one).ledger.equity
        taken[one] = max(0.98 * min(*free, min(rules.notional_frac_max, rules.leverage_max) * equity), 1e-9)
        if one == name:
            return taken[one] / equity
    return 0.0


def beyond(copy: DeskCopy, name: str, limit: float, parts: int) -> float:
    """A part of a notional a little above `limit` times the desk's equity, as a fraction of a sleeve's equity."""
    return 1.1 * limit * copy.book.desk.equity / (parts * copy.sleeve(name).ledger.equity)


def of_mark(key: str) -> Callable[[DeskCopy], float]:
    """The most of a figure that the marks of a copy name, as a fraction of its equity."""
    return lambda copy: max(float(e.body[key]) / max(float(e.body["equity"]), 1e-9) for e in copy.events("mark"))


def grouped(copy: DeskCopy, by: str) -> float:
    """The largest notional of the sleeves that share an instrument or a strategy, as a fraction of the desk's equity."""
    sums: dict[str, float] = {}
    for name in copy.names:
        key = str(copy.spec(name).source[by])
        sums[key] = sums.get(key, 0.0) + copy.sleeve(name).ledger.notional
    return max(sums.values()) / copy.book.desk.equity


def together(copy: DeskCopy) -> float:
    """The most entry orders of one minute."""
    minutes = [e.t_event_ms // MINUTE_MS for e in copy.events("decision") if e.body["action"] in ("enter", "add")]
    return float(max(map(minutes.count, minutes), default=0))
