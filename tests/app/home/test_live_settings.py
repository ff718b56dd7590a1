"""[data] source = "live" and a desk that names an account: what fits together, and the line for what does not."""

import asyncio
import threading
from pathlib import Path

import pytest

from app.home.home import open_home
from app.home.settings import read_desk_toml
from app.market_data.pulling import Progress, PullRequest, pull
from app.processes.children import allowed_worker, traded_mode
from app.processes.live_data import LiveData
from engine.data.writer import file_name
from engine.errors import BadInput
from tests.fakes.live_homes import written


def changed(home: Path, old: str, new: str) -> Path:
    """desk.toml with one text replaced."""
    path = home / "desk.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return path


def test_a_desk_says_what_it_trades(tmp_path: Path) -> None:
    """Paper on live data, and an account of play money."""
    written(tmp_path / "paper", "okx", account=False)
    written(tmp_path / "main", "okx", account=True)
    paper, main = (read_desk_toml(tmp_path / name / "desk.toml") for name in ("paper", "main"))
    assert (paper.mode, paper.traded, paper.trades) == ("paper", None, "all on paper")
    assert (main.mode, main.trades) == ("testnet", "all on testnet account main")
    assert [traded_mode(tmp_path / name) for name in ("paper", "main", "none")] == ["paper", "testnet", "paper"]
    changed(tmp_path / "main", 'mode = "testnet"', 'mode = "paper"')
    assert read_desk_toml(tmp_path / "main" / "desk.toml").traded is None


FAULTS = {
    "another account": ('account = "main"', 'account = "other"', r"line \d+: account: .*no \[accounts.other\]; available: main"),
    "bars of files": ('source = "live"', 'source = "files"', "main trades at a venue, on bars as they close"),
    "a sleeve of another venue": (
        'venue = "okx"\nsymbol',
        'venue = "bybit"\nsymbol',
        "trades the account main at okx, the sleeve bybit:BTC",
    ),
    "a synthetic sleeve": (
        'venue = "okx"\nsymbol',
        'venue = "synthetic"\nsymbol',
        "live data has perpetuals of okx, binance, bybit",
    ),
    "spot": ('market = "perp"', 'market = "spot"', "live data has perpetuals of okx, binance, bybit"),
    "another host": ("[data]\n", '[data]\nrest_url = "http://example.com"\n', "only one of this machine may replace it"),
    "another word": ('source = "live"', 'source = "life"', "data.source"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_a_line(tmp_path: Path, fault: str) -> None:
    """With the key it is about."""
    written(tmp_path / "home", "okx", account=True)
    old, new, words = FAULTS[fault]
    with pytest.raises(BadInput, match=words):
        read_desk_toml(changed(tmp_path / "home", old, new))


HERE = ("http://127.0.0.1:9", "ws://127.0.0.1:9")
ELSEWHERE = {  # what of a desk on a local venue's bars is not of this machine
    "bars of the venue": ('source = "live"\nrest_url = "http://127.0.0.1:9"', 'source = "live"'),
    "an account at the venue": ('leverage = 3\nrest_url = "http://127.0.0.1:9"\nws_url = "ws://127.0.0.1:9"', "leverage = 3"),
    "money": ('mode = "testnet"', 'mode = "live"'),
    "bars of files": ('account = "main"\n[accounts', "[accounts"),
}


@pytest.mark.parametrize("part", ELSEWHERE)
def test_fifteen_second_bars_are_of_a_local_venue_alone(tmp_path: Path, part: str) -> None:
    """A desk whose bars and account are of this machine has them; with either of a real venue, or money, a line says no."""
    home = tmp_path / "home"
    written(home, "okx", account=True, timeframe="15s", urls=HERE)
    assert read_desk_toml(home / "desk.toml").sleeves[0].timeframe == "15s"
    path = changed(home, *ELSEWHERE[part])
    if part == "bars of files":
        changed(home, 'source = "live"', 'source = "files"')
    with pytest.raises(BadInput, match=r"sleeves\.0\.timeframe: 15s: only a local venue closes such bars"):
        read_desk_toml(path)


def test_a_home_on_fifteen_second_bars_cannot_be_turned_to_a_real_venue(own_home: Path) -> None:
    """Whatever desk.toml says later: the clock is the journal's, and the worker does not begin."""
    written(own_home, "okx", account=False, timeframe="15m")
    with pytest.raises(BadInput, match="15s bars are a local venue's alone"):
        LiveData(open_home(), "15s", ["okx:BTC-USDT:perp"], None)
    with pytest.raises(BadInput, match="15s bars are a local venue's alone"):
        pull(PullRequest("okx", "BTC-USDT", "15s", "perp", None, None, False, False, ""))


def test_the_past_of_a_second_instrument_is_read_though_the_feed_hears_it_already(own_home: Path) -> None:
    """A first start reads one instrument after the other; the first bars of the others are in their files by then."""
    written(own_home, "okx", account=False, timeframe="15m")
    asked = list[tuple[str, str | None]]()

    def pulled(request: PullRequest) -> None:
        asked.append((request.symbol, request.start))
        data._save()  # as it does each second

    class Recorder:
        def save(self, *, force: bool) -> None:
            (own_home / "data" / file_name("okx", "ETH-USDT", "perp", "15m")).write_text("the last 200 bars")

    data = LiveData(open_home(), "15m", ["okx:BTC-USDT:perp", "okx:ETH-USDT:perp"], None, pull=pulled)
    data._recorder = Recorder()  # type: ignore[assignment]
    data._pull_all(1_700_000_000_000)
    assert {symbol for symbol, start in asked if start is not None} == {"BTC-USDT", "ETH-USDT"}
    assert all(start is not None for _, start in asked), "none: only what follows the file's end"
    asked.clear()
    data._pull_all(1_700_000_000_000)
    assert asked == [("BTC-USDT", None), ("ETH-USDT", None)], "once, and not at each try"


def test_a_worker_that_ends_does_not_wait_for_the_whole_past(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for its threads: what reads half a year, page by page, ends behind the page that it is at."""
    written(own_home, "okx", account=False, timeframe="15m")
    begun, went_on, pages = threading.Event(), threading.Event(), list[int]()

    def pulled(_request: PullRequest, progress: Progress) -> None:
        with progress("okx BTC-USDT 15m", 50.0) as advance:
            for page in range(50):
                pages.append(page)
                begun.set()
                assert went_on.wait(20)
                advance(page)

    monkeypatch.setattr("app.processes.live_data.pull", pulled)

    async def ended() -> None:
        data = LiveData(open_home(), "15m", ["okx:BTC-USDT:perp"], None)
        reading = asyncio.create_task(data.past(1_700_000_000_000, None, "none", lambda _why: None))
        await asyncio.to_thread(begun.wait, 20)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        went_on.set()

    asyncio.run(ended())
    assert pages == [0]


def test_live_data_needs_the_way_out_and_no_key(tmp_path: Path) -> None:
    """A proxy of the machine reaches the worker of a paper desk on live data; on files nothing does."""
    written(tmp_path / "home", "okx", account=False)
    given = {"PATH": "/bin", "HTTPS_PROXY": "http://proxy", "OK_KEY": "k", "OPENAI_API_KEY": "m"}
    assert set(allowed_worker(given, tmp_path / "home")) & set(given) == {"PATH", "HTTPS_PROXY"}
    changed(tmp_path / "home", 'source = "live"', 'source = "files"')
    assert set(allowed_worker(given, tmp_path / "home")) & set(given) == {"PATH"}
