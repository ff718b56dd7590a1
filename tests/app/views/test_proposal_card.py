"""A proposal's card against its row in the database, read by the test: what a person decides on is what will be applied."""

import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.home.home import Home, open_home
from app.people import approvals
from app.people.identity import Actor
from app.slack import blocks
from app.views import proposal_card
from app.views.proposal_card import card, left, number, rows_of
from engine.clock import utc
from engine.control import proposals, rollbacks
from engine.control.config import active
from engine.control.evidence import reward_text
from engine.store.tables import Proposal
from tests.app.ui.fake_shapes import card as shaped
from tests.fakes.slack_desks import proposed

ANN = Actor("ann", "session", "account", "page")
WHO = {"role": "operator", "thread": "t-1", "person": "ann"}


def now_ms() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home that was opened once."""
    folder = tmp_path_factory.mktemp("card") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(folder))
        open_home().engine.dispose()
    return folder


@pytest.fixture
def home(template: Any, own_home: Any) -> Iterator[Home]:
    """A copy of it."""
    shutil.copytree(template, own_home)
    made = open_home()
    yield made
    made.engine.dispose()


def rows(value: dict[str, Any]) -> list[tuple[str, tuple[str, ...], str]]:
    """The card's rows as label, cells and kind."""
    return [(row["label"], tuple(row["cells"]), row["kind"]) for row in value["rows"]]


def row_of(value: dict[str, Any], label: str) -> tuple[str, ...]:
    """The cells of the one row of that label."""
    (found,) = [cells for name, cells, _ in rows(value) if name == label]
    return found


def test_every_change_of_the_row_is_on_the_card(home: Home) -> None:
    """Key, old, new, bounds and what it does to risk, one line a change, none more and none less; and the diff's own digest."""
    changes = {"stop_atr": 3.0, "leverage_max": 4.0, "entry": "limit"}
    made = proposed(home, **changes)
    value = card(home, made, now_ms())
    stored = json.loads(made.diff)["changes"]
    shown = {label: cells for label, cells, kind in rows(value) if kind == "diff"}
    head = shown.pop("parameter")
    assert head == ("now", "proposed", "bounds", "moves risk")
    assert set(shown) == {c["key"] for c in stored} == set(changes)
    for c in stored:
        now, new, bounds, moves = shown[c["key"]]
        assert (now, new) == (number(c["old"]), number(c["value"]))
        assert str(changes[c["key"]]).removesuffix(".0") == new
        assert moves == json.loads(made.exposure)["keys"][c["key"]]
        wanted = " or ".join(c["choices"]) if c.get("low") is None else f"{c['low']:g} to {c['high']:g} {c['unit'] or ''}".strip()
        assert bounds == wanted
    assert row_of(value, "diff") == (made.diff_sha256[:12],)
    assert row_of(value, "proposal") == (f"{made.id}, pending, PAPER",)
    assert row_of(value, "sleeve") == ("btc-trend, from version 1",)
    assert row_of(value, "expires") == (utc(made.expires_ms),)
    assert row_of(value, "direction")[0].startswith(made.direction.upper())


def test_a_pause_that_is_over_before_it_was_decided_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the desk's clock: who approves it believes the sleeve paused. One that is decided warns of nothing."""
    end = 1_740_096_900_000
    made = proposed(home, paused=True, resumes_ms=end)
    words = "the pause's end, 2025-02-21 00:15Z, is over on the desk: approved now it pauses nothing"
    for at, warned in ((None, False), (end - 1, False), (end, True)):
        monkeypatch.setattr(proposal_card, "desk_ms", lambda _, at=at: at)
        assert (("warning", (words,), "warning") in rows(card(home, made, now_ms()))) is warned, at
    made.state = "rejected"
    assert "is over on the desk" not in str(card(home, made, now_ms()))


def test_the_worst_case_is_the_one_that_was_computed(home: Home) -> None:
    """Before and after, for each of the three measures, from the row's exposure."""
    made = proposed(home, leverage_max=4.0)
    exposure = json.loads(made.exposure)
    value = card(home, made, now_ms())
    for label, key in (("risk at the stop", "risk_frac"), ("gross exposure", "gross_frac"), ("leverage", "leverage")):
        assert row_of(value, label) == (f"{exposure['before'][key]:,.6g}", f"{exposure['after'][key]:,.6g}")
    assert row_of(value, "leverage") == ("3", "4")


