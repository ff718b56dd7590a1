"""The desk's days against the backtest of the same days: every dollar of the difference in a class, summing to the cent.

Called by app/jobs/kinds.py. The first replay is the backtest: bars of the catalog, versions as approved, costs and limits of
desk.toml, nothing of what people or the venue did. Then one cause after another, in the order of CAUSES, is given as the desk had
it; what the replay moves by is that cause's. What is left is parted round trip by round trip (trip_pairs.py); the rest is
unexplained. The order is part of the definition: where two causes meet, the earlier one has what they share.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import polars as pl

from engine.book.bodies import stage_rests
from engine.book.book import stage_of
from engine.errors import BadInput
from engine.parity.basket import CAUSES as BASKET_CAUSES
from engine.parity.basket import BasketToday, PairTables, moved, replay_basket, version_moved
from engine.parity.replay import FEES, Given, Replayed, deviation, replay
from engine.parity.tape import Tape, closing_mark
from engine.parity.today import Today
from engine.parity.trip_pairs import CENT, TripPair, paired, residue
from engine.sim.trips import trips
from engine.watch.attribution import apportion
from engine.watch.desk_trips import journal_rows, sleeves_of
from engine.watch.pair_trips import basket_legs

CAUSES = {  # what is given, in order -> the class of what moves
    "data": "data",
    "version": "version",
    "model": "model",
    "feature": "feature",
    "late": "timing",
    "signal": "signal",
    "slippage": "slippage",
    "fee": "fee",
    "funding": "funding",
    "halted": "halted",
    "paused": "paused",
    "blocked": "blocked",
    "delayed": "timing",
    "missed": "missed",
    "size": "size",
    "fill_price": "fill_price",
    "slipped": "slippage",
}
CLASSES = (*dict.fromkeys(CAUSES.values()), "extra", "unexplained")
OF_VENUE = ("delayed", "missed", "size", "fill_price", "slipped")  # asked about only where something is left to explain
STEPS_MAX = 500_000  # bars times sleeves of one comparison

Progress = Callable[[float], None]
Amounts = dict[str, dict[str, float]]  # sleeve -> class -> dollars


class SleeveShare(NamedTuple):
    """A sleeve's part, in whole cents: `classes` sum to `desk` minus `replay`."""

    sleeve: str
    desk: int  # change of its equity
    replay: int
    classes: Mapping[str, int]

    @property
    def difference(self) -> int:
        """What the desk made more."""
        return self.desk - self.replay


class Comparison(NamedTuple):
    """A desk against its backtest."""

    start_ms: int
    end_ms: int
    bars: int
    shares: tuple[SleeveShare, ...]
    counts: Mapping[tuple[str, str], int]  # class and sleeve -> round trips that it moved
    pairs: tuple[TripPair, ...]  # the desk's trips beside those of the backtest
    source: str  # of the bars that the desk saw
    versions: Mapping[str, tuple[int, ...]] = MappingProxyType({})  # sleeve -> numbers of the versions that governed
    basket: str = ""  # of which all trips are: a trip's own sleeve is its pair

    def own(self, name: str) -> list[TripPair]:
        """The round trips of one sleeve."""
        return [pair for pair in self.pairs if name in (pair.any_of["sleeve"], self.basket)]

    def of_sleeve(self, name: str) -> "Comparison":
        """The part of one sleeve."""
        mine, pairs = (s for s in self.shares if s.sleeve == name), self.own(name)
        counts = {key: count for key, count in self.counts.items() if key[1] == name}
        return self._replace(shares=tuple(mine), counts=counts, pairs=tuple(pairs))

    @property
    def gross_usd(self) -> float:
        """What the round trips moved, without sign, on the side where that is more."""
        sides = ([pair.desk for pair in self.pairs], [pair.replay for pair in self.pairs])
        return float(max(sum(abs(trip["net"]) for trip in side if trip is not None) for side in sides))

    def count(self, name: str) -> int:
        """Round trips that a class has moved."""
        return sum(count for (cause, _), count in self.counts.items() if cause == name)

    def cents(self, name: str) -> int:
        """A class over all sleeves."""
        return sum(share.classes[name] for share in self.shares)

    @property
    def difference(self) -> int:
        """Of the whole desk, in cents."""
        return sum(share.difference for share in self.shares)

    @property
    def unexplained_usd(self) -> float:
        """What no cause explains, without sign: what one sleeve has too much does not make up for another's too little."""
        return sum(abs(share.classes["unexplained"]) for share in self.shares) / 100

    @property
    def unexplained_frac(self) -> float | None:
        """The same as a share of `gross_usd`; None where no trip moved a cent."""
        return self.unexplained_usd / self.gross_usd if self.gross_usd >= CENT else None


