"""A basket in a storm without ccxt: a venue at the port a leg, whose answers a seed draws, so that a thousand seeds fit.

Every bar some pairs are wanted and some spreads are back; orders are refused, lost, not answered or filled in part, executions
are listed late, the venue closes lots of a leg by itself, a process dies. In the last bars nothing is wrong any more.
"""

import random
from pathlib import Path
from typing import Any

from engine.book.basket_account import uncrossed
from engine.book.bodies import REDUCED
from engine.core.orders import PARTIAL, WORKING
from engine.core.state import PROTECTIVE
from engine.venues.live_port import VenueTrade
from tests.fakes.live_basket_desks import COINS, PAIRS, PERPS, PRICE, BasketBench, on_basket_bench

BARS, QUIET = 14, 4
WORDS = ("rejected", "rejected", "not_taken", "unanswered", "lost", "ok")


class BenchStorm:
    """One seed. `seen` counts what it met, `wrong` says what did not hold."""

    def __init__(self, seed: int) -> None:
        self.dice, self.seed = random.Random(seed), seed
        self.seen: dict[str, int] = dict.fromkeys(("alone", "offset", "reduced", "late", "part", "kill", "refused", "trips"), 0)
        self.alone: dict[int, tuple[int, int]] = {}  # pair -> closes in a row at which one trip had one leg, its key
        self.wrong: list[str] = []

    async def play(self, bench: BasketBench) -> None:
        """All bars."""
        await bench.start()
        for n in range(BARS):
            rough = n < BARS - QUIET
            for venue in bench.venues.values():
                venue.script["place"] = [self.dice.choice(WORDS) for _ in range(2)] if rough and self.dice.random() < 0.35 else []
                venue.script["amend"] = ["no"] if rough and self.dice.random() < 0.1 else []
                venue.fills = not (rough and self.dice.random() < 0.15)
            await bench.to_close()
            self.look(bench, n)
            self.go_on(bench)
            z = [self.dice.choice((0.0, 0.0, 2.0, -2.0)) if rough else 0.0 for _ in PAIRS]
            inside = [p for p, pair in enumerate(bench.pairs) if pair.lots_a or pair.lots_b]
            bench.now(*z, back=[p for p in inside if not rough or self.dice.random() < 0.4])
            await self.meanwhile(bench, rough)
        await bench.to_close()
        bench.now()
        await bench.after(90)
        self.at_the_end(bench)

    async def meanwhile(self, bench: BasketBench, rough: bool) -> None:
        """What happens between two closes."""
        dice, leg = self.dice, self.dice.randrange(len(COINS))
        if rough and dice.random() < 0.2:
            found = await bench.hidden(leg, dice.choice((1.0, 30.0)))
            bench.venue(leg).executions += found
            self.seen["late"] += bool(found)
        if rough and dice.random() < 0.1:
            await bench.after(dice.choice((0.0, 0.005, 0.02, 1.0)))
            await bench.again()
            self.seen["kill"] += 1
        await bench.after(5)
        for venue in bench.venues.values():
            for id_, held in list(venue.orders.items()):
                if held.state in (WORKING, PARTIAL) and held.order.slot != PROTECTIVE:
                    left = min(held.lots - held.filled, max(1, held.lots // dice.choice((1, 2, 3))))
                    venue.execute(id_, left)
                    self.seen["part"] += 1
            venue.fills = True
        if rough and dice.random() < 0.1 and bench.venue(leg).net and bench.lots() == bench.there():
            self.reduce(bench, leg)
        await bench.after(60)

    def reduce(self, bench: BasketBench, leg: int) -> None:
        """The venue closes some lots of a leg."""
        venue = bench.venue(leg)
        side, lots = (-1 if venue.net > 0 else 1), self.dice.randint(1, abs(venue.net))
        venue.net += side * lots
        number = f"-{self.seen['reduced']}"
        venue.executions.append(VenueTrade(number, f"x{number}", "", side, lots, PRICE, 0.2, False, bench.clock(), "adl"))
        self.seen["reduced"] += 1

    def go_on(self, bench: BasketBench) -> None:
        """A person lets the desk go on after what waits for one."""
        for what in [what for what in bench.book.health if what.startswith((REDUCED, "refusals"))]:
            body: dict[str, Any] = {"request": 0, "order": "", "lots": 0, "filled_lots": 0}
            bench.desk.take("adopt", {"difference": what, "by": "ann", "reason": "storm", **body})

    def look(self, bench: BasketBench, n: int) -> None:
        """A pair that has one leg at a close has it for one bar at the most, unless its venue does not let it out."""
        crosses = uncrossed(bench.book)  # what crosses inside does so with this close: the venue holds the net already
        for p, pair in enumerate(bench.pairs):
            is_alone = (pair.lots_a == 0) != (pair.lots_b == 0) and not {pair.a, pair.b} & {*crosses}
            before, trip = self.alone.get(p, (0, -1))
            self.alone[p] = (before + 1 if trip == pair.key else 1, pair.key) if is_alone else (0, -1)
            self.seen["alone"] += is_alone
            leg = pair.a if pair.lots_a else pair.b
            tried = [id_ for id_ in bench.venue(leg).asked_for("place")[-12:] if id_[-3] in "EX"]
            last = bench.venue(leg).orders.get(tried[-1]) if tried else None
            refused = bool(tried) and (
                last is None or last.state in (WORKING, PARTIAL)
            )  # asked out, and the venue would or did not
            if self.alone[p][0] > 1 and bench.venue(leg).net == 0:  # other pairs have the other side of it: it crosses next
                self.seen["offset"] += 1
                continue
            if self.alone[p][0] > 1 and not refused and not bench.desk.doubts(PERPS[leg]):
                self.wrong.append(f"seed {self.seed} bar {n}: pair {p} has one leg for {self.alone[p][0]} closes: {pair}")

    def at_the_end(self, bench: BasketBench) -> None:
        """Everything has left, book and venue agree, nothing is in doubt or there."""
        assert bench.book.basket is not None
        self.seen["trips"] += bench.book.basket.whole.ledger.trips
        if bench.lots() != bench.there():
            self.wrong.append(f"seed {self.seed}: the venue holds {bench.there()}, the book {bench.lots()}")
        if any(bench.lots()) or any(pair.side for pair in bench.pairs):
            self.wrong.append(f"seed {self.seed}: not left: {bench.lots()} {bench.pairs}")
        if bench.book.differences or any(bench.desk.doubts(perp) for perp in PERPS):
            self.wrong.append(f"seed {self.seed}: {bench.book.differences}")
        for leg in range(len(COINS)):
            if sum(bench.stops(leg)) != abs(bench.lots()[leg]):
                self.wrong.append(f"seed {self.seed}: stops of leg {leg} cover {bench.stops(leg)} of {bench.lots()[leg]} lots")


def stormed(seed: int, path: Path) -> BenchStorm:
    """A whole seed; its journal folds to the book, and no law of orders is broken."""
    storm = BenchStorm(seed)
    on_basket_bench(path, storm.play, random.Random(seed).choice(("", "with", "beside")))
    return storm
