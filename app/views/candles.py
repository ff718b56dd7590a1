"""The candles of a sleeve or of a stored run with everything that is drawn over them. Called by app/api/markets.py.

Turns the catalog's bars, a journal or a run's frames into one JSON object that app/ui/candles draws. Nothing of it is later than
the desk's clock, or the end of the run: bars, levels, bands and trips are cut there, whatever was requested. Answers are kept
by what they depend on: run or head of the journal, files and window.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from app.views.candle_bars import joined, packed, packed_line, step_of
from app.views.candle_marks import (
    Band,
    SleeveEvents,
    Tripped,
    bands,
    level_lines,
    open_position,
    run_breakers,
    run_refusals,
    sleeve_events,
    trip_columns,
)
from engine.book.bodies import SIMULATED
from engine.clock import DAY_MS, timeframe_ms, timeframe_text, utc
from engine.control.desk_setup import DeskSetup
from engine.data.align import market_of
from engine.data.catalog import Catalog, Series
from engine.data.checksums import sha256_of
from engine.errors import BadInput, DataError, DeskError
from engine.features.anchor import anchor_ms
from engine.features.catalog import BY_NAME
from engine.features.feature import PRICE
from engine.features.frame import FeatureFrame
from engine.sim import trips as reading
from engine.sim.levels import LevelStep, level_steps
from engine.store.runs import Runs
from engine.venues.instruments import instrument_of
from engine.watch.desk_trips import desk_trips
from engine.watch.pair_trips import leg_view
from engine.watch.window import journal_of, mark_at, mode_of

POINTS_MAX = 40_000  # a year of 15m bars has 35,040
SPAN_MAX_MS = 20 * 366 * DAY_MS
YEAR_MS = 366 * DAY_MS
LINES_MAX = 6
KEPT_MAX = 6


class Place(NamedTuple):
    """Whose bars they are."""

    venue: str
    symbol: str
    market: str
    timeframe: str

    @property
    def key(self) -> str:
        """The instrument as a market names it."""
        return f"{self.venue}:{self.symbol}:{self.market}"


class Drawn(NamedTuple):
    """What is drawn over the candles of a place."""

    trips: pl.DataFrame
    steps: Sequence[LevelStep]
    refused: Sequence[tuple[int, str]]
    tripped: Sequence[Tripped]
    labels: Sequence[str]  # of the features that were read
    held: Mapping[str, Any] | None = None
    notes: Sequence[str] = ()


NOTHING = Drawn(pl.DataFrame(schema={"entry_ms": pl.Int64, "exit_ms": pl.Int64}), (), (), (), ())


def place_of(sleeve: Mapping[str, Any], timeframe: str = "") -> Place:
    """The place of a sleeve as a configuration or a run's report names it."""
    venue, symbol, market = (str(sleeve[name]) for name in ("venue", "symbol", "market"))
    return Place(venue, symbol, market, str(sleeve.get("timeframe") or timeframe))


def desk_candles(setup: DeskSetup, catalog: Catalog, sleeve: Mapping[str, Any], window: tuple[int | None, int | None]) -> bytes:
    """The chart of a sleeve of the desk up to the desk's clock; window: (from, until) in UTC ms, by default the last year."""
    path = journal_of(setup.home)
    mark = mark_at(path)
    if mark is None:
        raise BadInput("the desk has not traded a bar yet", "start it: nightdesk up")
    place, name = place_of(sleeve), str(sleeve["name"])
    series = catalog.find(*place[:2], place.timeframe, place.market)
    window = _window(window, mark.t_event_ms, max(series.first_ms, mark.t_event_ms - YEAR_MS))

    def drawn() -> Drawn:
        events = sleeve_events(path, name, *window, timeframe_ms(place.timeframe))
        held = open_position(mark.body["sleeves"].get(name, {}), simulated=mode_of(path) in SIMULATED)
        trips = desk_trips(setup.home, name)
        trips = leg_view(trips, place.symbol) if "a" in trips.columns else trips
        return Drawn(trips, events.steps, events.refused, events.tripped, _labels(events, path, name, window[0]), held)

    about = {"subject": "desk", "sleeve": name, "clock_ms": mark.t_event_ms}
    return _kept(("desk", str(path), mark.id, name), catalog, series, place, window, setup, drawn, about)


def run_candles(
    setup: DeskSetup, catalog: Catalog, runs: Runs, run_id: str, sleeve: str, window: tuple[int | None, int | None]
) -> bytes:
    """The chart of a sleeve of a stored run, by default of its whole span and its first sleeve."""
    run = runs.load(run_id)
    known = {str(s["name"]): s for s in run["config"]["sleeves"]}
    name = sleeve or next(iter(known))
    if name not in known:
        raise BadInput(f"run {run_id} has no sleeve {name!r}", f"available: {', '.join(known)}")
    place = place_of(known[name], run["timeframe"])
    series = catalog.find(*place[:2], place.timeframe, place.market)
    end_ms = int(run["data"]["last_ms"]) + timeframe_ms(run["timeframe"])
    window = _window(window, end_ms, int(run["data"]["first_ms"]))
    about = {"subject": run_id, "sleeve": name, "clock_ms": end_ms}
    made = _of_run(runs, run, name, setup, catalog, series)
    return _kept(("run", str(runs.folder), run_id, name), catalog, series, place, window, setup, made, about)


