"""Executions that are listed minutes late: nothing is ordered for a layer that has left by the venue's word."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.venues.live_port import VenueTrade
from tests.fakes.live_desks import LiveBench, long, on_bench


@pytest.mark.parametrize("how", ["beside", "with"])
def test_no_target_is_ordered_for_lots_that_a_stop_has_sold_already(tmp_path: Path, how: str) -> None:
    """Executions are listed minutes late, the entry's first. A target would be refused, or sell another sleeve's lots."""
    shown: set[str] = set()

    async def play(bench: LiveBench) -> None:
        async def trades(cursor: str) -> tuple[Sequence[VenueTrade], str]:
            return [t for t in bench.venue.executions if t.trade in shown], cursor or "0"

        bench.venue.attaches = how
        bench.venue.trades = trades  # type: ignore[method-assign]
        await bench.start()
        await bench.to_close()
        bench.close(adds=long())
        await bench.after(2)
        (stop,) = [id_ for id_, held in bench.venue.orders.items() if held.order.slot == 1]
        bench.venue.execute(stop, 300, 59_000.0)
        await bench.after(20)
        assert bench.lots() == 0
        entry, exit_ = (trade.trade for trade in bench.venue.executions)
        shown.add(entry)
        await bench.after(20)
        assert bench.lots() == 300
        assert [id_[-3] for id_ in bench.venue.asked_for("place")] == (["E", "A"] if how == "beside" else ["E"])
        shown.add(exit_)
        await bench.after(30)
        assert bench.lots() == 0

    bench = on_bench(tmp_path / "desk.jsonl", play)
    assert not any("refused" in page for page in bench.pages)


def test_no_exit_is_ordered_for_lots_that_a_target_has_sold_already(tmp_path: Path) -> None:
    """The target has filled, unlisted, when the strategy leaves: an exit would sell another sleeve's lots."""
    hidden: list[VenueTrade] = []

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        (target,) = [id_ for id_, held in bench.venue.orders.items() if held.order.slot == 2]
        bench.venue.execute(target, 300, 61_000.0)
        hidden.append(bench.venue.executions.pop())
        await bench.desk.ask(target)
        bench.desk.take("leave", {"sleeve": "adds", "why": "a test"})
        await bench.after(30)
        assert not [id_ for id_ in bench.venue.asked_for("place") if id_[-3] == "X"]
        bench.venue.executions += hidden
        await bench.after(30)
        assert bench.lots() == 0

    on_bench(tmp_path / "desk.jsonl", play)
