"""The questions of a night, asked of a real desk: journals by the real loop, runs by real jobs, answers on real events."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents import turns
from app.home.home import Home, open_home
from app.people.approvals import approve
from app.people.identity import identify
from app.wiring import Wiring
from engine.control.config import active
from engine.control.proposals import get
from engine.store.journal import read
from tests.fakes.papers import advanced, feed_of, furnished, loop_of


def now_ms() -> int:
    """The machine's time."""
    return time.time_ns() // 1_000_000


class Night:
    """A desk that has walked some days, and somebody who asks."""

    def __init__(self, home: Home) -> None:
        self.home, self.office = home, Wiring(home, "mara", "cli", wait_s=None)

    def ask(self, role: str, text: str, thread: str | None = None) -> dict[str, Any]:
        """The answer; nothing of what the offline model says may be struck, and no reference may be left over."""
        answer = list(turns.ask(self.office, role, text, "mara", thread))[-1]
        assert answer["struck"] == [], answer["answer_md"]
        assert not re.search(r"\{\w+\.\w+\}", answer["answer_md"])
        return answer


@pytest.fixture(scope="module")
def walked_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Six days of a synthetic market walked by the paper desk, once for all questions."""
    folder = tmp_path_factory.mktemp("night") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(folder))
        patch.delenv("NIGHTDESK_DATA", raising=False)
        home = open_home()
        furnished(folder)
        loop = advanced(loop_of(home, feed_of(home)), 6 * 96)
        loop.journal.close()
        yield home


@pytest.fixture
def night(walked_home: Home, monkeypatch: pytest.MonkeyPatch) -> Night:
    """Somebody asks the desk that has walked."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(walked_home.path))
    return Night(walked_home)