def market_candles(
    setup: DeskSetup, catalog: Catalog, place: Place, window: tuple[int | None, int | None], clock_ms: int | None
) -> bytes:
    """Bars of an instrument alone, as a second line in a chart; nothing later than the desk's clock where it has one."""
    series = catalog.find(*place[:2], place.timeframe, place.market)
    end_ms = series.last_ms + timeframe_ms(place.timeframe)
    end_ms = end_ms if clock_ms is None else min(end_ms, clock_ms)
    window = _window(window, end_ms, max(series.first_ms, end_ms - YEAR_MS))
    about = {"subject": "market", "sleeve": None, "clock_ms": end_ms}
    return _kept(("market", place.key), catalog, series, place, window, setup, lambda: NOTHING, about)


def _window(requested: tuple[int | None, int | None], end_ms: int, first_ms: int) -> tuple[int, int]:
    """The requested window within what there is; nothing beyond `end_ms`. Raises BadInput for a reversed or endless one."""
    from_ms = first_ms if requested[0] is None else requested[0]
    until_ms = end_ms if requested[1] is None else min(requested[1], end_ms)
    if from_ms >= until_ms:
        raise BadInput(f"no bar between {utc(from_ms)} and {utc(until_ms)}", f"the last one closed at {utc(end_ms)}")
    return max(from_ms, until_ms - SPAN_MAX_MS), until_ms


def _labels(events: SleeveEvents, path: Path, sleeve: str, from_ms: int) -> Sequence[str]:
    """The features that the sleeve reads; a window without a decision takes them from the month before it."""
    if events.labels:
        return events.labels
    return sleeve_events(path, sleeve, from_ms - 31 * DAY_MS, from_ms, 1).labels


def _of_run(
    runs: Runs, run: Mapping[str, Any], name: str, setup: DeskSetup, catalog: Catalog, series: Series
) -> Callable[[], Drawn]:
    """What a run draws: its own trips and decisions; levels are worked out again while data and code are the run's."""

    def drawn() -> Drawn:
        from engine.sim.explain import run_sleeves

        run_id, sleeves = str(run["run_id"]), run_sleeves(run)
        number = next(n for n, s in enumerate(sleeves) if s.name == name)
        decisions, rows = runs.frame(run_id, "decisions"), runs.frame(run_id, "rows")
        trips = runs.frame(run_id, "trips")
        if run.get("pairs"):
            return _of_leg(run, trips, rows, str(run["symbols"][number]))
        trips = trips.filter(pl.col("sleeve") == name)
        notes = []
        changed = run["data"]["file_sha256"].get(series.path.name) != sha256_of(series.path)
        if changed:
            notes.append(f"{series.path.name} has changed since this run: the candles may not be those that it traded")
        steps: list[LevelStep] = []
        try:
            steps = _run_levels(run, rows, number, setup, catalog)
        except DeskError as error:
            notes.append(f"stop, trail and target lines are left out: {error.what}")
        own = decisions.filter(pl.col("sleeve") == name)
        labels = [] if changed else [name for name in decisions.columns if is_level(name) and own[name].null_count() < own.height]
        return Drawn(
            trips,
            steps,
            run_refusals(decisions, name),
            run_breakers(reading.breakers(rows, sleeves), name),
            labels,
            None,
            notes,
        )

    return drawn


def _of_leg(run: Mapping[str, Any], trips: pl.DataFrame, rows: pl.DataFrame, leg: str) -> Drawn:
    """What a leg of a basket draws: the trips of all pairs that have it, at its prices and on its side."""
    from engine.sim.explain import traders

    basket = traders(run)
    tripped = run_breakers(reading.breakers(rows, basket), basket[0].name)
    return Drawn(leg_view(trips, leg), [], [], tripped, [], None, [])


def _run_levels(run: Mapping[str, Any], rows: pl.DataFrame, number: int, setup: DeskSetup, catalog: Catalog) -> list[LevelStep]:
    """The levels of a run's sleeve. Raises DataError for a strategy file of a person, whose code no page runs."""
    from engine.sim.backtest import rules_in
    from engine.sim.checked import frame_of
    from engine.sim.explain import bars_again
    from engine.strategies.base import OURS

    strategy = run["config"]["sleeves"][number]["strategy"]
    if strategy not in OURS:
        raise DataError(f"{strategy} is a strategy file of your own, and a chart runs none")
    planned, loaded = bars_again(run, catalog, setup.strategies)
    sleeve = planned.sleeves[number]
    rules = rules_in(planned, loaded.span, planned.request.fills)[number]
    return level_steps(rows, number, rules, frame_of(sleeve, loaded), sleeve.params.atr_bars)


