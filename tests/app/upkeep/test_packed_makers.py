"""A maker's journal is packed as the desk's is: goes on, folds and verifies as before, in a backup too; one that runs is left."""

from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.home.settings import DeskToml
from app.making.storing import store
from app.upkeep import journals
from app.upkeep.backup import make_backup
from app.upkeep.maker_journals import checked
from app.upkeep.restore import restore
from app.upkeep.retention import carry_out, plan
from engine.clock import DAY_MS
from engine.errors import BadInput, Busy, JournalBroken
from engine.l2.checks import OpenTape
from engine.making.fold import folded
from engine.making.stored import ON_TAPE
from engine.making.under_halt import makers_under_halt
from engine.store import packing
from engine.store.chain import Event
from engine.store.journal import Journal, read, verify
from engine.store.opened import parts_of
from tests.engine.making.test_simulation import busy_market
from tests.fakes.paper_makers import Killed, events_of, on_paper

NOW = 1_900_000_000_000
BUSY: dict[str, Any] = {"inventory": 0.02, "toxic_flow": 3.0, "pace_ms": 0}
PART = 0.02  # megabytes: a made tape has a small journal


@pytest.fixture
def home(own_home: Path) -> Home:
    """A home that packs small parts."""
    home = open_home(NOW)
    desk: DeskToml = home.desk.model_copy(update={"retention": home.desk.retention.model_copy(update={"pack_megabytes": PART})})
    object.__setattr__(home, "desk", desk)
    return home


def journal_of(home: Home, name: str) -> Path:
    """Where a maker's journal is."""
    return home.path / "making" / name / "making.jsonl"


def ran(home: Home, name: str, opened: OpenTape, **more: Any) -> Path:
    """A maker that was on paper, or until it was killed; what is shown of it."""
    path = journal_of(home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    on_paper(opened, path, **{**BUSY, **more})
    book = folded(read(path))
    inventory = float(opened.tape.scale.quantity(book.inventory))
    figures = {"fills": book.fills, "orders": book.intents, "inventory": inventory, "net": 0.0, "fees": 0.0}
    texts = dict.fromkeys(("state", "verdict", "why", "venue", "symbol", "market", "quoter"), "over")
    shown = {"name": name, "kind": ON_TAPE, **texts, "figures": figures, "options": {}, "fees_bps": {}, "picture": {}}
    store(path.parent, {**shown, "halt": None, "written_ms": NOW, "begun_ms": 1})
    return path


def packed(home: Home, **more: Any) -> dict[str, int]:
    """Parts that were packed now, by journal."""
    return {size.journal: size.parts for size in journals.pack_home(home, NOW, **more)}


def test_it_is_packed_with_its_chain_whole_and_its_fold_the_same(home: Home, tmp_path: Path) -> None:
    """Two makers over one tape have parts of the same name, and each has its digest; unpacked it is the file that it was."""
    opened = busy_market(tmp_path)
    paths = [ran(home, name, opened) for name in ("m1", "m2")]
    before, book = paths[0].read_bytes(), folded(read(paths[0]))
    found = packed(home)
    assert found["maker m1"] == found["maker m2"] >= 3
    assert [part.path.name for part in parts_of(paths[0])] == [part.path.name for part in parts_of(paths[1])]
    assert len(before) > 3 * paths[0].stat().st_size
    assert folded(read(paths[0])) == book
    assert (verify(paths[0]).ok, checked(home, "m1")["journal"]["ok"], checked(home, "m2")["journal"]["ok"]) == (True, True, True)
    assert packed(home)["maker m1"] == 0
    assert [size.parts for size in journals.unpack_home(home) if size.journal == "maker m1"] == [found["maker m1"]]
    assert (paths[0].read_bytes(), checked(home, "m1")["journal"]["ok"]) == (before, True)


def test_a_part_of_another_time_is_found(home: Home, tmp_path: Path) -> None:
    """A part in whose place another one lies, whole by itself: the digest in the database says so."""
    opened = busy_market(tmp_path)
    path = ran(home, "m1", opened)
    ran(home, "m2", opened)  # with parts of the same names
    packed(home)
    part = parts_of(path)[0].path
    text = part.read_bytes()
    sealed = packing.digest_of(part)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journals, "digest_of", lambda one: "0" * 64 if one == part else packing.digest_of(one))
        assert f"{part.name} is not the part that was packed" in checked(home, "m1")["journal"]["text"]
    assert packing.digest_of(part) == sealed
    part.write_bytes(text[:-40] + bytes(40))
    assert checked(home, "m1")["journal"]["ok"] is False


