"""`nightdesk judge` as a person or a program types it: one word with reasons, bounds first, every setting in the trial ledger."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli import main
from app.home.home import open_home
from app.jobs import kinds
from engine.research.kill.judged_bars import CANDIDATE, STRESS, JudgedBars
from engine.research.kill.trials import LedgerTrials
from engine.research.kill.verdict import check
from engine.store import trials
from tests.fakes import planted, recordings

Typed = Callable[..., tuple[int, str, str]]
ASK = ("judge", "follower", "--symbol", "BTC-USDT", "--timeframe", "1h", "--funding", "none", "--to", "2025-07")
WORDS = {"kill": "KILL", "weak": "WEAK", "paper": "WORTH PAPER"}


@pytest.fixture
def cli(own_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command on a desk with half a year of bars with an edge: (exit code, stdout, stderr)."""
    planted.record(own_home / "data", 50.0, 4_344)
    recordings.strategy(own_home / "strategies", "follower", planted.FOLLOWER)

    def typed(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(main, "GROUPS", ("backtest", "judge", "runs"))
        monkeypatch.setattr(main.app, "registered_commands", [])
        monkeypatch.setattr(main.app, "registered_groups", [])
        monkeypatch.setattr(sys, "argv", ["nightdesk", *words])
        with pytest.raises(SystemExit) as left:
            main.run()
        shown = capsys.readouterr()
        return int(str(left.value.code)), shown.out, shown.err

    return typed


@pytest.mark.long
def test_it_ends_in_one_word_and_counts_what_it_tried(cli: Typed) -> None:
    """JSON with verdict, reasons and checks on stdout, the number of runs on stderr; the base is a stored run; its neighbours and
    the other symbols are trials of their hypotheses; judging again tries nothing new."""
    code, shown, beside = cli(*ASK, "--json")
    assert code == 0
    found = json.loads(shown)
    assert found["verdict"] in WORDS
    assert found["reasons"]
    assert {"name", "passed", "value", "limit"} <= set(found["checks"][0])
    first = f"judge follower BTC-USDT 1h: {found['runs']} runs at most over 4,344 bars; its settings count as trials"
    assert beside.strip() == first
    home = open_home()
    counted = {one.name: one.trials for one in trials.hypotheses(home.engine)}
    settings = 1 + len(found["page"]["neighbours"]) + len(found["page"]["ablation"])
    assert counted == {
        "follower on BTC-USDT perp": settings,
        "follower on ETH-USDT perp": 1,
        "follower on SOL-USDT perp": 1,
    }
    assert found["page"]["deflated"]["trials"] == settings
    row = trials.of_run(home.engine, found["run_id"])
    assert row is not None
    assert row.sharpe == pytest.approx(found["page"]["base"]["sharpe"])
    again = json.loads(cli(*ASK, "--json")[1])
    assert again["checks"] == found["checks"]
    assert {one.name: one.trials for one in trials.hypotheses(home.engine)} == counted


def test_a_stress_is_not_a_trial(cli: Typed) -> None:
    """The same setting at twice the costs is no row of the ledger; the setting itself is."""
    home = open_home()
    ask = {"strategy": "follower", "symbol": "BTC-USDT", "timeframe": "1h", "funding": "none", "end": "2025-02"}
    over = JudgedBars(kinds.planned(home, ask))
    counted = LedgerTrials(home.engine, 0)
    counted.note(over.probe(STRESS, "costs x2", costs=2.0))
    counted.note(base := over.probe(CANDIDATE, "as it is"))
    assert counted.ratios([base]) == [base.sharpe]


@pytest.mark.long
def test_earlier_trials_deflate_it(cli: Typed) -> None:
    """What was tried before, by whatever door, counts: another setting's backtest is one trial more."""
    home = open_home()
    ask = {"strategy": "follower", "symbol": "BTC-USDT", "timeframe": "1h", "funding": "none", "end": "2025-07"}
    kinds.backtest(home, ask | {"params": {"times": 7.5}})
    found = json.loads(cli(*ASK, "--json")[1])
    assert found["page"]["deflated"]["trials"] == 2 + len(found["page"]["neighbours"]) + len(found["page"]["ablation"])


def test_the_text_says_the_word_first_and_what_it_rests_on(cli: Typed) -> None:
    """The word, a line a check, the mean trip taken apart, the oracle with its trades a day, the run behind it."""
    code, shown, _ = cli(*ASK)
    assert code == 0
    assert any(f"\n{word}\n" in shown for word in WORDS.values())
    for part in ("round trips", "mean trip", "to know", "oracle", "trades a day", "random", "neighbours", "trials", "run r-"):
        assert part in shown, part


def test_a_backtest_says_what_a_judgement_would_not_believe(cli: Typed, own_home: Path) -> None:
    """The same check in the same words, as a note of the run; one that is believable has none."""
    planted.record(own_home / "data", 400.0, 4_344)
    run = json.loads(cli("backtest", *ASK[1:], "--json")[1])
    believed = check("too_good", run["metrics"]["sharpe"])
    assert not believed.passed
    assert [note for note in run["notes"] if note.startswith("Sharpe ratio")] == [f"{believed.text}: {believed.why}"]
    late = json.loads(cli("backtest", *ASK[1:], "--delay-bars", "6", "--json")[1])
    assert late["metrics"]["sharpe"] <= 4.0
    assert not [note for note in late["notes"] if note.startswith("Sharpe ratio")]


@pytest.mark.slow
def test_a_delayed_backtest_is_another_trial_and_leaves_the_run_s_own_alone(cli: Typed) -> None:
    """`backtest --delay-bars 2` neither replaces the figures of the run without a delay nor passes for it."""
    home = open_home()
    ask = {"strategy": "follower", "symbol": "BTC-USDT", "timeframe": "1h", "funding": "none", "end": "2025-07"}
    own, late = (kinds.backtest(home, ask | {"delay_bars": bars}) for bars in (0, 2))
    rows = [trials.of_run(home.engine, run["run_id"]) for run in (own, late)]
    assert [row and row.sharpe for row in rows] == [own["metrics"]["sharpe"], late["metrics"]["sharpe"]]
    code, shown, _ = cli("backtest", *ASK[1:], "--delay-bars", "2")
    assert code == 0
    assert "DELAYED: every signal acts 2 bars late, never evidence" in shown


def test_a_leak_ends_it_without_a_run(cli: Typed, own_home: Path) -> None:
    """The verdict is kill, its reason the bar; nothing is stored and nothing is tried."""
    recordings.strategy(own_home / "strategies", "follower", recordings.LEAKING)
    code, shown, _ = cli(*ASK, "--json")
    found = json.loads(shown)
    assert (code, found["verdict"], found["runs"], found["run_id"]) == (0, "kill", 0, None)
    assert "leaks at bar" in found["reasons"][0]
    assert trials.hypotheses(open_home().engine) == []


def test_what_is_unknown_is_one_clear_line(cli: Typed) -> None:
    """An unknown strategy or symbol fails with one line and no run."""
    code, _, beside = cli("judge", "nothing", "--symbol", "BTC-USDT")
    assert code == 1
    assert len(beside.strip().splitlines()) == 1
