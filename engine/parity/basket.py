"""A basket's days through the backtest's core once more, and its round trips of pairs: what replay.py and comparison.py have of
sleeves of one instrument.

Called by comparison.py. With no cause given the replay is the backtest: bars of the catalog, fits and costs computed of them,
fills simulated. A cause that is given is as the desk had it. Each bar goes through book/basket_moves.basket_phases.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from engine.book.basket_events import basket_of
from engine.book.basket_moves import basket_phases, withdraw_pairs
from engine.book.book import Book
from engine.book.transitions import govern, obey_halt, withdraw_at_rest
from engine.core.rows import unpack
from engine.core.state import Row, Signal
from engine.core.step import usable
from engine.parity.replay import Given, Replayed, World, beginning
from engine.parity.tape import Lead, Tape
from engine.parity.today import Today
from engine.sim.basket import leg_costs
from engine.strategies import pairs as strategy
from engine.strategies.base import parse_params
from engine.venues.instruments import Costs
from engine.watch.pair_trips import ROW, BasketLegs, PairRows, pair_rows, table_of

CAUSES = ("data", "version", "feature", "slippage", "fee", "funding", "halted", "paused", "blocked")  # that a basket can have


class BasketToday:
    """Fits, log closes and costs of a basket's versions, on the bars of now or of then; each computed once."""

    def __init__(self, today: Today) -> None:
        self.today = today
        self._spreads: dict[tuple[tuple[str, ...], bool, bool], tuple[Any, strategy.PairFits]] = {}
        self._costs: dict[tuple[str, bool, bool], list[np.ndarray]] = {}

    def spread(
        self, keys: tuple[str, ...], close_ms: int, *, then: bool, old_bars: bool
    ) -> tuple[list[float], list[list[float]]]:
        """(log close of each leg, fit of each pair) at a close; NaN without a bar. then: by journaled parameters."""
        t, count = self.today.rows.get(close_ms), len(strategy.pairs_of(len(keys)))
        if t is None:
            return [math.nan] * len(keys), [[math.nan] * 3 for _ in range(count)]
        place = keys, then, old_bars and bool(self.today.corrected)
        if place not in self._spreads:
            self._spreads[place] = self._fitted(*place)
        logs, fits = self._spreads[place]
        return logs[t].tolist(), np.stack(fits, axis=-1)[t].tolist()

    def _fitted(self, keys: tuple[str, ...], then: bool, old_bars: bool) -> tuple[Any, strategy.PairFits]:
        loaded = self.today.as_traded if old_bars else self.today.loaded
        sleeve = self.today.planned[keys[0]]
        params = parse_params(sleeve.strategy, self.today.tape.sources[keys[0]]["params"]) if then else sleeve.params
        assert isinstance(params, strategy.Params), "a basket of another strategy"  # noqa: S101 - control/config.py lets none in
        own = loaded.own[self.today.plan.clock_ms]
        columns = [own.whole.instruments.index(self.today.planned[key].key) for key in keys]
        logs = strategy.logs_of(own.whole.close[:, columns])
        fits = strategy.fits_of(logs, own.whole.close_ms, self.today.plan.clock_ms, params)
        cut = slice(own.first, own.first + len(loaded.span.close_ms))
        return logs[cut], strategy.PairFits(*(column[cut] for column in fits))

    def cost(self, key: str, close_ms: int, *, then: bool, old_bars: bool) -> Signal:
        """What a leg's close says of costs and of the market."""
        t = self.today.rows.get(close_ms)
        if t is None:
            return Signal(0, *(math.nan,) * 5, 0.0, 0, 1)
        place = key, then and not self.today.same_costs(key), old_bars and bool(self.today.corrected)
        if place not in self._costs:
            sleeve = self.today.planned[key]
            sleeve = sleeve._replace(costs=Costs(**self.today.tape.sources[key]["costs"])) if place[1] else sleeve
            self._costs[place] = leg_costs(sleeve, self.today.as_traded if place[2] else self.today.loaded, judged=False)
        slip, impact, ranges, volumes = (float(column[t]) for column in self._costs[place])
        return Signal(0, 0.0, 0.0, 0.0, slip, impact, 0.0, 0, 1, ranges, volumes)


def terms_now(today: Today, key: str) -> dict[str, float]:
    """What pairs are traded by, with the parameters as approved."""
    params = today.planned[key].params
    assert isinstance(params, strategy.Params), "a basket of another strategy"  # noqa: S101 - control/config.py lets none in
    return strategy.terms_of(params)._asdict()


def replay_basket(tape: Tape, today: Today, of_basket: BasketToday, given: Given) -> Replayed:
    """The tape's days of a basket from its beginning, with these causes given."""
    world, book, rows = World(tape, today, given), beginning(tape, today, given), list[Row]()
    basket = basket_of(book)
    if "version" not in given:
        key = next(iter(tape.bars)).keys[0]
        basket.source = {**basket.source, "terms": terms_now(today, key)}
    for lead in tape.leads:
        if lead.kind == "bar":
            rows += _bar(world, of_basket, book, lead)
        elif lead.kind == "config":
            _configured(world, book, lead, given)
        elif "halted" in given:
            rows += obey_halt(book, lead.body)
    return Replayed({basket.name: basket.whole.ledger.equity}, rows, ())


def _configured(world: World, book: Book, lead: Lead, given: Given) -> None:
    """A configuration as it is in this world."""
    body = world.config(lead.body)
    if "version" not in given:
        key = str(body["sleeves"][0]["key"])
        body["basket"] = {**body["basket"], "terms": terms_now(world.today, key)}
    govern(book, body)
    if "paused" in given:
        withdraw_at_rest(book)


