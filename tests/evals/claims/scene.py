"""The threads that the sentences of the claims set are said in: facts, what tools recorded, and what the person asked.

Of `scene`: the desk is HALTED, btc-trend is flat, eth-trend is long, prop-2 is applied, prop-3 is pending; this turn made
proposal prop-3 and ran a comparison. `running_scene` is another thread: not halted, one sleeve long, one short, one flat. Called
by templates.py and measure.py.
"""

from datetime import UTC, datetime

from agents.grounding import Ground
from agents.records import Receipts
from agents.support import CountedRows
from tools.common.contract import Evidence, Fact

RUN_A, RUN_B = Evidence("run", "r-20261120-8f2a1c77"), Evidence("run", "r-20261120-03b9de15")
MARK = Evidence("event", "d-2112")


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


FACTS = tuple(
    Fact(f"{handle}.{metric}", subject, metric, value, unit, evidence)
    for handle, subject, evidence, values in (
        (
            "r1",
            "trend on BTC-USDT",
            RUN_A,
            {
                "sharpe": (1.2345, "ratio"),
                "total_return_frac": (0.1834, "frac"),
                "max_drawdown_frac": (0.0871, "frac"),
                "win_rate": (0.41, "frac"),
                "trades": (142, "count"),
                "fees": (312.456, "usd"),
                "first_ms": (_ms("2025-01-01T00:00"), "ms"),
                "last_ms": (_ms("2026-01-01T00:00"), "ms"),
            },
        ),
        (
            "r2",
            "trend on BTC-USDT, stop_atr 3",
            RUN_B,
            {
                "sharpe": (0.8712, "ratio"),
                "total_return_frac": (0.1127, "frac"),
                "max_drawdown_frac": (0.1263, "frac"),
                "win_rate": (0.38, "frac"),
                "trades": (97, "count"),
                "fees": (228.91, "usd"),
            },
        ),
        (
            "e1",
            "fill of btc-trend",
            Evidence("event", "d-2090"),
            {"quantity": (0.12, "base"), "price": (91204.5, "price"), "round_trip_pnl": (-38.2, "usd")},
        ),
        ("e2", "fill of eth-trend", Evidence("event", "d-2051"), {"quantity": (0.84, "base"), "price": (2990.1, "price")}),
        ("l1", "sleeve btc-trend", MARK, {"equity": (5104.20, "usd"), "trips": (31, "count"), "version": (3, "count")}),
        (
            "l2",
            "sleeve eth-trend",
            MARK,
            {
                "equity": (5308.17, "usd"),
                "trips": (27, "count"),
                "version": (3, "count"),
                "quantity": (0.84, "base"),
                "protective": (2911.40, "price"),
            },
        ),
        (
            "d1",
            "desk",
            MARK,
            {
                "desk_time": (_ms("2025-12-02T05:15"), "ms"),
                "equity": (10412.37, "usd"),
                "drawdown_frac": (0.0174, "frac"),
                "open_positions": (1, "count"),
                "version": (3, "count"),
                "gross_frac": (0.62, "ratio"),
            },
        ),
    )
    for metric, (value, unit) in values.items()
)
DESK = (
    "Desk time {d1.desk_time} (PAPER, recorded bars). The desk is HALTED (smoke), running: equity {d1.equity}, "
    "{d1.drawdown_frac} below its peak, exposure {d1.gross_frac} times equity, {d1.open_positions} open positions, configuration "
    "version {d1.version} (d-2112).\n"
    "| sleeve | equity | position | protective level | round trips | version | entries |\n"
    "| btc-trend | 5,104.20 USDT | flat | - | 31 | 3 | paused |\n"
    "| eth-trend | 5,308.17 USDT | long 0.84 | 2,911.40 (stop) | 27 | 3 | allowed |"
)
JOURNAL = (
    "d-2090 fill btc-trend 2025-12-02 03:30Z: sell 0.12 at 91,204.50 by stop, round trip -38.20\n"
    "d-2051 fill eth-trend 2025-12-01 22:45Z: buy 0.84 at 2,990.10 to enter\n"
    "d-2101 halt 2025-12-02 04:02Z: desk halted by otto\n"
    "d-2060 order eth-trend 2025-12-01 23:10Z: entry order cancelled: 0 of 40 lots filled"
)
PROPOSALS = (
    "proposal prop-2 for btc-trend (applied): stop_atr 2 -> 2.5. approved by mara.\n"
    "proposal prop-3 for eth-trend (pending): stop_atr 2.5 -> 3. Computed direction: it loosens.\n"
    "proposal prop-1 for sol-reversion (rejected): leverage_max 2 -> 4. rejected by otto."
)
ALERTS = "al-7 page worker: bars are stale, since 2025-12-02 04:40Z, acknowledged by mara. al-6 resolved."
COMPARED = (
    "Compared on the same bars, 2025-01-01 to 2026-01-01.\n"
    "| run | variant | sharpe | round trips |\n"
    "| r-20261120-8f2a1c77 | live configuration | {r1.sharpe} | {r1.trades} |\n"
    "| r-20261120-03b9de15 | stop_atr 3 | {r2.sharpe} | {r2.trades} |"
)
ASKED = (
    "How are we doing? Is a drawdown of 7 % too much, what happened at 02:20, and can you set leverage_max to 5 or buy 0.2 BTC?"
)


