"""Budgets of real models against a ledger kept by hand: nothing is sent that a limit does not cover, and nothing is forgotten."""

import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from agents.budget import ROUNDS_MAX, Budget
from agents.caller import TurnCaller, kept_requests
from agents.model import OverBudget, Prices, Usage
from agents.spending import SpendLimits, of_turn, reserve, settle
from engine.errors import DataError
from engine.store.db import migrate, open_db, read, write
from engine.store.tables import Thread, Turn

DAY_MS = 86_400_000
NOW = 20_000 * DAY_MS + 5_000_000
LIMITS = SpendLimits(100, 250, 400, 1.0, 2.5, 4.0)
TURNS = {"u-a1": "ann", "u-a2": "ann", "u-a3": "ann", "u-b1": "bob", "u-b2": "bob"}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A migrated database."""
    engine = open_db(f"sqlite:///{tmp_path_factory.mktemp('spending') / 'desk.db'}")
    migrate(engine)
    return engine


@pytest.fixture
def db(empty: Engine) -> Engine:
    """The database with the turns of two people, nothing spent."""
    renewed(empty, {})
    return empty


def renewed(engine: Engine, began: dict[str, int]) -> None:
    """The turns anew; `began`: when one began, otherwise now."""
    with write(engine) as session:
        for turn, person in TURNS.items():
            session.merge(Thread(id=f"t-{person}", role="operator", person=person, created_ms=1))
            session.merge(Turn(id=turn, thread=f"t-{person}", role="operator", created_ms=began.get(turn, NOW), body="{}"))


SIXTY_FOURTHS = st.integers(0, 80).map(lambda n: n / 64)  # dollars whose sums are exact
steps = st.lists(
    st.tuples(
        st.sampled_from(list(TURNS)), st.integers(0, 130), st.none() | SIXTY_FOURTHS, st.sampled_from((0.0, 0.25, 0.5, 1.0))
    ),
    max_size=14,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.sets(st.sampled_from(list(TURNS)), max_size=2))
def test_no_row_of_calls_passes_a_limit(db: Engine, asked: list[Any], old: set[str]) -> None:
    """Any calls of any turns: granted exactly when turn, person's day and desk's day have room in a ledger kept here. A turn that
    began yesterday counts for its own calls only. What a call reserved and did not use is free again; some are never settled."""
    renewed(db, dict.fromkeys(old, NOW - DAY_MS))
    ledger: dict[str, tuple[float, float]] = dict.fromkeys(TURNS, (0.0, 0.0))

    def total(of: Callable[[str], bool], n: int) -> float:
        return sum(spent[n] for turn, spent in ledger.items() if of(turn))

    for turn, tokens, usd, share in asked:
        scopes: list[tuple[Callable[[str], bool], float, float]] = [
            (lambda t, turn=turn: t == turn, LIMITS.turn_tokens, LIMITS.turn_usd),  # type: ignore[misc]
            (
                lambda t, turn=turn: TURNS[t] == TURNS[turn] and (t not in old or t == turn),  # type: ignore[misc]
                LIMITS.person_tokens,
                LIMITS.person_usd,
            ),
            (lambda t, turn=turn: t not in old or t == turn, LIMITS.day_tokens, LIMITS.day_usd),  # type: ignore[misc]
        ]
        room = all(total(of, 0) + tokens <= most for of, most, _ in scopes)
        room = room and (usd is None or all(total(of, 1) + usd <= most for of, _, most in scopes))
        try:
            reserve(db, turn, LIMITS, tokens, usd, NOW)
        except OverBudget:
            assert not room
            continue
        assert room
        used = (int(tokens * share), None if usd is None else usd * share)
        if share > 0.1:  # the others' processes died: their reservation stays spent
            settle(db, turn, (tokens, usd), used)
        else:
            used = (tokens, usd)
        ledger[turn] = (ledger[turn][0] + used[0], ledger[turn][1] + (used[1] or 0.0))
    for turn in TURNS:
        found = of_turn(db, turn)
        assert found.tokens + found.held_tokens == ledger[turn][0]
        assert found.usd + found.held_usd == pytest.approx(ledger[turn][1], abs=1e-9)


def test_two_at_once_do_not_share_the_last_token(db: Engine) -> None:
    """Eight processes ask for what only three of them fit into: three get it."""
    gate, granted = threading.Barrier(8), []

    def ask() -> None:
        gate.wait()
        try:
            reserve(db, "u-a1", LIMITS, 30, 0.01, NOW)
        except OverBudget:
            return
        granted.append(1)

    crowd = [threading.Thread(target=ask) for _ in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(granted) == 3
    assert of_turn(db, "u-a1").calls == 3


def test_a_limit_is_named_with_its_size(db: Engine) -> None:
    """The turn's, the person's day, everybody's day; tokens and dollars: the message says which one and how much."""
    for turn, tokens, usd, said in (
        ("u-a1", 101, None, "a turn (100 tokens)"),
        ("u-a1", 1, 1.01, "a turn (1.00 USD)"),
        ("u-nobody", 1, None, "unknown turn"),
    ):
        with pytest.raises(OverBudget) as told:
            reserve(db, turn, LIMITS, tokens, usd, NOW)
        assert said in str(told.value)
    for turn in ("u-a1", "u-a2", "u-b1", "u-b2"):
        reserve(db, turn, LIMITS, 90, 0.9, NOW)
    with pytest.raises(OverBudget, match="a person's day"):
        reserve(db, "u-a3", LIMITS, 80, 0.1, NOW)
    with pytest.raises(OverBudget, match=r"the desk's day \(4\.00 USD\)"):
        reserve(db, "u-a3", LIMITS, 10, 0.5, NOW)


