"""The round trips of a desk's basket: of its pairs, from what each has of every execution of a leg.

Called by engine.watch.desk_trips. Parts of `fill`, `cross` and `funding` events become rows of the core again, so that a trip of
the desk is counted by the same code as one of a backtest (sim/basket_trips.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from engine.core import state
from engine.core.rows import pack_ref
from engine.sim.basket_trips import pair_name, trips_frame, trips_of
from engine.store.chain import Event
from engine.watch.kept_lines import trading_lines
from engine.watch.window import FAR_MS, between

ROW = np.dtype(
    [(name, np.int64) for name in ("close_ms", "kind", "code", "rule", "side", "ref", "lots")]
    + [(name, np.float64) for name in ("price", "fee", "equity", "a", "b")]
)
EXTRA = {  # columns of desk_trips beside those of a run's
    "version": pl.Int64(), "entry_event": pl.String(), "exit_event": pl.String(), "closed_ms": pl.Int64(), "state": pl.Float64(),
    "predicted_by": pl.String(), "predicted": pl.Float64(),
}  # fmt: skip
LOOK_BACK_MS = 10 * state.DAY_MS  # for the last close of a leg


class BasketLegs(NamedTuple):
    """A desk's basket as its configuration has it: its name, and of each leg sleeve, instrument, lot; pairs by leg number."""

    name: str
    sleeves: tuple[str, ...]
    instruments: tuple[str, ...]
    lot_sizes: tuple[float, ...]
    pairs: tuple[tuple[int, int], ...]
    bar_ms: int

    @property
    def symbols(self) -> list[str]:
        """What legs are called in the name of a pair."""
        return [instrument.split(":")[1] for instrument in self.instruments]

    @property
    def pair_names(self) -> list[str]:
        """`BTC-USDT ETH-USDT` each."""
        return [pair_name(self.symbols, pair) for pair in self.pairs]

    def concerned(self, name: str) -> pl.Expr | None:
        """Which trips are of a leg, a pair or the basket of that name; None for an unknown one."""
        if name == self.name:
            return pl.lit(True)
        if name in self.pair_names:
            return pl.col("sleeve") == name
        return self.of_legs([name]) if name in self.sleeves else None

    def of_legs(self, sleeves: Sequence[str]) -> pl.Expr:
        """Trips of pairs that have one of these legs."""
        own = [symbol for symbol, sleeve in zip(self.symbols, self.sleeves, strict=True) if sleeve in sleeves]
        return pl.col("a").is_in(own) | pl.col("b").is_in(own)


