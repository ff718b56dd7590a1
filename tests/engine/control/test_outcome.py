"""What an old card says runs now, and what its evidence and worst case say in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.control import proposals, rollbacks
from engine.control.apply import apply
from engine.control.evidence import comparison_text, equal_worst_case, verdict_words
from engine.control.outcome import runs_now
from engine.store.journal import Event, Journal
from engine.store.tables import Proposal

NOW = 1_700_000_000_000
ANN = {"name": "ann", "assurance": "session"}
WHO = {"role": "developer", "thread": "t-1", "person": "ann"}


@pytest.fixture
def desk(one_db: Engine, two_sleeves: Any) -> Engine:
    """Version 1 in force; sentences are the same on both databases."""
    from engine.control.config import write_first

    write_first(one_db, two_sleeves, NOW, "test")
    return one_db


@pytest.fixture
def one_db(tmp_path: Path) -> Engine:
    """A migrated database."""
    from engine.store.db import migrate, open_db

    engine = open_db(f"sqlite:///{tmp_path / 'outcome.db'}")
    migrate(engine)
    return engine


def applied(desk: Engine, home: Path, changes: dict[str, Any], evidence: Any, **more: Any) -> Proposal:
    """A change that was proposed and approved."""
    more = {"rationale": "because", "requester": WHO, "now_ms": NOW, "sleeve": "btc", **more}
    row = proposals.create(desk, home, changes=changes, evidence=evidence, **more)
    apply(desk, home, row.id, row.diff_sha256, ANN, NOW + 1)
    return proposals.get(desk, row.id)


def back(desk: Engine, home: Path, to: Any) -> Proposal:
    """A rollback that was carried out."""
    row = rollbacks.create_rollback(desk, home, to, requester=WHO, now_ms=NOW)
    apply(desk, home, row.id, row.diff_sha256, ANN, NOW + 1)
    return proposals.get(desk, row.id)


def said(desk: Engine, home: Path, row: Proposal) -> tuple[str, str]:
    """(what became of it, its sentence)."""
    found = runs_now(desk, home, proposals.get(desk, row.id))
    assert found is not None
    return found.outcome, found.text


def test_an_old_card_says_what_runs_now(desk: Engine, home: Path, evidence: Callable[..., Any]) -> None:
    """In force; rolled back, with the value that runs, a default that no version spells out; and the rollback, itself undone."""
    first = applied(desk, home, {"stop_atr": 3.0}, evidence({"stop_atr": 3.0}))
    assert said(desk, home, first) == ("runs", "applied as version 2, which runs now: stop_atr 3")
    undone = back(desk, home, 1)
    assert said(desk, home, first) == ("rolled back", "applied as version 2, rolled back; version 3 runs now: stop_atr 2")
    assert said(desk, home, undone) == ("runs", "applied as version 3, which runs now: stop_atr 2")
    back(desk, home, 2)
    assert said(desk, home, undone)[0] == "rolled back"
    assert said(desk, home, first) == ("runs", "applied as version 2, in force still; version 4 runs now: stop_atr 3")


def test_a_card_does_not_say_runs_of_what_the_desk_has_not_adopted(
    desk: Engine, home: Path, evidence: Callable[..., Any]
) -> None:
    """The worker is stopped or hangs: the desk's last bar says which version it runs; once it adopts, so does the card."""
    first = applied(desk, home, {"stop_atr": 3.0}, evidence({"stop_atr": 3.0}))
    journal = Journal(home / "journal" / "desk.jsonl", "worker")
    journal.append([Event("mark", 1, {"version": 1})])
    late = "; NOT ADOPTED: the desk runs version 1"
    assert said(desk, home, first) == ("runs", f"applied as version 2, which is in force: stop_atr 3{late}")
    back(desk, home, 1)
    assert said(desk, home, first) == (
        "rolled back",
        f"applied as version 2, rolled back; version 3 is in force: stop_atr 2{late}",
    )
    journal.append([Event("mark", 2, {"version": 3})])
    assert said(desk, home, first) == ("rolled back", "applied as version 2, rolled back; version 3 runs now: stop_atr 2")
    journal.close()


