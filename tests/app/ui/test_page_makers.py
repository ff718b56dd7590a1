"""Makers on the page: from the list, said to be simulated or paper, fast fills apart, halts, others' texts without effect."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.api.makers import MakerView
from app.making.paper import PaperTerms
from app.making.simulated import keep
from app.ui import makers
from app.views.makers import maker_view
from engine.making.report import MakerFees
from engine.making.simulation import MakingOptions
from tests.app.ui.fake_api import Fake
from tests.app.ui.looking import page, texts_of
from tests.engine.making.test_simulation import busy_market

EVIL = "</div><script>window.pwned=1</script>"
OPTIONS = MakingOptions(half_spread_bps=0.0, size=0.3, inventory=0.9, inventory_max=5.0, loss_max=1e6)


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A kept simulation as the API has it."""
    folder = tmp_path_factory.mktemp("makers")
    terms = PaperTerms("btc", OPTIONS, MakerFees(2e-4, 5e-4, 5e-5), 0.0)
    keep(folder, terms, busy_market(folder), 1_700_000_000_000, compiled=False)
    found = maker_view(folder, "btc")
    found.pop("activity")
    made: dict[str, Any] = json.loads(MakerView(**found).model_dump_json())
    return made


def test_a_kept_simulation_is_listed_and_opens(fake: Fake, view: dict[str, Any]) -> None:
    """A line with its verdict leads to its page: what it is, money with and without rebate, fills apart by speed."""
    fake.makers = {"btc": view}
    assert view["fills"] > 5
    listed = texts_of(page(tab="runs"))
    assert "?tab=runs&amp;maker=btc" in listed
    assert "none is live" in listed
    text = texts_of(page(tab="runs", maker="btc"))
    for part in (
        "SIMULATION ON A RECORDED TAPE", view["verdict"], "with a rebate", "without fees", "Quotes against the book", "Inventory",
        "Adverse selection", "▲ fast, 0 to 1 s", "Last fills", "No order of it leaves",
    ):  # fmt: skip
        assert part in text
    assert "None" not in text
    assert ">nan" not in text


def test_a_maker_at_an_account_says_which_and_with_which_money(fake: Fake, view: dict[str, Any]) -> None:
    """In the list and on its page; a halt that left something is not calm."""
    at = view | {"kind": "live at an account", "account": "mm", "mode": "live", "stage": "live_small", "state": "halted"}
    at |= {"ended": "KILL_INCOMPLETE", "left": ["477 lots"], "halted_by": "venue"}
    fake.makers = {"btc": at}
    listed = texts_of(page(tab="runs"))
    assert "1 at an account" in listed
    assert "live at an account mm, REAL MONEY, stage live_small" in listed
    text = texts_of(page(tab="runs", maker="btc"))
    for part in ("LIVE AT AN ACCOUNT", "REAL MONEY", "account mm, stage live_small", "KILL INCOMPLETE", "left: 477 lots"):
        assert part in text
    assert "No order of it leaves" not in text
    play = view | {"kind": "testnet at an account", "account": "mm", "mode": "testnet", "stage": "testnet", "ended": "KILLED"}
    fake.makers = {"btc": play}
    assert "PLAY MONEY" in texts_of(page(tab="runs", maker="btc"))


def test_funding_is_said_beside_the_fees(fake: Fake, view: dict[str, Any]) -> None:
    """What was paid, where anything was; the net has it."""
    fake.makers = {"btc": view | {"funding": -16.2}}
    assert "funding −16.20" in texts_of(page(tab="runs", maker="btc")).replace("-16.20", "−16.20")
    fake.makers = {"btc": view}
    assert view["funding"] == 0.0
    assert "funding" not in texts_of(page(tab="runs", maker="btc"))


def test_before_the_first_maker_there_is_no_panel(fake: Fake) -> None:
    """No empty table."""
    assert "Market making" not in texts_of(page(tab="runs"))


def test_a_maker_that_is_not_over_has_no_verdict_and_no_money_of_a_whole_tape(fake: Fake, view: dict[str, Any]) -> None:
    """Paper on a live book: counts by speed alone, and where the rest comes from; a halt with its reason."""
    open_ = view | {"kind": "paper on a live book", "state": "halted", "verdict": "Not over", "pnl": None, "after_fills": []}
    open_ |= {
        "halted_by": "latch",
        "halt": {"rule": "latch", "reason": "the desk is halted: storm", "at_s": 12.5},
        "span_s": None,
    }
    fake.makers = {"btc": open_}
    text = texts_of(page(tab="runs", maker="btc"))
    assert "PAPER ON A LIVE BOOK" in text
    assert "Halted by latch after 12.5 s." in text
    assert "the desk is halted: storm" in text
    assert "is computed when the tape is over" in text
    assert "with a rebate" not in text
    assert "▲ Not over, halted by latch" in texts_of(page(tab="runs"))


def test_a_maker_without_fills_draws_no_table_of_them(fake: Fake, view: dict[str, Any]) -> None:
    """Nothing was filled: no classes, no last fills, no charts without points."""
    nothing: dict[str, list[float]] = {name: [] for name in view["points"]}
    fake.makers = {"btc": view | {"last_fills": [], "by_speed": [], "after_fills": [], "points": nothing, "fills": 0}}
    text = texts_of(page(tab="runs", maker="btc"))
    assert "Last fills" not in text
    assert "Quotes against the book" not in text


def test_what_cannot_be_read_is_red(view: dict[str, Any]) -> None:
    """Its file is damaged: not calm."""
    assert makers.verdict_of(view | {"state": "unreadable", "verdict": "", "halted_by": ""})[0] == "bad"
    assert makers.verdict_of(view | {"verdict": "Edge after costs", "halted_by": ""}) == ("calm", "Edge after costs")


def test_what_others_wrote_stays_text(fake: Fake, view: dict[str, Any]) -> None:
    """A halt's reason, a file's name and a verdict come from people and files."""
    evil = view | dict.fromkeys(("kind", "state", "verdict", "why", "venue", "symbol", "market", "quoter", "file"), EVIL)
    evil |= {"halt": {"rule": EVIL, "reason": EVIL, "at_s": 1.0}, "halted_by": EVIL}
    evil["last_fills"] = [fill | {"by": EVIL} for fill in view["last_fills"]]
    fake.makers = {"btc": evil}
    assert "<script>" not in texts_of(page(tab="runs", maker="btc")) + texts_of(page(tab="runs"))


def test_the_columns_of_the_charts_are_bounded(view: dict[str, Any], tmp_path: Path) -> None:
    """One length, at most 600; what is drawn begins with the tape."""
    lengths = {len(column) for column in view["points"].values()}
    assert len(lengths) == 1
    assert 0 < lengths.pop() <= 600
    assert view["points"]["t_s"][0] <= 1.0
