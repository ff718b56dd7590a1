"""The same of a basket: its recorded run as the events of a desk with legs, for their fold. Called by bench/canary.py."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from engine.control.canary import CanaryRun
from engine.store.chain import Event
from engine.watch.basket_canaries import BasketFold


def fold_of(run: CanaryRun, began_ms: int, trips: pl.DataFrame, lot_sizes: dict[str, float]) -> BasketFold:
    """A watch that begins then; round trips of pairs are numbered by their place in the run."""
    before = trips.with_row_index("n").filter(pl.col("entry_ms") < began_ms).group_by("sleeve").agg(pl.col("n").max())
    return BasketFold(run, Event("config", began_ms, {}), lot_sizes, dict(before.iter_rows()))


def events_of(frames: dict[str, pl.DataFrame], lot_sizes: dict[str, float], from_ms: int, to_ms: int) -> Iterator[Event]:
    """What a desk that trades as the run did writes between two times: parts of legs, refusals and a mark at each close."""
    trips, found = frames["trips"].with_row_index("n"), list[tuple[int, int, str, dict[str, Any]]]()
    for trip in trips.filter(pl.col("exit_ms") >= from_ms).iter_rows(named=True):
        for at_ms, order, opens in ((trip["entry_ms"], 1, True), (trip["exit_ms"], 0, False)):
            found += [(at_ms, order, "fill", body) for body in _fills(trip, lot_sizes, opens=opens)]
    for row in frames["decisions"].filter(pl.col("refused_by").is_not_null()).iter_rows(named=True):
        found.append((row["close_ms"], 2, "decision", {"sleeve": next(iter(lot_sizes)), "refused_by": row["refused_by"]}))
    found += [(ms, 3, "mark", {"equity": equity}) for ms, equity in frames["equity"].select("close_ms", "equity").iter_rows()]
    sides = dict.fromkeys(trips["sleeve"].unique().to_list(), "flat")
    for at_ms, _, kind, body in sorted((one for one in found if from_ms <= one[0] < to_ms), key=lambda one: one[:2]):
        if kind == "fill":
            sides[body["parts"][0]["pair"]] = "long" if body["parts"][0]["opens"] else "flat"
        pairs = [{"pair": pair, "side": side} for pair, side in sides.items()]
        yield Event(kind, at_ms, {"sleeves": {}, "basket": {"name": "s", **body, "pairs": pairs}} if kind == "mark" else body)


def _fills(trip: dict[str, Any], lot_sizes: dict[str, float], *, opens: bool) -> Iterator[dict[str, Any]]:
    """Both legs of a round trip as it begins or ends; what it paid is paid with its first leg at entry."""
    for leg, key in zip("ab", trip["instrument"].split(), strict=True):
        if not trip[f"lots_{leg}"]:
            continue
        price, side = trip[f"entry_{leg}"], "buy" if ((trip["side"] == "long") == (leg == "a")) == opens else "sell"
        paid = trip["slippage"] / trip["lots_a"] / lot_sizes[key] if opens and leg == "a" else 0.0
        part = {"pair": trip["sleeve"], "pair_key": trip["n"], "lots": trip[f"lots_{leg}"], "side": side, "opens": opens}
        yield {"sleeve": key, "price": price, "reference_price": price - (1 if side == "buy" else -1) * paid, "parts": [part]}
