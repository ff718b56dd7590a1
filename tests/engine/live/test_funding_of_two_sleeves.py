"""A bill that two sleeves bear, and a process that dies between their shares."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DeskError
from engine.venues.live_port import VenueBill
from tests.fakes.live_desks import LiveBench, long, on_bench


@pytest.mark.parametrize("dies", [False, True])
def test_a_bill_is_booked_to_the_last_share(path: Path, dies: bool) -> None:
    """Once one share was booked, the bill counted as known: the other sleeve's was never booked, and cash differed for good."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.to_close()
        bench.close(adds=long(), rests=long())
        await bench.after(3)
        assert bench.lots() == 500
        bench.venue.billed.append(VenueBill("77", -5.0, bench.clock()))

        def end(kind: str, _: Mapping[str, Any]) -> None:
            if kind == "funding" and dies:
                bench.desk.failed = "killed"

        bench.desk.watches.append(end)
        try:
            await bench.poll.bills()
        except DeskError:
            assert dies
        await bench.again()
        await bench.after(20)
        await bench.poll.bills()
        assert sum(sleeve.ledger.funding for sleeve in bench.desk.book.sleeves) == pytest.approx(-5.0)

    on_bench(path, play)