def scene() -> Ground:
    """What stands behind the sentences."""
    texts = [DESK, JOURNAL, PROPOSALS, ALERTS, COMPARED]
    receipts = Receipts(frozenset({"propose", "run"}), texts, halted=True, made=("prop-3",), refused=True)
    facts = {fact.ref: fact for fact in FACTS}
    names = ("btc-trend", "eth-trend", "sol-reversion", "trend", "BTC-USDT", "ETH-USDT")
    return Ground(
        facts,
        [ASKED],
        [{"changes": [{"key": "stop_atr", "value": 3}]}],
        names,
        texts,
        (),
        receipts,
        [CountedRows("sleeve", 2)],
    )


RUNNING_FACTS = tuple(
    Fact(f"{handle}.{metric}", subject, metric, value, unit, Evidence(kind, name))
    for handle, subject, kind, name, metric, value, unit in (
        ("r1", "reversion on SOL-USDT", "run", "r-20270301-aa11bb22", "sharpe", 2.051, "ratio"),
        ("r1", "reversion on SOL-USDT", "run", "r-20270301-aa11bb22", "max_drawdown_frac", 0.043, "frac"),
        ("r1", "reversion on SOL-USDT", "run", "r-20270301-aa11bb22", "trades", 388, "count"),
        ("d1", "desk", "event", "d-5001", "equity", 25310.77, "usd"),
        ("d1", "desk", "event", "d-5001", "open_positions", 2, "count"),
        ("d1", "desk", "event", "d-5001", "drawdown_frac", 0.006, "frac"),
        ("l1", "sleeve btc-breakout", "event", "d-5001", "equity", 9100.5, "usd"),
        ("l1", "sleeve btc-breakout", "event", "d-5001", "pnl", 210.4, "usd"),
        ("l2", "sleeve sol-reversion", "event", "d-5001", "equity", 8010.27, "usd"),
    )
)
RUNNING_TEXTS = (
    "The desk is not halted, running: equity 25,310.77 USDT, 2 open positions (d-5001).\n"
    "| sleeve | equity | position | protective level | entries |\n"
    "| btc-breakout | 9,100.50 USDT | long 0.30 | 58,200.00 (stop) | allowed |\n"
    "| sol-reversion | 8,010.27 USDT | short 40 | 151.20 (stop) | allowed |\n"
    "| eth-grid | 8,200.00 USDT | flat | - | paused |",
    "d-4988 fill sol-reversion 2027-03-02 09:14Z: sell 40 at 148.30 to enter\n"
    "d-4970 fill eth-grid 2027-03-01 17:40Z: sell 1.5 at 3,410.00 by target, round trip +61.30\n"
    "d-4990 halt 2027-03-02 10:00Z: desk halted by lena\n"
    "d-4993 halt 2027-03-02 10:22Z: desk released by lena",
    "proposal prop-11 for btc-breakout (pending): stop_atr 2 -> 2.5. It loosens.\n"
    "proposal prop-10 for eth-grid (applied): risk_frac 0.01 -> 0.005. approved by lena.",
    "al-12 warning feed: sol bars late, since 2027-03-02 08:10Z, resolved.",
)


def running_scene() -> Ground:
    """What stands behind the sentences of running.toml; this turn left a note."""
    receipts = Receipts(frozenset({"note"}), RUNNING_TEXTS, halted=False)
    facts, names = {fact.ref: fact for fact in RUNNING_FACTS}, ("btc-breakout", "sol-reversion", "eth-grid")
    asked = ["How is sol doing? Should I raise risk_frac to 0.02?"]
    return Ground(facts, asked, [], names, RUNNING_TEXTS, (), receipts, [CountedRows("sleeve", 3)])
