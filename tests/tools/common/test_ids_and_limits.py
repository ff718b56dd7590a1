"""Evidence that exists and evidence that was made up; what of a call's arguments may stand in a journal; how much may be open."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from engine.control.config import DeskConfig, SleeveConfig, validated, write_first
from engine.errors import Refused
from engine.redaction import redacted
from engine.store.chain import Event
from engine.store.db import write
from engine.store.journal import Journal
from engine.store.tables import Alert, Job, Proposal, Run
from tools.common.ids import exists, find_event, last_seq, require_known
from tools.common.limits import DEPTH_MAX, JOBS_MAX, RECORD_MAX, WIDTH_MAX, jobs_open, recordable, require_room

SECRETS = (
    "sk-proj-" + "Ab1_-" * 8,
    "xoxb-1234567890-abcdefGHIJ",
    "xapp-1-A0123456789-98765",
    "ghp_" + "a1B2" * 9,
    "AKIA" + "IOSFODNN7EXAMPLE",
    "Bearer eyJhbGciOi.J9.e30=",
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",  # 64 letters and digits: Binance
    "Zq3TfR7xWm1LsK9vBn5YcD2hGj8PaU4eXo6i",  # 36: a secret of Bybit
    "22582BD0CFF14C41EDBF1AB98506286D",  # 32 hexadecimal digits in capitals: a secret of OKX
)


def job(n: int, state: str, thread: str | None = "t1") -> Job:
    """A job's row."""
    return Job(id=f"j-{n}", kind="backtest", args="{}", state=state, thread=thread, created_ms=n)


@pytest.fixture
def ctx(make_ctx: Any, db: Engine) -> Any:
    """A desk with one of everything that has an id, and three events in each journal."""
    sleeve = SleeveConfig(name="trend-btc", strategy="trend", venue="binance", symbol="BTC-USDT")
    write_first(db, validated(DeskConfig(sleeves=(sleeve,))), 0, "test")
    with write(db) as session:
        session.add(job(1, "done"))
        session.add(Run(id="r-20250304-aaaa", cache_key="k", created_ms=1, strategy="trend", symbol="BTC-USDT", timeframe="15m"))
        times = {"since_ms": 1, "opened_ms": 1, "seen_ms": 1}
        session.add(Alert(id="al-1", fingerprint="bars", kind="bars", severity="page", what="no bar", **times))
        more = {"diff": "{}", "diff_sha256": "d", "direction": "tightens", "expires_ms": 2, "created_ms": 1, "base_version": 1}
        session.add(Proposal(id="prop-1", sleeve="trend-btc", kind="change", **more))
    made = make_ctx("operator")
    for name in ("desk", "people"):
        journal = Journal(made.home / "journal" / f"{name}.jsonl", "test")
        journal.append([Event("incident", n, {"what": f"{name} {n}"}) for n in (1, 2, 3)])
        journal.close()
    return made


KNOWN = ("d-1", "d-3", "p-3", "v1", "j-1", "r-20250304-aaaa", "al-1", "prop-1")
FORGED = ("d-0", "d-4", "p-4", "d-01x", "d--1", "d-1000000000000", "D-1", "d-1 ", "d-1\n", "e-1", "v2", "v0", "v", "v1.0", "j-2")
FORGED += ("J-1", "al-2", "prop-2", "r-20250304-aaaa ", "r-20250304-%", "' or 1=1 --", "", "\x00", "../desk.db", "al-1, al-2")


def test_what_is_of_this_desk_is_evidence_and_nothing_else(ctx: Any) -> None:
    """Events of both journals, versions, jobs, runs, alerts and proposals are. One past the end, another case, a space, a pattern
    are not: refused by name, also between two that exist."""
    for known in KNOWN:
        assert exists(ctx, known), known
    require_known(ctx, KNOWN)
    for forged in FORGED:
        assert not exists(ctx, forged), forged
        with pytest.raises(Refused, match="is not a run, event"):
            require_known(ctx, ["d-1", forged, "p-1"])


def test_an_event_is_found_in_the_journal_its_letter_names(ctx: Any) -> None:
    """The same number of the two journals is not the same event; a number nobody has is None."""
    assert [find_event(ctx, found).body["what"] for found in ("d-2", "p-2")] == ["desk 2", "people 2"]
    for unknown in ("d-9", "p-9", "x-1", "", "d-", "d-2x", "prop-1"):
        assert find_event(ctx, unknown) is None, unknown


def test_a_journal_that_was_torn_ends_at_its_last_whole_record(ctx: Any) -> None:
    """Power lost while a line was written: the whole ones are evidence, the torn one is not."""
    path = ctx.home / "journal" / "desk.jsonl"
    whole = path.read_bytes()
    for torn in (b'{"seq":4,"id":"d-4","kind":"incid', b"\x00" * 30, b"{}"):
        path.write_bytes(whole + torn)
        assert exists(ctx, "d-3")
        assert not exists(ctx, "d-4")