_ANSWERS: dict[tuple[Any, ...], bytes] = {}


def _kept(
    whose: tuple[str, ...],
    catalog: Catalog,
    series: Series,
    place: Place,
    window: tuple[int, int],
    setup: DeskSetup,
    drawn: Callable[[], Drawn],
    about: Mapping[str, Any],
) -> bytes:
    """The answer, made once for the same subject, file and window; `mark` says whether two of them are the same."""
    status = series.path.stat()
    key = (*whose, series.path, status.st_mtime_ns, status.st_size, window)
    if key not in _ANSWERS:
        while len(_ANSWERS) >= KEPT_MAX:
            _ANSWERS.pop(next(iter(_ANSWERS)))
        found = chart(catalog, series, place, window, drawn(), _tick(place, setup))
        text = json.dumps({**about, **found}, allow_nan=False, separators=(",", ":"))
        _ANSWERS[key] = f'{{"mark":"{sha256(text.encode()).hexdigest()[:24]}",{text[1:]}'.encode()
    return _ANSWERS[key]


def _tick(place: Place, setup: DeskSetup) -> float:
    """The price tick; 0 for an instrument that the desk does not know."""
    try:
        return instrument_of(place.venue, place.symbol, place.market, setup.overrides).tick
    except BadInput:
        return 0.0


def chart(
    catalog: Catalog, series: Series, place: Place, window: tuple[int, int], drawn: Drawn, tick: float, points: int = POINTS_MAX
) -> dict[str, Any]:
    """The chart as JSON: candles of at most `points`, and over them what happened in the window."""
    from_ms, until_ms = window
    bar_ms = timeframe_ms(place.timeframe)
    bars = catalog.bars(series, from_ms, until_ms - bar_ms + 1)  # only bars that have closed by then
    if bars.is_empty():
        raise DataError(f"no {place.timeframe} bar of {place.key} closes between {utc(from_ms)} and {utc(until_ms)}")
    step = step_of(int(bars["ts"][0]), int(bars["ts"][-1]), bar_ms, points)
    candles = joined(bars, step)
    shown = packed(candles, step, tick)
    return {
        "instrument": place.key,
        "source": series.source,
        "timeframe": place.timeframe,
        "from_ms": from_ms,
        "until_ms": until_ms,
        "tick": tick,
        "bars": {"step_text": timeframe_text(step), **shown},
        "lines": _lines(catalog, series, place, bars, step, drawn.labels, shown["unit"]),
        "trips": trip_columns(drawn.trips, from_ms, until_ms) if drawn.trips.height else {},
        "levels": level_lines(drawn.steps, from_ms, until_ms),
        "bands": [band._asdict() for band in _bands(drawn, bar_ms, until_ms) if band.until_ms >= from_ms],
        "breakers": [t._asdict() for t in drawn.tripped if from_ms <= t.ms <= until_ms],
        "held": drawn.held,
        "notes": list(drawn.notes),
    }


def _bands(drawn: Drawn, bar_ms: int, until_ms: int) -> list[Band]:
    return bands(drawn.refused, drawn.tripped, bar_ms, until_ms)


def is_level(label: str) -> bool:
    """Whether a label (`sma(40)`, `vwap_session`) is of a feature of the own bars that is a price: drawn over the candles."""
    feature = BY_NAME.get(label.partition("(")[0])
    return feature is not None and feature.unit == PRICE


def _lines(
    catalog: Catalog,
    series: Series,
    place: Place,
    bars: pl.DataFrame,
    step: int,
    labels: Sequence[str],
    unit: float,
) -> list[dict[str, Any]]:
    """The features in units of the price that were read, as lines: the value at the last bar of each candle."""
    wanted = sorted(filter(is_level, labels), key=lambda label: (label.partition("(")[0], len(label), label))[
        :LINES_MAX
    ]  # the faster one first
    if not wanted:
        return []
    frame = _frame(catalog, series, place.timeframe, anchor_ms(int(bars["ts"][0])), int(bars["ts"][-1]))
    bar_ms = timeframe_ms(place.timeframe)
    last = bars.group_by((pl.col("ts") // step * step).alias("open"), maintain_order=True).agg(pl.col("ts").last())["ts"]
    at = np.searchsorted(frame.close_ms, last.to_numpy() + bar_ms)
    found = []
    for label in wanted:
        name, _, rest = label.removesuffix(")").partition("(")
        values = getattr(frame.reader(), name)(*map(float, rest.split(",") if rest else ()))[at]
        found.append({"label": label, "about": BY_NAME[name].about, "text": packed_line(values, unit)})
    return found


@lru_cache(maxsize=4)
def _frame(catalog: Catalog, series: Series, timeframe: str, from_ms: int, last_ms: int) -> FeatureFrame:
    """The bars from the anchor on as features are computed of them, by the one code that computes features."""
    bars = catalog.bars(series, from_ms, last_ms + 1)
    market = market_of({"it": bars}, timeframe_ms(timeframe), {}, {}, "none")
    return FeatureFrame.of_market(market, 0)
