"""Reading a journal from its end, and what each journal knows of the other: the same as a walk over all of it."""

import os
from pathlib import Path
from random import Random

import pytest

from engine.errors import DataError, JournalBroken
from engine.store import chain
from engine.store.chain import EMPTY, Event, Head, end_of, event_of, hash_fits, line_of, same_body
from engine.store.journal import Journal, claims_in, find, journal_hash, read, tail, verify
from engine.store.lookback import last

KINDS = ("bar", "mark", "halt", "incident")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred events of four kinds in groups of one to four, some longer than what is read at first."""
    rng, made = Random(1), tmp_path_factory.mktemp("ends") / "desk.jsonl"
    journal = Journal(made, "worker")
    for t in range(120):
        size = 100_000 if t % 40 == 7 else rng.randint(0, 300)
        journal.append([Event(rng.choice(KINDS), t, {"t": t, "pad": "x" * size}) for _ in range(rng.randint(1, 4))], sync=False)
    journal.close()
    return made


@pytest.mark.parametrize("kinds", [None, ("bar",), ("halt", "mark"), ("none",), ()])
def test_the_tail_is_the_end_of_a_walk(path: Path, kinds: tuple[str, ...] | None) -> None:
    """Of any length, nothing and more than there is included; kinds are filtered within it."""
    whole = list(read(path))
    for n in (0, -1, 1, 2, 7, 50, 100, 150, 200, len(whole) - 1, len(whole), len(whole) + 1, 10**6):
        expected = [e for e in whole[len(whole) - min(max(n, 0), len(whole)) :] if kinds is None or e.kind in kinds]
        assert tail(path, n, kinds) == expected, n


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_of_a_kind_is_the_last_of_a_walk(path: Path, kind: str) -> None:
    """Whatever must hold of it; none where nothing fits."""
    whole = [e for e in read(path) if e.kind == kind]
    assert last(path, (kind,)) == whole[-1]
    for most in (90, 40, 3):
        assert last(path, (kind,), lambda e, t=most: e.body["t"] < t) == next(e for e in reversed(whole) if e.body["t"] < most)
    assert last(path, (kind,), lambda _: False) is None


@pytest.mark.parametrize(
    "id_", ["d-1", "d-007", "p-1", "d-", "d-0", "d--1", "d-1.0", "1", "", "d-²", "d-99999999999999999999", "d-1 "]
)
def test_an_id_is_found_as_it_is_written_and_nothing_else(path: Path, id_: str) -> None:
    """Other journals, no numbers, numbers beyond any journal: none, and no exception."""
    found = find(path, id_)
    assert (found is not None) is (id_ in ("d-1", "d-007"))
    if found is not None:
        assert found.seq == int(id_[2:])


def test_what_is_missing_reads_as_nothing(tmp_path: Path) -> None:
    """A home that never ran."""
    gone = tmp_path / "desk.jsonl"
    assert (list(read(gone)), tail(gone, 5), find(gone, "d-1"), last(gone, KINDS), list(claims_in(gone))) == (
        [],
        [],
        None,
        None,
        [],
    )
    report = verify(gone)
    assert (report.ok, report.rows, report.head) == (True, 0, EMPTY)


def test_each_groups_word_of_the_other_journal_is_a_claim_once(tmp_path: Path) -> None:
    """Named when it changed, with the record that names it; from any record on."""
    desk, people = (Journal(tmp_path / f"{name}.jsonl", "test") for name in ("desk", "people"))
    heads: list[Head] = []
    for n in range(6):
        if n % 2 == 0:
            heads.append(people.append([Event("ask", n, {})])[-1])
        desk.append([Event("bar", n, {}), Event("mark", n, {})])
    for journal in (desk, people):
        journal.close()
    claims = list(claims_in(desk.path))
    assert [(claim.seq, claim.hash) for claim in claims] == [(head.seq, head.hash) for head in heads]
    assert [claim.by for claim in claims] == ["d-1", "d-5", "d-9"]
    assert [claim.by for claim in claims_in(desk.path, after=5)] == ["d-7", "d-9"]
    assert verify(people.path, claims).ok
    assert not verify(people.path, [claims[0]._replace(hash="0" * 64)]).ok


# ---- a line -----------------------------------------------------------------------------------------------------------------


def test_a_line_is_its_event_and_any_changed_byte_breaks_its_hash() -> None:
    """Written and read back field by field; every byte counts, the hash's own too."""
    event = Event("halt", 5, {"b": 1, "a": [None, True, 'é\n"']}, 2, "d-1", "run", 3, "code", 7)
    line, head = line_of(event, Head(41, "d-41", "a" * 64), "d-", "worker", 2, "p-9:ff")
    back = event_of(line[:-1])
    assert back is not None
    assert back[:9] == event[:9]
    assert (back.seq, back.id, back.writer, back.left, back.other, back.prev, back.hash) == (
        42, "d-42", "worker", 2, "p-9:ff", "a" * 64, head.hash,
    )  # fmt: skip
    assert hash_fits(line[:-1])
    for n in range(len(line) - 1):
        assert not hash_fits(line[:n] + bytes([line[n] ^ 1]) + line[n + 1 : -1]), n
    assert not hash_fits(line)  # with its newline
    assert not hash_fits(b"")


