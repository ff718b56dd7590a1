"""Alerts of makers at accounts: a halt that left something, a process that is gone, inventory that nothing looks after."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.home.written import alone_in
from engine.making.stored import JOURNAL, LOCK, RUN
from engine.watch.makers import at_accounts, makers
from tests.app.making.maker_homes import at_stage

NOW = 1_700_000_000_000
BODY: dict[str, Any] = {
    "name": "m1", "kind": "testnet at an account", "state": "running", "verdict": "Not over", "why": "", "venue": "okx",
    "symbol": "BTC-USDT", "market": "perp", "quoter": "as", "options": {}, "fees_bps": {}, "picture": {}, "halt": None,
    "figures": {"fills": 3, "orders": 9, "inventory": 0.0, "net": 0.0, "fees": 0.1}, "written_ms": NOW, "begun_ms": 1,
    "account": "mm", "mode": "testnet", "stage": "testnet", "killed": None,
}  # fmt: skip
HELD = BODY["figures"] | {"inventory": -0.25}
LEFT = {"state": "KILL_INCOMPLETE", "left": ["25 lots"]}


def kept(home: Path, body: dict[str, Any] | None = None, begun: dict[str, Any] | None = None) -> Path:
    """A maker's folder."""
    folder = home / "making" / "m1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JOURNAL).write_text(json.dumps({"seq": 0, "body": at_stage("testnet") if begun is None else begun}) + "\n")
    (folder / RUN).write_text(json.dumps(BODY if body is None else body))
    return folder


def found(home: Path, now_ms: int = NOW + 1_000) -> list[tuple[str, str, str]]:
    """(what, severity, text) of each finding."""
    desk: Any = SimpleNamespace(makers=at_accounts(home), now_ms=now_ms)
    return [(one.fingerprint.rpartition(":")[2], one.severity, one.what) for one in makers(desk)]


@pytest.mark.parametrize(
    ("more", "runs", "expected"),
    [
        ({}, True, []),
        ({"state": "stopped"}, False, []),
        ({"state": "running", "figures": HELD}, False, [("gone", "page", "it holds -0.25 BTC")]),
        ({"state": "stopped", "figures": HELD}, False, [("holds", "warn", "nothing looks after it")]),
        (
            {"halt": {"rule": "venue", "reason": "a stranger's order", "at_s": 1.0}},
            True,
            [("halted", "warn", "venue a stranger's")],
        ),
        ({"halt": {"rule": "latch", "reason": "by ann", "at_s": 1.0}}, True, []),
        ({"halt": {"rule": "latch", "reason": "", "at_s": 1.0}, "killed": LEFT}, True, [("left", "page", "left: 25 lots")]),
    ],
)
def test_each_state_that_needs_a_person_is_a_finding(
    tmp_path: Path, more: dict[str, Any], runs: bool, expected: list[tuple[str, str, str]]
) -> None:
    """And nothing else is; each names maker, account and money."""
    folder = kept(tmp_path, BODY | more)
    if runs:
        with alone_in(folder, LOCK, "it runs"):
            seen = found(tmp_path)
    else:
        seen = found(tmp_path)
    assert [(what, severity) for what, severity, _ in seen] == [(what, severity) for what, severity, _ in expected]
    for (_, _, text), (_, _, part) in zip(seen, expected, strict=True):
        assert text.startswith("Maker m1 at the account mm (TESTNET) ")
        assert part in text


def test_one_that_hangs_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    """Its lock is held and it stores nothing; its file is damaged."""
    folder = kept(tmp_path)
    with alone_in(folder, LOCK, "it runs"):
        assert [one[:2] for one in found(tmp_path, NOW + 61_000)] == [("hangs", "page")]
        (folder / RUN).write_text("{")
        assert [one[:2] for one in found(tmp_path)] == [("unreadable", "page")]


def test_makers_on_paper_are_none_of_them(tmp_path: Path) -> None:
    """Nor are folders without a journal, or with one of something else."""
    kept(tmp_path, begun={"kind": "paper on a live book"})
    (tmp_path / "making" / "sim").mkdir()
    (tmp_path / "making" / "torn").mkdir()
    (tmp_path / "making" / "torn" / JOURNAL).write_bytes(b"\xff\n")
    assert at_accounts(tmp_path) == ()
    assert found(tmp_path) == []