def test_midnight_begins_a_new_day_in_utc(db: Engine) -> None:
    """A turn that began a millisecond before midnight does not use up the new day; one at midnight does."""
    midnight = NOW - NOW % DAY_MS
    for began, left in ((midnight - 1, True), (midnight, False)):
        renewed(db, {"u-a1": began, "u-a2": began})
        reserve(db, "u-a1", LIMITS, 100, None, NOW)
        reserve(db, "u-a2", LIMITS, 100, None, NOW)
        if left:
            reserve(db, "u-a3", LIMITS, 100, None, NOW)
        else:
            with pytest.raises(OverBudget, match="a person's day"):
                reserve(db, "u-a3", LIMITS, 100, None, NOW)


def test_one_call_without_a_price_makes_the_turn_unpriced(db: Engine) -> None:
    """A sum of which a part is unknown is not shown as a price."""
    reserve(db, "u-a1", LIMITS, 1, 0.1, NOW)
    assert of_turn(db, "u-a1").priced
    reserve(db, "u-a1", LIMITS, 1, None, NOW)
    reserve(db, "u-a1", LIMITS, 1, 0.1, NOW)
    assert not of_turn(db, "u-a1").priced


def test_a_turn_that_is_gone_settles_in_silence(db: Engine) -> None:
    """A row that a person deleted is not a crash; what never was is zero."""
    settle(db, "u-nobody", (10, 1.0), (5, 0.5))
    assert of_turn(db, "u-nobody") == (0, 0.0, 0, 0.0, 0, True)


@pytest.mark.parametrize(
    ("prices", "cost"), [(Prices(2.0, 10.0), 7.0), (Prices(2.0, None), None), (Prices(None, 10.0), None), (Prices(0.0, 0.0), 0.0)]
)
def test_a_price_is_known_or_it_is_not(prices: Prices, cost: float | None) -> None:
    """Half a price gives no cost; free is a price."""
    assert prices.cost_usd(Usage(1_000_000, 500_000)) == cost


# ---------------------------------------------------------------------- one turn's caller


@pytest.fixture
def caller(db: Engine, tmp_path: Path) -> TurnCaller:
    """The caller of ann's first turn."""
    return TurnCaller(db, tmp_path / "home", "u-a1", LIMITS, lambda: NOW)


def test_a_call_holds_its_most_and_then_costs_what_it_used(caller: TurnCaller) -> None:
    """Reserved before it is sent; afterwards only what was reported counts, also when it was more than reserved."""
    prices = Prices(1_000.0, 1_000.0)
    caller.reserve(Usage(40, 20), prices)
    assert (caller.spend.held_tokens, caller.spend.tokens) == (60, 0)
    caller.settle(Usage(10, 5), prices)
    assert (caller.spend.held_tokens, caller.spend.tokens, caller.spend.usd) == (0, 15, pytest.approx(0.015))
    reserve(caller.engine, "u-a1", LIMITS, 7, None, NOW)  # somebody else's
    caller.settle(Usage(0, 3), prices)
    assert (caller.spend.held_tokens, caller.spend.tokens) == (7, 18), "a reservation is released once"


