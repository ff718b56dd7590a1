"""What a role reads of the sleeves: positions with their levels, pauses, stages and versions that wait, each as the mark says."""

from typing import Any

import pytest

from engine.control.config import DeskConfig, SleeveConfig, active, validated, write_first
from engine.watch.health import HealthCheck
from tests.fakes.versions import put_in_force
from tests.tools.desk_journal import BAR, DAY, END, ENTRY, START, mark, write_desk
from tools import desk
from tools.catalog import call


@pytest.fixture
def ctx(make_ctx: Any, db: Any) -> Any:
    """A desk of three sleeves, one of them paused, one retired, one with a position."""
    base = {"strategy": "trend", "venue": "binance", "symbol": "BTC-USDT"}
    sleeves = (
        SleeveConfig(name="trend-btc", **base),
        SleeveConfig(name="trend-eth", **base | {"symbol": "ETH-USDT"}, paused=True, side="long"),
        SleeveConfig(name="trend-sol", **base | {"symbol": "SOL-USDT"}, stage="retired"),
    )
    write_first(db, validated(DeskConfig(sleeves=sleeves)), 0, "test")
    return make_ctx("operator", desk_ms=END)


def test_a_position_is_shown_with_its_levels_as_facts(ctx: Any) -> None:
    """Side, size, entry, the protective level and its kind, target and since when; the desk counts it as open."""
    write_desk(ctx.home, last=mark(1_000.0, -2.0, 98.0))
    result = call(ctx, "sleeves", {"sleeve": "trend-btc"})
    (row,) = result.table.rows
    assert row[2].startswith("short {")
    assert row[3] == "{l1.protective} (stop)"
    units = {f.metric: (f.value, f.unit) for f in result.facts if f.ref.startswith("l1.")}
    assert (units["quantity"], units["entry"]) == ((2.0, "base"), (ENTRY, "price"))
    assert (units["protective"], units["target"], units["notional"]) == ((95.0, "price"), (120.0, "price"), (196.0, "usd"))
    assert units["opened"][1] == "ms"
    assert call(ctx, "desk", {}).facts[-1].value is not None
    assert ctx.facts["d1.open_positions"].value == 1


def test_a_flat_sleeve_has_no_levels(ctx: Any) -> None:
    """A dash, and no fact that could be taken for a position."""
    write_desk(ctx.home)
    result = call(ctx, "sleeves", {"sleeve": "trend-btc"})
    assert result.table.rows[0][2:4] == ("flat", "-")
    assert not {f.metric for f in result.facts} & {"quantity", "entry", "protective", "target", "notional"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "allowed"),
        ({"paused": True}, "paused by a person"),
        ({"paused": True, "resumes_ms": END}, "paused by a person until 2025-03-06 00:00Z"),
        ({"paused": True, "blocked_until_ms": END + 1}, "paused by a person"),
        ({"stage": "retired"}, "none: retired"),
        ({"stage": "retired", "stage_reached": "winding_down"}, "none: winding_down"),
        ({"blocked_until_ms": END}, "paused until 2025-03-06 00:00Z"),
        ({"paused_until_ms": END}, "paused until 2025-03-06 00:00Z"),
        ({"waiting_version": 3}, "allowed; version 3 waits until flat"),
        ({"paused": True, "waiting_version": 3}, "paused by a person; version 3 waits until flat"),
    ],
)
def test_whether_a_sleeve_may_enter_is_said(ctx: Any, more: dict[str, Any], said: str) -> None:
    """A person's pause goes before a breaker's; a stage before both; what waits is added to either."""
    write_desk(ctx.home, last=mark(994.59, 0.0, 95.0, **more))
    assert call(ctx, "sleeves", {}).table.rows[0][-1] == said


@pytest.mark.parametrize(
    ("what", "differs", "until"),
    [
        ("venue of okx:BTC-USDT:perp", {}, "that is over"),
        ("data connection", {}, "that is over"),
        ("refusals of trend-btc", {}, "a person ends it"),
        ("cash", {"cash": "moved"}, "a person ends it"),
    ],
)
def test_a_person_is_sent_only_to_what_a_person_ends(ctx: Any, what: str, differs: dict[str, str], until: str) -> None:
    """What is not well for a while is over by itself; a difference, and entries after refusals, wait for a word."""
    last = mark(994.59, 0.0, 95.0)
    write_desk(ctx.home, last=last | {"blocked": {what: "it does not answer"}, "differs": differs})
    found = call(ctx, "pauses", {})
    assert f"it does not answer, until {until}." in found.text
    assert found.table.rows[0][3] == until