def test_a_later_change_replaces_or_leaves_it(desk: Engine, home: Path, evidence: Callable[..., Any]) -> None:
    """Another value of the same key replaces it; a change of another sleeve does not; a card never applied says that."""
    first = applied(desk, home, {"paused": True}, [])
    applied(desk, home, {"paused": True}, [], sleeve="sol")
    assert said(desk, home, first) == ("runs", "applied as version 2, in force still; version 3 runs now: paused yes")
    pending = proposals.create(
        desk, home, sleeve="btc", changes={"paused": False}, evidence=evidence({}), rationale="", requester=WHO, now_ms=NOW
    )
    assert runs_now(desk, home, pending) is None
    apply(desk, home, pending.id, pending.diff_sha256, ANN, NOW + 1)
    assert said(desk, home, first) == ("replaced", "applied as version 2, replaced since; version 4 runs now: paused no")
    late = proposals.create(
        desk, home, sleeve="btc", changes={"paused": True}, evidence=[], rationale="", requester=WHO, now_ms=NOW
    )
    proposals.expire_due(desk, late.expires_ms)
    assert said(desk, home, late) == ("not applied", "never applied; version 4 runs now: paused no")


def test_a_rollback_carries_its_bounds_and_is_refused_when_it_is_not_what_was_shown(
    desk: Engine, home: Path, evidence: Callable[..., Any]
) -> None:
    """Its diff is a diff like any other; one that was looked at before somebody else moved the desk is not carried out."""
    from engine.control.config import active
    from engine.errors import Refused

    applied(desk, home, {"stop_atr": 3.0}, evidence({"stop_atr": 3.0}))
    shown, _ = rollbacks.rollback_against(desk, home, active(desk, home), 1, requester=WHO, now_ms=NOW)
    (change,) = proposals.view(desk, shown)["diff"]["changes"]
    assert (change["old"], change["value"], change["low"], change["high"], change["unit"]) == (3.0, 2.0, 0.0, 20.0, "ATR")
    applied(desk, home, {"paused": True}, [])
    with pytest.raises(Refused, match="not what was shown"):
        rollbacks.create_rollback(desk, home, 1, requester=WHO, now_ms=NOW, shown_sha256=shown.diff_sha256)


SAME = {"risk_frac": 0.02, "gross_frac": 1.5, "leverage": 3.0}


@pytest.mark.parametrize(
    ("direction", "keys", "after", "words"),
    [
        ("loosens", {"stop_atr": "loosens"}, SAME, "a higher stop_atr (2 -> 3) is declared to raise risk"),
        ("unknown", {"stop_atr": "unknown"}, SAME, "a closer stop_atr (2 -> 3) holds a larger position for the same risk"),
        ("unknown", {"fast_bars": "unknown"}, SAME, "code cannot tell how fast_bars (2 -> 3) moves risk"),
        ("loosens", {"leverage_max": "loosens"}, {**SAME, "leverage": 4.0}, ""),
        ("tightens", {"stop_atr": "tightens"}, SAME, ""),
    ],
)
def test_an_equal_worst_case_says_why_it_loosens(direction: str, keys: dict[str, str], after: Any, words: str) -> None:
    """One sentence where the table shows no difference and the change counts as loosening; nothing anywhere else."""
    exposure = {"before": SAME, "after": after, "keys": keys}
    text = equal_worst_case(direction, exposure, [{"key": key, "old": 2.0, "value": 3.0} for key in keys])
    assert bool(text) is bool(words)
    assert words in text
    assert not text or text.startswith("equal before and after")


@pytest.mark.parametrize(
    ("direction", "keys", "words"),
    [
        ("loosens", {"stop_atr": "loosens"}, "LOOSENS"),
        ("loosens", {"stop_atr": "loosens", "leverage_max": "tightens"}, "MIXED, treated as loosening"),
        ("unknown", {"btc.stop_atr": "unknown"}, "MIXED, treated as loosening"),
        ("unknown", {"fast_bars": "unknown"}, "UNKNOWN, treated as loosening"),
        ("tightens", {"leverage_max": "tightens"}, "TIGHTENS"),
    ],
)
def test_the_direction_in_a_word(direction: str, keys: dict[str, str], words: str) -> None:
    """Both ways at once is mixed, and so is a closer stop; whatever is in doubt is treated as loosening."""
    assert verdict_words(direction, {"keys": keys}) == words


def test_a_comparison_names_its_days_or_why_there_are_none() -> None:
    """The interval over the days that both traded, with what favours one of them; without an interval the reason."""
    found = {"difference_frac": 1e-4, "low_frac": -2e-4, "high_frac": 4e-4, "level": 0.95, "days": 320, "caveat": "mind this"}
    assert comparison_text(found).endswith("95 % interval over the 320 whole days that both traded; mind this")
    assert comparison_text({**found, "low_frac": None, "text": "not comparable: 3 days"}) == "not comparable: 3 days"
