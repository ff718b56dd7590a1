"""Rights and modes that change while a desk runs: entries are withheld until they are as wanted, exits and stops are not."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.core.state import PROTECTIVE
from engine.errors import DataError
from engine.live import account_looks
from engine.live.gate import GATE
from engine.venues.live_port import LiveAnswer
from tests.engine.live.test_gate import Gated, to_entry
from tests.fakes.benches import Bench
from tests.fakes.live_desks import LiveBench, on_bench

LATEST_S = account_looks.EVERY_MS // 1000 + 25  # both looks, and the gate's own pace
FAULTS = (
    "position_mode BTC-USDT: hedge: long and short apart, wanted one-way (menu: Preferences)",
    "margin BTC-USDT: account mode 9, wanted isolated",
    "trading: read only: it attaches, and does not trade, wanted the right to trade perpetuals",
    "withdrawal: it may withdraw: make another key without it, wanted no right to withdraw",
)


class Looked(Gated):
    """An account whose check a test scripts. `odd`: looks that find something which is not so, or raise."""

    def __init__(self, bench: LiveBench) -> None:
        super().__init__(bench)
        self.looks: list[int] = []
        self.odd: list[str | Exception] = []

    async def changes(self) -> Sequence[str]:
        """What a look finds."""
        self.looks.append(self.bench.clock())
        if self.odd:
            if isinstance(found := self.odd.pop(0), Exception):
                raise found
            return [found] if found else []
        return self.faults

    async def opened(self) -> None:
        """The gate has opened."""
        gate = self.gate()
        gate.looks = account_looks.AccountLooks(self.bench.desk, self.changes)
        await self.bench.duties.start()
        await self.bench.after(60)
        assert not self.bench.desk.book.health


def closed(bench: Bench) -> list[str]:
    """Why the gate was closed after its start."""
    begun = [
        event.body["why"] for event in bench.events("health") if (event.body["what"], event.body["state"]) == (GATE, "begun")
    ]
    return begun[1:]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the desk's journal."""
    return tmp_path / "desk.jsonl"


@pytest.mark.parametrize("fault", FAULTS)
def test_what_changed_withholds_entries_pages_once_and_ends_by_itself(fault: str, path: Path) -> None:
    """The stop of what is open stands all the while, and its exit goes out and fills."""

    async def play(bench: LiveBench) -> None:
        looked = Looked(bench)
        await looked.opened()
        await bench.entered()
        looked.faults.append(fault)
        await bench.after(LATEST_S)
        assert GATE in bench.desk.book.health
        assert len(closed(bench)) == 1
        assert fault in closed(bench)[0]
        assert any(order.slot == PROTECTIVE for order in bench.desk.book.orders.open.values())
        await bench.to_close()
        bench.close()  # no wish any more: it leaves
        await bench.after(5)
        assert bench.lots() == bench.venue.net == 0
        assert not await to_entry_again(bench)
        await bench.after(1_800)
        pages = [page for page in bench.pages if "the gate stays closed" in page]
        assert len(pages) == 1
        assert fault in pages[0]
        looked.faults.clear()
        await bench.after(700)
        assert not bench.desk.book.health
        assert await to_entry_again(bench)

    on_bench(path, play)


async def to_entry_again(bench: LiveBench) -> list[str]:
    """Entry orders that a signal at the next close brings to the venue."""
    before = len(bench.venue.calls)
    await to_entry(bench)
    return [id_ for call, id_ in bench.venue.calls[before:] if call == "place" and "pr0b" not in id_ and id_[14] == "E"]


@pytest.mark.parametrize("odd", ["margin BTC-USDT: cross, wanted isolated", DataError("no answer"), RuntimeError("a page")])
def test_one_odd_look_and_a_check_that_fails_close_nothing(odd: str | Exception, path: Path) -> None:
    """Nor do many of them with a sound one between: nothing but looks happens."""

    async def play(bench: LiveBench) -> None:
        looked = Looked(bench)
        looked.odd = [odd, ""] * 6 if isinstance(odd, str) else [odd] * 12
        await looked.opened()
        calls = len(bench.venue.asked_for("place"))
        await bench.after(3_600)
        assert len(looked.looks) >= 11
        assert len(bench.venue.asked_for("place")) == calls  # no probe
        assert not closed(bench)
        assert not bench.pages

    on_bench(path, play)


REFUSED = {  # how adapters word it
    "okx says: The operation can't be completed under the current account mode (51010)": True,
    "binance says: Order's position side does not match user's setting (-4061)": True,
    'binanceusdm {"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}': True,
    "bybit says: position idx not match position mode (10001)": True,
    "bybit says: Permission denied, please check your API key permissions (10005)": True,
    "okx says: Insufficient USDT margin (51008)": False,
    "binance says: Too many requests (-1003)": False,
    "RequestTimeout: no answer": False,
    "a page (51010) of something": False,
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_refusal_for_such_a_reason_brings_the_look_forward(why: str, path: Path) -> None:
    """Within a minute and some seconds, and at most one look a minute however many are refused."""

    async def play(bench: LiveBench) -> None:
        looked = Looked(bench)
        await looked.opened()
        await bench.entered()
        (order, *_) = bench.desk.book.orders.open.values()
        began = bench.clock()
        for _ in range(60):
            bench.desk.turned_away.note(bench.desk, order, LiveAnswer(order.id, "rejected", 0, why, outcome="rejected"))
            await bench.after(3)
        looks = [t_ms for t_ms in looked.looks if began <= t_ms <= began + 180_000]
        assert (2 <= len(looks) <= 3) if REFUSED[why] else len(looks) <= 1
        assert not closed(bench)

    on_bench(path, play)


def test_a_look_comes_at_a_sober_pace(path: Path) -> None:
    """Two hours without anything: one look each five minutes."""

    async def play(bench: LiveBench) -> None:
        looked = Looked(bench)
        await looked.opened()
        await bench.after(7_200)
        assert 22 <= len(looked.looks) <= 24
        assert not bench.pages

    on_bench(path, play)