def _bar(world: World, of_basket: BasketToday, book: Book, lead: Lead) -> list[Row]:
    """One bar of the replay: its rows."""
    close_ms, given, basket = lead.body["close_ms"], world.given, basket_of(book)
    bars = [world.bar(lead, column) for column in book.columns]
    then, old_bars = "version" in given, "data" in given
    keys = tuple(str(spec.source["key"]) for spec in book.specs)
    logs, fits = of_basket.spread(keys, close_ms, then=then, old_bars=old_bars)
    costs = [of_basket.cost(key, close_ms, then="slippage" in given, old_bars=old_bars) for key in keys]
    journaled: Mapping[str, Any] = lead.body["basket"]
    if "feature" in given:
        logs, fits = journaled["logs"], journaled["fits"]
    if "blocked" in given and lead.off:
        fits = without_off(book, lead, fits)
    paused = "paused" in given and any(book.latest(s).enters_nothing(close_ms, book.mode) for s in range(len(book.specs)))
    blocked = "blocked" in given and lead.blocked
    if blocked and world.tape.book.simulated:  # what had been ordered before, and had not traded, was withdrawn
        withdraw_pairs(book)
    basket.whole = basket.whole._replace(guard=basket.whole.guard._replace(paused=int(paused or blocked)))
    body = {"logs": logs, "fits": fits, "ended": journaled.get("ended", ())}
    rows = basket_phases(book, bars, costs, body, settles=1)
    book.close_ms, book.count = close_ms, book.count + 1
    book.bars = [new if usable(new) else old for new, old in zip(bars, book.bars, strict=True)]
    return rows


def without_off(book: Book, lead: Lead, fits: Sequence[list[float]]) -> list[list[float]]:
    """The fits of a close as its event has them: none of a pair with a leg that the venue did not trade."""
    off = [str(spec.source["instrument"]) in lead.off for spec in book.specs]
    pairs = basket_of(book).pairs
    return [[math.nan] * len(fit) if off[pair.a] or off[pair.b] else fit for pair, fit in zip(pairs, fits, strict=True)]


def moved(tape: Tape, today: Today, of_basket: BasketToday) -> bool:
    """Whether any close was decided by other log prices or fits than are computed of the same bars and parameters."""
    for lead in tape.bars:
        logs, fits = of_basket.spread(lead.keys, lead.body["close_ms"], then=True, old_bars=True)
        seen = [*lead.body["basket"]["logs"], *(number for fit in lead.body["basket"]["fits"] for number in fit)]
        now = [*logs, *(number for fit in without_off(tape.book, lead, fits) for number in fit)]
        if any(one != other for one, other in zip(seen, map(_finite, now), strict=True)):
            return True
    return any(today.rows.get(lead.body["close_ms"]) is None for lead in tape.bars)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def version_moved(tape: Tape, today: Today) -> bool:
    """Whether any configuration was traded by other terms than those approved."""
    found = [(basket_of(tape.book).source["terms"], next(iter(tape.bars)).keys[0])]
    configured = (lead for lead in tape.leads if lead.kind == "config")
    found += [(lead.body["basket"]["terms"], _key_after(tape, lead)) for lead in configured]
    return any(dict(terms) != terms_now(today, key) for terms, key in found)


def _key_after(tape: Tape, config: Lead) -> str:
    """The version of the first leg that a configuration brought."""
    after = tape.leads[tape.leads.index(config) + 1 :]
    return next((lead.keys[0] for lead in after if lead.kind == "bar"), list(tape.bars)[-1].keys[0])


# ---- round trips --------------------------------------------------------------------------------------------------------------


class PairTables:
    """Tables of trips of pairs: the desk's, and a replay's, one that was open where it began with the desk's own beginning."""

    def __init__(self, tape: Tape, legs: BasketLegs) -> None:
        found = pair_rows(tape.path, legs)
        self.tape, self.legs = tape, legs
        self.journal = found.until(tape.end_seq).at_closes(legs.bar_ms)
        self.marks = list(_marks_of(tape, legs))

    def desk(self) -> pl.DataFrame:
        """The desk's own."""
        return self._since(self.journal, self.marks)

    def of(self, found: Replayed) -> pl.DataFrame:
        """A replay's."""
        earlier = self.journal.until(self.tape.start_seq + 1)
        rows = np.array([_values(row) for row in found.rows], ROW)
        seqs = [self.tape.start_seq + 1 + n for n in range(len(rows))]
        both = PairRows(np.concatenate([earlier.rows, rows]), [*earlier.seqs, *seqs], ())
        return self._since(both, self.marks)

    def _since(self, found: PairRows, marks: Sequence[float]) -> pl.DataFrame:
        """Trips that something happened to since the tape's beginning, or that are still open."""
        table = table_of(found, self.legs, marks)
        return table.filter((pl.col("last_n") > self.tape.start_seq) | pl.col("exit_ms").is_null())


def _marks_of(tape: Tape, legs: BasketLegs) -> Sequence[float]:
    """The last close of each leg."""
    found = dict.fromkeys(legs.instruments, 0.0)
    for lead in tape.bars:
        bars = lead.body["bars"]
        found |= {name: float(bars[name][3]) for name in legs.instruments if (bars.get(name) or (None,) * 4)[3] is not None}
    return [found[name] for name in legs.instruments]


def _values(row: Row) -> tuple[Any, ...]:
    """A row of the core in the order of ROW."""
    _, kind, code, rule, side, _, _ = unpack(row.tag)
    return row.close_ms, kind, code, rule, side, row.ref, row.lots, row.price, row.fee, row.equity, row.a, row.b
