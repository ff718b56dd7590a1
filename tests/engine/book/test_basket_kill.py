"""A kill at every event of a day of a basket on paper: what is left folds to the last whole batch and goes on to the same end."""

import pytest

from engine.book.replay import after, batches, groups
from engine.book.snapshot import to_json
from engine.store.chain import encode_body
from engine.store.journal import read
from tests.engine.book.test_kill_anywhere import Undisturbed, cuts, ends_of, last_batch, survivor, undisturbed
from tests.fakes.basket_desks import basket_home

BARS = 120
GOING_ON = 3


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The run, and its state at every batch."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("kill") / "home"
        patch.setenv("NIGHTDESK_HOME", str(folder))
        home = basket_home(folder, enter=0.8, step_days=0.25)
    return undisturbed(home, BARS)


def test_the_day_says_something(run: Undisturbed) -> None:
    """Entries and exits of pairs, settlements, stops that follow their legs."""
    events = list(read(run.home.desk_journal))
    assert {"intent", "sent", "order", "amend", "fill", "funding", "mark", "snapshot", "decision"} <= {e.kind for e in events}
    assert {event.body["slot"] for event in events if event.kind == "fill"} >= {"entry", "exit"}


def test_every_whole_batch_folds_to_the_state_of_the_undisturbed_run(run: Undisturbed) -> None:
    """All of them, in one fold that is looked at behind each."""
    path = run.home.desk_journal
    path.write_bytes(run.whole)
    book, ends, seen = None, ends_of(run.whole), 0
    for batch in batches(read(path)):
        for group in groups(batch):
            book = after(book, group, path)
        end = ends[batch[-1].seq - 1]
        if end in run.states:
            seen += 1
            assert book is not None
            assert encode_body(to_json(book)) == run.states[end], f"the state behind {batch[-1].id}"
    assert seen == len(run.states)


def test_a_killed_desk_goes_on_to_the_same_hash(run: Undisturbed) -> None:
    """From a sample of the cuts, and from those behind which orders of legs were journaled and never sent."""
    unsent = [end for end in run.states if b'"kind":"sent"' in run.whole[:end].splitlines()[-2]]
    assert unsent
    for cut in (*cuts(run, GOING_ON), *unsent[:3]):
        assert survivor(run, cut, BARS) == run.hash, f"cut at byte {cut}"


@pytest.mark.long
def test_a_desk_killed_at_any_event_goes_on_to_the_same_hash(run: Undisturbed) -> None:
    """Each of them; cuts within one batch leave the same file, which is gone on from once."""
    met = set[int]()
    for cut in cuts(run, None):
        if last_batch(run, cut) not in met:
            met.add(last_batch(run, cut))
            assert survivor(run, cut, BARS) == run.hash, f"cut at byte {cut}"
