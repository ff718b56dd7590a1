"""A maker on paper over a made tape, in this process: its journal, and the loop as plain Python or compiled."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.l2.checks import OpenTape
from engine.making.paper import PaperJournal, PaperMaker, Said
from engine.making.simulation import MakingOptions, MakingRun, begun, finished, loop_of, simulate, terms_of
from engine.store.journal import read
from tests.fakes.maker_markets import JOINING, SECOND

FEE = 2e-4


class Killed(Exception):
    """The process ends here."""


class DyingJournal(PaperJournal):
    """A journal whose process is killed before or after its n-th group is written."""

    dies_at, after = 0, False
    groups = 0

    def write(self, events: Sequence[Said], *, sync: bool) -> None:
        """Write, or die."""
        self.groups += 1
        dies = self.dies_at == self.groups
        if dies and not self.after:
            raise Killed
        super().write(events, sync=sync)
        if dies:
            raise Killed


def terms_for(opened: OpenTape, **options: Any) -> Any:
    """The loop's terms."""
    return terms_of(opened.tape.scale, MakingOptions(**{**JOINING, **options}), FEE)


def on_paper(
    opened: OpenTape,
    path: Path,
    *,
    latch: Callable[[], str] = lambda: "",
    slice_ns: int = SECOND,
    dies_at: int = 0,
    after: bool = False,
    compiled: bool = False,
    now_ms: Callable[[], int] = lambda: 1,
    **options: Any,
) -> tuple[MakingRun, PaperJournal]:
    """The maker from the tape's begin, or again over what is journaled, to its end. Raises Killed where it is to die."""
    assert opened.trades is not None
    work = begun(opened.tape, opened.trades, terms_for(opened, **options))
    journal = DyingJournal(path, "test", now_ms, again=True)
    journal.dies_at, journal.after = dies_at, after
    try:
        journal.write([("start", {"t_ns": int(opened.tape.recv_ns[0]), "scale": list(opened.tape.scale)})], sync=False)
        maker = PaperMaker(work, opened.tape.scale, journal, loop_of(compiled=compiled), latch)
        until, last = int(opened.tape.recv_ns[0]), int(opened.tape.recv_ns[-1])
        while not maker.through:
            until = min(until + slice_ns, last)
            maker.advance(until)
        maker.end("over", maker.figures())
    finally:
        journal.close()
    return finished(work), journal


def simulated(opened: OpenTape, *, compiled: bool = False, **options: Any) -> MakingRun:
    """The same maker, simulated."""
    assert opened.trades is not None
    return simulate(opened.tape, opened.trades, terms_for(opened, **options), compiled=compiled)


def events_of(path: Path, *kinds: str) -> list[tuple[str, Any]]:
    """(kind, body) of what is journaled."""
    return [(event.kind, event.body) for event in read(path, kinds or None)]