def test_several_sleeves_are_all_or_none_and_each_is_named(home: Home) -> None:
    """Each sleeve's version, each changed key with its sleeve; a pause needs no run and says so."""
    names = list(active(home.engine, home.path).sleeves)
    changes = {name: {"paused": True} for name in names}
    made = proposals.create_spanning(
        home.engine, home.path, changes=changes, evidence={}, rationale="storm", requester=WHO, now_ms=now_ms()
    )
    value = card(home, made, now_ms())
    assert row_of(value, "sleeve") == (", ".join(f"{name}, from version 1" for name in sorted(names)) + "; all or none",)
    assert {label for label, _, kind in rows(value) if kind == "diff"} == {"parameter", *(f"{name}.paused" for name in names)}
    assert row_of(value, "evidence") == ("none is needed for this kind of proposal",)
    assert row_of(value, "why") == ("storm",)
    assert row_of(value, "requested by") == (f"operator for ann in t-1 at {utc(made.created_ms)}",)


def test_evidence_that_is_gone_is_said_and_hides_nothing_else(home: Home) -> None:
    """A run's folder was deleted or torn: its column says why, the other and the changes are still there."""
    made = proposed(home, stop_atr=3.0)
    (home.runs / "r-20231114-00000001" / "run.json").write_text('{"run_id": "r-2023')
    shutil.rmtree(home.runs / "r-20231114-00000000")
    value = card(home, made, now_ms())
    base, changed = row_of(value, "data")
    assert "r-20231114-00000000" in base
    assert "r-20231114-00000001" in changed
    assert row_of(value, "run") == ("r-20231114-00000000", "r-20231114-00000001")
    assert row_of(value, "Sharpe (95 %)") == ("-", "-")
    assert row_of(value, "stop_atr")[:2] == ("2", "3")


def test_a_decision_is_told_with_who_when_and_as_what(home: Home) -> None:
    """Applied: the version and the journal's event; rejected: the reason; expired: no name."""
    made = proposed(home)
    done = approvals.approve(home, made.id, made.diff_sha256, ANN, now_ms())
    after = proposals.get(home.engine, made.id)
    text = row_of(card(home, after, now_ms()), "decision")[0]
    assert text.startswith(f"applied as version {done.version} by ann (session, account, page) at {utc(after.decided_ms)}")
    assert text.endswith(f"; journal {done.journal_id}")
    refused = proposed(home, "eth-trend")
    approvals.reject(home, refused.id, ANN, "not\nnow", now_ms())
    text = row_of(card(home, proposals.get(home.engine, refused.id), now_ms()), "decision")[0]
    assert text.startswith("rejected by ann")
    assert ": not\nnow" in text
    late = proposed(home, "sol-reversion")
    proposals.expire_due(home.engine, late.expires_ms)
    value = card(home, proposals.get(home.engine, late.id), now_ms())
    assert row_of(value, "decision")[0].startswith("expired")
    assert " by " not in row_of(value, "decision")[0]
    assert (value["expires"], value["expires_in_s"]) == (None, None)


def test_a_rollback_names_what_it_goes_back_to(home: Home) -> None:
    """The keys that move back, the versions they come from, and that no run is needed."""
    made = proposed(home)
    approvals.approve(home, made.id, made.diff_sha256, ANN, now_ms())
    back = rollbacks.create_rollback(home.engine, home.path, 1, requester=WHO, now_ms=now_ms())
    value = card(home, back, now_ms())
    assert {label: cells[:2] for label, cells, kind in rows(value) if kind == "diff"}["btc-trend.paused"] == ("yes", "no")
    assert row_of(value, "back to") == ("version 1 of the desk",)
    assert row_of(value, "why") == ("back to version 1",)
    assert value["direction"] == "loosens"
    assert row_of(value, "evidence") == ("none is needed for this kind of proposal",)


