"""What a backtest would be given for the same days now: bars of the catalog, versions as approved, costs and limits of desk.toml.

Called by comparison.py. Turns a Tape and the desk's setup into Today, through the resolver and the loader of every backtest.
Signals are computed when asked for: with the parameters and the costs of now or of then, on the bars of now or of then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from engine.book.bar_signals import NO_SIGNAL
from engine.book.bodies import finite
from engine.book.events import features_hash
from engine.book.snapshot import restored
from engine.book.transitions import NO_BAR
from engine.clock import timeframe_ms, timeframe_text
from engine.control.desk_setup import DeskSetup
from engine.core.state import DAY_MS, OFF, Bar, Limits, Rules, Signal
from engine.data.align import Market
from engine.data.catalog import Catalog
from engine.data.correlation import daily_correlations, day_of, upper
from engine.data.timeframes import DeskBars, parts_of
from engine.parity.tape import Lead, Tape
from engine.sim.backtest import load, rules_in, signals_in_span
from engine.sim.request import Plan, PlannedSleeve, Request, SleeveRequest, plan
from engine.strategies.base import parse_params
from engine.strategies.signals import Signals
from engine.strategies.stored_models import folder_of, journaled, journaled_models, journaled_pins
from engine.venues.instruments import Costs

PRICES = ("open", "high", "low", "close", "volume")
CHARGED = ("funding_rate", "funding_mark")
BACK_MS = 7 * DAY_MS  # bars before the first one: its settlement may be charged at the close before it
NOW, THEN = "now", "then"
Pins = Callable[[str, int], str | None]  # the same -> its versions of stored models as text; None: as the journal has them
Approved = Callable[[str, int], Mapping[str, Any] | None]  # sleeve and number of its version -> parameters; None: not known
Reading = tuple[str, str, str, str, str]  # key of a version; parameters, costs, bars and models of NOW or THEN
AS_THEN = (THEN, THEN, THEN, THEN)


@dataclass
class Today:
    """The other side of a comparison."""

    tape: Tape
    plan: Plan
    loaded: DeskBars
    limits: Limits
    planned: Mapping[str, PlannedSleeve]  # key of a version -> what a backtest makes of it
    rules: Mapping[str, Rules]  # the same, with the places of the journal's own configuration
    plan_folder: Path  # of people's own strategies; stored models are beside it
    _signals: dict[Reading, Signals] = field(default_factory=dict)
    _at_closes: dict[Reading, list[Signal]] = field(default_factory=dict)
    deviations: dict[tuple[int, int, str], tuple[str, Signal | None]] = field(default_factory=dict)  # of replay.deviation
    _same: dict[str, tuple[bool, bool]] = field(default_factory=dict)

    @cached_property
    def rows(self) -> Mapping[int, int]:
        """Close -> its row in the loaded bars."""
        return {int(ms): t for t, ms in enumerate(self.loaded.span.close_ms)}

    def bar(self, column: str, close_ms: int) -> Bar:
        """A bar of the catalog; nothing known where it has none any more."""
        span, t = self.loaded.span, self.rows.get(close_ms)
        if t is None or column not in span.instruments:
            return Bar(close_ms, *(float("nan") if value is None else value for value in NO_BAR))
        k = span.instruments.index(column)
        return Bar(close_ms, *(float(getattr(span, name)[t, k]) for name in (*PRICES, *CHARGED)))

    def then_rules(self, key: str) -> Rules:
        """The core's rules as the journal has them."""
        found: Rules = restored(Rules, self.tape.sources[key]["rules"])
        return found

    def signals(self, reading: Reading) -> Signals:
        """The inputs of the core at every loaded close, for one version."""
        key, params, costs, bars, models = reading
        if params == THEN and self.same_params(key):
            params = NOW
        if costs == THEN and self.same_costs(key):
            costs = NOW
        if bars == THEN and not self.corrected:
            bars = NOW
        if models == THEN and self.same_models(key):
            models = NOW
        reading = (key, params, costs, bars, models)
        if reading not in self._signals:
            sleeve, source = self.planned[key], self.tape.sources[key]
            if params == THEN:
                sleeve = sleeve._replace(params=parse_params(sleeve.strategy, source["params"]))
            if costs == THEN:
                sleeve = sleeve._replace(costs=Costs(**source["costs"]))
            if models == THEN:
                sleeve = sleeve._replace(models=journaled_models(sleeve.strategy, source, folder_of(self.plan_folder)))
            loaded = self.as_traded if bars == THEN else self.loaded
            self._signals[reading] = signals_in_span(sleeve, loaded)
        return self._signals[reading]

    def signal(self, reading: Reading, close_ms: int) -> Signal:
        """The same at one close; nothing can be computed where the catalog has no bar."""
        t = self.rows.get(close_ms)
        if t is None:
            return NO_SIGNAL
        if reading not in self._at_closes:
            found = self.signals(reading)
            self._at_closes[reading] = list(map(Signal, *(getattr(found, name).tolist() for name in Signal._fields)))
        return self._at_closes[reading][t]

    def features(self, key: str, close_ms: int) -> str:
        """The hash of the features that the version reads at a close, on the bars of then, as a `bar` event holds it."""
        t, found = self.rows[close_ms], self.signals((key, *AS_THEN))
        return features_hash({label: finite(float(values[t])) for label, values in found.used.items()})

    def same_params(self, key: str) -> bool:
        """Whether the parameters of a version are what the journal says."""
        return self._unmoved(key)[0]

    def same_costs(self, key: str) -> bool:
        """Whether spread, impact and fees are what the journal says."""
        return self._unmoved(key)[1]

    def same_models(self, key: str) -> bool:
        """Whether the stored models of a version are those that the journal says, to the byte."""
        return journaled(self.planned[key].models) == dict(self.tape.sources[key].get("models", {}))

    def _unmoved(self, key: str) -> tuple[bool, bool]:
        if key not in self._same:
            sleeve, source = self.planned[key], self.tape.sources[key]
            params = parse_params(sleeve.strategy, source["params"])
            self._same[key] = sleeve.params.model_dump() == params.model_dump(), sleeve.costs == Costs(**source["costs"])
        return self._same[key]

    @cached_property
    def corrected(self) -> list[tuple[str, int]]:
        """(column, close) of bars whose prices or volume the catalog has otherwise than the desk saw them."""
        return [(name, lead.body["close_ms"]) for lead, name in self._columns() if self._prices_moved(lead, name)]

    @cached_property
    def recharged(self) -> list[tuple[str, int]]:
        """The same of settlements: rate or mark."""
        return [(name, lead.body["close_ms"]) for lead, name in self._columns() if self._charges_moved(lead, name)]

    def _columns(self) -> Any:
        return ((lead, name) for lead in self.tape.bars for name in lead.body["bars"])

    def _prices_moved(self, lead: Lead, name: str) -> bool:
        seen, now = lead.body["bars"][name], self.bar(name, lead.body["close_ms"])
        return bool([finite(value) for value in now[1:6]] != seen[:5])

    def _charges_moved(self, lead: Lead, name: str) -> bool:
        seen, now = lead.body["bars"][name], self.bar(name, lead.body["close_ms"])
        return bool([finite(value) for value in now[6:]] != seen[5:])

    @property
    def correlations_moved(self) -> bool:
        """Whether any day's correlations are other than the desk saw them."""
        seen = (
            (day_of(lead.body["close_ms"]), lead.body["correlations"]) for lead in self.tape.bars if "correlations" in lead.body
        )
        return any(self.correlations.get(day, found) != found for day, found in seen)

    def limits_moved(self, bodies: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the desk's limits are other than where the tape begins, or than one of these says."""
        then = [self.tape.book.limits, *(restored(Limits, body) for body in bodies)]
        return any(limits != self.limits for limits in then)

    @cached_property
    def as_traded(self) -> DeskBars:
        """The loaded bars with those that the desk saw in the place of those corrected since. A bar that did not come in time was
        in its history once it was repaired: only its own close was without it.
        """
        own = {ms: bars._replace(whole=_copied(bars.whole)) for ms, bars in self.loaded.own.items()}
        clock = self.plan.clock
        seen = {lead.body["close_ms"]: lead.body["bars"] for lead in self.tape.bars}
        for column, close_ms in self.corrected:
            instrument, timeframe = parts_of(column, clock)
            whole = own[timeframe_ms(timeframe)].whole
            t, k = int(np.searchsorted(whole.close_ms, close_ms)), whole.instruments.index(instrument)
            for name, value in zip(PRICES, seen[close_ms][column], strict=False):
                if t < len(whole.close_ms) and value is not None:
                    getattr(whole, name)[t, k] = value
        return self.loaded._replace(own=own)

    @cached_property
    def correlations(self) -> Mapping[int, list[float | None]]:
        """UTC day -> how the instruments had moved together, as the first `bar` event of a day holds it."""
        wide = self.limits.correlated_frac_max >= OFF and self.tape.book.limits.correlated_frac_max >= OFF
        if wide or len(self.tape.book.instruments) < 2:
            return {}
        first, last = self.tape.start_ms + 1, self.tape.end_ms
        whole = self.loaded.own[self.plan.clock_ms].whole
        found = daily_correlations(whole, self.tape.book.instruments, first, last)
        return {day_of(first) + n: upper(matrix) for n, matrix in enumerate(found)}


def _copied(market: Market) -> Market:
    return market._replace(**{name: getattr(market, name).copy() for name in PRICES})


def today_of(
    tape: Tape, desk: DeskSetup, catalog: Catalog, approved: Approved, pins: Pins = lambda _name, _number: None
) -> Today:
    """What a backtest of the tape's versions is given now. Raises BadInput or DataError for what is no longer there."""
    specs = tuple(_spec(source, approved, pins, key, tape.numbers[key]) for key, source in tape.sources.items())
    start, clock = tape.book.start, int(tape.book.start["timeframe_ms"])
    from_ms = max(int(start["first_ms"]), tape.start_ms - BACK_MS)
    ends = (from_ms, tape.end_ms - clock + 1)
    limits, own = desk.limits.desk(), desk.limits.sleeve()
    request = Request(specs, specs[0].timeframe, *ends, start["fills"], str(start.get("funding", "recorded")), limits, own)
    request = request._replace(clock=timeframe_text(clock))
    found = plan(request, catalog, desk.strategies, desk.overrides)
    planned = dict(zip(tape.sources, found.sleeves, strict=True))
    loaded = load(found)
    rules = dict(zip(tape.sources, rules_in(found, loaded.span, request.fills), strict=True))
    placed = {key: _placed(rules[key], source) for key, source in tape.sources.items()}
    return Today(tape, found, loaded, limits, planned, placed, desk.strategies)


def _spec(source: Mapping[str, Any], approved: Approved, pins: Pins, key: str, number: int) -> SleeveRequest:
    """A journaled version as a backtest is asked for it: with the parameters that people approved under its number."""
    venue, symbol, market = source["instrument"].split(":")
    whose = source.get("basket") or source["name"]  # the sleeve that people configure
    params, models = approved(whose, number), pins(whose, number)
    place = {"venue": venue, "market": market, "side": source["side"], "cash": source["cash"], "timeframe": source["timeframe"]}
    place |= {"models": journaled_pins(source) if models is None else models, "name": key}
    return SleeveRequest(source["strategy"], symbol, params=source["params"] if params is None else params, **place)


def _placed(rules: Rules, source: Mapping[str, Any]) -> Rules:
    """Rules of now that look at the columns and families of the journal's desk, at the part of the size that it had."""
    then = source["rules"]
    instrument, bars, family = (int(then[name]) for name in ("instrument", "bars", "family"))
    part = float(then.get("size_part", 1.0))  # a part of the size is no difference
    return rules._replace(instrument=instrument, bars=bars, family=family, size_part=part)
