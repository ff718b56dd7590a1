"""`nightdesk tool`: the list, one call as a role, and one clear line for everything that is off."""

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import tool as command
from app.cli.tool import arguments
from engine.errors import BadInput, DeskError
from tools.catalog import ENTRIES, TOOLS


@pytest.fixture
def run() -> Any:
    """Call the command line of this group alone; a refusal comes back as an exception, as the console entry sees it."""
    app = typer.Typer()
    command.register(app)
    app.command("other")(lambda: None)

    def call(*words: str) -> Any:
        done = CliRunner().invoke(app, ["tool", *words], catch_exceptions=True)
        if done.exception is not None and not isinstance(done.exception, SystemExit | DeskError):
            raise done.exception
        return done

    return call


def test_the_list_names_every_tool_with_effect_and_roles(run: Any) -> None:
    """All of them, as text and as JSON; with a role, its own."""
    printed = run().stdout
    assert all(line.tool.name in printed for line in ENTRIES)
    items = json.loads(run("--json").stdout)["items"]
    assert [item["name"] for item in items] == [line.tool.name for line in ENTRIES]
    mine = json.loads(run("--role", "advisor", "--json").stdout)["items"]
    assert "attribution" in [item["name"] for item in mine]
    assert "backtest" not in [item["name"] for item in mine]


def test_a_call_prints_one_json_object(run: Any) -> None:
    """Status, text and facts of the result, with the role it was called as."""
    done = run("list_strategies", "--arg", "strategy=trend", "--json")
    assert done.exit_code == 0
    body = json.loads(done.stdout)
    assert (body["tool"], body["role"], body["status"]) == ("list_strategies", "developer", "ok")
    assert any(fact["ref"] == "p1.stop_atr" for fact in body["facts"])


def test_references_are_rendered_for_people(run: Any) -> None:
    """No brace of a reference reaches the terminal."""
    assert "{" not in run("list_strategies", "--arg", "strategy=trend").stdout


def test_a_role_without_authority_is_one_line(run: Any) -> None:
    """Exit code 1, the reason on stderr and in the JSON, nothing on stdout without it."""
    done = run("backtest", "--role", "advisor", "--arg", "strategy=trend", "--arg", "symbol=BTC-USDT")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "belongs to the developer" in done.stderr
    assert json.loads(run("backtest", "--role", "advisor", "--json").stdout)["status"] == "refused"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("approve",), "unknown tool"),
        (("desk", "--role", "boss"), "unknown role"),
        (("backtest", "--arg", "strategy"), "has no value"),
        (("backtest", "--arg", "strateg=trend"), "no argument"),
        (("backtest", "--arg", "strategy=trend", "--arg", "strategy=reversion"), "twice"),
    ],
)
def test_words_that_are_off(run: Any, words: tuple[str, ...], said: str) -> None:
    """Unknown tool, role or argument: a DeskError that the entry turns into one line."""
    done = run(*words)
    assert isinstance(done.exception, DeskError)
    assert said in str(done.exception)


def test_words_become_arguments() -> None:
    """Text stays text, numbers and lists are JSON, changes and variants have a short form, null is nothing."""
    found = arguments(TOOLS["backtest"].tool, ["start=2025", "changes=stop_atr=3", "changes=fast_bars=30", "venue=null"])
    changes = [{"key": "stop_atr", "value": 3}, {"key": "fast_bars", "value": 30}]
    assert found == {"start": "2025", "changes": changes, "venue": None}
    found = arguments(TOOLS["compare"].tool, ["variants=stop_atr=3,target_atr=6", "variants=stop_atr=1.5"])
    assert [len(v["changes"]) for v in found["variants"]] == [2, 1]
    canary = arguments(TOOLS["propose_config"].tool, ["canary=25% for 10 trips", "sleeve=btc-trend"])
    assert canary == {"canary": "25% for 10 trips", "sleeve": "btc-trend"}  # no model is shown it; docs/models.md has it
    assert arguments(TOOLS["note"].tool, ['evidence=["a", "b"]', "evidence=c"])["evidence"] == ["a", "b", "c"]
    assert arguments(TOOLS["journal_search"].tool, ["limit=5"])["limit"] == 5
    assert arguments(TOOLS["round_trip"].tool, ["number=worst"])["number"] == "worst"
    assert arguments(TOOLS["round_trip"].tool, ["number=3"])["number"] == 3
    with pytest.raises(BadInput):
        arguments(TOOLS["desk"].tool, ["x=1"])