def test_a_run_that_a_breaker_ended_is_told_on_the_card(home: Home) -> None:
    """Under the figures of each run how much of the span it traded, and a line for the one that stopped."""
    made = proposed(home, stop_atr=3.0)
    day, first = 86_400_000, 1_672_531_200_000
    drawn = {"sleeve": "desk", "breaker": "desk drawdown", "times": 1, "first_ms": first + 308 * day + 1}
    for n, breakers in enumerate(([drawn], [])):
        path = home.runs / f"r-20231114-{n:08x}" / "run.json"
        data = {"first_ms": first, "last_ms": first + 1096 * day - 900_000}
        path.write_text(json.dumps({**json.loads(path.read_text()), "data": data, "timeframe": "15m", "breakers": breakers}))
    value = card(home, made, now_ms())
    assert row_of(value, "traded") == ("308 of 1,096 days", "1,096 of 1,096 days")
    assert row_of(value, "stopped") == ("2023-11-05, desk drawdown breaker", "-")
    assert row_of(value, "base run") == ("stopped by its own desk drawdown breaker on 2023-11-05, traded 308 of 1,096 days",)


def test_what_the_desk_has_not_lived_and_what_cannot_be_compared_are_on_the_card(home: Home) -> None:
    """The stamp as a warning; and no `cannot be told apart` where there was nothing to compare."""
    made = proposed(home, stop_atr=3.0)
    why = "not comparable: both traded on 12 whole days only, and an interval needs 30"
    more = [
        {"role": "comparison", "text": why, "verdict": "not comparable", "told_apart": False},
        {"role": "beyond", "text": "includes 30 days the desk has not lived yet"},
    ]
    row = Proposal(**{**made.model_dump(), "evidence": json.dumps([*json.loads(made.evidence), *more])})
    value = card(home, row, now_ms())
    assert ("evidence", ("includes 30 days the desk has not lived yet",), "warning") in rows(value)
    assert row_of(value, "comparison") == (why,)
    assert row_of(value, "verdict") == ("THE TWO ARE NOT COMPARABLE on this evidence",)


def test_an_old_card_says_what_runs_now(home: Home) -> None:
    """Pending: nothing, its diff says it. Applied and rolled back: both, with the value that runs."""
    made = proposed(home, stop_atr=3.0)
    assert card(home, made, now_ms())["runs_now"] is None
    assert row_of(card(home, made, now_ms()), "worst case")[0].startswith("equal before and after")
    approvals.approve(home, made.id, made.diff_sha256, ANN, now_ms())
    shown = approvals.rollback_shown(home, "1", now_ms())
    preview = proposal_card.rollback_card(home, shown)
    assert preview["verdict"] == "MIXED, treated as loosening"
    assert row_of(preview, "btc-trend.stop_atr")[:3] == ("3", "2", "0 to 20 ATR")
    approvals.rollback(home, "1", ANN, now_ms(), shown_sha256=shown.diff_sha256)
    value = card(home, proposals.get(home.engine, made.id), now_ms())
    assert row_of(value, "runs now") == ("applied as version 2, rolled back; version 3 runs now: stop_atr 2",)
    line, _ = blocks.card(value, "http://127.0.0.1/")
    assert line.startswith("Proposal prop-1 APPLIED, ROLLED BACK: btc-trend")
    assert line.endswith("version 3 runs now: stop_atr 2")


def test_an_unknown_direction_reads_as_the_careful_one(home: Home) -> None:
    """What cannot be computed is treated as loosening, and the card says that it is."""
    made = proposed(home, fast_bars=30)
    assert made.direction == "unknown"
    assert row_of(card(home, made, now_ms()), "direction")[0].startswith("UNKNOWN, treated as loosening")


@pytest.mark.parametrize(
    ("stop", "target", "warned"), [(2.0, 2.9, True), (2.0, 3.0, False), (2.0, 0.0, False), (0.0, 3.0, False), (3.0, 4.0, True)]
)
def test_a_near_target_is_warned_of(home: Home, stop: float, target: float, *, warned: bool) -> None:
    """Below one and a half times the stop; without one of the two there is nothing to compare."""
    value = shaped("prop-1", "loosens")
    change = {"key": "stop_atr", "value": stop}, {"key": "target_atr", "value": target}
    value |= {"parts": [{"sleeve": "btc-trend", "changes": change}], "base_version": 1}
    found = proposal_card._warnings(home, value)
    assert bool(found) is warned
    assert not warned or f"reward to risk is {target / stop:.2f}" in found[0]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"stop_frac": 0.05, "target_frac": 0.01}, "is 0.20: the target is 1 % of the price away, the stop 5 % of the price"),
        ({"stop_frac": 0.02, "target_frac": 0.03}, ""),
        ({"stop_frac": 0.02}, ""),
        (
            {"stop_atr": 2.0, "stop_frac": 0.01, "target_atr": 2.0},
            "is below 1.5: the target is 2 ATR away, the stop 2 ATR and 1 %",
        ),
        ({"stop_atr": 2.0, "stop_frac": 0.01, "target_atr": 4.0}, ""),
        ({"stop_atr": 2.0, "target_frac": 0.01}, ""),
    ],
)
def test_a_target_near_its_stop_is_warned_of_in_every_unit(params: dict[str, float], words: str) -> None:
    """Fractions of the price as ATRs; of both, what is too near at every price. What depends on the price is not guessed."""
    found = reward_text(params)
    assert (words in found) if words else found == ""


