"""What withholds entries until a person's word, of a process that dies before it has paged it: the next one does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.book.bodies import REDUCED, going_on
from engine.venues.live_port import VenueTrade
from tests.fakes.live_basket_desks import PERPS, PRICE, BasketBench, on_basket_bench


@pytest.mark.parametrize("dies", [False, True])
def test_what_the_venue_has_closed_is_paged_by_the_next_process(path: Path, dies: bool) -> None:
    """Nobody was: entries stayed withheld, and nothing asked for the word that ends it. A later start pages nothing again."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        await bench.close(2.0)
        venue = bench.venue(0)
        side = -1 if venue.net > 0 else 1
        venue.net += side * 30
        venue.executions.append(VenueTrade("-7", "x-7", "", side, 30, PRICE, 0.2, False, bench.clock(), "adl"))

        def end(kind: str, _: Mapping[str, Any]) -> None:
            if kind == "reduced" and dies:
                bench.desk.failed = "killed"

        bench.desk.watches.append(end)
        bench.poll(0).wake()
        await bench.after(5)
        await bench.again()
        await bench.after(90)
        assert f"{REDUCED}{PERPS[0]}" in bench.book.health
        assert sum("auto-deleveraging" in page for page in bench.pages) == 1, bench.pages
        await bench.again()
        await bench.after(90)
        assert sum("auto-deleveraging" in page for page in bench.pages) == 1, bench.pages

    on_basket_bench(path, play)


@pytest.mark.parametrize("paged", [False, True])
def test_what_waits_for_a_person_is_paged_once(path: Path, paged: bool) -> None:
    """Refusals, settings, a clock: whatever it is that only a word ends."""

    async def play(bench: BasketBench) -> None:
        await bench.start()
        what, why = f"settings of {PERPS[0]}", "it is cross at the venue, and was isolated"
        bench.desk.take("health", {"what": what, "state": "begun", "why": why})
        if paged:
            bench.desk.incident(f"{why}; {going_on(what)}")
        for _ in range(2):
            await bench.again()
            await bench.after(2)
        assert sum(why in page for page in bench.pages) == 1, bench.pages

    on_basket_bench(path, play)
