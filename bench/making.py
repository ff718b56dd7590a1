"""Our simulated maker and hftbacktest on the same tape and the same orders: fills in common, and CPU seconds side by side.

`python -m bench making`; NIGHTDESK_DATA names the recorded data. `python -m bench making-day` has a SYNTHETIC day instead.
hftbacktest gets the orders of our run at their times (post-only, the same latencies, its risk-averse queue) and decides nothing:
of the two, ours does more.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench import work
from bench.synthetic_book import synthetic_day
from engine.errors import BadInput
from engine.l2.checks import OpenTape, sound_tape
from engine.l2.moments import changes_of
from engine.l2.tape import SNAPSHOT
from engine.making.resting import F_LOTS, F_NUMBER, F_WHEN, L_CANCEL_SENT, L_FILLED, L_LOTS, L_PRICE, L_SENT, L_SIDE
from engine.making.simulation import MakingOptions, MakingRun, simulate, terms_of

HERE = Path(__file__).resolve().parent
TAPE = "binance_BTC-USDT_perp_20240808T2354_l2.parquet"
DEPTH, TRADE, CLEAR, SHOT = 1, 2, 3, 4  # its kinds of event
BOTH = (1 << 31) | (1 << 30)  # the exchange's and the local side's
BIDS, ASKS = 1 << 29, 1 << 28
ROUNDS = 3
# its exchange of partial fills stops on this tape (2.4.4, InvalidOrderStatus); one lot is filled whole by any rule
QUOTES: dict[str, dict[str, Any]] = {
    "at the best": {"half_spread_bps": 0.0, "size": 0.001, "inventory": 0.005},
    "1 bps": {"size": 0.001, "inventory": 0.005},
    "as": {"quoter": "as", "size": 0.001, "inventory": 0.005},
}

LOOSE = {"loss_max": 1e9}  # a run that halts is no measure of speed


class SameOrders(NamedTuple):
    """What became of our orders at the peer."""

    orders: int
    filled: int  # in whole or in part, by us
    same_lots: int  # orders with the same filled lots, of all
    same_time: int  # orders that both filled whole, at the same nanosecond
    both_whole: int
    lots: int
    their_lots: int


def found_tape(name: str = TAPE) -> Path:
    """The recorded tape. Raises BadInput where NIGHTDESK_DATA has none."""
    folder = os.environ.get("NIGHTDESK_DATA", "")
    found = sorted(Path(folder).rglob(name)) if folder else []
    if not found:
        raise BadInput(f"no tape {name}", "set NIGHTDESK_DATA to a folder that has it")
    return found[0]


def events_of(opened: OpenTape, run: MakingRun) -> dict[str, Any]:
    """The tape as its events, in the order in which our book took them: messages that were applied, and trades."""
    tape, trades = opened.tape, opened.trades
    assert trades is not None
    changes = changes_of(run.replayed, tape)
    ev, ts, px, qty = [], [], [], []
    for row, when in zip(changes.row.tolist(), changes.when_ns.tolist(), strict=True):
        levels = slice(tape.start[row], tape.start[row + 1])
        side = np.where(tape.side[levels] == 0, BIDS, ASKS)
        kind = SHOT if tape.kind[row] == SNAPSHOT else DEPTH
        if kind == SHOT:
            for one, price in ((BIDS, 0.0), (ASKS, 1e9)):
                ev.append(np.array([BOTH | one | CLEAR]))
                ts.append(np.array([when]))
                px.append(np.array([price]))
                qty.append(np.zeros(1))
        ev.append(BOTH | kind | side)
        ts.append(np.full(len(side), when))
        px.append(tape.scale.price(tape.price[levels]))
        qty.append(tape.scale.quantity(tape.lots[levels]))
    last = int(tape.recv_ns[-1])
    chosen = trades.recv_ns <= last
    ev.append(BOTH | TRADE | np.where(trades.taker[chosen] > 0, BIDS, ASKS))
    ts.append(trades.recv_ns[chosen])
    px.append(tape.scale.price(trades.price[chosen]))
    qty.append(tape.scale.quantity(trades.lots[chosen]))
    when_ns = np.concatenate(ts)
    order = np.argsort(when_ns, kind="stable")
    columns = {"ev": np.concatenate(ev).astype(np.uint64), "ts": when_ns, "px": np.concatenate(px), "qty": np.concatenate(qty)}
    return {name: column[order] for name, column in columns.items()}


def requests_of(opened: OpenTape, run: MakingRun) -> dict[str, Any]:
    """Our entries and cancels in the order sent; a quantity of 0 is a cancel."""
    log, scale = run.orders, opened.tape.scale
    number, gone = np.arange(1, len(log) + 1), log[:, L_CANCEL_SENT] > 0
    when = np.concatenate([log[gone, L_CANCEL_SENT], log[:, L_SENT]])
    order = np.argsort(when, kind="stable")
    columns = {
        "when": when,
        "number": np.concatenate([number[gone], number]),
        "side": np.concatenate([log[gone, L_SIDE], log[:, L_SIDE]]),
        "price": scale.price(np.concatenate([log[gone, L_PRICE], log[:, L_PRICE]])),
        "quantity": scale.quantity(np.concatenate([np.zeros(gone.sum(), np.int64), log[:, L_LOTS]])),
    }
    return {name: column[order] for name, column in columns.items()}


def at_the_peer(
    python: Path, opened: OpenTape, run: MakingRun, folder: Path, *, in_part: bool = True
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(its RESULT, filled lots and times of our orders there), in a process of its own. Raises BadInput where it fails."""
    scale = opened.tape.scale
    source, target = folder / "making_in.npz", folder / "making_out.npz"
    folder.mkdir(exist_ok=True, parents=True)
    np.savez(
        source, **events_of(opened, run), **requests_of(opened, run), entry_ns=run.terms.entry_ns,
        response_ns=run.terms.response_ns, tick=scale.price(run.terms.tick), lot=scale.quantity(1), last=opened.tape.recv_ns[-1],
        in_part=in_part,
    )  # fmt: skip
    command = [str(python), str(HERE / "peer_hftbacktest.py"), str(source), str(target)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    line = next((x for x in done.stdout.splitlines() if x.startswith("RESULT ")), None)
    if line is None:
        raise BadInput("hftbacktest did not finish", done.stderr.strip().splitlines()[-1] if done.stderr else "")
    result = json.loads(line.removeprefix("RESULT "))
    if result["stopped"][0]:
        raise BadInput(f"hftbacktest stopped with error {result['stopped'][0]}", f"before request {result['stopped'][1]}")
    with np.load(target) as found:
        return result, {name: found[name] for name in found.files}


def compared(opened: OpenTape, run: MakingRun, theirs: dict[str, np.ndarray]) -> SameOrders:
    """Orders with the same filled lots, and those that were filled whole at the same time."""
    log = run.orders
    lots = np.rint(theirs["filled"] * 10.0**opened.tape.scale.lot_digits).astype(np.int64)
    when = np.zeros(len(log), np.int64)
    when[run.fills[:, F_NUMBER] - 1] = run.fills[:, F_WHEN]  # the last of each
    both = (log[:, L_FILLED] == log[:, L_LOTS]) & (lots == log[:, L_LOTS])
    return SameOrders(
        len(log), int((log[:, L_FILLED] > 0).sum()), int((lots == log[:, L_FILLED]).sum()),
        int((when[both] == theirs["when"][both]).sum()), int(both.sum()), int(run.fills[:, F_LOTS].sum()), int(lots.sum()),
    )  # fmt: skip


def making() -> None:
    """The recorded tape, quoter by quoter: fills in common and speed."""
    opened = sound_tape(found_tape())
    side_by_side("A maker on a recorded tape", opened, ROUNDS)


def making_day() -> None:
    """A SYNTHETIC day, 864,000 messages: the same table, and how much of each is decided a minute on one core."""
    from engine.l2.checks import check_tape

    tape, trades = synthetic_day()
    report = check_tape(tape, None, trades)
    side_by_side("A maker on a SYNTHETIC day", OpenTape(tape, None, trades, report), 1)


def side_by_side(title: str, opened: OpenTape, rounds: int) -> None:
    """One table: fills in common and speed, quoter by quoter."""
    from rich.table import Table

    from bench.__main__ import console, python_of

    assert opened.trades is not None
    count = len(opened.tape.kind)
    table = Table(title=f"{title}, {count:,} messages, {len(opened.trades.price):,} trades (CPU)")
    for name in (
        "quotes", "orders", "with fills", "same lots", "both whole: same ns", "lots, theirs", "ours us/message", "messages/min",
        "theirs us/message", "ours is x times",
    ):  # fmt: skip
        table.add_column(name, justify="right")
    python = python_of("hftbacktest")
    for name, changed in QUOTES.items():
        terms = terms_of(opened.tape.scale, MakingOptions(**changed, **LOOSE), 0.0002)
        taken, theirs_s = [], []
        for _ in range(rounds):
            run = simulate(opened.tape, opened.trades, terms)
            begun = time.thread_time()
            run = simulate(opened.tape, opened.trades, terms)
            taken.append(time.thread_time() - begun)
            result, theirs = at_the_peer(python, opened, run, work.OUT, in_part=False)
            theirs_s.append(result["seconds"])
        found, ours, peer = compared(opened, run, theirs), np.median(taken) / count, np.median(theirs_s) / count
        table.add_row(
            name, f"{found.orders:,}", f"{found.filled:,}", f"{found.same_lots:,}", f"{found.same_time} of {found.both_whole}",
            f"{found.lots:,}, {found.their_lots:,}", f"{ours * 1e6:.2f}", f"{60.0 / ours:,.0f}", f"{peer * 1e6:.2f}",
            f"{peer / ours:.1f}",
        )  # fmt: skip
    console.print(table)