class _Chain:
    """The replays one after another, and what each has moved."""

    def __init__(self, tape: Tape, today: Today) -> None:
        self.tape, self.today = tape, today
        self.amounts: Amounts = {name: dict.fromkeys(CLASSES, 0.0) for name in tape.names}
        self.counts: Counter[tuple[str, str]] = Counter()
        legs = basket_legs(tape.path) if tape.book.basket is not None else None
        self.of_pairs = PairTables(tape, legs) if legs is not None else None
        self.of_basket = BasketToday(today)
        self.journal = _journal_table(tape) if legs is None else pl.DataFrame()
        self.before: Given = frozenset()
        self.now = self._replayed()
        self.table = self._table()
        self.first, self.backtest = self.now, self.table

    def give(self, cause: str) -> None:
        """Replay with one more cause given; what moves is its."""
        self.before |= {cause}
        before, table_before = self.now, self.table
        self.now = self._replayed()
        self.table = self._table()
        for name in self.amounts:
            self.amounts[name][CAUSES[cause]] += self.now.equity[name] - before.equity[name]
        differ = [self.whose(pair) for pair in paired(self.table, table_before) if pair.differs]
        self.counts.update((CAUSES[cause], sleeve) for sleeve in differ)

    def _replayed(self) -> Replayed:
        if self.of_pairs is None:
            return replay(self.tape, self.today, self.before)
        return replay_basket(self.tape, self.today, self.of_basket, self.before)

    def _table(self) -> pl.DataFrame:
        """The trips of the last replay."""
        return _table_of(self.now, self.journal, self.tape) if self.of_pairs is None else self.of_pairs.of(self.now)

    def desk(self) -> pl.DataFrame:
        """The desk's trips."""
        return _trips(self.journal, self.tape, _run_sleeves(self.tape)) if self.of_pairs is None else self.of_pairs.desk()

    def whose(self, pair: TripPair) -> str:
        """The sleeve that a trip's dollars are of."""
        return str(pair.any_of["sleeve"]) if self.of_pairs is None else self.tape.names[0]

    def wanted(self) -> list[str]:
        """Causes that could move anything, in their order."""
        if self.of_pairs is None:
            return [cause for cause in CAUSES if cause in OF_VENUE or MOVED[cause](self.tape, self.today)]
        tape, today = self.tape, self.today
        own = {"feature": moved(tape, today, self.of_basket), "version": version_moved(tape, today)}
        return [cause for cause in BASKET_CAUSES if own.get(cause) or (cause != "feature" and MOVED[cause](tape, today))]

    @property
    def left(self) -> bool:
        """Whether the replay is still a cent from the desk somewhere."""
        return any(abs(self.tape.equity[name] - self.now.equity[name]) >= CENT for name in self.amounts)


def compared(tape: Tape, today: Today, progress: Progress = lambda _done: None) -> Comparison:
    """The comparison of a tape. Raises BadInput for one that is too long."""
    steps = sum(1 for _ in tape.bars) * len(tape.book.names)
    if steps > STEPS_MAX:
        raise BadInput(f"{steps:,} bars of sleeves are more than {STEPS_MAX:,}", "choose a later --since")
    chain = _Chain(tape, today)
    progress(0.4)
    wanted = chain.wanted()
    for n, cause in enumerate(wanted):
        if cause not in OF_VENUE or chain.left:
            chain.give(cause)
        progress(0.4 + 0.5 * (n + 1) / len(wanted))
    desk = chain.desk()
    _add_residue(chain, desk)
    return _comparison(chain, desk)


def _add_residue(chain: _Chain, desk: pl.DataFrame) -> None:
    """What is left, parted trip by trip; then whatever the trips do not say."""
    bar_ms = {sleeve.name: sleeve.bar_ms for sleeve in chain.now.sleeves}
    entered = {(name, close_ms - bar_ms[name]) for name, close_ms in chain.tape.entered if name in bar_ms}
    if chain.of_pairs is not None:  # nothing enters a pair but a decision
        entered = {(trip["sleeve"], trip["entry_ms"]) for trip in desk.to_dicts()}
    seen: set[tuple[str, str, str, int]] = set()
    for cause, pair, usd in residue(paired(desk, chain.table), entered, at_account=chain.tape.at_account):
        trip = pair.any_of
        chain.amounts[chain.whose(pair)][cause] += usd
        if abs(usd) >= CENT:
            seen.add((cause, trip["sleeve"], trip["side"], trip["entry_ms"]))
    whole = "" if chain.of_pairs is None else chain.tape.names[0]
    chain.counts.update((cause, whole or sleeve) for cause, sleeve, _, _ in seen)
    for name, parts in chain.amounts.items():
        parts["unexplained"] += chain.tape.equity[name] - chain.first.equity[name] - sum(parts.values())


