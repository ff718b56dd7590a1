"""An entry that is listed only after its stop has filled by the venue's word: nothing else is ordered for that layer."""

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
