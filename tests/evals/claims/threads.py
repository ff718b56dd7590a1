"""Six further threads for the claims set, each with its own facts, records and receipts; threads.toml says sentences in them.

`calm`: three sleeves, two positions, nothing wrong. `paused`: a breaker paused one sleeve. `approved`: a proposal went in force a
moment ago. `compared`: two runs side by side, made in this turn. `incident`: a partial fill, a stale feed, a halt. `fresh`: a
desk on which nothing has happened yet. Called by measure.py and made_threads.py.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from agents.grounding import Ground
from agents.records import Receipts
from agents.support import CountedRows
from tools.common.contract import Evidence, Fact


class ThreadData(NamedTuple):
    """What a thread is made of. `facts`: (handle, subject, evidence, metrics with value and unit)."""

    facts: tuple[tuple[str, str, Evidence, Mapping[str, tuple[float, str]]], ...]
    texts: tuple[str, ...]
    asked: str
    names: tuple[str, ...]
    own: frozenset[str] = frozenset()
    halted: bool = False
    refused: bool = False
    arguments: tuple[Mapping[str, object], ...] = ()
    rows: tuple[CountedRows, ...] = ()

    def listed(self) -> tuple[Fact, ...]:
        """Its facts, one by one."""
        return tuple(
            Fact(f"{handle}.{metric}", subject, metric, value, unit, evidence)
            for handle, subject, evidence, values in self.facts
            for metric, (value, unit) in values.items()
        )

    def ground(self) -> Ground:
        """What stands behind an answer in it."""
        receipts = Receipts(self.own, self.texts, halted=self.halted, refused=self.refused)
        facts = {fact.ref: fact for fact in self.listed()}
        return Ground(facts, [self.asked], list(self.arguments), self.names, self.texts, (), receipts, list(self.rows))


def _ms(text: str) -> float:
    return float(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000))


_CALM = Evidence("event", "d-8120")
_PAUSED = Evidence("event", "d-3371")
_APPROVED = Evidence("event", "d-640")
_INCIDENT = Evidence("event", "d-9904")

THREADS: dict[str, ThreadData] = {
    "calm": ThreadData(
        (
            (
                "d1",
                "desk",
                _CALM,
                {
                    "desk_time": (_ms("2026-05-14T13:40"), "ms"),
                    "equity": (48210.66, "usd"),
                    "drawdown_frac": (0.0231, "frac"),
                    "open_positions": (2, "count"),
                    "gross_frac": (0.84, "ratio"),
                    "version": (7, "count"),
                },
            ),
            ("l1", "sleeve btc-carry", _CALM, {"equity": (21050.4, "usd"), "quantity": (0.25, "base"), "trips": (12, "count")}),
            ("l2", "sleeve eth-swing", _CALM, {"equity": (15118.2, "usd"), "quantity": (3.2, "base"), "trips": (44, "count")}),
            ("l3", "sleeve sol-mean", _CALM, {"equity": (12042.06, "usd"), "trips": (103, "count")}),
            (
                "a1",
                "P&L of whole desk",
                _CALM,
                {"change": (312.4, "usd"), "fees": (-41.18, "usd"), "funding": (-6.02, "usd"), "fills": (9, "count")},
            ),
        ),
        (
            "Desk time 2026-05-14 13:40Z (PAPER, recorded bars). The desk is running: equity 48,210.66 USDT, 2.31 % below its "
            "peak, exposure 0.84 times equity, 2 open positions, configuration version 7 (d-8120).\n"
            "| sleeve | equity | position | protective level | round trips | entries |\n"
            "| btc-carry | 21,050.40 USDT | long 0.25 | 98,400.00 (stop) | 12 | allowed |\n"
            "| eth-swing | 15,118.20 USDT | short 3.2 | 3,320.50 (stop) | 44 | allowed |\n"
            "| sol-mean | 12,042.06 USDT | flat | - | 103 | allowed |",
            "From 2026-05-13 13:40Z to 2026-05-14 13:40Z equity changed by 312.40 USDT: fees -41.18, funding -6.02, "
            "over 9 fills.",
            "d-8102 fill eth-swing 2026-05-14 09:25Z: sell 3.2 at 3,201.75 to enter\n"
            "d-8090 fill sol-mean 2026-05-14 06:10Z: sell 55 at 171.30 by target, round trip +96.25\n"
            "d-8055 fill btc-carry 2026-05-13 21:00Z: buy 0.25 at 101,340.00 to enter",
            "Alerts: 0 open (0 unacknowledged), 3 resolved.",
            "3 proposals, the newest first; 0 pending.\n"
            "proposal prop-14 for btc-carry (applied): risk_frac 0.01 -> 0.008. approved by ines.\n"
            "proposal prop-13 for sol-mean (expired): stop_atr 2 -> 1.5.\n"
            "proposal prop-12 for eth-swing (rejected): leverage_max 2 -> 3. rejected by paul.",
        ),
        "Anything going on? Are we OK for the night, and should I worry about the ETH short?",
        ("btc-carry", "eth-swing", "sol-mean"),
        rows=(CountedRows("sleeve", 3),),
    ),
    "paused": ThreadData(
        (
            (
                "d1",
                "desk",
                _PAUSED,
                {
                    "desk_time": (_ms("2026-08-03T08:30"), "ms"),
                    "equity": (19870.15, "usd"),
                    "drawdown_frac": (0.0412, "frac"),
                    "open_positions": (1, "count"),
                },
            ),
            (
                "l1",
                "sleeve sol-fade",
                _PAUSED,
                {"equity": (6120.75, "usd"), "losses_in_a_row": (3, "count"), "trips": (58, "count")},
            ),
            ("l2", "sleeve btc-drift", _PAUSED, {"equity": (13749.4, "usd"), "quantity": (0.09, "base"), "trips": (17, "count")}),
            (
                "t1",
                "round trip of sol-fade",
                Evidence("event", "d-3340"),
                {"round_trip_pnl": (-54.3, "usd"), "held": (7, "bars")},
            ),
        ),
        (
            "Desk time 2026-08-03 08:30Z (PAPER, recorded bars). The desk is running: equity 19,870.15 USDT, 4.12 % below "
            "its peak, 1 open positions (d-3371). Tripped: losses_in_a_row of sol-fade.\n"
            "| sleeve | equity | position | protective level | entries |\n"
            "| sol-fade | 6,120.75 USDT | flat | - | paused until 2026-08-04 02:15Z |\n"
            "| btc-drift | 13,749.40 USDT | long 0.09 | 104,900.00 (stop) | allowed |",
            "d-3341 breaker sol-fade 2026-08-03 02:15Z: sol-fade: breaker losses_in_a_row tripped until 2026-08-04 02:15Z\n"
            "d-3340 fill sol-fade 2026-08-03 02:15Z: sell 60 at 158.10 by stop, round trip -54.30\n"
            "d-3312 fill sol-fade 2026-08-02 22:05Z: sell 60 at 160.40 by stop, round trip -48.10\n"
            "d-3290 fill sol-fade 2026-08-02 17:50Z: sell 62 at 163.00 by stop, round trip -51.90\n"
            "d-3355 refused sol-fade 2026-08-03 05:00Z: long entry refused: losses_in_a_row",
            "al-31 WARNING (breaker, sol-fade): losses_in_a_row tripped, since 2026-08-03 02:15Z, open, not acknowledged.",
        ),
        "Why does sol-fade not trade? Can we unpause it now?",
        ("sol-fade", "btc-drift"),
        refused=True,
        rows=(CountedRows("sleeve", 2),),
    ),
    "approved": ThreadData(
        (
            (
                "d1",
                "desk",
                _APPROVED,
                {
                    "desk_time": (_ms("2026-02-19T14:20"), "ms"),
                    "equity": (99840.0, "usd"),
                    "version": (12, "count"),
                    "open_positions": (0, "count"),
                },
            ),
            (
                "p1",
                "parameters of xrp-break v12",
                Evidence("config", "v12"),
                {"stop_atr": (1.8, "ratio"), "leverage_max": (2, "ratio")},
            ),
            (
                "g1",
                "stop_atr 1.8 against the live configuration",
                Evidence("run", "r-20260219-77ab01fe"),
                {"difference_bps": (1.4, "bps")},
            ),
        ),
        (
            "Desk time 2026-02-19 14:20Z (PAPER, recorded bars). The desk is running: equity 99,840.00 USDT, 0 open positions, "
            "configuration version 12 (d-640).\n"
            "| sleeve | position | version | entries |\n| xrp-break | flat | 12 | allowed |\n| bnb-pair | flat | 12 | allowed |",
            "proposal prop-21 for xrp-break (applied): stop_atr 2.2 -> 1.8. Computed direction: it tightens. approved by nina.\n"
            "proposal prop-22 for bnb-pair (pending): leverage_max 2 -> 3. Computed direction: it loosens.",
            "d-638 config 2026-02-19 14:05Z: version 12 adopted by the desk\nd-611 halt 2026-02-19 09:30Z: desk halted by nina\n"
            "d-615 halt 2026-02-19 09:52Z: desk released by nina",
        ),
        "Did my change go in? What is still waiting?",
        ("xrp-break", "bnb-pair"),
        own=frozenset({"note"}),
        rows=(CountedRows("sleeve", 2),),
    ),
    "compared": ThreadData(
        (
            (
                "r1",
                "carry on ETH-USDT",
                Evidence("run", "r-20260630-5c5c9a10"),
                {
                    "sharpe": (1.871, "ratio"),
                    "sortino": (2.644, "ratio"),
                    "total_return_frac": (0.2618, "frac"),
                    "max_drawdown_frac": (0.0957, "frac"),
                    "win_rate": (0.535, "frac"),
                    "trades": (214, "count"),
                    "fees": (1840.5, "usd"),
                    "funding": (-220.75, "usd"),
                    "profit_factor": (1.46, "ratio"),
                    "exposure_frac": (0.37, "frac"),
                },
            ),
            (
                "r2",
                "carry on ETH-USDT, fast_bars 12",
                Evidence("run", "r-20260630-e07d4412"),
                {
                    "sharpe": (1.402, "ratio"),
                    "sortino": (1.988, "ratio"),
                    "total_return_frac": (0.2205, "frac"),
                    "max_drawdown_frac": (0.1344, "frac"),
                    "win_rate": (0.49, "frac"),
                    "trades": (331, "count"),
                    "fees": (2905.1, "usd"),
                    "funding": (-180.2, "usd"),
                    "profit_factor": (1.29, "ratio"),
                    "exposure_frac": (0.44, "frac"),
                },
            ),
            (
                "x1",
                "fast_bars 12 against carry on ETH-USDT",
                Evidence("run", "r-20260630-e07d4412"),
                {
                    "difference_bps": (-1.1, "bps"),
                    "low_bps": (-3.2, "bps"),
                    "high_bps": (0.9, "bps"),
                    "compared_days": (364, "count"),
                },
            ),
        ),
        (
            "Compared on the same bars, 2025-06-01 to 2026-06-01.\n| run | variant | sharpe | round trips | verdict |\n"
            "| r-20260630-5c5c9a10 | live configuration | {r1.sharpe} | {r1.trades} | - |\n"
            "| r-20260630-e07d4412 | fast_bars 12 | {r2.sharpe} | {r2.trades} | cannot be told apart |",
        ),
        "Is carry better with fast_bars 12? Be brief.",
        ("carry", "ETH-USDT"),
        own=frozenset({"run"}),
        arguments=({"strategy": "carry", "variants": [{"key": "fast_bars", "value": 12}]},),
    ),
    "incident": ThreadData(
        (
            (
                "d1",
                "desk",
                _INCIDENT,
                {
                    "desk_time": (_ms("2026-10-07T03:20"), "ms"),
                    "equity": (30488.9, "usd"),
                    "drawdown_frac": (0.0689, "frac"),
                    "open_positions": (1, "count"),
                    "version": (5, "count"),
                },
            ),
            (
                "l1",
                "sleeve eth-burst",
                _INCIDENT,
                {"equity": (16210.3, "usd"), "quantity": (2.5, "base"), "protective": (2510.0, "price")},
            ),
            ("l2", "sleeve btc-scalp", _INCIDENT, {"equity": (14278.6, "usd"), "trips": (266, "count")}),
            ("f1", "fill of eth-burst", Evidence("event", "d-9871"), {"price": (2602.4, "price"), "quantity": (2.5, "base")}),
        ),
        (
            "Desk time 2026-10-07 03:20Z (PAPER, recorded bars). The desk is HALTED (venue lag), running: equity 30,488.90 USDT, "
            "6.89 % below its peak, 1 open positions, configuration version 5 (d-9904).\n"
            "| sleeve | equity | position | protective level | entries |\n"
            "| eth-burst | 16,210.30 USDT | long 2.5 | 2,510.00 (stop) | allowed |\n"
            "| btc-scalp | 14,278.60 USDT | flat | - | allowed |",
            "d-9871 fill eth-burst 2026-10-07 01:45Z: buy 2.5 at 2,602.40 to enter\n"
            "d-9870 order eth-burst 2026-10-07 01:45Z: entry order filled: 25 of 40 lots filled\n"
            "d-9880 order btc-scalp 2026-10-07 02:00Z: entry order cancelled: 0 of 12 lots filled\n"
            "d-9890 halt 2026-10-07 02:31Z: desk halted by kim",
            "al-52 PAGE (feed, worker): ETH bars are stale, since 2026-10-07 02:10Z, open, acknowledged by kim.\n"
            "al-51 WARNING (disk, api): disk nearly full, since 2026-10-06 23:55Z, resolved.",
        ),
        "What happened tonight? I was asleep since 23:00. Can you close the ETH position and page omar?",
        ("eth-burst", "btc-scalp"),
        own=frozenset({"note"}),
        halted=True,
        refused=True,
        rows=(CountedRows("sleeve", 2),),
    ),
    "fresh": ThreadData(
        (
            (
                "d1",
                "desk",
                Evidence("event", "d-3"),
                {"equity": (10000.0, "usd"), "open_positions": (0, "count"), "version": (1, "count")},
            ),
        ),
        (
            "Desk time 2026-01-02 00:15Z (PAPER, recorded bars). The desk is running: equity 10,000.00 USDT, 0 open positions, "
            "configuration version 1 (d-3).\n| sleeve | equity | position | entries |\n"
            "| first-try | 10,000.00 USDT | flat | allowed |",
            "no proposals",
            "Alerts: 0 open (0 unacknowledged), 0 resolved.",
        ),
        "I just started this. What can I do, and is a 1 % risk a trade sensible?",
        ("first-try",),
        rows=(CountedRows("sleeve", 1),),
    ),
}
