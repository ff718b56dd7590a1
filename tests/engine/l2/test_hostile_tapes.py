"""Whatever is in a tape, the door answers: issues, or one line that names the file; never a traceback, never a crossed book."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import DataError
from engine.l2.book import APPLIED
from engine.l2.checks import open_tape
from engine.l2.features import computed
from engine.l2.loop import ASKS, ASKS_LOTS, BIDS, BIDS_LOTS
from engine.l2.moments import EVENTS, moments_of
from engine.l2.replay import replay
from tests.fakes.book_tapes import Maker, Row, made, rows_of, write_rows, write_trades

NUMBERS = (0, 1, -1, 2**31, 2**62, -(2**62), 1001)
PRICES = (0.0, -5.0, float("nan"), float("inf"), 1e-12, 1e15, 1e300, 2999.95, 3000.0, None)


def spoiled(rows: list[Row], chance: random.Random) -> list[Row]:
    """Rows with some of: another value, a row moved, doubled, dropped, a message's kind or ids changed."""
    rows = [dict(row) for row in rows]
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(rows))
        how = chance.randrange(6)
        if how == 0:
            rows[at][chance.choice(("price", "qty"))] = chance.choice(PRICES)
        elif how == 1:
            rows[at][chance.choice(("first_id", "last_id", "prev_id", "recv_ns", "ts_exch_ms", "seq"))] = chance.choice(NUMBERS)
        elif how == 2:
            rows.insert(at, rows.pop(chance.randrange(len(rows))))
        elif how == 3:
            rows.insert(at, dict(rows[at]))
        elif how == 4:
            del rows[at : at + chance.randint(1, 40)]
        else:
            seq, field = rows[at]["seq"], chance.choice(("kind", "side", "last_id"))
            value: Any = {"kind": "snapshot", "side": chance.choice("ba"), "last_id": chance.choice(NUMBERS)}[field]
            rows = [row | {field: value} if row["seq"] == seq else row for row in rows]
    return rows


@pytest.mark.sample(3)
@pytest.mark.parametrize("seed", range(8))
def test_a_spoiled_tape_never_breaks_the_door(tmp_path: Path, seed: int) -> None:
    """Thirty spoiled tapes a seed: refused in one line, or read with a book that is never crossed; compiled as plain."""
    chance = random.Random(seed)
    sound = rows_of(made(Maker(seed, chained=bool(seed % 2)), 60))
    write_trades(tmp_path, [(k * 10**8, 3000.0, 0.5, True) for k in range(50)])
    read, lines = 0, list[str]()
    for _ in range(30):
        rows = spoiled(sound, chance)
        if not rows:
            continue
        try:
            opened = open_tape(write_rows(tmp_path, rows))
        except DataError as error:
            lines.append(str(error))
            continue
        read += 1
        written = opened.report.replayed.written
        both = (written.became == APPLIED) & (written.near[:, BIDS_LOTS] > 0) & (written.near[:, ASKS_LOTS] > 0)
        assert (written.near[both, BIDS] < written.near[both, ASKS]).all()
        plain = replay(opened.tape, compiled=False)
        assert all(np.array_equal(a, b) for a, b in zip(written, plain.written, strict=True))
        moments = moments_of(opened.tape, opened.report.replayed, opened.trades, EVENTS)
        assert all(len(c.values) == len(moments.when_ns) for c in computed(moments))
    assert read >= 3
    assert all("okx_ETH-USDT_perp_made" in line and "\n" not in line for line in lines)
