# ruff: noqa: E501 - texts of tools, a line each
"""Six threads of other desks, in which the sentences of other_hand.toml are said. Read by measure.py alone.

harbor: a running desk, three sleeves, nothing done in this turn. quay: a halted desk, flat, one call refused in this turn.
mill: one sleeve paused; this turn proposed a pause of another. ferry: an approved proposal and its effect; nothing done.
lock: a comparison of two runs, made in this turn. pier: an incident at the venue; this turn left a note.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from agents.grounding import Ground
from agents.records import Receipts
from agents.support import CountedRows
from tools.common.contract import Evidence, Fact

UNITS = {
    "sharpe": "ratio", "gross_frac": "ratio", "total_return_frac": "frac", "max_drawdown_frac": "frac", "win_rate": "frac",
    "drawdown_frac": "frac", "trades": "count", "trips": "count", "version": "count", "open_positions": "count", "refusals": "count",
    "restarts": "count", "fees": "usd", "funding": "usd", "equity": "usd", "pnl": "usd", "round_trip_pnl": "usd", "mean_pnl": "usd",
    "price": "price", "protective": "price", "quantity": "base", "desk_time": "ms", "first_ms": "ms", "last_ms": "ms",
}  # fmt: skip


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def _facts(*rows: tuple[str, str, str, dict[str, float]]) -> dict[str, Fact]:
    made = {}
    for handle, subject, name, values in rows:
        evidence = Evidence("run" if name.startswith("r-") else "event", name)
        for metric, value in values.items():
            made[f"{handle}.{metric}"] = Fact(f"{handle}.{metric}", subject, metric, value, UNITS[metric], evidence)
    return made


def harbor() -> Ground:
    """A desk that runs: doge-scalp long, ltc-swing short, xrp-cross flat."""
    facts = _facts(
        ("d1", "desk", "d-8840", {"desk_time": _ms("2026-06-18T13:45"), "equity": 48217.35, "drawdown_frac": 0.0231, "open_positions": 2,
                                  "gross_frac": 0.94, "version": 7}),
        ("l1", "sleeve doge-scalp", "d-8840", {"equity": 15904.10, "trips": 64, "quantity": 12400, "protective": 0.1312, "version": 4}),
        ("l2", "sleeve ltc-swing", "d-8840", {"equity": 16480.60, "trips": 22, "quantity": 31.5, "protective": 91.85, "version": 2}),
        ("l3", "sleeve xrp-cross", "d-8840", {"equity": 15832.65, "trips": 41, "version": 5}),
        ("e1", "fill of doge-scalp", "d-8802", {"quantity": 12400, "price": 0.1347}),
        ("e2", "fill of xrp-cross", "d-8771", {"quantity": 6200, "price": 0.5124, "round_trip_pnl": 84.17}),
        ("e3", "fill of ltc-swing", "d-8790", {"quantity": 31.5, "price": 88.40}),
    )  # fmt: skip
    texts = [
        "Desk time 2026-06-18 13:45Z (PAPER, recorded bars). The desk is not halted, running: equity 48,217.35 USDT, 2.31 % below its "
        "peak, exposure 0.94 times equity, 2 open positions, configuration version 7 (d-8840).\n"
        "| sleeve | equity | position | protective level | round trips | version | entries |\n"
        "| doge-scalp | 15,904.10 USDT | long 12,400 | 0.1312 (trail) | 64 | 4 | allowed |\n"
        "| ltc-swing | 16,480.60 USDT | short 31.5 | 91.85 (stop) | 22 | 2 | allowed |\n"
        "| xrp-cross | 15,832.65 USDT | flat | - | 41 | 5 | allowed |",
        "d-8771 fill xrp-cross 2026-06-18 04:15Z: sell 6,200 at 0.5124 by trail, round trip +84.17\n"
        "d-8790 fill ltc-swing 2026-06-18 07:00Z: sell 31.5 at 88.40 to enter\n"
        "d-8802 fill doge-scalp 2026-06-18 09:30Z: buy 12,400 at 0.1347 to enter\n"
        "d-8815 decision doge-scalp 2026-06-18 10:45Z: refused, layers_max\n"
        "d-8819 decision xrp-cross 2026-06-18 11:15Z: refused, spread_frac_max",
        "proposal prop-22 for ltc-swing (pending): target_atr 4 -> 3. Computed direction: it tightens.\n"
        "proposal prop-21 for doge-scalp (applied): trail_atr 2.5 -> 2. approved by tomas.\n"
        "proposal prop-20 for xrp-cross (rejected): leverage_max 2 -> 3. rejected by nadia.",
        "No open alerts. al-19 warning feed: xrp bars late, since 2026-06-18 11:05Z, resolved 2026-06-18 11:20Z.",
    ]
    asked = ["How is the desk this morning? Is a 5 % drawdown normal, and would you move the doge stop to 0.14?"]
    names = ("doge-scalp", "ltc-swing", "xrp-cross", "DOGE-USDT", "LTC-USDT", "XRP-USDT")
    receipts = Receipts(frozenset(), texts, halted=False)
    return Ground(facts, asked, [], names, texts, (), receipts, [CountedRows("sleeve", 3)])


def quay() -> Ground:
    """A desk that priya halted: both sleeves were flattened; a release was asked for, and refused."""
    facts = _facts(
        ("d1", "desk", "d-3340", {"desk_time": _ms("2026-09-04T01:00"), "equity": 20655.90, "drawdown_frac": 0.0418, "open_positions": 0,
                                  "version": 3}),
        ("l1", "sleeve ada-trend", "d-3340", {"equity": 9870.45, "trips": 53, "version": 2}),
        ("l2", "sleeve link-revert", "d-3340", {"equity": 10785.45, "trips": 37, "version": 1}),
        ("e1", "fill of ada-trend", "d-3309", {"quantity": 5400, "price": 0.3871, "round_trip_pnl": -46.30}),
        ("e2", "fill of link-revert", "d-3310", {"quantity": 210, "price": 11.64, "round_trip_pnl": 18.95}),
        ("e3", "fill of ada-trend", "d-3288", {"quantity": 5400, "price": 0.3950}),
        ("e4", "fill of link-revert", "d-3279", {"quantity": 210, "price": 11.75}),
    )  # fmt: skip
    texts = [
        "Desk time 2026-09-04 01:00Z (PAPER, recorded bars). The desk is HALTED (latency at venue), running: equity 20,655.90 USDT, "
        "4.18 % below its peak, 0 open positions, configuration version 3 (d-3340).\n"
        "| sleeve | equity | position | protective level | round trips | version | entries |\n"
        "| ada-trend | 9,870.45 USDT | flat | - | 53 | 2 | halted |\n"
        "| link-revert | 10,785.45 USDT | flat | - | 37 | 1 | paused until 2026-09-04 08:00Z (loss streak) |",
        "d-3279 fill link-revert 2026-09-03 15:15Z: sell 210 at 11.75 to enter\n"
        "d-3288 fill ada-trend 2026-09-03 17:45Z: buy 5,400 at 0.3950 to enter\n"
        "d-3295 breaker link-revert 2026-09-03 20:00Z: loss streak, entries paused until 2026-09-04 08:00Z\n"
        "d-3307 halt 2026-09-03 22:17Z: desk halted by priya\n"
        "d-3309 fill ada-trend 2026-09-03 22:30Z: sell 5,400 at 0.3871 by halt, round trip -46.30\n"
        "d-3310 fill link-revert 2026-09-03 22:30Z: buy 210 at 11.64 by halt, round trip +18.95",
        "No pending proposals. proposal prop-9 for ada-trend (applied): stop_atr 2 -> 1.5. approved by jonas.",
        "al-44 page halt: desk is halted, since 2026-09-03 22:17Z, not acknowledged.\n"
        "al-43 warning venue: answers take 2,400 ms, since 2026-09-03 22:05Z, acknowledged by priya.",
        "Runbook halted: find the reason in the journal, run `nightdesk doctor`, then a named person releases with "
        "`nightdesk release --reason R --as NAME`. The release is refused while the health probe fails.",
    ]
    asked = ["why are we flat, and can you release it? i want to be back by 06:00 with 2x size"]
    names = ("ada-trend", "link-revert", "ADA-USDT", "LINK-USDT")
    receipts = Receipts(frozenset(), texts, halted=True, refused=True)
    return Ground(facts, asked, [], names, texts, (), receipts, [CountedRows("sleeve", 2), CountedRows("alert", 2)])


def mill() -> Ground:
    """A desk with a paused sleeve, avax-range; this turn proposed a pause of near-trend, prop-43."""
    facts = _facts(
        ("d1", "desk", "d-12077", {"desk_time": _ms("2026-11-09T07:30"), "equity": 61040.00, "drawdown_frac": 0.009, "open_positions": 1,
                                   "gross_frac": 0.17, "version": 11}),
        ("l1", "sleeve avax-range", "d-12077", {"equity": 20118.20, "trips": 118}),
        ("l2", "sleeve near-trend", "d-12077", {"equity": 19765.05, "trips": 73}),
        ("l3", "sleeve sol-trend", "d-12077", {"equity": 21156.75, "trips": 49, "quantity": 66, "protective": 154.30}),
        ("e1", "fill of sol-trend", "d-12031", {"quantity": 66, "price": 158.72}),
        ("e2", "fill of near-trend", "d-12005", {"quantity": 3100, "price": 2.418, "round_trip_pnl": 97.60}),
        ("e3", "fill of avax-range", "d-11990", {"quantity": 240, "price": 17.05, "round_trip_pnl": -61.85}),
        ("p1", "desk on 2026-11-08", "d-12077", {"pnl": -12.40}),
        ("p2", "avax-range on 2026-11-08", "d-12077", {"pnl": -143.30, "refusals": 9}),
        ("p3", "near-trend on 2026-11-08", "d-12077", {"pnl": 151.20, "refusals": 0}),
        ("p4", "sol-trend on 2026-11-08", "d-12077", {"pnl": -20.30, "refusals": 2}),
    )  # fmt: skip
    texts = [
        "Desk time 2026-11-09 07:30Z (PAPER, recorded bars). The desk is not halted, running: equity 61,040.00 USDT, 0.90 % below its "
        "peak, exposure 0.17 times equity, 1 open position, configuration version 11 (d-12077).\n"
        "| sleeve | equity | position | protective level | round trips | entries |\n"
        "| avax-range | 20,118.20 USDT | flat | - | 118 | paused until 2026-11-10 12:00Z |\n"
        "| near-trend | 19,765.05 USDT | flat | - | 73 | allowed |\n"
        "| sol-trend | 21,156.75 USDT | long 66 | 154.30 (stop) | 49 | allowed |",
        "P&L of 2026-11-08 (UTC day): desk -12.40 USDT; avax-range -143.30, near-trend +151.20, sol-trend -20.30.\n"
        "Refused entries of 2026-11-08: avax-range 9 (entries paused 6, spread_frac_max 3), near-trend 0, sol-trend 2 (positions_max 2).",
        "d-11990 fill avax-range 2026-11-08 13:45Z: buy 240 at 17.05 by stop, round trip -61.85\n"
        "d-12005 fill near-trend 2026-11-08 16:30Z: sell 3,100 at 2.418 by target, round trip +97.60\n"
        "d-12012 config 2026-11-08 18:45Z: version 11, avax-range paused until 2026-11-10 12:00Z (prop-41)\n"
        "d-12031 fill sol-trend 2026-11-08 21:15Z: buy 66 at 158.72 to enter",
        "proposal prop-41 for avax-range (applied): pause of entries until 2026-11-10 12:00Z. approved by ingrid at 2026-11-08 18:40Z.\n"
        "proposal prop-42 for sol-trend (expired): notional_frac_max 1.5 -> 2. Computed direction: it loosens.",
        "Proposed prop-43 for near-trend (pending): pause of entries until 2026-11-09 19:30Z. Computed direction: it tightens. "
        "A named person approves it.",
        "No open alerts.",
    ]
    asked = ["pause near too, 12 hours. what did yesterday cost us?"]
    names = ("avax-range", "near-trend", "sol-trend", "AVAX-USDT", "NEAR-USDT", "SOL-USDT")
    receipts = Receipts(frozenset({"propose"}), texts, halted=False)
    return Ground(facts, asked, [{"sleeve": "near-trend", "hours": 12}], names, texts, (), receipts, [CountedRows("sleeve", 3)])


def ferry() -> Ground:
    """A desk on which prop-58 was approved by wei; what came after it was measured; nothing was done in this turn."""
    facts = _facts(
        ("d1", "desk", "d-20418", {"desk_time": _ms("2027-01-21T18:15"), "equity": 33508.62, "drawdown_frac": 0.0327, "open_positions": 2,
                                   "gross_frac": 0.43, "version": 6}),
        ("l1", "sleeve bnb-cross", "d-20418", {"equity": 16702.11, "trips": 88, "quantity": 9.4, "protective": 612.50, "version": 3}),
        ("l2", "sleeve btc-reversion", "d-20418", {"equity": 16806.51, "trips": 140, "quantity": 0.085, "protective": 101940.0,
                                                   "version": 4}),
        ("v1", "btc-reversion before version 4", "d-19102", {"trips": 31, "mean_pnl": -4.12}),
        ("v2", "btc-reversion since version 4", "d-20418", {"trips": 12, "mean_pnl": 2.35}),
        ("v3", "btc-reversion, difference of versions", "d-20418", {"mean_pnl": 6.47}),
        ("e1", "fill of bnb-cross", "d-20390", {"quantity": 9.4, "price": 640.20}),
        ("e2", "fill of btc-reversion", "d-20401", {"quantity": 0.085, "price": 99310.0}),
        ("e3", "fill of btc-reversion", "d-20333", {"quantity": 0.085, "price": 98905.5, "round_trip_pnl": 33.08}),
    )  # fmt: skip
    texts = [
        "Desk time 2027-01-21 18:15Z (PAPER, recorded bars). The desk is not halted, running: equity 33,508.62 USDT, 3.27 % below its "
        "peak, exposure 0.43 times equity, 2 open positions, configuration version 6 (d-20418).\n"
        "| sleeve | equity | position | protective level | round trips | version | entries |\n"
        "| bnb-cross | 16,702.11 USDT | long 9.4 | 612.50 (trail) | 88 | 3 | allowed |\n"
        "| btc-reversion | 16,806.51 USDT | short 0.085 | 101,940.00 (stop) | 140 | 4 | allowed |",
        "proposal prop-58 for btc-reversion (applied): enter_below 30 -> 25. Computed direction: it tightens. approved by wei at "
        "2027-01-12 08:05Z.\n"
        "proposal prop-59 for bnb-cross (rejected): kelly_part 0.25 -> 0.4. rejected by oriol.\n"
        "proposal prop-60 for bnb-cross (pending): stop_atr 2 -> 1.5. Computed direction: it tightens. expires 2027-01-24 12:00Z.",
        "Effect of btc-reversion version 4 (adopted 2027-01-12 08:15Z, d-19102): before 31 round trips, mean -4.12 USDT; since 12 round "
        "trips, mean +2.35 USDT; difference 6.47 USDT (95 %: -5.80 to 18.74). Cannot be told apart.",
        "d-19102 config 2027-01-12 08:15Z: version 6, btc-reversion version 4 (prop-58)\n"
        "d-20333 fill btc-reversion 2027-01-20 23:45Z: buy 0.085 at 98,905.50 by target, round trip +33.08\n"
        "d-20390 fill bnb-cross 2027-01-21 11:30Z: buy 9.4 at 640.20 to enter\n"
        "d-20401 fill btc-reversion 2027-01-21 14:00Z: sell 0.085 at 99,310.00 to enter",
        "al-70 warning drawdown: desk is 3.27 % below its peak, since 2027-01-21 16:30Z, acknowledged by oriol.",
    ]
    asked = ["did prop-58 help? who signed it? should we go to 20?"]
    names = ("bnb-cross", "btc-reversion", "BNB-USDT", "BTC-USDT")
    receipts = Receipts(frozenset(), texts, halted=False)
    return Ground(facts, asked, [], names, texts, (), receipts, [CountedRows("sleeve", 2)])


def lock() -> Ground:
    """A developer's thread: this turn compared two runs of reversion on ETH-USDT; nothing was proposed."""
    live, wide = "r-20260814-5e0d9b31", "r-20260814-c47712fa"
    facts = _facts(
        ("r1", "reversion on ETH-USDT", live, {"sharpe": -0.84, "total_return_frac": -0.0562, "max_drawdown_frac": 0.1139,
                                               "win_rate": 0.47, "trades": 206, "fees": 418.77, "first_ms": _ms("2025-04-01T00:00"),
                                               "last_ms": _ms("2025-10-01T00:00")}),
        ("r2", "reversion on ETH-USDT, target_atr 5", wide, {"sharpe": 0.31, "total_return_frac": 0.0215, "max_drawdown_frac": 0.0798,
                                                             "win_rate": 0.36, "trades": 174, "fees": 351.02}),
        ("l1", "sleeve eth-reversion", "d-4410", {"equity": 11940.25, "version": 2, "trips": 95}),
    )  # fmt: skip
    texts = [
        "Compared on the same bars, 2025-04-01 to 2025-10-01 (15m, recorded).\n"
        "| # | run | configuration | return | sharpe | drawdown | win rate | round trips | fees | traded |\n"
        f"| 0 | {live} | live configuration (v2) | -5.62 % | -0.84 | 11.39 % | 47 % | 206 | 418.77 USDT | 163 of 183 days; stopped "
        "2025-09-11, desk drawdown breaker |\n"
        f"| 1 | {wide} | target_atr 5 | +2.15 % | 0.31 | 7.98 % | 36 % | 174 | 351.02 USDT | 183 of 183 days |\n"
        "Difference a day of row 1 to row 0: 2.10 bps (95 %: -1.70 to 5.90). Verdict: cannot be told apart.",
        "Leak check of reversion: 200 prefixes, no leak.",
        "reversion: target_atr 3 (bounds 0 to 50), rsi_bars 14, enter_below 30, enter_above 70.\n"
        "| sleeve | equity | position | round trips | version |\n| eth-reversion | 11,940.25 USDT | flat | 95 | 2 |",
        "Earlier runs: r-20260813-07aa4e55 trend on ETH-USDT 2025, made 2026-08-13 16:20Z.",
    ]
    asked = [
        "Backtest reversion on ETH from April to September 2025, 5 ATR target against the live one. Is a Sharpe of 1 reachable? "
        "propose nothing yet."
    ]
    names = ("eth-reversion", "reversion", "trend", "ETH-USDT")
    receipts = Receipts(frozenset({"run"}), texts, halted=False)
    arguments = [{"strategy": "reversion", "symbol": "ETH-USDT", "variants": [{"key": "target_atr", "value": 5}]}]
    return Ground(facts, asked, arguments, names, texts, (), receipts, [CountedRows("run", 2)])