def test_a_rollback_to_a_near_target_is_warned_of(home: Home) -> None:
    """Its preview too: what comes back is looked at like what is new."""
    for target in (2.0, 4.0):
        made = proposed(home, target_atr=target)
        approvals.approve(home, made.id, made.diff_sha256, ANN, now_ms())
    preview = proposal_card.rollback_card(home, approvals.rollback_shown(home, "2", now_ms()))
    assert row_of(preview, "warning") == ("reward to risk is 1.00: the target is 2 ATR away, the stop 2 ATR",)


LEFT = [(-1, "expired"), (0, "expired"), (1, "expires in 0 h 0 min"), (59_999, "expires in 0 h 0 min")]
LEFT += [(60_000, "expires in 0 h 1 min"), (3_600_000, "expires in 1 h 0 min"), (86_399_999, "expires in 23 h 59 min")]


@pytest.mark.parametrize(("ms", "text"), LEFT)
def test_the_time_that_is_left(ms: int, text: str) -> None:
    """Whole minutes, rounded down; at the very moment it has expired."""
    assert left(1_000_000 + ms, 1_000_000) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (0, "0"),
        (-0.0, "-0"),
        (2.0, "2"),
        (0.1 + 0.2, "0.3"),
        ("a", "a"),
    ],
)
def test_a_parameters_value_is_short(value: Any, text: str) -> None:
    """As a person types it: no tail of zeros, no noise of binary fractions; a word stays a word."""
    assert number(value) == text


def test_a_card_of_half_known_evidence_is_still_a_card() -> None:
    """A comparison without an interval, metrics of null, a run without times: dashes, and no crash."""
    value = shaped("prop-1", "loosens")
    comparison = {
        "role": "comparison",
        "text": "",
        "difference_frac": 0.1,
        "low_frac": None,
        "high_frac": None,
        "level": 0.95,
        "days": 3,
    }
    value |= {"evidence": [comparison, {"role": "comparison", "text": "too few days"}, {"role": "strange"}]}
    value["evidence_runs"]["base"] = {"run_id": "r-1"}
    value["evidence_runs"]["changed"]["metrics"] = {"sharpe": None, "trades": "many"}
    found = {(row.label, row.cells) for row in rows_of(value)}
    assert ("comparison", ("too few days",)) in found
    assert ("Sharpe (95 %)", ("-", "-")) in found
    assert ("round trips", ("-", "-")) in found
    assert any(label == "data" and cells[0] == "UNKNOWN SOURCE" for label, cells in found)


def test_a_proposal_without_a_row_of_its_own_is_not_invented(home: Home) -> None:
    """A stored proposal whose base version is gone shows why its warning cannot be computed."""
    made = proposed(home, stop_atr=3.0)
    row = Proposal(**{**made.model_dump(), "base_version": 99})
    value = card(home, row, now_ms())
    assert any("99" in warning for warning in value["warnings"])


def test_what_was_paid_and_what_was_received_cannot_be_mixed_up(home: Home) -> None:
    """Fees and funding that were both paid have opposite signs in a run; the card says which sign is whose."""
    made = proposed(home, stop_atr=3.0)
    value = card(home, made, now_ms())
    for run in value["evidence_runs"].values():
        run["metrics"] = {"fees": 312.456, "funding": -3.2}
    shown = {row.label: row.cells for row in rows_of(value) if row.kind == "evidence"}
    assert shown["fees paid"] == ("312.46", "312.46")
    assert shown["funding (+ received, - paid)"] == ("-3.20", "-3.20")