@pytest.fixture
def recorded(own_home: Path, market_data: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    """A desk on recorded bars that has not run yet."""
    monkeypatch.setenv("NIGHTDESK_DATA", str(market_data))
    return Night(open_home())


def events_in(text: str) -> set[str]:
    """Ids of desk events that an answer names."""
    return set(re.findall(r"\bd-\d+\b", text))


def fact(answer: dict[str, Any], metric: str, subject: str = "") -> float:
    """The value of the one fact of that metric (and subject)."""
    found = [f["value"] for f in answer["facts"] if f["metric"] == metric and subject in f["subject"]]
    assert len(found) == 1, (metric, found)
    return float(found[0])


def test_what_happened_and_is_anything_wrong(night: Night) -> None:
    """Answered from the journal: every event id it names is there, and lies in the window it names."""
    answer = night.ask("operator", "What happened since yesterday? Is anything wrong?")
    assert [c["name"] for c in answer["tool_calls"]] == ["journal_search", "health"]
    journal = {event.id: event for event in read(night.home.desk_journal)}
    named = events_in(answer["answer_md"])
    assert named
    assert named <= set(journal)
    desk_ms = night.office.desk_ms()
    assert desk_ms is not None
    yesterday = (desk_ms - 1) // 86_400_000 * 86_400_000 - 86_400_000  # at midnight today is the day that ended
    assert min(journal[i].t_event_ms for i in named) >= yesterday
    assert "no worker is running" in answer["answer_md"]
    assert "SYNTHETIC" in answer["answer_md"]


def test_where_the_money_comes_from_sums_to_the_cent(night: Night) -> None:
    """Parts of every sleeve sum to its change, sleeves to the desk's, and the desk's is the journal's."""
    answer = night.ask("advisor", "Where does the P&L come from?")
    parts = ("price", "slippage", "fees", "funding", "unexplained")
    rows: dict[str, dict[str, float]] = {}
    for f in answer["facts"]:
        if f["unit"] == "usd":
            rows.setdefault(f["subject"], {})[f["metric"]] = float(f["value"])
    assert len(rows) == 4
    for row in rows.values():
        got = sum(value for name, value in row.items() if any(name.startswith(part) for part in parts))
        change = next(value for name, value in row.items() if "change" in name)
        assert round(got * 100) == round(change * 100)
    marks = [event for event in read(night.home.desk_journal) if event.kind == "mark"]
    walked_cents = round((marks[-1].body["equity"] - marks[0].body["equity"]) * 100)
    desk = next(row for subject, row in rows.items() if "desk" in subject)
    assert abs(round(next(v for n, v in desk.items() if "change" in n) * 100) - walked_cents) <= 1


@pytest.mark.parametrize(
    ("role", "question"),
    [
        ("operator", "why was it refused?"),
        ("operator", "what positions are open?"),
        ("operator", "explain the last fill"),
        ("operator", "why did btc-trend not trade at the last bar?"),
        ("operator", "any refused entries in the last 48 hours?"),
        ("operator", "what changed in the configuration?"),
        ("operator", "which proposals are pending?"),
        ("operator", "how do I halt the desk?"),
        ("operator", "is the desk halted?"),
        ("operator", "can the halt be released safely?"),
        ("advisor", "how much do costs eat?"),
        ("advisor", "how much funding did we pay?"),
        ("advisor", "how is each sleeve doing?"),
        ("advisor", "compare the sleeves"),
        ("advisor", "how close are we to our limits?"),
        ("advisor", "what is our exposure?"),
        ("advisor", "what should I look at first?"),
        ("developer", "what data do we have?"),
        ("developer", "what parameters does reversion have?"),
        ("developer", "list the latest runs"),
        ("developer", "what do we know about stops?"),
        ("developer", "show the live configuration"),
    ],
)
def test_no_question_of_the_night_ends_in_a_failure(night: Night, role: str, question: str) -> None:
    """Each is understood, its tools work, nothing is struck, and event ids are real."""
    answer = night.ask(role, question, thread="new")
    assert "did not understand" not in answer["answer_md"]
    assert {c["status"] for c in answer["tool_calls"]} <= {"ok", "no_data"}, answer["answer_md"]
    assert events_in(answer["answer_md"]) <= {event.id for event in read(night.home.desk_journal)}


def test_the_walk_on_synthetic_bars(night: Night) -> None:
    """Compare, propose, approve: the new version is in force."""
    answer = walk(night, "Backtest trend on BTC-USDT 15m, and compare a 1 ATR with a 3 ATR stop")
    assert "synthetic bars" in answer["answer_md"]


@pytest.mark.long  # the same walk as on synthetic bars
def test_the_walk_on_recorded_bars(recorded: Night) -> None:
    """The issue's own words, on two recorded months."""
    answer = walk(recorded, "Backtest trend on BTC-USDT 15m from 2025-03 to 2025-04, and compare a 1 ATR with a 3 ATR stop")
    assert "recorded bars" in answer["answer_md"]


def walk(night: Night, question: str) -> dict[str, Any]:
    """Question, comparison, proposal, a person's approval."""
    compared = night.ask("developer", question)
    assert [c["name"] for c in compared["tool_calls"]] == ["compare"]
    assert compared["tool_calls"][0]["status"] == "ok", compared["answer_md"]
    text = compared["answer_md"]
    assert "| 0 | live configuration (v1) |" in text
    assert text.count("| r-") + text.count("r-") >= 3
    assert len(compared["jobs"]) == 3
    assert re.search(r"(better|worse) than row 0|cannot be told apart", text)

    proposed = night.ask("developer", "Propose the second one for the BTC trend sleeve")
    (proposal,) = proposed["proposals"]
    row = get(night.home.engine, proposal)
    assert (row.state, row.sleeve) == ("pending", "btc-trend")
    actor = identify(night.home.path, "mara", "cli")
    done = approve(night.home, proposal, row.diff_sha256, actor, now_ms())
    assert done.version == 2
    assert active(night.home.engine, night.home.path)[1].sleeve("btc-trend").params["stop_atr"] == 3
    assert os.environ["NIGHTDESK_HOME"] == str(night.home.path)
    return compared
