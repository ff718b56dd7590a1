"""When a bar is closed: the clock has passed its end, the venue's own flag says so, and one REST read has the same numbers.

Called by feed_live.py, one `ColumnBars` an instrument and timeframe; no clock, no network: what comes in is given with its time.
A bar is decided on once, at its close or never. One that comes later goes into history alone, through the checks of an import;
one that REST lists with other numbers than were decided on is a correction, and what was decided on stays what it was.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import polars as pl

from engine.clock import utc
from engine.data.checks import check, errors, refusals
from engine.venues.candles import Prices, PushedCandle

KEPT = 400  # bars that a column remembers: what the checks call usual is 97 bars
FLAGS_KEPT = 16  # flagged bars that REST has not answered for yet
BAR_NAMES = ("open", "high", "low", "close", "volume")


class Patience(NamedTuple):
    """How long a close is waited for; ms."""

    settle_ms: int = 1_000  # from the close to the first REST read
    wait_ms: int = 3_000  # from the close until which it can be decided on
    again_ms: int = 400  # between two REST reads of a bar that is not closed yet
    early_ms: int = 1_000  # a flag further ahead of the close than this is false: no clock may be off by more


class FeedNote(NamedTuple):
    """Something about a feed that a person may want to know."""

    kind: str  # one of NOTES
    about: str  # a column, or a venue
    open_ms: int  # of the bar; 0: of none
    text: str


NOTES = {
    "early": "a flag before the close",
    "retracted": "a bar went on forming after its flag",
    "repeated": "a flag again, with other numbers",
    "disagreed": "stream and REST had other numbers when the bar was due",
    "missing": "no closed bar in time: nothing is decided on it",
    "refused": "numbers that no market produces, when the bar was due",
    "unfit": "a late bar that the checks of an import refuse",
    "repaired": "a bar that came late, into history alone",
    "corrected": "REST lists other numbers than were decided on",
    "stream": "a stream is silent, cut or unreadable",
    "rest": "REST does not answer",
    "funding": "funding or marks do not come",
    "clock": "the venue's clock and ours are apart",
    "over": "a trouble has ended",
    "parted": "two venues disagree",
}


class ColumnBars:
    """One column's bars: `known` by open, each equal to the last REST read of it and checked."""

    def __init__(self, column: str, step_ms: int, patience: Patience) -> None:
        self.column, self.step_ms, self.patience = column, step_ms, patience
        self.known: dict[int, Prices] = {}
        self.decided: dict[int, Prices | None] = {}  # at its close: what was decided on, None for nothing
        self._flagged: dict[int, Prices] = {}
        self._listed: dict[int, Prices] = {}  # closed bars as REST listed them last
        self._refused: set[int] = set()

    def push(self, candle: PushedCandle, now_ms: int) -> list[FeedNote]:
        """What the stream says. A flag counts for the numbers it came with; a later push of a forming bar takes it back."""
        open_ms, before = candle.open_ms, self._flagged.get(candle.open_ms)
        if not candle.closed:
            if before is None or candle.prices == before:
                return []
            del self._flagged[open_ms]
            return [self._note("retracted", open_ms, "it goes on forming after the venue's flag")]
        if now_ms < open_ms + self.step_ms - self.patience.early_ms:
            return [self._note("early", open_ms, f"the venue's flag came at {utc(now_ms)}, before the bar ended")]
        self._flagged[open_ms] = candle.prices
        _bound(self._flagged, FLAGS_KEPT)
        if before is None or before == candle.prices:
            return []
        return [self._note("repeated", open_ms, f"flagged as closed with {before}, then with {candle.prices}")]

    def read(self, rows: Mapping[int, Prices], asked_ms: int) -> list[FeedNote]:
        """What REST lists, asked at `asked_ms`: closed by the clock, or left out. Notes what differs from what was known."""
        notes = []
        for open_ms, prices in rows.items():
            if open_ms + self.step_ms + self.patience.settle_ms > asked_ms:
                continue
            self._listed[open_ms] = prices
            before = self.known.get(open_ms)
            if before is not None and before != prices and not self._unsound({open_ms: prices}):
                self.known[open_ms] = prices
                notes.append(self._note("corrected", open_ms, f"it was {before}, REST now lists {prices}"))
        _bound(self._listed, KEPT)
        return notes

    def closed(self, open_ms: int) -> Prices | None:
        """The bar once flag and REST agree on it and it is sound; None before."""
        flagged, listed = self._flagged.get(open_ms), self._listed.get(open_ms)
        if flagged is None or flagged != listed or self._unsound({open_ms: listed}):
            return None
        return listed

    def is_unflagged(self, open_ms: int) -> bool:
        """Whether REST lists a bar that the stream has not closed."""
        return open_ms in self._listed and open_ms not in self._flagged

    def decide(self, open_ms: int, blocked: str = "") -> tuple[Prices | None, list[FeedNote]]:
        """Its close is over: the bar to decide on, or None and why. Once for each bar. `blocked`: why not, whatever there is."""
        assert open_ms not in self.decided, "a bar is decided on once"  # noqa: S101 - a programmer's error halts
        found = self.decided[open_ms] = None if blocked else self.closed(open_ms)
        _bound(self.decided, KEPT)
        if found is not None:
            self._keep(open_ms, found)
            return found, []
        return None, [self._note("missing", open_ms, blocked) if blocked else self._why(open_ms)]

    def late(self) -> tuple[dict[int, Prices], list[FeedNote]]:
        """Bars for history alone: listed by REST, with a later bar behind them that has closed, and not known so far.

        They pass the checks of an import together with the bars around them; one that does not stays missing.
        """
        last = max(self._listed, default=0)
        waiting = {t: p for t, p in self._listed.items() if t not in self.known and t not in self._refused and t < last}
        fit = {t: p for t, p in waiting.items() if t in self.decided or t < min(self.decided, default=last)}
        wrong = self._unsound(fit, deep=True)
        for open_ms in wrong:
            self._refused.add(open_ms)
        repaired = {t: p for t, p in fit.items() if t not in wrong}
        for open_ms, prices in repaired.items():
            self._keep(open_ms, prices)
        notes = [self._note("unfit", t, f"{why}: it stays missing") for t, why in wrong.items()]
        return repaired, notes + [self._note("repaired", t, "read from REST after its close") for t in repaired]

    def first_hole(self, from_ms: int, until_ms: int) -> int | None:
        """The first open from `from_ms` to before `until_ms` that is not known and was not refused."""
        opens = range(-(-from_ms // self.step_ms) * self.step_ms, until_ms - self.step_ms + 1, self.step_ms)
        return next((t for t in opens if t not in self.known and t not in self._refused), None)

    def _why(self, open_ms: int) -> FeedNote:
        """Why there is nothing to decide on."""
        flagged, listed = self._flagged.get(open_ms), self._listed.get(open_ms)
        if flagged is not None and listed is not None:
            if flagged != listed:
                return self._note("disagreed", open_ms, f"the stream closed it with {flagged}, REST lists {listed}")
            return self._note("refused", open_ms, next(iter(self._unsound({open_ms: listed}).values())))
        lacks = [text for text, found in (("the venue's flag", flagged), ("a REST read", listed)) if found is None]
        return self._note("missing", open_ms, f"{' and '.join(lacks)} did not come in time")

    def _unsound(self, new: Mapping[int, Prices], *, deep: bool = False) -> dict[int, str]:
        """Open -> what the checks say of those of `new` that no market produces, next to the bars known; `deep`: all checks."""
        if not new:
            return {}
        frame = frame_of({**self.known, **new} if deep else new)
        found = errors(check(frame, self.step_ms)) if deep else refusals(frame, self.step_ms)
        opens = frame["ts"].to_list()
        wrong = {opens[row]: f"{issue.rule}: {issue.text}" for issue in found if issue.rule not in SPANS for row in issue.rows}
        return {open_ms: why for open_ms, why in wrong.items() if open_ms in new}

    def _keep(self, open_ms: int, prices: Prices) -> None:
        self.known[open_ms] = prices
        _bound(self.known, KEPT)

    def _note(self, kind: str, open_ms: int, text: str) -> FeedNote:
        return FeedNote(kind, self.column, open_ms, text)


SPANS = ("gap", "stride")  # issues of bars that are not there: nothing is wrong with the bar behind them


def frame_of(bars: Mapping[int, Prices]) -> pl.DataFrame:
    """Bars by open as the catalog and the checks have them: ts Int64, open, high, low, close, volume."""
    rows = [[open_ms, *bars[open_ms]] for open_ms in sorted(bars)]
    return pl.DataFrame(rows, schema={"ts": pl.Int64, **dict.fromkeys(BAR_NAMES, pl.Float64)}, orient="row")


def _bound(kept: dict[int, Prices] | dict[int, Prices | None], most: int) -> None:
    """Drop the oldest bars."""
    for open_ms in sorted(kept)[: max(0, len(kept) - most)]:
        del kept[open_ms]


def texts(notes: Iterable[FeedNote]) -> list[str]:
    """Notes as lines."""
    return [f"{note.about}{f' {utc(note.open_ms)}' if note.open_ms else ''}: {note.kind}: {note.text}" for note in notes]
