"""A kill at every event of a two-day paper journal: what is left folds to the last whole batch, and goes on to the same end.

A kill leaves the bytes up to some event. Everything behind the last whole batch is cut off when the journal is opened, so the
state must be the one that the undisturbed run had when that batch was on the disk. Real processes are killed in
tests/app/processes/test_worker.py, at moments that nobody chose; here every moment is chosen.
"""

from typing import NamedTuple

import pytest

from app.home.home import Home, open_home
from engine.book.replay import after, batches, fold, groups
from engine.book.snapshot import to_json
from engine.live.feed import Feed
from engine.store.chain import encode_body, end_of
from engine.store.journal import Journal, journal_hash, read, verify
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of

BARS = 192  # two days
GOING_ON = 3  # cuts of the default suite from which the desk goes on to the end


class Undisturbed(NamedTuple):
    """Two days that nobody disturbed."""

    home: Home
    feed: Feed
    whole: bytes  # its journal
    hash: str
    states: dict[int, str]  # size of the journal after each batch -> the state then


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run, and its state at every batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(furnished(tmp_path_factory.mktemp("kill") / "home")))
        home = open_home(WALL_MS)
    return undisturbed(home)


def undisturbed(home: Home, bars: int = BARS) -> Undisturbed:
    """The first bars of a home."""
    feed = feed_of(home)
    loop, path = loop_of(home, feed), home.desk_journal
    states = {path.stat().st_size: encode_body(to_json(loop.book))}
    append = loop.journal.append

    def noted(*given, **more):
        heads = append(*given, **more)
        states[path.stat().st_size] = encode_body(to_json(loop.book))
        return heads

    loop.journal.append = noted
    advanced(loop, bars)
    loop.journal.close()
    return Undisturbed(home, feed, path.read_bytes(), journal_hash(path), states)


def ends_of(whole: bytes) -> list[int]:
    """Where each event of the journal ends."""
    ends, at = [], 0
    for line in whole.splitlines(keepends=True):
        at += len(line)
        ends.append(at)
    return ends


def last_batch(run: Undisturbed, cut: int) -> int:
    """Where the last batch ends that is whole at `cut`; 0 before the first."""
    return max((end for end in run.states if end <= cut), default=0)


def test_the_two_days_say_something(run: Undisturbed) -> None:
    """Entries, exits, and orders of every kind that were placed, amended and ended; more batches than bars."""
    events = list(read(run.home.desk_journal))
    assert {"intent", "sent", "order", "amend", "fill", "mark", "snapshot", "decision"} <= {event.kind for event in events}
    assert {event.body["slot"] for event in events if event.kind == "fill"} >= {"entry", "protective"}
    assert len(run.states) > BARS


def test_a_kill_at_every_event_leaves_the_last_whole_batch(run: Undisturbed) -> None:
    """Where the journal ends when it is opened: behind each event, and within the next one."""
    path = run.home.desk_journal
    path.write_bytes(run.whole)
    with path.open("rb") as file:
        for end in ends_of(run.whole):
            for cut in (end, end - 1, end - 40):
                assert end_of(file.fileno(), cut, path).end == last_batch(run, cut), f"cut at byte {cut}"


def test_every_whole_batch_folds_to_the_state_of_the_undisturbed_run(run: Undisturbed) -> None:
    """All of them, in one fold that is looked at behind each."""
    path = run.home.desk_journal
    path.write_bytes(run.whole)
    book, seen, ends = None, 0, ends_of(run.whole)
    for batch in batches(read(path)):
        for group in groups(batch):
            book = after(book, group, path)
        end = ends[batch[-1].seq - 1]
        if end in run.states:  # all but what comes before the first look
            seen += 1
            assert book is not None
            assert encode_body(to_json(book)) == run.states[end], f"the state behind {batch[-1].id}"
    assert seen == len(run.states)


def survivor(run: Undisturbed, cut: int, bars: int = BARS) -> str:
    """A journal cut at a byte is opened and folded as a start does, then the desk goes on to the end; its hash."""
    path = run.home.desk_journal
    path.write_bytes(run.whole[:cut])
    Journal(path, "worker").close()
    book = fold(path)
    assert book is not None
    assert encode_body(to_json(book)) == run.states[last_batch(run, cut)], f"cut at byte {cut}"
    loop = loop_of(run.home, run.feed, book)
    advanced(loop, bars - loop.book.count)
    loop.journal.close()
    for aside in path.parent.glob(f"{path.name}*"):
        if aside != path:
            aside.unlink()
    assert verify(path).ok
    assert encode_body(to_json(fold(path, whole=True))) == encode_body(to_json(loop.book))
    return journal_hash(path)


def cuts(run: Undisturbed, count: int | None) -> list[int]:
    """Ends of events, from the first batch on: evenly spread, or all."""
    possible = [end for end in ends_of(run.whole) if last_batch(run, end)]
    return possible if count is None else possible[:: len(possible) // count][:count]


def test_a_killed_desk_goes_on_to_the_same_hash(run: Undisturbed) -> None:
    """From a sample of the cuts, and from the ones behind which an order was journaled and never sent."""
    unsent = [end for end in run.states if b'"kind":"sent"' in run.whole[:end].splitlines()[-2]]
    for cut in (*cuts(run, GOING_ON), *unsent[:2]):
        assert survivor(run, cut) == run.hash, f"cut at byte {cut}"


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_a_desk_killed_at_any_event_goes_on_to_the_same_hash(run: Undisturbed, part: int) -> None:
    """Each of them; cuts within one batch leave the same file, which is gone on from once."""
    met = set[int]()
    for cut in cuts(run, None)[part::8]:
        if last_batch(run, cut) not in met:
            met.add(last_batch(run, cut))
            assert survivor(run, cut) == run.hash, f"cut at byte {cut}"
