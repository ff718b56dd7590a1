"""The paper desk's round trips, from its journal: fills, settlements and approved sizes as the rows that sim/trips.py reads.

Called by the API, the tools and engine.watch.periods. A journal event becomes the core's row again, so that a trip of the desk is
counted by the same code as a trip of a backtest; the columns are those of trips.parquet, with `version` of the entry and
`entry_event` and `exit_event`, the ids of the journal's first and last fill, and `closed_ms`, the close of the exit's bar. Of the
decision that entered: `state`, the regime that it read (-1 bear, 0 sideways, 1 bull), and `predicted`, what the model named
`predicted_by` said; null where it read none or none had a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import polars as pl

from engine.book.bodies import SIMULATED
from engine.clock import DAY_MS
from engine.core import state
from engine.core.row_fields import COLUMN_OF, KIND_OF, FillRow, FundingRow, SizeRow
from engine.errors import BadInput
from engine.sim.trips import RunSleeve, no_rows, trips
from engine.store.chain import Event
from engine.store.opened import size_of
from engine.watch.attribution import holdings
from engine.watch.incidents import windows_of
from engine.watch.kept_lines import trading_lines
from engine.watch.pair_trips import basket_legs, pair_trips
from engine.watch.window import FAR_MS, journal_of, mark_at, mode_of

ENTRY = state.SLOTS[state.ENTRY]  # of a fill
SIZED = b'"size":{'  # a decision without it has no approved size
PLACE = ("n", "close_ms", "sleeve")
JOURNALS_KEPT = 4
_SETTLED: dict[tuple[str, int], tuple[int, int, list[Event]]] = {}  # by journal: its size, until when, its events until then
_TRIPS: dict[tuple[str, int], tuple[int, list[str], pl.DataFrame]] = {}  # by journal: its size, its sleeves, its trips
_LOCK = Lock()


def desk_trips(home: Path, sleeve: str | None = None) -> pl.DataFrame:
    """Every round trip of the desk, or of one sleeve, in the order of their first fill; the last may be open and is marked.

    Of a basket they are those of its pairs: `sleeve` is the pair, and a leg's name takes those of every pair that has it, the
    basket's all. Empty without a journal. Raises BadInput for a sleeve that the desk does not have.
    """
    names, found = _trips(journal_of(home))
    if sleeve is not None and names and sleeve not in names:
        raise BadInput(f"the desk has no sleeve {sleeve!r}", f"available: {', '.join(names)}")
    return found if sleeve is None else of_sleeve(home, found, sleeve)


def of_sleeve(home: Path, found: pl.DataFrame, sleeve: str) -> pl.DataFrame:
    """Of the desk's trips those of a sleeve; of a basket by the name of a leg, a pair or itself."""
    legs = basket_legs(journal_of(home)) if "a" in found.columns else None
    concerned = None if legs is None else legs.concerned(sleeve)
    return found.filter(pl.col("sleeve") == sleeve if concerned is None else concerned)


def strategy_trips(home: Path, sleeve: str | None = None) -> pl.DataFrame:
    """The same without those that were open in an incident window of their sleeve: they are no evidence of a strategy."""
    return outside_incidents(home, desk_trips(home, sleeve))


def outside_incidents(home: Path, found: pl.DataFrame) -> pl.DataFrame:
    """Of the desk's trips (a frame of desk_trips, or a wider one) those that were never open in an incident window."""
    path = journal_of(home)
    mark = mark_at(path)
    if mark is None or ("incident" not in mark.body and "windows" not in mark.body):
        return found
    legs = basket_legs(path) if "a" in found.columns else None
    for window in windows_of(path):
        before = pl.lit(window.closed_seq is not None) & (pl.col("first_n") > (window.closed_seq or 0))
        after = pl.col("exit_ms").is_not_null() & (pl.col("last_n") < window.opened_seq)
        own = pl.col("sleeve").is_in(window.sleeves) if legs is None else legs.of_legs(window.sleeves)
        found = found.filter(~own | before | after)
    return found