def test_requests_are_kept_verbatim_in_their_order(caller: TurnCaller, tmp_path: Path) -> None:
    """Each request with its response, numbered; text of any script comes back as it was."""
    for n in (1, 2):
        caller.sent(f'{{"n": {n}, "text": "çök \\u20bf"}}'.encode())
        caller.received({"n": n, "said": "ok", "odd": object})
    found = kept_requests(tmp_path / "home", "u-a1")
    assert [part["file"] for part in found] == [f"00{n}-{kind}.json" for n in (1, 2) for kind in ("request", "response")]
    assert found[0]["body"] == {"n": 1, "text": "çök ₿"}
    assert kept_requests(tmp_path / "home", "u-none") == []
    assert (tmp_path / "home" / "turns" / "u-a1").stat().st_mode & 0o077 == 0, "nobody else may read what was sent"


def test_what_cannot_be_kept_is_not_sent(caller: TurnCaller, tmp_path: Path) -> None:
    """A full disk, or a file in the folder's place: the request is stopped with what to do."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "turns").write_text("in the way")
    with pytest.raises(DataError, match="no request is sent before it is stored"):
        caller.sent(b"{}")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("ab .!?:\n1-#"), max_size=80), st.lists(st.integers(0, 80), max_size=8))
def test_a_stream_cut_anywhere_is_shown_whole_and_checked(caller: TurnCaller, text: str, cuts: list[int]) -> None:
    """However the text arrives, its sentences put together are the text, each passed through the check before it is shown."""
    shown: list[str] = []
    checked: list[str] = []
    caller.begin_call(lambda kind, body: shown.append(body["text"]), lambda part: checked.append(part) or part)
    ends = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    for low, high in pairwise(ends):
        caller.report("text", {"delta": text[low:high]})
    caller.flush()
    assert "".join("".join(shown).split()) == "".join(text.split())
    assert checked == shown


def test_a_retry_drops_the_half_sentence_and_a_wait_does_not(caller: TurnCaller) -> None:
    """An attempt begun anew says it all again; attempt 0 only waits, and the sentence goes on."""
    shown: list[tuple[str, Any]] = []
    caller.begin_call(lambda kind, body: shown.append((kind, body)), lambda part: part)
    caller.report("text", {"delta": "It made "})
    caller.report("retrying", {"text": "again", "attempt": 1})
    caller.report("text", {"delta": "It lost "})
    caller.report("retrying", {"text": "wait", "attempt": 0})
    caller.report("text", {"delta": "money. sk-" + "a" * 30})
    caller.flush()
    assert [body["text"] for kind, body in shown if kind == "sentence"] == ["It lost money.", " [secret]"]


def test_a_sentence_without_an_end_is_shown_all_the_same(caller: TurnCaller) -> None:
    """Thousands of characters without a full stop do not pile up unseen."""
    shown: list[str] = []
    caller.begin_call(lambda _kind, body: shown.append(body["text"]), lambda part: part)
    for _ in range(50):
        caller.report("text", {"delta": "word " * 40})
    assert len("".join(shown)) > 5_000


# ---------------------------------------------------------------------- rounds, calls, seconds


def test_a_budget_names_what_ran_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds, calls or seconds, each at its very limit and not one before."""
    now = 1_000.0
    monkeypatch.setattr("agents.budget.time.monotonic", lambda: now)
    budget = Budget(calls_max=3, seconds_max=60.0)
    assert [budget.may_call() for _ in range(5)] == [True, True, True, False, False]
    assert budget.spent() == "3 tool calls"
    budget = Budget(seconds_max=60.0, started_s=now)
    budget.rounds = ROUNDS_MAX - 1
    assert budget.spent() == ""
    budget.rounds += 1
    assert budget.spent() == f"{ROUNDS_MAX} rounds of tool calls"
    budget = Budget(seconds_max=60.0, started_s=now - 59.999)
    assert budget.spent() == ""
    now += 0.001
    assert budget.spent() == "60 seconds"


def test_the_sums_are_read_from_the_rows(db: Engine) -> None:
    """Another process, after a restart, sees what was spent: nothing is kept in memory."""
    reserve(db, "u-b1", LIMITS, 90, 0.5, NOW)
    with read(db) as session:
        found = session.get(Turn, "u-b1")
        assert found is not None
        assert '"spend"' in found.body
    again = open_db(str(db.url))
    with pytest.raises(OverBudget, match="a turn"):
        reserve(again, "u-b1", LIMITS, 11, 0.0, NOW)
    again.dispose()
