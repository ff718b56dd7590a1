"""The tool `making`: a kept maker's figures as facts, fast fills apart, and why none is live."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.offline.training import desk_words
from agents.offline.understand import ThreadSoFar, part_of
from app.making.paper import PaperTerms
from app.making.simulated import keep
from engine.making.report import MakerFees
from engine.making.simulation import MakingOptions
from tests.engine.making.test_simulation import busy_market
from tools.catalog import call
from tools.common.contract import ToolContext

OPTIONS = MakingOptions(half_spread_bps=0.0, size=0.3, inventory=0.9, inventory_max=5.0, loss_max=1e6)
LAST = {"maker": None}


def kept(ctx: ToolContext, folder: Path, name: str, options: MakingOptions = OPTIONS) -> dict[str, object]:
    """A simulation in the home; its file's body."""
    terms = PaperTerms(name, options, MakerFees(2e-4, 5e-4, 5e-5), 0.0)
    found: dict[str, object] = json.loads(keep(ctx.home, terms, busy_market(folder), 1_000, compiled=False).read_text())
    return found


def test_a_kept_maker_is_facts_and_a_table_by_speed(make_ctx: Callable[..., ToolContext], tmp_path: Path) -> None:
    """Its figures as the file has them, a row a class of fills, and the conditions of going live; before it, what makes one."""
    ctx = make_ctx("operator")
    assert call(ctx, "making", LAST).status == "no_data"
    assert "nightdesk making backtest TAPE --keep NAME" in call(ctx, "making", LAST).text
    body = kept(ctx, tmp_path, "btc")
    result = call(ctx, "making", LAST)
    values = {fact.metric: fact.value for fact in result.facts if fact.subject == "maker btc"}
    assert {key: values[key] for key in ("fills", "orders", "inventory", "net", "fees", "funding")} == body["figures"]
    assert values["gross"] == pytest.approx(values["spread_captured"] + values["moves"])
    assert result.table is not None
    assert [row[0] for row in result.table.rows] == ["0 to 1 s", "1 to 5 s", "5 to 15 s", "15 to 60 s"]
    assert "It may not leave simulation and paper before 7 recorded days" in result.text
    assert "nothing overrides it" in result.text


def test_one_is_named_and_an_unknown_one_names_those_there_are(make_ctx: Callable[..., ToolContext], tmp_path: Path) -> None:
    """Two are kept; a halt is said with its rule."""
    ctx = make_ctx("advisor")
    kept(ctx, tmp_path, "one")
    (tmp_path / "b").mkdir()
    kept(ctx, tmp_path / "b", "two", OPTIONS._replace(loss_max=1e-6))
    assert "Halted by loss_max after" in call(ctx, "making", {"maker": "two"}).text
    assert "Halted" not in call(ctx, "making", {"maker": "one"}).text
    for name in ("three", "../one", "x" * 80):
        found = call(ctx, "making", {"maker": name})
        assert found.status == "no_data"
        assert "one" in found.text


def test_one_at_an_account_says_which_with_which_money(make_ctx: Callable[..., ToolContext], tmp_path: Path) -> None:
    """Account, money, stage, and how its halt ended; the conditions of leaving paper are behind it."""
    ctx = make_ctx("operator")
    kept(ctx, tmp_path, "btc")
    path = ctx.home / "making" / "btc" / "run.json"
    body = json.loads(path.read_text()) | {"kind": "live at an account", "account": "mm", "mode": "live", "stage": "live_small"}
    path.write_text(json.dumps(body | {"killed": {"state": "KILL_INCOMPLETE", "left": ["477 lots"]}}))
    text = call(ctx, "making", LAST).text
    assert "account mm, REAL MONEY, stage live_small" in text
    assert "The halt ended in KILL_INCOMPLETE, left: 477 lots." in text
    assert "may not leave" not in text


def test_a_damaged_file_is_no_fault_of_ours(make_ctx: Callable[..., ToolContext], tmp_path: Path) -> None:
    """It says that it cannot be read."""
    ctx = make_ctx("developer")
    kept(ctx, tmp_path, "btc")
    (ctx.home / "making" / "btc" / "run.json").write_text("{")
    found = call(ctx, "making", LAST)
    assert found.status == "no_data"
    assert "cannot be read" in found.text


@pytest.mark.parametrize(
    ("asked", "tool"),
    [
        ("is the market maker halted?", "making"),
        ("what about adverse selection", "making"),
        ("did our market maker lose money", "making"),
        ("how did market making go", "making"),
        ("what did the market make of it", ""),
        ("use maker fees", ""),
    ],
)
def test_it_is_asked_for_by_its_words(asked: str, tool: str) -> None:
    """And not by a maker's fee."""
    part = part_of(asked, ThreadSoFar(desk_words()))
    chosen = part.chosen.entry.tool.name if part.chosen else ""
    assert (chosen == "making") == (tool == "making")