def _trips(path: Path) -> tuple[list[str], pl.DataFrame]:
    """The sleeves once the desk has a mark, and their trips; computed once for a journal of this size."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return [], _computed(path, None)[1]
    key = str(path), status.st_ino
    kept = _TRIPS.get(key)
    size = size_of(path)
    if kept is None or kept[0] != size:
        kept = (size, *_computed(path, mark_at(path)))
        if len(_TRIPS) >= JOURNALS_KEPT:
            _TRIPS.clear()
        _TRIPS[key] = kept
    return kept[1:]


def _computed(path: Path, mark: Event | None) -> tuple[list[str], pl.DataFrame]:
    """The same from the journal."""
    at_account = mode_of(path) not in SIMULATED
    if (legs := basket_legs(path)) is not None:
        names = [] if mark is None else [*legs.sleeves, legs.name, *legs.pair_names]
        return names, pair_trips(path, legs, mark, at_account=at_account)
    sleeves = sleeves_of(path, {} if mark is None else mark.body)
    rows, fills = journal_rows(path, [s.name for s in sleeves])
    found = _with_events(trips(rows, sleeves), fills, {s.name: s.bar_ms for s in sleeves}, at_account=at_account)
    return [] if mark is None else [s.name for s in sleeves], found


def sleeves_of(path: Path, mark: Mapping[str, Any]) -> list[RunSleeve]:
    """The desk's sleeves as the newest `config` event with them says, each with its mark price (0 while it is flat)."""
    found: list[Mapping[str, Any]] = []
    for line in trading_lines(path, -1, FAR_MS, {"config"}):
        event = line.event()
        found = (event and event.body.get("sleeves")) or found
    held = holdings(mark) if mark else {}
    prices = {name: holding.mark for name, holding in held.items()}
    return [
        RunSleeve(s["name"], s["instrument"], s["rules"]["lot_size"], prices.get(s["name"], 0.0), s["rules"]["bar_ms"])
        for s in found
    ]


