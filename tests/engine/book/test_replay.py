"""The fold: the journal alone makes the desk again, bit for bit, from any snapshot, and says when it does not."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from app.home.home import Home, open_home
from app.processes.opening import walked
from engine.book.bodies import FORMAT
from engine.book.replay import fold, since_snapshot
from engine.book.snapshot import as_json, restored, to_json
from engine.core.state import Bar, Rules, Sleeve, start
from engine.errors import JournalBroken
from engine.store.chain import Event, end_of
from engine.store.journal import Journal, journal_hash, read
from tests.fakes.desks import RULES
from tests.fakes.order_desks import as_object
from tests.fakes.papers import WALL_MS, advanced, feed_of, furnished, loop_of


@pytest.fixture
def home(own_home: Path) -> Home:
    """A fresh home on a synthetic market."""
    furnished(own_home)
    return open_home(WALL_MS)


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The journal of a desk that has walked three days and a bit, closed without a snapshot."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(furnished(tmp_path_factory.mktemp("replay") / "home")))
        home = open_home(WALL_MS)
    advanced(loop_of(home, feed_of(home)), 3 * 96 + 31).journal.close()
    return home.desk_journal.read_bytes()


@pytest.fixture
def path(tmp_path: Path, three_days: bytes) -> Path:
    """A file of its own with that journal."""
    found = tmp_path / "desk.jsonl"
    found.write_bytes(three_days)
    return found


def test_a_snapshot_bounds_the_work(path: Path) -> None:
    """Only what follows the last one is read."""
    found = since_snapshot(path)
    assert found[0].kind == "snapshot"
    assert sum(e.kind == "bar" for e in found) == 31


def test_an_empty_journal_folds_to_nothing(tmp_path: Path) -> None:
    """A desk that has not begun."""
    assert fold(tmp_path / "desk.jsonl") is None


def rewritten(path: Path, change) -> None:
    """The journal with its events changed by somebody who knows how to chain hashes."""
    lines, prev = [], "0" * 64
    for line in path.read_bytes().splitlines():
        event = json.loads(line)
        change(event)
        event["prev"] = prev
        event.pop("hash")
        text = json.dumps(event, separators=(",", ":"))
        prev = sha256(text[:-1].encode()).hexdigest()
        lines.append(text[:-1].encode() + b',"hash":"' + prev.encode() + b'"}\n')
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [("fill", "price", 1.0), ("mark", "equity", 1e9), ("decision", "strength", 0.123), ("intent", "lots", 10_000)],
)
def test_a_journal_that_does_not_fold_to_its_own_rows_is_broken(path: Path, kind: str, field: str, value: float) -> None:
    """A changed fill, mark, decision or order is found although every hash of the chain fits."""
    last = [e.seq for e in read(path, {kind})][-1]

    def change(event: dict) -> None:
        if event["seq"] == last:
            event["body"][field] = value

    rewritten(path, change)
    with pytest.raises(JournalBroken, match=f"d-{last}"):
        fold(path, whole=True)


def test_features_that_the_decision_did_not_read_are_found(path: Path) -> None:
    """The bar notes a digest of each sleeve's feature row: a decision cannot be given other reasons later."""
    last = [e.seq for e in read(path, {"decision"})][-1]

    def change(event: dict) -> None:
        if event["seq"] == last:
            event["body"]["features"] = dict.fromkeys(event["body"]["features"], 1.0)

    rewritten(path, change)
    with pytest.raises(JournalBroken, match="did not have"):
        fold(path, whole=True)


def test_a_snapshot_that_tells_another_state_is_found(path: Path) -> None:
    """Folding on from a forged snapshot would be folding a lie."""

    def change(event: dict) -> None:
        if event["kind"] == "snapshot":
            event["body"]["desk"][1] += 1.0

    rewritten(path, change)
    with pytest.raises(JournalBroken, match="snapshot"):
        fold(path, whole=True)


def test_a_tail_torn_at_any_byte_of_the_last_group_is_cut_and_the_bar_walked_again(home: Home) -> None:
    """Whatever byte the crash left: the group was never acted on, it is kept aside, and the same rows come again."""
    feed = feed_of(home)
    loop = advanced(loop_of(home, feed), 220)
    before, size = to_json(loop.book), home.desk_journal.stat().st_size
    advanced(loop, 1)
    loop.journal.close()
    whole, hashed = home.desk_journal.read_bytes(), journal_hash(home.desk_journal)
    assert len(whole) - size > 1_000
    with home.desk_journal.open("rb") as file:
        for cut in range(size + 1, len(whole)):
            assert end_of(file.fileno(), cut, home.desk_journal).end == size, f"cut at byte {cut}"
    for cut in (size + 1, size + 700, len(whole) - 1):
        home.desk_journal.write_bytes(whole[:cut])
        journal = Journal(home.desk_journal, "worker")
        journal.close()
        assert journal.set_aside[0].read_bytes() == whole[size:cut]
        book = fold(home.desk_journal)
        assert to_json(book) == before
        loop = advanced(loop_of(home, feed, book), 1)
        loop.journal.close()
        assert journal_hash(home.desk_journal) == hashed


def test_a_value_survives_its_json_bit_for_bit() -> None:
    """Floats, missing ones, infinite ones, nested tuples."""
    odd = Bar(1, float("nan"), float("inf"), -0.0, 0.1 + 0.2, 5e-324, 1e300, -1.5)
    again = restored(Bar, json.loads(json.dumps(as_json(odd))))
    assert repr(again) == repr(odd)
    sleeve = start(10_000.1)
    assert restored(Sleeve, json.loads(json.dumps(as_json(sleeve)))) == sleeve
    assert restored(Rules, json.loads(json.dumps(as_object(RULES)))) == RULES


@pytest.mark.parametrize("written", [FORMAT - 1, FORMAT + 1, None])
def test_a_journal_of_another_format_is_one_line(home: Home, written: int | None) -> None:
    """From its first event and from its last snapshot alike: which format, which one is read, and how to go on."""
    start = {"format": written} if written is not None else {}
    first, later = Event("config", 1, {"start": start}), Event("snapshot", 1, {"start": start})
    for events in ([first], [first, later]):
        shutil.rmtree(home.desk_journal.parent, ignore_errors=True)
        journal = Journal(home.desk_journal, "worker")
        journal.append(events, sync=True)
        journal.close()
        expected = rf"another format \({written or 1}; this program reads {FORMAT}\).*NIGHTDESK_HOME=NEW"
        with pytest.raises(JournalBroken, match=expected):
            fold(home.desk_journal)
        with pytest.raises(JournalBroken, match="is of another format"):
            walked(home)