def _comparison(chain: _Chain, desk: pl.DataFrame) -> Comparison:
    """The amounts in cents, each sleeve's summing to its difference."""
    tape, shares = chain.tape, []
    start = tape.start_equity
    for name, parts in chain.amounts.items():
        made, simulated = (round(100 * (x[name] - start[name])) for x in (tape.equity, chain.first.equity))
        cents = apportion([100 * parts[cause] for cause in CLASSES], made - simulated)
        shares.append(SleeveShare(name, made, simulated, dict(zip(CLASSES, cents, strict=True))))
    pairs, source = tuple(paired(desk, chain.backtest)), str(tape.book.start.get("source", ""))
    bars = sum(1 for _ in tape.bars)
    numbers = {name: {tape.numbers[lead.keys[s]] for lead in tape.bars} for s, name in enumerate(tape.names)}
    versions = {name: tuple(sorted(found)) for name, found in numbers.items()}
    basket = "" if chain.of_pairs is None else tape.names[0]
    return Comparison(tape.start_ms, tape.end_ms, bars, tuple(shares), chain.counts, pairs, source, versions, basket)


# ---- tables of trips ----------------------------------------------------------------------------------------------------


def _journal_table(tape: Tape) -> pl.DataFrame:
    """The journal's rows that round trips are made of, up to the tape's end, each at its bar's close."""
    rows, _ = journal_rows(tape.path, tape.book.names)
    rows = rows.filter(pl.col("n") < tape.end_seq)
    bar_ms = pl.Series([spec.rules.bar_ms for spec in tape.book.specs], dtype=pl.Int64).gather(rows["sleeve"])
    return rows.with_columns(-(-pl.col("close_ms") // bar_ms) * bar_ms)


def _run_sleeves(tape: Tape) -> Any:
    """The desk's own sleeves with their marks at the end."""
    mark = closing_mark(tape.path, tape.end_ms)
    return sleeves_of(tape.path, {} if mark is None else mark.body)


def _table_of(found: Replayed, journal: pl.DataFrame, tape: Tape) -> pl.DataFrame:
    """A replay's trips; one that was open where it began has the desk's own beginning."""
    earlier = journal.filter(pl.col("n") <= tape.start_seq)
    own = found.rows.with_columns(pl.col("n") + tape.start_seq)
    return _trips(pl.concat([earlier, own]), tape, found.sleeves)


def _trips(rows: pl.DataFrame, tape: Tape, sleeves: Any) -> pl.DataFrame:
    """Trips that something happened to since the tape's beginning, or that are still open."""
    found = trips(rows, sleeves)
    return found.filter((pl.col("last_n") > tape.start_seq) | pl.col("exit_ms").is_null())


# ---- what has moved at all ----------------------------------------------------------------------------------------------


def _moved_version(tape: Tape, today: Today) -> bool:
    """Parameters, instrument figures, or limits other than the journal's."""
    bodies = [lead.body["limits"] for lead in tape.leads if lead.kind == "config"]
    wide = today.limits_moved(bodies)
    return wide or any(not today.same_params(key) or _rules_apart(today, key, fees=False) for key in tape.sources)


def _rules_apart(today: Today, key: str, *, fees: bool) -> bool:
    """Whether a version's rules of now and then differ in what fees move, or in anything else."""
    now, then = today.rules[key], today.then_rules(key)
    return any(getattr(now, name) != getattr(then, name) for name in now._fields if (name in FEES) is fees)


def _deviates(tape: Tape, today: Today, cause: str) -> bool:
    """Whether what the desk decided by differs from what its versions say, for this cause, at any bar."""
    names = tape.book.names
    for lead in tape.bars:
        for s, name in enumerate(names):
            keys = {lead.keys[s], lead.waiting[s]} - {None}
            if any(deviation(today, lead, s, name, str(key))[0] == cause for key in keys):
                return True
    return False


def _halted(tape: Tape, _today: Today) -> bool:
    return bool(tape.book.desk.halted) or any(lead.kind == "halt" for lead in tape.leads)


def _paused(tape: Tape, _today: Today) -> bool:
    """Whether people's pause or stage has kept any sleeve from entering."""
    sources = [spec.source for spec in (*tape.book.specs, *tape.book.waiting) if spec is not None]
    sources += [source for lead in tape.leads if lead.kind == "config" for source in lead.body["sleeves"]]
    return any(source["paused"] or stage_rests(stage_of(source), tape.book.mode) for source in sources)


MOVED: Mapping[str, Callable[[Tape, Today], bool]] = {  # cause -> whether a replay that is given it could differ at all
    "data": lambda _tape, today: bool(today.corrected) or today.correlations_moved,
    "version": _moved_version,
    "model": lambda tape, today: not all(today.same_models(key) for key in tape.sources),
    "feature": lambda tape, today: _deviates(tape, today, "feature"),
    "late": lambda tape, today: _deviates(tape, today, "late"),
    "signal": lambda tape, today: _deviates(tape, today, "signal"),
    "slippage": lambda tape, today: any(not today.same_costs(key) for key in tape.sources),
    "fee": lambda tape, today: any(_rules_apart(today, key, fees=True) for key in tape.sources),
    "funding": lambda _tape, today: bool(today.recharged),
    "halted": _halted,
    "paused": _paused,
    "blocked": lambda tape, _today: any(lead.blocked or lead.off for lead in tape.bars),
}
