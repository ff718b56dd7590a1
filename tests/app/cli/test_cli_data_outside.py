"""`nightdesk data sources | fetch` as typed: nothing declared asks nothing; a source that fails is an exit code, no more."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from app.cli import data, out
from engine.errors import DeskError
from tests.fakes.outside_server import OutsideServer

NOW = 1_740_000_000_000
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run `nightdesk data ARGS` in this process on an empty home at NOW: exit code, stdout, stderr."""
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path))
    monkeypatch.delenv("NIGHTDESK_DATA", raising=False)
    monkeypatch.setattr("app.market_data.outside_fetch.time.time_ns", lambda: NOW * 1_000_000)

    def run(*args: str) -> tuple[int, str, str]:
        app = typer.Typer()
        data.register(app)
        try:
            code = app(["data", *args], standalone_mode=False) or 0
        except DeskError as error:
            code = out.fail(error, as_json="--json" in args)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def declare(home: Path, server: OutsideServer, series: str) -> None:
    """A desk.toml whose [outside] asks the local server."""
    urls = f'base_urls = {{ fred = "{server.url}", cboe = "{server.url}" }}'
    sleeve = '[[sleeves]]\nname = "a"\nstrategy = "trend"\nvenue = "binance"\nsymbol = "BTC-USDT"\nmarket = "perp"\n'
    sleeve += 'timeframe = "15m"\ncash = 10000.0\n'
    (home / "desk.toml").write_text(f'{sleeve}\n[outside]\nseries = ["{series}"]\n{urls}\n')


def test_with_nothing_declared_nothing_is_asked(typed: Typed) -> None:
    """A fresh home lists every series as not fetched, and a fetch does nothing and says how to."""
    code, text, _ = typed("sources", "--json")
    items = json.loads(text)["items"]
    assert code == 0
    assert {item["name"] for item in items} >= {"oi/binance/BTC-USDT", "vix/fred", "fear-greed/alternative", "sopr/glassnode/BTC"}
    assert {item["missing_because"] for item in items} == {"nothing is stored; [outside] in desk.toml does not declare it"}
    assert "[outside]" in typed("sources")[1]
    code, text, _ = typed("fetch")
    assert code == 0
    assert text.startswith("nothing was asked: name a series")
    code, _, err = typed("fetch", "weather")
    assert code == 1
    assert "unknown outside series 'weather'" in err


def test_a_declared_series_is_fetched_and_listed_fresh(tmp_path: Path, typed: Typed) -> None:
    """Both sources of the VIX are stored and count now; a source that changed is exit 1 with its reason, the other is fetched."""
    with OutsideServer(NOW) as server:
        declare(tmp_path, server, "vix")
        code, text, err = typed("fetch", "--json")
        assert (code, [item["error"] for item in json.loads(text)["items"]]) == (0, [None, None]), err
        fresh = {item["name"]: item["fresh"] for item in json.loads(typed("sources", "--json")[1])["items"] if item["fresh"]}
        assert fresh == {"vix/fred": True, "vix/cboe": True}
        assert "vix/fred" in typed("sources")[1]
        server.wrong = "renamed"
        code, text, err = typed("fetch")
        assert code == 1
        assert "2 of 2 not fetched: vix/fred: fred has no field observation_date in row 0" in err
        assert typed("fetch", "--due")[:2] == (0, "nothing is due\n")