class PairRows(NamedTuple):
    """Rows of the core (ROW), of each the number of its event in the journal; `events`: they, where rows are a journal's."""

    rows: np.ndarray
    seqs: Sequence[int]
    events: Sequence[Event]

    def until(self, seq: int) -> "PairRows":
        """Those of events before one."""
        count = sum(own < seq for own in self.seqs)
        return PairRows(self.rows[:count], self.seqs[:count], self.events[:count])

    def at_closes(self, bar_ms: int) -> "PairRows":
        """With the close of the bar that each falls into: at an account an execution has its own time."""
        rows = self.rows.copy()
        rows["close_ms"] = -(-rows["close_ms"] // bar_ms) * bar_ms
        return self._replace(rows=rows)


def basket_legs(path: Path) -> BasketLegs | None:
    """The basket that a desk trades, by its first configuration: legs and pairs are fixed for its life. None without one."""
    for line in trading_lines(path, -1, FAR_MS, {"config"}) if path.exists() else ():
        event = line.event()
        if event is None or "sleeves" not in event.body:
            continue
        if "basket" not in event.body:
            return None
        body, rules = event.body, [sleeve["rules"] for sleeve in event.body["sleeves"]]
        pairs = tuple((int(a), int(b)) for a, b in body["basket"]["pairs"])
        names, instruments = (tuple(str(sleeve[key]) for sleeve in body["sleeves"]) for key in ("name", "instrument"))
        lots = tuple(float(one["lot_size"]) for one in rules)
        return BasketLegs(str(body["basket"]["name"]), names, instruments, lots, pairs, int(rules[0]["bar_ms"]))
    return None


def pair_trips(path: Path, legs: BasketLegs, mark: Event | None, *, at_account: bool) -> pl.DataFrame:
    """Every round trip of a pair, in the columns of a run's and EXTRA; one that is open is at the last closes.

    At an account `entry_ms` and `exit_ms` are the times of its executions.
    """
    found = pair_rows(path, legs)
    frame = table_of(found, legs, _last_closes(path, legs, mark))
    of_seq = dict(zip(found.seqs, found.events, strict=True))
    first, last, ended = frame["first_n"].to_list(), frame["last_n"].to_list(), frame["exit_ms"].is_not_null().to_list()
    exits = [ms + legs.bar_ms if ms is not None else None for ms in frame["exit_ms"].to_list()]
    extra: dict[str, list[Any]] = {
        "version": [of_seq[n].body.get("version") for n in first],
        "entry_event": [of_seq[n].id for n in first],
        "exit_event": [of_seq[n].id if over else None for n, over in zip(last, ended, strict=True)],
        "closed_ms": exits,
        **{name: [None] * len(first) for name in ("state", "predicted_by", "predicted")},
    }
    frame = frame.with_columns(pl.Series(name, extra[name], dtype=kind) for name, kind in EXTRA.items())
    if at_account:  # a row's time is taken for the close of its bar
        frame = frame.with_columns(pl.col("entry_ms") + legs.bar_ms, pl.col("closed_ms").alias("exit_ms"))
    return frame


def leg_view(trips: pl.DataFrame, symbol: str) -> pl.DataFrame:
    """Trips of all pairs that have a leg, at that leg's prices and on its side."""
    other_side = pl.col("side").replace_strict({"long": "short", "short": "long"}, default="flat")
    parts = [
        trips.filter(pl.col(end) == symbol).with_columns(
            (pl.col("side") if end == "a" else other_side).alias("side"),
            *(pl.col(f"{kind}_{end}").alias(f"{kind}_price") for kind in ("entry", "exit")),
        )
        for end in ("a", "b")
    ]
    return pl.concat(parts).sort("first_n")


def pair_rows(path: Path, legs: BasketLegs) -> PairRows:
    """What each pair has of every event, as rows of the core: executions, crossings, settlements, and entries as decided."""
    values, events = list[tuple[Any, ...]](), list[Event]()
    for line in trading_lines(path, -1, FAR_MS, {"fill", "cross", "funding", "decision"}):
        event = line.event()
        found = [] if event is None else list(_values_of(event, legs))
        values += found
        events += [event] * len(found) if event is not None else []
    return PairRows(np.array(values, ROW), [event.seq for event in events], events)


def table_of(found: PairRows, legs: BasketLegs, marks: Sequence[float]) -> pl.DataFrame:
    """The round trips of pairs in rows, as sim/basket_trips has those of a run; `first_n` and `last_n` are of the journal."""
    trips = trips_of(found.rows, legs.pairs, legs.lot_sizes, marks, legs.bar_ms)
    frame = trips_frame(trips, legs.symbols, legs.instruments, legs.pairs, legs.bar_ms)
    numbers = {name: [found.seqs[n] for n in frame[name].to_list()] for name in ("first_n", "last_n")}
    return frame.with_columns(pl.Series(name, own, dtype=pl.Int64) for name, own in numbers.items())


def _values_of(event: Event, legs: BasketLegs) -> Iterator[tuple[Any, ...]]:
    """The rows of one event, in the order of ROW."""
    if event.kind == "decision":
        yield from _entry(event, legs)
    elif event.body.get("parts") and event.body.get("sleeve") in legs.sleeves:
        leg = legs.sleeves.index(event.body["sleeve"])
        yield from (_part(event, part, leg, legs) for part in event.body["parts"])


def _entry(event: Event, legs: BasketLegs) -> Iterator[tuple[Any, ...]]:
    """A pair's entry as it was decided: its lots of the first leg, and what it risks."""
    body = event.body
    if body.get("action") == "enter" and body.get("pair") in legs.pair_names:
        p = legs.pair_names.index(body["pair"])
        lots = abs(int(body["lots"][legs.sleeves[legs.pairs[p][0]]]))
        ref = pack_ref(legs.pairs[p][0], p, int(body["pair_key"]))
        code = (state.K_DECISION, state.ENTER, state.NONE, 0)
        yield event.t_event_ms, *code, ref, lots, float(body.get("risk") or 0.0), 0.0, 0.0, 0.0, 0.0


def _part(event: Event, part: Mapping[str, Any], leg: int, legs: BasketLegs) -> tuple[Any, ...]:
    """What a pair has of one event, in the order of ROW."""
    body, t_ms = event.body, int(event.body.get("t_ms", event.t_event_ms))
    ref = pack_ref(leg, legs.pair_names.index(part["pair"]), int(part["pair_key"]))
    if event.kind == "funding":
        side = 1 if part["lots"] > 0 else -1
        return t_ms, state.K_FUNDING, 0, 0, side, ref, part["lots"], 0.0, float(part["cash_flow"]), 0.0, 0.0, 0.0
    price, reference = float(body["price"]), float(body.get("reference_price", body["price"]))
    slot = state.SLOTS.index(body["slot"]) if event.kind == "fill" else state.EXIT_SLOT
    code = state.ENTRY if part["opens"] else max(slot, state.PROTECTIVE)
    reason = state.EXIT_REASONS.index(part["reason"]) if part.get("reason") in state.EXIT_REASONS else state.NONE
    side = 1 if part["side"] == "buy" else -1
    return t_ms, state.K_FILL, code, reason, side, ref, part["lots"], price, float(part["fee"]), 0.0, reference, 0.0


def _last_closes(path: Path, legs: BasketLegs, mark: Event | None) -> list[float]:
    """The last close of each leg up to the mark; 0.0 where none is known."""
    if mark is None:
        return [0.0] * len(legs.sleeves)
    found: dict[str, float] = {}
    for after_ms in (mark.t_event_ms - 2 * legs.bar_ms, mark.t_event_ms - LOOK_BACK_MS):
        for event in between(path, after_ms, mark.t_event_ms, {"bar"}):
            bars = event.body["bars"]
            found |= {name: float(bars[name][3]) for name in legs.instruments if (bars.get(name) or (None,) * 4)[3] is not None}
        if len(found) == len(legs.instruments):
            break
    return [found.get(name, 0.0) for name in legs.instruments]