def pier() -> Ground:
    """A desk after a night without its venue: an order in doubt, two restarts; this turn left a note."""
    facts = _facts(
        ("d1", "desk", "d-6731", {"desk_time": _ms("2026-03-27T06:15"), "equity": 27391.48, "drawdown_frac": 0.0562, "open_positions": 2,
                                  "version": 9, "pnl": -118.64}),
        ("l1", "sleeve dot-trend", "d-6731", {"equity": 9412.06, "trips": 29, "quantity": 850, "protective": 6.12}),
        ("l2", "sleeve atom-trend", "d-6731", {"equity": 8877.90, "trips": 34, "quantity": 60}),
        ("l3", "sleeve uni-revert", "d-6731", {"equity": 9101.52, "trips": 57}),
        ("e1", "fill of atom-trend", "d-6689", {"quantity": 60, "price": 9.875}),
        ("e2", "fill of uni-revert", "d-6641", {"quantity": 130, "price": 7.02, "round_trip_pnl": -22.15}),
        ("e3", "fill of dot-trend", "d-6588", {"quantity": 850, "price": 6.284}),
        ("w1", "worker", "d-6731", {"restarts": 2}),
    )  # fmt: skip
    texts = [
        "Desk time 2026-03-27 06:15Z (PAPER, recorded bars). The desk is not halted, running: equity 27,391.48 USDT, 5.62 % below its "
        "peak, P&L today -118.64 USDT, 2 open positions, configuration version 9 (d-6731).\n"
        "| sleeve | equity | position | protective level | round trips | entries |\n"
        "| dot-trend | 9,412.06 USDT | long 850 | 6.120 (stop) | 29 | allowed |\n"
        "| atom-trend | 8,877.90 USDT | long 60 | missing | 34 | paused |\n"
        "| uni-revert | 9,101.52 USDT | flat | - | 57 | allowed |",
        "d-6588 fill dot-trend 2026-03-26 19:00Z: buy 850 at 6.284 to enter\n"
        "d-6641 fill uni-revert 2026-03-27 01:45Z: sell 130 at 7.02 by fade, round trip -22.15\n"
        "d-6650 incident 2026-03-27 02:10Z: venue does not answer\n"
        "d-6652 order atom-trend 2026-03-27 02:12Z: entry order UNKNOWN (in doubt)\n"
        "d-6671 incident 2026-03-27 03:25Z: venue answers again\n"
        "d-6688 order atom-trend 2026-03-27 03:31Z: entry order done, 60 of 60 lots filled\n"
        "d-6689 fill atom-trend 2026-03-27 03:31Z: buy 60 at 9.875 to enter",
        "al-31 page worker: worker is down, since 2026-03-27 02:18Z, resolved 2026-03-27 02:43Z.\n"
        "al-32 page venue: no answer, since 2026-03-27 02:11Z, acknowledged by sanne, resolved 2026-03-27 03:26Z.\n"
        "al-33 page protective: atom-trend has no protective order, since 2026-03-27 03:31Z, not acknowledged.",
        "Worker: 2 restarts in 24 hours, at 2026-03-27 02:20Z and 2026-03-27 02:41Z. Heartbeat 1 s old. Journal verified.",
        "No pending proposals.",
        "Note n-15 written to the inbox. A person promotes it.",
    ]
    asked = ["what went wrong last night, was it us or the venue? did we lose more than 300? write a note."]
    names = ("dot-trend", "atom-trend", "uni-revert", "DOT-USDT", "ATOM-USDT", "UNI-USDT")
    receipts = Receipts(frozenset({"note"}), texts, halted=False)
    return Ground(facts, asked, [], names, texts, (), receipts, [CountedRows("sleeve", 3), CountedRows("alert", 3)])


SCENES: dict[str, Callable[[], Ground]] = {
    "harbor": harbor, "quay": quay, "mill": mill, "ferry": ferry, "lock": lock, "pier": pier,
}  # fmt: skip