def test_a_journal_that_is_no_journal_is_evidence_of_nothing(ctx: Any) -> None:
    """A file full of something else, or none at all: nothing exists there, and nobody crashes."""
    path = ctx.home / "journal" / "desk.jsonl"
    for content in (b"", b"\n\n\n", b"not a journal\n" * 9, b"\xff\xfe\x00" * 50 + b"\n"):
        path.write_bytes(content)
        assert last_seq(ctx, "desk") == 0
        assert not exists(ctx, "d-1")
    path.unlink()
    assert last_seq(ctx, "desk") == 0
    assert exists(ctx, "p-3")


# ---------------------------------------------------------------------- what is journaled of a call


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda part: st.lists(part, max_size=40) | st.dictionaries(st.text(max_size=20), part, max_size=40),
    max_leaves=60,
)


def depth_of(value: Any) -> int:
    """How deep a JSON value is."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max((depth_of(part) for part in parts), default=0) if isinstance(value, dict | list) else 0


@settings(max_examples=40)
@given(json_values)
def test_whatever_was_sent_is_recorded_small_and_plain(value: Any) -> None:
    """Any JSON and more: strict JSON comes out, bounded in length, depth and width, without control characters."""
    kept = recordable(value)
    text = json.dumps(kept, ensure_ascii=False, allow_nan=False)
    text.encode()
    assert len(text) <= RECORD_MAX + 20 + text.count("\\")
    assert depth_of(kept) <= DEPTH_MAX + 1
    if isinstance(value, list) and isinstance(kept, list):
        assert len(kept) == min(len(value), WIDTH_MAX)
    assert "\u202e" not in text


def test_what_is_too_long_to_keep_is_cut_and_says_so() -> None:
    """Many long texts, each of them within its own bound: the record as a whole has one too."""
    kept = recordable({"changes": ["a word " * 40] * WIDTH_MAX})
    assert set(kept) == {"cut"}
    assert len(kept["cut"]) == RECORD_MAX
    assert kept["cut"].endswith("…")


@pytest.mark.parametrize("value", [math.nan, math.inf, 1 << 70, b"bytes", {1, 2}, object, {"a": {1: (2, 3)}}])
def test_what_is_not_json_is_recorded_as_text(value: Any) -> None:
    """A number that no reader of the journal could read back, bytes, sets: words, not a crash."""
    assert json.loads(json.dumps(recordable(value), allow_nan=False)) == json.loads(json.dumps(recordable(value)))


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:6])
def test_a_pasted_key_is_masked_wherever_it_stands(secret: str) -> None:
    """As a value, in the middle of a sentence, as the name of an argument, deep inside, and in what was too deep to keep."""
    deep: Any = secret
    for _ in range(DEPTH_MAX + 3):
        deep = [deep]
    spread = {"a": secret, "b": f"use {secret}, please", secret: 1, "c": [{"d": (secret, [secret])}], "e": deep, "f": {secret}}
    assert secret not in json.dumps(recordable(spread))
    assert redacted(f"key={secret}!").startswith("key=[secret]")


@pytest.mark.parametrize(
    "harmless",
    [
        "r-20250304-8f2a1b3c",
        "ab" * 16,
        "trend-btc stop_atr 2 -> 3",
        "d-123456789012",
        "BTC-USDT-240628-60000-C",
        "task-based",
        "ThisIsALongCamelCaseNameWithoutDigits",
        "7" * 40,
        "RsiCross14Fast",
    ],
)
def test_our_own_ids_and_words_are_not_taken_for_keys(harmless: str) -> None:
    """A run's id, a short hash, an instrument: masking them would blind the journal."""
    assert redacted(harmless) == harmless


# ---------------------------------------------------------------------- how much may be open


def test_more_jobs_than_the_desk_takes_are_refused(make_ctx: Any, db: Engine) -> None:
    """One running and three queued, whoever asked; the refusal says how many there are, and one less is let through."""
    ctx = make_ctx()
    for open_now in range(JOBS_MAX + 2):
        wanted = max(1, JOBS_MAX - open_now + 1)
        with pytest.raises(Refused, match=f"{open_now} jobs are open and this needs {wanted} more"):
            require_room(ctx, wanted)
        if wanted > 1:
            require_room(ctx, wanted - 1)
        with write(db) as session:
            session.add(job(open_now, "queued" if open_now else "running", f"t{open_now}"))


def test_ended_jobs_and_a_persons_own_take_no_room_from_the_roles(make_ctx: Any, db: Engine) -> None:
    """Only what a role asked for and has not ended counts: a person's pull does not silence the assistant."""
    with write(db) as session:
        session.add_all(job(n, state) for n, state in enumerate(("done", "failed", "cancelled", "running")))
        session.add_all(job(10 + n, "queued", None) for n in range(5))
    ctx = make_ctx()
    assert jobs_open(ctx) == 1
    require_room(ctx, JOBS_MAX - 1)
    with pytest.raises(Refused):
        require_room(ctx, JOBS_MAX)


def test_an_unreadable_journal_folder_is_no_evidence(make_ctx: Any, tmp_path: Path) -> None:
    """Nothing has been written yet: no event exists, and asking creates nothing."""
    ctx = make_ctx(home=tmp_path / "elsewhere")
    assert not exists(ctx, "d-1")
    assert not (tmp_path / "elsewhere").exists()