@pytest.mark.parametrize(
    "line",
    [b"", b"{}", b"[]", b"null", b"3", b'{"kind":"x"}', b'{"kind":"x","t_event_ms":1,"body":{},"more":1}', b"\xff", b"[" * 5_000],
)
def test_what_is_no_record_is_none(line: bytes) -> None:
    """Other JSON, a field too few or too many, no text, nesting beyond reason."""
    assert event_of(line) is None


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**64 - 1, 0, 10**18])
def test_the_largest_whole_numbers_of_64_bits_come_back(number: int) -> None:
    """As they were written, also inside a list."""
    line, _ = line_of(Event("x", 1, {"n": number, "l": [number]}), EMPTY, "d-", "w", 0, "")
    back = event_of(line[:-1])
    assert back is not None
    assert back.body == {"n": number, "l": [number]}


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30])
def test_a_larger_one_is_refused_before_it_is_written(number: int) -> None:
    """A reader would get a float."""
    with pytest.raises(DataError, match="beyond 64 bits"):
        line_of(Event("x", 1, {"n": number}), EMPTY, "d-", "w", 0, "")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1.0}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": 0.1}, {"a": 0.1 + 1e-18}, True),
        ({"a": 0.1}, {"a": 0.10000000000000002}, False),
        ({"a": None}, {}, False),
        ({"a": [1, 2]}, {"a": (1, 2)}, True),
        ({"a": 0.0}, {"a": -0.0}, False),
    ],
)
def test_bodies_are_alike_when_they_are_written_alike(one: dict, other: dict, same: bool) -> None:
    """To the type and the last bit; the order of keys is none of it."""
    assert same_body(one, other) is same