def journal_rows(path: Path, names: Sequence[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of the journal that round trips are made of, and of each (n, event id, version) and what it read of stored
    models; n is the event's number."""
    empty = no_rows()
    columns: dict[str, list[Any]] = {name: [] for name in empty.columns}
    about: dict[str, list[Any]] = {
        name: [] for name in ("n", "event", "version", "state", "predicted_by", "predicted", "of", "sized", "key")
    }
    for event in _wanted(path):
        kind, values = _row_of(event)
        row = {COLUMN_OF[kind][name]: value for name, value in values.items()}
        close_ms = event.body.get("t_ms", event.t_event_ms)  # of the sleeve's own bar, as a backtest's rows have it
        row |= {"n": event.seq, "close_ms": close_ms, "sleeve": names.index(event.body["sleeve"]), "kind": KIND_OF[kind]}
        for name, column in columns.items():
            column.append(row.get(name, 0))
        state, predicted_by, predicted = read_of(event.body.get("features") or {})
        of_models = (
            ("state", state),
            ("predicted_by", predicted_by),
            ("predicted", predicted),
            ("of", event.body["sleeve"]),
            ("sized", event.kind == "decision"),
            ("key", event.body.get("key") if event.body.get("slot") == ENTRY else None),
        )
        for name, value in (("n", event.seq), ("event", event.id), ("version", event.body.get("version")), *of_models):
            about[name].append(value)
    rows = pl.DataFrame(columns, schema=empty.schema, strict=False)
    kinds = {"n": pl.Int64, "event": pl.String, "version": pl.Int64, "state": pl.Float64, "predicted_by": pl.String}
    return rows, pl.DataFrame(
        about, schema={**kinds, "predicted": pl.Float64, "of": pl.String, "sized": pl.Boolean, "key": pl.Int64}
    )


def read_of(features: Mapping[str, Any]) -> tuple[float | None, str | None, float | None]:
    """(state of a regime, name of a model, what it said) that a decision has read; the first of each kind."""
    states = [
        value for label, value in features.items() if label.startswith("regime(") and label.endswith(")") and "," not in label
    ]
    said = [(label[6:-1], value) for label, value in features.items() if label.startswith("model(") and value is not None]
    name, value = said[0] if said else (None, None)
    return (states[0] if states else None), name, value


def _wanted(path: Path) -> list[Event]:
    """Fills, settlements, and decisions that approved a size. Those older than a day are read once a process: a page asks
    again with every bar, and a journal grows at its end alone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return []
    with _LOCK:
        size, until_ms, settled = _SETTLED.get((str(path), found.st_ino), (0, -1, []))
        reached = size_of(path)
        if reached < size:
            until_ms, settled = -1, []
        fresh = list(_sized(path, until_ms))
        settled_ms = max(until_ms, fresh[-1].t_event_ms - DAY_MS) if fresh else until_ms
        older = [*settled, *(event for event in fresh if event.t_event_ms <= settled_ms)]
        if len(_SETTLED) >= JOURNALS_KEPT:
            _SETTLED.clear()
        _SETTLED[str(path), found.st_ino] = (reached, settled_ms, older)
    return [*settled, *fresh]


def _sized(path: Path, after_ms: int) -> Iterator[Event]:
    """The same after an instant."""
    kinds = {"fill", "funding", "decision"}
    for line in trading_lines(path, after_ms, FAR_MS, kinds, lambda kind, text: kind != b"decision" or SIZED in text):
        event = line.event()
        if event is not None and event.body.get(
            "size" if event.kind == "decision" else "sleeve"
        ):  # a trade that was not booked: none
            yield event


def _row_of(event: Event) -> tuple[type[Any], dict[str, Any]]:
    """An event as the kind of its row and that row's fields; fields that trips do not read stay 0."""
    body = event.body
    if event.kind == "decision":
        size = body["size"]
        return SizeRow, {"lots_approved": size["approved_lots"], "stop_distance": size.get("stop_distance")}
    if event.kind == "funding":
        return FundingRow, {"cash_flow": body["cash_flow"]}
    reason = state.EXIT_REASONS.index(body["reason"]) if body.get("reason") in state.EXIT_REASONS else 0
    fill = {"slot": state.SLOTS.index(body["slot"]), "reason": reason, "side": 1 if body["side"] == "buy" else -1}
    fill["maker"] = int(body["liquidity"] == "maker")  # of such a bar the favourable extreme may have come before the fill
    return FillRow, fill | {name: body[name] for name in ("lots", "price", "reference_price", "fee")}


def _with_events(found: pl.DataFrame, fills: pl.DataFrame, bar_ms: Mapping[str, int], *, at_account: bool) -> pl.DataFrame:
    """Trips with version, journal ids, and `closed_ms`: the close of the bar of the last fill; null while it is open.

    At an account an execution has its own time, between closes: `entry_ms`, `exit_ms` and `closed_ms` are that time.
    """
    first = fills.select(pl.col("n").alias("first_n"), pl.col("event").alias("entry_event"), "version")
    last = fills.select(pl.col("n").alias("last_n"), pl.col("event").alias("exit_event"))
    found = found.join(first, on="first_n", how="left", maintain_order="left").join(
        last, on="last_n", how="left", maintain_order="left"
    )
    found = _with_layers(_with_read(found, fills), fills)
    own = pl.DataFrame(
        {"sleeve": list(bar_ms), "own_ms": list(bar_ms.values())}, schema={"sleeve": pl.String, "own_ms": pl.Int64}
    )
    found = found.join(own, on="sleeve", how="left", maintain_order="left")
    found = found.with_columns(
        pl.when(pl.col("exit_ms").is_not_null()).then(pl.col("exit_event")).alias("exit_event"),
        (pl.col("exit_ms") + pl.col("own_ms")).alias("closed_ms"),
    )
    if at_account:  # sim/trips.py takes a fill's time for the close of its bar
        found = found.with_columns(pl.col("entry_ms") + pl.col("own_ms"), pl.col("closed_ms").alias("exit_ms"))
    return found.drop("own_ms")


def _with_layers(found: pl.DataFrame, fills: pl.DataFrame) -> pl.DataFrame:
    """Trips with how many layers they had by the keys of their entries: at a venue one entry may fill in parts."""
    entries = fills.filter(pl.col("key").is_not_null()).select("n", pl.col("of").alias("sleeve"), "key")
    firsts = found.select("sleeve", "first_n")
    entries = entries.join_asof(firsts, left_on="n", right_on="first_n", by="sleeve", check_sortedness=False)
    keys = entries.group_by("sleeve", "first_n").agg(pl.col("key").n_unique().cast(pl.Int64).alias("keys"))
    found = found.join(keys, on=["sleeve", "first_n"], how="left", maintain_order="left")
    return found.with_columns(pl.coalesce("keys", "layers").alias("layers")).drop("keys")


def _with_read(found: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Trips with what the decision before their first fill had read of stored models."""
    read = events.select(
        pl.col("n").alias("decided_n"), pl.col("of").alias("sleeve"), "state", "predicted_by", "predicted", "sized"
    )
    read = read.filter("sized").drop("sized").sort("decided_n")
    order = found.with_row_index("place").sort("first_n")
    joined = order.join_asof(
        read, left_on="first_n", right_on="decided_n", by="sleeve", strategy="backward", check_sortedness=False
    )
    return joined.sort("place").drop("place", "decided_n", strict=False)