def test_a_killed_maker_goes_on_behind_its_parts(home: Home, tmp_path: Path) -> None:
    """The same command over the packed journal makes every event anew and writes on; as if it had never been packed."""
    opened = busy_market(tmp_path)
    straight = ran(home, "straight", opened)
    path = journal_of(home, "killed")
    path.parent.mkdir()
    with pytest.raises(Killed):
        on_paper(opened, path, dies_at=900, **BUSY)
    assert packed(home)["maker killed"] > 0
    on_paper(opened, path, **BUSY)
    assert events_of(path) == events_of(straight)
    assert verify(path).ok


def test_one_that_runs_or_is_broken_holds_up_no_other_journal(home: Home, tmp_path: Path) -> None:
    """A running one is passed over; a changed one is one line, once the rest is packed."""
    opened = busy_market(tmp_path)
    names = ("a-changed", "b-runs", "c-rests")
    paths = {name: ran(home, name, opened) for name in names}
    text = paths["a-changed"].read_bytes()
    paths["a-changed"].write_bytes(text.replace(b'"side":"sell"', b'"side":"buy" ', 1))
    running = Journal(paths["b-runs"], "maker")
    done = []
    with pytest.raises(JournalBroken, match="a-changed"):
        done.extend(journals.pack_home(home, NOW))
    running.close()
    assert [(size.journal, size.parts > 0) for size in done if size.journal.startswith("maker")] == [("maker c-rests", True)]
    assert [bool(parts_of(paths[name])) for name in names] == [False, False, True]
    with pytest.raises(Busy), packing._alone(paths["c-rests"]):
        Journal(paths["c-rests"], "maker")


def test_a_backup_has_a_packed_maker_whole(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its plain end and its parts as they belong together, though the journal is made plain while the backup is written."""
    path = ran(home, "m1", busy_market(tmp_path))
    packed(home)
    book = folded(read(path))

    def meanwhile(step: str) -> None:
        if step == "making/m1/making.jsonl":
            list(journals.unpack_home(home))

    make_backup(home, tmp_path / "copy.tar.zst", NOW, meanwhile)
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "other"))
    restore(tmp_path / "copy.tar.zst", {"name": "ann"}, NOW)
    again = tmp_path / "other" / "making" / "m1" / "making.jsonl"
    assert (verify(again).ok, folded(read(again))) == (True, book)
    assert len(parts_of(again)) > 0


def test_no_age_removes_it_and_a_halt_is_found_in_it(home: Home, tmp_path: Path) -> None:
    """As no journal: `makers_days` is of simulations. Whether a halt has stopped the maker is read at its plain end."""
    path = ran(home, "m1", busy_market(tmp_path))
    journal = Journal(path, "maker")
    journal.append([Event("session", NOW, {"t_ns": NOW * 1_000_000})])
    journal.close()
    packed(home, all_of_it=True)
    desk = home.desk.model_copy(update={"retention": home.desk.retention.model_copy(update={"makers_days": 1.0})})
    object.__setattr__(home, "desk", desk)
    assert carry_out(plan(home, NOW + 900 * DAY_MS)) == []
    assert parts_of(path)
    assert makers_under_halt(home.path, NOW) == []
    with pytest.raises(BadInput):
        checked(home, "m9")