@pytest.mark.parametrize("block", [16, 200, 1 << 16])
def test_the_end_is_found_whatever_is_read_at_first(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """Behind whole groups, half a group, half a line, zeros: the last whole group and where it ends."""
    monkeypatch.setattr(chain, "BLOCK", block)
    lines = path.read_bytes().splitlines(keepends=True)[:40]
    ends = [n for n, line in enumerate(lines, 1) if (e := event_of(line[:-1])) is not None and e.left == 0]
    for cut in (1, 5, 17, 40):
        for rest in (b"", b'{"seq":', b"\0" * 50, b"\0" * 50 + b"\n"):
            data = b"".join(lines[:cut]) + rest
            (tmp_path / "cut").write_bytes(data)
            with (tmp_path / "cut").open("rb") as file:
                found = end_of(file.fileno(), len(data), path)
            whole = max((n for n in ends if n <= cut), default=0)
            assert (found.head.seq, found.end) == (whole, len(b"".join(lines[:whole]))), (cut, rest)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The lines whose hash was taken to find an end."""
    lines = list[bytes]()
    monkeypatch.setattr(chain, "hash_fits", lambda line: (lines.append(line), hash_fits(line))[1])
    return lines


def _record(folder: Path, n: int = 1) -> str:
    """What a new writer of the people journal records of the desk's end."""
    people = Journal(folder / "people.jsonl", "cli")
    people.append([Event("ask", n, {"n": n})])
    people.close()
    return list(read(people.path))[-1].other


def _desk(folder: Path, *bodies: int) -> str:
    """Bars for some numbers; the head that the desk journal has then, as the other one names it."""
    folder.mkdir(exist_ok=True)
    desk = Journal(folder / "desk.jsonl", "worker")
    desk.append([Event("bar", n, {"n": n}) for n in bodies])
    desk.close()
    return f"{desk.head.id}:{desk.head.hash}"


def test_a_last_line_that_has_not_changed_is_not_read_through_again(tmp_path: Path, hashed: list[bytes]) -> None:
    """Each writer records the right head, also after the journal moved, was cut, or was replaced by one of the same length."""
    head = _desk(tmp_path, 1, 2)
    whole = (tmp_path / "desk.jsonl").read_bytes()
    assert [_record(tmp_path, n) for n in range(3)] == [head] * 3
    assert hashed == []  # of what this process wrote itself
    moved = _desk(tmp_path, 3)
    assert _record(tmp_path) == moved != head
    (tmp_path / "desk.jsonl").write_bytes(whole)
    assert [_record(tmp_path, n) for n in range(3)] == [head] * 3
    assert hashed == [whole.splitlines()[-1]]  # once
    other = _desk(tmp_path / "other", 1, 4)
    (tmp_path / "other" / "desk.jsonl").replace(tmp_path / "desk.jsonl")
    assert (tmp_path / "desk.jsonl").stat().st_size == len(whole)
    assert _record(tmp_path) == other != head


def test_the_other_journal_is_on_the_disk_before_its_head_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each head, whoever records it; a file put in its place is brought there too, though it ends alike."""
    head, synced, fdatasync = _desk(tmp_path, 1), list[int](), os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (synced.append(os.fstat(file).st_ino), fdatasync(file)))
    path = tmp_path / "desk.jsonl"

    def syncs() -> int:
        """How often a record of this head synced the desk journal."""
        synced.clear()
        assert _record(tmp_path) == head
        return synced.count(path.stat().st_ino)

    assert [syncs() for _ in range(3)] == [1, 0, 0]
    (tmp_path / "copy").write_bytes(path.read_bytes())
    (tmp_path / "copy").replace(path)
    assert [syncs(), syncs()] == [1, 0]
    head = _desk(tmp_path, 2)
    assert [syncs(), syncs()] == [1, 0]


def test_a_bit_that_changes_in_a_kept_line_is_damage(tmp_path: Path) -> None:
    """In the same process, in the same instant, at the same length."""
    head = _desk(tmp_path, 1)
    assert _record(tmp_path) == head
    for name in ("desk", "people"):
        data = (tmp_path / f"{name}.jsonl").read_bytes()
        (tmp_path / f"{name}.jsonl").write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])
        with pytest.raises(JournalBroken, match="does not carry its own hash"):
            Journal(tmp_path / f"{name}.jsonl", "worker")


def test_what_a_crash_left_behind_a_kept_end_is_set_aside(tmp_path: Path) -> None:
    """Half a line behind the last group is never taken for the end, nor the group for it once the half is gone."""
    head = _desk(tmp_path, 1, 2)
    path = tmp_path / "desk.jsonl"
    with path.open("ab") as file:
        file.write(b'{"seq":3,"id"')
    back = Journal(path, "worker")
    assert [aside.read_bytes() for aside in back.set_aside] == [b'{"seq":3,"id"']
    back.close()
    assert _record(tmp_path) == head


def test_the_ends_of_many_files_are_not_kept_for_ever(tmp_path: Path) -> None:
    """A process that opens many homes keeps the last few lines; the end of a forgotten one is found as before."""
    heads = [_desk(tmp_path / str(n), n) for n in range(chain.ENDS_KEPT + 3)]
    assert len(chain._ENDS) <= chain.ENDS_KEPT
    assert _record(tmp_path / "0") == heads[0]


def test_an_edited_line_at_the_end_is_damage_not_a_crash(path: Path, tmp_path: Path) -> None:
    """A finished line without its own hash: nothing is cut off, a person has to look."""
    data = path.read_bytes()
    (tmp_path / "desk.jsonl").write_bytes(data[:-20] + b"0" + data[-19:])
    with pytest.raises(JournalBroken, match="does not carry its own hash"):
        Journal(tmp_path / "desk.jsonl", "worker")
    assert (tmp_path / "desk.jsonl").stat().st_size == len(data)


def test_the_hash_of_a_run_is_of_what_it_did_and_not_of_how_it_was_written(tmp_path: Path) -> None:
    """Other groups, writers, times of receipt and a home's id leave it; a body, a desk time or an order of events does not."""

    def made(name: str, groups: list[list[Event]], writer: str = "w") -> str:
        (tmp_path / name).mkdir()
        journal = Journal(tmp_path / name / "desk.jsonl", writer)
        for group in groups:
            journal.append(group)
        journal.close()
        return journal_hash(journal.path)

    config = Event("config", 0, {"start": {"home_id": "one", "x": 1}})
    bar, mark = Event("bar", 1, {"n": 1}), Event("mark", 1, {"n": 2})
    base = made("base", [[config], [bar, mark]])
    assert made("one group", [[config, bar, mark]], "other") == base
    assert made("received", [[config], [bar._replace(t_recv_ms=9, code_hash="c", run_id="r"), mark]]) == base
    assert made("moved", [[config._replace(body={"start": {"home_id": "two", "x": 1}})], [bar, mark]]) == base
    assert made("orders", [[config], [bar, Event("intent", 1, {}), Event("order", 1, {}), mark]]) == base
    others = [
        [[config], [mark, bar]],
        [[config], [bar, mark._replace(body={"n": 3})]],
        [[config], [bar._replace(t_event_ms=2), mark]],
        [[config._replace(body={"start": {"home_id": "one", "x": 2}})], [bar, mark]],
        [[config], [bar]],
    ]
    hashes = [made(f"other{n}", groups) for n, groups in enumerate(others)]
    assert base not in hashes
    assert len(set(hashes)) == len(hashes)
