"""Facts of a thread, as tools return them, and what grounding strikes out beside them: for the tests of grounding and its law."""

from agents.grounding import Ground, ground
from tools.common.contract import Evidence, Fact

RUN = Evidence("run", "r-8f2a1c")
LIVE = Evidence("run", "r-live77")


def fact(ref: str, value: object, unit: str, subject: str = "trend BTC-USDT", evidence: Evidence = RUN) -> Fact:
    """A fact whose metric is the second part of its reference."""
    return Fact(ref, subject, ref.split(".")[1], value, unit, evidence)  # type: ignore[arg-type]


FACTS = [
    fact("r1.sharpe", 1.2345, "ratio"),
    fact("r1.total_return_frac", 0.1234, "frac"),
    fact("r1.max_drawdown_frac", 0.0871, "frac"),
    fact("r1.trades", 142, "count"),
    fact("r1.fees", 312.456, "usd"),
    fact("r1.first_ms", 1735689600000, "ms"),
    fact("r1.win_rate", None, "frac"),
    fact("r2.sharpe", 0.987, "ratio", "live configuration", LIVE),
    fact("s1.pnl", -45.678, "usd", "trend-btc", Evidence("desk", "trend-btc")),
    fact("s1.funding", -3.2, "usd", "trend-btc", Evidence("desk", "trend-btc")),
    fact("h1.spread_bps", 1.5, "bps", "BTC-USDT", Evidence("desk", "h")),
    fact("h1.latency", 5400000, "duration_ms", "feed", Evidence("desk", "h")),
]
BY_REF = {f.ref: f for f in FACTS}


def stand(*asked: str, arguments: list | None = None) -> Ground:
    """The thread's ground with the person's words and the calls' arguments."""
    return Ground(BY_REF, asked, arguments or [])


def struck(text: str, *asked: str, arguments: list | None = None) -> list[str]:
    """What is struck of a text."""
    return [s.text for s in ground(text, stand(*asked, arguments=arguments)).struck]


def outcome(text: str, ground_of: Ground | None = None) -> str:
    """Struck, marked or unmarked: what becomes of a text in a thread, the worst of its sentences."""
    done = ground(text, ground_of or stand())
    return "struck" if done.struck else "marked" if done.unchecked else "unmarked"