def test_the_configuration_is_told_also_before_the_first_bar(ctx: Any) -> None:
    """Strategy, instrument, side, pause, stage and version of each; parameters as facts of that version; no invented equity."""
    result = call(ctx, "sleeves", {})
    assert result.text.startswith("Configuration version 1. trend-btc: trend on binance BTC-USDT 15m, side both, version 1;")
    assert "trend-eth: trend on binance ETH-USDT 15m, side long, paused by a person, version 1" in result.text
    assert "trend-sol: trend on binance SOL-USDT 15m, side both, stage retired, version 1" in result.text
    assert result.text.endswith("No bar has been processed yet.")
    assert result.table is None
    assert {f.evidence for f in result.facts} == {("config", "v1")}
    assert not [f for f in result.facts if f.metric == "equity"]
    assert [s["name"] for s in result.data["sleeves"]] == ["trend-btc", "trend-eth", "trend-sol"]


def test_one_sleeve_is_told_alone(ctx: Any) -> None:
    """Its row, its parameters, its text; an unknown one gets the list, and a part of a name is no name."""
    write_desk(ctx.home)
    result = call(ctx, "sleeves", {"sleeve": "trend-eth"})
    assert result.text.startswith("Configuration version 1. trend-eth: ")
    assert "trend-btc" not in result.text
    assert [s["name"] for s in result.data["sleeves"]] == ["trend-eth"]
    assert result.table.rows == (), "the mark of this desk knows trend-btc only"
    for unknown in ("trend", "TREND-BTC", "trend-btc "):
        found = call(ctx, "sleeves", {"sleeve": unknown})
        assert (found.status == "ok") is (unknown.strip() == "trend-btc"), unknown
        assert found.status == "ok" or "trend-btc, trend-eth, trend-sol" in found.text


@pytest.mark.parametrize(
    ("states", "said", "wrong", "warned"),
    [
        (("ok", "ok"), "Nothing is wrong.", 0, 0),
        (("ok", "warning"), "Nothing is broken, with warnings: c1: t1.", 0, 1),
        (("warning", "bad"), "Something is wrong: c1: t1; c0: t0.", 1, 1),
        (("unknown", "bad", "ok"), "Something is wrong: c1: t1; c0: t0.", 2, 0),
        ((), "Nothing is wrong.", 0, 0),
    ],
)
def test_what_is_wrong_is_said_before_what_is_only_a_warning(
    ctx: Any, states: tuple[str, ...], said: str, wrong: int, warned: int
) -> None:
    """Bad first, then what cannot be known, which counts as wrong; then warnings; the counts are facts."""
    found = [HealthCheck(f"c{n}", state, f"t{n}", "") for n, state in enumerate(states)]
    result = desk._checks_result(ctx, found, "h")
    assert result.text == f"{said} Desk time 2025-03-06 00:00Z."
    assert {f.metric: f.value for f in result.facts} == {"wrong": wrong, "warnings": warned, "desk_time": END}
    assert len(result.table.rows) == len(states)  # type: ignore[union-attr]


def test_who_paused_a_sleeve_why_and_until_when(ctx: Any, db: Any) -> None:
    """People's pause with its end and who set it, a breaker's with the event's time, a stage; a sleeve that may enter says no."""
    paused = validated(active(db, ctx.home).config).sleeve("trend-btc").model_copy(update={"paused": True, "resumes_ms": END + 1})
    put_in_force(db, ctx.home, active(db, ctx.home).config.with_sleeve(paused), 0)
    write_desk(ctx.home, last=mark(994.59, 0.0, 95.0, paused=True, resumes_ms=END + 60_000, paused_until_ms=END + 1))
    result = call(ctx, "pauses", {"sleeve": "trend-btc"})
    assert [(row[1], row[4]) for row in result.table.rows] == [
        ("paused by a person (version 2): a test", "ann"),
        ("loss streak breaker", "guardrail"),
    ]
    assert {(f.metric, f.value) for f in result.facts} == {
        ("until", END + 60_000), ("until", END + 1), ("since", START + DAY + 2 * BAR)
    }  # fmt: skip
    assert "until {w1.until}" in result.text
    assert call(ctx, "pauses", {"sleeve": "nobody"}).status == "failed"


def test_a_sleeve_that_may_enter_is_not_paused(ctx: Any) -> None:
    """The answer is no, as of the desk's time."""
    write_desk(ctx.home)
    assert call(ctx, "pauses", {}).text.startswith("Not paused: every sleeve may enter, as of desk time 2025-03-06 00:00Z")
